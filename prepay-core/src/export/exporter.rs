//! Journal lines as transactions of hledger and beancount.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;

use thiserror::Error;

use super::date::Date;
use super::name::Name;
use crate::ledger::{AccountKey, Action, Entry, Ledger, Transfer, TransferId};
use crate::money::{Currency, Money, MoneyError};

/// The tool that reads the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// hledger's journal format.
    Hledger,
    /// beancount's input language, version 2.
    Beancount,
}

/// Writes a journal from its first line on, a line a transaction.
///
/// The tools count debits as positive: cash received is positive there, a purse negative. What is set aside stands in
/// accounts of its own below `Equity:Held`, so that the tools recompute the holds as well as the balances. Dates are
/// UTC; a clock that was set back gives a transaction with an earlier date, in its place.
///
/// ```
/// use prepay_core::export::{Exporter, Format};
/// use prepay_core::ledger::{AccountKey, AccountKind, Action, Ledger, LimitRule, ShardId, Transfer, TransferId};
/// use prepay_core::money::{Currency, Money};
///
/// let (till, purse) = (AccountKey::new(AccountKind::Cash, 1), AccountKey::new(AccountKind::CustomerPurse, 7));
/// let (id, amount) = (TransferId::new(7, 1, 0), Money::from_minor(10_000));
/// let paid = Transfer { id, action: Action::Receipt, debit: till, credit: purse, amount, limit: LimitRule::Enforce };
/// let books = Ledger::new(Currency::CNY, ShardId(0));
/// let (mut text, mut exporter) = (String::new(), Exporter::new(Format::Hledger, books.currency()));
/// for entry in books.decide(&[paid], 1_772_719_650)? {
///     exporter.entry(&entry, &mut text)?;
/// }
/// let lines: Vec<_> = text.lines().collect();
/// assert_eq!(lines[0], "2026-03-05 * receipt 7/1.0 ; line 1");
/// assert_eq!(lines[1], "    Assets:Cash:1  100.00 CNY");
/// assert_eq!(lines[2], "    Liabilities:CustomerPurse:7  -100.00 CNY");
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Exporter {
    format: Format,
    currency: Currency,
    /// The amounts of open holds: posting a part frees the whole.
    holds: BTreeMap<TransferId, Money>,
    opened: BTreeSet<String>,
}

/// A journal that can't be written for other tools.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A line's time is outside the years 0 to 9999.
    #[error("journal line {seq} has the time {utc_s} s, outside the years 0 to 9999")]
    Time {
        /// The line.
        seq: u64,
        /// Its time, UTC seconds.
        utc_s: i64,
    },
    /// A line ends a hold that was not exported: the export has to begin with the first line.
    #[error("journal line {seq} ends the hold {hold}, which was not exported")]
    NoHold {
        /// The line.
        seq: u64,
        /// The hold.
        hold: TransferId,
    },
    /// An amount out of range.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// The writer has refused the text.
    #[error("the text can't be written")]
    Write,
}

impl From<core::fmt::Error> for ExportError {
    fn from(_: core::fmt::Error) -> Self {
        Self::Write
    }
}

impl Exporter {
    /// An exporter for a whole journal.
    #[must_use]
    pub const fn new(format: Format, currency: Currency) -> Self {
        Self { format, currency, holds: BTreeMap::new(), opened: BTreeSet::new() }
    }

    /// Writes one line of the journal as a transaction. Lines come in order, from the first.
    ///
    /// # Errors
    /// [`ExportError`]; what was written of the transaction then has to be thrown away.
    pub fn entry(&mut self, entry: &Entry, text: &mut impl Write) -> Result<(), ExportError> {
        let Entry { seq, utc_s, transfer, .. } = *entry;
        let postings = self.postings(seq, &transfer)?;
        let date = Date::of(utc_s).ok_or(ExportError::Time { seq, utc_s })?;
        if self.format == Format::Beancount {
            for (name, _) in &postings {
                let name = name.to_string();
                if !self.opened.contains(&name) {
                    writeln!(text, "1970-01-01 open {name}")?;
                    self.opened.insert(name);
                }
            }
        }
        let (word, id) = (word(transfer.action), transfer.id);
        match self.format {
            Format::Hledger => writeln!(text, "{date} * {word} {id} ; line {seq}")?,
            Format::Beancount => writeln!(text, "{date} * \"{word} {id}\" ; line {seq}")?,
        }
        for (name, amount) in postings {
            writeln!(text, "    {name}  {} {}", amount.display(self.currency), self.currency.code())?;
        }
        writeln!(text)?;
        Ok(())
    }

    fn postings(&mut self, seq: u64, transfer: &Transfer) -> Result<Vec<(Name, Money)>, ExportError> {
        let Transfer { id, action, debit, credit, amount, .. } = *transfer;
        let mut postings = Vec::with_capacity(4);
        let mut pair = |held, amount: Money| {
            postings.push((Name { key: debit, held }, amount));
            amount.negated().map(|back| postings.push((Name { key: credit, held }, back)))
        };
        match action {
            Action::Move | Action::Receipt | Action::Refund { .. } | Action::Reverse { .. } => pair(false, amount)?,
            Action::Hold => {
                self.holds.insert(id, amount);
                pair(true, amount)?;
            }
            Action::Post { hold } => {
                let held = self.holds.remove(&hold).ok_or(ExportError::NoHold { seq, hold })?;
                pair(true, held.negated()?)?;
                pair(false, amount)?;
            }
            Action::Void { hold } => {
                let held = self.holds.remove(&hold).ok_or(ExportError::NoHold { seq, hold })?;
                pair(true, held.negated()?)?;
            }
        }
        Ok(postings)
    }
}

const fn word(action: Action) -> &'static str {
    match action {
        Action::Move => "move",
        Action::Receipt => "receipt",
        Action::Hold => "hold",
        Action::Post { .. } => "post",
        Action::Void { .. } => "void",
        Action::Refund { .. } => "refund",
        Action::Reverse { .. } => "reverse",
    }
}

/// The balances of a ledger as the other tools should find them: name and amount, debits positive, in order of the
/// names; accounts at zero are left out, as the tools do.
///
/// # Errors
/// [`MoneyError`] when a difference is out of range.
pub fn exported_balances(ledger: &Ledger) -> Result<Vec<(String, Money)>, MoneyError> {
    let mut all = Vec::new();
    for (key, balance) in ledger.trial_balance().lines {
        let mut add = |key: AccountKey, held, amount: Money| {
            if !amount.is_zero() {
                all.push((Name { key, held }.to_string(), amount));
            }
        };
        add(key, false, balance.debits_posted.minus(balance.credits_posted)?);
        add(key, true, balance.debits_pending.minus(balance.credits_pending)?);
    }
    all.sort_unstable();
    Ok(all)
}
