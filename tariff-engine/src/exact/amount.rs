//! An exact amount of money.

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use rust_decimal::Decimal;

use super::fraction::{Part, sum_of_parts};
use super::rounding::{Rounding, RoundingMode};
use super::wide::Wide;

/// Decimal places of one unit: 18 of a price and 6 of an energy.
pub(super) const UNIT_PLACES: u32 = 24;
/// Units in one of the currency.
pub(super) const ONE: i128 = 10_i128.pow(UNIT_PLACES);

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
    pub(super) units: i128,
    /// What is left, each between 0 and 1 unit and in lowest terms.
    pub(super) parts: Vec<Part>,
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
    pub(super) fn add_part(&mut self, numerator: u128, denominator: u128) -> Result<(), AmountError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
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
    fn the_signs_of_both_factors_count() {
        for (a, b, text) in [(6, 7, "10.5"), (-6, 7, "-10.5"), (6, -7, "-10.5"), (-6, -7, "10.5"), (0, -7, "0")] {
            assert_eq!(Amount::of_fraction(a * ONE, b, 1, 4).unwrap().to_string(), text);
            assert_eq!(Amount::from_units(a * ONE).times(b, 4).unwrap().to_string(), text);
            assert_eq!(Amount::of_product(a * ONE, b).unwrap(), Amount::from_units(a * b * ONE));
        }
        // A third of a unit keeps its fraction when it is multiplied.
        let third = Amount::of_fraction(1, 1, 1, 3).unwrap();
        assert_eq!(third.times(-5, 2).unwrap().to_string(), "-0.000000000000000000000001+1/6");
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
