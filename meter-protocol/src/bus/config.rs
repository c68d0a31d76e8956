//! How the line is shared, and calls that are refused.

use super::{Class, Job};
use thiserror::Error;

/// How the bus shares the line. All times in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BusConfig {
    /// Unanswered jobs in a row after which a meter counts as silent. Default 2.
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

impl Default for BusConfig {
    fn default() -> Self {
        Self {
            trip_after: 2,
            retry_after_us: 2_000_000,
            first_probe_us: 5_000_000,
            longest_probe_us: 45_000_000,
            probe_share_percent: 10,
            max_urgent_run: 8,
        }
    }
}

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
    #[error("cycle {cycle}, a meter has 4")]
    NoSuchCycle {
        /// Index given.
        cycle: usize,
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
