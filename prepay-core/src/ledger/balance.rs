//! The sums of accounts.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::AccountKey;
use crate::money::{Money, MoneyError};

/// The four sums of an account, minor units. All only ever rise, except that pending sums fall when a hold ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Balance {
    /// Debited for good.
    pub debits_posted: Money,
    /// Credited for good.
    pub credits_posted: Money,
    /// Set aside to be debited.
    pub debits_pending: Money,
    /// Set aside to be credited.
    pub credits_pending: Money,
}

impl Balance {
    /// Credits less debits, without holds: positive for what we owe (purses, deposits), negative for what we own (cash).
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] when the difference does not fit.
    pub const fn posted(&self) -> Result<Money, MoneyError> {
        self.credits_posted.minus(self.debits_posted)
    }

    /// What can still be debited: posted, less what is set aside.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] when the difference does not fit.
    pub fn available(&self) -> Result<Money, MoneyError> {
        self.posted()?.minus(self.debits_pending)
    }
}

/// Every account's balance and the proof that the books balance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialBalance {
    /// Accounts in order of their keys.
    pub lines: Vec<(AccountKey, Balance)>,
    /// Sum of all posted debits, minor units.
    pub debits: i128,
    /// Sum of all posted credits, minor units: equal to the debits, or the books are broken.
    pub credits: i128,
}

impl TrialBalance {
    /// Debits equal credits.
    #[must_use]
    pub const fn balances(&self) -> bool {
        self.debits == self.credits
    }
}
