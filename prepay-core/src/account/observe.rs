//! What a poll means: contact, evidence, credit, relay, disagreements.

use super::draft::Draft;
use super::event::Fact;
use super::quarantine::QuarantineReason;
use super::refusal::Refusal;
use super::terms::Purse;
use super::{orders, refunds, sales, settle};
use crate::bend;
use crate::bend::Bend;
use crate::finding::{Finding, FindingKind};
use crate::id::MeterNumber;
use crate::money::Money;
use crate::reading::{COUNT_BEHIND, Force, MeterReading};
use crate::refund::RefundPhase;
use crate::sale::{Evidence, Phase};
use crate::settlement::{PriceRequest, Pricer, usage_between};
use crate::status::{Credit, Link, Load};

pub(super) fn observe(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    reading: &MeterReading,
    pricer: &dyn Pricer,
) -> Result<(), Refusal> {
    take_in(draft, meter, reading, pricer)?;
    let trusted =
        draft.account().meter(meter).is_some_and(|state| state.quarantine().is_none() && state.carry.is_none());
    if trusted && settle::is_due(draft, meter, reading)? {
        sales::book_if_priced(draft, meter, reading, pricer)?;
    }
    assess(draft, meter, reading, pricer)
}

/// Order in time, contact, and what the reading says about money.
pub(super) fn take_in(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    reading: &MeterReading,
    pricer: &dyn Pricer,
) -> Result<(), Refusal> {
    check_time(draft, meter, reading)?;
    if let Some(new) = draft.meter(meter)?.replaced_by() {
        return Err(Refusal::BeingReplaced { meter, new });
    }
    touch(draft, meter)?;
    let state = draft.meter(meter)?;
    if state.quarantine().is_some() {
        return Ok(());
    }
    let is = |rule| bend::is(draft.account(), rule);
    let taking_over = state.carry.is_some();
    let any_meter = is(Bend::OtherMeterIgnored) || (is(Bend::RefundOtherMeterIgnored) && state.refund().is_some());
    if reading.meter != meter && !any_meter {
        return quarantine(draft, meter, QuarantineReason::OtherMeter { shown: reading.meter }, reading);
    }
    if draft.terms()?.purse == Purse::AtStation {
        // The credit in such a meter is not used; its count says nothing about money.
        return Ok(());
    }
    let begun = state.sale().is_some_and(|sale| sale.begun.is_some());
    let refunding = state.refund().is_some_and(|refund| refund.begun.is_some());
    let advanced = bend::advanced(draft.account(), state.count(), reading.purchase_count);
    match advanced {
        // What a new meter shows before it takes over is nobody's credit.
        _ if taking_over && !refunding => Ok(()),
        0 if taking_over => Ok(()),
        // With a sale under way a poll may be older than the frame: only a read-back says "not applied".
        0 => {
            let rise = reading.balance.minus(state.purse())?;
            if rise.is_positive() && !is(Bend::RiseIgnored) {
                quarantine(draft, meter, QuarantineReason::BalanceRose { by: rise }, reading)
            } else {
                Ok(())
            }
        }
        _ if begun => sales::conclude(draft, meter, reading, pricer),
        _ if refunding => refunds::conclude(draft, meter, reading, pricer),
        1 if is(Bend::ForeignWriteIgnored) => Ok(()),
        1 => {
            let off_by = reading.balance.minus(state.purse())?;
            quarantine(draft, meter, QuarantineReason::ForeignWrite { off_by }, reading)
        }
        writes if writes < COUNT_BEHIND => {
            quarantine(draft, meter, QuarantineReason::UnexplainedWrites { writes }, reading)
        }
        _ => {
            let shown = reading.purchase_count;
            quarantine(draft, meter, QuarantineReason::CountWentBack { shown }, reading)
        }
    }
}

/// A reading counts once, in the order in which it was taken, and not before it was taken.
pub(super) fn check_time(draft: &Draft<'_>, meter: MeterNumber, reading: &MeterReading) -> Result<(), Refusal> {
    let (taken_mono_ms, now_mono_ms) = (reading.taken.mono_ms, draft.now.mono_ms);
    if taken_mono_ms > now_mono_ms {
        return Err(Refusal::ReadingFromFuture { taken_mono_ms, now_mono_ms });
    }
    match draft.meter(meter)?.marks.latest_reading_ms {
        Some(latest_mono_ms) if taken_mono_ms < latest_mono_ms => {
            Err(Refusal::ReadingOlder { taken_mono_ms, latest_mono_ms })
        }
        _ => Ok(()),
    }
}

