//! 4G meters that dial in: their frames, and the station's side of a connection.
#![allow(clippy::disallowed_methods, reason = "tests may panic")]

mod arbitrary;
#[path = "../common/mod.rs"]
mod common;
mod driver;
mod frames;
#[cfg(feature = "virtual-meter")]
mod honest;
mod station;

use meter_protocol::uplink::radio::{Frame, RadioError, Serial, Up};
use meter_protocol::wire::crc::crc16;

pub(crate) const REGISTER: &str = "7B 7B 84
    30 30 30 30 30 30 30 30 30 30 30 30 30 31 00 00 00 00 00 00
    38 39 38 36 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 31 00 00 00 00 00 00 00 00 00 00
    1B 0002 0100 0100 1E A2 42 7D 7D";
pub(crate) const REGISTER_TAKEN: &str = "7B 7B 84 BF 23 7D 7D";
pub(crate) const UPLOAD_TAKEN: &str = "7B 7B 91 7E EC 7D 7D";
pub(crate) const HEARTBEAT: &str = "7B 7B 94 BE EF 7D 7D";
pub(crate) const TIME: &str = "7B 7B 93 15 0A 15 04 13 24 2A 2A F0 7D 7D";
pub(crate) const POLL: &str = "7B 7B 90 01 03 02 00 00 30 44 66 E6 FD 7D 7D";
pub(crate) const SERIAL: &str = "00000000000001";

pub(crate) fn serial() -> Serial {
    Serial::new(SERIAL).unwrap()
}

/// A frame around a body, with the CRC of this crate, whose own vectors are elsewhere.
pub(crate) fn framed(command: u8, body: &[u8]) -> Vec<u8> {
    let covered = [&[command], body].concat();
    [&[0x7B, 0x7B], &covered[..], &crc16(&covered).to_le_bytes(), &[0x7D, 0x7D]].concat()
}

pub(crate) fn up(bytes: &[u8]) -> Result<Up<'_>, RadioError> {
    Up::parse(Frame::decode(bytes)?)
}

pub(crate) fn upload_body(serial: Option<Serial>, inside: &[u8]) -> Vec<u8> {
    let serial = serial.map_or(Vec::new(), |serial| serial.as_bytes().to_vec());
    [&serial[..], b"[[1-1((", inside, b"))]]"].concat()
}
