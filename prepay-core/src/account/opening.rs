//! Opening an account: what the meters show becomes the first state of the books.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::draft::Draft;
use super::event::Fact;
use super::refusal::Refusal;
use super::state::Account;
use super::terms::{MeterTerms, Purse, Terms};
use super::{observe, orders};
use crate::id::MeterNumber;
use crate::money::Money;
use crate::reading::MeterReading;
use crate::sale::Evidence;
use crate::settlement::RegisterLimits;
use crate::status::Service;

/// How an account begins on a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenMode {
    /// A new meter: no credit in it.
    Fresh,
    /// A running meter: the credit that it shows becomes an opening entry.
    TakeOver,
}

/// A meter at the opening of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeterTakeOver {
    /// What is known about it.
    pub terms: MeterTerms,
    /// How it begins.
    pub mode: OpenMode,
    /// What it shows now.
    pub reading: MeterReading,
}

/// A meter as it was when the account was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeterOpening {
    /// What is known about it.
    pub terms: MeterTerms,
    /// How it began.
    pub mode: OpenMode,
    /// What it showed.
    pub shown: Evidence,
    /// Its relay passed current.
    pub relay_closed: bool,
}

pub(super) fn open(
    draft: &mut Draft<'_>,
    terms: &Terms,
    meters: &[MeterTakeOver],
    station_credit: Money,
) -> Result<(), Refusal> {
    let found = draft.account().service;
    if !matches!(found, Service::NotOpened | Service::Prepared) {
        return Err(Refusal::Service { found, needed: Service::NotOpened });
    }
    terms.check()?;
    check_meters(meters.iter().map(|meter| meter.terms.meter))?;
    if terms.purse == Purse::InMeter && !station_credit.is_zero() {
        return Err(Refusal::OpeningCredit { field: "station_credit", value: station_credit });
    }
    let mut openings = Vec::with_capacity(meters.len());
    for meter in meters {
        openings.push(opening_of(meter, terms.purse)?);
    }
    draft.push(Fact::Opened { terms: *terms, meters: openings, station_credit })?;
    if terms.purse == Purse::AtStation {
        observe::assess_purse(draft)?;
    }
    for meter in meters {
        observe::assess_opening(draft, &meter.reading)?;
        orders::refresh(draft, meter.terms.meter)?;
    }
    Ok(())
}

/// Each meter once, and as many as an account may have.
pub(super) fn check_meters(numbers: impl Iterator<Item = MeterNumber> + Clone) -> Result<(), Refusal> {
    let (meters, distinct) = (numbers.clone().count(), numbers.collect::<BTreeSet<_>>().len());
    if meters == 0 || meters > Account::MAX_METERS || distinct != meters {
        return Err(Refusal::Meters { meters, distinct, max: Account::MAX_METERS });
    }
    Ok(())
}

pub(super) fn opening_of(meter: &MeterTakeOver, purse: Purse) -> Result<MeterOpening, Refusal> {
    let MeterTakeOver { terms, mode, reading } = meter;
    terms.check_for(purse)?;
    if reading.meter != terms.meter {
        return Err(Refusal::OtherMeter { meter: terms.meter, shown: reading.meter });
    }
    if *mode == OpenMode::Fresh && purse == Purse::InMeter && !reading.balance.is_zero() {
        return Err(Refusal::OpeningCredit { field: "balance of a fresh meter", value: reading.balance });
    }
    check_registers(reading, &terms.registers)?;
    Ok(MeterOpening { terms: *terms, mode: *mode, shown: Evidence::from(reading), relay_closed: reading.relay_closed })
}

fn check_registers(reading: &MeterReading, limits: &RegisterLimits) -> Result<(), Refusal> {
    let modulus = limits.modulus_centi_kwh;
    let values = core::iter::once(&reading.energy.total_centi_kwh).chain(reading.energy.rates.as_slice());
    for (register, value) in (0_u8..).zip(values) {
        if *value >= modulus {
            return Err(Refusal::OpeningRegister { register, value: *value, modulus });
        }
    }
    Ok(())
}
