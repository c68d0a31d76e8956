//! One bus as a task: half duplex, one exchange at a time, each state committed before its reply leaves.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use meter_protocol::virtual_meter::{Delivery, Exchange, VirtualBus, VirtualMeter};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::FleetError;
use super::stats::SharedStats;
use super::trade::{SLOT_MS, Shop};
use super::world::Store;
use super::writes::Writes;
use crate::clock::WorldClock;

/// Requests that may wait for a line.
const QUEUE_MAX: usize = 32;
/// Replies that may be on their way late at the same time on one line.
const LATE_MAX: usize = 64;

/// Functions of Modbus that change nothing.
const READS: RangeInclusive<u8> = 1..=4;

/// A request that a gateway has taken from a connection.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) frame: Vec<u8>,
    /// When its last byte was there.
    pub(super) arrived: Instant,
    /// The connection that it came from.
    pub(super) back: mpsc::Sender<Vec<u8>>,
}

/// The way to a line.
pub(super) fn queue() -> (mpsc::Sender<Order>, mpsc::Receiver<Order>) {
    mpsc::channel(QUEUE_MAX)
}

/// What is behind one meter of the bus.
#[derive(Debug)]
pub(super) struct Household {
    number: Arc<str>,
    shop: Shop,
    /// When the meter's state was stored last; none: not since the fleet is served.
    kept: Option<Instant>,
}

impl Household {
    pub(super) fn new(number: &str, shop: Shop) -> Self {
        Self { number: number.into(), shop, kept: None }
    }
}

/// What a line has from the fleet.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) clock: WorldClock,
    pub(super) store: Store,
    /// Half of the life of a frame: once for waiting, once for the reply.
    pub(super) half_life: Duration,
    pub(super) reads_kept_after: Duration,
    pub(super) writes: Option<Writes>,
    pub(super) stats: SharedStats,
}

/// A bus with its shops.
#[derive(Debug)]
pub(super) struct BusLine {
    name: Arc<str>,
    bus: VirtualBus,
    /// In the order of the bus's meters.
    households: Vec<Household>,
    shared: Shared,
    late: JoinSet<()>,
}

impl BusLine {
    pub(super) fn new(name: &str, bus: VirtualBus, households: Vec<Household>, shared: Shared) -> Self {
        Self { name: name.into(), bus, households, shared, late: JoinSet::new() }
    }

    /// Serves requests one after the other until it is stopped or a state can't be stored.
    pub(super) async fn run(
        mut self,
        mut queue: mpsc::Receiver<Order>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), FleetError> {
        loop {
            let order = tokio::select! {
                biased;
                _ = stop.changed() => return self.keep_all().await,
                order = queue.recv() => order,
            };
            let Some(order) = order else { return self.keep_all().await };
            while self.late.try_join_next().is_some() {}
            if order.arrived.elapsed() > self.shared.half_life {
                self.shared.stats.expired_request();
                continue;
            }
            self.exchange(order).await?;
        }
    }

    async fn exchange(&mut self, order: Order) -> Result<(), FleetError> {
        let begun = Instant::now();
        let now_ms = self.shared.clock.utc_ms();
        self.shared.stats.request();
        self.follow_shops(&order.frame, now_ms);
        let faults_before = *self.bus.fault_counts();
        let Exchange { served, deliveries, line_us, .. } = self.bus.request(now_ms, &order.frame);
        self.shared.stats.faults(&faults_before, self.bus.fault_counts());
        let only_read = order.frame.get(1).is_some_and(|function| READS.contains(function));
        if let Some(writes) = self.shared.writes.as_ref().filter(|_| !only_read && !served.is_empty()) {
            writes.note(now_ms, &self.name, &order.frame)?;
        }
        for position in served {
            let kept = self.households.get(position).and_then(|household| household.kept);
            let fresh = kept.is_some_and(|kept| kept.elapsed() < self.shared.reads_kept_after);
            if !(only_read && fresh) {
                self.keep(position, now_ms).await?;
            }
        }
        // The line is taken until its last regular byte; what comes late comes while it may be in use again.
        // An unpaced line must not wait for the timer's next tick.
        if line_us > 0 {
            tokio::time::sleep_until((begun + Duration::from_micros(line_us).min(self.shared.half_life)).into()).await;
        }
        for Delivery { delay_us, bytes } in deliveries {
            let due = begun + Duration::from_micros(delay_us).min(self.shared.half_life);
            if delay_us <= line_us {
                self.send_now(begun, &order.back, bytes);
            } else if self.late.len() < LATE_MAX {
                self.send_late(begun, due, order.back.clone(), bytes);
            }
        }
        Ok(())
    }

