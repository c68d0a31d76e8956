//! What the tests share.

use std::path::PathBuf;
use std::process::Command;

/// Bytes of a hex text; spaces and line ends are ignored.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16).unwrap() as u8).collect();
    assert!(digits.len().is_multiple_of(2), "odd number of digits in {text}");
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// A frame with its CRC appended.
#[allow(dead_code, reason = "not every test file needs it")]
pub(crate) fn with_crc(text: &str) -> Vec<u8> {
    let mut frame = hex(text);
    let crc = meter_protocol::wire::crc::crc16(&frame);
    frame.extend(crc.to_le_bytes());
    frame
}

/// The realtime block of a single-phase meter at unit 1: balance -84.01, count 12.
#[allow(dead_code, reason = "not every test file needs it")]
pub(crate) const REALTIME_REPLY: &str = "
    01 03 60
    00 07 08 FD 00 00 00 00 02 0B 00 00 00 00 04 A3 00 00 00 00 04 A3 00 78 00 00 00 00 00 78 03 DB
    00 00 00 00 03 DB 00 01 00 01 00 12 D6 87 00 01 86 A0 00 06 1A 80 00 06 A1 87 00 04 93 E0 FF FF
    DF 2F 00 0C 00 00 00 03 E0 EF 00 00 00 00 00 00 1A 03 05 04 0E 07 1E 04 D2 0F 12 04 03 00 00 00
    F5 42";

/// The prepay block at unit 1: prices 12000/10000/7000/4000 raw, alarms 20.00 and 5.00, count 12, balance 88.75.
#[allow(dead_code, reason = "not every test file needs it")]
pub(crate) const PREPAY_REPLY: &str = "
    01 03 32 00 01 00 0C 00 00 2E E0 00 00 27 10 00 00 1B 58 00 00 0F A0 00 00 07 D0 00 00 01 F4
    00 00 00 00 00 00 00 00 00 12 D6 87 00 00 22 AB 00 00 00 00 00 00 91 58";

#[allow(dead_code, reason = "not every test file needs it")]
pub(crate) mod random;
#[cfg(feature = "virtual-meter")]
#[allow(dead_code, reason = "not every test file needs it")]
pub(crate) mod virtual_line;

/// An example beside this test; built here if only this test was asked for.
#[allow(dead_code, reason = "not every test file needs it")]
pub(crate) fn example(name: &str, features: &str) -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    let profile = if path.ends_with("release") { "release" } else { "dev" };
    let target = path.parent().unwrap().to_owned();
    path.push("examples");
    path.push(name);
    if !path.exists() {
        let build = ["build", "--example", name, "--features", features, "--profile", profile, "--target-dir"];
        let built = Command::new(env!("CARGO")).args(build).arg(target).status();
        assert!(built.unwrap().success() && path.exists(), "{}", path.display());
    }
    path
}
