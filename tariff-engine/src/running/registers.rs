//! Differences of a meter's rate registers.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::borrow::Borrow;

use super::clock::Stretch;
use super::split::largest_remainder;
use super::{Cursor, Mode, RunningBill};
use crate::compile::{CompiledTariff, LadderKind};
use crate::limits::MAX_LADDER_SEGMENTS;
use crate::tariff::Scope;
use crate::usage::{Border, Borders, RateUsage, UsageError};

impl<T: Borrow<CompiledTariff>> RunningBill<T> {
    /// Adds the energy between two readings of a meter's rate registers.
    ///
    /// Inside a difference the order of time is not known. Where that matters (a ladder that several rates share) the tiers are
    /// filled in proportion, in whole 10⁻⁶ kWh by largest remainder, and [`is_order_estimated`](Self::is_order_estimated) tells.
    /// The total then depends on when the meter was read; everywhere else it does not.
    ///
    /// A difference over the border of a version or a ladder cycle is refused, or split by time where the policy says so. One over
    /// the end of the billing period is refused: [`RateUsage::split_pro_rata`] splits it, and [`settle`](Self::settle) comes
    /// between the two parts.
    ///
    /// # Errors
    /// [`UsageError`]; the state is then as it was before.
    pub fn push_registers(&mut self, usage: &RateUsage<'_>) -> Result<(), UsageError> {
        self.check_time(usage.from_utc_s, usage.to_utc_s, usage.direction)?;
        let total = self.check_energies(usage)?;
        let energy = self.energy_with(total)?;
        let borders = self.borders(usage)?;
        let before = self.state.clone();
        let result = self.push_parts(usage, &borders);
        // Registers say nothing about the time of day, so the cursor is looked up again.
        self.cursor = Cursor::new();
        match result {
            Ok(()) => {
                self.state.energy = energy;
                self.state.next_utc_s = usage.to_utc_s;
            }
            Err(_) => self.state = before,
        }
        result
    }

    fn check_energies(&self, usage: &RateUsage<'_>) -> Result<i64, UsageError> {
        let mut total = 0_i64;
        for (place, (rate, energy)) in usage.energies.iter().enumerate() {
            if energy.micro_kwh() < 0 {
                return Err(UsageError::Negative { from_utc_s: usage.from_utc_s, energy: *energy });
            }
            if usage.energies.iter().take(place).any(|(earlier, _)| earlier == rate) {
                return Err(UsageError::RateTwice { rate: (*rate).to_string() });
            }
            total = total.checked_add(energy.micro_kwh()).ok_or(UsageError::TooMuchEnergy)?;
        }
        Ok(total)
    }

    /// The instants inside the usage at which the version changes or the ladder starts again.
    fn borders(&self, usage: &RateUsage<'_>) -> Result<Vec<i64>, UsageError> {
        let RateUsage { from_utc_s, to_utc_s, .. } = *usage;
        let tariff = self.tariff.borrow();
        let mut borders = Vec::new();
        let mut at_utc_s = from_utc_s;
        loop {
            let place = tariff.version_index(at_utc_s).ok_or(UsageError::OutsideVersions { at_utc_s })?;
            let version = self.version(place)?;
            let ladder = &version.energy.ladder;
            let (_, to) =
                ladder.cycle.span(tariff.zone.day(at_utc_s)).ok_or(UsageError::BeyondCalendar { at_utc_s })?;
            let resets = if version.energy.tiers > 1 { tariff.zone.day_start(to) } else { i64::MAX };
            let (next, border) = if version.until_utc_s <= resets {
                (version.until_utc_s, Border::Version)
            } else {
                (resets, Border::LadderReset)
            };
            if next >= to_utc_s {
                return Ok(borders);
            }
            if self.state.policy.borders == Borders::Refuse {
                return Err(UsageError::CrossesBorder { from_utc_s, to_utc_s, border, at_utc_s: next });
            }
            borders.push(next);
            at_utc_s = next;
        }
    }

