//! An exact amount of money.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;
use core::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::rounding::{Rounding, RoundingMode};
use super::wide::Wide;

/// Decimal places of one unit: 18 of a price and 6 of an energy.
const UNIT_PLACES: u32 = 24;
/// Units in one of the currency.
const ONE: i128 = 10_i128.pow(UNIT_PLACES);
/// A denominator above this is kept apart instead of being brought to a common one.
const LARGEST_COMMON: u128 = 1 << 126;

/// An exact amount of money: whole 10⁻²⁴ of the currency, and proper fractions of one such unit.
///
/// Sums lose nothing; [`Amount::round`] rounds once, by a named rule. Written as a decimal string, followed by the fractions
/// where there are any: `"33.333333333333333333333333+1/3"` is one hundred thirds.
///
/// ```
/// use tariff_engine::{Amount, Rounding, RoundingMode};
/// let amount: Amount = "12.345".parse().unwrap();
/// let fen = Rounding::new(2, RoundingMode::HalfEven).unwrap();
/// assert_eq!(amount.round(fen).to_string(), "12.34");
/// assert_eq!(amount.minor_units(fen), 1234);
/// assert_eq!(amount.negated().minor_units(fen), -1234);
/// ```
#[derive(Clone, Default)]
pub struct Amount {
    /// Whole units, rounded towards minus infinity.
    units: i128,
    /// What is left, each between 0 and 1 unit and in lowest terms.
    parts: Vec<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Part {
    numerator: u128,
    denominator: u128,
}

/// Why a number is no amount, or an operation has no exact result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AmountError {
    /// Not a decimal number (with fractions behind it).
    #[error("amount {value:?} is not a decimal number")]
    NotDecimal {
        /// What was given.
        value: String,
    },
    /// Beyond what 10⁻²⁴ units in 128 bits hold, which is about ±1.7 × 10¹⁴.
    #[error("an amount is beyond ±1.7e14")]
    OutOfRange,
    /// More than 64 fractions with large denominators in one sum.
    #[error("a sum has more than 64 different large denominators")]
    TooManyFractions,
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self { units: 0, parts: Vec::new() };
    /// Parts with different large denominators that one amount can hold.
    pub(crate) const MAX_PARTS: usize = 64;
    /// Bytes of a part.
    pub(crate) const PART_BYTES: usize = size_of::<Part>();

    /// Bytes on the heap.
    pub(crate) const fn heap_bytes(&self) -> usize {
        self.parts.capacity().saturating_mul(Self::PART_BYTES)
    }

    /// From a decimal, exactly.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`] beyond 1.7 × 10¹⁴ or below 10⁻²⁴.
    pub fn from_decimal(decimal: Decimal) -> Result<Self, AmountError> {
        let plain = decimal.normalize();
        UNIT_PLACES
            .checked_sub(plain.scale())
            .and_then(|missing| 10_i128.checked_pow(missing))
            .and_then(|factor| plain.mantissa().checked_mul(factor))
            .map(Self::from_units)
            .ok_or(AmountError::OutOfRange)
    }

    /// From minor units: 1234 with two places is 12.34.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`] beyond 1.7 × 10¹⁴ or with more than 24 places.
    pub fn from_minor_units(minor: i64, places: u8) -> Result<Self, AmountError> {
        UNIT_PLACES
            .checked_sub(u32::from(places))
            .and_then(|missing| 10_i128.checked_pow(missing))
            .and_then(|factor| i128::from(minor).checked_mul(factor))
            .map(Self::from_units)
            .ok_or(AmountError::OutOfRange)
    }

    pub(crate) const fn from_units(units: i128) -> Self {
        Self { units, parts: Vec::new() }
    }

    /// `price × quantity` where the two scales together have 24 places: the common case of an energy line.
    pub(crate) fn of_product(price: i128, quantity: i128) -> Result<Self, AmountError> {
        price.checked_mul(quantity).map(Self::from_units).ok_or(AmountError::OutOfRange)
    }

