//! Every kind of line and reason as a tenant reads it, in Chinese and English, word for word.

use tariff_engine::{
    Bill, CompiledTariff, DemandSource, Direction, Energy, Gaps, Interval, Language, Opening, PastPeak, PeakHistory,
    PeriodInputs, Power, RateUsage, Reactive, Reason, RunningBill, Tariff, UsageError, UsagePolicy,
};

const HOUR: i64 = 3_600;

fn compile(text: &str) -> CompiledTariff {
    toml::from_str::<Tariff>(text).unwrap().compile().unwrap()
}

fn open<'a>(tariff: &'a CompiledTariff, date: &str, opening: Opening) -> RunningBill<&'a CompiledTariff> {
    let policy = UsagePolicy { gaps: Gaps::UsedNothing, ..opening.policy };
    let from_utc_s = tariff.day_start_utc_s(date).unwrap();
    RunningBill::open(tariff, &Opening { from_utc_s, policy, ..opening }).unwrap()
}

/// A factory with one of each charge. 2025-02 has 28 days.
const FACTORY: &str = r#"
schema = 1
name = "Works"
currency = "CNY"
zone = "+08:00"
rounding = { lines = 2, total = 0, mode = "half_away_from_zero" }
[[versions]]
from = "2025-01-01"
demand_window_minutes = 60
demand = [{ name = "maximum", rates = [{ name = "all", tiers = [{ to_kw = "50", price = "30" }, { price = "35" }] }] }]
contract = [{ name = "transformer", unit = "kva", price = "20", over = [{ above = "1", price = "40" }] }]
fixed = [{ name = "service", price = "0.5", per = "day" }, { name = "rent", price = "6", per = "month" }]
power_factor = { table = [{ at_least = "0.90", percent = "-0.5" }, { at_least = "0.00", percent = "2" }], base = ["energy"] }
minimum = { monthly = "9000" }
taxes = [
    { name = "water", per_kwh = "0.012" },
    { name = "city tax", percent = "1.5", base = ["energy"] },
    { name = "VAT", percent = "13", base = ["energy"], included = true },
]
[versions.energy]
rates = [{ name = "peak", tiers = ["1.2", "1.5"] }, { name = "valley", tiers = ["0.3", "0.4"] }]
periods = [{ rate = "peak", from = "08:00", to = "20:00" }, { rate = "valley", from = "20:00", to = "08:00" }]
ladder = { scope = "per_period", limits = [{ kwh = "100" }] }
"#;

/// 60 kWh from 08:00 and 63.25 kWh from 09:00 on 3 February, 10 kWh from 23:00, and the reactive energy of a power factor of 0.8.
fn factory_bill() -> Bill {
    let tariff = compile(FACTORY);
    let mut running = open(&tariff, "2025-02-01", Opening::default());
    let day = tariff.day_start_utc_s("2025-02-03").unwrap();
    for (hour, kwh) in [(8, "60"), (9, "63.25"), (23, "10")] {
        let from = day + hour * HOUR;
        running.push(Interval::new(from, from + HOUR, kwh.parse().unwrap())).unwrap();
    }
    let inputs = PeriodInputs {
        // √(133.25² + 99.9375²) = 166.5625, and 133.25 ÷ 166.5625 = 0.8.
        reactive: Some(Reactive { forward_kvarh: "99.9375".parse().unwrap(), reverse_kvarh: Energy::ZERO }),
        contracts: vec![("transformer".into(), "100".parse().unwrap())],
        peak_kva: vec![("transformer".into(), "112.5".parse().unwrap())],
        ..PeriodInputs::default()
    };
    running.settle(&inputs).unwrap()
}