/// The meter was heard. Remembers whether it had been lost, for [`assess`] of the same decision.
fn touch(draft: &mut Draft<'_>, meter: MeterNumber) -> Result<(), Refusal> {
    let from = draft.meter(meter)?.link();
    if from != Link::Fresh {
        draft.push(Fact::LinkChanged { meter, from, to: Link::Fresh })?;
        draft.heard_again = true;
    }
    Ok(())
}

pub(super) fn quarantine(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    reason: QuarantineReason,
    reading: &MeterReading,
) -> Result<(), Refusal> {
    draft.push(Fact::MeterQuarantined { meter, reason, shown: Evidence::from(reading) })?;
    Ok(())
}

/// Credit, lapsed orders, relay and disagreements after the money part of a reading.
pub(super) fn assess(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    reading: &MeterReading,
    pricer: &dyn Pricer,
) -> Result<(), Refusal> {
    if reading.meter != meter || draft.account().meter(meter).is_none() {
        // What another meter shows says nothing about this one; and a replacement that was rolled back has let it go.
        return Ok(());
    }
    let state = draft.meter(meter)?;
    if state.quarantine().is_none() && state.carry.is_none() {
        match draft.terms()?.purse {
            Purse::InMeter => assess_meter_credit(draft, meter, reading.balance)?,
            Purse::AtStation => assess_accrued(draft, meter, reading, pricer)?,
        }
    }
    orders::lapse(draft, meter)?;
    orders::refresh(draft, meter)?;
    assess_supply(draft, meter, reading)
}

/// The first reading of an opened account.
pub(super) fn assess_opening(draft: &mut Draft<'_>, reading: &MeterReading) -> Result<(), Refusal> {
    if draft.terms()?.purse == Purse::InMeter {
        assess_meter_credit(draft, reading.meter, reading.balance)?;
    }
    assess_supply(draft, reading.meter, reading)
}

fn assess_meter_credit(draft: &mut Draft<'_>, meter: MeterNumber, balance: Money) -> Result<(), Refusal> {
    let from = draft.meter(meter)?.credit;
    let to = draft.terms()?.levels.level(from, balance);
    if from != to {
        let (meter, available, accrued) = (Some(meter), balance, Money::ZERO);
        draft.push(Fact::CreditChanged { meter, from, to, available, accrued })?;
    }
    Ok(())
}

/// Credit at the station less what the reading adds to the bill.
fn assess_accrued(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    reading: &MeterReading,
    pricer: &dyn Pricer,
) -> Result<(), Refusal> {
    let Some(usage) = settle::usage_since_settled(draft, meter, reading)? else { return Ok(()) };
    let terms = *draft.terms()?;
    let state = draft.meter(meter)?;
    let mut accrued = Money::ZERO;
    let estimated = state.series().ends_estimated();
    if !usage.is_zero() || estimated {
        let request = PriceRequest { account: draft.id(), meter, state: state.pricer_state(), usage };
        let cumulative = if estimated {
            settle::priced(draft, meter, reading, usage, pricer).map(|priced| priced.cumulative)
        } else {
            pricer.cumulative(&request).map_err(Refusal::from)
        };
        let Ok(cumulative) = cumulative else {
            // A missing price must not keep the station from seeing the meter and obeying orders.
            return note(draft, meter, FindingKind::NoPrice, Some(Finding::NoPrice));
        };
        accrued = Money::quantise(cumulative, terms.currency)?.amount.minus(state.charged)?;
    }
    note(draft, meter, FindingKind::NoPrice, None)?;
    let account = draft.account();
    let of_others = account.meters().iter().filter(|other| other.number() != meter).map(|other| other.accrued);
    let available = account.purse().minus(account.debts.billed()?)?.minus(Money::sum(of_others)?)?.minus(accrued)?;
    let from = account.credit;
    let to = station_level(draft, available)?;
    if from != to {
        draft.push(Fact::CreditChanged { meter: Some(meter), from, to, available, accrued })?;
        refresh_all(draft)?;
    }
    Ok(())
}

