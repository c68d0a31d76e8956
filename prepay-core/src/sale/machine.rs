//! The steps of one sale.

use serde::{Deserialize, Serialize};

use super::{EqualCountRule, Evidence, SalePolicy};
use crate::id::{OperatorId, Reason, SaleId};
use crate::ledger::TransferId;
use crate::money::Money;

/// A sale into a meter that is not closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenSale {
    /// Its number.
    pub id: SaleId,
    /// How much, minor units.
    pub amount: Money,
    /// Who sold it.
    pub operator: OperatorId,
    /// Where it stands.
    pub phase: Phase,
    /// What the meter showed when the sale began, and the hold in the ledger; `None` before that.
    pub begun: Option<Begun>,
    /// Frames that may have left, counted before they can leave.
    pub frames: u8,
    /// Read-backs that failed in a row.
    pub failures: u16,
    /// Asked to be voided.
    pub void: Option<VoidRequest>,
}

/// The durable intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// What the meter showed in the same bus slot.
    pub before: Evidence,
    /// The count that the frame writes.
    pub new_count: u16,
    /// The hold on the customer's money.
    pub hold: TransferId,
}

/// Where a sale stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Paid. The meter has to be read and the sale begun in one bus slot. Nothing has left.
    Requested,
    /// A frame is on its way, or may be.
    Sending,
    /// A frame may have arrived: the meter has to be read.
    ReadingBack,
    /// Nothing more leaves until every frame is dead and the meter was read after that.
    Fencing {
        /// What the fence is for.
        purpose: FencePurpose,
    },
    /// The meter shows writes that this sale does not explain; an operator decides.
    Quarantined,
}

/// What a fence is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FencePurpose {
    /// To give the money back.
    Void,
    /// To send again to a meter that adds whatever the count is.
    Resend,
}

/// What the sender knows about a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendOutcome {
    /// The meter answered. The answer is no proof: only the read-back is.
    ReplySeen,
    /// No answer.
    NoReply,
    /// Certainly no byte left (no connection).
    NotTransmitted,
}

/// An operator's wish to void a sale. It never beats evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoidRequest {
    /// Who.
    pub by: OperatorId,
    /// Why.
    pub why: Reason,
}

/// Why a sale was voided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoidCause {
    /// Asked for before anything left.
    NeverSent,
    /// Behind the fence the count was still as before.
    Fenced,
    /// An operator decided while the meter was quarantined.
    Operator,
    /// Before anything left, the customer's money no longer covered it: something else was paid out of it meanwhile, as an
    /// overdrawn meter that was cleared.
    NotCovered,
}

/// What follows when the meter shows the count as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Next {
    /// The identical frame may leave again.
    SendAgain,
    /// First the fence.
    Fence {
        /// What for.
        purpose: FencePurpose,
    },
    /// The fence is passed and nothing was applied: the money goes back.
    Void,
}

impl OpenSale {
    /// What follows when a reading shows the count as before.
    ///
    /// | Phase | Frames | Void asked | Rule of the meter | Next |
    /// |---|---|---|---|---|
    /// | behind the fence | any | to void | any | void |
    /// | behind the fence | any | to send again, but a void was asked since | any | void |
    /// | behind the fence | any | to send again | any | send again |
    /// | any other | none left | yes | any | void |
    /// | any other | any | yes | any | fence to void |
    /// | any other | the most | no | any | fence to void |
    /// | any other | none left | no | any | send |
    /// | any other | some | no | equal acknowledged or refused | send again |
    /// | any other | some | no | any count adds | fence to send again |
    #[must_use]
    pub fn next_when_not_applied(&self, rule: EqualCountRule, policy: &SalePolicy, behind_fence: bool) -> Next {
        let asked = self.void.is_some();
        match self.phase {
            Phase::Fencing { purpose: FencePurpose::Void } if behind_fence => Next::Void,
            Phase::Fencing { purpose: FencePurpose::Resend } if behind_fence && asked => Next::Void,
            Phase::Fencing { purpose: FencePurpose::Resend } if behind_fence => Next::SendAgain,
            Phase::Fencing { purpose } => Next::Fence { purpose },
            _ if asked && self.frames == 0 => Next::Void,
            _ if asked || self.frames >= policy.max_frames => Next::Fence { purpose: FencePurpose::Void },
            _ if self.frames == 0 => Next::SendAgain,
            _ => match rule {
                EqualCountRule::EqualAcknowledged | EqualCountRule::EqualRefused => Next::SendAgain,
                EqualCountRule::AnyCountAdds => Next::Fence { purpose: FencePurpose::Resend },
            },
        }
    }
}

