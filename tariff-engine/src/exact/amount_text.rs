//! Amounts as text: a decimal, and fractions behind it where there are any.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::amount::{Amount, AmountError, ONE, UNIT_PLACES};

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.units < 0 { "-" } else { "" };
        let magnitude = self.units.unsigned_abs();
        let one = ONE.unsigned_abs();
        let (whole, rest) = (magnitude.checked_div(one).unwrap_or(0), magnitude.checked_rem(one).unwrap_or(0));
        write!(f, "{sign}{whole}")?;
        if rest != 0 {
            let digits = alloc::format!("{rest:024}");
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        for part in &self.parts {
            write!(f, "+{}/{}", part.numerator, part.denominator)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let wrong = || AmountError::NotDecimal { value: text.to_string() };
        let mut pieces = text.split('+');
        let mut amount = Self::from_units(parse_units(pieces.next().unwrap_or_default()).ok_or_else(wrong)?);
        for piece in pieces {
            let (numerator, denominator) = piece.split_once('/').ok_or_else(wrong)?;
            let numerator = parse_digits(numerator).ok_or_else(wrong)?;
            let denominator = parse_digits(denominator).ok_or_else(wrong)?;
            if numerator >= denominator || denominator > u128::MAX >> 1 {
                return Err(wrong());
            }
            amount.add_part(numerator, denominator)?;
        }
        Ok(amount)
    }
}

fn parse_digits(text: &str) -> Option<u128> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) { None } else { text.parse().ok() }
}

fn parse_units(text: &str) -> Option<i128> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let missing = UNIT_PLACES.checked_sub(u32::try_from(fraction.len()).ok()?)?;
    let fraction = parse_digits(fraction)?.checked_mul(10_u128.checked_pow(missing)?)?;
    let units = parse_digits(whole)?.checked_mul(ONE.unsigned_abs())?.checked_add(fraction)?;
    let units = i128::try_from(units).ok()?;
    if negative { units.checked_neg() } else { Some(units) }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_it_cannot_hold() {
        assert_eq!("1e5".parse::<Amount>().unwrap_err(), AmountError::NotDecimal { value: "1e5".into() });
        for bad in ["", "-", ".5", "1.", "1/3", "1+3/3", "1+1/0", "+1", "1.0000000000000000000000001", "0x1"] {
            assert!(bad.parse::<Amount>().is_err(), "{bad}");
        }
        let most = Amount::from_units(i128::MAX);
        assert_eq!(most.plus(&Amount::from_units(1)), Err(AmountError::OutOfRange));
    }
}
