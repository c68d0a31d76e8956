//! What the JSON calls show. Amounts and energies are decimal strings, so that no reader loses a digit.

use crate::{
    amount::{centi, milli, minor},
    local_time,
    sealed::gate::CollectorState,
    store::read::{EventRow, MeterRow, SaleRow},
};
use serde::Serialize;

/// How to show things on this site.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// Decimal places of the currency.
    pub places: u8,
    /// Local time minus UTC, minutes.
    pub utc_offset_min: i32,
    /// The present.
    pub now_utc_s: i64,
    /// A status older than this is stale, seconds.
    pub stale_after_s: i64,
}

impl Scale {
    fn local(&self, utc_s: i64) -> String {
        local_time::stamp(utc_s, self.utc_offset_min)
    }
}

/// One meter with its shop.
#[derive(Debug, Serialize)]
pub struct MeterView {
    number: String,
    bus: String,
    unit: i64,
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<i64>,
    shop: String,
    name: String,
    energy_kwh: Option<String>,
    power_kw: Option<String>,
    voltage_v: Option<String>,
    meter_balance: Option<String>,
    purchase_count: Option<i64>,
    relay_closed: Option<bool>,
    clock_drift_s: Option<i64>,
    read_local: Option<String>,
    age_s: Option<i64>,
    link: &'static str,
}

impl MeterView {
    /// Shows a row.
    pub fn new(row: &MeterRow, scale: Scale) -> Self {
        let latest = row.latest.as_ref();
        Self {
            number: row.number.clone(),
            bus: row.bus.clone(),
            unit: row.unit,
            model: row.model.clone(),
            account: row.shop.as_ref().map(|shop| shop.account),
            shop: row.shop.as_ref().map(|shop| shop.code.clone()).unwrap_or_default(),
            name: row.shop.as_ref().map_or_else(|| row.purpose.clone(), |shop| shop.name.clone()),
            energy_kwh: latest.map(|latest| centi(latest.energy_total)),
            power_kw: latest.map(|latest| milli(latest.power_w)),
            voltage_v: latest.map(|latest| minor(latest.voltage_dv, 1)),
            meter_balance: latest.map(|latest| minor(latest.balance_minor, scale.places)),
            purchase_count: latest.map(|latest| latest.purchase_count),
            relay_closed: latest.map(|latest| latest.status_1 & 0xE000 != 0),
            clock_drift_s: latest.and_then(|latest| latest.clock_drift_s),
            read_local: latest.map(|latest| scale.local(latest.read_utc_s)),
            age_s: row.age_s(scale.now_utc_s),
            link: row.link(scale.now_utc_s, scale.stale_after_s),
        }
    }
}

/// What a tile shows.
#[derive(Debug, Serialize)]
pub struct TileView {
    /// Account number.
    pub account: i64,
    /// Money state.
    pub money: String,
    /// Supply state.
    pub supply: String,
    /// Link state.
    pub link: &'static str,
    /// Balance.
    pub balance: String,
    /// Power.
    pub power_kw: String,
    /// Age of the last frame.
    pub age_s: Option<i64>,
}

impl TileView {
    /// Shows a row; none for a meter without a shop.
    pub fn new(row: &MeterRow, scale: Scale) -> Option<Self> {
        let shop = row.shop.as_ref()?;
        let books = shop.books.as_ref();
        Some(Self {
            account: shop.account,
            money: books.map_or_else(|| "not_opened".to_owned(), |books| books.money.clone()),
            supply: books.map_or_else(|| "prepaid".to_owned(), |books| books.supply.clone()),
            link: row.link(scale.now_utc_s, scale.stale_after_s),
            balance: books.map_or_else(|| "–".to_owned(), |books| minor(books.balance_minor, scale.places)),
            power_kw: row.latest.as_ref().map_or_else(|| "–".to_owned(), |latest| milli(latest.power_w)),
            age_s: row.age_s(scale.now_utc_s),
        })
    }
}

