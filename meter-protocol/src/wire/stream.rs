//! Frames out of a stream of bytes whose requests nobody knows, with noise between them: for listening on a line.
//!
//! The length of a frame comes from its function and byte count, as in [`super::sniff`]; a function of unknown length
//! ends where the line falls silent. Anything that is no frame is slid over byte by byte. A frame that was found by its
//! check sum alone can still be noise, once in 65 536 candidates.

use super::{EXCEPTION_BIT, MAX_RTU_LEN, rtu, sniff};

/// Room for a frame behind the longest false start.
const ROOM_LEN: usize = 2 * MAX_RTU_LEN;
/// Most lengths that a frame can have by its first bytes.
const LENGTHS: usize = 4;

/// Cuts a stream of RTU frames of either direction. It holds at most 512 bytes.
///
/// ```
/// use meter_protocol::wire::{sniff, stream::StreamDecoder};
/// let mut decoder = StreamDecoder::new();
/// // A stray byte, a poll, and the beginning of its reply.
/// let stream = [0xFF, 0x01, 0x03, 0x02, 0x00, 0x00, 0x30, 0x44, 0x66, 0x01, 0x03];
/// let taken = decoder.feed(&stream);
/// assert_eq!((taken, decoder.frame()), (9, Some(&stream[1..9])));
/// assert_eq!(sniff::decode_rtu(&stream[1..9])?.name, Some("read holding registers"));
/// assert_eq!((decoder.feed(&stream[taken..]), decoder.frame()), (2, None));
/// assert_eq!(decoder.discarded(), 1);
/// # Ok::<(), meter_protocol::wire::FrameError>(())
/// ```
#[derive(Clone, Debug)]
pub struct StreamDecoder {
    buf: [u8; ROOM_LEN],
    len: usize,
    /// First place where a frame can still start.
    first: usize,
    /// Where the frame lies that is handed out.
    found: Option<(usize, usize)>,
    discarded: u32,
}

impl Default for StreamDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl StreamDecoder {
    /// A decoder without bytes.
    #[must_use]
    pub const fn new() -> Self {
        Self { buf: [0; ROOM_LEN], len: 0, first: 0, found: None, discarded: 0 }
    }

    /// Takes bytes up to the end of the first frame, and says how many. The frame of before is gone then.
    pub fn feed(&mut self, bytes: &[u8]) -> usize {
        self.release();
        self.look(false);
        let mut taken = 0_usize;
        for byte in bytes {
            if self.found.is_some() {
                break;
            }
            self.push(*byte);
            taken = taken.saturating_add(1);
            self.look(false);
        }
        taken
    }

    /// The line fell silent: nothing more belongs to what is here. Call it until [`StreamDecoder::frame`] is `None`.
    pub fn silence(&mut self) {
        self.release();
        self.look(true);
        if self.found.is_some() {
            return;
        }
        let received = self.buf.get(..self.len).unwrap_or_default();
        let opaque = (0..self.len).find(|start| {
            let frame = received.get(*start..).unwrap_or_default();
            sniff::decode_rtu(frame).is_ok()
        });
        match opaque {
            Some(start) => self.found = Some((start, self.len)),
            None => self.remove(self.len, 0),
        }
    }

    /// The frame that [`StreamDecoder::feed`] or [`StreamDecoder::silence`] found: its check sum is right, and its
    /// function and length fit each other. [`sniff::decode_rtu`] says what it can mean.
    #[must_use]
    pub fn frame(&self) -> Option<&[u8]> {
        let (start, end) = self.found?;
        self.buf.get(start..end)
    }

    /// Bytes thrown away so far; the count stays at its largest value once there.
    #[must_use]
    pub const fn discarded(&self) -> u32 {
        self.discarded
    }

    fn push(&mut self, byte: u8) {
        if self.len == ROOM_LEN {
            // No frame starts before `first`, and one that does is at most half as long as the room.
            self.remove(self.first.max(1), 0);
        }
        if let Some(room) = self.buf.get_mut(self.len) {
            *room = byte;
            self.len = self.len.saturating_add(1);
        }
    }

    /// Goes on to the first place where a frame starts, or may start unless `is_over`.
    fn look(&mut self, is_over: bool) {
        while self.first < self.len {
            let rest = self.buf.get(self.first..self.len).unwrap_or_default();
            match start_of(rest) {
                Start::Frame(len) => {
                    self.found = Some((self.first, self.first.saturating_add(len)));
                    return;
                }
                Start::Undecided if !is_over => return,
                Start::Undecided | Start::Impossible => self.first = self.first.saturating_add(1),
            }
        }
    }

