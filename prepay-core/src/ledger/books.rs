//! The balances: what transfers do to them, and what is refused.

use alloc::vec::Vec;

use super::chain::{Entry, Head, ShardId, genesis};
use super::rules::{Books, Draft, Slot};
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
        self.books.slot(key).balance
    }

    /// A hold, open or ended.
    #[must_use]
    pub fn hold(&self, id: TransferId) -> Option<Hold> {
        self.books.holds.get(&id).copied()
    }

    /// How far an account may be overdrawn by transfers that obey limits, minor units; `None` without a limit.
    #[must_use]
    pub fn overdraft_limit(&self, key: AccountKey) -> Option<Money> {
        self.books.slot(key).overdraft
    }

    /// Sets how far an account may be overdrawn. Limits are settings of the caller's, not part of the journal: set them
    /// again after a rebuild.
    ///
    /// # Errors
    /// [`LedgerError::LimitNegative`] below zero.
    pub fn set_overdraft_limit(&mut self, key: AccountKey, overdraft: Option<Money>) -> Result<(), LedgerError> {
        if let Some(limit) = overdraft.filter(|limit| limit.is_negative()) {
            return Err(LedgerError::LimitNegative { account: key, limit });
        }
        self.set(key, |slot| slot.overdraft = overdraft);
        Ok(())
    }

    /// Whether an account takes no new transfers.
    #[must_use]
    pub fn is_closed(&self, key: AccountKey) -> bool {
        self.books.slot(key).closed
    }

    /// Closes an account for transfers that obey limits, or opens it again; what has already happened is still
    /// recorded. A setting of the caller's like a limit.
    pub fn set_closed(&mut self, key: AccountKey, closed: bool) {
        self.set(key, |slot| slot.closed = closed);
    }

    fn set(&mut self, key: AccountKey, change: impl FnOnce(&mut Slot)) {
        let mut slot = self.books.slot(key);
        change(&mut slot);
        // Books without any trace of an account are equal to books that never had one.
        if slot == Slot::default() {
            self.books.accounts.remove(&key);
        } else {
            self.books.accounts.insert(key, slot);
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
        let mut draft = Draft::new(&self.books);
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
        let mut draft = Draft::new(&self.books);
        draft.take_recorded(&entry.transfer)?;
        let changed = draft.finish();
        self.books.take(changed);
        self.head = Head { seq: entry.seq, hash: entry.hash };
        Ok(())
    }

    /// All balances, and the sums that must be equal.
    #[must_use]
    pub fn trial_balance(&self) -> TrialBalance {
        let used = self.books.accounts.iter().filter(|(_, slot)| slot.balance != Balance::default());
        let mut lines: Vec<_> = used.map(|(key, slot)| (*key, slot.balance)).collect();
        lines.sort_unstable_by_key(|(key, _)| *key);
        // At most 2⁶⁴ accounts of at most 2⁶³ each: the sum fits an i128.
        let total = |side: fn(&Balance) -> Money| {
            lines.iter().fold(0_i128, |sum, (_, line)| sum.saturating_add(i128::from(side(line).minor())))
        };
        let (debits, credits) = (total(|line| line.debits_posted), total(|line| line.credits_posted));
        TrialBalance { lines, debits, credits }
    }
}
