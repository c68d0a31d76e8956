//! Overload trips of one meter: how often it may come back, and by whose hand.

use alloc::collections::VecDeque;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::id::{OperatorId, Reason};

/// Who brings a tripped meter back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestorePolicy {
    /// The station, after a while.
    Automatic {
        /// How long it stays off, in seconds.
        after_s: u32,
    },
    /// The station, when somebody asks for it.
    OnRequest,
    /// A person at the meter.
    OnSite,
}

/// How trips of a meter are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TripSettings {
    /// Trips within the window after which it still comes back by the policy.
    pub allowed: u8,
    /// The window, in seconds.
    pub window_s: u32,
    /// Who brings it back.
    pub policy: RestorePolicy,
}

/// What a tripped meter waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestoreDue {
    /// It is in service.
    InService,
    /// The time comes, UTC seconds.
    At {
        /// When.
        utc_s: i64,
    },
    /// Somebody has to ask.
    Request,
    /// Somebody has to go there.
    OnSite,
    /// It has tripped once too often: somebody has to go there, whatever the policy.
    Held {
        /// Trips in the window.
        trips: u8,
    },
}

/// The trips of one meter. Stored whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TripGuard {
    settings: TripSettings,
    /// Times of the latest trips, UTC seconds; never more than one above the allowed count.
    trips: VecDeque<i64>,
    due: RestoreDue,
    restored: Option<Restored>,
}

/// Who has restored a meter, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// Who.
    pub by: OperatorId,
    /// Why.
    pub why: Reason,
}

/// A restore that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TripError {
    /// It is not tripped.
    #[error("the meter is in service")]
    InService,
    /// It waits for something else.
    #[error("a restore by {by} waits for {due:?}")]
    NotYet {
        /// What was tried.
        by: &'static str,
        /// What it waits for.
        due: RestoreDue,
    },
}

impl TripGuard {
    /// A meter in service.
    #[must_use]
    pub const fn new(settings: TripSettings) -> Self {
        Self { settings, trips: VecDeque::new(), due: RestoreDue::InService, restored: None }
    }

    /// Who restored it last, if the latest restore was by a person.
    #[must_use]
    pub const fn restored(&self) -> Option<&Restored> {
        self.restored.as_ref()
    }

    /// What it waits for.
    #[must_use]
    pub const fn due(&self) -> RestoreDue {
        self.due
    }

    /// The meter reports a trip. The same trip that is reported again changes nothing.
    pub fn tripped(&mut self, utc_s: i64) -> RestoreDue {
        if self.due != RestoreDue::InService {
            return self.due;
        }
        let window_s = i64::from(self.settings.window_s);
        // A clock that was set back makes a trip look as if it came from the future: it counts until the window is over.
        self.trips.retain(|at| utc_s.saturating_sub(*at) < window_s);
        self.trips.push_back(utc_s);
        let trips = u8::try_from(self.trips.len()).unwrap_or(u8::MAX);
        self.due = match self.settings.policy {
            _ if trips > self.settings.allowed => RestoreDue::Held { trips },
            RestorePolicy::Automatic { after_s } => RestoreDue::At { utc_s: utc_s.saturating_add(i64::from(after_s)) },
            RestorePolicy::OnRequest => RestoreDue::Request,
            RestorePolicy::OnSite => RestoreDue::OnSite,
        };
        self.due
    }

    /// Whether its time has come; if so, it is in service again and the caller lets it close.
    pub fn time_has_come(&mut self, utc_s: i64) -> bool {
        let come = matches!(self.due, RestoreDue::At { utc_s: at } if utc_s >= at);
        if come {
            self.restored = None;
            self.due = RestoreDue::InService;
        }
        come
    }

    /// Somebody asks for it.
    ///
    /// # Errors
    /// [`TripError`] when it is in service, or when a request is not enough.
    pub fn requested(&mut self, by: OperatorId, why: &Reason) -> Result<(), TripError> {
        match self.due {
            RestoreDue::InService => Err(TripError::InService),
            RestoreDue::Request => {
                self.restored = Some(Restored { by, why: why.clone() });
                self.due = RestoreDue::InService;
                Ok(())
            }
            due => Err(TripError::NotYet { by: "request", due }),
        }
    }

