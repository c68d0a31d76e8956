//! Billing demand.

use alloc::format;
use alloc::string::{String, ToString};

use rust_decimal::Decimal;

use crate::calendar::date::{DAY_S, date_of};

use super::line::{PeriodInputs, Reason};
use crate::compile::values::{QUANTITY_ONE, SHARE_ONE};
use crate::compile::{CompiledDemand, CompiledRatchet, CompiledTariff};
use crate::exact::Power;
use crate::limits::MAX_DEMAND_KW;
use crate::running::RunningState;
use crate::running::state::PeriodPeak;
use crate::usage::{DemandSource, MissingInput, UsageError};

/// Billing demand in 10⁻¹² kW: 6 places of a peak and 6 of a share.
pub(crate) type FinePower = i128;

/// Where peaks are taken from when a bill is made.
#[derive(Clone, Copy)]
pub(crate) struct Peaks<'a> {
    pub(crate) tariff: &'a CompiledTariff,
    pub(crate) state: &'a RunningState,
    pub(crate) inputs: &'a PeriodInputs,
    /// Month of the bill's last day, counted since the year 0.
    pub(crate) month: i64,
    /// Months of the billing period.
    pub(crate) period_months: i64,
}

/// Demand of one rate.
pub(crate) struct Billed {
    pub(crate) measured: i64,
    pub(crate) billed: FinePower,
    pub(crate) reason: Reason,
}

impl<'a> Peaks<'a> {
    /// The peaks of a bill up to the end of its period.
    pub(crate) fn of(
        tariff: &'a CompiledTariff,
        state: &'a RunningState,
        inputs: &'a PeriodInputs,
    ) -> Result<Self, UsageError> {
        let at_utc_s = state.period_to_utc_s;
        let last_day = tariff.zone.day(at_utc_s.saturating_sub(1));
        let month = crate::running::month_of(last_day).ok_or(UsageError::BeyondCalendar { at_utc_s })?;
        Ok(Self { tariff, state, inputs, month, period_months: i64::from(tariff.billing.months) })
    }

    /// Place of the bill's month in its year.
    pub(crate) fn month_of_year(&self) -> usize {
        usize::try_from(self.month.rem_euclid(12)).unwrap_or(0)
    }

    /// The measured or reported peak of a register, 10⁻⁶ kW, and the end of its window.
    pub(crate) fn peak(&self, register: u16) -> Result<(i64, Reason), UsageError> {
        if self.state.policy.demand == DemandSource::Usage {
            let peak = self.state.demand.peaks.get(usize::from(register)).copied().unwrap_or_default();
            let at_utc_s = (peak.power > 0).then_some(peak.at_utc_s);
            let at_local = at_utc_s.map_or_else(String::new, |utc_s| local_time(self.tariff, utc_s));
            return Ok((peak.power, Reason::Peak { at_utc_s, at_local }));
        }
        let Some(entry) = self.tariff.registers.get(usize::from(register)) else {
            return Ok((0, Reason::ReportedPeak));
        };
        let charge = self.tariff.demand_name(entry.charge);
        let told = self.inputs.demand.iter().find(|(name, rate, _)| name == charge && *rate == entry.rate);
        let (_, _, power) =
            told.ok_or_else(|| MissingInput::ReportedDemand { charge: charge.to_string(), rate: entry.rate.clone() })?;
        Ok((checked(*power)?, Reason::ReportedPeak))
    }

    /// Billing demand of one rate of a charge.
    pub(crate) fn billed(&self, charge: &CompiledDemand, register: u16) -> Result<Billed, UsageError> {
        let (measured, mut reason) = self.peak(register)?;
        let measured_kw = Power::from_micro_kw(measured);
        let mut billed = fine(measured);
        if let Some(ratchet) = &charge.ratchet {
            let own_share = ratchet.own_share.get(self.month_of_year()).copied().unwrap_or(0);
            billed = i128::from(measured).saturating_mul(i128::from(own_share));
            let ratcheted = self.ratcheted(charge, ratchet)?;
            if ratcheted > billed || own_share != i64::try_from(SHARE_ONE).unwrap_or(i64::MAX) {
                reason = Reason::Ratchet { measured_kw };
            }
            billed = billed.max(ratcheted);
        }
        if fine(charge.minimum) > billed {
            billed = fine(charge.minimum);
            reason = Reason::MinimumDemand { measured_kw };
        }
        Ok(Billed { measured, billed, reason })
    }

    /// Billing demand of a charge: the highest of its rates.
    pub(crate) fn highest(&self, charge: &CompiledDemand) -> Result<FinePower, UsageError> {
        let mut highest = 0;
        for rate in &charge.rates {
            highest = self.billed(charge, rate.register)?.billed.max(highest);
        }
        Ok(highest)
    }

    /// The share of earlier peaks that binds.
    fn ratcheted(&self, charge: &CompiledDemand, ratchet: &CompiledRatchet) -> Result<FinePower, UsageError> {
        if self.state.demand.known_periods < ratchet.lookback {
            let name = self.tariff.demand_name(charge.name).to_string();
            return Err(MissingInput::PeakHistory { charge: name, lookback: ratchet.lookback }.into());
        }
        let reach = i64::from(ratchet.lookback).saturating_mul(self.period_months);
        let counts = |peak: &&PeriodPeak| {
            let age = self.month.saturating_sub(i64::from(peak.month));
            peak.charge == charge.name && age > 0 && age <= reach
        };
        let share = |peak: &PeriodPeak| {
            let month = usize::try_from(peak.month.rem_euclid(12)).unwrap_or(0);
            let share = ratchet.share.get(month).copied().unwrap_or(0);
            i128::from(peak.power).saturating_mul(i128::from(share))
        };
        Ok(self.state.demand.history.iter().filter(counts).map(share).max().unwrap_or(0))
    }

    /// The peak of this period that counts in later ones, 10⁻⁶ kW.
    pub(crate) fn source(&self, ratchet: &CompiledRatchet) -> Result<i64, UsageError> {
        let mut highest = 0;
        for register in &ratchet.sources {
            highest = self.peak(*register)?.0.max(highest);
        }
        Ok(highest)
    }
}

/// `"2025-07-12 15:30"`.
fn local_time(tariff: &CompiledTariff, utc_s: i64) -> String {
    let local_s = tariff.zone.local_s(utc_s);
    let minute = local_s.rem_euclid(DAY_S).div_euclid(60);
    match date_of(local_s.div_euclid(DAY_S)) {
        Some(date) => format!("{date} {:02}:{:02}", minute.div_euclid(60), minute.rem_euclid(60)),
        None => String::new(),
    }
}

/// 10⁻⁶ kW in 10⁻¹² kW.
fn fine(power: i64) -> FinePower {
    i128::from(power).saturating_mul(QUANTITY_ONE)
}

/// A power within the limit, 10⁻⁶ kW.
pub(super) fn checked(power: Power) -> Result<i64, UsageError> {
    let most = MAX_DEMAND_KW.saturating_mul(1_000_000);
    let micro = power.micro_kw();
    if (0..=most).contains(&micro) { Ok(micro) } else { Err(UsageError::DemandOutOfRange) }
}

/// 10⁻¹² kW as a decimal of kW.
pub(super) fn decimal_of(power: FinePower) -> Decimal {
    // 10⁷ kW with 12 places has 19 digits; a decimal holds 28.
    Decimal::try_from_i128_with_scale(power, 12).unwrap_or(Decimal::MAX).normalize()
}
