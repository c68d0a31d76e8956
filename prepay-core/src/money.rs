//! Money as an integer of minor units, and the one rule by which a finer value becomes such an integer.

use alloc::string::String;
use core::fmt;

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An amount in minor units (fen, cents) of the currency of its ledger. May be negative. All arithmetic is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Money(i64);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The greatest amount.
    pub const MAX: Self = Self(i64::MAX);
    /// The least amount.
    pub const MIN: Self = Self(i64::MIN);

    /// An amount of `minor` minor units.
    #[must_use]
    pub const fn from_minor(minor: i64) -> Self {
        Self(minor)
    }

    /// The amount that is nearest to a wide result, for evidence that is shown and never booked.
    pub(crate) fn nearest(wide: i128) -> Self {
        let clamped = wide.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
        // Clamped, it always fits.
        Self(i64::try_from(clamped).unwrap_or(i64::MAX))
    }

    /// The amount in minor units.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.0
    }

    /// `self + other`.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] outside the range of `i64`.
    pub const fn plus(self, other: Self) -> Result<Self, MoneyError> {
        match self.0.checked_add(other.0) {
            Some(sum) => Ok(Self(sum)),
            None => Err(MoneyError::Overflow { left: self.0, operation: "plus", right: other.0 }),
        }
    }

    /// `self − other`.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] outside the range of `i64`.
    pub const fn minus(self, other: Self) -> Result<Self, MoneyError> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Ok(Self(difference)),
            None => Err(MoneyError::Overflow { left: self.0, operation: "minus", right: other.0 }),
        }
    }

    /// `−self`.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] for [`Money::MIN`], whose opposite does not exist.
    pub const fn negated(self) -> Result<Self, MoneyError> {
        Self::ZERO.minus(self)
    }

    /// The size of the amount without its sign, in minor units.
    #[must_use]
    pub const fn magnitude(self) -> u64 {
        self.0.unsigned_abs()
    }

    /// Above zero.
    #[must_use]
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum of many amounts.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] as soon as a partial sum leaves the range.
    pub fn sum(amounts: impl IntoIterator<Item = Self>) -> Result<Self, MoneyError> {
        amounts.into_iter().try_fold(Self::ZERO, Self::plus)
    }

    /// The amount in major units (yuan, euro), exactly.
    #[must_use]
    pub fn to_decimal(self, currency: Currency) -> Decimal {
        Decimal::new(self.0, u32::from(currency.minor_digits))
    }

    /// The amount that `major` major units are, if that is a whole number of minor units.
    ///
    /// # Errors
    /// [`MoneyError::Fraction`] when digits would be lost (use [`Money::quantise`] where rounding is meant),
    /// [`MoneyError::Range`] when it does not fit.
    pub fn from_decimal(major: Decimal, currency: Currency) -> Result<Self, MoneyError> {
        let quantised = Self::quantise(major, currency)?;
        if quantised.residue.is_zero() {
            Ok(quantised.amount)
        } else {
            Err(MoneyError::Fraction { value: major, minor_digits: currency.minor_digits })
        }
    }

    /// The one quantisation rule: the nearest minor unit, halves away from zero (so that a credit and its reversal round
    /// alike), with what was left over.
    ///
    /// # Errors
    /// [`MoneyError::Range`] when the amount does not fit.
    pub fn quantise(major: Decimal, currency: Currency) -> Result<Quantised, MoneyError> {
        let out_of_range = MoneyError::Range { value: major };
        let digits = u32::from(currency.minor_digits);
        let rounded = major.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero);
        // Shifting by a power of ten in i128 keeps every digit of a Decimal's 96-bit mantissa or refuses.
        let missing = digits.checked_sub(rounded.scale()).ok_or(out_of_range.clone())?;
        let factor = 10_i128.checked_pow(missing).ok_or(out_of_range.clone())?;
        let minor = rounded.mantissa().checked_mul(factor).ok_or(out_of_range.clone())?;
        let minor = i64::try_from(minor).map_err(|_| out_of_range.clone())?;
        let residue = major.checked_sub(rounded).ok_or(out_of_range)?;
        Ok(Quantised { amount: Self(minor), residue })
    }

    /// The amount as text in major units with all digits, for people: `12.30`.
    #[must_use]
    pub fn display(self, currency: Currency) -> impl fmt::Display {
        self.to_decimal(currency)
    }
}

