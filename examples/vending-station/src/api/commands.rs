//! Remote commands: preview, request, progress, cancel, retry, the exported state of all meters, and the plain page of them.

use super::{order, problem::Problem};
use crate::{
    amount,
    api::views::Scale,
    console::{self, Lang},
    control::{self, ControlError, Kind, Preview, Request, Selection, TARGETS_MAX},
    local_time,
    station::Station,
    store::{
        commands::{self, BatchRow, TargetRow},
        read::{self, MeterRow, ShopRow},
    },
};
use axum::{
    Json,
    body::Bytes,
    extract::{Form, Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// The longest request, bytes: a list of all meters of a large site.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// Batches of a list.
const LIST_ROWS: i64 = 50;

/// A batch as it stands.
#[derive(Debug, Serialize)]
pub struct BatchView {
    /// Its number.
    pub id: i64,
    /// What is done.
    pub kind: String,
    /// `running`, `cancelled` or `done`.
    pub state: String,
    /// Who asked.
    pub operator: i64,
    /// Why.
    pub why: String,
    /// When.
    pub made_local: String,
    /// Meters by state.
    pub counts: BTreeMap<String, i64>,
    /// Its meters; a list of batches leaves them out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub meters: Vec<TargetView>,
}

/// A meter of a batch.
#[derive(Debug, Serialize)]
pub struct TargetView {
    /// The meter.
    pub number: String,
    /// `waiting`, `sent`, `done`, `refused`, `not_reached`, `unknown`, `superseded` or `cancelled`.
    pub state: String,
    /// Why, where there is something to say.
    pub reason: String,
    /// Power before, kW.
    pub power_before_kw: String,
    /// When the state was reached.
    pub changed_local: String,
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Store(error) => Self::store(&error),
            ControlError::NoBatch(_) => Self::not_found(error.to_string()),
            ControlError::OtherRequest => Self::new(
                StatusCode::CONFLICT,
                "key-used",
                "Key used before",
                "this `Idempotency-Key` was used for another request; nothing was ordered now",
            ),
            error => Self::refused(error.to_string()),
        }
    }
}

/// Who would be hit.
pub(super) async fn preview(State(station): State<Arc<Station>>, body: Bytes) -> Result<Json<Preview>, Problem> {
    let request = parse(&body)?;
    Ok(Json(control::preview(&station.store, &station.site, &request, station.scale()).await?))
}

/// Takes a request.
pub(super) async fn order(
    State(station): State<Arc<Station>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<BatchView>), Problem> {
    let key = order::named(headers.get("idempotency-key").and_then(|key| key.to_str().ok()))?;
    let request = parse(&body)?;
    let id = control::take(&station.store, &station.site, key, &request, station.scale()).await?;
    station.commands.notify_one();
    Ok((StatusCode::ACCEPTED, Json(one(&station, id, false).await?)))
}

/// The newest batches.
pub(super) async fn list(State(station): State<Arc<Station>>) -> Result<Json<Vec<BatchView>>, Problem> {
    Ok(Json(newest(&station).await?))
}

/// One batch with its meters.
pub(super) async fn show(State(station): State<Arc<Station>>, Path(id): Path<i64>) -> Result<Json<BatchView>, Problem> {
    Ok(Json(one(&station, id, true).await?))
}

/// No further meter of the batch is ordered.
pub(super) async fn cancel(
    State(station): State<Arc<Station>>,
    Path(id): Path<i64>,
) -> Result<Json<BatchView>, Problem> {
    commands::cancel(&station.store, id, station.clock.utc_s()).await?;
    Ok(Json(one(&station, id, true).await?))
}

/// What failed, once more.
pub(super) async fn retry(
    State(station): State<Arc<Station>>,
    Path(id): Path<i64>,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<BatchView>), Problem> {
    let key = order::named(headers.get("idempotency-key").and_then(|key| key.to_str().ok()))?;
    let id = control::retry(&station.store, key, id, station.scale()).await?;
    station.commands.notify_one();
    Ok((StatusCode::ACCEPTED, Json(one(&station, id, false).await?)))
}

fn parse(body: &[u8]) -> Result<Request, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::bad_request(error.to_string()))
}

async fn newest(station: &Station) -> Result<Vec<BatchView>, Problem> {
    let mut views = Vec::new();
    for row in commands::newest(&station.store, LIST_ROWS).await? {
        let counts = commands::counts(&station.store, row.id).await?;
        views.push(view(row, counts, Vec::new(), station.scale()));
    }
    Ok(views)
}

async fn one(station: &Station, id: i64, with_meters: bool) -> Result<BatchView, Problem> {
    let row = commands::batch(&station.store, id).await?.ok_or(ControlError::NoBatch(id))?;
    let counts = commands::counts(&station.store, id).await?;
    let limit = if with_meters { i64::try_from(TARGETS_MAX).unwrap_or(i64::MAX) } else { 0 };
    let targets = commands::targets(&station.store, id, None, limit).await?;
    Ok(view(row, counts, targets, station.scale()))
}

fn view(row: BatchRow, counts: Vec<(String, i64)>, targets: Vec<TargetRow>, scale: Scale) -> BatchView {
    let local = |utc_s| local_time::stamp(utc_s, scale.utc_offset_min);
    let meters = targets.into_iter().map(|target| TargetView {
        number: target.meter,
        state: target.state,
        reason: target.reason,
        power_before_kw: amount::milli(target.power_w),
        changed_local: local(target.changed_utc_s),
    });
    BatchView {
        id: row.id,
        kind: row.kind,
        state: row.state,
        operator: row.operator,
        why: row.why,
        made_local: local(row.made_utc_s),
        counts: counts.into_iter().collect(),
        meters: meters.collect(),
    }
}

