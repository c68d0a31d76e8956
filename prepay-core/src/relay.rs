//! Who decides on the relay: one order of precedence, and what a meter has to be told.

use serde::{Deserialize, Serialize};

use crate::id::{OperatorId, Reason};
use crate::reading::Force;

/// The rule that decides on a meter's supply, from the strongest to the weakest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Safety lock-out (work tag): people work on the line.
    LockOut,
    /// An operator keeps power on.
    KeepPower,
    /// An operator keeps power off.
    ForcedOff,
    /// Shed to keep a group under its limit.
    LoadLimit,
    /// Hours in which nobody is cut for lack of credit.
    FriendlyHours,
    /// Credit is used up.
    Arrears,
    /// Nothing stands against supply.
    Prepaid,
}

impl Cause {
    /// All causes, strongest first.
    pub const ALL: [Self; 7] = [
        Self::LockOut,
        Self::KeepPower,
        Self::ForcedOff,
        Self::LoadLimit,
        Self::FriendlyHours,
        Self::Arrears,
        Self::Prepaid,
    ];
}

/// Whether the meter cuts for lack of credit by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cutter {
    /// Purse in the meter: it cuts and restores itself, the station only verifies. A forced state on top would leave a
    /// recharged shop dark when the link fails.
    Meter,
    /// Purse at the station: the meter's own prepaid function is off and the station writes on and off.
    Station,
}

/// Which rules stand at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Standing {
    /// A safety lock-out stands.
    pub lock_out: bool,
    /// An order to keep power stands.
    pub keep_power: bool,
    /// An order to force off stands.
    pub forced_off: bool,
    /// The meter is shed.
    pub load_limit: bool,
    /// It is a friendly hour.
    pub friendly_hours: bool,
    /// Credit is used up.
    pub arrears: bool,
    /// The meter must never be cut (fire pump, lift): only a safety lock-out opens its relay.
    pub never_cut: bool,
}

/// What the relay should do, and by which rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Decided {
    /// The force word to stand in the meter.
    pub force: Force,
    /// The rule that decided.
    pub cause: Cause,
}

/// The precedence, as a pure function: lock-out > keep power > forced off > load limit > friendly hours > arrears >
/// prepaid.
///
/// | Strongest standing rule | Force word, meter cuts | Force word, station cuts |
/// |---|---|---|
/// | lock-out | off | off |
/// | keep power | on | on |
/// | forced off (not with never cut) | off | off |
/// | load limit (not with never cut) | off | off |
/// | friendly hours | on | automatic |
/// | arrears | automatic: the meter cuts | off (automatic with never cut) |
/// | prepaid | automatic | automatic |
///
/// With the purse at the station the meter's prepaid function is off, so automatic means on.
#[must_use]
pub const fn decide(standing: &Standing, cutter: Cutter) -> Decided {
    let (force, cause) = if standing.lock_out {
        (Force::Off, Cause::LockOut)
    } else if standing.keep_power {
        (Force::On, Cause::KeepPower)
    } else if standing.forced_off && !standing.never_cut {
        (Force::Off, Cause::ForcedOff)
    } else if standing.load_limit && !standing.never_cut {
        (Force::Off, Cause::LoadLimit)
    } else if standing.friendly_hours {
        (if matches!(cutter, Cutter::Meter) { Force::On } else { Force::Automatic }, Cause::FriendlyHours)
    } else if standing.arrears && !standing.never_cut {
        (if matches!(cutter, Cutter::Meter) { Force::Automatic } else { Force::Off }, Cause::Arrears)
    } else if standing.arrears && matches!(cutter, Cutter::Meter) {
        // A meter that must never be cut but would cut itself has to be held on.
        (Force::On, Cause::Prepaid)
    } else {
        (Force::Automatic, Cause::Prepaid)
    };
    Decided { force, cause }
}

/// An operator's order that stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingOrder {
    /// Who gave it.
    pub by: OperatorId,
    /// Why.
    pub why: Reason,
    /// When it lapses by itself (UTC seconds); `None` stands until it is lifted.
    pub until_utc_s: Option<i64>,
}

/// What a meter was told last, and whether it obeys. Newer orders supersede older ones, sent or not; money never does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Rises with each order. 0: nothing was ordered since the account was opened.
    pub version: u32,
    /// What is wanted.
    pub decided: Decided,
    /// A read-back has shown it.
    pub confirmed: bool,
    /// How often it was written without a confirming read-back.
    pub attempts: u16,
    /// Not to be written again before this time (UTC seconds).
    pub retry_at_utc_s: i64,
}

impl Order {
    /// What stands before anything was ordered.
    pub(crate) const INITIAL: Self = Self {
        version: 0,
        decided: Decided { force: Force::Automatic, cause: Cause::Prepaid },
        confirmed: true,
        attempts: 0,
        retry_at_utc_s: 0,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_standing() -> impl Iterator<Item = Standing> {
        (0_u8..128).map(|bits| Standing {
            lock_out: bits & 1 != 0,
            keep_power: bits & 2 != 0,
            forced_off: bits & 4 != 0,
            load_limit: bits & 8 != 0,
            friendly_hours: bits & 16 != 0,
            arrears: bits & 32 != 0,
            never_cut: bits & 64 != 0,
        })
    }

    /// All 128 combinations × both cutters, against the documented table read line by line.
    #[test]
    fn precedence_holds_in_every_combination() {
        for standing in all_standing() {
            for cutter in [Cutter::Meter, Cutter::Station] {
                let meter = cutter == Cutter::Meter;
                let may_cut = !standing.never_cut;
                let lines = [
                    (standing.lock_out, Force::Off, Cause::LockOut),
                    (standing.keep_power, Force::On, Cause::KeepPower),
                    (standing.forced_off && may_cut, Force::Off, Cause::ForcedOff),
                    (standing.load_limit && may_cut, Force::Off, Cause::LoadLimit),
                    (standing.friendly_hours, if meter { Force::On } else { Force::Automatic }, Cause::FriendlyHours),
                    (standing.arrears && may_cut, if meter { Force::Automatic } else { Force::Off }, Cause::Arrears),
                    (standing.arrears && meter, Force::On, Cause::Prepaid),
                    (true, Force::Automatic, Cause::Prepaid),
                ];
                let line = lines.iter().find(|line| line.0).unwrap();
                let decided = decide(&standing, cutter);
                assert_eq!((decided.force, decided.cause), (line.1, line.2), "{standing:?} {cutter:?}");
            }
        }
    }

    #[test]
    fn nothing_but_a_lock_out_opens_a_meter_that_must_never_be_cut() {
        for standing in all_standing().filter(|standing| standing.never_cut && !standing.lock_out) {
            for cutter in [Cutter::Meter, Cutter::Station] {
                assert_ne!(decide(&standing, cutter).force, Force::Off, "{standing:?}");
            }
        }
    }

    #[test]
    fn a_lock_out_beats_keeping_power_and_never_cut() {
        for standing in all_standing().filter(|standing| standing.lock_out) {
            for cutter in [Cutter::Meter, Cutter::Station] {
                assert_eq!(decide(&standing, cutter).force, Force::Off, "{standing:?}");
            }
        }
    }
}
