//! Fleet time: the one thing that station and fleet share.

use std::time::{Duration, Instant};

/// A clock that runs `speed` times as fast as the real one. Copies of it agree.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FleetClock {
    origin_ms: i64,
    started: Instant,
    speed: u32,
}

impl FleetClock {
    /// A clock that shows `origin_ms` (milliseconds since 1970-01-01 UTC) now. A speed of 0 counts as 1.
    pub(crate) fn new(origin_ms: i64, speed: u32) -> Self {
        Self { origin_ms, started: Instant::now(), speed: speed.max(1) }
    }

    /// Fleet time in milliseconds since 1970-01-01 UTC. It never goes back.
    pub(crate) fn now_ms(&self) -> i64 {
        let fleet_us = self.started.elapsed().as_micros().saturating_mul(u128::from(self.speed));
        self.origin_ms.saturating_add(i64::try_from(fleet_us / 1_000).unwrap_or(i64::MAX))
    }

    /// Fleet seconds in a real one.
    pub(crate) fn speed(&self) -> u32 {
        self.speed
    }

    /// How long a span of fleet time takes for real.
    pub(crate) fn real(&self, fleet: Duration) -> Duration {
        fleet / self.speed
    }
}
