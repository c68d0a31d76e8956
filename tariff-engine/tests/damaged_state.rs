//! A stored state that was changed is refused, and the error says what contradicts what.

use serde_json::{Value, json};
use tariff_engine::{
    CompiledTariff, Energy, Gaps, Interval, Opening, PastPeak, PeakHistory, ResumeError, RunningBill, Tariff,
    UsagePolicy,
};

/// A ladder that is known at the period's end, so that a book has a start and a list of changes of rate.
const TARIFF: &str = r#"
schema = 1
name = "t"
zone = "+08:00"
[calendar]
day_flags = ["hot"]
[[versions]]
from = "2025-01-01"
demand_window_minutes = 60
demand = [{ name = "d", rates = [{ name = "all", price = "1" }], ratchet = { lookback = 3, share = "0.5" } }]
[versions.energy]
rates = [{ name = "peak", tiers = ["1", "2"] }, { name = "valley", tiers = ["0.3", "0.4"] }]
periods = [{ rate = "peak", from = "08:00", to = "20:00" }, { rate = "valley", from = "20:00", to = "08:00" }]
ladder = { limits = [{ kwh_per_day = "4" }], allowances = [{ name = "five", kwh = ["10"] }] }
"#;

fn stored(tariff: &CompiledTariff) -> Value {
    let from_utc_s = tariff.day_start_utc_s("2025-02-01").unwrap();
    let past = PastPeak { charge: "d".into(), date: "2025-01-05".into(), power: "3".parse().unwrap() };
    let opening = Opening {
        from_utc_s,
        policy: UsagePolicy { gaps: Gaps::UsedNothing, ..UsagePolicy::default() },
        allowances: vec!["five".into()],
        history: PeakHistory::Known(vec![past]),
        ..Opening::default()
    };
    let mut running = RunningBill::open(tariff, &opening).unwrap();
    running.set_day_flags("2025-02-02", &["hot"]).unwrap();
    for hour in [7, 8] {
        let from = from_utc_s + hour * 3_600;
        running.push(Interval::new(from, from + 3_600, Energy::from_kwh(2).unwrap())).unwrap();
    }
    serde_json::to_value(running.state()).unwrap()
}

#[test]
fn each_contradiction_is_named() {
    let tariff = toml::from_str::<Tariff>(TARIFF).unwrap().compile().unwrap();
    let good = stored(&tariff);
    let resume = |value: Value| RunningBill::resume(&tariff, serde_json::from_value(value).unwrap());
    assert_eq!(serde_json::to_value(resume(good.clone()).unwrap().state()).unwrap(), good);
    let peak_kw = 10_000_000_000_001_i64;
    let many = |entry: Value, count: usize| Value::Array(vec![entry; count]);
    let past = good["demand"]["history"][0].clone();
    for (pointer, value, what) in [
        ("/period_to_utc_s", json!(0), "its billing period is not one of the tariff"),
        ("/month_of_year", json!(5), "its month is not that of its billing period"),
        (
            "/next_utc_s",
            good["period_to_utc_s"].as_i64().map(|end| end + 1).into(),
            "its time is outside its billing period",
        ),
        ("/bill_from_utc_s", good["period_to_utc_s"].clone(), "its time is outside its billing period"),
        ("/energy", json!(-1), "its energy is out of range"),
        ("/books", many(good["books"][0].clone(), 2), "its books are not in order"),
        ("/day_flags", many(good["day_flags"][0].clone(), 63), "it has too many flagged days"),
        ("/books/0/cells", json!([4_000_000]), "a book does not fit its version"),
        ("/books/0/start", Value::Null, "a book does not fit its ladder"),
        ("/books/0/cells/0", json!(-1), "a book is out of range"),
        ("/books/0/segments", many(json!([0, 0]), 4_097), "a list of changes of rate is too long"),
        ("/books/0/segments/0/0", json!(2), "a list of changes of rate is out of range"),
        ("/books/0/segments/0/1", json!(-1), "a list of changes of rate is out of range"),
        ("/books/0/segments/0/1", json!(1), "a list of changes of rate does not sum to its book"),
        ("/energy", json!(3_999_999), "its books do not sum to its energy"),
        ("/books", json!([]), "its books do not sum to its energy"),
        ("/ladder/total", json!(-1), "its position in the ladder is out of range"),
        ("/books/0/start/by_rate/1", json!(-1), "its position in the ladder is out of range"),
        ("/ladder/by_rate", json!([0, 0, 0]), "its ladder is not one of the tariff"),
        ("/ladder/allowances", json!([1]), "its ladder is not one of the tariff"),
        ("/ladder/allowances", json!([0, 0]), "its ladder is not one of the tariff"),
        ("/demand/peaks/0/power", json!(peak_kw), "a peak is out of range"),
        ("/demand/history/0/power", json!(-1), "a peak is out of range"),
        ("/demand/peaks", many(good["demand"]["peaks"][0].clone(), 2), "its peaks are not those of the tariff"),
        ("/demand/history", many(past.clone(), 13), "its peaks are not those of the tariff"),
        ("/demand/window_energy", json!(-1), "its demand window is out of range"),
    ] {
        let mut damaged = good.clone();
        *damaged.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} of {good}")) = value;
        let error = resume(damaged).unwrap_err();
        assert_eq!(error, ResumeError::Damaged { what }, "{pointer}");
        assert_eq!(error.to_string(), format!("the state is damaged: {what}"));
    }
    // Twelve past peaks of one charge are what a ratchet can ask for.
    let mut full = good.clone();
    full["demand"]["history"] = many(past, 12);
    assert!(resume(full).is_ok());
    for (pointer, value, error) in [
        ("/format", 2, ResumeError::Format { found: 2, known: 1 }),
        ("/fingerprint", 1, ResumeError::OtherTariff),
        ("/version", 1, ResumeError::OtherTariff),
    ] {
        let mut other = good.clone();
        *other.pointer_mut(pointer).unwrap() = value.into();
        assert_eq!(resume(other).unwrap_err(), error);
    }
}

#[test]
fn flags_are_told_for_62_days_ahead() {
    let tariff = toml::from_str::<Tariff>(TARIFF).unwrap().compile().unwrap();
    let state = serde_json::from_value(stored(&tariff)).unwrap();
    let mut running = RunningBill::resume(&tariff, state).unwrap();
    let date =
        |n: i64| tariff.date_of_utc_s(tariff.day_start_utc_s("2025-02-02").unwrap() + n * 86_400).unwrap().to_string();
    for n in 1..62 {
        running.set_day_flags(&date(n), &[]).unwrap();
    }
    let before = running.state().clone();
    let error = running.set_day_flags(&date(62), &[]).unwrap_err();
    assert_eq!(error.to_string(), "day flags are kept for 62 days ahead");
    assert_eq!(*running.state(), before);
    // A day that is told again takes no second place.
    running.set_day_flags(&date(61), &["hot"]).unwrap();
}
