//! Documents of meters that report over a broker: updates, topics, and commands to them.
//!
//! Input: what it is, then its text. Updates are JSON; a command is two keys with a zero byte between.
//!
//! It must hold that a number is read digit for digit, and written again is the same number; that integers agree with a
//! slow reading of their digits; that a topic is the text that was parsed; that a command holds exactly what was asked.
#![no_main]

use fuzz::{Tape, mutate_words};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use meter_protocol::acrel::ForceMode;
use meter_protocol::uplink::cloud::{CloudError, FIELDS, ForceSwitch, OperateKeys, Topic, Update};
use meter_protocol::uplink::parse_exact;
use serde_json::{Value, json};

const SERIAL: &str = "20260305";

fuzz_target!(|bytes: &[u8]| {
    let mut tape = Tape::new(bytes);
    match tape.byte() {
        b't' => core::str::from_utf8(tape.rest()).into_iter().for_each(topic),
        b'n' => core::str::from_utf8(tape.rest()).into_iter().for_each(number),
        b'o' => operate(tape),
        _ => update(bytes),
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    if seed % 2 == 0 {
        fuzzer_mutate(data, size, max_size)
    } else {
        mutate_words(data, size, max_size, seed >> 1, WORDS)
    }
});

fn update(json: &[u8]) {
    let Ok(update) = Update::parse(json, SERIAL) else { return };
    assert_eq!(update.is_success(), update.result.as_deref() == Some("1"));
    for field in FIELDS {
        let text = update.text(field.name);
        match update.number(field.name) {
            Ok(None) => assert!(text.is_none_or(str::is_empty)),
            Ok(Some(number)) => assert_eq!(text.map(parse_exact), Some(Ok(number))),
            Err(error) => {
                assert!(text.is_some_and(|text| parse_exact(text).is_err()));
                assert!(error.to_string().contains(field.name));
            }
        }
    }
    whole(&update, "BuyTimes", update.purchase_count());
    whole(&update, "AdfState1", update.status_1().map(|word| word.map(|word| word.0)));
    whole(&update, "AdfState2", update.status_2().map(|word| word.map(|word| word.0)));
    relay(&update);
}

/// A whole number of 16 bits, by its digits.
fn whole(update: &Update, name: &str, read: Result<Option<u16>, CloudError>) {
    let Some(text) = update.text(name).filter(|text| !text.is_empty()) else { return assert_eq!(read, Ok(None)) };
    let digits = text.bytes().map(|byte| char::from(byte).to_digit(10));
    let expected = digits.fold(Some(0_u64), |sum, digit| Some((sum? * 10 + u64::from(digit?)).min(1 << 32)));
    match expected.filter(|value| *value < 0x1_0000) {
        Some(value) => assert_eq!(read.map(|word| word.map(u64::from)), Ok(Some(value))),
        None => assert!(read.is_err(), "{text}"),
    }
}

fn relay(update: &Update) {
    let named = ["SwitchSta1", "SwitchSta2", "SwitchSta3"].map(|name| update.text(name).unwrap_or_default());
    let shown = update.relay_closed();
    if named.iter().all(|text| text.is_empty()) {
        return assert_eq!(shown, update.status_1().map(|word| word.map(|word| word.relay_closed())));
    }
    let value = |text: &&str| text.trim_start_matches('0').len();
    let is_bit = |text: &&str| text.is_empty() || text.trim_start_matches('0') == "1" || value(text) == 0;
    if named.iter().all(is_bit) {
        assert_eq!(shown, Ok(Some(named.iter().any(|text| value(text) == 1))));
    } else {
        assert!(shown.is_err());
    }
}

fn topic(text: &str) {
    if let Ok(topic) = Topic::parse(text) {
        assert_eq!(topic.to_string(), text);
        assert_eq!(Topic::new(topic.kind(), topic.product_key(), topic.serial()), Ok(topic));
    }
}

/// A number that is taken is digits with at most one point; it is the same number when written.
fn number(text: &str) {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let parts: Vec<&str> = unsigned.split('.').collect();
    let digits: usize = parts.iter().map(|part| part.len()).sum();
    let are_digits = parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    let read = parse_exact(text);
    assert_eq!(read.is_ok(), are_digits && parts.len() <= 2 && digits <= 30, "{text}: {read:?}");
    if let Ok(number) = read {
        assert_eq!(parse_exact(&number.to_string()), Ok(number));
        assert_eq!(usize::from(number.exponent().unsigned_abs()), parts.get(1).map_or(0, |part| part.len()));
    }
}

fn operate(mut tape: Tape<'_>) {
    let mode = tape.pick(&[Some(ForceMode::SupplyOn), Some(ForceMode::SupplyOff), Some(ForceMode::Prepaid), None]);
    let command = mode.map_or(Some(ForceSwitch::Refresh), ForceSwitch::of_mode);
    let Some(command) = command else { return assert_eq!(mode, Some(ForceMode::Prepaid)) };
    let Ok(text) = core::str::from_utf8(tape.rest()) else { return };
    let (name, value) = text.split_once('\0').unwrap_or((text, ""));
    let keys = OperateKeys { command: name.into(), value: value.into() };
    let written = command.to_json(&keys);
    assert_eq!(written.is_ok(), [name, value].iter().all(|key| !key.is_empty() && *key != "method"));
    let Ok(written) = written else { return };
    let inner = match command {
        ForceSwitch::On => json!({ "method": "FORCESWITCH", value: { "ForceSwitch": "1" } }),
        ForceSwitch::Off => json!({ "method": "FORCESWITCH", value: { "ForceSwitch": "0" } }),
        _ => json!({ "method": "REFRESH" }),
    };
    assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), json!({ "method": "operate", name: inner }));
}

/// Names and values of updates.
const WORDS: &[&str] = &[
    "\"method\"",
    "\"res\"",
    "\"reported\"",
    "\"20260305\"",
    "\"update\"",
    "\"operate\"",
    "\"EPI\"",
    "\"Balance\"",
    "\"BuyTimes\"",
    "\"SwitchSta1\"",
    "\"SwitchSta2\"",
    "\"SwitchSta3\"",
    "\"AdfState1\"",
    "\"AdfState2\"",
    "\"1\"",
    "\"0\"",
    "\"2\"",
    "\"\"",
    "\"-84.01\"",
    "\"57583\"",
    "\"65536\"",
    "\"00000000000000001\"",
    "\"1e3\"",
    "1",
    "0",
    "488",
    "12345.67",
    "90071992547409.93",
    "-0",
    "1e3",
    "null",
    "true",
    "{}",
    "[]",
];
