//! Chinese tariffs: real bills, the power-factor table, yearly ladders, ratios on one component, holidays and day flags.

use std::path::Path;

use serde_json::Value;
use tariff_engine::preset::{JiangsuAccount, StandardPowerFactor, china_power_factor, jiangsu_commercial};
use tariff_engine::tariff::{Component, EnergyCharge};
use tariff_engine::{
    Amount, Bill, Borders, CompiledTariff, Energy, Interval, LineKind, MissingInput, Number, Opening, PeriodInputs,
    RateUsage, Reactive, Reason, RunningBill, Tariff, UsageError, UsagePolicy,
};

fn kwh(text: &str) -> Energy {
    text.parse().unwrap()
}

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

fn case(name: &str) -> Option<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/tariff-cases/cases").join(name);
    std::fs::read_to_string(path).ok().map(|text| serde_json::from_str(&text).unwrap())
}

fn document(body: &str) -> Tariff {
    toml::from_str(&format!(
        "schema = 1\nname = \"t\"\ncurrency = \"CNY\"\nzone = \"+08:00\"\nrounding = {{ lines = 2 }}\n{body}"
    ))
    .unwrap()
}

/// A factory with two-part tariff: four rates, contracted capacity, power factor.
fn factory() -> CompiledTariff {
    let mut tariff = document(
        r#"
[[versions]]
from = "2025-08-01"
contract = [{ name = "capacity", unit = "kva", price = "25" }]
[versions.energy]
components = [{ name = "fund", price = "0.027633" }]
rates = [
    { name = "sharp", price = "0.855656" },
    { name = "peak", price = "0.773398" },
    { name = "flat", price = "0.556536" },
    { name = "valley", price = "0.320979" },
]
periods = [
    { rate = "flat", from = "00:00", to = "24:00" },
    { rate = "sharp", from = "11:00", to = "12:00", precedence = 1 },
    { rate = "peak", from = "15:00", to = "20:00", precedence = 1 },
    { rate = "valley", from = "00:00", to = "08:00", precedence = 1 },
]
"#,
    );
    tariff.versions[0].power_factor = Some(china_power_factor(StandardPowerFactor::F090, &["fund"]).part);
    tariff.compile().unwrap()
}

fn factory_bill(energies: &[(&str, Energy)], kvarh: &str, kva: &str) -> Bill {
    let tariff = factory();
    let from_utc_s = tariff.day_start_utc_s("2025-08-01").unwrap();
    let mut running = RunningBill::open(&tariff, &Opening { from_utc_s, ..Opening::default() }).unwrap();
    let (_, to_utc_s) = running.period_utc_s();
    running.push_registers(&RateUsage { from_utc_s, to_utc_s, energies, direction: Default::default() }).unwrap();
    let capacity = ("capacity".to_string(), kva.parse().unwrap());
    let without = PeriodInputs { contracts: vec![capacity.clone()], ..PeriodInputs::default() };
    assert_eq!(running.settle(&without).unwrap_err(), UsageError::Missing(MissingInput::ReactiveEnergy));
    let reactive = Some(Reactive { forward_kvarh: kwh(kvarh), reverse_kvarh: Energy::ZERO });
    running.settle(&PeriodInputs { reactive, ..without }).unwrap()
}

#[test]
fn a_factory_bill_to_the_fen() {
    let energies = [("sharp", kwh("32719")), ("peak", kwh("86671")), ("flat", kwh("101769")), ("valley", kwh("42436"))];
    let bill = factory_bill(&energies, "61680", "1130");
    assert_eq!(bill.sum_of(&[LineKind::Energy]).unwrap(), amount("172570.48"));
    assert_eq!(bill.sum_of(&[LineKind::Contract]).unwrap(), amount("28250"));
    let line = bill.lines.iter().find(|line| line.kind == LineKind::PowerFactor).unwrap();
    assert_eq!(
        (line.reason.clone(), line.amount.clone()),
        (Reason::PowerFactor { hundredths: 97 }, amount("-1451.52"))
    );
    assert_eq!(bill.total, amount("199368.96"));
    if let Some(case) = case("cn_fujian_shilin_2025_08.json") {
        let exact = &case["computed_exact"];
        assert_eq!(bill.total, amount(exact["total"].as_str().unwrap()));
        assert_eq!(line.amount, amount(exact["pf_adjustment"].as_str().unwrap()));
        let inputs = &case["inputs"];
        for (rate, energy) in energies {
            assert_eq!(energy, Energy::from_kwh(inputs["kwh"][rate].as_i64().unwrap()).unwrap());
        }
        let real = amount(case["expected"]["total"].as_str().unwrap());
        let off = bill.total.minus(&real).unwrap();
        let tolerance = amount(case["tolerance"].as_str().unwrap());
        assert!(off <= tolerance && off >= tolerance.negated());
    }
}

