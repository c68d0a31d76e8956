//! `GET /api/meters/{number}/history`: what is kept of a meter's readings.

use super::{problem::Problem, views::Scale};
use crate::{
    amount::{centi, milli, minor},
    local_time,
    station::Station,
    store::{
        history::{self, By, Kept},
        keep::{date_of, first_of},
    },
};
use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    by: By,
    /// Goes on behind this: `next_after` of the answer before.
    #[serde(default = "from_the_first")]
    after: i64,
}

const fn from_the_first() -> i64 {
    -1
}

/// Rows in order.
#[derive(Debug, Serialize)]
pub struct HistoryView {
    meter: String,
    rows: Vec<RowView>,
    /// Where to go on; none at the end.
    next_after: Option<i64>,
}

#[derive(Debug, Serialize)]
struct RowView {
    /// The day or month that the row ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    span: Option<String>,
    read_local: String,
    energy_kwh: String,
    used_kwh: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rates_kwh: Option<[String; 4]>,
    meter_balance: String,
    purchase_count: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    power_kw: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_words: Option<[String; 2]>,
}

impl RowView {
    fn new(row: &Kept, by: By, scale: Scale) -> Self {
        Self {
            span: match by {
                By::Poll | By::Curve => None,
                By::Day => Some(date_of(row.at).to_string()),
                By::Month => Some(first_of(row.at).format("%Y-%m").to_string()),
            },
            read_local: local_time::stamp(row.utc_s, scale.utc_offset_min),
            energy_kwh: centi(row.total),
            used_kwh: row.used.map(centi),
            rates_kwh: row.rates.map(|rates| rates.map(centi)),
            meter_balance: minor(row.balance_minor, scale.places),
            purchase_count: row.purchase_count,
            power_kw: row.status.map(|(power_w, _)| milli(power_w)),
            status_words: row.status.map(|(_, words)| words.map(|word| format!("{word:04X}H"))),
        }
    }
}

/// Answers a question for a meter's history.
pub async fn show(
    State(station): State<Arc<Station>>,
    Path(number): Path<String>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<HistoryView>, Problem> {
    let Query(wanted) = wanted.map_err(|error| Problem::bad_request(error.body_text()))?;
    if !station.site.meters.iter().any(|meter| meter.number == number) {
        return Err(Problem::not_found(format!("there is no meter {number}")));
    }
    let rows = history::of_meter(&station.store, &number, wanted.by, wanted.after).await?;
    let full = i64::try_from(rows.len()).is_ok_and(|count| count == history::ROWS_MAX);
    Ok(Json(HistoryView {
        meter: number,
        next_after: rows.last().filter(|_| full).map(|row| row.at),
        rows: rows.iter().map(|row| RowView::new(row, wanted.by, station.scale())).collect(),
    }))
}
