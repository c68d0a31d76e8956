//! The steps of a refund or reversal, from the order to the verdict.

use super::command::ReadBack;
use super::draft::Draft;
use super::effect::Effect;
use super::event::Fact;
use super::meter_state::MeterState;
use super::quarantine::{QuarantineReason, SaleResolution};
use super::refund_facts::RefundVoidCause;
use super::refusal::Refusal;
use super::replacing::carried_count;
use super::state::Account;
use super::{observe, orders, receipts, replacing, sales};
use crate::bend::{self, Bend};
use crate::id::{MeterNumber, OperatorId, Reason, RefundId};
use crate::money::Money;
use crate::reading::{Force, MeterReading};
use crate::refund::{
    MoneyWrite, OpenRefund, Overwrite, OverwriteVerdict, RefundBegun, RefundFence, RefundKind, RefundNext, RefundPhase,
    RefundTake, Seen, verdict,
};
use crate::sale::{Evidence, Proof, SendOutcome, VoidRequest};
use crate::settlement::{Pricer, usage_between};
use crate::time::Now;

/// Wait before a meter whose supply is to be forced off is read again, in milliseconds.
const OFF_WAIT_MS: u64 = 1_000;

pub(super) fn begin(
    draft: &mut Draft<'_>,
    refund: RefundId,
    reading: &MeterReading,
    pricer: &dyn Pricer,
) -> Result<(), Refusal> {
    let (meter, open) = find(draft.account(), refund)?;
    if open.phase != RefundPhase::Requested {
        return Err(step(open, "begin"));
    }
    if draft.meter(meter)?.quarantine().is_some() {
        return Err(Refusal::Quarantined { meter });
    }
    observe::take_in(draft, meter, reading, pricer)?;
    // Of a new meter there is nothing to book before it has taken over.
    let ours = !matches!(find(draft.account(), refund)?.1.kind, RefundKind::CarryOver { .. });
    if ours && draft.meter(meter)?.quarantine().is_none() {
        sales::book_if_priced(draft, meter, reading, pricer)?;
    }
    observe::assess(draft, meter, reading, pricer)?;
    let state = draft.meter(meter)?;
    let Some(open) = state.refund().filter(|_| state.quarantine().is_none()) else { return Ok(()) };
    let waits = !bend::is(draft.account(), Bend::RefundWithoutForceOff);
    if waits && state.order().decided.force == Force::Off && (reading.relay_closed || reading.force != Force::Off) {
        // Not off yet: overwriting now would erase what is used in the meantime.
        let not_before_mono_ms = draft.now.mono_after(OFF_WAIT_MS);
        draft.effect(Effect::StartRefund { refund, meter, not_before_mono_ms });
        return Ok(());
    }
    if let (RefundKind::CarryOver { .. }, RefundTake::Exactly(amount)) = (open.kind, open.take) {
        let overwrite = Overwrite {
            before: Evidence::from(reading),
            remaining: amount,
            new_count: carried_count(state.carried_count, reading.purchase_count),
        };
        draft.push(Fact::RefundBegun { refund, meter, begun: RefundBegun { overwrite, amount } })?;
        return write_frame(draft, meter);
    }
    let amount = match open.take {
        RefundTake::Exactly(amount) => amount,
        RefundTake::Everything if open.held.is_zero() => reading.balance.min(Money::ZERO),
        RefundTake::Everything => reading.balance.min(open.held),
    };
    let remaining = reading.balance.minus(amount)?;
    let overdrawn = open.held.is_zero() && amount.is_negative();
    if !(amount.is_positive() || overdrawn) || remaining.is_negative() {
        return void(draft, meter, RefundVoidCause::NotEnough);
    }
    let new_count = state.count().wrapping_add(1);
    let begun = RefundBegun { overwrite: Overwrite { before: Evidence::from(reading), remaining, new_count }, amount };
    draft.push(Fact::RefundBegun { refund, meter, begun })?;
    write_frame(draft, meter)
}

