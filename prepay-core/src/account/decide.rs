//! Commands to decisions: one line a command.

use super::command::{Command, ReadBack};
use super::draft::{Decision, Draft};
use super::event::Fact;
use super::refund_requests::Ordered;
use super::refusal::Refusal;
use super::state::Account;
use super::terms::{MeterTerms, Terms};
use super::{
    corrections, debts, life, observe, opening, orders, policies, quarantine, refund_requests, refunds, replacing,
    sale_requests, sales, settle,
};
use crate::id::{MeterNumber, OperatorId};
use crate::settlement::{MeterPrices, Pricer};
use crate::status::Link;
use crate::time::Now;

pub(super) fn decide(account: &Account, command: &Command, now: Now, pricer: &dyn Pricer) -> Result<Decision, Refusal> {
    let mut draft = Draft::new(account, now);
    let d = &mut draft;
    if let Command::Open { terms, meters, station_credit } = command {
        opening::open(d, terms, meters, *station_credit)?;
        return Ok(draft.finish());
    }
    if let Command::Prepare { terms, meters, mode } = command {
        life::prepare(d, terms, meters, *mode)?;
        return Ok(draft.finish());
    }
    if let Command::OpenPrepared { readings } = command {
        life::open_prepared(d, readings)?;
        return Ok(draft.finish());
    }
    let sells = matches!(command, Command::RequestSale { .. } | Command::TakeEmergency { .. });
    account.accepts(sells)?;
    if decide_money(d, command, pricer)? {
        return Ok(draft.finish());
    }
    match command {
        Command::ChangeTerms { terms } => change_terms(d, terms)?,
        Command::ChangeMeterTerms { terms } => change_meter_terms(d, terms)?,
        Command::ConfirmPrices { meter, prices } => confirm_prices(d, *meter, *prices)?,
        Command::Observe { meter, reading } => observe::observe(d, *meter, reading, pricer)?,
        Command::SettleNow { meter, reading } => settle::settle_now(d, *meter, reading, pricer)?,
        Command::LinkStale { meter } => change_link(d, *meter, Link::Stale)?,
        Command::LinkLost { meter } => change_link(d, *meter, Link::Lost)?,
        Command::RequestSale { sale, meter, amount, payment, operator } => {
            sale_requests::request(d, *sale, *meter, *amount, *payment, *operator)?;
        }
        Command::BeginSale { sale, evidence } => sales::begin(d, *sale, evidence, pricer)?,
        Command::SaleSent { sale, outcome } => sales::sent(d, *sale, *outcome)?,
        Command::SaleReadBack { sale, read_back } => sales::read_back(d, *sale, read_back, pricer)?,
        Command::ProbeDue { sale } => sales::probe_due(d, *sale)?,
        Command::FenceClosed { sale } => sales::fence_closed(d, *sale)?,
        Command::RequestVoid { sale, by, why } => sales::request_void(d, *sale, *by, why)?,
        Command::ReleaseQuarantine { meter, by, why, reading, sale } => {
            quarantine::release(d, *meter, *by, why, reading, *sale, pricer)?;
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
        Command::PlanFriendlyHours { meter, from_utc_s, to_utc_s } => {
            policies::plan_friendly(d, *meter, *from_utc_s, *to_utc_s)?;
        }
        Command::Restore { meter, on_site, by, why } => {
            policies::restore(d, *meter, *on_site, Ordered { operator: *by, why })?;
        }
        Command::RelayOrdered { meter, version } => orders::relay_ordered(d, *meter, *version)?,
        Command::RelayReported { meter, version, read_back } => {
            orders::check_version(d, *meter, *version)?;
            if let ReadBack::Reading(reading) = read_back {
                observe::observe(d, *meter, reading, pricer)?;
            }
        }
        Command::Tick => {
            debts::after_notice(d)?;
            orders::lapse_all(d)?;
        }
        // Answered above.
        _ => {}
    }
    Ok(draft.finish())
}

/// The life of the account, its debts, and money that goes back. Answers whether the command was one of these.
fn decide_money(d: &mut Draft<'_>, command: &Command, pricer: &dyn Pricer) -> Result<bool, Refusal> {
    let by = |operator: &OperatorId, why| Ordered { operator: *operator, why };
    match command {
        Command::Pause { by: who, why } => life::pause(d, by(who, why))?,
        Command::Resume { by: who, why } => life::resume(d, by(who, why))?,
        Command::Close { readings, settlement, by: who, why } => {
            life::close(d, readings, *settlement, by(who, why), pricer)?;
        }
        Command::AttachMeter { meter } => life::attach(d, meter)?,
        Command::DetachMeter { meter, reading, by: who, why } => {
            life::detach(d, *meter, reading, by(who, why), pricer)?;
        }
        Command::ReplaceMeter { refund, old, last, new, operator, why } => {
            replacing::request(d, *refund, *old, last, new, by(operator, why), pricer)?;
        }
        Command::ReadOnBench { meter, reading, by: who, why } => {
            replacing::read_on_bench(d, *meter, reading.as_ref(), by(who, why), pricer)?;
        }
        Command::LateReading { meter, energy, taken_utc_s } => {
            corrections::late(d, *meter, *energy, *taken_utc_s, pricer)?;
        }
        Command::CorrectReading { meter, energy, taken_utc_s, by: who, why } => {
            corrections::correct(d, *meter, *energy, *taken_utc_s, by(who, why), pricer)?;
        }
        Command::EstimateUse { meter, usage } => corrections::estimate(d, *meter, *usage, pricer)?,
        Command::ChangeRatio { meter, reading, ratio } => {
            corrections::change_ratio(d, *meter, reading, *ratio, pricer)?;
        }
        Command::ChargeDebt { debt, charge, by: who, why } => debts::charge(d, *debt, charge, by(who, why))?,
        Command::IssueBill { debt, by: who, why } => debts::bill(d, *debt, by(who, why))?,
        Command::AgreeInstalments { debt, plan, by: who, why } => debts::agree(d, *debt, *plan, by(who, why))?,
        Command::WriteOffDebt { debt, by: who, why } => debts::write_off(d, *debt, by(who, why))?,
        Command::PayDebts { sale, amount, channel, operator } => debts::pay(d, *sale, *amount, *channel, *operator)?,
        Command::TakeDeposit { amount, channel, operator } => debts::take_deposit(d, *amount, *channel, *operator)?,
        Command::GiveGoodwill { amount, by: who, why } => debts::goodwill(d, *amount, by(who, why))?,
        Command::GiveFreeAmount { period, by: who, why } => debts::free_amount(d, *period, by(who, why))?,
        Command::TakeEmergency { debt, sale, by: who, why } => debts::take_emergency(d, *debt, *sale, by(who, why))?,
        Command::RequestRefund { refund, from, take, to, operator, why } => {
            refund_requests::request(d, *refund, *from, *take, *to, by(operator, why))?;
        }
        Command::RequestReversal { refund, sale, operator, why } => {
            refund_requests::reverse(d, *refund, *sale, by(operator, why))?;
        }
        Command::BeginRefund { refund, evidence } => refunds::begin(d, *refund, evidence, pricer)?,
        Command::RefundSent { refund, outcome } => refunds::sent(d, *refund, *outcome)?,
        Command::RefundReadBack { refund, read_back } => refunds::read_back(d, *refund, read_back, pricer)?,
        Command::RefundProbeDue { refund } => refunds::probe_due(d, *refund)?,
        Command::RefundFenceClosed { refund } => refunds::fence_closed(d, *refund)?,
        Command::RequestRefundVoid { refund, by: who, why } => refunds::request_void(d, *refund, *who, why)?,
        _ => return Ok(false),
    }
    Ok(true)
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
    if draft.meter(terms.meter)?.terms().ratio != terms.ratio {
        // What was used at the old ratio has to be booked first.
        return Err(Refusal::Fixed { field: "ratio" });
    }
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