    /// `a × b × c ÷ divisor` units: multiplied in full, divided once.
    pub(crate) fn of_fraction(a: i128, b: i128, c: u128, divisor: u128) -> Result<Self, AmountError> {
        let negative = (a < 0) != (b < 0);
        let (quotient, remainder) = Wide::product(a.unsigned_abs(), b.unsigned_abs())
            .times(c)
            .and_then(|product| product.divide(divisor))
            .ok_or(AmountError::OutOfRange)?;
        let mut amount = Self::from_units(i128::try_from(quotient).map_err(|_| AmountError::OutOfRange)?);
        amount.add_part(remainder, divisor)?;
        Ok(if negative { amount.negated() } else { amount })
    }

    /// This amount times `numerator ÷ denominator`, exactly.
    pub(crate) fn times(&self, numerator: i128, denominator: u128) -> Result<Self, AmountError> {
        let mut sum = Self::of_fraction(self.units, numerator, 1, denominator)?;
        for part in &self.parts {
            let whole = denominator.checked_mul(part.denominator).ok_or(AmountError::OutOfRange)?;
            let share = i128::try_from(part.numerator).map_err(|_| AmountError::OutOfRange)?;
            sum = sum.plus(&Self::of_fraction(share, numerator, 1, whole)?)?;
        }
        Ok(sum)
    }

    /// The sum.
    ///
    /// # Errors
    /// [`AmountError`] beyond 1.7 × 10¹⁴ or 64 fractions.
    pub fn plus(&self, other: &Self) -> Result<Self, AmountError> {
        let mut sum = self.clone();
        sum.add(other)?;
        Ok(sum)
    }

    /// The difference.
    ///
    /// # Errors
    /// [`AmountError`] beyond 1.7 × 10¹⁴ or 64 fractions.
    pub fn minus(&self, other: &Self) -> Result<Self, AmountError> {
        self.plus(&other.negated())
    }

    /// Adds in place. After an error the amount is unusable, so the callers drop it.
    pub(crate) fn add(&mut self, other: &Self) -> Result<(), AmountError> {
        self.units = self.units.checked_add(other.units).ok_or(AmountError::OutOfRange)?;
        for part in &other.parts {
            self.add_part(part.numerator, part.denominator)?;
        }
        Ok(())
    }