pub(super) fn sent(draft: &mut Draft<'_>, refund: RefundId, outcome: SendOutcome) -> Result<(), Refusal> {
    let (meter, open) = find(draft.account(), refund)?;
    if open.phase != RefundPhase::Writing {
        return Err(step(open, "sent"));
    }
    draft.push(Fact::RefundSent { refund, meter, outcome })?;
    let carries = draft.meter(meter)?.carry.is_some();
    if carries && outcome == SendOutcome::ReplySeen && bend::is(draft.account(), Bend::CarryReplyIsDone) {
        return close(draft, meter, Proof::CountOnly);
    }
    let policy = draft.terms()?.sale;
    let (_, open) = find(draft.account(), refund)?;
    if open.void.is_some() && open.frames == 0 {
        return void(draft, meter, RefundVoidCause::NeverSent);
    }
    let not_before_mono_ms = draft.now.mono_after(policy.wait_after_ms(outcome, open.failures));
    draft.effect(Effect::ReadBackRefund { refund, meter, not_before_mono_ms });
    Ok(())
}

pub(super) fn read_back(
    draft: &mut Draft<'_>,
    refund: RefundId,
    read_back: &ReadBack,
    pricer: &dyn Pricer,
) -> Result<(), Refusal> {
    let (meter, open) = find(draft.account(), refund)?;
    match open.phase {
        RefundPhase::Requested => return Err(step(open, "read back")),
        RefundPhase::Quarantined => return Err(Refusal::Quarantined { meter }),
        RefundPhase::Writing | RefundPhase::ReadingBack | RefundPhase::Fencing { .. } => {}
    }
    match read_back {
        ReadBack::Unreadable => unreadable(draft, meter, refund),
        ReadBack::Reading(reading) => {
            observe::take_in(draft, meter, reading, pricer)?;
            let state = draft.meter(meter)?;
            let trusted = state.refund().is_some_and(|open| open.id == refund) && state.quarantine().is_none();
            // Not concluded by the count: it is as before.
            let counts_as_before = state.count() == reading.purchase_count;
            if trusted && counts_as_before {
                conclude(draft, meter, reading, pricer)?;
            }
            observe::assess(draft, meter, reading, pricer)
        }
    }
}

fn unreadable(draft: &mut Draft<'_>, meter: MeterNumber, refund: RefundId) -> Result<(), Refusal> {
    if bend::is(draft.account(), Bend::RefundUnknownIsApplied) {
        return close(draft, meter, Proof::Amount);
    }
    if bend::is(draft.account(), Bend::RefundUnknownIsNotApplied) {
        return void(draft, meter, RefundVoidCause::NeverSent);
    }
    let (_, open) = find(draft.account(), refund)?;
    let failures = open.failures.saturating_add(1);
    draft.push(Fact::RefundUnknown { refund, meter, failures })?;
    let wait_ms = draft.terms()?.sale.probe_wait_ms(failures);
    let not_before = draft.now.mono_after(wait_ms);
    let next = next_step(draft.account(), draft.meter(meter)?, draft.now).map(|effect| match effect {
        Effect::ReadBackRefund { refund, meter, not_before_mono_ms } => {
            Effect::ReadBackRefund { refund, meter, not_before_mono_ms: not_before_mono_ms.max(not_before) }
        }
        other => other,
    });
    next.into_iter().for_each(|effect| draft.effect(effect));
    Ok(())
}

/// Judges a reading against the overwrite that is under way.
pub(super) fn conclude(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    reading: &MeterReading,
    pricer: &dyn Pricer,
) -> Result<(), Refusal> {
    let currency = draft.terms()?.currency;
    let state = draft.meter(meter)?;
    let Some(begun) = state.refund().and_then(|open| open.begun) else { return Ok(()) };
    let (terms, before) = (state.terms(), begun.overwrite.before);
    let between =
        usage_between((&before.energy, before.taken.utc_s), (&reading.energy, reading.taken.utc_s), &terms.registers);
    let (still, used) = match (between, terms.confirmed_prices) {
        (Ok(usage), _) if usage.is_zero() => (true, Some(Money::ZERO)),
        (Ok(usage), Some(prices)) => (false, prices.charge(&usage, currency)),
        _ => (false, None),
    };
    let judged = verdict(meter, &begun.overwrite, used, terms.tolerance, Some(reading));
    let reason = match bend::overwrite_verdict(draft.account(), judged) {
        OverwriteVerdict::Applied(proof) => return follow(draft, meter, reading, Seen::Applied, Some(proof), pricer),
        OverwriteVerdict::NotApplied => {
            return follow(draft, meter, reading, Seen::NotApplied { used: !still }, None, pricer);
        }
        OverwriteVerdict::Unknown => return Ok(()),
        OverwriteVerdict::Torn { off_by } => QuarantineReason::TornWrite { off_by },
        OverwriteVerdict::Foreign { off_by } => QuarantineReason::ForeignWrite { off_by },
        OverwriteVerdict::Unexplained { writes } => QuarantineReason::UnexplainedWrites { writes },
        OverwriteVerdict::CountWentBack { shown } => QuarantineReason::CountWentBack { shown },
        OverwriteVerdict::OtherMeter { shown } => QuarantineReason::OtherMeter { shown },
    };
    observe::quarantine(draft, meter, reason, reading)
}

