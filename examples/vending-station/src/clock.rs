//! The station's clock: real time, or a world whose days pass in minutes.

use std::time::{Duration, Instant};

/// Maps real time to the world's time. With speed 1 and the present as its origin it is an ordinary clock.
#[derive(Debug, Clone, Copy)]
pub struct WorldClock {
    origin_utc_ms: i64,
    started: Instant,
    speed: u32,
}

impl WorldClock {
    /// The fastest world, in world seconds a real second.
    pub const SPEED_MAX: u32 = 3600;

    /// A clock that shows `origin_utc_ms` now and runs `speed` times as fast as real time.
    pub fn starting_at(origin_utc_ms: i64, speed: u32) -> Self {
        Self { origin_utc_ms, started: Instant::now(), speed: speed.clamp(1, Self::SPEED_MAX) }
    }

    /// World milliseconds since this clock was started: never goes back.
    pub fn mono_ms(&self) -> u64 {
        let real = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        real.saturating_mul(u64::from(self.speed)) / 1000
    }

    /// World time in milliseconds since 1970 UTC.
    pub fn utc_ms(&self) -> i64 {
        self.origin_utc_ms.saturating_add_unsigned(self.mono_ms())
    }

    /// World time in seconds since 1970 UTC.
    pub fn utc_s(&self) -> i64 {
        self.utc_ms().div_euclid(1000)
    }

    /// World time when this clock was started, in seconds since 1970 UTC.
    pub fn started_utc_s(&self) -> i64 {
        self.origin_utc_ms.div_euclid(1000)
    }

    /// World milliseconds since 1970 UTC when this clock was started.
    pub fn started_utc_ms(&self) -> i64 {
        self.origin_utc_ms
    }

    /// World seconds that pass in a real second.
    pub fn speed(&self) -> u32 {
        self.speed
    }

    /// Both times, as the core wants them.
    pub fn now(&self) -> prepay_core::time::Now {
        prepay_core::time::Now { mono_ms: self.mono_ms(), utc_s: self.utc_s() }
    }

    /// How long `world` lasts in real time, but at least `floor`: below some real milliseconds a time-out would
    /// measure this computer and not the line.
    pub fn real(&self, world: Duration, floor: Duration) -> Duration {
        (world / self.speed).max(floor)
    }
}
