//! The truth table: what a reading says about a sale that was sent.

use serde::{Deserialize, Serialize};

use crate::id::MeterNumber;
use crate::money::Money;
use crate::reading::{COUNT_BEHIND, MeterReading, Registers};
use crate::time::Now;

/// What a meter showed at one instant, kept with the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Purchase count.
    pub purchase_count: u16,
    /// Credit in the meter, minor units.
    pub balance: Money,
    /// Energy registers.
    pub energy: Registers,
    /// When it was read.
    pub taken: Now,
}

impl From<&MeterReading> for Evidence {
    fn from(reading: &MeterReading) -> Self {
        let MeterReading { purchase_count, balance, energy, taken, .. } = *reading;
        Self { purchase_count, balance, energy, taken }
    }
}

/// How sure an applied sale is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// The count and the amount agree.
    Amount,
    /// The count agrees; the amount can't be checked (no confirmed price, or a tolerance not below the amount).
    CountOnly,
    /// An operator decided while the meter was quarantined.
    Operator,
}

/// What a reading says about a sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Count as before: not applied so far. A late frame may still come.
    NotApplied,
    /// Count one higher, and the amount agrees as far as it can be checked.
    Applied(Proof),
    /// Count one higher, but another amount: somebody else wrote.
    Foreign {
        /// How far the balance is from what the sale explains, minor units.
        off_by: Money,
    },
    /// Count more than one higher.
    Unexplained {
        /// How many writes.
        writes: u16,
    },
    /// Count lower: the meter was reset, or is another one with the same number.
    CountWentBack {
        /// The count that it shows.
        shown: u16,
    },
    /// Another meter answers.
    OtherMeter {
        /// Its number.
        shown: MeterNumber,
    },
    /// Nothing could be read.
    Unknown,
}

/// The truth table of a sale.
///
/// `before` was read in the bus slot in which the sale began. `amount` is the sale, `used` what the meter deducts at its
/// confirmed prices for the energy between the two readings (`None` when that can't be told), `tolerance` how far the
/// amount may be off, both in minor units. `reading` is `None` when the meter could not be read.
///
/// | Read back | Verdict |
/// |---|---|
/// | unreadable | unknown |
/// | another meter number | other meter |
/// | count = c0 | not applied so far |
/// | count = c0 + 1, amount agrees | applied |
/// | count = c0 + 1, amount can't be checked | applied by count only |
/// | count = c0 + 1, amount differs | foreign write |
/// | count > c0 + 1 | unexplained writes |
/// | count < c0 | count went back |
///
/// Counts are compared modulo 2¹⁶: up to half the range ahead is higher, the rest is lower. The amount agrees when
/// `|b1 − b0 − amount + used| ≤ tolerance`; it can't be checked when `used` is unknown or the tolerance is not below
/// the amount. Unknown energy can only lower the balance, so a balance above `b0 + amount + tolerance` differs in any
/// case.
#[must_use]
pub fn verdict(
    meter: MeterNumber,
    before: &Evidence,
    amount: Money,
    used: Option<Money>,
    tolerance: Money,
    reading: Option<&MeterReading>,
) -> Verdict {
    let Some(reading) = reading else { return Verdict::Unknown };
    if reading.meter != meter {
        return Verdict::OtherMeter { shown: reading.meter };
    }
    match reading.purchase_count.wrapping_sub(before.purchase_count) {
        0 => Verdict::NotApplied,
        1 => amount_verdict(before.balance, reading.balance, amount, used, tolerance),
        writes if writes < COUNT_BEHIND => Verdict::Unexplained { writes },
        _ => Verdict::CountWentBack { shown: reading.purchase_count },
    }
}

