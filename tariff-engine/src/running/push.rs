//! Intervals, one by one.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::borrow::Borrow;

use super::clock::Stretch;
use super::demand::Window;
use super::split::largest_remainder;
use super::state::Flagged;
use super::{Cursor, Mode, RunningBill};
use crate::calendar::date::{day_number, parse_date};
use crate::compile::CompiledTariff;
use crate::limits::MAX_FLAGGED_DAYS;
use crate::usage::{Border, Borders, Direction, Gaps, Interval, UsageError};

/// Stretches that one interval may cross: a year of quarter hours is more than any tariff needs.
const MAX_STRETCHES: usize = 40_000;

impl<T: Borrow<CompiledTariff>> RunningBill<T> {
    /// Adds one interval.
    ///
    /// # Errors
    /// [`UsageError`]; the state is then as it was before.
    #[inline]
    pub fn push(&mut self, interval: Interval) -> Result<(), UsageError> {
        let micro_kwh = interval.energy.micro_kwh();
        let inside = interval.from_utc_s == self.state.next_utc_s
            && interval.to_utc_s <= self.cursor.to_utc_s
            && interval.to_utc_s > interval.from_utc_s;
        if !inside || micro_kwh < 0 || interval.direction == Direction::Export {
            return self.push_elsewhere(interval);
        }
        let energy = self.energy_with(micro_kwh)?;
        let measured = self.measured(interval.from_utc_s, interval.to_utc_s, micro_kwh, self.cursor.window)?;
        if let Some(measured) = measured {
            self.note_peak(measured);
        }
        match self.cursor.mode {
            Mode::Plain => self.add_to_cell(self.cursor.first_cell, micro_kwh),
            _ => self.book(micro_kwh),
        }
        self.state.energy = energy;
        self.state.next_utc_s = interval.to_utc_s;
        Ok(())
    }

    /// Tells which flags a day has, such as `hot`. A day without flags is told with none.
    ///
    /// # Errors
    /// [`UsageError::BadDate`] for a date that is none or past, [`UsageError::UnknownDayFlag`], or
    /// [`UsageError::TooManyFlaggedDays`].
    pub fn set_day_flags(&mut self, date: &str, flags: &[&str]) -> Result<(), UsageError> {
        let tariff = self.tariff.borrow();
        let today = tariff.zone.day(self.state.next_utc_s);
        let day = parse_date(date)
            .map(day_number)
            .filter(|day| *day >= today)
            .and_then(|day| i32::try_from(day).ok())
            .ok_or_else(|| UsageError::BadDate { date: date.to_string() })?;
        let mut bits = 0_u8;
        for flag in flags {
            let place = tariff.days.flags.iter().position(|known| known == flag);
            let place = place.ok_or_else(|| UsageError::UnknownDayFlag { name: String::from(*flag) })?;
            bits |= 1 << place;
        }
        if tariff.days.flags.is_empty() {
            return Ok(());
        }
        let days = &mut self.state.day_flags;
        days.retain(|flagged| i64::from(flagged.day) >= today && flagged.day != day);
        if days.len() >= MAX_FLAGGED_DAYS {
            return Err(UsageError::TooManyFlaggedDays);
        }
        days.reserve_exact(1);
        days.push(Flagged { day, bits });
        // The present day may have been looked up already.
        self.cursor = Cursor::new();
        Ok(())
    }

    /// An interval that does not simply go on in the present stretch.
    #[inline(never)]
    fn push_elsewhere(&mut self, interval: Interval) -> Result<(), UsageError> {
        let Interval { from_utc_s, to_utc_s, energy, direction } = interval;
        if from_utc_s == self.state.next_utc_s && self.step_on() {
            return self.push(interval);
        }
        self.check_time(from_utc_s, to_utc_s, direction)?;
        let micro_kwh = energy.micro_kwh();
        if micro_kwh < 0 {
            return Err(UsageError::Negative { from_utc_s, energy });
        }
        let energy = self.energy_with(micro_kwh)?;
        let first = self.stretch(from_utc_s)?;
        let window = self.window_of(&first)?;
        if to_utc_s <= first.to_utc_s {
            let measured = self.measured(from_utc_s, to_utc_s, micro_kwh, window)?;
            self.enter(first, from_utc_s)?;
            if let Some(measured) = measured {
                self.note_peak(measured);
            }
            self.book(micro_kwh);
        } else {
            self.push_over_borders(first, from_utc_s, to_utc_s, micro_kwh)?;
        }
        self.state.energy = energy;
        self.state.next_utc_s = to_utc_s;
        Ok(())
    }