/// The state of all meters as CSV, each row with the time of its reading. To have all of them fresh, a batch `read_now` goes
/// before.
pub(super) async fn export(State(station): State<Arc<Station>>) -> Result<Response, Problem> {
    let rows = read::meters(&station.store).await?;
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(EXPORT).map_err(|error| Problem::store(&error))?;
    for row in &rows {
        writer.write_record(exported(row, station.scale())).map_err(|error| Problem::store(&error))?;
    }
    let bytes = writer.into_inner().map_err(|error| Problem::store(error.error()))?;
    let head = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"meters.csv\""),
    ];
    Ok((head, bytes).into_response())
}

const EXPORT: [&str; 13] = [
    "meter",
    "bus",
    "unit",
    "shop",
    "name",
    "building",
    "floor",
    "money",
    "supply",
    "link",
    "energy_kwh",
    "power_kw",
    "read_local",
];

fn exported(row: &MeterRow, scale: Scale) -> [String; 13] {
    let (shop, latest) = (row.shop.as_ref(), row.latest.as_ref());
    let books = shop.and_then(|shop| shop.books.as_ref());
    let of_shop = |field: fn(&ShopRow) -> &String| shop.map(field).cloned().unwrap_or_default();
    [
        row.number.clone(),
        row.bus.clone(),
        row.unit.to_string(),
        of_shop(|shop| &shop.code),
        shop.map_or_else(|| row.purpose.clone(), |shop| shop.name.clone()),
        of_shop(|shop| &shop.building),
        of_shop(|shop| &shop.floor),
        books.map_or("not_opened", |books| books.money.as_str()).to_owned(),
        books.map(|books| books.supply.clone()).unwrap_or_default(),
        row.link(scale.now_utc_s, scale.stale_after_s).to_owned(),
        latest.map(|latest| amount::centi(latest.energy_total)).unwrap_or_default(),
        latest.map(|latest| amount::milli(latest.power_w)).unwrap_or_default(),
        latest.map(|latest| local_time::stamp(latest.read_utc_s, scale.utc_offset_min)).unwrap_or_default(),
    ]
}

/// A request from the page's form. Empty fields choose nothing.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wish {
    lang: Option<String>,
    kind: Option<Kind>,
    building: Option<String>,
    floor: Option<String>,
    gateway: Option<String>,
    bus: Option<String>,
    money: Option<String>,
    meters: Option<String>,
    operator: Option<u32>,
    administrator: Option<String>,
    why: Option<String>,
    /// Made with the preview: pressing twice orders once.
    key: Option<String>,
}

impl Wish {
    fn request(&self) -> Option<Request> {
        let given = |field: &Option<String>| field.clone().filter(|text| !text.trim().is_empty());
        let meters = given(&self.meters).map(|text| {
            text.split([' ', ',', '\r', '\n']).filter(|part| !part.is_empty()).map(str::to_owned).collect()
        });
        let select = Selection {
            building: given(&self.building),
            floor: given(&self.floor),
            gateway: given(&self.gateway),
            bus: given(&self.bus),
            money: given(&self.money),
            meters,
            ..Selection::default()
        };
        Some(Request {
            kind: self.kind?,
            select,
            operator: self.operator.unwrap_or_default(),
            administrator: self.administrator.is_some(),
            why: self.why.clone().unwrap_or_default(),
            until_utc_s: None,
        })
    }
}

/// The plain page: a form, and with a filled one the preview and the button that orders.
pub(super) async fn page(
    State(station): State<Arc<Station>>,
    Query(wish): Query<Wish>,
    headers: HeaderMap,
) -> Result<Html<String>, Problem> {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let lang = Lang::choose(wish.lang.as_deref(), accepted);
    let preview = match wish.request() {
        None => None,
        Some(request) => Some(
            control::preview(&station.store, &station.site, &request, station.scale())
                .await
                .map_err(|error| error.to_string()),
        ),
    };
    let batches = newest(&station).await?;
    let hidden = [
        ("lang", wish.lang.clone()),
        ("kind", wish.kind.map(|kind| kind.code().to_owned())),
        ("building", wish.building.clone()),
        ("floor", wish.floor.clone()),
        ("gateway", wish.gateway.clone()),
        ("bus", wish.bus.clone()),
        ("money", wish.money.clone()),
        ("meters", wish.meters.clone()),
        ("operator", wish.operator.map(|operator| operator.to_string())),
        ("administrator", wish.administrator.clone()),
        ("why", wish.why.clone()),
        ("key", Some(format!("page-{}-{}", station.clock.utc_ms(), batches.len()))),
    ];
    let hidden = hidden.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    console::commands::page(&station.site, lang, hidden, preview, &batches)
        .map(Html)
        .map_err(|error| Problem::store(&error))
}

/// The button of the preview.
pub(super) async fn order_by_form(
    State(station): State<Arc<Station>>,
    Form(wish): Form<Wish>,
) -> Result<Redirect, Problem> {
    let request = wish.request().ok_or_else(|| Problem::bad_request("`kind` is missing"))?;
    let key = wish.key.as_deref().filter(|key| !key.is_empty() && key.len() <= order::KEY_CHARS_MAX);
    let key = key.ok_or_else(|| Problem::bad_request("`key` is missing or too long"))?;
    control::take(&station.store, &station.site, key, &request, station.scale()).await?;
    station.commands.notify_one();
    let lang = wish.lang.filter(|lang| lang.bytes().all(|byte| byte.is_ascii_alphabetic()));
    Ok(Redirect::to(&lang.map_or("/commands".to_owned(), |lang| format!("/commands?lang={lang}"))))
}