    /// Stores a meter's state and comes back when it is committed.
    async fn keep(&mut self, position: usize, now_ms: i64) -> Result<(), FleetError> {
        let (Some(meter), Some(household)) = (self.bus.meters().get(position), self.households.get_mut(position))
        else {
            return Ok(());
        };
        let state = super::encoded(&household.number, meter)?;
        self.shared.store.keep(Arc::clone(&household.number), state, meter.time_ms().max(now_ms)).await?;
        household.kept = Some(Instant::now());
        Ok(())
    }

    /// Stores what was left out because it was only read.
    async fn keep_all(&mut self) -> Result<(), FleetError> {
        if self.shared.reads_kept_after.is_zero() {
            return Ok(());
        }
        for position in 0..self.households.len() {
            let now_ms = self.shared.clock.utc_ms();
            self.keep(position, now_ms).await?;
        }
        Ok(())
    }

    fn send_now(&self, begun: Instant, back: &mpsc::Sender<Vec<u8>>, bytes: Vec<u8>) {
        send(&self.shared.stats, begun, self.shared.half_life, back, bytes);
    }

    fn send_late(&mut self, begun: Instant, due: Instant, back: mpsc::Sender<Vec<u8>>, bytes: Vec<u8>) {
        let (stats, half_life) = (self.shared.stats.clone(), self.shared.half_life);
        self.late.spawn(async move {
            tokio::time::sleep_until(due.into()).await;
            send(&stats, begun, half_life, &back, bytes);
        });
    }

    /// Brings the addressed meters up to `now_ms` with the loads that their shops had in each slot.
    fn follow_shops(&mut self, frame: &[u8], now_ms: i64) {
        let Some(&unit) = frame.first() else { return };
        for (position, household) in self.households.iter().enumerate() {
            if let Some(meter) = self.bus.meter_mut(position).filter(|meter| unit == 0 || meter.unit() == unit) {
                follow(meter, &household.shop, now_ms);
            }
        }
    }
}

/// Lets time pass for one meter. The load changes at the borders of slots and nowhere else, so the result does not
/// depend on how often this is called.
pub(super) fn follow(meter: &mut VirtualMeter, shop: &Shop, now_ms: i64) {
    loop {
        let slot = meter.time_ms().div_euclid(SLOT_MS);
        let next_ms = slot.saturating_add(1).saturating_mul(SLOT_MS);
        if next_ms > now_ms {
            break;
        }
        meter.advance(next_ms);
        if meter.time_ms() < next_ms {
            // The end of the meter's calendar.
            break;
        }
        meter.set_load(shop.load_in(slot.saturating_add(1)));
    }
    meter.advance(now_ms);
}

/// Passes bytes to a connection, unless their time is over. A serial server has no flow control: if the client does
/// not read, bytes are lost.
fn send(stats: &SharedStats, begun: Instant, half_life: Duration, back: &mpsc::Sender<Vec<u8>>, bytes: Vec<u8>) {
    // A sleep may end late by a little; the limit is meant for a stalled disk.
    if begun.elapsed() > half_life + SLEEP_GRAIN {
        stats.expired_reply();
    } else if back.try_send(bytes).is_ok() {
        stats.reply();
    }
}

/// How much later than asked a timer may fire.
const SLEEP_GRAIN: Duration = Duration::from_millis(20);
