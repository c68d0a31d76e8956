//! One task a line: it owns the connection to the gateway and runs what the bus says, one job after the other.

use super::{
    commission::{self, Commissioned, Wanted},
    patience::Patience,
    reading,
};
use crate::{
    clock::WorldClock,
    store::books::{Books, BooksError},
    totals::Totals,
};
use meter_protocol::{
    acrel::{ForceMode, LinkId, Profile, Purchase, Realtime, RealtimeLayout},
    bus::{Bus, BusConfig, BusError, Class, Job, JobOutcome, LinkState, MeterSlot, Next},
    client::tokio::{Client, MeterError, ReplyBuffer, TransactError},
    plan::Read,
};
use prepay_core::{
    account::{Command, Effect, MeterTakeOver, MeterTerms, OpenMode, ReadBack, Refusal, Terms},
    id::{AccountId, MeterNumber},
    money::Money,
    reading::{Force, MeterReading},
    sale::SendOutcome,
};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::{
    net::TcpStream,
    sync::{mpsc, watch},
    time::timeout,
};

/// Effects that may wait for a line. What doesn't fit comes again with the next sweep of the books.
const INBOX: usize = 256;
/// How long a gateway may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A line that has nothing to do looks up this often.
const IDLE: Duration = Duration::from_millis(500);
/// How often a meter is asked for the closing reading before it is given up.
const CLOSING_TRIES: u32 = 20;
/// Meters are booked in intervals of this length of world time.
pub const SETTLE_EVERY_S: i64 = 1800;

/// What a line does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything.
    Run,
    /// What is open is finished, nothing new is polled.
    Drain,
    /// One booked reading of each meter, then the task ends.
    Close,
}

/// A line as it is set up.
#[derive(Debug)]
pub struct LineSetup {
    /// Its code, for the log.
    pub code: String,
    /// Its number among the lines.
    pub number: u32,
    /// `host:port` of the gateway.
    pub address: String,
    /// Baud rate.
    pub baud: u32,
    /// Its meters.
    pub meters: Vec<MeterSetup>,
}

/// A meter on a line.
#[derive(Debug, Clone)]
pub struct MeterSetup {
    /// Its number.
    pub number: MeterNumber,
    /// Unit address.
    pub unit: u8,
    /// What its account needs; none for a meter that is only read.
    pub account: Option<AccountSetup>,
}

/// An account on a meter.
#[derive(Debug, Clone)]
pub struct AccountSetup {
    /// Its number.
    pub id: AccountId,
    /// It is in the books already.
    pub open: bool,
    /// What the meter has to hold.
    pub wanted: Wanted,
    /// Terms to open it with.
    pub terms: Terms,
    /// What is known about the meter.
    pub meter_terms: MeterTerms,
    /// Credit at the station from earlier books.
    pub station_credit: Money,
}

/// What all lines share.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The books.
    pub books: Books,
    /// The clock.
    pub clock: WorldClock,
    /// Waiting times.
    pub patience: Patience,
    /// What the bench tests have settled.
    pub profile: Profile,
    /// Local time minus UTC, minutes.
    pub utc_offset_min: i32,
    /// Totals of the run.
    pub totals: Arc<Totals>,
}

/// A line that can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Its meters.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// Its status read.
    #[error(transparent)]
    Status(#[from] reading::StatusReadError),
}

/// Work on a meter that is no poll.
#[derive(Debug, Clone, PartialEq)]
enum Work {
    Commission,
    Effect(Effect),
}

#[derive(Debug)]
struct Meter {
    setup: MeterSetup,
    money: VecDeque<Effect>,
    control: VecDeque<Work>,
    /// The connection on which the meter's number was read.
    known_on: Option<LinkId>,
    /// The number that answered on it.
    shown: MeterNumber,
    settled_interval: Option<i64>,
    lost: bool,
}

/// The task.
#[derive(Debug)]
pub struct Line {
    code: String,
    address: String,
    baud: u32,
    shared: Shared,
    bus: Bus<Vec<MeterSlot>>,
    meters: Vec<Meter>,
    client: Option<Client<TcpStream>>,
    next_link: LinkId,
    inbox: mpsc::Receiver<Vec<Effect>>,
    /// Effects that are not due yet, with the world time in ms at which they are.
    later: Vec<(u64, usize, Effect)>,
    /// The read that fetches a whole status.
    status: Read,
    mode: watch::Receiver<Mode>,
}

