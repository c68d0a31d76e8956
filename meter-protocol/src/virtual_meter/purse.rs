//! The prepaid purse: what is left, what a kWh costs, when supply ends.
//!
//! The register shows 0.01 account units. Inside, each deduction is exact: the part of 0.01 that is used up but
//! not yet taken off the register is carried in parts of [`PARTS_PER_CENT`].

use super::options::{
    CountJump, DeductionRounding, EqualCount, MeterOptions, PriceScale, RestoreRule, TotalMeaning, TripRule,
};

/// Parts of 0.01 account units: one part is 1 mJ at a price of 0.000001 per kWh.
const PARTS_PER_CENT: u128 = 36_000_000_000_000;

/// Lowest and highest balance in 0.01: what the signed register pair can show.
const REMAINING_MIN_CENTS: i64 = i32::MIN as i64;
const REMAINING_MAX_CENTS: i64 = i32::MAX as i64;

/// Everything that belongs to money in the meter. Amounts in 0.01 account units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Purse {
    pub(super) enabled: bool,
    /// Before the carried part is taken off; inside the range of the register.
    remaining_cents: i64,
    /// Used up, but not yet taken off: below `PARTS_PER_CENT`.
    carried_parts: u64,
    pub(super) base_cents: u32,
    pub(super) count: u16,
    pub(super) purchased_cents: u32,
    pub(super) prices: [u32; 4],
    pub(super) alarm_1_cents: u32,
    pub(super) alarm_2_cents: u32,
    pub(super) overdraft_cents: u32,
    pub(super) warning_mode: u8,
    /// Supply has ended on arrears and has not returned yet.
    pub(super) tripped: bool,
}

impl Purse {
    pub(super) fn new(enabled: bool, remaining_cents: i32, count: u16) -> Self {
        Self {
            enabled,
            remaining_cents: i64::from(remaining_cents),
            carried_parts: 0,
            base_cents: 0,
            count,
            purchased_cents: 0,
            prices: [0; 4],
            alarm_1_cents: 0,
            alarm_2_cents: 0,
            overdraft_cents: 0,
            warning_mode: 0,
            tripped: false,
        }
    }

    /// What the register of the remaining amount shows.
    pub(super) fn shown_cents(&self, rounding: DeductionRounding) -> i32 {
        let started = rounding == DeductionRounding::WhenStarted && self.carried_parts > 0 && self.base_cents == 0;
        let cents = self.remaining_cents.saturating_sub(i64::from(started));
        i32::try_from(cents).unwrap_or(i32::MIN)
    }

    /// Overwrites the balance. The carried part belonged to the old one.
    pub(super) fn overwrite_remaining(&mut self, cents: i32) {
        self.remaining_cents = i64::from(cents);
        self.carried_parts = 0;
    }

    fn price_parts_per_mj(&self, rate: usize, scale: PriceScale) -> u128 {
        // There are four prices: deep valley costs what valley costs.
        let [.., valley] = self.prices;
        let price = self.prices.get(rate).copied().unwrap_or(valley);
        u128::from(price).saturating_mul(u128::from(scale.millionths()))
    }

    /// Takes the price of an energy off the purse: the base amount first, then the balance.
    pub(super) fn deduct(&mut self, energy_mj: u64, rate: usize, scale: PriceScale) {
        if !self.enabled {
            return;
        }
        let used = u128::from(energy_mj).saturating_mul(self.price_parts_per_mj(rate, scale));
        let owed = used.saturating_add(u128::from(self.carried_parts));
        let cents = i64::try_from(owed / PARTS_PER_CENT).unwrap_or(i64::MAX);
        self.carried_parts = u64::try_from(owed % PARTS_PER_CENT).unwrap_or(0);
        let from_base = u32::try_from(cents).unwrap_or(u32::MAX).min(self.base_cents);
        self.base_cents = self.base_cents.saturating_sub(from_base);
        let from_remaining = cents.saturating_sub(i64::from(from_base));
        self.remaining_cents = self.remaining_cents.saturating_sub(from_remaining).max(REMAINING_MIN_CENTS);
    }

