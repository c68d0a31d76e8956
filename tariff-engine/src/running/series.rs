//! Intervals of equal length, many at once.

use core::borrow::Borrow;

use super::demand::mean_power;
use super::energy::MAX_ENERGY;
use super::{Cursor, Mode, RunningBill};
use crate::bill::{Bill, PeriodInputs};
use crate::compile::CompiledTariff;
use crate::exact::Energy;
use crate::usage::{Interval, Series, UsageError};

/// Intervals that are summed before the limit of energy is tested: so many at the limit still fit 64 bits.
const MAX_CHUNK: usize = 4_096;

impl<T: Borrow<CompiledTariff>> RunningBill<T> {
    /// Adds a series, as if its intervals were pushed one by one.
    ///
    /// # Errors
    /// [`UsageError`]; the state is then as it was before the whole series.
    pub fn push_series(&mut self, series: &Series<'_>) -> Result<(), UsageError> {
        let before = self.state.clone();
        let result = self.push_each(series);
        if result.is_err() {
            self.state = before;
            self.cursor = Cursor::new();
        }
        result
    }

    /// Adds a series of any length and settles each billing period that it completes.
    ///
    /// The same inputs serve all periods. The last period is settled too, where the series ends with it.
    ///
    /// # Errors
    /// [`UsageError`]. Periods that were settled before stay settled; the period of the error is as it was at its beginning.
    pub fn run_series(
        &mut self,
        series: &Series<'_>,
        inputs: &PeriodInputs,
        mut take: impl FnMut(Bill),
    ) -> Result<(), UsageError> {
        let step_s = i64::from(series.step_s);
        let mut start_utc_s = series.start_utc_s;
        let mut rest = series.energies;
        while !rest.is_empty() {
            let (_, period_to_utc_s) = self.period_utc_s();
            let left_s = period_to_utc_s.saturating_sub(start_utc_s);
            let fitting = left_s.checked_div(step_s).and_then(|steps| usize::try_from(steps).ok()).unwrap_or(0);
            // Where none fits, pushing the next one tells why.
            let (period, others) = rest.split_at_checked(fitting.max(1)).unwrap_or((rest, &[]));
            self.push_series(&Series { start_utc_s, step_s: series.step_s, energies: period })?;
            start_utc_s = self.next_utc_s();
            rest = others;
            if start_utc_s == period_to_utc_s {
                take(self.settle(inputs)?);
            }
        }
        Ok(())
    }

    fn push_each(&mut self, series: &Series<'_>) -> Result<(), UsageError> {
        let step_s = i64::from(series.step_s);
        let mut from_utc_s = series.start_utc_s;
        let mut rest = series.energies;
        while let Some((first, others)) = rest.split_first() {
            let fitting = self.cursor.to_utc_s.saturating_sub(from_utc_s).checked_div(step_s).unwrap_or(0);
            let fitting = usize::try_from(fitting).unwrap_or(0).min(MAX_CHUNK).min(rest.len());
            if fitting == 0 || from_utc_s != self.state.next_utc_s {
                let to_utc_s = from_utc_s.saturating_add(step_s);
                self.push(Interval::new(from_utc_s, to_utc_s, *first))?;
                from_utc_s = to_utc_s;
                rest = others;
                continue;
            }
            let (chunk, others) = rest.split_at_checked(fitting).unwrap_or((rest, &[]));
            from_utc_s = self.push_chunk(from_utc_s, step_s, chunk)?;
            rest = others;
        }
        Ok(())
    }

    /// Intervals that all lie in the present stretch. Gives the end of the last one.
    fn push_chunk(&mut self, from_utc_s: i64, step_s: i64, chunk: &[Energy]) -> Result<i64, UsageError> {
        let mut sum = 0_i64;
        let mut least = 0_i64;
        let mut most = 0_i64;
        for energy in chunk {
            let micro_kwh = energy.micro_kwh();
            // Tested below: within the limit so many don't wrap.
            sum = sum.wrapping_add(micro_kwh);
            least = least.min(micro_kwh);
            most = most.max(micro_kwh);
        }
        if least < 0 {
            return Err(first_negative(from_utc_s, step_s, chunk));
        }
        if most > MAX_ENERGY {
            return Err(UsageError::TooMuchEnergy);
        }
        let energy = self.energy_with(sum)?;
        self.measure_chunk(from_utc_s, step_s, chunk, most)?;
        match self.cursor.mode {
            Mode::Shared | Mode::OwnLadder if sum > self.cursor.room => {
                chunk.iter().for_each(|energy| self.book(energy.micro_kwh()));
            }
            _ => self.book(sum),
        }
        let count = i64::try_from(chunk.len()).unwrap_or(i64::MAX);
        let to_utc_s = from_utc_s.saturating_add(step_s.saturating_mul(count));
        self.state.energy = energy;
        self.state.next_utc_s = to_utc_s;
        Ok(to_utc_s)
    }

    fn measure_chunk(&mut self, from_utc_s: i64, step_s: i64, chunk: &[Energy], most: i64) -> Result<(), UsageError> {
        let Some(window_s) = self.cursor.window_s else { return Ok(()) };
        let whole_windows = step_s == window_s
            && from_utc_s >= self.state.demand.window_to_utc_s
            && self.window_end(from_utc_s, window_s) == from_utc_s.saturating_add(step_s);
        if whole_windows {
            // Each interval is a window, so the largest is the peak.
            let power = mean_power(most, window_s)?;
            let place = chunk.iter().position(|energy| energy.micro_kwh() == most).unwrap_or(0);
            let windows = i64::try_from(place).unwrap_or(0).saturating_add(1);
            self.raise_peaks(power, from_utc_s.saturating_add(step_s.saturating_mul(windows)));
            return Ok(());
        }
        let mut from_utc_s = from_utc_s;
        for energy in chunk {
            let to_utc_s = from_utc_s.saturating_add(step_s);
            if let Some(measured) = self.measured(from_utc_s, to_utc_s, energy.micro_kwh(), Some(window_s))? {
                self.note_peak(measured);
            }
            from_utc_s = to_utc_s;
        }
        Ok(())
    }
}

fn first_negative(from_utc_s: i64, step_s: i64, chunk: &[Energy]) -> UsageError {
    let place = chunk.iter().position(|energy| *energy < Energy::ZERO).unwrap_or(0);
    let steps = i64::try_from(place).unwrap_or(0);
    let energy = chunk.get(place).copied().unwrap_or_default();
    UsageError::Negative { from_utc_s: from_utc_s.saturating_add(step_s.saturating_mul(steps)), energy }
}
