//! A JSON number, digit for digit.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use rust_decimal::Decimal;

/// Longest number that is looked at.
const MAX_CHARS: usize = 400;
/// A limit of a tier from here on means that there is none: 10³⁰ kWh.
const OPEN_DIGITS: i64 = 30;

/// A number as it is written, brought to digits and a power of ten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawNumber {
    text: String,
    negative: bool,
    /// Significant digits without leading or trailing zeros; empty is zero.
    digits: String,
    /// The last digit's power of ten.
    exponent: i64,
}

impl RawNumber {
    /// Reads a JSON number, or a JSON string that holds one.
    pub(super) fn parse(raw: &str) -> Option<Self> {
        let text = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(raw).trim();
        if text.is_empty() || text.len() > MAX_CHARS {
            return None;
        }
        let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, power) = match rest.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, power.parse::<i32>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let only_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !only_digits(whole) || !only_digits(fraction) {
            return None;
        }
        let all = format!("{whole}{fraction}");
        let kept = all.trim_end_matches('0');
        let dropped = i64::try_from(all.len().saturating_sub(kept.len())).ok()?;
        let places = i64::try_from(fraction.len()).ok()?;
        let digits = kept.trim_start_matches('0').to_string();
        let exponent =
            if digits.is_empty() { 0 } else { i64::from(power).saturating_sub(places).saturating_add(dropped) };
        Some(Self { text: text.to_string(), negative: negative && !digits.is_empty(), digits, exponent })
    }

    pub(super) const fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    pub(super) const fn is_negative(&self) -> bool {
        self.negative
    }

    /// Whether a limit is so large that it means none.
    pub(super) fn is_open(&self) -> bool {
        let digits = i64::try_from(self.digits.len()).unwrap_or(i64::MAX);
        !self.negative && !self.is_zero() && digits.saturating_add(self.exponent) > OPEN_DIGITS
    }

    /// The exact decimal, where one of 28 digits holds it.
    pub(super) fn decimal(&self) -> Option<Decimal> {
        if self.is_zero() {
            return Some(Decimal::ZERO);
        }
        let mantissa: i128 = self.digits.parse().ok()?;
        let mantissa = if self.negative { mantissa.checked_neg()? } else { mantissa };
        match u32::try_from(self.exponent) {
            Ok(zeros) => Decimal::try_from_i128_with_scale(mantissa.checked_mul(10_i128.checked_pow(zeros)?)?, 0).ok(),
            Err(_) => {
                let places = u32::try_from(self.exponent.checked_neg()?).ok()?;
                Decimal::try_from_i128_with_scale(mantissa, places).ok()
            }
        }
    }

    /// A whole number, also when it is written as `1.0`.
    pub(super) fn whole(&self) -> Option<u32> {
        let decimal = self.decimal()?;
        decimal.is_integer().then(|| u32::try_from(decimal.trunc().mantissa()).ok()).flatten()
    }
}

impl fmt::Display for RawNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_kept() {
        let decimal = |text| RawNumber::parse(text).and_then(|number| number.decimal()).map(|d| d.to_string());
        assert_eq!(decimal("0.070768997073173523").as_deref(), Some("0.070768997073173523"));
        assert_eq!(decimal("1.5e-3").as_deref(), Some("0.0015"));
        assert_eq!(decimal("-2E2").as_deref(), Some("-200"));
        assert_eq!(decimal("0.000").as_deref(), Some("0"));
        assert_eq!(decimal("\"1.0\"").as_deref(), Some("1"));
        assert_eq!(decimal("99999999999999999999999999999999999999"), None);
        assert_eq!(RawNumber::parse("1.0").unwrap().whole(), Some(1));
        assert_eq!(RawNumber::parse("1.5").unwrap().whole(), None);
        for bad in ["", "x", "1.2.3", "--1", "1e", "0x1", "NaN", "true", "."] {
            assert_eq!(RawNumber::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn huge_limits_are_open() {
        for open in ["1e38", "9.999999680285692e+37", "100000000000000000000000000000000000000"] {
            assert!(RawNumber::parse(open).unwrap().is_open(), "{open}");
        }
        for finite in ["1000000", "0", "-1e38", "1e-38"] {
            assert!(!RawNumber::parse(finite).unwrap().is_open(), "{finite}");
        }
    }
}
