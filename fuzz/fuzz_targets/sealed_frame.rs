//! A sealed session between two ends over a network that does anything.
//!
//! Input: suite and form, then steps, each an operation byte and its arguments; see [`World::step`].
//!
//! It must hold that nothing panics; that a frame is opened at most once, at the other end than the one that sealed it,
//! and gives the payload that was sealed; that an altered or invented frame is never opened; that a refusal leaves the
//! buffer alone; that no header is used twice, over all restarts; that the same bytes are the same message again.
#![no_main]

use fuzz::Tape;
use libfuzzer_sys::fuzz_target;
use meter_protocol::acrel::Profile;
use meter_protocol::seal::message::{Envelope, Message, Order, Outcome};
use meter_protocol::seal::{
    Answer, Deframer, Form, Hello, HelloRequest, KeyBundle, Link, MAX_FRAME_LEN, MAX_PAYLOAD_LEN, Nonce, OpenError,
    PeerId, PeerKeys, RECORD_LEN, SealError, Suite, Watcher, max_payload_len,
};
use std::collections::BTreeSet;

/// Most steps of one run.
const MAX_STEPS: usize = 200;
/// Payloads of a word beyond [`MAX_PAYLOAD_LEN`] are shorter than this: some blocks of each cipher, and a part of one.
const SHORT_LEN: usize = 35;
/// What a buffer holds before; a refusal must leave it.
const UNTOUCHED: u8 = 0xA5;

fuzz_target!(|bytes: &[u8]| {
    let mut tape = Tape::new(bytes);
    let mut world = World::new(&mut tape);
    for _ in 0..MAX_STEPS {
        if tape.is_over() {
            break;
        }
        world.step(&mut tape);
    }
    world.agrees();
});

/// A frame on the network.
struct Sent {
    from: usize,
    payload: Vec<u8>,
    frame: Vec<u8>,
    opened: bool,
}

/// One end, with what it has stored.
struct End {
    link: Link,
    stored: Option<[u8; RECORD_LEN]>,
}

struct World {
    keys: PeerKeys,
    form: Form,
    ends: [End; 2],
    sent: Vec<Sent>,
    headers: BTreeSet<Vec<u8>>,
    watcher: Watcher,
}

impl World {
    fn new(tape: &mut Tape<'_>) -> Self {
        let suite = tape.pick(&Suite::ALL);
        let form = tape.pick(&[Form::Stream, Form::Datagram]);
        let secret: [u8; 24] = std::array::from_fn(|i| (i as u8).wrapping_mul(37));
        let mut keys = PeerKeys::new(PeerId(7));
        keys.insert(1, KeyBundle::from_slice(suite, &secret[..suite.key_len()]).unwrap()).unwrap();
        let mut hello = Hello::new(&keys, form, Nonce(tape.array())).unwrap();
        let mut answer = HelloRequest::read(hello.frame()).unwrap().answer(&keys, Nonce(tape.array())).unwrap();
        let watcher = Watcher::new(&keys, hello.frame(), answer.frame()).unwrap();
        let mut collector = End { link: hello.finish(answer.frame()).unwrap(), stored: None };
        let confirmation = sealed(&keys, &mut collector, &[]).unwrap();
        let station = End { link: confirmed(&mut answer, &confirmation), stored: None };
        let headers = BTreeSet::from([confirmation[..16].to_vec()]);
        Self { keys, form, ends: [collector, station], sent: Vec::new(), headers, watcher }
    }

    fn step(&mut self, tape: &mut Tape<'_>) {
        let end = usize::from(tape.flag());
        match tape.byte() % 7 {
            0 | 1 => self.seal(end, tape),
            2 | 3 => self.deliver(end, tape),
            4 => {
                let _ = self.ends[end].link.advance_epoch();
            }
            5 => self.restart(end),
            _ => self.invent(end, tape),
        }
    }

    fn seal(&mut self, end: usize, tape: &mut Tape<'_>) {
        // Most payloads are short: a frame of the longest costs as much as thirty of them, and takes no other way.
        let len = match usize::from(tape.word()) {
            len if len <= MAX_PAYLOAD_LEN => len,
            word => word % SHORT_LEN,
        };
        let filler = tape.byte();
        let mut payload = tape.bytes(len.min(32)).to_vec();
        payload.resize(len, filler);
        let Some(frame) = sealed(&self.keys, &mut self.ends[end], &payload) else { return };
        assert!(self.headers.insert(frame[..16].to_vec()), "a header twice");
        let mut out = [0; MAX_PAYLOAD_LEN];
        assert_eq!(self.watcher.open(&frame, &mut out), Ok(&payload[..]));
        self.sent.push(Sent { from: end, payload, frame, opened: false });
    }

