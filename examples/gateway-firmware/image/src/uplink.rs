//! The collector's end of the sealed link on a UART: asks for a session, seals, opens, and asks again when nothing comes back.

use crate::{board::Uart, provision::Provision};
use embedded_io::{Read, ReadReady, Write};
use meter_protocol::seal::{
    Deframer, Form, Hello, KeyBundle, Link, MAX_FRAME_LEN, MAX_PAYLOAD_LEN, Nonce, PeerId, PeerKeys,
};

/// How long an answer to a question, or any frame of a session, may be away.
const ASK_EVERY_US: u64 = 1_000_000;
const SILENCE_US: u64 = 10_000_000;

/// The link, in one of its two states.
pub struct Uplink {
    port: Uart,
    keys: PeerKeys,
    boot: u32,
    asked: u64,
    deframer: Deframer,
    state: State,
    frame: [u8; MAX_FRAME_LEN],
}

#[expect(clippy::large_enum_variant, reason = "without an allocator there is nothing to point to")]
enum State {
    Asking { hello: Option<Hello>, at_us: u64 },
    Up { link: Link, heard_us: u64 },
}

/// What arrived.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrived {
    /// Nothing whole.
    Nothing,
    /// A session has begun: say who you are, and everything unacknowledged again.
    Session,
    /// So many bytes of a message are in the buffer.
    Message(usize),
}

impl Uplink {
    /// Nothing when the key is refused.
    pub fn new(port: Uart, provision: &Provision) -> Option<Self> {
        let mut keys = PeerKeys::new(PeerId(provision.peer));
        keys.insert(1, KeyBundle::tdes(&provision.key).ok()?).ok()?;
        let state = State::Asking { hello: None, at_us: 0 };
        let (boot, deframer) = (provision.boot, Deframer::new());
        Some(Self { port, keys, boot, asked: 0, deframer, state, frame: [0; MAX_FRAME_LEN] })
    }

    /// Whether a session is up.
    pub fn is_up(&self) -> bool {
        matches!(self.state, State::Up { .. })
    }

    /// Seals and sends. A session that can't seal any more is given up.
    pub fn send(&mut self, payload: &[u8]) {
        let State::Up { link, .. } = &mut self.state else { return };
        match link.seal(payload, &mut self.frame) {
            // The UART takes everything.
            Ok(frame) => drop(self.port.write(frame)),
            Err(_) => self.give_up(),
        }
    }

    /// Takes what has come, and asks for a session where there is none.
    pub fn poll(&mut self, now_us: u64, message: &mut [u8; MAX_PAYLOAD_LEN]) -> Arrived {
        while matches!(self.port.read_ready(), Ok(true)) {
            let room = self.deframer.room();
            let Ok(count) = self.port.read(room);
            self.deframer.filled(count);
            match self.deframer.frame() {
                Ok(None) => {}
                Ok(Some(_)) => return self.take(now_us, message),
                Err(_) => {
                    self.give_up();
                    return Arrived::Nothing;
                }
            }
        }
        // What had come in the meantime counts as heard.
        self.ask(now_us);
        Arrived::Nothing
    }

    fn ask(&mut self, now_us: u64) {
        match &self.state {
            State::Up { heard_us, .. } if now_us.saturating_sub(*heard_us) > SILENCE_US => self.give_up(),
            State::Asking { hello, at_us } if hello.is_none() || now_us.saturating_sub(*at_us) > ASK_EVERY_US => {
                // What was left of an older answer is none to this question.
                self.deframer = Deframer::new();
                self.asked = self.asked.wrapping_add(1);
                if let Ok(hello) = Hello::new(&self.keys, Form::Stream, self.nonce()) {
                    let _ = self.port.write(hello.frame());
                    self.state = State::Asking { hello: Some(hello), at_us: now_us };
                }
            }
            _ => {}
        }
    }

    /// Never twice: the start is counted outside, the question here.
    fn nonce(&self) -> Nonce {
        let mut nonce = [0; 16];
        let parts = self.boot.to_be_bytes().into_iter().chain(self.asked.to_be_bytes());
        nonce.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        Nonce(nonce)
    }

    fn take(&mut self, now_us: u64, message: &mut [u8; MAX_PAYLOAD_LEN]) -> Arrived {
        let Ok(Some(frame)) = self.deframer.frame() else { return Arrived::Nothing };
        let arrived = match &mut self.state {
            State::Asking { hello, .. } => match hello.as_mut().map(|hello| hello.finish(frame)) {
                Some(Ok(mut link)) => {
                    // The confirmation.
                    if let Ok(first) = link.seal(&[], &mut self.frame) {
                        let _ = self.port.write(first);
                    }
                    self.state = State::Up { link, heard_us: now_us };
                    Some(Arrived::Session)
                }
                _ => None,
            },
            State::Up { link, heard_us } => link.open(frame, message).ok().map(|payload| {
                *heard_us = now_us;
                if payload.is_empty() { Arrived::Nothing } else { Arrived::Message(payload.len()) }
            }),
        };
        self.deframer.clear();
        arrived.unwrap_or_else(|| {
            self.give_up();
            Arrived::Nothing
        })
    }

    /// On a socket this would close it. The next question goes out after a pause, so that the other side sees where it begins.
    fn give_up(&mut self) {
        self.deframer = Deframer::new();
        self.state = State::Asking { hello: None, at_us: 0 };
    }
}
