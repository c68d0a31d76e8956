//! `7B 7B | command | body | CRC | 7D 7D`. The CRC is that of Modbus over command and body, low byte first.

use super::RadioError;
use crate::wire::crc::crc16;

/// Longest body taken or sent. The longest known is an upload: serial 20, address up to 16, brackets 8, RTU frame 256.
pub const MAX_BODY_LEN: usize = 320;
/// Longest frame: [`MAX_BODY_LEN`] with enclosure, command and CRC.
pub const MAX_FRAME_LEN: usize = MAX_BODY_LEN + OVERHEAD;
/// Enclosure 4, command 1, CRC 2.
const OVERHEAD: usize = 7;
/// Shortest frame: one without body.
pub(super) const MIN_FRAME_LEN: usize = OVERHEAD;

pub(super) const HEAD: [u8; 2] = [0x7B, 0x7B];
pub(super) const TAIL: [u8; 2] = [0x7D, 0x7D];

/// What a frame is for. Names are those of the sources; 92H was seen and nobody says what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Command {
    /// 82H, set parameters. Its body is not documented, so it is not built.
    SetParameters,
    /// 84H, register, and its acknowledgement.
    Register,
    /// 88H, set the server. Its body is not documented, so it is not built.
    SetServer,
    /// 89H, alarm. Its body is not documented: it is handed on raw.
    Alarm,
    /// 90H, a Modbus frame, down and up.
    Transparent,
    /// 91H, unsolicited data, and its acknowledgement.
    Upload,
    /// 93H, time.
    Time,
    /// 94H, heartbeat.
    Heartbeat,
    /// 97H, a Modbus frame with an identifier of unknown layout: handed on raw.
    TaggedTransparent,
    /// Anything else.
    Other(u8),
}

impl Command {
    /// The command of a byte.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Self {
        match byte {
            0x82 => Self::SetParameters,
            0x84 => Self::Register,
            0x88 => Self::SetServer,
            0x89 => Self::Alarm,
            0x90 => Self::Transparent,
            0x91 => Self::Upload,
            0x93 => Self::Time,
            0x94 => Self::Heartbeat,
            0x97 => Self::TaggedTransparent,
            other => Self::Other(other),
        }
    }

    /// The byte on the wire.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::SetParameters => 0x82,
            Self::Register => 0x84,
            Self::SetServer => 0x88,
            Self::Alarm => 0x89,
            Self::Transparent => 0x90,
            Self::Upload => 0x91,
            Self::Time => 0x93,
            Self::Heartbeat => 0x94,
            Self::TaggedTransparent => 0x97,
            Self::Other(byte) => byte,
        }
    }
}

/// A frame whose enclosure and CRC are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    command: Command,
    body: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Checks a whole frame.
    ///
    /// ```
    /// use meter_protocol::uplink::radio::{Command, Frame};
    /// let acknowledgement = Frame::decode(&[0x7B, 0x7B, 0x84, 0xBF, 0x23, 0x7D, 0x7D])?;
    /// assert_eq!((acknowledgement.command(), acknowledgement.body()), (Command::Register, &[][..]));
    /// # Ok::<(), meter_protocol::uplink::radio::RadioError>(())
    /// ```
    ///
    /// # Errors
    /// [`RadioError::TooShort`], [`RadioError::TooLong`], [`RadioError::Enclosure`], [`RadioError::Crc`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, RadioError> {
        let actual = bytes.len();
        if actual > MAX_FRAME_LEN {
            return Err(RadioError::TooLong { max: MAX_FRAME_LEN, actual });
        }
        if actual < MIN_FRAME_LEN {
            return Err(RadioError::TooShort { expected: MIN_FRAME_LEN, actual });
        }
        let inner = bytes.strip_prefix(&HEAD).and_then(|rest| rest.strip_suffix(&TAIL)).ok_or(RadioError::Enclosure)?;
        let Some((covered, crc)) = inner.split_last_chunk::<2>() else { return Err(RadioError::Enclosure) };
        let (expected, actual) = (crc16(covered), u16::from_le_bytes(*crc));
        if expected != actual {
            return Err(RadioError::Crc { expected, actual });
        }
        match covered {
            [command, body @ ..] => Ok(Self { command: Command::from_byte(*command), body }),
            [] => Err(RadioError::Enclosure),
        }
    }

    /// What the frame is for.
    #[must_use]
    pub const fn command(&self) -> Command {
        self.command
    }

    /// The bytes between command and CRC.
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }
}

/// Writes a frame whose body is the given parts one after another. Private to this crate: a body is checked by whoever
/// calls this.
pub(crate) fn encode<'b>(command: Command, parts: &[&[u8]], buf: &'b mut [u8]) -> Result<&'b [u8], RadioError> {
    let body_len = parts.iter().fold(0_usize, |sum, part| sum.saturating_add(part.len()));
    if body_len > MAX_BODY_LEN {
        return Err(RadioError::TooLong { max: MAX_BODY_LEN, actual: body_len });
    }
    let needed = body_len.saturating_add(OVERHEAD);
    let available = buf.len();
    let frame = buf.get_mut(..needed).ok_or(RadioError::BufferTooSmall { needed, available })?;
    let head = HEAD.into_iter().chain([command.byte()]);
    let body = parts.iter().flat_map(|part| part.iter().copied());
    for (to, from) in frame.iter_mut().zip(head.chain(body)) {
        *to = from;
    }
    let crc_at = needed.saturating_sub(4);
    let crc = crc16(frame.get(2..crc_at).unwrap_or_default());
    let end = crc.to_le_bytes().into_iter().chain(TAIL);
    for (to, from) in frame.iter_mut().skip(crc_at).zip(end) {
        *to = from;
    }
    Ok(frame)
}
