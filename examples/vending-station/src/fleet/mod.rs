//! The virtual fleet: a world of its own behind TCP gateways.
//!
//! Each bus has a gateway that passes RTU frames, as a serial server does: bytes in, bytes out. Behind it are
//! meters from `meter_protocol::virtual_meter` and shops that draw power. The fleet keeps every meter's whole state
//! in its own file and commits it before a reply leaves; the station never reads that file and the fleet never
//! reads the station's. What both share is time, and that is all: a [`WorldClock`] given from outside.
//!
//! ```text
//! let fleet = Fleet::open(path, plan).await?;
//! let clock = fleet.clock(wanted_start_ms, 600);
//! let handle = fleet.serve(clock, FleetOptions::default()).await?;
//! // handle.addresses()[n] is the gateway of plan.buses[n]
//! handle.shutdown().await?;
//! ```

mod creation;
mod dead;
mod error;
mod gateway;
mod line;
mod of_site;
mod plan;
mod stats;
mod trade;
mod world;
mod writes;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use meter_protocol::virtual_meter::{FaultInjector, Faults, Line, VirtualBus, VirtualMeter};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::clock::WorldClock;

pub(crate) use error::FleetError;
pub(crate) use plan::{BusPlan, FleetPlan, MeterPlan};
pub(crate) use stats::FleetStats;
pub(crate) use trade::Trade;

use stats::SharedStats;
use world::{Store, StoredMeter, World};

/// Shortest and longest life of a frame that can be asked for.
const FRAME_LIFE_MIN: Duration = Duration::from_millis(20);
const FRAME_LIFE_MAX: Duration = Duration::from_secs(60);

/// Lines that lose and break frames: of a thousand requests 5 never reach the meter, of a thousand replies 25 never come
/// back and 5 arrive with flipped bits.
pub(crate) const LOSSY: Faults =
    Faults { lost_request_per_mille: 5, lost_reply_per_mille: 25, corrupted_reply_per_mille: 5, ..Faults::NONE };

/// How the fleet is served this time.
#[derive(Debug, Clone)]
pub(crate) struct FleetOptions {
    /// Whether each bus takes the time that its baud rate needs. Only sensible at speed 1.
    pub(crate) paced: bool,
    /// What the lines do to frames.
    pub(crate) faults: Faults,
    /// Seed of the faults.
    pub(crate) seed: u64,
    /// Bound on everything that can still happen to a frame, in real time. A request acts on its meter at most half
    /// of this after its last byte came in, or never; its reply, late copies included, is sent at most half of this
    /// after that, or never. So a master that waits this long after its last byte has seen all there is to see.
    pub(crate) frame_life: Duration,
    /// How old, in real time, the stored state of a meter may become while it is only read; zero: each exchange is
    /// stored. A meter that lives on from an older state shows the same registers, so that nothing of value is lost.
    /// What is written to a meter is always stored before its reply.
    pub(crate) reads_kept_after: Duration,
    /// So many gateways are dead, spread over the plan and taking turns in the ways of being dead.
    pub(crate) dead: usize,
    /// Where each frame that writes is noted when it reaches a meter, one a line: time in ms, bus, bytes.
    pub(crate) writes: Option<PathBuf>,
}

impl Default for FleetOptions {
    fn default() -> Self {
        Self {
            paced: false,
            faults: Faults::NONE,
            seed: 1,
            frame_life: Duration::from_secs(2),
            reads_kept_after: Duration::ZERO,
            dead: 0,
            writes: None,
        }
    }
}

/// A fleet whose world file is open and whose meters stand still.
#[derive(Debug)]
pub(crate) struct Fleet {
    plan: FleetPlan,
    world: World,
    /// In the order of the plan.
    meters: Vec<VirtualMeter>,
    created: usize,
}

impl Fleet {
    /// Creates the world at `path`, or continues it.
    ///
    /// Meters of the plan that the world does not have are created at the world's time. Listen addresses, baud
    /// rates, trades and rated powers may change between starts. It is an error if a meter of the world is missing
    /// in the plan, or has another bus, unit or model there; or if another process has the file open.
    pub(crate) async fn open(path: &Path, plan: FleetPlan) -> Result<Self, FleetError> {
        plan.check()?;
        let mut world = World::open(path, plan.seed, plan.start_utc_s.saturating_mul(1_000)).await?;
        match Self::matched(&mut world, &plan).await {
            Ok((meters, created)) => Ok(Self { plan, world, meters, created }),
            Err(error) => {
                // What was wrong with the plan matters more than a file that does not close well.
                let _ = world.close().await;
                Err(error)
            }
        }
    }

