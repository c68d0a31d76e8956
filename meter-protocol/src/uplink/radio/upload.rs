//! 91H: data that nobody asked for. `[serial] [[ address (( RTU reply )) ]]`.
//!
//! The brackets can also occur inside the binary reply, so that its end comes from its own byte count.

use super::registration::non_empty;
use super::{RadioError, Serial};
use crate::acrel::{BlockError, Realtime, RealtimeLayout};
use crate::wire::{FrameError, READ_HOLDING, rtu};

/// Longest address in an upload; the sources show `1-1`.
pub const MAX_ADDRESS_LEN: usize = 16;

const OPEN: [u8; 2] = *b"[[";
const CLOSE: [u8; 2] = *b"]]";
const OPEN_REPLY: [u8; 2] = *b"((";
const CLOSE_REPLY: [u8; 2] = *b"))";
/// What stands at the reply's place when the module could not read the meter.
const READ_FAILED: &[u8] = b"un";
/// Unit, function and byte count of a reply.
const REPLY_HEAD_LEN: usize = 3;
/// Unit, function, byte count and CRC.
const REPLY_OVERHEAD: usize = 5;

/// An upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Upload<'a> {
    /// Serial in front, if the meter sends it.
    pub serial: Option<Serial>,
    /// Which meter behind the module, such as `1-1`: ASCII of 1 to [`MAX_ADDRESS_LEN`] characters.
    pub address: &'a str,
    /// What was read.
    pub content: UploadContent<'a>,
}

/// What an upload brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UploadContent<'a> {
    /// The reply to a read of holding registers. Which ones is not said: the byte count tells the layout.
    Registers {
        /// Unit that answered.
        unit: u8,
        /// Register contents, two bytes each.
        data: &'a [u8],
        /// The whole RTU frame.
        frame: &'a [u8],
    },
    /// The module says that it could not read the meter (`un`).
    ReadFailed,
    /// Nothing between the brackets.
    Empty,
}

impl<'a> Upload<'a> {
    /// An upload of an RTU reply, as a meter sends it.
    ///
    /// # Errors
    /// [`RadioError`]: an address or reply that is none.
    pub fn new(serial: Option<Serial>, address: &'a str, reply: &'a [u8]) -> Result<Self, RadioError> {
        Ok(Self { serial, address: checked_address(address.as_bytes())?, content: content(reply)? })
    }

    /// Parses the body of command 91H.
    ///
    /// # Errors
    /// [`RadioError`] names the missing bracket, the text or what is wrong with the reply inside.
    pub fn parse(body: &'a [u8]) -> Result<Self, RadioError> {
        let (serial, rest) = match body.strip_prefix(&OPEN) {
            Some(rest) => (None, rest),
            None => {
                let (serial, rest) = body.split_first_chunk::<20>().ok_or(RadioError::Bracket { missing: "[[" })?;
                let rest = rest.strip_prefix(&OPEN).ok_or(RadioError::Bracket { missing: "[[" })?;
                (Some(non_empty(*serial)?), rest)
            }
        };
        let address_len = find(rest, OPEN_REPLY).ok_or(RadioError::Bracket { missing: "((" })?;
        let (address, rest) = rest.split_at_checked(address_len).unwrap_or_default();
        let address = checked_address(address)?;
        let rest = rest.strip_prefix(&OPEN_REPLY).ok_or(RadioError::Bracket { missing: "((" })?;
        let (reply, rest) = rest.split_at_checked(reply_len(rest)?).unwrap_or_default();
        let rest = rest.strip_prefix(&CLOSE_REPLY).ok_or(RadioError::Bracket { missing: "))" })?;
        let rest = rest.strip_prefix(&CLOSE).ok_or(RadioError::Bracket { missing: "]]" })?;
        if !rest.is_empty() {
            return Err(RadioError::Trailing { len: rest.len() });
        }
        Ok(Self { serial, address, content: content(reply)? })
    }

    /// The realtime block, if that is what came: its layout follows from the byte count alone, as nobody asked.
    ///
    /// # Errors
    /// [`RadioError::Block`] for another length, and for an upload without registers.
    pub fn realtime(&self) -> Result<Realtime, RadioError> {
        let UploadContent::Registers { data, .. } = self.content else {
            return Err(unknown_block(0));
        };
        let layout = RealtimeLayout::of_upload(data.len()).ok_or(unknown_block(data.len()))?;
        Ok(Realtime::parse(layout, data)?)
    }

