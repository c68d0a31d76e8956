//! Proper fractions, and sums of them whatever their denominators.

use super::digits::Digits;

/// A denominator above this is kept apart instead of being brought to a common one.
const LARGEST_COMMON: u128 = 1 << 126;

/// Between 0 and 1.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) numerator: u128,
    pub(super) denominator: u128,
}

impl Part {
    pub(super) fn reduced(self) -> Self {
        let divisor = gcd(self.numerator, self.denominator);
        Self {
            numerator: self.numerator.checked_div(divisor).unwrap_or(0),
            denominator: self.denominator.checked_div(divisor).unwrap_or(1),
        }
    }

    /// The sum with another as (carry, part), where the common denominator is small enough.
    pub(super) fn joined(self, other: Self) -> Option<(i128, Self)> {
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
pub(super) fn sum_of_parts(parts: &[Part]) -> (i128, bool) {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
