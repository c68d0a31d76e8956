//! What a meter's own figures say about an open point of the profile.
//!
//! A profile is settled on the bench. A meter of another batch may differ, and a price written with the wrong scale
//! costs money for every kWh. While a meter runs, its registers give the answer away: energy, raw price and balance
//! must fit together. So look before writing: what contradicts the profile is reported and nothing is written.

use super::{BenchTest, DayTableReading, PrepayBlock, PriceDecimals, Profile, RateCodes, Realtime};
use thiserror::Error;

/// What one reading of a register may be off by, in its last digit.
const STEP: i128 = 1;

/// The profile says one thing and the meter's figures say another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{what}: the profile does not fit what the meter shows; {test}")]
pub struct Contradiction {
    /// The fact.
    pub what: &'static str,
    /// The test that settles it on this meter.
    pub test: BenchTest,
}

/// Which price scales fit what a meter took off its balance.
///
/// ```
/// use meter_protocol::acrel::{PriceDecimals, PriceEvidence, Profile};
/// // 10.00 kWh at a raw price of 8000 cost 8.00.
/// let evidence = PriceEvidence::new([0, 0, 1_000, 0], [12_000, 10_000, 8_000, 4_000], 800);
/// let mut profile = Profile::unsettled();
/// profile.price_decimals = PriceDecimals::new(4);
/// assert!(evidence.check(&profile).is_ok());
/// profile.price_decimals = PriceDecimals::new(3);
/// assert!(evidence.check(&profile).unwrap_err().to_string().contains("bench test 4"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceEvidence {
    fits: [bool; PriceDecimals::MAX as usize + 1],
}

impl PriceEvidence {
    /// From the energies used in the spike, peak, flat and valley rate (0.01 kWh), the raw prices that applied, and
    /// what was taken off balance and base amount together (0.01 account units).
    #[must_use]
    pub fn new(used_centikwh: [u32; 4], prices_raw: [u32; 4], taken_minor: i64) -> Self {
        // 0.01 kWh at a price of raw / 10^d cost raw / 10^d hundredths. Each energy may be off by a step, and the
        // balance as well.
        let pairs = used_centikwh.into_iter().zip(prices_raw);
        let cost =
            pairs.fold(0_i128, |sum, (used, price)| sum.saturating_add(i128::from(used).saturating_mul(price.into())));
        let blur = prices_raw.into_iter().fold(0_i128, |sum, price| sum.saturating_add(price.into()));
        let mut fits = [false; PriceDecimals::MAX as usize + 1];
        let mut power = 1_i128;
        for fit in &mut fits {
            let difference = i128::from(taken_minor).saturating_mul(power).saturating_sub(cost);
            *fit = difference.saturating_abs() <= blur.saturating_add(STEP.saturating_mul(power));
            power = power.saturating_mul(10);
        }
        Self { fits }
    }

    /// From two looks at a meter, each a realtime and a prepay block read one after the other. `None` when nothing can
    /// be concluded: money or prices were changed in between, or the transformer ratios are not 1.
    #[must_use]
    pub fn between(before: (&Realtime, &PrepayBlock), after: (&Realtime, &PrepayBlock)) -> Option<Self> {
        let ((first, prices), (second, prices_after)) = (before, after);
        let untouched = prices.prices == prices_after.prices
            && first.purchase_count == second.purchase_count
            && second.base_free_minor <= first.base_free_minor
            && [first, second].into_iter().all(|now| now.pt_ratio <= 1 && now.ct_ratio <= 1);
        let used = rates(second).into_iter().zip(rates(first));
        let mut used_centikwh = [0; 4];
        for (to, (after, before)) in used_centikwh.iter_mut().zip(used) {
            // The register wraps at its width; so does the difference.
            *to = after.wrapping_sub(before);
        }
        let purse = |now: &Realtime| i64::from(now.remaining_minor).saturating_add(now.base_free_minor.into());
        let taken_minor = purse(first).saturating_sub(purse(second));
        let raw = prices.prices;
        let prices_raw = [raw.spike_raw, raw.peak_raw, raw.flat_raw, raw.valley_raw];
        untouched.then(|| Self::new(used_centikwh, prices_raw, taken_minor))
    }

    /// The scale, if exactly one fits. Nothing used, or nothing taken, fits many or none.
    #[must_use]
    pub fn decimals(&self) -> Option<PriceDecimals> {
        let mut fitting = (0_u8..).zip(self.fits).filter(|(_, fits)| *fits);
        match (fitting.next(), fitting.next()) {
            (Some((decimals, _)), None) => PriceDecimals::new(decimals),
            _ => None,
        }
    }