/// Credit at the station: what was accrued when it was looked at last counts.
pub(super) fn station_credit(draft: &Draft<'_>) -> Result<Money, Refusal> {
    let account = draft.account();
    let accrued = Money::sum(account.meters().iter().map(|meter| meter.accrued))?;
    Ok(account.purse().minus(account.debts.billed()?)?.minus(accrued)?)
}

/// The level of credit at the station after a payment or a booking.
pub(super) fn assess_purse(draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let available = station_credit(draft)?;
    let from = draft.account().credit;
    let to = station_level(draft, available)?;
    if from != to {
        draft.push(Fact::CreditChanged { meter: None, from, to, available, accrued: Money::ZERO })?;
        refresh_all(draft)?;
    }
    Ok(())
}

/// The level of credit at the station: an overdue bill is arrears, emergency credit that was taken delays them.
fn station_level(draft: &Draft<'_>, available: Money) -> Result<Credit, Refusal> {
    let (account, levels) = (draft.account(), draft.terms()?.levels);
    if account.debts.overdue(draft.now.utc_s) {
        return Ok(Credit::Arrears);
    }
    let level = levels.level(account.credit, available);
    let floor = levels.cut_at().minus(account.emergency.unwrap_or(Money::ZERO))?;
    let keeps = level == Credit::Arrears && account.emergency.is_some() && available > floor;
    Ok(if keeps { Credit::Emergency } else { level })
}

fn refresh_all(draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let mut index = 0_usize;
    while let Some(meter) = draft.account().meters().get(index).map(super::MeterState::number) {
        orders::refresh(draft, meter)?;
        index = index.saturating_add(1);
    }
    Ok(())
}

fn assess_supply(draft: &mut Draft<'_>, meter: MeterNumber, reading: &MeterReading) -> Result<(), Refusal> {
    let state = draft.meter(meter)?;
    let (closed, load) = (state.relay_closed, state.load);
    if closed != Some(reading.relay_closed) {
        draft.push(Fact::RelayMoved { meter, closed: reading.relay_closed })?;
    }
    let now_load = if reading.flags.overload && !reading.relay_closed { Load::Tripped } else { Load::Normal };
    if load != now_load {
        draft.push(Fact::LoadChanged { meter, to: now_load })?;
    }
    orders::follow(draft, meter, reading)?;
    verify_cut(draft, meter, reading)?;
    disagreements(draft, meter, reading)
}

/// Whether lack of credit explains an open relay, and whether supply came back after it.
fn verify_cut(draft: &mut Draft<'_>, meter: MeterNumber, reading: &MeterReading) -> Result<(), Refusal> {
    let terms = *draft.terms()?;
    let autonomous = draft.heard_again && terms.purse == Purse::InMeter;
    let state = draft.meter(meter)?;
    let without_credit = match terms.purse {
        Purse::InMeter => reading.force == Force::Automatic && reading.balance <= terms.levels.cut_at(),
        Purse::AtStation => {
            let order = state.order();
            order.confirmed && order.decided.force == Force::Off && order.decided.cause == crate::relay::Cause::Arrears
        }
    };
    if !state.is_cut() && !reading.relay_closed && without_credit {
        draft.push(Fact::CutVerified { meter, autonomous })?;
    } else if state.is_cut() && reading.relay_closed {
        draft.push(Fact::RestoreVerified { meter, autonomous })?;
    }
    Ok(())
}

