//! What a site consists of: the buildings, lines, meters, tenants and tariffs that the station looks after.

use serde::{Deserialize, Serialize};

/// A whole site, checked: every code that is named exists, every number is unique.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Site {
    /// What holds for the whole site.
    pub settings: Settings,
    /// Buildings in display order.
    pub buildings: Vec<Building>,
    /// Collectors that work on gateways for the station.
    #[serde(default)]
    pub collectors: Vec<Collector>,
    /// Gateways with their network addresses.
    pub gateways: Vec<Gateway>,
    /// RS-485 lines.
    pub buses: Vec<Line>,
    /// Tariffs, compiled once as a check.
    pub tariffs: Vec<TariffEntry>,
    /// Shops.
    pub tenants: Vec<Tenant>,
    /// Meters.
    pub meters: Vec<Meter>,
}

/// What holds for the whole site, and what a bench test of the site's meters has settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The site's name.
    pub name: String,
    /// ISO 4217 code of the only currency.
    pub currency: String,
    /// Decimal places of the currency's minor unit.
    pub currency_places: u8,
    /// Local time minus UTC, in minutes. The meters' clocks show local time.
    pub utc_offset_min: i32,
    /// Decimal places of a price in the meter's registers, settled on the bench; none: prices are never written.
    pub price_places: Option<u8>,
    /// What the site's meters do with a purchase count that they have already seen, settled on the bench.
    pub equal_count: Option<EqualCount>,
    /// The most that one sale may be, minor units.
    pub max_sale_minor: i64,
    /// The most credit that one shop may store, minor units.
    pub max_stored_minor: i64,
    /// Whether a day table's rate codes count 1 to 4, settled on the bench; none: day tables are never written.
    pub rate_codes_from_one: Option<bool>,
    /// Seconds between two polls of a meter.
    #[serde(default = "status_every_s")]
    pub status_every_s: u16,
    /// How long readings are kept.
    #[serde(default)]
    pub keep: Keep,
}

/// Seconds between two polls of a meter where the site says nothing: with a late poll a status is at most three minutes old.
pub const STATUS_EVERY_S: u16 = 170;

fn status_every_s() -> u16 {
    STATUS_EVERY_S
}

/// How long readings are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keep {
    /// What each poll showed, hours.
    pub status_hours: u16,
    /// The curve, months.
    pub curve_months: u16,
    /// The ends of days, months; none: for ever. The ends of months are kept for ever.
    pub days_months: Option<u16>,
}

impl Default for Keep {
    fn default() -> Self {
        Self { status_hours: 48, curve_months: 13, days_months: None }
    }
}

/// What a meter does with a purchase frame whose count it has already seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EqualCount {
    /// It acknowledges and adds nothing.
    Acknowledged,
    /// It refuses and adds nothing.
    Refused,
    /// It adds the amount again.
    Adds,
}

/// A building.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Building {
    /// Unique code.
    pub code: String,
    /// Name shown to people.
    pub name: String,
}

/// A gateway that passes RTU frames between TCP and its lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gateway {
    /// Unique code.
    pub code: String,
    /// The building it stands in.
    pub building: String,
    /// `host:port`.
    pub address: String,
    /// The collector that works on it; none: the station itself.
    #[serde(default)]
    pub collector: Option<String>,
}

/// An area collector: a process of its own, near its gateways, that speaks to the station over the sealed link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collector {
    /// Unique code.
    pub code: String,
    /// The file of its keys, in the folder of keys.
    pub key_file: String,
}

/// One RS-485 line behind a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Unique code.
    pub code: String,
    /// The gateway that carries it.
    pub gateway: String,
    /// Baud rate, one of the six that the meters know.
    pub baud: u32,
}

/// A tariff and its document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TariffEntry {
    /// Unique code.
    pub code: String,
    /// The document in the tariff engine's own form.
    pub document: tariff_engine::Tariff,
}

/// Where a shop's money is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purse {
    /// In the meter, which deducts and cuts by itself.
    Meter,
    /// At the station, which prices and switches.
    Station,
}

/// A shop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Unique code, usually the shop's number.
    pub code: String,
    /// Name shown to people.
    pub name: String,
    /// The kind of business; the demonstration shapes its load by it.
    pub trade: String,
    /// The building it is in.
    pub building: String,
    /// The floor, as people say it.
    pub floor: String,
    /// The tariff's code.
    pub tariff: String,
    /// Where its money is kept.
    pub purse: Purse,
    /// First alarm level in minor units.
    pub alarm_1_minor: i64,
    /// Second alarm level in minor units, below the first.
    pub alarm_2_minor: i64,
    /// Credit taken over from earlier books in minor units. Only with the purse at the station: a meter tells its own.
    pub opening_minor: i64,
}

/// The meter models that can be on a site's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Model {
    /// Three-phase.
    #[serde(rename = "DTSY1352-NK")]
    Dtsy1352,
    /// Single-phase.
    #[serde(rename = "DDSY1352-NK")]
    Ddsy1352,
}

/// One meter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meter {
    /// Meter number, 12 digits.
    pub number: String,
    /// The line it hangs on.
    pub bus: String,
    /// Modbus unit address, 1 to 247.
    pub unit: u8,
    /// What it is.
    pub model: Model,
    /// The shop that it measures; none for the site's own use, which is read but not billed.
    pub tenant: Option<String>,
    /// What a meter without a shop measures.
    pub purpose: String,
    /// Highest load expected, in watts.
    pub peak_w: u32,
}

impl Site {
    /// The tenant with this code.
    pub fn tenant(&self, code: &str) -> Option<&Tenant> {
        self.tenants.iter().find(|tenant| tenant.code == code)
    }
}
