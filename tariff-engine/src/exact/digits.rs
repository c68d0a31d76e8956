//! Natural numbers without a limit, for comparing what no 128 bits hold.

use alloc::vec::Vec;
use core::cmp::Ordering;

/// A natural number of any length; 32-bit digits, least significant first, no leading zero.
pub(super) struct Digits(Vec<u32>);

const DIGIT_BITS: u32 = 32;

impl Digits {
    pub(super) fn new(value: u128) -> Self {
        let mut digits = Vec::new();
        let mut rest = value;
        while rest != 0 {
            digits.push(low_digit(rest));
            rest >>= DIGIT_BITS;
        }
        Self(digits)
    }

    pub(super) fn times(&self, factor: u128) -> Self {
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

    pub(super) fn add(&mut self, other: &Self) {
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
    pub(super) fn subtract(&mut self, other: &Self) -> bool {
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

    pub(super) fn is_zero(&self) -> bool {
        self.0.is_empty()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "cutting to the low 32 bits is what this does")]
const fn low_digit(value: u128) -> u32 {
    value as u32
}
