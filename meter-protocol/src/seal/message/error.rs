//! Payloads that are no messages.

use super::{MessageId, MeterRef};
use thiserror::Error;

/// A payload that is no message, or a message that can't be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Another version of the encoding.
    #[error("message version {version} is unknown")]
    Version {
        /// Byte 0.
        version: u8,
    },
    /// A kind of a later version. It is counted; nobody can know what would be an answer.
    #[error("message kind {kind} is unknown")]
    Kind {
        /// Byte 1.
        kind: u8,
        /// The message.
        id: MessageId,
    },
    /// A command with an order of a later version. A collector answers it with [`super::RefusalReason::Unsupported`].
    #[error("order {order} is unknown")]
    Order {
        /// Its code.
        order: u8,
        /// The command.
        id: MessageId,
        /// The meter that it is for.
        meter: MeterRef,
    },
    /// The payload ends within a field.
    #[error("the message ends too early")]
    Truncated,
    /// Bytes after the message.
    #[error("{len} bytes after the message")]
    Trailing {
        /// How many.
        len: usize,
    },
    /// A field out of its range.
    #[error("{field}: {value} is not within {min} to {max}")]
    Value {
        /// The field.
        field: &'static str,
        /// What it holds.
        value: u64,
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
    },
    /// A half byte of a meter number that is no digit.
    #[error("the meter number holds more than decimal digits")]
    MeterNumber,
    /// A text that is not UTF-8.
    #[error("the name of the software is no text")]
    Text,
    /// The buffer is too short.
    #[error("the message needs more than {available} bytes")]
    BufferTooSmall {
        /// Bytes of the buffer.
        available: usize,
    },
}