/// A collector.
#[derive(Debug, Serialize)]
pub struct CollectorView {
    /// Its code.
    pub code: String,
    /// There is a session with it.
    pub online: bool,
    /// Since when it is so.
    pub since_local: String,
    /// Sessions since the station started.
    pub sessions: u64,
    /// Readings that it had kept back when its session began.
    pub backlog: u32,
    /// Orders that wait for it.
    pub open_orders: usize,
    /// Messages that were not understood, and readings from the future.
    pub refused: u64,
    /// Its lines without a connection to their gateway.
    pub lines_down: usize,
    /// Its meters that do not answer it.
    pub meters_lost: usize,
}

impl CollectorView {
    /// Shows a collector.
    pub fn new(state: CollectorState, scale: Scale) -> Self {
        let CollectorState { code, online, since_utc_s, sessions, backlog, open_orders, .. } = state;
        let CollectorState { refused, lines_down, meters_lost, .. } = state;
        let since_local = scale.local(since_utc_s);
        Self { code, online, since_local, sessions, backlog, open_orders, refused, lines_down, meters_lost }
    }
}

/// A sale.
#[derive(Debug, Serialize)]
pub struct SaleView {
    id: i64,
    account: i64,
    amount: String,
    channel: String,
    state: String,
    /// How a till should take it: `applied`, `unknown`, `refused`, `busy`.
    kind: &'static str,
    closed: bool,
    requested_local: String,
    closed_local: Option<String>,
}

impl SaleView {
    /// Shows a row.
    pub fn new(row: &SaleRow, scale: Scale) -> Self {
        let kind = match row.state.as_str() {
            "applied" | "applied_by_count" => "applied",
            "unknown" => "unknown",
            "voided" | "refused" | "quarantined" => "refused",
            _ => "busy",
        };
        Self {
            id: row.id,
            account: row.account,
            amount: minor(row.amount_minor, scale.places),
            channel: row.channel.clone(),
            state: row.state.clone(),
            kind,
            closed: row.closed_utc_s.is_some(),
            requested_local: scale.local(row.requested_utc_s),
            closed_local: row.closed_utc_s.map(|utc_s| scale.local(utc_s)),
        }
    }
}

/// One entry of a shop's history.
#[derive(Debug, Serialize)]
pub struct EventView {
    local: String,
    kind: String,
}

/// A shop's page.
#[derive(Debug, Serialize)]
pub struct AccountView {
    account: i64,
    code: String,
    name: String,
    trade: String,
    building: String,
    floor: String,
    tariff: String,
    purse: String,
    money: String,
    supply: String,
    link: &'static str,
    balance: Option<String>,
    available: Option<String>,
    meter: String,
    power_kw: Option<String>,
    energy_kwh: Option<String>,
    read_local: Option<String>,
    sales: Vec<SaleView>,
    events: Vec<EventView>,
}

impl AccountView {
    /// Shows a shop with its latest sales and events; none for a meter without a shop.
    pub fn new(row: &MeterRow, sales: &[SaleRow], events: &[EventRow], scale: Scale) -> Option<Self> {
        let shop = row.shop.as_ref()?;
        let tile = TileView::new(row, scale)?;
        let books = shop.books.as_ref();
        Some(Self {
            account: shop.account,
            code: shop.code.clone(),
            name: shop.name.clone(),
            trade: shop.trade.clone(),
            building: shop.building.clone(),
            floor: shop.floor.clone(),
            tariff: shop.tariff.clone(),
            purse: shop.purse.clone(),
            money: tile.money,
            supply: tile.supply,
            link: tile.link,
            balance: books.map(|books| minor(books.balance_minor, scale.places)),
            available: books.map(|books| minor(books.available_minor, scale.places)),
            meter: format!("{} · {} · {}/{}", row.number, row.model, row.bus, row.unit),
            power_kw: row.latest.as_ref().map(|latest| milli(latest.power_w)),
            energy_kwh: row.latest.as_ref().map(|latest| centi(latest.energy_total)),
            read_local: row.latest.as_ref().map(|latest| scale.local(latest.read_utc_s)),
            sales: sales.iter().map(|sale| SaleView::new(sale, scale)).collect(),
            events: events
                .iter()
                .map(|event| EventView { local: scale.local(event.utc_s), kind: event.kind.clone() })
                .collect(),
        })
    }
}
