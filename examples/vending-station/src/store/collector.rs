//! What the station keeps about its collectors: how far their queues of readings are stored, and which numbers of orders
//! were given.

use super::{Store, StoreError};
use sqlx::{Row, Sqlite, Transaction};

/// Orders that can be given between two starts of the station.
const ORDERS_A_START: u64 = 1 << 32;

/// The number of the first order to a collector after this start. No earlier start has given it.
///
/// # Errors
/// [`StoreError`].
pub async fn first_order(store: &Store, code: &str) -> Result<u64, StoreError> {
    let row = sqlx::query(
        "INSERT INTO order_start (collector, start) VALUES ($1, 1)
         ON CONFLICT (collector) DO UPDATE SET start = order_start.start + 1 RETURNING start",
    )
    .bind(code)
    .fetch_one(store.writer())
    .await?;
    Ok(unsigned("order_start", code, row.try_get("start")?)?.saturating_mul(ORDERS_A_START))
}

/// Raises the numbers of orders above `seen`, which a collector has from before a restored backup, and returns the first
/// free one.
///
/// # Errors
/// [`StoreError`].
pub async fn raise_orders(store: &Store, code: &str, seen: u64) -> Result<u64, StoreError> {
    let start = seen / ORDERS_A_START + 1;
    let signed = i64::try_from(start).map_err(|_| StoreError::damaged("order_start", code, format!("order {seen}")))?;
    sqlx::query("UPDATE order_start SET start = $2 WHERE collector = $1 AND start < $2")
        .bind(code)
        .bind(signed)
        .execute(store.writer())
        .await?;
    Ok(start.saturating_mul(ORDERS_A_START))
}

/// The last reading of a line's queue that is stored; 0 before the first.
///
/// # Errors
/// [`StoreError`].
pub async fn stored_through(store: &Store, line: &str, queue: u64) -> Result<u64, StoreError> {
    let row = sqlx::query("SELECT seq FROM line_mark WHERE line = $1 AND queue = $2")
        .bind(line)
        .bind(name(queue))
        .fetch_optional(store.readers())
        .await?;
    row.map_or(Ok(0), |row| unsigned("line_mark", line, row.try_get("seq")?))
}

/// Moves the mark of a queue in the transaction that stores the readings up to it.
pub(super) async fn advance(
    tx: &mut Transaction<'_, Sqlite>,
    line: &str,
    queue: u64,
    seq: u64,
) -> Result<(), StoreError> {
    let seq = i64::try_from(seq).map_err(|_| StoreError::damaged("line_mark", line, format!("seq {seq}")))?;
    sqlx::query(
        "INSERT INTO line_mark (line, queue, seq) VALUES ($1, $2, $3)
         ON CONFLICT (line, queue) DO UPDATE SET seq = excluded.seq",
    )
    .bind(line)
    .bind(name(queue))
    .bind(seq)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A queue's name as the column holds it.
fn name(queue: u64) -> String {
    format!("{queue:016x}")
}

fn unsigned(table: &'static str, row: &str, value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::damaged(table, row, format!("{value} is negative")))
}
