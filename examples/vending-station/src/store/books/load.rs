//! The state in memory, made from the stored events and the journal.

use crate::store::{StoreError, from_json};
use prepay_core::{
    account::{Account, Event, Purse},
    id::AccountId,
    ledger::{AccountKey, AccountKind, Entry, Ledger, LedgerError, ShardId},
    money::{Currency, Money},
};
use sqlx::{AnyPool, Row};
use std::collections::{BTreeMap, BTreeSet};

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
    /// Accounts of restored books whose meter was not read since; they take no sale.
    pub unproved: BTreeSet<AccountId>,
}

/// Folds all events and the whole journal.
///
/// # Errors
/// [`StoreError::Damaged`] names the first row that does not fit.
pub async fn load(pool: &AnyPool, currency: Currency) -> Result<State, StoreError> {
    let mut accounts: BTreeMap<AccountId, Account> = BTreeMap::new();
    let mut misfit = None;
    let last_event = each_event(pool, |event| {
        let account = accounts.entry(event.account).or_insert_with(|| Account::new(event.account));
        if let (None, Err(error)) = (&misfit, account.apply(event)) {
            misfit = Some(StoreError::damaged("event", format!("{} of account {}", event.seq, event.account.0), error));
        }
    })
    .await?;
    if let Some(misfit) = misfit {
        return Err(misfit);
    }
    // Waits that were under way begin again in full.
    for account in accounts.values_mut() {
        account.restarted();
    }
    let mut ledger = ledger(pool, currency).await?;
    for account in accounts.values() {
        guard_purse(&mut ledger, account).map_err(|error| StoreError::damaged("account", account.id().0, error))?;
    }
    let last_sale = sqlx::query("SELECT coalesce(max(id), 0) AS id FROM sale").fetch_one(pool).await?.try_get("id")?;
    let rows = sqlx::query("SELECT account FROM unproved").fetch_all(pool).await?;
    let unproved = rows.iter().map(|row| Ok(AccountId(row.try_get::<i64, _>("account")?.unsigned_abs())));
    let unproved = unproved.collect::<Result<_, sqlx::Error>>()?;
    Ok(State { accounts, ledger, last_event, last_sale, unproved })
}

/// With the purse in the meter, the customer's money at the station is only on its way: it is never overdrawn. Limits are no
/// part of the journal and are set again after each start.
pub(super) fn guard_purse(ledger: &mut Ledger, account: &Account) -> Result<(), LedgerError> {
    let in_meter = account.terms().is_some_and(|terms| terms.purse == Purse::InMeter);
    let purse = AccountKey::new(AccountKind::CustomerPurse, account.id().0);
    if in_meter { ledger.set_overdraft_limit(purse, Some(Money::ZERO)) } else { Ok(()) }
}

/// Shows every stored event in order and returns the number of the last row.
///
/// # Errors
/// [`StoreError::Damaged`] names a row that can't be read back.
pub async fn each_event(pool: &AnyPool, mut look: impl FnMut(&Event)) -> Result<i64, StoreError> {
    let mut last = 0_i64;
    loop {
        let rows = sqlx::query("SELECT id, body FROM event WHERE id > $1 ORDER BY id LIMIT $2")
            .bind(last)
            .bind(PAGE_ROWS)
            .fetch_all(pool)
            .await?;
        for row in &rows {
            last = row.try_get("id")?;
            look(&from_json("event", &last.to_string(), row.try_get("body")?)?);
        }
        if i64::try_from(rows.len()).is_ok_and(|count| count < PAGE_ROWS) {
            return Ok(last);
        }
    }
}

async fn ledger(pool: &AnyPool, currency: Currency) -> Result<Ledger, StoreError> {
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
