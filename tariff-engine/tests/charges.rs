//! Charges by hand: allowances, contracts, limits per kW and per day, minimums, day by day where it matters.

use tariff_engine::{
    Amount, Bill, CompiledTariff, Energy, Gaps, Interval, LineKind, MissingInput, Opening, PeriodInputs, RunningBill,
    Tariff, UsageError, UsagePolicy,
};

const HEAD: &str =
    "schema = 1\nname = \"t\"\ncurrency = \"CNY\"\nzone = \"+08:00\"\n[[versions]]\nfrom = \"2025-01-01\"\n";

fn compiled(body: &str) -> CompiledTariff {
    toml::from_str::<Tariff>(&format!("{HEAD}{body}")).unwrap().compile().unwrap()
}

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

fn open<'a>(tariff: &'a CompiledTariff, date: &str, allowances: &[&str]) -> RunningBill<&'a CompiledTariff> {
    let opening = Opening {
        from_utc_s: tariff.day_start_utc_s(date).unwrap(),
        policy: UsagePolicy { gaps: Gaps::UsedNothing, ..UsagePolicy::default() },
        allowances: allowances.iter().map(ToString::to_string).collect(),
        ..Opening::default()
    };
    RunningBill::open(tariff, &opening).unwrap()
}

/// Uses energy in the next hour and settles the month.
fn month(running: &mut RunningBill<&CompiledTariff>, kwh: &str, inputs: &PeriodInputs) -> Bill {
    let from = running.next_utc_s();
    running.push(Interval::new(from, from + 3_600, kwh.parse().unwrap())).unwrap();
    running.settle(inputs).unwrap()
}

#[test]
fn a_household_of_five_has_higher_limits() {
    let tariff = compiled(
        "[versions.energy]\nrates = [{ name = \"a\", tiers = [\"0.5\", \"0.6\", \"0.9\"] }]\n\
         ladder = { limits = [{ kwh = \"200\" }, { kwh = \"400\" }], allowances = [{ name = \"five\", kwh = [\"100\", \"150\"] }] }\n",
    );
    let inputs = PeriodInputs::default();
    let alone = month(&mut open(&tariff, "2025-03-01", &[]), "600", &inputs);
    // 200 × 0.5 + 200 × 0.6 + 200 × 0.9
    assert_eq!(alone.total, amount("400"));
    let five = month(&mut open(&tariff, "2025-03-01", &["five"]), "600", &inputs);
    // 300 × 0.5 + 250 × 0.6 + 50 × 0.9
    assert_eq!(five.total, amount("345"));
    let opening = Opening { allowances: vec!["six".into()], ..Opening::default() };
    let opening = Opening { from_utc_s: tariff.day_start_utc_s("2025-03-01").unwrap(), ..opening };
    assert!(matches!(RunningBill::open(&tariff, &opening), Err(UsageError::UnknownAllowance { .. })));
}

#[test]
fn contracted_capacity_and_what_is_above_it() {
    let tariff = compiled(
        "energy = { rates = [{ name = \"a\", price = \"0\" }] }\n\
         contract = [{ name = \"capacity\", unit = \"kva\", price = \"23\", over = [{ above = \"1\", price = \"23\" }, { above = \"1.05\", price = \"46\" }] }]\n",
    );
    let capacity =
        PeriodInputs { contracts: vec![("capacity".into(), "100".parse().unwrap())], ..PeriodInputs::default() };
    let mut running = open(&tariff, "2025-03-01", &[]);
    let before = running.state().clone();
    let (_, end) = running.period_utc_s();
    assert!(end > running.next_utc_s());
    // A missing input is named, and nothing has moved.
    for (inputs, missing) in [
        (PeriodInputs::default(), MissingInput::ContractedCapacity { charge: "capacity".into() }),
        (capacity.clone(), MissingInput::PeakKva { charge: "capacity".into() }),
    ] {
        assert_eq!(running.settle(&inputs), Err(UsageError::Missing(missing)));
        assert_eq!(running.state(), &before);
    }
    let inputs = PeriodInputs { peak_kva: vec![("capacity".into(), "112".parse().unwrap())], ..capacity };
    let bill = running.settle(&inputs).unwrap();
    // 100 × 23, 5 × 23 up to 105 %, and 7 × 46 above.
    let amounts: Vec<Amount> =
        bill.lines.iter().map(|line| line.amount.clone()).filter(|amount| !amount.is_zero()).collect();
    assert_eq!(amounts, ["2300", "115", "322"].map(amount));
    assert_eq!(bill.total, amount("2737"));
}

