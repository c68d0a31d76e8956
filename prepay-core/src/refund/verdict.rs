//! The truth table of an overwrite: what a reading says about remaining and count that were written together.

use serde::{Deserialize, Serialize};

use crate::id::MeterNumber;
use crate::money::Money;
use crate::reading::{COUNT_BEHIND, MeterReading};
use crate::sale::{Evidence, Proof};

/// What the meter showed, and what is written over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overwrite {
    /// What the meter showed in the same bus slot.
    pub before: Evidence,
    /// The balance that is written, minor units.
    pub remaining: Money,
    /// The count that is written.
    pub new_count: u16,
}

/// What a reading says about an overwrite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverwriteVerdict {
    /// Count and balance as before: not applied so far. A late frame may still come.
    NotApplied,
    /// The written count, and a balance that the written one explains.
    Applied(Proof),
    /// The written balance, but the count as before: the meter took half of the frame.
    Torn {
        /// How far the balance is from what the meter would show without the write, minor units.
        off_by: Money,
    },
    /// The written count, but another balance: somebody else wrote, or the meter took half of the frame.
    Foreign {
        /// How far the balance is from the written one, minor units.
        off_by: Money,
    },
    /// A count further on.
    Unexplained {
        /// How many writes since the evidence.
        writes: u16,
    },
    /// A lower count.
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

/// The truth table of an overwrite.
///
/// `used` is what the meter deducts at its confirmed prices for the energy between evidence and reading (`None` when that
/// can't be told), `tolerance` how far an amount may be off, both in minor units. With the written balance T, the earlier
/// one b0, the count c0 before and c1 written:
///
/// | Read back | Verdict |
/// |---|---|
/// | unreadable | unknown |
/// | another meter number | other meter |
/// | count = c0, balance explained by b0, or by neither | not applied so far |
/// | count = c0, balance explained by T and not by b0 | torn |
/// | count = c1, balance explained by T and not by b0 | applied |
/// | count = c1, balance explained by T and by b0, or use unknown | applied by count only |
/// | count = c1, balance not explained by T | foreign write |
/// | any other count above c0 | unexplained writes |
/// | any other count below c0 | count went back |
///
/// b0 explains a balance within the tolerance of `b0 − used`. T explains one from `T − used − tolerance` to
/// `T + tolerance`: energy used before the write is erased by it, energy used after it is deducted. Counts are compared
/// modulo 2¹⁶.
#[must_use]
pub fn verdict(
    meter: MeterNumber,
    overwrite: &Overwrite,
    used: Option<Money>,
    tolerance: Money,
    reading: Option<&MeterReading>,
) -> OverwriteVerdict {
    let Some(reading) = reading else { return OverwriteVerdict::Unknown };
    if reading.meter != meter {
        return OverwriteVerdict::OtherMeter { shown: reading.meter };
    }
    let Overwrite { before, remaining, new_count } = *overwrite;
    let shown = reading.purchase_count;
    let by_before = explains(before.balance, used, tolerance, reading.balance, false);
    let by_written = explains(remaining, used, tolerance, reading.balance, true);
    if shown == before.purchase_count {
        return if by_written && !by_before && used.is_some() {
            OverwriteVerdict::Torn { off_by: off_by(reading.balance, before.balance, used) }
        } else {
            OverwriteVerdict::NotApplied
        };
    }
    if shown == new_count {
        return match (by_written, by_before || used.is_none()) {
            (true, false) => OverwriteVerdict::Applied(Proof::Amount),
            (true, true) => OverwriteVerdict::Applied(Proof::CountOnly),
            (false, _) => OverwriteVerdict::Foreign { off_by: off_by(reading.balance, remaining, None) },
        };
    }
    match shown.wrapping_sub(before.purchase_count) {
        writes if writes < COUNT_BEHIND => OverwriteVerdict::Unexplained { writes },
        _ => OverwriteVerdict::CountWentBack { shown },
    }
}

const fn wide(money: Money) -> i128 {
    // An i64 always fits.
    money.minor() as i128
}

/// Whether `base` explains a balance. Unknown energy can only lower it; `erased` allows for energy that a write took back.
fn explains(base: Money, used: Option<Money>, tolerance: Money, shown: Money, erased: bool) -> bool {
    let (base, shown, tolerance) = (wide(base), wide(shown), wide(tolerance));
    let used_or_none = used.map_or(0, wide);
    let least = base.saturating_sub(used_or_none).saturating_sub(tolerance);
    let most = base.saturating_add(tolerance).saturating_sub(if erased { 0 } else { used_or_none });
    shown <= most && (used.is_none() || shown >= least)
}

