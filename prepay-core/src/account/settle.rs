//! Booking consumption: what left the purse, what the tariff charges, and where the difference goes.

use alloc::boxed::Box;

use super::draft::Draft;
use super::event::Fact;
use super::meter_state::point;
use super::observe;
use super::quarantine::QuarantineReason;
use super::refusal::Refusal;
use super::settled::{DifferenceKind, Settled};
use super::terms::Purse;
use crate::id::MeterNumber;
use crate::money::Money;
use crate::reading::MeterReading;
use crate::sale::Evidence;
use crate::series::Source;
use crate::settlement::{PriceRequest, Priced, Pricer, Usage, usage_between};

/// Looks at a reading as a poll does, then books it.
pub(super) fn settle_now(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    reading: &MeterReading,
    pricer: &dyn Pricer,
) -> Result<(), Refusal> {
    if draft.meter(meter)?.quarantine().is_some() {
        return Err(Refusal::Quarantined { meter });
    }
    observe::take_in(draft, meter, reading, pricer)?;
    if draft.meter(meter)?.quarantine().is_none() {
        book(draft, meter, reading, pricer)?;
    }
    observe::assess(draft, meter, reading, pricer)
}

/// The energy since the last booking; quarantines the meter when a register can't be believed.
pub(super) fn usage_since_settled(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    reading: &MeterReading,
) -> Result<Option<Usage>, Refusal> {
    let state = draft.meter(meter)?;
    let last = state.series().last_measured();
    let before = (&last.energy, last.taken_utc_s);
    let after = (&reading.energy, reading.taken.utc_s);
    match usage_between(before, after, &state.terms().registers) {
        Ok(usage) => Ok(Some(usage.times(state.terms().ratio))),
        Err(bad) => {
            observe::quarantine(draft, meter, QuarantineReason::Register(bad), reading)?;
            Ok(None)
        }
    }
}

/// Books the consumption up to a reading that was taken in and is trusted.
pub(super) fn book(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    reading: &MeterReading,
    pricer: &dyn Pricer,
) -> Result<(), Refusal> {
    make_room(draft, meter, i64::MAX, pricer)?;
    let Some(usage) = usage_since_settled(draft, meter, reading)? else { return Ok(()) };
    let terms = *draft.terms()?;
    let state = draft.meter(meter)?;
    let in_meter = terms.purse == Purse::InMeter;
    let fall = if in_meter { state.purse().minus(reading.balance)? } else { Money::ZERO };
    if in_meter && fall.is_zero() && usage.is_zero() {
        return Ok(());
    }
    if usage.is_zero() && !in_meter && !state.series().ends_estimated() {
        return Ok(());
    }
    let priced = priced(draft, meter, reading, usage, pricer)?;
    // The cumulative charge is rounded, not the step: so steps of any size add up to the same amount.
    let charge = Money::quantise(priced.cumulative, terms.currency)?.amount.minus(state.charged)?;
    let tax = Money::quantise(priced.cumulative_tax, terms.currency)?.amount.minus(state.taxed)?;
    let booked = if in_meter { fall } else { charge };
    if charge.is_zero() && tax.is_zero() && booked.is_zero() && usage.is_zero() {
        return Ok(());
    }
    let limit = u64::from(usage.priced_registers());
    let difference = match (booked.minus(charge)?.magnitude() > limit, state.overwritten) {
        (false, _) => DifferenceKind::Rounding,
        (true, true) => DifferenceKind::Overwrite,
        (true, false) => DifferenceKind::PriceLag,
    };
    draft.push(Fact::Settled(Settled {
        meter,
        in_meter,
        shown: Evidence::from(reading),
        usage,
        charge,
        tax,
        booked,
        difference,
        tariff_version: priced.tariff_version,
        pricer: priced.state,
        source: Source::Measured,
    }))?;
    Ok(())
}

/// The price of a reading. After an estimate the whole series is priced anew without it.
pub(super) fn priced(
    draft: &Draft<'_>,
    meter: MeterNumber,
    reading: &MeterReading,
    usage: Usage,
    pricer: &dyn Pricer,
) -> Result<Priced, Refusal> {
    let state = draft.meter(meter)?;
    if state.series().ends_estimated() {
        let mut series = state.series().clone();
        series.put(point(&Evidence::from(reading), Source::Measured, state.terms().ratio));
        return Ok(series.price(draft.id(), meter, &state.terms().registers, pricer)?);
    }
    let request = PriceRequest { account: draft.id(), meter, state: state.pricer_state(), usage };
    Ok(pricer.price(&request)?)
}

/// Moves the fixed point of a full series on, for a reading of this time.
pub(super) fn make_room(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    taken_utc_s: i64,
    pricer: &dyn Pricer,
) -> Result<(), Refusal> {
    let state = draft.meter(meter)?;
    let series = state.series();
    if series.is_full() {
        let first = series.points().first().map(|point| point.taken_utc_s);
        if let Some(base_utc_s) = first.filter(|first| taken_utc_s <= *first) {
            return Err(Refusal::ReadingTooOld { taken_utc_s, base_utc_s });
        }
        let series = Box::new(series.moved_on(taken_utc_s, draft.id(), meter, &state.terms().registers, pricer)?);
        draft.push(Fact::SeriesMovedOn { meter, series })?;
    }
    Ok(())
}

/// Whether the first poll of a day is to be booked.
pub(super) fn is_due(draft: &Draft<'_>, meter: MeterNumber, reading: &MeterReading) -> Result<bool, Refusal> {
    let Some(at_s) = draft.terms()?.post_daily_at_s else { return Ok(false) };
    let day = |utc_s: i64| utc_s.saturating_sub(i64::from(at_s)).div_euclid(86_400);
    Ok(day(reading.taken.utc_s) > day(draft.meter(meter)?.settled().taken.utc_s))
}
