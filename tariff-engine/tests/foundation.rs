//! Flat, four-rate and ladder tariffs from documents to bills, by intervals and by a meter's rate registers.

use tariff_engine::{
    Amount, Borders, CompiledTariff, Energy, Gaps, Interval, LineKind, Opening, PeriodInputs, RateUsage, Rounding,
    RoundingMode, RunningBill, RunningState, Series, Tariff, UsageError, UsagePolicy,
};

const HOUR: i64 = 3_600;

/// A shop's month under four rates: 尖峰平谷.
const FOUR_RATES: &str = r#"
schema = 1
name = "Mall, four rates"
currency = "CNY"
zone = "+08:00"
rounding = { lines = 2, mode = "half_away_from_zero" }

[[versions]]
from = "2025-01-01"
[versions.energy]
rates = [
    { name = "spike", price = "1.2064" },
    { name = "peak", price = "1.0325" },
    { name = "flat", price = "0.6458" },
    { name = "valley", price = "0.3021" },
]
periods = [
    { rate = "flat", from = "00:00", to = "24:00" },
    { rate = "valley", from = "22:30", to = "06:30", precedence = 1 },
    { rate = "peak", from = "08:00", to = "11:30", precedence = 1 },
    { rate = "peak", from = "18:00", to = "21:00", precedence = 1 },
    { rate = "spike", from = "19:00", to = "21:00", months = [7, 8], precedence = 2 },
]
[[versions.fixed]]
name = "service"
price = "15.5"
per = "month"
"#;

/// A household ladder over the year.
const LADDER: &str = r#"
schema = 1
name = "Household"
currency = "CNY"
zone = "+08:00"
[[versions]]
from = "2025-01-01"
[versions.energy]
rates = [{ name = "all", tiers = ["0.538", "0.588", "0.838"] }]
ladder = { reset = "yearly", limits = [{ kwh = "2760" }, { kwh = "4800" }] }
"#;

fn compile(text: &str) -> CompiledTariff {
    toml::from_str::<Tariff>(text).unwrap().compile().unwrap()
}

fn open<'a>(tariff: &'a CompiledTariff, date: &str) -> RunningBill<&'a CompiledTariff> {
    let from_utc_s = tariff.day_start_utc_s(date).unwrap();
    RunningBill::open(tariff, &Opening { from_utc_s, ..Opening::default() }).unwrap()
}

fn kwh(text: &str) -> Energy {
    text.parse().unwrap()
}

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

#[test]
fn registers_of_four_rates_are_priced_by_rate() {
    let tariff = compile(FOUR_RATES);
    let mut running = open(&tariff, "2025-07-01");
    let from_utc_s = running.next_utc_s();
    let usage = RateUsage {
        from_utc_s,
        to_utc_s: from_utc_s + HOUR / 2,
        energies: &[("spike", kwh("1.23")), ("peak", kwh("2")), ("flat", kwh("3.01")), ("valley", kwh("0"))],
        direction: Default::default(),
    };
    running.push_registers(&usage).unwrap();
    // 1.23 × 1.2064 + 2 × 1.0325 + 3.01 × 0.6458
    assert_eq!(running.energy_amount(&PeriodInputs::default()).unwrap(), amount("5.49273"));
    let fen = Rounding::new(2, RoundingMode::HalfAwayFromZero).unwrap();
    assert_eq!(running.energy_minor_units(&PeriodInputs::default(), fen).unwrap(), 549);
}

#[test]
fn stored_and_resumed_it_goes_on() {
    let tariff = compile(FOUR_RATES);
    let mut running = open(&tariff, "2025-07-01");
    let start = running.next_utc_s();
    let push = |running: &mut RunningBill<&CompiledTariff>, half_hour: i64| {
        let from_utc_s = start + half_hour * HOUR / 2;
        let usage = RateUsage {
            from_utc_s,
            to_utc_s: from_utc_s + HOUR / 2,
            energies: &[("flat", kwh("0.07")), ("valley", kwh("0.11"))],
            direction: Default::default(),
        };
        running.push_registers(&usage).unwrap();
    };
    (0..10).for_each(|half_hour| push(&mut running, half_hour));
    let stored = serde_json::to_string(running.state()).unwrap();
    let state: RunningState = serde_json::from_str(&stored).unwrap();
    let mut resumed = RunningBill::resume(&tariff, state).unwrap();
    (10..20).for_each(|half_hour| push(&mut running, half_hour));
    (10..20).for_each(|half_hour| push(&mut resumed, half_hour));
    assert_eq!(running.state(), resumed.state());
    assert_eq!(resumed.energy(), kwh("3.6"));
}

