//! A tariff document, TOML or JSON (it begins with a brace): read, compiled, priced on a small load.
//!
//! It must hold that nothing panics; that a document written again compiles to the same tariff; that a series equals its
//! intervals one by one; that what is refused leaves the state as it was; that a stored state goes on; that the lines
//! of a bill sum to its total, its energy is what was pushed, and its credit note is its negative.
#![no_main]

use fuzz::mutate_words;
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use tariff_engine::tariff::ContractUnit;
use tariff_engine::{
    Amount, Bill, Borders, CompiledTariff, Energy, Gaps, Interval, Opening, PeakHistory, PeriodInputs, Power,
    RateUsage, Reactive, RunningBill, Series, Tariff, UsagePolicy,
};

/// Intervals of the load.
const STEPS: i64 = 60;
/// 30 minutes, where the tariff has no demand window.
const DEFAULT_WINDOW_MINUTES: u32 = 30;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    let Some(tariff) = read(text) else { return };
    let json = serde_json::to_string(&tariff).unwrap();
    let again: Tariff = serde_json::from_str(&json).unwrap();
    assert_eq!(again, tariff);
    match (tariff.compile(), again.compile()) {
        (Ok(compiled), Ok(same)) => {
            assert_eq!(compiled, same);
            let toml = toml::to_string(&tariff).unwrap();
            assert_eq!(toml::from_str::<Tariff>(&toml).unwrap(), tariff);
            price(&tariff, &compiled);
        }
        (Err(error), Err(same)) => assert!(!error.to_string().is_empty() && error == same),
        _ => panic!("the same document compiles and does not"),
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    if seed % 4 == 0 {
        fuzzer_mutate(data, size, max_size)
    } else {
        mutate_words(data, size, max_size, seed >> 2, WORDS)
    }
});

fn read(text: &str) -> Option<Tariff> {
    if text.starts_with('{') { serde_json::from_str(text).ok() } else { toml::from_str(text).ok() }
}

fn price(tariff: &Tariff, compiled: &CompiledTariff) {
    let version = &tariff.versions[0];
    let from_utc_s = compiled.day_start_utc_s(&version.from).expect("the date was checked");
    let policy = UsagePolicy { gaps: Gaps::UsedNothing, borders: Borders::SplitProRata, ..UsagePolicy::default() };
    let opening = Opening { from_utc_s, policy, history: PeakHistory::NewSupply, ..Opening::default() };
    let Ok(mut running) = RunningBill::open(compiled, &opening) else { return };
    tell_flags(tariff, &mut running);
    let step_s = 60 * version.demand_window_minutes.unwrap_or(DEFAULT_WINDOW_MINUTES);
    let energies: Vec<_> = (0..STEPS).map(|step| Energy::from_micro_kwh(step * step % 37 * 250_001)).collect();
    let series = Series { start_utc_s: running.next_utc_s(), step_s, energies: &energies };
    let inputs = inputs(tariff);
    if !push_both_ways(&mut running, &series, &inputs) {
        return;
    }
    let pushed: i64 = energies.iter().map(|energy| energy.micro_kwh()).sum();
    assert_eq!(running.energy().micro_kwh(), pushed);
    let by_rate = push_by_rate(compiled, &mut running);
    resume(compiled, &running);
    if let Ok(bill) = running.preview(&inputs) {
        assert!(bill.provisional);
        check(&bill, pushed + by_rate);
    }
    if let Ok(amount) = running.energy_amount(&inputs)
        && let Ok(same) = running.energy_amount(&inputs)
    {
        assert_eq!(amount, same);
    }
    to_the_end(&mut running);
    let before = running.state().clone();
    match running.settle(&inputs) {
        Ok(bill) => {
            check(&bill, pushed + by_rate);
            assert_eq!(running.energy(), Energy::ZERO);
            assert_eq!(running.next_utc_s(), bill.to_utc_s);
        }
        Err(_) => assert_eq!(*running.state(), before),
    }
}

fn tell_flags(tariff: &Tariff, running: &mut RunningBill<&CompiledTariff>) {
    let flags: Vec<_> = tariff.calendar.day_flags.iter().map(String::as_str).collect();
    for day in 0..3 {
        if let Some(date) = running.tariff().date_of_utc_s(running.next_utc_s() + day * 86_400) {
            let told = if day == 1 { &flags[..] } else { &[] };
            let _ = running.set_day_flags(&date.to_string(), told);
        }
    }
}

/// A series and its intervals one by one cost the same, or both are refused. Returns whether they were taken.
fn push_both_ways(running: &mut RunningBill<&CompiledTariff>, series: &Series<'_>, inputs: &PeriodInputs) -> bool {
    let before = running.state().clone();
    let mut one_by_one = running.clone();
    let taken = running.push_series(series).is_ok();
    let mut from_utc_s = series.start_utc_s;
    let mut all_taken = true;
    for energy in series.energies {
        let to_utc_s = from_utc_s + i64::from(series.step_s);
        all_taken = all_taken && one_by_one.push(Interval::new(from_utc_s, to_utc_s, *energy)).is_ok();
        from_utc_s = to_utc_s;
    }
    assert_eq!(taken, all_taken);
    if taken {
        assert_eq!((running.next_utc_s(), running.energy()), (one_by_one.next_utc_s(), one_by_one.energy()));
        assert_eq!(running.preview(inputs), one_by_one.preview(inputs));
    } else {
        assert_eq!(*running.state(), before);
    }
    taken
}