    /// Somebody has looked at it on site and released it; its trips are forgotten.
    ///
    /// # Errors
    /// [`TripError::InService`] when it is not tripped.
    pub fn released_on_site(&mut self, by: OperatorId, why: &Reason) -> Result<(), TripError> {
        if self.due == RestoreDue::InService {
            return Err(TripError::InService);
        }
        self.restored = Some(Restored { by, why: why.clone() });
        self.due = RestoreDue::InService;
        self.trips.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICIES: [RestorePolicy; 3] =
        [RestorePolicy::Automatic { after_s: 60 }, RestorePolicy::OnRequest, RestorePolicy::OnSite];

    fn why() -> Reason {
        Reason::new("looked at the load").unwrap()
    }

    fn restore(guard: &mut TripGuard, utc_s: i64) {
        match guard.due() {
            RestoreDue::InService => {}
            RestoreDue::At { utc_s: at } => assert!(guard.time_has_come(at.max(utc_s))),
            RestoreDue::Request => guard.requested(OperatorId(1), &why()).unwrap(),
            RestoreDue::OnSite | RestoreDue::Held { .. } => guard.released_on_site(OperatorId(1), &why()).unwrap(),
        }
        assert_eq!(guard.due(), RestoreDue::InService);
    }

    #[test]
    fn each_policy_lets_only_its_own_hand_restore() {
        for policy in POLICIES {
            let mut guard = TripGuard::new(TripSettings { allowed: 3, window_s: 3_600, policy });
            assert_eq!(guard.requested(OperatorId(1), &why()), Err(TripError::InService));
            assert_eq!(guard.released_on_site(OperatorId(1), &why()), Err(TripError::InService));
            let due = guard.tripped(1_000);
            assert_eq!(guard.tripped(1_010), due, "one trip, told twice");
            assert!(!guard.time_has_come(1_059));
            let by_time = guard.clone().time_has_come(1_060);
            let by_request = guard.clone().requested(OperatorId(1), &why()).is_ok();
            let allowed = (by_time, by_request);
            let expected = match policy {
                RestorePolicy::Automatic { .. } => (true, false),
                RestorePolicy::OnRequest => (false, true),
                RestorePolicy::OnSite => (false, false),
            };
            assert_eq!(allowed, expected, "{policy:?}");
            guard.released_on_site(OperatorId(1), &why()).unwrap();
            assert_eq!(guard.restored(), Some(&Restored { by: OperatorId(1), why: why() }));
        }
    }

    /// Every count of allowed trips × every policy: the trip after the allowed ones is held, until somebody goes there.
    #[test]
    fn one_trip_too_many_is_held() {
        for policy in POLICIES {
            for allowed in 0..=5 {
                let mut guard = TripGuard::new(TripSettings { allowed, window_s: 3_600, policy });
                for trip in 0..i64::from(allowed) {
                    assert!(!matches!(guard.tripped(trip * 100), RestoreDue::Held { .. }), "{allowed} {policy:?}");
                    restore(&mut guard, trip * 100 + 99);
                    if policy == RestorePolicy::OnSite {
                        // Somebody has looked at it: the count begins again.
                        assert!(guard.trips.is_empty());
                    }
                }
                if policy != RestorePolicy::OnSite || allowed == 0 {
                    let held = guard.tripped(i64::from(allowed) * 100);
                    assert_eq!(held, RestoreDue::Held { trips: allowed + 1 });
                    assert!(!guard.time_has_come(i64::MAX));
                    assert!(guard.requested(OperatorId(1), &why()).is_err());
                }
            }
        }
    }

    #[test]
    fn trips_outside_the_window_are_forgotten() {
        let policy = RestorePolicy::OnRequest;
        let mut guard = TripGuard::new(TripSettings { allowed: 1, window_s: 3_600, policy });
        for hour in 0..50 {
            assert_eq!(guard.tripped(hour * 3_600), RestoreDue::Request, "hour {hour}");
            restore(&mut guard, hour * 3_600 + 1);
        }
        assert_eq!(guard.tripped(50 * 3_600 - 1), RestoreDue::Held { trips: 2 });
    }
}
