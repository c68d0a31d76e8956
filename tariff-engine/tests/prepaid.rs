//! What a prepaid station asks: what the meter holds, what money buys, how long it lasts, what the bill says.

use tariff_engine::on_meter::{MeterDate, MeterShape, MeterSlot, NotCarried, ProjectionError};
use tariff_engine::{
    Amount, CompiledTariff, Energy, Interval, InverseError, Language, LoadProfile, Opening, PeriodInputs, RunningBill,
    Tariff,
};

const FOUR_RATES: &str = r#"
schema = 1
name = "Mall"
currency = "CNY"
zone = "+08:00"
rounding = { lines = 2 }
[calendar]
seasons = [{ name = "summer", from = "07-01", to = "08-31" }]
[[versions]]
from = "2025-01-01"
[versions.energy]
rates = [
    { name = "spike", price = "1.20645" },
    { name = "peak", price = "1.0325" },
    { name = "flat", price = "0.645833" },
    { name = "valley", price = "0.3021" },
]
periods = [
    { rate = "flat", from = "00:00", to = "24:00" },
    { rate = "valley", from = "22:30", to = "06:30", precedence = 1 },
    { rate = "peak", from = "08:00", to = "11:30", precedence = 1 },
    { rate = "spike", from = "19:00", to = "21:00", seasons = ["summer"], precedence = 2 },
]
[[versions.fixed]]
name = "service"
price = "15.5"
per = "month"
"#;

const LADDER: &str = r#"
schema = 1
name = "Household"
currency = "CNY"
zone = "+08:00"
[[versions]]
from = "2025-01-01"
[versions.energy]
rates = [{ name = "all", tiers = ["0.5", "0.6", "0.9"] }]
ladder = { reset = "monthly", limits = [{ kwh = "100" }, { kwh = "200" }] }
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
fn the_meter_holds_prices_slots_and_dates() {
    let tariff = compile(FOUR_RATES);
    let at = tariff.day_start_utc_s("2025-03-01").unwrap();
    let held = tariff.on_meter(at, &MeterShape::FOUR_RATES).unwrap();
    let prices: Vec<_> =
        held.prices.iter().map(|price| price.unwrap()).map(|p| (p.raw, p.error_per_kwh.to_string())).collect();
    let expected = [(12_065, "0.00005"), (10_325, "0"), (6_458, "-0.000033"), (3_021, "0")];
    assert_eq!(prices, expected.map(|(raw, error)| (raw, error.to_string())));
    let slot = |rate, hour, minute| MeterSlot { rate, hour, minute };
    let winter = [slot(4, 0, 0), slot(3, 6, 30), slot(2, 8, 0), slot(3, 11, 30), slot(4, 22, 30)];
    assert_eq!(held.day_tables[0], winter);
    assert_eq!(held.day_tables[1].len(), 7);
    let date = |month, day, day_table| MeterDate { month, day, day_table };
    assert_eq!(held.date_table, [date(7, 1, 1), date(9, 1, 0)]);
    assert_eq!(held.not_carried, [NotCarried::Fixed]);
}

