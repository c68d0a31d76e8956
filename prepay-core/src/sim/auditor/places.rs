//! A meter is taken off the wall and another one hung up: what the old one held goes with the tenant, to the cent.

use super::Auditor;
use super::refunds::FINER;
use crate::account::Fact;
use crate::sim::meter::{Overwritten, Part, SimMeter};
use crate::sim::prices::PRICES;
use crate::sim::report::Report;

#[derive(Debug, Clone, Copy)]
struct Move {
    refund: u64,
    /// The old meter, and how much of its records was looked at.
    old: (u64, usize, usize),
    /// Energy that the new meter showed when it was hung up: total and four rates.
    hung: [u32; 5],
    /// What the first overwrite has put into the new meter, in cents.
    arrived: Option<i64>,
    /// The station has said what became of it.
    said: bool,
    flagged: bool,
}

#[derive(Debug, Default)]
pub(in crate::sim) struct Places {
    latest: Option<Move>,
    /// Cents that the old meters held beyond what went into the new ones: they are the customer's, at the station.
    pub(super) moved: i64,
}

impl Places {
    /// Whether this write carries the credit of an old meter.
    pub(in crate::sim) fn carries(&self, refund: u64) -> bool {
        self.latest.is_some_and(|latest| latest.refund == refund)
    }

    pub(super) fn unresolved(&self) -> u64 {
        u64::from(self.latest.is_some_and(|latest| !latest.said))
    }
}

/// Cents for the energy between two looks at a meter's rates, rounded up.
fn used(before: &[u32; 5], after: &[u32; 5]) -> i64 {
    let rates = before.iter().zip(after).skip(1).zip(PRICES);
    let micro: i64 = rates.map(|((before, after), price)| i64::from(after - before) * i64::from(price)).sum();
    (micro + 9_999) / 10_000
}

impl Auditor {
    /// Another meter hangs on the wall from now on.
    pub(in crate::sim) fn moves(&mut self, refund: u64, new: &SimMeter) {
        let old = (self.number, self.looked_at, self.refunds.looked_at);
        (self.number, self.looked_at, self.refunds.looked_at) = (new.number, 0, 0);
        self.places.latest = Some(Move { refund, old, hung: new.energy, arrived: None, said: false, flagged: false });
    }

    /// The old one hangs there again.
    pub(in crate::sim) fn moves_back(&mut self) {
        if let Some(latest) = self.places.latest {
            (self.number, self.looked_at, self.refunds.looked_at) = latest.old;
        }
    }

    /// The old meter was read, on the wall or on the bench: whatever it held has to be somewhere.
    pub(in crate::sim) fn old_was_read(&mut self, old: &SimMeter) {
        if let Some(arrived) = self.places.latest.and_then(|latest| latest.arrived) {
            self.places.moved += old.remaining() - arrived;
        }
    }

    pub(super) fn hear_move(&mut self, fact: &Fact, meter: &SimMeter, report: &mut Report) {
        let torn = self.refunds.torn;
        let Some(latest) = &mut self.places.latest else { return };
        let right = match fact {
            Fact::ReplacementDone { refund, .. } if latest.refund == refund.0 => latest.arrived.is_some(),
            Fact::ReplacementRolledBack { refund, .. } if latest.refund == refund.0 => latest.arrived.is_none(),
            _ => return,
        };
        latest.said = true;
        if latest.arrived.is_none() {
            latest.arrived = Some(meter.remaining());
        }
        if !right && torn {
            // Half of a frame in a meter that showed nearly the same before.
            report.indistinguishable += 1;
        } else if !right {
            latest.flagged = true;
            report.wrong_verdicts += 1;
        }
    }

    /// An overwrite that carries the credit of an old meter.
    pub(super) fn watch_move(
        &mut self,
        write: &Overwritten,
        meter: &SimMeter,
        explained: bool,
        races: bool,
        report: &mut Report,
    ) -> i64 {
        let Some(latest) = &mut self.places.latest else { return 0 };
        if latest.said && !latest.flagged {
            latest.flagged = true;
            report.wrong_verdicts += 1;
        }
        if write.part == Part::Count {
            return 0;
        }
        let Some(arrived) = latest.arrived else {
            latest.arrived = Some(write.after);
            // What was used before the credit came is erased with what the new meter showed.
            return used(&latest.hung, &meter.energy);
        };
        let lost = write.before - arrived;
        if explained || races {
            return lost.abs();
        }
        report.lost_credits += u64::from(lost > FINER);
        report.ledger_imbalance += u64::from(lost < -FINER);
        0
    }
}
