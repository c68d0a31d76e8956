//! From rows to a [`Site`]: every field parsed, every reference followed, every complaint collected.

use super::{
    model::{
        Building, Collector, EqualCount, Gateway, Keep, Line, Meter, Model, Purse, STATUS_EVERY_S, Settings, Site,
        TariffEntry, Tenant,
    },
    raw::{Raw, read_bounded},
    row::{Complaint, Place, Reader, Row},
};
use crate::pricing::Pricing;
use rust_decimal::Decimal;
use serde::Deserializer;
use std::{collections::BTreeMap, path::Path};
use tariff_engine::Tariff;

/// More meters than this on one line are worth a warning: the RS-485 standard counts 32 unit loads.
pub const METERS_PER_BUS: usize = 32;
/// The highest unit address of Modbus.
pub const UNIT_MAX: u8 = 247;
/// Baud rates of the meters.
pub const BAUDS: [u32; 6] = [1200, 2400, 4800, 9600, 19200, 38400];
/// The most lines of one collector: a message names the line in a byte.
pub const LINES_PER_COLLECTOR: usize = 256;
/// The longest code.
pub const CODE_CHARS_MAX: usize = 32;
/// The longest path of a key file.
pub const PATH_CHARS_MAX: usize = 255;
/// The longest name.
pub const NAME_CHARS_MAX: usize = 100;
/// The most that one sale may be where the site says nothing, in whole units of the currency.
pub const MAX_SALE_MAJOR: i64 = 50_000;
/// The most that one shop may store where the site says nothing, in whole units of the currency.
pub const MAX_STORED_MAJOR: i64 = 500_000;
/// The longest interval between two polls of a meter, seconds.
pub const STATUS_EVERY_S_MAX: u16 = 3_600;
/// The longest that readings are kept by a number, in hours or months.
pub const KEEP_MAX: u16 = 9_999;
/// The most decimal places of a currency.
pub const CURRENCY_PLACES_MAX: u8 = 4;

/// A site and what the user should know about it.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The site.
    pub site: Site,
    /// Not wrong, but worth a look.
    pub warnings: Vec<Complaint>,
}

/// Codes seen so far and where, to find doubles and to follow references.
#[derive(Default)]
struct Codes(BTreeMap<String, Place>);

impl Codes {
    fn add(&mut self, reader: &mut Reader<'_>, field: &str, code: &str) {
        if let Some(first) = self.0.get(code) {
            reader.complain(field, format!("`{field}` `{code}` stands already at {first}"));
        } else {
            self.0.insert(code.to_owned(), reader.place_of(field));
        }
    }

    fn refer(&self, reader: &mut Reader<'_>, field: &str) -> Option<String> {
        let code = reader.text(field, CODE_CHARS_MAX)?;
        if !self.0.contains_key(&code) {
            reader.complain(field, format!("`{field}` names `{code}`, which does not exist"));
            return None;
        }
        Some(code)
    }
}

/// Interprets the rows. Either all of it is right, or all complaints are returned.
pub fn check(raw: &Raw) -> Result<Checked, Vec<Complaint>> {
    let mut complaints = Vec::new();
    let mut warnings = Vec::new();
    let site = interpret(raw, &mut complaints, &mut warnings);
    complaints.sort();
    match site {
        Some(site) if complaints.is_empty() => Ok(Checked { site, warnings }),
        _ => Err(complaints),
    }
}

