//! What is inside the frames: Part 2 of `docs/sealed-frame.md`. Parsed from the payload without copying, emitted into the
//! caller's buffer.
//!
//! Every message has an id. A message that wants an answer is sent again with the same id until it is acknowledged (or,
//! for a command, answered); whoever receives the same id twice answers again and does nothing again.
//!
//! ```
//! use meter_protocol::acrel::{MeterNumber, Purchase};
//! use meter_protocol::seal::message::{Command, Envelope, Message, MessageId, MeterRef, Order};
//! let meter = MeterRef { line: 1, unit: 7, number: "202603050012".parse()? };
//! let order = Order::Sale { amount_minor: 100_00, count_before: 11 };
//! let command = Command { meter, not_after_utc_s: 1_772_719_650, order };
//! let envelope = Envelope { id: MessageId([9; 16]), message: Message::Command(command) };
//! let mut buf = [0; 1024];
//! let payload = envelope.emit(&mut buf)?;
//! assert_eq!(Envelope::parse(payload)?, envelope);
//! let Order::Sale { amount_minor, count_before } = order else { unreachable!() };
//! assert_eq!(Purchase::new(amount_minor, count_before)?.count(), 12);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod codec;
mod command;
mod error;
mod report;
mod result;

use super::MAX_PAYLOAD_LEN;
use crate::acrel::MeterNumber;
use codec::{Reader, Writer};
use core::fmt;

pub use command::{Command, Order, SettingsOrder};
pub use error::MessageError;
pub use report::{LineStatus, MeterLink, MeterStatus, Online, RegisterBlock, Snapshot};
pub use result::{CommandResult, Outcome, RefusalReason};

/// Version of the encoding, byte 0 of each payload.
pub const MESSAGE_VERSION: u8 = 1;
/// Ids in one acknowledgement.
pub const MAX_ACK_IDS: usize = 32;
/// Bytes of registers in one block: 125 registers.
pub const MAX_BLOCK_LEN: usize = 250;
/// Bytes of the text that names a collector's software.
pub const MAX_SOFTWARE_LEN: usize = 64;
/// After how long without an acknowledgement a message is sent again, in seconds. Doubled each time.
pub const RESEND_AFTER_S: u32 = 5;
/// The longest wait between two copies, in seconds.
pub const MAX_RESEND_AFTER_S: u32 = 300;

/// How long to wait for an acknowledgement before the next copy, in seconds, once so many copies were sent.
///
/// ```
/// use meter_protocol::seal::message::resend_after_s;
/// assert_eq!([1, 2, 3, 7, 8, 1_000].map(resend_after_s), [5, 10, 20, 300, 300, 300]);
/// ```
#[must_use]
pub const fn resend_after_s(copies_sent: u32) -> u32 {
    let doublings = copies_sent.saturating_sub(1);
    let wait_s = match 1_u32.checked_shl(doublings) {
        Some(factor) => RESEND_AFTER_S.saturating_mul(factor),
        None => MAX_RESEND_AFTER_S,
    };
    if wait_s < MAX_RESEND_AFTER_S { wait_s } else { MAX_RESEND_AFTER_S }
}

const _: () = assert!(18 + 2 + MAX_ACK_IDS * 16 <= MAX_PAYLOAD_LEN, "the longest acknowledgement fits a frame");

/// Names a message for good: never used for another, by nobody. Sixteen random bytes, or a number of the sender's own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "sixteen bytes")]
pub struct MessageId(pub [u8; 16]);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({self})")
    }
}

/// Which meter: where it hangs, and the number that it must show there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "built by the caller")]
pub struct MeterRef {
    /// The collector's line.
    pub line: u8,
    /// The unit on that line, 1 to 247.
    pub unit: u8,
    /// The meter's number. A collector refuses a command when another meter answers there.
    pub number: MeterNumber,
}

