//! A shop's month, explained: half-hourly differences of a meter's rate registers under four rates, in Chinese and English.
//!
//! `cargo run -p tariff-engine --example bill_shop`

use tariff_engine::{Energy, Language, Opening, PeriodInputs, RateUsage, RunningBill, Tariff};

const TARIFF: &str = r#"
schema = 1
name = "Mall, restaurants"
currency = "CNY"
zone = "+08:00"
rounding = { lines = 2, mode = "half_away_from_zero" }
[[versions]]
from = "2025-01-01"
fixed = [{ name = "meter rent", price = "15", per = "month" }]
taxes = [{ name = "VAT", percent = "13", base = ["energy", "fixed"], included = true }]
[versions.energy]
components = [
    { name = "purchase", price = "0.4275", scaled = true },
    { name = "grid", price = "0.2089" },
    { name = "funds", price = "0.0276" },
]
rates = [
    { name = "spike", ratio = "2.16" },
    { name = "peak", ratio = "1.8" },
    { name = "flat", ratio = "1" },
    { name = "valley", ratio = "0.35" },
]
periods = [
    { rate = "flat", from = "00:00", to = "24:00" },
    { rate = "valley", from = "00:00", to = "08:00", precedence = 1 },
    { rate = "peak", from = "15:00", to = "22:00", precedence = 1 },
    { rate = "spike", from = "19:00", to = "21:00", months = [7, 8], precedence = 2 },
]
"#;

/// What a restaurant draws in half an hour, in 0.01 kWh.
fn centi_kwh(half_hour: i64) -> i64 {
    match half_hour / 2 {
        0..=8 => 45,
        9..=10 => 160,
        11..=13 => 520,
        14..=16 => 210,
        17..=21 => 610,
        _ => 120,
    }
}

/// The meter's own clock decides the rate.
fn rate(half_hour: i64) -> &'static str {
    match half_hour / 2 {
        0..=7 => "valley",
        19..=20 => "spike",
        15..=21 => "peak",
        _ => "flat",
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tariff = toml::from_str::<Tariff>(TARIFF)?.compile()?;
    let from_utc_s = tariff.day_start_utc_s("2025-07-01").ok_or("a date")?;
    let mut running = RunningBill::open(&tariff, &Opening { from_utc_s, ..Opening::default() })?;
    let (_, period_to_utc_s) = running.period_utc_s();
    while running.next_utc_s() < period_to_utc_s {
        let from_utc_s = running.next_utc_s();
        let half_hour = (from_utc_s + 8 * 3_600).rem_euclid(86_400) / 1_800;
        let energy = Energy::from_centi_kwh(centi_kwh(half_hour)).ok_or("too much")?;
        let energies = [(rate(half_hour), energy)];
        let usage =
            RateUsage { from_utc_s, to_utc_s: from_utc_s + 1_800, energies: &energies, direction: Default::default() };
        running.push_registers(&usage)?;
    }
    let bill = running.settle(&PeriodInputs::default())?;
    println!("{}", bill.text(Language::Chinese));
    println!("{}", bill.text(Language::English));
    println!("{}", serde_json::to_string_pretty(&bill)?);
    Ok(())
}
