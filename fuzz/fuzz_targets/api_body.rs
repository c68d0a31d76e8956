//! A sale that is asked for over the station's API: headers and body.
//!
//! Input: decimal places of the currency, the headers (each with its length before it; 0 is none), the body.
//!
//! It must hold that what is taken is what the body says: its amount in minor units agrees with a slow reading of its
//! digits, its other fields with another reader of JSON; that a body with a field more, less or twice is refused; that
//! an amount is the same when it is written and read again.
#![no_main]

#[path = "../../examples/vending-station/src/amount.rs"]
#[allow(dead_code, reason = "the station shows more than this")]
mod amount;
#[path = "../../examples/vending-station/src/api/order.rs"]
mod order;

use fuzz::{Tape, mutate_words};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use order::NoOrder;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let mut tape = Tape::new(bytes);
    if bytes.first() == Some(&b'{') {
        return body(bytes, 2);
    }
    let places = tape.byte() % 5;
    let (kind, key) = (tape.counted(), tape.counted());
    let header = |bytes| core::str::from_utf8(bytes).ok().filter(|text: &&str| !text.is_empty());
    let is_key = (1..=64).contains(&key.len()) && key.iter().all(|byte| (0x21..=0x7E).contains(byte));
    match order::read(header(kind), header(key), tape.rest(), places) {
        Ok(order) => {
            assert!(is_key && order.key.as_bytes() == key);
            assert!(kind.trim_ascii_start().starts_with(b"application/json"));
        }
        Err(NoOrder::Bad(reason) | NoOrder::Refused(reason)) => assert!(!reason.is_empty()),
    }
    body(tape.rest(), places);
    core::str::from_utf8(tape.rest()).into_iter().for_each(|text| amount(text, places));
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    if seed % 2 == 0 {
        fuzzer_mutate(data, size, max_size)
    } else {
        mutate_words(data, size, max_size, seed >> 1, WORDS)
    }
});

fn body(body: &[u8], places: u8) {
    let read = order::read(Some("application/json; charset=utf-8"), Some("key-1"), body, places);
    let Ok(order) = read else { return };
    let Ok(Value::Object(fields)) = serde_json::from_slice(body) else {
        // A list of the three fields in order is taken as well.
        return assert_eq!(body.trim_ascii_start().first(), Some(&b'['));
    };
    assert_eq!(fields.len(), 3);
    assert_eq!(fields["account"].as_i64(), Some(order.account));
    assert_eq!(fields["channel"].as_str(), Some(&*order.channel));
    amount(fields["amount"].as_str().expect("a text"), places);
    assert_eq!(amount::parse_minor(&amount::minor(order.amount_minor, places), places), Some(order.amount_minor));
}

/// The digits of an amount, one after the other.
fn amount(text: &str, places: u8) {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let Some(minor) = amount::parse_minor(text, places) else { return };
    assert_eq!(amount::parse_minor(&amount::centi(minor), 2), Some(minor));
    assert_eq!(amount::parse_minor(&amount::milli(minor), 3), Some(minor));
    assert!(whole.bytes().chain(part.bytes()).all(|byte| byte.is_ascii_digit()));
    let kept = part.trim_end_matches('0');
    assert!(kept.len() <= places.into(), "{text} has more places than {places}");
    let zeros = usize::from(places) - kept.len();
    let sum = whole.bytes().chain(kept.bytes()).chain(std::iter::repeat_n(b'0', zeros));
    let sum = sum.fold(0_i128, |sum, digit| sum * 10 + i128::from(digit - b'0'));
    assert_eq!(i128::from(minor), if negative { -sum } else { sum }, "{text}");
}

/// Fields and values of a sale.
const WORDS: &[&str] = &[
    "\"account\"",
    "\"amount\"",
    "\"channel\"",
    "\"extra\"",
    "\"cash\"",
    "\"100.00\"",
    "\"0.01\"",
    "\"-0.5\"",
    "\"1e3\"",
    "\"92233720368547758.07\"",
    "\"92233720368547758.08\"",
    "\"1.\"",
    "\".5\"",
    "\"\"",
    "7",
    "-1",
    "1.5",
    "9223372036854775807",
    "9223372036854775808",
    "null",
];