/// A quantised value: `amount + residue` is the exact value that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantised {
    /// The whole minor units.
    pub amount: Money,
    /// What is left, in major units: at most half a minor unit, either sign.
    pub residue: Decimal,
}

/// A currency: its three-letter code and how many digits its minor unit has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "CurrencyText", into = "CurrencyText")]
pub struct Currency {
    code: [u8; 3],
    minor_digits: u8,
}

impl Currency {
    /// The most digits that a minor unit may have.
    pub const MAX_MINOR_DIGITS: u8 = 4;
    /// Chinese yuan, in fen.
    pub const CNY: Self = Self { code: *b"CNY", minor_digits: 2 };
    /// Euro, in cents.
    pub const EUR: Self = Self { code: *b"EUR", minor_digits: 2 };
    /// South African rand, in cents.
    pub const ZAR: Self = Self { code: *b"ZAR", minor_digits: 2 };
    /// Japanese yen, which has no minor unit.
    pub const JPY: Self = Self { code: *b"JPY", minor_digits: 0 };

    /// A currency by its ISO 4217 code and the digits of its minor unit.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyCode`] unless the code is three capital letters, [`MoneyError::MinorDigits`] above four.
    pub fn new(code: &str, minor_digits: u8) -> Result<Self, MoneyError> {
        let bytes: [u8; 3] = code
            .as_bytes()
            .try_into()
            .ok()
            .filter(|bytes: &[u8; 3]| bytes.iter().all(u8::is_ascii_uppercase))
            .ok_or_else(|| MoneyError::CurrencyCode { code: code.chars().take(8).collect() })?;
        if minor_digits > Self::MAX_MINOR_DIGITS {
            return Err(MoneyError::MinorDigits { digits: minor_digits, max: Self::MAX_MINOR_DIGITS });
        }
        Ok(Self { code: bytes, minor_digits })
    }

    /// The three letters.
    #[must_use]
    pub fn code(&self) -> &str {
        // Three ASCII capitals by construction, so the empty text is never taken.
        core::str::from_utf8(&self.code).unwrap_or_default()
    }

    /// How many decimal digits the minor unit has.
    #[must_use]
    pub const fn minor_digits(self) -> u8 {
        self.minor_digits
    }

