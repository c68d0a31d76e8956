//! A year of usage, twelve bills settled, beside the least that any program must do.
//!
//! The integer floor looks up month and rate of each hour in tables (12 × 24, working days and weekends), adds whole
//! 10⁻⁶ kWh and multiplies once a month and rate. The plain loop does the same with decimals. Neither knows instants,
//! gaps, versions, holidays, tiers, demand, lines or refusals.

use benches::{criterion, is_trial};
use criterion::Criterion;
use rust_decimal::Decimal;
use std::fmt::Write as _;
use std::hint::black_box;
use tariff_engine::{
    Amount, CompiledTariff, Energy, Interval, Opening, PeriodInputs, RateUsage, RunningBill, Series, Tariff,
};

const HOUR_S: i64 = 3_600;
const HOURS: usize = 8_760;
const DAYS: [usize; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
/// Prices of valley, flat and peak in 10⁻⁴ per kWh.
const PRICES: [i64; 3] = [3_021, 6_458, 10_325];

fn main() {
    let mut criterion = criterion();
    year(&mut criterion);
    tenants(&mut criterion);
    registers(&mut criterion);
    compile(&mut criterion);
    criterion.final_summary();
}

/// The rate of each hour: valley at night, peak in the morning and in the evening.
const fn rate_of(hour: usize) -> usize {
    match hour {
        0..=5 | 22.. => 0,
        8..=10 | 18..=20 => 2,
        _ => 1,
    }
}

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

fn time_of_use() -> CompiledTariff {
    compiled(&format!("{TIME_OF_USE}{FLAT_RATES}"))
}

fn tiers() -> CompiledTariff {
    compiled(&format!("{TIME_OF_USE}{TIERED_RATES}"))
}

fn tiers_and_demand() -> CompiledTariff {
    let text = TIME_OF_USE.replace("from = \"2025-01-01\"", "from = \"2025-01-01\"\ndemand_window_minutes = 60");
    compiled(&format!("{text}{TIERED_RATES}{DEMAND}"))
}

/// A shop: half a kWh to two kWh an hour.
fn load(steps_an_hour: usize) -> Vec<Energy> {
    let steps = i64::try_from(steps_an_hour).expect("few");
    (0..)
        .take(HOURS * steps_an_hour)
        .map(|step: i64| Energy::from_micro_kwh((500_000 + step * 7_919 % 1_500_000) / steps))
        .collect()
}

fn open(tariff: &CompiledTariff) -> RunningBill<&CompiledTariff> {
    let from_utc_s = tariff.day_start_utc_s("2025-01-01").expect("a date");
    RunningBill::open(tariff, &Opening { from_utc_s, ..Opening::default() }).expect("in force")
}

/// A year of a series, settled month by month.
fn by_series(tariff: &CompiledTariff, load: &[Energy]) -> Vec<Amount> {
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

fn one_by_one(tariff: &CompiledTariff, load: &[Energy]) -> Vec<Amount> {
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

/// What the floor knows of a tariff: the rate of each hour by month, for working days and weekends, and the calendar.
struct Schedule {
    rates: [[[u8; 24]; 12]; 2],
    /// Month and whether it is a weekend, of each day.
    days: Vec<(u8, u8)>,
}

impl Schedule {
    fn new() -> Self {
        let rates = core::array::from_fn(|hour| u8::try_from(rate_of(hour)).expect("three rates"));
        let months = DAYS.iter().enumerate().flat_map(|(month, days)| core::iter::repeat_n(month, *days));
        // 1 January 2025 was a Wednesday.
        let days =
            months.enumerate().map(|(day, month)| (u8::try_from(month).expect("twelve"), u8::from((day + 2) % 7 > 4)));
        Self { rates: [[rates; 12]; 2], days: days.collect() }
    }

    /// Month and rate of an hour of the year.
    fn look_up(&self, hour: usize) -> (usize, usize) {
        let (month, weekend) = self.days[hour / 24];
        let rate = self.rates[usize::from(weekend)][usize::from(month)][hour % 24];
        (usize::from(month), usize::from(rate))
    }
}

/// Integers by month and rate; one multiplication for each at the end.
fn integer_floor(schedule: &Schedule, load: &[Energy]) -> Vec<Decimal> {
    let mut sums = [[0_i64; 3]; 12];
    for (hour, energy) in load.iter().enumerate() {
        let (month, rate) = schedule.look_up(hour);
        sums[month][rate] += energy.micro_kwh();
    }
    let amount = |(energy, price): (&i64, i64)| Decimal::new(*energy, 6) * Decimal::new(price, 4);
    sums.iter().map(|rates| rates.iter().zip(PRICES).map(amount).sum()).collect()
}

/// The same with decimals.
fn decimal_loop(schedule: &Schedule, load: &[Decimal]) -> Vec<Decimal> {
    let mut sums = [[Decimal::ZERO; 3]; 12];
    for (hour, energy) in load.iter().enumerate() {
        let (month, rate) = schedule.look_up(hour);
        sums[month][rate] += *energy;
    }
    let amount = |(energy, price): (&Decimal, i64)| energy * Decimal::new(price, 4);
    sums.iter().map(|rates| rates.iter().zip(PRICES).map(amount).sum()).collect()
}

fn year(criterion: &mut Criterion) {
    let (hours, quarters) = (load(1), load(4));
    let decimals: Vec<Decimal> = hours.iter().map(|energy| energy.to_decimal()).collect();
    let (plain, tiered, full) = (time_of_use(), tiers(), tiers_and_demand());
    // The same bills, or the comparison means nothing.
    let schedule = Schedule::new();
    let expected = integer_floor(&schedule, &hours);
    assert_eq!(decimal_loop(&schedule, &decimals), expected);
    for bills in [by_series(&plain, &hours), one_by_one(&plain, &hours)] {
        assert_eq!(bills.iter().map(|total| total.to_decimal().expect("few digits")).collect::<Vec<_>>(), expected);
    }
    let mut group = criterion.benchmark_group("bill_year_of_8760_hours");
    group.bench_function("integer floor", |bencher| {
        bencher.iter(|| integer_floor(black_box(&schedule), black_box(&hours)))
    });
    group.bench_function("decimal loop", |bencher| {
        bencher.iter(|| decimal_loop(black_box(&schedule), black_box(&decimals)))
    });
    group.bench_function("series, time of use", |bencher| bencher.iter(|| by_series(&plain, black_box(&hours))));
    group.bench_function("one by one, time of use", |bencher| bencher.iter(|| one_by_one(&plain, black_box(&hours))));
    group.bench_function("series, tiers", |bencher| bencher.iter(|| by_series(&tiered, black_box(&hours))));
    group.bench_function("series, tiers and demand", |bencher| bencher.iter(|| by_series(&full, black_box(&hours))));
    group.bench_function("35040 quarter hours, time of use", |bencher| {
        bencher.iter(|| by_series(&plain, black_box(&quarters)));
    });
    group.finish();
}

/// A thousand shops, each with a year of its own, one after the other on one core.
fn tenants(criterion: &mut Criterion) {
    let count = if is_trial() { 2 } else { 1_000 };
    let loads: Vec<Vec<Energy>> = (0..count)
        .map(|tenant: i64| {
            let hours = 0..i64::try_from(HOURS).expect("few");
            hours.map(|hour| Energy::from_micro_kwh(300_000 + (hour * 7_919 + tenant * 104_729) % 1_500_000)).collect()
        })
        .collect();
    let (tariff, schedule) = (time_of_use(), Schedule::new());
    let mut group = criterion.benchmark_group("bill_year_of_1000_tenants");
    group.bench_function("integer floor", |bencher| {
        bencher.iter(|| loads.iter().for_each(|load| drop(black_box(integer_floor(&schedule, black_box(load))))));
    });
    group.bench_function("series, time of use", |bencher| {
        bencher.iter(|| loads.iter().for_each(|load| drop(black_box(by_series(&tariff, black_box(load))))));
    });
    group.finish();
}

/// Half-hourly readings of a meter's rate registers.
fn registers(criterion: &mut Criterion) {
    let each = |micro_kwh| Energy::from_micro_kwh(micro_kwh);
    let energies = [("valley", each(10_000)), ("flat", each(340_000)), ("peak", each(0))];
    let mut group = criterion.benchmark_group("registers");
    for (name, tariff) in
        [("month of half hours, time of use", time_of_use()), ("month of half hours, ladder", tiers())]
    {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut running = open(&tariff);
                let (_, end_utc_s) = running.period_utc_s();
                while running.next_utc_s() < end_utc_s {
                    let from_utc_s = running.next_utc_s();
                    let usage = RateUsage {
                        from_utc_s,
                        to_utc_s: from_utc_s + HOUR_S / 2,
                        energies: black_box(&energies),
                        direction: Default::default(),
                    };
                    running.push_registers(&usage).expect("no border is crossed");
                }
                running.settle(&PeriodInputs::default()).expect("the month is over").total
            });
        });
    }
    let tariff = tiers();
    let mut running = open(&tariff);
    let (_, end_utc_s) = running.period_utc_s();
    let usage =
        |from_utc_s, to_utc_s| RateUsage { from_utc_s, to_utc_s, energies: &energies, direction: Default::default() };
    let start_utc_s = running.next_utc_s();
    running.push_registers(&usage(start_utc_s, end_utc_s)).expect("no border is crossed");
    group.bench_function("settle, ladder", |bencher| {
        bencher.iter(|| running.final_bill(black_box(&PeriodInputs::default())).expect("the month is over"));
    });
    group.finish();
}

/// 12 versions × 8 periods × 7 tiers × 5 demand charges.
fn compile(criterion: &mut Criterion) {
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
    let tariff: Tariff = toml::from_str(&text).expect("a document");
    let mut group = criterion.benchmark_group("compile");
    group.bench_function("12 versions, 8 periods, 7 tiers, 5 demand charges", |bencher| {
        bencher.iter(|| black_box(&tariff).compile().expect("a tariff"));
    });
    group.finish();
}
