//! A year of usage, twelve bills settled, beside the least that any program must do.
//!
//! The integer floor looks up month and rate of each hour in tables (12 × 24, working days and weekends), adds whole
//! 10⁻⁶ kWh and multiplies once a month and rate. The plain loop does the same with decimals. Neither knows instants,
//! gaps, versions, holidays, tiers, demand, lines or refusals. `billing` is told the price of each hour.

use benches::years::{
    DAYS, HOUR_S, HOURS, by_series, large, load, one_by_one, open, tiers, tiers_and_demand, time_of_use,
};
use benches::{criterion, is_trial};
use billing::Price;
use criterion::Criterion;
use rust_decimal::Decimal;
use std::hint::black_box;
use tariff_engine::{Energy, PeriodInputs, RateUsage};

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

/// The same by `billing`, which has no calendar: the price of each hour is looked up for it.
fn prices_given(schedule: &Schedule, prices: &[Price], load: &[Decimal]) -> Vec<Decimal> {
    let mut rest = load;
    let mut first_hour = 0;
    DAYS.iter()
        .map(|days| {
            let (month, later) = rest.split_at(days * 24);
            rest = later;
            let hours = (first_hour..).zip(month).map(|(hour, energy)| (*energy, prices[schedule.look_up(hour).1]));
            let total = billing::rate_series(hours).expect("in range").net;
            first_hour += days * 24;
            total
        })
        .collect()
}

fn year(criterion: &mut Criterion) {
    let (hours, quarters) = (load(1), load(4));
    let decimals: Vec<Decimal> = hours.iter().map(|energy| energy.to_decimal()).collect();
    let (plain, tiered, full) = (time_of_use(), tiers(), tiers_and_demand());
    // The same bills, or the comparison means nothing.
    let schedule = Schedule::new();
    let expected = integer_floor(&schedule, &hours);
    assert_eq!(decimal_loop(&schedule, &decimals), expected);
    let prices: Vec<Price> = PRICES.iter().map(|price| Price::new(Decimal::new(*price, 4))).collect();
    assert_eq!(prices_given(&schedule, &prices, &decimals), expected);
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
    group.bench_function("billing, prices given", |bencher| {
        bencher.iter(|| prices_given(black_box(&schedule), &prices, black_box(&decimals)));
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

fn compile(criterion: &mut Criterion) {
    let tariff = large();
    let mut group = criterion.benchmark_group("compile");
    group.bench_function("12 versions, 8 periods, 7 tiers, 5 demand charges", |bencher| {
        bencher.iter(|| black_box(&tariff).compile().expect("a tariff"));
    });
    group.finish();
}
