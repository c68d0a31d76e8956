//! Peaks.

use core::borrow::Borrow;

use super::RunningBill;
use super::state::Peak;
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

/// Mean power over a window, 10⁻⁶ kW. The window divides the hour.
pub(super) fn mean_power(micro_kwh: i64, window_s: i64) -> Result<i64, UsageError> {
    HOUR_S
        .checked_div(window_s)
        .and_then(|windows| micro_kwh.checked_mul(windows))
        .filter(|power| *power <= MAX_POWER)
        .ok_or(UsageError::DemandOutOfRange)
}

impl<T: Borrow<CompiledTariff>> RunningBill<T> {
    /// End of the demand window in which an instant lies. Windows begin at full local hours.
    pub(super) fn window_end(&self, at_utc_s: i64, window_s: i64) -> i64 {
        let tariff = self.tariff.borrow();
        let since = tariff.zone.local_s(at_utc_s).checked_rem_euclid(window_s).unwrap_or(0);
        at_utc_s.saturating_sub(since).saturating_add(window_s)
    }

    /// What an interval does to the demand window; nothing where demand is not measured.
    #[inline]
    pub(super) fn measured(
        &self,
        from_utc_s: i64,
        to_utc_s: i64,
        micro_kwh: i64,
        window_s: Option<i64>,
    ) -> Result<Option<Measured>, UsageError> {
        let Some(window_s) = window_s else { return Ok(None) };
        let length_s = to_utc_s.saturating_sub(from_utc_s);
        if length_s > window_s {
            return Err(UsageError::LongerThanDemandWindow { from_utc_s, length_s, window_s });
        }
        let demand = &self.state.demand;
        let (window_to_utc_s, earlier) = if from_utc_s < demand.window_to_utc_s {
            (demand.window_to_utc_s, demand.window_energy)
        } else {
            (self.window_end(from_utc_s, window_s), 0)
        };
        if to_utc_s > window_to_utc_s {
            return Err(UsageError::CrossesDemandWindow { from_utc_s, at_utc_s: window_to_utc_s });
        }
        let window_energy = earlier.saturating_add(micro_kwh);
        let power = mean_power(window_energy, window_s)?;
        Ok(Some(Measured { window_to_utc_s, window_energy, power }))
    }

    /// Books a measurement. A window's energy only grows, so the last measurement of a window is its highest.
    #[inline]
    pub(super) fn note_peak(&mut self, measured: Measured) {
        self.state.demand.window_to_utc_s = measured.window_to_utc_s;
        self.state.demand.window_energy = measured.window_energy;
        self.raise_peaks(measured.power, measured.window_to_utc_s);
    }

    /// Raises the registers that measure at the cursor.
    pub(super) fn raise_peaks(&mut self, power: i64, at_utc_s: i64) {
        let tariff = self.tariff.borrow();
        let Some(version) = tariff.versions.get(usize::from(self.state.version)) else { return };
        for register in version.schedule.registers(self.cursor.registers) {
            if let Some(peak) = self.state.demand.peaks.get_mut(usize::from(*register))
                && power > peak.power
            {
                *peak = Peak { power, at_utc_s };
            }
        }
    }
}
