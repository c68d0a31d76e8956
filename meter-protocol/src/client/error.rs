//! How a transaction can fail, and what each failure says about the meter. `S` is the error of what carries the bytes.

use crate::acrel::{BlockError, BuildError};
use crate::bus::JobOutcome;
use crate::map::FieldError;
use crate::session::{NoReply, NotTransmitted};
use crate::wire::{EncodeError, Exception, RequestError};
use thiserror::Error;

/// A transaction without a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TransactError<S> {
    /// The request can't be framed. Nothing was sent.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// No byte left. The meter can't have acted.
    #[error("not transmitted: {reason}")]
    NotTransmitted {
        /// Why.
        reason: NotTransmitted,
        /// The error of what carries the bytes, if it was that.
        source: Option<S>,
    },
    /// The request left, wholly or in part, and no reply was taken. The meter may have acted: read back.
    #[error("transmitted without a reply: {reason}")]
    NoReply {
        /// Why.
        reason: NoReply,
        /// The error of what carries the bytes, if it was that.
        source: Option<S>,
    },
    /// The meter refused, or a gateway before it.
    #[error("{0}")]
    Exception(Exception),
}

impl<S> TransactError<S> {
    /// Whether the meter may have acted on the request, so that a write must be read back.
    #[must_use]
    pub fn may_have_acted(&self) -> bool {
        match self {
            Self::NoReply { .. } => true,
            Self::Exception(exception) => exception.may_have_acted(),
            Self::Encode(_) | Self::NotTransmitted { .. } => false,
        }
    }

    /// What to report to a [`crate::bus::Bus`]: a link that failed says nothing about the meter, a gateway's exception
    /// says that it did not answer.
    #[must_use]
    pub fn job_outcome(&self) -> JobOutcome {
        match self {
            Self::Exception(exception) if !exception.is_of_gateway() => JobOutcome::Answered,
            // The far end of the tunnel is the meter's own radio.
            Self::NoReply { reason: NoReply::Acknowledged, .. } => JobOutcome::Answered,
            Self::Exception(_) | Self::NoReply { reason: NoReply::TimedOut, .. } => JobOutcome::NoReply,
            Self::Encode(_) | Self::NotTransmitted { .. } | Self::NoReply { .. } => JobOutcome::NotTransmitted,
        }
    }
}

/// A typed call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MeterError<S> {
    /// The transaction failed.
    #[error(transparent)]
    Transact(#[from] TransactError<S>),
    /// The registers that came are not the block.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// The field can't be read from what came, or the write of the field is not built.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The write is not built. Nothing was sent.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The read is not built. Nothing was sent.
    #[error(transparent)]
    Request(#[from] RequestError),
}

impl<S> MeterError<S> {
    /// Whether the meter may have acted on the request, so that a write must be read back.
    #[must_use]
    pub fn may_have_acted(&self) -> bool {
        matches!(self, Self::Transact(error) if error.may_have_acted())
    }

    /// What to report to a [`crate::bus::Bus`]: a block that can't be read was an answer all the same.
    #[must_use]
    pub fn job_outcome(&self) -> JobOutcome {
        match self {
            Self::Transact(error) => error.job_outcome(),
            Self::Block(_) | Self::Field(_) => JobOutcome::Answered,
            Self::Build(_) | Self::Request(_) => JobOutcome::NotTransmitted,
        }
    }
}
