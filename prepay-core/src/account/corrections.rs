//! Readings that come late, are estimated or put right, and a change of the transformers.

use super::draft::Draft;
use super::event::Fact;
use super::refund_requests::Ordered;
use super::refusal::Refusal;
use super::settled::{DifferenceKind, Settled};
use super::terms::{MeterTerms, Purse};
use super::{observe, settle};
use crate::id::MeterNumber;
use crate::money::Money;
use crate::reading::{MeterReading, Rates, Registers};
use crate::sale::Evidence;
use crate::series::{Point, Source};
use crate::settlement::{Pricer, Usage};

/// A reading that was taken before the last one that is booked.
pub(super) fn late(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    energy: Registers,
    taken_utc_s: i64,
    pricer: &dyn Pricer,
) -> Result<(), Refusal> {
    let series = draft.meter(meter)?.series();
    let last_utc_s = series.last().taken_utc_s;
    if taken_utc_s > last_utc_s {
        return Err(Refusal::ReadingNotLate { taken_utc_s, last_utc_s });
    }
    if series.points().iter().any(|point| point.taken_utc_s == taken_utc_s && point.source != Source::Estimated) {
        return Err(Refusal::ReadingKnown { taken_utc_s });
    }
    let after = series.points().iter().find(|point| point.taken_utc_s >= taken_utc_s);
    let ratio = after.map_or(draft.meter(meter)?.terms().ratio, |point| point.ratio);
    correct_by(draft, meter, Point { energy, taken_utc_s, source: Source::Measured, ratio }, None, pricer)
}

/// A reading that was wrong is put right.
pub(super) fn correct(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    energy: Registers,
    taken_utc_s: i64,
    by: Ordered<'_>,
    pricer: &dyn Pricer,
) -> Result<(), Refusal> {
    let series = draft.meter(meter)?.series();
    let known = series.points().iter().find(|point| point.taken_utc_s == taken_utc_s);
    let ratio = known.ok_or(Refusal::NoSuchReading { taken_utc_s })?.ratio;
    correct_by(draft, meter, Point { energy, taken_utc_s, source: Source::Corrected, ratio }, Some(by), pricer)
}

fn correct_by(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    point: Point,
    by: Option<Ordered<'_>>,
    pricer: &dyn Pricer,
) -> Result<(), Refusal> {
    let base_utc_s = draft.meter(meter)?.series().base().taken_utc_s;
    if point.taken_utc_s <= base_utc_s {
        return Err(Refusal::ReadingTooOld { taken_utc_s: point.taken_utc_s, base_utc_s });
    }
    let state = draft.meter(meter)?;
    if state.quarantine().is_some() {
        return Err(Refusal::Quarantined { meter });
    }
    let known = state.series().points().iter().any(|known| known.taken_utc_s == point.taken_utc_s);
    if !known {
        settle::make_room(draft, meter, point.taken_utc_s, pricer)?;
    }
    let terms = *draft.terms()?;
    let state = draft.meter(meter)?;
    let mut series = state.series().clone();
    series.put(point);
    let priced = series.price(draft.id(), meter, &state.terms().registers, pricer)?;
    let charge = Money::quantise(priced.cumulative, terms.currency)?.amount.minus(state.charged())?;
    let tax = Money::quantise(priced.cumulative_tax, terms.currency)?.amount.minus(state.taxed)?;
    let in_meter = terms.purse == Purse::InMeter;
    let (tariff_version, pricer) = (priced.tariff_version, priced.state);
    let by = by.map(|by| (by.operator, by.why.clone()));
    draft.push(Fact::ChargeCorrected { meter, in_meter, point, charge, tax, tariff_version, pricer, by })?;
    if in_meter { Ok(()) } else { observe::assess_purse(draft) }
}

/// Books an estimate over a gap. The next reading that is measured takes its place.
pub(super) fn estimate(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    used: Usage,
    pricer: &dyn Pricer,
) -> Result<(), Refusal> {
    let terms = *draft.terms()?;
    if terms.purse == Purse::InMeter {
        return Err(Refusal::EstimateInMeter { meter });
    }
    settle::make_room(draft, meter, i64::MAX, pricer)?;
    let state = draft.meter(meter)?;
    if state.quarantine().is_some() {
        return Err(Refusal::Quarantined { meter });
    }
    let last = *state.series().last();
    if used.to_utc_s <= last.taken_utc_s || used.to_utc_s > draft.now.utc_s {
        return Err(Refusal::ReadingNotLate { taken_utc_s: used.to_utc_s, last_utc_s: last.taken_utc_s });
    }
    let limits = state.terms().registers;
    let energy = advanced(&last.energy, &used, limits.modulus_centi_kwh)?;
    let ratio = state.terms().ratio;
    let point = Point { energy, taken_utc_s: used.to_utc_s, source: Source::Estimated, ratio };
    let mut series = state.series().clone();
    series.put(point);
    let priced = series.price(draft.id(), meter, &limits, pricer)?;
    let charge = Money::quantise(priced.cumulative, terms.currency)?.amount.minus(state.charged())?;
    let tax = Money::quantise(priced.cumulative_tax, terms.currency)?.amount.minus(state.taxed)?;
    let mut shown: Evidence = *state.settled();
    shown.energy = energy;
    shown.taken.utc_s = used.to_utc_s;
    let usage = Usage { from_utc_s: last.taken_utc_s, ..used }.times(ratio);
    draft.push(Fact::Settled(Settled {
        meter,
        in_meter: false,
        shown,
        usage,
        charge,
        tax,
        booked: charge,
        difference: DifferenceKind::Rounding,
        tariff_version: priced.tariff_version,
        pricer: priced.state,
        source: Source::Estimated,
    }))?;
    observe::assess_purse(draft)
}

/// What the registers would show after this use.
fn advanced(from: &Registers, used: &Usage, modulus: u64) -> Result<Registers, Refusal> {
    let plus = |value: u64, step: u64| value.saturating_add(step).checked_rem(modulus).unwrap_or(0);
    let (before, steps) = (from.rates.as_slice(), used.rates.as_slice());
    if before.len() != steps.len() {
        return Err(Refusal::EstimateRates { given: steps.len(), rates: before.len() });
    }
    let mut values = [0_u64; Rates::MAX];
    for (slot, (value, step)) in values.iter_mut().zip(before.iter().zip(steps)) {
        *slot = plus(*value, *step);
    }
    let kept = values.get(..before.len()).unwrap_or(&values);
    let rates = Rates::new(kept).unwrap_or_default();
    Ok(Registers { total_centi_kwh: plus(from.total_centi_kwh, used.total_centi_kwh), rates })
}

/// Other transformers: what was used until now is booked at the old ratio.
pub(super) fn change_ratio(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    reading: &MeterReading,
    ratio: u32,
    pricer: &dyn Pricer,
) -> Result<(), Refusal> {
    let purse = draft.terms()?.purse;
    let terms = MeterTerms { ratio, ..*draft.meter(meter)?.terms() };
    terms.check_for(purse)?;
    settle::settle_now(draft, meter, reading, pricer)?;
    if draft.meter(meter)?.quarantine().is_some() {
        return Err(Refusal::Quarantined { meter });
    }
    draft.push(Fact::MeterTermsChanged { terms })?;
    Ok(())
}
