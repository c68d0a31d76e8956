//! The radio module of a 4G meter: it dials in, registers, sends heartbeats and uploads, and passes requests through.
//!
//! Like the meter itself it is written from the documents, down to the frame, and shares nothing with the station's
//! side. It opens no socket: bytes go in, bytes come out, time is an argument in milliseconds.

use alloc::vec::Vec;

use super::frame::{self, RequestCut, cut_request};
use super::meter::VirtualMeter;

/// Longest stretch of bytes from the station that waits for its end.
const STREAM_MAX_BYTES: usize = 512;
/// Enclosure, command and check sum around a body.
const AROUND_BYTES: usize = 7;
/// A sale and a parameter frame, filled up to whole blocks of the maker's cipher.
const ENCIPHERED_SALE_BYTES: usize = 20;
const ENCIPHERED_PARAMETERS_BYTES: usize = 72;

/// Whether the stream begins with an enciphered request.
enum Enciphered {
    No,
    /// More bytes have to come.
    Perhaps,
    /// So many bytes inside the enclosure.
    Bytes(usize),
}

/// What the documents leave open about the radio module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DialInOptions {
    /// Whether a reply through the tunnel has the serial in front.
    pub serial_before_reply: bool,
    /// Whether a write is answered by the serial alone instead of the meter's reply.
    pub serial_acknowledges_write: bool,
    /// Whether an upload has the serial in front.
    pub serial_before_upload: bool,
    /// Whether an upload says `un` instead of a reply: the module can't read the meter.
    pub meter_unreadable: bool,
    /// Time between heartbeats, in milliseconds.
    pub heartbeat_ms: i64,
    /// Time between uploads, in minutes; it stands in the registration. 0 for none.
    pub upload_min: u8,
}

impl Default for DialInOptions {
    fn default() -> Self {
        Self {
            serial_before_reply: false,
            serial_acknowledges_write: false,
            serial_before_upload: true,
            meter_unreadable: false,
            heartbeat_ms: 60_000,
            upload_min: 30,
        }
    }
}

/// The radio module of one meter, and its connection to the station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialIn {
    options: DialInOptions,
    serial: [u8; 20],
    stream: Vec<u8>,
    registered: bool,
    next_heartbeat_ms: i64,
    next_upload_ms: i64,
    acknowledged_uploads: u32,
}

impl DialIn {
    /// The module of the meter with this serial, not connected yet. A serial has at most 20 bytes; more are left out.
    #[must_use]
    pub fn new(serial: &[u8], options: DialInOptions) -> Self {
        let mut padded = [0; 20];
        for (to, from) in padded.iter_mut().zip(serial) {
            *to = *from;
        }
        Self {
            options,
            serial: padded,
            stream: Vec::new(),
            registered: false,
            next_heartbeat_ms: 0,
            next_upload_ms: 0,
            acknowledged_uploads: 0,
        }
    }

    /// Whether the station has taken the registration.
    #[must_use]
    pub const fn is_registered(&self) -> bool {
        self.registered
    }

    /// Uploads that the station has acknowledged.
    #[must_use]
    pub const fn acknowledged_uploads(&self) -> u32 {
        self.acknowledged_uploads
    }

    /// A new connection: the registration is the first thing to send on it.
    pub fn connect(&mut self, now_ms: i64) -> Vec<u8> {
        self.stream.clear();
        self.registered = false;
        self.next_heartbeat_ms = now_ms.saturating_add(self.options.heartbeat_ms);
        self.next_upload_ms = now_ms.saturating_add(i64::from(self.options.upload_min).saturating_mul(60_000));
        let mut body = Vec::from(self.serial);
        // 30 bytes of an invented SIM card.
        body.extend_from_slice(b"89860000000000000001\0\0\0\0\0\0\0\0\0\0");
        // RSSI 27, three versions, interval.
        body.extend_from_slice(&[27, 0x00, 0x02, 0x01, 0x00, 0x01, 0x00, self.options.upload_min]);
        enclosed(0x84, &body)
    }