    /// The sum of many.
    ///
    /// # Errors
    /// [`AmountError`] beyond 1.7 × 10¹⁴ or 64 fractions.
    pub fn sum<'a>(amounts: impl IntoIterator<Item = &'a Self>) -> Result<Self, AmountError> {
        let mut sum = Self::ZERO;
        for amount in amounts {
            sum.add(amount)?;
        }
        Ok(sum)
    }

    /// The same with the other sign.
    #[must_use]
    pub fn negated(&self) -> Self {
        // Each part p becomes 1 - p, paid for by one unit. Amounts keep clear of the ends of the range.
        let units = self.parts.iter().fold(self.units.saturating_neg(), |units, _| units.saturating_sub(1));
        let parts = self
            .parts
            .iter()
            .map(|part| Part { numerator: part.denominator.saturating_sub(part.numerator), ..*part })
            .collect();
        Self { units, parts }
    }

    /// Rounded once to minor units of `rounding.places()` decimal places.
    pub fn minor_units(&self, rounding: Rounding) -> i128 {
        let (floor, exact) = self.floor();
        let step = 10_i128.pow(UNIT_PLACES.saturating_sub(u32::from(rounding.places())));
        let lower = floor.div_euclid(step);
        let above = floor.rem_euclid(step);
        let up = match above.cmp(&step.div_euclid(2)) {
            Ordering::Less => false,
            Ordering::Greater => true,
            Ordering::Equal if !exact => true,
            // A tie.
            Ordering::Equal => match rounding.mode() {
                RoundingMode::HalfEven => lower.rem_euclid(2) == 1,
                RoundingMode::HalfAwayFromZero => lower >= 0,
            },
        };
        lower.saturating_add(i128::from(up))
    }

    /// Rounded once, as a decimal with `rounding.places()` places.
    pub fn round(&self, rounding: Rounding) -> Decimal {
        let minor = self.minor_units(rounding);
        // 1.7e14 with 10 places has 25 digits and a decimal holds 28, so the bound is never met.
        Decimal::try_from_i128_with_scale(minor, u32::from(rounding.places())).unwrap_or(Decimal::MAX)
    }

    /// Rounded once, kept as an amount.
    #[must_use]
    pub fn rounded(&self, rounding: Rounding) -> Self {
        let step = 10_i128.pow(UNIT_PLACES.saturating_sub(u32::from(rounding.places())));
        Self::from_units(self.minor_units(rounding).saturating_mul(step))
    }

    /// The amount as a decimal where 28 digits hold it exactly.
    pub fn to_decimal(&self) -> Option<Decimal> {
        if !self.parts.is_empty() {
            return None;
        }
        let mut units = self.units;
        let mut places = UNIT_PLACES;
        while places > 0 && units.checked_rem(10) == Some(0) {
            units = units.div_euclid(10);
            places = places.saturating_sub(1);
        }
        Decimal::try_from_i128_with_scale(units, places).ok()
    }

    /// Whole units, rounded down.
    pub(crate) fn whole_units(&self) -> i128 {
        self.floor().0
    }

    /// Whether this is exactly nothing.
    pub fn is_zero(&self) -> bool {
        self.cmp(&Self::ZERO) == Ordering::Equal
    }

    /// Whether this is less than nothing: a credit.
    pub fn is_negative(&self) -> bool {
        self.cmp(&Self::ZERO) == Ordering::Less
    }

    /// Adds `numerator ÷ denominator` of a unit; the numerator is below the denominator.
    fn add_part(&mut self, numerator: u128, denominator: u128) -> Result<(), AmountError> {
        let mut part = Part { numerator, denominator }.reduced();
        let mut index = 0;
        while part.numerator != 0 {
            let Some(other) = self.parts.get(index) else {
                if self.parts.len() >= Self::MAX_PARTS {
                    return Err(AmountError::TooManyFractions);
                }
                self.parts.push(part);
                return Ok(());
            };
            match part.joined(*other) {
                Some((carry, joined)) => {
                    // The joined part may now fit together with another, so start again.
                    self.parts.swap_remove(index);
                    self.units = self.units.checked_add(carry).ok_or(AmountError::OutOfRange)?;
                    part = joined;
                    index = 0;
                }
                None => index = index.saturating_add(1),
            }
        }
        Ok(())
    }

    /// Whole units below, and whether nothing is left over them.
    fn floor(&self) -> (i128, bool) {
        match self.parts.as_slice() {
            [] => (self.units, true),
            [_] => (self.units, false),
            several => {
                let (whole, exact) = sum_of_parts(several);
                (self.units.saturating_add(whole), exact)
            }
        }
    }
}

impl Part {
    fn reduced(self) -> Self {
        let divisor = gcd(self.numerator, self.denominator);
        Self {
            numerator: self.numerator.checked_div(divisor).unwrap_or(0),
            denominator: self.denominator.checked_div(divisor).unwrap_or(1),
        }
    }

    /// The sum with another as (carry, part), where the common denominator is small enough.
    fn joined(self, other: Self) -> Option<(i128, Self)> {
        let step = other.denominator.checked_div(gcd(self.denominator, other.denominator))?;
        let common = self.denominator.checked_mul(step).filter(|common| *common <= LARGEST_COMMON)?;
        let left = self.numerator.checked_mul(step)?;
        let right = other.numerator.checked_mul(common.checked_div(other.denominator)?)?;
        let sum = left.checked_add(right)?;
        Some(match sum.checked_sub(common) {
            Some(rest) => (1, Self { numerator: rest, denominator: common }.reduced()),
            None => (0, Self { numerator: sum, denominator: common }.reduced()),
        })
    }
}

fn gcd(a: u128, b: u128) -> u128 {
    let (mut a, mut b) = (a, b);
    while let Some(rest) = a.checked_rem(b) {
        (a, b) = (b, rest);
    }
    a
}

/// The whole number below a sum of proper fractions, and whether the sum is that number exactly.
///
/// Brought to the product of all denominators, as a number of as many digits as that takes.
fn sum_of_parts(parts: &[Part]) -> (i128, bool) {
    let product = |skipped: usize, first: u128| {
        parts
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != skipped)
            .fold(Digits::new(first), |digits, (_, part)| digits.times(part.denominator))
    };
    let whole = product(usize::MAX, 1);
    let mut rest = Digits::new(0);
    for (index, part) in parts.iter().enumerate() {
        rest.add(&product(index, part.numerator));
    }
    // Each part is below 1, so this loop runs fewer times than there are parts.
    let mut floor = 0_i128;
    while rest.subtract(&whole) {
        floor = floor.saturating_add(1);
    }
    (floor, rest.is_zero())
}

