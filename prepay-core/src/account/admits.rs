//! Whether a fact can follow what an account is. A store can be damaged or forged: a fact that no decision could have
//! made here is refused before anything is assigned, however well its number fits.

use alloc::collections::BTreeSet;

use super::event::Fact;
use super::meter_state::MeterState;
use super::receipts::Payment;
use super::state::Account;
use super::terms::Purse;
use crate::debt::Recovered;
use crate::id::{MeterNumber, RefundId, SaleId};
use crate::money::Money;
use crate::refund::{OpenRefund, RefundPhase};
use crate::sale::{OpenSale, Phase};
use crate::status::Service;

/// The name of the fact, when it can't follow.
pub(super) fn check(account: &Account, fact: &Fact) -> Result<(), &'static str> {
    let fits = |fits: bool, name| if fits { Ok(()) } else { Err(name) };
    life(account, fact).and_then(|()| match fact {
        Fact::SaleRequested { sale, meter, amount, payment, .. } => {
            // What is left of a payment that has paid debts goes on under the payment's own number.
            let new = match payment {
                Payment::Channel(_) => account.latest_sale < Some(*sale),
                Payment::Purse => account.latest_sale <= Some(*sale),
            };
            fits(new && amount.is_positive() && no_write(account, *meter), "sale_requested")
        }
        Fact::StationSaleMade { sale, amount, .. } => {
            let at_station = purse(account) == Some(Purse::AtStation);
            fits(at_station && account.latest_sale < Some(*sale) && amount.is_positive(), "station_sale_made")
        }
        Fact::PaymentReceived { sale, amount, .. } => {
            fits(account.latest_sale < Some(*sale) && amount.is_positive(), "payment_received")
        }
        Fact::QuarantineReleased { meter, .. } => {
            fits(account.meter(*meter).is_some_and(|state| state.quarantine.is_some()), "quarantine_released")
        }
        Fact::Settled(settled) => {
            fits(purse(account) == Some(side(settled.in_meter)) && account.meter(settled.meter).is_some(), "settled")
        }
        Fact::ChargeCorrected { in_meter, .. } => fits(purse(account) == Some(side(*in_meter)), "charge_corrected"),
        Fact::RelayDesired { meter, version, .. } => {
            let current = account.meter(*meter).map(|state| state.order.version);
            fits(
                current == Some(*version) || current.and_then(|last| last.checked_add(1)) == Some(*version),
                "relay_desired",
            )
        }
        Fact::RelayWritten { meter, version }
        | Fact::RelayRetried { meter, version, .. }
        | Fact::RelayConfirmed { meter, version } => {
            fits(account.meter(*meter).is_some_and(|state| state.order.version == *version), "relay order")
        }
        other => {
            sale_step(account, other).and_then(|()| refund_step(account, other)).and_then(|()| debt(account, other))
        }
    })
}

fn life(account: &Account, fact: &Fact) -> Result<(), &'static str> {
    let service = account.service;
    let (fits, name) = match fact {
        Fact::Opened { meters, .. } => {
            let not_yet = matches!(service, Service::NotOpened | Service::Prepared);
            (not_yet && distinct(meters.iter().map(|opening| opening.terms.meter)), "opened")
        }
        Fact::Prepared { meters, .. } => {
            let not_yet = matches!(service, Service::NotOpened | Service::Prepared);
            (not_yet && distinct(meters.iter().map(|terms| terms.meter)), "prepared")
        }
        Fact::Paused { .. } => (service == Service::Open, "paused"),
        Fact::Resumed { .. } => (service == Service::Paused, "resumed"),
        Fact::MeterAttached { opening, .. } => {
            let numbers = account.meters.iter().map(MeterState::number);
            (account.terms.is_some() && distinct(numbers.chain([opening.terms.meter])), "meter_attached")
        }
        Fact::MeterDetached { meter, .. } => (no_write(account, *meter), "meter_detached"),
        Fact::Closed { .. } => (account.meters.iter().all(|state| no_write(account, state.number())), "closed"),
        _ => (true, ""),
    };
    let begins = matches!(fact, Fact::Opened { .. } | Fact::Prepared { .. });
    let alive = begins || (account.terms.is_some() && matches!(service, Service::Open | Service::Paused));
    match (fits, alive) {
        (true, true) => Ok(()),
        (false, _) => Err(name),
        (true, false) => Err("event of an account that is not open"),
    }
}

