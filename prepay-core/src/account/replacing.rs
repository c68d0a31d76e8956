//! An old meter goes, a new one takes over: balance, ladder position, purchase count and energy move with the tenant.
//!
//! ```text
//! book the old meter (or estimate) → hold its purse → overwrite the new meter → fence → the new meter takes over
//!                                                                          └─ not applied → back to the old meter
//! ```

use alloc::boxed::Box;

use serde::{Deserialize, Serialize};

use super::draft::Draft;
use super::event::Fact;
use super::meter_state::MeterState;
use super::opening::MeterTakeOver;
use super::posting::first_transfer;
use super::quarantine::SaleResolution;
use super::refund_facts::RefundVoidCause;
use super::refund_requests::{Ordered, check_no_write_open, check_not_replaced};
use super::refusal::Refusal;
use super::settled::DifferenceKind;
use super::terms::Purse;
use super::{observe, opening, orders, quarantine, refund_requests, refunds, settle};
use crate::bend::{self, Bend};
use crate::id::{MeterNumber, RefundId};
use crate::ledger::TransferId;
use crate::money::Money;
use crate::reading::MeterReading;
use crate::refund::{RefundKind, RefundTake};
use crate::sale::{Evidence, Proof};
use crate::settlement::{PriceRequest, Pricer, PricerState, Usage, usage_between};

/// How an old meter was read last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OldMeter {
    /// It was read when it was taken off.
    Read(MeterReading),
    /// It can't be read: lightning, water. What it has used since its last booking is estimated.
    Unreadable {
        /// The estimate; its times are ignored.
        usage: Usage,
        /// What became of a sale or refund that was open, in the operator's judgement.
        sale: Option<SaleResolution>,
    },
}

/// What an unreadable meter is estimated to have used since its last booking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// The energy.
    pub usage: Usage,
    /// What it costs, tax included, minor units: in suspense until the meter is read on the bench.
    pub charge: Money,
    /// The tax in it, minor units.
    pub tax: Money,
    /// Where pricing stands after it.
    pub pricer: PricerState,
}

/// How a replacement moves money. Kept with its events, so that a roll-back undoes exactly this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carry {
    /// The purse was in the old meter.
    pub in_meter: bool,
    /// Credit that goes into the new meter, minor units; never negative.
    pub credit: Money,
    /// What the old meter was overdrawn by, minor units; never positive. The customer owes it at the station.
    pub overdrawn: Money,
    /// The hold on the old meter's purse, when there is credit.
    pub hold: TransferId,
    /// The estimate, when the old meter could not be read.
    pub estimate: Option<Estimate>,
}

/// A meter that was replaced and waits for the bench, because it could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnBench {
    /// The meter as it was before the estimate.
    pub meter: MeterState,
    /// What is in suspense for it.
    pub estimate: Estimate,
}

impl OnBench {
    /// The most meters of one account that wait for the bench.
    pub const MAX: usize = 16;
}

pub(super) fn request(
    draft: &mut Draft<'_>,
    refund: RefundId,
    old: MeterNumber,
    last: &OldMeter,
    new: &MeterTakeOver,
    by: Ordered<'_>,
    pricer: &dyn Pricer,
) -> Result<(), Refusal> {
    refund_requests::check_new(draft, refund)?;
    let purse = draft.terms()?.purse;
    let numbers = draft.account().meters().iter().map(MeterState::number);
    opening::check_meters(numbers.chain([new.terms.meter]))?;
    check_not_on_bench(draft, new.terms.meter)?;
    // What a new meter shows is written over, so it may show anything.
    let opening = Box::new(opening::opening_of(new, Purse::AtStation)?);
    let estimate = match last {
        OldMeter::Read(reading) => {
            check_no_write_open(draft.meter(old)?)?;
            settle::settle_now(draft, old, reading, pricer)?;
            check_no_write_open(draft.meter(old)?)?;
            None
        }
        OldMeter::Unreadable { usage, sale } => {
            check_not_replaced(draft.meter(old)?)?;
            quarantine::resolve_dead(draft, old, *sale)?;
            Some(estimate(draft, old, *usage, pricer)?)
        }
    };
    let state = draft.meter(old)?;
    let in_meter = purse == Purse::InMeter;
    let charge = estimate.as_ref().map_or(Money::ZERO, |estimate| estimate.charge);
    let rest = if in_meter { state.purse().minus(charge)? } else { Money::ZERO };
    let hold = first_transfer(draft.id(), draft.next_seq());
    // The hold comes after what the same event moves before it.
    let part = u16::from(!charge.is_zero()).saturating_add(u16::from(rest.is_negative()));
    let hold = TransferId { part, ..hold };
    let (credit, overdrawn) = (bend::carried(draft.account(), rest.max(Money::ZERO)), rest.min(Money::ZERO));
    let carry = Box::new(Carry { in_meter, credit, overdrawn, hold, estimate });
    let count = state.count().wrapping_add(1);
    let (operator, why) = (by.operator, by.why.clone());
    let new = opening.terms.meter;
    draft.push(Fact::ReplacementRequested { refund, old, opening, carry, count, operator, why })?;
    if in_meter {
        orders::refresh(draft, new)?;
        return refunds::hand_out(draft, new);
    }
    done(draft, refund, old, new, count, Proof::Operator)?;
    observe::assess_purse(draft)
}

