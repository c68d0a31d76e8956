//! Writes that nobody here sent: the meter is set apart until an operator explains what it shows.

use serde::{Deserialize, Serialize};

use super::draft::Draft;
use super::event::Fact;
use super::refusal::Refusal;
use super::settled::{DifferenceKind, Settled};
use super::terms::Purse;
use super::{observe, refunds, sales, settle};
use crate::bend::{self, Bend};
use crate::id::{MeterNumber, OperatorId, Reason};
use crate::money::Money;
use crate::reading::MeterReading;
use crate::sale::{Begun, Evidence, Phase, Proof, VoidCause};
use crate::series::Source;
use crate::settlement::{BadRegister, Pricer, usage_between};

/// A quarantine that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// What was seen.
    pub reason: QuarantineReason,
    /// What the meter showed.
    pub shown: Evidence,
    /// Since when, UTC seconds.
    pub since_utc_s: i64,
}

/// Why a meter is quarantined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum QuarantineReason {
    /// One write more than ours, of another amount than the open sale, or without one.
    ForeignWrite {
        /// How far the balance is off, minor units.
        off_by: Money,
    },
    /// The balance was overwritten, but not the count that came in the same frame.
    TornWrite {
        /// How far the balance is off, minor units.
        off_by: Money,
    },
    /// Several writes that are not ours.
    UnexplainedWrites {
        /// How many.
        writes: u16,
    },
    /// The purchase count is lower than it was.
    CountWentBack {
        /// What it shows.
        shown: u16,
    },
    /// Another meter answers at this place.
    OtherMeter {
        /// Its number.
        shown: MeterNumber,
    },
    /// The balance is higher than the books explain, with the count as it was.
    BalanceRose {
        /// By how much, minor units.
        by: Money,
    },
    /// A register stepped back or jumped.
    Register(BadRegister),
}

/// What became of an open sale or refund on a quarantined meter, in the operator's judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SaleResolution {
    /// The meter has the credit, or the refund was taken from it.
    Applied,
    /// It does not, and the money goes back to the customer's purse; or the refund was not taken.
    NotApplied,
}

pub(super) fn release(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    by: OperatorId,
    why: &Reason,
    reading: &MeterReading,
    resolution: Option<SaleResolution>,
    pricer: &dyn Pricer,
) -> Result<(), Refusal> {
    let state = draft.meter(meter)?;
    if state.quarantine().is_none() {
        return Err(Refusal::NotQuarantined { meter });
    }
    if reading.meter != meter {
        return Err(Refusal::OtherMeter { meter, shown: reading.meter });
    }
    observe::check_time(draft, meter, reading)?;
    let new = state.carry.is_some() && !bend::is(draft.account(), Bend::NewMeterIsBooked);
    if new && resolution != Some(SaleResolution::Applied) {
        return release_new(draft, meter, by, why, reading, resolution, pricer);
    }
    if !refunds::resolve(draft, meter, resolution)? {
        resolve_sale(draft, meter, resolution)?;
    }
    let state = draft.meter(meter)?;
    let foreign_writes = reading.purchase_count.wrapping_sub(state.count());
    book_quarantined(draft, meter, reading, pricer)?;
    let to_suspense = match draft.terms()?.purse {
        Purse::InMeter => reading.balance.minus(draft.meter(meter)?.purse())?,
        Purse::AtStation => Money::ZERO,
    };
    let (accepted, why) = (Evidence::from(reading), why.clone());
    draft.push(Fact::QuarantineReleased { meter, by, why, accepted, foreign_writes, to_suspense })?;
    let (account, state, now) = (draft.account(), draft.meter(meter)?, draft.now);
    let effects = [sales::next_step(account, state, now), refunds::next_step(account, state, now)];
    effects.into_iter().flatten().for_each(|effect| draft.effect(effect));
    observe::assess(draft, meter, reading, pricer)
}

