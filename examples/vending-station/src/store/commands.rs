//! Rows of remote commands.

use super::{Store, StoreError};
use sqlx::{Row, any::AnyRow};

/// A request as it is stored.
#[derive(Debug, Clone)]
pub struct BatchRow {
    /// Its number.
    pub id: i64,
    /// Its idempotency key.
    pub key: String,
    /// The request as it came.
    pub request: String,
    /// What is done.
    pub kind: String,
    /// Who asked.
    pub operator: i64,
    /// Whether that was as an administrator.
    pub administrator: bool,
    /// Why.
    pub why: String,
    /// Until when an order stands.
    pub until_utc_s: Option<i64>,
    /// `running`, `cancelled` or `done`.
    pub state: String,
    /// When it was asked for.
    pub made_utc_s: i64,
}

/// What becomes of one meter.
#[derive(Debug, Clone)]
pub struct TargetRow {
    /// The meter.
    pub meter: String,
    /// Its account; 0: it has none.
    pub account: i64,
    /// Its state.
    pub state: String,
    /// The version of the relay order; 0: none.
    pub version: i64,
    /// Power before, W.
    pub power_w: i64,
    /// Why, where the state has a reason.
    pub reason: String,
    /// When the state was reached.
    pub changed_utc_s: i64,
}

/// What [`create`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// The batch is stored.
    New(i64),
    /// The key and the request were there before.
    Replayed(i64),
    /// The key was used for another request.
    OtherRequest,
}

/// Stores a request and its meters in one transaction, once for each key.
///
/// # Errors
/// [`StoreError`]; nothing is stored then.
pub async fn create(store: &Store, batch: &BatchRow, targets: &[TargetRow]) -> Result<Created, StoreError> {
    let mut tx = store.begin().await?;
    let known = sqlx::query("SELECT id, request FROM batch WHERE request_key = $1")
        .bind(&batch.key)
        .fetch_optional(&mut *tx)
        .await?;
    if let Some(known) = known {
        let same = known.try_get::<String, _>("request")? == batch.request;
        return Ok(if same { Created::Replayed(known.try_get("id")?) } else { Created::OtherRequest });
    }
    let next = sqlx::query("SELECT coalesce(max(id), 0) + 1 AS id FROM batch").fetch_one(&mut *tx).await?;
    let id: i64 = next.try_get("id")?;
    sqlx::query(
        "INSERT INTO batch (id, request_key, request, kind, operator_id, administrator, why, until_utc_s, state, made_utc_s)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'running', $9)",
    )
    .bind(id)
    .bind(&batch.key)
    .bind(&batch.request)
    .bind(&batch.kind)
    .bind(batch.operator)
    .bind(i64::from(batch.administrator))
    .bind(&batch.why)
    .bind(batch.until_utc_s)
    .bind(batch.made_utc_s)
    .execute(&mut *tx)
    .await?;
    for target in targets {
        sqlx::query(
            "INSERT INTO batch_meter (batch, meter, account, state, version, power_w, reason, changed_utc_s)
             VALUES ($1, $2, $3, 'waiting', 0, $4, '', $5)",
        )
        .bind(id)
        .bind(&target.meter)
        .bind(target.account)
        .bind(target.power_w)
        .bind(batch.made_utc_s)
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await?;
    Ok(Created::New(id))
}

/// The batches that are not at their end, oldest first.
///
/// # Errors
/// [`StoreError`].
pub async fn running(store: &Store) -> Result<Vec<BatchRow>, StoreError> {
    let rows =
        sqlx::query("SELECT * FROM batch WHERE state = 'running' ORDER BY id").fetch_all(store.readers()).await?;
    rows.iter().map(batch_row).collect()
}

/// The newest batches, newest first.
///
/// # Errors
/// [`StoreError`].
pub async fn newest(store: &Store, limit: i64) -> Result<Vec<BatchRow>, StoreError> {
    let rows =
        sqlx::query("SELECT * FROM batch ORDER BY id DESC LIMIT $1").bind(limit).fetch_all(store.readers()).await?;
    rows.iter().map(batch_row).collect()
}

/// One batch. It is looked for where it was just written.
///
/// # Errors
/// [`StoreError`].
pub async fn batch(store: &Store, id: i64) -> Result<Option<BatchRow>, StoreError> {
    let row = sqlx::query("SELECT * FROM batch WHERE id = $1").bind(id).fetch_optional(store.readers()).await?;
    row.as_ref().map(batch_row).transpose()
}

/// The batch that a key was used for.
///
/// # Errors
/// [`StoreError`].
pub async fn of_key(store: &Store, key: &str) -> Result<Option<BatchRow>, StoreError> {
    let row =
        sqlx::query("SELECT * FROM batch WHERE request_key = $1").bind(key).fetch_optional(store.readers()).await?;
    row.as_ref().map(batch_row).transpose()
}

/// The meters of a batch in one state; none: in any.
///
/// # Errors
/// [`StoreError`].
pub async fn targets(store: &Store, batch: i64, state: Option<&str>, limit: i64) -> Result<Vec<TargetRow>, StoreError> {
    let rows =
        sqlx::query("SELECT * FROM batch_meter WHERE batch = $1 AND ($2 = '' OR state = $2) ORDER BY meter LIMIT $3")
            .bind(batch)
            .bind(state.unwrap_or_default())
            .bind(limit)
            .fetch_all(store.readers())
            .await?;
    rows.iter().map(target_row).collect()
}

/// How many meters of a batch are in which state.
///
/// # Errors
/// [`StoreError`].
pub async fn counts(store: &Store, batch: i64) -> Result<Vec<(String, i64)>, StoreError> {
    let rows =
        sqlx::query("SELECT state, count(*) AS n FROM batch_meter WHERE batch = $1 GROUP BY state ORDER BY state")
            .bind(batch)
            .fetch_all(store.readers())
            .await?;
    rows.iter().map(|row| Ok((row.try_get("state")?, row.try_get("n")?))).collect()
}

/// Moves one meter of a batch from one state to another, if it still is in that one.
///
/// # Errors
/// [`StoreError`].
pub async fn advance(
    store: &Store,
    batch: i64,
    meter: &str,
    from: &str,
    to: &str,
    reason: &str,
    utc_s: i64,
) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    sqlx::query(
        "UPDATE batch_meter SET state = $4, reason = $5, changed_utc_s = $6
         WHERE batch = $1 AND meter = $2 AND state = $3",
    )
    .bind(batch)
    .bind(meter)
    .bind(from)
    .bind(to)
    .bind(reason)
    .bind(utc_s)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

/// Orders that nobody has answered since `before_utc_s` are not reached so far.
///
/// # Errors
/// [`StoreError`].
pub async fn give_up_waiting(store: &Store, batch: i64, before_utc_s: i64, utc_s: i64) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    sqlx::query(
        "UPDATE batch_meter SET state = 'not_reached', reason = 'no answer yet; the order stands', changed_utc_s = $3
         WHERE batch = $1 AND state = 'sent' AND changed_utc_s < $2",
    )
    .bind(batch)
    .bind(before_utc_s)
    .bind(utc_s)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

/// What was under way when the station stopped begins again: only readings, which change nothing.
///
/// # Errors
/// [`StoreError`].
pub async fn begin_again(store: &Store, batch: i64) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    sqlx::query("UPDATE batch_meter SET state = 'waiting' WHERE batch = $1 AND state = 'sent'")
        .bind(batch)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(())
}