#[test]
fn what_the_meter_cannot_carry_is_refused_by_type() {
    let project = |text: &str| {
        let tariff = compile(text);
        let at = tariff.day_start_utc_s("2025-03-01").unwrap();
        tariff.on_meter(at, &MeterShape::FOUR_RATES).unwrap_err()
    };
    assert_eq!(project(LADDER), ProjectionError::Ladder { tiers: 3 });
    let weekdays = FOUR_RATES.replace(r#"from = "08:00","#, r#"from = "08:00", days = ["workday"],"#);
    assert_eq!(project(&weekdays), ProjectionError::Weekdays);
    let unknown = FOUR_RATES.replace("valley", "deep_valley");
    assert_eq!(project(&unknown), ProjectionError::NoSuchRate { rate: "deep_valley".into() });
    let negative = FOUR_RATES.replace("\"0.3021\"", "\"-0.01\"");
    assert!(matches!(project(&negative), ProjectionError::NegativePrice { .. }));
    let months = FOUR_RATES.replace(r#"seasons = ["summer"]"#, "months = [1, 3, 5]");
    assert_eq!(project(&months), ProjectionError::TooManyDates { needed: 6, limit: 4 });
}

#[test]
fn a_flat_tariff_fills_all_rates_of_the_meter() {
    let flat = r#"
schema = 1
name = "Flat"
zone = "+08:00"
versions = [{ from = "2025-01-01", energy = { rates = [{ name = "all", price = "0.83" }] } }]
"#;
    let tariff = compile(flat);
    let held = tariff.on_meter(tariff.day_start_utc_s("2025-03-01").unwrap(), &MeterShape::FOUR_RATES).unwrap();
    assert!(held.prices.iter().all(|price| price.unwrap().raw == 8_300));
    assert_eq!(held.day_tables, [[MeterSlot { rate: 1, hour: 0, minute: 0 }]]);
    assert_eq!(held.date_table, [MeterDate { month: 1, day: 1, day_table: 0 }]);
}

#[test]
fn money_buys_energy_up_the_ladder() {
    let tariff = compile(LADDER);
    let mut running = open(&tariff, "2025-03-01");
    let from = running.next_utc_s();
    running.push(Interval::new(from, from + 3_600, kwh("90"))).unwrap();
    let inputs = PeriodInputs::default();
    let centi = kwh("0.01");
    // 10 kWh × 0.5 + 100 kWh × 0.6 + 10 kWh × 0.9 = 74, and 0.004 more is less than 0.01 kWh × 0.9.
    let bought = running.energy_for(&amount("74.004"), "all", centi, &inputs).unwrap();
    assert_eq!((bought.energy, bought.cost, bought.residue), (kwh("120"), amount("74"), amount("0.004")));
    let nothing = running.energy_for(&amount("0.0049"), "all", centi, &inputs).unwrap();
    assert_eq!((nothing.energy, nothing.residue), (Energy::ZERO, amount("0.0049")));
    assert_eq!(running.energy_for(&amount("-1"), "all", centi, &inputs), Err(InverseError::NegativeMoney));
    let falling = compile(&LADDER.replace("\"0.9\"", "\"-0.1\""));
    let error = open(&falling, "2025-03-01").energy_for(&amount("1"), "all", centi, &inputs).unwrap_err();
    assert!(matches!(error, InverseError::NotMonotone { .. }));
    let free = compile(&LADDER.replace("\"0.9\"", "\"0\""));
    let error = open(&free, "2025-03-01").energy_for(&amount("1000"), "all", centi, &inputs).unwrap_err();
    assert!(matches!(error, InverseError::Free { .. }));
}

#[test]
fn money_lasts_over_the_month_and_its_ladder() {
    let tariff = compile(LADDER);
    let running = open(&tariff, "2025-03-22");
    // 1 kWh an hour: 10 days of March are 240 kWh = 50 + 60 + 36 = 146; April begins again at 0.5.
    let hours = [kwh("1"); 24];
    let load = LoadProfile::daily(&hours).unwrap();
    let lasts = running.how_long(&amount("150"), &load, &PeriodInputs::default()).unwrap();
    assert_eq!((lasts.hours(), lasts.seconds, lasts.energy), (248, 248 * 3_600, kwh("248")));
    assert!(lasts.used_up);
    let lasts = running.how_long(&amount("0.25"), &load, &PeriodInputs::default()).unwrap();
    assert_eq!((lasts.seconds, lasts.energy), (1_800, kwh("0.5")));
}

#[test]
fn a_bill_reads_in_chinese_and_english() {
    let tariff = compile(FOUR_RATES);
    let mut running = open(&tariff, "2025-07-01");
    let from = running.next_utc_s();
    running.push(Interval::new(from, from + 3_600, kwh("100"))).unwrap();
    running.push(Interval::new(from + 3_600, from + 6 * 3_600, kwh("50"))).unwrap();
    let bill = running.preview(&PeriodInputs::default()).unwrap();
    let chinese = bill.text(Language::Chinese);
    assert!(chinese.contains("电度电费 谷: 150 kWh × 0.3021 = 45.32 CNY"), "{chinese}");
    assert!(chinese.contains("合计: 60.82 CNY"), "{chinese}");
    assert!(chinese.contains("暂估"), "{chinese}");
    let english = bill.text(Language::English);
    assert!(english.contains("Energy valley: 150 kWh × 0.3021 = 45.32 CNY"), "{english}");
    assert!(english.contains("From 2025-07-01 to 2025-07-31"), "{english}");
    let table = bill.markdown(Language::English);
    assert!(table.contains("| Fixed charge service | 1 months | 15.5 | 15.50 | does not depend on usage |"), "{table}");
    let note = bill.credit_note();
    assert_eq!(note.total, bill.total.negated());
    let stored: tariff_engine::Bill = serde_json::from_str(&serde_json::to_string(&bill).unwrap()).unwrap();
    assert_eq!(stored, bill);
}