/// The per cent that a bill shows for a power factor of 0.60 at the standard 0.90.
#[test]
fn a_low_power_factor_pays_a_quarter_more() {
    let bill = factory_bill(&[("flat", kwh("3000"))], "4000", "0");
    let line = bill.lines.iter().find(|line| line.kind == LineKind::PowerFactor).unwrap();
    assert_eq!(line.reason, Reason::PowerFactor { hundredths: 60 });
    assert_eq!(line.quantity.unwrap().value.to_string(), "25");
    if let Some(case) = case("cn_pf_0.60_std0.90.json") {
        let exact: Amount = case["computed_exact"]["percent"].as_str().unwrap().parse().unwrap();
        assert_eq!(Amount::from_decimal(line.quantity.unwrap().value).unwrap(), exact);
    }
}

fn ladder_bill(blocks: &[(Option<String>, String)], used: &str, energy: &str, reset: &str) -> Amount {
    let limits: Vec<String> =
        blocks.iter().filter_map(|(to, _)| Some(format!("{{ kwh = \"{}\" }}", to.as_ref()?))).collect();
    let prices: Vec<String> = blocks.iter().map(|(_, price)| format!("\"{price}\"")).collect();
    let tariff = document(&format!(
        "[[versions]]\nfrom = \"2025-01-01\"\n[versions.energy]\nrates = [{{ name = \"all\", tiers = [{}] }}]\nladder = {{ reset = \"{reset}\", limits = [{}] }}\n",
        prices.join(", "),
        limits.join(", ")
    ))
    .compile()
    .unwrap();
    let from_utc_s = tariff.day_start_utc_s("2025-07-01").unwrap();
    let mut running =
        RunningBill::open(&tariff, &Opening { from_utc_s, ladder_used: kwh(used), ..Opening::default() }).unwrap();
    let (_, to_utc_s) = running.period_utc_s();
    running.push(Interval::new(from_utc_s, to_utc_s, kwh(energy))).unwrap();
    running.settle(&PeriodInputs::default()).unwrap().total
}

fn blocks(list: &Value) -> Vec<(Option<String>, String)> {
    let block = |entry: &Value| (entry[0].as_i64().map(|to| to.to_string()), entry[1].as_str().unwrap().to_string());
    list.as_array().unwrap().iter().map(block).collect()
}

#[test]
fn ladders_of_zhejiang_and_taiwan() {
    let block = |to: Option<&str>, price: &str| (to.map(String::from), price.to_string());
    let zhejiang = [block(Some("2760"), "0.538"), block(Some("4800"), "0.588"), block(None, "0.838")];
    assert_eq!(ladder_bill(&zhejiang, "2700", "200", "yearly"), amount("114.6"));
    let taiwan =
        [block(Some("120"), "1.68"), block(Some("330"), "2.45"), block(Some("500"), "3.70"), block(None, "5.04")];
    assert_eq!(ladder_bill(&taiwan, "0", "400", "monthly"), amount("975.1"));
    if let Some(case) = case("cn_zhejiang_annual_tier_crossing.json") {
        let exact = amount(case["computed_exact"]["amount"].as_str().unwrap());
        assert_eq!(ladder_bill(&blocks(&case["inputs"]["tiers"]), "2700", "200", "yearly"), exact);
    }
    if let Some(case) = case("cn_taipower_400_res.json") {
        let exact = amount(case["computed_exact"]["amount"].as_str().unwrap());
        assert_eq!(ladder_bill(&blocks(&case["inputs"]["blocks"]), "0", "400", "monthly"), exact);
    }
}

#[test]
fn only_the_purchase_price_floats_in_jiangsu() {
    let (rates, periods) = jiangsu_commercial(JiangsuAccount::TwoPart).part;
    let component = |name: &str, price: &str, scaled| Component {
        name: name.into(),
        price: Some(Number::from(price)),
        tiers: Vec::new(),
        scaled,
    };
    let mut tariff =
        document("[[versions]]\nfrom = \"2025-06-01\"\n[versions.energy]\nrates = [{ name = \"x\", price = \"1\" }]\n");
    let components =
        vec![component("purchase", "0.4", true), component("grid", "0.2011", false), component("fund", "0.03", false)];
    tariff.versions[0].energy = EnergyCharge { components, rates, periods, ladder: None };
    let tariff = tariff.compile().unwrap();
    for (date, hour, price) in [
        ("2025-07-01", 15, "0.9511"), // peak: 0.4 × 1.8 + 0.2311
        ("2025-07-01", 12, "0.3711"), // valley: 0.4 × 0.35 + 0.2311
        ("2025-07-01", 13, "0.6311"),
        ("2025-10-01", 14, "0.6311"),
        ("2025-10-01", 13, "0.3711"),
        ("2025-10-01", 1, "0.6311"),
    ] {
        let from_utc_s = tariff.day_start_utc_s(date).unwrap() + hour * 3_600;
        let mut running = RunningBill::open(&tariff, &Opening { from_utc_s, ..Opening::default() }).unwrap();
        running.push(Interval::new(from_utc_s, from_utc_s + 3_600, kwh("1"))).unwrap();
        assert_eq!(running.energy_amount(&PeriodInputs::default()).unwrap(), amount(price), "{date} {hour}");
    }
}

