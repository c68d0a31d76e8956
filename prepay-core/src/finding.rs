//! Disagreements that a person should look at. A finding never changes money by itself.

use serde::{Deserialize, Serialize};

use crate::money::Money;
use crate::reading::Force;

/// What was found on one meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finding {
    /// The meter took more or less than the tariff charges for the same registers, by more than rounding explains.
    PriceDrift {
        /// What the meter took, minor units.
        fall: Money,
        /// What the tariff charges, minor units.
        charge: Money,
        /// The greatest difference that rounding explains, minor units.
        limit: Money,
    },
    /// The meter has no credit, decides by itself, and yet supplies.
    NotCut,
    /// The meter has credit, decides by itself, and yet does not supply.
    NotRestored,
    /// The meter's arrears flag contradicts its balance.
    ArrearsFlag {
        /// The flag.
        flag: bool,
        /// The balance, minor units.
        balance: Money,
    },
    /// The meter's force word is not what was ordered.
    Force {
        /// What was ordered.
        desired: Force,
        /// What the meter shows.
        reported: Force,
    },
    /// The force word is right, but the relay does not follow it.
    Relay {
        /// What the force word says.
        force: Force,
        /// Whether the relay passes current.
        closed: bool,
    },
    /// The meter's own prepaid function is on with the purse at the station, or off with the purse in the meter.
    PrepaidFunction {
        /// What the meter shows.
        enabled: bool,
    },
    /// The rates do not add up to the total.
    RatesAgainstTotal {
        /// Advance of the total, 0.01 kWh.
        total: u64,
        /// Sum of the rates' advances, 0.01 kWh.
        rates: u64,
    },
    /// The pricer has no price, so credit at the station can't be watched.
    NoPrice,
    /// All differences between the meter and the tariff together have passed a limit of the terms.
    DriftLimit {
        /// Differences beyond rounding since the opening, minor units.
        price_lag: Money,
        /// Differences within rounding since the opening, minor units.
        rounding: Money,
    },
}

/// The kind of a finding: one of each kind is open per meter at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingKind {
    /// [`Finding::PriceDrift`]
    PriceDrift,
    /// [`Finding::NotCut`]
    NotCut,
    /// [`Finding::NotRestored`]
    NotRestored,
    /// [`Finding::ArrearsFlag`]
    ArrearsFlag,
    /// [`Finding::Force`]
    Force,
    /// [`Finding::Relay`]
    Relay,
    /// [`Finding::PrepaidFunction`]
    PrepaidFunction,
    /// [`Finding::RatesAgainstTotal`]
    RatesAgainstTotal,
    /// [`Finding::NoPrice`]
    NoPrice,
    /// [`Finding::DriftLimit`]
    DriftLimit,
}

impl Finding {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> FindingKind {
        match self {
            Self::PriceDrift { .. } => FindingKind::PriceDrift,
            Self::NotCut => FindingKind::NotCut,
            Self::NotRestored => FindingKind::NotRestored,
            Self::ArrearsFlag { .. } => FindingKind::ArrearsFlag,
            Self::Force { .. } => FindingKind::Force,
            Self::Relay { .. } => FindingKind::Relay,
            Self::PrepaidFunction { .. } => FindingKind::PrepaidFunction,
            Self::RatesAgainstTotal { .. } => FindingKind::RatesAgainstTotal,
            Self::NoPrice => FindingKind::NoPrice,
            Self::DriftLimit { .. } => FindingKind::DriftLimit,
        }
    }
}