/// What a new meter shows before it has taken over is nobody's credit and will be written over: nothing of it is booked.
/// Where the write is given up the old meter goes on, and the new one is out of the books.
fn release_new(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    by: OperatorId,
    why: &Reason,
    reading: &MeterReading,
    resolution: Option<SaleResolution>,
    pricer: &dyn Pricer,
) -> Result<(), Refusal> {
    let foreign_writes = reading.purchase_count.wrapping_sub(draft.meter(meter)?.count());
    let (accepted, to_suspense, why) = (Evidence::from(reading), Money::ZERO, why.clone());
    draft.push(Fact::QuarantineReleased { meter, by, why, accepted, foreign_writes, to_suspense })?;
    if refunds::resolve(draft, meter, resolution)? {
        return Ok(());
    }
    resolve_sale(draft, meter, resolution)?;
    refunds::hand_out(draft, meter)?;
    observe::assess(draft, meter, reading, pricer)
}

/// An operator says what became of a sale or refund on a meter that will never be read again at its place.
pub(super) fn resolve_dead(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    resolution: Option<SaleResolution>,
) -> Result<(), Refusal> {
    if refunds::resolve_dead(draft, meter, resolution)? {
        return Ok(());
    }
    let open = draft.meter(meter)?.sale();
    match (open.map(|open| (open.id, open.amount, open.begun)), resolution) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(Refusal::Resolution { meter, problem: "no sale is open that could be resolved" }),
        (Some(_), None) => Err(Refusal::Resolution { meter, problem: "say what became of the open sale" }),
        (Some((sale, amount, Some(begun))), Some(SaleResolution::Applied)) => {
            let Begun { new_count: count, hold, .. } = begun;
            draft.push(Fact::SaleApplied { sale, meter, amount, hold, count, proof: Proof::Operator })?;
            Ok(())
        }
        (Some(_), Some(_)) => sales::void(draft, meter, VoidCause::Operator),
    }
}

fn resolve_sale(draft: &mut Draft<'_>, meter: MeterNumber, resolution: Option<SaleResolution>) -> Result<(), Refusal> {
    let open = draft.meter(meter)?.sale().filter(|open| open.phase == Phase::Quarantined);
    let begun = open.and_then(|open| open.begun.map(|begun| (open.id, open.amount, begun)));
    match (begun, resolution) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(Refusal::Resolution { meter, problem: "no sale is open that could be resolved" }),
        (Some(_), None) => Err(Refusal::Resolution { meter, problem: "say what became of the open sale" }),
        (Some((sale, amount, begun)), Some(SaleResolution::Applied)) => {
            let Begun { new_count: count, hold, .. } = begun;
            draft.push(Fact::SaleApplied { sale, meter, amount, hold, count, proof: Proof::Operator })?;
            Ok(())
        }
        (Some(_), Some(SaleResolution::NotApplied)) => sales::void(draft, meter, VoidCause::Operator),
    }
}

/// Charges the energy used while the meter was not trusted, if its registers still tell; the balance says nothing about
/// it, so what it is off goes to suspense.
fn book_quarantined(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    reading: &MeterReading,
    pricer: &dyn Pricer,
) -> Result<(), Refusal> {
    let terms = *draft.terms()?;
    if settle::make_room(draft, meter, i64::MAX, pricer).is_err() {
        return Ok(());
    }
    let state = draft.meter(meter)?;
    let last = state.series().last_measured();
    let before = (&last.energy, last.taken_utc_s);
    let Ok(usage) = usage_between(before, (&reading.energy, reading.taken.utc_s), &state.terms().registers) else {
        return Ok(());
    };
    let usage = usage.times(state.terms().ratio);
    let Ok(priced) = settle::priced(draft, meter, reading, usage, pricer) else { return Ok(()) };
    let charge = Money::quantise(priced.cumulative, terms.currency)?.amount.minus(state.charged)?;
    let tax = Money::quantise(priced.cumulative_tax, terms.currency)?.amount.minus(state.taxed)?;
    if usage.is_zero() && charge.is_zero() && tax.is_zero() {
        return Ok(());
    }
    draft.push(Fact::Settled(Settled {
        meter,
        in_meter: terms.purse == Purse::InMeter,
        shown: Evidence::from(reading),
        usage,
        charge,
        tax,
        booked: charge,
        difference: DifferenceKind::Rounding,
        tariff_version: priced.tariff_version,
        pricer: priced.state,
        source: Source::Measured,
    }))?;
    Ok(())
}
