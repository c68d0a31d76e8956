//! Requests from a tape, and a slow second opinion on which frames answer them.

use crate::Tape;
use meter_protocol::acrel::{Confirmed, ForceMode, LinkId, Model, PrepayBlock, Realtime};
use meter_protocol::wire::{Registers, Request};

/// A request of any kind that a master builds.
#[derive(Clone, Debug)]
pub struct Asked {
    kind: u8,
    address: u16,
    count: u16,
    data: Vec<u8>,
}

impl Asked {
    /// Kind, address, count or value; writes of runs also carry their data, counted.
    pub fn from_tape(tape: &mut Tape<'_>) -> Self {
        let kind = tape.byte() % 10;
        let (address, count) = if matches!(kind, 0..=2 | 4 | 5) { (tape.word(), tape.word()) } else { (0, 0) };
        let data = if matches!(kind, 4 | 5) { tape.counted().to_vec() } else { Vec::new() };
        Self { kind, address, count, data }
    }

    /// The request, if it is within its limits.
    #[must_use]
    pub fn request(&self) -> Option<Request<'_>> {
        let Self { address, count, ref data, .. } = *self;
        match self.kind {
            0 => Request::read_holding(address, count).ok(),
            1 => Request::read_input(address, count).ok(),
            2 => Some(Request::write_single(address, count)),
            3 => Some(Request::version_query()),
            4 => Request::write_multiple(address, data).ok(),
            5 => Request::vendor_write(address, data).ok(),
            6 => Some(Realtime::READ),
            7 => Some(PrepayBlock::READ),
            8 => Some(ForceMode::SupplyOff.request()),
            _ => Some(Request::ReportId(meter_protocol::wire::request::IdQuery::Standard)),
        }
    }
}

/// Whether `frame` answers `request` on RTU, from the specification, byte by byte.
///
/// A reply of function 20H may hold anything; its exception is a reply too.
#[must_use]
pub fn answers(frame: &[u8], unit: u8, request: &Request<'_>) -> bool {
    if frame.len() < 4 || frame.len() > 256 || frame[0] != unit {
        return false;
    }
    let (body, crc) = frame.split_at(frame.len() - 2);
    if crc16_bitwise(body).to_le_bytes() != *crc {
        return false;
    }
    let (function, data) = (body[1], &body[2..]);
    if let Request::Vendor(_) = request {
        return function == 0x20 || function == 0xA0;
    }
    if function == request.function() | 0x80 {
        return data.len() == 1 && data[0] != 0;
    }
    if function != request.function() {
        return false;
    }
    match request {
        Request::ReadHolding(span) | Request::ReadInput(span) => {
            let bytes = 2 * usize::from(span.count());
            data.len() == 1 + bytes && usize::from(data[0]) == bytes
        }
        Request::WriteSingle { address, value } => data == [address.to_be_bytes(), value.to_be_bytes()].concat(),
        Request::WriteMultiple(write) => data == [write.address().to_be_bytes(), write.count().to_be_bytes()].concat(),
        Request::ReportId(meter_protocol::wire::request::IdQuery::AcrelVersion) => data.len() == 11,
        _ => data.len() > 1 && usize::from(data[0]) == data.len() - 1,
    }
}

/// A meter of this model, as it told itself.
///
/// # Panics
/// Never: the word is that of a model.
#[must_use]
pub fn confirmed(model: Model) -> Confirmed<Model> {
    let code = model.code().to_be_bytes();
    Confirmed::from_reply(1, LinkId::first(1), &Registers::holding(0x0200, &code).expect("one word")).expect("a model")
}

/// CRC-16 of Modbus, one bit at a time: reflected polynomial A001H, start FFFFH.
#[must_use]
pub fn crc16_bitwise(bytes: &[u8]) -> u16 {
    let mut crc = 0xFFFF_u16;
    for byte in bytes {
        crc ^= u16::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xA001 } else { crc >> 1 };
        }
    }
    crc
}
