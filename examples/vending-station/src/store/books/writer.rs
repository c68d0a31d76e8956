//! The one task that changes money.

use super::{
    BATCH_JOBS_MAX, BooksError, CHANNELS, Job, May, Ordered, Poll, Routes, Sell, SellError, State, load, rows::Rows,
};
use crate::{
    clock::WorldClock,
    store::{Store, StoreError},
};
use prepay_core::{
    account::{Account, Command, Effect, Fact, Payment, Purse, Refusal},
    id::{AccountId, ChannelId, MeterNumber, OperatorId, SaleId},
    ledger::{BodyHash, Key, KeyRecord, Keyed},
    money::{Currency, Money},
    persist::{Persisted, Withheld},
    settlement::Pricer,
};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// The demonstration's till. Operators with names come with access control.
const TILL: OperatorId = OperatorId(1);

/// The stored answer to a request to sell.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SellAnswer {
    Sale(i64),
    Refused(String),
}

pub(super) struct Writer {
    store: Arc<Store>,
    pub(super) clock: WorldClock,
    currency: Currency,
    pricer: Arc<dyn Pricer + Send + Sync>,
    pub(super) state: State,
    routes: Arc<Mutex<Routes>>,
}

/// What an account wants done, until it is durable.
pub(super) type Sealed = (AccountId, Withheld<Vec<Effect>>);

/// What waits for the commit.
enum After {
    Command(
        Option<oneshot::Sender<Result<Vec<Effect>, BooksError>>>,
        Result<(AccountId, Withheld<Vec<Effect>>), BooksError>,
    ),
    Sell(oneshot::Sender<Result<i64, SellError>>, Result<i64, SellError>, Option<Sealed>),
    Order(oneshot::Sender<Result<Ordered, BooksError>>, Result<Ordered, BooksError>, Option<Sealed>),
    May(oneshot::Sender<bool>, bool),
    Stored(oneshot::Sender<()>),
    Look(oneshot::Sender<Box<State>>),
    Flush(oneshot::Sender<()>),
}

impl Writer {
    pub(super) fn new(
        store: Arc<Store>,
        clock: WorldClock,
        currency: Currency,
        pricer: Arc<dyn Pricer + Send + Sync>,
        state: State,
        routes: Arc<Mutex<Routes>>,
    ) -> Self {
        Self { store, clock, currency, pricer, state, routes }
    }

