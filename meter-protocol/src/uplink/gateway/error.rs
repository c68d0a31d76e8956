//! What can be wrong with what a gateway sends.

use super::frame::MAX_DATA_LEN;
use crate::acrel::ClockError;
use crate::session::SubmitError;
use crate::uplink::{ExactError, ForwardError};
use crate::wire::FrameError;
use std::string::String;
use thiserror::Error;

/// A frame, document or call that is not taken. Errors of the cipher say nothing about the plain text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// The header announces more data than are taken.
    #[error("{len} bytes of data announced, the limit is {MAX_DATA_LEN}")]
    TooLong {
        /// Announced.
        len: u64,
    },
    /// A packet type that a gateway does not send.
    #[error("packet type {0:02X}H is not one of a gateway")]
    PacketType(u8),
    /// The secret has not 16 bytes.
    #[error("the device secret has {len} bytes instead of 16")]
    SecretLength {
        /// Bytes given.
        len: usize,
    },
    /// The data can't be deciphered.
    #[error("the data can't be deciphered")]
    Cipher,
    /// The data can't be inflated, or are longer than the limit then.
    #[error("the data can't be inflated to at most {MAX_DATA_LEN} bytes")]
    Inflate,
    /// The data are no text.
    #[error("the data are no UTF-8 text")]
    Text,
    /// The text is no XML that is taken: document types and unknown entities are refused.
    #[error("no acceptable XML: {0}")]
    Xml(&'static str),
    /// The document has more elements, or nests deeper, than a gateway's.
    #[error("the document has more than {max} {what}")]
    TooLarge {
        /// Elements or levels.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// An element is missing.
    #[error("element {0} is missing")]
    Missing(&'static str),
    /// A value of an attribute or element is none of the known ones.
    #[error("{field} is {value:?}")]
    Value {
        /// Which.
        field: &'static str,
        /// What came, at most 40 characters of it.
        value: String,
    },
    /// A time that does not exist.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// A reading that is no decimal number.
    #[error("reading {id:?}: {error}")]
    Reading {
        /// Function id.
        id: String,
        /// What is wrong.
        error: ExactError,
    },
    /// A forwarding text is not `PPAAA|hex`.
    #[error("the forwarding is not a port, an address, a bar and hexadecimal digits")]
    Forwarding,
    /// Port above 99 or unit outside 1 to 247.
    #[error("port {port}, unit {unit}: ports are 0 to 99, units 1 to 247")]
    Meter {
        /// Port.
        port: u8,
        /// Unit.
        unit: u8,
    },
    /// The RTU frame inside is none.
    #[error("the frame inside: {0}")]
    Inner(#[from] FrameError),
    /// The frame is not passed on.
    #[error(transparent)]
    Forward(#[from] ForwardError),
    /// The request was not taken.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The gateway has not proved that it knows its secret.
    #[error("the gateway is not authenticated")]
    NotAuthenticated,
    /// An answer waits to be sent.
    #[error("an answer waits to be sent")]
    AnswerPending,
}
