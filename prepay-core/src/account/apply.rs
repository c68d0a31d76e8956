//! Events into state. Everything that can fail is computed before anything is assigned.

use super::apply_error::ApplyError;
use super::event::{Event, Fact};
use super::meter_state::{LastSale, MeterState, opened_meter};
use super::posting::first_transfer;
use super::receipts::Payment;
use super::state::Account;
use super::terms::Purse;
use super::{admits, meter_facts, money_facts, refund_facts, replaced_facts, settled};
use crate::bend;
use crate::id::MeterNumber;
use crate::sale::{OpenSale, Phase};
use crate::status::{Credit, Service};

pub(super) fn apply(account: &mut Account, event: &Event) -> Result<(), ApplyError> {
    if event.account != account.id {
        return Err(ApplyError::Account { expected: account.id.0, found: event.account.0 });
    }
    let expected = account.seq.checked_add(1).ok_or(ApplyError::Full { last: account.seq })?;
    if event.seq != expected {
        return Err(ApplyError::Sequence { expected, found: event.seq });
    }
    admits::check(account, &event.fact).map_err(|fact| ApplyError::Impossible { seq: event.seq, fact })?;
    take(account, event)?;
    account.seq = event.seq;
    Ok(())
}

fn take(account: &mut Account, event: &Event) -> Result<(), ApplyError> {
    let impossible = |fact| ApplyError::Impossible { seq: event.seq, fact };
    match &event.fact {
        Fact::Opened { terms, meters, station_credit } => {
            let in_meter = terms.purse == Purse::InMeter;
            account.meters = meters.iter().map(|opening| opened_meter(opening, in_meter)).collect();
            account.purse = *station_credit;
            account.terms = Some(*terms);
            account.service = Service::Open;
            account.prepared = None;
        }
        Fact::TermsChanged { terms } => account.terms = Some(*terms),
        Fact::Settled(settled) => settled::take(account, settled, event.seq)?,
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
        fact @ Fact::ChargeCorrected { .. } => settled::take_correction(account, fact, event.seq)?,
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
            let number = meter_facts::meter_of(fact).ok_or(impossible("event of a later version"))?;
            let state = find(account, number).ok_or(impossible("event of an unknown meter"))?;
            meter_facts::take(state, fact, event, stack).ok_or(impossible("event without its sale"))??;
        }
    }
    Ok(())
}

pub(super) fn find(account: &mut Account, meter: MeterNumber) -> Option<&mut MeterState> {
    account.meters.iter_mut().find(|state| state.terms.meter == meter)
}
