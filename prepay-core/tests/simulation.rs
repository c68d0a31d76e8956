//! The simulated world: the core is right under every fault, and every broken core is caught.
//!
//! In a debug build the runs are small; the full ones are for `--release`.
#![cfg(feature = "sim")]

use prepay_core::sim::{Bend, Config, MUTANTS, Property, Report, replay, run};

const SEED: u64 = 1;

fn broken(report: &Report) -> Vec<Property> {
    Property::ALL.into_iter().filter(|property| property.broken(report) > 0).collect()
}

/// The faults of a report by name.
fn faults(report: &Report) -> Vec<(String, u64)> {
    let value = serde_json::to_value(report.faults).unwrap();
    let map = value.as_object().unwrap();
    map.iter().map(|(name, count)| (name.clone(), count.as_u64().unwrap())).collect()
}

#[test]
fn nothing_is_wrong_under_all_faults() {
    let vends = if cfg!(debug_assertions) { 20_000 } else { 1_000_000 };
    let report = run(&Config { seed: SEED, vends, bend: None });
    assert_eq!(broken(&report), vec![], "seed {SEED}: {report:?}");
    assert_eq!(report.failures(), 0);
    assert_eq!(report.vends, vends);
    assert!(report.median_read_backs <= 2, "{report:?}");
    for (name, count) in faults(&report) {
        assert!(count > 0, "no {name} in seed {SEED}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let config = Config { seed: 7, vends: 800, bend: None };
    assert_eq!(run(&config), run(&config));
    assert_ne!(run(&config), run(&Config { seed: 8, ..config }));
}

#[test]
fn a_failing_cell_replays_with_its_story() {
    let config = Config { seed: SEED, vends: 8_000, bend: Some(Bend::NoReplyIsFailure) };
    let report = run(&config);
    let cell = report.first_failure.unwrap();
    let (again, story) = replay(&config, cell);
    assert!(again.failures() > 0);
    assert!(story.iter().any(|line| line.contains("Purchase")), "{story:?}");
    assert_eq!(replay(&config, cell).1, story);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "45 runs of 100 000 vends: needs --release")]
fn every_mutant_is_caught_and_the_table_is_printed() {
    assert!(MUTANTS.len() >= 30);
    println!("{:<34} declared               broken", "mutant");
    let mut survivors = Vec::new();
    for mutant in MUTANTS {
        let report = run(&Config { seed: SEED, vends: 100_000, bend: Some(mutant.bend) });
        let broken = broken(&report);
        println!("{:<34} {:<22} {broken:?}", mutant.name, format!("{:?}", mutant.breaks));
        if !broken.contains(&mutant.breaks) {
            survivors.push(mutant.name);
        }
    }
    assert_eq!(survivors, Vec::<&str>::new(), "seed {SEED}");
}
