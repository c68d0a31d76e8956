//! Documents and usage that are wrong: each is refused by type, with its path, and nothing panics or loses a digit.

use proptest::prelude::*;
use tariff_engine::{CompileError, Energy, Interval, Opening, PeriodInputs, RunningBill, Series, Tariff, UsageError};

const GOOD: &str = r#"
schema = 1
name = "t"
zone = "+08:00"
[billing]
start_day = 1
months = 1
[[versions]]
from = "2025-01-01"
[[versions]]
from = "2025-06-01"
demand_window_minutes = 15
demand = [{ name = "d", rates = [{ name = "all", price = "3" }] }]
fixed = [{ name = "f", price = "2", per = "day" }]
taxes = [{ name = "vat", percent = "13", base = ["energy"] }]
[versions.energy]
rates = [{ name = "a", tiers = ["1", "2"] }, { name = "b", tiers = ["3", "4"] }]
periods = [{ rate = "a", from = "00:00", to = "24:00" }, { rate = "b", from = "08:00", to = "12:00", precedence = 1 }]
ladder = { reset = "monthly", limits = [{ kwh = "100" }] }
"#;

/// The first version has the same prices as the second, flat.
fn good() -> String {
    GOOD.replacen(
        "from = \"2025-01-01\"\n",
        "from = \"2025-01-01\"\nenergy = { rates = [{ name = \"a\", price = \"1\" }] }\n",
        1,
    )
}

fn refused(text: &str) -> CompileError {
    toml::from_str::<Tariff>(text).unwrap().compile().unwrap_err()
}

#[test]
fn the_good_one_is_good() {
    toml::from_str::<Tariff>(&good()).unwrap().compile().unwrap();
}

#[test]
fn each_error_names_its_path() {
    let cases = [
        ("schema = 1", "schema = 2", "schema"),
        ("\"+08:00\"", "\"+26:00\"", "zone"),
        ("start_day = 1", "start_day = 31", "billing.start_day"),
        ("months = 1", "months = 5", "billing.months"),
        ("2025-06-01", "2025-02-30", "versions[1].from"),
        ("2025-06-01", "2024-06-01", "versions[1].from"),
        ("2025-06-01", "10000-06-01", "versions[1].from"),
        ("minutes = 15", "minutes = 7", "versions[1].demand_window_minutes"),
        ("\"3\" }] }]", "3.5 }] }]", "versions[1].demand[0].rates[0].price"),
        ("name = \"f\"", "name = \"energy\"", "versions[1].fixed[0].name"),
        ("name = \"f\"", "name = \"d\"", "versions[1].fixed[0].name"),
        ("base = [\"energy\"]", "base = [\"vat\"]", "versions[1].taxes[0].base[0]"),
        ("base = [\"energy\"]", "base = [\"enrgy\"]", "versions[1].taxes[0].base[0]"),
        ("tiers = [\"3\", \"4\"]", "tiers = [\"3\"]", "versions[1].energy.rates[1].tiers"),
        ("tiers = [\"3\", \"4\"]", "tiers = [\"3\", 0.4]", "versions[1].energy.rates[1].tiers[1]"),
        ("\"3\", \"4\"", "\"3\", \"0.1234567890123456789\"", "versions[1].energy.rates[1].tiers[1]"),
        ("\"3\", \"4\"", "\"3\", \"123456789012345678901234567890123456789\"", "versions[1].energy.rates[1].tiers[1]"),
        ("\"3\", \"4\"", "\"3\", \"200000\"", "versions[1].energy.rates[1].tiers[1]"),
        ("from = \"08:00\"", "from = \"26:00\"", "versions[1].energy.periods[1].from"),
        ("to = \"12:00\"", "to = \"12:60\"", "versions[1].energy.periods[1].to"),
        ("rate = \"b\"", "rate = \"c\"", "versions[1].energy.periods[1].rate"),
        ("precedence = 1", "precedence = 0", "versions[1].energy.periods[1]"),
        ("to = \"24:00\"", "to = \"23:00\"", "versions[1].energy.periods"),
        ("kwh = \"100\"", "kwh = \"-1\"", "versions[1].energy.ladder.limits[0].kwh"),
        ("kwh = \"100\"", "kwh_per_kw = \"100\"", "versions[1].energy.ladder.demand"),
        (
            "reset = \"monthly\"",
            "reset = \"yearly\", scope = \"shared_proportional\"",
            "versions[1].energy.ladder.reset",
        ),
    ];
    for (from, to, path) in cases {
        let text = good().replace(from, to);
        assert_ne!(text, good(), "{from} stands in the document");
        let error = refused(&text);
        assert_eq!(error.path, path, "{from} -> {to}: {error}");
        assert!(!error.value.is_empty() && !error.rule.is_empty());
    }
}

#[test]
fn unknown_fields_are_refused() {
    let error = toml::from_str::<Tariff>(&good().replace("precedence", "priority")).unwrap_err();
    assert!(error.to_string().contains("priority"), "{error}");
}

#[test]
fn prices_that_could_overflow_a_bill_are_refused() {
    let text = good().replace("percent = \"13\"", "percent = \"1000\"").replace("\"3\", \"4\"", "\"3\", \"99999\"");
    assert_eq!(refused(&text).path, "versions[1]");
}

