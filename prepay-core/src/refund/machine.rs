//! The steps of one refund or reversal.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Overwrite;
use crate::account::Payback;
use crate::id::{MeterNumber, OperatorId, RefundId, SaleId};
use crate::ledger::TransferId;
use crate::money::Money;
use crate::sale::{Proof, SalePolicy, VoidRequest};

/// Why credit is taken out of a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundKind {
    /// The customer gets credit back. May repeat.
    Refund,
    /// The last sale was a mistake and is undone whole, once.
    Reversal {
        /// The sale.
        sale: SaleId,
    },
    /// The credit of a replaced meter is written into the new one: nothing is taken, but the write is the same.
    CarryOver {
        /// The old meter.
        from: MeterNumber,
    },
}

/// How much is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundTake {
    /// This much, minor units.
    Exactly(Money),
    /// Whatever the meter holds when it is read with the supply off: what a closing account needs. What a meter is
    /// overdrawn by becomes a debt at the station.
    Everything,
}

/// A refund or reversal that is not closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenRefund {
    /// Its number.
    pub id: RefundId,
    /// Why.
    pub kind: RefundKind,
    /// How much.
    pub take: RefundTake,
    /// What is held in the ledger for it, minor units.
    pub held: Money,
    /// The hold on the meter's purse.
    pub hold: TransferId,
    /// What goes back to which receipt; what none takes stays in the customer's purse.
    pub payback: Vec<Payback>,
    /// Who ordered it.
    pub operator: OperatorId,
    /// Where it stands.
    pub phase: RefundPhase,
    /// The durable intent; `None` before the meter was read.
    pub begun: Option<RefundBegun>,
    /// Frames that may have left, counted before they can leave.
    pub frames: u8,
    /// Read-backs that failed in a row.
    pub failures: u16,
    /// The meter has shown it; `None` before that.
    pub proof: Option<Proof>,
    /// Asked to be given up.
    pub void: Option<VoidRequest>,
}

/// The durable intent of an overwrite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundBegun {
    /// What is written over what.
    pub overwrite: Overwrite,
    /// What is taken, minor units.
    pub amount: Money,
}

/// Where a refund stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundPhase {
    /// Held in the books; the supply is being forced off. Nothing has left.
    Requested,
    /// A frame is on its way, or may be.
    Writing,
    /// A frame may have arrived: the meter has to be read.
    ReadingBack,
    /// Nothing more leaves until every frame is dead and the meter was read after that.
    Fencing {
        /// What the fence is for.
        purpose: RefundFence,
    },
    /// The meter shows what the write does not explain; an operator decides.
    Quarantined,
}

/// What the fence of a refund is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundFence {
    /// It is applied; a late copy must be dead before anything else is sold or used.
    Close,
    /// It shall not happen; a late copy must be dead before the books forget it.
    Void,
}

/// What a trusted reading has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Seen {
    /// Remaining and count as written.
    Applied,
    /// As before.
    NotApplied {
        /// Energy was used since the evidence: the identical frame would erase it.
        used: bool,
    },
}

/// What follows from a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundNext {
    /// Nothing has left: the meter is read anew, so that nothing used in the meantime is erased.
    Restart,
    /// The identical frame may leave again.
    Write,
    /// First the fence.
    Fence {
        /// What for.
        purpose: RefundFence,
    },
    /// The fence is passed and it is applied: post it, and give the relay back.
    Close,
    /// Nothing was applied and nothing can come: free the hold, and give the relay back.
    Void,
    /// It was applied and is not any more: somebody else wrote.
    Contradiction,
}

impl OpenRefund {
    /// What follows from a reading that the truth table trusts.
    ///
    /// | Phase | Seen | Behind the fence | Frames | Void asked | Next |
    /// |---|---|---|---|---|---|
    /// | fence to close | as before | any | any | any | contradiction |
    /// | any fence | applied | yes | any | any | close |
    /// | fence to void | as before | yes | any | any | void |
    /// | any fence | any other | no | any | any | the fence goes on |
    /// | any other | applied | – | any | any | fence to close |
    /// | any other | as before | – | none | yes | void |
    /// | any other | as before | – | none | no | begin anew |
    /// | any other | as before | – | some | yes | fence to void |
    /// | any other | as before, energy used | – | some | no | fence to void |
    /// | any other | as before | – | the most | no | fence to void |
    /// | any other | as before | – | some | no | write the identical frame |
    #[must_use]
    pub fn next(&self, seen: Seen, policy: &SalePolicy, behind_fence: bool) -> RefundNext {
        let asked = self.void.is_some();
        match (self.phase, seen) {
            (RefundPhase::Fencing { purpose: RefundFence::Close }, Seen::NotApplied { .. }) => {
                RefundNext::Contradiction
            }
            (RefundPhase::Fencing { .. }, Seen::Applied) if behind_fence => RefundNext::Close,
            (RefundPhase::Fencing { .. }, Seen::NotApplied { .. }) if behind_fence => RefundNext::Void,
            (RefundPhase::Fencing { purpose }, _) => RefundNext::Fence { purpose },
            (_, Seen::Applied) => RefundNext::Fence { purpose: RefundFence::Close },
            (_, Seen::NotApplied { .. }) if self.frames == 0 && asked => RefundNext::Void,
            (_, Seen::NotApplied { .. }) if self.frames == 0 => RefundNext::Restart,
            (_, Seen::NotApplied { used }) if asked || used || self.frames >= policy.max_frames => {
                RefundNext::Fence { purpose: RefundFence::Void }
            }
            (_, Seen::NotApplied { .. }) => RefundNext::Write,
        }
    }

