//! The example `explain`: valid frames are told from broken ones, and secrets are not shown.

mod common;

use std::io::Write;
use std::process::{Command, Stdio};

use common::{REALTIME_REPLY, example, with_crc};
use serde_json::Value;

fn explained(transport: &str, lines: &[String]) -> Vec<Value> {
    let mut child = Command::new(example("explain", ""))
        .args(["--json", "--transport", transport])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = lines.join("\n");
    let mut stdin = child.stdin.take().unwrap();
    let writing = std::thread::spawn(move || stdin.write_all(input.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let told: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told.len(), lines.len());
    for told in &told {
        assert!(told["meaning"].is_string());
        assert_eq!(told["valid"].as_bool().unwrap(), told.get("error").is_none(), "{told}");
    }
    told
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn frame(body: &str) -> String {
    hex(&with_crc(body))
}

#[test]
fn a_reply_is_read_against_its_request() {
    let reply = REALTIME_REPLY.split_whitespace().collect::<String>();
    let told = explained("rtu", &["01 03 02 00 00 30 44 66".to_owned(), reply.clone()]);
    let meaning = told[1]["meaning"].as_str().unwrap();
    for words in ["energy_total 12345.67 kWh", "remaining_amount -84.01", "purchase_count 12", "supply on, forced"] {
        assert!(meaning.contains(words), "{words}: {meaning}");
    }
    // Without the request nobody knows which registers these are.
    let told = explained("rtu", &[reply]);
    assert!(told[0]["meaning"].as_str().unwrap().contains("not shown"));
}

#[test]
fn frames_in_words() {
    for (body, words) in [
        ("01 20 01 00 00 04 08 00 00 27 10 00 01 00 00", "sale of 100.00, purchase count 1"),
        ("01 10 00 57 00 02 04 00 01 00 01", "supply off"),
        ("01 10 00 57 00 02 04 00 00 00 00", "back to prepaid"),
        ("01 20 03 54 00 05 0A 1E 07 0E 04 05 03 1A 00 00 00", "2026-03-05 14:07:30"),
        ("01 83 02", "illegal address"),
        ("01 AA 02", "never builds"),
        ("01 41 05 06 07", "not a known one"),
        (
            &format!("01 20 02 00 00 1E 3C {} 01 00 00 07 D0 00 00 01 F4 {}", "00".repeat(20), "00".repeat(31)),
            "20.00 and 5.00",
        ),
    ] {
        let told = explained("rtu", &[frame(body)]);
        assert!(told[0]["meaning"].as_str().unwrap().contains(words), "{}", told[0]);
    }
    let told =
        explained("tcp", &["0007 0000 0006 01 03 0043 0003".to_owned(), "00070000000901030620260305 0012".to_owned()]);
    assert!(told[1]["meaning"].as_str().unwrap().contains("202603050012"), "{}", told[1]);
}

#[test]
fn what_is_wrong_is_said() {
    let lines = ["01 03 02 00 00 30 44 67", "01 03", "01 03 0", "hello", "01 03 00 20 F0"].map(str::to_owned);
    for told in explained("rtu", &lines) {
        assert_eq!(told["valid"], false, "{told}");
    }
}

#[test]
fn secrets_stay_hidden() {
    let password = "736563726574"; // "secret"
    let lines = [
        // Written, read, and read in a larger block; the menu code too.
        frame(&format!("01 10 19 67 00 03 06 {password}")),
        frame("01 03 19 67 00 03"),
        frame(&format!("01 03 06 {password}")),
        frame("01 03 19 66 00 04"),
        frame(&format!("01 03 08 00 01 {password}")),
        // Wrong length for what was asked: nobody knows what it is.
        frame(&format!("01 03 06 {password}")),
        frame("01 06 00 0A 1A 85"),
        // A factory function, and a broken frame.
        frame(&format!("01 AB {password}")),
        format!("01 10 19 67 00 03 06 {password} 00 00"),
    ];
    for (line, told) in lines.iter().zip(explained("rtu", &lines)) {
        let told = told.to_string();
        for secret in ["secret", password, "73 65 63", "29541", "6789"] {
            assert!(!told.contains(secret), "{line}: {told}");
        }
    }
}

/// The collected frames, where they are at hand.
#[test]
fn collected_frames() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/modbus-vectors/frames.json");
    let Ok(text) = std::fs::read_to_string(path) else { return };
    let entries: Vec<Value> = serde_json::from_str(&text).unwrap();
    for transport in ["rtu", "tcp"] {
        let of_kind =
            entries.iter().filter(|entry| entry["kind"] == transport && !entry["hex"].as_str().unwrap().is_empty());
        for entry in of_kind {
            let told = explained(transport, &[entry["hex"].as_str().unwrap().to_owned()]);
            match entry["expect"].as_str().unwrap() {
                "accept as exception 00 or reject, never panic" => {}
                expect => assert_eq!(told[0]["valid"], expect.starts_with("accept"), "{entry}: {}", told[0]),
            }
        }
    }
}
