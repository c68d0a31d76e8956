//! What has changed, for people: the crossings of every axis as a pure function of the stored events.

use serde::{Deserialize, Serialize};

use crate::account::{Event, Fact, QuarantineReason};
use crate::id::MeterNumber;
use crate::relay::Cause;
use crate::status::{Credit, Link, Load, Service};

/// One crossing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// The event that it was, for its details.
    pub seq: u64,
    /// When, UTC seconds.
    pub utc_s: i64,
    /// On which meter; `None` for the whole account.
    pub meter: Option<MeterNumber>,
    /// What has changed.
    pub change: Change,
}

/// A change of one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Change {
    /// The life of the account.
    Service(Service),
    /// Credit.
    Credit {
        /// Before.
        from: Credit,
        /// Now.
        to: Credit,
    },
    /// Load.
    Load(Load),
    /// Link.
    Link {
        /// Before.
        from: Link,
        /// Now.
        to: Link,
    },
    /// The meter is quarantined.
    Quarantined(QuarantineReason),
    /// It is released.
    Released,
    /// Another rule decides on the supply.
    Rule(Cause),
    /// The relay has moved; it passes current, or not.
    Relay(bool),
    /// Supply was cut for lack of credit.
    Cut {
        /// By the meter itself, while it was not heard.
        autonomous: bool,
    },
    /// Supply is back after a cut.
    Restored {
        /// By the meter itself, while it was not heard.
        autonomous: bool,
    },
    /// A new meter has taken this one's place.
    ReplacedBy(MeterNumber),
}

impl Moment {
    /// What an event has changed, if it is a crossing. Whoever keeps a cursor over the stored events has the whole history,
    /// each crossing once.
    #[must_use]
    pub fn of(event: &Event) -> Option<Self> {
        let (meter, change) = match event.fact {
            Fact::Prepared { .. } => (None, Change::Service(Service::Prepared)),
            Fact::Opened { .. } | Fact::Resumed { .. } => (None, Change::Service(Service::Open)),
            Fact::Paused { .. } => (None, Change::Service(Service::Paused)),
            Fact::Closed { .. } => (None, Change::Service(Service::Closed)),
            Fact::CreditChanged { meter, from, to, .. } => (meter, Change::Credit { from, to }),
            Fact::LoadChanged { meter, to } => (Some(meter), Change::Load(to)),
            Fact::LinkChanged { meter, from, to } => (Some(meter), Change::Link { from, to }),
            Fact::MeterQuarantined { meter, reason, .. } => (Some(meter), Change::Quarantined(reason)),
            Fact::QuarantineReleased { meter, .. } => (Some(meter), Change::Released),
            Fact::RelayDesired { meter, decided, .. } => (Some(meter), Change::Rule(decided.cause)),
            Fact::RelayMoved { meter, closed } => (Some(meter), Change::Relay(closed)),
            Fact::CutVerified { meter, autonomous } => (Some(meter), Change::Cut { autonomous }),
            Fact::RestoreVerified { meter, autonomous } => (Some(meter), Change::Restored { autonomous }),
            Fact::ReplacementDone { old, new, .. } => (Some(old), Change::ReplacedBy(new)),
            _ => return None,
        };
        Some(Self { seq: event.seq, utc_s: event.utc_s, meter, change })
    }
}
