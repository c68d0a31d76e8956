//! Decimal texts as exact numbers: documents carry their values as text.

use crate::map::Number;
use thiserror::Error;

/// Most digits of a value, before and behind the point together.
pub const MAX_DIGITS: usize = 30;

/// A text that is no decimal number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ExactError {
    /// No digit, or a character that is none.
    #[error("not a decimal number")]
    NotDecimal,
    /// More digits than a value may have.
    #[error("{digits} digits, the limit is {MAX_DIGITS}")]
    TooLong {
        /// Digits found.
        digits: usize,
    },
}

/// Reads `[-]digits[.digits]`, exactly. No exponent, no spaces, no float.
///
/// ```
/// use meter_protocol::map::Number;
/// use meter_protocol::uplink::parse_exact;
/// assert_eq!(parse_exact("-84.01")?, Number::new(-8401, -2));
/// assert!(parse_exact("1e3").is_err());
/// # Ok::<(), meter_protocol::uplink::ExactError>(())
/// ```
///
/// # Errors
/// [`ExactError`].
pub fn parse_exact(text: &str) -> Result<Number, ExactError> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, part) = match unsigned.split_once('.') {
        Some((whole, part)) if !part.is_empty() => (whole, part),
        Some(_) => return Err(ExactError::NotDecimal),
        None => (unsigned, ""),
    };
    if whole.is_empty() || !whole.bytes().chain(part.bytes()).all(|byte| byte.is_ascii_digit()) {
        return Err(ExactError::NotDecimal);
    }
    let digits = whole.len().saturating_add(part.len());
    let too_long = ExactError::TooLong { digits };
    if digits > MAX_DIGITS {
        return Err(too_long);
    }
    let magnitude = whole
        .bytes()
        .chain(part.bytes())
        .try_fold(0_i128, |sum, byte| sum.checked_mul(10)?.checked_add(i128::from(byte.saturating_sub(b'0'))));
    let magnitude = magnitude.ok_or(too_long)?;
    let decimals = i8::try_from(part.len()).map_err(|_| too_long)?;
    let mantissa = if negative { magnitude.saturating_neg() } else { magnitude };
    Ok(Number::new(mantissa, decimals.saturating_neg()))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;

    #[test]
    fn texts_that_are_no_numbers() {
        for text in ["", "-", ".5", "5.", "1 ", "+1", "1e3", "0x10", "1.2.3", "--1", "NaN", "١"] {
            assert_eq!(parse_exact(text), Err(ExactError::NotDecimal), "{text}");
        }
        assert_eq!(parse_exact(&"1".repeat(31)), Err(ExactError::TooLong { digits: 31 }));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_the_same(mantissa in -10_i128.pow(20)..10_i128.pow(20), decimals in 0_i8..=9) {
            let number = Number::new(mantissa, -decimals);
            prop_assert_eq!(parse_exact(&number.to_string()), Ok(number));
        }
    }
}
