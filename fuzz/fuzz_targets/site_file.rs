//! The import files of the station: one TOML text, or the CSV texts of a folder.
//!
//! Input: TOML as it is. CSV begins with `#`; each file begins with a line `# kind`.
//!
//! It must hold that a text is read the same twice; that what is wrong is said with its place in the text, in order; that a
//! site that is taken keeps its promises: what is referred to exists, numbers and codes are unique, limits are kept; that it is the
//! same after it was written and read; that prices are made of its tariffs or refused.
#![no_main]

#[path = "../../examples/vending-station/src/pricing.rs"]
#[allow(dead_code, reason = "the station uses more than this")]
mod pricing;
#[path = "../../examples/vending-station/src/site/mod.rs"]
#[allow(dead_code, reason = "the station uses more than this")]
mod site;

use fuzz::mutate_words;
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use site::raw::KINDS;
use site::{Checked, Complaint, Site};
use std::collections::BTreeSet;
use std::sync::Arc;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    // A file that a site names is outside of what is looked at here.
    if text.replace("key_file", "").contains("file") || text.contains('\\') {
        return;
    }
    let read = || if text.starts_with('#') { site::from_csv(&files(text)) } else { site::from_toml("s", text) };
    match (read(), read()) {
        (Ok(checked), Ok(same)) => {
            assert_eq!((&checked.site, &checked.warnings), (&same.site, &same.warnings));
            taken(&checked);
        }
        (Err(complaints), Err(same)) => {
            assert_eq!(complaints, same);
            assert!(!complaints.is_empty());
            complaints.iter().for_each(|complaint| in_the_text(complaint, text));
        }
        _ => panic!("the same text is right and wrong"),
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    if seed % 4 == 0 {
        fuzzer_mutate(data, size, max_size)
    } else {
        mutate_words(data, size, max_size, seed >> 2, WORDS)
    }
});

/// The files of a text: kind, name, content.
fn files(text: &str) -> Vec<(&'static str, Arc<str>, String)> {
    let parts = text.split("# ").filter_map(|part| part.split_once('\n'));
    let known = parts.filter_map(|(name, content)| {
        let kind = KINDS.into_iter().find(|kind| *kind == name.trim())?;
        Some((kind, Arc::from(kind), content.to_owned()))
    });
    known.collect()
}

fn in_the_text(complaint: &Complaint, text: &str) {
    let lines = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let place = &complaint.place;
    assert!((1..=lines + 1).contains(&place.line) && place.column >= 1, "{complaint}");
    assert!(place.column <= text.len() + 1 && !complaint.reason.is_empty(), "{complaint}");
}

fn taken(checked: &Checked) {
    let site = &checked.site;
    let json = serde_json::to_string(site).expect("it is data");
    assert_eq!(serde_json::from_str::<Site>(&json).expect("our own text"), *site);
    let buildings = unique(site.buildings.iter().map(|building| building.code.clone()));
    let tariffs = unique(site.tariffs.iter().map(|tariff| tariff.code.clone()));
    let buses = unique(site.buses.iter().map(|bus| bus.code.clone()));
    let tenants = unique(site.tenants.iter().map(|tenant| tenant.code.clone()));
    unique(site.meters.iter().map(|meter| format!("{}", meter.number)));
    unique(site.meters.iter().map(|meter| format!("{}/{}", meter.bus, meter.unit)));
    for tenant in &site.tenants {
        assert!(buildings.contains(&tenant.building) && tariffs.contains(&tenant.tariff));
        assert!(tenant.alarm_2_minor < tenant.alarm_1_minor && tenant.alarm_2_minor >= 0);
    }
    for meter in &site.meters {
        assert!(buses.contains(&meter.bus) && (1..=247).contains(&meter.unit));
        assert!(meter.tenant.as_ref().is_none_or(|tenant| tenants.contains(tenant)));
    }
    for tariff in &site.tariffs {
        assert!(tariff.document.compile().is_ok(), "a tariff that was taken compiles");
    }
    for warning in &checked.warnings {
        assert!(!warning.reason.is_empty());
    }
}

fn unique(codes: impl Iterator<Item = String>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    codes.for_each(|code| assert!(seen.insert(code.clone()), "{code} twice"));
    seen
}

/// Keys and values of sites.
const WORDS: &[&str] = &[
    "site",
    "building",
    "collector",
    "gateway",
    "bus",
    "tariff",
    "tenant",
    "meter",
    "code",
    "name",
    "currency",
    "utc_offset_min",
    "address",
    "baud",
    "trade",
    "floor",
    "purse",
    "alarm_1",
    "alarm_2",
    "opening_credit",
    "number",
    "unit",
    "model",
    "purpose",
    "document",
    "key",
    "max_sale",
    "max_stored",
    "equal_count",
    "price_decimals",
    "0",
    "1",
    "248",
    "9600",
    "480",
    "\"A\"",
    "\"A-101\"",
    "\"flat\"",
    "\"meter\"",
    "\"station\"",
    "\"50.00\"",
    "\"10\"",
    "\"-1\"",
    "\"0.001\"",
    "\"CNY\"",
    "\"DTSY1352-NK\"",
    "\"DDSY1352-NK\"",
    "\"ADF300\"",
    "\"202611000001\"",
    "\"127.0.0.1:15021\"",
    "\"\"",
];
