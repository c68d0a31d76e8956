//! How the line is shared, and calls that are refused.

use super::time::Millis;
use super::{Class, Job, MAX_CYCLES};
use thiserror::Error;

/// How the bus shares the line. All times in microseconds, [`super::MAX_AHEAD_US`] at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BusConfig {
    /// Interval of each cycle, 0 for as often as the line allows. Default 3 minutes, 30 minutes, an hour and a day.
    pub cycle_us: [u64; MAX_CYCLES],
    /// Unanswered jobs in a row after which a meter counts as silent, 127 at most. Default 2.
    pub trip_after: u8,
    /// Wait before an unanswered poll is tried again. Default 2 s.
    pub retry_after_us: u64,
    /// Wait before the first probe of a silent meter; it doubles with each unanswered one. Default 5 s.
    pub first_probe_us: u64,
    /// Longest wait between probes of one meter. Default 45 s.
    pub longest_probe_us: u64,
    /// Share of a busy line that all probes together may take, 1 to 100. Default 10.
    pub probe_share_percent: u8,
    /// Urgent jobs in a row while a poll is due. Default 8.
    pub max_urgent_run: u8,
}

impl BusConfig {
    /// The defaults, with this interval of cycle 0.
    #[must_use]
    pub const fn every(interval_us: u64) -> Self {
        Self {
            cycle_us: [interval_us, 1_800_000_000, 3_600_000_000, 86_400_000_000],
            trip_after: 2,
            retry_after_us: 2_000_000,
            first_probe_us: 5_000_000,
            longest_probe_us: 45_000_000,
            probe_share_percent: 10,
            max_urgent_run: 8,
        }
    }
}

impl Default for BusConfig {
    fn default() -> Self {
        Self::every(180_000_000)
    }
}

/// The same as the bus keeps it, in half the room.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) cycles: [Millis; MAX_CYCLES],
    pub(super) retry_after: Millis,
    pub(super) first_probe: Millis,
    pub(super) longest_probe: Millis,
    pub(super) trip_after: u8,
    pub(super) probe_share_percent: u8,
    pub(super) max_urgent_run: u8,
}

impl Rules {
    pub(super) fn new(config: &BusConfig) -> Result<Self, BusError> {
        let [first, second, third, fourth] = config.cycle_us.map(|interval_us| Millis::new(CYCLE, interval_us));
        Ok(Self {
            cycles: [first?, second?, third?, fourth?],
            retry_after: Millis::new("retry_after_us", config.retry_after_us)?,
            first_probe: Millis::new("first_probe_us", config.first_probe_us)?,
            longest_probe: Millis::new("longest_probe_us", config.longest_probe_us)?,
            trip_after: config.trip_after,
            probe_share_percent: config.probe_share_percent.clamp(1, 100),
            max_urgent_run: config.max_urgent_run,
        })
    }
}

/// What a refused interval is called.
pub(super) const CYCLE: &str = "interval of a cycle";

/// A call that does not fit the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BusError {
    /// More meters than unit numbers.
    #[error("{count} meters on one line, the limit is 247")]
    TooManyMeters {
        /// Meters given.
        count: usize,
    },
    /// No such meter.
    #[error("meter {slot} of {count}")]
    NoSuchSlot {
        /// Index given.
        slot: usize,
        /// Meters on the line.
        count: usize,
    },
    /// No such cycle.
    #[error("cycle {cycle}, a line has 4")]
    NoSuchCycle {
        /// Index given.
        cycle: u8,
    },
    /// A time ahead that the bus can't hold.
    #[error("{what} of {span_us} us, the limit is {limit_us}")]
    TooLong {
        /// Which.
        what: &'static str,
        /// Microseconds given.
        span_us: u64,
        /// The limit.
        limit_us: u64,
    },
    /// As many jobs of this class wait for this meter as may.
    #[error("{limit} jobs of class {class:?} already wait for meter {slot}")]
    Full {
        /// Index of the meter.
        slot: usize,
        /// The class.
        class: Class,
        /// The limit.
        limit: u8,
    },
    /// The reported job is not the one under way.
    #[error("job {job:?} of meter {slot} is not under way")]
    NotRunning {
        /// Index reported.
        slot: usize,
        /// Job reported.
        job: Job,
    },
}
