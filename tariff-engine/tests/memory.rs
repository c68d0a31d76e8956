//! What a running bill holds: bounded, and nothing new for an interval.

mod random;

use random::Random;
use tariff_engine::limits::{MAX_LADDER_SEGMENTS, MAX_RUNNING_BYTES};
use tariff_engine::{
    CompiledTariff, Energy, Gaps, Interval, Opening, PastPeak, PeakHistory, PeriodInputs, RateUsage, RunningBill,
    RunningState, Series, Tariff, UsageError, UsagePolicy,
};

const HOUR_S: i64 = 3_600;

fn compiled(text: &str) -> CompiledTariff {
    toml::from_str::<Tariff>(text).unwrap().compile().unwrap()
}

/// Rates by the hour, tiers, demand with ratchets: `ladder` is its limit.
fn large(rates: usize, charges: usize, limits: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::from(
        "schema = 1\nname = \"large\"\nzone = \"+08:00\"\n[calendar]\nday_flags = [\"hot\"]\n[[versions]]\nfrom = \"2025-01-01\"\n\
         demand_window_minutes = 60\n[versions.energy]\nrates = [",
    );
    (0..rates).for_each(|rate| write!(text, "{{ name = \"r{rate}\", tiers = [\"1\", \"2\"] }}, ").unwrap());
    text.push_str("]\nperiods = [");
    for hour in 0..24 {
        let (rate, to) = (hour % rates, hour + 1);
        write!(text, "{{ rate = \"r{rate}\", from = \"{hour:02}:00\", to = \"{to:02}:00\" }}, ").unwrap();
    }
    writeln!(text, "]\nladder = {{ limits = [{limits}], allowances = [{{ name = \"large\", kwh = [\"9\"] }}] }}")
        .unwrap();
    for charge in 0..charges {
        write!(
            text,
            "[[versions.demand]]\nname = \"d{charge}\"\nratchet = {{ lookback = 11, share = \"0.8\" }}\n\
             rates = [{{ name = \"all\", price = \"3\" }}]\n"
        )
        .unwrap();
    }
    text
}

/// A bill with everything that it can remember.
fn full(tariff: &CompiledTariff, charges: usize) -> RunningBill<&CompiledTariff> {
    let dates = (1..=11).map(|month| format!("2024-{:02}-15", month + 1));
    let peaks = dates.flat_map(|date| {
        (0..charges).map(move |charge| PastPeak {
            charge: format!("d{charge}"),
            date: date.clone(),
            power: "9999999.999999".parse().unwrap(),
        })
    });
    let opening = Opening {
        from_utc_s: tariff.day_start_utc_s("2025-01-01").unwrap(),
        policy: UsagePolicy { gaps: Gaps::UsedNothing, ..UsagePolicy::default() },
        ladder_used: "999999.123456".parse().unwrap(),
        allowances: vec!["large".into()],
        history: PeakHistory::Known(peaks.collect()),
        ..Opening::default()
    };
    let mut running = RunningBill::open(tariff, &opening).unwrap();
    for day in 1..=31 {
        running.set_day_flags(&format!("2025-01-{day:02}"), &["hot"]).unwrap();
        running.set_day_flags(&format!("2025-03-{day:02}"), &["hot"]).unwrap();
    }
    for hour in 0..31 * 24 {
        let from_utc_s = opening.from_utc_s + hour * HOUR_S;
        running.push(Interval::new(from_utc_s, from_utc_s + HOUR_S, Energy::from_micro_kwh(987_654_321))).unwrap();
    }
    running
}

fn assert_bounded<T: std::borrow::Borrow<CompiledTariff>>(running: &RunningBill<T>) {
    assert!(running.memory_bytes() <= MAX_RUNNING_BYTES, "{} bytes", running.memory_bytes());
    assert!(running.buffer_bytes() <= 16 * MAX_LADDER_SEGMENTS, "{} bytes", running.buffer_bytes());
    let stored = serde_json::to_string(running.state()).unwrap();
    assert!(stored.len() <= 4 * (MAX_RUNNING_BYTES + running.buffer_bytes()), "{} bytes of JSON", stored.len());
    let state: RunningState = serde_json::from_str(&stored).unwrap();
    assert_eq!(&state, running.state());
    let resumed = RunningBill::resume(running.tariff(), state).unwrap();
    assert!(resumed.memory_bytes() <= MAX_RUNNING_BYTES, "{} bytes resumed", resumed.memory_bytes());
}