#[test]
fn each_line_of_a_factory_bill_in_english() {
    // Lines are rounded to 0.01 each: 23.25 × 1.5 = 34.875, 2 % of 157.88 = 3.1576, 133.25 × 0.012 = 1.599, 1.5 % of 157.88 =
    // 2.3682. 157.88 + 1963.75 + 2500 + 20 = 4641.63 counts towards the minimum; 9000 + 3.16 + 1.60 + 2.37 = 9007.13.
    // 157.88 × 13 ÷ 113 = 18.163…
    let text = "\
Electricity bill  Works
From 2025-02-01 to 2025-02-28, energy 133.25 kWh

 1. Energy peak, tier 1: 100 kWh × 1.2 = 120.00 CNY
    the tier from 0 to 100 kWh
 2. Energy peak, tier 2: 23.25 kWh × 1.5 = 34.88 CNY
    the tier above 100 kWh
 3. Energy valley, tier 1: 10 kWh × 0.3 = 3.00 CNY
    the tier from 0 to 100 kWh
 4. Demand maximum, tier 1: 50 kW × 30 = 1500.00 CNY
    highest mean power, in the window up to 2025-02-03 10:00
 5. Demand maximum, tier 2: 13.25 kW × 35 = 463.75 CNY
    highest mean power, in the window up to 2025-02-03 10:00
 6. Contracted capacity transformer: 100 kVA × 20 = 2000.00 CNY
    contracted capacity
 7. Above contract transformer: 12.5 kVA × 40 = 500.00 CNY
    peak 112.5, contract 100: the part above
 8. Fixed charge service: 28 days × 0.5 = 14.00 CNY
    does not depend on usage
 9. Fixed charge rent: 1 months × 6 = 6.00 CNY
    does not depend on usage
10. Power-factor adjustment: 2 % → 3.16 CNY
    power factor 0.80, taken of 157.88
11. Top-up to the monthly minimum: 4358.37 CNY
    4641.63 is below the minimum of 9000.00
12. Tax or fund water: 133.25 kWh × 0.012 = 1.60 CNY
    for each kWh
13. Tax or fund city tax: 1.5 % → 2.37 CNY
    taken of 157.88
14. Rounding: -0.13 CNY
    the sum before it is 9007.13

Total: 9007.00 CNY
157.88 of it includes VAT of 13 %: 18.16
";
    assert_eq!(factory_bill().text(Language::English), text);
}

#[test]
fn each_line_of_a_factory_bill_in_chinese() {
    let text = "\
电费账单  Works
计费期 2025-02-01 至 2025-02-28，用电量 133.25 kWh

 1. 电度电费 峰 第1档: 100 kWh × 1.2 = 120.00 CNY
    本阶梯 0 至 100 kWh
 2. 电度电费 峰 第2档: 23.25 kWh × 1.5 = 34.88 CNY
    本阶梯 100 kWh 以上
 3. 电度电费 谷 第1档: 10 kWh × 0.3 = 3.00 CNY
    本阶梯 0 至 100 kWh
 4. 需量电费 maximum 第1档: 50 kW × 30 = 1500.00 CNY
    最大需量出现于 2025-02-03 10:00
 5. 需量电费 maximum 第2档: 13.25 kW × 35 = 463.75 CNY
    最大需量出现于 2025-02-03 10:00
 6. 容量电费 transformer: 100 kVA × 20 = 2000.00 CNY
    合同容量
 7. 超约电费 transformer: 12.5 kVA × 40 = 500.00 CNY
    实测 112.5，合同 100，超出部分
 8. 固定费 service: 28 天 × 0.5 = 14.00 CNY
    与用电量无关
 9. 固定费 rent: 1 月 × 6 = 6.00 CNY
    与用电量无关
10. 力率调整电费: 2 % → 3.16 CNY
    功率因数 0.80，调整基数 157.88
11. 月度最低电费补差: 4358.37 CNY
    已计 4641.63，低于最低电费 9000.00
12. 税费 water: 133.25 kWh × 0.012 = 1.60 CNY
    按用电量计收
13. 税费 city tax: 1.5 % → 2.37 CNY
    计税基数 157.88
14. 尾数取整: -0.13 CNY
    取整前合计 9007.13

合计: 9007.00 CNY
其中 157.88 已含VAT 13%：18.16
";
    assert_eq!(factory_bill().text(Language::Chinese), text);
}

