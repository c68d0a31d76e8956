//! The life of an account: prepared, open, paused, closed with a final settlement; meters that come and go.

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::draft::Draft;
use super::event::Fact;
use super::opening::{MeterTakeOver, OpenMode};
use super::refund_requests::{Ordered, check_no_write_open};
use super::refusal::Refusal;
use super::state::Account;
use super::terms::{MeterTerms, Purse, Terms};
use super::{debts, observe, opening, orders, receipts, replacing, settle};
use crate::id::{ChannelId, MeterNumber};
use crate::money::Money;
use crate::reading::MeterReading;
use crate::settlement::Pricer;
use crate::status::Service;

/// What becomes of the money that remains when an account is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinalSettlement {
    /// It goes back through the channels of its receipts, and what none explains through this one.
    Refund {
        /// The channel for the rest.
        channel: ChannelId,
    },
    /// The customer pays what is owed.
    Collect {
        /// The channel.
        channel: ChannelId,
    },
    /// It is given up, by us or by the customer.
    WriteOff,
}

pub(super) fn prepare(
    draft: &mut Draft<'_>,
    terms: &Terms,
    meters: &[MeterTerms],
    mode: OpenMode,
) -> Result<(), Refusal> {
    let found = draft.account().service;
    if !matches!(found, Service::NotOpened | Service::Prepared) {
        return Err(Refusal::Service { found, needed: Service::NotOpened });
    }
    terms.check()?;
    meters.iter().try_for_each(MeterTerms::check)?;
    opening::check_meters(meters.iter().map(|meter| meter.meter))?;
    draft.push(Fact::Prepared { terms: *terms, meters: meters.to_vec(), mode })?;
    Ok(())
}

/// Opens what was prepared with a reading of each of its meters.
pub(super) fn open_prepared(draft: &mut Draft<'_>, readings: &[MeterReading]) -> Result<(), Refusal> {
    let account = draft.account();
    let service = Refusal::Service { found: account.service, needed: Service::Prepared };
    let prepared = account.prepared.clone().ok_or(service)?;
    let meters = prepared.meters.iter().map(|terms| {
        let reading = *one_of(readings, terms.meter)?;
        Ok(MeterTakeOver { terms: *terms, mode: prepared.mode, reading })
    });
    let meters = meters.collect::<Result<Vec<_>, Refusal>>()?;
    opening::open(draft, &prepared.terms, &meters, Money::ZERO)
}

fn one_of(readings: &[MeterReading], meter: MeterNumber) -> Result<&MeterReading, Refusal> {
    readings.iter().find(|reading| reading.meter == meter).ok_or(Refusal::NoReading { meter })
}

pub(super) fn pause(draft: &mut Draft<'_>, by: Ordered<'_>) -> Result<(), Refusal> {
    if draft.account().service == Service::Open {
        draft.push(Fact::Paused { by: by.operator, why: by.why.clone() })?;
    }
    Ok(())
}

pub(super) fn resume(draft: &mut Draft<'_>, by: Ordered<'_>) -> Result<(), Refusal> {
    if draft.account().service == Service::Paused {
        draft.push(Fact::Resumed { by: by.operator, why: by.why.clone() })?;
    }
    Ok(())
}

pub(super) fn attach(draft: &mut Draft<'_>, take_over: &MeterTakeOver) -> Result<(), Refusal> {
    let terms = *draft.terms()?;
    let meter = take_over.terms.meter;
    let numbers = draft.account().meters().iter().map(super::MeterState::number);
    opening::check_meters(numbers.chain([meter]))?;
    replacing::check_not_on_bench(draft, meter)?;
    let opening = opening::opening_of(take_over, terms.purse)?;
    let credit = if terms.purse == Purse::InMeter { opening.shown.balance } else { Money::ZERO };
    draft.push(Fact::MeterAttached { opening: Box::new(opening), credit })?;
    observe::assess_opening(draft, &take_over.reading)?;
    orders::refresh(draft, meter)
}

/// A meter leaves the account. Its consumption is booked, and it may hold no credit: what it holds would be the next
/// tenant's.
pub(super) fn detach(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    reading: &MeterReading,
    by: Ordered<'_>,
    pricer: &dyn Pricer,
) -> Result<(), Refusal> {
    if draft.account().meters().len() <= 1 {
        return Err(Refusal::LastMeter { meter });
    }
    last_booking(draft, meter, reading, pricer)?;
    draft.push(Fact::MeterDetached { meter, by: by.operator, why: by.why.clone() })?;
    if draft.terms()?.purse == Purse::AtStation { observe::assess_purse(draft) } else { Ok(()) }
}

/// Books what was used and refuses when anything on the meter is not finished.
fn last_booking(
    draft: &mut Draft<'_>,
    meter: MeterNumber,
    reading: &MeterReading,
    pricer: &dyn Pricer,
) -> Result<(), Refusal> {
    let state = draft.meter(meter)?;
    check_no_write_open(state)?;
    if state.lock_out().is_some() {
        // Closing must not forget that people work there.
        return Err(Refusal::OrderStands { meter, order: "lock-out" });
    }
    settle::settle_now(draft, meter, reading, pricer)?;
    let state = draft.meter(meter)?;
    if state.quarantine().is_some() {
        return Err(Refusal::Quarantined { meter });
    }
    if state.purse().is_zero() { Ok(()) } else { Err(Refusal::CreditInMeter { meter, balance: state.purse() }) }
}

/// The final settlement: last bookings, deposits back, debts paid from what is there, and what then remains is refunded,
/// collected or written off.
pub(super) fn close(
    draft: &mut Draft<'_>,
    readings: &[MeterReading],
    settlement: FinalSettlement,
    by: Ordered<'_>,
    pricer: &dyn Pricer,
) -> Result<(), Refusal> {
    if let Some(waiting) = draft.account().on_bench.first() {
        return Err(Refusal::WaitsForBench { meter: waiting.meter.number() });
    }
    let mut index = 0_usize;
    while let Some(meter) = draft.account().meters().get(index).map(super::MeterState::number) {
        last_booking(draft, meter, one_of(readings, meter)?, pricer)?;
        index = index.saturating_add(1);
    }
    debts::settle_at_closing(draft)?;
    let account = draft.account();
    let rest = account.purse();
    let mut payback = Vec::new();
    let (mut paid, mut collected, mut written_off) = (Money::ZERO, Money::ZERO, Money::ZERO);
    match settlement {
        FinalSettlement::Refund { .. } if rest.is_negative() => {
            return Err(Refusal::FinalSettlement { rest, problem: "the customer owes it; collect it or write it off" });
        }
        FinalSettlement::Collect { .. } if rest.is_positive() => {
            return Err(Refusal::FinalSettlement { rest, problem: "it is the customer's; refund it or write it off" });
        }
        FinalSettlement::Refund { .. } => {
            payback = account.receipts.spread(rest)?;
            paid = rest.minus(receipts::sum(&payback)?)?;
        }
        FinalSettlement::Collect { .. } => collected = rest.negated()?,
        FinalSettlement::WriteOff => written_off = rest,
    }
    let (by, why) = (by.operator, by.why.clone());
    draft.push(Fact::Closed { settlement, payback, paid, collected, written_off, by, why })?;
    Ok(())
}

impl Account {
    /// The service that a command needs is there.
    pub(super) const fn accepts(&self, sells: bool) -> Result<(), Refusal> {
        match self.service {
            Service::Open => Ok(()),
            Service::Paused if !sells => Ok(()),
            found => Err(Refusal::Service { found, needed: Service::Open }),
        }
    }
}
