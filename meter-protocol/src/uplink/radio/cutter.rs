//! Cutting a stream of bytes into frames.
//!
//! A frame carries no length, and its closing bytes can occur inside it. A frame ends where the closing bytes follow a
//! CRC that fits, unless its body says that it goes on: a Modbus frame inside tells its own length. A frame whose body
//! stays unfinished is held until the stream falls silent, and is then handed out as it is, so that the caller learns of
//! it.

use super::frame::{HEAD, MAX_FRAME_LEN, MIN_FRAME_LEN, TAIL};
use super::{Frame, message};
use crate::wire::crc;

/// A bounded cutter: it holds one frame of at most [`MAX_FRAME_LEN`] bytes.
///
/// ```
/// use meter_protocol::uplink::radio::{Command, Cutter};
/// let mut cutter = Cutter::new();
/// let stream = [0x00, 0x7B, 0x7B, 0x94, 0xBE, 0xEF, 0x7D, 0x7D, 0x7B];
/// let taken = cutter.feed(&stream);
/// assert_eq!(taken, 8);
/// assert_eq!(cutter.frame().map(|frame| frame.command()), Some(Command::Heartbeat));
/// assert_eq!(cutter.feed(&stream[taken..]), 1);
/// assert!(cutter.frame().is_none());
/// assert_eq!(cutter.discarded(), 1);
/// ```
#[derive(Clone, Debug)]
pub struct Cutter {
    buf: [u8; MAX_FRAME_LEN],
    len: usize,
    /// Bytes of `buf` that were looked at.
    seen: usize,
    /// CRC over the bytes from the command up to `seen`, and before each of the last two of them.
    crcs: [u16; 3],
    /// Length of a frame that has the right end but whose body says that it goes on.
    held: Option<usize>,
    /// Length of the frame that is handed out.
    found: Option<usize>,
    discarded: u32,
}

impl Default for Cutter {
    fn default() -> Self {
        Self::new()
    }
}

impl Cutter {
    /// A cutter without bytes.
    #[must_use]
    pub const fn new() -> Self {
        Self { buf: [0; MAX_FRAME_LEN], len: 0, seen: 0, crcs: [crc::START; 3], held: None, found: None, discarded: 0 }
    }

    /// Takes bytes up to the end of the first frame, and says how many. The frame of before is gone then.
    pub fn feed(&mut self, bytes: &[u8]) -> usize {
        self.release();
        // What is left of before may hold a frame already.
        self.look();
        let mut taken = 0_usize;
        for byte in bytes {
            if self.found.is_some() {
                break;
            }
            self.push(*byte);
            taken = taken.saturating_add(1);
            self.look();
        }
        taken
    }

