//! Replies of a meter.

use meter_protocol::wire::crc::crc16;
use meter_protocol::wire::{Answer, Expectation, Registers, Reply, Request, rtu};

/// The meter that answers.
pub const UNIT: u8 = 1;
/// As many registers as one reply holds.
pub const MOST_REGISTERS: u16 = 125;
/// Registers of the realtime block of a meter with four rates.
pub const REALTIME_REGISTERS: u16 = 48;

/// The reply to a read of `count` registers from 0200H.
///
/// # Panics
///
/// If a frame doesn't hold them.
#[must_use]
pub fn reply(count: u16) -> Vec<u8> {
    let data: Vec<u8> = (0..2 * count).map(|index| index.wrapping_mul(37).to_le_bytes()[0]).collect();
    let registers = Registers::holding(0x0200, &data).expect("at most 125 registers");
    let answer = Answer::Reply(Reply::Registers(registers));
    rtu::encode_answer(UNIT, &answer, &mut [0; 256]).expect("it fits").to_vec()
}

/// What a read of `count` registers from 0200H may be answered with.
#[must_use]
pub fn expectation(count: u16) -> Expectation {
    Request::read_holding(0x0200, count).expect("at most 125 registers").expectation()
}

/// Reads every register.
#[must_use]
pub fn sum(registers: &Registers<'_>) -> u16 {
    registers.words().fold(0, u16::wrapping_add)
}

/// The registers of an answer that has some.
///
/// # Panics
///
/// If it has none.
#[must_use]
pub fn registers<'a>(answer: Answer<'a>) -> Registers<'a> {
    match answer {
        Answer::Reply(Reply::Registers(registers)) => registers,
        other => panic!("{other:?}"),
    }
}

/// The reply with the realtime block, and a clock in it that exists: 2026-03-05 Thursday 14:07:30.
#[must_use]
pub fn realtime_reply() -> Vec<u8> {
    let mut frame = reply(REALTIME_REGISTERS);
    frame[3 + 80..][..7].copy_from_slice(&[0x1A, 3, 5, 4, 14, 7, 30]);
    let body = frame.len() - 2;
    let fitting = crc16(&frame[..body]).to_le_bytes();
    frame[body..].copy_from_slice(&fitting);
    frame
}
