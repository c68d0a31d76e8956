//! RTU frames as the slave sees them: the check sum and nothing else.
//!
//! Written a second time on purpose. If this file shared a line with the master side, an error in that line
//! would be invisible to every test in which the two talk to each other.

use alloc::vec::Vec;

/// Longest RTU frame that the meter takes or sends, in bytes.
pub const FRAME_MAX_BYTES: usize = 256;

/// The check word over `bytes`: polynomial 8005H reflected, start value FFFFH, computed bit by bit.
fn check_word(bytes: &[u8]) -> u16 {
    let mut word = 0xFFFF_u16;
    for &byte in bytes {
        word ^= u16::from(byte);
        for _ in 0..8 {
            let carry = word & 1 == 1;
            word >>= 1;
            if carry {
                word ^= 0xA001;
            }
        }
    }
    word
}

/// The frame without its check sum, or `None` if it is too short, too long or broken.
pub(super) fn checked(frame: &[u8]) -> Option<&[u8]> {
    if frame.len() > FRAME_MAX_BYTES {
        return None;
    }
    let (body, sum) = frame.split_last_chunk::<2>()?;
    (body.len() >= 2 && check_word(body).to_le_bytes() == *sum).then_some(body)
}

/// The body with its check sum behind it, low byte first.
pub(super) fn sealed(mut body: Vec<u8>) -> Vec<u8> {
    let sum = check_word(&body);
    body.extend_from_slice(&sum.to_le_bytes());
    body
}

/// Whether `frame` is as long as a frame can be and ends with its check sum.
#[must_use]
pub fn check_sum_is_good(frame: &[u8]) -> bool {
    checked(frame).is_some()
}

/// What the first bytes of a stream of requests are. A gateway needs it to cut the stream into frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestCut {
    /// The frame is not complete; more bytes have to come, or silence ends it.
    Incomplete,
    /// The first so many bytes are one request with a good check sum.
    Frame(usize),
    /// This can't be the beginning of a request of a function that the meter knows.
    Noise,
}

/// Cuts the first request from a stream: by the length that its function and byte count announce, checked by
/// its check sum.
#[must_use]
pub fn cut_request(stream: &[u8]) -> RequestCut {
    let length = match stream {
        [] | [_] => return RequestCut::Incomplete,
        [_, 0x03 | 0x06, ..] => 8,
        [_, 0x11, ..] => 12,
        [_, 0x10 | 0x20, _, _, _, _, data_bytes, ..] => usize::from(*data_bytes).saturating_add(9),
        [_, 0x10 | 0x20, ..] => return RequestCut::Incomplete,
        _ => return RequestCut::Noise,
    };
    if length > FRAME_MAX_BYTES {
        return RequestCut::Noise;
    }
    match stream.get(..length) {
        None => RequestCut::Incomplete,
        Some(frame) if checked(frame).is_some() => RequestCut::Frame(length),
        Some(_) => RequestCut::Noise,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLL: [u8; 8] = [0x01, 0x03, 0x02, 0x00, 0x00, 0x30, 0x44, 0x66];

    #[test]
    fn the_published_poll_passes_and_a_flipped_bit_does_not() {
        assert_eq!(checked(&POLL), Some(&POLL[..6]));
        for bit in 0..64 {
            let mut broken = POLL;
            broken[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(checked(&broken), None, "bit {bit}");
        }
        assert_eq!(sealed(POLL[..6].to_vec()), POLL);
    }

    #[test]
    fn a_stream_is_cut_by_length() {
        assert_eq!(cut_request(&POLL), RequestCut::Frame(8));
        assert_eq!(cut_request(&POLL[..5]), RequestCut::Incomplete);
        assert_eq!(cut_request(&[0x01, 0x55]), RequestCut::Noise);
        let sale = [0x01, 0x20, 0x01, 0x00, 0x00, 0x04, 0x08, 0, 0, 0x27, 0x10, 0, 1, 0, 0, 0x12, 0x1F, 0x01];
        assert_eq!(cut_request(&sale), RequestCut::Frame(17));
        assert_eq!(cut_request(&sale[..16]), RequestCut::Incomplete);
    }
}
