//! What a collector's stamps say about the station's time. Nobody trusts the collector's clock: it is compared with the
//! station's own when a session begins, and of what the comparison leaves open the worse is taken.

use prepay_core::time::Now;

/// Both clocks, side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offset {
    theirs_utc_s: i64,
    asked: Now,
}

impl Offset {
    /// `theirs_utc_s` is what the collector's clock showed at some moment after `asked`, by the station's clock: its first
    /// message is made after it was answered.
    pub(super) fn measured(theirs_utc_s: i64, asked: Now) -> Self {
        Self { theirs_utc_s, asked }
    }

    /// The earliest moment of the station's clock at which something with this stamp can have been, world milliseconds.
    pub(super) fn earliest_mono_ms(&self, stamp_utc_s: i64) -> u64 {
        // Both stamps leave out parts of a second: the one may have been read a second later, the other one not at all.
        let since_s = stamp_utc_s.saturating_sub(self.theirs_utc_s).saturating_sub(1);
        self.asked.mono_ms.saturating_add_signed(since_s.saturating_mul(1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_never_taken_for_later_than_it_was() {
        let mut dice = fastrand::Rng::with_seed(7);
        for _ in 0..100_000 {
            // True times by the station's clock, ms; the collector's clock is off by up to a minute.
            let asked_ms = dice.u64(1_000_000..2_000_000);
            let greeted_ms = asked_ms + dice.u64(0..10_000);
            let read_ms = greeted_ms - dice.u64(0..900_000) + dice.u64(0..900_000);
            let off_ms = dice.i64(-60_000..=60_000);
            let stamp = |true_ms: u64| (i64::try_from(true_ms).unwrap() + off_ms + 1_793_577_600_000).div_euclid(1000);
            let offset = Offset::measured(stamp(greeted_ms), Now { mono_ms: asked_ms, utc_s: 0 });
            let earliest_ms = offset.earliest_mono_ms(stamp(read_ms));
            assert!(earliest_ms <= read_ms, "{earliest_ms} {read_ms} {off_ms}");
            assert!(read_ms - earliest_ms <= 2_000 + (greeted_ms - asked_ms), "and by no more than what is open");
        }
    }

    #[test]
    fn no_stamp_overflows() {
        let offset = Offset::measured(i64::MIN, Now { mono_ms: u64::MAX, utc_s: 0 });
        assert_eq!(offset.earliest_mono_ms(i64::MAX), u64::MAX);
        let offset = Offset::measured(i64::MAX, Now { mono_ms: 5, utc_s: 0 });
        assert_eq!(offset.earliest_mono_ms(i64::MIN), 0);
    }
}
