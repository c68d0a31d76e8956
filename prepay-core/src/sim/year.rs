//! A year of several shops in one ledger, for tools that recompute it.

use alloc::vec::Vec;

use super::cell::Cell;
use super::{Config, Report};
use crate::ledger::{Entry, Ledger, LedgerError, ShardId};
use crate::money::Currency;

/// A simulated year.
#[derive(Debug)]
pub struct Year {
    /// The books at its end.
    pub ledger: Ledger,
    /// Every line of them.
    pub journal: Vec<Entry>,
    /// What the auditors of the shops found.
    pub report: Report,
}

/// The longest pause between two sales of one shop, in ms: two days.
const PAUSE_MS: u64 = 2 * 86_400_000;
const YEAR_MS: u64 = 365 * 86_400_000;

/// Simulates a year of `shops` shops with every fault on, and books all of them in one ledger.
///
/// # Errors
/// [`LedgerError`] when one ledger refuses what the ledgers of the shops have taken.
pub fn year(seed: u64, shops: u64) -> Result<Year, LedgerError> {
    let mut report = Report::default();
    let mut lines = Vec::new();
    for shop in 0..shops {
        let mut cell = Cell::new(&Config { seed, vends: 0, bend: None }, shop);
        cell.pause_ms = PAUSE_MS;
        // The wall clock jumps; the lines of a shop stay in their order.
        let mut latest = i64::MIN;
        for entry in cell.live(YEAR_MS, &mut report) {
            latest = latest.max(entry.utc_s);
            lines.push((latest, entry.transfer));
        }
    }
    lines.sort_by_key(|(utc_s, _)| *utc_s);
    let mut ledger = Ledger::new(Currency::CNY, ShardId(0));
    let mut journal = Vec::with_capacity(lines.len());
    for (utc_s, transfer) in lines {
        for entry in ledger.decide(&[transfer], utc_s)? {
            ledger.apply(&entry)?;
            journal.push(entry);
        }
    }
    report.finish();
    Ok(Year { ledger, journal, report })
}
