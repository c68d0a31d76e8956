//! A stored snapshot of an account that comes back. A store can be damaged or forged: what no row of events can lead to is
//! refused. What could have happened is for [`crate::reconcile::with_ledger`] to compare with the books.

use alloc::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use super::meter_state::MeterState;
use super::receipts::Receipts;
use super::state::Account;
use super::terms::{Purse, Terms, TermsError};
use crate::ledger::TransferId;
use crate::money::{Money, MoneyError};
use crate::sale::Phase;
use crate::status::Service;

/// A snapshot that is no state of an account.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// Two parts of it contradict each other.
    #[error("snapshot: {field}: {problem}")]
    Field {
        /// Which one.
        field: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
    /// An amount out of its range.
    #[error("snapshot: {field} is {} minor units", value.minor())]
    Amount {
        /// Which one.
        field: &'static str,
        /// What was given.
        value: Money,
    },
    /// A sum that is not what its parts are.
    #[error("snapshot: {field} is {} minor units, its parts are {}", stored.minor(), parts.minor())]
    Sum {
        /// Which one.
        field: &'static str,
        /// What was given.
        stored: Money,
        /// The sum of the parts.
        parts: Money,
    },
    /// More than an account may have.
    #[error("snapshot: {found} {field}, at most {max}")]
    TooMany {
        /// Of what.
        field: &'static str,
        /// What was given.
        found: usize,
        /// The most.
        max: usize,
    },
    /// Terms that make no sense.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// A sum out of range.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

impl Serialize for Account {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The derived one of the struct's own fields.
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Account {
    /// Refuses a snapshot that is no state of an account.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let account = Self::deserialize(deserializer)?;
        check(&account).map_err(de::Error::custom)?;
        Ok(account)
    }
}

fn check(account: &Account) -> Result<(), SnapshotError> {
    not_below_zero("held", account.held)?;
    not_below_zero("deposit", account.deposit)?;
    if let Some(value) = account.emergency.filter(|taken| !taken.is_positive()) {
        return Err(SnapshotError::Amount { field: "emergency", value });
    }
    match (account.service, &account.terms) {
        (Service::NotOpened | Service::Prepared, None) => unopened(account),
        (Service::Open | Service::Paused | Service::Closed, Some(terms)) => opened(account, terms),
        _ => Err(SnapshotError::Field { field: "service", problem: "does not go with the terms" }),
    }
}

fn unopened(account: &Account) -> Result<(), SnapshotError> {
    let prepared = account.prepared.is_some() == (account.service == Service::Prepared);
    let Account { purse, held, deposit, .. } = account;
    let empty = account.meters.is_empty() && account.on_bench.is_empty() && account.debts.as_slice().is_empty();
    fits(prepared, "prepared", "does not go with the service")?;
    fits(empty, "meters", "an account that is not open has none")?;
    fits(
        [purse, held, deposit].iter().all(|money| money.is_zero()),
        "purse",
        "an account that is not open holds nothing",
    )
}

fn opened(account: &Account, terms: &Terms) -> Result<(), SnapshotError> {
    terms.check()?;
    let (meters, max) = (&account.meters, Account::MAX_METERS);
    if meters.len() > max {
        return Err(SnapshotError::TooMany { field: "meters", found: meters.len(), max });
    }
    let bench = account.on_bench.iter().map(|waiting| waiting.meter.number());
    let numbers: BTreeSet<_> = meters.iter().map(MeterState::number).chain(bench).collect();
    fits(!meters.is_empty(), "meters", "an account that was opened has one")?;
    fits(numbers.len() == meters.len().saturating_add(account.on_bench.len()), "meters", "one stands there twice")?;
    meters.iter().try_for_each(|state| meter(account, state, terms.purse))?;
    let parts = Money::sum(meters.iter().filter_map(MeterState::sale).map(|sale| sale.amount))?;
    if parts != account.held {
        return Err(SnapshotError::Sum { field: "held", stored: account.held, parts });
    }
    receipts(&account.receipts, meters)
}

fn meter(account: &Account, state: &MeterState, purse: Purse) -> Result<(), SnapshotError> {
    state.terms.check_for(purse)?;
    if purse == Purse::AtStation && !state.purse.is_zero() {
        return Err(SnapshotError::Amount { field: "purse of a meter", value: state.purse });
    }
    fits(state.sale.is_none() || state.refund.is_none(), "refund", "two writes of money on one meter")?;
    if let Some(sale) = &state.sale {
        if !sale.amount.is_positive() {
            return Err(SnapshotError::Amount { field: "amount of a sale", value: sale.amount });
        }
        let begun = sale.begun.is_some() == (sale.phase != Phase::Requested);
        fits(begun, "sale", "its intent does not go with its phase")?;
        fits(account.latest_sale >= Some(sale.id), "latest_sale", "is behind an open sale")?;
    }
    if let Some(refund) = &state.refund {
        not_below_zero("held of a refund", refund.held)?;
        let begun = refund.begun.is_some() == (refund.phase != crate::refund::RefundPhase::Requested);
        fits(begun, "refund", "its intent does not go with its phase")?;
        fits(account.latest_refund >= Some(refund.id), "latest_refund", "is behind an open refund")?;
    }
    let place = |number| account.meters.iter().find(|other| other.number() == number);
    let taken_over = state.replaced_by.is_none_or(|new| place(new).is_some_and(|new| new.carry.is_some()));
    fits(taken_over, "replaced_by", "no meter is taking over")?;
    let takes_over = account.meters.iter().any(|old| old.replaced_by == Some(state.number()));
    fits(state.carry.is_none() || takes_over, "carry", "no meter is being replaced")
}

/// What is set aside of each receipt is what the open refunds wait for.
fn receipts(receipts: &Receipts, meters: &[MeterState]) -> Result<(), SnapshotError> {
    let waiting = |receipt: TransferId| {
        let parts = meters.iter().filter_map(MeterState::refund).flat_map(|refund| &refund.payback);
        Money::sum(parts.filter(|part| part.receipt == receipt).map(|part| part.amount))
    };
    for receipt in receipts.as_slice() {
        let (stored, parts) = (receipt.set_aside, waiting(receipt.transfer)?);
        if stored != parts {
            return Err(SnapshotError::Sum { field: "set_aside", stored, parts });
        }
    }
    Ok(())
}

const fn fits(fits: bool, field: &'static str, problem: &'static str) -> Result<(), SnapshotError> {
    if fits { Ok(()) } else { Err(SnapshotError::Field { field, problem }) }
}

const fn not_below_zero(field: &'static str, value: Money) -> Result<(), SnapshotError> {
    if value.is_negative() { Err(SnapshotError::Amount { field, value }) } else { Ok(()) }
}