    /// Works until the last handle is dropped, or another process has taken over.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut jobs = Vec::with_capacity(BATCH_JOBS_MAX);
        while queue.recv_many(&mut jobs, BATCH_JOBS_MAX).await > 0 {
            if let Err(StoreError::LeaseLost { .. }) = self.batch(jobs.drain(..)).await {
                return;
            }
        }
    }

    /// One transaction: all rows of the jobs, then all answers.
    async fn batch(&mut self, jobs: impl Iterator<Item = Job>) -> Result<(), StoreError> {
        let mut rows = Rows::default();
        let mut afters = Vec::new();
        for job in jobs {
            self.job(job, &mut rows, &mut afters).await;
        }
        let written = rows.write(&self.store, &self.state).await;
        if let Err(error) = &written {
            tracing::error!(%error, "the books can't be written; nothing of this batch was done");
            if !matches!(error, StoreError::LeaseLost { .. }) {
                self.reload().await;
            }
        }
        let failure = written.as_ref().err().map(ToString::to_string);
        for after in afters {
            self.answer(after, failure.as_deref());
        }
        written
    }

    /// After a failed commit the file is the truth.
    async fn reload(&mut self) {
        loop {
            match load::load(self.store.writer(), self.currency).await {
                Ok(state) => {
                    self.state = state;
                    return;
                }
                Err(error) => {
                    tracing::error!(%error, "the books can't be read; trying again");
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
            }
        }
    }

    async fn job(&mut self, job: Job, rows: &mut Rows, afters: &mut Vec<After>) {
        match job {
            Job::Command { account, command, answer } => {
                let decided = self.decide(account, &command, rows);
                if let (None, Err(error)) = (&answer, &decided) {
                    tracing::warn!(account = account.0, %error, "refused");
                }
                afters.push(After::Command(answer, decided.map(|effects| (account, effects))));
            }
            Job::Sell { sell, answer } => {
                let (result, effects) = self.sell(&sell, rows).await;
                afters.push(After::Sell(answer, result, effects.map(|effects| (sell.account, effects))));
            }
            Job::Poll { poll, stored } => {
                self.poll(&poll, rows, afters);
                afters.extend(stored.map(After::Stored));
            }
            Job::Heard { meter } => rows.heard(meter),
            Job::Silent { meter, account } => {
                rows.silent(meter, self.clock.utc_s());
                if let Some(account) = account {
                    let decided = self.decide(account, &Command::LinkLost { meter }, rows);
                    afters.push(After::Command(None, decided.map(|effects| (account, effects))));
                }
            }
            Job::May { account, what, answer } => {
                let may = self.state.accounts.get(&account).is_some_and(|account| match what {
                    May::Send(sale, frame) => account.may_send(sale, frame),
                    May::Write(meter, version) => account.may_write(meter, version),
                });
                afters.push(After::May(answer, may));
            }
            Job::Order { request, answer } => {
                let (ordered, effects) = self.order(&request, rows);
                afters.push(After::Order(answer, ordered, effects));
            }
            Job::Outcome { meter, version, state, reason } => {
                rows.outcome(meter, version, state, reason, self.clock.utc_s());
            }
            Job::Look { answer } => afters.push(After::Look(answer)),
            Job::Sweep => {
                let now = self.clock.now();
                for account in self.state.accounts.values() {
                    afters.push(After::Command(None, Ok((account.id(), account.resume(now)))));
                }
            }
            Job::Flush { answer } => afters.push(After::Flush(answer)),
        }
    }

    /// Decides on the state in memory and applies at once, so that the next job of the batch sees it.
    pub(super) fn decide(
        &mut self,
        id: AccountId,
        command: &Command,
        rows: &mut Rows,
    ) -> Result<Withheld<Vec<Effect>>, BooksError> {
        let now = self.clock.now();
        let account = self.state.accounts.entry(id).or_insert_with(|| Account::new(id));
        let decision = account.decide(command, now, &*self.pricer)?;
        let transfers = decision.transfers().map_err(Refusal::from)?;
        let entries = self.state.ledger.decide(&transfers, now.utc_s)?;
        for entry in &entries {
            self.state.ledger.apply(entry).inspect_err(|error| rows.misfit(error))?;
        }
        for event in &decision.events {
            account.apply(event).map_err(Refusal::from).inspect_err(|error| rows.misfit(error))?;
            if let Fact::Opened { .. } = event.fact {
                load::guard_purse(&mut self.state.ledger, account)?;
            }
            self.state.last_event += 1;
            rows.event(self.state.last_event, event);
        }
        rows.journal(entries);
        Ok(decision.effects)
    }

    fn poll(&mut self, poll: &Poll, rows: &mut Rows, afters: &mut Vec<After>) {
        rows.latest(poll);
        if poll.settle {
            rows.curve(poll);
        }
        let Some(account) = poll.account else { return };
        let (meter, reading) = (poll.reading.meter, poll.reading);
        let command =
            if poll.settle { Command::SettleNow { meter, reading } } else { Command::Observe { meter, reading } };
        let decided = self.decide(account, &command, rows);
        match &decided {
            Err(error) => tracing::warn!(account = account.0, %meter, %error, "reading refused"),
            Ok(_) => self.prove(account, rows),
        }
        afters.push(After::Command(None, decided.map(|effects| (account, effects))));
    }

    /// The meter of a restored account was read. Where it disagrees with the books, its quarantine goes on keeping sales back.
    fn prove(&mut self, account: AccountId, rows: &mut Rows) {
        if self.state.unproved.remove(&account) {
            rows.proved(account);
        }
    }

    async fn sell(&mut self, sell: &Sell, rows: &mut Rows) -> (Result<i64, SellError>, Option<Withheld<Vec<Effect>>>) {
        let key = Key::new("till", &sell.key);
        let prior = match rows.prior(self.store.writer(), &key).await {
            Ok(prior) => prior,
            Err(error) => return (Err(SellError::Store(BooksError::Store(error.to_string()))), None),
        };
        let sale = self.state.last_sale + 1;
        let outcome = key.run(
            BodyHash::of(&sell.body),
            prior.as_ref(),
            || self.request(sell, sale, rows).map(|effects| (effects, SellAnswer::Sale(sale))),
            |refusal| SellAnswer::Refused(refusal.clone()),
        );
        match outcome {
            Keyed::Created { changes, record } => {
                self.state.last_sale = sale;
                rows.key(record, self.clock.utc_s());
                (Ok(sale), Some(changes))
            }
            Keyed::Refused { error, record } => {
                rows.key(record, self.clock.utc_s());
                (Err(SellError::Refused(error)), None)
            }
            Keyed::Replayed(SellAnswer::Sale(sale)) | Keyed::Burned(SellAnswer::Sale(sale)) => (Ok(sale), None),
            Keyed::Replayed(SellAnswer::Refused(reason)) | Keyed::Burned(SellAnswer::Refused(reason)) => {
                (Err(SellError::Refused(reason)), None)
            }
            Keyed::OtherBody { .. } => (Err(SellError::OtherBody), None),
        }
    }

    fn request(&mut self, sell: &Sell, sale: i64, rows: &mut Rows) -> Result<Withheld<Vec<Effect>>, String> {
        let channel = CHANNELS.iter().find(|(word, _)| *word == sell.channel).map(|(_, id)| ChannelId(*id));
        let channel = channel.ok_or_else(|| {
            let words: Vec<&str> = CHANNELS.iter().map(|(word, _)| *word).collect();
            format!("`channel` is `{}`; expected one of {}", sell.channel, words.join(", "))
        })?;
        let account = self.state.accounts.get(&sell.account).filter(|account| account.terms().is_some());
        let account = account.ok_or_else(|| format!("account {} is not open yet", sell.account.0))?;
        if self.state.unproved.contains(&sell.account) {
            return Err(format!(
                "the books were restored from a backup; account {} takes no sale before its meter was read",
                sell.account.0
            ));
        }
        let in_meter = account.terms().is_some_and(|terms| terms.purse == Purse::InMeter);
        let meter: Option<MeterNumber> =
            if in_meter { account.meters().first().map(prepay_core::account::MeterState::number) } else { None };
        let command = Command::RequestSale {
            sale: SaleId(sale.unsigned_abs()),
            meter,
            amount: Money::from_minor(sell.amount_minor),
            payment: Payment::Channel(channel),
            operator: TILL,
        };
        self.decide(sell.account, &command, rows).map_err(|error| error.to_string())
    }

    fn answer(&self, after: After, failure: Option<&str>) {
        let failed = || failure.map(|reason| BooksError::Store(reason.to_owned()));
        match after {
            After::Command(answer, decided) => {
                let released = match failed() {
                    Some(error) => Err(error),
                    None => decided.map(|(account, effects)| (account, self.release(account, effects))),
                };
                match (answer, released) {
                    // A caller that is gone has left its effects to the next sweep.
                    (Some(answer), released) => drop(answer.send(released.map(|(_, effects)| effects))),
                    (None, Ok((_, effects))) => self.dispatch(effects),
                    (None, Err(_)) => {}
                }
            }
            After::Sell(answer, result, effects) => {
                let result = match failed() {
                    Some(error) => Err(SellError::Store(error)),
                    None => result,
                };
                if let (Ok(_), Some((account, effects))) = (&result, effects) {
                    self.dispatch(self.release(account, effects));
                }
                let _ = answer.send(result);
            }
            After::Order(answer, ordered, effects) => {
                let ordered = failed().map_or(ordered, Err);
                if let (Ok(_), Some((account, effects))) = (&ordered, effects) {
                    self.dispatch(self.release(account, effects));
                }
                let _ = answer.send(ordered);
            }
            // A reading that was not stored is told by silence.
            After::Stored(answer) => {
                if failure.is_none() {
                    let _ = answer.send(());
                }
            }
            After::May(answer, may) => drop(answer.send(may && failure.is_none() && self.store.holds())),
            After::Look(answer) => drop(answer.send(Box::new(self.state.clone()))),
            After::Flush(answer) => drop(answer.send(())),
        }
    }

    /// Opens the seal. This is called behind the commit and nowhere else.
    fn release(&self, id: AccountId, effects: Withheld<Vec<Effect>>) -> Vec<Effect> {
        let through = self.state.accounts.get(&id).map_or(0, Account::seq);
        effects.release(&Persisted::attest(id, through)).unwrap_or_else(|error| {
            tracing::error!(%error, "effects were kept back; the next sweep gives them again");
            Vec::new()
        })
    }

    /// Hands effects to the lines. What a full queue doesn't take comes again with the next sweep.
    fn dispatch(&self, effects: Vec<Effect>) {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        for effect in effects {
            let Some(meter) = meter_of(&effect) else {
                continue;
            };
            if let Some(queue) = routes.get(&meter) {
                let _ = queue.try_send(vec![effect]);
            }
        }
    }
}

/// The meter that an effect has to reach; none for notices, which are told from the stored events.
fn meter_of(effect: &Effect) -> Option<MeterNumber> {
    match effect {
        Effect::StartSale { meter, .. }
        | Effect::SendPurchase { meter, .. }
        | Effect::ReadBack { meter, .. }
        | Effect::Fence { meter, .. }
        | Effect::WriteForce { meter, .. } => Some(*meter),
        _ => None,
    }
}

/// A stored record of a key.
pub(super) type SellRecord = KeyRecord<SellAnswer>;
