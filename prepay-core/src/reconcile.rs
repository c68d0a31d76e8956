//! The identities that hold between the books, the account and its meters at every moment.
//!
//! For a purse in a meter, with U the unbilled consumption and H the open hold:
//!
//! ```text
//! ledger purse without holds − meter purse ∈ { U, U − H }, for an open refund { U, U + R }
//! count ≡ count at opening + our posted writes + others' released writes   (mod 2¹⁶), one more while H or R may be in the meter
//! ```
//!
//! What does not hold is reported, never corrected: it is a defect, a loss, or tampering.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::account::{Account, MeterState, Purse};
use crate::id::MeterNumber;
use crate::ledger::{AccountKey, AccountKind, Ledger};
use crate::money::{Money, MoneyError};
use crate::reading::MeterReading;
use crate::refund::{OpenRefund, Overwrite, RefundBegun, RefundKind};
use crate::settlement::{PriceRequest, Pricer, PricerRefusal, usage_between};

/// Something that should be equal and is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Discrepancy {
    /// The account and the ledger disagree about a balance.
    LedgerBalance {
        /// Which ledger account.
        key: AccountKey,
        /// What the ledger says, minor units.
        ledger: Money,
        /// What the account says, minor units.
        account: Money,
    },
    /// The account and the ledger disagree about what is set aside.
    LedgerHolds {
        /// Which ledger account.
        key: AccountKey,
        /// What the ledger says, minor units.
        ledger: Money,
        /// What the account says, minor units.
        account: Money,
    },
    /// A meter holds more or less than the books and its registers explain.
    MeterPurse {
        /// The meter.
        meter: MeterNumber,
        /// Ledger purse less meter purse, minor units.
        difference: Money,
        /// Unbilled consumption, minor units.
        unbilled: Money,
        /// The open hold, minor units.
        hold: Money,
        /// How far the meter's rounding may be off, minor units.
        allowance: Money,
    },
    /// A meter's count is not what the writes explain.
    Count {
        /// The meter.
        meter: MeterNumber,
        /// What it shows.
        shown: u16,
        /// What the books explain.
        expected: u16,
    },
    /// The meter's registers can't be priced, so its purse can't be compared.
    Registers {
        /// The meter.
        meter: MeterNumber,
    },
    /// Another meter answered.
    OtherMeter {
        /// The meter.
        meter: MeterNumber,
        /// The one that answered.
        shown: MeterNumber,
    },
}