fn amount_verdict(before: Money, after: Money, amount: Money, used: Option<Money>, tolerance: Money) -> Verdict {
    // Wide integers: six amounts of 63 bits can't overflow 127.
    let wide = |money: Money| i128::from(money.minor());
    let without_use = wide(after).saturating_sub(wide(before)).saturating_sub(wide(amount));
    let off_by = without_use.saturating_add(used.map_or(0, wide));
    let agrees = if used.is_some() {
        off_by.unsigned_abs() <= wide(tolerance).unsigned_abs()
    } else {
        off_by <= wide(tolerance)
    };
    let checkable = used.is_some() && tolerance < amount;
    match (agrees, checkable) {
        (true, true) => Verdict::Applied(Proof::Amount),
        (true, false) => Verdict::Applied(Proof::CountOnly),
        (false, _) => Verdict::Foreign { off_by: Money::nearest(off_by) },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reading::{Force, MeterFlags};

    const METER: u64 = 202_603_050_012;

    fn number(number: u64) -> MeterNumber {
        MeterNumber::new(number).unwrap()
    }

    fn before(count: u16, balance: i64) -> Evidence {
        Evidence {
            purchase_count: count,
            balance: Money::from_minor(balance),
            energy: Registers::default(),
            taken: Now::default(),
        }
    }

    fn reading(meter: u64, count: u16, balance: i64) -> MeterReading {
        MeterReading {
            meter: number(meter),
            purchase_count: count,
            balance: Money::from_minor(balance),
            energy: Registers::default(),
            relay_closed: true,
            force: Force::Automatic,
            flags: MeterFlags::default(),
            prepaid_enabled: true,
            taken: Now::default(),
        }
    }

    /// A sale of 100.00 on 20.00 left, 0.30 used at the confirmed price, tolerance 0.02.
    fn judge(c0: u16, read: Option<&MeterReading>) -> Verdict {
        let used = Some(Money::from_minor(30));
        verdict(number(METER), &before(c0, 2_000), Money::from_minor(10_000), used, Money::from_minor(2), read)
    }

    #[test]
    fn every_row_of_the_table() {
        let c0 = 41;
        let rows = [
            (None, Verdict::Unknown),
            (Some(reading(7, 42, 11_970)), Verdict::OtherMeter { shown: number(7) }),
            (Some(reading(METER, 41, 1_970)), Verdict::NotApplied),
            (Some(reading(METER, 42, 11_970)), Verdict::Applied(Proof::Amount)),
            (Some(reading(METER, 42, 11_972)), Verdict::Applied(Proof::Amount)),
            (Some(reading(METER, 42, 11_968)), Verdict::Applied(Proof::Amount)),
            (Some(reading(METER, 42, 11_973)), Verdict::Foreign { off_by: Money::from_minor(3) }),
            (Some(reading(METER, 42, 11_967)), Verdict::Foreign { off_by: Money::from_minor(-3) }),
            (Some(reading(METER, 43, 11_970)), Verdict::Unexplained { writes: 2 }),
            (Some(reading(METER, 40, 11_970)), Verdict::CountWentBack { shown: 40 }),
        ];
        for (read, expected) in rows {
            assert_eq!(judge(c0, read.as_ref()), expected, "{read:?}");
        }
    }

    /// All 65 536 × 65 536 pairs depend on their difference only; each difference is tried from counts around the wrap.
    #[test]
    fn counts_wrap_in_every_row() {
        for c0 in [0, 1, 0x7FFF, 0x8000, 0xFFFE, u16::MAX] {
            for difference in 0..=u16::MAX {
                let shown = c0.wrapping_add(difference);
                let expected = match difference {
                    0 => Verdict::NotApplied,
                    1 => Verdict::Applied(Proof::Amount),
                    2..=0x7FFF => Verdict::Unexplained { writes: difference },
                    _ => Verdict::CountWentBack { shown },
                };
                assert_eq!(judge(c0, Some(&reading(METER, shown, 11_970))), expected);
            }
        }
    }

    #[test]
    fn an_amount_that_can_not_be_checked_is_applied_by_count_only() {
        let judge = |amount, used, tolerance, after| {
            verdict(
                number(METER),
                &before(1, 2_000),
                Money::from_minor(amount),
                used,
                Money::from_minor(tolerance),
                Some(&reading(METER, 2, after)),
            )
        };
        // No confirmed price: less than paid may be use, more can't be.
        assert_eq!(judge(10_000, None, 2, 11_000), Verdict::Applied(Proof::CountOnly));
        assert_eq!(judge(10_000, None, 2, 12_003), Verdict::Foreign { off_by: Money::from_minor(3) });
        // The tolerance is not below the amount.
        assert_eq!(judge(2, Some(Money::ZERO), 2, 2_000), Verdict::Applied(Proof::CountOnly));
        assert_eq!(judge(3, Some(Money::ZERO), 2, 2_003), Verdict::Applied(Proof::Amount));
    }

    proptest! {
        /// Money at the ends of the range neither panics nor agrees by accident.
        #[test]
        fn any_amounts_get_a_verdict(b0: i64, b1: i64, amount in 1_i64.., used: Option<i64>, tolerance in 0_i64..) {
            let judged = verdict(
                number(METER),
                &before(5, b0),
                Money::from_minor(amount),
                used.map(Money::from_minor),
                Money::from_minor(tolerance),
                Some(&reading(METER, 6, b1)),
            );
            let off_by = i128::from(b1) - i128::from(b0) - i128::from(amount) + i128::from(used.unwrap_or(0));
            let agrees = off_by <= i128::from(tolerance) && (used.is_none() || off_by >= -i128::from(tolerance));
            prop_assert_eq!(agrees, matches!(judged, Verdict::Applied(_)));
            let sure = judged == Verdict::Applied(Proof::Amount);
            prop_assert!(!sure || (used.is_some() && tolerance < amount));
        }
    }
}
