//! Events into state. Everything that can fail is computed before anything is assigned.

use alloc::vec::Vec;

use super::command::SupplyOrder;
use super::event::{DifferenceKind, Event, Fact, MeterOpening, Payment, Settled};
use super::money_facts;
use super::posting::first_transfer;
use super::refund_facts;
use super::refusal::ApplyError;
use super::replaced_facts;
use super::state::{Account, DriftCount, LastSale, Marks, MeterState, Quarantine, Suspicion};
use super::terms::Purse;
use crate::bend;
use crate::finding::FindingKind;
use crate::id::MeterNumber;
use crate::money::Money;
use crate::refund::RefundPhase;
use crate::relay::{Order, StandingOrder};
use crate::sale::{Begun, Evidence, Next, OpenSale, Phase, SendOutcome};
use crate::series::{Point, Series, Source};
use crate::settlement::PricerState;
use crate::status::{Credit, Link, Load, Service};

pub(super) fn apply(account: &mut Account, event: &Event) -> Result<(), ApplyError> {
    if event.account != account.id {
        return Err(ApplyError::Account { expected: account.id.0, found: event.account.0 });
    }
    let expected = account.seq.saturating_add(1);
    if event.seq != expected {
        return Err(ApplyError::Sequence { expected, found: event.seq });
    }
    take(account, event)?;
    account.seq = event.seq;
    Ok(())
}

fn take(account: &mut Account, event: &Event) -> Result<(), ApplyError> {
    let impossible = |fact| ApplyError::Impossible { seq: event.seq, fact };
    match &event.fact {
        Fact::Opened { terms, meters, station_credit } => {
            if !matches!(account.service, Service::NotOpened | Service::Prepared) {
                return Err(impossible("opened"));
            }
            let in_meter = terms.purse == Purse::InMeter;
            account.meters = meters.iter().map(|opening| opened_meter(opening, in_meter)).collect();
            account.purse = *station_credit;
            account.terms = Some(*terms);
            account.service = Service::Open;
            account.prepared = None;
        }
        Fact::TermsChanged { terms } => account.terms = Some(*terms),
        Fact::Settled(settled) => take_settled(account, settled, event.seq)?,
        Fact::CreditChanged { meter, to, accrued, .. } => {
            let in_meter = account.terms.is_some_and(|terms| terms.purse == Purse::InMeter);
            if let Some(number) = meter {
                let state = find(account, *number).ok_or(impossible("credit_changed"))?;
                state.accrued = *accrued;
                if in_meter {
                    state.credit = *to;
                }
            }
            if !in_meter {
                account.credit = *to;
                // Credit is above the limit again without it: emergency credit is paid back.
                if *to < Credit::Arrears {
                    account.emergency = None;
                }
            }
        }
        Fact::StationSaleMade { sale, amount, channel, .. } => {
            account.purse = account.purse.plus(*amount)?;
            account.receipts.record(*sale, first_transfer(event.account, event.seq), *channel, *amount);
            account.latest_sale = Some(*sale);
        }
        Fact::SaleRequested { sale, meter, amount, payment, operator } => {
            let purse = match payment {
                Payment::Channel(_) => account.purse.plus(*amount)?,
                Payment::Purse => account.purse,
            };
            let held = account.held.plus(*amount)?;
            let state = find(account, *meter).ok_or(impossible("sale_requested"))?;
            state.sale = Some(OpenSale {
                id: *sale,
                amount: *amount,
                operator: *operator,
                phase: Phase::Requested,
                begun: None,
                frames: 0,
                failures: 0,
                void: None,
            });
            account.purse = purse;
            account.held = held;
            account.latest_sale = Some(*sale);
            if let Payment::Channel(channel) = payment {
                account.receipts.record(*sale, first_transfer(event.account, event.seq), *channel, *amount);
            }
        }
        Fact::SaleApplied { sale, meter, amount, count, .. } => {
            let (purse, held) = (account.purse.minus(*amount)?, account.held.minus(*amount)?);
            let state = find(account, *meter).ok_or(impossible("sale_applied"))?;
            state.purse = state.purse.plus(*amount)?;
            state.count = *count;
            state.posted_writes = state.posted_writes.saturating_add(1);
            state.sale = None;
            state.last_sale = Some(LastSale { sale: *sale, amount: *amount });
            state.marks.fence_closed_ms = None;
            account.purse = purse;
            account.held = held;
        }
        Fact::SaleVoided { meter, amount, .. } => {
            let held = account.held.minus(*amount)?;
            let state = find(account, *meter).ok_or(impossible("sale_voided"))?;
            state.sale = None;
            state.marks.fence_closed_ms = None;
            account.held = held;
        }
        fact @ (Fact::RefundRequested { .. }
        | Fact::RefundApplied { .. }
        | Fact::RefundVoided { .. }
        | Fact::PaidBack { .. }) => refund_facts::take(account, fact, event.seq)?,
        fact @ Fact::ChargeCorrected { .. } => take_correction(account, fact, event.seq)?,
        fact @ (Fact::ReplacementRequested { .. }
        | Fact::ReplacementDone { .. }
        | Fact::ReplacementRolledBack { .. }
        | Fact::BenchRead { .. }) => replaced_facts::take(account, fact, event.seq)?,
        fact @ (Fact::Prepared { .. }
        | Fact::Paused { .. }
        | Fact::Resumed { .. }
        | Fact::Closed { .. }
        | Fact::MeterAttached { .. }
        | Fact::MeterDetached { .. }) => money_facts::take_life(account, fact, event.seq)?,
        fact @ (Fact::PaymentReceived { .. }
        | Fact::DebtIncurred { .. }
        | Fact::DebtRecovered { .. }
        | Fact::InstalmentsAgreed { .. }
        | Fact::DebtWrittenOff { .. }
        | Fact::DepositTaken { .. }
        | Fact::DepositReturned { .. }
        | Fact::GoodwillGiven { .. }
        | Fact::EmergencyTaken { .. }) => money_facts::take_debt(account, fact, event)?,
        fact => {
            let stack = bend::orders_stack(account);
            let number = meter_of(fact).ok_or(impossible("event of a later version"))?;
            let state = find(account, number).ok_or(impossible("event of an unknown meter"))?;
            take_meter_fact(state, fact, event, stack).ok_or(impossible("event without its sale"))??;
        }
    }
    Ok(())
}