fn follow(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    reading: &MeterReading,
    seen: Seen,
    proof: Option<Proof>,
    pricer: &dyn Pricer,
) -> Result<(), Refusal> {
    let policy = draft.terms()?.sale;
    let behind_fence = observe::behind_fence(draft, meter, reading.taken.mono_ms)?;
    let Some(open) = draft.meter(meter)?.refund() else { return Ok(()) };
    let (refund, phase) = (open.id, open.phase);
    let next = bend::refund_next(draft.account(), open.next(seen, &policy, behind_fence));
    let waits_already = matches!((phase, next), (RefundPhase::Fencing { .. }, RefundNext::Fence { .. }));
    if !waits_already {
        draft.push(Fact::RefundJudged { refund, meter, next, proof })?;
    }
    match next {
        RefundNext::Write => write_frame(draft, meter),
        RefundNext::Restart | RefundNext::Fence { .. } => hand_out(draft, meter),
        RefundNext::Void => {
            let cause = if behind_fence { RefundVoidCause::Fenced } else { RefundVoidCause::NeverSent };
            void(draft, meter, cause)
        }
        RefundNext::Close => {
            close(draft, meter, proof.unwrap_or(Proof::CountOnly))?;
            sales::book_if_priced(draft, meter, reading, pricer)
        }
        RefundNext::Contradiction => {
            let shown = reading.purchase_count;
            observe::quarantine(draft, meter, QuarantineReason::CountWentBack { shown }, reading)
        }
    }
}

fn close(draft: &mut Draft<'_>, meter: MeterNumber, proof: Proof) -> Result<(), Refusal> {
    let open = draft.meter(meter)?.refund();
    let Some(OpenRefund { id, kind, hold, held, payback, operator, begun: Some(begun), .. }) = open else {
        return Ok(());
    };
    let (refund, kind, hold, held, amount, operator) = (*id, *kind, *hold, *held, begun.amount, *operator);
    let count = begun.overwrite.new_count;
    if let RefundKind::CarryOver { from } = kind {
        return replacing::done(draft, refund, from, meter, count, proof);
    }
    let payback = receipts::trim(payback, amount)?;
    draft.push(Fact::RefundApplied { refund, meter, kind, amount, held, hold, payback, count, proof, operator })?;
    orders::refresh(draft, meter)
}

fn void(draft: &mut Draft<'_>, meter: MeterNumber, cause: RefundVoidCause) -> Result<(), Refusal> {
    let Some(open) = draft.meter(meter)?.refund() else { return Ok(()) };
    let (refund, held, hold) = (open.id, open.held, open.hold);
    if let RefundKind::CarryOver { from } = open.kind {
        return replacing::roll_back(draft, refund, from, meter, cause);
    }
    draft.push(Fact::RefundVoided { refund, meter, held, hold, cause })?;
    orders::refresh(draft, meter)
}

/// The frame of the intent. The fact that allows it was recorded before, so it is counted already.
fn write_frame(draft: &mut Draft<'_>, meter: MeterNumber) -> Result<(), Refusal> {
    let open = draft.meter(meter)?.refund();
    let Some(OpenRefund { id, frames, begun: Some(begun), .. }) = open else { return Ok(()) };
    let (refund, frame, write) = (*id, *frames, MoneyWrite::new(&begun.overwrite));
    draft.effect(Effect::OverwriteBalance { refund, meter, write, frame });
    Ok(())
}

pub(super) fn probe_due(draft: &mut Draft<'_>, refund: RefundId) -> Result<(), Refusal> {
    let (meter, open) = find(draft.account(), refund)?;
    if open.phase == RefundPhase::Quarantined {
        return Err(Refusal::Quarantined { meter });
    }
    hand_out(draft, meter)
}

pub(super) fn hand_out(draft: &mut Draft<'_>, meter: MeterNumber) -> Result<(), Refusal> {
    let effect = next_step(draft.account(), draft.meter(meter)?, draft.now);
    effect.into_iter().for_each(|effect| draft.effect(effect));
    Ok(())
}

