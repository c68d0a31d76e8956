//! What happens between two sales: a table of operations, each drawn by its own chance.
//!
//! A new operation is a line here and a function in a file of its own beside this one.

use super::Cell;
use crate::sim::report::Report;

/// Something that people or the world do now and then between two sales.
pub(super) struct Operation {
    /// How often, in a thousand gaps between sales.
    per_mille: u64,
    /// Does it.
    run: fn(&mut Cell, &mut Report),
}

/// In the order in which they are drawn.
const OPERATIONS: [Operation; 12] = [
    Operation { per_mille: 20, run: Cell::clock_jumps },
    Operation { per_mille: 15, run: Cell::summer_time },
    Operation { per_mille: 300, run: Cell::order },
    Operation { per_mille: 200, run: Cell::settles },
    Operation { per_mille: 100, run: Cell::refund },
    Operation { per_mille: 60, run: Cell::reverse },
    Operation { per_mille: 45, run: Cell::pay_out },
    Operation { per_mille: 120, run: Cell::replace },
    Operation { per_mille: 60, run: Cell::charge_debt },
    Operation { per_mille: 250, run: Cell::settle_debts },
    Operation { per_mille: 60, run: Cell::borrow },
    Operation { per_mille: 1_000, run: Cell::stranger_at_the_meter },
];

impl Cell {
    /// What happens between two sales.
    pub(super) fn trouble(&mut self, report: &mut Report) {
        let busy = usize::try_from(self.rng.below(4)).unwrap_or(0);
        // Credit at the station is used up now and then, so that arrears meet every other rule.
        let most = if self.auditor.at_station { 30_000 } else { 3_000 };
        let energy = u32::try_from(self.rng.below(most)).unwrap_or(0);
        self.consume(busy, energy);
        let pause_ms = self.rng.between(1_000, self.pause_ms);
        self.wait(pause_ms);
        for operation in OPERATIONS {
            if self.rng.chance(operation.per_mille) {
                (operation.run)(self, report);
            }
        }
    }

    fn clock_jumps(&mut self, report: &mut Report) {
        report.faults.clock_jumps += 1;
        self.utc_shift_s += i64::try_from(self.rng.below(7_200)).unwrap_or(0) - 3_600;
    }

    /// Credit at the station can't be changed at the meter.
    fn stranger_at_the_meter(&mut self, report: &mut Report) {
        if !self.auditor.at_station {
            self.stranger(report);
        }
    }

    /// Somebody keeps local time in the clock: it goes an hour forward, or back again.
    fn summer_time(&mut self, report: &mut Report) {
        report.faults.dst_changes += 1;
        self.utc_shift_s += if self.summer { -3_600 } else { 3_600 };
        self.summer = !self.summer;
    }

    fn settles(&mut self, report: &mut Report) {
        self.poll(true, report);
    }
}
