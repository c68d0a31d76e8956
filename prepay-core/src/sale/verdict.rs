//! The truth table: what a reading says about a sale that was sent.

use serde::{Deserialize, Serialize};

use crate::id::MeterNumber;
use crate::money::Money;
use crate::reading::{MeterReading, Registers};
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
        writes if writes < 0x8000 => Verdict::Unexplained { writes },
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
        (false, _) => {
            let clamped = off_by.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
            Verdict::Foreign { off_by: Money::from_minor(i64::try_from(clamped).unwrap_or(i64::MAX)) }
        }
    }
}
