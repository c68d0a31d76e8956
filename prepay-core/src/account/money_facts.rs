//! Facts about the life of an account and its debts, into state. Everything that can fail is computed first.

use super::apply_error::ApplyError;
use super::event::{Event, Fact};
use super::meter_state::opened_meter;
use super::posting::first_transfer;
use super::receipts;
use super::state::{Account, Prepared};
use super::terms::Purse;
use crate::debt::{Debt, Recovered};
use crate::money::Money;
use crate::status::Service;

pub(super) fn take_life(account: &mut Account, fact: &Fact, seq: u64) -> Result<(), ApplyError> {
    match fact {
        Fact::Prepared { terms, meters, mode } => {
            account.prepared = Some(Prepared { terms: *terms, meters: meters.clone(), mode: *mode });
            account.service = Service::Prepared;
        }
        Fact::Paused { .. } => account.service = Service::Paused,
        Fact::Resumed { .. } => account.service = Service::Open,
        Fact::Closed { payback, paid, collected, written_off, .. } => {
            let gone = receipts::sum(payback)?.plus(*paid)?.plus(*written_off)?;
            let purse = account.purse.plus(*collected)?.minus(gone)?;
            let mut kept = account.receipts.clone();
            kept.give_back(payback)?;
            account.receipts = kept;
            account.purse = purse;
            account.service = Service::Closed;
        }
        Fact::MeterAttached { opening, .. } => {
            let in_meter = account.terms.is_some_and(|terms| terms.purse == Purse::InMeter);
            account.meters.push(opened_meter(opening, in_meter));
        }
        Fact::MeterDetached { meter, .. } => {
            let number = *meter;
            let known = account.meter(number).is_some();
            if !known {
                return Err(ApplyError::Impossible { seq, fact: "meter_detached" });
            }
            account.meters.retain(|state| state.terms.meter != number);
        }
        _ => {}
    }
    Ok(())
}

pub(super) fn take_debt(account: &mut Account, fact: &Fact, event: &Event) -> Result<(), ApplyError> {
    match fact {
        Fact::PaymentReceived { sale, amount, channel, .. } => {
            account.purse = account.purse.plus(*amount)?;
            account.receipts.record(*sale, first_transfer(event.account, event.seq), *channel, *amount);
            account.latest_sale = Some(*sale);
        }
        Fact::DebtIncurred { debt, kind, amount, notice_until_utc_s, .. } => {
            use crate::debt::DebtKind::{Bill, Emergency};
            if matches!(kind, Bill | Emergency) {
                account.purse = account.purse.plus(*amount)?;
            }
            let notice_until_utc_s = *notice_until_utc_s;
            account.debts.add(Debt { id: *debt, kind: *kind, rest: *amount, notice_until_utc_s, plan: None });
            account.latest_debt = Some(*debt);
        }
        Fact::DebtRecovered { sale, parts } => {
            let sum = sum(parts)?;
            let purse = account.purse.minus(sum)?;
            let mut debts = account.debts.clone();
            debts.pay(parts)?;
            if let Some(sale) = sale {
                account.receipts.recover(*sale, sum)?;
            }
            account.debts = debts;
            account.purse = purse;
        }
        Fact::InstalmentsAgreed { debt, plan, .. } => account.debts.agree(*debt, *plan),
        Fact::DebtWrittenOff { part, .. } => account.debts.pay(core::slice::from_ref(part))?,
        Fact::DepositTaken { amount, .. } => account.deposit = account.deposit.plus(*amount)?,
        Fact::DepositReturned { amount } => {
            let purse = account.purse.plus(*amount)?;
            account.deposit = account.deposit.minus(*amount)?;
            account.purse = purse;
        }
        Fact::GoodwillGiven { amount, period, .. } => {
            account.purse = account.purse.plus(*amount)?;
            account.free_period = period.or(account.free_period);
        }
        Fact::EmergencyTaken { amount, .. } => account.emergency = Some(*amount),
        _ => {}
    }
    Ok(())
}

fn sum(parts: &[Recovered]) -> Result<Money, ApplyError> {
    Ok(Money::sum(parts.iter().map(|part| part.amount))?)
}
