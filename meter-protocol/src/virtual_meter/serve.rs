//! Requests in, replies out: functions 03H, 10H, 11H and the maker's 20H.

use alloc::vec::Vec;

use super::cipher;
use super::frame;
use super::meter::VirtualMeter;
use super::options::{Broadcast, ClearFrames, ForceFrame, ForcePerLine, VendorRefusal, VendorReply};
use super::purse::Refused;

/// Address of every unit at once.
const BROADCAST_UNIT: u8 = 0;
/// Version word that 11H answers: release 120.
const VERSION: u16 = 120;

/// Exception codes.
const ILLEGAL_FUNCTION: u8 = 1;
const ILLEGAL_ADDRESS: u8 = 2;
const ILLEGAL_VALUE: u8 = 3;

/// What the meter does with a request that reached it in one piece.
enum Answer {
    /// These bytes behind the unit and in front of the check sum.
    Bytes(Vec<u8>),
    /// Function + 80H and this code.
    Exception(u8),
    /// Nothing: the request was malformed, or the meter keeps silent on purpose.
    Silent,
}

/// Big-endian words from bytes; `None` if the length is odd.
pub(super) fn words(bytes: &[u8]) -> Option<impl Iterator<Item = u16>> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|pair| u16::from_be_bytes(*pair)))
}

impl VirtualMeter {
    /// Takes one RTU frame at world time `now_ms` and gives the reply frame, if there is one.
    ///
    /// Time passes up to `now_ms` first, also when the frame is not for this meter. A frame for another unit, with
    /// a bad check sum or with a length that does not fit its function gets no reply, as on a real bus.
    pub fn serve(&mut self, now_ms: i64, request: &[u8]) -> Option<Vec<u8>> {
        self.advance(now_ms);
        if let Some(clear) = self.deciphered(request) {
            return self.serve_clear(&clear, true);
        }
        self.serve_clear(request, false)
    }

    /// The frame inside an enciphered one: a sale or parameters with a good check sum.
    fn deciphered(&self, request: &[u8]) -> Option<Vec<u8>> {
        let key = self.cipher_key.filter(|_| self.is_encrypted())?;
        let mut clear = cipher::deciphered(request, key)?;
        let &[_, 0x20, 1 | 2, 0, _, _, data_bytes, ..] = clear.as_slice() else { return None };
        clear.truncate(usize::from(data_bytes).saturating_add(9));
        frame::check_sum_is_good(&clear).then_some(clear)
    }

    fn serve_clear(&mut self, request: &[u8], was_enciphered: bool) -> Option<Vec<u8>> {
        let (&unit, pdu) = frame::checked(request)?.split_first()?;
        let (&function, data) = pdu.split_first()?;
        let must_be_enciphered = self.is_encrypted() && self.options.clear_frames == ClearFrames::Ignore;
        if must_be_enciphered && !was_enciphered && matches!((function, data), (0x20, [1 | 2, 0, ..])) {
            return None;
        }
        if unit == BROADCAST_UNIT {
            if self.options.broadcast == Broadcast::Apply && matches!(function, 0x10 | 0x20) {
                self.answer(function, data);
            }
            return None;
        }
        if unit != self.unit {
            return None;
        }
        let mut reply = Vec::with_capacity(frame::FRAME_MAX_BYTES);
        reply.push(unit);
        match self.answer(function, data) {
            Answer::Bytes(body) => reply.extend_from_slice(&body),
            Answer::Exception(code) => reply.extend_from_slice(&[function | 0x80, code]),
            Answer::Silent => return None,
        }
        Some(frame::sealed(reply))
    }

    fn answer(&mut self, function: u8, data: &[u8]) -> Answer {
        match function {
            0x03 => self.read(data),
            0x10 => self.write(data),
            0x11 => Self::version(data),
            0x20 => self.vendor(data),
            _ => Answer::Exception(ILLEGAL_FUNCTION),
        }
    }

    /// 03H: start, count.
    fn read(&self, data: &[u8]) -> Answer {
        let &[s1, s0, c1, c0] = data else { return Answer::Silent };
        let (start, count) = (u16::from_be_bytes([s1, s0]), u16::from_be_bytes([c1, c0]));
        let limit = self.options.read_max_registers.clamp(1, 125);
        if count == 0 || count > limit {
            return Answer::Exception(ILLEGAL_VALUE);
        }
        let mut body = Vec::with_capacity(frame::FRAME_MAX_BYTES);
        body.push(0x03);
        // At most 250 by the limit above.
        body.push(u8::try_from(count.saturating_mul(2)).unwrap_or(u8::MAX));
        for offset in 0..count {
            let word = start.checked_add(offset).and_then(|address| self.register(address));
            let Some(word) = word else { return Answer::Exception(ILLEGAL_ADDRESS) };
            body.extend_from_slice(&word.to_be_bytes());
        }
        Answer::Bytes(body)
    }