#[test]
fn time_at_its_ends() {
    let tariff = toml::from_str::<Tariff>(&good()).unwrap().compile().unwrap();
    let open = |from_utc_s| RunningBill::open(&tariff, &Opening { from_utc_s, ..Opening::default() });
    for far in [i64::MIN, -1, i64::MAX] {
        assert!(
            matches!(open(far), Err(UsageError::OutsideVersions { .. } | UsageError::BeyondCalendar { .. })),
            "{far}"
        );
    }
    let last = tariff.day_start_utc_s("9999-12-31").unwrap();
    let mut running = open(last).unwrap();
    running.push(Interval::new(last, last + 900, Energy::from_kwh(1).unwrap())).unwrap();
    assert!(matches!(
        running.push(Interval::new(last + 900, i64::MAX, Energy::ZERO)),
        Err(UsageError::CrossesBorder { .. })
    ));
    let endless = Series { start_utc_s: last + 900, step_s: u32::MAX, energies: &[Energy::ZERO] };
    assert!(running.push_series(&endless).is_err());
    let none = Series { start_utc_s: last + 900, step_s: 0, energies: &[Energy::ZERO] };
    assert!(matches!(running.push_series(&none), Err(UsageError::ZeroLength { .. })));
}

#[test]
fn a_damaged_state_is_refused() {
    let tariff = toml::from_str::<Tariff>(&good()).unwrap().compile().unwrap();
    let from_utc_s = tariff.day_start_utc_s("2025-07-01").unwrap();
    let mut running = RunningBill::open(&tariff, &Opening { from_utc_s, ..Opening::default() }).unwrap();
    running.push(Interval::new(from_utc_s, from_utc_s + 900, Energy::from_kwh(1).unwrap())).unwrap();
    let stored = serde_json::to_value(running.state()).unwrap();
    let resume = |value: serde_json::Value| RunningBill::resume(&tariff, serde_json::from_value(value).unwrap());
    assert!(resume(stored.clone()).is_ok());
    for (pointer, value) in [
        ("/format", 2.into()),
        ("/version", 0.into()),
        ("/fingerprint", 1.into()),
        ("/energy", 5.into()),
        ("/period_to_utc_s", 0.into()),
        ("/next_utc_s", i64::MAX.into()),
        ("/books/0/cells/0", serde_json::Value::from(-1)),
        ("/books/0/cells", serde_json::json!([1])),
        ("/ladder/total", serde_json::Value::from(-1)),
        ("/demand/peaks/0/power", i64::MAX.into()),
        ("/month_of_year", 200.into()),
    ] {
        let mut damaged = stored.clone();
        *damaged.pointer_mut(pointer).unwrap() = value;
        assert!(resume(damaged).is_err(), "{pointer}");
    }
}

proptest! {
    /// Documents with random strings in random places compile or are refused; nothing panics.
    #[test]
    fn mangled_documents_do_not_panic(at in 0_usize..900, length in 0_usize..12, with in "[-0-9a-z.:\"{}\\[\\] =,]{0,12}") {
        let text = good();
        let (start, end) = (at.min(text.len()), (at + length).min(text.len()));
        let mangled = format!("{}{with}{}", &text[..start], &text[end..]);
        if let Ok(tariff) = toml::from_str::<Tariff>(&mangled) {
            let _ = tariff.compile();
        }
    }

    /// Any intervals, pushed in any state, give a typed error or are billed.
    #[test]
    fn wild_usage_does_not_panic(uses in prop::collection::vec((any::<i64>(), any::<i64>(), any::<i64>()), 1..8), near in any::<bool>()) {
        let tariff = toml::from_str::<Tariff>(&good()).unwrap().compile().unwrap();
        let from_utc_s = tariff.day_start_utc_s("2025-07-01").unwrap();
        let mut running = RunningBill::open(&tariff, &Opening { from_utc_s, ..Opening::default() }).unwrap();
        for (from, to, energy) in uses {
            let place = |offset: i64| if near { from_utc_s + offset % 100_000 } else { offset };
            let before = running.state().clone();
            if running.push(Interval::new(place(from), place(to), Energy::from_micro_kwh(energy))).is_err() {
                prop_assert_eq!(running.state(), &before);
            }
            prop_assert!(running.preview(&PeriodInputs::default()).is_ok());
        }
    }
}

#[cfg(feature = "urdb")]
proptest! {
    /// Records with random strings in random places import or are refused; nothing panics.
    #[test]
    fn mangled_records_do_not_panic(at in 0_usize..900, with in "[-0-9a-z.:\"{}\\[\\] ,]{0,12}") {
        let schedule = format!("{:?}", vec![[0; 24]; 12]);
        let record = format!(
            r#"{{"energyratestructure": [[{{"rate": 0.1, "max": 100}}, {{"rate": 2e-1}}]], "lookbackpercent": 0.5, "lookbackrange": 6,
            "flatdemandstructure": [[{{"rate": 3}}]], "flatdemandmonths": [0,0,0,0,0,0,0,0,0,0,0,0], "mincharge": 1,
            "minchargeunits": "$/year", "energyweekdayschedule": {schedule}, "energyweekendschedule": {schedule}}}"#
        );
        let at = at.min(record.len());
        let mangled = format!("{}{with}{}", &record[..at], &record[(at + with.len()).min(record.len())..]);
        if let Ok(imported) = tariff_engine::import::urdb::read(&mangled, &Default::default()) {
            let _ = imported.tariff.compile();
        }
    }
}
