//! A tariff as a document: what a user writes in TOML or JSON.
//!
//! Decimals are strings, dates are `"2025-01-31"`, times of day are `"08:30"`. Nothing here is checked beyond its shape;
//! [`Tariff::compile`] checks everything and names the path of what is wrong.

mod calendar;
mod charges;
mod demand;
mod energy;

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

pub use calendar::{Billing, Calendar, Day, Holiday, Season, Weekday};
pub use charges::{
    ContractCharge, ContractUnit, FixedCharge, FixedDays, FixedPer, Minimum, OverContract, PowerFactor,
    PowerFactorStep, RoundingPolicy, Tax,
};
pub use demand::{DemandCharge, DemandRate, DemandTier, Ratchet};
pub use energy::{Allowance, Component, EnergyCharge, Ladder, Limit, Period, Rate, Reset, Scope, SeasonalLimits};

use crate::compile::{CompileError, CompiledTariff};

/// The version of the document format that this crate reads and writes.
pub const SCHEMA: u32 = 1;

/// The JSON Schema of documents of version [`SCHEMA`], for editors and other programs.
///
/// It says what a document looks like. Names that must exist, periods that must cover the day and rules between fields are checked by
/// [`Tariff::compile`] only.
pub const JSON_SCHEMA: &str = include_str!("../../schema/tariff-1.schema.json");

/// A tariff: everything a bill needs except usage and facts of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tariff {
    /// Version of the document format; [`SCHEMA`].
    pub schema: u32,
    /// Name of the tariff, printed on bills.
    pub name: String,
    /// Currency of all prices, printed on bills, such as `"CNY"`.
    #[serde(default)]
    pub currency: String,
    /// Time zone of all dates and times: an offset such as `"+08:00"`, or an IANA name with the feature `chrono-tz`.
    pub zone: String,
    /// The billing period; the calendar month if left out.
    #[serde(default)]
    pub billing: Billing,
    /// Weekends, holidays, make-up working days, seasons and day flags.
    #[serde(default)]
    pub calendar: Calendar,
    /// How amounts are rounded; not at all if left out.
    #[serde(default)]
    pub rounding: RoundingPolicy,
    /// The prices in force from each date, in order of date; at least one.
    pub versions: Vec<Version>,
}

/// The prices that are in force from one date on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// First day, such as `"2025-01-01"`. A version ends where the next one begins.
    pub from: String,
    /// First day on which the last version is no longer in force. Only the last version may have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Where the prices come from, for the reader.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// Energy prices.
    pub energy: EnergyCharge,
    /// Length of the window over which demand is averaged, minutes: a divisor of 60. Needed where demand is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub demand_window_minutes: Option<u32>,
    /// Demand charges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub demand: Vec<DemandCharge>,
    /// Charges on contracted capacity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contract: Vec<ContractCharge>,
    /// Fixed charges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixed: Vec<FixedCharge>,
    /// Power-factor adjustment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_factor: Option<PowerFactor>,
    /// Minimum bill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Minimum>,
    /// Taxes and funds, in order: each may stand on those before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taxes: Vec<Tax>,
}

impl Tariff {
    /// Checks the whole document once and prepares it for pricing.
    ///
    /// # Errors
    /// The first thing that is wrong, with its path in the document, its value and the rule that it breaks.
    pub fn compile(&self) -> Result<CompiledTariff, CompileError> {
        crate::compile::compile(self)
    }
}
