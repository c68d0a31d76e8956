//! One collector as the station sees it: orders from the desks go to it, evidence from it goes to the desks. An order is open
//! until its result is there; it goes out again on each new connection, with the same id.

use super::{
    gate::Shown as State,
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
    seal::message::{Ack, CommandResult, Envelope, MAX_ACK_IDS, Message, MessageId, RegisterBlock, Snapshot},
};
use prepay_core::{id::MeterNumber, time::Now};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::interval,
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
    /// It went out on this connection.
    out: bool,
    /// It went out on an earlier connection.
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
    /// The collector has said who it is on this connection, and its clock is right.
    greeted: bool,
    down_since: Option<Now>,
    silent: HashMap<MeterNumber, bool>,
    /// Messages whose content is on its way into the books.
    storing: JoinSet<(MessageId, Option<MeterNumber>, bool)>,
}

impl Peer {
    pub(super) fn new(code: &str, mut setup: PeerSetup, ids: Ids, state: State) -> Self {
        let lines = std::mem::take(&mut setup.lines);
        let (setups, reports): (Vec<_>, Vec<_>) = lines.into_iter().map(|line| (line.setup, line.reports)).unzip();
        let places = wire::places(&setups);
        let down_since = Some(setup.clock.now());
        let (open, silent) = (HashMap::new(), HashMap::new());
        let code = code.into();
        let storing = JoinSet::new();
        Self { code, state, places, reports, setup, ids, open, conn: None, greeted: false, down_since, silent, storing }
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
            let open = self.open.len();
            self.state.with(|state| state.open_orders = open);
        }
    }

    fn up(&mut self, conn: Conn) {
        self.conn = Some(conn);
        self.greeted = false;
        for open in self.open.values_mut() {
            (open.out, open.sent_before) = (false, open.sent.is_some());
        }
    }

    fn down(&mut self) {
        self.conn = None;
        self.greeted = false;
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
            Err(error) => return tracing::warn!(collector = &*self.code, %error, "a message is not understood"),
        };
        match message {
            Message::Online(online) => {
                let off_s = online.now_utc_s.saturating_sub(self.setup.clock.utc_s());
                if off_s.abs() > CLOCK_OFF_MAX_S.saturating_mul(self.setup.clock.speed().into()) {
                    tracing::error!(collector = &*self.code, off_s, "its clock is wrong; it is not listened to");
                    return self.down();
                }
                (self.greeted, self.down_since) = (true, None);
                let now_utc_s = self.setup.clock.utc_s();
                self.state.with(|state| {
                    (state.online, state.since_utc_s, state.backlog) = (true, now_utc_s, online.backlog);
                    state.sessions += 1;
                });
                self.acknowledge(&[id]);
                let open: Vec<MessageId> = self.open.keys().copied().collect();
                open.into_iter().for_each(|id| self.send(id));
            }
            _ if !self.greeted => tracing::warn!(collector = &*self.code, "it speaks before it has said who it is"),
            Message::Snapshot(snapshot) => self.snapshot(id, &snapshot).await,
            Message::Result(result) => self.result(id, &result).await,
            Message::MeterStatus(_) | Message::LineStatus(_) => self.acknowledge(&[id]),
            _ => {}
        }
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

    /// The registers as the station reads them. A reading is not from the future, and evidence is not older than its order.
    fn shown(
        &self,
        block: &RegisterBlock<'_>,
        meter: MeterNumber,
        not_before: Option<Now>,
    ) -> Option<crate::collect::reading::Shown> {
        let now = self.setup.clock.now();
        let age_ms = now.utc_s.saturating_sub(block.read_at_utc_s).max(0).saturating_mul(1000).unsigned_abs();
        let mut taken = Now { mono_ms: now.mono_ms.saturating_sub(age_ms), utc_s: block.read_at_utc_s.min(now.utc_s) };
        if let Some(first) = not_before {
            taken = Now { mono_ms: taken.mono_ms.max(first.mono_ms), utc_s: taken.utc_s.max(first.utc_s) };
        }
        wire::shown(block, self.setup.status, meter, taken, &self.setup.spectacles)
            .inspect_err(|error| tracing::warn!(collector = &*self.code, %meter, %error, "a reading can't be used"))
            .ok()
    }

    async fn order(&mut self, order: Order) {
        let Some(place) = self.places.iter().find(|place| place.number == order.meter).copied() else { return };
        let id = self.ids.next();
        let issued = self.setup.clock.now();
        self.open.insert(id, Open { order, place, issued, sent: None, out: false, sent_before: false });
        if self.greeted {
            self.send(id);
        }
    }

    /// Sends an open order. What doesn't fit into the queue goes with the next look.
    fn send(&mut self, id: MessageId) {
        let (Some(open), Some(conn)) = (self.open.get_mut(&id), &self.conn) else { return };
        let Ok(room) = conn.outgoing.try_reserve() else { return };
        if open.sent.is_none() {
            let life_s = ORDER_LIFE_S.saturating_mul(self.setup.clock.speed().into());
            let wish = wire::wish(&open.order.task, self.setup.status);
            let not_after_utc_s = self.setup.clock.utc_s().saturating_add(life_s);
            open.sent = wire::command(id, open.place, wish, not_after_utc_s);
        }
        if let Some(payload) = &open.sent {
            room.send(payload.clone());
            open.out = true;
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
        if self.greeted {
            let unsent: Vec<MessageId> = self.open.iter().filter(|(_, open)| !open.out).map(|(id, _)| *id).collect();
            unsent.into_iter().for_each(|id| self.send(id));
        }
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