/// What the meter shows against what it should show. Only clear cases: a balance at a threshold is left alone.
fn disagreements(draft: &mut Draft<'_>, meter: MeterNumber, reading: &MeterReading) -> Result<(), Refusal> {
    let terms = *draft.terms()?;
    let in_meter = terms.purse == Purse::InMeter;
    let state = draft.meter(meter)?;
    let order = *state.order();
    let (closed, balance) = (reading.relay_closed, reading.balance);
    let automatic = reading.force == Force::Automatic;
    let cut_at = terms.levels.cut_at();
    let prepaid = in_meter && automatic && reading.prepaid_enabled;

    let not_cut = prepaid && balance < cut_at && closed;
    let has_credit = if in_meter { balance > cut_at } else { true };
    let not_restored = automatic && has_credit && !closed && !reading.flags.overload;
    let flag = reading.flags.arrears;
    let arrears_flag = in_meter && ((flag && balance > Money::ZERO) || (!flag && balance < cut_at));
    let other_force = order.confirmed && reading.force != order.decided.force;
    let relay_open_when_on = reading.force == Force::On && !closed && !reading.flags.overload;
    let relay_closed_when_off = reading.force == Force::Off && closed;
    let prepaid_wrong = reading.prepaid_enabled != in_meter;

    let rates_off = rates_off_total(state, reading);
    let drift = state.drift();
    let passed = |sum: Money, limit: Option<Money>| limit.is_some_and(|limit| sum.magnitude() > limit.magnitude());
    let drifted = passed(drift.sum, terms.price_lag_limit) || passed(drift.rounding, terms.rounding_limit);
    let drift_limit = Finding::DriftLimit { price_lag: drift.sum, rounding: drift.rounding };

    let found = [
        (FindingKind::RatesAgainstTotal, rates_off),
        (FindingKind::DriftLimit, drifted.then_some(drift_limit)),
        (FindingKind::NotCut, not_cut.then_some(Finding::NotCut)),
        (FindingKind::NotRestored, not_restored.then_some(Finding::NotRestored)),
        (FindingKind::ArrearsFlag, arrears_flag.then_some(Finding::ArrearsFlag { flag, balance })),
        (
            FindingKind::Force,
            other_force.then_some(Finding::Force { desired: order.decided.force, reported: reading.force }),
        ),
        (
            FindingKind::Relay,
            (relay_open_when_on || relay_closed_when_off).then_some(Finding::Relay { force: reading.force, closed }),
        ),
        (
            FindingKind::PrepaidFunction,
            prepaid_wrong.then_some(Finding::PrepaidFunction { enabled: reading.prepaid_enabled }),
        ),
    ];
    if state.suspicions().is_empty() && found.iter().all(|(_, finding)| finding.is_none()) {
        return Ok(());
    }
    for (kind, finding) in found {
        note(draft, meter, kind, finding)?;
    }
    Ok(())
}

fn rates_off_total(state: &super::MeterState, reading: &MeterReading) -> Option<Finding> {
    let last = state.series().last_measured();
    let (before, after) = ((&last.energy, last.taken_utc_s), (&reading.energy, reading.taken.utc_s));
    let usage = usage_between(before, after, &state.terms().registers).ok()?;
    let total = usage.total_centi_kwh;
    usage.rates_off_total().map(|rates| Finding::RatesAgainstTotal { total, rates })
}

/// A disagreement is seen first, reported when it has lasted, and cleared when it is over.
fn note(draft: &mut Draft<'_>, meter: MeterNumber, kind: FindingKind, finding: Option<Finding>) -> Result<(), Refusal> {
    let grace_s = i64::from(draft.terms()?.grace_s);
    let known = draft.meter(meter)?.suspicions().iter().find(|suspicion| suspicion.kind == kind).copied();
    match (known, finding) {
        (None, Some(_)) => draft.push(Fact::DisagreementSeen { meter, kind })?,
        (Some(suspicion), Some(finding))
            if !suspicion.raised && draft.now.utc_s.saturating_sub(suspicion.since_utc_s) >= grace_s =>
        {
            draft.push(Fact::FindingRaised { meter, finding })?;
            if kind == FindingKind::Force {
                orders::reassert(draft, meter)?;
            }
        }
        (Some(_), None) => draft.push(Fact::FindingCleared { meter, kind })?,
        _ => {}
    }
    Ok(())
}

/// Whether a reading taken at `taken_mono_ms` is behind the fence of the open sale.
pub(super) fn behind_fence(draft: &Draft<'_>, meter: MeterNumber, taken_mono_ms: u64) -> Result<bool, Refusal> {
    let life_ms = draft.terms()?.sale.frame_life_ms;
    let state = draft.meter(meter)?;
    let fencing = state.sale().is_some_and(|sale| matches!(sale.phase, Phase::Fencing { .. }))
        || state.refund().is_some_and(|refund| matches!(refund.phase, RefundPhase::Fencing { .. }));
    let closed = state.marks.fence_closed_ms;
    Ok(fencing
        && closed.is_some_and(|closed| {
            bend::is(draft.account(), Bend::FenceWithoutWait) || taken_mono_ms.saturating_sub(closed) > life_ms
        }))
}
