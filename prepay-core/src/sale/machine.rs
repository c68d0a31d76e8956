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
