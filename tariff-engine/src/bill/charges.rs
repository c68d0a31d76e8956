//! Lines that stand on no kWh: contract, fixed, power factor, minimum, taxes.

use alloc::vec::Vec;

use chrono::Datelike;
use rust_decimal::Decimal;

use super::demand::{FinePower, checked, decimal_of};
use super::energy::{EnergyPart, days_between};
use super::line::{IncludedTax, Line, LineKind, Quantity, Reason, Unit};
use super::settle::{Maker, percent_decimal, price_decimal};
use crate::calendar::date::date_of;
use crate::compile::values::QUANTITY_ONE;
use crate::compile::{CompiledContract, CompiledFixed, TaxKind};
use crate::exact::{Amount, Energy, Power};
use crate::power_factor;
use crate::tariff::{ContractUnit, FixedDays, FixedPer};
use crate::usage::{MissingInput, UsageError};

/// 100 %, in 10⁻⁶ per cent.
const HUNDRED_PERCENT: u128 = 100_000_000;
/// 10⁻¹⁸ of a price in units of an amount.
const PRICE_UNIT: i128 = 1_000_000;
/// Mean month: 365 ÷ 12 days.
const YEAR_DAYS: i128 = 365;
const YEAR_MONTHS: u128 = 12;

impl Maker<'_> {
    pub(super) fn contract(&mut self) -> Result<(), UsageError> {
        for (place, contract) in self.version.contract.iter().enumerate() {
            let place = self.version.first_contract().saturating_add(place);
            let told = self.peaks.inputs.contracts.iter().find(|(name, _)| *name == contract.name);
            let (_, capacity) =
                told.ok_or_else(|| MissingInput::ContractedCapacity { charge: contract.name.clone() })?;
            let micro = i128::from(checked(*capacity)?);
            let unit = if contract.unit == ContractUnit::Kw { Unit::Kw } else { Unit::Kva };
            let amount = Amount::of_product(contract.price, micro)?;
            let line = Line {
                quantity: Some(Quantity { value: capacity.to_decimal(), unit }),
                unit_price: Some(price_decimal(contract.price)),
                ..self.line(LineKind::Contract, &contract.name, amount, Reason::Contracted)
            };
            self.put(place, line)?;
            if !contract.over.is_empty() {
                self.over_contract(place, contract, *capacity, unit)?;
            }
        }
        Ok(())
    }

    fn over_contract(
        &mut self,
        place: usize,
        contract: &CompiledContract,
        capacity: Power,
        unit: Unit,
    ) -> Result<(), UsageError> {
        let peak = match contract.demand.and_then(|demand| self.version.demand.get(demand)) {
            Some(charge) => {
                let mut highest = 0;
                for rate in &charge.rates {
                    highest = self.peaks.peak(rate.register)?.0.max(highest);
                }
                highest
            }
            None => {
                let told = self.peaks.inputs.peak_kva.iter().find(|(name, _)| *name == contract.name);
                let (_, kva) = told.ok_or_else(|| MissingInput::PeakKva { charge: contract.name.clone() })?;
                checked(*kva)?
            }
        };
        let fine_peak = i128::from(peak).saturating_mul(QUANTITY_ONE);
        let threshold = |share: i64| i128::from(capacity.micro_kw()).saturating_mul(i128::from(share));
        let uppers = contract.over.iter().skip(1).map(|(share, _)| threshold(*share)).chain([FinePower::MAX]);
        for ((share, price), upper) in contract.over.iter().zip(uppers) {
            let part = fine_peak.min(upper).saturating_sub(threshold(*share));
            if part > 0 {
                let amount = Amount::of_fraction(*price, part, 1, QUANTITY_ONE.unsigned_abs())?;
                let reason = Reason::AboveContract { peak: Power::from_micro_kw(peak), contract: capacity };
                let line = Line {
                    quantity: Some(Quantity { value: decimal_of(part), unit }),
                    unit_price: Some(price_decimal(*price)),
                    ..self.line(LineKind::OverContract, &contract.name, amount, reason)
                };
                self.put(place, line)?;
            }
        }
        Ok(())
    }

    /// Fixed charges of every version that the bill touches, each by its days.
    pub(super) fn fixed(&mut self) -> Result<(), UsageError> {
        let (tariff, state) = (self.peaks.tariff, self.peaks.state);
        let period_days = i128::from(days_between(tariff, state.period_from_utc_s, state.period_to_utc_s));
        let first = tariff.version_index(state.bill_from_utc_s).unwrap_or(0);
        let end_utc_s = self.end_utc_s;
        for version in tariff.versions.iter().skip(first).take_while(|version| version.from_utc_s < end_utc_s) {
            let from_utc_s = version.from_utc_s.max(state.bill_from_utc_s);
            let to_utc_s = version.until_utc_s.min(end_utc_s);
            let days = i128::from(days_between(tariff, from_utc_s, to_utc_s));
            for fixed in &version.fixed {
                let own = self.version.fixed.iter().position(|other| other.name == fixed.name);
                let place =
                    own.map_or(self.version.other_fixed(), |own| self.version.first_fixed().saturating_add(own));
                let (amount, quantity) = fixed_amount(fixed, days, period_days, i128::from(tariff.billing.months))?;
                let line = Line {
                    quantity,
                    unit_price: Some(price_decimal(fixed.price)),
                    from_utc_s,
                    to_utc_s,
                    ..self.line(LineKind::Fixed, &fixed.name, amount, Reason::Standing)
                };
                self.put(place, line)?;
            }
        }
        Ok(())
    }

    pub(super) fn power_factor(&mut self, energy: &[EnergyPart<'_>]) -> Result<(), UsageError> {
        let Some(entry) = &self.version.power_factor else { return Ok(()) };
        let reactive = self.peaks.inputs.reactive.ok_or(MissingInput::ReactiveEnergy)?;
        let Some(hundredths) = power_factor::of_energy(self.peaks.state.energy, reactive)? else { return Ok(()) };
        let step = entry.table.iter().find(|(at_least, _)| i64::from(hundredths) >= *at_least);
        let percent = step.map_or(0, |(_, percent)| *percent);
        let mut base = self.base(&entry.base)?;
        for name in &entry.without {
            base = base.minus(&component_amount(energy, name)?)?;
        }
        let amount = base.times(i128::from(percent), HUNDRED_PERCENT)?;
        let line = Line {
            quantity: Some(Quantity { value: percent_decimal(percent), unit: Unit::Percent }),
            base: Some(base),
            ..self.line(LineKind::PowerFactor, "power factor", amount, Reason::PowerFactor { hundredths })
        };
        self.put(self.version.power_factor_place(), line)
    }

    /// Top-ups. Gives what counts towards an annual minimum.
    pub(super) fn minimum(&mut self) -> Result<Amount, UsageError> {
        let place = self.version.minimum_place();
        let Some(minimum) = &self.version.minimum else {
            let all: Vec<usize> = (0..self.version.power_factor_place()).collect();
            return self.base(&all);
        };
        let mut counted = self.base(&minimum.base)?;
        if let Some(monthly) = minimum.monthly {
            let months = i128::from(self.peaks.tariff.billing.months);
            let least = Amount::of_product(monthly, PRICE_UNIT.saturating_mul(months))?;
            counted = self.top_up(place, LineKind::MinimumMonthly, &least, counted)?;
        }
        let (tariff, state) = (self.peaks.tariff, self.peaks.state);
        let year = |utc_s: i64| date_of(tariff.zone.day(utc_s)).map(|date| date.year());
        let ends_year =
            self.end_utc_s == state.period_to_utc_s && year(state.period_from_utc_s) != year(state.period_to_utc_s);
        if let Some(annual) = minimum.annual.filter(|_| ends_year) {
            let least = Amount::of_product(annual, PRICE_UNIT)?;
            let so_far = state.year.billed.plus(&counted)?;
            self.top_up(place, LineKind::MinimumAnnual, &least, so_far)?;
        }
        Ok(counted)
    }

    /// Adds a line where a base is below its minimum; gives the base with it.
    fn top_up(&mut self, place: usize, kind: LineKind, least: &Amount, base: Amount) -> Result<Amount, UsageError> {
        let missing = least.minus(&base)?;
        if missing.is_negative() || missing.is_zero() {
            return Ok(base);
        }
        let topped = base.plus(&missing)?;
        let reason = Reason::BelowMinimum { minimum: least.clone() };
        let line = Line { base: Some(base), ..self.line(kind, "minimum", missing, reason) };
        self.put(place, line)?;
        Ok(topped)
    }

    pub(super) fn taxes(&mut self) -> Result<(), UsageError> {
        for (place, tax) in self.version.taxes.iter().enumerate() {
            let place = self.version.first_tax().saturating_add(place);
            match &tax.kind {
                TaxKind::Added { percent, base } => {
                    let base = self.base(base)?;
                    let amount = base.times(i128::from(*percent), HUNDRED_PERCENT)?;
                    let line = Line {
                        quantity: Some(Quantity { value: percent_decimal(*percent), unit: Unit::Percent }),
                        base: Some(base),
                        ..self.line(LineKind::Tax, &tax.name, amount, Reason::PercentOfBase)
                    };
                    self.put(place, line)?;
                }
                TaxKind::PerKwh { price } => {
                    let energy = self.peaks.state.energy;
                    let amount = Amount::of_product(*price, i128::from(energy))?;
                    let value = Energy::from_micro_kwh(energy).to_decimal();
                    let line = Line {
                        quantity: Some(Quantity { value, unit: Unit::Kwh }),
                        unit_price: Some(price_decimal(*price)),
                        ..self.line(LineKind::Tax, &tax.name, amount, Reason::PerKwh)
                    };
                    self.put(place, line)?;
                }
                TaxKind::Included { percent, base } => {
                    let gross = self.base(base)?;
                    let whole = HUNDRED_PERCENT.saturating_add(u128::from(percent.unsigned_abs()));
                    let tax_in_it = self.rounded(gross.times(i128::from(*percent), whole)?);
                    self.included.push(IncludedTax {
                        name: tax.name.clone(),
                        percent: percent_decimal(*percent),
                        gross,
                        tax: tax_in_it,
                    });
                }
            }
        }
        Ok(())
    }
}

