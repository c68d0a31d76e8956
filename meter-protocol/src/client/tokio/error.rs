//! How a transaction over a stream can fail, and what each failure says about the meter.

use crate::acrel::{BlockError, BuildError};
use crate::session::{NoReply, NotTransmitted};
use crate::wire::{EncodeError, Exception, RequestError};
use std::io;
use thiserror::Error;

/// A transaction without a reply.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TransactError {
    /// The request can't be framed. Nothing was sent.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// No byte left. The meter can't have acted.
    #[error("not transmitted: {reason}")]
    NotTransmitted {
        /// Why.
        reason: NotTransmitted,
        /// The error of the stream, if it was that.
        source: Option<io::Error>,
    },
    /// The request left, wholly or in part, and no reply was taken. The meter may have acted: read back.
    #[error("transmitted without a reply: {reason}")]
    NoReply {
        /// Why.
        reason: NoReply,
        /// The error of the stream, if it was that.
        source: Option<io::Error>,
    },
    /// The meter refused. It understood the request and did nothing.
    #[error("{0}")]
    Exception(Exception),
}

impl TransactError {
    /// Whether the meter may have acted on the request, so that a write must be read back.
    #[must_use]
    pub const fn may_have_acted(&self) -> bool {
        matches!(self, Self::NoReply { .. })
    }
}

/// A typed call that failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MeterError {
    /// The transaction failed.
    #[error(transparent)]
    Transact(#[from] TransactError),
    /// The registers that came are not the block.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// The write is not built. Nothing was sent.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The read is not built. Nothing was sent.
    #[error(transparent)]
    Request(#[from] RequestError),
}

impl MeterError {
    /// Whether the meter may have acted on the request, so that a write must be read back.
    #[must_use]
    pub const fn may_have_acted(&self) -> bool {
        matches!(self, Self::Transact(error) if error.may_have_acted())
    }
}
