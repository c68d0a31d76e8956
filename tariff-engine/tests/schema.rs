//! The JSON Schema and the model say the same about the shape of a document.

mod random;

use random::Random;
use serde_json::{Value, json};
use tariff_engine::Tariff;
use tariff_engine::tariff::JSON_SCHEMA as SCHEMA;

/// Every field of the model once, whether or not they go together.
const COMPLETE: &str = include_str!("documents/complete.json");

fn validator() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    assert!(jsonschema::meta::is_valid(&schema), "the schema itself");
    jsonschema::validator_for(&schema).unwrap()
}

fn complete() -> Value {
    serde_json::from_str(COMPLETE).unwrap()
}

fn parses(document: &Value) -> bool {
    serde_json::from_value::<Tariff>(document.clone()).is_ok()
}

fn compiles(document: &Value) -> bool {
    serde_json::from_value::<Tariff>(document.clone()).is_ok_and(|tariff| tariff.compile().is_ok())
}

#[track_caller]
fn assert_valid(validator: &jsonschema::Validator, document: &Value) {
    let errors: Vec<String> =
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{document:#}");
}

/// JSON pointers of everything in a document.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_string());
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| pointers(value, &format!("{at}/{key}"), found)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(place, value)| pointers(value, &format!("{at}/{place}"), found));
        }
        _ => {}
    }
}

#[test]
fn the_complete_document_has_every_field() {
    let document = complete();
    assert_valid(&validator(), &document);
    let tariff: Tariff = serde_json::from_value(document.clone()).unwrap();
    let shown = format!("{tariff:?}");
    for unset in ["None", "[]", "\"\""] {
        assert!(!shown.contains(unset), "{unset} in {shown}");
    }
    assert_eq!(serde_json::to_value(&tariff).unwrap(), document);
}

#[test]
fn the_schema_names_no_field_that_the_model_lacks() {
    // Each property of the schema occurs in the complete document, which the model reads back whole.
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let document = complete();
    let mut found = Vec::new();
    pointers(&document, "", &mut found);
    let objects = schema["$defs"].as_object().unwrap().values().chain([&schema]);
    for properties in objects.filter_map(|entry| entry["properties"].as_object()) {
        let keys: Vec<&String> = properties.keys().collect();
        let same = found
            .iter()
            .filter_map(|at| document.pointer(at)?.as_object())
            .any(|object| object.len() == keys.len() && keys.iter().all(|key| object.contains_key(*key)));
        assert!(same, "no object of the complete document has {keys:?}");
    }
}

#[test]
fn unknown_fields_are_refused_by_both_everywhere() {
    let (validator, document) = (validator(), complete());
    let mut found = Vec::new();
    pointers(&document, "", &mut found);
    let mut objects = 0;
    for at in found {
        let mut changed = document.clone();
        let Some(object) = changed.pointer_mut(&at).and_then(Value::as_object_mut) else { continue };
        object.insert("unknown".into(), json!(1));
        assert!(!validator.is_valid(&changed) && !parses(&changed), "at {at}");
        objects += 1;
    }
    assert!(objects > 20, "{objects}");
}

#[test]
fn what_may_be_left_out_is_the_same_for_both() {
    let (validator, document) = (validator(), complete());
    let mut found = Vec::new();
    pointers(&document, "", &mut found);
    for at in found {
        let Some((parent, key)) = at.rsplit_once('/') else { continue };
        let mut changed = document.clone();
        let Some(object) = changed.pointer_mut(parent).and_then(Value::as_object_mut) else { continue };
        object.remove(key);
        assert_eq!(validator.is_valid(&changed), parses(&changed), "without {at}");
    }
}

#[test]
fn what_the_schema_takes_the_model_reads() {
    let (validator, document) = (validator(), complete());
    let mut found = Vec::new();
    pointers(&document, "", &mut found);
    for at in found {
        for other in [json!(null), json!(true), json!(-1), json!("?"), json!(1.5), json!([]), json!({})] {
            let mut changed = document.clone();
            *changed.pointer_mut(&at).unwrap() = other.clone();
            if validator.is_valid(&changed) {
                assert!(parses(&changed), "{other} at {at} passes the schema alone");
            }
        }
    }
}

const GOOD: &str = r#"{
    "schema": 1, "name": "t", "zone": "+08:00", "billing": {"months": 1},
    "calendar": {"holidays": [{"name": "h", "from": "2025-10-01"}], "seasons": [{"name": "s", "from": "07-01", "to": "08-31"}]},
    "rounding": {"lines": 2},
    "versions": [{
        "from": "2025-01-01", "demand_window_minutes": 15,
        "energy": {
            "rates": [{"name": "a", "tiers": ["1", "2"]}, {"name": "b", "tiers": ["3", 4]}],
            "periods": [{"rate": "a", "from": "00:00", "to": "24:00"}, {"rate": "b", "from": "22:00", "to": "06:00", "precedence": 1}],
            "ladder": {"limits": [{"kwh": "100"}]}
        },
        "demand": [{"name": "d", "rates": [{"name": "all", "price": "3"}], "ratchet": {"lookback": 11, "share": "0.8"}}],
        "fixed": [{"name": "f", "price": "2", "per": "day"}],
        "taxes": [{"name": "vat", "percent": "13", "base": ["energy"]}]
    }]
}"#;

