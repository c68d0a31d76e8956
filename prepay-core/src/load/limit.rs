//! Which limit is in force: by schedule, by request, or none.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::id::{OperatorId, Reason};

/// A limit that holds for a while by schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitWindow {
    /// From this time on, UTC seconds.
    pub from_utc_s: i64,
    /// Until before this time, UTC seconds.
    pub until_utc_s: i64,
    /// The limit in watts.
    pub limit_w: u64,
}

/// A limit that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitRequest {
    /// Who.
    pub by: OperatorId,
    /// Why.
    pub why: Reason,
    /// The limit in watts.
    pub limit_w: u64,
    /// When it lapses by itself (UTC seconds); `None` stands until it is lifted.
    pub until_utc_s: Option<i64>,
}

/// The limits of one group. Of several that hold at once the lowest is in force.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    windows: Vec<LimitWindow>,
    request: Option<LimitRequest>,
}

/// Limits that were refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LimitError {
    /// More windows than are kept.
    #[error("{windows} windows, at most {max}")]
    TooManyWindows {
        /// What was given.
        windows: usize,
        /// The most.
        max: usize,
    },
    /// A window that ends before it begins.
    #[error("a window from {from_utc_s} s ends at {until_utc_s} s")]
    WindowEmpty {
        /// Its begin.
        from_utc_s: i64,
        /// Its end.
        until_utc_s: i64,
    },
    /// A request whose time is over already.
    #[error("the request lapses at {until_utc_s} s, now is {now_utc_s} s")]
    UntilPast {
        /// When it would lapse.
        until_utc_s: i64,
        /// Now.
        now_utc_s: i64,
    },
}

impl Limits {
    /// The most windows of a schedule.
    pub const MAX_WINDOWS: usize = 1_000;

    /// Replaces the schedule.
    ///
    /// # Errors
    /// [`LimitError`]; the schedule is then as it was.
    pub fn set_schedule(&mut self, windows: Vec<LimitWindow>) -> Result<(), LimitError> {
        if windows.len() > Self::MAX_WINDOWS {
            return Err(LimitError::TooManyWindows { windows: windows.len(), max: Self::MAX_WINDOWS });
        }
        if let Some(window) = windows.iter().find(|window| window.until_utc_s <= window.from_utc_s) {
            let LimitWindow { from_utc_s, until_utc_s, .. } = *window;
            return Err(LimitError::WindowEmpty { from_utc_s, until_utc_s });
        }
        self.windows = windows;
        Ok(())
    }

    /// Asks for a limit now, in place of an earlier request.
    ///
    /// # Errors
    /// [`LimitError::UntilPast`].
    pub fn request(&mut self, request: LimitRequest, now_utc_s: i64) -> Result<(), LimitError> {
        if let Some(until_utc_s) = request.until_utc_s.filter(|until| *until <= now_utc_s) {
            return Err(LimitError::UntilPast { until_utc_s, now_utc_s });
        }
        self.request = Some(request);
        Ok(())
    }

    /// Ends the request; false when none stood.
    pub fn lift(&mut self) -> bool {
        self.request.take().is_some()
    }

    /// The request that stands or has lapsed.
    #[must_use]
    pub const fn requested(&self) -> Option<&LimitRequest> {
        self.request.as_ref()
    }

    /// The limit in force, in watts; `None` without one.
    #[must_use]
    pub fn in_force(&self, utc_s: i64) -> Option<u64> {
        let stands = |request: &&LimitRequest| request.until_utc_s.is_none_or(|until| utc_s < until);
        let requested = self.request.as_ref().filter(stands).map(|request| request.limit_w);
        let holds = |window: &&LimitWindow| (window.from_utc_s..window.until_utc_s).contains(&utc_s);
        let scheduled = self.windows.iter().filter(holds).map(|window| window.limit_w);
        scheduled.chain(requested).min()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn request(limit_w: u64, until_utc_s: Option<i64>) -> LimitRequest {
        LimitRequest { by: OperatorId(3), why: Reason::new("the grid asks").unwrap(), limit_w, until_utc_s }
    }

    #[test]
    fn the_lowest_limit_that_stands_is_in_force() {
        let mut limits = Limits::default();
        assert_eq!(limits.in_force(0), None);
        let window = |from_utc_s, until_utc_s, limit_w| LimitWindow { from_utc_s, until_utc_s, limit_w };
        limits.set_schedule(vec![window(100, 200, 5_000), window(150, 300, 4_000)]).unwrap();
        let in_force = |limits: &Limits| [99, 100, 149, 150, 199, 200, 299, 300].map(|utc_s| limits.in_force(utc_s));
        let (five, four) = (Some(5_000), Some(4_000));
        assert_eq!(in_force(&limits), [None, five, five, four, four, four, four, None]);
        limits.request(request(4_500, Some(200)), 0).unwrap();
        let asked = Some(4_500);
        assert_eq!(in_force(&limits), [asked, asked, asked, four, four, four, four, None]);
        limits.request(request(1, None), 0).unwrap();
        assert_eq!(limits.in_force(i64::MAX), Some(1));
        assert!(limits.lift());
        assert!(!limits.lift());
        assert_eq!(limits.in_force(99), None);
    }

    #[test]
    fn empty_windows_and_past_requests_are_refused() {
        let mut limits = Limits::default();
        let empty = LimitWindow { from_utc_s: 5, until_utc_s: 5, limit_w: 1 };
        assert_eq!(limits.set_schedule(vec![empty]), Err(LimitError::WindowEmpty { from_utc_s: 5, until_utc_s: 5 }));
        let many = vec![LimitWindow { from_utc_s: 0, until_utc_s: 1, limit_w: 1 }; Limits::MAX_WINDOWS + 1];
        assert!(matches!(limits.set_schedule(many), Err(LimitError::TooManyWindows { .. })));
        assert_eq!(limits.request(request(1, Some(9)), 9), Err(LimitError::UntilPast { until_utc_s: 9, now_utc_s: 9 }));
        assert_eq!(limits, Limits::default());
    }
}
