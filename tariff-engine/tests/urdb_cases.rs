//! OpenEI records against exact amounts: public cases where they are at hand (`../shared/tariff-cases`), own small ones always.

#[path = "../examples/urdb_bill/year.rs"]
mod year;

use std::path::{Path, PathBuf};

use serde_json::Value;
use tariff_engine::import::urdb::{self, Options};
use tariff_engine::tariff::Scope;

/// The folder of public cases, beside the workspace.
fn cases() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/tariff-cases");
    folder.is_dir().then_some(folder)
}

/// The printed amounts of a record and a load: twelve months and the year, by key.
fn bill(record: &str, load: &str, tiers: Scope) -> [(Vec<String>, String); 6] {
    let (step_s, energies) = year::load_of(load).unwrap();
    let imported = urdb::read(record, &year::options(tiers, step_s)).unwrap();
    let tariff = imported.tariff.compile().unwrap();
    let bills = year::bill_year(&tariff, &imported, step_s, &energies).unwrap();
    let months: Vec<_> = bills.iter().map(|bill| year::amounts(bill).unwrap()).collect();
    let sums = year::sums(&months).unwrap();
    std::array::from_fn(|key| {
        (months.iter().map(|month| year::printed(&month[key])).collect(), year::printed(&sums[key]))
    })
}

/// Corrected amounts where the oracle looks one month too far back: case, key, month (none is the year), amount.
const CORRECTED: [(&str, &str, Option<usize>, &str); 8] = [
    ("ratchet_reopt_range6__crb_school_la", "demand_flat", Some(6), "4770.615"),
    ("ratchet_reopt_range6__crb_school_la", "bill", Some(6), "5445.78817"),
    ("ratchet_reopt_range6__crb_school_la", "demand_flat", None, "68602.42"),
    ("ratchet_reopt_range6__crb_school_la", "bill", None, "79057.19007"),
    ("ratchet_reopt_range6__reopt_lookback_2", "demand_flat", Some(0), "2250"),
    ("ratchet_reopt_range6__reopt_lookback_2", "bill", Some(0), "2995"),
    ("ratchet_reopt_range6__reopt_lookback_2", "demand_flat", None, "79375"),
    ("ratchet_reopt_range6__reopt_lookback_2", "bill", None, "88145"),
];

fn expected(case: &Value, convention: &str, name: &str, key: &str, month: Option<usize>) -> String {
    let corrected = CORRECTED.iter().find(|(c, k, m, _)| *c == name && *k == key && *m == month);
    if let Some((.., amount)) = corrected {
        return (*amount).to_string();
    }
    let amounts = &case["expected"][convention];
    let amount = match month {
        Some(month) => &amounts["monthly_exact"][key][month],
        None => &amounts["annual_exact"][key],
    };
    amount.as_str().unwrap_or_else(|| panic!("{name} {convention} {key} {month:?} has no expected amount")).to_string()
}

#[test]
fn public_cases_hold_at_tolerance_zero() {
    let Some(folder) = cases() else { return };
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let mut compared = 0;
    for entry in std::fs::read_dir(folder.join("cases")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_string();
        let case: Value = serde_json::from_str(&read(&path)).unwrap();
        let (Some(record), Some(load)) = (case["tariff"].as_str(), case["load"].as_str()) else { continue };
        let (record, load) = (read(&folder.join(record)), read(&folder.join(load)));
        let conventions = [
            ("chronological", Scope::SharedChronological),
            ("proportional", Scope::SharedProportional),
            ("per-period", Scope::PerPeriod),
        ];
        for (convention, tiers) in conventions {
            if case["expected"][convention].is_null() {
                continue;
            }
            let amounts = bill(&record, &load, tiers);
            for (key, (months, sum)) in year::KEYS.into_iter().zip(&amounts) {
                for (month, amount) in months.iter().enumerate() {
                    assert_eq!(
                        *amount,
                        expected(&case, convention, &name, key, Some(month)),
                        "{name} {convention} {key} {month}"
                    );
                    compared += 1;
                }
                assert_eq!(*sum, expected(&case, convention, &name, key, None), "{name} {convention} {key} year");
                compared += 1;
            }
        }
    }
    assert!(compared > 0, "the folder has cases");
}

#[test]
fn public_negative_records_are_refused_by_field() {
    let Some(folder) = cases() else { return };
    let mut refused = 0;
    for entry in std::fs::read_dir(folder.join("tariffs")).unwrap() {
        let path = entry.unwrap().path();
        if !path.file_name().unwrap().to_str().unwrap().starts_with("neg_") {
            continue;
        }
        let error = urdb::read(&std::fs::read_to_string(&path).unwrap(), &Options::default()).unwrap_err();
        assert!(!error.field.is_empty() && error.field != "record", "{}: {error}", path.display());
        refused += 1;
    }
    assert!(refused > 0, "the folder has negative records");
}

/// Hours 8 to 20 of working days are period 1; two tiers of 100 kWh a month.
fn record(extra: &str) -> String {
    let weekday: Vec<u32> = (0..24).map(|hour| u32::from((8..20).contains(&hour))).collect();
    let (weekdays, weekends) = (format!("{:?}", vec![weekday; 12]), format!("{:?}", vec![[0; 24]; 12]));
    format!(
        r#"{{"name": "own", "energyratestructure": [
            [{{"max": 100, "rate": 0.1, "unit": "kWh"}}, {{"max": 1e38, "rate": 0.2}}],
            [{{"max": 100, "rate": 0.3}}, {{"rate": 0.5}}]],
            "energyweekdayschedule": {weekdays}, "energyweekendschedule": {weekends}{extra}}}"#
    )
}

