//! Records that break a rule: the error names the field, its value and the rule, word for word.

use tariff_engine::import::urdb::{self, Imported, Options};
use tariff_engine::{PeakHistory, Power};

/// A record with one price all the time, and what else it says.
fn record(extra: &str) -> String {
    let zero = format!("{:?}", vec![[0; 24]; 12]);
    format!(
        r#"{{"energyratestructure": [[{{"rate": 0.1}}]], "energyweekdayschedule": {zero}, "energyweekendschedule": {zero}{extra}}}"#
    )
}

fn refused(record: &str) -> String {
    urdb::read(record, &Options::default()).unwrap_err().to_string()
}

fn read(record: &str) -> Imported {
    urdb::read(record, &Options::default()).unwrap()
}

/// A list of 12 as JSON.
fn twelve(entry: &str) -> String {
    format!("[{}]", [entry; 12].join(", "))
}

#[test]
fn what_is_no_record() {
    assert_eq!(refused(&"x".repeat((4 << 20) + 1)), "record: 4194305 bytes: at most 4 MiB");
    assert_eq!(refused(r#"{"items": [{}, {}]}"#), "items: 2 records: one record at a time");
    assert!(refused(r#"{"items": 3}"#).starts_with("items: ") && refused(r#"{"items": 3}"#).ends_with(": a list"));
    assert!(refused("3").contains("expected an object"), "{}", refused("3"));
    assert!(refused(r#"{"sector": 1, "Sector": 2}"#).contains("`Sector` stands twice"));
    assert_eq!(refused("{}"), "energyratestructure: nothing: a tariff needs energy rates");
    // A byte order mark and fields that are null say nothing.
    assert_eq!(read(&format!("\u{feff}{}", record(r#", "mincharge": null"#))), read(&record("")));
}

#[test]
fn energy_rates_and_their_schedules() {
    let with = |structure: &str| record("").replace(r#"[[{"rate": 0.1}]]"#, structure);
    let at = |place: &str| format!("energyratestructure{place}");
    for (structure, said) in [
        ("[]", at(": an empty list: at least one period with at least one tier")),
        ("[[]]", at(": an empty list: at least one period with at least one tier")),
        (r#"[[{"rate": "x"}]]"#, at(r#"[0][0].rate: "x": a number"#)),
        (r#"[[{"rate": 1, "adj": true}]]"#, at("[0][0].adj: true: a number")),
        (r#"[[{"rate": 1, "unit": 3}]]"#, at("[0][0].unit: 3: a text")),
        (r#"[[{"adj": 1}]]"#, at("[0][0].rate: nothing: each tier needs a rate")),
        (
            r#"[[{"rate": 9999999999, "adj": 0.000000000000000001}, {"rate": 1}]]"#,
            at("[0][0].max: nothing: all tiers but the last need a max"),
        ),
        (
            r#"[[{"rate": 99999999999, "adj": 0.000000000000000001}]]"#,
            at("[0][0].adj: 0.000000000000000001: rate + adj within 28 digits"),
        ),
        (
            r#"[[{"rate": 1, "max": -5}, {"rate": 2}]]"#,
            at("[0][0].max: -5: a finite upper end; only the last tier is open"),
        ),
        (
            r#"[[{"rate": 1, "max": 12345678901234567890123456789.5}, {"rate": 2}]]"#,
            at("[0][0].max: 12345678901234567890123456789.5: a decimal of at most 28 digits"),
        ),
        (
            r#"[[{"rate": 1, "max": 5}, {"rate": 1, "max": 5}, {"rate": 2}]]"#,
            at("[0][1].max: 5: above the limit of the tier before"),
        ),
        (
            r#"[[{"rate": 1, "max": 5, "unit": "kWh daily"}, {"rate": 2, "unit": "kWh"}]]"#,
            at("[0][1].unit: kWh: no mixture with kWh daily"),
        ),
        (
            r#"[[{"rate": 1, "max": 5}, {"rate": 2, "unit": "kWh/kW"}]]"#,
            at("[0][0].unit: kWh: kWh tiers stand inside or without kWh/kW"),
        ),
        (
            r#"[[{"rate": 0, "max": 100, "unit": "kWh/kW"}, {"rate": 2}]]"#,
            at("[0][1].unit: kWh: a kWh/kW tier above the cap"),
        ),
    ] {
        assert_eq!(refused(&with(structure)), said, "{structure}");
    }
    let schedule = |row: &str| record("").replacen(&format!("{:?}", [0; 24]), row, 1);
    assert_eq!(refused(&schedule("[0, 0]")), "energyweekdayschedule[0]: 2 numbers: 12 rows of 24 numbers");
    let row = |cell: &str| format!("{:?}", [0; 24]).replacen('0', cell, 1);
    assert_eq!(refused(&schedule(&row("0.5"))), "energyweekdayschedule[0][0]: 0.5: a period number");
    assert_eq!(
        refused(&schedule(&row("1"))),
        "energyweekdayschedule[0][0]: 1: the number of a period of the structure"
    );
    let eleven = record("").replacen(&format!("{:?}", vec![[0; 24]; 12]), &format!("{:?}", vec![[0; 24]; 11]), 1);
    assert_eq!(refused(&eleven), "energyweekdayschedule: 11 rows: 12 rows of 24 numbers");
    let none = record("").replace("energyweekdayschedule", "elsewhere");
    assert_eq!(refused(&none), "energyweekdayschedule: nothing: energy rates need their schedules");
}

#[test]
fn periods_of_a_month_share_their_limits() {
    let half_day = format!("{:?}", vec![[0, 1].repeat(12); 12]);
    let zero = format!("{:?}", vec![[0; 24]; 12]);
    let two = r#"[[{"rate": 1, "max": 100}, {"rate": 2}], [{"rate": 3, "max": 90}, {"rate": 4}]]"#;
    let text = record("").replace(r#"[[{"rate": 0.1}]]"#, two).replace(&zero, &half_day);
    assert_eq!(
        refused(&text),
        "energyratestructure[1][0].max: another limit: the same limits in all periods of a month"
    );
}

#[test]
fn limits_of_other_months_are_padded_to_the_longest() {
    // January has three tiers; the other months two, of other limits. Their third tier repeats the last price.
    let three =
        r#"[[{"rate": 1, "max": 100}, {"rate": 2, "max": 200}, {"rate": 3}], [{"rate": 4, "max": 50}, {"rate": 5}]]"#;
    let mut rows = vec![[1; 24]; 12];
    rows[0] = [0; 24];
    let zero = format!("{:?}", vec![[0; 24]; 12]);
    let text = record("").replace(r#"[[{"rate": 0.1}]]"#, three).replace(&zero, &format!("{rows:?}"));
    let tariff = read(&text).tariff;
    let ladder = tariff.versions[0].energy.ladder.clone().unwrap();
    let kwh = |limits: &[tariff_engine::tariff::Limit]| -> Vec<String> {
        limits.iter().map(|limit| limit.kwh.as_ref().unwrap().to_string()).collect()
    };
    assert_eq!(kwh(&ladder.limits), ["100", "200"]);
    assert_eq!(ladder.seasonal.len(), 1);
    assert_eq!(ladder.seasonal[0].months, (2..=12).collect::<Vec<u32>>());
    assert_eq!(kwh(&ladder.seasonal[0].limits), ["50", "51"]);
    let prices: Vec<String> = tariff.versions[0].energy.rates[1].tiers.iter().map(ToString::to_string).collect();
    assert_eq!(prices, ["4", "5", "5"]);
    tariff.compile().unwrap();
}

#[test]
fn demand_structures_and_months() {
    let zero = format!("{:?}", vec![[0; 24]; 12]);
    let one = format!("{:?}", vec![[1; 24]; 12]);
    for (extra, said) in [
        (
            r#", "flatdemandstructure": [[{"rate": 3}]], "flatdemandmonths": [0, 0]"#.to_string(),
            "flatdemandmonths: 2 numbers: 12 numbers".to_string(),
        ),
        (
            format!(r#", "flatdemandstructure": [[{{"rate": 3}}]], "flatdemandmonths": {}"#, twelve("1")),
            "flatdemandmonths[0]: 1: the number of a structure".to_string(),
        ),
        (
            format!(
                r#", "flatdemandstructure": [[{{"rate": 3, "unit": "kVA"}}]], "flatdemandmonths": {}"#,
                twelve("0")
            ),
            "flatdemandstructure[0][0].unit: kVA: only kW".to_string(),
        ),
        (
            format!(r#", "demandratestructure": [[{{"rate": 3}}]], "demandweekdayschedule": {zero}"#),
            "demandweekendschedule: nothing: demand rates need their schedules".to_string(),
        ),
        (
            format!(
                r#", "demandratestructure": [[{{"rate": 3}}]], "demandweekdayschedule": {one}, "demandweekendschedule": {zero}"#
            ),
            "demandweekdayschedule[0][0]: 1: the number of a period of the structure".to_string(),
        ),
        (
            format!(r#", "demandweekdayschedule": {one}, "demandweekendschedule": {zero}"#),
            "demandratestructure: nothing: the demand schedules name periods of it".to_string(),
        ),
        (r#", "demandwindow": 7.5"#.to_string(), "demandwindow: 7.5: whole minutes".to_string()),
        (r#", "name": 5"#.to_string(), "name: 5: a text".to_string()),
    ] {
        assert_eq!(refused(&record(&extra)), said);
    }
    // Without rates the schedules are not used, and demand that is free is no charge.
    let unused = read(&record(&format!(r#", "demandweekdayschedule": {zero}, "demandweekendschedule": {zero}"#)));
    let warnings: Vec<_> = unused.warnings.iter().map(|warning| (warning.field.as_str(), warning.text)).collect();
    assert_eq!(warnings, [("demandweekdayschedule", "not used: there are no demand rates")]);
    let free = r#", "flatdemandstructure": [[{"rate": 0}]], "demandratestructure": [[{"rate": 0.0}]]"#;
    let free = read(&record(free));
    assert!(free.tariff.versions[0].demand.is_empty() && free.tariff.versions[0].demand_window_minutes.is_none());
    let window = read(&record(&format!(
        r#", "flatdemandstructure": [[{{"rate": 3, "max": 7}}]], "flatdemandmonths": {}, "demandwindow": 15"#,
        twelve("0")
    )));
    assert_eq!(window.tariff.versions[0].demand_window_minutes, Some(15));
    assert_eq!(window.warnings[0].text, "not used: the last tier is open");
}

#[test]
fn looking_back() {
    let flat = format!(r#", "flatdemandstructure": [[{{"rate": 3}}]], "flatdemandmonths": {}"#, twelve("0"));
    for (extra, said) in [
        (r#""lookbackpercent": 0.5"#.to_string(), "lookbackrange: nothing: lookbackpercent needs a range or months"),
        (r#""lookbackpercent": 0.5, "lookbackrange": 13"#.to_string(), "lookbackrange: 13: 1 to 12 months"),
        (r#""lookbackpercent": -0.5, "lookbackrange": 6"#.to_string(), "lookbackpercent: -0.5: a share from 0 to 1"),
        (r#""lookbackpercent": 0.5, "lookbackmonths": [true]"#.to_string(), "lookbackmonths: 1 entries: 12 entries"),
        (
            format!(r#""lookbackpercent": 0.5, "lookbackmonths": {}"#, twelve("2")),
            "lookbackmonths[0]: 2: true or false",
        ),
        (
            r#""lookbackpercent": 0.5, "lookbackrange": 6, "x_sam": {}"#.to_string(),
            "x_sam: given: not together with lookbackpercent",
        ),
        (r#""x_sam": {}"#.to_string(), "x_sam: lists of other lengths: 12 entries, January first"),
        (
            r#""x_sam": {"billing_demand_minimum_kw": "much"}"#.to_string(),
            r#"x_sam.billing_demand_minimum_kw: "much": kW"#,
        ),
        (r#""x_sam": {"lookback_months": 0.5}"#.to_string(), "x_sam.lookback_months: 0.5: a number of months"),
        (
            r#""x_sam": {"lookback_percent_by_month": [true]}"#.to_string(),
            "x_sam.lookback_percent_by_month: true: a per cent",
        ),
        (
            r#""x_sam": {"use_current_month_actual": 1}"#.to_string(),
            "x_sam.use_current_month_actual: 1: 12 times true or false",
        ),
        (
            r#""x_sam": {"tou_periods_in_ratchet": [0, 1]}"#.to_string(),
            "x_sam.tou_periods_in_ratchet: [0, 1]: only period 0",
        ),
        (r#""x_sam": {"year_zero_peaks_raw": [1]}"#.to_string(), "x_sam.year_zero_peaks_raw: 1 numbers: 12 numbers"),
        (
            format!(r#""x_sam": {{"year_zero_peaks_raw": {}}}"#, twelve("0.0000001")),
            "x_sam.year_zero_peaks_raw: 0.0000001: kW with at most 6 places",
        ),
        (r#""x_sam": {"novelty": 1}"#.to_string(), "x_sam.novelty: 1: a field that is known"),
    ] {
        assert_eq!(refused(&record(&format!("{flat}, {extra}"))), said);
    }
    let zero = format!("{:?}", vec![[0; 24]; 12]);
    let by_period = format!(
        r#", "demandratestructure": [[{{"rate": 3}}]], "demandweekdayschedule": {zero}, "demandweekendschedule": {zero},
        "lookbackpercent": 0.5, "lookbackrange": 6"#
    );
    assert_eq!(
        refused(&record(&by_period)),
        "demandratestructure: given with lookback: lookback binds flat demand and kWh/kW only"
    );
}

#[test]
fn months_that_are_named_count_at_the_share() {
    let flat = format!(r#", "flatdemandstructure": [[{{"rate": 3}}]], "flatdemandmonths": {}"#, twelve("0"));
    let months = "[true, false, 1, 0, 1.0, 0.0, true, true, true, true, true, true]";
    let text = record(&format!(r#"{flat}, "lookbackpercent": 0.8, "lookbackmonths": {months}"#));
    let imported = read(&text);
    let ratchet = imported.tariff.versions[0].demand[0].ratchet.clone().unwrap();
    let shares: Vec<String> = ratchet.share_by_month.iter().map(ToString::to_string).collect();
    assert_eq!((ratchet.lookback, ratchet.share), (11, None));
    assert_eq!(shares, ["0.8", "0", "0.8", "0", "0.8", "0", "0.8", "0.8", "0.8", "0.8", "0.8", "0.8"]);
    assert_eq!(imported.history(2025), PeakHistory::Unknown);
}

#[test]
fn the_extension_brings_shares_a_floor_and_the_year_before() {
    let flat = format!(r#", "flatdemandstructure": [[{{"rate": 3}}]], "flatdemandmonths": {}"#, twelve("0"));
    let peaks = "[-1, 20.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]";
    let own = "[true, false, false, false, false, false, false, false, false, false, false, false]";
    let text = record(&format!(
        r#"{flat}, "x_sam": {{"billing_demand_minimum_kw": 5, "lookback_months": 12, "lookback_percent_by_month": {},
        "use_current_month_actual": {own}, "tou_periods_in_ratchet": [0], "year_zero_peaks_kw": [], "year_zero_peaks_raw": {peaks}}}"#,
        twelve("62.5")
    ));
    let imported = read(&text);
    let charge = &imported.tariff.versions[0].demand[0];
    assert_eq!(charge.minimum_kw, Some("5".into()));
    let ratchet = charge.ratchet.clone().unwrap();
    assert_eq!((ratchet.lookback, &ratchet.share_by_month[11]), (12, &"0.625".into()));
    let own: Vec<String> = ratchet.own_share_by_month.iter().take(2).map(ToString::to_string).collect();
    assert_eq!(own, ["1", "0.625"]);
    let PeakHistory::Known(history) = imported.history(2025) else { panic!("the year before is known") };
    let known: Vec<_> = history.iter().map(|peak| (peak.date.as_str(), peak.power)).collect();
    assert_eq!(known.len(), 12);
    // A peak below zero never binds.
    assert_eq!(known[0], ("2024-01-01", Power::ZERO));
    assert_eq!((known[1], known[11].1), (("2024-02-01", "20.5".parse().unwrap()), "7".parse().unwrap()));
    imported.tariff.compile().unwrap();
}

#[test]
fn fixed_charges_and_minimums_by_old_and_new_names() {
    for (extra, said) in [
        (
            r#", "fixedmonthlycharge": 3, "fixedchargefirstmeter": 5, "fixedchargeunits": "$/day""#,
            "fixedchargefirstmeter: 5: not together with fixedmonthlycharge",
        ),
        (
            r#", "fixedchargefirstmeter": 5, "fixedchargeunits": "$/week""#,
            "fixedchargeunits: $/week: $/month, $/day or $/year",
        ),
        (r#", "mincharge": 5"#, "minchargeunits: nothing: $/month or $/year"),
        (
            r#", "mincharge": 5, "minchargeunits": "$/month", "minmonthlycharge": 4"#,
            "mincharge: 5: not together with its older name",
        ),
        (
            r#", "mincharge": 1.00000000000000000000000000001, "minchargeunits": "$/month""#,
            "mincharge: 1.00000000000000000000000000001: a decimal of at most 28 digits",
        ),
        (r#", "demandratchetpercentage": [0, 80]"#, "demandratchetpercentage: [0, 80]: this charge can't be honoured"),
        (r#", "ReactiveSurcharge": 1"#, "ReactiveSurcharge: given: this charge can't be honoured"),
    ] {
        assert_eq!(refused(&record(extra)), said);
    }
    let year = read(&record(
        r#", "fixedchargefirstmeter": 365, "fixedchargeunits": "$/year", "annualmincharge": 100, "demandratchetpercentage": [0, 0]"#,
    ));
    let version = &year.tariff.versions[0];
    assert_eq!(version.fixed[0].per, tariff_engine::tariff::FixedPer::Year);
    assert_eq!(version.minimum.clone().unwrap().annual, Some("100".into()));
    let month = read(&record(r#", "fixedmonthlycharge": 3, "minmonthlycharge": 4"#));
    assert_eq!(month.tariff.versions[0].fixed[0].price, "3".into());
    // Zero is as good as missing, whatever its unit.
    let none = read(&record(r#", "fixedchargefirstmeter": 0, "mincharge": 0.0"#));
    assert!(none.tariff.versions[0].fixed.is_empty() && none.tariff.versions[0].minimum.is_none());
}

#[test]
fn coincident_charges_need_no_hour_to_be_left_out() {
    let zero = format!("{:?}", vec![[0; 24]; 12]);
    let one = format!("{:?}", vec![[1; 24]; 12]);
    let with = |schedule: &str| {
        record(&format!(r#", "coincidentratestructure": [[{{"rate": 3}}]], "coincidentschedule": {schedule}"#))
    };
    assert_eq!(read(&with(&zero)).warnings[0].text, "not charged: its schedule names no coincident hour");
    assert!(refused(&with(&one)).ends_with("coincident charges need the hours of the utility's own peak"));
}
