//! Time as an argument: nothing in this crate reads a clock.

use serde::{Deserialize, Serialize};

/// One instant, seen by two clocks.
///
/// Waiting times are measured with `mono_ms`, calendars and records with `utc_s`. A step of the wall clock therefore
/// never shortens a wait, and a restart of the process (which restarts `mono_ms`) never moves a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Now {
    /// Milliseconds of a monotonic clock, from any origin. The origin may change when the process restarts.
    pub mono_ms: u64,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub utc_s: i64,
}

impl Now {
    /// Puts the two clock readings together.
    #[must_use]
    pub const fn new(mono_ms: u64, utc_s: i64) -> Self {
        Self { mono_ms, utc_s }
    }

    /// The monotonic instant `wait_ms` from now; stays at the end of the range when that is passed, which is only ever a longer wait.
    #[must_use]
    pub const fn mono_after(self, wait_ms: u64) -> u64 {
        self.mono_ms.saturating_add(wait_ms)
    }
}