    /// Highest balance at which supply ends, in 0.01.
    fn trip_level_cents(&self, rule: TripRule) -> i64 {
        let limit = i64::from(self.overdraft_cents).saturating_neg();
        match rule {
            TripRule::AtLimit => limit,
            TripRule::BelowLimit => limit.saturating_sub(1),
        }
    }

    fn is_exhausted(&self, options: &MeterOptions) -> bool {
        let shown = i64::from(self.shown_cents(options.rounding));
        self.base_cents == 0 && shown <= self.trip_level_cents(options.trip)
    }

    /// Opens or closes the arrears latch after a change of money or settings.
    pub(super) fn settle_latch(&mut self, options: &MeterOptions) {
        if !self.enabled {
            self.tripped = false;
        } else if self.is_exhausted(options) {
            self.tripped = true;
        } else if self.tripped {
            let back = match options.restore {
                RestoreRule::AboveLimit => true,
                RestoreRule::AboveZero => self.shown_cents(options.rounding) > 0,
            };
            self.tripped = !back;
        }
    }

    /// After how many milliseconds at `watts` supply ends, or `None` if it never does at this price.
    pub(super) fn ms_until_trip(&self, watts: u64, rate: usize, options: &MeterOptions) -> Option<i64> {
        let per_ms = u128::from(watts).checked_mul(self.price_parts_per_mj(rate, options.price_scale))?;
        if !self.enabled || self.tripped || per_ms == 0 {
            return None;
        }
        let above = self.remaining_cents.saturating_sub(self.trip_level_cents(options.trip)).max(0);
        let cents = u128::try_from(above.saturating_add(i64::from(self.base_cents))).ok()?;
        let parts = if options.rounding == DeductionRounding::WhenStarted && above > 0 {
            // The register falls with the first part of its last 0.01.
            cents.saturating_sub(1).saturating_mul(PARTS_PER_CENT).saturating_add(1)
        } else {
            cents.saturating_mul(PARTS_PER_CENT)
        };
        let missing = parts.saturating_sub(u128::from(self.carried_parts));
        i64::try_from(missing.div_ceil(per_ms)).ok()
    }

    /// Owing money: below zero, or cut off for it.
    pub(super) fn is_in_arrears(&self, rounding: DeductionRounding) -> bool {
        self.shown_cents(rounding) < 0 || self.tripped
    }

    /// Whether the two alarms are on. An alarm amount of 0 switches its alarm off.
    pub(super) fn alarms(&self, rounding: DeductionRounding) -> [bool; 2] {
        let shown = i64::from(self.shown_cents(rounding));
        [self.alarm_1_cents, self.alarm_2_cents].map(|level| level > 0 && shown <= i64::from(level))
    }

    /// Carries a sale out, or says that it is refused.
    pub(super) fn sell(&mut self, amount_cents: u32, count: u16, options: &MeterOptions) -> Result<(), Refused> {
        let ahead = count.wrapping_sub(self.count);
        let adds = match ahead {
            0 => match options.equal_count {
                EqualCount::Acknowledge => return Ok(()),
                EqualCount::Refuse => false,
                EqualCount::AddAgain => true,
            },
            1 => true,
            // The upper half of the range is behind, not ahead: the counter wraps at its width.
            2..=0x7FFF => options.count_jump == CountJump::Accept,
            _ => options.lower_count == CountJump::Accept,
        };
        let after = self.remaining_cents.saturating_add(i64::from(amount_cents));
        let limit = options.hoarding_limit_cents.map_or(REMAINING_MAX_CENTS, i64::from).min(REMAINING_MAX_CENTS);
        if !adds || amount_cents == 0 || after > limit {
            return Err(Refused);
        }
        self.remaining_cents = after;
        self.count = count;
        // A total that a u32 register can't hold any more starts again at zero, like any counter.
        self.purchased_cents = self.purchased_cents.wrapping_add(amount_cents);
        Ok(())
    }

    /// Whether the field "total" may be written.
    pub(super) fn total_is_writable(options: &MeterOptions) -> bool {
        options.total == TotalMeaning::Purchased
    }
}

