//! What the pages and the JSON calls look at. Reads only; every query is bounded.

use super::{Store, StoreError};
use sqlx::{Row, any::AnyRow};

/// A status older than this is stale: the station promises every status at most three minutes old.
pub const STALE_AFTER_S: i64 = 180;
/// Rows of a shop's lists.
const LIST_ROWS: i64 = 12;

/// A meter, its shop if it has one, and its last frame.
#[derive(Debug, Clone)]
pub struct MeterRow {
    /// Meter number.
    pub number: String,
    /// Line.
    pub bus: String,
    /// Unit address.
    pub unit: i64,
    /// Model.
    pub model: String,
    /// What a meter without a shop measures.
    pub purpose: String,
    /// The shop.
    pub shop: Option<ShopRow>,
    /// The last good frame.
    pub latest: Option<LatestRow>,
    /// Silent since, if it is.
    pub silent_since_utc_s: Option<i64>,
}

/// A shop and the projection of its account.
#[derive(Debug, Clone)]
pub struct ShopRow {
    /// Account number.
    pub account: i64,
    /// Shop code.
    pub code: String,
    /// Name.
    pub name: String,
    /// Kind of business.
    pub trade: String,
    /// Building code.
    pub building: String,
    /// Floor.
    pub floor: String,
    /// Tariff code.
    pub tariff: String,
    /// Where the money is kept, `meter` or `station`.
    pub purse: String,
    /// Nothing before the account is opened.
    pub books: Option<BooksRow>,
}

/// An account's projection.
#[derive(Debug, Clone)]
pub struct BooksRow {
    /// Money state's code.
    pub money: String,
    /// Supply state's code.
    pub supply: String,
    /// Held until an operator has looked at it.
    pub quarantined: bool,
    /// Balance in minor units.
    pub balance_minor: i64,
    /// Balance without what is reserved, in minor units.
    pub available_minor: i64,
}

/// The last good frame of a meter.
#[derive(Debug, Clone)]
pub struct LatestRow {
    /// When it was complete.
    pub read_utc_s: i64,
    /// Total energy, 0.01 kWh.
    pub energy_total: i64,
    /// The meter's own balance, minor units.
    pub balance_minor: i64,
    /// Purchase count.
    pub purchase_count: i64,
    /// Active power, W.
    pub power_w: i64,
    /// Voltage of the first line, 0.1 V.
    pub voltage_dv: i64,
    /// Status word 1: the top three bits are the relays.
    pub status_1: i64,
    /// The meter's clock less ours, if the meter's clock could be read.
    pub clock_drift_s: Option<i64>,
}

impl MeterRow {
    /// Seconds since the last good frame.
    pub fn age_s(&self, now_utc_s: i64) -> Option<i64> {
        self.latest.as_ref().map(|latest| now_utc_s.saturating_sub(latest.read_utc_s).max(0))
    }

    /// The code of the link's state.
    pub fn link(&self, now_utc_s: i64, stale_after_s: i64) -> &'static str {
        let quarantined =
            self.shop.as_ref().and_then(|shop| shop.books.as_ref()).is_some_and(|books| books.quarantined);
        if self.silent_since_utc_s.is_some() {
            "lost"
        } else if quarantined {
            "quarantined"
        } else if self.age_s(now_utc_s).is_none_or(|age| age > stale_after_s) {
            "stale"
        } else {
            "fresh"
        }
    }
}

/// A sale as it stands.
#[derive(Debug, Clone)]
pub struct SaleRow {
    /// Its number.
    pub id: i64,
    /// The account.
    pub account: i64,
    /// Amount in minor units.
    pub amount_minor: i64,
    /// How it was paid.
    pub channel: String,
    /// When it was asked for.
    pub requested_utc_s: i64,
    /// State code.
    pub state: String,
    /// When it was closed, if it is.
    pub closed_utc_s: Option<i64>,
}

/// An entry of an account's history.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// When.
    pub utc_s: i64,
    /// What.
    pub kind: String,
}