    fn deliver(&mut self, end: usize, tape: &mut Tape<'_>) {
        if self.sent.is_empty() {
            return;
        }
        let which = usize::from(tape.byte()) % self.sent.len();
        let mut frame = self.sent[which].frame.clone();
        let (place, flip) = (usize::from(tape.word()) % frame.len(), if tape.flag() { tape.byte() } else { 0 });
        frame[place] ^= flip;
        let opened = self.open(end, &frame);
        let sent = &mut self.sent[which];
        if let Some(payload) = opened {
            assert_eq!(flip, 0, "an altered frame was opened");
            assert_ne!(end, sent.from, "a frame was reflected");
            assert!(!sent.opened, "a replay was opened");
            assert_eq!(payload, sent.payload);
            sent.opened = true;
        }
    }

    /// Both ends name the same session, and a payload that was sealed fits a link of its frame's length.
    fn agrees(&self) {
        let [collector, station] = [&self.ends[0].link, &self.ends[1].link];
        assert_eq!((collector.suite(), collector.key_id()), (station.suite(), station.key_id()));
        assert!(collector.epoch() <= u16::MAX && station.counters().refused() >= station.counters().replay);
        for sent in &self.sent {
            let most = max_payload_len(collector.suite(), sent.frame.len());
            assert!(most.is_some_and(|most| most + 8 > sent.payload.len()), "{most:?} of {}", sent.payload.len());
        }
    }

    fn restart(&mut self, end: usize) {
        if let (Form::Datagram, Some(stored)) = (self.form, self.ends[end].stored) {
            self.ends[end].link = Link::resume(&self.keys, &stored).unwrap();
        }
    }

    fn invent(&mut self, end: usize, tape: &mut Tape<'_>) {
        let len = usize::from(tape.byte());
        let bytes = tape.bytes(len);
        assert_eq!(self.open(end, bytes), None);
        let _ = HelloRequest::read(bytes).map(|request| request.answer(&self.keys, Nonce([9; 16])).map(|_| ()));
        let _ = Link::resume(&self.keys, bytes).map(|_| ());
        let mut deframer = Deframer::new();
        let taken = deframer.push(bytes);
        assert!(taken <= bytes.len() && deframer.frame().ok().flatten().is_none_or(|frame| frame == &bytes[..taken]));
        if let Ok(envelope) = Envelope::parse(bytes) {
            assert_eq!(envelope.emit(&mut [0; MAX_PAYLOAD_LEN]), Ok(bytes));
            told(&envelope.message);
        }
        if let Ok(text) = std::str::from_utf8(bytes) {
            key_file(text);
        }
    }

    fn open(&mut self, end: usize, frame: &[u8]) -> Option<Vec<u8>> {
        let keys = &self.keys;
        let end = &mut self.ends[end];
        let mut out = [UNTOUCHED; MAX_PAYLOAD_LEN];
        for _ in 0..2 {
            match end.link.open(frame, &mut out).map(<[u8]>::to_vec) {
                Ok(payload) => return Some(payload),
                Err(OpenError::Store) => store(keys, end),
                Err(_) => break,
            }
        }
        assert_eq!(out, [UNTOUCHED; MAX_PAYLOAD_LEN]);
        None
    }
}

/// Only an overwrite has the write of one, and it moves money.
fn told(message: &Message<'_>) {
    match message {
        Message::Command(command) => {
            let order = &command.order;
            assert!(order.overwrite().is_none() || order.moves_money());
            if let Order::Settings(settings) = order {
                assert!(!order.moves_money());
                let built = settings.settings(&Profile::unsettled());
                assert_eq!(built.is_err(), settings.prices.is_some(), "prices need their decimals");
            }
        }
        Message::Result(result) => assert_eq!(
            result.outcome.may_have_acted(),
            !matches!(result.outcome, Outcome::NotTransmitted | Outcome::Refused(_))
        ),
        Message::Ack(ack) => assert_eq!(ack.iter().count(), ack.ids.len()),
        _ => {}
    }
}

/// Keys are the same after they were written and read.
fn key_file(text: &str) {
    let Ok(keys) = PeerKeys::from_key_file(text) else { return };
    let written = |keys: &PeerKeys| {
        let mut text = String::new();
        keys.write_key_file(&mut text).unwrap();
        text
    };
    let again = written(&keys);
    let mut same = PeerKeys::from_key_file(&again).unwrap();
    assert_eq!(written(&same), again);
    assert!(keys.key_ids().eq(same.key_ids()));
    let current = same.current().unwrap();
    assert_eq!((same.remove(current), same.remove(current).is_err()), (Ok(()), true));
}

fn confirmed(answer: &mut Answer, confirmation: &[u8]) -> Link {
    answer.confirm(confirmation).unwrap()
}

fn store(keys: &PeerKeys, end: &mut End) {
    let record = end.link.next_record();
    end.stored = Some(record.to_bytes(keys).unwrap());
    end.link.commit(&record).unwrap();
}

fn sealed(keys: &PeerKeys, end: &mut End, payload: &[u8]) -> Option<Vec<u8>> {
    let mut out = [0; MAX_FRAME_LEN];
    match end.link.seal(payload, &mut out).map(<[u8]>::to_vec) {
        Ok(frame) => Some(frame),
        Err(SealError::Reserve) => {
            store(keys, end);
            Some(end.link.seal(payload, &mut out).unwrap().to_vec())
        }
        Err(_) => None,
    }
}
