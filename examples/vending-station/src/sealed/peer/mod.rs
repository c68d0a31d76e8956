//! One collector as the station sees it: orders from the desks go to it, evidence from it goes to the desks. An order is open
//! until its result is there; it goes out again on each new connection, with the same id.

mod evidence;
#[cfg(test)]
mod tests;

use super::{
    copies::Copies,
    gate::Shown as State,
    guard::Guard,
    offset::Offset,
    pump::{self, Conn},
    wire::{self, Ids, Place},
};
use crate::{
    clock::WorldClock,
    collect::{
        line::LineSetup,
        order::{Done, Order, Report, Task, Written},
        patience::Patience,
        reading::Spectacles,
    },
    totals::Totals,
};
use meter_protocol::{
    plan::Read,
    seal::{
        Suite,
        message::{
            Ack, CommandResult, Envelope, LineStatus, MAX_ACK_IDS, Message, MessageId, MeterLink, MeterStatus,
            RegisterBlock, Snapshot,
        },
    },
};
use prepay_core::{id::MeterNumber, time::Now};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, interval},
};

/// How long an order may take before the collector does not begin it any more, in real seconds.
const ORDER_LIFE_S: i64 = 60;
/// A collector whose clock is further off than this is not listened to, in real seconds.
const CLOCK_OFF_MAX_S: i64 = 60;
/// How often the station looks for meters that have fallen silent.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A line of a collector, seen from the station.
#[derive(Debug)]
pub(crate) struct PeerLine {
    pub(crate) setup: LineSetup,
    /// To its desk.
    pub(crate) reports: mpsc::Sender<Report>,
}

/// What a collector's task is made of.
#[derive(Debug)]
pub(crate) struct PeerSetup {
    pub(crate) lines: Vec<PeerLine>,
    /// From all its desks.
    pub(crate) orders: mpsc::Receiver<Order>,
    /// When the last stored reading of each meter was taken, seconds since 1970 UTC.
    pub(crate) newest: HashMap<MeterNumber, i64>,
    pub(crate) clock: WorldClock,
    pub(crate) patience: Patience,
    pub(crate) spectacles: Spectacles,
    pub(crate) status: Read,
    pub(crate) totals: Arc<Totals>,
}

/// An order without a result.
#[derive(Debug)]
struct Open {
    order: Order,
    place: Place,
    issued: Now,
    /// The message, once it went out.
    sent: Option<Vec<u8>>,
    /// Not after this moment it goes out again, seconds since 1970 UTC.
    not_after_utc_s: i64,
    /// Its copies on this connection; none: it did not go out on it.
    out: Option<Copies>,
    /// There is an earlier copy, on this connection or another: a refusal says nothing about that one.
    sent_before: bool,
}

/// The task.
#[derive(Debug)]
pub(super) struct Peer {
    code: Arc<str>,
    state: State,
    places: Vec<Place>,
    reports: Vec<mpsc::Sender<Report>>,
    setup: PeerSetup,
    ids: Ids,
    open: HashMap<MessageId, Open>,
    conn: Option<Conn>,
    /// The collector has said who it is on this connection, and its clock is right: how its stamps are to be read.
    greeted: Option<Offset>,
    /// Its keys' suite, and who knows until when that one is taken.
    guard: Option<(Guard, Suite)>,
    /// Lines without a connection to their gateway.
    lines_down: HashSet<u8>,
    down_since: Option<Now>,
    silent: HashMap<MeterNumber, bool>,
    /// Messages whose content is on its way into the books.
    storing: JoinSet<(MessageId, Option<MeterNumber>, bool)>,
}

impl Peer {
    pub(super) fn new(code: &str, mut setup: PeerSetup, ids: Ids, state: State, guard: Option<(Guard, Suite)>) -> Self {
        let lines = std::mem::take(&mut setup.lines);
        let (setups, reports): (Vec<_>, Vec<_>) = lines.into_iter().map(|line| (line.setup, line.reports)).unzip();
        let places = wire::places(&setups);
        let down_since = Some(setup.clock.now());
        Self {
            code: code.into(),
            state,
            places,
            reports,
            setup,
            ids,
            open: HashMap::new(),
            conn: None,
            greeted: None,
            guard,
            lines_down: HashSet::new(),
            down_since,
            silent: HashMap::new(),
            storing: JoinSet::new(),
        }
    }