/// The meters of a batch that are not ordered yet never will be; what was ordered stands.
///
/// # Errors
/// [`StoreError`].
pub async fn cancel(store: &Store, batch: i64, utc_s: i64) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    sqlx::query("UPDATE batch SET state = 'cancelled' WHERE id = $1 AND state = 'running'")
        .bind(batch)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "UPDATE batch_meter SET state = 'cancelled', changed_utc_s = $2 WHERE batch = $1 AND state = 'waiting'",
    )
    .bind(batch)
    .bind(utc_s)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

/// Nothing of the batch waits any more.
///
/// # Errors
/// [`StoreError`].
pub async fn finish(store: &Store, batch: i64) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    sqlx::query("UPDATE batch SET state = 'done' WHERE id = $1 AND state = 'running'")
        .bind(batch)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(())
}

fn batch_row(row: &AnyRow) -> Result<BatchRow, StoreError> {
    Ok(BatchRow {
        id: row.try_get("id")?,
        key: row.try_get("request_key")?,
        request: row.try_get("request")?,
        kind: row.try_get("kind")?,
        operator: row.try_get("operator_id")?,
        administrator: row.try_get::<i64, _>("administrator")? != 0,
        why: row.try_get("why")?,
        until_utc_s: row.try_get("until_utc_s")?,
        state: row.try_get("state")?,
        made_utc_s: row.try_get("made_utc_s")?,
    })
}

fn target_row(row: &AnyRow) -> Result<TargetRow, StoreError> {
    Ok(TargetRow {
        meter: row.try_get("meter")?,
        account: row.try_get("account")?,
        state: row.try_get("state")?,
        version: row.try_get("version")?,
        power_w: row.try_get("power_w")?,
        reason: row.try_get("reason")?,
        changed_utc_s: row.try_get("changed_utc_s")?,
    })
}
