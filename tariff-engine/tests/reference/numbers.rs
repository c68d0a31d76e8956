//! Fractions, rounding and dates, by counting.

use std::sync::OnceLock;

use num_bigint::BigInt;
use num_traits::{Signed, Zero};
use tariff_engine::tariff::RoundingPolicy;
use tariff_engine::{Number, RoundingMode};

use super::Q;

pub fn q(number: i64) -> Q {
    Q::from_integer(BigInt::from(number))
}

/// A decimal string as a fraction.
pub fn parse(text: &str) -> Q {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mantissa: BigInt = format!("{whole}{fraction}").parse().unwrap();
    let places = u32::try_from(fraction.len()).unwrap();
    Q::new(mantissa * sign, BigInt::from(10).pow(places))
}

pub fn number(number: &Number) -> Q {
    parse(number.as_str())
}

/// Rounds by the rule of a policy.
pub fn round(value: &Q, places: u8, mode: RoundingMode) -> Q {
    let scale = Q::from_integer(BigInt::from(10).pow(u32::from(places)));
    let scaled = value.abs() * &scale;
    let floor = scaled.floor();
    let rest = &scaled - &floor;
    let half = Q::new(BigInt::from(1), BigInt::from(2));
    let odd = (floor.to_integer() % BigInt::from(2)) != BigInt::zero();
    let up = rest > half || (rest == half && (mode == RoundingMode::HalfAwayFromZero || odd));
    let magnitude = if up { floor + q(1) } else { floor } / scale;
    if value.is_negative() { -magnitude } else { magnitude }
}

/// Days since 1970-01-01 that are counted once and kept: 2010 to 2034, around the dates of the tests.
const KEPT_DAYS: std::ops::Range<i64> = 14_610..23_741;

/// Year, month, day of a day since 1970-01-01.
pub fn civil(day: i64) -> (i64, i64, i64) {
    static KEPT: OnceLock<Vec<(i64, i64, i64)>> = OnceLock::new();
    let kept = KEPT.get_or_init(|| KEPT_DAYS.map(counted).collect());
    let place = usize::try_from(day - KEPT_DAYS.start).ok();
    place.and_then(|place| kept.get(place).copied()).unwrap_or_else(|| counted(day))
}

/// Year, month, day, by counting.
fn counted(day: i64) -> (i64, i64, i64) {
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    // 2000-01-01 is near the dates of the tests.
    let (mut year, mut rest) = (2000, day - 10_957);
    while rest < 0 {
        year -= 1;
        rest += if leap(year) { 366 } else { 365 };
    }
    loop {
        let length = if leap(year) { 366 } else { 365 };
        if rest < length {
            break;
        }
        rest -= length;
        year += 1;
    }
    let february = if leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if rest < length {
            break;
        }
        rest -= length;
        month += 1;
    }
    (year, month, rest + 1)
}

/// Day since 1970-01-01 of a date, by searching.
pub fn day_of(year: i64, month: i64, day: i64) -> i64 {
    let mut guess = (year - 1970) * 365 + (month - 1) * 28 + day - 2;
    while civil(guess) != (year, month, day) {
        guess += 1;
    }
    guess
}

pub fn date(text: &str) -> i64 {
    let parts: Vec<i64> = text.split('-').map(|part| part.parse().unwrap()).collect();
    day_of(parts[0], parts[1], parts[2])
}

pub fn kwh(micro: i64) -> Q {
    Q::new(micro.into(), 1_000_000.into())
}

pub fn line(policy: &RoundingPolicy, amount: Q) -> Q {
    policy.lines.map_or(amount.clone(), |places| round(&amount, places, policy.mode))
}

/// The parts of a span of the ladder, by tier.
pub fn split(limits: &[Q], from: &Q, to: &Q) -> Vec<(usize, Q)> {
    let mut parts = Vec::new();
    let mut at = from.clone();
    for (tier, limit) in limits.iter().enumerate() {
        let end = limit.min(to);
        if *end > at {
            parts.push((tier, end - &at));
            at = end.clone();
        }
    }
    if *to > at {
        parts.push((limits.len(), to - at));
    }
    parts
}

/// Hundredths, half up: the root is compared by its square.
pub fn power_factor(active: i64, reactive: i64) -> i64 {
    let (active, reactive) = (q(active), q(reactive));
    let square = &active * &active / (&active * &active + &reactive * &reactive);
    (0..=100)
        .rev()
        .find(|hundredths| {
            let edge = Q::new((2 * hundredths - 1).into(), 200.into());
            *hundredths == 0 || &edge * &edge <= square
        })
        .unwrap()
}