const METERS: &str = "SELECT m.number, m.bus, m.unit, m.model, m.purpose, t.id AS account, t.code, t.name, t.trade, t.building, t.floor,
        t.tariff, t.purse, a.money_state, a.supply_state, a.quarantined, a.balance_minor AS books_minor, a.available_minor,
        l.read_utc_s, l.energy_total, l.balance_minor, l.purchase_count, l.power_w, l.voltage_dv, l.status_1, l.clock_drift_s,
        s.since_utc_s
    FROM meter m
    LEFT JOIN tenant t ON t.code = m.tenant
    LEFT JOIN account a ON a.id = t.id
    LEFT JOIN latest l ON l.meter = m.number
    LEFT JOIN silent s ON s.meter = m.number
    ORDER BY t.id, m.number";

/// All meters, shops first in the order of their accounts.
pub async fn meters(store: &Store) -> Result<Vec<MeterRow>, StoreError> {
    sqlx::query(METERS).fetch_all(store.readers()).await?.iter().map(meter_row).collect()
}

fn meter_row(row: &AnyRow) -> Result<MeterRow, StoreError> {
    let shop = match row.try_get::<Option<i64>, _>("account")? {
        None => None,
        Some(account) => Some(ShopRow {
            account,
            code: row.try_get("code")?,
            name: row.try_get("name")?,
            trade: row.try_get("trade")?,
            building: row.try_get("building")?,
            floor: row.try_get("floor")?,
            tariff: row.try_get("tariff")?,
            purse: row.try_get("purse")?,
            books: match row.try_get::<Option<String>, _>("money_state")? {
                None => None,
                Some(money) => Some(BooksRow {
                    money,
                    supply: row.try_get("supply_state")?,
                    quarantined: row.try_get::<i64, _>("quarantined")? != 0,
                    balance_minor: row.try_get("books_minor")?,
                    available_minor: row.try_get("available_minor")?,
                }),
            },
        }),
    };
    let latest = match row.try_get::<Option<i64>, _>("read_utc_s")? {
        None => None,
        Some(read_utc_s) => Some(LatestRow {
            read_utc_s,
            energy_total: row.try_get("energy_total")?,
            balance_minor: row.try_get("balance_minor")?,
            purchase_count: row.try_get("purchase_count")?,
            power_w: row.try_get("power_w")?,
            voltage_dv: row.try_get("voltage_dv")?,
            status_1: row.try_get("status_1")?,
            clock_drift_s: row.try_get("clock_drift_s")?,
        }),
    };
    Ok(MeterRow {
        number: row.try_get("number")?,
        bus: row.try_get("bus")?,
        unit: row.try_get("unit")?,
        model: row.try_get("model")?,
        purpose: row.try_get("purpose")?,
        shop,
        latest,
        silent_since_utc_s: row.try_get("since_utc_s")?,
    })
}

/// One sale.
pub async fn sale(store: &Store, id: i64) -> Result<Option<SaleRow>, StoreError> {
    let row = sqlx::query("SELECT * FROM sale WHERE id = $1").bind(id).fetch_optional(store.readers()).await?;
    row.as_ref().map(sale_row).transpose()
}

/// How many sales were taken since the books began: their numbers are given without gaps.
pub async fn sales_count(store: &Store) -> Result<i64, StoreError> {
    let row = sqlx::query("SELECT coalesce(max(id), 0) AS n FROM sale").fetch_one(store.readers()).await?;
    Ok(row.try_get("n")?)
}

/// The latest sales of an account, newest first.
pub async fn sales_of(store: &Store, account: i64) -> Result<Vec<SaleRow>, StoreError> {
    sqlx::query("SELECT * FROM sale WHERE account = $1 ORDER BY id DESC LIMIT $2")
        .bind(account)
        .bind(LIST_ROWS)
        .fetch_all(store.readers())
        .await?
        .iter()
        .map(sale_row)
        .collect()
}

