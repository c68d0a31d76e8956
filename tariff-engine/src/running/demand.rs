//! Peaks.

use core::borrow::Borrow;

use super::RunningBill;
use super::state::{Peak, RunningState};
use crate::compile::CompiledTariff;
use crate::limits::MAX_DEMAND_KW;
use crate::usage::UsageError;

/// Billing demand that a register may show, 10⁻⁶ kW.
const MAX_POWER: i64 = MAX_DEMAND_KW * 1_000_000;
const HOUR_S: i64 = 3_600;

/// An interval as the demand window sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    window_to_utc_s: i64,
    window_energy: i64,
    power: i64,
}

/// A demand window. It divides the hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) length_s: i64,
    an_hour: i64,
}

impl Window {
    pub(super) const fn new(length_s: i64) -> Self {
        let an_hour = match HOUR_S.checked_div(length_s) {
            Some(windows) => windows,
            None => 1,
        };
        Self { length_s, an_hour }
    }

    /// Mean power over a window, 10⁻⁶ kW.
    #[inline]
    pub(super) const fn mean_power(self, micro_kwh: i64) -> Result<i64, UsageError> {
        match micro_kwh.checked_mul(self.an_hour) {
            Some(power) if power <= MAX_POWER => Ok(power),
            _ => Err(UsageError::DemandOutOfRange),
        }
    }
}

impl<T: Borrow<CompiledTariff>> RunningBill<T> {
    /// End of the demand window in which an instant lies. Windows begin at full local hours.
    #[inline]
    pub(super) fn window_end(&self, at_utc_s: i64, window: Window) -> i64 {
        if at_utc_s == self.cursor.window_from_utc_s {
            return at_utc_s.saturating_add(window.length_s);
        }
        let tariff = self.tariff.borrow();
        let since = tariff.zone.local_s(at_utc_s).checked_rem_euclid(window.length_s).unwrap_or(0);
        at_utc_s.saturating_sub(since).saturating_add(window.length_s)
    }

    /// What an interval does to the demand window; nothing where demand is not measured.
    #[inline]
    pub(super) fn measured(
        &self,
        from_utc_s: i64,
        to_utc_s: i64,
        micro_kwh: i64,
        window: Option<Window>,
    ) -> Result<Option<Measured>, UsageError> {
        let Some(window) = window else { return Ok(None) };
        let length_s = to_utc_s.saturating_sub(from_utc_s);
        if length_s > window.length_s {
            let window_s = window.length_s;
            return Err(UsageError::LongerThanDemandWindow { from_utc_s, length_s, window_s });
        }
        let demand = &self.state.demand;
        let (window_to_utc_s, earlier) = if from_utc_s < demand.window_to_utc_s {
            (demand.window_to_utc_s, demand.window_energy)
        } else {
            (self.window_end(from_utc_s, window), 0)
        };
        if to_utc_s > window_to_utc_s {
            return Err(UsageError::CrossesDemandWindow { from_utc_s, at_utc_s: window_to_utc_s });
        }
        let window_energy = earlier.saturating_add(micro_kwh);
        let power = window.mean_power(window_energy)?;
        Ok(Some(Measured { window_to_utc_s, window_energy, power }))
    }

    /// Books a measurement. A window's energy only grows, so the last measurement of a window is its highest.
    #[inline]
    pub(super) fn note_peak(&mut self, measured: Measured) {
        self.state.demand.window_to_utc_s = measured.window_to_utc_s;
        self.state.demand.window_energy = measured.window_energy;
        self.cursor.window_from_utc_s = measured.window_to_utc_s;
        self.raise_peaks(measured.power, measured.window_to_utc_s);
    }

    /// Raises the registers that measure at the cursor.
    #[inline]
    pub(super) fn raise_peaks(&mut self, power: i64, at_utc_s: i64) {
        let tariff = self.tariff.borrow();
        for register in measuring(tariff, &self.state, self.cursor.registers) {
            if let Some(peak) = self.state.demand.peaks.get_mut(usize::from(*register))
                && power > peak.power
            {
                *peak = Peak { power, at_utc_s };
            }
        }
    }

    /// Whether a power is above some register that measures at the cursor.
    #[inline]
    pub(super) fn is_peak(&self, power: i64) -> bool {
        let peaks = &self.state.demand.peaks;
        measuring(self.tariff.borrow(), &self.state, self.cursor.registers)
            .iter()
            .any(|register| peaks.get(usize::from(*register)).is_some_and(|peak| power > peak.power))
    }
}

/// The demand registers of a set of the version in force.
#[inline]
fn measuring<'a>(tariff: &'a CompiledTariff, state: &RunningState, set: u16) -> &'a [u16] {
    tariff.versions.get(usize::from(state.version)).map_or(&[], |version| version.schedule.registers(set))
}