/// A tariff whose energy is free, with one more piece.
fn with(piece: &str) -> CompiledTariff {
    compile(&format!(
        "schema = 1\nname = \"t\"\ncurrency = \"CNY\"\nzone = \"+08:00\"\n[[versions]]\nfrom = \"2025-01-01\"\n\
         energy = {{ rates = [{{ name = \"flat\", price = \"0\" }}] }}\n{piece}\n"
    ))
}

/// The line of a name and the reason below it, in Chinese and English.
fn line(bill: &Bill, name: &str) -> [String; 4] {
    let of = |language| {
        let text = bill.text(language);
        let mut lines = text.lines().skip_while(|line| !line.contains(name)).map(|line| line.trim().to_string());
        [lines.next().unwrap(), lines.next().unwrap()]
    };
    let ([chinese, why], [english, because]) = (of(Language::Chinese), of(Language::English));
    [chinese, why, english, because]
}

#[test]
fn demand_says_where_it_comes_from() {
    let window = "demand_window_minutes = 60\n";
    let of = |demand: &str, opening: Opening, kw: Option<&str>, inputs: &PeriodInputs| {
        let tariff = with(&format!("{window}demand = [{demand}]"));
        let mut running = open(&tariff, "2025-03-01", opening);
        if let Some(kwh) = kw {
            let from = running.next_utc_s();
            running.push(Interval::new(from, from + HOUR, kwh.parse().unwrap())).unwrap();
        }
        line(&running.settle(inputs).unwrap(), "kW ×")
    };
    let plain = "{ name = \"d\", rates = [{ name = \"all\", price = \"3\" }] }";
    let none = PeriodInputs::default();
    assert_eq!(
        of(plain, Opening::default(), Some("6"), &none),
        [
            "2. 需量电费 d: 6 kW × 3 = 18.00 CNY",
            "最大需量出现于 2025-03-01 01:00",
            "2. Demand d: 6 kW × 3 = 18.00 CNY",
            "highest mean power, in the window up to 2025-03-01 01:00"
        ]
    );
    let reported = UsagePolicy { demand: DemandSource::Reported, ..UsagePolicy::default() };
    let told = PeriodInputs { demand: vec![("d".into(), "all".into(), "7.5".parse().unwrap())], ..none.clone() };
    assert_eq!(
        of(plain, Opening { policy: reported, ..Opening::default() }, None, &told),
        [
            "1. 需量电费 d: 7.5 kW × 3 = 22.50 CNY",
            "电表记录的最大需量",
            "1. Demand d: 7.5 kW × 3 = 22.50 CNY",
            "highest demand that the meter recorded"
        ]
    );
    let ratchet =
        "{ name = \"d\", rates = [{ name = \"all\", price = \"3\" }], ratchet = { lookback = 2, share = \"0.8\" } }";
    let past = PastPeak { charge: "d".into(), date: "2025-02-10".into(), power: "10".parse().unwrap() };
    let history = PeakHistory::Known(vec![past]);
    // 80 % of 10 kW is more than the 6 kW of this month.
    assert_eq!(
        of(ratchet, Opening { history, ..Opening::default() }, Some("6"), &none),
        [
            "2. 需量电费 d: 8 kW × 3 = 24.00 CNY",
            "实测需量 6 kW，按前期峰值计费",
            "2. Demand d: 8 kW × 3 = 24.00 CNY",
            "measured 6 kW; earlier peaks bind"
        ]
    );
    let minimum = "{ name = \"d\", rates = [{ name = \"all\", price = \"3\" }], minimum_kw = \"20\" }";
    assert_eq!(
        of(minimum, Opening::default(), Some("6"), &none),
        [
            "2. 需量电费 d: 20 kW × 3 = 60.00 CNY",
            "实测需量 6 kW，按最低需量计费",
            "2. Demand d: 20 kW × 3 = 60.00 CNY",
            "measured 6 kW; the minimum demand binds"
        ]
    );
}