    /// Whether the profile's scale is among those that fit. A profile without a scale is not contradicted.
    ///
    /// # Errors
    /// [`Contradiction`] of bench test 4.
    pub fn check(&self, profile: &Profile) -> Result<(), Contradiction> {
        let Some(decimals) = profile.price_decimals else { return Ok(()) };
        match self.fits.get(usize::from(decimals.get())) {
            Some(true) => Ok(()),
            _ => Err(Contradiction { what: "price scale", test: BenchTest::PriceScale }),
        }
    }
}

/// Which rate codes fit the energy register that counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateEvidence {
    from_one: bool,
    from_zero: bool,
}

impl RateEvidence {
    /// From a day table and two looks at a meter between which that table was in force. `None` when nothing can be
    /// concluded: no clock, a change of rate or of day in between, or not exactly one rate that counted.
    #[must_use]
    pub fn between(table: &DayTableReading, before: &Realtime, after: &Realtime) -> Option<Self> {
        let (first, second) = (before.clock.ok()?, after.clock.ok()?);
        let same_day = (first.year(), first.month(), first.day()) == (second.year(), second.month(), second.day());
        let code = code_at(table, (first.hour(), first.minute()))?;
        let later = code_at(table, (second.hour(), second.minute()))?;
        let mut counted = (0_u8..).zip(rates(before).into_iter().zip(rates(after))).filter(|(_, (a, b))| a != b);
        // One of four indices.
        let (Some((index, _)), None) = (counted.next(), counted.next()) else { return None };
        let one_slot = same_day && first <= second && code == later;
        one_slot.then_some(Self { from_one: code == index.saturating_add(1), from_zero: code == index })
    }

    /// The codes that fit; `None` when neither does.
    #[must_use]
    pub const fn codes(&self) -> Option<RateCodes> {
        match (self.from_one, self.from_zero) {
            (true, false) => Some(RateCodes::FromOne),
            (false, true) => Some(RateCodes::FromZero),
            _ => None,
        }
    }

    /// Whether the profile's codes fit. A profile without codes is not contradicted.
    ///
    /// # Errors
    /// [`Contradiction`] of bench test 2.
    pub fn check(&self, profile: &Profile) -> Result<(), Contradiction> {
        let fits = match profile.rate_codes {
            None => true,
            Some(RateCodes::FromOne) => self.from_one,
            Some(RateCodes::FromZero) => self.from_zero,
        };
        if fits { Ok(()) } else { Err(Contradiction { what: "rate codes", test: BenchTest::RateCodes }) }
    }
}

fn rates(now: &Realtime) -> [u32; 4] {
    let energy = now.energy;
    [energy.spike_centikwh, energy.peak_centikwh, energy.flat_centikwh, energy.valley_centikwh]
}

/// The code of the slot in force at a time of day. The last slot of the day before holds on until the first start.
/// `None` for an empty table, which looks like one that starts with code 0 at midnight.
fn code_at(table: &DayTableReading, time: (u8, u8)) -> Option<u8> {
    if table.raw().iter().all(|bytes| *bytes == [0; 3]) {
        return None;
    }
    let first = table.raw().iter().take(1);
    let rest = table.raw().iter().skip(1).filter(|bytes| **bytes != [0; 3]);
    let used = first.chain(rest);
    let started = used.clone().filter(|[_, minute, hour]| (*hour, *minute) <= time);
    let last = |[_, minute, hour]: &&[u8; 3]| (*hour, *minute);
    started.max_by_key(last).or_else(|| used.max_by_key(last)).map(|[code, ..]| *code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scale_is_told_from_its_neighbours() {
        for decimals in 0..=PriceDecimals::MAX {
            // 20.00 kWh at a price of 1.
            let raw = 10_u32.pow(decimals.into());
            let evidence = PriceEvidence::new([500; 4], [raw; 4], 2_000);
            assert_eq!(evidence.decimals(), PriceDecimals::new(decimals), "{decimals}");
        }
    }

    #[test]
    fn too_little_energy_proves_nothing_and_contradicts_nothing() {
        let evidence = PriceEvidence::new([0; 4], [8_000; 4], 0);
        assert_eq!(evidence.decimals(), None);
        for decimals in 0..=PriceDecimals::MAX {
            let mut profile = Profile::unsettled();
            profile.price_decimals = PriceDecimals::new(decimals);
            assert_eq!(evidence.check(&profile), Ok(()));
        }
    }

    #[test]
    fn money_that_no_scale_explains_contradicts_every_profile() {
        let evidence = PriceEvidence::new([0; 4], [8_000; 4], 5_000_000);
        assert_eq!(evidence.decimals(), None);
        let mut profile = Profile::unsettled();
        assert_eq!(evidence.check(&profile), Ok(()), "nothing claimed");
        profile.price_decimals = PriceDecimals::new(4);
        assert!(evidence.check(&profile).is_err());
    }
}
