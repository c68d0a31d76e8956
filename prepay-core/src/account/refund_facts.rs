//! Facts about refunds and reversals, into state. Everything that can fail is computed before anything is assigned.

use serde::{Deserialize, Serialize};

use super::apply::find;
use super::apply_error::ApplyError;
use super::event::Fact;
use super::meter_state::Marks;
use super::receipts;
use super::state::Account;
use crate::refund::{OpenRefund, RefundKind, RefundNext, RefundPhase};
use crate::sale::SendOutcome;

/// Why a refund was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundVoidCause {
    /// Asked for before anything left.
    NeverSent,
    /// Behind the fence the meter was still as before.
    Fenced,
    /// When the supply was off, the meter held less than was to be taken.
    NotEnough,
    /// An operator decided while the meter was quarantined.
    Operator,
}

pub(super) fn take(account: &mut Account, fact: &Fact, seq: u64) -> Result<(), ApplyError> {
    let impossible = |fact| ApplyError::Impossible { seq, fact };
    match fact {
        Fact::RefundRequested { refund, meter, kind, take, held, hold, payback, operator, .. } => {
            let mut kept = account.receipts.clone();
            kept.set_aside(payback)?;
            let state = find(account, *meter).ok_or(impossible("refund_requested"))?;
            state.refund = Some(OpenRefund {
                id: *refund,
                kind: *kind,
                take: *take,
                held: *held,
                hold: *hold,
                payback: payback.clone(),
                operator: *operator,
                phase: RefundPhase::Requested,
                begun: None,
                frames: 0,
                failures: 0,
                proof: None,
                void: None,
            });
            account.receipts = kept;
            account.latest_refund = Some(*refund);
        }
        Fact::RefundApplied { meter, kind, amount, payback, count, .. } => {
            let purse = account.purse.plus(*amount)?.minus(receipts::sum(payback)?)?;
            let mut kept = account.receipts.clone();
            let state = find(account, *meter).ok_or(impossible("refund_applied"))?;
            let open = state.refund.as_ref().ok_or(impossible("refund_applied"))?;
            kept.release(&open.payback)?;
            kept.give_back(payback)?;
            state.purse = state.purse.minus(*amount)?;
            state.count = *count;
            state.posted_writes = state.posted_writes.saturating_add(1);
            state.refund = None;
            state.overwritten = true;
            state.marks.fence_closed_ms = None;
            if matches!(kind, RefundKind::Reversal { .. }) {
                state.last_sale = None;
            }
            account.purse = purse;
            account.receipts = kept;
        }
        Fact::RefundVoided { meter, .. } => {
            let mut kept = account.receipts.clone();
            let state = find(account, *meter).ok_or(impossible("refund_voided"))?;
            let open = state.refund.as_ref().ok_or(impossible("refund_voided"))?;
            kept.release(&open.payback)?;
            state.refund = None;
            state.marks.fence_closed_ms = None;
            account.receipts = kept;
        }
        Fact::PaidBack { refund, payback, .. } => {
            let purse = account.purse.minus(receipts::sum(payback)?)?;
            let mut kept = account.receipts.clone();
            kept.give_back(payback)?;
            account.purse = purse;
            account.receipts = kept;
            account.latest_refund = Some(*refund);
        }
        _ => {}
    }
    Ok(())
}

pub(super) fn take_step(open: &mut OpenRefund, marks: &mut Marks, fact: &Fact) {
    match fact {
        Fact::RefundBegun { begun, .. } => {
            open.begun = Some(*begun);
            open.phase = RefundPhase::Writing;
            open.frames = 1;
            marks.latest_reading_ms = Some(begun.overwrite.before.taken.mono_ms);
        }
        Fact::RefundSent { outcome, .. } => {
            open.phase = RefundPhase::ReadingBack;
            if *outcome == SendOutcome::NotTransmitted {
                open.frames = open.frames.saturating_sub(1);
                open.failures = open.failures.saturating_add(1);
            }
        }
        Fact::RefundUnknown { failures, .. } => {
            open.failures = *failures;
            if open.phase == RefundPhase::Writing {
                open.phase = RefundPhase::ReadingBack;
            }
        }
        Fact::RefundJudged { next, proof, .. } => {
            open.failures = 0;
            open.proof = open.proof.or(*proof);
            marks.fence_closed_ms = None;
            match next {
                RefundNext::Restart => {
                    open.phase = RefundPhase::Requested;
                    open.begun = None;
                }
                RefundNext::Write => {
                    open.phase = RefundPhase::Writing;
                    open.frames = open.frames.saturating_add(1);
                }
                RefundNext::Fence { purpose } => open.phase = RefundPhase::Fencing { purpose: *purpose },
                // What closes it is the next fact.
                RefundNext::Close | RefundNext::Void | RefundNext::Contradiction => {}
            }
        }
        Fact::RefundFenceClosed { mono_ms, .. } => marks.fence_closed_ms = Some(*mono_ms),
        Fact::RefundVoidRequested { request, .. } => open.void = Some(request.clone()),
        _ => {}
    }
}
