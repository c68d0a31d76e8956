//! Makes the bill of a period.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::borrow::Borrow;

use rust_decimal::Decimal;

use super::demand::{FinePower, Peaks, decimal_of};
use super::energy::{EnergyPart, priced_energy};
use super::line::{Bill, DemandFact, IncludedTax, Line, LineKind, PeriodInputs, Quantity, Reason, Unit};
use crate::calendar::date::date_of;
use crate::compile::values::{PRICE_PLACES, QUANTITY_ONE, SHARE_ONE, SHARE_PLACES};
use crate::compile::{CompiledDemand, CompiledTariff, CompiledVersion};
use crate::exact::{Amount, Energy, Power, Rounding};
use crate::running::{RunningBill, RunningState};
use crate::usage::UsageError;

/// A bill, and what else follows from it.
pub(crate) struct Made {
    pub(crate) bill: Bill,
    /// What counts towards an annual minimum.
    pub(crate) counted: Amount,
}

/// Makes the bill of a state up to an instant.
pub(crate) fn make(
    tariff: &CompiledTariff,
    state: &RunningState,
    inputs: &PeriodInputs,
    end_utc_s: i64,
    provisional: bool,
) -> Result<Made, UsageError> {
    let at_utc_s = end_utc_s;
    let last_day = tariff.zone.day(end_utc_s.saturating_sub(1).max(state.bill_from_utc_s));
    let month = crate::running::month_of(last_day).ok_or(UsageError::BeyondCalendar { at_utc_s })?;
    // Where the tariff ends with the period, its last version is the one at the end.
    let version = tariff
        .version_at(end_utc_s.saturating_sub(1))
        .or_else(|| tariff.versions.get(usize::from(state.version)))
        .ok_or(UsageError::OutsideVersions { at_utc_s })?;
    let peaks = Peaks { tariff, state, inputs, month, period_months: i64::from(tariff.billing.months) };
    let mut maker = Maker {
        peaks,
        version,
        end_utc_s,
        lines: Vec::new(),
        subtotals: vec![Amount::ZERO; version.subtotals()],
        demand: Vec::new(),
        included: Vec::new(),
    };
    let energy = maker.energy()?;
    maker.demand()?;
    maker.contract()?;
    maker.fixed()?;
    maker.power_factor(&energy)?;
    let counted = maker.minimum()?;
    maker.taxes()?;
    let total = maker.total()?;
    let bill = Bill {
        tariff: tariff.name.clone(),
        currency: tariff.currency.clone(),
        from_utc_s: state.bill_from_utc_s,
        to_utc_s: end_utc_s,
        from_date: date_text(tariff.zone.day(state.bill_from_utc_s)),
        to_date: date_text(last_day),
        energy: Energy::from_micro_kwh(state.energy),
        lines: maker.lines,
        total,
        included_taxes: maker.included,
        demand: maker.demand,
        estimated_order: state.estimated_order,
        provisional,
    };
    Ok(Made { bill, counted })
}

pub(super) struct Maker<'a> {
    pub(super) peaks: Peaks<'a>,
    /// The version at the end of the period.
    pub(super) version: &'a CompiledVersion,
    pub(super) end_utc_s: i64,
    lines: Vec<Line>,
    /// By place, as bases name them.
    subtotals: Vec<Amount>,
    demand: Vec<DemandFact>,
    pub(super) included: Vec<IncludedTax>,
}