pub(super) fn opened_meter(opening: &MeterOpening, in_meter: bool) -> MeterState {
    let shown = opening.shown;
    MeterState {
        terms: opening.terms,
        opened: shown,
        settled: shown,
        purse: if in_meter { shown.balance } else { Money::ZERO },
        count: shown.purchase_count,
        posted_writes: 0,
        foreign_writes: 0,
        charged: Money::ZERO,
        taxed: Money::ZERO,
        accrued: Money::ZERO,
        pricer: PricerState::default(),
        series: Series::new(point(&shown, Source::Measured, opening.terms.ratio), PricerState::default()),
        drift: DriftCount::default(),
        drifting: false,
        credit: Credit::Normal,
        link: Link::Fresh,
        load: Load::Normal,
        relay_closed: Some(opening.relay_closed),
        cut: false,
        quarantine: None,
        sale: None,
        refund: None,
        last_sale: None,
        friendly_plan: None,
        restore_awaited: false,
        unheard_since_utc_s: None,
        exposed: false,
        replaced_by: None,
        carry: None,
        carried_count: 0,
        carried_centi_kwh: 0,
        overwritten: false,
        keep_power: None,
        forced_off: None,
        lock_out: None,
        shed: false,
        friendly: false,
        order: Order::INITIAL,
        order_written: false,
        suspicions: Vec::new(),
        marks: Marks { latest_reading_ms: Some(shown.taken.mono_ms), fence_closed_ms: None },
    }
}

/// A reading as a series keeps it.
pub(super) const fn point(shown: &Evidence, source: Source, ratio: u32) -> Point {
    Point { energy: shown.energy, taken_utc_s: shown.taken.utc_s, source, ratio }
}

fn take_correction(account: &mut Account, fact: &Fact, seq: u64) -> Result<(), ApplyError> {
    let Fact::ChargeCorrected { meter, in_meter, point, charge, tax, pricer, .. } = fact else { return Ok(()) };
    let purse = if *in_meter { account.purse } else { account.purse.minus(*charge)? };
    let state = find(account, *meter).ok_or(ApplyError::Impossible { seq, fact: "charge_corrected" })?;
    let (charged, taxed) = (state.charged.plus(*charge)?, state.taxed.plus(*tax)?);
    state.series.put(*point);
    let last = *state.series.last();
    state.settled.energy = last.energy;
    state.settled.taken.utc_s = last.taken_utc_s;
    state.charged = charged;
    state.taxed = taxed;
    state.accrued = Money::ZERO;
    state.pricer = pricer.clone();
    account.purse = purse;
    Ok(())
}

pub(super) fn find(account: &mut Account, meter: MeterNumber) -> Option<&mut MeterState> {
    account.meters.iter_mut().find(|state| state.terms.meter == meter)
}

fn take_settled(account: &mut Account, settled: &Settled, seq: u64) -> Result<(), ApplyError> {
    let purse = account.purse;
    let state = find(account, settled.meter).ok_or(ApplyError::Impossible { seq, fact: "settled" })?;
    let charged = state.charged.plus(settled.charge)?;
    let taxed = state.taxed.plus(settled.tax)?;
    let drifting = settled.difference == DifferenceKind::PriceLag;
    if drifting {
        let sum = state.drift.sum.plus(settled.difference_amount()?)?;
        state.drift = DriftCount { settlements: state.drift.settlements.saturating_add(1), sum, ..state.drift };
    } else if settled.difference == DifferenceKind::Rounding {
        state.drift.rounding = state.drift.rounding.plus(settled.difference_amount()?)?;
    }
    let purse = if settled.in_meter {
        state.purse = state.purse.minus(settled.booked)?;
        purse
    } else {
        purse.minus(settled.booked)?
    };
    state.charged = charged;
    state.taxed = taxed;
    state.drifting = drifting;
    state.overwritten = false;
    state.accrued = Money::ZERO;
    state.pricer = settled.pricer.clone();
    state.settled = settled.shown;
    if settled.shown.energy != state.series.last().energy || state.series.ends_estimated() {
        let point = point(&settled.shown, settled.source, state.terms.ratio);
        if point.taken_utc_s > state.series.last_measured().taken_utc_s {
            state.series.put(point);
        } else {
            // The wall clock was set back: the order by time is lost, so nothing before this can be corrected any more.
            state.series = Series::new(point, settled.pricer.clone());
        }
    }
    state.marks.latest_reading_ms = Some(settled.shown.taken.mono_ms);
    account.purse = purse;
    Ok(())
}

/// The meter that a fact of one meter is about.
fn meter_of(fact: &Fact) -> Option<MeterNumber> {
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
fn take_meter_fact(state: &mut MeterState, fact: &Fact, event: &Event, stack: bool) -> Option<Result<(), ApplyError>> {
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
            state.friendly_plan = state.friendly_plan.filter(|_| *on);
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
        Fact::FriendlyHoursPlanned { from_utc_s, to_utc_s, .. } => state.friendly_plan = Some((*from_utc_s, *to_utc_s)),
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
