//! Operators and strangers.

use super::{Cell, OPERATOR, Told, small};
use crate::account::{Command, SaleResolution, SupplyOrder};
use crate::id::{MeterNumber, Reason};
use crate::sale::Phase;
use crate::sim::meter::Author;
use crate::sim::report::Report;

impl Cell {
    pub(super) fn stranger(&mut self, report: &mut Report) {
        self.auditor.watch(&self.meter, report);
        if self.rng.chance(12) {
            report.faults.foreign_writes += 1;
            self.auditor.disturbed = true;
            let amount = u32::try_from(self.rng.between(100, 20_000)).unwrap_or(100);
            let writes = self.rng.between(1, 3);
            for _ in 0..writes {
                self.meter.purchase(amount, self.meter.purchases.wrapping_add(1), Author::Stranger);
            }
        } else if self.rng.chance(4) {
            report.faults.foreign_writes += 1;
            self.auditor.disturbed = true;
            let cents = i64::try_from(self.rng.between(1, 5_000)).unwrap_or(1);
            self.auditor.overwritten += cents;
            self.meter.overwrite(cents);
        } else if self.rng.chance(12) {
            report.faults.foreign_writes += 1;
            self.auditor.disturbed = true;
            self.auditor.count_lowered = true;
            self.meter.purchases = self.meter.purchases.wrapping_sub(small(self.rng.between(1, 5)));
        } else if self.put_aside.is_none() && self.rng.chance(15) {
            report.faults.swapped += 1;
            self.auditor.disturbed = true;
            let mut other = self.meter.clone();
            other.number = self.meter.number % MeterNumber::MAX + 1;
            other.taken.clear();
            other.overwrites.clear();
            other.purchases = other.purchases.wrapping_add(small(self.rng.below(2)));
            self.put_aside = Some(core::mem::replace(&mut self.meter, other));
        }
    }

    pub(super) fn order(&mut self, report: &mut Report) {
        let Ok(why) = Reason::new("simulated") else { return };
        let (meter, by) = (self.number, OPERATOR);
        let mut wanted = self.auditor.wanted;
        let supply = |order| Command::OrderSupply { meter, order, by, why: why.clone(), until_utc_s: None };
        let command = match self.rng.below(7) {
            0 => {
                (wanted.keep, wanted.off) = (true, false);
                supply(SupplyOrder::KeepPower)
            }
            1 => {
                (wanted.keep, wanted.off) = (false, true);
                supply(SupplyOrder::ForcedOff)
            }
            2 => {
                (wanted.keep, wanted.off) = (false, false);
                supply(SupplyOrder::Prepaid)
            }
            3 | 4 if wanted.locked_out => {
                wanted.locked_out = false;
                Command::LiftLockOut { meter, by, administrator: false, why }
            }
            3 | 4 => {
                wanted.locked_out = true;
                Command::PlaceLockOut { meter, by, why }
            }
            5 => {
                wanted.shed = !wanted.shed;
                Command::Shed { meter, shed: wanted.shed }
            }
            _ => {
                wanted.friendly = !wanted.friendly;
                Command::FriendlyHours { meter, on: wanted.friendly }
            }
        };
        if self.tell(&command, report) == Told::Stored {
            self.auditor.wanted = wanted;
        }
    }

    /// An operator goes there, puts the right meter back, and looks into its records.
    pub(super) fn explain(&mut self, report: &mut Report) {
        if let Some(right) = self.put_aside.take() {
            self.meter = right;
        }
        self.wait(10_000);
        let healed = core::mem::replace(&mut self.link.healed, true);
        let open = self.account.meter(self.number).and_then(|meter| meter.sale()).cloned();
        let sale = open.filter(|open| open.phase == Phase::Quarantined).map(|open| {
            let ours = |author| matches!(author, Author::Station { sale, .. } if sale == open.id.0);
            if self.meter.taken.iter().any(|taken| ours(taken.author)) {
                SaleResolution::Applied
            } else {
                SaleResolution::NotApplied
            }
        });
        let sale = sale.or_else(|| self.fate_of_the_refund());
        let Ok(why) = Reason::new("looked at the meter") else { return };
        let (meter, by, reading) = (self.number, OPERATOR, self.show());
        if self.tell(&Command::ReleaseQuarantine { meter, by, why, reading, sale }, report) == Told::Stored {
            self.auditor.explained();
        }
        self.trouble_ms = self.now_ms;
        self.link.healed = healed;
    }
}