fn interpret(raw: &Raw, complaints: &mut Vec<Complaint>, warnings: &mut Vec<Complaint>) -> Option<Site> {
    let rows = |kind: &str| raw.rows.get(kind).map_or(&[][..], Vec::as_slice);
    let settings = settings(rows("site"), raw, complaints);
    let places = settings.as_ref().map_or(2, |settings| settings.currency_places);

    let mut building_codes = Codes::default();
    let buildings = each(rows("building"), &["code", "name"], complaints, |reader| {
        let code = reader.text("code", CODE_CHARS_MAX)?;
        building_codes.add(reader, "code", &code);
        Some(Building { code, name: reader.text("name", NAME_CHARS_MAX)? })
    });
    let mut gateway_codes = Codes::default();
    let mut collector_codes = Codes::default();
    let mut key_files = Codes::default();
    let collectors = each(rows("collector"), &["code", "key_file"], complaints, |reader| {
        let code = reader.text("code", CODE_CHARS_MAX)?;
        collector_codes.add(reader, "code", &code);
        let key_file = reader.text("key_file", PATH_CHARS_MAX)?;
        key_files.add(reader, "key_file", &key_file);
        Some(Collector { code, key_file })
    });
    let gateways = each(rows("gateway"), &["code", "building", "address", "collector"], complaints, |reader| {
        let code = reader.text("code", CODE_CHARS_MAX)?;
        gateway_codes.add(reader, "code", &code);
        let building = building_codes.refer(reader, "building");
        let address = address(reader);
        let collector = match reader.optional("collector") {
            None => None,
            Some(_) => Some(collector_codes.refer(reader, "collector")?),
        };
        Some(Gateway { code, building: building?, address: address?, collector })
    });
    let mut bus_codes = Codes::default();
    let buses = each(rows("bus"), &["code", "gateway", "baud"], complaints, |reader| {
        let code = reader.text("code", CODE_CHARS_MAX)?;
        bus_codes.add(reader, "code", &code);
        let gateway = gateway_codes.refer(reader, "gateway");
        let words: Vec<(String, u32)> = BAUDS.iter().map(|baud| (baud.to_string(), *baud)).collect();
        let words: Vec<(&str, u32)> = words.iter().map(|(word, baud)| (word.as_str(), *baud)).collect();
        let baud = reader.choice("baud", &words);
        Some(Line { code, gateway: gateway?, baud: baud? })
    });
    for collector in &collectors {
        let own = |bus: &&Line| {
            gateways.iter().any(|g| g.code == bus.gateway && g.collector.as_ref() == Some(&collector.code))
        };
        let count = buses.iter().filter(own).count();
        if count > LINES_PER_COLLECTOR {
            complaints.push(Complaint {
                place: collector_codes.0[&collector.code].clone(),
                reason: format!("collector `{}` has {count} buses, at most {LINES_PER_COLLECTOR}", collector.code),
            });
        }
    }
    let mut tariff_codes = Codes::default();
    let tariffs = tariffs(raw, rows("tariff"), &mut tariff_codes, complaints);
    let mut tenant_codes = Codes::default();
    let known =
        ["code", "name", "trade", "building", "floor", "tariff", "purse", "alarm_1", "alarm_2", "opening_credit"];
    let tenants = each(rows("tenant"), &known, complaints, |reader| {
        tenant(reader, &mut tenant_codes, &building_codes, &tariff_codes, places)
    });
    let mut numbers = Codes::default();
    let mut slots: BTreeMap<(String, u8), Place> = BTreeMap::new();
    let known = ["number", "bus", "unit", "model", "tenant", "purpose", "peak_w"];
    let meters = each(rows("meter"), &known, complaints, |reader| {
        let meter = meter(reader, &mut numbers, &bus_codes, &tenant_codes)?;
        if let Some(first) = slots.insert((meter.bus.clone(), meter.unit), reader.place_of("unit")) {
            let reason = format!("unit {} on bus `{}` is taken by the meter at {first}", meter.unit, meter.bus);
            reader.complain("unit", reason);
        }
        Some(meter)
    });
    if complaints.is_empty() {
        tenants_have_a_meter(&tenants, &meters, &tenant_codes, complaints);
        if let Some(settings) = &settings {
            tariffs_suit(&tariffs, &tenants, settings, &tenant_codes, complaints);
        }
        for bus in &buses {
            let count = meters.iter().filter(|meter| meter.bus == bus.code).count();
            if count > METERS_PER_BUS {
                warnings.push(Complaint {
                    place: bus_codes.0[&bus.code].clone(),
                    reason: format!(
                        "bus `{}` has {count} meters, more than the {METERS_PER_BUS} that RS-485 counts on",
                        bus.code
                    ),
                });
            }
        }
    }
    Some(Site { settings: settings?, buildings, collectors, gateways, buses, tariffs, tenants, meters })
}

