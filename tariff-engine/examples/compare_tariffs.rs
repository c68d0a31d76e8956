//! The same year of load under a flat price, four rates and a ladder.
//!
//! `cargo run -p tariff-engine --example compare_tariffs`

use tariff_engine::{Amount, Bill, Energy, Opening, PeriodInputs, Rounding, RoundingMode, RunningBill, Series, Tariff};

const HEAD: &str = "schema = 1\ncurrency = \"CNY\"\nzone = \"+08:00\"\nrounding = { lines = 2 }\n";

const TARIFFS: [&str; 3] = [
    r#"
name = "flat"
[[versions]]
from = "2025-01-01"
energy = { rates = [{ name = "all", price = "0.7" }] }
"#,
    r#"
name = "four rates"
[[versions]]
from = "2025-01-01"
[versions.energy]
rates = [
    { name = "spike", price = "1.2064" }, { name = "peak", price = "1.0325" },
    { name = "flat", price = "0.6458" }, { name = "valley", price = "0.3021" },
]
periods = [
    { rate = "flat", from = "00:00", to = "24:00" },
    { rate = "valley", from = "22:00", to = "06:00", precedence = 1 },
    { rate = "peak", from = "08:00", to = "11:00", precedence = 1 },
    { rate = "peak", from = "18:00", to = "21:00", precedence = 1 },
    { rate = "spike", from = "19:00", to = "21:00", months = [7, 8], precedence = 2 },
]
"#,
    r#"
name = "ladder"
[[versions]]
from = "2025-01-01"
[versions.energy]
rates = [{ name = "all", tiers = ["0.55", "0.7", "0.95"] }]
ladder = { reset = "monthly", limits = [{ kwh = "300" }, { kwh = "600" }] }
"#,
];

/// A year of hours: more in the evening, more in summer.
fn load() -> Vec<Energy> {
    let hour = |hour: i64| {
        let evening = if (18..22).contains(&(hour % 24)) { 900 } else { 0 };
        let summer = if (151..243).contains(&(hour / 24)) { 450 } else { 0 };
        Energy::from_wh(350 + evening + summer)
    };
    (0..8_760).filter_map(hour).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let energies = load();
    let cents = Rounding::new(2, RoundingMode::HalfEven).ok_or("places")?;
    println!("{:<12}{:>12}{:>12}{:>12}", "tariff", "dearest", "cheapest", "year");
    for text in TARIFFS {
        let tariff = toml::from_str::<Tariff>(&format!("{HEAD}{text}"))?.compile()?;
        let start_utc_s = tariff.day_start_utc_s("2025-01-01").ok_or("a date")?;
        let mut running = RunningBill::open(&tariff, &Opening { from_utc_s: start_utc_s, ..Opening::default() })?;
        let mut bills: Vec<Bill> = Vec::new();
        let series = Series { start_utc_s, step_s: 3_600, energies: &energies };
        running.run_series(&series, &PeriodInputs::default(), |bill| bills.push(bill))?;
        let year = Amount::sum(bills.iter().map(|bill| &bill.total))?.round(cents);
        let most = bills.iter().map(|bill| &bill.total).max().ok_or("bills")?.round(cents);
        let least = bills.iter().map(|bill| &bill.total).min().ok_or("bills")?.round(cents);
        println!("{:<12}{:>12}{:>12}{:>12}", tariff.name(), most.to_string(), least.to_string(), year.to_string());
    }
    Ok(())
}
