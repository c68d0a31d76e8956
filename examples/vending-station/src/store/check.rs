//! Whether the store is whole: the journal's chain, the events, the trial balance, and every table that follows from them.

use super::{
    Store, StoreError,
    books::{self, projection},
    copy, from_json,
};
use prepay_core::{
    account::{Account, Event},
    id::AccountId,
    money::Currency,
};
use sqlx::Row;
use std::collections::BTreeMap;

/// Differences that are told one by one; the rest is counted.
const TOLD_MAX: usize = 50;
/// Events that are replayed in one transaction.
const PAGE_ROWS: i64 = 10_000;
/// The tables that follow from the events, and the columns that follow from them alone: balances are those of readings.
const PROJECTED: [(&str, (&str, &str)); 4] = [
    ("id, money_state, supply_state, quarantined", ("account", "id")),
    ("*", ("sale", "id")),
    ("*", ("outbox", "sale")),
    ("*", copy::FINDING),
];

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Events that fold without a gap.
    pub events: i64,
    /// Entries of the journal, whose chain is unbroken.
    pub entries: u64,
    /// The head of the chain, in hexadecimal.
    pub head: String,
    /// Whether debits equal credits.
    pub balances: bool,
    /// Rows that differ from what the events say; told up to a limit.
    pub differences: Vec<String>,
    /// How many rows differ in all.
    pub differing: u64,
}

impl Checked {
    /// Nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.balances && self.differing == 0
    }
}

/// As [`check`], in the currency of the stored site.
///
/// # Errors
/// As [`check`]; also when nothing was imported yet.
pub async fn check_site(store: &Store, replay: bool) -> Result<Checked, StoreError> {
    let site = super::site::load(store).await?;
    let settings = site.ok_or_else(|| StoreError::damaged("site", 1, "nothing was imported yet"))?.settings;
    let currency = Currency::new(&settings.currency, settings.currency_places)
        .map_err(|error| StoreError::damaged("site", 1, error))?;
    check(store, currency, replay).await
}

/// Folds events and journal; with `replay` also builds every projection again from the first event on and compares all rows.
/// The station may run meanwhile only without `replay`.
///
/// # Errors
/// [`StoreError::Damaged`] names the first row that can't be read back or does not fit.
pub async fn check(store: &Store, currency: Currency, replay: bool) -> Result<Checked, StoreError> {
    let state = books::audit(store.readers(), currency).await?;
    let mut checked = Checked {
        events: state.last_event,
        entries: state.ledger.head().seq,
        head: state.ledger.head().hash.to_string(),
        balances: state.ledger.trial_balance().balances(),
        differences: Vec::new(),
        differing: 0,
    };
    if replay {
        let rebuilt = Store::scratch().await?;
        project_all(store, &rebuilt).await?;
        for (columns, table) in PROJECTED {
            compare(store, &rebuilt, columns, table, &mut checked).await?;
        }
        rebuilt.close().await;
    }
    Ok(checked)
}

/// Writes the projections of all stored events into an empty store.
async fn project_all(store: &Store, rebuilt: &Store) -> Result<(), StoreError> {
    let mut accounts: BTreeMap<AccountId, Account> = BTreeMap::new();
    let mut last = 0_i64;
    loop {
        let rows = sqlx::query("SELECT id, body FROM event WHERE id > $1 ORDER BY id LIMIT $2")
            .bind(last)
            .bind(PAGE_ROWS)
            .fetch_all(store.readers())
            .await?;
        let mut tx = rebuilt.begin().await?;
        for row in &rows {
            last = row.try_get("id")?;
            let event: Event = from_json("event", &last.to_string(), row.try_get("body")?)?;
            let account = accounts.entry(event.account).or_insert_with(|| Account::new(event.account));
            account.apply(&event).map_err(|error| StoreError::damaged("event", last, error))?;
            projection::event(&mut tx, last, &event).await?;
        }
        if i64::try_from(rows.len()).is_ok_and(|count| count < PAGE_ROWS) {
            for account in accounts.values() {
                projection::account(&mut tx, account, None).await?;
            }
            tx.commit().await?;
            return Ok(());
        }
        tx.commit().await?;
    }
}

/// Walks both tables in the order of their key.
async fn compare(
    store: &Store,
    rebuilt: &Store,
    columns: &str,
    table: (&str, &str),
    checked: &mut Checked,
) -> Result<(), StoreError> {
    let mut stored = rows(store, columns, table).await?.into_iter().peekable();
    let mut expected = rows(rebuilt, columns, table).await?.into_iter().peekable();
    loop {
        let order = match (stored.peek(), expected.peek()) {
            (None, None) => return Ok(()),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((is, _)), Some((should, _))) => is.cmp(should),
        };
        let difference = match order {
            std::cmp::Ordering::Less => stored.next().map(|(key, _)| format!("row {key} follows from no event")),
            std::cmp::Ordering::Greater => expected.next().map(|(key, _)| format!("row {key} is missing")),
            std::cmp::Ordering::Equal => match (stored.next(), expected.next()) {
                (Some((key, is)), Some((_, should))) if is != should => {
                    Some(format!("row {key} is ({}), the events say ({})", words(&is), words(&should)))
                }
                _ => None,
            },
        };
        if let Some(difference) = difference {
            checked.differing += 1;
            if checked.differences.len() < TOLD_MAX {
                checked.differences.push(format!("{}: {difference}", table.0));
            }
        }
    }
}

type KeyedRow = (i64, Vec<copy::Cell>);

async fn rows(store: &Store, columns: &str, table: (&str, &str)) -> Result<Vec<KeyedRow>, StoreError> {
    let rows = sqlx::query(copy::select(columns, table)).fetch_all(store.readers()).await?;
    rows.iter().map(|row| Ok((row.try_get(table.1)?, copy::cells(row)?))).collect()
}

fn words(cells: &[copy::Cell]) -> String {
    cells.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
