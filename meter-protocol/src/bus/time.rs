//! Times of the bus in four bytes: whole milliseconds since an epoch that moves along.
//!
//! The epoch is the first time that the bus is told. Before it is [`MOVE_AT_MS`] old it is moved so that it lies
//! [`KEPT_MS`] back, and every stored time with it: nothing wraps, a bus runs for ever, and what lies further back than that
//! counts as lying there.

use super::BusError;

/// Farthest that a poll or a probe may lie ahead, in microseconds: 12.4 days.
pub const MAX_AHEAD_US: u64 = MAX_AHEAD_MS as u64 * 1_000;

const MAX_AHEAD_MS: u32 = 1 << 30;
/// What is further back, 24.8 days, counts as that old.
const KEPT_MS: u32 = 1 << 31;
/// An age of the epoch at which every time ahead can still be written.
const MOVE_AT_MS: u32 = u32::MAX - MAX_AHEAD_MS - 1;

/// Milliseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(u32);

impl Moment {
    /// The epoch itself: due at once.
    pub(super) const START: Self = Self(0);
    /// No such time.
    pub(super) const NEVER: Self = Self(u32::MAX);

    /// So long after the epoch, [`MAX_AHEAD_US`] at most.
    pub(super) fn after_start(after_us: u64) -> Self {
        Self::START.plus(Millis::from_us(after_us))
    }

    pub(super) const fn plus(self, millis: Millis) -> Self {
        let sum = self.0.saturating_add(millis.0);
        if sum == u32::MAX { Self(u32::MAX - 1) } else { Self(sum) }
    }

    /// From an earlier time until this one.
    pub(super) const fn since(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }

    pub(super) fn known(self) -> Option<Self> {
        (self != Self::NEVER).then_some(self)
    }

    /// The same time after the epoch was moved.
    pub(super) fn moved(self, by_ms: u64) -> Self {
        let by_ms = u32::try_from(by_ms).unwrap_or(u32::MAX);
        if self == Self::NEVER { self } else { Self(self.0.saturating_sub(by_ms)) }
    }
}

/// A span, [`MAX_AHEAD_US`] at most where it lies ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Millis(u32);

impl Millis {
    /// Begun milliseconds count. `what` is named if it is too long.
    pub(super) fn new(what: &'static str, span_us: u64) -> Result<Self, BusError> {
        if span_us > MAX_AHEAD_US {
            return Err(BusError::TooLong { what, span_us, limit_us: MAX_AHEAD_US });
        }
        Ok(Self::from_us(span_us))
    }

    /// What is too long is cut.
    pub(super) fn from_us(span_us: u64) -> Self {
        let millis = u32::try_from(span_us.div_ceil(1_000)).unwrap_or(MAX_AHEAD_MS);
        Self(millis.min(MAX_AHEAD_MS))
    }

    /// The pause after this span that makes it `share_percent` of the whole.
    pub(super) fn pause(self, share_percent: u8) -> Self {
        let others = u32::from(100_u8.saturating_sub(share_percent));
        let pause = self.0.saturating_mul(others).checked_div(share_percent.into()).unwrap_or(0);
        Self(pause.min(MAX_AHEAD_MS))
    }

    /// Doubled so many times.
    pub(super) fn doubled(self, times: u8) -> Self {
        let factor = 1_u32.checked_shl(times.into()).unwrap_or(u32::MAX);
        Self(self.0.saturating_mul(factor).min(MAX_AHEAD_MS))
    }
}

/// What the stored times are counted from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Epoch {
    /// Before the first time is told, the end of all time.
    at_us: u64,
}

impl Epoch {
    pub(super) const fn new() -> Self {
        Self { at_us: u64::MAX }
    }

    /// Now as it is stored, and by how many milliseconds the stored times have to move first. Time that goes backwards stands
    /// still at the epoch.
    pub(super) fn advance(&mut self, now_us: u64) -> (Moment, Option<u64>) {
        if self.at_us == u64::MAX {
            self.at_us = now_us;
        }
        let age_ms = now_us.saturating_sub(self.at_us) / 1_000;
        match u32::try_from(age_ms) {
            Ok(age_ms) if age_ms <= MOVE_AT_MS => (Moment(age_ms), None),
            _ => {
                let by_ms = age_ms.saturating_sub(KEPT_MS.into());
                self.at_us = self.at_us.saturating_add(by_ms.saturating_mul(1_000));
                (Moment(KEPT_MS), Some(by_ms))
            }
        }
    }

    /// In the caller's microseconds.
    pub(super) fn us(&self, moment: Moment) -> u64 {
        self.at_us.saturating_add(u64::from(moment.0).saturating_mul(1_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_US: u64 = 86_400 * 1_000_000;

    #[test]
    fn a_time_is_kept_to_the_millisecond_over_a_year() {
        let start_us = 1_234_567;
        let mut epoch = Epoch::new();
        let mut noted: Option<(Moment, u64)> = None;
        for now_us in (0..365 * 8).map(|eighth| start_us + eighth * DAY_US / 8) {
            let (now, moved) = epoch.advance(now_us);
            assert_eq!(epoch.us(now) / 1_000, now_us / 1_000);
            if let (Some((moment, _)), Some(by_ms)) = (&mut noted, moved) {
                *moment = moment.moved(by_ms);
            }
            let (moment, at_us) = *noted.get_or_insert((now, now_us));
            // To the millisecond for as long as is promised, and never younger than it is.
            assert!(epoch.us(moment) >= at_us / 1_000 * 1_000 || now_us - at_us > 24 * DAY_US);
            assert!(now_us - epoch.us(moment) >= (now_us - at_us).min(24 * DAY_US));
            if now_us - at_us > 40 * DAY_US {
                noted = None;
            }
            let ahead = now.plus(Millis::from_us(MAX_AHEAD_US));
            assert!(epoch.us(ahead) >= now_us + MAX_AHEAD_US - 1_000 && ahead < Moment::NEVER);
        }
    }

    #[test]
    fn a_leap_of_any_length_moves_the_epoch_once() {
        for now_us in [u64::MAX, u64::MAX / 2, 50 * DAY_US] {
            let mut epoch = Epoch::new();
            assert_eq!(epoch.advance(7), (Moment::START, None));
            let (now, moved) = epoch.advance(now_us);
            assert_eq!((now, epoch.us(now) / 1_000), (Moment(KEPT_MS), (now_us - 7) / 1_000));
            let past = Moment(5).moved(moved.unwrap());
            assert_eq!((past, Moment::NEVER.moved(1)), (Moment::START, Moment::NEVER));
            assert_eq!(epoch.advance(now_us), (now, None));
        }
    }

    #[test]
    fn spans_are_rounded_up_and_bounded() {
        assert_eq!([0, 1, 1_000, 1_001, u64::MAX].map(Millis::from_us), [0, 1, 1, 2, MAX_AHEAD_MS].map(Millis));
        assert_eq!(
            [0, 3, 20, 40, 255].map(|times| Millis(5_000).doubled(times).0),
            [5_000, 40_000, MAX_AHEAD_MS, MAX_AHEAD_MS, MAX_AHEAD_MS]
        );
        assert!(Millis::new("x", MAX_AHEAD_US).is_ok() && Millis::new("x", MAX_AHEAD_US + 1).is_err());
    }
}
