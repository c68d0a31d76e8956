//! Facts about one meter, into state.

use super::apply_error::ApplyError;
use super::event::{Event, Fact};
use super::meter_state::{Marks, MeterState, Suspicion, point};
use super::orders::SupplyOrder;
use super::quarantine::Quarantine;
use super::refund_facts;
use crate::finding::FindingKind;
use crate::id::MeterNumber;
use crate::refund::RefundPhase;
use crate::relay::{Order, StandingOrder};
use crate::sale::{Begun, Next, OpenSale, Phase, SendOutcome};
use crate::series::{Series, Source};
use crate::status::Link;

/// The meter that a fact of one meter is about.
pub(super) fn meter_of(fact: &Fact) -> Option<MeterNumber> {
    Some(match fact {
        Fact::MeterTermsChanged { terms } => terms.meter,
        Fact::PricesConfirmed { meter, .. }
        | Fact::LinkChanged { meter, .. }
        | Fact::FriendlyHoursPlanned { meter, .. }
        | Fact::RestoreAwaited { meter, .. }
        | Fact::RestoreAllowed { meter, .. }
        | Fact::ExposureChanged { meter, .. }
        | Fact::ChargeCorrected { meter, .. }
        | Fact::SeriesMovedOn { meter, .. }
        | Fact::SaleBegun { meter, .. }
        | Fact::SaleSent { meter, .. }
        | Fact::SaleUnknown { meter, .. }
        | Fact::SaleNotApplied { meter, .. }
        | Fact::SaleFenceClosed { meter, .. }
        | Fact::SaleVoidRequested { meter, .. }
        | Fact::RefundRequested { meter, .. }
        | Fact::RefundBegun { meter, .. }
        | Fact::RefundSent { meter, .. }
        | Fact::RefundUnknown { meter, .. }
        | Fact::RefundJudged { meter, .. }
        | Fact::RefundFenceClosed { meter, .. }
        | Fact::RefundVoidRequested { meter, .. }
        | Fact::RefundApplied { meter, .. }
        | Fact::RefundVoided { meter, .. }
        | Fact::MeterQuarantined { meter, .. }
        | Fact::QuarantineReleased { meter, .. }
        | Fact::SupplyOrdered { meter, .. }
        | Fact::SupplyOrderLifted { meter, .. }
        | Fact::LockOutPlaced { meter, .. }
        | Fact::LockOutLifted { meter, .. }
        | Fact::ShedChanged { meter, .. }
        | Fact::FriendlyHoursChanged { meter, .. }
        | Fact::RelayDesired { meter, .. }
        | Fact::RelayWritten { meter, .. }
        | Fact::RelayRetried { meter, .. }
        | Fact::RelayConfirmed { meter, .. }
        | Fact::RelayMoved { meter, .. }
        | Fact::CutVerified { meter, .. }
        | Fact::RestoreVerified { meter, .. }
        | Fact::LoadChanged { meter, .. }
        | Fact::DisagreementSeen { meter, .. }
        | Fact::FindingRaised { meter, .. }
        | Fact::FindingCleared { meter, .. } => *meter,
        Fact::Opened { .. }
        | Fact::TermsChanged { .. }
        | Fact::Settled(_)
        | Fact::CreditChanged { .. }
        | Fact::SaleRequested { .. }
        | Fact::StationSaleMade { .. }
        | Fact::SaleApplied { .. }
        | Fact::SaleVoided { .. }
        | Fact::PaidBack { .. }
        | Fact::ReplacementRequested { .. }
        | Fact::ReplacementDone { .. }
        | Fact::ReplacementRolledBack { .. }
        | Fact::BenchRead { .. }
        | Fact::Prepared { .. }
        | Fact::Paused { .. }
        | Fact::Resumed { .. }
        | Fact::Closed { .. }
        | Fact::MeterAttached { .. }
        | Fact::MeterDetached { .. }
        | Fact::PaymentReceived { .. }
        | Fact::DebtIncurred { .. }
        | Fact::DebtRecovered { .. }
        | Fact::InstalmentsAgreed { .. }
        | Fact::DebtWrittenOff { .. }
        | Fact::DepositTaken { .. }
        | Fact::DepositReturned { .. }
        | Fact::GoodwillGiven { .. }
        | Fact::EmergencyTaken { .. } => return None,
    })
}

