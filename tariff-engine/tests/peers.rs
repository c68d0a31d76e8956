//! What known engines get wrong, each as a case that this crate must price right.

use tariff_engine::import::urdb::{self, Options};
use tariff_engine::{
    Amount, Bill, CompiledTariff, Energy, Interval, LineKind, Opening, PeakHistory, PeriodInputs, Rounding,
    RoundingMode, RunningBill, Tariff,
};

fn compiled(text: &str) -> CompiledTariff {
    toml::from_str::<Tariff>(text).unwrap().compile().unwrap()
}

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

/// A bill for each month from October 2024, of one hour's use at the beginning of each.
fn months(tariff: &CompiledTariff, kwh: &[&str]) -> Vec<Bill> {
    let opening = Opening {
        from_utc_s: tariff.day_start_utc_s("2024-10-01").unwrap(),
        policy: tariff_engine::UsagePolicy { gaps: tariff_engine::Gaps::UsedNothing, ..Default::default() },
        history: PeakHistory::NewSupply,
        ..Opening::default()
    };
    let mut running = RunningBill::open(tariff, &opening).unwrap();
    let one = |kwh: &&str| {
        let from = running.next_utc_s();
        running.push(Interval::new(from, from + 3_600, kwh.parse().unwrap())).unwrap();
        running.settle(&PeriodInputs::default()).unwrap()
    };
    kwh.iter().map(one).collect()
}

/// PySAM looks one month too far back over New Year.
#[test]
fn a_ratchet_looks_back_over_new_year_as_far_as_in_other_months() {
    let tariff = compiled(
        "schema = 1\nname = \"t\"\nzone = \"+08:00\"\n[[versions]]\nfrom = \"2024-01-01\"\ndemand_window_minutes = 60\n\
         energy = { rates = [{ name = \"a\", price = \"0\" }] }\n\
         demand = [{ name = \"d\", rates = [{ name = \"all\", price = \"1\" }], ratchet = { lookback = 2, share = \"1\" } }]\n",
    );
    // October's 90 kW bind in November and December, and no longer in January.
    let totals: Vec<Amount> =
        months(&tariff, &["90", "10", "20", "30", "5"]).into_iter().map(|bill| bill.total).collect();
    assert_eq!(totals, ["90", "90", "90", "30", "30"].map(amount));
}

/// PySAM prices nothing, or at another rate, above a finite limit of the last tier. The limit is only information.
#[test]
fn energy_above_the_last_limit_costs_the_last_rate() {
    let rates = vec![vec![0; 24]; 12];
    let record = format!(
        r#"{{"name": "own", "energyratestructure": [[{{"max": 100, "rate": 0.1}}, {{"max": 200, "rate": 0.3}}]],
            "energyweekdayschedule": {rates:?}, "energyweekendschedule": {rates:?}}}"#
    );
    let tariff = urdb::read(&record, &Options::default()).unwrap().tariff.compile().unwrap();
    let bill = &months(&tariff, &["1000"])[0];
    assert_eq!(bill.sum_of(&[LineKind::Energy]).unwrap(), amount("280"));
}

/// Binary floats lose digits of published rates, and decimals of 28 digits lose them in products.
#[test]
fn no_digit_of_a_long_price_is_lost() {
    let tariff = compiled(
        "schema = 1\nname = \"t\"\nzone = \"+08:00\"\n[[versions]]\nfrom = \"2024-01-01\"\n\
         energy = { rates = [{ name = \"a\", price = \"0.070768997073173523\" }] }\n",
    );
    let bill = &months(&tariff, &["987654.321987"])[0];
    // 0.070768997073173523 × 987654.321987 in whole numbers.
    assert_eq!(bill.total.to_string(), "69895.305822005183284965150201");
    let product = 70_768_997_073_173_523_i128 * 987_654_321_987;
    assert_eq!(bill.total, amount(&format!("{}.{:024}", product / 10_i128.pow(24), product % 10_i128.pow(24))));
}

