//! How long readings are kept, and what stays of them: the last of each local day and month.
//!
//! Money, events and the journal are kept for ever and never touched here.

use super::{Store, StoreError};
use crate::site::model::Keep;
use chrono::{Datelike, Months, NaiveDate};
use sqlx::{Any, Row, Transaction};

const SECONDS_A_DAY: i64 = 86_400;
/// Days that are written again, because a collector may bring readings from a time without a link.
const LATE_DAYS: i64 = 7;
/// Meters whose old rows go in one transaction.
const METERS_A_TRANSACTION: usize = 200;
/// Days that one call writes at most: after a long stop the rest comes with the next calls.
const DAYS_A_CALL: i64 = 62;

/// What one call of [`tidy`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Local days whose ends were written.
    pub days: u64,
    /// Rows that were deleted.
    pub deleted: u64,
    /// Days are left for the next call.
    pub more: bool,
}

/// Writes the ends of the days and months that are over, then deletes what is older than `keep`. Each day is a
/// transaction of its own, so that the books wait for none of it for long. A row of the curve is only deleted when the end
/// of its day is written.
///
/// # Errors
/// [`StoreError`]; what was committed stands, and the next call goes on behind it.
pub async fn tidy(store: &Store, keep: Keep, utc_offset_min: i32, now_utc_s: i64) -> Result<Tidied, StoreError> {
    let calendar = Calendar { offset_s: i64::from(utc_offset_min) * 60 };
    let today = calendar.day(now_utc_s);
    let mut tidied = Tidied::default();
    let (done, oldest) = spans(store, calendar).await?;
    let Some(first) = oldest.map(|oldest| done.map_or(oldest, |done| oldest.max(done + 1 - LATE_DAYS))) else {
        tidied.deleted = delete(store, keep, calendar, now_utc_s, None).await?;
        return Ok(tidied);
    };
    if done.is_some_and(|done| done >= today - 1) {
        tidied.deleted = delete(store, keep, calendar, now_utc_s, done).await?;
        return Ok(tidied);
    }
    let last = (today - 1).min(first + DAYS_A_CALL - 1);
    tidied.more = last < today - 1;
    for day in first..=last {
        let mut tx = store.begin().await?;
        end_of_day(&mut tx, calendar, day).await?;
        sqlx::query(
            "INSERT INTO tidied (id, local_day) VALUES (1, $1)
             ON CONFLICT (id) DO UPDATE SET local_day = excluded.local_day WHERE excluded.local_day > tidied.local_day",
        )
        .bind(day)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        tidied.days += 1;
    }
    // The month that today is in is not over.
    for month in month_of(first)..month_of(today).min(month_of(last) + 1) {
        let mut tx = store.begin().await?;
        end_of_month(&mut tx, month).await?;
        tx.commit().await?;
    }
    tidied.deleted = delete(store, keep, calendar, now_utc_s, Some(last)).await?;
    Ok(tidied)
}

/// A site's days: a fixed offset, as its meters' clocks have.
#[derive(Debug, Clone, Copy)]
struct Calendar {
    offset_s: i64,
}

impl Calendar {
    fn day(self, utc_s: i64) -> i64 {
        (utc_s + self.offset_s).div_euclid(SECONDS_A_DAY)
    }

    fn start_utc_s(self, day: i64) -> i64 {
        day * SECONDS_A_DAY - self.offset_s
    }
}

/// A day as a date; the first of all beyond the calendar, which no clock shows.
pub fn date_of(day: i64) -> NaiveDate {
    i32::try_from(day).ok().and_then(NaiveDate::from_epoch_days).unwrap_or(NaiveDate::MIN)
}

/// The month of a day, counted from year 0.
pub fn month_of(day: i64) -> i64 {
    let date = date_of(day);
    i64::from(date.year()) * 12 + i64::from(date.month0())
}

/// The first day of a month.
pub fn first_of(month: i64) -> NaiveDate {
    let year = i32::try_from(month.div_euclid(12)).unwrap_or(i32::MAX);
    let month = u32::try_from(month.rem_euclid(12) + 1).unwrap_or(1);
    NaiveDate::from_ymd_opt(year, month, 1).unwrap_or(NaiveDate::MIN)
}

fn day_number(date: NaiveDate) -> i64 {
    i64::from(date.to_epoch_days())
}

/// The last local day that is written, and the first that the curve has.
async fn spans(store: &Store, calendar: Calendar) -> Result<(Option<i64>, Option<i64>), StoreError> {
    let row = sqlx::query("SELECT (SELECT local_day FROM tidied) AS done, (SELECT min(day) FROM curve) AS oldest")
        .fetch_one(store.writer())
        .await?;
    let (done, oldest): (Option<i64>, Option<i64>) = (row.try_get("done")?, row.try_get("oldest")?);
    Ok((done, oldest.map(|day| calendar.day(day * SECONDS_A_DAY))))
}