    /// Asks the station for the time.
    #[must_use]
    pub fn ask_time(&self) -> Vec<u8> {
        enclosed(0x93, &self.serial)
    }

    /// Time passed: heartbeats and uploads that are due, to be sent.
    pub fn tick(&mut self, meter: &mut VirtualMeter, now_ms: i64) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.registered {
            return out;
        }
        if now_ms >= self.next_heartbeat_ms {
            self.next_heartbeat_ms = now_ms.saturating_add(self.options.heartbeat_ms);
            out.extend(enclosed(0x94, &[]));
        }
        if self.options.upload_min > 0 && now_ms >= self.next_upload_ms {
            let interval_ms = i64::from(self.options.upload_min).saturating_mul(60_000);
            self.next_upload_ms = now_ms.saturating_add(interval_ms);
            out.extend(self.upload(meter, now_ms));
        }
        out
    }

    /// Bytes came from the station; gives what goes back.
    pub fn receive(&mut self, meter: &mut VirtualMeter, now_ms: i64, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for byte in bytes {
            self.stream.push(*byte);
            self.take(meter, now_ms, &mut out);
        }
        out
    }

    /// Takes a frame from the stream, if one is complete; drops bytes that can't begin one.
    fn take(&mut self, meter: &mut VirtualMeter, now_ms: i64, out: &mut Vec<u8>) {
        while !self.stream.is_empty() {
            let body_bytes = match self.stream.as_slice() {
                [0x7B] | [0x7B, 0x7B] => return,
                [0x7B, 0x7B, 0x84 | 0x91 | 0x94, ..] => 0,
                [0x7B, 0x7B, 0x93, ..] => 7,
                [0x7B, 0x7B, 0x90, request @ ..] => match (cut_request(request), self.enciphered_bytes(meter)) {
                    (RequestCut::Frame(len), _) | (_, Enciphered::Bytes(len)) => len,
                    (_, Enciphered::Perhaps) => return,
                    (RequestCut::Incomplete, Enciphered::No) if self.stream.len() < STREAM_MAX_BYTES => return,
                    (RequestCut::Incomplete | RequestCut::Noise, Enciphered::No) => {
                        self.stream.remove(0);
                        continue;
                    }
                },
                _ => {
                    self.stream.remove(0);
                    continue;
                }
            };
            let whole = body_bytes.saturating_add(AROUND_BYTES);
            if self.stream.len() < whole {
                return;
            }
            let inner = self.stream.get(2..whole.saturating_sub(2)).unwrap_or_default();
            let good = self.stream.get(..whole).is_some_and(|frame| frame.ends_with(&[0x7D, 0x7D]));
            let Some((&command, body)) = enclosed_body(inner).filter(|_| good).and_then(<[u8]>::split_first) else {
                self.stream.remove(0);
                continue;
            };
            let body = Vec::from(body);
            self.stream.drain(..whole);
            self.obey(meter, now_ms, command, &body, out);
        }
    }

    /// An enciphered request hides its length: the enclosure tells it.
    fn enciphered_bytes(&self, meter: &VirtualMeter) -> Enciphered {
        if !meter.is_encrypted() {
            return Enciphered::No;
        }
        let encloses = |len: usize| {
            let whole = self.stream.get(..len.saturating_add(AROUND_BYTES))?;
            let inner = whole.strip_suffix(&[0x7D, 0x7D])?.get(2..)?;
            enclosed_body(inner)
        };
        match [ENCIPHERED_SALE_BYTES, ENCIPHERED_PARAMETERS_BYTES].into_iter().find(|len| encloses(*len).is_some()) {
            Some(len) => Enciphered::Bytes(len),
            None if self.stream.len() < ENCIPHERED_PARAMETERS_BYTES.saturating_add(AROUND_BYTES) => Enciphered::Perhaps,
            None => Enciphered::No,
        }
    }

    fn obey(&mut self, meter: &mut VirtualMeter, now_ms: i64, command: u8, body: &[u8], out: &mut Vec<u8>) {
        match (command, body) {
            (0x84, []) => self.registered = true,
            (0x91, []) => self.acknowledged_uploads = self.acknowledged_uploads.saturating_add(1),
            (0x93, &[year, month, day, weekday, hour, minute, second]) => {
                meter.advance(now_ms);
                // A time that does not exist is not set, as over the bus.
                let _refused = meter.take_clock(&[second, minute, hour, weekday, day, month, year, 0, 0, 0]);
            }
            (0x90, request) if self.registered => {
                let Some(reply) = meter.serve(now_ms, request) else { return };
                let is_write = matches!(request, [_, 0x06 | 0x10 | 0x20, ..]);
                let mut inside = Vec::new();
                if self.options.serial_before_reply || (is_write && self.options.serial_acknowledges_write) {
                    inside.extend_from_slice(&self.serial);
                }
                if !(is_write && self.options.serial_acknowledges_write) {
                    inside.extend(reply);
                }
                out.extend(enclosed(0x90, &inside));
            }
            _ => {}
        }
    }

    /// 91H with the reply to the usual poll.
    fn upload(&self, meter: &mut VirtualMeter, now_ms: i64) -> Vec<u8> {
        let mut body = Vec::new();
        if self.options.serial_before_upload {
            body.extend_from_slice(&self.serial);
        }
        body.extend_from_slice(b"[[1-1((");
        let poll = frame::sealed(Vec::from([meter.unit(), 0x03, 0x02, 0x00, 0x00, 0x30]));
        match meter.serve(now_ms, &poll) {
            Some(reply) if !self.options.meter_unreadable => body.extend(reply),
            _ => body.extend_from_slice(b"un"),
        }
        body.extend_from_slice(b"))]]");
        enclosed(0x91, &body)
    }
}

