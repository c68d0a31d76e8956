//! The steps of a sale, from the payment to the verdict.

use alloc::vec::Vec;

use super::command::ReadBack;
use super::draft::Draft;
use super::effect::Effect;
use super::event::Fact;
use super::meter_state::MeterState;
use super::posting::first_transfer;
use super::quarantine::QuarantineReason;
use super::refusal::Refusal;
use super::state::Account;
use super::{observe, refunds, settle};
use crate::bend;
use crate::bend::Bend;
use crate::id::{MeterNumber, OperatorId, Reason, SaleId};
use crate::money::Money;
use crate::reading::MeterReading;
use crate::sale::{
    Begun, Evidence, Next, OpenSale, Phase, Proof, SendOutcome, Verdict, VoidCause, VoidRequest, verdict,
};
use crate::settlement::{Pricer, usage_between};
use crate::time::Now;

pub(super) fn begin(
    draft: &mut Draft<'_>,
    sale: SaleId,
    reading: &MeterReading,
    pricer: &dyn Pricer,
) -> Result<(), Refusal> {
    let (meter, open) = find(draft.account(), sale)?;
    if open.phase != Phase::Requested {
        return Err(step(open, "begin"));
    }
    let amount = open.amount;
    if draft.meter(meter)?.quarantine().is_some() {
        return Err(Refusal::Quarantined { meter });
    }
    observe::take_in(draft, meter, reading, pricer)?;
    if draft.meter(meter)?.quarantine().is_none() {
        book_if_priced(draft, meter, reading, pricer)?;
    }
    observe::assess(draft, meter, reading, pricer)?;
    let state = draft.meter(meter)?;
    if state.quarantine().is_some() {
        // The evidence does not fit the books: nothing is sent. The sale waits for the operator.
        return Ok(());
    }
    let new_count = state.count().wrapping_add(1);
    // What is held contains this sale. A hold that the books refuse would leave it waiting for good.
    let account = draft.account();
    if account.purse.minus(account.held)?.is_negative() {
        return void(draft, meter, VoidCause::NotCovered);
    }
    let hold = first_transfer(draft.id(), draft.next_seq());
    let before = Evidence::from(reading);
    draft.push(Fact::SaleBegun { sale, meter, amount, before, new_count, hold })?;
    draft.effect(Effect::SendPurchase { sale, meter, amount, new_count, frame: 1 });
    Ok(())
}

/// A missing price never stands in the way of a sale: the same energy is booked by the next settlement, which refuses
/// loudly.
pub(super) fn book_if_priced(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    reading: &MeterReading,
    pricer: &dyn Pricer,
) -> Result<(), Refusal> {
    match settle::book(draft, meter, reading, pricer) {
        Err(Refusal::Pricer(_)) => Ok(()),
        other => other,
    }
}

pub(super) fn sent(draft: &mut Draft<'_>, sale: SaleId, outcome: SendOutcome) -> Result<(), Refusal> {
    let (meter, open) = find(draft.account(), sale)?;
    if open.phase != Phase::Sending {
        return Err(step(open, "sent"));
    }
    draft.push(Fact::SaleSent { sale, meter, outcome })?;
    let policy = draft.terms()?.sale;
    let (_, open) = find(draft.account(), sale)?;
    if outcome == SendOutcome::ReplySeen && bend::is(draft.account(), Bend::ReplyIsSuccess) {
        return believe_applied(draft, meter);
    }
    if outcome == SendOutcome::NoReply && bend::is(draft.account(), Bend::NoReplyIsFailure) {
        return void(draft, meter, VoidCause::NeverSent);
    }
    if open.void.is_some() && open.frames == 0 {
        return void(draft, meter, VoidCause::NeverSent);
    }
    let not_before_mono_ms = draft.now.mono_after(policy.wait_after_ms(outcome, open.failures));
    draft.effect(Effect::ReadBack { sale, meter, not_before_mono_ms });
    Ok(())
}

pub(super) fn read_back(
    draft: &mut Draft<'_>,
    sale: SaleId,
    read_back: &ReadBack,
    pricer: &dyn Pricer,
) -> Result<(), Refusal> {
    let (meter, open) = find(draft.account(), sale)?;
    match open.phase {
        Phase::Requested => return Err(step(open, "read back")),
        Phase::Quarantined => return Err(Refusal::Quarantined { meter }),
        Phase::Sending | Phase::ReadingBack | Phase::Fencing { .. } => {}
    }
    match read_back {
        ReadBack::Unreadable => unreadable(draft, meter, sale),
        ReadBack::Reading(reading) => {
            observe::take_in(draft, meter, reading, pricer)?;
            let state = draft.meter(meter)?;
            let still_open = state.sale().is_some_and(|open| open.id == sale) && state.quarantine().is_none();
            if still_open {
                // Not concluded by the count: it is as before.
                not_applied(draft, meter, reading)?;
            }
            observe::assess(draft, meter, reading, pricer)
        }
    }
}