/// A meter could not be read.
enum NoReading {
    Link(JobOutcome),
    /// It answered, but not with something that can be used.
    Unusable(String),
}

impl Line {
    /// Sets a line up and tells the books where its meters' effects go.
    ///
    /// # Errors
    /// [`LineError`] with more meters than a line has addresses, or meters that can't send a status in one frame.
    pub fn new(setup: LineSetup, shared: Shared, mode: watch::Receiver<Mode>) -> Result<Self, LineError> {
        let status = reading::status_read(&shared.patience.line(setup.baud), &shared.profile)?;
        let (sender, inbox) = mpsc::channel(INBOX);
        shared.books.route(setup.meters.iter().map(|meter| meter.number), &sender);
        let every_us = shared.patience.status_every_us();
        let mut bus = Bus::new(vec![MeterSlot::polled(every_us); setup.meters.len()], BusConfig::default())?;
        let mut meters = Vec::new();
        for (slot, setup) in setup.meters.into_iter().enumerate() {
            let mut control = VecDeque::new();
            if setup.account.as_ref().is_some_and(|account| !account.open) {
                control.push_back(Work::Commission);
                bus.request(slot, Class::Control)?;
            }
            let shown = setup.number;
            meters.push(Meter {
                setup,
                money: VecDeque::new(),
                control,
                known_on: None,
                shown,
                settled_interval: None,
                lost: false,
            });
        }
        let next_link = LinkId::first(setup.number);
        Ok(Self {
            code: setup.code,
            address: setup.address,
            baud: setup.baud,
            shared,
            bus,
            meters,
            client: None,
            next_link,
            inbox,
            later: Vec::new(),
            status,
            mode,
        })
    }

    /// Works until it is told to close.
    pub async fn run(mut self) {
        loop {
            self.take_inbox();
            self.take_due();
            let mode = *self.mode.borrow();
            if mode == Mode::Close {
                return self.close().await;
            }
            match self.bus.next(self.now_us()) {
                Next::Run { slot, job } => {
                    if !self.connected().await {
                        self.finish(slot, job, JobOutcome::NotTransmitted);
                        self.requeue(slot, job);
                        self.pause(self.shared.patience.reconnect()).await;
                    } else if mode == Mode::Drain && matches!(job, Job::Poll { .. } | Job::Probe) && self.is_quiet(slot)
                    {
                        self.finish(slot, job, JobOutcome::NotTransmitted);
                        self.pause(Duration::from_millis(1)).await;
                    } else {
                        let outcome = self.job(slot, job).await;
                        self.finish(slot, job, outcome);
                    }
                    self.report_link(slot).await;
                }
                Next::WaitUntil(until_us) => {
                    let world = Duration::from_micros(until_us.saturating_sub(self.now_us()));
                    self.pause((world / self.shared.clock.speed()).min(IDLE)).await;
                }
                Next::Idle | Next::Running { .. } => self.pause(IDLE).await,
            }
        }
    }

    fn now_us(&self) -> u64 {
        self.shared.clock.mono_ms().saturating_mul(1000)
    }

    /// Waits, but not while there is something to do.
    async fn pause(&mut self, real: Duration) {
        let soonest = self.later.iter().map(|(due_ms, _, _)| *due_ms).min();
        let until_due = soonest.map(|due_ms| {
            Duration::from_millis(due_ms.saturating_sub(self.shared.clock.mono_ms())) / self.shared.clock.speed()
        });
        let real = until_due.map_or(real, |due| due.min(real)).max(Duration::from_millis(1));
        tokio::select! {
            effects = self.inbox.recv() => {
                if let Some(effects) = effects {
                    self.accept(effects);
                }
            }
            changed = self.mode.changed() => {
                if changed.is_err() {
                    tokio::time::sleep(real).await;
                }
            }
            () = tokio::time::sleep(real) => {}
        }
    }

    fn finish(&mut self, slot: usize, job: Job, outcome: JobOutcome) {
        let now_us = self.now_us();
        if let Err(error) = self.bus.finished(slot, job, outcome, now_us) {
            tracing::error!(line = self.code, %error, "the bus lost count");
        }
    }

    fn is_quiet(&self, slot: usize) -> bool {
        self.meters[slot].money.is_empty() && self.meters[slot].control.is_empty()
    }

    // Queues ---------------------------------------------------------------------------------------------------------

    fn take_inbox(&mut self) {
        while let Ok(effects) = self.inbox.try_recv() {
            self.accept(effects);
        }
    }

