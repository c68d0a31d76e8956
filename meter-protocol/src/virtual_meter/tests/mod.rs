//! The whole meter from outside, through frames.

mod behaviour;
mod documents;
mod properties;
mod switches;

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::*;

/// 2026-03-05 14:07:30, a Thursday, as if local time were UTC.
const NOTED_MS: i64 = 1_772_719_650_000;
const HOUR_MS: i64 = 3_600_000;
const NUMBER: [u8; 12] = [2, 0, 2, 6, 0, 3, 0, 5, 0, 0, 1, 2];

fn bytes(hex: &str) -> Vec<u8> {
    let digits: String = hex.split_whitespace().collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn setup(model: Model, unit: u8) -> MeterSetup {
    MeterSetup {
        prepay_enabled: true,
        remaining_cents: 8_875,
        purchase_count: 12,
        ..MeterSetup::new(model, unit, NUMBER, NOTED_MS)
    }
}

fn meter(model: Model, unit: u8, options: MeterOptions) -> VirtualMeter {
    VirtualMeter::new(&setup(model, unit), options).unwrap()
}

fn ddsy() -> VirtualMeter {
    meter(Model::Ddsy1352, 1, MeterOptions::default())
}

/// Sends a body at the meter's own time and gives the reply without its check sum.
fn ask(meter: &mut VirtualMeter, body: &[u8]) -> Option<Vec<u8>> {
    let now_ms = meter.time_ms();
    let reply = meter.serve(now_ms, &frame::sealed(body.to_vec()))?;
    Some(frame::checked(&reply).unwrap().to_vec())
}

fn sale(unit: u8, cents: u32, count: u16) -> Vec<u8> {
    let ([a, b, c, d], [e, f]) = (cents.to_be_bytes(), count.to_be_bytes());
    vec![unit, 0x20, 1, 0, 0, 4, 8, a, b, c, d, e, f, 0, 0]
}

/// A parameter frame with these data bytes set.
fn parameters(unit: u8, fields: &[(usize, &[u8])]) -> Vec<u8> {
    let mut body = vec![unit, 0x20, 2, 0, 0, 30, 60];
    body.resize(67, 0);
    for (at, value) in fields {
        body[7 + at] = 1;
        body[8 + at..8 + at + value.len()].clone_from_slice(value);
    }
    body
}

/// A load-control frame of line 1 with these data bytes set.
fn load_settings(unit: u8, fields: &[(usize, &[u8])]) -> Vec<u8> {
    let mut body = vec![unit, 0x20, 4, 0, 0, 13, 26];
    body.resize(33, 0);
    for (at, value) in fields {
        body[7 + at..7 + at + value.len()].clone_from_slice(value);
    }
    body
}

fn prices(unit: u8, prices: [u32; 4]) -> Vec<u8> {
    let values: Vec<u8> = prices.iter().flat_map(|price| price.to_be_bytes()).collect();
    parameters(unit, &[(29, &values)])
}

fn word(meter: &VirtualMeter, address: u16) -> u16 {
    meter.register(address).unwrap()
}

fn double(meter: &VirtualMeter, address: u16) -> u32 {
    u32::from(word(meter, address)) << 16 | u32::from(word(meter, address + 1))
}
