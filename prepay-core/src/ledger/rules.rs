//! What each kind of transfer does to the books, and what is refused.

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::overlay::Overlay;
use super::{AccountKey, Action, Balance, LedgerError, LimitRule, Transfer, TransferId};
use crate::money::Money;

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
pub(super) struct Receipt {
    debit: AccountKey,
    credit: AccountKey,
    amount: Money,
    refunded: Money,
    reversed: bool,
}

/// What the books know of one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Slot {
    pub(super) balance: Balance,
    /// How far it may be overdrawn.
    pub(super) overdraft: Option<Money>,
    /// Takes no new transfers.
    pub(super) closed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Books {
    pub(super) accounts: HashMap<AccountKey, Slot>,
    pub(super) holds: HashMap<TransferId, Hold>,
    receipts: HashMap<TransferId, Receipt>,
    latest: HashMap<u64, TransferId>,
}

impl Books {
    pub(super) fn slot(&self, key: AccountKey) -> Slot {
        self.accounts.get(&key).copied().unwrap_or_default()
    }

    /// Takes what a draft has changed.
    pub(super) fn take(&mut self, changed: Changes) {
        self.accounts.extend(changed.accounts.into_pairs());
        self.holds.extend(changed.holds.into_pairs());
        self.receipts.extend(changed.receipts.into_pairs());
        self.latest.extend(changed.latest.into_pairs());
    }
}

/// What a batch changes.
#[derive(Default)]
pub(super) struct Changes {
    accounts: Overlay<AccountKey, Slot, 4>,
    holds: Overlay<TransferId, Hold, 1>,
    receipts: Overlay<TransferId, Receipt, 1>,
    latest: Overlay<u64, TransferId, 1>,
}

/// Changes on top of the books that nobody sees until the whole batch is good.
pub(super) struct Draft<'a> {
    base: &'a Books,
    changed: Changes,
}

impl<'a> Draft<'a> {
    pub(super) fn new(base: &'a Books) -> Self {
        Self { base, changed: Changes::default() }
    }

    pub(super) fn finish(self) -> Changes {
        self.changed
    }

    pub(super) fn take(&mut self, transfer: &Transfer) -> Result<(), LedgerError> {
        self.take_recorded(transfer)?;
        if transfer.limit == LimitRule::Enforce && !matches!(transfer.action, Action::Void { .. }) {
            self.check_limit(transfer)?;
            self.check_open(transfer)?;
        }
        Ok(())
    }

    /// Everything but the limit, which only guards new transfers: a limit that was lowered since does not make the
    /// journal wrong.
    pub(super) fn take_recorded(&mut self, transfer: &Transfer) -> Result<(), LedgerError> {
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
        let latest = self.changed.latest.get(id.origin).or_else(|| self.base.latest.get(&id.origin).copied());
        if let Some(latest) = latest.filter(|latest| *latest >= id) {
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

    fn slot(&self, key: AccountKey) -> Slot {
        self.changed.accounts.get(key).unwrap_or_else(|| self.base.slot(key))
    }

    fn post(&mut self, transfer: &Transfer) -> Result<(), LedgerError> {
        let (mut from, mut to) = (self.slot(transfer.debit), self.slot(transfer.credit));
        from.balance.debits_posted = from.balance.debits_posted.plus(transfer.amount)?;
        from.balance.posted()?;
        to.balance.credits_posted = to.balance.credits_posted.plus(transfer.amount)?;
        to.balance.posted()?;
        self.changed.accounts.insert(transfer.debit, from);
        self.changed.accounts.insert(transfer.credit, to);
        Ok(())
    }

    /// Adds to (or, with a negative amount, takes from) what is set aside.
    fn add_pending(&mut self, transfer: &Transfer, amount: Money) -> Result<(), LedgerError> {
        let (mut from, mut to) = (self.slot(transfer.debit), self.slot(transfer.credit));
        from.balance.debits_pending = from.balance.debits_pending.plus(amount)?;
        from.balance.available()?;
        to.balance.credits_pending = to.balance.credits_pending.plus(amount)?;
        self.changed.accounts.insert(transfer.debit, from);
        self.changed.accounts.insert(transfer.credit, to);
        Ok(())
    }

    fn end_hold(&mut self, transfer: &Transfer, hold_id: TransferId, end: HoldState) -> Result<(), LedgerError> {
        let id = transfer.id;
        let hold = self.changed.holds.get(hold_id).or_else(|| self.base.holds.get(&hold_id).copied());
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
        let receipt = self.changed.receipts.get(of).or_else(|| self.base.receipts.get(&of).copied());
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
        let Slot { balance, overdraft, .. } = self.slot(transfer.debit);
        let Some(overdraft) = overdraft else { return Ok(()) };
        let available_after = balance.available()?;
        if available_after < overdraft.negated()? {
            let (id, account) = (transfer.id, transfer.debit);
            return Err(LedgerError::LimitExceeded { id, account, available_after, overdraft });
        }
        Ok(())
    }

    fn check_open(&self, transfer: &Transfer) -> Result<(), LedgerError> {
        let closed = [transfer.debit, transfer.credit].into_iter().find(|key| self.slot(*key).closed);
        closed.map_or(Ok(()), |account| Err(LedgerError::AccountClosed { id: transfer.id, account }))
    }
}
