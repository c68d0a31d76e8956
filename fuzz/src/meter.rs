//! A prepaid meter in a few lines, for evidence that is nearly always plausible.

use prepay_core::id::MeterNumber;
use prepay_core::money::Money;
use prepay_core::reading::{Force, MeterFlags, MeterReading, Rates, Registers};
use prepay_core::time::Now;

/// What the meter deducts for 0.01 kWh of each rate, in hundredths of a minor unit.
const PRICES: [i64; 2] = [120, 40];

/// A meter with two rates that keeps its own purse.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    /// Its number.
    pub number: MeterNumber,
    /// Its purchase count.
    pub count: u16,
    /// Its balance in hundredths of a minor unit.
    pub balance_fine: i64,
    /// Its rate registers, 0.01 kWh.
    pub rates: [u64; 2],
    /// Whether it deducts.
    pub prepaid: bool,
    /// What it was told about its relay.
    pub force: Force,
}

impl Meter {
    /// A running meter.
    #[must_use]
    pub const fn new(number: MeterNumber, balance_minor: i64, prepaid: bool) -> Self {
        Self {
            number,
            count: 65_534,
            balance_fine: balance_minor * 100,
            rates: [99_999_000, 400],
            prepaid,
            force: Force::Automatic,
        }
    }

    /// Uses 0.01 kWh × `centi_kwh` in one rate.
    pub fn use_energy(&mut self, rate: usize, centi_kwh: u16) {
        self.rates[rate % 2] = (self.rates[rate % 2] + u64::from(centi_kwh)) % 100_000_000;
        if self.prepaid {
            self.balance_fine -= i64::from(centi_kwh) * PRICES[rate % 2];
        }
    }

    /// Takes a purchase frame: a count that it has seen adds nothing.
    pub fn purchase(&mut self, amount: Money, count: u16) {
        if count == self.count.wrapping_add(1) {
            self.balance_fine += amount.minor() * 100;
            self.count = count;
        }
    }

    /// Takes an overwrite of money, or only the half that stands first.
    pub fn overwrite(&mut self, remaining: Money, count: u16, is_torn: bool) {
        self.balance_fine = remaining.minor() * 100;
        if !is_torn {
            self.count = count;
        }
    }

    /// What it shows.
    #[must_use]
    pub fn reading(&self, taken: Now) -> MeterReading {
        let balance = Money::from_minor(self.balance_fine.div_euclid(100));
        let empty = !balance.is_positive();
        let relay_closed = match self.force {
            Force::On => true,
            Force::Off => false,
            Force::Automatic => !self.prepaid || !empty,
        };
        MeterReading {
            meter: self.number,
            purchase_count: self.count,
            balance,
            energy: Registers {
                total_centi_kwh: self.rates.iter().sum::<u64>() % 100_000_000,
                rates: Rates::new(&self.rates).expect("two rates"),
            },
            relay_closed,
            force: self.force,
            flags: MeterFlags { arrears: empty, ..MeterFlags::default() },
            prepaid_enabled: self.prepaid,
            taken,
        }
    }
}
