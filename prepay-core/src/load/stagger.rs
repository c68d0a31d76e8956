//! Restoring one at a time: loads that come back together would trip the line again.

use serde::{Deserialize, Serialize};

/// Lets one load through in each interval. The first needs no wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stagger {
    interval_ms: u64,
    latest_ms: Option<u64>,
}

impl Stagger {
    /// One in each `interval_ms`; 0 lets all through.
    #[must_use]
    pub const fn new(interval_ms: u64) -> Self {
        Self { interval_ms, latest_ms: None }
    }

    /// Whether one may come back now; if so, the next one waits.
    pub fn admit(&mut self, mono_ms: u64) -> bool {
        let free = self.latest_ms.is_none_or(|latest| mono_ms.saturating_sub(latest) >= self.interval_ms);
        if free {
            self.latest_ms = Some(mono_ms);
        }
        free
    }

    /// After a restart monotonic times mean nothing: the next one waits a whole interval from now.
    pub const fn restarted(&mut self, mono_ms: u64) {
        self.latest_ms = Some(mono_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_each_interval() {
        let mut stagger = Stagger::new(1_000);
        let admitted = [5, 5, 1_004, 1_005, 1_006, 3_000].map(|at| stagger.admit(at));
        assert_eq!(admitted, [true, false, false, true, false, true]);
        stagger.restarted(10);
        assert_eq!([stagger.admit(1_009), stagger.admit(1_010)], [false, true]);
    }
}
