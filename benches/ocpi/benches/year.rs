//! A year of hours under three rates, by tariff-engine and by ocpi-tariffs in the same run.
//!
//! The peer prices a charge detail record: a year's session with a charging period for each hour. Its record is parsed
//! once, outside of what is measured; its tariff is read each time, because its interface has no way to keep one.

use benches::criterion;
use benches::years::{HOUR_S, by_series, load, one_by_one, open, time_of_use};
use chrono::{DateTime, SecondsFormat};
use chrono_tz::Tz;
use ocpi_tariffs::price::TariffSource;
use ocpi_tariffs::{Version, cdr};
use rust_decimal::Decimal;
use std::fmt::Write as _;
use std::hint::black_box;
use tariff_engine::{CompiledTariff, Energy};

/// Each part of the day with its price, as in [`time_of_use`].
const PARTS: [(&str, &str, &str); 7] = [
    ("00:00", "06:00", "0.3021"),
    ("06:00", "08:00", "0.6458"),
    ("08:00", "11:00", "1.0325"),
    ("11:00", "18:00", "0.6458"),
    ("18:00", "21:00", "1.0325"),
    ("21:00", "22:00", "0.6458"),
    ("22:00", "00:00", "0.3021"),
];

fn main() {
    let tariff = time_of_use();
    // The peer's records go to the ten-thousandth of a kWh.
    let hours: Vec<Energy> = load(1).iter().map(|hour| Energy::from_micro_kwh(hour.micro_kwh() / 100 * 100)).collect();
    let record = record(&tariff, &hours);
    let parsed = cdr::parse_with_version(&record, Version::V221).expect("a record").cdr;
    let price =
        || cdr::price(&parsed, TariffSource::UseCdr, Tz::Asia__Shanghai).expect("it has a price").into_parts().0;

    // The same bill, or the comparison means nothing; the peer rounds its total.
    let ours: Decimal = by_series(&tariff, &hours).iter().map(|month| month.to_decimal().expect("few digits")).sum();
    let theirs: Decimal = price().total_energy_cost.calculated.expect("it has a cost of energy").excl_vat.into();
    assert!((ours - theirs).abs() < Decimal::new(1, 2), "{ours} is not {theirs}");

    let mut criterion = criterion();
    let mut group = criterion.benchmark_group("bill_year_beside_ocpi");
    group.bench_function("series, time of use", |bencher| bencher.iter(|| by_series(&tariff, black_box(&hours))));
    group.bench_function("one by one, time of use", |bencher| bencher.iter(|| one_by_one(&tariff, black_box(&hours))));
    group.bench_function("ocpi-tariffs", |bencher| bencher.iter(|| black_box(price())));
    group.finish();
    criterion.final_summary();
}

/// The year as a record with its tariff.
fn record(tariff: &CompiledTariff, hours: &[Energy]) -> String {
    let elements: Vec<String> = PARTS.iter().map(|(from, to, price)| {
        format!(
            r#"{{"price_components":[{{"type":"ENERGY","price":{price},"step_size":1}}],"restrictions":{{"start_time":"{from}","end_time":"{to}"}}}}"#
        )
    }).collect();
    let start_utc_s = open(tariff).next_utc_s();
    let at = |utc_s| DateTime::from_timestamp(utc_s, 0).expect("a time").to_rfc3339_opts(SecondsFormat::Secs, true);
    let mut periods = String::new();
    for (hour, energy) in (0..).zip(hours) {
        let (start, volume) = (at(start_utc_s + hour * HOUR_S), energy.to_decimal());
        let comma = if hour == 0 { "" } else { "," };
        write!(
            periods,
            r#"{comma}{{"start_date_time":"{start}","dimensions":[{{"type":"ENERGY","volume":{volume}}},{{"type":"TIME","volume":1}}]}}"#
        )
        .expect("a string");
    }
    let end = at(start_utc_s + HOUR_S * i64::try_from(hours.len()).expect("a year"));
    let total: Energy =
        hours.iter().copied().fold(Energy::ZERO, |sum, energy| sum.checked_add(energy).expect("a year"));
    format!(
        r#"{{"country_code":"CN","party_id":"SHP","id":"1","start_date_time":"{}","end_date_time":"{end}",
        "cdr_token":{{"uid":"1","type":"RFID","contract_id":"1"}},"auth_method":"WHITELIST",
        "cdr_location":{{"id":"1","address":"1","city":"1","country":"CHN","coordinates":{{"latitude":"31.2","longitude":"121.5"}},
        "evse_uid":"1","evse_id":"1","connector_id":"1","connector_standard":"IEC_62196_T2","connector_format":"SOCKET",
        "connector_power_type":"AC_1_PHASE"}},"currency":"CNY",
        "tariffs":[{{"country_code":"CN","party_id":"SHP","id":"1","currency":"CNY","elements":[{}],"last_updated":"2025-01-01T00:00:00Z"}}],
        "charging_periods":[{periods}],"total_cost":{{"excl_vat":0}},"total_energy":{},"total_time":{},
        "last_updated":"{end}"}}"#,
        at(start_utc_s),
        elements.join(","),
        total.to_decimal(),
        hours.len()
    )
}
