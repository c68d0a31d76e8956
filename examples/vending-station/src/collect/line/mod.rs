//! One task a line: it owns the connection to the gateway and runs what the bus says, one job after the other. It polls by
//! itself, carries out orders, and reports; it knows nothing about accounts.

mod queue;
mod read;
mod setup;
mod work;

pub use setup::{LineError, LineSetup, Shared};

use super::{
    order::{Order, Report},
    reading,
};
use meter_protocol::{
    acrel::LinkId,
    bus::{Bus, BusConfig, Job, JobOutcome, LinkState, MeterSlot, Next},
    client::tokio::Client,
    plan::Read,
};
use prepay_core::id::MeterNumber;
use queue::Waiting;
use std::time::Duration;
use tokio::{net::TcpStream, sync::mpsc, time::timeout};

/// How long a gateway may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A line that has nothing to do looks up this often.
const IDLE: Duration = Duration::from_millis(500);
/// Reports that may wait to be taken. A line stops beyond that.
pub const REPORTS: usize = 256;
/// Orders that may wait for one meter: one under way, and one more after a new start of the station.
const ORDERS_A_METER: usize = 2;

#[derive(Debug)]
struct Meter {
    number: MeterNumber,
    unit: u8,
    waiting: Waiting,
    /// The connection on which the meter's number was read.
    known_on: Option<LinkId>,
    /// The number that answered on it.
    shown: MeterNumber,
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
    orders: mpsc::Receiver<Order>,
    reports: mpsc::Sender<Report>,
    /// The read that fetches a whole status.
    status: Read,
}

/// The queue of orders for a line of this many meters: it never fills while each meter has one order under way.
pub fn orders(meters: usize) -> (mpsc::Sender<Order>, mpsc::Receiver<Order>) {
    mpsc::channel(meters.saturating_mul(ORDERS_A_METER).max(ORDERS_A_METER))
}

impl Line {
    /// Sets a line up.
    ///
    /// # Errors
    /// [`LineError`] with more meters than a line has addresses, or meters that can't send a status in one frame.
    pub fn new(
        setup: LineSetup,
        shared: Shared,
        orders: mpsc::Receiver<Order>,
        reports: mpsc::Sender<Report>,
    ) -> Result<Self, LineError> {
        let status = reading::status_read(&shared.patience.line(setup.baud), &shared.spectacles.profile)?;
        let every_us = shared.patience.status_every_us();
        let bus = Bus::new(vec![MeterSlot::polled(); setup.meters.len()], BusConfig::every(every_us))?;
        let meter = |(number, unit)| Meter {
            number,
            unit,
            waiting: Waiting::default(),
            known_on: None,
            shown: number,
            lost: false,
        };
        let meters = setup.meters.into_iter().map(meter).collect();
        Ok(Self {
            code: setup.code,
            address: setup.address,
            baud: setup.baud,
            shared,
            bus,
            meters,
            client: None,
            next_link: LinkId::first(setup.number),
            lost_before: 0,
            down_since_us: None,
            orders,
            reports,
            status,
        })
    }

    /// Works until nobody can give it orders any more.
    pub async fn run(mut self) {
        while self.take_orders().await {
            match self.bus.next(self.now_us()) {
                Next::Run { slot, job } => {
                    if self.connected().await {
                        let outcome = self.job(slot, job).await;
                        self.count_lost();
                        self.finish(slot, job, outcome);
                    } else {
                        self.finish(slot, job, JobOutcome::NotTransmitted);
                        self.requeue(slot, job);
                        // Behind a dead gateway nobody is heard.
                        for slot in 0..self.meters.len() {
                            self.report_link(slot).await;
                        }
                        self.pause(self.shared.patience.reconnect()).await;
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
        self.count_lost();
    }

    fn now_us(&self) -> u64 {
        self.shared.clock.mono_ms().saturating_mul(1000)
    }

    /// Waits, but not while there is something to do.
    async fn pause(&mut self, real: Duration) {
        let real = real.max(Duration::from_millis(1));
        if let Ok(Some(order)) = timeout(real, self.orders.recv()).await {
            self.accept(order).await;
        }
    }

    fn finish(&mut self, slot: usize, job: Job, outcome: JobOutcome) {
        let now_us = self.now_us();
        if let Err(error) = self.bus.finished(slot, job, outcome, now_us) {
            tracing::error!(line = self.code, %error, "the bus lost count");
        }
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
            Job::Money | Job::Control | Job::ReadNow => match self.meters[slot].waiting.take(job) {
                Some(order) => self.carry_out(slot, order).await,
                None => JobOutcome::NotTransmitted,
            },
            Job::Poll { .. } | Job::Probe => self.poll(slot).await,
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
        let meter = meter.number;
        self.report(if lost { Report::Silent { meter } } else { Report::Heard { meter } }).await;
    }
}
