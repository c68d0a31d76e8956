//! Energy as a whole number of 10⁻⁶ kWh.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Energy in whole 10⁻⁶ kWh (milliwatt-hours). Written and read as a decimal string of kWh.
///
/// ```
/// use tariff_engine::Energy;
/// let reading = Energy::from_centi_kwh(1234).unwrap();
/// assert_eq!(reading.to_string(), "12.34");
/// assert_eq!("12.34".parse::<Energy>(), Ok(reading));
/// assert!("0.0000001".parse::<Energy>().is_err(), "a digit below 10⁻⁶ kWh is refused, not dropped");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Energy(i64);

/// Why a number is no energy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnergyError {
    /// Not a decimal number.
    #[error("energy {value:?} is not a decimal number of kWh")]
    NotDecimal {
        /// What was given.
        value: String,
    },
    /// Finer than 10⁻⁶ kWh.
    #[error("energy {value} kWh has digits below 0.000001 kWh")]
    TooFine {
        /// What was given.
        value: String,
    },
    /// Beyond what 64 bits hold.
    #[error("energy {value} kWh is beyond ±{limit} kWh")]
    OutOfRange {
        /// What was given.
        value: String,
        /// The largest energy, kWh.
        limit: i64,
    },
}

const MICRO: i64 = 1_000_000;

impl Energy {
    /// No energy.
    pub const ZERO: Self = Self(0);

    /// From whole 10⁻⁶ kWh.
    pub const fn from_micro_kwh(micro_kwh: i64) -> Self {
        Self(micro_kwh)
    }

    /// From whole watt-hours; `None` beyond 64 bits.
    pub const fn from_wh(wh: i64) -> Option<Self> {
        match wh.checked_mul(1_000) {
            Some(micro) => Some(Self(micro)),
            None => None,
        }
    }

    /// From a meter's registers of 0.01 kWh; `None` beyond 64 bits.
    pub const fn from_centi_kwh(centi_kwh: i64) -> Option<Self> {
        match centi_kwh.checked_mul(10_000) {
            Some(micro) => Some(Self(micro)),
            None => None,
        }
    }

    /// From whole kWh; `None` beyond 64 bits.
    pub const fn from_kwh(kwh: i64) -> Option<Self> {
        match kwh.checked_mul(MICRO) {
            Some(micro) => Some(Self(micro)),
            None => None,
        }
    }

    /// From a decimal of kWh, exactly.
    ///
    /// # Errors
    /// [`EnergyError`] when a digit stands below 10⁻⁶ kWh or the number is beyond 64 bits.
    pub fn from_decimal(kwh: Decimal) -> Result<Self, EnergyError> {
        let plain = kwh.normalize();
        let missing =
            6_u32.checked_sub(plain.scale()).ok_or_else(|| EnergyError::TooFine { value: kwh.to_string() })?;
        10_i128
            .checked_pow(missing)
            .and_then(|factor| plain.mantissa().checked_mul(factor))
            .and_then(|micro| i64::try_from(micro).ok())
            .map(Self)
            .ok_or_else(|| EnergyError::OutOfRange { value: kwh.to_string(), limit: i64::MAX.wrapping_div(MICRO) })
    }

    /// Whole 10⁻⁶ kWh.
    pub const fn micro_kwh(self) -> i64 {
        self.0
    }

    /// The energy in kWh as a decimal without trailing zeros.
    pub fn to_decimal(self) -> Decimal {
        Decimal::new(self.0, 6).normalize()
    }

    /// The sum, or `None` beyond 64 bits.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The difference, or `None` beyond 64 bits.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Self(difference)),
            None => None,
        }
    }
}

impl FromStr for Energy {
    type Err = EnergyError;

    fn from_str(text: &str) -> Result<Self, EnergyError> {
        let kwh = Decimal::from_str_exact(text).map_err(|_| EnergyError::NotDecimal { value: text.to_string() })?;
        Self::from_decimal(kwh)
    }
}

impl fmt::Display for Energy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_decimal(), f)
    }
}

impl fmt::Debug for Energy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} kWh")
    }
}

impl Serialize for Energy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Energy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_exactly_or_refuses() {
        assert_eq!(Energy::from_kwh(3), Energy::from_wh(3_000));
        assert_eq!(Energy::from_centi_kwh(7).map(Energy::micro_kwh), Some(70_000));
        assert_eq!(
            Energy::from_decimal(Decimal::new(1_500_000_000, 9)),
            Energy::from_wh(1_500).ok_or_else(|| unreachable!())
        );
        assert!(matches!("1.0000001".parse::<Energy>(), Err(EnergyError::TooFine { .. })));
        assert!(matches!("9300000000000".parse::<Energy>(), Err(EnergyError::OutOfRange { .. })));
        assert!(matches!("twelve".parse::<Energy>(), Err(EnergyError::NotDecimal { .. })));
        assert!(matches!(
            "123456789012345678901234567890123456789".parse::<Energy>(),
            Err(EnergyError::NotDecimal { .. })
        ));
    }
}