/// Half-up fails on ties of credits, and of sums that are rounded half-even to 10 places.
#[test]
fn ties_are_rounded_by_the_named_rule_on_both_sides_of_zero() {
    let rule = |mode| Rounding::new(10, mode).unwrap();
    for (text, even, away) in [
        ("0.00000000005", "0", "0.0000000001"),
        ("0.00000000015", "0.0000000002", "0.0000000002"),
        ("0.00000000025", "0.0000000002", "0.0000000003"),
    ] {
        let rounded = |amount: &Amount, mode| amount.round(rule(mode)).normalize().to_string();
        let tie = amount(text);
        assert_eq!(rounded(&tie, RoundingMode::HalfEven), even, "{text}");
        assert_eq!(rounded(&tie, RoundingMode::HalfAwayFromZero), away, "{text}");
        let minus = |text: &str| if text == "0" { "0".to_string() } else { format!("-{text}") };
        assert_eq!(rounded(&tie.negated(), RoundingMode::HalfEven), minus(even), "-{text}");
        assert_eq!(rounded(&tie.negated(), RoundingMode::HalfAwayFromZero), minus(away), "-{text}");
    }
}

fn read(record: String) -> Result<urdb::Imported, urdb::UrdbError> {
    urdb::read(&record, &Options::default())
}

/// A limit with 39 digits overflows decimals. In the last tier it means open, elsewhere and in a rate it is refused.
#[test]
fn a_limit_of_39_digits_means_open_only_in_the_last_tier() {
    let rates = vec![vec![0; 24]; 12];
    let record = |first: &str, last: &str, rate: &str| {
        format!(
            r#"{{"name": "own", "energyratestructure": [[{{"max": {first}, "rate": 0.1}}, {{"max": {last}, "rate": {rate}}}]],
                "energyweekdayschedule": {rates:?}, "energyweekendschedule": {rates:?}}}"#
        )
    };
    let long = "100000000000000000000000000000000000000";
    for open in [long, "1e38", "9.999999680285692e+37"] {
        assert!(read(record("100", open, "0.3")).is_ok(), "{open}");
    }
    assert_eq!(read(record(long, long, "0.3")).unwrap_err().field, "energyratestructure[0][0].max");
    assert_eq!(read(record("100", long, long)).unwrap_err().field, "energyratestructure[0][1].rate");
}

/// Sums of floats depend on the order of the pieces.
#[test]
fn a_thousand_tenths_are_a_hundred() {
    let tariff = compiled(
        "schema = 1\nname = \"t\"\nzone = \"+08:00\"\n[[versions]]\nfrom = \"2024-01-01\"\n\
         energy = { rates = [{ name = \"a\", price = \"0.1\" }] }\n",
    );
    let from = tariff.day_start_utc_s("2024-10-01").unwrap();
    let mut running = RunningBill::open(&tariff, &Opening { from_utc_s: from, ..Opening::default() }).unwrap();
    for piece in 0..1_000 {
        running
            .push(Interval::new(from + piece * 900, from + (piece + 1) * 900, Energy::from_kwh(1).unwrap()))
            .unwrap();
    }
    assert_eq!(running.energy_amount(&PeriodInputs::default()).unwrap().to_string(), "100");
}

/// A field that stands twice has no meaning that all readers share; the last one, silently, is what most take.
#[test]
fn a_field_that_stands_twice_is_refused() {
    let rates = |tier: &str| {
        format!(
            r#"{{"name": "own", "energyratestructure": [[{tier}]], "energyweekdayschedule": {year}, "energyweekendschedule": {year}}}"#,
            year = serde_json::json!(vec![vec![0; 24]; 12])
        )
    };
    assert!(read(rates(r#"{"rate": 0.1}"#)).is_ok());
    for (twice, field) in [
        (rates(r#"{"rate": 0.1, "rate": 0.5}"#), "energyratestructure"),
        (rates(r#"{"rate": 0.1, "Rate": 0.5}"#), "energyratestructure"),
        (rates(r#"{"rate": 0.1}"#).replacen("\"name\"", "\"Name\": \"other\", \"name\"", 1), "record"),
    ] {
        let refused = read(twice).unwrap_err();
        assert!(refused.field == field && refused.to_string().contains("stands twice"), "{refused}");
    }
}

#[test]
fn limits_that_fall_are_named_as_the_record_names_them() {
    let tiers = r#"{"max": 200, "rate": 0.1}, {"max": 100, "rate": 0.2}, {"rate": 0.3}"#;
    let year = serde_json::json!(vec![vec![0; 24]; 12]);
    let record = format!(
        r#"{{"name": "own", "energyratestructure": [[{tiers}]], "energyweekdayschedule": {year}, "energyweekendschedule": {year}}}"#
    );
    assert_eq!(read(record).unwrap_err().field, "energyratestructure[0][1].max");
}
