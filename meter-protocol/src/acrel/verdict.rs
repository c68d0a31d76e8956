//! Did a write take effect? Decided by what the meter shows afterwards, never by its reply or by a time-out.

use super::{PrepayBlock, Purchase, Realtime};
use thiserror::Error;

/// Minor units that rounding in the meter can add to what was used.
const ROUNDING_MINOR: i64 = 1;

/// What a meter shows of its purse at one moment. All four come from one read of the realtime block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "a journal builds it from what it stored")]
pub struct PurseReading {
    /// Remaining amount, 0.01 account units.
    pub remaining_minor: i32,
    /// Purchase count.
    pub purchase_count: u16,
    /// Total energy, 0.01 kWh.
    pub energy_total_centikwh: u32,
}

impl From<&Realtime> for PurseReading {
    fn from(now: &Realtime) -> Self {
        Self {
            remaining_minor: now.remaining_minor,
            purchase_count: now.purchase_count,
            energy_total_centikwh: now.energy.total_centikwh,
        }
    }
}

/// What the meter shows about a sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum SaleVerdict {
    /// The count is the new one and the balance rose by the amount, less what was used between the readings.
    Taken {
        /// What was used meanwhile, 0.01 account units. -1 is possible: the meter's rounding.
        used_minor: i64,
    },
    /// The count is the old one and no money came. Final only when no copy of the frame can still be on its way:
    /// after a reply, or after [`super::Profile::frame_life_us`].
    NotTaken,
    /// The meter shows something that this sale can't have caused alone. A person has to look.
    Contradicted(SaleContradiction),
}

/// What does not fit a sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SaleContradiction {
    /// Somebody else sold, or the count was overwritten.
    #[error("purchase count {shown} is neither {before} nor {after}")]
    Count {
        /// Count before the sale.
        before: u16,
        /// Count of the sale.
        after: u16,
        /// Count shown.
        shown: u16,
    },
    /// The balance rose by more than was sold: the meter has added twice, or money was overwritten.
    #[error("the balance rose by {risen_minor} hundredths, {sold_minor} were sold")]
    TooMuch {
        /// What was sold, 0.01 account units.
        sold_minor: i64,
        /// By how much the balance rose, 0.01 account units.
        risen_minor: i64,
    },
    /// More money is missing than the energy between the readings can have cost.
    #[error("{missing_minor} hundredths are missing, the energy between the readings can cost {possible_minor}")]
    TooLittle {
        /// Amount of the sale less the rise of the balance, 0.01 account units.
        missing_minor: i64,
        /// What the energy can have cost at most, 0.01 account units.
        possible_minor: i64,
    },
}

impl Purchase {
    /// Judges the sale by a reading before it was sent and one after.
    ///
    /// `price_ceiling_minor_per_kwh` is the highest price that a kWh of the energy register can cost, in 0.01 account
    /// units: it bounds what consumption may explain. Where the register holds secondary energy, multiply it by
    /// PT × CT.
    ///
    /// ```
    /// use meter_protocol::acrel::{Purchase, PurseReading, SaleVerdict};
    /// let before = PurseReading { remaining_minor: 8_875, purchase_count: 12, energy_total_centikwh: 1_000 };
    /// let sale = Purchase::new(100_00, before.purchase_count)?;
    /// let after = PurseReading { remaining_minor: 18_855, purchase_count: 13, energy_total_centikwh: 1_020 };
    /// assert_eq!(sale.verdict(&before, &after, 1_50), SaleVerdict::Taken { used_minor: 20 });
    /// assert_eq!(sale.verdict(&before, &before, 1_50), SaleVerdict::NotTaken);
    /// # Ok::<(), meter_protocol::acrel::BuildError>(())
    /// ```
    pub fn verdict(
        &self,
        before: &PurseReading,
        after: &PurseReading,
        price_ceiling_minor_per_kwh: u32,
    ) -> SaleVerdict {
        // All differences here are of 32-bit amounts in 64 bits.
        let sold_minor = i64::from(self.amount_minor());
        let risen_minor = i64::from(after.remaining_minor).saturating_sub(before.remaining_minor.into());
        let count = (self.count_before(), self.count(), after.purchase_count);
        if count.2 == count.0 {
            return if risen_minor > ROUNDING_MINOR {
                SaleVerdict::Contradicted(SaleContradiction::TooMuch { sold_minor: 0, risen_minor })
            } else {
                SaleVerdict::NotTaken
            };
        }
        if count.2 != count.1 {
            let (before, after, shown) = count;
            return SaleVerdict::Contradicted(SaleContradiction::Count { before, after, shown });
        }
        // Of 33-bit amounts in 64 bits: no end is reached.
        let used_minor = sold_minor.saturating_sub(risen_minor);
        if used_minor < ROUNDING_MINOR.saturating_neg() {
            return SaleVerdict::Contradicted(SaleContradiction::TooMuch { sold_minor, risen_minor });
        }
        let possible_minor = possible_cost_minor(before, after, price_ceiling_minor_per_kwh);
        if used_minor > possible_minor {
            let missing_minor = used_minor;
            return SaleVerdict::Contradicted(SaleContradiction::TooLittle { missing_minor, possible_minor });
        }
        SaleVerdict::Taken { used_minor }
    }
}

