//! What a meter shows in one frame, in the units of the ledger.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::id::MeterNumber;
use crate::money::Money;
use crate::time::Now;

/// Purchase counts are compared modulo 2¹⁶: so many steps ahead or more is behind.
pub(crate) const COUNT_BEHIND: u16 = 0x8000;

/// One reading. All values come from **one** frame, so that they belong to the same instant of the meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeterReading {
    /// The meter's own number, which tells a swapped meter from the expected one.
    pub meter: MeterNumber,
    /// How many purchases the meter has taken, modulo 2¹⁶.
    pub purchase_count: u16,
    /// Credit left in the meter, minor units; negative when overdrawn.
    pub balance: Money,
    /// Cumulative energy registers.
    pub energy: Registers,
    /// The relay passes current.
    pub relay_closed: bool,
    /// What the meter's force word says.
    pub force: Force,
    /// The meter's own flags.
    pub flags: MeterFlags,
    /// The meter's own prepaid function is on.
    pub prepaid_enabled: bool,
    /// When the reply was complete.
    pub taken: Now,
}

/// Flags of a meter's status words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MeterFlags {
    /// The first low-credit alarm is active.
    pub alarm_1: bool,
    /// The second low-credit alarm is active.
    pub alarm_2: bool,
    /// The meter says that its credit is used up.
    pub arrears: bool,
    /// The meter tripped, or is about to trip, on overload.
    pub overload: bool,
    /// The meter reports a fault.
    pub fault: bool,
}

/// The force word of a meter: who decides on the relay, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Force {
    /// Mode 0, state 0: the meter's own rules (prepaid, load, time) decide.
    Automatic,
    /// Mode 1, state 0: held closed whatever the credit.
    On,
    /// Mode 1, state 1: held open.
    Off,
}

/// Cumulative energy registers of a meter in 0.01 kWh: the total and up to [`Rates::MAX`] rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Registers {
    /// All energy, 0.01 kWh.
    pub total_centi_kwh: u64,
    /// Energy by rate, in the meter's order (spike, peak, flat, valley); none for a meter without rates.
    pub rates: Rates,
}

/// Values by rate, 0.01 kWh each. Holds them without allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<u64>", into = "Vec<u64>")]
pub struct Rates {
    values: [u64; Self::MAX],
    count: u8,
}

impl Rates {
    /// The most rates of one meter.
    pub const MAX: usize = 8;

    /// Takes the values of the rates that the meter has.
    ///
    /// # Errors
    /// [`TooManyRates`] above [`Rates::MAX`].
    pub fn new(values: &[u64]) -> Result<Self, TooManyRates> {
        let count = u8::try_from(values.len())
            .ok()
            .filter(|count| usize::from(*count) <= Self::MAX)
            .ok_or(TooManyRates { rates: values.len(), max: Self::MAX })?;
        let mut held = [0; Self::MAX];
        for (slot, value) in held.iter_mut().zip(values) {
            *slot = *value;
        }
        Ok(Self { values: held, count })
    }

    /// The values, one a rate.
    #[must_use]
    pub fn as_slice(&self) -> &[u64] {
        self.values.get(..usize::from(self.count)).unwrap_or(&self.values)
    }

    /// How many rates there are.
    #[must_use]
    pub const fn count(&self) -> u8 {
        self.count
    }
}

impl TryFrom<Vec<u64>> for Rates {
    type Error = TooManyRates;

    fn try_from(values: Vec<u64>) -> Result<Self, TooManyRates> {
        Self::new(&values)
    }
}

impl From<Rates> for Vec<u64> {
    fn from(rates: Rates) -> Self {
        Self::from(rates.as_slice())
    }
}

/// More rates than are supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{rates} rates, at most {max}")]
pub struct TooManyRates {
    /// What was given.
    pub rates: usize,
    /// The most.
    pub max: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_keep_their_order_and_refuse_a_ninth() {
        let rates = Rates::new(&[1, 2, 3]).unwrap();
        assert_eq!(rates.as_slice(), &[1, 2, 3]);
        assert_eq!(serde_json::to_string(&rates).unwrap(), "[1,2,3]");
        assert_eq!(serde_json::from_str::<Rates>("[1,2,3]").unwrap(), rates);
        assert_eq!(Rates::new(&[0; 9]), Err(TooManyRates { rates: 9, max: 8 }));
        assert_eq!(Rates::default().as_slice(), &[] as &[u64]);
    }
}