    /// The frame that [`Cutter::feed`] or [`Cutter::give_up`] found.
    #[must_use]
    pub fn frame(&self) -> Option<Frame<'_>> {
        Frame::decode(self.buf.get(..self.found?)?).ok()
    }

    /// The stream fell silent inside a frame. A frame that was held is handed out as it is; otherwise the first byte is
    /// thrown away, and the rest is looked at again. Call it until [`Cutter::has_part`] is false.
    pub fn give_up(&mut self) {
        self.release();
        if self.held.is_some() {
            self.found = self.held;
        } else if self.len > 0 {
            self.slide();
            self.look();
        }
    }

    /// Whether bytes wait for the rest of their frame.
    #[must_use]
    pub const fn has_part(&self) -> bool {
        self.len > 0 && self.found.is_none()
    }

    /// Whether bytes lie behind the frame that is handed out: [`Cutter::feed`] looks at them, with or without new ones.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.found.is_some_and(|len| self.len > len)
    }

    /// Bytes thrown away so far; the count stays at its largest value once there.
    #[must_use]
    pub const fn discarded(&self) -> u32 {
        self.discarded
    }

    fn push(&mut self, byte: u8) {
        if let Some(room) = self.buf.get_mut(self.len) {
            *room = byte;
            self.len = self.len.saturating_add(1);
        }
    }

    /// Looks at the bytes that were not looked at, and slides on when they can't be a frame.
    fn look(&mut self) {
        while self.found.is_none() && self.seen < self.len {
            self.step();
            if self.found.is_none() && self.seen == MAX_FRAME_LEN {
                // Full: what is held is the frame, or there is none from this start.
                match self.held {
                    Some(len) => self.found = Some(len),
                    None => self.slide(),
                }
            }
        }
    }

    /// Looks at one byte.
    fn step(&mut self) {
        let Some(byte) = self.buf.get(self.seen).copied() else { return };
        if HEAD.get(self.seen).is_some_and(|head| *head != byte) {
            self.slide();
            return;
        }
        if self.seen >= HEAD.len() {
            let [last, before, _] = self.crcs;
            self.crcs = [crc::step_bytes(last, &[byte]), last, before];
        }
        self.seen = self.seen.saturating_add(1);
        let looked_at = self.buf.get(..self.seen).unwrap_or_default();
        // A CRC over bytes and their own CRC is 0.
        let [_, _, before_tail] = self.crcs;
        if self.seen < MIN_FRAME_LEN || before_tail != 0 || !looked_at.ends_with(&TAIL) {
            return;
        }
        let Ok(frame) = Frame::decode(looked_at) else { return };
        if message::expects_more(frame.command(), frame.body()) {
            self.held = self.held.or(Some(self.seen));
        } else {
            self.found = Some(self.seen);
        }
    }

    /// Throws the first byte away and starts again at the next possible start.
    fn slide(&mut self) {
        let rest = self.buf.get(1..self.len).unwrap_or_default();
        let [first, _] = HEAD;
        let to_start = rest.iter().position(|byte| *byte == first).unwrap_or(rest.len());
        let gone = to_start.saturating_add(1);
        self.discarded = self.discarded.saturating_add(u32::try_from(gone).unwrap_or(u32::MAX));
        self.remove(gone);
    }

    /// Takes the handed-out frame out of the buffer.
    fn release(&mut self) {
        if let Some(len) = self.found.take() {
            self.remove(len);
        }
    }

    fn remove(&mut self, len: usize) {
        let len = len.min(self.len);
        self.buf.copy_within(len..self.len, 0);
        self.len = self.len.saturating_sub(len);
        self.seen = 0;
        self.crcs = [crc::START; 3];
        self.held = None;
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::uplink::radio::{Command, MAX_BODY_LEN, RadioError, Up};
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    const HEARTBEAT: [u8; 7] = [0x7B, 0x7B, 0x94, 0xBE, 0xEF, 0x7D, 0x7D];

    fn encoded(command: Command, body: &[u8]) -> Vec<u8> {
        let mut buf = [0; MAX_FRAME_LEN];
        super::super::frame::encode(command, &[body], &mut buf).unwrap().to_vec()
    }

    /// All frames of a stream that comes in pieces, the unfinished ones after it fell silent.
    fn cut(stream: &[u8], piece: usize) -> Vec<(Command, Vec<u8>)> {
        let mut cutter = Cutter::new();
        let mut frames = Vec::new();
        let mut take = |cutter: &Cutter| {
            frames.extend(cutter.frame().map(|frame| (frame.command(), frame.body().to_vec())));
        };
        for piece in stream.chunks(piece) {
            let mut rest = piece;
            while !rest.is_empty() {
                let taken = cutter.feed(rest);
                assert!(taken > 0 || cutter.frame().is_some(), "no progress");
                take(&cutter);
                rest = &rest[taken..];
            }
        }
        loop {
            cutter.feed(&[]);
            take(&cutter);
            if cutter.frame().is_some() {
                continue;
            }
            if !cutter.has_part() {
                return frames;
            }
            cutter.give_up();
            take(&cutter);
        }
    }

    #[test]
    fn closing_bytes_inside_do_not_end_a_frame() {
        // A reply whose registers hold the closing bytes and, by chance, the CRC before them.
        let body = [0x94, 0x7D, 0x7D, 0x7D, 0x7D];
        let frame = encoded(Command::Other(0xC0), &body);
        assert_eq!(cut(&frame, 1), [(Command::Other(0xC0), body.to_vec())]);
        // A whole frame inside a Modbus reply.
        let mut reply = vec![1, 3, 8];
        reply.extend(HEARTBEAT);
        reply.push(0);
        reply.extend(crc::crc16(&reply).to_le_bytes());
        let frame = encoded(Command::Transparent, &reply);
        assert_eq!(cut(&frame, 3), [(Command::Transparent, reply)]);
    }

    #[test]
    fn an_end_that_fits_by_chance_is_passed_over_when_the_body_goes_on() {
        // Registers chosen so that command, body so far and the next two bytes have CRC 0 before the closing bytes.
        let mut reply = vec![1, 3, 8, 0x12, 0x34];
        let mut covered = vec![0x90];
        covered.extend(&reply);
        reply.extend(crc::crc16(&covered).to_le_bytes());
        reply.extend(TAIL);
        reply.extend([0x56, 0x78]);
        reply.extend(crc::crc16(&reply).to_le_bytes());
        let frame = encoded(Command::Transparent, &reply);
        assert!(Frame::decode(&frame[..12]).is_ok(), "the trap is set");
        assert_eq!(cut(&frame, 1), [(Command::Transparent, reply)]);
    }

    #[test]
    fn a_frame_whose_body_stays_unfinished_is_handed_out_after_silence() {
        let mut stream = encoded(Command::Transparent, &[1, 3, 8, 0]);
        stream.extend(HEARTBEAT);
        let frames = cut(&stream, 64);
        assert_eq!(frames, [(Command::Transparent, vec![1, 3, 8, 0]), (Command::Heartbeat, vec![])]);
        let odd = Frame::decode(&stream[..11]).unwrap();
        assert!(matches!(Up::parse(odd), Err(RadioError::Inner(_))));
    }

    fn frames() -> impl Strategy<Value = Vec<u8>> {
        let body = proptest::collection::vec(any::<u8>(), 0..40);
        (0xC0_u8..0xD0, body).prop_map(|(command, body)| encoded(Command::Other(command), &body))
    }

    proptest! {
        #[test]
        fn frames_in_noise_are_found(parts in proptest::collection::vec((frames(), proptest::collection::vec(0_u8..0x7B, 0..30)), 1..8), piece in 1_usize..50) {
            let stream: Vec<u8> = parts.iter().flat_map(|(frame, noise)| [&noise[..], &frame[..]].concat()).collect();
            let found = cut(&stream, piece);
            let wanted: Vec<_> = parts.iter().map(|(frame, _)| Frame::decode(frame).map(|f| (f.command(), f.body().to_vec())).unwrap()).collect();
            prop_assert_eq!(found, wanted);
        }

        #[test]
        fn arbitrary_bytes_end_and_stay_bounded(stream in proptest::collection::vec(prop_oneof![Just(0x7B_u8), Just(0x7D), any::<u8>()], 0..2_000), piece in 1_usize..400) {
            for (_, body) in cut(&stream, piece) {
                prop_assert!(body.len() <= MAX_BODY_LEN);
            }
        }
    }
}
