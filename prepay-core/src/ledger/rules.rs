//! What each kind of transfer does to the books, and what is refused.

use alloc::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Books {
    pub(super) balances: BTreeMap<AccountKey, Balance>,
    pub(super) limits: BTreeMap<AccountKey, Money>,
    pub(super) holds: BTreeMap<TransferId, Hold>,
    pub(super) receipts: BTreeMap<TransferId, Receipt>,
    pub(super) latest: BTreeMap<u64, TransferId>,
}

/// Changes on top of the books that nobody sees until the whole batch is good.
pub(super) struct Draft<'a> {
    pub(super) base: &'a Books,
    pub(super) changed: Books,
}

impl Draft<'_> {
    pub(super) fn take(&mut self, transfer: &Transfer) -> Result<(), LedgerError> {
        self.take_recorded(transfer)?;
        if transfer.limit == LimitRule::Enforce && !matches!(transfer.action, Action::Void { .. }) {
            self.check_limit(transfer)?;
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