fn unreadable(draft: &mut Draft<'_>, meter: MeterNumber, sale: SaleId) -> Result<(), Refusal> {
    if bend::is(draft.account(), Bend::UnknownIsApplied) {
        return believe_applied(draft, meter);
    }
    if bend::is(draft.account(), Bend::UnknownIsNotApplied) {
        draft.push(Fact::SaleNotApplied { sale, meter, next: Next::SendAgain, residual_risk: true })?;
        return send_frame(draft, meter);
    }
    let (_, open) = find(draft.account(), sale)?;
    let failures = open.failures.saturating_add(1);
    draft.push(Fact::SaleUnknown { sale, meter, failures })?;
    let wait_ms = draft.terms()?.sale.probe_wait_ms(failures);
    let not_before = draft.now.mono_after(wait_ms);
    let next = next_step(draft.account(), draft.meter(meter)?, draft.now).map(|effect| match effect {
        Effect::ReadBack { sale, meter, not_before_mono_ms } => {
            Effect::ReadBack { sale, meter, not_before_mono_ms: not_before_mono_ms.max(not_before) }
        }
        other => other,
    });
    next.into_iter().for_each(|effect| draft.effect(effect));
    Ok(())
}

/// What a broken core does: takes the sale for applied without evidence.
fn believe_applied(draft: &mut Draft<'_>, meter: MeterNumber) -> Result<(), Refusal> {
    let open = draft.meter(meter)?.sale();
    let Some(OpenSale { id, amount, begun: Some(begun), .. }) = open else { return Ok(()) };
    let (sale, amount, hold, count) = (*id, *amount, begun.hold, begun.new_count);
    draft.push(Fact::SaleApplied { sale, meter, amount, hold, count, proof: Proof::Amount })?;
    Ok(())
}

/// Judges a reading whose count differs from the one before the sale.
pub(super) fn conclude(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    reading: &MeterReading,
    pricer: &dyn Pricer,
) -> Result<(), Refusal> {
    let currency = draft.terms()?.currency;
    let state = draft.meter(meter)?;
    let Some((open, begun)) = state.sale().and_then(|open| open.begun.map(|begun| (open, begun))) else {
        return Ok(());
    };
    let (sale, amount, terms) = (open.id, open.amount, state.terms());
    let Begun { before, hold, .. } = begun;
    let between =
        usage_between((&before.energy, before.taken.utc_s), (&reading.energy, reading.taken.utc_s), &terms.registers);
    let used = match (between, terms.confirmed_prices) {
        (Ok(usage), _) if usage.is_zero() => Some(Money::ZERO),
        (Ok(usage), Some(prices)) => prices.charge(&usage, currency),
        _ => None,
    };
    let used = if bend::is(draft.account(), Bend::UseIsIgnored) { Some(Money::ZERO) } else { used };
    let judged = verdict(meter, &before, amount, used, terms.tolerance, Some(reading));
    let reason = match bend::verdict(draft.account(), judged, before.purchase_count, reading.purchase_count) {
        Verdict::Applied(proof) => {
            let count = reading.purchase_count;
            draft.push(Fact::SaleApplied { sale, meter, amount, hold, count, proof })?;
            return book_if_priced(draft, meter, reading, pricer);
        }
        Verdict::NotApplied | Verdict::Unknown => return Ok(()),
        Verdict::Foreign { off_by } => QuarantineReason::ForeignWrite { off_by },
        Verdict::Unexplained { writes } => QuarantineReason::UnexplainedWrites { writes },
        Verdict::CountWentBack { shown } => QuarantineReason::CountWentBack { shown },
        Verdict::OtherMeter { shown } => QuarantineReason::OtherMeter { shown },
    };
    observe::quarantine(draft, meter, reason, reading)
}

fn not_applied(draft: &mut Draft<'_>, meter: MeterNumber, reading: &MeterReading) -> Result<(), Refusal> {
    let policy = draft.terms()?.sale;
    let behind_fence = observe::behind_fence(draft, meter, reading.taken.mono_ms)?;
    let state = draft.meter(meter)?;
    let Some(open) = state.sale() else { return Ok(()) };
    if bend::is(draft.account(), Bend::NotAppliedIsApplied) {
        return believe_applied(draft, meter);
    }
    let rule = state.terms().equal_count;
    let next = bend::next(draft.account(), open.next_when_not_applied(rule, &policy, behind_fence));
    let waits_already = matches!((open.phase, next), (Phase::Fencing { .. }, Next::Fence { .. }));
    if !waits_already {
        let residual_risk =
            next == Next::SendAgain && rule == crate::sale::EqualCountRule::AnyCountAdds && open.frames > 0;
        draft.push(Fact::SaleNotApplied { sale: open.id, meter, next, residual_risk })?;
    }
    match next {
        Next::Void => {
            let cause = if behind_fence { VoidCause::Fenced } else { VoidCause::NeverSent };
            void(draft, meter, cause)
        }
        Next::SendAgain => send_frame(draft, meter),
        Next::Fence { .. } => {
            let effect = next_step(draft.account(), draft.meter(meter)?, draft.now);
            effect.into_iter().for_each(|effect| draft.effect(effect));
            Ok(())
        }
    }
}

