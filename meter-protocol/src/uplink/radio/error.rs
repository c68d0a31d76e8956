//! What can be wrong with a frame of a 4G meter.

use crate::acrel::{BlockError, ClockError};
use crate::uplink::ForwardError;
use crate::wire::{EncodeError, FrameError};
use thiserror::Error;

/// A frame or body that can't be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RadioError {
    /// Fewer bytes than any frame has.
    #[error("the frame needs {expected} bytes, {actual} came")]
    TooShort {
        /// Bytes of the shortest frame.
        expected: usize,
        /// Bytes present.
        actual: usize,
    },
    /// More bytes than a frame may have.
    #[error("{actual} bytes, the limit is {max}")]
    TooLong {
        /// The limit.
        max: usize,
        /// Bytes present.
        actual: usize,
    },
    /// The frame does not start with 7B 7B or end with 7D 7D.
    #[error("the frame is not enclosed in 7B 7B and 7D 7D")]
    Enclosure,
    /// The CRC over command and body does not fit.
    #[error("CRC {actual:04X}H does not fit, {expected:04X}H was computed")]
    Crc {
        /// Computed over command and body.
        expected: u16,
        /// Found in the frame.
        actual: u16,
    },
    /// The body is shorter or longer than the command's.
    #[error("command {command:02X}H: the body has {actual} bytes instead of {expected}")]
    BodyLength {
        /// Command byte.
        command: u8,
        /// Bytes of the command's body.
        expected: usize,
        /// Bytes present.
        actual: usize,
    },
    /// A text has a byte that is no printable ASCII, or goes on after its padding.
    #[error("{field}: byte {value:02X}H at position {position} is no text")]
    Text {
        /// Which text.
        field: &'static str,
        /// Position of the byte, from 0.
        position: usize,
        /// The byte.
        value: u8,
    },
    /// A text is empty or longer than its field.
    #[error("{field}: {actual} characters, allowed are 1..={max}")]
    TextLength {
        /// Which text.
        field: &'static str,
        /// Longest allowed.
        max: usize,
        /// Characters present.
        actual: usize,
    },
    /// An upload lacks one of its brackets.
    #[error("upload without {missing:?}")]
    Bracket {
        /// The bracket that is missing.
        missing: &'static str,
    },
    /// An upload goes on after its closing bracket.
    #[error("upload with {len} bytes after its end")]
    Trailing {
        /// Bytes after `]]`.
        len: usize,
    },
    /// The Modbus frame inside is not one.
    #[error("the frame inside: {0}")]
    Inner(#[from] FrameError),
    /// The Modbus frame inside is not a reply to a read of holding registers.
    #[error("the frame inside has function {function:02X}H instead of 03H")]
    InnerFunction {
        /// Function byte found.
        function: u8,
    },
    /// The block inside is none that is known.
    #[error("the block inside: {0}")]
    Block(#[from] BlockError),
    /// A time that does not exist.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// The weekday does not belong to the date.
    #[error("weekday {actual} on a date of weekday {expected} (Sunday 0)")]
    Weekday {
        /// Weekday of the date.
        expected: u8,
        /// Weekday in the frame.
        actual: u8,
    },
    /// The caller's buffer is too small.
    #[error("the frame needs {needed} bytes, the buffer has {available}")]
    BufferTooSmall {
        /// Bytes needed.
        needed: usize,
        /// Length of the buffer.
        available: usize,
    },
    /// The Modbus frame inside can't be written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The frame inside is not passed on.
    #[error(transparent)]
    Forward(#[from] ForwardError),
}