/// A sale or setting that the meter does not take. What it answers then is a switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused;

#[cfg(test)]
mod tests {
    use super::*;

    fn purse(cents: i32, price: u32) -> Purse {
        Purse { prices: [price; 4], ..Purse::new(true, cents, 7) }
    }

    /// 1 kWh in mJ.
    const KWH: u64 = 3_600_000_000;

    #[test]
    fn a_kwh_at_one_unit_costs_one_unit_at_every_scale() {
        for scale in PriceScale::ALL {
            let mut purse = purse(10_000, 1_000_000 / scale.millionths());
            for _ in 0..1_000 {
                purse.deduct(KWH / 1_000, 0, *scale);
            }
            assert_eq!((purse.remaining_cents, purse.carried_parts), (9_900, 0), "{scale:?}");
        }
    }

    #[test]
    fn the_moment_of_the_trip_is_the_first_millisecond_that_fulfils_the_rule() {
        for trip in TripRule::ALL {
            for rounding in DeductionRounding::ALL {
                let options = MeterOptions { trip: *trip, rounding: *rounding, ..MeterOptions::default() };
                for remaining in [1_234, -500, -501, -499] {
                    let mut start = Purse { overdraft_cents: 500, base_cents: 30, ..purse(remaining, 8_833) };
                    start.deduct(12_345, 0, options.price_scale);
                    let ms = start.ms_until_trip(777, 0, &options).unwrap();
                    for (wait_ms, tripped) in [(ms - 1, false), (ms, true)] {
                        let mut purse = start;
                        purse.deduct(777 * u64::try_from(wait_ms).unwrap(), 0, options.price_scale);
                        purse.settle_latch(&options);
                        assert_eq!(purse.tripped, tripped, "{trip:?} {rounding:?} {remaining} {wait_ms}");
                    }
                }
            }
        }
    }

    #[test]
    fn counts() {
        let options = MeterOptions::default();
        let mut p = purse(0, 1);
        assert_eq!(p.sell(100, 8, &options), Ok(()));
        assert_eq!(p.sell(100, 8, &options), Ok(()), "acknowledged");
        assert_eq!(p.remaining_cents, 100);
        assert_eq!(p.sell(100, 10, &options), Err(Refused));
        assert_eq!(p.sell(100, 7, &options), Err(Refused));
        let again = MeterOptions { equal_count: EqualCount::AddAgain, ..options };
        assert_eq!(p.sell(100, 8, &again), Ok(()));
        assert_eq!((p.remaining_cents, p.count), (200, 8));
        let refuse = MeterOptions { equal_count: EqualCount::Refuse, ..options };
        assert_eq!(p.sell(100, 8, &refuse), Err(Refused));
        let jump = MeterOptions { count_jump: CountJump::Accept, ..options };
        assert_eq!(p.sell(100, 12, &jump), Ok(()));
        assert_eq!(p.sell(100, 11, &jump), Err(Refused));
        let mut last = Purse { count: u16::MAX, ..purse(0, 1) };
        assert_eq!(last.sell(100, 0, &options), Ok(()), "the counter wraps");
    }

    #[test]
    fn hoarding_is_refused_and_changes_nothing() {
        let options = MeterOptions { hoarding_limit_cents: Some(1_000), ..MeterOptions::default() };
        let mut p = purse(500, 1);
        let before = p;
        assert_eq!(p.sell(501, 8, &options), Err(Refused));
        assert_eq!(p, before);
        assert_eq!(p.sell(500, 8, &options), Ok(()));
    }

    #[test]
    fn restoring_waits_for_its_rule() {
        let options = MeterOptions { restore: RestoreRule::AboveZero, ..MeterOptions::default() };
        let mut p = Purse { overdraft_cents: 1_000, tripped: true, ..purse(-1_000, 1) };
        p.sell(500, 8, &options).unwrap();
        p.settle_latch(&options);
        assert!(p.tripped);
        p.settle_latch(&MeterOptions::default());
        assert!(!p.tripped);
    }
}