    fn push_parts(&mut self, usage: &RateUsage<'_>, borders: &[i64]) -> Result<(), UsageError> {
        let mut ends: Vec<i64> = borders.to_vec();
        ends.push(usage.to_utc_s);
        let mut from = usage.from_utc_s;
        let mut spans = Vec::with_capacity(ends.len());
        for to in ends {
            spans.push((from, to));
            from = to;
        }
        let lengths: Vec<i64> = spans.iter().map(|(from, to)| to.saturating_sub(*from)).collect();
        let shares: Vec<Vec<i64>> =
            usage.energies.iter().map(|(_, energy)| largest_remainder(energy.micro_kwh(), &lengths)).collect();
        for (part, (from, to)) in spans.into_iter().enumerate() {
            let energies: Vec<(&str, i64)> = usage
                .energies
                .iter()
                .zip(&shares)
                .map(|((rate, _), shares)| (*rate, shares.get(part).copied().unwrap_or(0)))
                .collect();
            self.push_part(from, to, &energies)?;
        }
        Ok(())
    }

    /// Books energies of one version and one ladder cycle.
    fn push_part(&mut self, from_utc_s: i64, to_utc_s: i64, energies: &[(&str, i64)]) -> Result<(), UsageError> {
        let at_utc_s = from_utc_s;
        let place = self.tariff.borrow().version_index(at_utc_s).ok_or(UsageError::OutsideVersions { at_utc_s })?;
        let mut by_rate: Vec<i64> = vec![0; self.version(place)?.energy.rates.len()];
        for (rate, energy) in energies {
            let unknown = || UsageError::UnknownRate { rate: (*rate).to_string(), at_utc_s };
            let cell = self.rate_place(place, rate).and_then(|rate| by_rate.get_mut(rate)).ok_or_else(unknown)?;
            *cell = *energy;
        }
        let kind = self.version(place)?.energy.ladder.kind;
        let several = by_rate.iter().filter(|energy| **energy > 0).count() > 1;
        if several && kind == LadderKind::Deferred(Scope::SharedChronological) {
            return Err(UsageError::OrderUnknown);
        }
        let first = Stretch { from_utc_s, to_utc_s, version: place, rate: 0, registers: 0 };
        let total = by_rate.iter().fold(0_i64, |sum, energy| sum.saturating_add(*energy));
        if let Some(window) = self.window_of(&first)? {
            let stretch = self.stretch(from_utc_s)?;
            let measured = self.measured(from_utc_s, to_utc_s, total, Some(window))?;
            self.enter(stretch, from_utc_s)?;
            if let Some(measured) = measured {
                self.note_peak(measured);
            }
        }
        if kind == LadderKind::Streamed(Scope::SharedChronological) && several {
            self.enter(first, from_utc_s)?;
            self.climb_together(&by_rate, total);
            return Ok(());
        }
        let listed = self.state.books.last().map_or(0, |book| book.segments.len());
        if kind == LadderKind::Deferred(Scope::SharedChronological) && listed >= MAX_LADDER_SEGMENTS {
            return Err(UsageError::TooManyRateChanges);
        }
        for (rate, energy) in by_rate.iter().enumerate().filter(|(_, energy)| **energy > 0) {
            self.enter(Stretch { rate: super::energy::number(rate), ..first }, from_utc_s)?;
            self.book(*energy);
        }
        Ok(())
    }

    /// The place of a rate in a version.
    pub(super) fn rate_place(&self, version: usize, rate: &str) -> Option<usize> {
        let tariff = self.tariff.borrow();
        let numbers = &tariff.versions.get(version)?.energy.rates;
        numbers.iter().position(|number| tariff.rate_name(*number) == rate)
    }

    /// Fills the tiers of a shared ladder with several rates in proportion.
    fn climb_together(&mut self, by_rate: &[i64], total: i64) {
        let mut rest = by_rate.to_vec();
        let mut left = total;
        while left > 0 && self.cursor.mode == Mode::Shared {
            let taken = left.min(self.cursor.room);
            if taken < left {
                self.state.estimated_order = true;
            }
            let tier = self.cursor.tier;
            let tiers =
                self.tariff.borrow().versions.get(usize::from(self.state.version)).map_or(1, |v| v.energy.tiers);
            for (rate, (part, own)) in largest_remainder(taken, &rest).into_iter().zip(&mut rest).enumerate() {
                let cell = rate.saturating_mul(tiers).saturating_add(tier);
                if let Some(cell) = self.state.books.last_mut().and_then(|book| book.cells.get_mut(cell)) {
                    *cell = cell.saturating_add(part);
                }
                *own = own.saturating_sub(part);
            }
            self.state.ladder.total = self.state.ladder.total.saturating_add(taken);
            left = left.saturating_sub(taken);
            self.find_tier();
        }
    }
}