/// A meter reading with 1.23 kWh in each rate. Returns the energy that was taken.
fn push_by_rate(compiled: &CompiledTariff, running: &mut RunningBill<&CompiledTariff>) -> i64 {
    let from_utc_s = running.next_utc_s();
    let each = Energy::from_micro_kwh(1_230_000);
    let energies: Vec<_> = compiled.rate_names(from_utc_s).into_iter().map(|name| (name, each)).collect();
    let usage =
        RateUsage { from_utc_s, to_utc_s: from_utc_s + 1_800, energies: &energies, direction: Default::default() };
    let before = running.state().clone();
    match running.push_registers(&usage) {
        Ok(()) => each.micro_kwh() * i64::try_from(energies.len()).unwrap(),
        Err(_) => {
            assert_eq!(*running.state(), before);
            0
        }
    }
}

fn resume(compiled: &CompiledTariff, running: &RunningBill<&CompiledTariff>) {
    let stored = serde_json::to_string(running.state()).unwrap();
    let resumed = RunningBill::resume(compiled, serde_json::from_str(&stored).unwrap()).unwrap();
    assert_eq!(resumed.state(), running.state());
}

/// Nothing more is used in the period.
fn to_the_end(running: &mut RunningBill<&CompiledTariff>) {
    let (_, period_to_utc_s) = running.period_utc_s();
    let last = Interval::new(period_to_utc_s - 60, period_to_utc_s, Energy::ZERO);
    let before = running.state().clone();
    if running.push(last).is_err() {
        assert_eq!(*running.state(), before);
    }
}

/// Whatever the tariff may ask for.
fn inputs(tariff: &Tariff) -> PeriodInputs {
    let contracts = tariff.versions.iter().flat_map(|version| &version.contract);
    let capacity = Power::from_micro_kw(100_000_000);
    let peak = Power::from_micro_kw(117_250_001);
    PeriodInputs {
        reactive: Some(Reactive { forward_kvarh: Energy::from_micro_kwh(77_000_003), reverse_kvarh: Energy::ZERO }),
        contracts: contracts.clone().map(|contract| (contract.name.clone(), capacity)).collect(),
        peak_kva: contracts
            .filter(|contract| contract.unit == ContractUnit::Kva)
            .map(|contract| (contract.name.clone(), peak))
            .collect(),
        demand: Vec::new(),
    }
}

fn check(bill: &Bill, micro_kwh: i64) {
    let sum = Amount::sum(bill.lines.iter().map(|line| &line.amount)).unwrap();
    assert_eq!(sum, bill.total, "{bill:#?}");
    assert_eq!(bill.energy.micro_kwh(), micro_kwh);
    let note = bill.credit_note();
    assert!(note.total.plus(&bill.total).unwrap().is_zero());
    assert_eq!(Amount::sum(note.lines.iter().map(|line| &line.amount)).unwrap(), note.total);
    let stored = serde_json::to_string(bill).unwrap();
    assert_eq!(serde_json::from_str::<Bill>(&stored).unwrap(), *bill);
}

/// Keys and values of documents; those in quotes replace what stands in quotes.
const WORDS: &[&str] = &[
    "zone",
    "billing",
    "start_day",
    "months",
    "calendar",
    "weekend",
    "holidays",
    "workdays",
    "seasons",
    "day_flags",
    "rounding",
    "lines",
    "total",
    "mode",
    "versions",
    "until",
    "source",
    "energy",
    "components",
    "price",
    "tiers",
    "scaled",
    "rates",
    "ratio",
    "periods",
    "rate",
    "days",
    "flags",
    "precedence",
    "ladder",
    "reset",
    "year_start",
    "scope",
    "limits",
    "kwh",
    "kwh_per_day",
    "kwh_per_kw",
    "allowances",
    "demand",
    "demand_window_minutes",
    "minimum_kw",
    "ratchet",
    "lookback",
    "share",
    "share_by_month",
    "own_share_by_month",
    "source_rates",
    "to_kw",
    "contract",
    "unit",
    "over",
    "above",
    "fixed",
    "per",
    "power_factor",
    "table",
    "at_least",
    "percent",
    "base",
    "without",
    "minimum",
    "monthly",
    "annual",
    "taxes",
    "per_kwh",
    "included",
    "0",
    "1",
    "2",
    "3",
    "6",
    "12",
    "15",
    "28",
    "60",
    "-1",
    "true",
    "false",
    "[]",
    "\"+08:00\"",
    "\"-03:30\"",
    "\"Europe/Berlin\"",
    "\"America/Sao_Paulo\"",
    "\"monday\"",
    "\"saturday\"",
    "\"workday\"",
    "\"weekend\"",
    "\"holiday\"",
    "\"monthly\"",
    "\"yearly\"",
    "\"billing_period\"",
    "\"shared_chronological\"",
    "\"shared_proportional\"",
    "\"per_period\"",
    "\"day\"",
    "\"month\"",
    "\"mean_month_365_12\"",
    "\"kw\"",
    "\"kva\"",
    "\"energy\"",
    "\"demand\"",
    "\"contract\"",
    "\"fixed\"",
    "\"power_factor\"",
    "\"minimum\"",
    "\"half_even\"",
    "\"half_away_from_zero\"",
    "\"00:00\"",
    "\"24:00\"",
    "\"08:30\"",
    "\"22:30\"",
    "\"02-29\"",
    "\"2025-03-30\"",
    "\"2024-02-29\"",
    "\"9999-12-31\"",
    "\"0\"",
    "\"1\"",
    "\"-1\"",
    "\"0.5\"",
    "\"0.90\"",
    "\"1.0325\"",
    "\"100000\"",
    "\"0.070768997073173523\"",
    "\"1e38\"",
    "\"1000000000\"",
    "\"\"",
];
