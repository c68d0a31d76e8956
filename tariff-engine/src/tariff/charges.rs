//! Charges at the end of a period: contract, fixed, power factor, minimum, taxes; and rounding.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::exact::{Number, RoundingMode};

/// A charge on contracted capacity, with what is taken above it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractCharge {
    /// Name; the contracted capacity is an input under it.
    pub name: String,
    /// Unit of the capacity.
    pub unit: ContractUnit,
    /// Price per unit and billing period.
    pub price: Number,
    /// The demand charge whose peak is compared with the contract (kW only). Needed with `over` in kW.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub demand: Option<String>,
    /// Prices of what lies above the contract.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub over: Vec<OverContract>,
}

/// Unit of a contracted capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContractUnit {
    /// Kilowatts: compared with the peak of a demand charge.
    Kw,
    /// Kilovolt-amperes: compared with a peak that is an input.
    Kva,
}

/// The price of the part of the peak above a share of the contract, up to the next entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverContract {
    /// Share of the contract above which this price holds, such as `"1.05"`.
    pub above: Number,
    /// Price per unit of excess and billing period.
    pub price: Number,
}

/// A charge that does not depend on usage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixedCharge {
    /// Name.
    pub name: String,
    /// Price per day, month or year.
    pub price: Number,
    /// Day, month or year.
    pub per: FixedPer,
    /// Which days a daily price counts.
    #[serde(default)]
    pub days: FixedDays,
}

/// Unit of a fixed charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FixedPer {
    /// Each day.
    Day,
    /// Each month of the billing period; a part of a period pays its share by days.
    Month,
    /// A twelfth for each month of the billing period; a part of a period pays its share by days.
    Year,
}

/// Which days a daily price counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FixedDays {
    /// The days that the bill covers.
    #[default]
    Real,
    /// 365 ÷ 12 days in every month, whatever its length; a part of a period pays its share by days.
    #[serde(rename = "mean_month_365_12")]
    MeanMonth365_12,
}

/// A minimum bill. A top-up line brings the base up to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Minimum {
    /// For each month of the billing period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly: Option<Number>,
    /// For the calendar year; tested in the bill that ends the year, after monthly top-ups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annual: Option<Number>,
    /// What counts towards it: `energy`, `demand`, `contract`, `fixed`, `power_factor`, or the name of a charge.
    #[serde(default = "minimum_base")]
    pub base: Vec<String>,
}

fn minimum_base() -> Vec<String> {
    ["energy", "demand", "contract", "fixed"].map(ToString::to_string).to_vec()
}

/// A surcharge or reduction by the power factor of the billing period.
///
/// Power factor = kWh ÷ √(kWh² + (|forward| + |reverse| kvarh)²), rounded half up to two places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PowerFactor {
    /// The table, from the highest power factor down to `"0.00"`.
    pub table: Vec<PowerFactorStep>,
    /// What the per cent is taken of: `energy`, `demand`, `contract`, `fixed`, or the name of a charge.
    #[serde(default = "power_factor_base")]
    pub base: Vec<String>,
    /// Price components that are taken out of the base, such as government funds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
}

fn power_factor_base() -> Vec<String> {
    vec!["energy".to_string(), "demand".to_string(), "contract".to_string()]
}

/// From this power factor up to the next higher step, the base changes by this per cent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PowerFactorStep {
    /// Lowest power factor of the step, two places, 0.00 to 1.00.
    pub at_least: Number,
    /// Per cent of the base; negative is a reduction.
    pub percent: Number,
}

/// A tax or a fund. Exactly one of `percent` and `per_kwh` is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tax {
    /// Name.
    pub name: String,
    /// Per cent of the base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<Number>,
    /// Price per kWh of all energy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_kwh: Option<Number>,
    /// What a per cent is taken of: `energy`, `demand`, `contract`, `fixed`, `power_factor`, `minimum`, or the name of a
    /// charge or an earlier tax.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub base: Vec<String>,
    /// The base already includes this tax: nothing is added, the part of it is shown. Only with `percent`.
    #[serde(default)]
    pub included: bool,
}

/// Where and how amounts are rounded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoundingPolicy {
    /// Decimal places of each line; lines stay exact if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<u8>,
    /// Decimal places of the total, reached by an explicit rounding line; no such line if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u8>,
    /// Which way a tie goes.
    pub mode: RoundingMode,
}
