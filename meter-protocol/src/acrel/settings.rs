//! Settings of the prepaid function: the part of the parameter frame that can't touch money.

use super::parameter_frame::{ParameterFrame, Slot};
use super::profile::settled;
use super::verdict::all_shown;
use super::{BenchTest, BuildError, MeterNumber, NotShown, PrepayBlock, PriceDecimals, Profile};
use crate::wire::Request;

/// Prices of the four rates in 10^-6 account units per kWh. The meter always takes all four together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "the frame has exactly these four")]
pub struct MicroPrices {
    /// Spike.
    pub spike: u64,
    /// Peak.
    pub peak: u64,
    /// Flat.
    pub flat: u64,
    /// Valley.
    pub valley: u64,
}

/// A parameter frame (function 20H @0200H) that changes settings and leaves remaining amount, purchase count and
/// total alone; those need a [`super::MoneyOverwrite`]. Only what is set here is changed in the meter.
///
/// ```
/// use meter_protocol::acrel::Settings;
/// let alarms_only = Settings::new().alarms(20_00, 5_00);
/// assert!(alarms_only.request().is_ok());
/// assert!(Settings::new().request().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Settings(ParameterFrame);

impl Settings {
    /// Nothing set.
    pub const fn new() -> Self {
        Self(ParameterFrame::EMPTY)
    }

    /// Switches the meter's own prepaid function on or off.
    pub fn enable(self, on: bool) -> Self {
        self.with(Slot::Enable, &[u8::from(on)])
    }

    /// Base (free) amount, 0.01 account units. The meter uses it up before the purse.
    pub fn base_free(self, amount_minor: u32) -> Self {
        self.with(Slot::BaseFree, &amount_minor.to_be_bytes())
    }

    /// Balance levels of alarm 1 and alarm 2, 0.01 account units. The meter always takes both.
    pub fn alarms(self, alarm_1_minor: u32, alarm_2_minor: u32) -> Self {
        let [a, b, c, d] = alarm_1_minor.to_be_bytes();
        let [e, f, g, h] = alarm_2_minor.to_be_bytes();
        self.with(Slot::Alarms, &[a, b, c, d, e, f, g, h])
    }

    /// How far the balance may fall below zero before the meter cuts, 0.01 account units.
    pub fn overdraft(self, limit_minor: u32) -> Self {
        self.with(Slot::Overdraft, &limit_minor.to_be_bytes())
    }

    /// The meter number.
    pub fn meter_number(self, number: MeterNumber) -> Self {
        self.with(Slot::MeterNumber, &number.to_bcd())
    }

    /// Prices of the four rates.
    ///
    /// # Errors
    /// [`BuildError::Unsettled`] without a price scale in the profile (bench test 4); [`BuildError::Inexact`] for a
    /// price with more decimals than the meter holds; [`BuildError::Range`] beyond its 32 bits.
    pub fn prices(self, profile: &Profile, prices: MicroPrices) -> Result<Self, BuildError> {
        let decimals = settled(profile.price_decimals, "price scale", BenchTest::PriceScale)?;
        let [a, b, c, d] = steps("price of the spike rate", prices.spike, decimals)?.to_be_bytes();
        let [e, f, g, h] = steps("price of the peak rate", prices.peak, decimals)?.to_be_bytes();
        let [i, j, k, l] = steps("price of the flat rate", prices.flat, decimals)?.to_be_bytes();
        let [m, n, o, p] = steps("price of the valley rate", prices.valley, decimals)?.to_be_bytes();
        Ok(self.with(Slot::Prices, &[a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]))
    }

    /// 20H @0200H, 30 registers. Read back with [`super::PrepayBlock`].
    ///
    /// # Errors
    /// [`BuildError::Empty`] when nothing is set.
    pub fn request(&self) -> Result<Request<'_>, BuildError> {
        if self.0.is_empty() {
            return Err(BuildError::Empty { block: "settings" });
        }
        Ok(self.0.request())
    }

    /// Whether a prepay block read afterwards shows what was written. The meter number is not in that block and not
    /// compared: read it with [`MeterNumber::READ`]. The base amount is used up while supply is on.
    ///
    /// # Errors
    /// [`NotShown`] names the first field that reads back otherwise.
    pub fn shown_by(&self, block: &PrepayBlock) -> Result<(), NotShown> {
        let frame = &self.0;
        let enable = frame.written(Slot::Enable, 1).map(|[on]: [u8; 1]| on.into());
        all_shown([
            ("prepay enable", enable, block.enabled().into()),
            ("base amount", frame.number(Slot::BaseFree, 1), block.base_free_minor.into()),
            ("alarm amount 1", frame.number(Slot::Alarms, 1), block.alarm_1_minor.into()),
            ("alarm amount 2", frame.number(Slot::Alarms, 5), block.alarm_2_minor.into()),
            ("price of the spike rate", frame.number(Slot::Prices, 1), block.prices.spike_raw.into()),
            ("price of the peak rate", frame.number(Slot::Prices, 5), block.prices.peak_raw.into()),
            ("price of the flat rate", frame.number(Slot::Prices, 9), block.prices.flat_raw.into()),
            ("price of the valley rate", frame.number(Slot::Prices, 13), block.prices.valley_raw.into()),
            ("overdraft limit", frame.number(Slot::Overdraft, 1), block.overdraft_minor.into()),
        ])
    }

    fn with(mut self, slot: Slot, value: &[u8]) -> Self {
        self.0.set(slot, value);
        self
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

/// Register steps of a price, if it is a whole number of them.
fn steps(field: &'static str, value: u64, decimals: PriceDecimals) -> Result<u32, BuildError> {
    let step = decimals.step_micro();
    if !value.is_multiple_of(step) {
        return Err(BuildError::Inexact { field, value, decimals: decimals.get() });
    }
    let too_large = BuildError::Range {
        field,
        value: i64::try_from(value).unwrap_or(i64::MAX),
        min: 0,
        // A limit for the message; no amount is made of it.
        max: i64::from(u32::MAX).saturating_mul(i64::try_from(step).unwrap_or(i64::MAX)),
    };
    let count = value.checked_div(step).ok_or(too_large)?;
    u32::try_from(count).map_err(|_| too_large)
}