/// 8760 hours with the same power.
fn flat_load(kw: &str) -> String {
    format!("kw\n{}", format!("{kw}\n").repeat(8_760))
}

#[test]
fn three_conventions_of_tiers_by_hand() {
    // January 2018 has 23 working days of 12 hours in period 1: 276 hours, and 468 in period 0. At 0.25 kW that is 69 and 117 kWh.
    let load = flat_load("0.25");
    let january = |tiers| bill(&record(""), &load, tiers)[0].0[0].clone();
    // Own ladders: 69 × 0.3 + 100 × 0.1 + 17 × 0.2
    assert_eq!(january(Scope::PerPeriod), "34.1");
    // 100 of 186 kWh in tier 1: (69 × (100 × 0.3 + 86 × 0.5) + 117 × (100 × 0.1 + 86 × 0.2)) ÷ 186 = 8219.4 ÷ 186
    assert_eq!(january(Scope::SharedProportional), "44.1903225806");
    // Chronological: 100 kWh are reached after 400 hours, on Wednesday 17 January at 16:00; by then 12 full working days and
    // 8 hours of period 1, 152 hours, 38 kWh. 38 × 0.3 + 62 × 0.1 + 31 × 0.5 + 55 × 0.2
    assert_eq!(january(Scope::SharedChronological), "44.1");
}

#[test]
fn fields_are_refused_by_name() {
    let refused = |record: &str| urdb::read(record, &Options::default()).unwrap_err().field;
    let changed = |from: &str, to: &str| record("").replace(from, to);
    assert_eq!(refused(&changed(r#""rate": 0.5"#, r#""adj": 0.5"#)), "energyratestructure[1][1].rate");
    assert_eq!(
        refused(&changed(r#""max": 100, "rate": 0.3"#, r#""max": 90, "rate": 0.3"#)),
        "energyratestructure[1][0].max"
    );
    assert_eq!(
        refused(&changed(r#""max": 100, "rate": 0.1"#, r#""max": 1e38, "rate": 0.1"#)),
        "energyratestructure[0][0].max"
    );
    assert_eq!(refused(&changed(r#""unit": "kWh""#, r#""unit": "hp""#)), "energyratestructure[0][0].unit");
    assert_eq!(refused(&changed("energyweekendschedule", "other")), "energyweekendschedule");
    assert_eq!(refused(&changed("0.3", "0.1234567890123456789")), "energyratestructure[1][0].rate");
    assert_eq!(refused(&record(r#", "fixedchargefirstmeter": 5"#)), "fixedchargeunits");
    assert_eq!(refused(&record(r#", "mincharge": 5, "minchargeunits": "$/kWh""#)), "minchargeunits");
    assert_eq!(refused(&record(r#", "flatdemandunit": "kVA""#)), "flatdemandunit");
    assert_eq!(refused(&record(r#", "demandratestructure": [[{"rate": 3}]]"#)), "demandweekdayschedule");
    assert_eq!(refused(&record(r#", "demandreactivepowercharge": 0.3"#)), "demandreactivepowercharge");
    assert_eq!(refused(&record(r#", "coincidentratestructure": [[{"rate": 3}]]"#)), "coincidentratestructure");
    assert_eq!(refused(&record(r#", "flatdemandstructure": [[{"rate": 3}]]"#)), "flatdemandmonths");
    assert_eq!(refused(&record(r#", "flatdemandmonths": [0,0,0,0,1,0,0,0,0,0,0,0]"#)), "flatdemandstructure");
    assert_eq!(refused(&record(r#", "startdate": "yesterday""#)), "startdate");
    assert_eq!(refused(&record(r#", "lookbackPercent": 80, "lookbackrange": 6"#)), "lookbackpercent");
    assert_eq!(refused(r#"{"items": []}"#), "items");
    assert_eq!(refused("[1"), "record");
}

#[test]
fn what_only_informs_is_a_warning() {
    let extra = r#", "dgrules": "Net Metering", "utility": "x", "startdate": 1401580800.0, "novelty": 1"#;
    let imported =
        urdb::read(&record(extra).replace(r#""rate": 0.5"#, r#""rate": 0.5, "sell": 0.1"#), &Options::default());
    let fields: Vec<String> = imported.unwrap().warnings.into_iter().map(|warning| warning.field).collect();
    assert_eq!(fields, ["energyratestructure[1][1].sell", "dgrules", "novelty"]);
    let wrapped = format!(r#"{{"items": [{}]}}"#, record(""));
    assert_eq!(urdb::read(&wrapped, &Options::default()), urdb::read(&record(""), &Options::default()));
    assert_eq!(bill(&record(""), &flat_load("0.25"), Scope::PerPeriod)[5].1, "396.3");
}

#[test]
fn a_quarter_hour_load_prices_as_the_hours_do() {
    let quarters = format!("kw\n{}", "0.25\n".repeat(4 * 8_760));
    for tiers in [Scope::SharedChronological, Scope::SharedProportional, Scope::PerPeriod] {
        assert_eq!(bill(&record(""), &quarters, tiers), bill(&record(""), &flat_load("0.25"), tiers));
    }
}