/// A natural number of any length; 32-bit digits, least significant first, no leading zero.
struct Digits(Vec<u32>);

const DIGIT_BITS: u32 = 32;

impl Digits {
    fn new(value: u128) -> Self {
        let mut digits = Vec::new();
        let mut rest = value;
        while rest != 0 {
            digits.push(low_digit(rest));
            rest >>= DIGIT_BITS;
        }
        Self(digits)
    }

    fn times(&self, factor: u128) -> Self {
        let mut sum = Self(Vec::new());
        for (shift, digit) in Self::new(factor).0.into_iter().enumerate() {
            let mut row: Vec<u32> = core::iter::repeat_n(0, shift).collect();
            let mut carry = 0_u128;
            for own in &self.0 {
                // (2^32 - 1)^2 + 2^32 is far below 2^128.
                carry = u128::from(*own).wrapping_mul(u128::from(digit)).wrapping_add(carry);
                row.push(low_digit(carry));
                carry >>= DIGIT_BITS;
            }
            row.push(low_digit(carry));
            sum.add(&Self(row));
        }
        sum.trim();
        sum
    }

    fn add(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        let mut carry = 0_u128;
        let others = other.0.iter().copied().chain(core::iter::repeat(0));
        for (own, digit) in self.0.iter_mut().zip(others) {
            carry = u128::from(*own).wrapping_add(u128::from(digit)).wrapping_add(carry);
            *own = low_digit(carry);
            carry >>= DIGIT_BITS;
        }
        self.0.push(low_digit(carry));
        self.trim();
    }

    /// Takes `other` away where it is not larger, and says whether it was.
    fn subtract(&mut self, other: &Self) -> bool {
        let larger = self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()));
        if larger == Ordering::Less {
            return false;
        }
        let mut borrow = false;
        let others = other.0.iter().copied().chain(core::iter::repeat(0));
        for (own, digit) in self.0.iter_mut().zip(others) {
            let (first, under_1) = own.overflowing_sub(digit);
            let (second, under_2) = first.overflowing_sub(u32::from(borrow));
            *own = second;
            borrow = under_1 || under_2;
        }
        self.trim();
        true
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "cutting to the low 32 bits is what this does")]
const fn low_digit(value: u128) -> u32 {
    value as u32
}

impl PartialEq for Amount {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Amount {}

impl PartialOrd for Amount {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Amount {
    /// By value; two amounts may hold the same value in different fractions.
    fn cmp(&self, other: &Self) -> Ordering {
        if self.parts.is_empty() && other.parts.is_empty() {
            return self.units.cmp(&other.units);
        }
        // The difference is compared with 0. Its parts are at most those of both, which `floor` takes in any number.
        let mut difference = self.clone();
        let other = other.negated();
        difference.units = difference.units.saturating_add(other.units);
        difference.parts.extend(other.parts);
        match difference.floor() {
            (0, true) => Ordering::Equal,
            (floor, _) if floor < 0 => Ordering::Less,
            _ => Ordering::Greater,
        }
    }
}

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
    use proptest::prelude::*;

    fn rule(places: u8, mode: RoundingMode) -> Rounding {
        Rounding::new(places, mode).unwrap()
    }

    #[test]
    fn a_third_three_times_is_one() {
        let third = Amount::of_fraction(ONE, 1, 1, 3).unwrap();
        assert_eq!(third.to_string(), "0.333333333333333333333333+1/3");
        assert_eq!(third.to_decimal(), None);
        let one = Amount::sum([&third, &third, &third]).unwrap();
        assert_eq!(one, "1".parse().unwrap());
        assert_eq!(one.to_string(), "1");
    }

