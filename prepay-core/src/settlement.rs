//! From cumulative registers to charges: differences, wraps, and the door through which prices come in.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::id::{AccountId, MeterNumber};
use crate::money::{Currency, Money};
use crate::reading::{Rates, Registers};

/// Energy used between two readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Time of the earlier reading, UTC seconds.
    pub from_utc_s: i64,
    /// Time of the later reading, UTC seconds.
    pub to_utc_s: i64,
    /// All energy, 0.01 kWh.
    pub total_centi_kwh: u64,
    /// Energy by rate, 0.01 kWh each.
    pub rates: Rates,
}

/// What a meter's registers can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterLimits {
    /// The value at which a register starts again from 0, in 0.01 kWh.
    pub modulus_centi_kwh: u64,
    /// The most that the installation can use in an hour, in 0.01 kWh. A register that advances faster (which is what
    /// a step back looks like, modulo the register) is not believed.
    pub max_centi_kwh_per_hour: u64,
}

/// A register that did what no meter in order does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Error)]
#[error("register {register} went from {before} to {after} (0.01 kWh), at most {max_step} in that time")]
pub struct BadRegister {
    /// 0 for the total, 1… for the rates; one above the last rate when the number of rates changed.
    pub register: u8,
    /// The earlier value, 0.01 kWh.
    pub before: u64,
    /// The later value, 0.01 kWh.
    pub after: u64,
    /// The greatest step that would be believed, 0.01 kWh.
    pub max_step: u64,
}

/// The advance of one register, wrap included, if it is at most `max_step`.
///
/// # Errors
/// [`BadRegister`] for a step back or a jump.
pub const fn advance(
    register: u8,
    before: u64,
    after: u64,
    modulus_centi_kwh: u64,
    max_step: u64,
) -> Result<u64, BadRegister> {
    let step = if after >= before {
        after.checked_sub(before)
    } else {
        // before < modulus is checked here as well: a value above it is no reading of this register.
        match modulus_centi_kwh.checked_sub(before) {
            Some(rest) => rest.checked_add(after),
            None => None,
        }
    };
    match step {
        Some(step) if step <= max_step && after < modulus_centi_kwh => Ok(step),
        _ => Err(BadRegister { register, before, after, max_step }),
    }
}

/// The energy between two readings of one meter.
///
/// # Errors
/// [`BadRegister`] for the first register that stepped back, jumped, or is missing.
pub fn usage_between(
    before: (&Registers, i64),
    after: (&Registers, i64),
    limits: &RegisterLimits,
) -> Result<Usage, BadRegister> {
    let ((from, from_utc_s), (to, to_utc_s)) = (before, after);
    let max_step = limits.max_step(from_utc_s, to_utc_s);
    let modulus = limits.modulus_centi_kwh;
    let total = advance(0, from.total_centi_kwh, to.total_centi_kwh, modulus, max_step)?;
    if from.rates.count() != to.rates.count() {
        let register = from.rates.count().max(to.rates.count());
        let (before, after) = (u64::from(from.rates.count()), u64::from(to.rates.count()));
        return Err(BadRegister { register: register.saturating_add(1), before, after, max_step });
    }
    let mut steps = [0; Rates::MAX];
    let pairs = from.rates.as_slice().iter().zip(to.rates.as_slice());
    for ((register, slot), (before, after)) in (1_u8..).zip(steps.iter_mut()).zip(pairs) {
        *slot = advance(register, *before, *after, modulus, max_step)?;
    }
    let used = steps.get(..usize::from(to.rates.count())).unwrap_or(&steps);
    let rates = Rates::new(used).unwrap_or_default();
    Ok(Usage { from_utc_s, to_utc_s, total_centi_kwh: total, rates })
}

impl RegisterLimits {
    /// Limits of a meter whose registers show six digits and two decimals of kWh, with `max_kw` of load.
    #[must_use]
    pub const fn six_digits(max_kw: u32) -> Self {
        Self { modulus_centi_kwh: 100_000_000, max_centi_kwh_per_hour: (max_kw as u64).saturating_mul(100) }
    }

    fn max_step(&self, from_utc_s: i64, to_utc_s: i64) -> u64 {
        // A started hour counts whole, and one hour more covers a clock that was set in between.
        let hours = to_utc_s.saturating_sub(from_utc_s).max(0).unsigned_abs().div_ceil(3600).saturating_add(1);
        // Half the register at most: beyond that a step back can't be told from a step forward.
        self.max_centi_kwh_per_hour.saturating_mul(hours).min(self.modulus_centi_kwh.div_ceil(2))
    }
}