    /// Takes the handed-out frame out of the buffer, with the noise before it.
    fn release(&mut self) {
        if let Some((start, end)) = self.found.take() {
            self.remove(start, end.saturating_sub(start));
        }
    }

    /// Removes `noise` bytes, which count as discarded, and `taken` bytes behind them.
    fn remove(&mut self, noise: usize, taken: usize) {
        let gone = noise.saturating_add(taken).min(self.len);
        self.buf.copy_within(gone..self.len, 0);
        self.len = self.len.saturating_sub(gone);
        self.first = self.first.saturating_sub(gone);
        self.discarded = self.discarded.saturating_add(u32::try_from(noise).unwrap_or(u32::MAX));
    }
}

enum Start {
    /// A frame of this length.
    Frame(usize),
    /// Its end has not come yet.
    Undecided,
    Impossible,
}

fn start_of(bytes: &[u8]) -> Start {
    let (lengths, more_to_know) = lengths_of(bytes);
    let mut undecided = more_to_know;
    for len in lengths.into_iter().flatten().filter(|len| *len <= MAX_RTU_LEN) {
        match bytes.get(..len) {
            Some(frame) if rtu::open(frame).is_ok() && sniff::decode_rtu(frame).is_ok() => return Start::Frame(len),
            Some(_) => {}
            None => undecided = true,
        }
    }
    if undecided { Start::Undecided } else { Start::Impossible }
}

