//! Splitting usage at a border, always by name and never by itself.

use alloc::vec::Vec;

use crate::exact::Energy;
use crate::usage::{Interval, RateUsage};

/// A difference of rate registers, split in two by time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split<'a> {
    /// Up to the border.
    pub before: Vec<(&'a str, Energy)>,
    /// From the border on.
    pub after: Vec<(&'a str, Energy)>,
}

impl Interval {
    /// Splits the interval at an instant inside it, by time, in whole 10⁻⁶ kWh by largest remainder; `None` if the instant is
    /// not inside, or the energy is negative.
    pub fn split_pro_rata(&self, at_utc_s: i64) -> Option<(Self, Self)> {
        let (before, after) = split(self.from_utc_s, at_utc_s, self.to_utc_s, self.energy)?;
        Some((
            Self { to_utc_s: at_utc_s, energy: before, ..*self },
            Self { from_utc_s: at_utc_s, energy: after, ..*self },
        ))
    }
}

impl<'a> RateUsage<'a> {
    /// Splits each rate's energy at an instant inside the span, by time, in whole 10⁻⁶ kWh by largest remainder; `None` if the
    /// instant is not inside, or an energy is negative. This is how a reading over the end of a billing period is shared out.
    pub fn split_pro_rata(&self, at_utc_s: i64) -> Option<Split<'a>> {
        let mut parts = Split { before: Vec::new(), after: Vec::new() };
        for (rate, energy) in self.energies {
            let (before, after) = split(self.from_utc_s, at_utc_s, self.to_utc_s, *energy)?;
            parts.before.push((*rate, before));
            parts.after.push((*rate, after));
        }
        (self.from_utc_s < at_utc_s && at_utc_s < self.to_utc_s).then_some(parts)
    }
}

fn split(from: i64, at: i64, to: i64, energy: Energy) -> Option<(Energy, Energy)> {
    let (before, after) = (at.checked_sub(from)?, to.checked_sub(at)?);
    if before <= 0 || after <= 0 || energy < Energy::ZERO {
        return None;
    }
    match largest_remainder(energy.micro_kwh(), &[before, after]).as_slice() {
        [first, second] => Some((Energy::from_micro_kwh(*first), Energy::from_micro_kwh(*second))),
        _ => None,
    }
}

/// Splits a whole number, not negative, in proportion to weights, not negative: each share is rounded down, and what is left goes
/// one by one to the largest remainders, the earlier one on a tie. Without any weight the first share takes all.
pub(crate) fn largest_remainder(total: i64, weights: &[i64]) -> Vec<i64> {
    let whole: i128 = weights.iter().map(|weight| i128::from(*weight)).fold(0, i128::saturating_add);
    if whole <= 0 {
        return weights.iter().enumerate().map(|(place, _)| if place == 0 { total } else { 0 }).collect();
    }
    let mut shares: Vec<i64> = Vec::with_capacity(weights.len());
    let mut order: Vec<(i128, usize)> = Vec::with_capacity(weights.len());
    let mut left = total;
    for (place, weight) in weights.iter().enumerate() {
        // 2^63 × 2^63 fits 128 bits.
        let product = i128::from(total).saturating_mul(i128::from(*weight));
        let share = i64::try_from(product.div_euclid(whole)).unwrap_or(0);
        shares.push(share);
        left = left.saturating_sub(share);
        order.push((product.rem_euclid(whole), place));
    }
    order.sort_by(|(a, first), (b, second)| b.cmp(a).then(first.cmp(second)));
    for (_, place) in order.iter().take(usize::try_from(left).unwrap_or(0)) {
        if let Some(share) = shares.get_mut(*place) {
            *share = share.saturating_add(1);
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_rest_goes_to_the_largest_remainder() {
        assert_eq!(largest_remainder(10, &[1, 1, 1]), [4, 3, 3]);
        assert_eq!(largest_remainder(10, &[0, 3, 3, 1]), [0, 4, 4, 2]);
        assert_eq!(largest_remainder(7, &[0, 0]), [7, 0]);
        assert_eq!(largest_remainder(0, &[5]), [0]);
    }

    proptest! {
        #[test]
        fn shares_sum_and_stay_within_one(total in 0_i64..=i64::MAX, weights in prop::collection::vec(0_i64..=i64::MAX, 1..9)) {
            let whole: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
            let shares = largest_remainder(total, &weights);
            prop_assert_eq!(shares.iter().map(|share| i128::from(*share)).sum::<i128>(), i128::from(total));
            if whole > 0 {
                for (share, weight) in shares.iter().zip(&weights) {
                    let floor = i128::from(total) * i128::from(*weight) / whole;
                    prop_assert!((floor..=floor + 1).contains(&i128::from(*share)));
                }
            }
        }
    }
}