fn sale_step(account: &Account, fact: &Fact) -> Result<(), &'static str> {
    let is = |meter: MeterNumber, sale: SaleId, fits: &dyn Fn(&OpenSale) -> bool| {
        account.meter(meter).and_then(MeterState::sale).is_some_and(|open| open.id == sale && fits(open))
    };
    let (fits, name) = match fact {
        Fact::SaleBegun { sale, meter, amount, .. } => {
            (is(*meter, *sale, &|open| open.phase == Phase::Requested && open.amount == *amount), "sale_begun")
        }
        Fact::SaleSent { sale, meter, .. } => (is(*meter, *sale, &|open| open.phase == Phase::Sending), "sale_sent"),
        Fact::SaleUnknown { sale, meter, .. } => (is(*meter, *sale, &|open| open.begun.is_some()), "sale_unknown"),
        Fact::SaleNotApplied { sale, meter, .. } => {
            (is(*meter, *sale, &|open| open.begun.is_some()), "sale_not_applied")
        }
        Fact::SaleFenceClosed { sale, meter, .. } => {
            (is(*meter, *sale, &|open| matches!(open.phase, Phase::Fencing { .. })), "sale_fence_closed")
        }
        Fact::SaleVoidRequested { sale, meter, .. } => (is(*meter, *sale, &|_| true), "sale_void_requested"),
        Fact::SaleApplied { sale, meter, amount, hold, .. } => {
            let ours = |open: &OpenSale| open.amount == *amount && open.begun.is_some_and(|begun| begun.hold == *hold);
            (is(*meter, *sale, &ours), "sale_applied")
        }
        Fact::SaleVoided { sale, meter, amount, hold, .. } => {
            let ours = |open: &OpenSale| open.amount == *amount && open.begun.map(|begun| begun.hold) == *hold;
            (is(*meter, *sale, &ours), "sale_voided")
        }
        _ => return Ok(()),
    };
    if fits { Ok(()) } else { Err(name) }
}