    /// Works until it is dropped.
    pub(super) async fn run(mut self, mut arriving: mpsc::Receiver<Conn>) {
        let mut look = interval(LOOK_EVERY);
        loop {
            tokio::select! {
                // The newest connection counts: the collector has given the old one up.
                Some(conn) = arriving.recv() => self.up(conn),
                payload = pump::next(&mut self.conn) => match payload {
                    Some(payload) => self.take(&payload).await,
                    None => self.down(),
                },
                Some(order) = self.setup.orders.recv() => self.order(order).await,
                Some(stored) = self.storing.join_next() => {
                    if let Ok((id, meter, stored)) = stored {
                        self.stored(id, meter, stored);
                    }
                }
                _ = look.tick() => self.look().await,
            }
            let (open, down) = (self.open.len(), self.lines_down.len());
            let lost = self.silent.values().filter(|silent| **silent).count();
            self.state.with(|state| (state.open_orders, state.lines_down, state.meters_lost) = (open, down, lost));
        }
    }

    fn up(&mut self, conn: Conn) {
        self.conn = Some(conn);
        self.greeted = None;
        for open in self.open.values_mut() {
            (open.out, open.sent_before) = (None, open.sent.is_some());
        }
    }

    fn down(&mut self) {
        self.conn = None;
        self.greeted = None;
        let now = self.setup.clock.now();
        self.down_since.get_or_insert(now);
        self.state.with(|state| {
            if state.online {
                (state.online, state.since_utc_s) = (false, now.utc_s);
            }
        });
    }

    async fn take(&mut self, payload: &[u8]) {
        let Envelope { id, message } = match Envelope::parse(payload) {
            Ok(envelope) => envelope,
            Err(error) => return self.refuse("a message is not understood", &error),
        };
        match message {
            Message::Online(online) => {
                let off_s = online.now_utc_s.saturating_sub(self.setup.clock.utc_s());
                if off_s.abs() > CLOCK_OFF_MAX_S.saturating_mul(self.setup.clock.speed().into()) {
                    tracing::error!(collector = &*self.code, off_s, "its clock is wrong; it is not listened to");
                    return self.down();
                }
                let Some(conn) = &self.conn else { return };
                (self.greeted, self.down_since) = (Some(Offset::measured(online.now_utc_s, conn.asked)), None);
                // It says anew which of its lines are down.
                self.lines_down.clear();
                let now_utc_s = self.setup.clock.utc_s();
                self.state.with(|state| {
                    (state.online, state.since_utc_s, state.backlog) = (true, now_utc_s, online.backlog);
                    state.sessions += 1;
                });
                self.acknowledge(&[id]);
                let open: Vec<MessageId> = self.open.keys().copied().collect();
                open.into_iter().for_each(|id| self.send(id));
            }
            _ if self.greeted.is_none() => self.refuse("it speaks before it has said who it is", &id),
            Message::Snapshot(snapshot) => self.snapshot(id, &snapshot).await,
            Message::Result(result) => self.result(id, &result).await,
            Message::MeterStatus(status) => self.meter_status(id, &status).await,
            Message::LineStatus(status) => self.line_status(id, &status),
            _ => self.refuse("a message that is not for a station", &id),
        }
    }

    /// What can't be used is counted, and told in the log by its reason.
    fn refuse(&self, reason: &str, what: &dyn std::fmt::Display) {
        tracing::warn!(collector = &*self.code, %what, reason, "refused");
        self.state.with(|state| state.refused += 1);
    }

    /// A meter does not answer the collector any more. That it answers again is shown by its next reading.
    async fn meter_status(&mut self, id: MessageId, status: &MeterStatus) {
        let at = (status.meter.line, status.meter.unit);
        let place = self.places.iter().find(|place| (place.line, place.unit) == at).copied();
        if let Some(place) = place.filter(|_| status.link == MeterLink::Lost) {
            // A reading that is newer than the silence was here first.
            let newer = self.setup.newest.get(&place.number).is_some_and(|newest| *newest >= status.since_utc_s);
            if !newer && self.silent.insert(place.number, true).is_none() {
                self.report(place, Report::Silent { meter: place.number }).await;
            }
        }
        self.acknowledge(&[id]);
    }