fn sale_row(row: &AnyRow) -> Result<SaleRow, StoreError> {
    Ok(SaleRow {
        id: row.try_get("id")?,
        account: row.try_get("account")?,
        amount_minor: row.try_get("amount_minor")?,
        channel: row.try_get("channel")?,
        requested_utc_s: row.try_get("requested_utc_s")?,
        state: row.try_get("state")?,
        closed_utc_s: row.try_get("closed_utc_s")?,
    })
}

/// The latest events of an account that mean something to a person, newest first.
pub async fn events_of(store: &Store, account: i64, kinds: &[&str]) -> Result<Vec<EventRow>, StoreError> {
    // A bounded look back: the newest rows of one account, filtered here.
    let rows = sqlx::query("SELECT utc_s, kind FROM event WHERE account = $1 ORDER BY seq DESC LIMIT 500")
        .bind(account)
        .fetch_all(store.readers())
        .await?;
    let mut events = Vec::new();
    for row in &rows {
        let kind: String = row.try_get("kind")?;
        if kinds.contains(&kind.as_str()) && i64::try_from(events.len()).is_ok_and(|count| count < LIST_ROWS) {
            events.push(EventRow { utc_s: row.try_get("utc_s")?, kind });
        }
    }
    Ok(events)
}

/// The time of the newest row that carries one, so that a clock never starts behind it; 0 without any.
pub async fn latest_utc_s(store: &Store) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "SELECT coalesce(max(utc_s), 0) AS t FROM
             (SELECT max(read_utc_s) AS utc_s FROM latest UNION ALL SELECT max(utc_s) AS utc_s FROM event) AS times",
    )
    .fetch_one(store.readers())
    .await?;
    Ok(row.try_get("t")?)
}

/// One kept reading of a meter: time and registers, 0.01 kWh.
#[derive(Debug, Clone, Copy)]
pub struct CurveRow {
    /// When it was read.
    pub utc_s: i64,
    /// Total energy.
    pub total: u64,
    /// Spike, peak, flat, valley.
    pub rates: [u64; 4],
}

/// The kept readings of a meter in order, at most `limit`.
pub async fn curve(store: &Store, meter: &str, after_utc_s: i64, limit: i64) -> Result<Vec<CurveRow>, StoreError> {
    let rows = sqlx::query("SELECT * FROM curve WHERE meter = $1 AND utc_s > $2 ORDER BY day, utc_s LIMIT $3")
        .bind(meter)
        .bind(after_utc_s)
        .bind(limit)
        .fetch_all(store.readers())
        .await?;
    let mut curve = Vec::with_capacity(rows.len());
    for row in &rows {
        let column = |name: &'static str| -> Result<u64, StoreError> {
            let value: i64 = row.try_get(name)?;
            u64::try_from(value).map_err(|_| StoreError::damaged("curve", meter, format!("{name} is {value}")))
        };
        curve.push(CurveRow {
            utc_s: row.try_get("utc_s")?,
            total: column("energy_total")?,
            rates: [column("energy_spike")?, column("energy_peak")?, column("energy_flat")?, column("energy_valley")?],
        });
    }
    Ok(curve)
}

/// How many sales were unknown for a time, and how many of those are closed.
pub async fn unknown_sales(store: &Store) -> Result<(i64, i64), StoreError> {
    let row = sqlx::query("SELECT count(*) AS n, count(closed_utc_s) AS closed FROM sale WHERE was_unknown = 1")
        .fetch_one(store.readers())
        .await?;
    Ok((row.try_get("n")?, row.try_get("closed")?))
}

/// What an account has bought and was credited, minor units.
pub async fn sold_minor(store: &Store, account: u64) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "SELECT cast(coalesce(sum(amount_minor), 0) AS bigint) AS sum FROM sale
         WHERE account = $1 AND state IN ('applied', 'applied_by_count')",
    )
    .bind(i64::try_from(account).unwrap_or(i64::MAX))
    .fetch_one(store.readers())
    .await?;
    Ok(row.try_get("sum")?)
}