    /// The letters as bytes, for canonical encodings.
    #[must_use]
    pub(crate) const fn code_bytes(self) -> [u8; 3] {
        self.code
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[derive(Serialize, Deserialize)]
struct CurrencyText {
    code: String,
    minor_digits: u8,
}

impl TryFrom<CurrencyText> for Currency {
    type Error = MoneyError;

    fn try_from(text: CurrencyText) -> Result<Self, MoneyError> {
        Self::new(&text.code, text.minor_digits)
    }
}

impl From<Currency> for CurrencyText {
    fn from(currency: Currency) -> Self {
        Self { code: String::from(currency.code()), minor_digits: currency.minor_digits }
    }
}

/// An amount that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MoneyError {
    /// A result outside the range of `i64` minor units.
    #[error("{left} {operation} {right} minor units is out of range")]
    Overflow {
        /// Left operand, minor units.
        left: i64,
        /// `plus` or `minus`.
        operation: &'static str,
        /// Right operand, minor units.
        right: i64,
    },
    /// A decimal with digits below the minor unit where an exact amount was asked for.
    #[error("{value} has digits below the minor unit ({minor_digits} digits)")]
    Fraction {
        /// What was given, major units.
        value: Decimal,
        /// Digits of the currency.
        minor_digits: u8,
    },
    /// A decimal outside the range of `i64` minor units.
    #[error("{value} is out of range")]
    Range {
        /// What was given, major units.
        value: Decimal,
    },
    /// Not three capital letters.
    #[error("currency code {code:?} is not three capital letters")]
    CurrencyCode {
        /// What was given, cut to eight characters.
        code: String,
    },
    /// More digits than a minor unit may have.
    #[error("{digits} minor digits, at most {max}")]
    MinorDigits {
        /// What was given.
        digits: u8,
        /// The most.
        max: u8,
    },
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use core::str::FromStr;

    use proptest::prelude::*;

    use super::*;

    fn dec(text: &str) -> Decimal {
        Decimal::from_str(text).unwrap()
    }

    #[test]
    fn halves_go_away_from_zero_with_either_sign() {
        for (given, minor, residue) in [
            ("0.005", 1, "-0.005"),
            ("-0.005", -1, "0.005"),
            ("0.00499", 0, "0.00499"),
            ("1.015", 102, "-0.005"),
            ("2", 200, "0"),
            ("-3.141592653589793238462643383", -314, "-0.001592653589793238462643383"),
        ] {
            let quantised = Money::quantise(dec(given), Currency::CNY).unwrap();
            assert_eq!(quantised.amount.minor(), minor, "{given}");
            assert_eq!(quantised.residue, dec(residue), "{given}");
        }
    }

    #[test]
    fn an_exact_conversion_refuses_to_lose_a_digit() {
        assert_eq!(Money::from_decimal(dec("12.3400"), Currency::CNY), Ok(Money::from_minor(1234)));
        assert!(matches!(Money::from_decimal(dec("12.345"), Currency::CNY), Err(MoneyError::Fraction { .. })));
        assert!(matches!(Money::from_decimal(dec("0.5"), Currency::JPY), Err(MoneyError::Fraction { .. })));
        assert!(matches!(Money::from_decimal(Decimal::MAX, Currency::CNY), Err(MoneyError::Range { .. })));
    }

    #[test]
    fn arithmetic_is_checked_at_the_edges() {
        assert!(Money::MAX.plus(Money::from_minor(1)).is_err());
        assert!(Money::MIN.minus(Money::from_minor(1)).is_err());
        assert!(Money::MIN.negated().is_err());
        assert!(Money::sum([Money::MAX, Money::MAX]).is_err());
        assert_eq!(Money::MIN.magnitude(), 1 << 63);
    }

    #[test]
    fn a_currency_is_three_capitals_and_few_digits() {
        assert_eq!(Currency::new("CNY", 2), Ok(Currency::CNY));
        assert!(matches!(Currency::new("cny", 2), Err(MoneyError::CurrencyCode { .. })));
        assert!(matches!(Currency::new("CNYX", 2), Err(MoneyError::CurrencyCode { .. })));
        assert!(matches!(Currency::new("CNY", 5), Err(MoneyError::MinorDigits { .. })));
        let text = serde_json::to_string(&Currency::CNY).unwrap();
        assert_eq!(text, r#"{"code":"CNY","minor_digits":2}"#);
        assert_eq!(serde_json::from_str::<Currency>(&text).unwrap(), Currency::CNY);
        assert_eq!(Money::from_minor(-1230).display(Currency::CNY).to_string(), "-12.30");
    }

    proptest! {
        #[test]
        fn decimal_and_back_is_the_same_amount(minor: i64, digits in 0_u8..=4) {
            let currency = Currency::new("ABC", digits).unwrap();
            let money = Money::from_minor(minor);
            prop_assert_eq!(Money::from_decimal(money.to_decimal(currency), currency), Ok(money));
        }

        #[test]
        fn amount_and_residue_make_the_value(mantissa in -1_000_000_000_000_000_i64..=1_000_000_000_000_000, scale in 0_u32..=12) {
            let value = Decimal::new(mantissa, scale);
            let quantised = Money::quantise(value, Currency::CNY).unwrap();
            prop_assert_eq!(quantised.amount.to_decimal(Currency::CNY) + quantised.residue, value);
            prop_assert!(quantised.residue.abs() <= Decimal::new(5, 3));
            let opposite = Money::quantise(-value, Currency::CNY).unwrap();
            prop_assert_eq!(opposite.amount, quantised.amount.negated().unwrap());
        }

        #[test]
        fn plus_and_minus_undo_each_other(left: i64, right: i64) {
            let (left, right) = (Money::from_minor(left), Money::from_minor(right));
            if let Ok(sum) = left.plus(right) {
                prop_assert_eq!(sum.minus(right), Ok(left));
            }
        }
    }
}
