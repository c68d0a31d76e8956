//! What is kept of a meter's readings: single polls, the curve, and the ends of days and months.

use super::{Store, StoreError};
use serde::Deserialize;
use sqlx::{Row, any::AnyRow};

/// Rows of one answer.
pub const ROWS_MAX: i64 = 1_000;

/// Which rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Each poll of the last hours.
    Poll,
    /// One row an interval.
    Curve,
    /// The last of each local day.
    Day,
    /// The last of each local month.
    Month,
}

/// One kept reading. Energies are 0.01 kWh, money minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Where the next question goes on: seconds since 1970 UTC, days since 1970, or months since year 0.
    pub at: i64,
    /// When it was read.
    pub utc_s: i64,
    /// Total energy.
    pub total: i64,
    /// Energy since the row before; none for the first row that is kept.
    pub used: Option<i64>,
    /// Spike, peak, flat, valley; none for single polls.
    pub rates: Option<[i64; 4]>,
    /// What the meter shows as its balance.
    pub balance_minor: i64,
    /// How often it was sold to.
    pub purchase_count: i64,
    /// Power in W and the two status words; only for single polls.
    pub status: Option<(i64, [i64; 2])>,
}

/// The kept readings of a meter behind `after`, in order, at most [`ROWS_MAX`].
///
/// # Errors
/// [`StoreError`].
pub async fn of_meter(store: &Store, meter: &str, by: By, after: i64) -> Result<Vec<Kept>, StoreError> {
    // The row at or before `after` is fetched too: the first answer's use is counted from it.
    let sql = match by {
        By::Poll => {
            "SELECT utc_s AS at, status.* FROM status
             WHERE meter = $1 AND utc_s >= coalesce((SELECT max(utc_s) FROM status WHERE meter = $1 AND utc_s <= $2), $2)
             ORDER BY utc_s LIMIT $3"
        }
        By::Curve => {
            "SELECT utc_s AS at, curve.* FROM curve
             WHERE meter = $1 AND utc_s >= coalesce((SELECT max(utc_s) FROM curve WHERE meter = $1 AND utc_s <= $2), $2)
             ORDER BY utc_s LIMIT $3"
        }
        By::Day => {
            "SELECT span AS at, day_end.* FROM day_end
             WHERE meter = $1 AND span >= coalesce((SELECT max(span) FROM day_end WHERE meter = $1 AND span <= $2), $2)
             ORDER BY span LIMIT $3"
        }
        By::Month => {
            "SELECT span AS at, month_end.* FROM month_end
             WHERE meter = $1
                 AND span >= coalesce((SELECT max(span) FROM month_end WHERE meter = $1 AND span <= $2), $2)
             ORDER BY span LIMIT $3"
        }
    };
    let rows = sqlx::query(sql).bind(meter).bind(after).bind(ROWS_MAX + 1).fetch_all(store.readers()).await?;
    let mut kept: Vec<Kept> = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut next = read(row, by)?;
        next.used = kept.last().map(|before| next.total - before.total);
        kept.push(next);
    }
    kept.retain(|row| row.at > after);
    kept.truncate(usize::try_from(ROWS_MAX).unwrap_or(usize::MAX));
    Ok(kept)
}

fn read(row: &AnyRow, by: By) -> Result<Kept, StoreError> {
    let int = |name: &'static str| row.try_get::<i64, _>(name);
    let single = by == By::Poll;
    let rates = || {
        Ok::<_, sqlx::Error>([int("energy_spike")?, int("energy_peak")?, int("energy_flat")?, int("energy_valley")?])
    };
    Ok(Kept {
        at: int("at")?,
        utc_s: int("utc_s")?,
        total: int("energy_total")?,
        used: None,
        rates: if single { None } else { Some(rates()?) },
        balance_minor: int("balance_minor")?,
        purchase_count: int("purchase_count")?,
        status: if single { Some((int("power_w")?, [int("status_1")?, int("status_2")?])) } else { None },
    })
}