    /// The world's meters in the order of the plan, new ones included, and how many are new.
    async fn matched(world: &mut World, plan: &FleetPlan) -> Result<(Vec<VirtualMeter>, usize), FleetError> {
        let mut known: HashMap<String, StoredMeter> =
            world.meters().await?.into_iter().map(|meter| (meter.number.clone(), meter)).collect();
        Self::check_known(&known, plan)?;

        let made = creation::create(plan, world.seed, world.time_utc_ms, |m| !known.contains_key(&m.number))?;
        let created = made.len();
        let mut rows = Vec::with_capacity(created);
        for (position, meter) in made {
            let planned = &plan.meters[position];
            rows.push(StoredMeter {
                number: planned.number.clone(),
                bus: plan.buses[planned.bus].name.clone(),
                unit: planned.unit,
                model: planned.model.code(),
                state: encoded(&planned.number, &meter)?,
            });
        }
        world.create_meters(&rows).await?;
        known.extend(rows.into_iter().map(|row| (row.number.clone(), row)));

        let mut meters = Vec::with_capacity(plan.meters.len());
        for planned in &plan.meters {
            let number = planned.number.clone();
            let Some(stored) = known.remove(&number) else { return Err(FleetError::NumberTwice { number }) };
            let meter = serde_json::from_str(&stored.state).map_err(|source| FleetError::State { number, source })?;
            meters.push(meter);
        }
        Ok((meters, created))
    }

    /// Refuses a plan that forgets or moves a meter of the world, before anything is added to it.
    fn check_known(known: &HashMap<String, StoredMeter>, plan: &FleetPlan) -> Result<(), FleetError> {
        let mut missing: BTreeSet<&String> = known.keys().collect();
        for planned in &plan.meters {
            missing.remove(&planned.number);
            let Some(stored) = known.get(&planned.number) else { continue };
            let place = |bus: &str, unit: u8, model: u16| format!("model {model} at unit {unit} of bus {bus}");
            let planned_place = place(&plan.buses[planned.bus].name, planned.unit, planned.model.code());
            let stored = place(&stored.bus, stored.unit, stored.model);
            if stored != planned_place {
                return Err(FleetError::MeterMoved { number: planned.number.clone(), stored, planned: planned_place });
            }
        }
        match missing.first() {
            Some(number) => Err(FleetError::MeterGone { number: (*number).clone() }),
            None => Ok(()),
        }
    }

    /// Gives the world file back without serving it.
    #[cfg(test)]
    pub(crate) async fn close(self) -> Result<(), FleetError> {
        self.world.close().await
    }

    /// How far the stored world has come, in milliseconds since 1970-01-01 UTC. No stored meter is ahead of it.
    pub(crate) fn time_utc_ms(&self) -> i64 {
        self.world.time_utc_ms
    }

    /// How many meters this start has added to the world.
    pub(crate) fn meters_created(&self) -> usize {
        self.created
    }

    /// A clock that goes on where the world stopped, or at `origin_ms` if that is later.
    pub(crate) fn clock(&self, origin_ms: i64, speed: u32) -> WorldClock {
        WorldClock::starting_at(origin_ms.max(self.time_utc_ms()), speed)
    }