#[test]
fn bad_values_are_refused_by_both() {
    let validator = validator();
    let good: Value = serde_json::from_str(GOOD).unwrap();
    assert_valid(&validator, &good);
    assert!(compiles(&good));
    let version = |rest: &str| format!("/versions/0/{rest}");
    let cases = [
        ("/schema".into(), json!(2)),
        ("/schema".into(), json!("1")),
        ("/name".into(), json!("")),
        ("/zone".into(), json!("")),
        ("/billing/months".into(), json!(5)),
        ("/billing/months".into(), json!("1")),
        ("/calendar/holidays/0/from".into(), json!("2025-13-01")),
        ("/calendar/holidays/0/from".into(), json!("10000-01-01")),
        ("/calendar/holidays/0/from".into(), json!("1.10.2025")),
        ("/calendar/seasons/0/to".into(), json!("8-31")),
        ("/rounding/lines".into(), json!(11)),
        ("/rounding/lines".into(), json!(-1)),
        ("/versions".into(), json!([])),
        (version("from"), json!("2025-1-1")),
        (version("demand_window_minutes"), json!(7)),
        (version("energy/rates"), json!([])),
        (version("energy/rates/0/tiers/0"), json!(0.25)),
        (version("energy/rates/0/tiers/0"), json!("1e3")),
        (version("energy/rates/0/tiers/0"), json!("0x10")),
        (version("energy/rates/0/tiers/0"), json!("1_000")),
        (version("energy/rates/0/tiers/0"), json!(".5")),
        (version("energy/rates/0/tiers/0"), json!("5.")),
        (version("energy/rates/0/tiers/0"), json!("")),
        (version("energy/rates/0/tiers/0"), json!("-")),
        (version("energy/rates/0/tiers/0"), json!("123456789012345678901234567890123456789")),
        (version("energy/rates/0/tiers/0"), json!("NaN")),
        (version("energy/periods/1/from"), json!("26:00")),
        (version("energy/periods/1/from"), json!("08:60")),
        (version("energy/periods/1/from"), json!("8:00")),
        (version("energy/periods/1/precedence"), json!("high")),
        (version("energy/periods/1/precedence"), json!(3_000_000_000_i64)),
        (version("energy/ladder/limits/0/kwh"), json!(1e38)),
        (version("demand/0/rates"), json!([])),
        (version("demand/0/ratchet/lookback"), json!(13)),
        (version("demand/0/ratchet/lookback"), json!(0)),
        (version("fixed/0/per"), json!("week")),
        (version("taxes/0/percent"), json!(13.5)),
    ];
    for (at, bad) in cases {
        let at: String = at;
        let mut document = good.clone();
        *document.pointer_mut(&at).unwrap() = bad.clone();
        assert!(!validator.is_valid(&document), "the schema takes {bad} at {at}");
        assert!(!compiles(&document), "the crate takes {bad} at {at}");
    }
}

#[test]
fn random_tariffs_keep_to_the_schema_and_survive_json() {
    let validator = validator();
    for seed in 0..300 {
        let (tariff, _) = random::tariff(&mut Random::from(seed), 30);
        let document = serde_json::to_value(&tariff).unwrap();
        assert_valid(&validator, &document);
        assert_eq!(serde_json::from_value::<Tariff>(document).unwrap(), tariff, "seed {seed}");
    }
}

/// TOML as JSON, without floats, which no good document has.
fn json_of(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => json!(text),
        toml::Value::Integer(whole) => json!(whole),
        toml::Value::Boolean(truth) => json!(truth),
        toml::Value::Array(items) => items.iter().map(json_of).collect(),
        toml::Value::Table(table) => Value::Object(table.iter().map(|(k, v)| (k.clone(), json_of(v))).collect()),
        toml::Value::Float(_) | toml::Value::Datetime(_) => panic!("{value} in a tariff"),
    }
}

/// The TOML documents in a Rust or Markdown text: raw strings that begin with the schema.
fn documents(text: &str) -> impl Iterator<Item = String> {
    text.split("r#\"").skip(1).filter_map(|rest| rest.split_once("\"#")).map(|(inside, _)| {
        // Markdown in doc comments is not read here, so only indentation is taken off.
        inside.lines().map(str::trim_start).collect::<Vec<_>>().join("\n")
    })
}

#[test]
fn documents_of_readme_and_examples_keep_to_the_schema() {
    let validator = validator();
    let mut seen = 0;
    for text in [
        include_str!("../README.md"),
        include_str!("../examples/bill_shop.rs"),
        include_str!("../examples/how_long.rs"),
    ] {
        for document in documents(text).filter(|document| document.contains("schema = 1")) {
            let document: toml::Table = toml::from_str(&document).unwrap();
            assert_valid(&validator, &json_of(&toml::Value::Table(document)));
            seen += 1;
        }
    }
    assert!(seen >= 3, "{seen}");
}
