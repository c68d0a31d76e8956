//! What a bill consists of.

use alloc::string::String;
use alloc::vec::Vec;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::exact::{Amount, Energy, Power, decimal_text};

/// Facts of a billing period besides usage. What the tariff does not ask for may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PeriodInputs {
    /// Reactive energy, for the power factor.
    pub reactive: Option<Reactive>,
    /// Contracted capacity by name of the contract charge, in its unit (kW or kVA).
    pub contracts: Vec<(String, Power)>,
    /// Highest apparent power by name of the contract charge, kVA.
    pub peak_kva: Vec<(String, Power)>,
    /// Peaks of the meter's own demand registers: demand charge, rate, power. Used where demand is reported.
    pub demand: Vec<(String, String, Power)>,
}

/// Reactive energy of a billing period; each counts by its magnitude.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reactive {
    /// Forward, in kvarh.
    pub forward_kvarh: Energy,
    /// Reverse, in kvarh.
    pub reverse_kvarh: Energy,
}

/// A settled bill, or what it would be now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bill {
    /// Name of the tariff.
    pub tariff: String,
    /// Currency.
    pub currency: String,
    /// First instant, seconds since 1970-01-01T00:00:00Z.
    pub from_utc_s: i64,
    /// First instant after the bill.
    pub to_utc_s: i64,
    /// First local date.
    pub from_date: String,
    /// Last local date.
    pub to_date: String,
    /// Energy of the bill.
    pub energy: Energy,
    /// Lines; their amounts sum to the total.
    pub lines: Vec<Line>,
    /// The total.
    pub total: Amount,
    /// Taxes that the lines include already.
    pub included_taxes: Vec<IncludedTax>,
    /// Measured and billed demand.
    pub demand: Vec<DemandFact>,
    /// Some difference of registers lay across a tier border: its order in time was estimated.
    pub estimated_order: bool,
    /// The period is not over: what hangs on its end may still change.
    pub provisional: bool,
}

/// One line of a bill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What kind of charge.
    pub kind: LineKind,
    /// Name of the rate, charge or tax.
    pub name: String,
    /// Tier, from 1, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<u16>,
    /// What is priced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
    /// Price of one unit.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "decimal_text::option")]
    pub unit_price: Option<Decimal>,
    /// What a per cent is taken of, or what is topped up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Amount>,
    /// Amount, rounded where the tariff rounds lines.
    pub amount: Amount,
    /// Why.
    pub reason: Reason,
    /// First instant, seconds since 1970-01-01T00:00:00Z.
    pub from_utc_s: i64,
    /// First instant after it.
    pub to_utc_s: i64,
    /// First and last local date, where they are not those of the bill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dates: Option<(String, String)>,
}

/// Kinds of lines, in the order of the bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LineKind {
    /// Energy of a rate and tier.
    Energy,
    /// Demand of a rate and tier.
    Demand,
    /// Contracted capacity.
    Contract,
    /// What lies above the contract.
    OverContract,
    /// A fixed charge.
    Fixed,
    /// Power-factor adjustment.
    PowerFactor,
    /// Top-up to the monthly minimum.
    MinimumMonthly,
    /// Top-up to the annual minimum.
    MinimumAnnual,
    /// A tax or fund.
    Tax,
    /// Rounding of the total.
    Rounding,
}

/// A number with its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantity {
    /// The number. A share of a proportional ladder that is no decimal is rounded to 6 places here; its amount is exact.
    #[serde(with = "decimal_text")]
    pub value: Decimal,
    /// Its unit.
    pub unit: Unit,
}

/// Units of quantities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Kilowatt-hours of energy.
    Kwh,
    /// Kilowatts of demand or capacity.
    Kw,
    /// Kilovolt-amperes of capacity.
    Kva,
    /// Local dates.
    Day,
    /// Months of the billing period.
    Month,
    /// Hundredths of the line's base.
    Percent,
}

/// Why a line is there. Texts are made of it in Chinese and English.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// Energy while a rate held.
    Used,
    /// Energy in a tier: from the lower end up to the upper end, none for the last tier.
    Tier {
        /// Lower end in kWh since the last reset.
        from_kwh: Energy,
        /// Upper end.
        to_kwh: Option<Energy>,
    },
    /// The highest mean power, at this instant.
    Peak {
        /// End of the demand window, seconds since 1970-01-01T00:00:00Z; none where nothing was used.
        at_utc_s: Option<i64>,
        /// The same in local time, such as `"2025-07-12 15:30"`.
        at_local: String,
    },
    /// The peak that the meter reported.
    ReportedPeak,
    /// Demand is billed higher than measured, because of earlier peaks.
    Ratchet {
        /// Measured demand.
        measured_kw: Power,
    },
    /// Demand is billed at its minimum.
    MinimumDemand {
        /// Measured demand.
        measured_kw: Power,
    },
    /// Contracted capacity.
    Contracted,
    /// Part of the peak above the contract.
    AboveContract {
        /// The peak, kW or kVA.
        peak: Power,
        /// The contract.
        contract: Power,
    },
    /// A charge for the days or months of the bill.
    Standing,
    /// Power factor.
    PowerFactor {
        /// In hundredths.
        hundredths: u8,
    },
    /// The base is below the minimum.
    BelowMinimum {
        /// The minimum.
        minimum: Amount,
    },
    /// A per cent of the base.
    PercentOfBase,
    /// A price for each kWh.
    PerKwh,
    /// Rounding of the total.
    RoundedTotal,
}

/// A tax that is part of prices already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncludedTax {
    /// Name.
    pub name: String,
    /// Per cent.
    #[serde(with = "decimal_text")]
    pub percent: Decimal,
    /// Amount with the tax.
    pub gross: Amount,
    /// The tax in it.
    pub tax: Amount,
}

/// Demand of one rate of one demand charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DemandFact {
    /// Name of the demand charge.
    pub charge: String,
    /// Its rate.
    pub rate: String,
    /// Highest mean power.
    pub measured_kw: Power,
    /// Billing demand, kW.
    #[serde(with = "decimal_text")]
    pub billed_kw: Decimal,
}

impl Bill {
    /// The sum of all lines of some kinds.
    ///
    /// # Errors
    /// None for bills of this crate; a bill that was changed while stored may be out of range.
    pub fn sum_of(&self, kinds: &[LineKind]) -> Result<Amount, crate::exact::AmountError> {
        Amount::sum(self.lines.iter().filter(|line| kinds.contains(&line.kind)).map(|line| &line.amount))
    }

    /// The exact negative of this bill, as a credit note.
    #[must_use]
    pub fn credit_note(&self) -> Self {
        let mut note = self.clone();
        for line in &mut note.lines {
            line.amount = line.amount.negated();
            line.base = line.base.as_ref().map(Amount::negated);
            line.quantity = line.quantity.map(|quantity| {
                let keeps = matches!(quantity.unit, Unit::Percent);
                let mut value = quantity.value;
                value.set_sign_negative(value.is_sign_negative() == keeps && !value.is_zero());
                Quantity { value, ..quantity }
            });
        }
        for tax in &mut note.included_taxes {
            (tax.gross, tax.tax) = (tax.gross.negated(), tax.tax.negated());
        }
        note.total = note.total.negated();
        note.energy = Energy::from_micro_kwh(note.energy.micro_kwh().saturating_neg());
        note
    }
}
