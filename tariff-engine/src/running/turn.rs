//! From one billing period to the next.

use alloc::vec::Vec;
use core::borrow::Borrow;

use chrono::Datelike;

use super::RunningBill;
use super::state::{Peak, PeriodPeak};
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

    /// Forgets the settled period and begins the next one. `counted` is what counts towards an annual minimum.
    pub(crate) fn turn_page(&mut self, inputs: &PeriodInputs, counted: &Amount) -> Result<(), UsageError> {
        let before = self.state.clone();
        let result = self
            .keep_peaks(inputs)
            .and_then(|()| self.state.year.billed.add(counted).map_err(UsageError::from))
            .and_then(|()| self.begin_period());
        if result.is_err() {
            self.state = before;
        }
        result
    }

    /// Remembers the peaks that ratchets will ask for.
    fn keep_peaks(&mut self, inputs: &PeriodInputs) -> Result<(), UsageError> {
        let tariff = self.tariff.borrow();
        let peaks = Peaks::of(tariff, &self.state, inputs)?;
        let mut kept = Vec::new();
        let last = tariff.version_at(self.state.period_to_utc_s.saturating_sub(1));
        for charge in last.map_or(&[][..], |version| &version.demand) {
            if let Some(ratchet) = &charge.ratchet {
                let power = peaks.source(ratchet)?;
                let at_utc_s = self.state.period_to_utc_s;
                let month = i32::try_from(peaks.month).map_err(|_| UsageError::BeyondCalendar { at_utc_s })?;
                kept.push(PeriodPeak { charge: charge.name, month, power });
            }
        }
        let (month, reach) = (peaks.month, i64::from(MAX_LOOKBACK).saturating_mul(peaks.period_months));
        self.state.demand.history.retain(|peak| month.saturating_sub(i64::from(peak.month)) < reach);
        self.state.demand.history.reserve_exact(kept.len());
        self.state.demand.history.extend(kept);
        self.state.demand.known_periods = self.state.demand.known_periods.saturating_add(1);
        Ok(())
    }

    /// Begins the next billing period. After an error the state is unusable, so the callers drop or restore it.
    pub(crate) fn begin_period(&mut self) -> Result<(), UsageError> {
        let at_utc_s = self.state.period_to_utc_s;
        let tariff = self.tariff.borrow();
        let beyond = || UsageError::BeyondCalendar { at_utc_s };
        let (_, next_to_utc_s) = tariff.billing_period(at_utc_s).ok_or_else(beyond)?;
        let today = tariff.zone.day(at_utc_s);
        let year = date_of(today).map(|date| date.year()).ok_or_else(beyond)?;
        // Where the tariff ends, its last version keeps the book until usage is refused.
        let place = tariff.version_index(at_utc_s).unwrap_or(usize::from(self.state.version));
        self.state.month_of_year = super::open::month_of_year(tariff, next_to_utc_s)?;
        self.open_book(place, at_utc_s)?;
        let last = self.state.books.pop();
        self.state.books.clear();
        self.state.books.extend(last);
        if year != self.state.year.year {
            self.state.year.year = year;
            self.state.year.billed = Amount::ZERO;
        }
        self.state.bill_from_utc_s = at_utc_s;
        self.state.next_utc_s = at_utc_s;
        self.state.period_from_utc_s = at_utc_s;
        self.state.period_to_utc_s = next_to_utc_s;
        self.state.energy = 0;
        self.state.estimated_order = false;
        self.state.demand.peaks.fill(Peak::default());
        self.state.day_flags.retain(|flagged| i64::from(flagged.day) >= today);
        self.cursor.to_utc_s = i64::MIN;
        Ok(())
    }
}
