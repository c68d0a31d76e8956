//! A prepaid balance: how much energy it buys at each rate, and how long it lasts on a shop's load.
//!
//! `cargo run -p tariff-engine --example how_long -- [MONEY]`

use tariff_engine::{Amount, Energy, LoadProfile, Opening, PeriodInputs, RunningBill, Tariff};

const TARIFF: &str = r#"
schema = 1
name = "Prepaid shop"
currency = "CNY"
zone = "+08:00"
[[versions]]
from = "2025-01-01"
[versions.energy]
rates = [
    { name = "day", tiers = ["0.82", "0.95"] },
    { name = "night", tiers = ["0.41", "0.52"] },
]
periods = [{ rate = "day", from = "08:00", to = "22:00" }, { rate = "night", from = "22:00", to = "08:00" }]
ladder = { reset = "monthly", limits = [{ kwh = "500" }] }
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let money: Amount = std::env::args().nth(1).unwrap_or_else(|| "300".to_string()).parse()?;
    let tariff = toml::from_str::<Tariff>(TARIFF)?.compile()?;
    let from_utc_s = tariff.day_start_utc_s("2025-06-20").ok_or("a date")?;
    let opening = Opening { from_utc_s, ladder_used: Energy::from_kwh(420).ok_or("too much")?, ..Opening::default() };
    let running = RunningBill::open(&tariff, &opening)?;
    let inputs = PeriodInputs::default();
    let resolution = Energy::from_centi_kwh(1).ok_or("too much")?;
    println!("{money} {} from 2025-06-20 00:00, with 420 kWh used this month:", tariff.currency());
    for rate in tariff.rate_names(from_utc_s) {
        let bought = running.energy_for(&money, rate, resolution, &inputs)?;
        println!("  all at {rate}: {} kWh for {}, {} left over", bought.energy, bought.cost, bought.residue);
    }
    let watt_hours = |hour: usize| if (9..21).contains(&hour) { 2_400 } else { 300 };
    let load: Vec<Energy> = (0..24).filter_map(|hour| Energy::from_wh(watt_hours(hour))).collect();
    let lasts = running.how_long(&money, &LoadProfile::daily(&load)?, &inputs)?;
    println!(
        "  on the shop's load: {} hours and {} minutes, {} kWh",
        lasts.hours(),
        lasts.seconds % 3_600 / 60,
        lasts.energy
    );
    Ok(())
}