/// The register shows whole 0.01 kWh, so one more may have flowed.
fn possible_cost_minor(before: &PurseReading, after: &PurseReading, ceiling_minor_per_kwh: u32) -> i64 {
    // The register wraps at its width; so does the difference.
    let centikwh = after.energy_total_centikwh.wrapping_sub(before.energy_total_centikwh);
    let cost = i64::from(centikwh).saturating_add(1).saturating_mul(ceiling_minor_per_kwh.into());
    // 0.01 kWh at 0.01 per kWh: a hundredth of a hundredth.
    cost.saturating_add(99).checked_div(100).unwrap_or(i64::MAX).saturating_add(ROUNDING_MINOR)
}

/// A field that reads back otherwise than it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{field} shows {shown}, {written} was written")]
pub struct NotShown {
    /// Which field.
    pub field: &'static str,
    /// What was written, in steps of the register.
    pub written: i64,
    /// What the meter shows.
    pub shown: i64,
}

/// One field of a parameter frame beside the register that shows it.
pub(super) type Shown = (&'static str, Option<i64>, i64);

/// The first field that was written and reads back otherwise.
pub(super) fn all_shown(fields: impl IntoIterator<Item = Shown>) -> Result<(), NotShown> {
    for (field, written, shown) in fields {
        match written {
            Some(written) if written != shown => return Err(NotShown { field, written, shown }),
            _ => {}
        }
    }
    Ok(())
}

/// The money of a prepay block by the names that errors use.
pub(super) fn money_of(block: &PrepayBlock) -> [(&'static str, i64); 3] {
    [
        ("remaining amount", block.remaining_minor.into()),
        ("purchase count", block.purchase_count.into()),
        ("total", block.total_raw.into()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: PurseReading =
        PurseReading { remaining_minor: -8_401, purchase_count: 65_535, energy_total_centikwh: u32::MAX };

    fn after(remaining_minor: i32, purchase_count: u16, centikwh: u32) -> PurseReading {
        let energy_total_centikwh = BEFORE.energy_total_centikwh.wrapping_add(centikwh);
        PurseReading { remaining_minor, purchase_count, energy_total_centikwh }
    }

    fn verdict(after: &PurseReading) -> SaleVerdict {
        Purchase::new(10_000, BEFORE.purchase_count).unwrap().verdict(&BEFORE, after, 200)
    }

    #[test]
    fn the_count_wraps_and_so_does_the_energy() {
        assert_eq!(verdict(&after(1_599, 0, 0)), SaleVerdict::Taken { used_minor: 0 });
        assert_eq!(verdict(&after(1_399, 0, 100)), SaleVerdict::Taken { used_minor: 200 });
        assert_eq!(verdict(&after(1_396, 0, 100)), SaleVerdict::Taken { used_minor: 203 });
    }

    #[test]
    fn what_energy_can_not_explain_is_reported() {
        use SaleContradiction::*;
        let told = |reading| match verdict(&reading) {
            SaleVerdict::Contradicted(what) => what,
            other => panic!("{other:?}"),
        };
        assert_eq!(told(after(1_395, 0, 100)), TooLittle { missing_minor: 204, possible_minor: 203 });
        assert_eq!(told(after(11_599, 0, 0)), TooMuch { sold_minor: 10_000, risen_minor: 20_000 });
        assert_eq!(told(after(1_599, 65_535, 0)), TooMuch { sold_minor: 0, risen_minor: 10_000 });
        assert_eq!(told(after(1_599, 1, 0)), Count { before: 65_535, after: 0, shown: 1 });
    }

    #[test]
    fn nothing_came() {
        assert_eq!(verdict(&BEFORE), SaleVerdict::NotTaken);
        assert_eq!(verdict(&after(-9_000, 65_535, 500)), SaleVerdict::NotTaken);
    }
}