    fn take_due(&mut self) {
        let now_ms = self.shared.clock.mono_ms();
        let due: Vec<(u64, usize, Effect)> = self.later.extract_if(.., |(due_ms, _, _)| *due_ms <= now_ms).collect();
        for (_, slot, effect) in due {
            self.queue(slot, effect);
        }
    }

    fn accept(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let meter = match &effect {
                Effect::StartSale { meter, .. }
                | Effect::ReadBack { meter, .. }
                | Effect::Fence { meter, .. }
                | Effect::WriteForce { meter, .. } => *meter,
                // A purchase frame only ever leaves in the slot whose reading allowed it.
                _ => continue,
            };
            let Some(slot) = self.meters.iter().position(|known| known.setup.number == meter) else { continue };
            match effect {
                Effect::ReadBack { not_before_mono_ms, .. } if not_before_mono_ms > self.shared.clock.mono_ms() => {
                    if !self.later.iter().any(|(_, at, _)| *at == slot) {
                        self.later.push((not_before_mono_ms, slot, effect));
                    }
                }
                effect => self.queue(slot, effect),
            }
        }
    }

    /// Puts an effect into its queue. The books hand out again what is still open, so what waits already is left out.
    fn queue(&mut self, slot: usize, effect: Effect) {
        let meter = &mut self.meters[slot];
        let class = if let Effect::WriteForce { .. } = effect {
            let work = Work::Effect(effect);
            if meter.control.contains(&work) {
                return;
            }
            meter.control.push_back(work);
            Class::Control
        } else {
            if !meter.money.is_empty() {
                return;
            }
            meter.money.push_back(effect);
            Class::Money
        };
        if let Err(error) = self.bus.request(slot, class) {
            tracing::warn!(line = self.code, %error, "not queued; the next sweep tries again");
            match class {
                Class::Money => drop(self.meters[slot].money.pop_back()),
                _ => drop(self.meters[slot].control.pop_back()),
            }
        }
    }

    /// A job that was not run because the line was down keeps its place.
    fn requeue(&mut self, slot: usize, job: Job) {
        let class = match job {
            Job::Money => Class::Money,
            Job::Control => Class::Control,
            _ => return,
        };
        if let Err(error) = self.bus.request(slot, class) {
            tracing::error!(line = self.code, %error, "a place in the queue was lost");
        }
    }

    // Connection -----------------------------------------------------------------------------------------------------

    /// Whether there is a connection; makes one if not.
    async fn connected(&mut self) -> bool {
        if self.client.as_ref().is_some_and(|client| !client.is_broken()) {
            return true;
        }
        self.hang_up();
        match timeout(CONNECT_TIMEOUT, TcpStream::connect(&self.address)).await {
            Ok(Ok(stream)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(line = self.code, %error, "no TCP_NODELAY");
                }
                let line = self.shared.patience.line(self.baud);
                self.client = Some(Client::on_line(stream, line, self.next_link));
                true
            }
            Ok(Err(error)) => {
                tracing::warn!(line = self.code, address = self.address, %error, "no connection");
                false
            }
            Err(_) => {
                tracing::warn!(line = self.code, address = self.address, "the gateway does not accept");
                false
            }
        }
    }

    /// Ends the connection: no byte of it can be sent any more.
    fn hang_up(&mut self) {
        if let Some(client) = self.client.take() {
            self.next_link = client.next_link();
        }
    }

    // Jobs -----------------------------------------------------------------------------------------------------------

    async fn job(&mut self, slot: usize, job: Job) -> JobOutcome {
        match job {
            Job::Money => self.money(slot).await,
            Job::Control => self.control(slot).await,
            Job::ReadNow | Job::Poll { .. } | Job::Probe => self.poll(slot).await,
        }
    }

    async fn poll(&mut self, slot: usize) -> JobOutcome {
        match self.read(slot).await {
            Ok((block, reading)) => {
                let interval = reading.taken.utc_s.div_euclid(SETTLE_EVERY_S);
                let meter = &mut self.meters[slot];
                let settle = meter.settled_interval != Some(interval);
                meter.settled_interval = Some(interval);
                self.store(slot, &block, reading, settle).await;
                JobOutcome::Answered
            }
            Err(error) => self.outcome(slot, error),
        }
    }

    async fn store(&self, slot: usize, block: &Realtime, reading: MeterReading, settle: bool) {
        let account = self.meters[slot].setup.account.as_ref().filter(|account| account.open).map(|account| account.id);
        let poll = reading::poll(block, reading, account, settle, self.shared.utc_offset_min);
        self.shared.books.poll(poll).await;
    }

    fn outcome(&self, slot: usize, error: NoReading) -> JobOutcome {
        match error {
            NoReading::Link(outcome) => outcome,
            NoReading::Unusable(reason) => {
                let meter = self.meters[slot].setup.number;
                tracing::warn!(line = self.code, %meter, reason, "a reading can't be used");
                JobOutcome::Answered
            }
        }
    }

    /// Reads the meter: its number first where this connection has not seen it, then the block.
    async fn read(&mut self, slot: usize) -> Result<(Realtime, MeterReading), NoReading> {
        let link = self.client.as_ref().map(Client::link);
        if self.meters[slot].known_on != link || link.is_none() {
            self.read_number(slot).await?;
        }
        let unit = self.meters[slot].setup.unit;
        let client = self.client.as_mut().ok_or(NoReading::Link(JobOutcome::NotTransmitted))?;
        let mut buffer = ReplyBuffer::new();
        let read = client.read_registers(unit, self.status.address, self.status.count, &mut buffer).await;
        let read = read.and_then(|registers| Ok(Realtime::from_registers(RealtimeLayout::FourRate, &registers)?));
        let block = self.counted(read)?;
        let meter = self.meters[slot].shown;
        let reading = reading::reading(&block, meter, &self.shared.profile, self.shared.clock.now())
            .map_err(|error| NoReading::Unusable(error.to_string()))?;
        Ok((block, reading))
    }

    async fn read_number(&mut self, slot: usize) -> Result<(), NoReading> {
        let unit = self.meters[slot].setup.unit;
        let client = self.client.as_mut().ok_or(NoReading::Link(JobOutcome::NotTransmitted))?;
        let link = client.link();
        let read = client.read_meter_number(unit).await;
        let shown = self.counted(read)?.to_string();
        let shown = shown.parse().ok().and_then(|number| MeterNumber::new(number).ok());
        let shown = shown.ok_or_else(|| NoReading::Unusable("no meter number".into()))?;
        let meter = &mut self.meters[slot];
        (meter.known_on, meter.shown) = (Some(link), shown);
        Ok(())
    }

    /// Evidence around a sale: the number is read again, in the same slot of the line.
    async fn evidence(&mut self, slot: usize) -> Result<(Realtime, MeterReading), NoReading> {
        self.meters[slot].known_on = None;
        self.read(slot).await
    }

    /// Counts the outcome of a read.
    fn counted<T>(&self, read: Result<T, MeterError>) -> Result<T, NoReading> {
        match read {
            Ok(value) => {
                Totals::add(&self.shared.totals.reads);
                Ok(value)
            }
            Err(MeterError::Transact(error)) => Err(self.failed(&error)),
            Err(error) => Err(NoReading::Unusable(error.to_string())),
        }
    }

    fn failed(&self, error: &TransactError) -> NoReading {
        match error {
            TransactError::NoReply { .. } => {
                Totals::add(&self.shared.totals.lost_replies);
                NoReading::Link(JobOutcome::NoReply)
            }
            TransactError::NotTransmitted { .. } => NoReading::Link(JobOutcome::NotTransmitted),
            error => NoReading::Unusable(error.to_string()),
        }
    }

    // Money ----------------------------------------------------------------------------------------------------------

    /// Carries a sale as far as it goes in one slot of the line: read, send, read back.
    async fn money(&mut self, slot: usize) -> JobOutcome {
        let Some(first) = self.meters[slot].money.pop_front() else { return JobOutcome::NotTransmitted };
        let Some(account) = self.meters[slot].setup.account.as_ref().map(|account| account.id) else {
            return JobOutcome::NotTransmitted;
        };
        let mut outcome = JobOutcome::NotTransmitted;
        let mut work = VecDeque::from([first]);
        while let Some(effect) = work.pop_front() {
            let command = match effect {
                Effect::StartSale { sale, .. } => match self.evidence(slot).await {
                    Ok((block, evidence)) => {
                        outcome = JobOutcome::Answered;
                        self.store(slot, &block, evidence, false).await;
                        Command::BeginSale { sale, evidence }
                    }
                    // Nothing has left. The next sweep hands the sale out again.
                    Err(error) => return self.outcome(slot, error),
                },
                Effect::SendPurchase { sale, amount, new_count, .. } => {
                    let sent = self.send_purchase(slot, amount, new_count).await;
                    Command::SaleSent { sale, outcome: sent }
                }
                Effect::ReadBack { sale, not_before_mono_ms, .. } => {
                    if not_before_mono_ms > self.shared.clock.mono_ms() {
                        self.later.push((not_before_mono_ms, slot, effect));
                        continue;
                    }
                    let read_back = match self.evidence(slot).await {
                        Ok((_, reading)) => {
                            outcome = JobOutcome::Answered;
                            ReadBack::Reading(reading)
                        }
                        Err(error) => {
                            outcome = self.outcome(slot, error);
                            ReadBack::Unreadable
                        }
                    };
                    Command::SaleReadBack { sale, read_back }
                }
                Effect::Fence { sale, .. } => {
                    self.hang_up();
                    let closed = Command::FenceClosed { sale };
                    let more = self.command(account, closed).await;
                    work.extend(more);
                    // The rest of the fence is a wait and a read on a new connection.
                    for effect in work.drain(..) {
                        self.accept(vec![effect]);
                    }
                    return outcome;
                }
                Effect::WriteForce { .. } => {
                    self.accept(vec![effect]);
                    continue;
                }
                _ => continue,
            };
            work.extend(self.command(account, command).await);
        }
        outcome
    }

    async fn send_purchase(&mut self, slot: usize, amount: Money, new_count: u16) -> SendOutcome {
        let unit = self.meters[slot].setup.unit;
        let Some(client) = self.client.as_mut() else { return SendOutcome::NotTransmitted };
        let purchase =
            u32::try_from(amount.minor()).ok().map(|amount| Purchase::new(amount, new_count.wrapping_sub(1)));
        let Some(Ok(purchase)) = purchase else {
            tracing::error!(
                line = self.code,
                amount = amount.minor(),
                "the core allowed an amount that no frame carries"
            );
            return SendOutcome::NotTransmitted;
        };
        match client.sell(unit, &purchase).await {
            Ok(()) => {
                Totals::add(&self.shared.totals.purchase_frames);
                SendOutcome::ReplySeen
            }
            // The meter understood it. What it did is for the read-back to show.
            Err(TransactError::Exception(_)) => {
                Totals::add(&self.shared.totals.purchase_frames);
                SendOutcome::ReplySeen
            }
            Err(error) if error.may_have_acted() => {
                Totals::add(&self.shared.totals.purchase_frames);
                Totals::add(&self.shared.totals.lost_replies);
                SendOutcome::NoReply
            }
            Err(_) => SendOutcome::NotTransmitted,
        }
    }

    async fn command(&self, account: AccountId, command: Command) -> Vec<Effect> {
        match self.shared.books.command(account, command).await {
            Ok(effects) => effects,
            // The books hand out what is open again and again; what was closed in the meantime is refused, which is right.
            Err(BooksError::Refused(
                Refusal::NoSuchSale { .. } | Refusal::SaleStep { .. } | Refusal::Superseded { .. },
            )) => Vec::new(),
            Err(error) => {
                tracing::warn!(line = self.code, account = account.0, %error, "refused");
                Vec::new()
            }
        }
    }

    // Control --------------------------------------------------------------------------------------------------------

    async fn control(&mut self, slot: usize) -> JobOutcome {
        match self.meters[slot].control.pop_front() {
            Some(Work::Commission) => self.commission(slot).await,
            Some(Work::Effect(Effect::WriteForce { version, force, .. })) => {
                self.write_force(slot, version, force).await
            }
            _ => JobOutcome::NotTransmitted,
        }
    }

    async fn write_force(&mut self, slot: usize, version: u32, force: Force) -> JobOutcome {
        let meter = self.meters[slot].setup.number;
        let Some(account) = self.meters[slot].setup.account.as_ref().map(|account| account.id) else {
            return JobOutcome::NotTransmitted;
        };
        if !self.shared.books.may_write(account, meter, version).await {
            return JobOutcome::NotTransmitted;
        }
        // The number is read before the write: a swapped meter must not be switched.
        match self.evidence(slot).await {
            Ok((_, reading)) if reading.meter == meter => {}
            Ok((block, reading)) => {
                self.store(slot, &block, reading, false).await;
                return JobOutcome::Answered;
            }
            Err(error) => return self.outcome(slot, error),
        }
        let mode = match force {
            Force::Automatic => ForceMode::Prepaid,
            Force::On => ForceMode::SupplyOn,
            Force::Off => ForceMode::SupplyOff,
        };
        let unit = self.meters[slot].setup.unit;
        let Some(client) = self.client.as_mut() else { return JobOutcome::NotTransmitted };
        let written = client.write_force(unit, mode).await;
        if let Err(error) = &written {
            let NoReading::Link(outcome) = self.failed(error) else { return JobOutcome::Answered };
            if outcome == JobOutcome::NotTransmitted {
                return outcome;
            }
        }
        Totals::add(&self.shared.totals.relay_writes);
        let effects = self.command(account, Command::RelayOrdered { meter, version }).await;
        self.accept(effects);
        let (outcome, read_back) = match self.read(slot).await {
            Ok((block, reading)) => {
                self.store(slot, &block, reading, false).await;
                (JobOutcome::Answered, ReadBack::Reading(reading))
            }
            Err(error) => (self.outcome(slot, error), ReadBack::Unreadable),
        };
        let effects = self.command(account, Command::RelayReported { meter, version, read_back }).await;
        self.accept(effects);
        outcome
    }

    /// Makes the meter ready and opens its account.
    async fn commission(&mut self, slot: usize) -> JobOutcome {
        let unit = self.meters[slot].setup.unit;
        let Some(account) = self.meters[slot].setup.account.clone() else { return JobOutcome::NotTransmitted };
        let now_utc_s = self.shared.clock.utc_s();
        let Some(client) = self.client.as_mut() else { return JobOutcome::NotTransmitted };
        let (profile, offset) = (&self.shared.profile, self.shared.utc_offset_min);
        let done = commission::commission(client, unit, &account.wanted, profile, now_utc_s, offset).await;
        let failure = match done {
            Ok(commissioned) => {
                Totals::add(&self.shared.totals.reads);
                match self.open(slot, &account, &commissioned).await {
                    Ok(()) => return JobOutcome::Answered,
                    Err(reason) => NoReading::Unusable(reason),
                }
            }
            Err(commission::CommissionError::Meter(MeterError::Transact(error))) => self.failed(&error),
            Err(error) => NoReading::Unusable(error.to_string()),
        };
        // Not ready: from the start again, when the line has a moment.
        self.meters[slot].control.push_back(Work::Commission);
        self.requeue(slot, Job::Control);
        self.outcome(slot, failure)
    }

    async fn open(&mut self, slot: usize, account: &AccountSetup, commissioned: &Commissioned) -> Result<(), String> {
        let meter = account.wanted.number;
        let reading = reading::reading(&commissioned.block, meter, &self.shared.profile, self.shared.clock.now())
            .map_err(|error| error.to_string())?;
        let terms = MeterTerms { confirmed_prices: commissioned.prices, ..account.meter_terms };
        let command = Command::Open {
            terms: account.terms,
            meters: vec![MeterTakeOver { terms, mode: OpenMode::TakeOver, reading }],
            station_credit: account.station_credit,
        };
        let effects = self.shared.books.command(account.id, command).await.map_err(|error| error.to_string())?;
        if let Some(account) = self.meters[slot].setup.account.as_mut() {
            account.open = true;
        }
        self.store(slot, &commissioned.block, reading, false).await;
        self.accept(effects);
        Ok(())
    }

    // Link and end ---------------------------------------------------------------------------------------------------

    /// Reports a meter that has been silent for too long, once.
    async fn report_link(&mut self, slot: usize) {
        let Ok(state) = self.bus.link_state(slot) else { return };
        let now_us = self.now_us();
        let lost = match state {
            LinkState::Silent { since_us } => now_us.saturating_sub(since_us) > self.shared.patience.lost_after_us(),
            _ => false,
        };
        let meter = &mut self.meters[slot];
        if meter.lost == lost {
            return;
        }
        meter.lost = lost;
        // Whatever answers after a silence is asked who it is.
        meter.known_on = None;
        let number = meter.setup.number;
        let account = meter.setup.account.as_ref().filter(|account| account.open).map(|account| account.id);
        if lost {
            self.shared.books.silent(number, account).await;
        } else {
            self.shared.books.heard(number).await;
        }
    }

    /// One booked reading of every meter, so that the books end on what the meters show.
    async fn close(mut self) {
        for slot in 0..self.meters.len() {
            for _ in 0..CLOSING_TRIES {
                if !self.connected().await {
                    tokio::time::sleep(self.shared.patience.reconnect()).await;
                    continue;
                }
                match self.read(slot).await {
                    Ok((block, reading)) => {
                        self.store(slot, &block, reading, true).await;
                        break;
                    }
                    Err(error) => drop(self.outcome(slot, error)),
                }
            }
        }
    }
}