#[test]
fn where_nothing_was_used_there_is_no_demand_and_a_stored_line_says_so() {
    let tariff =
        with("demand_window_minutes = 60\ndemand = [{ name = \"d\", rates = [{ name = \"all\", price = \"3\" }] }]");
    let mut running = open(&tariff, "2025-03-01", Opening::default());
    let mut bill = running.settle(&PeriodInputs::default()).unwrap();
    assert!(bill.lines.is_empty() && bill.demand[0].measured_kw == Power::ZERO);
    bill.lines = factory_bill().lines;
    bill.lines[3].reason = Reason::Peak { at_utc_s: None, at_local: String::new() };
    let [_, why, _, because] = line(&bill, "50 kW");
    assert_eq!([why.as_str(), because.as_str()], ["本期无用电", "nothing was used"]);
}

#[test]
fn a_contract_in_kw_is_compared_with_the_measured_peak() {
    let tariff = with(
        "demand_window_minutes = 60\ndemand = [{ name = \"d\", rates = [{ name = \"all\", price = \"0\" }] }]\n\
         contract = [{ name = \"c\", unit = \"kw\", price = \"1\", demand = \"d\", over = [{ above = \"1.05\", price = \"2\" }] }]",
    );
    let mut running = open(&tariff, "2025-03-01", Opening::default());
    let from = running.next_utc_s();
    running.push(Interval::new(from, from + HOUR, "13".parse().unwrap())).unwrap();
    let inputs = PeriodInputs { contracts: vec![("c".into(), "10".parse().unwrap())], ..PeriodInputs::default() };
    let bill = running.settle(&inputs).unwrap();
    // 13 kW less 105 % of 10 kW.
    assert_eq!(
        line(&bill, "2.5 kW"),
        [
            "4. 超约电费 c: 2.5 kW × 2 = 5.00 CNY",
            "实测 13，合同 10，超出部分",
            "4. Above contract c: 2.5 kW × 2 = 5.00 CNY",
            "peak 13, contract 10: the part above"
        ]
    );
    // Capacity that is negative or beyond the limit is no capacity.
    for capacity in ["-1", "10000000.000001"] {
        let inputs = PeriodInputs { contracts: vec![("c".into(), capacity.parse().unwrap())], ..inputs.clone() };
        assert_eq!(running.settle(&inputs), Err(UsageError::DemandOutOfRange), "{capacity}");
    }
}

#[test]
fn an_annual_minimum_is_a_line_of_december() {
    let tariff = with("minimum = { annual = \"120\", base = [\"energy\"] }");
    let mut running =
        open(&tariff, "2025-12-01", Opening { billed_this_year: "100.5".parse().unwrap(), ..Opening::default() });
    assert_eq!(
        line(&running.settle(&PeriodInputs::default()).unwrap(), "19.50"),
        [
            "1. 年度最低电费补差: 19.50 CNY",
            "已计 100.50，低于最低电费 120.00",
            "1. Top-up to the annual minimum: 19.50 CNY",
            "100.50 is below the minimum of 120.00"
        ]
    );
}

#[test]
fn a_line_of_some_days_names_them_and_an_endless_amount_says_so() {
    let tariff = with(
        "fixed = [{ name = \"rent\", price = \"1\", per = \"year\" }]\n[[versions]]\nfrom = \"2025-03-11\"\n\
         energy = { rates = [{ name = \"flat\", price = \"0\" }] }",
    );
    let mut running = open(&tariff, "2025-03-01", Opening::default());
    // 1 ÷ 12 × 10 ÷ 31 = 0.02688172043010…
    assert_eq!(
        line(&running.settle(&PeriodInputs::default()).unwrap(), "rent"),
        [
            "1. 固定费 rent: 0.0268817204… CNY",
            "与用电量无关（2025-03-01 至 2025-03-10）",
            "1. Fixed charge rent: 0.0268817204… CNY",
            "does not depend on usage (2025-03-01 to 2025-03-10)"
        ]
    );
}