#[test]
fn limits_per_kw_and_per_day_follow_the_month() {
    let per_kw = compiled(
        "demand_window_minutes = 60\ndemand = [{ name = \"d\", rates = [{ name = \"all\", price = \"0\" }] }]\n\
         [versions.energy]\nrates = [{ name = \"a\", tiers = [\"0.5\", \"0.2\"] }]\nladder = { limits = [{ kwh_per_kw = \"3.5\" }], demand = \"d\" }\n",
    );
    let mut running = open(&per_kw, "2025-02-01", &[]);
    let from = running.next_utc_s();
    for (hour, kwh) in (0..).zip([10, 20, 30, 40]) {
        running
            .push(Interval::new(from + hour * 3_600, from + (hour + 1) * 3_600, Energy::from_kwh(kwh).unwrap()))
            .unwrap();
    }
    // 100 kWh at a peak of 40 kW: 140 kWh at the first price.
    assert_eq!(running.settle(&PeriodInputs::default()).unwrap().total, amount("50"));
    let per_day = compiled(
        "[versions.energy]\nrates = [{ name = \"a\", tiers = [\"0.5\", \"0.9\"] }]\nladder = { limits = [{ kwh_per_day = \"2.5\" }] }\n",
    );
    let mut running = open(&per_day, "2025-02-01", &[]);
    // February has 28 days: 70 kWh; March 31: 77.5 kWh.
    assert_eq!(month(&mut running, "100", &PeriodInputs::default()).total, amount("62"));
    assert_eq!(month(&mut running, "100", &PeriodInputs::default()).total, amount("59"));
}

#[test]
fn the_annual_minimum_is_tested_after_monthly_ones() {
    let tariff = compiled(
        "energy = { rates = [{ name = \"a\", price = \"1\" }] }\nminimum = { monthly = \"10\", annual = \"150\", base = [\"energy\"] }\n",
    );
    let mut running = open(&tariff, "2025-01-01", &[]);
    let bills: Vec<Bill> = (0..12)
        .map(|place| month(&mut running, if place == 5 { "30" } else { "4" }, &PeriodInputs::default()))
        .collect();
    // Eleven months of 10 and one of 30 make 140; 10 are missing to 150.
    assert!(bills.iter().take(11).all(|bill| bill.sum_of(&[LineKind::MinimumAnnual]).unwrap().is_zero()));
    assert_eq!(bills[11].sum_of(&[LineKind::MinimumMonthly]).unwrap(), amount("6"));
    assert_eq!(bills[11].sum_of(&[LineKind::MinimumAnnual]).unwrap(), amount("10"));
    let year = Amount::sum(bills.iter().map(|bill| &bill.total)).unwrap();
    assert_eq!(year, amount("150"));
    // A year that is dear enough on its own has none; the count begins again.
    let dear: Vec<Bill> = (0..12).map(|_| month(&mut running, "13", &PeriodInputs::default())).collect();
    assert_eq!(Amount::sum(dear.iter().map(|bill| &bill.total)).unwrap(), amount("156"));
}

#[test]
fn fixed_charges_of_a_day_bill_real_days_or_the_mean_month() {
    let tariff = compiled(
        "energy = { rates = [{ name = \"a\", price = \"0\" }] }\n\
         fixed = [{ name = \"real\", price = \"0.4\", per = \"day\" }, { name = \"mean\", price = \"0.4\", per = \"day\", days = \"mean_month_365_12\" }]\n",
    );
    let mut running = open(&tariff, "2025-02-01", &[]);
    let bill = month(&mut running, "0", &PeriodInputs::default());
    let of = |name: &str| bill.lines.iter().find(|line| line.name == name).unwrap().amount.clone();
    assert_eq!(of("real"), amount("11.2"));
    // 0.4 × 365 ÷ 12, kept exact.
    assert_eq!(of("mean"), amount("12.166666666666666666666666+2/3"));
}
