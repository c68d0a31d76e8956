//! Days of 23 and 25 hours in IANA zones.
#![cfg(feature = "chrono-tz")]

use tariff_engine::{CompiledTariff, Energy, LineKind, Opening, PeriodInputs, RunningBill, Series, Tariff};

fn tariff(zone: &str) -> CompiledTariff {
    let text = format!(
        r#"
schema = 1
name = "t"
zone = "{zone}"
fixed = []
"#
    )
    .replace("fixed = []\n", "")
        + r#"
[[versions]]
from = "2018-01-01"
fixed = [{ name = "f", price = "1", per = "day" }]
[versions.energy]
rates = [{ name = "night", price = "1" }, { name = "day", price = "100" }]
periods = [{ rate = "night", from = "22:00", to = "06:00" }, { rate = "day", from = "06:00", to = "22:00" }]
"#;
    toml::from_str::<Tariff>(&text).unwrap().compile().unwrap()
}

/// Energy by rate when one kWh an hour is used on a day.
fn day(tariff: &CompiledTariff, date: &str, next: &str, step_s: u32) -> (i64, String, String) {
    let (from_utc_s, to_utc_s) = (tariff.day_start_utc_s(date).unwrap(), tariff.day_start_utc_s(next).unwrap());
    let mut running = RunningBill::open(tariff, &Opening { from_utc_s, ..Opening::default() }).unwrap();
    let steps = usize::try_from((to_utc_s - from_utc_s) / i64::from(step_s)).unwrap();
    let energies = vec![Energy::from_micro_kwh(1_000_000 * i64::from(step_s) / 3_600); steps];
    running.push_series(&Series { start_utc_s: from_utc_s, step_s, energies: &energies }).unwrap();
    let bill = running.final_bill(&PeriodInputs::default()).unwrap();
    let of = |name: &str| {
        let line = bill.lines.iter().find(|line| line.kind == LineKind::Energy && line.name == name).unwrap();
        line.quantity.unwrap().value.to_string()
    };
    let fixed = bill.sum_of(&[LineKind::Fixed]).unwrap();
    assert_eq!(fixed.to_string(), "1", "a short day is a day");
    ((to_utc_s - from_utc_s) / 3_600, of("night"), of("day"))
}

#[test]
fn the_missing_and_the_doubled_hour_are_night_hours() {
    let tariff = tariff("America/New_York");
    for step_s in [3_600, 900] {
        assert_eq!(day(&tariff, "2018-03-10", "2018-03-11", step_s), (24, "8".into(), "16".into()));
        assert_eq!(day(&tariff, "2018-03-11", "2018-03-12", step_s), (23, "7".into(), "16".into()));
        assert_eq!(day(&tariff, "2018-11-04", "2018-11-05", step_s), (25, "9".into(), "16".into()));
    }
}

#[test]
fn zones_with_odd_changes() {
    // The clocks went forward at midnight, so the day began at 01:00.
    assert_eq!(day(&tariff("America/Sao_Paulo"), "2018-11-04", "2018-11-05", 3_600), (23, "7".into(), "16".into()));
    // Half an hour.
    let lord_howe = tariff("Australia/Lord_Howe");
    assert_eq!(day(&lord_howe, "2018-10-07", "2018-10-08", 1_800), (23, "7.5".into(), "16".into()));
    assert_eq!(day(&lord_howe, "2018-04-01", "2018-04-02", 1_800), (24, "8.5".into(), "16".into()));
    // No change at all.
    assert_eq!(day(&tariff("Asia/Shanghai"), "2018-03-11", "2018-03-12", 900), (24, "8".into(), "16".into()));
}

#[test]
fn a_year_in_a_zone_has_all_its_hours() {
    let tariff = tariff("Europe/Berlin");
    let from_utc_s = tariff.day_start_utc_s("2019-01-01").unwrap();
    let mut running = RunningBill::open(&tariff, &Opening { from_utc_s, ..Opening::default() }).unwrap();
    let energies = vec![Energy::from_kwh(1).unwrap(); 8_760];
    let mut days = Vec::new();
    let series = Series { start_utc_s: from_utc_s, step_s: 3_600, energies: &energies };
    running.run_series(&series, &PeriodInputs::default(), |bill| days.push((bill.energy, bill.total))).unwrap();
    assert_eq!(days.len(), 12);
    assert_eq!(days[2].0, Energy::from_kwh(743).unwrap(), "March lacks an hour");
    assert_eq!(days[9].0, Energy::from_kwh(745).unwrap(), "October has one more");
    // 31 days: 16 × 100 by day; 8 hours by night, one less; one a day.
    assert_eq!(days[2].1.to_string(), (31 * 1_600 + 31 * 8 - 1 + 31).to_string());
}
