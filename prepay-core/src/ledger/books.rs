//! The balances: what transfers do to them, and what is refused.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::chain::{ChainError, Entry, Head, ShardId, genesis};
use super::{AccountKey, Action, LimitRule, Transfer, TransferId};
use crate::money::{Currency, Money, MoneyError};

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

/// What became of a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldState {
    /// Money is set aside.
    Open,
    /// It was posted, whole or in part.
    Posted,
    /// It was freed.
    Voided,
}

/// A hold as the books know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// From.
    pub debit: AccountKey,
    /// To.
    pub credit: AccountKey,
    /// How much, minor units.
    pub amount: Money,
    /// What became of it.
    pub state: HoldState,
}

/// A receipt as the books know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Receipt {
    debit: AccountKey,
    credit: AccountKey,
    amount: Money,
    refunded: Money,
    reversed: bool,
}

/// The books of one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    currency: Currency,
    shard: ShardId,
    head: Head,
    books: Books,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Books {
    balances: BTreeMap<AccountKey, Balance>,
    limits: BTreeMap<AccountKey, Money>,
    holds: BTreeMap<TransferId, Hold>,
    receipts: BTreeMap<TransferId, Receipt>,
    latest: BTreeMap<u64, TransferId>,
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

/// Changes on top of the books that nobody sees until the whole batch is good.
struct Draft<'a> {
    base: &'a Books,
    changed: Books,
}

