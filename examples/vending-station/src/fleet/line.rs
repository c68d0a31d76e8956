//! One bus as a task: half duplex, one exchange at a time, each state committed before its reply leaves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use meter_protocol::virtual_meter::{Delivery, Exchange, VirtualBus, VirtualMeter};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::FleetError;
use super::stats::SharedStats;
use super::trade::{SLOT_MS, Shop};
use super::world::Store;
use crate::clock::WorldClock;

/// Requests that may wait for a line.
const QUEUE_MAX: usize = 32;
/// Replies that may be on their way late at the same time on one line.
const LATE_MAX: usize = 64;

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
    pub(super) number: Arc<str>,
    pub(super) shop: Shop,
}

/// A bus with its shops.
#[derive(Debug)]
pub(super) struct BusLine {
    bus: VirtualBus,
    /// In the order of the bus's meters.
    households: Vec<Household>,
    clock: WorldClock,
    store: Store,
    /// Half of the life of a frame: once for waiting, once for the reply.
    half_life: Duration,
    stats: SharedStats,
    late: JoinSet<()>,
}

impl BusLine {
    pub(super) fn new(
        bus: VirtualBus,
        households: Vec<Household>,
        clock: WorldClock,
        store: Store,
        frame_life: Duration,
        stats: SharedStats,
    ) -> Self {
        Self { bus, households, clock, store, half_life: frame_life / 2, stats, late: JoinSet::new() }
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
                _ = stop.changed() => return Ok(()),
                order = queue.recv() => order,
            };
            let Some(order) = order else { return Ok(()) };
            while self.late.try_join_next().is_some() {}
            if order.arrived.elapsed() > self.half_life {
                self.stats.expired_request();
                continue;
            }
            self.exchange(order).await?;
        }
    }

    async fn exchange(&mut self, order: Order) -> Result<(), FleetError> {
        let begun = Instant::now();
        let now_ms = self.clock.utc_ms();
        self.stats.request();
        self.follow_shops(&order.frame, now_ms);
        let faults_before = *self.bus.fault_counts();
        let Exchange { served, deliveries, line_us, .. } = self.bus.request(now_ms, &order.frame);
        self.stats.faults(&faults_before, self.bus.fault_counts());
        for position in served {
            let (Some(meter), Some(household)) = (self.bus.meters().get(position), self.households.get(position))
            else {
                continue;
            };
            let state = super::encoded(&household.number, meter)?;
            self.store.keep(Arc::clone(&household.number), state, meter.time_ms().max(now_ms)).await?;
        }
        // The line is taken until its last regular byte; what comes late comes while it may be in use again.
        // An unpaced line must not wait for the timer's next tick.
        if line_us > 0 {
            tokio::time::sleep_until((begun + Duration::from_micros(line_us).min(self.half_life)).into()).await;
        }
        for Delivery { delay_us, bytes } in deliveries {
            let due = begun + Duration::from_micros(delay_us).min(self.half_life);
            if delay_us <= line_us {
                self.send_now(begun, &order.back, bytes);
            } else if self.late.len() < LATE_MAX {
                self.send_late(begun, due, order.back.clone(), bytes);
            }
        }
        Ok(())
    }

    fn send_now(&self, begun: Instant, back: &mpsc::Sender<Vec<u8>>, bytes: Vec<u8>) {
        send(&self.stats, begun, self.half_life, back, bytes);
    }

    fn send_late(&mut self, begun: Instant, due: Instant, back: mpsc::Sender<Vec<u8>>, bytes: Vec<u8>) {
        let (stats, half_life) = (self.stats.clone(), self.half_life);
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