    /// Whether usage of this time can be taken now.
    pub(super) fn check_time(&self, from_utc_s: i64, to_utc_s: i64, direction: Direction) -> Result<(), UsageError> {
        let expected_utc_s = self.state.next_utc_s;
        let period_to_utc_s = self.state.period_to_utc_s;
        if direction == Direction::Export {
            return Err(UsageError::Export { from_utc_s });
        }
        if to_utc_s <= from_utc_s {
            return Err(UsageError::ZeroLength { from_utc_s, to_utc_s });
        }
        if to_utc_s <= expected_utc_s {
            return Err(UsageError::Disorder { expected_utc_s, to_utc_s });
        }
        if from_utc_s < expected_utc_s {
            return Err(UsageError::Overlap { expected_utc_s, from_utc_s });
        }
        if from_utc_s >= period_to_utc_s {
            return Err(UsageError::PeriodOver { from_utc_s, period_to_utc_s });
        }
        if from_utc_s > expected_utc_s && self.state.policy.gaps == Gaps::Refuse {
            return Err(UsageError::Gap { expected_utc_s, from_utc_s });
        }
        if to_utc_s > period_to_utc_s {
            let border = Border::BillingPeriod;
            return Err(UsageError::CrossesBorder { from_utc_s, to_utc_s, border, at_utc_s: period_to_utc_s });
        }
        Ok(())
    }

    /// The stretch in which an instant lies.
    pub(super) fn stretch(&mut self, at_utc_s: i64) -> Result<Stretch, UsageError> {
        self.cursor.to_utc_s = i64::MIN;
        // The clocks may have changed since.
        self.cursor.window_from_utc_s = i64::MIN;
        self.cursor.clock.stretch(self.tariff.borrow(), &self.state.day_flags, at_utc_s)
    }

    /// The demand window in force in a stretch, where demand is measured from usage.
    pub(super) fn window_of(&self, stretch: &Stretch) -> Result<Option<Window>, UsageError> {
        let measures = self.state.policy.demand == crate::usage::DemandSource::Usage;
        Ok(self.version(stretch.version)?.window_s.filter(|_| measures).map(Window::new))
    }

    /// An interval that ends after the stretch in which it begins: it is one where nothing changes at the borders, and
    /// otherwise it is refused or split.
    fn push_over_borders(
        &mut self,
        first: Stretch,
        from_utc_s: i64,
        to_utc_s: i64,
        micro_kwh: i64,
    ) -> Result<(), UsageError> {
        let pieces = self.pieces(first, from_utc_s, to_utc_s)?;
        let lengths: Vec<i64> = pieces.iter().map(|piece| piece.to_utc_s.saturating_sub(piece.from_utc_s)).collect();
        let energies = largest_remainder(micro_kwh, &lengths);
        let before = self.state.clone();
        let result = pieces.iter().zip(energies).try_for_each(|(piece, energy)| {
            let window = self.window_of(piece)?;
            let measured = self.measured(piece.from_utc_s, piece.to_utc_s, energy, window)?;
            self.enter(*piece, piece.from_utc_s)?;
            if let Some(measured) = measured {
                self.note_peak(measured);
            }
            self.book(energy);
            Ok(())
        });
        // The cursor's stretch may be shorter than the piece it was pointed at, so it is looked up again.
        self.cursor = Cursor::new();
        if result.is_err() {
            self.state = before;
        }
        result
    }

    /// The parts of an interval between borders at which something changes; more than one only where the policy splits.
    fn pieces(&mut self, first: Stretch, from_utc_s: i64, to_utc_s: i64) -> Result<Vec<Stretch>, UsageError> {
        let mut last = Stretch { from_utc_s, ..first };
        let mut pieces = Vec::new();
        let mut stretches = 0_usize;
        while last.to_utc_s < to_utc_s {
            let at_utc_s = last.to_utc_s;
            let next = self.stretch(at_utc_s)?;
            stretches = stretches.saturating_add(1);
            if stretches > MAX_STRETCHES {
                return Err(UsageError::BeyondCalendar { at_utc_s });
            }
            match self.border(&last, &next, at_utc_s) {
                None => last.to_utc_s = next.to_utc_s,
                Some(border) if self.state.policy.borders == Borders::Refuse => {
                    return Err(UsageError::CrossesBorder { from_utc_s, to_utc_s, border, at_utc_s });
                }
                Some(_) => {
                    pieces.push(last);
                    last = Stretch { from_utc_s: at_utc_s, ..next };
                }
            }
        }
        last.to_utc_s = to_utc_s;
        pieces.push(last);
        Ok(pieces)
    }

    /// What changes between two stretches, if anything.
    fn border(&self, before: &Stretch, after: &Stretch, at_utc_s: i64) -> Option<Border> {
        if before.version != after.version {
            return Some(Border::Version);
        }
        if (before.rate, before.registers) != (after.rate, after.registers) {
            return Some(Border::Rate);
        }
        // Without tiers there is nothing to start again.
        let tariff = self.tariff.borrow();
        let energy = &tariff.versions.get(after.version)?.energy;
        let day = tariff.zone.day(at_utc_s);
        let resets = energy.tiers > 1
            && energy.ladder.cycle.span(day).is_some_and(|(from, _)| tariff.zone.day_start(from) == at_utc_s);
        resets.then_some(Border::LadderReset)
    }
}
