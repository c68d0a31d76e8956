//! The station's side of a line: turns what the books want into orders, and what comes back into commands. It holds no
//! connection, so it serves a line in this process and one behind a collector alike.

mod asks;
mod control;
mod money;
mod seat;
mod setup;

pub use asks::Asks;
pub use setup::{AccountSetup, DeskSetup, MeterSetup, Mode, Shared};

use super::order::{Done, Order, OrderId, Report, Task};
use crate::{
    collect::reading::Shown,
    store::books::{May, Poll},
};
use meter_protocol::bus::Class;
use prepay_core::{
    account::{Command, Effect},
    id::MeterNumber,
};
use seat::{Closing, Seat, Step, Work};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

/// Effects that may wait for a line. What doesn't fit comes again with the next sweep of the books.
const INBOX: usize = 256;
/// How often a meter is asked for the closing reading before it is given up.
const CLOSING_TRIES: u32 = 20;
/// How long a line may take for its closing readings.
const CLOSING_LIMIT: Duration = Duration::from_secs(40);
/// Meters are booked in intervals of this length of world time.
pub const SETTLE_EVERY_S: i64 = 1800;
/// A desk that waits for nothing looks up this often.
const IDLE: Duration = Duration::from_secs(60);

/// Gives each order its number. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct OrderIds(Arc<AtomicU64>);