#[test]
fn holidays_make_up_days_and_hot_days() {
    let tariff = document(
        r#"
[calendar]
holidays = [{ name = "National Day", from = "2025-10-01", to = "2025-10-08" }]
workdays = ["2025-09-28", "2025-10-11"]
day_flags = ["hot"]
[[versions]]
from = "2025-01-01"
[versions.energy]
rates = [{ name = "work", price = "3" }, { name = "rest", price = "2" }, { name = "holiday", price = "1" }, { name = "hot", price = "5" }]
periods = [
    { rate = "work", from = "00:00", to = "24:00", days = ["workday"] },
    { rate = "rest", from = "00:00", to = "24:00", days = ["weekend"] },
    { rate = "holiday", from = "00:00", to = "24:00", holidays = ["National Day"] },
    { rate = "hot", from = "12:00", to = "14:00", flags = ["hot"], precedence = 1 },
]
"#,
    )
    .compile()
    .unwrap();
    for (date, flags, price) in [
        ("2025-09-26", &[][..], "3"),
        ("2025-09-27", &[][..], "2"),
        ("2025-09-28", &[][..], "3"),
        ("2025-10-01", &[][..], "1"),
        ("2025-10-11", &[][..], "3"),
        ("2025-10-11", &["hot"][..], "5"),
    ] {
        let from_utc_s = tariff.day_start_utc_s(date).unwrap() + 12 * 3_600;
        let mut running = RunningBill::open(&tariff, &Opening { from_utc_s, ..Opening::default() }).unwrap();
        let interval = Interval::new(from_utc_s, from_utc_s + 3_600, kwh("1"));
        let missing = UsageError::Missing(MissingInput::DayFlags { date: date.into() });
        assert_eq!(running.push(interval).unwrap_err(), missing);
        running.set_day_flags(date, flags).unwrap();
        running.push(interval).unwrap();
        assert_eq!(running.energy_amount(&PeriodInputs::default()).unwrap(), amount(price), "{date} {flags:?}");
    }
}

#[test]
fn registers_over_a_tier_border_are_shared_out_and_flagged() {
    let tariff = document(
        r#"
[[versions]]
from = "2025-01-01"
[versions.energy]
rates = [{ name = "peak", tiers = ["1", "2"] }, { name = "valley", tiers = ["0.5", "1.5"] }]
periods = [{ rate = "peak", from = "08:00", to = "22:00" }, { rate = "valley", from = "22:00", to = "08:00" }]
ladder = { reset = "monthly", limits = [{ kwh = "100" }] }
"#,
    )
    .compile()
    .unwrap();
    let from_utc_s = tariff.day_start_utc_s("2025-01-10").unwrap();
    let policy = UsagePolicy { borders: Borders::SplitProRata, ..UsagePolicy::default() };
    let opening = Opening { from_utc_s, policy, ladder_used: kwh("40"), ..Opening::default() };
    let mut running = RunningBill::open(&tariff, &opening).unwrap();
    let read = |from: i64, energies| RateUsage {
        from_utc_s: from_utc_s + from * 1_800,
        to_utc_s: from_utc_s + (from + 1) * 1_800,
        energies,
        direction: Default::default(),
    };
    let readings = [[("peak", kwh("10")), ("valley", kwh("20"))], [("peak", kwh("30")), ("valley", kwh("60"))]];
    running.push_registers(&read(0, &readings[0])).unwrap();
    assert!(!running.is_order_estimated());
    // 30 of the next 90 kWh fit the first tier: 10 of the peak's 30 and 20 of the valley's 60.
    running.push_registers(&read(1, &readings[1])).unwrap();
    assert!(running.is_order_estimated());
    assert_eq!(
        running.energy_amount(&PeriodInputs::default()).unwrap(),
        amount("140"),
        "20 + 40 × 0.5 + 20 × 2 + 40 × 1.5"
    );
}