    fn line_status(&mut self, id: MessageId, status: &LineStatus) {
        let known = self.places.iter().any(|place| place.line == status.line);
        let changed = match (known, status.up) {
            (false, _) => false,
            (true, true) => self.lines_down.remove(&status.line),
            (true, false) => self.lines_down.insert(status.line),
        };
        if changed {
            tracing::warn!(collector = &*self.code, ?status, "a line");
        }
        self.acknowledge(&[id]);
    }

    /// A reading counts once: what is not newer than the last stored one of its meter was here before.
    async fn snapshot(&mut self, id: MessageId, snapshot: &Snapshot<'_>) {
        let at = (snapshot.meter.line, snapshot.meter.unit);
        let place = self.places.iter().find(|place| (place.line, place.unit) == at).copied();
        let (Some(place), Some(answered)) = (place, wire::number(snapshot.meter.number)) else {
            tracing::warn!(collector = &*self.code, ?at, "a reading of a meter that it does not have");
            return self.acknowledge(&[id]);
        };
        let read_at = snapshot.block.read_at_utc_s;
        if self.setup.newest.get(&place.number).is_some_and(|newest| *newest >= read_at) {
            return self.acknowledge(&[id]);
        }
        let Some(shown) = self.shown(&snapshot.block, answered, None) else { return self.acknowledge(&[id]) };
        Totals::add(&self.setup.totals.reads);
        self.setup.newest.insert(place.number, read_at);
        self.silent.remove(&place.number);
        let (stored, durable) = oneshot::channel();
        self.storing.spawn(async move { (id, Some(place.number), durable.await.is_ok()) });
        let report = Report::Shown { meter: place.number, shown, stored: Some(stored) };
        self.report(place, report).await;
    }

    async fn result(&mut self, id: MessageId, result: &CommandResult<'_>) {
        // What nobody asks for any more was answered before, or asked by an earlier run: the meters were read since.
        let Some(open) = self.open.remove(&result.command) else { return self.acknowledge(&[id]) };
        let issued = open.issued;
        let eyes = |block: &RegisterBlock<'_>, number| self.shown(block, number, Some(issued));
        let done = wire::done(&open.order.task, open.place.number, result, open.sent_before, &eyes);
        self.count(&open.order.task, &done);
        let (taken, booked) = oneshot::channel();
        self.storing.spawn(async move { (id, None, booked.await.is_ok()) });
        let (meter, id) = (open.order.meter, open.order.id);
        self.report(open.place, Report::Done { id, meter, done, taken: Some(taken) }).await;
    }

    fn count(&self, task: &Task, done: &Done) {
        let totals = &self.setup.totals;
        match done {
            Done::Read(Some(_)) | Done::Ready { .. } => Totals::add(&totals.reads),
            Done::Read(None) => Totals::add(&totals.lost_replies),
            Done::Written { written: Written::NotTransmitted, .. } | Done::NotReady { .. } => {}
            Done::Written { .. } if matches!(task, Task::Sell { .. }) => Totals::add(&totals.purchase_frames),
            Done::Written { .. } => Totals::add(&totals.relay_writes),
        }
    }

    async fn order(&mut self, order: Order) {
        let Some(place) = self.places.iter().find(|place| place.number == order.meter).copied() else { return };
        let id = self.ids.next();
        let issued = self.setup.clock.now();
        let open = Open { order, place, issued, sent: None, not_after_utc_s: 0, out: None, sent_before: false };
        self.open.insert(id, open);
        if self.greeted.is_some() {
            self.send(id);
        }
    }

    /// Sends an open order, or another copy of it. What doesn't fit into the queue goes with the next look.
    fn send(&mut self, id: MessageId) {
        let (Some(open), Some(conn)) = (self.open.get_mut(&id), &self.conn) else { return };
        let Ok(room) = conn.outgoing.try_reserve() else { return };
        if open.sent.is_none() {
            let life_s = ORDER_LIFE_S.saturating_mul(self.setup.clock.speed().into());
            let wish = wire::wish(&open.order.task, self.setup.status);
            open.not_after_utc_s = self.setup.clock.utc_s().saturating_add(life_s);
            open.sent = wire::command(id, open.place, wish, open.not_after_utc_s);
        }
        if let Some(payload) = &open.sent {
            room.send(payload.clone());
            let now = Instant::now();
            match &mut open.out {
                Some(copies) => {
                    copies.another(now);
                    open.sent_before = true;
                }
                None => open.out = Some(Copies::first(now)),
            }
        }
    }