    #[test]
    fn ties_go_where_the_rule_says_and_a_credit_mirrors_a_charge() {
        for (text, even, away) in [("0.125", 12, 13), ("0.135", 14, 14), ("0.115", 12, 12), ("0.105", 10, 11)] {
            let amount: Amount = text.parse().unwrap();
            assert_eq!(amount.minor_units(rule(2, RoundingMode::HalfEven)), even, "{text}");
            assert_eq!(amount.minor_units(rule(2, RoundingMode::HalfAwayFromZero)), away, "{text}");
            assert_eq!(amount.negated().minor_units(rule(2, RoundingMode::HalfEven)), -even, "-{text}");
            assert_eq!(amount.negated().minor_units(rule(2, RoundingMode::HalfAwayFromZero)), -away, "-{text}");
        }
    }

    #[test]
    fn a_fraction_above_a_tie_is_no_tie() {
        let tie: Amount = "0.125".parse().unwrap();
        let above = tie.plus(&Amount::of_fraction(1, 1, 1, u128::MAX >> 2).unwrap()).unwrap();
        assert_eq!(above.minor_units(rule(2, RoundingMode::HalfEven)), 13);
        assert_eq!(above.negated().minor_units(rule(2, RoundingMode::HalfEven)), -13);
    }

    #[test]
    fn large_denominators_that_sum_to_a_whole_are_seen_as_whole() {
        // 1/p + 1/q + (pq - p - q)/pq = 1, with denominators too large to be joined pairwise.
        let (p, q) = ((1_u128 << 61) - 1, (1_u128 << 62) - 57);
        let part = |numerator, denominator| Part { numerator, denominator };
        let parts = [part(1, p), part(1, q), part(p * q - p - q, p * q)];
        assert_eq!(sum_of_parts(&parts), (1, true));
        let parts = [part(1, p), part(2, q), part(p * q - p - q, p * q)];
        assert_eq!(sum_of_parts(&parts), (1, false));
    }

    #[test]
    fn refuses_what_it_cannot_hold() {
        assert_eq!("1e5".parse::<Amount>().unwrap_err(), AmountError::NotDecimal { value: "1e5".into() });
        for bad in ["", "-", ".5", "1.", "1/3", "1+3/3", "1+1/0", "+1", "1.0000000000000000000000001", "0x1"] {
            assert!(bad.parse::<Amount>().is_err(), "{bad}");
        }
        let most = Amount::from_units(i128::MAX);
        assert_eq!(most.plus(&Amount::from_units(1)), Err(AmountError::OutOfRange));
    }

    proptest! {
        #[test]
        fn text_round_trip(units: i64, n in 0_u128..1_000_000, d in 1_000_000_u128..9_000_000) {
            let amount = Amount::from_units(i128::from(units) * 1_000_003)
                .plus(&Amount::of_fraction(i128::try_from(n).unwrap(), 1, 1, d).unwrap()).unwrap();
            prop_assert_eq!(amount.to_string().parse::<Amount>().unwrap(), amount);
        }

        #[test]
        fn minus_undoes_plus(a: i64, b: i64, n in 1_u128..9_000_000, d in 1_u128..9_000_000) {
            let left = Amount::of_fraction(i128::from(a), 1, n, d).unwrap();
            let right = Amount::of_fraction(i128::from(b), 1, d, n).unwrap();
            prop_assert_eq!(left.plus(&right).unwrap().minus(&right).unwrap(), left.clone());
            prop_assert!(left.minus(&left).unwrap().is_zero());
            prop_assert_eq!(left.negated().negated(), left);
        }

        #[test]
        fn rounding_is_within_half_a_step(a in -1_000_000_000_000_i128..1_000_000_000_000, d in 1_u128..1000, places in 0_u8..=10) {
            let amount = Amount::of_fraction(a, 1_000_000_000_000_000, 1, d).unwrap();
            for mode in [RoundingMode::HalfEven, RoundingMode::HalfAwayFromZero] {
                let rounding = rule(places, mode);
                let error = amount.minus(&amount.rounded(rounding)).unwrap();
                let half = Amount::from_units(10_i128.pow(24 - u32::from(places)) / 2);
                prop_assert!(error <= half && error >= half.negated());
                prop_assert_eq!(amount.negated().minor_units(rounding), -amount.minor_units(rounding));
            }
        }
    }
}