/// The identical frame once more. The fact that allows it was recorded before, so the frame is counted already.
fn send_frame(draft: &mut Draft<'_>, meter: MeterNumber) -> Result<(), Refusal> {
    let open = draft.meter(meter)?.sale();
    let Some(OpenSale { id, amount, frames, begun: Some(begun), .. }) = open else { return Ok(()) };
    let (sale, amount, frame) = (*id, *amount, *frames);
    let shift = if bend::is(draft.account(), Bend::NewCountEachFrame) { frame.saturating_sub(1) } else { 0 };
    let new_count = begun.new_count.wrapping_add(u16::from(shift));
    draft.effect(Effect::SendPurchase { sale, meter, amount, new_count, frame });
    Ok(())
}

pub(super) fn void(draft: &mut Draft<'_>, meter: MeterNumber, cause: VoidCause) -> Result<(), Refusal> {
    let Some(open) = draft.meter(meter)?.sale() else { return Ok(()) };
    let (sale, amount, hold) = (open.id, open.amount, open.begun.map(|begun| begun.hold));
    draft.push(Fact::SaleVoided { sale, meter, amount, hold, cause })?;
    Ok(())
}

pub(super) fn probe_due(draft: &mut Draft<'_>, sale: SaleId) -> Result<(), Refusal> {
    let (meter, open) = find(draft.account(), sale)?;
    if open.phase == Phase::Quarantined {
        return Err(Refusal::Quarantined { meter });
    }
    let effect = next_step(draft.account(), draft.meter(meter)?, draft.now);
    effect.into_iter().for_each(|effect| draft.effect(effect));
    Ok(())
}

pub(super) fn fence_closed(draft: &mut Draft<'_>, sale: SaleId) -> Result<(), Refusal> {
    let (meter, open) = find(draft.account(), sale)?;
    if !matches!(open.phase, Phase::Fencing { .. }) {
        return Err(step(open, "fence closed"));
    }
    let mono_ms = draft.now.mono_ms;
    draft.push(Fact::SaleFenceClosed { sale, meter, mono_ms })?;
    let effect = next_step(draft.account(), draft.meter(meter)?, draft.now);
    effect.into_iter().for_each(|effect| draft.effect(effect));
    Ok(())
}

pub(super) fn request_void(draft: &mut Draft<'_>, sale: SaleId, by: OperatorId, why: &Reason) -> Result<(), Refusal> {
    let (meter, open) = find(draft.account(), sale)?;
    if open.phase == Phase::Quarantined {
        return Err(Refusal::Quarantined { meter });
    }
    let nothing_left = match open.phase {
        Phase::Requested => true,
        Phase::ReadingBack => open.frames == 0,
        Phase::Sending | Phase::Fencing { .. } | Phase::Quarantined => false,
    };
    if open.void.is_none() {
        let request = VoidRequest { by, why: why.clone() };
        draft.push(Fact::SaleVoidRequested { sale, meter, request })?;
    }
    if nothing_left { void(draft, meter, VoidCause::NeverSent) } else { probe_due(draft, sale) }
}

/// What there is to do for the open sale of a meter, whatever was under way. Never a frame.
pub(super) fn next_step(account: &Account, state: &MeterState, now: Now) -> Option<Effect> {
    let open = state.sale()?;
    let (sale, meter) = (open.id, state.number());
    let life_ms = account.terms()?.sale.frame_life_ms;
    Some(match (open.phase, state.marks.fence_closed_ms) {
        (Phase::Requested, _) if state.quarantine().is_some() => return None,
        (Phase::Requested, _) => Effect::StartSale { sale, meter },
        (Phase::Sending | Phase::ReadingBack, _) => Effect::ReadBack { sale, meter, not_before_mono_ms: now.mono_ms },
        (Phase::Fencing { .. }, Some(closed_ms)) => {
            // One millisecond past the frame life: the last frame is dead then.
            let behind = closed_ms.saturating_add(life_ms).saturating_add(1);
            Effect::ReadBack { sale, meter, not_before_mono_ms: behind.max(now.mono_ms) }
        }
        (Phase::Fencing { purpose }, None) => Effect::Fence { sale, meter, purpose },
        (Phase::Quarantined, _) => return None,
    })
}

/// Everything that is open, after a restart.
pub(super) fn resume(account: &Account, now: Now) -> Vec<Effect> {
    let mut effects = Vec::new();
    for state in account.meters() {
        effects.extend(next_step(account, state, now));
        effects.extend(refunds::next_step(account, state, now));
        let order = state.order();
        if !order.confirmed {
            let (meter, version) = (state.number(), order.version);
            let (force, cause) = (order.decided.force, order.decided.cause);
            effects.push(Effect::WriteForce { meter, version, force, cause });
        }
    }
    effects
}

fn find(account: &Account, sale: SaleId) -> Result<(MeterNumber, &OpenSale), Refusal> {
    account
        .meter_of_sale(sale)
        .and_then(|state| state.sale().map(|open| (state.number(), open)))
        .ok_or(Refusal::NoSuchSale { sale })
}

fn step(open: &OpenSale, command: &'static str) -> Refusal {
    Refusal::SaleStep { sale: open.id, command, phase: open.phase.name() }
}