    /// Opens the gateways and lets the meters live by `clock`.
    ///
    /// It is an error if the clock is behind the world, or an address can't be listened on.
    pub(crate) async fn serve(self, clock: WorldClock, options: FleetOptions) -> Result<FleetHandle, FleetError> {
        let (now_ms, world_ms) = (clock.utc_ms(), self.time_utc_ms());
        if now_ms < world_ms {
            return Err(FleetError::ClockBehind { now_ms, world_ms });
        }
        let (given, shortest, longest) = (options.frame_life, FRAME_LIFE_MIN, FRAME_LIFE_MAX);
        if given < shortest || given > longest {
            return Err(FleetError::FrameLife { given, shortest, longest });
        }
        let mut doors = Vec::with_capacity(self.plan.buses.len());
        let mut addresses = Vec::with_capacity(self.plan.buses.len());
        for (bus, way) in self.plan.buses.iter().zip(dead::ways(self.plan.buses.len(), options.dead)) {
            let refused = |source| FleetError::Listen { name: bus.name.clone(), address: bus.listen, source };
            let door = dead::open(bus.listen, way).await.map_err(refused)?;
            addresses.push(door.address);
            doors.push(door);
        }
        let mut lines = lines(&self.plan, &options);
        let mut shops: Vec<Vec<line::Household>> = self.plan.buses.iter().map(|_| Vec::new()).collect();
        for (planned, meter) in self.plan.meters.iter().zip(self.meters) {
            let shop = creation::shop(&self.plan, self.world.seed, planned)?;
            let added = lines[planned.bus].add(meter);
            added.map_err(|source| FleetError::Bus { number: planned.number.clone(), source })?;
            shops[planned.bus].push(line::Household::new(&planned.number, shop));
        }

        let stats = SharedStats::default();
        let writes = options.writes.as_deref().map(writes::Writes::open).transpose()?;
        let (store, writer) = self.world.into_writer();
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let names: Vec<String> = self.plan.buses.iter().map(|bus| bus.name.clone()).collect();
        for (((name, door), bus), households) in names.into_iter().zip(doors).zip(lines).zip(shops) {
            let (orders, queue) = line::queue();
            let shared = line::Shared {
                clock,
                store: store.clone(),
                half_life: options.frame_life / 2,
                reads_kept_after: options.reads_kept_after,
                writes: writes.clone(),
                stats: stats.clone(),
            };
            let line = line::BusLine::new(&name, bus, households, shared);
            let serving = line.run(queue, stopped.clone());
            tasks.spawn(async move {
                // Seen at once and not only at the end: this bus is silent from now on.
                serving.await.inspect_err(|error| tracing::error!(%error, "a bus of the fleet stopped"))
            });
            let (stats, stopped) = (stats.clone(), stopped.clone());
            tasks.spawn(async move {
                match door.way {
                    dead::Way::Alive(listener) => gateway::accept(listener, orders, stats, stopped).await,
                    // Its line keeps its queue and never gets an order.
                    dead => dead::stand(dead, stopped).await,
                }
                Ok(())
            });
        }
        Ok(FleetHandle { addresses, clock, store, writer: tokio::spawn(writer), stop, tasks, stats })
    }
}

/// The empty buses with their faults, each with a sequence of its own.
fn lines(plan: &FleetPlan, options: &FleetOptions) -> Vec<VirtualBus> {
    let mut seeds = trade::Noise::of(options.seed, 0);
    let bus = |bus: &BusPlan| {
        let line = options.paced.then(|| Line::new(bus.baud));
        VirtualBus::new(FaultInjector::new(options.faults, seeds.next()), line)
    };
    plan.buses.iter().map(bus).collect()
}

/// A meter's whole state as the file holds it.
fn encoded(number: &str, meter: &VirtualMeter) -> Result<String, FleetError> {
    serde_json::to_string(meter).map_err(|source| FleetError::State { number: number.to_owned(), source })
}

/// A fleet that is being served. Dropping it stops the gateways at once; [`shutdown`](Self::shutdown) does it in
/// order.
#[derive(Debug)]
pub(crate) struct FleetHandle {
    addresses: Vec<SocketAddr>,
    clock: WorldClock,
    store: Store,
    writer: JoinHandle<Result<(), FleetError>>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<Result<(), FleetError>>,
    stats: SharedStats,
}

impl FleetHandle {
    /// The gateways' addresses, in the order of the plan's buses.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What has happened since the fleet is served.
    pub(crate) fn stats(&self) -> FleetStats {
        self.stats.read(&self.store.counts)
    }

    /// Lets running exchanges end, closes the gateways, stores how far time has come and closes the file.
    ///
    /// It is an error if a state could not be stored at any time since the start.
    pub(crate) async fn shutdown(mut self) -> Result<(), FleetError> {
        // Nobody listens any more if every task has ended by itself.
        let _ = self.stop.send(true);
        let mut first_error = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            let ended = ended.unwrap_or_else(|e| Err(FleetError::StoreStopped { reason: e.to_string() }));
            first_error = first_error.and(ended);
        }
        let kept = self.store.keep_time(self.clock.utc_ms()).await;
        drop(self.store);
        let written = self.writer.await.unwrap_or_else(|e| Err(FleetError::StoreStopped { reason: e.to_string() }));
        // The writer knows best why nothing could be stored.
        written.and(first_error).and(kept)
    }
}
