//! Keys, sessions and frames for the tests of the sealed link.
#![allow(dead_code, reason = "each test file uses its part")]

use meter_protocol::seal::{
    Answer, Form, Hello, HelloRequest, KeyBundle, Link, MAX_FRAME_LEN, MAX_PAYLOAD_LEN, Nonce, OpenError, PeerId,
    PeerKeys, SealError, Suite,
};

pub(crate) const PEER: PeerId = PeerId(7);

pub(crate) fn hex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn master(suite: Suite, seed: u8) -> Vec<u8> {
    (0..suite.key_len()).map(|i| (i as u8).wrapping_mul(37) ^ seed.wrapping_mul(91)).collect()
}

pub(crate) fn bundle(suite: Suite, seed: u8) -> KeyBundle {
    KeyBundle::from_slice(suite, &master(suite, seed)).unwrap()
}

pub(crate) fn keys(suite: Suite) -> PeerKeys {
    let mut keys = PeerKeys::new(PEER);
    keys.insert(1, bundle(suite, 1)).unwrap();
    keys
}

/// A set-up up to the station's answer.
pub(crate) fn asked(keys: &PeerKeys, form: Form, seed: u8) -> (Hello, Answer) {
    let hello = Hello::new(keys, form, Nonce([seed; 16])).unwrap();
    let request = HelloRequest::read(hello.frame()).unwrap();
    let answer = request.answer(keys, Nonce([seed ^ 0xFF; 16])).unwrap();
    (hello, answer)
}

/// A collector's and a station's end of a session.
pub(crate) fn session(keys: &PeerKeys, form: Form, seed: u8) -> (Link, Link) {
    let (mut hello, mut answer) = asked(keys, form, seed);
    let mut collector = hello.finish(answer.frame()).unwrap();
    let station = answer.confirm(&seal(&mut collector, b"")).unwrap();
    (collector, station)
}

pub(crate) fn pair(suite: Suite, form: Form) -> (Link, Link) {
    session(&keys(suite), form, 1)
}

/// Seals; in the datagram form the record counts as stored.
pub(crate) fn seal(link: &mut Link, payload: &[u8]) -> Vec<u8> {
    let mut out = [0; MAX_FRAME_LEN];
    match link.seal(payload, &mut out).map(<[u8]>::to_vec) {
        Err(SealError::Reserve) => {
            let record = link.next_record();
            link.commit(&record).unwrap();
            link.seal(payload, &mut out).unwrap().to_vec()
        }
        sealed => sealed.unwrap(),
    }
}

/// Opens; in the datagram form the record counts as stored.
pub(crate) fn open(link: &mut Link, frame: &[u8]) -> Result<Vec<u8>, OpenError> {
    let mut out = [0; MAX_PAYLOAD_LEN];
    match link.open(frame, &mut out).map(<[u8]>::to_vec) {
        Err(OpenError::Store) => {
            let record = link.next_record();
            link.commit(&record).unwrap();
            link.open(frame, &mut out).map(<[u8]>::to_vec)
        }
        opened => opened,
    }
}

/// Opens and checks that a failure leaves `out` as it was.
pub(crate) fn refused(link: &mut Link, frame: &[u8]) -> OpenError {
    let mut out = [0xA5; MAX_PAYLOAD_LEN];
    let error = link.open(frame, &mut out).expect_err("must be refused");
    assert_eq!(out, [0xA5; MAX_PAYLOAD_LEN], "out was touched");
    error
}

/// A small deterministic generator; tests print their seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}