#[test]
fn what_is_estimated_or_provisional_is_said_below_the_total() {
    let tariff = compile(&FACTORY.replace("per_period", "shared_chronological"));
    let policy = UsagePolicy { demand: DemandSource::Reported, ..UsagePolicy::default() };
    let mut running = open(&tariff, "2025-02-01", Opening { policy, ..Opening::default() });
    let from_utc_s = running.next_utc_s();
    let energies = [("peak", "150".parse().unwrap()), ("valley", "50".parse().unwrap())];
    let usage =
        RateUsage { from_utc_s, to_utc_s: from_utc_s + HOUR, energies: &energies, direction: Direction::Import };
    running.push_registers(&usage).unwrap();
    let inputs = PeriodInputs {
        reactive: Some(Reactive::default()),
        contracts: vec![("transformer".into(), "100".parse().unwrap())],
        peak_kva: vec![("transformer".into(), Power::ZERO)],
        demand: vec![("maximum".into(), "all".into(), Power::ZERO)],
    };
    let bill = running.preview(&inputs).unwrap();
    let below = |language| bill.text(language).lines().rev().take(2).map(str::to_string).collect::<Vec<_>>();
    assert_eq!(
        below(Language::Chinese),
        ["本期尚未结束，金额为暂估。", "抄表间隔跨越阶梯分界，各时段电量按比例分摊。"]
    );
    assert_eq!(
        below(Language::English),
        [
            "The period is not over; the amounts are provisional.",
            "Some readings lie across a tier border; their rates were shared out in proportion."
        ]
    );
}

#[test]
fn a_markdown_table_keeps_its_columns() {
    let tariff = compile(
        "schema = 1\nname = \"A|B\"\ncurrency = \"C|Y\"\nzone = \"+08:00\"\nrounding = { lines = 2 }\n[[versions]]\nfrom = \"2025-01-01\"\n\
         energy = { rates = [{ name = \"deep_valley\", price = \"0.1\" }] }\n\
         taxes = [{ name = \"V|T\", percent = \"10\", base = [\"energy\"], included = true }]\n",
    );
    let mut running = open(&tariff, "2025-03-01", Opening::default());
    let from = running.next_utc_s();
    running.push(Interval::new(from, from + HOUR, "11".parse().unwrap())).unwrap();
    let bill = running.settle(&PeriodInputs::default()).unwrap();
    let table = "\
## 电费账单 A\\|B

计费期 2025-03-01 至 2025-03-31，用电量 11 kWh

| 项目 | 数量 | 单价 | 金额 | 说明 |
|---|---:|---:|---:|---|
| 电度电费 深谷 | 11 kWh | 0.1 | 1.10 | 该费率时段的用电量 |
| **合计** | | | **1.10 C\\|Y** | |

其中 1.10 已含V\\|T 10%：0.10
";
    assert_eq!(bill.markdown(Language::Chinese), table);
    let english = bill.markdown(Language::English);
    assert!(
        english.contains("| Energy deep_valley | 11 kWh | 0.1 | 1.10 | energy used while this rate held |\n"),
        "{english}"
    );
    assert_eq!(Language::default(), Language::Chinese);
    // A credit note takes every line back, and prices stay prices.
    let note = bill.credit_note();
    let row = "| Energy deep_valley | -11 kWh | 0.1 | -1.10 | energy used while this rate held |\n";
    assert!(note.markdown(Language::English).contains(row), "{}", note.markdown(Language::English));
    assert!(note.text(Language::English).ends_with("-1.10 of it includes V|T of 10 %: -0.10\n"));
    assert_eq!(note.energy.to_string(), "-11");
}