/// Amount and quantity of a fixed charge.
fn fixed_amount(
    fixed: &CompiledFixed,
    days: i128,
    period_days: i128,
    months: i128,
) -> Result<(Amount, Option<Quantity>), UsageError> {
    let whole = days == period_days;
    let (units, divisor) = match (fixed.per, fixed.days) {
        (FixedPer::Day, FixedDays::Real) => (days, 1),
        (FixedPer::Day, FixedDays::MeanMonth365_12) => (YEAR_DAYS.saturating_mul(months), YEAR_MONTHS),
        (FixedPer::Month, _) => (months, 1),
        (FixedPer::Year, _) => (months, YEAR_MONTHS),
    };
    let (units, divisor) = if whole || (fixed.per, fixed.days) == (FixedPer::Day, FixedDays::Real) {
        (units, divisor)
    } else {
        (units.saturating_mul(days), divisor.saturating_mul(period_days.unsigned_abs()))
    };
    let amount = Amount::of_fraction(fixed.price.saturating_mul(PRICE_UNIT), units, 1, divisor)?;
    let unit = if fixed.per == FixedPer::Day { Unit::Day } else { Unit::Month };
    let quantity = (divisor == 1)
        .then(|| Decimal::try_from_i128_with_scale(units, 0).ok())
        .flatten()
        .map(|value| Quantity { value, unit });
    Ok((amount, quantity))
}

/// What one component of the price adds to the bill.
fn component_amount(energy: &[EnergyPart<'_>], name: &str) -> Result<Amount, UsageError> {
    let mut sum = Amount::ZERO;
    for part in energy {
        let component = part.version.energy.components.iter().find(|(component, _)| component == name);
        if let Some(price) = component.and_then(|(_, cells)| cells.get(part.cell)) {
            sum.add(&part.energy.times(*price)?)?;
        }
    }
    Ok(sum)
}
