//! Debts at the station, by the rules as they are written down: a purchase pays all that is due, the rest becomes credit.

use alloc::collections::BTreeMap;

use super::{Auditor, Said, Sale};
use crate::account::{Event, Fact};
use crate::debt::DebtKind;
use crate::sim::report::Report;

#[derive(Debug, Clone, Copy)]
struct Debt {
    rest: i64,
    /// Emergency credit: lent once until it is paid back.
    emergency: bool,
    /// It is paid in agreed parts.
    parts: Option<Parts>,
}

/// How a debt is paid in parts.
#[derive(Debug, Clone, Copy)]
struct Parts {
    of: i64,
    each: i64,
    first_utc_s: i64,
    every_s: i64,
}

impl Debt {
    /// What a purchase has to pay of it.
    fn due(&self, utc_s: i64) -> i64 {
        let Some(parts) = self.parts else { return self.rest };
        let begun = utc_s >= parts.first_utc_s;
        let fallen = if begun { (utc_s - parts.first_utc_s) / parts.every_s + 1 } else { 0 };
        ((parts.each * fallen).min(parts.of) - (parts.of - self.rest)).max(0)
    }
}

/// What the last payment has paid back, and what of all debts was due before it.
#[derive(Debug, Clone, Copy)]
struct Paid {
    sale: u64,
    cents: i64,
    due: i64,
}

#[derive(Debug, Default)]
pub(in crate::sim) struct Debts {
    known: BTreeMap<u64, Debt>,
    /// What somebody is about to enter.
    pub(in crate::sim) asked: (u64, i64),
    /// Cents that payments have paid back.
    pub(in crate::sim) recovered: i64,
    /// Cents of emergency credit that went to the customer's purse.
    pub(super) lent: i64,
    latest: Option<Paid>,
    /// When the station has booked something last, by its wall clock.
    booked_utc_s: i64,
}

impl Debts {
    pub(in crate::sim) fn total(&self) -> i64 {
        self.known.values().map(|debt| debt.rest).sum()
    }

    /// One that is owed.
    pub(in crate::sim) fn any(&self) -> Option<u64> {
        self.known.keys().next().copied()
    }

    fn due(&self) -> i64 {
        self.known.values().map(|debt| debt.due(self.booked_utc_s)).sum()
    }
}

impl Auditor {
    pub(super) fn hear_debt(&mut self, event: &Event, report: &mut Report) {
        let debts = &mut self.debts;
        debts.booked_utc_s = event.utc_s;
        let right = match &event.fact {
            Fact::DebtIncurred { debt, kind, amount, .. } => {
                let emergency = *kind == DebtKind::Emergency;
                let twice = emergency && debts.known.values().any(|debt| debt.emergency);
                debts.known.insert(debt.0, Debt { rest: amount.minor(), emergency, parts: None });
                debts.asked == (debt.0, amount.minor()) && !twice
            }
            Fact::InstalmentsAgreed { debt, plan, .. } => debts.known.get_mut(&debt.0).is_some_and(|known| {
                let (each, first_utc_s) = (plan.part.minor(), plan.first_due_utc_s);
                known.parts = Some(Parts { of: known.rest, each, first_utc_s, every_s: i64::from(plan.every_s) });
                known.rest == plan.agreed.minor()
            }),
            Fact::DebtWrittenOff { part, .. } => {
                debts.known.remove(&part.debt.0).is_some_and(|known| known.rest == part.amount.minor())
            }
            Fact::DebtRecovered { sale, parts } => {
                let due = debts.due();
                let mut right = true;
                for part in parts {
                    let known = debts.known.get_mut(&part.debt.0);
                    right &= known.is_some_and(|known| {
                        known.rest -= part.amount.minor();
                        known.rest >= 0
                    });
                }
                debts.known.retain(|_, debt| debt.rest > 0);
                let cents: i64 = parts.iter().map(|part| part.amount.minor()).sum();
                debts.recovered += cents;
                debts.latest = sale.map(|sale| Paid { sale: sale.0, cents, due });
                right
            }
            _ => true,
        };
        report.ledger_imbalance += u64::from(!right);
    }

    /// Somebody has paid for credit: debts first, and before them what the customer's purse is short of.
    pub(in crate::sim) fn pays(&mut self, sale: u64, amount: u32, report: &mut Report) {
        let paid = i64::from(amount);
        let nothing = Paid { sale, cents: 0, due: self.debts.due() };
        let back = self.debts.latest.filter(|latest| latest.sale == sale).unwrap_or(nothing);
        let short = if self.at_station { 0 } else { (-(self.purse() + back.cents)).clamp(0, paid) };
        let left = paid - short;
        report.ledger_imbalance += u64::from(back.cents != left.min(back.due));
        self.paid += paid;
        self.refunds.receipt(sale, paid - back.cents);
        let credit = u32::try_from(left - back.cents).unwrap_or(0);
        // What debts consume whole never reaches the meter.
        let said = (credit == 0).then_some(Said::Applied);
        let flagged = credit == 0;
        self.sales.insert(sale, Sale { amount: credit, said, flagged, by: None, doubled: false });
    }

    /// Somebody has paid debts and nothing else.
    pub(in crate::sim) fn pays_debts(&mut self, sale: u64, cents: i64, report: &mut Report) {
        let back = self.debts.latest.filter(|latest| latest.sale == sale).map_or(0, |latest| latest.cents);
        report.ledger_imbalance += u64::from(back != cents);
        self.paid += cents;
        self.refunds.receipt(sale, 0);
    }

    /// Emergency credit is lent and sold.
    pub(in crate::sim) fn borrows(&mut self, sale: u64, cents: i64) {
        self.debts.lent += cents;
        let amount = u32::try_from(cents).unwrap_or(0);
        self.sales.insert(sale, Sale { amount, said: None, flagged: false, by: None, doubled: false });
    }
}
