//! Highest mean power over the quarter hours of the meter's clock.

use super::clock::{self, Civil};

/// Length of a demand window in ms.
const WINDOW_MS: i64 = 900_000;
/// Energy of one window at 1 W, in mJ.
const WINDOW_MJ_PER_W: u64 = 900_000;

/// The running quarter hour and the highest one so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Demand {
    window_mj: u64,
    /// Highest mean power in W.
    pub(super) max_w: u16,
    /// When its window ended: minute, hour, day, month.
    pub(super) max_at: [u8; 4],
}

impl Demand {
    /// The end of the window that a local time is in.
    pub(super) fn window_end(local_ms: i64) -> i64 {
        local_ms.div_euclid(WINDOW_MS).saturating_add(1).saturating_mul(WINDOW_MS)
    }

    /// Adds the energy of a span that does not reach past the end of its window.
    pub(super) fn run(&mut self, energy_mj: u64, from_local_ms: i64, to_local_ms: i64) {
        self.window_mj = self.window_mj.saturating_add(energy_mj);
        let end_ms = Self::window_end(from_local_ms);
        if to_local_ms < end_ms {
            return;
        }
        let mean_w = u16::try_from(self.window_mj / WINDOW_MJ_PER_W).unwrap_or(u16::MAX);
        if mean_w > self.max_w {
            let Civil { month, day, hour, minute, .. } = clock::civil(end_ms);
            self.max_w = mean_w;
            self.max_at = [minute, hour, day, month];
        }
        self.window_mj = 0;
    }

    /// Forgets what the running window holds, as after a power cut or a change of the clock.
    pub(super) fn restart_window(&mut self) {
        self.window_mj = 0;
    }
}