/// The lengths that a frame of this function can have, shorter ones first where both fit, and whether more bytes are
/// needed to know all of them.
fn lengths_of(bytes: &[u8]) -> ([Option<usize>; LENGTHS], bool) {
    let Some(function) = bytes.get(1).copied() else { return ([None; LENGTHS], true) };
    let at = |index: usize, around: usize| bytes.get(index).map(|count| usize::from(*count).saturating_add(around));
    let (lengths, last_needed) = match function {
        0x01..=0x04 => ([Some(8), at(2, 5), None, None], 2),
        0x05 | 0x06 => ([Some(8), None, None, None], 1),
        0x0F | 0x10 => ([Some(8), at(6, 9), None, None], 6),
        0x11 => ([Some(4), Some(12), Some(15), at(2, 5)], 2),
        0x16 => ([Some(10), None, None, None], 1),
        0x17 => ([at(2, 5), at(10, 13), None, None], 10),
        // The vendor's replies have no known length: 15 by its tool, 8 like a standard write.
        0x20 => ([Some(8), Some(15), at(6, 9), None], 6),
        _ if function & EXCEPTION_BIT != 0 => ([Some(5), None, None, None], 1),
        _ => ([None; LENGTHS], 0),
    };
    (lengths, bytes.get(last_needed).is_none())
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::wire::crc::crc16;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    fn with_crc(body: &[u8]) -> Vec<u8> {
        let mut frame = body.to_vec();
        frame.extend(crc16(body).to_le_bytes());
        frame
    }

    /// All frames of bursts, each followed by silence, that come in pieces.
    fn frames_of(bursts: &[Vec<u8>], piece: usize) -> (Vec<Vec<u8>>, u32) {
        let mut decoder = StreamDecoder::new();
        let mut frames = Vec::new();
        for burst in bursts {
            for piece in burst.chunks(piece) {
                let mut rest = piece;
                while !rest.is_empty() {
                    let taken = decoder.feed(rest);
                    assert!(taken > 0 || decoder.frame().is_some(), "no progress");
                    frames.extend(decoder.frame().map(<[u8]>::to_vec));
                    rest = &rest[taken..];
                }
            }
            loop {
                decoder.silence();
                match decoder.frame() {
                    Some(frame) => frames.push(frame.to_vec()),
                    None => break,
                }
            }
            assert_eq!(decoder.len, 0, "silence leaves nothing");
        }
        (frames, decoder.discarded())
    }

    #[test]
    fn a_conversation_without_pauses() {
        let stream = [
            with_crc(&[1, 3, 2, 0, 0, 2]),
            with_crc(&[1, 3, 4, 0, 7, 8, 9]),
            with_crc(&[1, 0x10, 0, 0x57, 0, 2, 4, 0, 1, 0, 1]),
            with_crc(&[1, 0x10, 0, 0x57, 0, 2]),
            with_crc(&[1, 0x83, 2]),
            with_crc(&[1, 0x11, 0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10]),
            with_crc(&[1, 0x11, 0, 0, 0, 0, 0, 0, 111, 0, 0, 0, 0]),
            with_crc(&[1, 0x20, 1, 0, 0, 4, 8, 0, 0, 0x27, 0x10, 0, 1, 0, 0]),
            with_crc(&[1, 0x20, 1, 0, 0, 4]),
        ];
        for piece in [1, 3, 1000] {
            assert_eq!(frames_of(&[stream.concat()], piece), (stream.to_vec(), 0));
        }
    }

    #[test]
    fn functions_of_unknown_length_end_by_silence() {
        // A factory function, an unknown one behind noise, and a vendor reply of odd length.
        let opaque = [with_crc(&[1, 0x99, 1, 2, 3]), with_crc(&[9, 0x41, 7]), with_crc(&[1, 0x20, 5])];
        let bursts: Vec<Vec<u8>> = opaque.iter().map(|frame| [&[0xEE][..], frame].concat()).collect();
        assert_eq!(frames_of(&bursts, 4), (opaque.to_vec(), 3));
    }

    #[test]
    fn a_false_start_holds_a_frame_back_only_until_silence() {
        let poll = with_crc(&[1, 3, 2, 0, 0, 48]);
        let burst = [&[1, 3, 0xFA][..], &poll].concat();
        let mut decoder = StreamDecoder::new();
        assert_eq!((decoder.feed(&burst), decoder.frame()), (11, None));
        decoder.silence();
        assert_eq!(decoder.frame(), Some(&poll[..]));
    }

    #[test]
    fn a_frame_inside_a_reply_is_data() {
        let inner = with_crc(&[1, 3, 2, 0, 0, 48]);
        let mut reply = vec![1, 3, 8];
        reply.extend(&inner);
        let reply = with_crc(&reply);
        assert_eq!(frames_of(core::slice::from_ref(&reply), 1), (vec![reply.clone()], 0));
    }

    fn frame() -> impl Strategy<Value = Vec<u8>> {
        let registers = proptest::collection::vec(any::<u16>(), 1..=125);
        prop_oneof![
            (1_u8..=247, any::<u16>(), 1_u16..=125).prop_map(|(unit, address, count)| {
                let address = address.min(0xFF00);
                with_crc(&[&[unit, 3][..], &address.to_be_bytes(), &count.to_be_bytes()].concat())
            }),
            (1_u8..=247, registers).prop_map(|(unit, words)| {
                let data: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
                with_crc(&[&[unit, 4, data.len() as u8][..], &data].concat())
            }),
            (1_u8..=247, 1_u8..=11).prop_map(|(unit, code)| with_crc(&[unit, 0x90, code])),
        ]
    }

    proptest! {
        /// Noise that is not the beginning of a frame: a frame behind it is found at once.
        #[test]
        fn frames_in_noise_are_found(parts in proptest::collection::vec((frame(), proptest::collection::vec(0x40_u8..0x80, 0..40)), 1..6), piece in 1_usize..300) {
            let stream: Vec<u8> = parts.iter().flat_map(|(frame, noise)| [&noise[..], frame].concat()).collect();
            let wanted: Vec<Vec<u8>> = parts.iter().map(|(frame, _)| frame.clone()).collect();
            // A last noise byte before a frame can be its unit, and the frame's unit a function: never one known here.
            let (found, _) = frames_of(&[stream], piece);
            for frame in &wanted {
                prop_assert!(found.contains(frame), "{frame:02X?} not in {found:02X?}");
            }
        }

        /// Any noise: a frame between two silences is found, whatever stands before it.
        #[test]
        fn a_frame_behind_any_noise_is_found(noise in proptest::collection::vec(any::<u8>(), 0..200), frame in frame(), piece in 1_usize..300) {
            let (found, _) = frames_of(&[[noise, frame.clone()].concat()], piece);
            // Noise that is a frame itself may have swallowed its beginning; nothing else may.
            let swallowed = found.iter().any(|other| *other != frame && rtu::open(other).is_ok());
            prop_assert!(swallowed || found.contains(&frame));
        }

        #[test]
        fn arbitrary_bytes_end_and_only_frames_come_out(bursts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..1_500), 0..4), piece in 1_usize..600) {
            let (found, discarded) = frames_of(&bursts, piece);
            let total: usize = bursts.iter().map(Vec::len).sum();
            let in_frames: usize = found.iter().map(Vec::len).sum();
            prop_assert_eq!(in_frames + discarded as usize, total);
            for frame in found {
                prop_assert!(sniff::decode_rtu(&frame).is_ok());
            }
        }
    }
}
