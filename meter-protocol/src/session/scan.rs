//! Finding the reply among the bytes that came: slide one byte at a time over anything that can't be its start.
//!
//! Lengths come from the request and the function, never from looking for a CRC that fits: a valid frame followed by
//! zero bytes has a fitting CRC again.

use crate::wire::request::{Expectation, ReplyLen};
use crate::wire::{EXCEPTION_BIT, FrameError, VENDOR_WRITE, rtu, tcp};
use core::ops::Range;

/// Length of an RTU exception, by definition.
const EXCEPTION_LEN: usize = 5;
/// Unit, function and CRC around a PDU's data.
const RTU_OVERHEAD: usize = 3;
/// Shortest vendor reply: unit, function, one byte, CRC.
const MIN_VENDOR_LEN: usize = 5;
/// Fewest bytes at the end of our own frame that count as the rest of an echo.
const MIN_PARTIAL_ECHO: usize = 3;

/// What a look at the received bytes found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scan {
    /// The reply, if it is complete and valid.
    pub(crate) found: Option<Range<usize>>,
    /// Leading bytes that can't belong to it.
    pub(crate) useless: usize,
    /// Frames of the right start and length that were not valid.
    pub(crate) broken: usize,
    /// Frames of another transaction.
    pub(crate) stale: usize,
}

impl Scan {
    const NOTHING: Self = Self { found: None, useless: 0, broken: 0, stale: 0 };
}

/// Whether a reply may start at the head of some bytes.
enum Start {
    Impossible,
    /// Possible; as a frame of this length once it is known.
    Possible(Option<usize>),
}

/// Looks for an RTU reply of known length.
pub(crate) fn rtu_reply(bytes: &[u8], unit: u8, expected: &Expectation) -> Scan {
    let mut scan = Scan::NOTHING;
    let mut all_useless = true;
    for start in 0..bytes.len() {
        let rest = bytes.get(start..).unwrap_or_default();
        match rtu_start(rest, unit, expected) {
            Start::Impossible => {}
            Start::Possible(Some(len)) if len <= rest.len() => {
                let frame = rest.get(..len).unwrap_or_default();
                if rtu::decode_answer(frame, unit, expected).is_ok() {
                    scan.found = Some(start..start.saturating_add(len));
                    scan.useless = start;
                    return scan;
                }
                scan.broken = scan.broken.saturating_add(1);
            }
            Start::Possible(_) => {
                all_useless = false;
                continue;
            }
        }
        if all_useless {
            scan.useless = start.saturating_add(1);
        }
    }
    scan
}

fn rtu_start(bytes: &[u8], unit: u8, expected: &Expectation) -> Start {
    let asked = expected.function();
    match bytes {
        [first, ..] if *first != unit => Start::Impossible,
        [_, function, ..] if *function == asked | EXCEPTION_BIT => Start::Possible(Some(EXCEPTION_LEN)),
        [_, function, ..] if *function != asked => Start::Impossible,
        [_, _, head @ ..] => match (expected, expected.reply_len()) {
            (Expectation::Registers { .. }, ReplyLen::Fixed(len)) => match head {
                // A byte count that was not asked for is wrong at once.
                [count, ..] if usize::from(*count).saturating_add(2) != len => Start::Impossible,
                _ => Start::Possible(Some(len.saturating_add(RTU_OVERHEAD))),
            },
            (_, ReplyLen::Fixed(len)) => Start::Possible(Some(len.saturating_add(RTU_OVERHEAD))),
            (_, ReplyLen::Counted) => {
                Start::Possible(head.first().map(|count| usize::from(*count).saturating_add(2 + RTU_OVERHEAD)))
            }
            (_, ReplyLen::Open) => Start::Possible(None),
        },
        _ => Start::Possible(None),
    }
}

/// Looks for a vendor reply that ended by silence: the last bytes must be a valid frame of this unit. Our own frame is
/// an echo, not a reply: replies are shorter than any request of this function.
pub(crate) fn vendor_reply(bytes: &[u8], unit: u8, sent: &[u8]) -> Option<Range<usize>> {
    let functions = [VENDOR_WRITE, VENDOR_WRITE | EXCEPTION_BIT];
    let last_start = bytes.len().checked_sub(MIN_VENDOR_LEN)?;
    (0..=last_start)
        .find(|&start| match bytes.get(start..) {
            Some(frame @ [first, function, ..]) => {
                *first == unit && functions.contains(function) && frame != sent && rtu::open(frame).is_ok()
            }
            _ => false,
        })
        .map(|start| start..bytes.len())
}

/// Looks for a Modbus/TCP reply: whole frames by their headers, older transactions skipped.
pub(crate) fn tcp_reply(bytes: &[u8], transaction: u16, unit: u8, expected: &Expectation) -> Scan {
    let mut scan = Scan::NOTHING;
    while let Some(rest) = bytes.get(scan.useless..) {
        let header = match tcp::decode_header(rest) {
            Ok(header) => header,
            Err(FrameError::TooShort { .. }) => return scan,
            // No header of this protocol starts here.
            Err(_) => {
                scan.useless = scan.useless.saturating_add(1);
                continue;
            }
        };
        let len = tcp::HEADER_LEN.saturating_add(header.pdu_len);
        let Some(frame) = rest.get(..len) else { return scan };
        let end = scan.useless.saturating_add(len);
        if tcp::decode_answer(frame, transaction, unit, expected).is_ok() {
            scan.found = Some(scan.useless..end);
            return scan;
        }
        if header.transaction == transaction {
            scan.broken = scan.broken.saturating_add(1);
        } else {
            scan.stale = scan.stale.saturating_add(1);
        }
        scan.useless = end;
    }
    scan
}

/// How received bytes relate to the frame just sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Echo {
    /// They can still become an echo.
    Undecided,
    /// This many leading bytes are one.
    Whole(usize),
    /// They are not what was sent.
    Differs,
}

/// Compares with what was sent: a whole echo, the end of one, or neither.
pub(crate) fn echo(bytes: &[u8], sent: &[u8]) -> Echo {
    if bytes.starts_with(sent) {
        return Echo::Whole(sent.len());
    }
    let part_of_it = (0..sent.len()).any(|start| {
        let tail = sent.get(start..).unwrap_or_default();
        bytes.len() < tail.len() && tail.starts_with(bytes)
    });
    if part_of_it {
        return Echo::Undecided;
    }
    let tails = (1..sent.len()).filter_map(|start| sent.get(start..));
    let tail = tails.take_while(|tail| tail.len() >= MIN_PARTIAL_ECHO).find(|tail| bytes.starts_with(tail));
    tail.map_or(Echo::Differs, |tail| Echo::Whole(tail.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn echoes() {
        let sent = [1, 6, 0, 2, 0, 3, 0x98, 0x0B];
        assert_eq!(echo(&sent, &sent), Echo::Whole(8));
        assert_eq!(echo(&sent[..5], &sent), Echo::Undecided);
        assert_eq!(echo(&sent[3..6], &sent), Echo::Undecided);
        assert_eq!(echo(&sent[3..], &sent), Echo::Whole(5));
        assert_eq!(echo(&[1, 6, 0, 9], &sent), Echo::Differs);
        let mut tail_and_reply = sent[4..].to_vec();
        tail_and_reply.extend(sent);
        assert_eq!(echo(&tail_and_reply, &sent), Echo::Whole(4));
    }

    extern crate std;
    use std::prelude::v1::*;
}