pub(super) fn fence_closed(draft: &mut Draft<'_>, refund: RefundId) -> Result<(), Refusal> {
    let (meter, open) = find(draft.account(), refund)?;
    if !matches!(open.phase, RefundPhase::Fencing { .. }) {
        return Err(step(open, "fence closed"));
    }
    let mono_ms = draft.now.mono_ms;
    draft.push(Fact::RefundFenceClosed { refund, meter, mono_ms })?;
    hand_out(draft, meter)
}

pub(super) fn request_void(
    draft: &mut Draft<'_>,
    refund: RefundId,
    by: OperatorId,
    why: &Reason,
) -> Result<(), Refusal> {
    let (meter, open) = find(draft.account(), refund)?;
    if open.phase == RefundPhase::Quarantined {
        return Err(Refusal::Quarantined { meter });
    }
    if matches!(open.phase, RefundPhase::Fencing { purpose: RefundFence::Close }) {
        return Err(step(open, "void"));
    }
    let nothing_left = match open.phase {
        RefundPhase::Requested => true,
        RefundPhase::ReadingBack => open.frames == 0,
        RefundPhase::Writing | RefundPhase::Fencing { .. } | RefundPhase::Quarantined => false,
    };
    if open.void.is_none() {
        let request = VoidRequest { by, why: why.clone() };
        draft.push(Fact::RefundVoidRequested { refund, meter, request })?;
    }
    if nothing_left { void(draft, meter, RefundVoidCause::NeverSent) } else { probe_due(draft, refund) }
}

/// An operator says what became of an overwrite on a quarantined meter. Answers whether there was one.
pub(super) fn resolve(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    resolution: Option<SaleResolution>,
) -> Result<bool, Refusal> {
    let quarantined = draft.meter(meter)?.refund().is_some_and(|open| open.phase == RefundPhase::Quarantined);
    if quarantined { resolve_dead(draft, meter, resolution) } else { Ok(false) }
}

/// An operator says what became of an overwrite that can't be read back any more. Answers whether there was one. What had
/// not begun is given up, whatever is said.
pub(super) fn resolve_dead(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    resolution: Option<SaleResolution>,
) -> Result<bool, Refusal> {
    let Some(open) = draft.meter(meter)?.refund() else { return Ok(false) };
    match (open.begun.is_some(), resolution) {
        (_, None) => return Err(Refusal::Resolution { meter, problem: "say what became of the open refund" }),
        (true, Some(SaleResolution::Applied)) => close(draft, meter, Proof::Operator)?,
        (_, Some(_)) => void(draft, meter, RefundVoidCause::Operator)?,
    }
    Ok(true)
}

/// What there is to do for the open refund of a meter, whatever was under way. Never a frame.
pub(super) fn next_step(account: &Account, state: &MeterState, now: Now) -> Option<Effect> {
    let open = state.refund()?;
    let (refund, meter) = (open.id, state.number());
    let life_ms = account.terms()?.sale.frame_life_ms;
    let not_before_mono_ms = now.mono_ms;
    Some(match (open.phase, state.marks.fence_closed_ms) {
        (RefundPhase::Requested, _) if state.quarantine().is_some() => return None,
        (RefundPhase::Requested, _) => Effect::StartRefund { refund, meter, not_before_mono_ms },
        (RefundPhase::Writing | RefundPhase::ReadingBack, _) => {
            Effect::ReadBackRefund { refund, meter, not_before_mono_ms }
        }
        (RefundPhase::Fencing { .. }, Some(closed_ms)) => {
            // One millisecond past the frame life: the last frame is dead then.
            let behind = closed_ms.saturating_add(life_ms).saturating_add(1);
            Effect::ReadBackRefund { refund, meter, not_before_mono_ms: behind.max(now.mono_ms) }
        }
        (RefundPhase::Fencing { purpose }, None) => Effect::FenceRefund { refund, meter, purpose },
        (RefundPhase::Quarantined, _) => return None,
    })
}

fn find(account: &Account, refund: RefundId) -> Result<(MeterNumber, &OpenRefund), Refusal> {
    account
        .meters()
        .iter()
        .find_map(|state| state.refund().filter(|open| open.id == refund).map(|open| (state.number(), open)))
        .ok_or(Refusal::NoSuchRefund { refund })
}

fn step(open: &OpenRefund, command: &'static str) -> Refusal {
    Refusal::RefundStep { refund: open.id, command, phase: open.phase.name() }
}