/// A message with its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "built by the caller")]
pub struct Envelope<'a> {
    /// Its id.
    pub id: MessageId,
    /// What it says.
    pub message: Message<'a>,
}

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message<'a> {
    /// 1, up: the first message of a collector on each session.
    Online(Online<'a>),
    /// 2, up: registers of a meter as they were read.
    Snapshot(Snapshot<'a>),
    /// 3, up: whether a meter answers.
    MeterStatus(MeterStatus),
    /// 4, up: the state of a line.
    LineStatus(LineStatus),
    /// 5, up: what became of a command.
    Result(CommandResult<'a>),
    /// 6, both ways: messages that are durable at the receiver.
    Ack(Ack<'a>),
    /// 7, down: do this to a meter.
    Command(Command),
}

/// Messages that are durable at the receiver and need not be sent again. It is not acknowledged itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "built by the caller")]
pub struct Ack<'a> {
    /// Their ids, 1 to [`MAX_ACK_IDS`].
    pub ids: &'a [[u8; 16]],
}

impl<'a> Envelope<'a> {
    /// Parses a payload.
    ///
    /// # Errors
    /// [`MessageError`]. The frame was authentic all the same: count it, do not close.
    pub fn parse(payload: &'a [u8]) -> Result<Self, MessageError> {
        let mut reader = Reader::new(payload);
        let version = reader.byte()?;
        if version != MESSAGE_VERSION {
            return Err(MessageError::Version { version });
        }
        let kind = reader.byte()?;
        let id = MessageId(reader.array()?);
        let message = match kind {
            1 => Message::Online(Online::read(&mut reader)?),
            2 => Message::Snapshot(Snapshot::read(&mut reader)?),
            3 => Message::MeterStatus(MeterStatus::read(&mut reader)?),
            4 => Message::LineStatus(LineStatus::read(&mut reader)?),
            5 => Message::Result(CommandResult::read(&mut reader)?),
            6 => Message::Ack(Ack::read(&mut reader)?),
            7 => Message::Command(Command::read(id, &mut reader)?),
            _ => return Err(MessageError::Kind { kind, id }),
        };
        reader.end()?;
        Ok(Self { id, message })
    }

    /// Writes the payload and returns its bytes.
    ///
    /// # Errors
    /// [`MessageError::BufferTooSmall`], [`MessageError::Value`].
    pub fn emit<'o>(&self, out: &'o mut [u8]) -> Result<&'o [u8], MessageError> {
        let mut writer = Writer::new(out);
        let kind = match self.message {
            Message::Online(_) => 1,
            Message::Snapshot(_) => 2,
            Message::MeterStatus(_) => 3,
            Message::LineStatus(_) => 4,
            Message::Result(_) => 5,
            Message::Ack(_) => 6,
            Message::Command(_) => 7,
        };
        writer.bytes(&[MESSAGE_VERSION, kind])?;
        writer.bytes(&self.id.0)?;
        match &self.message {
            Message::Online(online) => online.write(&mut writer)?,
            Message::Snapshot(snapshot) => snapshot.write(&mut writer)?,
            Message::MeterStatus(status) => status.write(&mut writer)?,
            Message::LineStatus(status) => status.write(&mut writer)?,
            Message::Result(result) => result.write(&mut writer)?,
            Message::Ack(ack) => ack.write(&mut writer)?,
            Message::Command(command) => command.write(&mut writer)?,
        }
        Ok(writer.finish())
    }
}

impl<'a> Ack<'a> {
    /// The ids.
    pub fn iter(&self) -> impl Iterator<Item = MessageId> + 'a {
        self.ids.iter().copied().map(MessageId)
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, MessageError> {
        let count = reader.byte()?;
        codec::in_range("acknowledged ids", count.into(), 1, MAX_ACK_IDS as u64)?;
        let bytes = reader.slice(usize::from(count).saturating_mul(16))?;
        Ok(Self { ids: bytes.as_chunks().0 })
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), MessageError> {
        codec::in_range("acknowledged ids", self.ids.len() as u64, 1, MAX_ACK_IDS as u64)?;
        writer.bytes(&[u8::try_from(self.ids.len()).unwrap_or(u8::MAX)])?;
        writer.bytes(self.ids.as_flattened())
    }
}

impl MeterRef {
    fn read(reader: &mut Reader<'_>) -> Result<Self, MessageError> {
        let [line, unit] = reader.array()?;
        codec::in_range("unit", unit.into(), 1, 247)?;
        let number = MeterNumber::from_bcd(reader.array()?);
        Ok(Self { line, unit, number: number.map_err(|_| MessageError::MeterNumber)? })
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), MessageError> {
        codec::in_range("unit", self.unit.into(), 1, 247)?;
        writer.bytes(&[self.line, self.unit])?;
        writer.bytes(&self.number.to_bcd())
    }
}
