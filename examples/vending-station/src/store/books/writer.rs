//! The one task that changes money.

use super::{
    BATCH_JOBS_MAX, BooksError, Job, May, Ordered, Poll, Routes, SellError, State, load,
    outage::{Kept, Outage, is_told, passes},
    rows::Rows,
};
use crate::{
    clock::WorldClock,
    store::{Store, StoreError},
};
use prepay_core::{
    account::{Account, Command, Effect, Fact, Refusal},
    id::{AccountId, MeterNumber},
    money::Currency,
    persist::{Persisted, Withheld},
    settlement::Pricer,
};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};

pub(super) struct Writer {
    pub(super) store: Arc<Store>,
    pub(super) clock: WorldClock,
    currency: Currency,
    pricer: Arc<dyn Pricer + Send + Sync>,
    pub(super) state: State,
    routes: Arc<Mutex<Routes>>,
    /// What could not be stored and is not lost for that.
    kept: Kept,
    outage: Option<Outage>,
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
        Self { store, clock, currency, pricer, state, routes, kept: Kept::default(), outage: None }
    }

    /// Works until the last handle is dropped, or another process has taken over.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut jobs = Vec::with_capacity(BATCH_JOBS_MAX);
        while queue.recv_many(&mut jobs, BATCH_JOBS_MAX).await > 0 {
            if self.batch(jobs.drain(..)).await.is_err() {
                return;
            }
        }
    }

    /// All jobs of a turn, behind what an outage has kept back.
    async fn batch(&mut self, jobs: impl Iterator<Item = Job>) -> Result<(), StoreError> {
        if !self.is_open().await? {
            let reason = self.outage.as_ref().map(Outage::reason).unwrap_or_default();
            for job in jobs {
                self.put_off(job, &reason);
            }
            return Ok(());
        }
        self.transaction(jobs).await
    }

    /// Whether nothing waits for the store. After an outage what was kept is stored first, in its order.
    async fn is_open(&mut self) -> Result<bool, StoreError> {
        let is_early = self.outage.as_ref().is_some_and(|outage| !outage.is_to_be_tried());
        if is_early && !self.kept.is_empty() {
            return Ok(false);
        }
        while !self.kept.is_empty() {
            let group = self.kept.take(BATCH_JOBS_MAX);
            self.transaction(group.into_iter()).await?;
            if self.outage.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// One transaction: all rows of the jobs, then all answers.
    async fn transaction(&mut self, jobs: impl Iterator<Item = Job>) -> Result<(), StoreError> {
        let mut rows = Rows::default();
        let mut afters = Vec::new();
        let mut told = Vec::new();
        for job in jobs {
            if is_told(&job) {
                self.tell(&job, &mut rows, &mut afters);
                told.push(job);
            } else {
                self.job(job, &mut rows, &mut afters).await;
            }
        }
        let written = rows.write(&self.store, &self.state).await;
        match &written {
            Ok(()) => {
                if let Some(outage) = self.outage.take() {
                    tracing::warn!(seconds = outage.seconds(), "the books can be written again");
                }
            }
            Err(error) => {
                tracing::error!(%error, "the books can't be written; nothing of this batch was done");
                if passes(error) {
                    self.kept.put_first(told);
                    Outage::goes_on(&mut self.outage, error);
                }
                if !matches!(error, StoreError::LeaseLost { .. }) {
                    self.reload().await;
                }
            }
        }
        let failure = written.as_ref().err().map(ToString::to_string);
        for after in afters {
            self.answer(after, failure.as_deref());
        }
        written.or_else(|error| if matches!(error, StoreError::LeaseLost { .. }) { Err(error) } else { Ok(()) })
    }

    /// What is done with a job while nothing can be stored: what was told is kept, what was asked gets its answer.
    fn put_off(&mut self, job: Job, reason: &str) {
        let failed = || BooksError::Store(reason.to_owned());
        let after = match job {
            job @ (Job::Heard { .. } | Job::Silent { .. } | Job::Outcome { .. } | Job::Poll { stored: None, .. }) => {
                return self.kept.put(job);
            }
            // A reading that was not stored is told by silence. What is open is handed out by a later sweep.
            Job::Poll { stored: Some(_), .. } | Job::Sweep => return,
            Job::Command { answer, .. } => After::Command(answer, Err(failed())),
            Job::Sell { answer, .. } => After::Sell(answer, Err(SellError::Store(failed())), None),
            Job::Order { answer, .. } => After::Order(answer, Err(failed()), None),
            Job::May { answer, .. } => After::May(answer, false),
            Job::Look { answer } => After::Look(answer),
            Job::Flush { answer } => After::Flush(answer),
        };
        self.answer(after, None);
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

    /// Takes in what nobody waits for.
    fn tell(&mut self, job: &Job, rows: &mut Rows, afters: &mut Vec<After>) {
        match job {
            Job::Poll { poll, .. } => self.poll(poll, rows, afters),
            Job::Heard { meter } => rows.heard(*meter),
            Job::Silent { meter, account } => {
                rows.silent(*meter, self.clock.utc_s());
                if let Some(account) = *account {
                    let decided = self.decide(account, &Command::LinkLost { meter: *meter }, rows);
                    afters.push(After::Command(None, decided.map(|effects| (account, effects))));
                }
            }
            Job::Outcome { meter, version, state, reason } => {
                rows.outcome(*meter, *version, state, reason.clone(), self.clock.utc_s());
            }
            _ => {}
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
            Job::Heard { .. } | Job::Silent { .. } | Job::Outcome { .. } => self.tell(&job, rows, afters),
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
