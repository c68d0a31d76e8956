//! A meter is replaced: read before it goes, or dead, and the new one may die on the wall too.

use super::{Cell, OPERATOR, Told};
use crate::account::{Command, MeterTakeOver, OldMeter, OpenMode};
use crate::id::{MeterNumber, Reason, RefundId};
use crate::reading::Rates;
use crate::settlement::Usage;
use crate::sim::meter::SimMeter;
use crate::sim::prices::PRICES;
use crate::sim::report::Report;

/// A meter that holds less, in cents, stays on the wall: what a dead one has used has to be covered by its credit.
const LEAST: i64 = 6_000;

impl Cell {
    pub(super) fn replace(&mut self, report: &mut Report) {
        if self.auditor.at_station || self.quarantined() || self.put_aside.is_some() {
            return;
        }
        // Nobody takes a meter off while a frame is on its way to it.
        self.wait(10_000);
        if !self.poll(true, report) || self.quarantined() || self.meter.remaining() < LEAST {
            return;
        }
        let Ok(why) = Reason::new("water has come in") else { return };
        let dead = self.rng.chance(300);
        let energy = u32::try_from(self.rng.below(800)).unwrap_or(0);
        self.consume(1, energy);
        let new = self.off_the_shelf();
        let refund = RefundId(self.next_refund);
        self.next_refund += 2;
        let guess = self.rng.below(800);
        let told = self.insist(report, |cell| {
            let rates = Rates::new(&[0, guess, 0, 0]).unwrap_or_default();
            let usage = Usage { from_utc_s: 0, to_utc_s: 0, total_centi_kwh: guess, rates };
            let last = if dead { OldMeter::Unreadable { usage, sale: None } } else { OldMeter::Read(cell.show()) };
            let number = MeterNumber::at_most(new.number);
            let terms = cell.meter_terms(number);
            let new = MeterTakeOver { terms, mode: OpenMode::Fresh, reading: cell.show_of(&new) };
            Command::ReplaceMeter { refund, old: cell.number, last, new, operator: OPERATOR, why: why.clone() }
        });
        if told != Told::Stored {
            return;
        }
        self.auditor.moves(refund.0, &new);
        let old_number = core::mem::replace(&mut self.number, MeterNumber::at_most(new.number));
        let old = core::mem::replace(&mut self.meter, new);
        self.link.unplug();
        self.follow_refund(refund, report);
        if self.account.meter(self.number).is_none() {
            // The new one would not take it: the old one goes back to its place, mended.
            (self.meter, self.number, self.put_aside) = (old, old_number, None);
            self.auditor.moves_back();
            self.link.unplug();
            return;
        }
        if dead {
            self.on_the_bench(old_number, &old, report);
        } else {
            self.auditor.old_was_read(&old);
        }
    }

    /// A meter of the same kind with another life behind it.
    fn off_the_shelf(&mut self) -> SimMeter {
        let raw = self.rng.between(1, MeterNumber::MAX - 1);
        let cents = i64::try_from(self.rng.below(9_000)).unwrap_or(0);
        let count = super::small(self.rng.below(60_000));
        let mut new = SimMeter::new(raw, cents, count, PRICES, self.meter.rule);
        new.energy = [100, 10, 20, 30, 40];
        new
    }

    /// The dead meter is opened; where nothing can be read any more the estimate stands.
    fn on_the_bench(&mut self, meter: MeterNumber, old: &SimMeter, report: &mut Report) {
        let Ok(why) = Reason::new("opened on the bench") else { return };
        let readable = self.rng.chance(700);
        let read = |cell: &Self, reading: bool| {
            let reading = reading.then(|| cell.show_of(old));
            Command::ReadOnBench { meter, reading, by: OPERATOR, why: why.clone() }
        };
        if readable && self.insist(report, |cell| read(cell, true)) == Told::Stored {
            self.auditor.old_was_read(old);
        } else {
            self.insist(report, |cell| read(cell, false));
        }
    }
}