impl Usage {
    /// Whether nothing was used.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.total_centi_kwh == 0 && self.rates.as_slice().iter().all(|rate| *rate == 0)
    }

    /// So many times this energy.
    #[must_use]
    pub fn times(self, ratio: u32) -> Self {
        if ratio == 1 {
            return self;
        }
        let scale = |value: u64| value.saturating_mul(u64::from(ratio));
        let mut values = [0_u64; Rates::MAX];
        for (slot, value) in values.iter_mut().zip(self.rates.as_slice()) {
            *slot = scale(*value);
        }
        let kept = values.get(..usize::from(self.rates.count())).unwrap_or(&values);
        let rates = Rates::new(kept).unwrap_or_default();
        Self { total_centi_kwh: scale(self.total_centi_kwh), rates, ..self }
    }

    /// How many registers are priced: the rates, or the total of a meter without rates.
    #[must_use]
    pub fn priced_registers(&self) -> u8 {
        self.rates.count().max(1)
    }

    /// The sum of the rates, when the meter has rates and they do not add up to the total within one register unit each.
    #[must_use]
    pub fn rates_off_total(&self) -> Option<u64> {
        let sum = self.rates.as_slice().iter().fold(0_u64, |sum, rate| sum.saturating_add(*rate));
        let within = sum.abs_diff(self.total_centi_kwh) <= u64::from(self.rates.count());
        (self.rates.count() > 0 && !within).then_some(sum)
    }
}

/// The prices that a meter was shown to hold, read back from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeterPrices {
    /// Decimal digits of a raw price: 4 means that 8833 is 0.8833 a kWh.
    pub decimals: u8,
    /// Raw prices by rate, in the meter's order; one for a meter without rates.
    pub raw: Rates,
}

impl MeterPrices {
    /// What the meter deducts for this energy, to the nearest minor unit; `None` when the rates do not match or the
    /// amount is out of range. The meter's own rounding is not known, which is what tolerances are for.
    #[must_use]
    pub fn charge(&self, usage: &Usage, currency: Currency) -> Option<Money> {
        let energies = if usage.rates.count() == 0 { &[usage.total_centi_kwh][..] } else { usage.rates.as_slice() };
        let prices = self.raw.as_slice();
        if energies.len() != prices.len() {
            return None;
        }
        let exact = energies.iter().zip(prices).try_fold(0_i128, |sum, (energy, price)| {
            i128::from(*energy).checked_mul(i128::from(*price)).and_then(|product| sum.checked_add(product))
        })?;
        // Two digits of energy and the price's digits go, the currency's digits stay.
        let scale = u32::from(self.decimals).checked_add(2)?;
        let major = Decimal::try_from_i128_with_scale(exact, scale).ok()?;
        Money::quantise(major, currency).ok().map(|quantised| quantised.amount)
    }
}

/// The stored state of a pricer for one meter: bytes that only the pricer understands, at most
/// [`PricerState::MAX_BYTES`] long; hex digits as text. Empty before the first pricing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PricerState(Vec<u8>);

impl PricerState {
    /// The most bytes of a state.
    pub const MAX_BYTES: usize = 64 * 1024;