fn each<T>(
    rows: &[Row],
    known: &[&str],
    complaints: &mut Vec<Complaint>,
    mut one: impl FnMut(&mut Reader<'_>) -> Option<T>,
) -> Vec<T> {
    rows.iter().filter_map(|row| one(&mut Reader::new(row, known, complaints))).collect()
}

fn settings(rows: &[Row], raw: &Raw, complaints: &mut Vec<Complaint>) -> Option<Settings> {
    let [row] = rows else {
        let place = rows.get(1).map_or_else(
            || Place { file: raw.folder.display().to_string().into(), line: 1, column: 1 },
            |row| row.place.clone(),
        );
        complaints.push(Complaint { place, reason: format!("there must be one `site`, here are {}", rows.len()) });
        return None;
    };
    let known = [
        "name",
        "currency",
        "currency_places",
        "utc_offset_min",
        "price_places",
        "equal_count",
        "rate_codes_from_one",
        "max_sale",
        "max_stored",
        "status_every_s",
        "keep_status_hours",
        "keep_curve_months",
        "keep_days_months",
    ];
    let mut reader = Reader::new(row, &known, complaints);
    let name = reader.text("name", NAME_CHARS_MAX);
    let currency = reader.text("currency", 3).filter(|code| {
        let fits = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        if !fits {
            reader.complain("currency", format!("`currency` is `{code}`; expected three capital letters"));
        }
        fits
    });
    let currency_places = reader.parse_or("currency_places", "0 to 4", 2).filter(|places| {
        let fits = *places <= CURRENCY_PLACES_MAX;
        if !fits {
            reader.complain("currency_places", format!("`currency_places` is {places}, at most {CURRENCY_PLACES_MAX}"));
        }
        fits
    });
    let utc_offset_min = reader.parse::<i32>("utc_offset_min", "minutes from -720 to 840").filter(|offset| {
        let fits = (-720..=840).contains(offset);
        if !fits {
            reader.complain("utc_offset_min", format!("`utc_offset_min` is {offset}; expected -720 to 840"));
        }
        fits
    });
    let price_places = match reader.optional("price_places") {
        None => Some(None),
        Some(_) => reader.parse::<u8>("price_places", "0 to 6").map(Some).filter(|places| {
            let fits = places.is_none_or(|places| places <= 6);
            if !fits {
                reader.complain("price_places", "`price_places` must be 0 to 6".into());
            }
            fits
        }),
    };
    let words =
        [("acknowledged", EqualCount::Acknowledged), ("refused", EqualCount::Refused), ("adds", EqualCount::Adds)];
    let equal_count = match reader.optional("equal_count") {
        None => Some(None),
        Some(_) => reader.choice("equal_count", &words).map(Some),
    };
    let rate_codes_from_one = match reader.optional("rate_codes_from_one") {
        None => Some(None),
        Some(_) => reader.parse("rate_codes_from_one", "true or false").map(Some),
    };
    let status_every_s = match reader.optional("status_every_s") {
        None => Some(STATUS_EVERY_S),
        Some(_) => reader.parse::<u16>("status_every_s", "a whole number").filter(|every| {
            let fits = (1..=STATUS_EVERY_S_MAX).contains(every);
            if !fits {
                let reason = format!("`status_every_s` is {every}; expected 1 to {STATUS_EVERY_S_MAX}");
                reader.complain("status_every_s", reason);
            }
            fits
        }),
    };
    let keep = keep(&mut reader);
    let places = currency_places.unwrap_or(2);
    let mut limit = |field: &str, default_major: i64| match reader.optional(field) {
        None => Some(default_major.saturating_mul(10_i64.pow(u32::from(places)))),
        Some(_) => minor_units(&mut reader, field, places),
    };
    let max_sale_minor = limit("max_sale", MAX_SALE_MAJOR);
    let max_stored_minor = limit("max_stored", MAX_STORED_MAJOR);
    Some(Settings {
        max_sale_minor: max_sale_minor?,
        max_stored_minor: max_stored_minor?,
        name: name?,
        currency: currency?,
        currency_places: currency_places?,
        utc_offset_min: utc_offset_min?,
        price_places: price_places?,
        equal_count: equal_count?,
        rate_codes_from_one: rate_codes_from_one?,
        status_every_s: status_every_s?,
        keep: keep?,
    })
}

/// How long readings are kept: at least as long as a bill of the last month needs them.
fn keep(reader: &mut Reader<'_>) -> Option<Keep> {
    let usual = Keep::default();
    let mut number = |field: &str, usual: u16, least: u16| match reader.optional(field) {
        None => Some(usual),
        Some(_) => reader.parse::<u16>(field, "a whole number").filter(|value| {
            let fits = (least..=KEEP_MAX).contains(value);
            if !fits {
                reader.complain(field, format!("`{field}` is {value}; expected {least} to {KEEP_MAX}"));
            }
            fits
        }),
    };
    let status_hours = number("keep_status_hours", usual.status_hours, 1);
    let curve_months = number("keep_curve_months", usual.curve_months, 2);
    let days_months = number("keep_days_months", 0, 2);
    Some(Keep {
        status_hours: status_hours?,
        curve_months: curve_months?,
        days_months: Some(days_months?).filter(|months| *months > 0),
    })
}

fn address(reader: &mut Reader<'_>) -> Option<String> {
    let address = reader.text("address", 255)?;
    let fits = address
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0));
    if !fits {
        reader.complain("address", format!("`address` is `{address}`; expected host:port with a port from 1 to 65535"));
        return None;
    }
    Some(address)
}