/// Why a reconciliation could not be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReconcileError {
    /// The meter is not the account's.
    #[error("meter {meter} does not belong to this account")]
    UnknownMeter {
        /// The number.
        meter: MeterNumber,
    },
    /// The account is not open.
    #[error("the account was never opened")]
    NotOpened,
    /// No price for the unbilled energy.
    #[error(transparent)]
    Pricer(#[from] PricerRefusal),
    /// An amount out of range.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

/// Compares an account with the ledger: the customer's purse, its holds, and the purse of each meter.
///
/// # Errors
/// [`ReconcileError`] for an account that was never opened, or sums out of range.
pub fn with_ledger(account: &Account, ledger: &Ledger) -> Result<Vec<Discrepancy>, ReconcileError> {
    let mut found = Vec::new();
    let purse = AccountKey::new(AccountKind::CustomerPurse, account.id().0);
    let customer = ledger.balance(purse);
    compare(&mut found, purse, customer.posted()?, account.purse());
    let posted = |kind| ledger.balance(AccountKey::new(kind, account.id().0)).posted();
    // What a customer owes is ours: it stands on the debit side.
    let owed = posted(AccountKind::Arrears)?.plus(posted(AccountKind::Instalments)?)?.negated()?;
    let debts = AccountKey::new(AccountKind::Arrears, account.id().0);
    compare(&mut found, debts, owed, account.debts().total()?);
    let deposits = AccountKey::new(AccountKind::Deposits, account.id().0);
    compare(&mut found, deposits, posted(AccountKind::Deposits)?, account.deposit());
    let begun = account.meters().iter().filter_map(hold_of);
    let (held, pending) = (Money::sum(begun)?, customer.debits_pending);
    if pending != held {
        found.push(Discrepancy::LedgerHolds { key: purse, ledger: pending, account: held });
    }
    for meter in account.meters() {
        let key = AccountKey::new(AccountKind::MeterPurse, meter.number().get());
        let purse = ledger.balance(key);
        compare(&mut found, key, purse.posted()?, meter.purse());
        let carried_from = |new: &MeterState| match new.refund() {
            Some(refund) if refund.kind == RefundKind::CarryOver { from: meter.number() } => Some(refund.held),
            _ => None,
        };
        // Of a replacement the hold stands on the old meter while the write stands on the new one.
        let own = meter.refund().filter(|refund| !matches!(refund.kind, RefundKind::CarryOver { .. }));
        let carried = account.meters().iter().find_map(carried_from).unwrap_or(Money::ZERO);
        let held = own.map_or(carried, |refund| refund.held);
        if purse.debits_pending != held {
            found.push(Discrepancy::LedgerHolds { key, ledger: purse.debits_pending, account: held });
        }
    }
    Ok(found)
}

/// Compares an account with one of its meters as a reading shows it.
///
/// # Errors
/// [`ReconcileError`] when the meter is not the account's, the unbilled energy has no price, or sums are out of range.
pub fn with_meter(
    account: &Account,
    meter: MeterNumber,
    reading: &MeterReading,
    pricer: &dyn Pricer,
) -> Result<Vec<Discrepancy>, ReconcileError> {
    let state = account.meter(meter).ok_or(ReconcileError::UnknownMeter { meter })?;
    let terms = account.terms().ok_or(ReconcileError::NotOpened)?;
    if reading.meter != meter {
        return Ok(alloc::vec![Discrepancy::OtherMeter { meter, shown: reading.meter }]);
    }
    if terms.purse == Purse::AtStation {
        return Ok(Vec::new());
    }
    if let Some(open) = state.refund().filter(|open| matches!(open.kind, RefundKind::CarryOver { .. })) {
        return taking_over(state, open, reading);
    }
    let refund = state.refund().and_then(|refund| refund.begun).map_or(Money::ZERO, |begun| begun.amount);
    // What may have come into the meter: below zero for what may have been taken out of it.
    let hold = hold_of(state).unwrap_or(Money::ZERO).minus(refund)?;
    let mut found = Vec::new();
    check_count(&mut found, state, reading.purchase_count, !hold.is_zero());

    let last = state.series().last_measured();
    let before = (&last.energy, last.taken_utc_s);
    let Ok(usage) = usage_between(before, (&reading.energy, reading.taken.utc_s), &state.terms().registers) else {
        found.push(Discrepancy::Registers { meter });
        return Ok(found);
    };
    let request = PriceRequest { account: account.id(), meter, state: state.pricer_state(), usage };
    let unbilled = Money::quantise(pricer.cumulative(&request)?, terms.currency)?.amount.minus(state.charged())?;
    let difference = state.purse().minus(reading.balance)?;
    let allowance = Money::from_minor(i64::from(usage.priced_registers()));
    let close = |expected: Money| Ok::<_, MoneyError>(difference.minus(expected)?.magnitude() <= allowance.magnitude());
    let explained = close(unbilled)? || (!hold.is_zero() && close(unbilled.minus(hold)?)?);
    if !explained {
        found.push(Discrepancy::MeterPurse { meter, difference, unbilled, hold, allowance });
    }
    Ok(found)
}

/// A meter that takes another one's place has no purse in the books yet: it shows what it showed before, which is nobody's,
/// or what was written into it with the supply off.
fn taking_over(
    state: &MeterState,
    open: &OpenRefund,
    reading: &MeterReading,
) -> Result<Vec<Discrepancy>, ReconcileError> {
    let Some(RefundBegun { overwrite: Overwrite { before, remaining: hold, new_count }, .. }) = open.begun else {
        return Ok(Vec::new());
    };
    let (meter, shown, unbilled) = (state.number(), reading.purchase_count, Money::ZERO);
    let expected = if shown == new_count { hold } else { before.balance };
    let mut found = Vec::new();
    if shown != before.purchase_count && shown != new_count {
        found.push(Discrepancy::Count { meter, shown, expected: new_count });
    }
    let difference = expected.minus(reading.balance)?;
    let allowance = state.terms().tolerance;
    if found.is_empty() && difference.magnitude() > allowance.magnitude() {
        found.push(Discrepancy::MeterPurse { meter, difference, unbilled, hold, allowance });
    }
    Ok(found)
}

fn compare(found: &mut Vec<Discrepancy>, key: AccountKey, ledger: Money, account: Money) {
    if ledger != account {
        found.push(Discrepancy::LedgerBalance { key, ledger, account });
    }
}

/// The hold of a sale that has begun.
fn hold_of(meter: &MeterState) -> Option<Money> {
    meter.sale().filter(|sale| sale.begun.is_some()).map(|sale| sale.amount)
}

fn check_count(found: &mut Vec<Discrepancy>, state: &MeterState, shown: u16, hold_open: bool) {
    // The identity is modulo 2¹⁶, so the low 16 bits of the sums are all that matters.
    let writes = state.posted_writes().wrapping_add(state.foreign_writes()) & 0xFFFF;
    let expected = state.opened().purchase_count.wrapping_add(u16::try_from(writes).unwrap_or(0));
    if shown != expected && !(hold_open && shown == expected.wrapping_add(1)) {
        found.push(Discrepancy::Count { meter: state.number(), shown, expected });
    }
}
