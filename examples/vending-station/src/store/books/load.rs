//! The state in memory, made from the stored events and the journal.

use crate::store::{StoreError, from_json};
use prepay_core::{
    account::{Account, Event},
    id::AccountId,
    ledger::{Entry, Ledger, ShardId},
    money::Currency,
};
use sqlx::{Row, SqlitePool};
use std::collections::BTreeMap;

/// The station has one ledger.
const SHARD: ShardId = ShardId(0);
/// Rows that are read at once.
const PAGE_ROWS: i64 = 10_000;

/// All accounts and the ledger.
#[derive(Debug, Clone)]
pub struct State {
    /// Accounts by number.
    pub accounts: BTreeMap<AccountId, Account>,
    /// The balances.
    pub ledger: Ledger,
    /// The number of the last event row.
    pub last_event: i64,
    /// The number of the last sale.
    pub last_sale: i64,
}

/// What reading the file again from its first row shows.
#[derive(Debug, Clone)]
pub struct Audit {
    /// The state that the events and the journal make.
    pub state: State,
    /// Journal lines, all of whose hashes are right.
    pub journal_lines: u64,
}

/// Folds all events and the whole journal.
pub async fn load(pool: &SqlitePool, currency: Currency) -> Result<State, StoreError> {
    let mut accounts: BTreeMap<AccountId, Account> = BTreeMap::new();
    let mut last_event = 0;
    loop {
        let rows = sqlx::query("SELECT id, body FROM event WHERE id > $1 ORDER BY id LIMIT $2")
            .bind(last_event)
            .bind(PAGE_ROWS)
            .fetch_all(pool)
            .await?;
        for row in &rows {
            last_event = row.try_get("id")?;
            let event: Event = from_json("event", &last_event.to_string(), row.try_get("body")?)?;
            accounts
                .entry(event.account)
                .or_insert_with(|| Account::new(event.account))
                .apply(&event)
                .map_err(|error| StoreError::damaged("event", last_event, error))?;
        }
        if i64::try_from(rows.len()).is_ok_and(|count| count < PAGE_ROWS) {
            break;
        }
    }
    // Waits that were under way begin again in full.
    for account in accounts.values_mut() {
        account.restarted();
    }
    let ledger = ledger(pool, currency).await?;
    let last_sale = sqlx::query("SELECT coalesce(max(id), 0) AS id FROM sale").fetch_one(pool).await?.try_get("id")?;
    Ok(State { accounts, ledger, last_event, last_sale })
}

async fn ledger(pool: &SqlitePool, currency: Currency) -> Result<Ledger, StoreError> {
    let mut ledger = Ledger::new(currency, SHARD);
    let mut last = 0_i64;
    loop {
        let rows = sqlx::query("SELECT seq, body FROM journal WHERE seq > $1 ORDER BY seq LIMIT $2")
            .bind(last)
            .bind(PAGE_ROWS)
            .fetch_all(pool)
            .await?;
        for row in &rows {
            last = row.try_get("seq")?;
            let entry: Entry = from_json("journal", &last.to_string(), row.try_get("body")?)?;
            ledger.replay(&entry).map_err(|error| StoreError::damaged("journal", last, error))?;
        }
        if i64::try_from(rows.len()).is_ok_and(|count| count < PAGE_ROWS) {
            break;
        }
    }
    Ok(ledger)
}

/// Reads the whole file again, apart from the state in memory.
///
/// # Errors
/// [`StoreError::Damaged`] names the first row that does not fit.
pub async fn audit(pool: &SqlitePool, currency: Currency) -> Result<Audit, StoreError> {
    let state = load(pool, currency).await?;
    let journal_lines = state.ledger.head().seq;
    Ok(Audit { state, journal_lines })
}
