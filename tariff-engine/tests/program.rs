//! `urdb_bill` as its users run it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs the example. It is built already where all tests run; otherwise cargo builds it first.
fn urdb_bill(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--offline", "--features", "urdb", "--example", "urdb_bill", "--"])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

fn path(folder: &Path, file: &str) -> String {
    folder.join(file).display().to_string()
}

#[test]
fn bills_are_printed_as_decimal_strings_and_refusals_name_the_field() {
    let folder = std::env::temp_dir().join(format!("urdb-bill-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (tariff, load) = (path(&folder, "tariff.json"), path(&folder, "load.csv"));
    let hours = vec![vec![0; 24]; 12];
    let record = |extra: &str| {
        format!(
            r#"{{"name": "own", "energyratestructure": [[{{"rate": 0.1, "adj": 0.023}}]], "fixedchargefirstmeter": 1,
                "fixedchargeunits": "$/day", "energyweekdayschedule": {hours:?}, "energyweekendschedule": {hours:?}{extra}}}"#
        )
    };
    std::fs::write(&load, format!("kw\n{}", "0.5\n".repeat(8_760))).unwrap();
    std::fs::write(&tariff, record("")).unwrap();

    let ran = urdb_bill(&[&tariff, &load, "--json"]);
    assert!(ran.status.success(), "{ran:?}");
    let printed: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let keys = ["bill", "demand_flat", "demand_tou", "energy", "fixed", "minimum"];
    for key in keys {
        assert_eq!(printed["monthly"][key].as_array().unwrap().len(), 12, "{key}");
        assert!(printed["monthly"][key].as_array().unwrap().iter().all(Value::is_string), "{key}");
        assert!(printed["annual"][key].is_string(), "{key}");
    }
    assert_eq!(printed["annual"].as_object().unwrap().len(), keys.len());
    // 28 days of 12 kWh at 0.123, and 365/12 days.
    assert_eq!(printed["monthly"]["energy"][1], "41.328");
    assert_eq!(printed["monthly"]["fixed"][1], "30.4166666667");
    assert_eq!(printed["monthly"]["bill"][1], "71.7446666667");
    // The sum of unrounded values, not of rounded ones.
    assert_eq!(printed["annual"]["fixed"], "365");
    assert_eq!(printed["annual"]["bill"], "903.74");

    std::fs::write(&tariff, record(r#", "coincidentratestructure": [[{"rate": 3}]]"#)).unwrap();
    let ran = urdb_bill(&[&tariff, &load, "--json"]);
    assert_eq!(ran.status.code(), Some(2), "{ran:?}");
    assert!(
        ran.stdout.is_empty() && String::from_utf8_lossy(&ran.stderr).contains("coincidentratestructure"),
        "{ran:?}"
    );
    assert_eq!(urdb_bill(&[&tariff]).status.code(), Some(1));
    std::fs::remove_dir_all(&folder).unwrap();
}