/// `None` when the fact needs an open sale and there is none.
pub(super) fn take(state: &mut MeterState, fact: &Fact, event: &Event, stack: bool) -> Option<Result<(), ApplyError>> {
    match fact {
        Fact::MeterTermsChanged { terms } => state.terms = *terms,
        Fact::PricesConfirmed { prices, .. } => state.terms.confirmed_prices = Some(*prices),
        Fact::LinkChanged { to, .. } => {
            state.link = *to;
            let since = state.unheard_since_utc_s.unwrap_or(event.utc_s);
            state.unheard_since_utc_s = (*to != Link::Fresh).then_some(since);
        }
        Fact::MeterQuarantined { reason, shown, .. } => {
            state.quarantine = Some(Quarantine { reason: *reason, shown: *shown, since_utc_s: event.utc_s });
            state.marks.latest_reading_ms = Some(shown.taken.mono_ms);
            if let Some(sale) = &mut state.sale {
                sale.phase = if sale.begun.is_some() { Phase::Quarantined } else { sale.phase };
            }
            if let Some(refund) = &mut state.refund {
                refund.phase = if refund.begun.is_some() { RefundPhase::Quarantined } else { refund.phase };
            }
        }
        Fact::QuarantineReleased { accepted, foreign_writes, to_suspense, .. } => {
            match state.purse.plus(*to_suspense) {
                Ok(purse) => state.purse = purse,
                Err(error) => return Some(Err(error.into())),
            }
            state.quarantine = None;
            state.settled = *accepted;
            state.series = Series::new(point(accepted, Source::Measured, state.terms.ratio), state.pricer.clone());
            state.count = accepted.purchase_count;
            state.foreign_writes = state.foreign_writes.saturating_add(u64::from(*foreign_writes));
            state.marks.latest_reading_ms = Some(accepted.taken.mono_ms);
        }
        fact @ (Fact::SaleBegun { .. }
        | Fact::SaleSent { .. }
        | Fact::SaleUnknown { .. }
        | Fact::SaleNotApplied { .. }
        | Fact::SaleFenceClosed { .. }
        | Fact::SaleVoidRequested { .. }) => {
            let sale = state.sale.as_mut()?;
            take_sale_fact(sale, &mut state.marks, fact);
        }
        fact @ (Fact::RefundBegun { .. }
        | Fact::RefundSent { .. }
        | Fact::RefundUnknown { .. }
        | Fact::RefundJudged { .. }
        | Fact::RefundFenceClosed { .. }
        | Fact::RefundVoidRequested { .. }) => {
            let open = state.refund.as_mut()?;
            refund_facts::take_step(open, &mut state.marks, fact);
        }
        fact => take_supply_fact(state, fact, event, stack),
    }
    Some(Ok(()))
}

fn take_sale_fact(sale: &mut OpenSale, marks: &mut Marks, fact: &Fact) {
    match fact {
        Fact::SaleBegun { before, new_count, hold, .. } => {
            sale.begun = Some(Begun { before: *before, new_count: *new_count, hold: *hold });
            sale.phase = Phase::Sending;
            sale.frames = 1;
            marks.latest_reading_ms = Some(before.taken.mono_ms);
        }
        Fact::SaleSent { outcome, .. } => {
            sale.phase = Phase::ReadingBack;
            if *outcome == SendOutcome::NotTransmitted {
                sale.frames = sale.frames.saturating_sub(1);
                sale.failures = sale.failures.saturating_add(1);
            }
        }
        Fact::SaleUnknown { failures, .. } => {
            sale.failures = *failures;
            if sale.phase == Phase::Sending {
                sale.phase = Phase::ReadingBack;
            }
        }
        Fact::SaleNotApplied { next, .. } => {
            sale.failures = 0;
            marks.fence_closed_ms = None;
            match next {
                Next::SendAgain => {
                    sale.phase = Phase::Sending;
                    sale.frames = sale.frames.saturating_add(1);
                }
                Next::Fence { purpose } => sale.phase = Phase::Fencing { purpose: *purpose },
                // The void itself is the next fact.
                Next::Void => {}
            }
        }
        Fact::SaleFenceClosed { mono_ms, .. } => marks.fence_closed_ms = Some(*mono_ms),
        Fact::SaleVoidRequested { request, .. } => sale.void = Some(request.clone()),
        _ => {}
    }
}