#[test]
fn intervals_meet_the_period_of_their_time() {
    let tariff = compile(FOUR_RATES);
    for (hour, price) in [(0, "0.3021"), (7, "0.6458"), (8, "1.0325"), (19, "1.2064"), (23, "0.3021")] {
        let mut running = open(&tariff, "2025-07-01");
        let start = running.next_utc_s();
        let hours = vec![Energy::ZERO; hour];
        running
            .push_series(&Series { start_utc_s: start, step_s: 1_800, energies: &[hours.clone(), hours].concat() })
            .unwrap();
        let from_utc_s = running.next_utc_s();
        running.push(Interval::new(from_utc_s, from_utc_s + HOUR / 2, kwh("1"))).unwrap();
        assert_eq!(running.energy_amount(&PeriodInputs::default()).unwrap(), amount(price), "at {hour} o'clock");
        assert_eq!(
            running.marginal_price("spike", &PeriodInputs::default()).unwrap().price_per_kwh.to_string(),
            "1.2064"
        );
    }
}

#[test]
fn an_interval_over_a_border_is_refused_or_split() {
    let tariff = compile(FOUR_RATES);
    let start = tariff.day_start_utc_s("2025-03-01").unwrap();
    // 06:00 to 07:00 crosses 06:30.
    let interval = Interval::new(start + 6 * HOUR, start + 7 * HOUR, kwh("1.000001"));
    let opening = |policy| Opening { from_utc_s: start + 6 * HOUR, policy, ..Opening::default() };
    let mut strict = RunningBill::open(&tariff, &opening(UsagePolicy::default())).unwrap();
    let before = strict.state().clone();
    let error = strict.push(interval).unwrap_err();
    assert!(matches!(error, UsageError::CrossesBorder { at_utc_s, .. } if at_utc_s == start + 6 * HOUR + HOUR / 2));
    assert_eq!(*strict.state(), before);
    let policy = UsagePolicy { borders: Borders::SplitProRata, ..UsagePolicy::default() };
    let mut splitting = RunningBill::open(&tariff, &opening(policy)).unwrap();
    splitting.push(interval).unwrap();
    // 0.500001 kWh at the valley price (the earlier half takes the odd 10⁻⁶), 0.5 kWh at the flat price.
    assert_eq!(splitting.energy_amount(&PeriodInputs::default()).unwrap(), amount("0.4739503021"));
}

#[test]
fn a_yearly_ladder_crosses_its_limit() {
    let tariff = compile(LADDER);
    let from_utc_s = tariff.day_start_utc_s("2025-11-01").unwrap();
    let opening = Opening { from_utc_s, ladder_used: kwh("2700"), ..Opening::default() };
    let mut running = RunningBill::open(&tariff, &opening).unwrap();
    let (_, to_utc_s) = running.period_utc_s();
    running.push(Interval::new(from_utc_s, to_utc_s, kwh("200"))).unwrap();
    let bill = running.settle(&PeriodInputs::default()).unwrap();
    assert_eq!(bill.total, amount("114.6"), "60 × 0.538 + 140 × 0.588");
    assert_eq!(bill.lines.len(), 2);
    // December goes on in the second tier, January begins in the first.
    for (price, used) in [("0.588", "2910"), ("0.538", "10")] {
        let (from_utc_s, to_utc_s) = running.period_utc_s();
        running.push(Interval::new(from_utc_s, to_utc_s, kwh("10"))).unwrap();
        let marginal = running.marginal_price("all", &PeriodInputs::default()).unwrap();
        assert_eq!(marginal.price_per_kwh.to_string(), price);
        assert_eq!(marginal.position.used, kwh(used));
        running.settle(&PeriodInputs::default()).unwrap();
    }
}