/// `7B 7B`, command, body, check sum, `7D 7D`.
fn enclosed(command: u8, body: &[u8]) -> Vec<u8> {
    let mut covered = Vec::from([command]);
    covered.extend_from_slice(body);
    let mut out = Vec::from([0x7B, 0x7B]);
    out.extend(frame::sealed(covered));
    out.extend_from_slice(&[0x7D, 0x7D]);
    out
}

/// Command and body of what stands inside the enclosure, if the check sum is right.
fn enclosed_body(inner: &[u8]) -> Option<&[u8]> {
    let (covered, sum) = inner.split_last_chunk::<2>()?;
    (frame::sealed(Vec::from(covered)).ends_with(sum)).then_some(covered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::virtual_meter::{MeterOptions, MeterSetup, Model};
    use alloc::vec;

    const START_MS: i64 = 1_772_719_650_000;
    const TAKEN: [u8; 7] = [0x7B, 0x7B, 0x84, 0xBF, 0x23, 0x7D, 0x7D];
    const POLL: [u8; 15] = [0x7B, 0x7B, 0x90, 1, 3, 2, 0, 0, 0x30, 0x44, 0x66, 0xE6, 0xFD, 0x7D, 0x7D];

    fn meter() -> VirtualMeter {
        let setup = MeterSetup::new(Model::Ddsy1352, 1, [2, 0, 2, 6, 0, 3, 0, 5, 0, 0, 1, 2], START_MS);
        VirtualMeter::new(&setup, MeterOptions::default()).unwrap()
    }

    #[test]
    fn the_published_registration() {
        let mut module = DialIn::new(b"00000000000001", DialInOptions::default());
        let hello = module.connect(START_MS);
        assert_eq!(hello.len(), 65);
        assert_eq!(hello[53..], [27, 0, 2, 1, 0, 1, 0, 30, 0xA2, 0x42, 0x7D, 0x7D]);
        assert!(!module.is_registered());
        let mut meter = meter();
        // Noise before, byte by byte.
        assert!(module.receive(&mut meter, START_MS, &[0x7B, 0x00]).is_empty());
        assert!(module.receive(&mut meter, START_MS, &TAKEN).is_empty());
        assert!(module.is_registered());
    }

    #[test]
    fn requests_pass_through_once_registered() {
        let mut module = DialIn::new(b"00000000000001", DialInOptions::default());
        let mut meter = meter();
        module.connect(START_MS);
        assert!(module.receive(&mut meter, START_MS, &POLL).is_empty());
        module.receive(&mut meter, START_MS, &TAKEN);
        let reply = module.receive(&mut meter, START_MS, &POLL);
        assert_eq!((reply.len(), &reply[..6]), (108, &[0x7B, 0x7B, 0x90, 1, 3, 0x60][..]));
        let mut broken = POLL;
        broken[4] ^= 1;
        assert!(module.receive(&mut meter, START_MS, &broken).is_empty());
    }

    #[test]
    fn an_enciphered_sale_passes_through_and_is_not_waited_for_without_end() {
        let mut setup = MeterSetup::new(Model::Ddsy1352, 1, [2, 0, 2, 6, 0, 3, 0, 5, 0, 0, 1, 2], START_MS);
        setup.cipher_key = Some([0x1111, 0x2222, 0x3333, 0x4444]);
        let mut meter = VirtualMeter::new(&setup, MeterOptions::default()).unwrap();
        let mut module = DialIn::new(b"1", DialInOptions::default());
        module.connect(START_MS);
        module.receive(&mut meter, START_MS, &TAKEN);
        // The published vector with its invented key: a sale of 100.00, count 1.
        let sale = [
            0xE0, 0x95, 0xD3, 0x88, 0xD7, 0x54, 0xBE, 0xC9, 0x06, 0xFF, 0xC5, 0x83, 0x8F, 0xC9, 0x5C, 0x03, 0xDB, 0x0B,
            0x33, 0x68,
        ];
        let mut noise = enclosed(0x90, &sale);
        noise[5] ^= 1;
        assert!(module.receive(&mut meter, START_MS, &noise).is_empty());
        for _ in 0..2 {
            assert!(module.receive(&mut meter, START_MS, &noise).is_empty());
        }
        let reply = module.receive(&mut meter, START_MS, &enclosed(0x90, &sale));
        assert_eq!((reply[2..5].to_vec(), meter.remaining_cents()), (vec![0x90, 1, 0x20], 10_000));
        // Clear requests pass as before.
        assert_eq!(module.receive(&mut meter, START_MS, &POLL).len(), 108);
    }

    #[test]
    fn the_published_time_sets_the_clock() {
        let mut module = DialIn::new(b"1", DialInOptions::default());
        let mut meter = meter();
        let time = [0x7B, 0x7B, 0x93, 0x15, 0x0A, 0x15, 0x04, 0x13, 0x24, 0x2A, 0x2A, 0xF0, 0x7D, 0x7D];
        module.receive(&mut meter, START_MS, &time);
        let clock = meter.serve(START_MS, &frame::sealed(Vec::from([1, 3, 2, 0x28, 0, 4]))).unwrap();
        assert_eq!(clock[3..10], [21, 10, 21, 4, 19, 36, 42]);
    }

    #[test]
    fn heartbeats_and_uploads_come_when_due() {
        let mut module = DialIn::new(b"1", DialInOptions { upload_min: 1, ..DialInOptions::default() });
        let mut meter = meter();
        module.connect(START_MS);
        assert!(module.tick(&mut meter, START_MS + 60_000).is_empty(), "not registered");
        module.receive(&mut meter, START_MS, &TAKEN);
        assert!(module.tick(&mut meter, START_MS + 59_999).is_empty());
        let due = module.tick(&mut meter, START_MS + 60_000);
        assert_eq!(due[..7], [0x7B, 0x7B, 0x94, 0xBE, 0xEF, 0x7D, 0x7D]);
        assert_eq!(&due[30..41], b"[[1-1((\x01\x03\x60\x00");
        assert!(due.ends_with(&[0x7D, 0x7D]));
        assert_eq!(module.acknowledged_uploads(), 0);
        module.receive(&mut meter, START_MS, &[0x7B, 0x7B, 0x91, 0x7E, 0xEC, 0x7D, 0x7D]);
        assert_eq!(module.acknowledged_uploads(), 1);
    }
}
