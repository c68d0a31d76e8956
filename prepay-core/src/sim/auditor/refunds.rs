//! Refunds and reversals, from the register documents: an overwrite sets remaining amount and count as they are, so
//! whatever was sold or used since the amount was worked out is erased by it.

use alloc::collections::{BTreeMap, VecDeque};

use super::{ALIKE, Auditor, ROUNDING, Said};
use crate::account::Fact;
use crate::sim::meter::{Part, SimMeter};
use crate::sim::report::Report;

/// Cents that an overwrite may move besides its amount: the meter keeps finer steps than the register shows.
pub(super) const FINER: i64 = 1;

/// Cents that no register tells from none: two tolerances of a write's evidence and the rounding of two readings.
const BLUR: i64 = 10;

/// Money goes back by the newest receipts of an account, so many of them; what was paid before stays at the station.
const RECEIPTS: usize = 64;

/// What somebody wants back.
#[derive(Debug, Clone, Copy)]
pub(in crate::sim) struct Ask {
    /// Cents; `None` for whatever the meter holds.
    pub(in crate::sim) amount: Option<i64>,
    /// Back over the counter, not into the purse at the station.
    pub(in crate::sim) to_channel: bool,
    /// The sale that is undone.
    pub(in crate::sim) reverses: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Refund {
    ask: Ask,
    said: Option<Said>,
    /// Cents that its first overwrite has taken out of the meter.
    out: Option<i64>,
    /// Somebody else's credit or use may be in that.
    blurred: bool,
    /// Already counted.
    flagged: bool,
}

#[derive(Debug, Default)]
pub(in crate::sim) struct Refunds {
    known: BTreeMap<u64, Refund>,
    /// Cents that went from the meter to the customer's purse.
    pub(super) taken_out: i64,
    /// Cents that went back over the counter.
    pub(in crate::sim) paid_back: i64,
    /// What can still go back by each receipt, in cents, the oldest first.
    receipts: VecDeque<(u64, i64)>,
    /// Overwrites of this meter looked at, and of all meters.
    pub(super) looked_at: usize,
    writes: i64,
    /// A meter has taken half of a frame and nobody has looked at it since.
    pub(super) torn: bool,
    /// Cents of energy or of a stranger's credit that overwrites have erased where nothing could keep them from it.
    erased: i64,
}

/// Whether an overwrite of this refund has set the remaining amount.
pub(in crate::sim) fn was_taken_out(meter: &SimMeter, refund: u64) -> bool {
    meter.overwrites.iter().any(|write| write.refund == refund && write.part != Part::Count)
}

impl Refunds {
    pub(in crate::sim) fn asked(&mut self, refund: u64, ask: Ask) {
        self.known.insert(refund, Refund { ask, said: None, out: None, blurred: false, flagged: false });
    }

    /// The station would not do it.
    pub(in crate::sim) fn refused(&mut self, refund: u64) {
        self.known.remove(&refund);
    }

    pub(super) fn unresolved(&self) -> u64 {
        self.known.values().filter(|known| known.said.is_none()).count() as u64
    }

    /// Each overwrite may lose what is finer than a cent; the rest has to be known.
    pub(super) fn explains_drift(&self, drift: i64, hidden: i64) -> bool {
        let blur = if hidden > 0 { hidden + ROUNDING } else { 0 };
        drift.abs() <= 2 * self.writes + self.erased + blur
    }

    /// Somebody has paid over the counter.
    pub(super) fn receipt(&mut self, sale: u64, cents: i64) {
        self.receipts.push_back((sale, cents));
        if self.receipts.len() > RECEIPTS {
            self.receipts.pop_front();
        }
    }

    /// As much of an amount as the receipts cover, the newest first; of a reversal its own receipt only.
    fn by_receipts(&mut self, cents: i64, reverses: Option<u64>) -> i64 {
        let mut rest = cents;
        for (sale, left) in self.receipts.iter_mut().rev() {
            if reverses.is_none_or(|reversed| reversed == *sale) {
                let part = rest.min(*left);
                *left -= part;
                rest -= part;
            }
        }
        cents - rest
    }

    fn reversed(&self, sale: u64) -> usize {
        let done = |known: &&Refund| known.said == Some(Said::Applied) && known.ask.reverses == Some(sale);
        self.known.values().filter(done).count()
    }
}

impl Auditor {
    pub(super) fn hear_refund(&mut self, fact: &Fact, meter: &SimMeter, report: &mut Report) {
        match *fact {
            Fact::RefundApplied { refund, amount, count, .. } => {
                // Somebody else has written that count.
                let other = self.disturbed && meter.purchases == count;
                self.say_refund(refund.0, Said::Applied, amount.minor(), other, report);
            }
            Fact::RefundVoided { refund, .. } => self.say_refund(refund.0, Said::Voided, 0, false, report),
            Fact::PaidBack { refund, .. } => {
                let Some(known) = self.refunds.known.get_mut(&refund.0) else { return };
                known.said = Some(Said::Applied);
                let (amount, reverses) = (known.ask.amount.unwrap_or(0), known.ask.reverses);
                let covered = self.refunds.by_receipts(amount, reverses);
                report.ledger_imbalance += u64::from(covered != amount);
                self.pay_back(covered, reverses, report);
            }
            _ => {}
        }
    }