#[test]
fn a_month_ends_by_settling() {
    let tariff = compile(FOUR_RATES);
    let mut running = open(&tariff, "2025-07-31");
    let (_, to_utc_s) = running.period_utc_s();
    let usage = RateUsage {
        from_utc_s: running.next_utc_s(),
        to_utc_s: to_utc_s + 600,
        energies: &[("flat", kwh("14.50"))],
        direction: Default::default(),
    };
    assert!(
        matches!(running.push_registers(&usage), Err(UsageError::CrossesBorder { at_utc_s, .. }) if at_utc_s == to_utc_s)
    );
    let split = usage.split_pro_rata(to_utc_s).unwrap();
    running.push_registers(&RateUsage { to_utc_s, energies: &split.before, ..usage }).unwrap();
    let after = RateUsage { from_utc_s: to_utc_s, energies: &split.after, ..usage };
    assert!(matches!(running.push_registers(&after), Err(UsageError::PeriodOver { .. })));
    let bill = running.settle(&PeriodInputs::default()).unwrap();
    // 14.4 of 14.5 kWh lie in July; the service charge counts one of 31 days.
    assert_eq!(bill.energy, kwh("14.4"));
    assert_eq!(bill.lines[0].amount, amount("9.30"));
    assert_eq!((bill.lines[1].kind, bill.lines[1].amount.clone()), (LineKind::Fixed, amount("0.5")));
    assert_eq!(bill.total, amount("9.8"));
    running.push_registers(&after).unwrap();
    assert_eq!(running.energy(), kwh("0.1"));
}

#[test]
fn a_price_change_counts_from_its_date() {
    let text = LADDER.replace("yearly", "monthly").replace("2760", "100").replace("4800", "200")
        + r#"
[[versions]]
from = "2025-03-11"
[versions.energy]
rates = [{ name = "all", tiers = ["1", "2", "3"] }]
ladder = { reset = "monthly", limits = [{ kwh = "120" }, { kwh = "200" }] }
"#;
    let tariff = compile(&text);
    let mut running = open(&tariff, "2025-03-01");
    let change = tariff.day_start_utc_s("2025-03-11").unwrap();
    let (from_utc_s, to_utc_s) = running.period_utc_s();
    running.push(Interval::new(from_utc_s, change, kwh("110"))).unwrap();
    running.push(Interval::new(change, to_utc_s, kwh("110"))).unwrap();
    let bill = running.settle(&PeriodInputs::default()).unwrap();
    // 100 × 0.538 + 10 × 0.588 before; then from 110 kWh on: 10 × 1 up to 120, 80 × 2 up to 200, 20 × 3.
    assert_eq!(bill.total, amount("289.68"));
    assert_eq!(bill.lines.len(), 5);
}

#[test]
fn gaps_overlaps_disorder_and_nonsense_leave_the_state_alone() {
    let tariff = compile(FOUR_RATES);
    let mut running = open(&tariff, "2025-02-01");
    let start = running.next_utc_s();
    running.push(Interval::new(start, start + HOUR, kwh("1"))).unwrap();
    let before = running.state().clone();
    let mut refuse = |interval: Interval| {
        let error = running.push(interval).unwrap_err();
        assert_eq!(*running.state(), before, "{error}");
        error
    };
    let at = |from: i64, to: i64, energy: &str| Interval::new(start + from * HOUR, start + to * HOUR, kwh(energy));
    assert!(matches!(refuse(at(2, 3, "1")), UsageError::Gap { .. }));
    assert!(matches!(refuse(at(0, 2, "1")), UsageError::Overlap { .. }));
    assert!(matches!(refuse(at(0, 1, "1")), UsageError::Disorder { .. }));
    assert!(matches!(refuse(at(1, 1, "1")), UsageError::ZeroLength { .. }));
    assert!(matches!(refuse(at(1, 2, "-0.000001")), UsageError::Negative { .. }));
    assert!(matches!(refuse(at(1, 2, "1000000001")), UsageError::TooMuchEnergy));
    assert!(matches!(refuse(at(700, 701, "1")), UsageError::PeriodOver { .. }));
    let export = Interval { direction: tariff_engine::Direction::Export, ..at(1, 2, "1") };
    assert!(matches!(refuse(export), UsageError::Export { .. }));
    let series = Series { start_utc_s: start + HOUR, step_s: 1_800, energies: &[kwh("1"), kwh("1"), kwh("-1")] };
    assert!(
        matches!(running.push_series(&series), Err(UsageError::Negative { from_utc_s, .. }) if from_utc_s == start + 2 * HOUR)
    );
    assert_eq!(*running.state(), before, "a series is taken whole or not at all");
    let policy = UsagePolicy { gaps: Gaps::UsedNothing, ..UsagePolicy::default() };
    let mut tolerant =
        RunningBill::open(&tariff, &Opening { from_utc_s: start, policy, ..Opening::default() }).unwrap();
    tolerant.push(at(2, 3, "1")).unwrap();
    assert_eq!(tolerant.settle(&PeriodInputs::default()).unwrap().energy, kwh("1"));
}
