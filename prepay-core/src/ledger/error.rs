//! Why the books refuse.

use thiserror::Error;

use super::{AccountKey, ChainError, HoldState, TransferId};
use crate::money::{Money, MoneyError};

/// A transfer that was refused. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// More transfers than one batch holds.
    #[error("{transfers} transfers in one batch, at most {max}")]
    BatchTooLarge {
        /// What was given.
        transfers: usize,
        /// The most.
        max: usize,
    },
    /// The identity is not above the last one of its origin: it was recorded before.
    #[error("transfer {id} is not above {latest}, the last of its origin")]
    AlreadyRecorded {
        /// The transfer.
        id: TransferId,
        /// The last one of its origin.
        latest: TransferId,
    },
    /// Zero or negative.
    #[error("transfer {id} of {} minor units; an amount is above zero", amount.minor())]
    AmountNotPositive {
        /// The transfer.
        id: TransferId,
        /// What was given.
        amount: Money,
    },
    /// From an account to itself.
    #[error("transfer {id} goes from {account} to itself")]
    SameAccount {
        /// The transfer.
        id: TransferId,
        /// The account.
        account: AccountKey,
    },
    /// Refers to a hold or receipt that does not exist.
    #[error("transfer {id} refers to {refers_to}, which is not there")]
    NoSuchTransfer {
        /// The transfer.
        id: TransferId,
        /// What it refers to.
        refers_to: TransferId,
    },
    /// The hold was posted or voided before.
    #[error("transfer {id} ends hold {hold}, which is {state:?} already")]
    HoldEnded {
        /// The transfer.
        id: TransferId,
        /// The hold.
        hold: TransferId,
        /// What became of it.
        state: HoldState,
    },
    /// The receipt was reversed before.
    #[error("transfer {id} gives back receipt {receipt}, which is reversed already")]
    AlreadyReversed {
        /// The transfer.
        id: TransferId,
        /// The receipt.
        receipt: TransferId,
    },
    /// Other accounts than the hold's, or not the receipt's the other way round.
    #[error("transfer {id} names other accounts than {refers_to}")]
    OtherAccounts {
        /// The transfer.
        id: TransferId,
        /// What it refers to.
        refers_to: TransferId,
    },
    /// More than what is left of the hold or receipt (a void names the hold's whole amount).
    #[error("transfer {id} of {} minor units, {} are left", amount.minor(), rest.minor())]
    AmountAboveRest {
        /// The transfer.
        id: TransferId,
        /// What was given.
        amount: Money,
        /// What is left.
        rest: Money,
    },
    /// A reversal of a part, or after a refund.
    #[error("transfer {id} reverses {} minor units, {} are left; a reversal is whole", amount.minor(), rest.minor())]
    ReversalNotWhole {
        /// The transfer.
        id: TransferId,
        /// What was given.
        amount: Money,
        /// What is left of the receipt.
        rest: Money,
    },
    /// The debited account would fall below its limit.
    #[error("transfer {id} leaves {} minor units available on {account}, the overdraft is {}", available_after.minor(), overdraft.minor())]
    LimitExceeded {
        /// The transfer.
        id: TransferId,
        /// The debited account.
        account: AccountKey,
        /// What would be available.
        available_after: Money,
        /// How far it may be overdrawn.
        overdraft: Money,
    },
    /// One of the accounts takes no new transfers.
    #[error("transfer {id} touches {account}, which is closed")]
    AccountClosed {
        /// The transfer.
        id: TransferId,
        /// The closed account.
        account: AccountKey,
    },
    /// An overdraft limit below zero.
    #[error("overdraft limit of {account} is {} minor units, at least 0", limit.minor())]
    LimitNegative {
        /// The account.
        account: AccountKey,
        /// What was given.
        limit: Money,
    },
    /// A sum out of range.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// A journal line out of place.
    #[error(transparent)]
    Chain(#[from] ChainError),
}