    /// Takes the bytes of a state.
    ///
    /// # Errors
    /// [`PricerRefusal::StateTooLarge`] above [`PricerState::MAX_BYTES`].
    pub fn new(bytes: Vec<u8>) -> Result<Self, PricerRefusal> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(PricerRefusal::StateTooLarge { bytes: bytes.len(), max: Self::MAX_BYTES });
        }
        Ok(Self(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<String> for PricerState {
    type Error = PricerRefusal;

    /// From two hex digits a byte.
    fn try_from(text: String) -> Result<Self, PricerRefusal> {
        let bad = |_| PricerRefusal::BadState { reason: String::from("not hex digits") };
        if text.len().checked_rem(2) != Some(0) {
            return Err(PricerRefusal::BadState { reason: String::from("an odd number of hex digits") });
        }
        let pairs = text.as_bytes().chunks_exact(2);
        let bytes = pairs.map(|pair| {
            let digits = core::str::from_utf8(pair)
                .map_err(|_| PricerRefusal::BadState { reason: String::from("not hex digits") })?;
            u8::from_str_radix(digits, 16).map_err(bad)
        });
        Self::new(bytes.collect::<Result<_, _>>()?)
    }
}

impl From<PricerState> for String {
    fn from(state: PricerState) -> Self {
        let mut text = Self::with_capacity(state.0.len().saturating_mul(2));
        for byte in &state.0 {
            // Writing to a String can't fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

/// What is to be priced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceRequest<'a> {
    /// Whose energy.
    pub account: AccountId,
    /// Measured by which meter.
    pub meter: MeterNumber,
    /// Where pricing stood after the last settlement.
    pub state: &'a PricerState,
    /// The energy since then.
    pub usage: Usage,
}

/// A price, cumulative since the first pricing of the meter under this account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Priced {
    /// The exact charge so far, tax included, major units. Cumulative, so that rounding never adds up: the core posts
    /// the rounded cumulative charge less what it has posted.
    pub cumulative: Decimal,
    /// The tax in it so far, major units.
    pub cumulative_tax: Decimal,
    /// Which version of the tariff it was, for the record.
    pub tariff_version: u32,
    /// Where pricing stands now.
    pub state: PricerState,
}

/// The door to prices. [`crate::account::Account::decide`] calls it, `apply` never does: events hold the amounts.
///
/// An implementation answers from its arguments alone: the same request always gets the same answer.
pub trait Pricer {
    /// Prices `request.usage` after `request.state`.
    ///
    /// # Errors
    /// [`PricerRefusal`] when there is no price; nothing is settled then, and the energy stays to be settled later.
    fn price(&self, request: &PriceRequest<'_>) -> Result<Priced, PricerRefusal>;

    /// The cumulative charge alone, for looking at a reading without settling it.
    ///
    /// # Errors
    /// As [`Pricer::price`].
    fn cumulative(&self, request: &PriceRequest<'_>) -> Result<Decimal, PricerRefusal> {
        self.price(request).map(|priced| priced.cumulative)
    }
}

impl<P: Pricer + ?Sized> Pricer for &P {
    fn price(&self, request: &PriceRequest<'_>) -> Result<Priced, PricerRefusal> {
        (**self).price(request)
    }

    fn cumulative(&self, request: &PriceRequest<'_>) -> Result<Decimal, PricerRefusal> {
        (**self).cumulative(request)
    }
}

/// No price.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PricerRefusal {
    /// The pricer has no tariff for this meter at this time.
    #[error("no tariff: {reason}")]
    NoTariff {
        /// In the pricer's words.
        reason: String,
    },
    /// The stored state is not of this pricer.
    #[error("the pricer's state can't be read: {reason}")]
    BadState {
        /// In the pricer's words.
        reason: String,
    },
    /// The usage can't be priced.
    #[error("the usage can't be priced: {reason}")]
    BadUsage {
        /// In the pricer's words.
        reason: String,
    },
    /// A state larger than is kept.
    #[error("pricer state of {bytes} bytes, at most {max}")]
    StateTooLarge {
        /// What was given.
        bytes: usize,
        /// The most.
        max: usize,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: RegisterLimits = RegisterLimits::six_digits(100);

    fn registers(total: u64, rates: &[u64]) -> Registers {
        Registers { total_centi_kwh: total, rates: Rates::new(rates).unwrap() }
    }

    fn between(from: &Registers, to: &Registers) -> Result<Usage, BadRegister> {
        usage_between((from, 0), (to, 1800), &LIMITS)
    }

    #[test]
    fn a_wrap_is_an_advance_and_a_step_back_is_not() {
        let usage = between(&registers(99_999_990, &[99_999_995, 10]), &registers(20, &[5, 30])).unwrap();
        assert_eq!((usage.total_centi_kwh, usage.rates.as_slice()), (30, &[10, 20][..]));
        let back = between(&registers(500, &[500]), &registers(500, &[499])).unwrap_err();
        assert_eq!((back.register, back.before, back.after), (1, 500, 499));
    }

    #[test]
    fn a_jump_beyond_the_load_is_not_believed_but_a_long_gap_is() {
        // 100 kW: half an hour may be 2 h of load at the most.
        assert!(between(&registers(0, &[]), &registers(20_000, &[])).is_ok());
        assert!(between(&registers(0, &[]), &registers(20_001, &[])).is_err());
        let (from, to) = (registers(0, &[]), registers(200_000, &[]));
        assert!(usage_between((&from, 0), (&to, 19 * 3600), &LIMITS).is_ok());
    }

    #[test]
    fn a_value_outside_the_register_or_a_changed_rate_count_is_refused() {
        assert!(between(&registers(99_999_999, &[]), &registers(100_000_000, &[])).is_err());
        assert_eq!(between(&registers(1, &[1]), &registers(1, &[1, 0])).unwrap_err().register, 3);
    }

    #[test]
    fn rates_have_to_add_up_within_a_unit_each() {
        let usage = |total, rates: &[u64]| between(&registers(0, &[0, 0]), &registers(total, rates)).unwrap();
        assert_eq!(usage(30, &[10, 18]).rates_off_total(), None);
        assert_eq!(usage(30, &[10, 17]).rates_off_total(), Some(27));
    }

    #[test]
    fn meter_prices_multiply_first_and_round_once() {
        let prices = MeterPrices { decimals: 4, raw: Rates::new(&[12_000, 8833]).unwrap() };
        let usage = between(&registers(0, &[0, 0]), &registers(200, &[100, 100])).unwrap();
        // 1.2 + 0.8833 = 2.0833 yuan.
        assert_eq!(prices.charge(&usage, Currency::CNY), Some(Money::from_minor(208)));
        let one_rate = between(&registers(0, &[]), &registers(200, &[])).unwrap();
        assert_eq!(prices.charge(&one_rate, Currency::CNY), None);
    }

    proptest! {
        /// However a span is cut by readings, the steps add up to the whole.
        #[test]
        fn usage_is_path_independent(start in 0_u64..100_000_000, steps in prop::collection::vec(0_u64..2_000, 1..20)) {
            let value = |advanced: u64| registers((start + advanced) % 100_000_000, &[]);
            let mut at = 0;
            let mut sum = 0;
            for step in &steps {
                sum += between(&value(at), &value(at + step)).unwrap().total_centi_kwh;
                at += step;
            }
            let whole = usage_between((&value(0), 0), (&value(at), 3600 * 24), &LIMITS).unwrap();
            prop_assert_eq!(whole.total_centi_kwh, sum);
        }
    }
}