impl Phase {
    /// Its name, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Sending => "sending",
            Self::ReadingBack => "reading back",
            Self::Fencing { .. } => "fencing",
            Self::Quarantined => "quarantined",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: [EqualCountRule; 3] =
        [EqualCountRule::EqualAcknowledged, EqualCountRule::EqualRefused, EqualCountRule::AnyCountAdds];
    const PHASES: [Phase; 6] = [
        Phase::Requested,
        Phase::Sending,
        Phase::ReadingBack,
        Phase::Fencing { purpose: FencePurpose::Void },
        Phase::Fencing { purpose: FencePurpose::Resend },
        Phase::Quarantined,
    ];

    fn sale(phase: Phase, frames: u8, asked: bool) -> OpenSale {
        OpenSale {
            id: SaleId(1),
            amount: Money::from_minor(100),
            operator: OperatorId(1),
            phase,
            begun: None,
            frames,
            failures: 0,
            void: asked.then(|| VoidRequest { by: OperatorId(1), why: Reason::new("mistake").unwrap() }),
        }
    }

    /// Every combination against what must never happen, stated apart from the table.
    #[test]
    fn no_combination_sends_or_voids_what_a_late_frame_could_spoil() {
        let policy = SalePolicy { max_frames: 3, ..SalePolicy::DEFAULT };
        let mut seen = 0;
        for phase in PHASES {
            for frames in 0..=4 {
                for asked in [false, true] {
                    for rule in RULES {
                        for behind in [false, true] {
                            let fencing = matches!(phase, Phase::Fencing { .. });
                            let safe = behind && fencing;
                            let next = sale(phase, frames, asked).next_when_not_applied(rule, &policy, behind);
                            let context = (phase, frames, asked, rule, behind, next);
                            if next == Next::Void {
                                assert!(
                                    safe || frames == 0,
                                    "a void needs the fence or that nothing left: {context:?}"
                                );
                                assert!(asked || fencing, "nobody asked for a void: {context:?}");
                            }
                            if next == Next::SendAgain {
                                assert!(!asked, "a sale that shall be voided is not sent: {context:?}");
                                let adds = rule == EqualCountRule::AnyCountAdds;
                                assert!(safe || !adds || frames == 0, "a second frame before the fence: {context:?}");
                                assert!(safe || frames < policy.max_frames, "more frames than allowed: {context:?}");
                                assert_ne!(phase, Phase::Fencing { purpose: FencePurpose::Void }, "{context:?}");
                            }
                            if fencing && !behind {
                                assert!(matches!(next, Next::Fence { .. }), "the fence is not passed: {context:?}");
                            }
                            seen += 1;
                        }
                    }
                }
            }
        }
        assert_eq!(seen, 6 * 5 * 2 * 3 * 2);
    }

    /// The documented table, line by line.
    #[test]
    fn every_row_of_the_table() {
        let policy = SalePolicy { max_frames: 3, ..SalePolicy::DEFAULT };
        let void_fence = Phase::Fencing { purpose: FencePurpose::Void };
        let resend_fence = Phase::Fencing { purpose: FencePurpose::Resend };
        let to_void = Next::Fence { purpose: FencePurpose::Void };
        let to_resend = Next::Fence { purpose: FencePurpose::Resend };
        let any = EqualCountRule::AnyCountAdds;
        let rows = [
            (void_fence, 1, false, any, true, Next::Void),
            (resend_fence, 1, true, any, true, Next::Void),
            (resend_fence, 1, false, any, true, Next::SendAgain),
            (void_fence, 1, true, any, false, to_void),
            (resend_fence, 1, false, any, false, to_resend),
            (Phase::ReadingBack, 0, true, any, false, Next::Void),
            (Phase::ReadingBack, 1, true, any, false, to_void),
            (Phase::ReadingBack, 3, false, EqualCountRule::EqualRefused, false, to_void),
            (Phase::ReadingBack, 0, false, any, false, Next::SendAgain),
            (Phase::ReadingBack, 2, false, EqualCountRule::EqualRefused, false, Next::SendAgain),
            (Phase::Sending, 2, false, EqualCountRule::EqualAcknowledged, false, Next::SendAgain),
            (Phase::ReadingBack, 2, false, any, false, to_resend),
        ];
        for (phase, frames, asked, rule, behind, expected) in rows {
            let next = sale(phase, frames, asked).next_when_not_applied(rule, &policy, behind);
            assert_eq!(next, expected, "{phase:?} {frames} {asked} {rule:?} {behind}");
        }
    }

    #[test]
    fn probes_double_up_to_their_limit() {
        let policy = SalePolicy { probe_first_ms: 1_000, probe_max_ms: 60_000, ..SalePolicy::DEFAULT };
        let waits: [u64; 9] = [0, 1, 2, 3, 4, 5, 6, 7, u16::MAX].map(|failures| policy.probe_wait_ms(failures));
        assert_eq!(waits, [1_000, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
    }
}