/// A meter that waits for the bench is not put to use again: two things would be in suspense under one number.
pub(super) fn check_not_on_bench(draft: &Draft<'_>, meter: MeterNumber) -> Result<(), Refusal> {
    let waits = draft.account().on_bench.iter().any(|waiting| waiting.meter.number() == meter);
    if waits { Err(Refusal::WaitsForBench { meter }) } else { Ok(()) }
}

/// The count that the new meter gets: the old one's and one more, for the write itself. Never the one that it shows, so
/// that the write can be seen.
pub(super) const fn carried_count(count: u16, shown: u16) -> u16 {
    if count == shown { count.wrapping_add(1) } else { count }
}

fn estimate(draft: &Draft<'_>, old: MeterNumber, used: Usage, pricer: &dyn Pricer) -> Result<Estimate, Refusal> {
    if draft.account().on_bench.len() >= OnBench::MAX {
        return Err(Refusal::BenchFull { max: OnBench::MAX });
    }
    let currency = draft.terms()?.currency;
    let state = draft.meter(old)?;
    let from_utc_s = state.series().last_measured().taken_utc_s;
    let usage = Usage { from_utc_s, to_utc_s: draft.now.utc_s, ..used }.times(state.terms().ratio);
    let priced = pricer.price(&PriceRequest { account: draft.id(), meter: old, state: state.pricer_state(), usage })?;
    let charge = Money::quantise(priced.cumulative, currency)?.amount.minus(state.charged())?;
    let tax = Money::quantise(priced.cumulative_tax, currency)?.amount.minus(state.taxed)?;
    if charge.is_negative() {
        return Err(Refusal::AmountNotPositive { amount: charge });
    }
    Ok(Estimate { usage, charge, tax, pricer: priced.state })
}

/// The new meter shows what was carried over: it takes the old one's place.
pub(super) fn done(
    draft: &mut Draft<'_>,
    refund: RefundId,
    old: MeterNumber,
    new: MeterNumber,
    count: u16,
    proof: Proof,
) -> Result<(), Refusal> {
    let carry = draft.meter(new)?.carry.clone().ok_or(Refusal::NoSuchRefund { refund })?;
    draft.push(Fact::ReplacementDone { refund, old, new, carry, count, proof })?;
    orders::refresh(draft, new)
}

/// The new meter has not taken it, and can't any more: the old one goes on.
pub(super) fn roll_back(
    draft: &mut Draft<'_>,
    refund: RefundId,
    old: MeterNumber,
    new: MeterNumber,
    cause: RefundVoidCause,
) -> Result<(), Refusal> {
    let carry = draft.meter(new)?.carry.clone().ok_or(Refusal::NoSuchRefund { refund })?;
    draft.push(Fact::ReplacementRolledBack { refund, old, new, carry, cause })?;
    orders::refresh(draft, old)
}

/// A meter that could not be read is read on the bench, or its estimate is accepted: what is in suspense finds its place.
pub(super) fn read_on_bench(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    reading: Option<&MeterReading>,
    by: Ordered<'_>,
    pricer: &dyn Pricer,
) -> Result<(), Refusal> {
    let terms = *draft.terms()?;
    let waiting = draft.account().on_bench.iter().find(|waiting| waiting.meter.number() == meter);
    let OnBench { meter: state, estimate } = waiting.ok_or(Refusal::UnknownMeter { meter })?;
    let estimated = estimate.charge;
    let (mut charge, mut tax, mut booked) = (estimated, estimate.tax, estimated);
    let mut difference = DifferenceKind::Rounding;
    if let Some(reading) = reading.filter(|_| !bend::is(draft.account(), Bend::BenchIsIgnored)) {
        if reading.meter != meter {
            return Err(Refusal::OtherMeter { meter, shown: reading.meter });
        }
        let (expected, shown) = (state.count(), reading.purchase_count);
        if terms.purse == Purse::InMeter && shown != expected {
            return Err(Refusal::BenchCount { meter, shown, expected });
        }
        let last = state.series().last_measured();
        let (before, after) = ((&last.energy, last.taken_utc_s), (&reading.energy, reading.taken.utc_s));
        let usage = usage_between(before, after, &state.terms().registers)?.times(state.terms().ratio);
        let request = PriceRequest { account: draft.id(), meter, state: state.pricer_state(), usage };
        let priced = pricer.price(&request)?;
        charge = Money::quantise(priced.cumulative, terms.currency)?.amount.minus(state.charged())?;
        tax = Money::quantise(priced.cumulative_tax, terms.currency)?.amount.minus(state.taxed)?;
        booked = match terms.purse {
            Purse::InMeter => state.purse().minus(reading.balance)?,
            Purse::AtStation => charge,
        };
        if booked.minus(charge)?.magnitude() > u64::from(usage.priced_registers()) {
            difference = DifferenceKind::PriceLag;
        }
    }
    let (shown, by, why) = (reading.map(Evidence::from), by.operator, by.why.clone());
    draft.push(Fact::BenchRead { meter, shown, estimated, charge, tax, booked, difference, by, why })?;
    if terms.purse == Purse::AtStation { observe::assess_purse(draft) } else { Ok(()) }
}

/// The overwrite of a replacement as the machine of refunds sees it.
pub(super) const fn kind(from: MeterNumber, credit: Money) -> (RefundKind, RefundTake) {
    (RefundKind::CarryOver { from }, RefundTake::Exactly(credit))
}