impl Draft<'_> {
    fn take(&mut self, transfer: &Transfer) -> Result<(), LedgerError> {
        self.take_recorded(transfer)?;
        if transfer.limit == LimitRule::Enforce && !matches!(transfer.action, Action::Void { .. }) {
            self.check_limit(transfer)?;
        }
        Ok(())
    }

    /// Everything but the limit, which only guards new transfers: a limit that was lowered since does not make the
    /// journal wrong.
    fn take_recorded(&mut self, transfer: &Transfer) -> Result<(), LedgerError> {
        self.check_shape(transfer)?;
        match transfer.action {
            Action::Move => self.post(transfer)?,
            Action::Receipt => {
                self.post(transfer)?;
                let Transfer { debit, credit, amount, .. } = *transfer;
                let receipt = Receipt { debit, credit, amount, refunded: Money::ZERO, reversed: false };
                self.changed.receipts.insert(transfer.id, receipt);
            }
            Action::Hold => {
                self.add_pending(transfer, transfer.amount)?;
                let Transfer { debit, credit, amount, .. } = *transfer;
                self.changed.holds.insert(transfer.id, Hold { debit, credit, amount, state: HoldState::Open });
            }
            Action::Post { hold } => {
                self.end_hold(transfer, hold, HoldState::Posted)?;
                self.post(transfer)?;
            }
            Action::Void { hold } => self.end_hold(transfer, hold, HoldState::Voided)?,
            Action::Refund { of } => {
                self.refund(transfer, of)?;
                self.post(transfer)?;
            }
            Action::Reverse { of } => {
                self.reverse(transfer, of)?;
                self.post(transfer)?;
            }
        }
        self.changed.latest.insert(transfer.id.origin, transfer.id);
        Ok(())
    }

    fn check_shape(&self, transfer: &Transfer) -> Result<(), LedgerError> {
        let id = transfer.id;
        let latest = self.changed.latest.get(&id.origin).or_else(|| self.base.latest.get(&id.origin));
        if let Some(latest) = latest.copied().filter(|latest| *latest >= id) {
            return Err(LedgerError::AlreadyRecorded { id, latest });
        }
        if !transfer.amount.is_positive() {
            return Err(LedgerError::AmountNotPositive { id, amount: transfer.amount });
        }
        if transfer.debit == transfer.credit {
            return Err(LedgerError::SameAccount { id, account: transfer.debit });
        }
        Ok(())
    }

    fn balance(&self, key: AccountKey) -> Balance {
        self.changed.balances.get(&key).or_else(|| self.base.balances.get(&key)).copied().unwrap_or_default()
    }

    fn post(&mut self, transfer: &Transfer) -> Result<(), LedgerError> {
        let mut debit = self.balance(transfer.debit);
        debit.debits_posted = debit.debits_posted.plus(transfer.amount)?;
        debit.posted()?;
        let mut credit = self.balance(transfer.credit);
        credit.credits_posted = credit.credits_posted.plus(transfer.amount)?;
        credit.posted()?;
        self.changed.balances.insert(transfer.debit, debit);
        self.changed.balances.insert(transfer.credit, credit);
        Ok(())
    }

    /// Adds to (or, with a negative amount, takes from) what is set aside.
    fn add_pending(&mut self, transfer: &Transfer, amount: Money) -> Result<(), LedgerError> {
        let mut debit = self.balance(transfer.debit);
        debit.debits_pending = debit.debits_pending.plus(amount)?;
        debit.available()?;
        let mut credit = self.balance(transfer.credit);
        credit.credits_pending = credit.credits_pending.plus(amount)?;
        self.changed.balances.insert(transfer.debit, debit);
        self.changed.balances.insert(transfer.credit, credit);
        Ok(())
    }

    fn end_hold(&mut self, transfer: &Transfer, hold_id: TransferId, end: HoldState) -> Result<(), LedgerError> {
        let id = transfer.id;
        let hold = self.changed.holds.get(&hold_id).or_else(|| self.base.holds.get(&hold_id)).copied();
        let mut hold = hold.ok_or(LedgerError::NoSuchTransfer { id, refers_to: hold_id })?;
        if hold.state != HoldState::Open {
            return Err(LedgerError::HoldEnded { id, hold: hold_id, state: hold.state });
        }
        if (hold.debit, hold.credit) != (transfer.debit, transfer.credit) {
            return Err(LedgerError::OtherAccounts { id, refers_to: hold_id });
        }
        let wrong_amount = match end {
            HoldState::Voided => transfer.amount != hold.amount,
            HoldState::Posted | HoldState::Open => transfer.amount > hold.amount,
        };
        if wrong_amount {
            return Err(LedgerError::AmountAboveRest { id, amount: transfer.amount, rest: hold.amount });
        }
        self.add_pending(transfer, hold.amount.negated()?)?;
        hold.state = end;
        self.changed.holds.insert(hold_id, hold);
        Ok(())
    }

    fn receipt(&self, transfer: &Transfer, of: TransferId) -> Result<Receipt, LedgerError> {
        let id = transfer.id;
        let receipt = self.changed.receipts.get(&of).or_else(|| self.base.receipts.get(&of)).copied();
        let receipt = receipt.ok_or(LedgerError::NoSuchTransfer { id, refers_to: of })?;
        if receipt.reversed {
            return Err(LedgerError::AlreadyReversed { id, receipt: of });
        }
        // Money goes back the way it came.
        if (receipt.debit, receipt.credit) != (transfer.credit, transfer.debit) {
            return Err(LedgerError::OtherAccounts { id, refers_to: of });
        }
        Ok(receipt)
    }

    fn refund(&mut self, transfer: &Transfer, of: TransferId) -> Result<(), LedgerError> {
        let mut receipt = self.receipt(transfer, of)?;
        let rest = receipt.amount.minus(receipt.refunded)?;
        if transfer.amount > rest {
            return Err(LedgerError::AmountAboveRest { id: transfer.id, amount: transfer.amount, rest });
        }
        receipt.refunded = receipt.refunded.plus(transfer.amount)?;
        self.changed.receipts.insert(of, receipt);
        Ok(())
    }

    fn reverse(&mut self, transfer: &Transfer, of: TransferId) -> Result<(), LedgerError> {
        let mut receipt = self.receipt(transfer, of)?;
        if transfer.amount != receipt.amount || !receipt.refunded.is_zero() {
            let rest = receipt.amount.minus(receipt.refunded)?;
            return Err(LedgerError::ReversalNotWhole { id: transfer.id, amount: transfer.amount, rest });
        }
        receipt.reversed = true;
        self.changed.receipts.insert(of, receipt);
        Ok(())
    }

    fn check_limit(&self, transfer: &Transfer) -> Result<(), LedgerError> {
        let Some(overdraft) = self.base.limits.get(&transfer.debit).copied() else { return Ok(()) };
        let available = self.balance(transfer.debit).available()?;
        let floor = overdraft.negated()?;
        if available < floor {
            return Err(LedgerError::LimitExceeded {
                id: transfer.id,
                account: transfer.debit,
                available_after: available,
                overdraft,
            });
        }
        Ok(())
    }
}

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
