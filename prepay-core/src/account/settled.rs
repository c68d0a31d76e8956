//! Booked consumption: what it is, and how it changes the state.

use serde::{Deserialize, Serialize};

use super::apply::find;
use super::apply_error::ApplyError;
use super::event::Fact;
use super::meter_state::point;
use super::state::Account;
use crate::id::MeterNumber;
use crate::money::Money;
use crate::sale::Evidence;
use crate::series::{Series, Source};
use crate::settlement::{PricerState, Usage};

/// Booked consumption of one meter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// The meter.
    pub meter: MeterNumber,
    /// It left the purse in the meter; else the customer's purse at the station.
    pub in_meter: bool,
    /// The reading it was booked by: the base of the next one.
    pub shown: Evidence,
    /// The energy.
    pub usage: Usage,
    /// The tariff's charge, tax included, minor units.
    pub charge: Money,
    /// The tax in it, minor units.
    pub tax: Money,
    /// What left the purse, minor units: the fall of the meter's balance, or the charge.
    pub booked: Money,
    /// Where `booked − charge` goes.
    pub difference: DifferenceKind,
    /// The version of the tariff.
    pub tariff_version: u32,
    /// Where pricing stands now.
    pub pricer: PricerState,
    /// Measured or estimated.
    #[serde(default)]
    pub source: Source,
}

impl Settled {
    /// `booked − charge`, minor units.
    ///
    /// # Errors
    /// [`crate::money::MoneyError::Overflow`] when it does not fit.
    pub const fn difference_amount(&self) -> Result<Money, crate::money::MoneyError> {
        self.booked.minus(self.charge)
    }
}

/// What a difference between a meter and the tariff is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// Rounding: at most one minor unit for each priced register. Goes to `meter_rounding`.
    Rounding,
    /// More than that: the meter deducts by another price. Goes to `price_lag` and is a finding.
    PriceLag,
    /// Energy that was used while its balance was overwritten: the write gave it back. Goes to `overwrite_drift`.
    Overwrite,
}

pub(super) fn take(account: &mut Account, settled: &Settled, seq: u64) -> Result<(), ApplyError> {
    let purse = account.purse;
    let state = find(account, settled.meter).ok_or(ApplyError::Impossible { seq, fact: "settled" })?;
    let charged = state.charged.plus(settled.charge)?;
    let taxed = state.taxed.plus(settled.tax)?;
    let drifting = settled.difference == DifferenceKind::PriceLag;
    let mut drift = state.drift;
    if drifting {
        drift.sum = drift.sum.plus(settled.difference_amount()?)?;
        drift.settlements = drift.settlements.saturating_add(1);
    } else if settled.difference == DifferenceKind::Rounding {
        drift.rounding = drift.rounding.plus(settled.difference_amount()?)?;
    }
    let (in_meter, purse) = if settled.in_meter {
        (state.purse.minus(settled.booked)?, purse)
    } else {
        (state.purse, purse.minus(settled.booked)?)
    };
    state.drift = drift;
    state.purse = in_meter;
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

pub(super) fn take_correction(account: &mut Account, fact: &Fact, seq: u64) -> Result<(), ApplyError> {
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
    // What the polls have seen used since the last booking is not booked by this.
    state.pricer = pricer.clone();
    account.purse = purse;
    Ok(())
}
