//! The program as its users run it.

use std::path::Path;
use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tariff-study")).args(arguments).output().unwrap()
}

fn path(folder: &Path, file: &str) -> String {
    folder.join(file).display().to_string()
}

const FILES: [&str; 6] = ["bills.csv", "tenants.csv", "gains.svg", "gains.png", "prices.svg", "prices.png"];

#[test]
fn the_same_seed_gives_the_same_files() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    for (folder, seed) in folders.iter().zip(["7", "7", "8"]) {
        let ran = run(&["--tenants", "9", "--seed", seed, "--out", &path(folder.path(), "")]);
        assert!(ran.status.success(), "{ran:?}");
        assert!(String::from_utf8_lossy(&ran.stderr).contains("9 of 9 tenants"), "{ran:?}");
    }
    let read = |folder: usize, file: &str| std::fs::read(folders[folder].path().join(file)).unwrap();
    for file in FILES {
        assert_eq!(read(0, file), read(1, file), "{file}");
        assert_ne!(read(0, file), read(2, file), "{file}");
    }
    assert!(read(0, "gains.png").starts_with(b"\x89PNG"));
    assert!(read(0, "gains.svg").starts_with(b"<svg"));
    // Nine tenants, three tariffs, twelve months, and the header.
    assert_eq!(String::from_utf8(read(0, "bills.csv")).unwrap().lines().count(), 1 + 9 * 3 * 12);
}

#[test]
fn files_of_the_user_are_priced_to_the_cent() {
    let folder = tempfile::tempdir().unwrap();
    let load = path(folder.path(), "load.csv");
    // One tenant takes 1 kW all year, the other one 2 kW in the first half of each hour: half hours.
    let rows: String = (0..365 * 48).map(|row| if row % 2 == 0 { "1,2\n" } else { "1,0\n" }).collect();
    std::fs::write(&load, format!("steady,restless\n{rows}")).unwrap();
    let document = |name: &str, prices: &str| {
        format!(
            "schema = 1\nname = \"{name}\"\nzone = \"+08:00\"\n[[versions]]\nfrom = \"2025-01-01\"\n[versions.energy]\n{prices}"
        )
    };
    let (flat, night) = (path(folder.path(), "flat.toml"), path(folder.path(), "night.toml"));
    std::fs::write(&flat, document("flat", "rates = [{ name = \"all\", price = \"0.5\" }]")).unwrap();
    let rates = "rates = [{ name = \"day\", price = \"0.5\" }, { name = \"first half\", price = \"1.5\" }]\nperiods = [\
                 { rate = \"day\", from = \"00:00\", to = \"24:00\" }, { rate = \"first half\", from = \"12:00\", to = \"12:30\", precedence = 1 }]";
    std::fs::write(&night, document("noon", rates)).unwrap();
    let out = path(folder.path(), "out");
    let ran = run(&["--load", &load, "--tariff", &flat, "--tariff", &night, "--out", &out]);
    assert!(ran.status.success(), "{ran:?}");
    let table = std::fs::read_to_string(Path::new(&out).join("tenants.csv")).unwrap();
    // 8760 kWh at 0.5; at noon 0.5 or 1 kWh a day cost 1 more.
    assert!(table.contains("steady,measured,8760,4380.00,4562.50,"), "{table}");
    assert!(table.contains("restless,measured,8760,4380.00,4745.00,"), "{table}");
    // At equal revenue the one gains what the other loses.
    assert!(table.contains(",-85.88,-1.96") && table.contains(",85.88,1.96"), "{table}");
}

#[test]
fn what_is_wrong_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (load, tariff) = (path(folder.path(), "load.csv"), path(folder.path(), "tariff.toml"));
    let out = path(folder.path(), "out");
    let cases: [(String, &str); 5] = [
        ("a\n1\n".to_string(), "1 rows"),
        (format!("a\n{}x\n", "1\n".repeat(8_759)), "row 8761, column \"a\": \"x\""),
        (format!("a\n{}-1\n", "1\n".repeat(8_759)), "negative"),
        (format!("a\n{}", "0.0000001\n".repeat(8_760)), "row 2"),
        (format!("a\n{}", "0.000001\n".repeat(8_760 * 2)), "10⁻⁶ kWh"),
    ];
    for (text, named) in cases {
        std::fs::write(&load, text).unwrap();
        let ran = run(&["--load", &load, "--out", &out]);
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.code() == Some(1) && said.contains(named), "{named}: {said}");
    }
    std::fs::write(
        &tariff,
        "schema = 1\nname = \"bad\"\nzone = \"+08:00\"\n[[versions]]\nfrom = \"2025-02-30\"\nenergy = { rates = [] }\n",
    )
    .unwrap();
    let ran = run(&["--tariff", &tariff, "--out", &out]);
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.code() == Some(1) && said.contains("versions[0].from"), "{said}");
    assert!(!Path::new(&out).exists(), "nothing is written when it fails");
}
