//! The JSON calls and the page's addresses. A handler parses, calls one function, and shows what came of it.

pub mod commands;
pub mod history;
pub mod order;
pub mod problem;
pub mod views;

use crate::{
    console,
    station::Station,
    store::{books::SellError, read},
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use problem::Problem;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::IpAddr, sync::Arc};
use views::{AccountView, CollectorView, MeterView, SaleView, TileView};

/// The longest request body, bytes.
pub const BODY_BYTES_MAX: usize = 4096;

/// All addresses.
pub fn router(station: Arc<Station>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/assets/live.css", get(|| asset("text/css; charset=utf-8", include_str!("../../assets/live.css"))))
        .route("/assets/live.js", get(|| asset("text/javascript; charset=utf-8", include_str!("../../assets/live.js"))))
        .route("/assets/icon.svg", get(|| asset("image/svg+xml", include_str!("../../assets/icon.svg"))))
        .route("/api/live", get(live))
        .route("/api/totals", get(totals))
        .route("/api/meters", get(meters))
        .route("/api/meters/{number}/history", get(history::show))
        .route("/api/accounts/{id}", get(account))
        .route("/api/sales", post(sell))
        .route("/api/sales/{id}", get(sale))
        .merge(commands())
        .fallback(|| async { Problem::not_found("there is nothing at this address") })
        .layer(axum::extract::DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(guard))
        .with_state(station)
}

/// Remote commands. Their requests may name every meter of the site.
fn commands() -> Router<Arc<Station>> {
    Router::new()
        .route("/commands", get(commands::page).post(commands::order_by_form))
        .route("/api/commands", get(commands::list).post(commands::order))
        .route("/api/commands/preview", post(commands::preview))
        .route("/api/commands/{id}", get(commands::show))
        .route("/api/commands/{id}/cancel", post(commands::cancel))
        .route("/api/commands/{id}/retry", post(commands::retry))
        .route("/api/meters.csv", get(commands::export))
        .layer(axum::extract::DefaultBodyLimit::max(commands::BODY_BYTES_MAX))
}

/// A page of another site must not be able to sell: its requests carry its own origin, or another name for this host.
async fn guard(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let origin = request.headers().get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    let own = origin.is_none_or(|origin| origin.strip_prefix("http://") == Some(host));
    if !is_this_computer(host) || !own {
        return Problem::new(
            StatusCode::FORBIDDEN,
            "foreign-origin",
            "Forbidden",
            "the demonstration answers only its own page on this computer",
        )
        .into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"),
    );
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// Whether a `Host` header names this computer itself, not a name that somebody else's name server answers for.
fn is_this_computer(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

async fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind)], text)
}

#[derive(Debug, Deserialize)]
struct PageQuery {
    lang: Option<String>,
}

async fn page(
    State(station): State<Arc<Station>>,
    Query(query): Query<PageQuery>,
    headers: HeaderMap,
) -> Result<Html<String>, Problem> {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let lang = console::Lang::choose(query.lang.as_deref(), accepted);
    let rows = read::meters(&station.store).await?;
    let counts = counts(&station, &rows, read::sales_count(&station.store).await?);
    console::page(&station.site, &rows, &counts, &collectors(&station), lang, station.scale())
        .map(Html)
        .map_err(|error| Problem::store(&error))
}

/// The numbers in the page's head, by code.
pub type Counts = BTreeMap<&'static str, i64>;

fn counts(station: &Station, rows: &[read::MeterRow], sales: i64) -> Counts {
    let scale = station.scale();
    let tiles: Vec<TileView> = rows.iter().filter_map(|row| TileView::new(row, scale)).collect();
    let with = |check: &dyn Fn(&TileView) -> bool| {
        tiles.iter().filter(|tile| check(tile)).count().try_into().unwrap_or(i64::MAX)
    };
    let totals = station.totals.snapshot();
    BTreeMap::from([
        ("meters", rows.len().try_into().unwrap_or(i64::MAX)),
        ("shops", with(&|_| true)),
        ("alarm_1", with(&|tile| tile.money == "alarm_1")),
        ("alarm_2", with(&|tile| tile.money == "alarm_2")),
        ("arrears", with(&|tile| tile.money == "arrears")),
        ("off", with(&|tile| tile.supply == "off")),
        ("lost", with(&|tile| tile.link == "lost")),
        ("reads", totals.reads),
        ("lost_replies", totals.lost_replies),
        ("sales", sales),
    ])
}