    /// Looked at anew: the fields are open, and whoever changed them may have put in any bytes.
    pub(super) fn checked(&self) -> Result<Self, RadioError> {
        Self::new(self.serial, self.address, self.reply())
    }

    /// The parts of the body, in order.
    pub(super) fn parts(&self) -> [&[u8]; 7] {
        let serial = self.serial.as_ref().map_or(&[][..], |serial| serial.as_bytes());
        [serial, &OPEN, self.address.as_bytes(), &OPEN_REPLY, self.reply(), &CLOSE_REPLY, &CLOSE]
    }

    /// What stands between the inner brackets.
    const fn reply(&self) -> &'a [u8] {
        match self.content {
            UploadContent::Registers { frame, .. } => frame,
            UploadContent::ReadFailed => READ_FAILED,
            UploadContent::Empty => &[],
        }
    }
}

/// Whether a body can't be complete yet, although the bytes behind it look like the end of a frame.
pub(super) fn expects_more(body: &[u8]) -> bool {
    let inside = body.strip_prefix(&OPEN).or_else(|| body.get(20..)?.strip_prefix(&OPEN));
    let Some(inside) = inside else { return body.len() < 22 && !body.is_empty() };
    let Some(reply) = find(inside, OPEN_REPLY).and_then(|at| inside.get(at..)?.strip_prefix(&OPEN_REPLY)) else {
        return true;
    };
    match reply_len(reply) {
        Ok(len) => reply.len() < len.saturating_add(4),
        Err(_) => !body.ends_with(&CLOSE),
    }
}

fn unknown_block(actual: usize) -> RadioError {
    BlockError::Length { block: "realtime block", expected: 96, actual }.into()
}

fn find(bytes: &[u8], pair: [u8; 2]) -> Option<usize> {
    bytes.windows(2).position(|window| window == pair)
}

fn checked_address(address: &[u8]) -> Result<&str, RadioError> {
    let actual = address.len();
    if actual == 0 || actual > MAX_ADDRESS_LEN {
        return Err(RadioError::TextLength { field: "address", max: MAX_ADDRESS_LEN, actual });
    }
    let bad = address.iter().enumerate().find(|(_, byte)| !byte.is_ascii_graphic());
    if let Some((position, value)) = bad {
        return Err(RadioError::Text { field: "address", position, value: *value });
    }
    core::str::from_utf8(address).map_err(|_| RadioError::TextLength { field: "address", max: MAX_ADDRESS_LEN, actual })
}

/// Length of what stands between the inner brackets: by the byte count of a reply, else up to the closing bracket.
fn reply_len(rest: &[u8]) -> Result<usize, RadioError> {
    let to_bracket = find(rest, CLOSE_REPLY);
    match (rest, to_bracket) {
        (_, Some(0)) => Ok(0),
        ([b'u', b'n', ..], Some(2)) => Ok(2),
        ([_, READ_HOLDING, byte_count, ..], _) => {
            let len = usize::from(*byte_count).saturating_add(REPLY_OVERHEAD);
            if rest.len() < len {
                return Err(FrameError::TooShort { expected: len, actual: to_bracket.unwrap_or(rest.len()) }.into());
            }
            Ok(len)
        }
        (_, Some(len)) => Ok(len),
        (_, None) => Err(RadioError::Bracket { missing: "))" }),
    }
}

fn content(reply: &[u8]) -> Result<UploadContent<'_>, RadioError> {
    if reply.is_empty() {
        return Ok(UploadContent::Empty);
    }
    if reply == READ_FAILED {
        return Ok(UploadContent::ReadFailed);
    }
    let (unit, pdu) = rtu::open(reply)?;
    match pdu {
        [READ_HOLDING, byte_count, data @ ..] => {
            let expected = usize::from(*byte_count);
            if data.len() != expected || expected == 0 || !expected.is_multiple_of(2) {
                return Err(
                    FrameError::ByteCount { function: READ_HOLDING, expected: data.len(), actual: expected }.into()
                );
            }
            Ok(UploadContent::Registers { unit, data, frame: reply })
        }
        [function, ..] => Err(RadioError::InnerFunction { function: *function }),
        [] => Err(FrameError::TooShort { expected: REPLY_HEAD_LEN, actual: 0 }.into()),
    }
}