impl<'a> Maker<'a> {
    fn energy(&mut self) -> Result<Vec<EnergyPart<'a>>, UsageError> {
        let parts = priced_energy(self.peaks, self.end_utc_s)?;
        for part in &parts {
            let tiered = part.version.energy.tiers > 1;
            let reason = if tiered {
                let (from, to) = part.ends;
                Reason::Tier { from_kwh: Energy::from_micro_kwh(from), to_kwh: to.map(Energy::from_micro_kwh) }
            } else {
                Reason::Used
            };
            let line = Line {
                kind: LineKind::Energy,
                name: self.peaks.tariff.rate_name(part.rate).to_string(),
                tier: tiered.then(|| tier_number(part.tier)),
                quantity: Some(Quantity { value: part.energy.to_decimal(), unit: Unit::Kwh }),
                unit_price: Some(price_decimal(part.price)),
                base: None,
                amount: part.energy.times(part.price)?,
                reason,
                from_utc_s: part.from_utc_s,
                to_utc_s: part.to_utc_s,
                dates: None,
            };
            self.put(0, line)?;
        }
        Ok(parts)
    }

    fn demand(&mut self) -> Result<(), UsageError> {
        for (place, charge) in self.version.demand.iter().enumerate() {
            let charged = charge.months >> self.peaks.month_of_year() & 1 == 1;
            for rate in &charge.rates {
                let billed = self.peaks.billed(charge, rate.register)?;
                let name = self.register_name(charge, rate.register);
                self.demand.push(DemandFact {
                    charge: self.peaks.tariff.demand_name(charge.name).to_string(),
                    rate: name.1,
                    measured_kw: Power::from_micro_kw(billed.measured),
                    billed_kw: decimal_of(billed.billed),
                });
                if !charged {
                    continue;
                }
                let mut from: FinePower = 0;
                for (tier, (to, price)) in rate.tiers.iter().enumerate() {
                    let to = to.map_or(FinePower::MAX, |to| i128::from(to).saturating_mul(QUANTITY_ONE));
                    let part = billed.billed.min(to).saturating_sub(from);
                    if part > 0 {
                        let amount = Amount::of_fraction(*price, part, 1, QUANTITY_ONE.unsigned_abs())?;
                        let line = Line {
                            tier: (rate.tiers.len() > 1).then(|| tier_number(tier)),
                            quantity: Some(Quantity { value: decimal_of(part), unit: Unit::Kw }),
                            unit_price: Some(price_decimal(*price)),
                            ..self.line(LineKind::Demand, &name.0, amount, billed.reason.clone())
                        };
                        self.put(CompiledVersion::FIRST_DEMAND.saturating_add(place), line)?;
                    }
                    from = to;
                }
            }
        }
        Ok(())
    }

    /// Name of a register on the bill, and name of its rate.
    fn register_name(&self, charge: &CompiledDemand, register: u16) -> (String, String) {
        let name = self.peaks.tariff.demand_name(charge.name);
        let rate = self.peaks.tariff.registers.get(usize::from(register)).map_or("", |entry| entry.rate.as_str());
        let shown = if charge.rates.len() > 1 { alloc::format!("{name} {rate}") } else { name.to_string() };
        (shown, rate.to_string())
    }

    /// The total, with the line that rounds it.
    fn total(&mut self) -> Result<Amount, UsageError> {
        let sum = Amount::sum(self.lines.iter().map(|line| &line.amount))?;
        let Some(rounding) = self.peaks.tariff.total_rounding else { return Ok(sum) };
        let total = sum.rounded(rounding);
        let difference = total.minus(&sum)?;
        if !difference.is_zero() {
            let line =
                Line { base: Some(sum), ..self.line(LineKind::Rounding, "rounding", difference, Reason::RoundedTotal) };
            self.lines.push(line);
        }
        Ok(total)
    }

    /// A line over the whole bill without quantity.
    pub(super) fn line(&self, kind: LineKind, name: &str, amount: Amount, reason: Reason) -> Line {
        Line {
            kind,
            name: name.to_string(),
            tier: None,
            quantity: None,
            unit_price: None,
            base: None,
            amount,
            reason,
            from_utc_s: self.peaks.state.bill_from_utc_s,
            to_utc_s: self.end_utc_s,
            dates: None,
        }
    }

    /// Rounds a line once and adds it to its subtotal.
    pub(super) fn put(&mut self, place: usize, mut line: Line) -> Result<(), UsageError> {
        line.amount = self.rounded(line.amount);
        if (line.from_utc_s, line.to_utc_s) != (self.peaks.state.bill_from_utc_s, self.end_utc_s) {
            let zone = self.peaks.tariff.zone;
            let (first, last) = (zone.day(line.from_utc_s), zone.day(line.to_utc_s.saturating_sub(1)));
            line.dates = Some((date_text(first), date_text(last)));
        }
        if let Some(subtotal) = self.subtotals.get_mut(place) {
            subtotal.add(&line.amount)?;
        }
        self.lines.push(line);
        Ok(())
    }

    pub(super) fn rounded(&self, amount: Amount) -> Amount {
        match self.peaks.tariff.line_rounding {
            Some(rounding) => amount.rounded(rounding),
            None => amount,
        }
    }

    pub(super) fn base(&self, places: &[usize]) -> Result<Amount, UsageError> {
        Ok(Amount::sum(places.iter().filter_map(|place| self.subtotals.get(*place)))?)
    }
}

fn date_text(day: i64) -> String {
    date_of(day).map_or_else(String::new, |date| date.to_string())
}

