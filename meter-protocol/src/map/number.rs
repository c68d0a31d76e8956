//! An exact decimal number: an integer and a power of ten.

use core::fmt;
use thiserror::Error;

/// `mantissa` × 10^`exponent`, exact.
///
/// ```
/// use meter_protocol::map::Number;
/// assert_eq!(Number::new(-8401, -2).to_string(), "-84.01");
/// assert_eq!(Number::new(5, -3).to_string(), "0.005");
/// assert_eq!(Number::new(12, 2).to_string(), "1200");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Number {
    mantissa: i128,
    exponent: i8,
}

/// Not a number that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NumberError {
    /// The bits stand for infinity or for no number.
    #[error("{bits:08X}H is infinity or not a number")]
    NotFinite {
        /// Bits of the single.
        bits: u32,
    },
    /// The exact decimal needs more than 38 digits.
    #[error("{bits:08X}H has no exact decimal of 38 digits")]
    TooLong {
        /// Bits of the single.
        bits: u32,
    },
    /// The other type can't hold the number exactly.
    #[error("{number} does not fit exactly")]
    Fit {
        /// The number.
        number: Number,
    },
}

impl Number {
    /// `mantissa` × 10^`exponent`.
    #[must_use]
    pub const fn new(mantissa: i128, exponent: i8) -> Self {
        Self { mantissa, exponent }
    }

    /// The integer.
    #[must_use]
    pub const fn mantissa(self) -> i128 {
        self.mantissa
    }

    /// The power of ten.
    #[must_use]
    pub const fn exponent(self) -> i8 {
        self.exponent
    }

    /// The exact decimal of an IEEE-754 single, found by integer arithmetic, without trailing zeros after the point.
    ///
    /// # Errors
    /// [`NumberError::NotFinite`]; [`NumberError::TooLong`] for values too small or too large for 38 digits.
    pub fn from_f32_bits(bits: u32) -> Result<Self, NumberError> {
        let too_long = NumberError::TooLong { bits };
        let fraction = i128::from(bits & 0x007F_FFFF);
        let (significand, exponent) = match bits >> 23 & 0xFF {
            0xFF => return Err(NumberError::NotFinite { bits }),
            0 => (fraction, -149),
            // A biased exponent has 8 bits.
            biased => (fraction | 0x0080_0000, i32::try_from(biased).map_err(|_| too_long)?.saturating_sub(150)),
        };
        let negative = bits >> 31 == 1;
        // A significand of 24 bits has its negative.
        let signed = if negative { significand.saturating_neg() } else { significand };
        if signed == 0 {
            return Ok(Self::new(0, 0));
        }
        // Factors of two in the significand shorten the decimal.
        let spare = signed.trailing_zeros().min(exponent.min(0).unsigned_abs());
        let signed = signed >> spare;
        let power = exponent.unsigned_abs().saturating_sub(if exponent < 0 { spare } else { 0 });
        if exponent >= 0 {
            let mantissa = 1_i128.checked_shl(power).filter(|_| power < 127).and_then(|two| signed.checked_mul(two));
            return mantissa.map(|mantissa| Self::new(mantissa, 0)).ok_or(too_long);
        }
        // m / 2^k = m * 5^k / 10^k
        let mantissa = 5_i128.checked_pow(power).and_then(|five| signed.checked_mul(five)).ok_or(too_long)?;
        let decimals = i8::try_from(power).map_err(|_| too_long)?;
        Ok(Self::new(mantissa, decimals.saturating_neg()))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let digits = self.mantissa.unsigned_abs();
        // An exponent of 8 bits, in 32.
        let Ok(decimals) = u32::try_from(i32::from(self.exponent).saturating_neg()) else {
            write!(f, "{sign}{digits}")?;
            let zeros = if digits == 0 { 0 } else { self.exponent.unsigned_abs() };
            return (0..zeros).try_for_each(|_| f.write_str("0"));
        };
        let width = usize::try_from(decimals).unwrap_or(usize::MAX);
        match 10_u128.checked_pow(decimals) {
            Some(1) => write!(f, "{sign}{digits}"),
            Some(one) => {
                // A power of ten is never 0.
                let whole = digits.checked_div(one).unwrap_or(0);
                let part = digits.checked_rem(one).unwrap_or(0);
                write!(f, "{sign}{whole}.{part:0width$}")
            }
            // More decimals than a u128 has digits: nothing stands before the point.
            None => write!(f, "{sign}0.{digits:0width$}"),
        }
    }
}

#[cfg(feature = "decimal")]
impl TryFrom<Number> for rust_decimal::Decimal {
    type Error = NumberError;

    fn try_from(number: Number) -> Result<Self, NumberError> {
        let misfit = NumberError::Fit { number };
        let exponent = number.exponent;
        let mantissa = match u32::try_from(exponent) {
            Ok(power) => 10_i128.checked_pow(power).and_then(|ten| number.mantissa.checked_mul(ten)).ok_or(misfit)?,
            Err(_) => number.mantissa,
        };
        let decimals = u32::from(exponent.min(0).unsigned_abs());
        Self::try_from_i128_with_scale(mantissa, decimals).map_err(|_| misfit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use proptest::prelude::*;
    use std::{format, string::ToString};

    #[test]
    fn known_singles() {
        let text = |value: f32| Number::from_f32_bits(value.to_bits()).unwrap().to_string();
        assert_eq!(text(230.5), "230.5");
        assert_eq!(text(-0.25), "-0.25");
        assert_eq!(text(0.1), "0.100000001490116119384765625");
        assert_eq!(text(16_777_216.0), "16777216");
        assert_eq!(text(0.0), "0");
        assert_eq!(text(-0.0), "0");
        assert_eq!(text(1e30), "1000000015047466219876688855040");
        for bits in [f32::INFINITY.to_bits(), f32::NAN.to_bits()] {
            assert_eq!(Number::from_f32_bits(bits), Err(NumberError::NotFinite { bits }));
        }
        assert_eq!(Number::from_f32_bits(1), Err(NumberError::TooLong { bits: 1 }));
    }

    #[test]
    fn display_keeps_every_decimal() {
        assert_eq!(Number::new(1_234_567, -2).to_string(), "12345.67");
        assert_eq!(Number::new(100, -2).to_string(), "1.00");
        assert_eq!(Number::new(0, -2).to_string(), "0.00");
        assert_eq!(Number::new(0, 3).to_string(), "0");
        assert_eq!(Number::new(7, -40).to_string(), format!("0.{}7", "0".repeat(39)));
        assert_eq!(Number::new(i128::MIN, 0).to_string(), i128::MIN.to_string());
    }

    proptest! {
        #[test]
        fn singles_survive_the_way_there_and_back(bits in any::<u32>()) {
            if let Ok(number) = Number::from_f32_bits(bits) {
                let back: f32 = number.to_string().parse().unwrap();
                prop_assert!(back.to_bits() == bits || back == 0.0 && f32::from_bits(bits) == 0.0);
            }
        }
    }
}
