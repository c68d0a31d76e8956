//! Until when suite 1 is allowed.

use super::Suite;

/// Refuses suite 1 from a date on. The date is not undone by a clock that goes backwards: the latest time seen counts.
///
/// ```
/// use meter_protocol::seal::{Suite, SuitePolicy};
/// let mut policy = SuitePolicy::refuse_tdes_from(1_800_000_000);
/// assert!(policy.allows(Suite::Tdes, 1_799_999_999));
/// assert!(!policy.allows(Suite::Tdes, 1_800_000_000));
/// assert!(!policy.allows(Suite::Tdes, 0), "the clock went backwards");
/// assert!(policy.allows(Suite::AesCcm, 1_800_000_000));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuitePolicy {
    tdes_refused_from_utc_s: Option<i64>,
    latest_utc_s: i64,
}

impl SuitePolicy {
    /// Every suite at any time.
    #[must_use]
    pub const fn any() -> Self {
        Self { tdes_refused_from_utc_s: None, latest_utc_s: i64::MIN }
    }

    /// Suite 1 only before this time, UTC seconds since 1970.
    #[must_use]
    pub const fn refuse_tdes_from(utc_s: i64) -> Self {
        Self { tdes_refused_from_utc_s: Some(utc_s), latest_utc_s: i64::MIN }
    }

    /// Whether a session of this suite may be set up, or go on, at this time. Ask at each set-up and now and then while
    /// a session runs.
    pub fn allows(&mut self, suite: Suite, now_utc_s: i64) -> bool {
        self.latest_utc_s = self.latest_utc_s.max(now_utc_s);
        match (suite, self.tdes_refused_from_utc_s) {
            (Suite::Tdes, Some(from)) => self.latest_utc_s < from,
            _ => true,
        }
    }

    /// From when on suite 1 is refused, UTC seconds since 1970; none: never.
    #[must_use]
    pub const fn tdes_refused_from_utc_s(&self) -> Option<i64> {
        self.tdes_refused_from_utc_s
    }

    /// The latest time seen, UTC seconds. A station that stores it and gives it to [`SuitePolicy::allows`] at its start
    /// keeps the refusal over a restart with a wrong clock.
    #[must_use]
    pub const fn latest_utc_s(&self) -> i64 {
        self.latest_utc_s
    }
}