fn tariffs(raw: &Raw, rows: &[Row], codes: &mut Codes, complaints: &mut Vec<Complaint>) -> Vec<TariffEntry> {
    let mut entries = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let mut reader = Reader::new(row, &["code", "file"], complaints);
        let Some(code) = reader.text("code", CODE_CHARS_MAX) else { continue };
        codes.add(&mut reader, "code", &code);
        let read = match (raw.documents.get(&index), reader.optional("file")) {
            (Some(_), Some(_)) => Err("a tariff has either a `document` or a `file`, not both".to_owned()),
            (None, None) => Err("a tariff needs a `document` or a `file`".to_owned()),
            (Some(document), None) => tariff(document.clone()),
            (None, Some(file)) => {
                tariff_file(&raw.folder.join(file), file).map_err(|reason| format!("{file}: {reason}"))
            }
        };
        let checked = read.and_then(|document| match document.compile() {
            Ok(_) => Ok(document),
            Err(error) => Err(error.to_string()),
        });
        match checked {
            Ok(document) => entries.push(TariffEntry { code, document }),
            Err(reason) => reader.complain("file", format!("tariff `{code}`: {reason}")),
        }
    }
    entries
}

fn tariff_file(path: &Path, name: &str) -> Result<Tariff, String> {
    let text = String::from_utf8(read_bounded(path)?).map_err(|error| error.to_string())?;
    tariff_text(name, &text)
}

/// A tariff document by the ending of its file's name.
fn tariff_text(file: &str, text: &str) -> Result<Tariff, String> {
    if file.ends_with(".json") {
        let value: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        tariff(value)
    } else {
        let value: toml::Table = toml::from_str(text).map_err(|error| error.to_string())?;
        tariff(toml::Value::Table(value))
    }
}

/// A tariff document; what does not fit is named by its path.
fn tariff<'de, D: Deserializer<'de>>(value: D) -> Result<Tariff, String> {
    serde_path_to_error::deserialize(value).map_err(|error| error.to_string())
}

fn tenant(
    reader: &mut Reader<'_>,
    codes: &mut Codes,
    buildings: &Codes,
    tariffs: &Codes,
    places: u8,
) -> Option<Tenant> {
    let code = reader.text("code", CODE_CHARS_MAX)?;
    codes.add(reader, "code", &code);
    let name = reader.text("name", NAME_CHARS_MAX);
    let trade = reader.text("trade", CODE_CHARS_MAX);
    let building = buildings.refer(reader, "building");
    let floor = reader.text("floor", CODE_CHARS_MAX);
    let tariff = tariffs.refer(reader, "tariff");
    let purse = reader.choice("purse", &[("meter", Purse::Meter), ("station", Purse::Station)]);
    let alarm_1_minor = minor_units(reader, "alarm_1", places);
    let alarm_2_minor = minor_units(reader, "alarm_2", places);
    if let (Some(first), Some(second)) = (alarm_1_minor, alarm_2_minor)
        && second >= first
    {
        reader.complain("alarm_2", "`alarm_2` must be below `alarm_1`".into());
    }
    let opening_minor = match reader.optional("opening_credit") {
        None => Some(0),
        Some(_) => minor_units(reader, "opening_credit", places),
    };
    if purse == Some(Purse::Meter) && reader.optional("opening_credit").is_some() {
        reader.complain(
            "opening_credit",
            "`opening_credit` goes with the purse at the station; a meter tells its own".into(),
        );
    }
    Some(Tenant {
        code,
        name: name?,
        trade: trade?,
        building: building?,
        floor: floor?,
        tariff: tariff?,
        purse: purse?,
        alarm_1_minor: alarm_1_minor?,
        alarm_2_minor: alarm_2_minor?,
        opening_minor: opening_minor?,
    })
}