impl OrderIds {
    fn next(&self) -> OrderId {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// The task.
#[derive(Debug)]
pub struct Desk {
    line: String,
    shared: Shared,
    seats: Vec<Seat>,
    ids: OrderIds,
    orders: mpsc::Sender<Order>,
    reports: mpsc::Receiver<Report>,
    inbox: mpsc::Receiver<Vec<Effect>>,
    asks: mpsc::Receiver<asks::Ask>,
    /// Work that is not due yet, with the world time in ms at which it is.
    later: Vec<(u64, usize, Work)>,
    mode: watch::Receiver<Mode>,
    closing_until: Option<Instant>,
}

impl Desk {
    /// Sets a desk up and tells the books where its meters' effects go.
    pub fn new(
        setup: DeskSetup,
        shared: Shared,
        ids: OrderIds,
        orders: mpsc::Sender<Order>,
        reports: mpsc::Receiver<Report>,
        mode: watch::Receiver<Mode>,
    ) -> Self {
        let (sender, inbox) = mpsc::channel(INBOX);
        shared.books.route(setup.meters.iter().map(|meter| meter.number), &sender);
        let (asking, asks) = mpsc::channel(asks::ASKS);
        shared.asks.route(setup.meters.iter().map(|meter| meter.number), &asking);
        let seats = setup.meters.into_iter().map(Seat::new).collect();
        let (line, later) = (setup.code, Vec::new());
        Self { line, shared, seats, ids, orders, reports, inbox, asks, later, mode, closing_until: None }
    }

    /// Works until the line is gone, or all closing readings are booked.
    pub async fn run(mut self) {
        self.start_all().await;
        while !self.is_closed() {
            let wait = self.wait();
            tokio::select! {
                report = self.reports.recv() => match report {
                    Some(report) => self.take(report).await,
                    None => return tracing::warn!(line = self.line, "the line has ended"),
                },
                Some(effects) = self.inbox.recv() => self.accept(effects),
                Some(ask) = self.asks.recv() => self.asked(ask),
                changed = self.mode.changed() => {
                    if changed.is_err() || *self.mode.borrow() == Mode::Close {
                        self.close();
                    }
                }
                () = tokio::time::sleep(wait) => self.take_due(),
            }
            self.start_all().await;
        }
        if self.seats.iter().any(|seat| seat.closing != Closing::Done) {
            tracing::warn!(line = self.line, "not all closing readings came in time");
        }
    }

    async fn start_all(&mut self) {
        for slot in 0..self.seats.len() {
            self.start(slot).await;
        }
    }

    /// Real time until something is due.
    fn wait(&self) -> Duration {
        let soonest = self.later.iter().map(|(due_ms, ..)| *due_ms).min();
        let due = soonest.map_or(IDLE, |due_ms| {
            Duration::from_millis(due_ms.saturating_sub(self.shared.clock.mono_ms())) / self.shared.clock.speed()
        });
        let closing = self.closing_until.map_or(IDLE, |until| until.saturating_duration_since(Instant::now()));
        due.min(closing).max(Duration::from_millis(1))
    }

    fn take_due(&mut self) {
        let now_ms = self.shared.clock.mono_ms();
        let due: Vec<(u64, usize, Work)> = self.later.extract_if(.., |(due_ms, ..)| *due_ms <= now_ms).collect();
        for (_, slot, work) in due {
            self.queue(slot, work);
        }
    }

    /// One booked reading of every meter, so that the books end on what the meters show.
    fn close(&mut self) {
        if self.closing_until.is_some() {
            return;
        }
        self.closing_until = Some(Instant::now() + CLOSING_LIMIT);
        self.seats.iter_mut().for_each(|seat| seat.closing = Closing::Tries(CLOSING_TRIES));
    }

    fn is_closed(&self) -> bool {
        let over = self.closing_until.is_some_and(|until| until <= Instant::now());
        over || self.seats.iter().all(|seat| seat.closing == Closing::Done)
    }

    async fn take(&mut self, report: Report) {
        match report {
            Report::Shown { meter, shown, stored } => {
                let Some(slot) = self.slot(meter) else { return };
                // The books end with the closing reading.
                if self.closing_until.is_none() {
                    let interval = shown.reading.taken.utc_s.div_euclid(SETTLE_EVERY_S);
                    let settle = self.seats[slot].settled_interval != Some(interval);
                    self.seats[slot].settled_interval = Some(interval);
                    self.store(slot, &shown, settle, stored).await;
                }
            }
            Report::Silent { meter } => {
                let Some(slot) = self.slot(meter) else { return };
                self.shared.books.silent(meter, self.seats[slot].open_account()).await;
            }
            Report::Heard { meter } => self.shared.books.heard(meter).await,
            Report::Done { id, meter, done, taken } => {
                let Some(slot) = self.slot(meter) else { return };
                // An answer to an order that is not open any more counts for nothing: it came before.
                if let Some((_, step)) = self.seats[slot].busy.take_if(|(open, _)| *open == id) {
                    self.done(slot, step, done).await;
                }
                if let Some(taken) = taken {
                    let _ = taken.send(());
                }
            }
        }
    }

    async fn done(&mut self, slot: usize, step: Step, done: Done) {
        match step {
            Step::Begin { .. } | Step::Send { .. } | Step::ReadBack { .. } => self.money_done(slot, step, done).await,
            Step::ReadNow => self.read_now_done(slot, done).await,
            Step::Switch { .. } | Step::Commission => self.control_done(slot, step, done).await,
            Step::Close { tries } => {
                self.seats[slot].closing = match done {
                    Done::Read(Some(shown)) => {
                        self.store(slot, &shown, true, None).await;
                        Closing::Done
                    }
                    _ => tries.checked_sub(1).map_or(Closing::Done, Closing::Tries),
                };
            }
        }
    }

    /// Gives the line what this meter needs next, if it is not busy.
    async fn start(&mut self, slot: usize) {
        while self.seats[slot].busy.is_none() {
            let seat = &mut self.seats[slot];
            if let Closing::Tries(tries) = seat.closing {
                return self.give(slot, Task::Read { class: Class::ReadNow }, Step::Close { tries });
            }
            match seat.money.take().or_else(|| seat.control.pop_front()) {
                Some(work) => self.begin(slot, work).await,
                None => return self.read_now(slot),
            }
        }
    }

    async fn begin(&mut self, slot: usize, work: Work) {
        let seat = &self.seats[slot];
        let Some(account) = &seat.account else { return };
        match work {
            Work::Commission => {
                self.give(slot, Task::Commission(Box::new(account.wanted.clone())), Step::Commission);
            }
            Work::Begin { sale } => self.give(slot, Task::Read { class: Class::Money }, Step::Begin { sale }),
            Work::ReadBack { sale } => self.give(slot, Task::Read { class: Class::Money }, Step::ReadBack { sale }),
            Work::Fence { sale } => self.fence(slot, account.id, sale).await,
            Work::Switch { version, force } => {
                // A newer order may have superseded it while it waited.
                if self.shared.books.may(account.id, May::Write(seat.number, version)).await {
                    self.give(slot, Task::Switch { force }, Step::Switch { version });
                }
            }
        }
    }

    fn give(&mut self, slot: usize, task: Task, step: Step) {
        let id = self.ids.next();
        match self.orders.try_send(Order { id, meter: self.seats[slot].number, task, not_after_utc_s: None }) {
            Ok(()) => self.seats[slot].busy = Some((id, step)),
            // What is open is handed out again by the books.
            Err(error) => tracing::error!(line = self.line, %error, "an order was not given"),
        }
    }

    /// Stores what a meter shows. Another meter at this address is no reading of this one.
    async fn store(&mut self, slot: usize, shown: &Shown, settle: bool, stored: Option<oneshot::Sender<()>>) {
        let (meter, account) = (self.seats[slot].number, self.seats[slot].open_account());
        let &Shown { reading, power_w, voltage_dv, status, clock_drift_s, .. } = shown;
        if reading.meter == meter {
            let poll = Poll { account, reading, power_w, voltage_dv, status, clock_drift_s, settle };
            self.shared.books.poll(poll, stored).await;
            return;
        }
        tracing::warn!(line = self.line, %meter, shown = %reading.meter, "another meter answers");
        if let Some(account) = account {
            let effects = self.command(account, Command::Observe { meter, reading }).await;
            self.accept(effects);
        }
        if let Some(stored) = stored {
            let _ = stored.send(());
        }
    }

    fn slot(&self, meter: MeterNumber) -> Option<usize> {
        self.seats.iter().position(|seat| seat.number == meter)
    }
}
