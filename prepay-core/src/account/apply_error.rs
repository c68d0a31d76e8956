//! Why an event is refused. The state is then as it was.

use thiserror::Error;

use crate::money::MoneyError;

/// An event that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// Of another account.
    #[error("an event of account {found} came to account {expected}")]
    Account {
        /// This account.
        expected: u64,
        /// The event's.
        found: u64,
    },
    /// Missing, doubled or out of order.
    #[error("event {found} came where event {expected} belongs")]
    Sequence {
        /// The next one.
        expected: u64,
        /// The event's.
        found: u64,
    },
    /// No number is left for another event.
    #[error("event {last} was the last one that can be numbered")]
    Full {
        /// The last one.
        last: u64,
    },
    /// It speaks of something that is not there, or can't follow what is.
    #[error("event {seq} ({fact}) does not fit what this account is")]
    Impossible {
        /// The event.
        seq: u64,
        /// What it is.
        fact: &'static str,
    },
    /// An amount out of range.
    #[error(transparent)]
    Money(#[from] MoneyError),
}