async fn end_of_day(tx: &mut Transaction<'_, Any>, calendar: Calendar, day: i64) -> Result<(), StoreError> {
    let (from, to) = (calendar.start_utc_s(day), calendar.start_utc_s(day + 1));
    sqlx::query(
        "INSERT INTO day_end (span, meter, utc_s, energy_total, energy_spike, energy_peak, energy_flat, energy_valley,
             balance_minor, purchase_count)
         SELECT $1, curve.meter, curve.utc_s, energy_total, energy_spike, energy_peak, energy_flat, energy_valley,
             balance_minor, purchase_count
         FROM (SELECT meter, max(utc_s) AS utc_s FROM curve
               WHERE day >= $2 AND day <= $3 AND utc_s >= $4 AND utc_s < $5 GROUP BY meter) AS newest
         JOIN curve ON curve.day = newest.utc_s / 86400 AND curve.meter = newest.meter AND curve.utc_s = newest.utc_s
         WHERE curve.utc_s >= 0
         ON CONFLICT (meter, span) DO UPDATE SET utc_s = excluded.utc_s, energy_total = excluded.energy_total,
             energy_spike = excluded.energy_spike, energy_peak = excluded.energy_peak,
             energy_flat = excluded.energy_flat, energy_valley = excluded.energy_valley,
             balance_minor = excluded.balance_minor, purchase_count = excluded.purchase_count",
    )
    .bind(day)
    .bind(from.div_euclid(SECONDS_A_DAY))
    .bind(to.div_euclid(SECONDS_A_DAY))
    .bind(from)
    .bind(to)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn end_of_month(tx: &mut Transaction<'_, Any>, month: i64) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO month_end (span, meter, utc_s, energy_total, energy_spike, energy_peak, energy_flat, energy_valley,
             balance_minor, purchase_count)
         SELECT $1, day_end.meter, day_end.utc_s, energy_total, energy_spike, energy_peak, energy_flat, energy_valley,
             balance_minor, purchase_count
         FROM (SELECT meter, max(span) AS span FROM day_end WHERE span >= $2 AND span < $3 GROUP BY meter) AS newest
         JOIN day_end ON day_end.meter = newest.meter AND day_end.span = newest.span
         WHERE day_end.span >= 0
         ON CONFLICT (meter, span) DO UPDATE SET utc_s = excluded.utc_s, energy_total = excluded.energy_total,
             energy_spike = excluded.energy_spike, energy_peak = excluded.energy_peak,
             energy_flat = excluded.energy_flat, energy_valley = excluded.energy_valley,
             balance_minor = excluded.balance_minor, purchase_count = excluded.purchase_count",
    )
    .bind(month)
    .bind(day_number(first_of(month)))
    .bind(day_number(first_of(month + 1)))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Deletes what is too old; of the curve no day behind `written`.
async fn delete(
    store: &Store,
    keep: Keep,
    calendar: Calendar,
    now_utc_s: i64,
    written: Option<i64>,
) -> Result<u64, StoreError> {
    let status_from = now_utc_s - i64::from(keep.status_hours) * 3_600;
    let mut deleted = delete_before(store, Readings::Status, status_from).await?;
    let today = date_of(calendar.day(now_utc_s));
    let back = |months: u16| today.checked_sub_months(Months::new(months.into())).unwrap_or(NaiveDate::MIN);
    if let Some(written) = written {
        let first_kept = day_number(back(keep.curve_months)).min(written + 1 - LATE_DAYS);
        deleted += delete_before(store, Readings::Curve, calendar.start_utc_s(first_kept)).await?;
    }
    if let Some(months) = keep.days_months {
        // Whole months, so that the end of a month can still be written from its days.
        let first_kept = day_number(first_of(month_of(day_number(back(months)))));
        let mut tx = store.begin().await?;
        let days = sqlx::query("DELETE FROM day_end WHERE span < $1").bind(first_kept).execute(&mut *tx).await?;
        tx.commit().await?;
        deleted += days.rows_affected();
    }
    Ok(deleted)
}

/// A table whose key is day, meter and time.
#[derive(Debug, Clone, Copy)]
enum Readings {
    Status,
    Curve,
}

/// Deletes rows taken before an instant, some meters at a time.
async fn delete_before(store: &Store, readings: Readings, before_utc_s: i64) -> Result<u64, StoreError> {
    let (oldest, delete) = match readings {
        Readings::Status => (
            "SELECT min(day) AS day FROM status",
            "DELETE FROM status WHERE day = $1 AND meter >= $2 AND meter <= $3 AND utc_s < $4",
        ),
        Readings::Curve => (
            "SELECT min(day) AS day FROM curve",
            "DELETE FROM curve WHERE day = $1 AND meter >= $2 AND meter <= $3 AND utc_s < $4",
        ),
    };
    let oldest: Option<i64> = sqlx::query(oldest).fetch_one(store.writer()).await?.try_get("day")?;
    let Some(oldest) = oldest.filter(|day| day * SECONDS_A_DAY < before_utc_s) else { return Ok(0) };
    let rows = sqlx::query("SELECT number FROM meter ORDER BY number").fetch_all(store.writer()).await?;
    let meters = rows.iter().map(|row| row.try_get("number")).collect::<Result<Vec<String>, _>>()?;
    let mut deleted = 0;
    for day in oldest..=before_utc_s.div_euclid(SECONDS_A_DAY) {
        for meters in meters.chunks(METERS_A_TRANSACTION) {
            let (Some(first), Some(last)) = (meters.first(), meters.last()) else { continue };
            let mut tx = store.begin().await?;
            let rows =
                sqlx::query(delete).bind(day).bind(first).bind(last).bind(before_utc_s).execute(&mut *tx).await?;
            tx.commit().await?;
            deleted += rows.rows_affected();
        }
    }
    Ok(deleted)
}