fn take_supply_fact(state: &mut MeterState, fact: &Fact, event: &Event, stack: bool) {
    match fact {
        Fact::SupplyOrdered { order, standing, .. } => {
            let older = |order: &mut Option<StandingOrder>| order.take().filter(|_| stack);
            let (keep, off) = (older(&mut state.keep_power), older(&mut state.forced_off));
            state.keep_power = (*order == SupplyOrder::KeepPower).then(|| standing.clone()).or(keep);
            state.forced_off = (*order == SupplyOrder::ForcedOff).then(|| standing.clone()).or(off);
        }
        Fact::SupplyOrderLifted { order: SupplyOrder::KeepPower, .. } => state.keep_power = None,
        Fact::SupplyOrderLifted { order: SupplyOrder::ForcedOff, .. } => state.forced_off = None,
        Fact::LockOutPlaced { standing, .. } => state.lock_out = Some(standing.clone()),
        Fact::LockOutLifted { .. } => state.lock_out = None,
        Fact::ShedChanged { shed, .. } => state.shed = *shed,
        Fact::FriendlyHoursChanged { on, .. } => {
            state.friendly = *on;
            if !*on {
                state.friendly_plan = state.friendly_next.take();
            }
        }
        Fact::RelayDesired { version, decided, retry_at_utc_s, .. } => {
            if *version == state.order.version {
                state.order.decided = *decided;
            } else {
                let retry_at_utc_s = *retry_at_utc_s;
                state.order =
                    Order { version: *version, decided: *decided, confirmed: false, attempts: 0, retry_at_utc_s };
                state.order_written = false;
            }
        }
        Fact::RelayWritten { .. } => state.order_written = true,
        Fact::RelayRetried { attempts, retry_at_utc_s, .. } => {
            state.order.attempts = *attempts;
            state.order.retry_at_utc_s = *retry_at_utc_s;
        }
        Fact::RelayConfirmed { .. } => state.order.confirmed = true,
        Fact::FriendlyHoursPlanned { from_utc_s, to_utc_s, .. } => {
            let plan = Some((*from_utc_s, *to_utc_s));
            let lasts = state.friendly && state.friendly_plan.is_some_and(|(_, end)| event.utc_s < end);
            if lasts && *from_utc_s > event.utc_s {
                state.friendly_next = plan;
            } else {
                state.friendly_plan = plan;
            }
        }
        Fact::RestoreAwaited { .. } => state.restore_awaited = true,
        Fact::RestoreAllowed { .. } => state.restore_awaited = false,
        Fact::ExposureChanged { exposure, .. } => state.exposed = exposure.is_positive(),
        Fact::SeriesMovedOn { series, .. } => state.series = (**series).clone(),
        Fact::RelayMoved { closed, .. } => state.relay_closed = Some(*closed),
        Fact::CutVerified { .. } => state.cut = true,
        Fact::RestoreVerified { .. } => state.cut = false,
        Fact::LoadChanged { to, .. } => state.load = *to,
        Fact::DisagreementSeen { kind, .. } => suspect(state, *kind, event.utc_s, false),
        Fact::FindingRaised { finding, .. } => suspect(state, finding.kind(), event.utc_s, true),
        Fact::FindingCleared { kind, .. } => state.suspicions.retain(|suspicion| suspicion.kind != *kind),
        _ => {}
    }
}

fn suspect(state: &mut MeterState, kind: FindingKind, utc_s: i64, raised: bool) {
    if let Some(suspicion) = state.suspicions.iter_mut().find(|suspicion| suspicion.kind == kind) {
        suspicion.raised |= raised;
    } else {
        state.suspicions.push(Suspicion { kind, since_utc_s: utc_s, raised });
    }
}
