//! Who may write a shared database: one process at a time, named by a row that it renews.
//!
//! Each time the row changes hands its fencing number grows by one. Every transaction that writes looks for its own number
//! first, so a process that was thought dead and wakes up again can't write beside its successor.

use super::StoreError;
use sqlx::{Any, AnyPool, Row, Transaction};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// A holder that has not renewed for this long has lost the lease.
pub const LEASE: Duration = Duration::from_secs(20);
/// How often the holder renews it.
const RENEW_EVERY: Duration = Duration::from_secs(4);
/// How often one who waits looks whether it is free.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The holder stops acting this long before others may begin.
const MARGIN: Duration = Duration::from_secs(2);
/// What the lease is on: the books and with them every line.
const NAME: &str = "books";

/// The database's clock, ms; the clocks of the processes may differ.
const CLAIM: &str = "INSERT INTO lease (name, fence, until_ms)
     VALUES ($1, 1, cast(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) + $2)
     ON CONFLICT (name) DO UPDATE SET fence = lease.fence + 1, until_ms = excluded.until_ms
         WHERE lease.until_ms < cast(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)
     RETURNING fence";
const RENEW: &str = "UPDATE lease SET until_ms = cast(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) + $3
     WHERE name = $1 AND fence = $2";
const GIVE_BACK: &str = "UPDATE lease SET until_ms = 0 WHERE name = $1 AND fence = $2";
/// Holds the row until the transaction's end, so that nobody takes over in between.
const HOLD: &str = "SELECT fence FROM lease WHERE name = $1 AND fence = $2 FOR SHARE";

/// A lease that is held, or was.
#[derive(Debug)]
pub(super) struct Lease {
    fence: i64,
    lost: Arc<AtomicBool>,
    /// When the last successful renewal was begun.
    renewed: Arc<Mutex<Instant>>,
    renewer: tokio::task::JoinHandle<()>,
}

impl Lease {
    /// Waits until the lease is free, up to a time, and keeps it from then on.
    pub(super) async fn take(pool: &AnyPool, patience: Duration) -> Result<Option<Self>, StoreError> {
        let since = Instant::now();
        loop {
            let begun = Instant::now();
            let row = sqlx::query(CLAIM).bind(NAME).bind(millis(LEASE)).fetch_optional(pool).await?;
            if let Some(row) = row {
                return Ok(Some(Self::held(row.try_get("fence")?, begun, pool.clone())));
            }
            if since.elapsed() >= patience {
                return Ok(None);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn held(fence: i64, begun: Instant, pool: AnyPool) -> Self {
        let lost = Arc::new(AtomicBool::new(false));
        let renewed = Arc::new(Mutex::new(begun));
        let renewer = tokio::spawn(renew(fence, pool, lost.clone(), renewed.clone()));
        Self { fence, lost, renewed, renewer }
    }

    /// Whether this process may still act. No answer from the database for too long means no.
    pub(super) fn holds(&self) -> bool {
        let renewed = *self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        !self.lost.load(Ordering::Acquire) && renewed.elapsed() + MARGIN < LEASE
    }

    /// Makes sure, within a transaction and until its end, that nobody else has taken over.
    pub(super) async fn fence(&self, tx: &mut Transaction<'_, Any>) -> Result<(), StoreError> {
        let row = sqlx::query(HOLD).bind(NAME).bind(self.fence).fetch_optional(&mut **tx).await?;
        if row.is_none() {
            self.lost.store(true, Ordering::Release);
            return Err(StoreError::LeaseLost { fence: self.fence });
        }
        Ok(())
    }

    /// Lets the next one begin at once.
    pub(super) async fn give_back(&self, pool: &AnyPool) {
        self.renewer.abort();
        self.lost.store(true, Ordering::Release);
        if let Err(error) = sqlx::query(GIVE_BACK).bind(NAME).bind(self.fence).execute(pool).await {
            tracing::warn!(%error, "the lease was not given back; it ends by itself");
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewer.abort();
    }
}

async fn renew(fence: i64, pool: AnyPool, lost: Arc<AtomicBool>, renewed: Arc<Mutex<Instant>>) {
    let mut every = tokio::time::interval(RENEW_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let begun = Instant::now();
        match sqlx::query(RENEW).bind(NAME).bind(fence).bind(millis(LEASE)).execute(&pool).await {
            Ok(done) if done.rows_affected() == 1 => {
                *renewed.lock().unwrap_or_else(PoisonError::into_inner) = begun;
            }
            Ok(_) => {
                tracing::error!(fence, "another process has taken the books over; this one stops writing");
                lost.store(true, Ordering::Release);
                return;
            }
            Err(error) => tracing::warn!(%error, "the lease was not renewed; trying again"),
        }
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