    fn stored(&mut self, id: MessageId, meter: Option<MeterNumber>, stored: bool) {
        if stored {
            let mut ids = vec![id];
            while ids.len() < MAX_ACK_IDS {
                match self.storing.try_join_next() {
                    Some(Ok((id, _, true))) => ids.push(id),
                    Some(Ok((_, Some(meter), false))) => drop(self.setup.newest.remove(&meter)),
                    Some(_) => {}
                    None => break,
                }
            }
            self.acknowledge(&ids);
        } else if let Some(meter) = meter {
            // The books could not be written: the collector keeps the reading and sends it again.
            self.setup.newest.remove(&meter);
        }
    }

    /// Tells the collector what it need not keep any more. What is lost on the way is sent again by it.
    fn acknowledge(&mut self, ids: &[MessageId]) {
        let ids: Vec<[u8; 16]> = ids.iter().map(|id| id.0).collect();
        let id = self.ids.next();
        if let (Ok(payload), Some(conn)) = (wire::emit(id, Message::Ack(Ack { ids: &ids })), &self.conn) {
            let _ = conn.outgoing.try_send(payload);
        }
    }

    /// Who has been silent for too long, and what will not be answered any more.
    async fn look(&mut self) {
        let now = self.setup.clock.now();
        let patience_us = self.setup.patience.lost_after_us();
        let patience_s = i64::try_from(patience_us / 1_000_000).unwrap_or(i64::MAX);
        for place in self.places.clone() {
            let newest = self.setup.newest.get(&place.number).copied().unwrap_or(i64::MIN);
            let began = self.setup.clock.started_utc_s();
            let silent = now.utc_s.saturating_sub(newest.max(began)) > patience_s;
            if silent && self.silent.insert(place.number, true).is_none() {
                self.report(place, Report::Silent { meter: place.number }).await;
            }
        }
        let gone = self.down_since.is_some_and(|since| now.mono_ms.saturating_sub(since.mono_ms) > patience_us / 1000);
        if gone {
            self.give_up().await;
        }
        let over = self.guard.as_ref().is_some_and(|(guard, suite)| !guard.allows(*suite, now.utc_s));
        if over && self.conn.is_some() {
            tracing::error!(collector = &*self.code, "the time of its suite is over; its session ends");
            self.down();
        }
        if self.greeted.is_some() {
            let due = self.due(now.utc_s);
            due.into_iter().for_each(|id| self.send(id));
        }
    }

    /// Orders that did not go out on this connection, or have waited long enough for their result. After its time an order that
    /// was sent is not sent again: whoever got it has got it, and the others must not begin it.
    fn due(&self, now_utc_s: i64) -> Vec<MessageId> {
        let now = Instant::now();
        let is_due = |open: &Open| match open.out {
            None => true,
            Some(copies) => copies.are_due(now) && now_utc_s <= open.not_after_utc_s,
        };
        self.open.iter().filter(|(_, open)| is_due(open)).map(|(id, _)| *id).collect()
    }

    /// The collector has been away for too long: what it was told is unknown, what it was not told is not done. A late result
    /// is acknowledged and counts for nothing; the meter is read instead.
    async fn give_up(&mut self) {
        for (_, open) in std::mem::take(&mut self.open) {
            let done = match (&open.order.task, &open.sent) {
                (Task::Sell { .. } | Task::Switch { .. }, Some(_)) => {
                    Done::Written { written: Written::NoReply, before: None, after: None }
                }
                (task, _) => task.not_done(),
            };
            let (meter, id) = (open.order.meter, open.order.id);
            self.report(open.place, Report::Done { id, meter, done, taken: None }).await;
        }
    }

    async fn report(&self, place: Place, report: Report) {
        if let Some(reports) = self.reports.get(usize::from(place.line)) {
            // A desk that has closed needs nothing more.
            let _ = reports.send(report).await;
        }
    }
}
