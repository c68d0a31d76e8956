//! One task a line: it owns the connection to the gateway and runs what the bus says, one job after the other.

mod control;
mod money;
mod queue;
mod read;
mod setup;

pub use setup::{AccountSetup, LineError, LineSetup, MeterSetup, Mode, Shared};

use super::reading;
use meter_protocol::{
    acrel::LinkId,
    bus::{Bus, BusConfig, Class, Job, JobOutcome, LinkState, MeterSlot, Next},
    client::tokio::Client,
    plan::Read,
};
use prepay_core::{account::Effect, id::MeterNumber};
use std::{collections::VecDeque, time::Duration};
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
/// How long a line may take for its closing readings.
const CLOSING_LIMIT: Duration = Duration::from_secs(40);
/// Meters are booked in intervals of this length of world time.
pub const SETTLE_EVERY_S: i64 = 1800;

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
    /// Replies that the present connection had lost at the last look.
    lost_before: u32,
    /// Since when there is no connection and none can be made.
    down_since_us: Option<u64>,
    inbox: mpsc::Receiver<Vec<Effect>>,
    /// Effects that are not due yet, with the world time in ms at which they are.
    later: Vec<(u64, usize, Effect)>,
    /// The read that fetches a whole status.
    status: Read,
    mode: watch::Receiver<Mode>,
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
            lost_before: 0,
            down_since_us: None,
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
                        // Behind a dead gateway nobody is heard.
                        for slot in 0..self.meters.len() {
                            self.report_link(slot).await;
                        }
                        self.pause(self.shared.patience.reconnect()).await;
                    } else if mode == Mode::Drain && matches!(job, Job::Poll { .. } | Job::Probe) && self.is_quiet(slot)
                    {
                        self.finish(slot, job, JobOutcome::NotTransmitted);
                        self.pause(Duration::from_millis(1)).await;
                    } else {
                        let outcome = self.job(slot, job).await;
                        self.count_lost();
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
                self.down_since_us = None;
                return true;
            }
            Ok(Err(error)) => {
                tracing::warn!(line = self.code, address = self.address, %error, "no connection");
            }
            Err(_) => tracing::warn!(line = self.code, address = self.address, "the gateway does not accept"),
        }
        let now_us = self.now_us();
        self.down_since_us.get_or_insert(now_us);
        false
    }

    /// Ends the connection: no byte of it can be sent any more.
    fn hang_up(&mut self) {
        self.count_lost();
        self.lost_before = 0;
        if let Some(client) = self.client.take() {
            self.next_link = client.next_link();
        }
    }

    /// Adds what this connection has lost since the last look, repeated reads included.
    fn count_lost(&mut self) {
        let lost = self.client.as_ref().map_or(0, |client| client.counters().timeouts);
        let more = i64::from(lost.saturating_sub(self.lost_before));
        self.shared.totals.lost_replies.fetch_add(more, std::sync::atomic::Ordering::Relaxed);
        self.lost_before = lost;
    }

    async fn job(&mut self, slot: usize, job: Job) -> JobOutcome {
        match job {
            Job::Money => self.money(slot).await,
            Job::Control => self.control(slot).await,
            Job::ReadNow | Job::Poll { .. } | Job::Probe => self.poll(slot).await,
        }
    }

    /// Reports a meter that has been silent for too long, once.
    async fn report_link(&mut self, slot: usize) {
        let Ok(state) = self.bus.link_state(slot) else { return };
        let now_us = self.now_us();
        let silent_us = match state {
            LinkState::Silent { since_us } => Some(since_us),
            _ => None,
        };
        let since_us = silent_us.into_iter().chain(self.down_since_us).min();
        let lost =
            since_us.is_some_and(|since_us| now_us.saturating_sub(since_us) > self.shared.patience.lost_after_us());
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
        if timeout(CLOSING_LIMIT, self.closing_readings()).await.is_err() {
            tracing::warn!(line = self.code, "not all closing readings came in time");
        }
        self.count_lost();
    }

    async fn closing_readings(&mut self) {
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