    fn say_refund(&mut self, refund: u64, said: Said, amount: i64, other: bool, report: &mut Report) {
        let Some(known) = self.refunds.known.get_mut(&refund) else { return };
        if known.said.is_some() {
            report.wrong_verdicts += 1;
        }
        known.said = Some(said);
        let (ask, out, blurred) = (known.ask, known.out, known.blurred);
        if said == Said::Voided {
            if out.is_some() {
                known.flagged = true;
                let few = out.is_some_and(|cents| cents <= i64::from(ALIKE));
                if self.count_lowered || (few && self.refunds.torn) {
                    // Behind a count that was set or left back an overwrite of a few cents can't be seen.
                    report.indistinguishable += 1;
                } else {
                    report.wrong_verdicts += 1;
                }
            }
            return;
        }
        if out.is_none() {
            known.flagged = true;
            // The count alone: no register tells so little money from none, or from use where the supply stayed on. Or
            // somebody else has written that count.
            let blurred = amount <= BLUR || (self.refunds.torn && self.races());
            if blurred || other {
                report.indistinguishable += 1;
                self.refunds.erased += amount.abs();
            } else {
                report.wrong_verdicts += 1;
                report.lost_credits += 1;
            }
        }
        match (ask.amount, out) {
            (Some(asked), _) => report.ledger_imbalance += u64::from(asked != amount),
            (None, Some(out)) if blurred => self.refunds.erased += (out - amount).abs(),
            (None, Some(out)) => report.ledger_imbalance += u64::from((out - amount).abs() > FINER),
            (None, None) => {}
        }
        self.refunds.taken_out += amount;
        if ask.to_channel {
            // What no receipt explains stays at the station.
            let covered = self.refunds.by_receipts(amount, ask.reverses);
            self.pay_back(covered, ask.reverses, report);
        }
    }

    /// Money over the counter: never more than was paid, and for one sale once.
    fn pay_back(&mut self, cents: i64, reverses: Option<u64>, report: &mut Report) {
        self.refunds.paid_back += cents;
        if self.refunds.paid_back > self.paid {
            report.ledger_imbalance += 1;
        }
        if reverses.is_some_and(|sale| self.refunds.reversed(sale) > 1) {
            report.double_credits += 1;
        }
    }

    /// Whether the supply may not be cut, so that an overwrite races with use.
    const fn races(&self) -> bool {
        !self.wanted.locked_out && (self.wanted.keep || self.wanted.never_cut)
    }

    /// Looks at every overwrite since the last look.
    pub(super) fn watch_overwrites(&mut self, meter: &SimMeter, report: &mut Report) {
        // Whoever has put something into the meter unseen loses it by an overwrite: nothing could keep it.
        let explained = self.disturbed || self.refunds.torn || self.duplicates > self.explained_duplicates;
        // Where the supply may not be cut the write races with use, and the drift has an account of its own.
        let races = self.races();
        for write in meter.overwrites.iter().skip(self.refunds.looked_at) {
            self.refunds.torn |= write.part != Part::Whole;
            self.refunds.writes += 1;
            if self.places.carries(write.refund) {
                self.refunds.erased += self.watch_move(write, meter, explained, races, report);
                continue;
            }
            let Some(known) = self.refunds.known.get_mut(&write.refund) else { continue };
            let closed = known.said.is_some();
            if closed && !known.flagged {
                // A late copy: after the books have closed it nothing of it may arrive.
                known.flagged = true;
                report.wrong_verdicts += 1;
            }
            if write.part == Part::Count {
                continue;
            }
            let moved = write.before - write.after;
            let meant = if known.out.is_some() { 0 } else { known.ask.amount.unwrap_or(moved) };
            if known.out.is_none() {
                known.blurred = explained || races;
            }
            known.out.get_or_insert(meant);
            let lost = moved - meant;
            if explained || (races && lost < 0) {
                self.refunds.erased += lost.abs();
            } else if lost > FINER {
                report.lost_credits += 1;
            } else if lost < -FINER {
                // Use that was erased though the supply had to be off.
                report.ledger_imbalance += 1;
            }
        }
        self.refunds.looked_at = meter.overwrites.len();
    }
}
