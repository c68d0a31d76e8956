//! Intervals of equal length, many at once.

use core::borrow::Borrow;

use super::demand::Window;
use super::energy::MAX_ENERGY;
use super::{Cursor, Mode, RunningBill};
use crate::bill::{Bill, PeriodInputs};
use crate::compile::CompiledTariff;
use crate::exact::Energy;
use crate::usage::{Interval, Series, UsageError};

/// Intervals that are summed before the limit of energy is tested: so many at the limit still fit 64 bits.
const MAX_CHUNK: usize = 4_096;
/// Bits that energies within the limit can have: one with a higher bit is beyond it.
const MOST_BITS: i64 = (1 << 50) - 1;
const _: () =
    assert!(MAX_ENERGY <= MOST_BITS && MOST_BITS < i64::MAX / 4_096, "a chunk neither hides an excess nor wraps");

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
        let step = Step::new(series.step_s);
        let mut from_utc_s = series.start_utc_s;
        let mut rest = series.energies;
        while let Some((first, others)) = rest.split_first() {
            if from_utc_s == self.state.next_utc_s {
                if from_utc_s == self.cursor.to_utc_s {
                    self.step_on();
                }
                let fitting = step.fitting(self.cursor.to_utc_s.saturating_sub(from_utc_s)).min(MAX_CHUNK);
                if fitting > 0 {
                    let (chunk, others) = rest.split_at_checked(fitting).unwrap_or((rest, &[]));
                    from_utc_s = self.push_chunk(from_utc_s, step.length_s, chunk)?;
                    rest = others;
                    continue;
                }
            }
            let to_utc_s = from_utc_s.saturating_add(step.length_s);
            self.push(Interval::new(from_utc_s, to_utc_s, *first))?;
            from_utc_s = to_utc_s;
            rest = others;
        }
        Ok(())
    }

    /// Intervals that all lie in the present stretch. Gives the end of the last one.
    #[inline]
    fn push_chunk(&mut self, from_utc_s: i64, step_s: i64, chunk: &[Energy]) -> Result<i64, UsageError> {
        let mut sum = 0_i64;
        let mut bits = 0_i64;
        for energy in chunk {
            let micro_kwh = energy.micro_kwh();
            // Tested below: within the limit so many don't wrap.
            sum = sum.wrapping_add(micro_kwh);
            bits |= micro_kwh;
        }
        if bits < 0 {
            return Err(first_negative(from_utc_s, step_s, chunk));
        }
        if bits > MOST_BITS {
            return Err(UsageError::TooMuchEnergy);
        }
        let energy = self.energy_with(sum)?;
        if let Some(window) = self.cursor.window {
            self.measure_chunk(from_utc_s, step_s, chunk, window)?;
        }
        match self.cursor.mode {
            Mode::Plain => self.add_to_cell(self.cursor.first_cell, sum),
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

    fn measure_chunk(
        &mut self,
        from_utc_s: i64,
        step_s: i64,
        chunk: &[Energy],
        window: Window,
    ) -> Result<(), UsageError> {
        let whole_windows = step_s == window.length_s
            && from_utc_s >= self.state.demand.window_to_utc_s
            && self.window_end(from_utc_s, window) == from_utc_s.saturating_add(step_s);
        if whole_windows {
            // Each interval is a window, so the largest is the peak.
            let most = chunk.iter().fold(0, |most, energy| energy.micro_kwh().max(most));
            let power = window.mean_power(most)?;
            let count = i64::try_from(chunk.len()).unwrap_or(i64::MAX);
            self.cursor.window_from_utc_s = from_utc_s.saturating_add(step_s.saturating_mul(count));
            if self.is_peak(power) {
                let place = chunk.iter().position(|energy| energy.micro_kwh() == most).unwrap_or(0);
                let windows = i64::try_from(place).unwrap_or(0).saturating_add(1);
                self.raise_peaks(power, from_utc_s.saturating_add(step_s.saturating_mul(windows)));
            }
            return Ok(());
        }
        let mut from_utc_s = from_utc_s;
        for energy in chunk {
            let to_utc_s = from_utc_s.saturating_add(step_s);
            if let Some(measured) = self.measured(from_utc_s, to_utc_s, energy.micro_kwh(), Some(window))? {
                self.note_peak(measured);
            }
            from_utc_s = to_utc_s;
        }
        Ok(())
    }
}

/// The length of a series' intervals, ready to be divided by.
#[derive(Clone, Copy)]
struct Step {
    length_s: i64,
    /// 2⁴⁰ ÷ length, rounded up.
    reciprocal: u64,
}

/// Below this, [`Step::fitting`] multiplies. The reciprocal times the length is above 2⁴⁰ by the length at most; times a stretch that
/// is by less than 2³⁴, too little to reach the next whole number.
const SHORT_S: u32 = 1 << 17;

impl Step {
    fn new(length_s: u32) -> Self {
        let reciprocal = (1_u64 << 40).checked_div(u64::from(length_s)).unwrap_or(0).saturating_add(1);
        Self { length_s: i64::from(length_s), reciprocal }
    }

    /// How many whole intervals fit into a stretch of time.
    #[inline]
    fn fitting(self, stretch_s: i64) -> usize {
        match u32::try_from(stretch_s) {
            Ok(short) if short < SHORT_S && self.length_s < i64::from(SHORT_S) && self.length_s > 0 => {
                // Below 2¹⁷ × (2⁴⁰ + 1).
                usize::try_from(u64::from(short).wrapping_mul(self.reciprocal) >> 40).unwrap_or(0)
            }
            Ok(long) => usize::try_from(i64::from(long).checked_div(self.length_s).unwrap_or(0)).unwrap_or(0),
            Err(_) => 0,
        }
    }
}

fn first_negative(from_utc_s: i64, step_s: i64, chunk: &[Energy]) -> UsageError {
    let place = chunk.iter().position(|energy| *energy < Energy::ZERO).unwrap_or(0);
    let steps = i64::try_from(place).unwrap_or(0);
    let energy = chunk.get(place).copied().unwrap_or_default();
    UsageError::Negative { from_utc_s: from_utc_s.saturating_add(step_s.saturating_mul(steps)), energy }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_that_fit_are_counted_as_by_division() {
        let lengths =
            (1..=1_000).chain([1_800, 3_600, 7_200, 43_200, 86_399, 86_400, 90_000, SHORT_S - 1, SHORT_S, u32::MAX]);
        for length_s in lengths {
            let step = Step::new(length_s);
            let near = (0..=200_000_u32.div_ceil(length_s)).flat_map(|count| {
                let border = i64::from(count) * i64::from(length_s);
                [border - 1, border, border + 1]
            });
            for stretch_s in near.filter(|stretch_s| (0..=i64::from(u32::MAX)).contains(stretch_s)) {
                let exact = usize::try_from(stretch_s / i64::from(length_s)).unwrap();
                assert_eq!(step.fitting(stretch_s), exact, "{stretch_s} by {length_s}");
            }
        }
        assert_eq!(Step::new(0).fitting(3_600), 0);
        assert_eq!(Step::new(3_600).fitting(-1), 0);
        assert_eq!(Step::new(3_600).fitting(i64::MAX), 0);
    }
}