fn off_by(shown: Money, base: Money, used: Option<Money>) -> Money {
    let expected = wide(base).saturating_sub(used.map_or(0, wide));
    Money::nearest(wide(shown).saturating_sub(expected))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reading::{Force, MeterFlags, Rates, Registers};
    use crate::time::Now;

    const METER: u64 = 42;

    fn money(minor: i64) -> Money {
        Money::from_minor(minor)
    }

    fn number(meter: u64) -> MeterNumber {
        MeterNumber::new(meter).unwrap()
    }

    fn energy() -> Registers {
        Registers { total_centi_kwh: 0, rates: Rates::default() }
    }

    fn reading(meter: u64, count: u16, balance: i64) -> MeterReading {
        MeterReading {
            meter: number(meter),
            purchase_count: count,
            balance: money(balance),
            energy: energy(),
            relay_closed: false,
            force: Force::Off,
            flags: MeterFlags::default(),
            prepaid_enabled: true,
            taken: Now::default(),
        }
    }

    fn overwrite(c0: u16, b0: i64, remaining: i64) -> Overwrite {
        let before = Evidence { purchase_count: c0, balance: money(b0), energy: energy(), taken: Now::default() };
        Overwrite { before, remaining: money(remaining), new_count: c0.wrapping_add(1) }
    }

    fn judge(written: &Overwrite, used: Option<i64>, tolerance: i64, shown: MeterReading) -> OverwriteVerdict {
        verdict(number(METER), written, used.map(money), money(tolerance), Some(&shown))
    }

    /// Every count of the register against every row, also around its wrap.
    #[test]
    fn every_count_has_its_row() {
        for c0 in [0_u16, 1, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF] {
            let written = overwrite(c0, 5_000, 2_000);
            for shown in 0..=u16::MAX {
                let found = judge(&written, Some(0), 1, reading(METER, shown, 2_000));
                let expected = match shown.wrapping_sub(c0) {
                    0 => OverwriteVerdict::Torn { off_by: money(-3_000) },
                    1 => OverwriteVerdict::Applied(Proof::Amount),
                    writes @ 2..0x8000 => OverwriteVerdict::Unexplained { writes },
                    _ => OverwriteVerdict::CountWentBack { shown },
                };
                assert_eq!(found, expected, "c0 {c0}, shown {shown}");
            }
        }
        let written = overwrite(7, 5_000, 2_000);
        assert_eq!(verdict(number(METER), &written, None, money(1), None), OverwriteVerdict::Unknown);
        let other = judge(&written, Some(0), 1, reading(43, 8, 2_000));
        assert_eq!(other, OverwriteVerdict::OtherMeter { shown: number(43) });
    }

    /// Every balance in reach, with and without use, against the ranges of the table read a second time.
    #[test]
    fn every_balance_has_its_row() {
        for (b0, t) in [(100_i64, 40_i64), (100, 97), (60, 0), (100, 100), (20, 60)] {
            let written = overwrite(9, b0, t);
            for used in [None, Some(0_i64), Some(10), Some(70)] {
                for tolerance in [0_i64, 2, 5] {
                    for balance in -90_i64..=200 {
                        let near = |x: i64| (balance - x).abs() <= tolerance;
                        let u = used.unwrap_or(0);
                        let by_before = if used.is_some() { near(b0 - u) } else { balance <= b0 + tolerance };
                        let by_written = if used.is_some() {
                            (t - u - tolerance..=t + tolerance).contains(&balance)
                        } else {
                            balance <= t + tolerance
                        };
                        let as_before = judge(&written, used, tolerance, reading(METER, 9, balance));
                        let torn = by_written && !by_before && used.is_some();
                        assert_eq!(matches!(as_before, OverwriteVerdict::Torn { .. }), torn);
                        assert!(torn || as_before == OverwriteVerdict::NotApplied);
                        let counted = judge(&written, used, tolerance, reading(METER, 10, balance));
                        let sure = by_written && !by_before && used.is_some();
                        let expected = match (by_written, sure) {
                            (true, true) => OverwriteVerdict::Applied(Proof::Amount),
                            (true, false) => OverwriteVerdict::Applied(Proof::CountOnly),
                            (false, _) => OverwriteVerdict::Foreign { off_by: money(balance - t) },
                        };
                        assert_eq!(counted, expected, "b0 {b0} t {t} used {used:?} ± {tolerance} at {balance}");
                    }
                }
            }
        }
    }

    proptest! {
        /// Money at the ends of the range neither panics nor turns a wrong balance into proof.
        #[test]
        fn any_amounts_get_a_verdict(b0: i64, t in 0_i64.., b1: i64, used in proptest::option::of(0_i64..), tol in 0_i64..) {
            let found = judge(&overwrite(5, b0, t), used, tol, reading(METER, 6, b1));
            let above = i128::from(b1) > i128::from(t) + i128::from(tol);
            let foreign = matches!(found, OverwriteVerdict::Foreign { .. });
            prop_assert!(!above || foreign);
            prop_assert!(found != OverwriteVerdict::Applied(Proof::Amount) || used.is_some());
        }
    }
}
