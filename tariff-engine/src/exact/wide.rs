//! 256-bit products, so that a line can be multiplied in full before it is divided once.

/// An unsigned 256-bit integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wide {
    high: u128,
    low: u128,
}

const HALF_BITS: u32 = 64;
const HALF_MASK: u128 = 0xFFFF_FFFF_FFFF_FFFF;

impl Wide {
    /// `a × b`; never overflows.
    pub(super) const fn product(a: u128, b: u128) -> Self {
        let (a_high, a_low) = (a >> HALF_BITS, a & HALF_MASK);
        let (b_high, b_low) = (b >> HALF_BITS, b & HALF_MASK);
        // Each factor is below 2^64, so no partial product wraps; the carries are added by hand.
        let low = a_low.wrapping_mul(b_low);
        let cross_1 = a_high.wrapping_mul(b_low);
        let cross_2 = a_low.wrapping_mul(b_high);
        let middle = (low >> HALF_BITS).wrapping_add(cross_1 & HALF_MASK).wrapping_add(cross_2 & HALF_MASK);
        let high = a_high
            .wrapping_mul(b_high)
            .wrapping_add(cross_1 >> HALF_BITS)
            .wrapping_add(cross_2 >> HALF_BITS)
            .wrapping_add(middle >> HALF_BITS);
        Self { high, low: (low & HALF_MASK) | (middle << HALF_BITS) }
    }

    /// `self × factor`, or `None` beyond 256 bits.
    pub(super) const fn times(self, factor: u128) -> Option<Self> {
        let low = Self::product(self.low, factor);
        let high = Self::product(self.high, factor);
        if high.high != 0 {
            return None;
        }
        match high.low.checked_add(low.high) {
            Some(sum) => Some(Self { high: sum, low: low.low }),
            None => None,
        }
    }

    /// Quotient and remainder; `None` when the divisor is 0 or above 2^127, or the quotient is beyond 128 bits.
    pub(super) const fn divide(self, divisor: u128) -> Option<(u128, u128)> {
        if self.high >= divisor || divisor >> 127 != 0 {
            return None;
        }
        if self.high == 0 {
            return match (self.low.checked_div(divisor), self.low.checked_rem(divisor)) {
                (Some(quotient), Some(remainder)) => Some((quotient, remainder)),
                _ => None,
            };
        }
        if divisor <= HALF_MASK {
            return self.divide_by_half(divisor);
        }
        // Schoolbook division bit by bit. The remainder stays below the divisor, so doubling it can't wrap.
        let mut remainder = self.high;
        let mut quotient = 0_u128;
        let mut bit = 128_u32;
        while bit > 0 {
            bit = bit.wrapping_sub(1);
            remainder = (remainder << 1) | ((self.low >> bit) & 1);
            quotient <<= 1;
            if remainder >= divisor {
                remainder = remainder.wrapping_sub(divisor);
                quotient |= 1;
            }
        }
        Some((quotient, remainder))
    }

    /// Division by a 64-bit divisor, two 64-bit digits at a time; `high < divisor` holds.
    const fn divide_by_half(self, divisor: u128) -> Option<(u128, u128)> {
        let upper = (self.high << HALF_BITS) | (self.low >> HALF_BITS);
        let (Some(q_upper), Some(r_upper)) = (upper.checked_div(divisor), upper.checked_rem(divisor)) else {
            return None;
        };
        let lower = (r_upper << HALF_BITS) | (self.low & HALF_MASK);
        let (Some(q_lower), Some(remainder)) = (lower.checked_div(divisor), lower.checked_rem(divisor)) else {
            return None;
        };
        Some(((q_upper << HALF_BITS) | q_lower, remainder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn edges() {
        let all = Wide::product(u128::MAX, u128::MAX);
        assert_eq!(all, Wide { high: u128::MAX - 1, low: 1 });
        assert_eq!(all.times(2), None);
        assert_eq!(all.divide(7), None, "the quotient needs more than 128 bits");
        assert_eq!(Wide::product(5, 7).divide(0), None);
    }

    proptest! {
        #[test]
        fn division_undoes_multiplication(a: u128, b in 1_u128..(1 << 127), r: u128) {
            let rest = r % b;
            let product = Wide::product(a, b);
            let (low, carry) = product.low.overflowing_add(rest);
            let sum = Wide { high: product.high + u128::from(carry), low };
            prop_assert_eq!(sum.divide(b), Some((a, rest)));
        }

        #[test]
        fn division_by_a_short_divisor(a: u128, b in 1_u64..=u64::MAX, r: u128) {
            let b = u128::from(b);
            let rest = r % b;
            let product = Wide::product(a, b);
            let (low, carry) = product.low.overflowing_add(rest);
            let sum = Wide { high: product.high + u128::from(carry), low };
            prop_assert_eq!(sum.divide(b), Some((a, rest)));
        }

        #[test]
        fn times_is_product_of_three(a: u64, b: u64, c: u128) {
            let left = Wide::product(u128::from(a) * u128::from(b), c);
            let right = Wide::product(u128::from(a), c).times(u128::from(b));
            prop_assert_eq!(Some(left), right);
        }
    }
}