/// An amount in the currency, exact to its minor unit and not negative.
fn minor_units(reader: &mut Reader<'_>, field: &str, places: u8) -> Option<i64> {
    let text = reader.text(field, 20)?;
    let amount = Decimal::from_str_exact(&text)
        .ok()
        .filter(|amount| !amount.is_sign_negative() && amount.normalize().scale() <= u32::from(places));
    let minor = amount.and_then(|mut amount| {
        amount.rescale(u32::from(places));
        i64::try_from(amount.mantissa()).ok()
    });
    if minor.is_none() {
        reader.complain(field, format!("`{field}` is `{text}`; expected an amount with at most {places} places"));
    }
    minor
}

fn meter(reader: &mut Reader<'_>, numbers: &mut Codes, buses: &Codes, tenants: &Codes) -> Option<Meter> {
    let number = reader.text("number", 12).filter(|number| {
        let fits = number.len() == 12 && number.bytes().all(|byte| byte.is_ascii_digit());
        if !fits {
            reader.complain("number", format!("`number` is `{number}`; expected 12 digits"));
        }
        fits
    });
    if let Some(number) = &number {
        numbers.add(reader, "number", number);
    }
    let bus = buses.refer(reader, "bus");
    let unit = reader.parse::<u8>("unit", "1 to 247").filter(|unit| {
        let fits = (1..=UNIT_MAX).contains(unit);
        if !fits {
            reader.complain("unit", format!("`unit` is {unit}; expected 1 to {UNIT_MAX}"));
        }
        fits
    });
    let model = reader.choice("model", &[("DTSY1352-NK", Model::Dtsy1352), ("DDSY1352-NK", Model::Ddsy1352)]);
    let tenant = match reader.optional("tenant") {
        None => Some(None),
        Some(_) => tenants.refer(reader, "tenant").map(Some),
    };
    let purpose = reader.optional("purpose").unwrap_or_default().to_owned();
    if tenant == Some(None) && purpose.is_empty() {
        reader.complain("purpose", "a meter without `tenant` needs a `purpose`".into());
    }
    let peak_w = reader.parse_or("peak_w", "watts", 10_000);
    Some(Meter { number: number?, bus: bus?, unit: unit?, model: model?, tenant: tenant?, purpose, peak_w: peak_w? })
}

/// Whether the station can keep what the file says, at every price change.
fn tariffs_suit(
    tariffs: &[TariffEntry],
    tenants: &[Tenant],
    settings: &Settings,
    codes: &Codes,
    complaints: &mut Vec<Complaint>,
) {
    let pricing = match Pricing::of(tariffs) {
        Ok(pricing) => pricing,
        Err(error) => {
            let place = codes.0.values().next().cloned();
            complaints.extend(place.map(|place| Complaint { place, reason: error.to_string() }));
            return;
        }
    };
    for tenant in tenants {
        if let Err(error) = pricing.suits(tenant, settings) {
            let place = codes.0[&tenant.code].clone();
            complaints.push(Complaint { place, reason: format!("tenant `{}`: {error}", tenant.code) });
        }
    }
}

/// A shop has one meter here. Several meters on one account come with the account work.
fn tenants_have_a_meter(tenants: &[Tenant], meters: &[Meter], codes: &Codes, complaints: &mut Vec<Complaint>) {
    for tenant in tenants {
        let count = meters.iter().filter(|meter| meter.tenant.as_ref() == Some(&tenant.code)).count();
        if count != 1 {
            complaints.push(Complaint {
                place: codes.0[&tenant.code].clone(),
                reason: format!("tenant `{}` has {count} meters; expected one", tenant.code),
            });
        }
    }
}
