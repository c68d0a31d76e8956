//! Tariffs, and a year of usage under them.

use std::fmt::Write as _;
use tariff_engine::{Amount, CompiledTariff, Energy, Interval, Opening, PeriodInputs, RunningBill, Series, Tariff};

/// Seconds of an hour.
pub const HOUR_S: i64 = 3_600;
/// Hours of the year.
pub const HOURS: usize = 8_760;
/// Days of the year's months.
pub const DAYS: [usize; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const TIME_OF_USE: &str = r#"
schema = 1
name = "time of use"
zone = "+08:00"
[[versions]]
from = "2025-01-01"
[versions.energy]
periods = [
    { rate = "flat", from = "00:00", to = "24:00" },
    { rate = "valley", from = "22:00", to = "06:00", precedence = 1 },
    { rate = "peak", from = "08:00", to = "11:00", precedence = 1 },
    { rate = "peak", from = "18:00", to = "21:00", precedence = 1 },
]
"#;
const FLAT_RATES: &str = r#"
rates = [{ name = "valley", price = "0.3021" }, { name = "flat", price = "0.6458" }, { name = "peak", price = "1.0325" }]
"#;
const TIERED_RATES: &str = r#"
rates = [
    { name = "valley", tiers = ["0.3021", "0.3521", "0.6021"] },
    { name = "flat", tiers = ["0.6458", "0.6958", "0.9458"] },
    { name = "peak", tiers = ["1.0325", "1.0825", "1.3325"] },
]
ladder = { reset = "monthly", limits = [{ kwh = "300" }, { kwh = "600" }] }
"#;
const DEMAND: &str = r#"
[[versions.demand]]
name = "maximum demand"
rates = [{ name = "all", price = "38" }]
"#;

fn compiled(text: &str) -> CompiledTariff {
    toml::from_str::<Tariff>(text).expect("a document").compile().expect("a tariff")
}

/// Three rates by the hour.
#[must_use]
pub fn time_of_use() -> CompiledTariff {
    compiled(&format!("{TIME_OF_USE}{FLAT_RATES}"))
}

/// Three rates of three tiers.
#[must_use]
pub fn tiers() -> CompiledTariff {
    compiled(&format!("{TIME_OF_USE}{TIERED_RATES}"))
}

/// With a charge on the month's demand.
#[must_use]
pub fn tiers_and_demand() -> CompiledTariff {
    let text = TIME_OF_USE.replace("from = \"2025-01-01\"", "from = \"2025-01-01\"\ndemand_window_minutes = 60");
    compiled(&format!("{text}{TIERED_RATES}{DEMAND}"))
}

/// A shop: half a kWh to two kWh an hour.
///
/// # Panics
///
/// Above 2⁶³ steps.
#[must_use]
pub fn load(steps_an_hour: usize) -> Vec<Energy> {
    let steps = i64::try_from(steps_an_hour).expect("few");
    (0..)
        .take(HOURS * steps_an_hour)
        .map(|step: i64| Energy::from_micro_kwh((500_000 + step * 7_919 % 1_500_000) / steps))
        .collect()
}

/// A bill that begins with the year.
///
/// # Panics
///
/// If the tariff isn't in force then.
#[must_use]
pub fn open(tariff: &CompiledTariff) -> RunningBill<&CompiledTariff> {
    let from_utc_s = tariff.day_start_utc_s("2025-01-01").expect("a date");
    RunningBill::open(tariff, &Opening { from_utc_s, ..Opening::default() }).expect("in force")
}

/// A year of a series, settled month by month.
///
/// # Panics
///
/// If the load isn't a year.
#[must_use]
pub fn by_series(tariff: &CompiledTariff, load: &[Energy]) -> Vec<Amount> {
    let mut running = open(tariff);
    let mut rest = load;
    let steps_a_day = load.len() / 365;
    let step_s = u32::try_from(86_400 / steps_a_day).expect("short");
    DAYS.iter()
        .map(|days| {
            let (month, later) = rest.split_at(days * steps_a_day);
            rest = later;
            let series = Series { start_utc_s: running.next_utc_s(), step_s, energies: month };
            running.push_series(&series).expect("no border is crossed");
            running.settle(&PeriodInputs::default()).expect("the month is over").total
        })
        .collect()
}

/// The same, interval by interval.
///
/// # Panics
///
/// If the load isn't a year of hours.
#[must_use]
pub fn one_by_one(tariff: &CompiledTariff, load: &[Energy]) -> Vec<Amount> {
    let mut running = open(tariff);
    let mut rest = load;
    DAYS.iter()
        .map(|days| {
            let (month, later) = rest.split_at(days * 24);
            rest = later;
            for energy in month {
                let from_utc_s = running.next_utc_s();
                running.push(Interval::new(from_utc_s, from_utc_s + HOUR_S, *energy)).expect("no border is crossed");
            }
            running.settle(&PeriodInputs::default()).expect("the month is over").total
        })
        .collect()
}

/// 12 versions × 8 periods × 7 tiers × 5 demand charges.
///
/// # Panics
///
/// Never: the document is a tariff.
#[must_use]
pub fn large() -> Tariff {
    let mut text = String::from("schema = 1\nname = \"large\"\nzone = \"+08:00\"\n");
    for month in 1..=12 {
        let tiers = "\"0.1\", \"0.2\", \"0.3\", \"0.4\", \"0.5\", \"0.6\", \"0.7\"";
        write!(
            text,
            "[[versions]]\nfrom = \"2025-{month:02}-01\"\ndemand_window_minutes = 15\n[versions.energy]\nrates = ["
        )
        .expect("a string");
        for rate in 0..4 {
            write!(text, "{{ name = \"r{rate}\", tiers = [{tiers}] }}, ").expect("a string");
        }
        text.push_str("]\nperiods = [");
        for period in 0..8 {
            let (rate, from, to) = (period % 4, 3 * period, 3 * period + 3);
            write!(text, "{{ rate = \"r{rate}\", from = \"{from:02}:00\", to = \"{to:02}:00\" }}, ").expect("a string");
        }
        text.push_str("]\nladder = { reset = \"monthly\", limits = [");
        (1..7).for_each(|tier| write!(text, "{{ kwh = \"{tier}00\" }}, ").expect("a string"));
        text.push_str("] }\n");
        for charge in 0..5 {
            write!(
                text,
                "[[versions.demand]]\nname = \"d{charge}\"\nrates = [{{ name = \"all\", price = \"{charge}.5\" }}]\n"
            )
            .expect("a string");
        }
    }
    toml::from_str(&text).expect("a document")
}
