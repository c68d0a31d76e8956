//! Demand charges.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::energy::Period;
use crate::exact::Number;

/// A charge on the highest mean power of a demand window in the billing period.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DemandCharge {
    /// Name; peaks and history are kept under it from version to version.
    pub name: String,
    /// The rates, each with its own peak; at least one.
    pub rates: Vec<DemandRate>,
    /// When each rate is measured; times are multiples of the demand window. May be left out where there is one rate, and
    /// minutes may be left uncovered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub periods: Vec<Period>,
    /// Months of the bill's last day in which this is charged, 1 to 12; all if left out. Peaks are measured all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub months: Vec<u32>,
    /// Lowest billing demand, kW.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_kw: Option<Number>,
    /// Billing demand that stands on earlier peaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratchet: Option<Ratchet>,
}

/// One price of demand, or a ladder of prices.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DemandRate {
    /// Name.
    pub name: String,
    /// Price per kW and billing period. Either this or `tiers`, or neither: then the peak is only measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Number>,
    /// Prices by tier; the last one is open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<DemandTier>,
}

/// A tier of a demand price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DemandTier {
    /// Upper end, kW; none in the last tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_kw: Option<Number>,
    /// Price per kW and billing period.
    pub price: Number,
}

/// Billing demand is at least a share of earlier peaks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ratchet {
    /// Billing periods looked back over, 1 to 12; the present one is not among them.
    pub lookback: u32,
    /// Share of an earlier peak that counts, such as `"0.8"`; the same for all months. Either this or `share_by_month`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Number>,
    /// Share by the month in which the peak was, January first; `"0"` takes the month out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub share_by_month: Vec<Number>,
    /// Share of the present period's own peak by month, January first; 1 if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own_share_by_month: Vec<Number>,
    /// Rates of this charge whose peaks count later; all if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source_rates: Vec<String>,
}
