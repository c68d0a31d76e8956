//! A meter as the register documents describe it: raw registers, its own arithmetic, nothing of the core's.

use alloc::vec::Vec;

/// What a meter does with a purchase whose count is not one higher than its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CountRule {
    /// Equal: acknowledges, adds nothing. Others: refuses.
    Acknowledges,
    /// Refuses.
    Refuses,
    /// Adds, and takes the count as its own.
    Adds,
}

/// Who wrote a purchase: known to the simulation only, the frame does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Author {
    /// Our station, for a sale, with one of its transmissions.
    Station { sale: u64, transmission: u64 },
    /// A hand-held tool.
    Stranger,
}

/// A purchase that the meter took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    pub(super) author: Author,
    pub(super) amount: u32,
    pub(super) count: u16,
}

/// Which part of an overwrite a meter has taken when it lost power inside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    Balance,
    Count,
}

/// An overwrite of remaining amount and purchase count that the meter took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Overwritten {
    /// Whose it is: known to the simulation only.
    pub(super) refund: u64,
    pub(super) part: Part,
    /// The remaining amount before and after, hundredths.
    pub(super) before: i64,
    pub(super) after: i64,
}

/// Registers of 0200H and 0057H, in raw units.
#[derive(Debug, Clone)]
pub(super) struct SimMeter {
    /// 0043H.
    pub(super) number: u64,
    /// 0215H…021DH: total and four rates, 0.01 kWh.
    pub(super) energy: [u32; 5],
    /// 0221H.
    pub(super) purchases: u16,
    /// 0057H, 0058H.
    pub(super) force: (u16, u16),
    /// 0225H bit 11.
    pub(super) prepaid_on: bool,
    /// Credit in 0.0001 of the account unit: the register 021FH shows hundredths.
    credit: i64,
    /// Prices in 0.0001 a kWh.
    prices: [u32; 4],
    /// What has not made 0.0001 yet, by rate: this meter deducts each rate by itself and in whole steps.
    rest: [u32; 4],
    pub(super) rule: CountRule,
    pub(super) taken: Vec<Taken>,
    pub(super) overwrites: Vec<Overwritten>,
}

impl SimMeter {
    pub(super) const fn new(number: u64, cents: i64, purchases: u16, prices: [u32; 4], rule: CountRule) -> Self {
        Self {
            number,
            energy: [0; 5],
            purchases,
            force: (0, 0),
            prepaid_on: true,
            credit: cents * 100,
            prices,
            rest: [0; 4],
            rule,
            taken: Vec::new(),
            overwrites: Vec::new(),
        }
    }

    /// 021FH: hundredths, rounded towards zero as integers divide.
    pub(super) const fn remaining(&self) -> i64 {
        self.credit / 100
    }

    pub(super) const fn relay_closed(&self) -> bool {
        match self.force {
            (1, 0) => true,
            (1, _) => false,
            _ => !self.prepaid_on || self.remaining() > 0,
        }
    }

    /// Uses energy in one rate, while the relay lets it.
    pub(super) fn consume(&mut self, rate: usize, centi_kwh: u32) {
        if !self.relay_closed() {
            return;
        }
        let (Some(register), Some(price)) = (self.energy.get_mut(rate + 1), self.prices.get(rate)) else { return };
        *register += centi_kwh;
        if let Some(total) = self.energy.first_mut() {
            *total += centi_kwh;
        }
        if self.prepaid_on
            && let Some(rest) = self.rest.get_mut(rate)
        {
            // 0.01 kWh × 0.0001 a kWh: a hundred of them are one step of credit.
            let sum = *rest + centi_kwh * price;
            self.credit -= i64::from(sum / 100);
            *rest = sum % 100;
        }
    }

    /// Function 20H @0100H.
    pub(super) fn purchase(&mut self, amount: u32, count: u16, author: Author) {
        let next = self.purchases.wrapping_add(1);
        if count == next || self.rule == CountRule::Adds {
            self.credit += i64::from(amount) * 100;
            self.purchases = count;
            self.taken.push(Taken { author, amount, count });
        }
    }

    /// Function 20H @0200H: remaining amount and purchase count as they are, whatever was there before.
    pub(super) fn overwrite_both(&mut self, cents: u32, count: u16, refund: u64, part: Part) {
        let before = self.remaining();
        if part != Part::Count {
            self.credit = i64::from(cents) * 100;
        }
        if part != Part::Balance {
            self.purchases = count;
        }
        self.overwrites.push(Overwritten { refund, part, before, after: self.remaining() });
    }

    /// Somebody writes the remaining amount itself.
    pub(super) fn overwrite(&mut self, cents_more: i64) {
        self.credit += cents_more * 100;
    }
}
