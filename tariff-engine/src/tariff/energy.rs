//! Energy prices: rates, periods, components, ladder.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::calendar::Day;
use crate::exact::Number;

/// Prices of energy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnergyCharge {
    /// Parts of the price that all rates share.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<Component>,
    /// The rates (spike, peak, flat, valley, or any other names); at least one.
    pub rates: Vec<Rate>,
    /// When each rate holds. Every minute of every day must be covered. May be left out where there is one rate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub periods: Vec<Period>,
    /// Tiers (阶梯); none if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ladder: Option<Ladder>,
}

/// A named part of the unit price, the same for all rates or scaled by the ratio of each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// Name, such as purchase, transmission, fund.
    pub name: String,
    /// Price per kWh, the same in all tiers. Either this or `tiers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Number>,
    /// Price per kWh of each tier.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<Number>,
    /// Whether the ratio of the rate multiplies this part.
    #[serde(default)]
    pub scaled: bool,
}

/// A rate: one price of energy, or one per tier.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Name, such as `"peak"`. A meter's rate registers are matched by it.
    pub name: String,
    /// Price per kWh on top of the components, the same in all tiers. Either this, or `tiers`, or neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Number>,
    /// Price per kWh of each tier on top of the components.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<Number>,
    /// What scaled components are multiplied by; 1 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<Number>,
}

/// A span of the day in which a rate holds, on days that meet all conditions given.
///
/// A span over midnight is two spans, and the days of each are looked at on their own: `22:00` to `06:00` on `saturday` is
/// Saturday before 06:00 and Saturday after 22:00.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// The rate that holds.
    pub rate: String,
    /// First minute, `"HH:MM"`.
    pub from: String,
    /// Minute after the last, up to `"24:00"`. Equal to or before `from` it lies after midnight.
    pub to: String,
    /// Days; every day if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Day>,
    /// Names of holidays; any day if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holidays: Vec<String>,
    /// Names of seasons; the whole year if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seasons: Vec<String>,
    /// Months, 1 to 12; the whole year if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub months: Vec<u32>,
    /// Day flags, all of which must be set; none if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// Where periods overlap, the highest precedence holds. Overlap at equal precedence is an error.
    #[serde(default)]
    pub precedence: i32,
}

/// Tiers: the price depends on the energy used since the last reset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ladder {
    /// When the energy counts from zero again.
    #[serde(default)]
    pub reset: Reset,
    /// First day of the ladder's year, `"MM-DD"`; 1 January if left out. Only with a yearly reset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub year_start: Option<String>,
    /// How the tiers and the rates meet.
    #[serde(default)]
    pub scope: Scope,
    /// Upper ends of all tiers but the last, which is open.
    pub limits: Vec<Limit>,
    /// Other limits, as many, in some months: those of the billing period's last day. Only where the ladder is reset with the
    /// billing period.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seasonal: Vec<SeasonalLimits>,
    /// Shifts of the limits that an account may have, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowances: Vec<Allowance>,
    /// The demand charge whose billing demand multiplies `kwh_per_kw`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub demand: Option<String>,
}

/// Limits that hold in some months.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeasonalLimits {
    /// Months, 1 to 12.
    pub months: Vec<u32>,
    /// Upper ends of all tiers but the last.
    pub limits: Vec<Limit>,
}

/// When a ladder starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reset {
    /// On the first of each calendar month.
    Monthly,
    /// Once a year.
    Yearly,
    /// With the billing period.
    #[default]
    BillingPeriod,
}

/// How tiers and rates meet. The same 180 kWh can cost three different amounts, so it has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Scope {
    /// One ladder for all rates; energy climbs it in order of time.
    #[default]
    SharedChronological,
    /// One ladder for all rates; the energy of each tier is split by each rate's share of the whole.
    SharedProportional,
    /// Each rate has a ladder of its own.
    PerPeriod,
}

/// The upper end of a tier. Where several are given the smallest counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// kWh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kwh: Option<Number>,
    /// kWh for each day of the bill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kwh_per_day: Option<Number>,
    /// kWh for each kW of billing demand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kwh_per_kw: Option<Number>,
}

/// A shift of the limits for accounts that have it, such as large households.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowance {
    /// Name.
    pub name: String,
    /// kWh added to each limit, in order.
    pub kwh: Vec<Number>,
}
