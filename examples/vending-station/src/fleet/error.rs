//! What can be wrong with a fleet.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use meter_protocol::virtual_meter::{BusError, METERS_MAX, SetupError, UNIT_MAX};

use super::plan::{BUSES_MAX, RATED_MAX_W};

/// Why a fleet can't be opened, served or stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum FleetError {
    /// A part of the site that the fleet can't play.
    #[error("{what}: {reason}")]
    Unplayable { what: String, reason: String },
    #[error(transparent)]
    Pricing(#[from] crate::pricing::PricingError),
    #[error("{count} buses are more than the limit of {BUSES_MAX}")]
    TooManyBuses { count: usize },
    #[error("bus {name} is listed twice")]
    BusTwice { name: String },
    #[error("bus {name} has a baud rate of 0")]
    NoBaud { name: String },
    #[error("bus {name} has more than {METERS_MAX} meters")]
    BusFull { name: String },
    #[error("meter number {number:?} is not 12 digits")]
    Number { number: String },
    #[error("meter number {number} is listed twice")]
    NumberTwice { number: String },
    #[error("meter {number} is on bus {bus}, but there are only {buses} buses, counted from 0")]
    NoSuchBus { number: String, bus: usize, buses: usize },
    #[error("meter {number} has unit {unit}, which is not in 1 to {UNIT_MAX}")]
    Unit { number: String, unit: u8 },
    #[error("meter {number} has unit {unit}, which another meter of its bus has too")]
    UnitTwice { number: String, unit: u8 },
    #[error("meter {number} has a rated power of {rated_w} W, which is not in 1 to {RATED_MAX_W}")]
    RatedPower { number: String, rated_w: u16 },
    #[error("meter {number}: {source}")]
    Setup { number: String, source: SetupError },
    #[error("meter {number}: {source}")]
    Bus { number: String, source: BusError },
    /// A fleet's world is not made to forget meters: take the world file away to begin a new one.
    #[error("meter {number} is in the world file but not in the plan")]
    MeterGone { number: String },
    #[error("meter {number} is {stored} in the world file and {planned} in the plan")]
    MeterMoved { number: String, stored: String, planned: String },
    #[error("world file {} is in use by another process", path.display())]
    InUse { path: PathBuf },
    #[error("world file {} has format {found}, not {expected}", path.display())]
    Format { path: PathBuf, found: i64, expected: i64 },
    #[error("world file {}: {source}", path.display())]
    World { path: PathBuf, source: sqlx::Error },
    #[error("the stored state of meter {number} can't be read: {source}")]
    State { number: String, source: serde_json::Error },
    #[error("{field} in the world file is {value}, which is not possible")]
    Stored { field: &'static str, value: String },
    #[error("the clock shows {now_ms} ms, which is before the world's {world_ms} ms")]
    ClockBehind { now_ms: i64, world_ms: i64 },
    #[error("a frame life of {given:?} is not in {shortest:?} to {longest:?}")]
    FrameLife { given: Duration, shortest: Duration, longest: Duration },
    #[error("{}: {source}", path.display())]
    Writes { path: PathBuf, source: std::io::Error },
    #[error("bus {name} can't listen on {address}: {source}")]
    Listen { name: String, address: SocketAddr, source: std::io::Error },
    /// A state could not be stored, so its reply was not sent and its bus stopped.
    #[error("the world file takes no more states: {reason}")]
    StoreStopped { reason: String },
}
