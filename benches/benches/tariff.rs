//! A year of bills beside the plainest integer loop that adds energy by price period.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tariff_engine::tariff::{
    DemandCharge, DemandRate, DemandTier, EnergyCharge, Ladder, Limit, Period, Rate, Reset, Scope, Tariff, Version,
};
use tariff_engine::{Bill, CompiledTariff, Energy, Interval, Number, Opening, PeriodInputs, RunningBill, Series};

const HOURS: usize = 8_760;
const MONTHS: [usize; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
/// Rate of each hour of the day.
const RATE_OF_HOUR: [usize; 24] = [3, 3, 3, 3, 3, 3, 3, 2, 1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 1, 0, 0, 1, 2, 3];

fn load(steps: usize) -> Vec<Energy> {
    let mut state = 1_u64;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Energy::from_micro_kwh(i64::try_from(state >> 44).unwrap_or(0))
    };
    (0..steps).map(next).collect()
}

/// The floor: integers summed by month and rate, priced at the end of each month.
fn floor(energies: &[Energy]) -> i128 {
    let prices = [1_206_400_i128, 1_032_500, 645_800, 302_100];
    let mut total = 0;
    let mut hours = energies.iter();
    for days in MONTHS {
        let mut registers = [0_i64; 4];
        for hour in 0..days * 24 {
            if let Some(energy) = hours.next() {
                registers[RATE_OF_HOUR[hour % 24]] += energy.micro_kwh();
            }
        }
        total += registers.iter().zip(prices).map(|(energy, price)| i128::from(*energy) * price).sum::<i128>();
    }
    total
}

fn four_rates() -> EnergyCharge {
    let names = ["spike", "peak", "flat", "valley"];
    let prices = ["1.2064", "1.0325", "0.6458", "0.3021"];
    let rates = names.iter().zip(prices).map(|(name, price)| Rate {
        name: (*name).into(),
        price: Some(Number::from(price)),
        ..Rate::default()
    });
    let mut periods = Vec::new();
    let mut from = 0;
    for hour in 1..=24 {
        if hour == 24 || RATE_OF_HOUR[hour] != RATE_OF_HOUR[from] {
            periods.push(Period {
                rate: names[RATE_OF_HOUR[from]].into(),
                from: format!("{from:02}:00"),
                to: format!("{hour:02}:00"),
                ..Period::default()
            });
            from = hour;
        }
    }
    EnergyCharge { components: Vec::new(), rates: rates.collect(), periods, ladder: None }
}

fn version(from: &str, energy: EnergyCharge, demand: Vec<DemandCharge>) -> Version {
    Version {
        from: from.into(),
        until: None,
        source: String::new(),
        energy,
        demand_window_minutes: Some(60),
        demand,
        contract: Vec::new(),
        fixed: Vec::new(),
        power_factor: None,
        minimum: None,
        taxes: Vec::new(),
    }
}

fn tariff(versions: Vec<Version>) -> Tariff {
    Tariff {
        schema: 1,
        name: "bench".into(),
        currency: "CNY".into(),
        zone: "+08:00".into(),
        billing: Default::default(),
        calendar: Default::default(),
        rounding: Default::default(),
        versions,
    }
}

fn tiered(tiers: usize) -> EnergyCharge {
    let mut energy = four_rates();
    for rate in &mut energy.rates {
        rate.price = None;
        rate.tiers = (0..tiers).map(|tier| Number::from(format!("0.{}", 30 + tier))).collect();
    }
    let limit = |tier: usize| Limit { kwh: Some(Number::from(format!("{}", 150 * (tier + 1)))), ..Limit::default() };
    energy.ladder = Some(Ladder {
        reset: Reset::BillingPeriod,
        year_start: None,
        scope: Scope::SharedChronological,
        limits: (0..tiers - 1).map(limit).collect(),
        seasonal: Vec::new(),
        allowances: Vec::new(),
        demand: None,
    });
    energy
}

fn demand(name: &str) -> DemandCharge {
    let tiers = vec![
        DemandTier { to_kw: Some(Number::from("10")), price: Number::from("20") },
        DemandTier { to_kw: None, price: Number::from("15") },
    ];
    DemandCharge {
        name: name.into(),
        rates: vec![DemandRate { name: "all".into(), price: None, tiers }],
        ..DemandCharge::default()
    }
}

fn open(tariff: &CompiledTariff) -> RunningBill<&CompiledTariff> {
    let from_utc_s = tariff.day_start_utc_s("2025-01-01").expect("a date");
    RunningBill::open(tariff, &Opening { from_utc_s, ..Opening::default() }).expect("opens")
}

fn by_series(tariff: &CompiledTariff, energies: &[Energy], step_s: u32) -> Vec<Bill> {
    let mut running = open(tariff);
    let mut bills = Vec::with_capacity(12);
    let series = Series { start_utc_s: running.next_utc_s(), step_s, energies };
    running.run_series(&series, &PeriodInputs::default(), |bill| bills.push(bill)).expect("prices");
    bills
}

fn one_by_one(tariff: &CompiledTariff, energies: &[Energy]) -> Vec<Bill> {
    let mut running = open(tariff);
    let inputs = PeriodInputs::default();
    let mut bills = Vec::with_capacity(12);
    let mut at = running.next_utc_s();
    let (_, mut end) = running.period_utc_s();
    for energy in energies {
        running.push(Interval::new(at, at + 3_600, *energy)).expect("prices");
        at += 3_600;
        if at == end {
            bills.push(running.settle(&inputs).expect("settles"));
            (_, end) = running.period_utc_s();
        }
    }
    bills
}

fn benches(criterion: &mut Criterion) {
    let hours = load(HOURS);
    let quarters = load(4 * HOURS);
    let tou = tariff(vec![version("2025-01-01", four_rates(), Vec::new())]).compile().expect("compiles");
    let charges = || vec![demand("d")];
    let full = tariff(vec![version("2025-01-01", tiered(4), charges())]).compile().expect("compiles");
    let mut group = criterion.benchmark_group("tariff_year");
    group.throughput(Throughput::Elements(HOURS as u64));
    group.bench_function("floor_loop", |bencher| bencher.iter(|| floor(black_box(&hours))));
    group.bench_function("push_series_tou", |bencher| bencher.iter(|| by_series(&tou, black_box(&hours), 3_600)));
    group.bench_function("push_tou", |bencher| bencher.iter(|| one_by_one(&tou, black_box(&hours))));
    group.bench_function("tou_tier_demand", |bencher| bencher.iter(|| by_series(&full, black_box(&hours), 3_600)));
    group.bench_function("push_series_tou_quarters", |bencher| {
        bencher.iter(|| by_series(&tou, black_box(&quarters), 900))
    });
    group.finish();
    let mut group = criterion.benchmark_group("tariff_compile");
    let versions = (1..=12).map(|month| {
        let mut energy = tiered(7);
        energy.periods.truncate(8);
        if let Some(last) = energy.periods.last_mut() {
            last.to = "24:00".into();
        }
        version(&format!("2025-{month:02}-01"), energy, (0..5).map(|index| demand(&format!("d{index}"))).collect())
    });
    let large = tariff(versions.collect());
    group.bench_function("12_versions_8_periods_7_tiers_5_demands", |bencher| {
        bencher.iter(|| black_box(&large).compile().expect("compiles"));
    });
    group.finish();
}

criterion_group!(tariff_benches, benches);
criterion_main!(tariff_benches);
