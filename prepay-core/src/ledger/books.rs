//! The balances: what transfers do to them, and what is refused.

use alloc::vec::Vec;

use super::chain::{Entry, Head, ShardId, genesis};
use super::rules::{Books, Draft};
use super::{AccountKey, Balance, Hold, LedgerError, Transfer, TransferId, TrialBalance};
use crate::money::{Currency, Money};

/// The books of one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    currency: Currency,
    shard: ShardId,
    head: Head,
    books: Books,
}

impl Ledger {
    /// The most transfers of one batch.
    pub const MAX_BATCH: usize = 8190;

    /// Empty books.
    #[must_use]
    pub fn new(currency: Currency, shard: ShardId) -> Self {
        let head = Head { seq: 0, hash: genesis(currency, shard) };
        Self { currency, shard, head, books: Books::default() }
    }

    /// Makes the books again from a stored journal and checks every line of it.
    ///
    /// # Errors
    /// [`LedgerError::Chain`] for a journal that was changed, any other for one that breaks the rules of the books.
    pub fn rebuild<'a>(
        currency: Currency,
        shard: ShardId,
        entries: impl IntoIterator<Item = &'a Entry>,
    ) -> Result<Self, LedgerError> {
        entries.into_iter().try_fold(Self::new(currency, shard), |mut ledger, entry| {
            ledger.replay(entry)?;
            Ok(ledger)
        })
    }

    /// Takes a line of a stored journal that has to be checked: what [`Ledger::rebuild`] does with each, for a caller
    /// that reads a long journal in pieces.
    ///
    /// # Errors
    /// As [`Ledger::rebuild`]; the books are then as they were.
    pub fn replay(&mut self, entry: &Entry) -> Result<(), LedgerError> {
        self.head.accepts(entry)?;
        self.apply(entry)
    }

    /// The currency of all amounts.
    #[must_use]
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    /// Which ledger of the site this is.
    #[must_use]
    pub const fn shard(&self) -> ShardId {
        self.shard
    }

    /// The end of the journal.
    #[must_use]
    pub const fn head(&self) -> Head {
        self.head
    }

    /// The sums of an account; zeros for one that was never used.
    #[must_use]
    pub fn balance(&self, key: AccountKey) -> Balance {
        self.books.balances.get(&key).copied().unwrap_or_default()
    }

    /// A hold, open or ended.
    #[must_use]
    pub fn hold(&self, id: TransferId) -> Option<Hold> {
        self.books.holds.get(&id).copied()
    }

    /// How far an account may be overdrawn by transfers that obey limits, minor units; `None` without a limit.
    #[must_use]
    pub fn overdraft_limit(&self, key: AccountKey) -> Option<Money> {
        self.books.limits.get(&key).copied()
    }

    /// Sets how far an account may be overdrawn. Limits are settings of the caller's, not part of the journal: set them
    /// again after a rebuild.
    ///
    /// # Errors
    /// [`LedgerError::LimitNegative`] below zero.
    pub fn set_overdraft_limit(&mut self, key: AccountKey, overdraft: Option<Money>) -> Result<(), LedgerError> {
        match overdraft {
            Some(limit) if limit.is_negative() => Err(LedgerError::LimitNegative { account: key, limit }),
            Some(limit) => {
                self.books.limits.insert(key, limit);
                Ok(())
            }
            None => {
                self.books.limits.remove(&key);
                Ok(())
            }
        }
    }

    /// Turns transfers into journal lines: all of them or none.
    ///
    /// # Errors
    /// [`LedgerError`] names the transfer, the rule and the values. The books are not changed in any case.
    pub fn decide(&self, transfers: &[Transfer], utc_s: i64) -> Result<Vec<Entry>, LedgerError> {
        if transfers.len() > Self::MAX_BATCH {
            return Err(LedgerError::BatchTooLarge { transfers: transfers.len(), max: Self::MAX_BATCH });
        }
        let mut draft = Draft { base: &self.books, changed: Books::default() };
        let mut head = self.head;
        let mut entries = Vec::with_capacity(transfers.len());
        for transfer in transfers {
            draft.take(transfer)?;
            let entry = head.next(*transfer, utc_s)?;
            head = Head { seq: entry.seq, hash: entry.hash };
            entries.push(entry);
        }
        Ok(entries)
    }

    /// Takes a stored journal line into the balances.
    ///
    /// # Errors
    /// [`LedgerError`] when the line is not the next one or breaks a rule; the books are then as they were.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), LedgerError> {
        self.head.links(entry)?;
        let mut draft = Draft { base: &self.books, changed: Books::default() };
        draft.take_recorded(&entry.transfer)?;
        let changed = draft.changed;
        self.books.balances.extend(changed.balances);
        self.books.holds.extend(changed.holds);
        self.books.receipts.extend(changed.receipts);
        self.books.latest.extend(changed.latest);
        self.head = Head { seq: entry.seq, hash: entry.hash };
        Ok(())
    }

    /// All balances, and the sums that must be equal.
    #[must_use]
    pub fn trial_balance(&self) -> TrialBalance {
        let total = |side: fn(&Balance) -> Money| {
            // At most 2⁶⁴ accounts of at most 2⁶³ each: the sum fits an i128.
            self.books.balances.values().fold(0_i128, |sum, b| sum.saturating_add(i128::from(side(b).minor())))
        };
        TrialBalance {
            lines: self.books.balances.iter().map(|(key, balance)| (*key, *balance)).collect(),
            debits: total(|balance| balance.debits_posted),
            credits: total(|balance| balance.credits_posted),
        }
    }
}
