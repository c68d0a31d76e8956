//! The page: one tile a shop, coloured by its money, marked by supply and link.

pub mod commands;
pub mod words;

use crate::{
    api::{
        Counts,
        views::{CollectorView, Scale, TileView},
    },
    site::Site,
    store::read::MeterRow,
};
use askama::Template;
pub use words::Lang;
use words::{LINK, MONEY, PageWords, SUPPLY, ScriptWords};

/// Events worth showing to a person: stable code, English, Chinese.
pub const EVENTS: &[(&str, &str, &str)] = &[
    ("opened", "Account opened", "开户"),
    ("sale_requested", "Paid at the till", "收款"),
    ("sale_begun", "Sale booked and sent", "售电下发"),
    ("sale_unknown", "Sale: meter not heard", "售电：电表无应答"),
    ("sale_not_applied", "Sale: not in the meter yet", "售电：尚未到账"),
    ("sale_applied", "Sale credited", "售电到账"),
    ("sale_voided", "Sale voided", "售电作废"),
    ("station_sale_made", "Sale credited", "售电到账"),
    ("credit_changed", "Credit level changed", "余额状态变化"),
    ("cut_verified", "Supply cut off", "断电确认"),
    ("restore_verified", "Supply restored", "复电确认"),
    ("relay_desired", "Relay order given", "下达控制指令"),
    ("relay_confirmed", "Relay order confirmed", "控制指令确认"),
    ("meter_quarantined", "Meter quarantined", "电表隔离"),
    ("finding_raised", "Disagreement found", "发现异常"),
    ("link_changed", "Link changed", "通信状态变化"),
];

/// The codes of [`EVENTS`].
pub fn event_codes() -> Vec<&'static str> {
    EVENTS.iter().map(|event| event.0).collect()
}

/// The head's numbers in their order: code, English, Chinese.
const COUNTS: [(&str, &str, &str); 10] = [
    ("meters", "Meters", "电表"),
    ("shops", "Shops", "商铺"),
    ("alarm_1", "Alarm 1", "报警1"),
    ("alarm_2", "Alarm 2", "报警2"),
    ("arrears", "Arrears", "欠费"),
    ("off", "Cut off", "已断电"),
    ("lost", "Lost contact", "失联"),
    ("reads", "Reads", "抄表"),
    ("lost_replies", "Lost replies", "丢失应答"),
    ("sales", "Sales", "售电"),
];

#[derive(Template)]
#[template(path = "live.html")]
struct Page<'a> {
    site: &'a str,
    currency: &'a str,
    local_time: String,
    words: PageWords,
    words_json: String,
    counts: Vec<Count>,
    collectors: Vec<Fact<'a>>,
    legend: Vec<Legend>,
    buildings: Vec<Building<'a>>,
}

struct Count {
    name: &'static str,
    label: &'static str,
    value: i64,
}

/// A collector and how it is.
struct Fact<'a> {
    code: &'a str,
    text: String,
}

struct Legend {
    code: &'static str,
    glyph: &'static str,
    word: &'static str,
}

struct Building<'a> {
    name: &'a str,
    floors: Vec<Floor<'a>>,
}

struct Floor<'a> {
    name: &'a str,
    shops: Vec<Shop<'a>>,
}

struct Shop<'a> {
    account: i64,
    code: &'a str,
    name: &'a str,
    money: String,
    supply: String,
    link: &'static str,
    glyph: &'static str,
    word: String,
    balance: String,
    power_kw: String,
    age: String,
}

/// Renders the page.
///
/// # Errors
/// What the template engine reports.
pub fn page(
    site: &Site,
    rows: &[MeterRow],
    counts: &Counts,
    collectors: &[CollectorView],
    lang: Lang,
    scale: Scale,
) -> Result<String, askama::Error> {
    let pick = |en: &'static str, zh: &'static str| if lang == Lang::Zh { zh } else { en };
    let counts = COUNTS.iter().map(|(name, en, zh)| Count {
        name,
        label: pick(en, zh),
        value: counts.get(name).copied().unwrap_or_default(),
    });
    let legend = MONEY.iter().chain(&SUPPLY).chain(&LINK).filter(|state| !state.1.is_empty());
    Page {
        site: &site.settings.name,
        currency: &site.settings.currency,
        local_time: crate::local_time::stamp(scale.now_utc_s, scale.utc_offset_min),
        words: PageWords::of(lang),
        words_json: ScriptWords::of(lang, EVENTS).json(),
        counts: counts.collect(),
        collectors: collectors.iter().map(|collector| fact(collector, lang)).collect(),
        legend: legend.map(|state| Legend { code: state.0, glyph: state.1, word: pick(state.2, state.3) }).collect(),
        buildings: buildings(site, rows, lang, scale),
    }
    .render()
}

fn fact(collector: &CollectorView, lang: Lang) -> Fact<'_> {
    let text = if collector.online {
        words::online(lang).to_owned()
    } else {
        format!("{} {}", words::lost_since(lang), collector.since_local)
    };
    Fact { code: &collector.code, text }
}

fn buildings<'a>(site: &'a Site, rows: &'a [MeterRow], lang: Lang, scale: Scale) -> Vec<Building<'a>> {
    let mut buildings: Vec<Building<'a>> = Vec::new();
    for building in &site.buildings {
        let mut floors: Vec<Floor<'a>> = Vec::new();
        for row in rows {
            let Some(shop) = row.shop.as_ref().filter(|shop| shop.building == building.code) else { continue };
            let Some(tile) = TileView::new(row, scale) else { continue };
            if floors.last().is_none_or(|floor| floor.name != shop.floor) {
                floors.push(Floor { name: &shop.floor, shops: Vec::new() });
            }
            if let Some(floor) = floors.last_mut() {
                floor.shops.push(Shop {
                    account: shop.account,
                    code: &shop.code,
                    name: &shop.name,
                    glyph: words::glyph(&MONEY, &tile.money),
                    word: state_words(&tile, lang),
                    balance: tile.balance,
                    power_kw: tile.power_kw,
                    age: age(tile.age_s),
                    money: tile.money,
                    supply: tile.supply,
                    link: tile.link,
                });
            }
        }
        buildings.push(Building { name: &building.name, floors });
    }
    buildings
}

fn state_words(tile: &TileView, lang: Lang) -> String {
    let mut parts = vec![words::name(lang, &MONEY, &tile.money)];
    if tile.supply != "prepaid" {
        parts.push(words::name(lang, &SUPPLY, &tile.supply));
    }
    if tile.link != "fresh" {
        parts.push(words::name(lang, &LINK, tile.link));
    }
    parts.join(" · ")
}

fn age(age_s: Option<i64>) -> String {
    match age_s {
        None => "–".to_owned(),
        Some(seconds) if seconds < 120 => format!("{seconds} s"),
        Some(seconds) if seconds < 7200 => format!("{} min", seconds / 60),
        Some(seconds) => format!("{} h", seconds / 3600),
    }
}