    /// 10H: start, count, byte count, data.
    fn write(&mut self, data: &[u8]) -> Answer {
        let Some((head, values)) = announced(data) else { return Answer::Silent };
        match self.write_registers(u16::from_be_bytes([head[0], head[1]]), values) {
            Ok(()) => {
                self.settle();
                Answer::Bytes(Vec::from([0x10, head[0], head[1], head[2], head[3]]))
            }
            Err(WriteError::Address) => Answer::Exception(ILLEGAL_ADDRESS),
            Err(WriteError::Value) => Answer::Exception(ILLEGAL_VALUE),
        }
    }

    /// 11H with the eight bytes that the maker's tool sends. The version stands in bytes 7 and 8 of 15.
    fn version(data: &[u8]) -> Answer {
        if data != [0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10] {
            return Answer::Silent;
        }
        let [high, low] = VERSION.to_be_bytes();
        Answer::Bytes(Vec::from([0x11, 0, 0, 0, 0, 0, high, low, 0, 0, 0, 0]))
    }

    /// 20H: start, count, byte count, data.
    fn vendor(&mut self, data: &[u8]) -> Answer {
        let Some((head, values)) = announced(data).or_else(|| self.one_byte_more(data)) else { return Answer::Silent };
        let done = match (u16::from_be_bytes([head[0], head[1]]), values.len()) {
            (0x0100, 8) => self.take_sale(values),
            (0x0200, 60) => self.take_parameters(values),
            (0x0300, 56) => self.time_control.take_settings(0, values, self.model),
            (0x031C, 56) if self.model.phases() > 1 => self.time_control.take_settings(1, values, self.model),
            (0x0338, 56) if self.model.phases() > 1 => self.time_control.take_settings(2, values, self.model),
            (0x0354, 10) => self.take_clock(values),
            (0x0500, bytes) if self.force_length() == Some(bytes) => self.take_force_per_line(values),
            (0x0400, 26) => self.load_control.take_settings(0, values, self.model),
            (0x040D, 26) if self.model.phases() > 1 => self.load_control.take_settings(1, values, self.model),
            (0x041A, 26) if self.model.phases() > 1 => self.load_control.take_settings(2, values, self.model),
            (0x0410, 8) => self.load_control.take_trip_counts(values),
            _ => return Answer::Exception(ILLEGAL_ADDRESS),
        };
        self.settle();
        match (done, self.options.vendor_refusal) {
            (Ok(()), _) | (Err(Refused), VendorRefusal::AsSuccess) => self.vendor_success(data),
            (Err(Refused), VendorRefusal::Exception) => Answer::Exception(ILLEGAL_VALUE),
            (Err(Refused), VendorRefusal::Silent) => Answer::Silent,
        }
    }

    /// Data bytes of 20H at 0500H, if the meter has that window.
    fn force_length(&self) -> Option<usize> {
        match (self.options.force_per_line, self.options.force_frame) {
            (ForcePerLine::Refuse, _) => None,
            (_, ForceFrame::TenBytes) => Some(10),
            (_, ForceFrame::ElevenBytes) => Some(11),
        }
    }

    /// The frame of 0500H with the 11 data bytes that the maker's tool sends, where the meter wants it so.
    fn one_byte_more<'d>(&self, data: &'d [u8]) -> Option<([u8; 4], &'d [u8])> {
        let &[5, 0, 0, 5, 10, ref values @ ..] = data else { return None };
        let wanted = self.options.force_frame == ForceFrame::ElevenBytes && values.len() == 11;
        wanted.then_some(([5, 0, 0, 5], values))
    }

    fn vendor_success(&self, data: &[u8]) -> Answer {
        // Behind the unit: 12 more bytes make 15 with unit and check sum; 5 more make the echo of function 10H.
        let length = match self.options.vendor_reply {
            VendorReply::FifteenBytes => 11,
            VendorReply::WriteEcho => 4,
            VendorReply::Silent => return Answer::Silent,
        };
        let mut body = Vec::from([0x20]);
        body.extend(data.iter().take(length));
        Answer::Bytes(body)
    }
}

/// Why function 10H is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WriteError {
    /// Not a register that can be written, or not from its start.
    Address,
    /// A value that the register can't take.
    Value,
}

/// Splits start and count from the data, if byte count, register count and length agree.
fn announced(data: &[u8]) -> Option<([u8; 4], &[u8])> {
    let (head, rest) = data.split_first_chunk::<4>()?;
    let (&announced_bytes, values) = rest.split_first()?;
    let [_, _, c1, c0] = *head;
    let count_bytes = usize::from(u16::from_be_bytes([c1, c0])).checked_mul(2)?;
    let agree = !values.is_empty() && values.len() == usize::from(announced_bytes) && values.len() == count_bytes;
    agree.then_some((*head, values))
}