fn collectors(station: &Station) -> Vec<CollectorView> {
    station.gate.states().into_iter().map(|state| CollectorView::new(state, station.scale())).collect()
}

#[derive(Debug, Serialize)]
struct Live {
    local_time: String,
    counts: Counts,
    collectors: Vec<CollectorView>,
    shops: Vec<TileView>,
}

async fn live(State(station): State<Arc<Station>>) -> Result<Json<Live>, Problem> {
    let rows = read::meters(&station.store).await?;
    let scale = station.scale();
    Ok(Json(Live {
        local_time: crate::local_time::stamp(scale.now_utc_s, scale.utc_offset_min),
        counts: counts(&station, &rows, read::sales_count(&station.store).await?),
        collectors: collectors(&station),
        shops: rows.iter().filter_map(|row| TileView::new(row, scale)).collect(),
    }))
}

/// What the lines have done since the start.
async fn totals(State(station): State<Arc<Station>>) -> Json<crate::totals::Snapshot> {
    Json(station.totals.snapshot())
}

async fn meters(State(station): State<Arc<Station>>) -> Result<Json<Vec<MeterView>>, Problem> {
    let rows = read::meters(&station.store).await?;
    Ok(Json(rows.iter().map(|row| MeterView::new(row, station.scale())).collect()))
}

async fn account(State(station): State<Arc<Station>>, Path(id): Path<i64>) -> Result<Json<AccountView>, Problem> {
    let rows = read::meters(&station.store).await?;
    let row = rows.iter().find(|row| row.shop.as_ref().is_some_and(|shop| shop.account == id));
    let sales = read::sales_of(&station.store, id).await?;
    let events = read::events_of(&station.store, id, &console::event_codes()).await?;
    row.and_then(|row| AccountView::new(row, &sales, &events, station.scale()))
        .map(Json)
        .ok_or_else(|| Problem::not_found(format!("there is no account {id}")))
}

async fn sale(State(station): State<Arc<Station>>, Path(id): Path<i64>) -> Result<Json<SaleView>, Problem> {
    let row = read::sale(&station.store, id).await?;
    row.map(|row| Json(SaleView::new(&row, station.scale())))
        .ok_or_else(|| Problem::not_found(format!("there is no sale {id}")))
}

async fn sell(
    State(station): State<Arc<Station>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<SaleView>), Problem> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let places = station.site.settings.currency_places;
    let order = order::read(header("content-type"), header("idempotency-key"), &body, places)?;
    let id = station.books.sell(&order.key, &body, order.account, order.amount_minor, &order.channel).await.map_err(
        |error| match error {
            SellError::OtherBody => Problem::new(
                StatusCode::CONFLICT,
                "key-used",
                "Key used before",
                "this `Idempotency-Key` was used for another request; nothing was sold now",
            ),
            SellError::NoAccount => Problem::not_found(format!("there is no open account {}", order.account)),
            SellError::Refused(reason) => Problem::refused(reason),
            SellError::Store(error) => Problem::store(&error),
        },
    )?;
    let row =
        read::sale(&station.store, id).await?.ok_or_else(|| Problem::not_found(format!("there is no sale {id}")))?;
    Ok((StatusCode::ACCEPTED, Json(SaleView::new(&row, station.scale()))))
}

#[cfg(test)]
mod tests {
    use super::is_this_computer;

    #[test]
    fn only_names_of_this_computer_are_answered() {
        for host in ["127.0.0.1:8080", "127.1.2.3", "localhost:8080", "LOCALHOST", "[::1]:8080", "[::1]"] {
            assert!(is_this_computer(host), "{host}");
        }
        for host in
            ["", "127.evil.example:8080", "127.0.0.1.nip.io", "localhost.evil.example", "10.0.0.1", "[::2]:80", "::1"]
        {
            assert!(!is_this_computer(host), "{host}");
        }
    }
}