/// Tiers are counted from 1 on bills.
fn tier_number(tier: usize) -> u16 {
    u16::try_from(tier).unwrap_or(u16::MAX).saturating_add(1)
}

/// A price in 10⁻¹⁸ as a decimal.
pub(crate) fn price_decimal(price: i128) -> Decimal {
    // Prices of 10 and above have digits that 64 bits don't hold; they mostly end in zeros.
    let (mut price, mut places) = (price, PRICE_PLACES);
    if i64::try_from(price).is_err() && price.checked_rem(1_000_000_000) == Some(0) {
        (price, places) = (price.div_euclid(1_000_000_000), places.saturating_sub(9));
    }
    if let Ok(mut short) = i64::try_from(price) {
        while places > 0 && short.checked_rem(10) == Some(0) {
            (short, places) = (short.div_euclid(10), places.saturating_sub(1));
        }
        return Decimal::new(short, places);
    }
    // 10⁵ with 18 places has 24 digits; fixed charges of 10¹² drop zeros first.
    while places > 0 && price.checked_rem(10) == Some(0) {
        (price, places) = (price.div_euclid(10), places.saturating_sub(1));
    }
    Decimal::try_from_i128_with_scale(price, places).unwrap_or(Decimal::MAX)
}

pub(super) fn percent_decimal(percent: i64) -> Decimal {
    Decimal::new(percent, SHARE_PLACES).normalize()
}

impl<T: Borrow<CompiledTariff>> RunningBill<T> {
    /// Settles the billing period and goes on with the next one.
    ///
    /// # Errors
    /// [`UsageError::PeriodNotOver`] while usage up to its end is missing (unless the policy takes gaps), or
    /// [`UsageError::Missing`]; the state is then as it was before.
    pub fn settle(&mut self, inputs: &PeriodInputs) -> Result<Bill, UsageError> {
        let (_, period_to_utc_s) = self.period_utc_s();
        let known_utc_s = self.next_utc_s();
        if known_utc_s < period_to_utc_s && !self.takes_gaps() {
            return Err(UsageError::PeriodNotOver { known_utc_s, period_to_utc_s });
        }
        let made = make(self.tariff(), self.state(), inputs, period_to_utc_s, false)?;
        self.turn_page(inputs, &made.counted)?;
        Ok(made.bill)
    }

    /// The bill as it would be if nothing more were used in this billing period. It is marked provisional.
    ///
    /// # Errors
    /// [`UsageError::Missing`].
    pub fn preview(&self, inputs: &PeriodInputs) -> Result<Bill, UsageError> {
        let (_, period_to_utc_s) = self.period_utc_s();
        make(self.tariff(), self.state(), inputs, period_to_utc_s, true).map(|made| made.bill)
    }

    /// The last bill of an account that ends where its usage ends: days are counted up to there. An annual minimum is not tested.
    ///
    /// # Errors
    /// [`UsageError::Missing`].
    pub fn final_bill(&self, inputs: &PeriodInputs) -> Result<Bill, UsageError> {
        make(self.tariff(), self.state(), inputs, self.next_utc_s(), false).map(|made| made.bill)
    }

    /// The exact, unrounded cost of the energy of this bill so far: what a prepaid account owes for it.
    ///
    /// It never falls while prices are not negative and tiers are known at once; see
    /// [`is_energy_provisional`](Self::is_energy_provisional). It begins at zero again after [`settle`](Self::settle).
    ///
    /// # Errors
    /// [`UsageError::Missing`] where limits per kW need reported demand or a history of peaks.
    pub fn energy_amount(&self, inputs: &PeriodInputs) -> Result<Amount, UsageError> {
        let (tariff, state) = (self.tariff(), self.state());
        let peaks = Peaks::of(tariff, state, inputs)?;
        let end_utc_s = state.period_to_utc_s;
        let mut sum = Amount::ZERO;
        for part in priced_energy(peaks, end_utc_s)? {
            sum.add(&part.energy.times(part.price)?)?;
        }
        Ok(sum)
    }

    /// The energy cost so far, rounded once to minor units: post this, less what is posted already.
    ///
    /// # Errors
    /// As [`energy_amount`](Self::energy_amount).
    pub fn energy_minor_units(&self, inputs: &PeriodInputs, rounding: Rounding) -> Result<i128, UsageError> {
        Ok(self.energy_amount(inputs)?.minor_units(rounding))
    }
}

const _: () = assert!(SHARE_ONE == QUANTITY_ONE, "demand is a quantity times a share");
