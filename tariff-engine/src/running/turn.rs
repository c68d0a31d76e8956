//! From one billing period to the next.

use core::borrow::Borrow;

use chrono::Datelike;

use super::state::{Peak, PeriodPeak};
use super::{RunningBill, month_of};
use crate::bill::{Peaks, PeriodInputs};
use crate::calendar::date::date_of;
use crate::compile::CompiledTariff;
use crate::exact::Amount;
use crate::limits::MAX_LOOKBACK;
use crate::usage::{Gaps, UsageError};

impl<T: Borrow<CompiledTariff>> RunningBill<T> {
    pub(crate) fn takes_gaps(&self) -> bool {
        self.state.policy.gaps == Gaps::UsedNothing
    }

    /// Whether the energy cost so far may still change by what comes later in the period: tiers per day, per kW or proportional.
    pub fn is_energy_provisional(&self) -> bool {
        self.state.books.iter().any(|book| book.start.is_some())
    }

    /// Forgets the settled period and begins the next one. What can fail comes first.
    pub(crate) fn turn_page(&mut self, inputs: &PeriodInputs, counted: &Amount) -> Result<(), UsageError> {
        let to_utc_s = self.state.period_to_utc_s;
        let beyond = UsageError::BeyondCalendar { at_utc_s: to_utc_s };
        let tariff = self.tariff.borrow();
        let (_, next_to_utc_s) = tariff.billing_period(to_utc_s).ok_or(beyond.clone())?;
        let month = month_of(tariff.zone.day(to_utc_s.saturating_sub(1))).ok_or(beyond.clone())?;
        let year = date_of(tariff.zone.day(to_utc_s)).map(|date| date.year()).ok_or(beyond)?;
        let mut billed = if year == self.state.year.year { self.state.year.billed.clone() } else { Amount::ZERO };
        if year == self.state.year.year {
            billed.add(counted)?;
        }
        let before = self.state.clone();
        if let Err(error) = self.keep_peaks(inputs, month).and_then(|()| self.next_book(to_utc_s)) {
            self.state = before;
            return Err(error);
        }
        self.state.year.year = year;
        self.state.year.billed = billed;
        self.state.bill_from_utc_s = to_utc_s;
        self.state.next_utc_s = to_utc_s;
        self.state.period_from_utc_s = to_utc_s;
        self.state.period_to_utc_s = next_to_utc_s;
        self.state.energy = 0;
        self.state.estimated_order = false;
        self.state.demand.peaks.fill(Peak::default());
        let today = self.tariff.borrow().zone.day(to_utc_s);
        self.state.day_flags.retain(|(day, _)| *day >= today);
        self.cursor.to_utc_s = i64::MIN;
        Ok(())
    }

    /// Remembers the peaks that ratchets will ask for.
    fn keep_peaks(&mut self, inputs: &PeriodInputs, month: i64) -> Result<(), UsageError> {
        let tariff = self.tariff.borrow();
        let period_months = i64::from(tariff.billing.months);
        let peaks = Peaks { tariff, state: &self.state, inputs, month, period_months };
        let mut kept = alloc::vec::Vec::new();
        let last = tariff.version_at(self.state.period_to_utc_s.saturating_sub(1));
        for charge in last.map_or(&[][..], |version| &version.demand) {
            if let Some(ratchet) = &charge.ratchet {
                kept.push(PeriodPeak { charge: charge.name, month, power: peaks.source(ratchet)? });
            }
        }
        let reach = i64::from(MAX_LOOKBACK).saturating_mul(period_months);
        self.state.demand.history.retain(|peak| month.saturating_sub(peak.month) < reach);
        self.state.demand.history.extend(kept);
        self.state.demand.known_periods = self.state.demand.known_periods.saturating_add(1);
        Ok(())
    }

    /// Closes the books and opens that of the version in force, or of the last one where the tariff ends.
    fn next_book(&mut self, at_utc_s: i64) -> Result<(), UsageError> {
        let place = self.tariff.borrow().version_index(at_utc_s).unwrap_or(usize::from(self.state.version));
        self.open_book(place, at_utc_s)?;
        let last = self.state.books.pop();
        self.state.books.clear();
        self.state.books.extend(last);
        Ok(())
    }
}