    /// Whether it wants the supply off at this moment.
    #[must_use]
    pub const fn holds_off(&self) -> bool {
        !matches!(self.phase, RefundPhase::Quarantined)
    }
}

impl RefundPhase {
    /// Its name, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Writing => "writing",
            Self::ReadingBack => "reading back",
            Self::Fencing { .. } => "fencing",
            Self::Quarantined => "quarantined",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Reason;

    const PHASES: [RefundPhase; 6] = [
        RefundPhase::Requested,
        RefundPhase::Writing,
        RefundPhase::ReadingBack,
        RefundPhase::Fencing { purpose: RefundFence::Close },
        RefundPhase::Fencing { purpose: RefundFence::Void },
        RefundPhase::Quarantined,
    ];
    const SEEN: [Seen; 3] = [Seen::Applied, Seen::NotApplied { used: false }, Seen::NotApplied { used: true }];

    fn refund(phase: RefundPhase, frames: u8, asked: bool) -> OpenRefund {
        OpenRefund {
            id: RefundId(1),
            kind: RefundKind::Refund,
            take: RefundTake::Everything,
            held: Money::from_minor(100),
            hold: TransferId::new(1, 1, 0),
            payback: Vec::new(),
            operator: OperatorId(1),
            phase,
            begun: None,
            frames,
            failures: 0,
            proof: None,
            void: asked.then(|| VoidRequest { by: OperatorId(1), why: Reason::new("mistake").unwrap() }),
        }
    }

    fn every() -> impl Iterator<Item = (RefundPhase, u8, bool, Seen, bool)> {
        PHASES.into_iter().flat_map(|phase| {
            (0..=4_u8).flat_map(move |frames| {
                [false, true].into_iter().flat_map(move |asked| {
                    SEEN.into_iter()
                        .flat_map(move |seen| [false, true].map(move |behind| (phase, frames, asked, seen, behind)))
                })
            })
        })
    }

    /// Every combination against what must never happen, stated apart from the table.
    #[test]
    fn no_combination_lets_a_late_copy_do_harm() {
        let policy = SalePolicy { max_frames: 3, ..SalePolicy::DEFAULT };
        let mut checked = 0;
        for (phase, frames, asked, seen, behind) in every() {
            let next = refund(phase, frames, asked).next(seen, &policy, behind);
            let context = (phase, frames, asked, seen, behind, next);
            let fencing = matches!(phase, RefundPhase::Fencing { .. });
            match next {
                RefundNext::Close => assert!(fencing && behind && seen == Seen::Applied, "{context:?}"),
                RefundNext::Void => {
                    assert!(matches!(seen, Seen::NotApplied { .. }), "{context:?}");
                    assert!(frames == 0 || (fencing && behind), "{context:?}");
                }
                RefundNext::Write => {
                    assert!(!fencing && !asked && frames > 0 && frames < policy.max_frames, "{context:?}");
                    assert_eq!(seen, Seen::NotApplied { used: false }, "erases use: {context:?}");
                }
                RefundNext::Restart => assert!(!fencing && !asked && frames == 0, "{context:?}"),
                RefundNext::Fence { purpose: RefundFence::Close } => assert_eq!(seen, Seen::Applied, "{context:?}"),
                RefundNext::Fence { purpose: RefundFence::Void } => {
                    assert!(seen != Seen::Applied || fencing, "{context:?}");
                }
                RefundNext::Contradiction => assert!(matches!(seen, Seen::NotApplied { .. }), "{context:?}"),
            }
            checked += 1;
        }
        assert_eq!(checked, 6 * 5 * 2 * 3 * 2);
    }

    /// The documented table, read line by line from the doc comment's order, in every combination.
    #[test]
    fn every_combination_takes_the_first_row_that_fits() {
        let policy = SalePolicy { max_frames: 3, ..SalePolicy::DEFAULT };
        let to_close = RefundPhase::Fencing { purpose: RefundFence::Close };
        for (phase, frames, asked, seen, behind) in every() {
            let fencing = matches!(phase, RefundPhase::Fencing { .. });
            let applied = seen == Seen::Applied;
            let used = seen == Seen::NotApplied { used: true };
            let goes_on = match phase {
                RefundPhase::Fencing { purpose } => RefundNext::Fence { purpose },
                _ => RefundNext::Contradiction,
            };
            let to_void = RefundNext::Fence { purpose: RefundFence::Void };
            let rows = [
                (phase == to_close && !applied, RefundNext::Contradiction),
                (fencing && applied && behind, RefundNext::Close),
                (fencing && !applied && behind, RefundNext::Void),
                (fencing, goes_on),
                (applied, RefundNext::Fence { purpose: RefundFence::Close }),
                (frames == 0 && asked, RefundNext::Void),
                (frames == 0, RefundNext::Restart),
                (asked, to_void),
                (used, to_void),
                (frames >= 3, to_void),
                (true, RefundNext::Write),
            ];
            let expected = rows.iter().find(|row| row.0).unwrap().1;
            let found = refund(phase, frames, asked).next(seen, &policy, behind);
            assert_eq!(found, expected, "{phase:?} {frames} {asked} {seen:?} {behind}");
        }
    }
}