fn refund_step(account: &Account, fact: &Fact) -> Result<(), &'static str> {
    let is = |meter: MeterNumber, refund: RefundId, fits: &dyn Fn(&OpenRefund) -> bool| {
        account.meter(meter).and_then(MeterState::refund).is_some_and(|open| open.id == refund && fits(open))
    };
    let new = |refund: RefundId| account.latest_refund < Some(refund);
    let takes_over = |old: MeterNumber, new: MeterNumber, carry| {
        account.meter(old).is_some_and(|state| state.replaced_by == Some(new))
            && account.meter(new).is_some_and(|state| state.carry.as_ref() == Some(carry))
    };
    let (fits, name) = match fact {
        Fact::RefundRequested { refund, meter, held, .. } => {
            (new(*refund) && no_write(account, *meter) && !held.is_negative(), "refund_requested")
        }
        Fact::RefundBegun { refund, meter, .. } => {
            (is(*meter, *refund, &|open| open.phase == RefundPhase::Requested), "refund_begun")
        }
        Fact::RefundSent { refund, meter, .. } => {
            (is(*meter, *refund, &|open| open.phase == RefundPhase::Writing), "refund_sent")
        }
        Fact::RefundUnknown { refund, meter, .. } => {
            (is(*meter, *refund, &|open| open.begun.is_some()), "refund_unknown")
        }
        Fact::RefundJudged { refund, meter, .. } => {
            (is(*meter, *refund, &|open| open.begun.is_some()), "refund_judged")
        }
        Fact::RefundFenceClosed { refund, meter, .. } => {
            (is(*meter, *refund, &|open| matches!(open.phase, RefundPhase::Fencing { .. })), "refund_fence_closed")
        }
        Fact::RefundVoidRequested { refund, meter, .. } => (is(*meter, *refund, &|_| true), "refund_void_requested"),
        Fact::RefundApplied { refund, meter, kind, amount, held, hold, .. } => {
            let ours = |open: &OpenRefund| {
                let begun = open.begun.is_some_and(|begun| begun.amount == *amount);
                begun && (open.kind, open.held, open.hold) == (*kind, *held, *hold)
            };
            (is(*meter, *refund, &ours), "refund_applied")
        }
        Fact::RefundVoided { refund, meter, held, hold, .. } => {
            (is(*meter, *refund, &|open| (open.held, open.hold) == (*held, *hold)), "refund_voided")
        }
        Fact::PaidBack { refund, .. } => (new(*refund), "paid_back"),
        Fact::ReplacementRequested { refund, old, opening, .. } => {
            let numbers = account.meters.iter().map(MeterState::number);
            let free = account.meter(*old).is_some_and(|state| state.replaced_by.is_none());
            (new(*refund) && free && distinct(numbers.chain([opening.terms.meter])), "replacement_requested")
        }
        Fact::ReplacementDone { old, new, carry, .. } => (takes_over(*old, *new, carry), "replacement_done"),
        Fact::ReplacementRolledBack { old, new, carry, .. } => {
            (takes_over(*old, *new, carry), "replacement_rolled_back")
        }
        Fact::BenchRead { meter, estimated, .. } => {
            let waits = |waiting: &super::replacing::OnBench| {
                waiting.meter.number() == *meter && waiting.estimate.charge == *estimated
            };
            (account.on_bench.iter().any(waits), "bench_read")
        }
        _ => return Ok(()),
    };
    if fits { Ok(()) } else { Err(name) }
}

fn debt(account: &Account, fact: &Fact) -> Result<(), &'static str> {
    let owed = |part: &Recovered| {
        let rest = account.debts.get(part.debt).map(|debt| debt.rest);
        part.amount.is_positive() && rest.is_some_and(|rest| part.amount <= rest)
    };
    let (fits, name) = match fact {
        Fact::DebtIncurred { debt, amount, .. } => {
            let new = account.latest_debt < Some(*debt) && account.debts.check_room().is_ok();
            (new && amount.is_positive(), "debt_incurred")
        }
        Fact::DebtRecovered { parts, .. } => (parts.iter().all(owed), "debt_recovered"),
        Fact::DebtWrittenOff { part, .. } => (owed(part), "debt_written_off"),
        Fact::InstalmentsAgreed { debt, .. } => (account.debts.get(*debt).is_some(), "instalments_agreed"),
        Fact::DepositTaken { amount, .. } => (amount.is_positive(), "deposit_taken"),
        Fact::DepositReturned { amount } => (*amount >= Money::ZERO && *amount <= account.deposit, "deposit_returned"),
        Fact::GoodwillGiven { amount, .. } => (amount.is_positive(), "goodwill_given"),
        Fact::EmergencyTaken { amount, .. } => (amount.is_positive() && account.emergency.is_none(), "emergency_taken"),
        _ => return Ok(()),
    };
    if fits { Ok(()) } else { Err(name) }
}

fn distinct(meters: impl Iterator<Item = MeterNumber> + Clone) -> bool {
    let count = meters.clone().count();
    (1..=Account::MAX_METERS).contains(&count) && meters.collect::<BTreeSet<_>>().len() == count
}

/// The meter is there, and no write of money is under way on it.
fn no_write(account: &Account, meter: MeterNumber) -> bool {
    account
        .meter(meter)
        .is_some_and(|state| state.sale.is_none() && state.refund.is_none() && state.replaced_by.is_none())
}

fn purse(account: &Account) -> Option<Purse> {
    account.terms.as_ref().map(|terms| terms.purse)
}

const fn side(in_meter: bool) -> Purse {
    if in_meter { Purse::InMeter } else { Purse::AtStation }
}
