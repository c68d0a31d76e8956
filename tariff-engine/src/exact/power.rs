//! Power as a whole number of 10⁻⁶ kW.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::energy::{Energy, EnergyError};

/// Power in whole 10⁻⁶ kW (or kVA, where a contract is in kVA). Written and read as a decimal string of kW.
///
/// ```
/// use tariff_engine::Power;
/// assert_eq!("373.865232".parse::<Power>().unwrap().micro_kw(), 373_865_232);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Power(i64);

/// Why a number is no power: the same rules as for energy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("as kW: {0}")]
pub struct PowerError(EnergyError);

impl Power {
    /// No power.
    pub const ZERO: Self = Self(0);

    /// From whole 10⁻⁶ kW.
    pub const fn from_micro_kw(micro_kw: i64) -> Self {
        Self(micro_kw)
    }

    /// From a decimal of kW, exactly.
    ///
    /// # Errors
    /// [`PowerError`] when a digit stands below 10⁻⁶ kW or the number is beyond 64 bits.
    pub fn from_decimal(kw: Decimal) -> Result<Self, PowerError> {
        Energy::from_decimal(kw).map(|energy| Self(energy.micro_kwh())).map_err(PowerError)
    }

    /// Whole 10⁻⁶ kW.
    pub const fn micro_kw(self) -> i64 {
        self.0
    }

    /// The power in kW as a decimal without trailing zeros.
    pub fn to_decimal(self) -> Decimal {
        Decimal::new(self.0, 6).normalize()
    }
}

impl FromStr for Power {
    type Err = PowerError;

    fn from_str(text: &str) -> Result<Self, PowerError> {
        text.parse::<Energy>().map(|energy| Self(energy.micro_kwh())).map_err(PowerError)
    }
}

impl fmt::Display for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_decimal(), f)
    }
}

impl fmt::Debug for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} kW")
    }
}

impl Serialize for Power {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Power {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
