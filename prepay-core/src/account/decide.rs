//! Commands to decisions: one line a command.

use super::command::{Command, ReadBack};
use super::draft::{Decision, Draft};
use super::event::Fact;
use super::refusal::Refusal;
use super::state::Account;
use super::terms::{MeterTerms, Terms};
use super::{observe, opening, orders, refunds, sales, settle};
use crate::id::MeterNumber;
use crate::settlement::{MeterPrices, Pricer};
use crate::status::{Link, Service};
use crate::time::Now;

pub(super) fn decide(account: &Account, command: &Command, now: Now, pricer: &dyn Pricer) -> Result<Decision, Refusal> {
    let mut draft = Draft::new(account, now);
    let d = &mut draft;
    if let Command::Open { terms, meters, station_credit } = command {
        opening::open(d, terms, meters, *station_credit)?;
        return Ok(draft.finish());
    }
    if account.service != Service::Open {
        return Err(Refusal::Service { found: account.service, needed: Service::Open });
    }
    match command {
        Command::Open { .. } => {}
        Command::ChangeTerms { terms } => change_terms(d, terms)?,
        Command::ChangeMeterTerms { terms } => change_meter_terms(d, terms)?,
        Command::ConfirmPrices { meter, prices } => confirm_prices(d, *meter, *prices)?,
        Command::Observe { meter, reading } => observe::observe(d, *meter, reading, pricer)?,
        Command::SettleNow { meter, reading } => settle::settle_now(d, *meter, reading, pricer)?,
        Command::LinkStale { meter } => change_link(d, *meter, Link::Stale)?,
        Command::LinkLost { meter } => change_link(d, *meter, Link::Lost)?,
        Command::RequestSale { sale, meter, amount, payment, operator } => {
            sales::request(d, *sale, *meter, *amount, *payment, *operator)?;
        }
        Command::BeginSale { sale, evidence } => sales::begin(d, *sale, evidence, pricer)?,
        Command::SaleSent { sale, outcome } => sales::sent(d, *sale, *outcome)?,
        Command::SaleReadBack { sale, read_back } => sales::read_back(d, *sale, read_back, pricer)?,
        Command::ProbeDue { sale } => sales::probe_due(d, *sale)?,
        Command::FenceClosed { sale } => sales::fence_closed(d, *sale)?,
        Command::RequestVoid { sale, by, why } => sales::request_void(d, *sale, *by, why)?,
        Command::RequestRefund { refund, from, take, to, operator, why } => {
            refunds::request(d, *refund, *from, *take, *to, refunds::Ordered { operator: *operator, why })?;
        }
        Command::RequestReversal { refund, sale, operator, why } => {
            refunds::reverse(d, *refund, *sale, refunds::Ordered { operator: *operator, why })?;
        }
        Command::BeginRefund { refund, evidence } => refunds::begin(d, *refund, evidence, pricer)?,
        Command::RefundSent { refund, outcome } => refunds::sent(d, *refund, *outcome)?,
        Command::RefundReadBack { refund, read_back } => refunds::read_back(d, *refund, read_back, pricer)?,
        Command::RefundProbeDue { refund } => refunds::probe_due(d, *refund)?,
        Command::RefundFenceClosed { refund } => refunds::fence_closed(d, *refund)?,
        Command::RequestRefundVoid { refund, by, why } => refunds::request_void(d, *refund, *by, why)?,
        Command::ReleaseQuarantine { meter, by, why, reading, sale } => {
            sales::release_quarantine(d, *meter, *by, why, reading, *sale, pricer)?;
        }
        Command::OrderSupply { meter, order, by, why, until_utc_s } => {
            orders::order_supply(d, *meter, *order, *by, why, *until_utc_s)?;
        }
        Command::PlaceLockOut { meter, by, why } => orders::place_lock_out(d, *meter, *by, why)?,
        Command::LiftLockOut { meter, by, administrator, why } => {
            orders::lift_lock_out(d, *meter, *by, *administrator, why)?;
        }
        Command::Shed { meter, shed } => orders::shed(d, *meter, *shed)?,
        Command::FriendlyHours { meter, on } => orders::friendly_hours(d, *meter, *on)?,
        Command::RelayOrdered { meter, version } => orders::relay_ordered(d, *meter, *version)?,
        Command::RelayReported { meter, version, read_back } => {
            orders::check_version(d, *meter, *version)?;
            if let ReadBack::Reading(reading) = read_back {
                observe::observe(d, *meter, reading, pricer)?;
            }
        }
        Command::Tick => orders::lapse_all(d)?,
    }
    Ok(draft.finish())
}

fn change_terms(draft: &mut Draft<'_>, terms: &Terms) -> Result<(), Refusal> {
    terms.check()?;
    let current = draft.terms()?;
    if current.purse != terms.purse {
        return Err(Refusal::Fixed { field: "purse" });
    }
    if current.currency != terms.currency {
        return Err(Refusal::Fixed { field: "currency" });
    }
    if current != terms {
        draft.push(Fact::TermsChanged { terms: *terms })?;
    }
    Ok(())
}

fn change_meter_terms(draft: &mut Draft<'_>, terms: &MeterTerms) -> Result<(), Refusal> {
    terms.check()?;
    if draft.meter(terms.meter)?.terms() != terms {
        draft.push(Fact::MeterTermsChanged { terms: *terms })?;
        orders::refresh(draft, terms.meter)?;
    }
    Ok(())
}

fn confirm_prices(draft: &mut Draft<'_>, meter: MeterNumber, prices: MeterPrices) -> Result<(), Refusal> {
    if draft.meter(meter)?.terms().confirmed_prices != Some(prices) {
        draft.push(Fact::PricesConfirmed { meter, prices })?;
    }
    Ok(())
}

fn change_link(draft: &mut Draft<'_>, meter: MeterNumber, to: Link) -> Result<(), Refusal> {
    let from = draft.meter(meter)?.link();
    // Only for the worse: nothing but a reading makes a link fresh.
    if from < to {
        draft.push(Fact::LinkChanged { meter, from, to })?;
    }
    Ok(())
}
