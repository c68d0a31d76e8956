//! What moves money: immutable transfers.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::AccountKey;
use crate::money::Money;

/// The identity of a transfer: the event of the stream that caused it, and its place among that event's transfers.
///
/// The identities of one origin rise. So a transfer that comes a second time, after a crash or a retry, is recognised
/// without remembering every identity for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TransferId {
    /// The stream: an account's number, or a number that the caller gives to another source of transfers.
    pub origin: u64,
    /// The event of that stream, from 1.
    pub seq: u64,
    /// The transfer's place in the event, from 0.
    pub part: u16,
}

impl TransferId {
    /// Puts an identity together.
    #[must_use]
    pub const fn new(origin: u64, seq: u64, part: u16) -> Self {
        Self { origin, seq, part }
    }
}

impl fmt::Display for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}.{}", self.origin, self.seq, self.part)
    }
}

/// What a transfer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Moves money for good.
    Move,
    /// Moves money for good, and is remembered so that it can be refunded or reversed.
    Receipt,
    /// Sets money aside until it is posted or voided.
    Hold,
    /// Moves the whole or a part of a hold for good; the rest is free again.
    Post {
        /// The hold.
        hold: TransferId,
    },
    /// Frees a hold. The amount is the hold's.
    Void {
        /// The hold.
        hold: TransferId,
    },
    /// Gives a part of a receipt back; may repeat, the sum never passes the receipt.
    Refund {
        /// The receipt.
        of: TransferId,
    },
    /// Undoes a receipt whole, once, if nothing of it was refunded.
    Reverse {
        /// The receipt.
        of: TransferId,
    },
}

impl Action {
    /// The stable code of the canonical encoding.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Move => 1,
            Self::Receipt => 2,
            Self::Hold => 3,
            Self::Post { .. } => 4,
            Self::Void { .. } => 5,
            Self::Refund { .. } => 6,
            Self::Reverse { .. } => 7,
        }
    }

    /// The transfer that this one refers to.
    #[must_use]
    pub const fn refers_to(self) -> Option<TransferId> {
        match self {
            Self::Move | Self::Receipt | Self::Hold => None,
            Self::Post { hold } | Self::Void { hold } => Some(hold),
            Self::Refund { of } | Self::Reverse { of } => Some(of),
        }
    }
}

/// Whether the limit of the debited account can refuse a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitRule {
    /// Refused when the debited account would fall below its limit, holds counted.
    Enforce,
    /// Recorded in any case: what it stands for has already happened (energy was used, a meter was read).
    Record,
}

/// Money from `debit` to `credit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Transfer {
    /// Its identity.
    pub id: TransferId,
    /// What it does.
    pub action: Action,
    /// The account that is debited.
    pub debit: AccountKey,
    /// The account that is credited.
    pub credit: AccountKey,
    /// How much, minor units; above zero.
    pub amount: Money,
    /// Whether a limit can refuse it.
    pub limit: LimitRule,
}
