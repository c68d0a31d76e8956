//! An area gateway that sends anything: its frames, its XML documents, and the station's side of its connection.
//!
//! Input: what it is. A document or a forwarding is text. A connection is steps: frames of any type, plain or enciphered
//! with the right secret, in pieces; decisions of the station; time.
//!
//! It must hold that a document written again says the same; that a forwarding is the text that was parsed, in upper
//! case; that a stream gives the same frames however it is cut; that nothing is reported, forwarded or taken from a gateway
//! that has not proved its secret; that each request ends once; that closing comes once and last.
#![no_main]

use aes::Aes128;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
use fuzz::{Asked, Tape, crc16_bitwise, mutate_words};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use meter_protocol::acrel::{Clock, LinkId};
use meter_protocol::uplink::gateway::{
    Content, Document, EnergyNames, GatewayConfig, GatewayCutter, GatewayEvent, GatewayFrame, GatewayMeter,
    GatewaySecret, GatewayStation, encode_forwarding, parse_forwarding,
};
use meter_protocol::wire::rtu;

/// Most steps of a connection.
const MAX_STEPS: usize = 100;
const SECRET: &str = "0123456789abcdef";
const SEQUENCE: &str = "20260305140730";

fuzz_target!(|bytes: &[u8]| {
    let mut tape = Tape::new(bytes);
    match tape.byte() {
        b'<' => core::str::from_utf8(bytes).into_iter().for_each(document),
        b'|' => core::str::from_utf8(tape.rest()).into_iter().for_each(forwarding),
        b'>' => cut(tape.rest()),
        b's' => secrets(tape),
        _ => connection(tape),
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    if seed % 2 == 1 && data.first() == Some(&b'<') {
        mutate_words(data, size, max_size, seed >> 1, WORDS)
    } else {
        fuzzer_mutate(data, size, max_size)
    }
});

fn document(text: &str) {
    let Ok(document) = Document::parse(text) else { return };
    assert!(!document.gateway_id.is_empty());
    if let Content::Report(report) = &document.content {
        for meter in &report.meters {
            let energies = meter.energies(&EnergyNames::default());
            assert_eq!(energies.total_kwh, meter.value("wpp"));
            for value in meter.values.iter().filter(|value| !value.error.is_empty()) {
                let first = meter.values.iter().find(|other| other.id.eq_ignore_ascii_case(&value.id));
                assert!(first != Some(value) || meter.value(&value.id).is_none());
            }
        }
        return assert!(document.to_xml().is_err());
    }
    let xml = document.to_xml().expect("not a report");
    assert_eq!(Document::parse(&xml), Ok(document), "{xml}");
}

fn forwarding(text: &str) {
    let Ok((meter, frame)) = parse_forwarding(text) else { return };
    assert_eq!(GatewayMeter::parse(&meter.to_string()), Ok(meter));
    let hex: String = frame.iter().map(|byte| format!("{byte:02X}")).collect();
    assert_eq!(format!("{meter}|{hex}"), text.to_uppercase());
    assert!(rtu::open(&frame).is_ok());
}

/// The same frames, however the stream is cut.
fn cut(bytes: &[u8]) {
    assert_eq!(frames_of(bytes, 1), frames_of(bytes, bytes.len().max(1)));
}

/// The frames, how many bytes were taken, and whether the stream broke.
fn frames_of(bytes: &[u8], piece: usize) -> (Vec<GatewayFrame>, bool) {
    let (mut cutter, mut frames) = (GatewayCutter::new(), Vec::new());
    for piece in bytes.chunks(piece) {
        let mut rest = piece;
        while !rest.is_empty() {
            let Ok((taken, frame)) = cutter.feed(rest) else { return (frames, true) };
            assert!(taken > 0, "no progress");
            rest = &rest[taken..];
            frames.extend(frame);
        }
    }
    (frames, false)
}

fn secrets(mut tape: Tape<'_>) {
    let Ok(secret) = core::str::from_utf8(tape.bytes(16)) else { return };
    let made = GatewaySecret::new(secret);
    assert_eq!(made.is_ok(), secret.len() == 16);
    let Ok(made) = made else { return };
    let Ok(key) = <[u8; 16]>::try_from(secret.as_bytes()) else { return };
    let enciphered = cbc::Encryptor::<Aes128>::new(&key.into(), &key.into()).encrypt_padded_vec::<Pkcs7>(tape.rest());
    assert_eq!(made.decipher(&enciphered).as_deref(), Ok(tape.rest()));
    let cleared = made.decipher(tape.rest());
    assert!(cleared.is_err() || tape.rest().len() % 16 == 0);
    let _ = made.decipher_and_inflate(&enciphered);
    if let Ok(sequence) = core::str::from_utf8(tape.rest()) {
        let digest = made.digest(sequence);
        assert!(digest.len() == 32 && made.is_answered_by(sequence, &digest.to_uppercase()));
        assert!(!made.is_answered_by(sequence, &digest[1..]));
    }
}

struct Connection {
    station: GatewayStation,
    now_us: u64,
    passed: bool,
    under_way: bool,
    closed: bool,
    /// What was sent to the meter last.
    asked: Option<(GatewayMeter, Vec<u8>)>,
}

fn connection(mut tape: Tape<'_>) {
    let station = GatewayStation::new(0, GatewayConfig::default(), LinkId::first(1));
    let mut connection = Connection { station, now_us: 0, passed: false, under_way: false, closed: false, asked: None };
    for _ in 0..MAX_STEPS {
        if tape.is_over() {
            break;
        }
        connection.step(&mut tape);
    }
    connection.station.link_down(connection.now_us);
    connection.serve();
    assert!(connection.closed && !connection.under_way, "a connection ends with its event and no request");
}

impl Connection {
    fn step(&mut self, tape: &mut Tape<'_>) {
        match tape.byte() % 12 {
            0 => self.say(1, document_of("<id_validate operation=\"request\"></id_validate>").as_bytes()),
            1 => {
                let digest = GatewaySecret::new(SECRET).expect("16 bytes").digest(SEQUENCE);
                let answer = format!("<id_validate operation=\"md5\"><md5>{digest}</md5></id_validate>");
                self.say(1, document_of(&answer).as_bytes());
            }
            2 => {
                let (packet, plain) = (tape.pick(&[1, 2, 3, 4, 0xF1, 0xF2, 7]), tape.counted());
                self.say(packet, plain);
            }
            3 => {
                let (packet, plain) = (tape.pick(&[3, 4, 0xF2]), tape.counted());
                self.say(packet, &enciphered(plain));
            }
            4 => {
                let value = tape.byte();
                let text = format!(
                    "<data operation=\"report\"><time>20260305140730</time><meter id=\"01005\"><function id=\"WPP\" \
                     error=\"\">{value}.5</function></meter></data>"
                );
                self.say(3, &enciphered(document_of(&text).as_bytes()));
            }
            5 => self.answer(tape),
            6 => self.say(2, document_of("<heart_beat operation=\"notify\"></heart_beat>").as_bytes()),
            7 => {
                let raw = tape.counted();
                self.hear(raw);
            }
            8 => self.submit(tape),
            9 => {
                let frame = tape.counted();
                let frame = [frame, &crc16_bitwise(frame).to_le_bytes()].concat();
                let taken = self.station.submit_frame(self.now_us, tape.byte(), &frame);
                assert!(taken.is_err() || (self.passed && !self.under_way));
                self.under_way |= taken.is_ok();
            }
            10 => {
                self.now_us += u64::from(tape.word()) * 100_000;
                self.station.handle_timeout(self.now_us);
            }
            _ => self.wait(),
        }
        self.serve();
    }

    fn submit(&mut self, tape: &mut Tape<'_>) {
        let (port, unit, asked) = (tape.byte(), tape.byte(), Asked::from_tape(tape));
        let (Ok(meter), Some(request)) = (GatewayMeter::new(port, unit), asked.request()) else { return };
        let text = encode_forwarding(meter, &request).expect("a unit that is not 0");
        assert_eq!(parse_forwarding(&text).map(|(parsed, _)| parsed), Ok(meter));
        let taken = self.station.submit(self.now_us, meter, &request);
        assert_eq!(taken.is_ok(), self.passed && !self.under_way && !self.closed);
        self.under_way |= taken.is_ok();
    }

    /// The meter answers with its own frame, or with a filler.
    fn answer(&mut self, tape: &mut Tape<'_>) {
        let Some((meter, mut frame)) = self.asked.clone() else { return };
        let filler = tape.byte();
        if tape.flag() && frame.len() > 6 {
            let bytes = frame[5].wrapping_mul(2);
            frame = [&[frame[0], frame[1], bytes][..], &vec![filler; bytes.into()]].concat();
            frame.extend(crc16_bitwise(&frame).to_le_bytes());
        }
        let hex: String = frame.iter().map(|byte| format!("{byte:02X}")).collect();
        self.say(0xF2, &enciphered(format!("{meter}|{hex}").as_bytes()));
    }

    fn say(&mut self, packet: u8, data: &[u8]) {
        let length = u32::try_from(data.len()).expect("short").to_be_bytes();
        self.hear(&[&[0x1F, 0x1F, packet][..], &length, data].concat());
    }

    /// Bytes arrive; the driver fetches what happened whenever none is taken.
    fn hear(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        for _ in 0..2 * bytes.len() + 2 {
            if rest.is_empty() {
                return;
            }
            let taken = self.station.receive(self.now_us, rest);
            rest = &rest[taken..];
            self.serve();
        }
        panic!("no progress");
    }

    fn wait(&mut self) {
        if let Some(at_us) = self.station.poll_timeout() {
            self.now_us = self.now_us.max(at_us);
        }
        self.station.handle_timeout(self.now_us);
    }

    fn serve(&mut self) {
        while let Some(frame) = self.station.poll_transmit(self.now_us) {
            if frame[2] == 0xF1 {
                let secret = GatewaySecret::new(SECRET).expect("16 bytes");
                let plain = secret.decipher(&frame[7..]).expect("our own frame");
                let text = String::from_utf8(plain).expect("a forwarding is text");
                self.asked = Some(parse_forwarding(&text).expect("our own text"));
                assert!(self.passed && self.under_way);
            }
            self.station.transmitted(self.now_us);
        }
        let mut authenticating = false;
        let mut beats = false;
        while let Some(event) = self.station.poll_event() {
            assert!(!self.closed, "{event:?} after closing");
            match event {
                GatewayEvent::Authenticating { .. } => authenticating = true,
                GatewayEvent::Authenticated { passed } => self.passed = passed,
                GatewayEvent::Heartbeat => {
                    assert!(self.passed);
                    beats = true;
                }
                GatewayEvent::Report(_) => assert!(self.passed),
                GatewayEvent::Transaction(_) => {
                    assert!(self.under_way, "one end for each request");
                    (self.under_way, self.asked) = (false, None);
                }
                GatewayEvent::Odd(error) => assert!(!error.to_string().is_empty()),
                GatewayEvent::Closed => (self.closed, self.passed) = (true, false),
                _ => {}
            }
        }
        if authenticating && !self.closed {
            let secret = GatewaySecret::new(SECRET).expect("16 bytes");
            assert!(self.station.challenge(secret, SEQUENCE).is_ok());
        }
        if beats && !self.closed {
            let clock = Clock::new(2026, 3, 5, 14, 7, 30).expect("a time");
            assert!(self.station.answer_heartbeat(clock).is_ok());
        }
        assert!(self.closed || self.station.is_authenticated() == self.passed);
    }
}

fn document_of(body: &str) -> String {
    format!("<root><common><building_id>B1</building_id><gateway_id>GW-7</gateway_id></common>{body}</root>")
}

fn enciphered(plain: &[u8]) -> Vec<u8> {
    let key: [u8; 16] = SECRET.as_bytes().try_into().expect("16 bytes");
    cbc::Encryptor::<Aes128>::new(&key.into(), &key.into()).encrypt_padded_vec::<Pkcs7>(plain)
}

/// Elements and values of documents.
const WORDS: &[&str] = &[
    "<root>",
    "</root>",
    "<common>",
    "</common>",
    "<gateway_id>",
    "</gateway_id>",
    "<building_id>",
    "</building_id>",
    "<id_validate",
    "</id_validate>",
    "<heart_beat",
    "</heart_beat>",
    "<data",
    "</data>",
    "<time>",
    "</time>",
    "<meter",
    "</meter>",
    "<function",
    "</function>",
    "<sequence>",
    "</sequence>",
    "<md5>",
    "</md5>",
    "<result>",
    "</result>",
    "pass",
    "fail",
    "id",
    "error",
    "operation",
    "20260305140730",
    "20260230140730",
    "12345.67",
    "-0.5",
    "&amp;",
    "&lt;",
    "&#65;",
    "&#13;",
    "&#x1F;",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "/>",
    ">",
    "\"request\"",
    "\"sequence\"",
    "\"md5\"",
    "\"result\"",
    "\"report\"",
    "\"notify\"",
    "\"01005\"",
    "\"WPP\"",
    "\"\"",
];