#[test]
fn a_full_running_bill_stays_within_its_bound() {
    let text = large(24, 8, "{ kwh = \"100\" }");
    let tariff = compiled(&text);
    let mut running = full(&tariff, 8);
    println!("{} bytes", running.memory_bytes());
    assert!(running.memory_bytes() > MAX_RUNNING_BYTES / 2, "the test asks for little");
    assert_bounded(&running);
    running.settle(&PeriodInputs::default()).unwrap();
    assert_bounded(&running);
}

#[test]
fn a_list_of_changes_of_rate_is_the_named_buffer() {
    let text = large(24, 8, "{ kwh_per_kw = \"100\" }").replace("allowances", "demand = \"d0\", allowances");
    let tariff = compiled(&text);
    let running = full(&tariff, 8);
    assert!(running.buffer_bytes() >= 16 * 31 * 24);
    assert_bounded(&running);
}

#[test]
fn a_tariff_that_would_need_more_is_refused_by_its_path() {
    let text = large(24, 16, "{ kwh = \"100\" }");
    let tariff: Tariff = toml::from_str(&text).unwrap();
    let error = tariff.compile().unwrap_err();
    assert_eq!(error.path, "versions[0]");
    assert!(error.to_string().contains("4096 bytes"), "{error}");
}

#[test]
fn random_tariffs_stay_within_the_bound() {
    for seed in 0..300 {
        let tariff = random::tariff(&mut Random::from(seed), 30).0.compile().unwrap();
        let opening = Opening {
            from_utc_s: tariff.day_start_utc_s("2024-02-01").unwrap(),
            history: PeakHistory::NewSupply,
            ..Opening::default()
        };
        let running = RunningBill::open(&tariff, &opening).unwrap();
        assert_bounded(&running);
    }
}

#[test]
fn an_interval_allocates_nothing() {
    for ladder in ["{ kwh = \"100\" }", "{ kwh_per_kw = \"100\" }"] {
        let listed = ladder.contains("per_kw");
        let text = large(4, 2, ladder).replace("day_flags = [\"hot\"]", "");
        let tariff = compiled(&if listed { text.replace("allowances", "demand = \"d0\", allowances") } else { text });
        let opening = Opening {
            from_utc_s: tariff.day_start_utc_s("2025-01-01").unwrap(),
            history: PeakHistory::NewSupply,
            ..Opening::default()
        };
        let mut running = RunningBill::open(&tariff, &opening).unwrap();
        let allocated = allocation_counter::measure(|| {
            for hour in 0..31 * 24 {
                let from_utc_s = opening.from_utc_s + hour * HOUR_S;
                running.push(Interval::new(from_utc_s, from_utc_s + HOUR_S, Energy::from_wh(750).unwrap())).unwrap();
            }
        });
        // The list grows by doubling, so 744 entries take a handful of steps.
        let most = if listed { 9 } else { 0 };
        assert!(allocated.count_total <= most, "{ladder}: {allocated:?}");

        let month = vec![Energy::from_wh(750).unwrap(); 31 * 24];
        let push_month = |energies: &[Energy]| {
            let mut running = RunningBill::open(&tariff, &opening).unwrap();
            let series = Series { start_utc_s: opening.from_utc_s, step_s: 3_600, energies };
            allocation_counter::measure(|| running.push_series(&series).unwrap()).count_total
        };
        // A copy to go back to is all that a series takes, however long it is.
        let (short, long) = (push_month(&month[..24]), push_month(&month));
        assert!(long <= short + most, "{ladder}: {short} and {long}");
    }
}

#[test]
fn changes_of_rate_beyond_the_buffer_are_refused() {
    let text = large(2, 1, "{ kwh_per_kw = \"100\" }").replace("allowances", "demand = \"d0\", allowances");
    let tariff = compiled(&text.replace("day_flags = [\"hot\"]", ""));
    let opening = Opening {
        from_utc_s: tariff.day_start_utc_s("2025-01-01").unwrap(),
        history: PeakHistory::NewSupply,
        policy: UsagePolicy { demand: tariff_engine::DemandSource::Reported, ..UsagePolicy::default() },
        ..Opening::default()
    };
    let mut running = RunningBill::open(&tariff, &opening).unwrap();
    let mut push = |turn: usize| {
        let from_utc_s = opening.from_utc_s + i64::try_from(turn).unwrap();
        let rate = if turn.is_multiple_of(2) { "r0" } else { "r1" };
        running.push_registers(&RateUsage {
            from_utc_s,
            to_utc_s: from_utc_s + 1,
            energies: &[(rate, Energy::from_micro_kwh(1))],
            direction: Default::default(),
        })
    };
    (0..MAX_LADDER_SEGMENTS).for_each(|turn| push(turn).unwrap());
    assert_eq!(push(MAX_LADDER_SEGMENTS), Err(UsageError::TooManyRateChanges));
}
