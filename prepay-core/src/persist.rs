//! Effects that can't leave before the events that cause them are stored.
//!
//! A frame that leaves before its intent is durable is a sale that a crash forgets. So a decision hands its effects out
//! sealed, and the seal opens only with a receipt for the account and for every event up to the decision's last one:
//!
//! ```compile_fail
//! use prepay_core::persist::Withheld;
//! fn early(effects: Withheld<Vec<u8>>) -> Vec<u8> {
//!     effects.value // private: there is no way in without a receipt
//! }
//! ```

use thiserror::Error;

use crate::id::AccountId;

/// A value that is released only when the events up to `through_seq` of an account are stored.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "effects that are never released never happen; after a crash `Account::resume` gives them again"]
pub struct Withheld<T> {
    value: T,
    account: AccountId,
    through_seq: u64,
}

impl<T> Withheld<T> {
    pub(crate) const fn new(value: T, account: AccountId, through_seq: u64) -> Self {
        Self { value, account, through_seq }
    }

    /// The last event that has to be stored first.
    #[must_use]
    pub const fn through_seq(&self) -> u64 {
        self.through_seq
    }

    /// Opens the seal.
    ///
    /// # Errors
    /// [`NotPersisted`] when the receipt is for another account or for fewer events. The value is then gone on purpose:
    /// the caller's order of steps is wrong, and `Account::resume` gives the effects of what really is stored.
    pub fn release(self, receipt: &Persisted) -> Result<T, NotPersisted> {
        if receipt.account == self.account && receipt.through_seq >= self.through_seq {
            Ok(self.value)
        } else {
            Err(NotPersisted {
                account: self.account,
                needed_seq: self.through_seq,
                receipt_account: receipt.account,
                receipt_seq: receipt.through_seq,
            })
        }
    }
}

/// The store's word that the events of one account are durable up to a sequence number.
///
/// Call [`Persisted::attest`] in one place only: after the commit of the transaction that holds the events came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Persisted {
    account: AccountId,
    through_seq: u64,
}

impl Persisted {
    /// States that the events of `account` up to `through_seq` survive a power cut from now on.
    #[must_use]
    pub const fn attest(account: AccountId, through_seq: u64) -> Self {
        Self { account, through_seq }
    }
}

/// An attempt to release effects too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "effects of account {} wait for event {needed_seq}, the receipt is for account {} and event {receipt_seq}",
    account.0,
    receipt_account.0
)]
pub struct NotPersisted {
    /// The account whose effects wait.
    pub account: AccountId,
    /// The event that has to be stored.
    pub needed_seq: u64,
    /// The account of the receipt.
    pub receipt_account: AccountId,
    /// The last event of the receipt.
    pub receipt_seq: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_receipt_for_this_account_and_these_events_opens() {
        let sealed = || Withheld::new("send", AccountId(7), 3);
        assert_eq!(sealed().release(&Persisted::attest(AccountId(7), 3)), Ok("send"));
        assert_eq!(sealed().release(&Persisted::attest(AccountId(7), 9)), Ok("send"));
        assert!(sealed().release(&Persisted::attest(AccountId(7), 2)).is_err());
        assert!(sealed().release(&Persisted::attest(AccountId(8), 3)).is_err());
    }
}
