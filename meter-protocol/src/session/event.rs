//! What comes out of a session.

use crate::wire::{EncodeError, Exception, Reply};
use thiserror::Error;

/// Identifies a transaction of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TransactionId(pub(crate) u32);

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Which transaction.
    pub id: TransactionId,
    /// How it ended.
    pub outcome: Outcome<'a>,
}

/// The four ends of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// The meter answered.
    Reply(Reply<'a>),
    /// The meter refused, or a gateway before it: [`Exception::may_have_acted`] says whether to read back.
    Exception(Exception),
    /// No byte of the request left. The meter can't have acted.
    NotTransmitted(NotTransmitted),
    /// The request left, wholly or in part, and no reply was taken. The meter may have acted.
    NoReply(NoReply),
}

/// Why nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotTransmitted {
    /// The caller cancelled in time.
    #[error("cancelled before transmission")]
    Cancelled,
    /// The link went down before.
    #[error("the link was down before transmission")]
    LinkDown,
    /// The line did not fall silent within the longest response time.
    #[error("the line did not fall silent")]
    LineBusy,
}

/// Why there is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NoReply {
    /// None came in time.
    #[error("no reply in time")]
    TimedOut,
    /// A tunnel confirmed that it has the write, without the meter's reply: see [`crate::session::Session::acknowledged`].
    #[error("acknowledged by the tunnel without the meter's reply")]
    Acknowledged,
    /// The caller stopped waiting.
    #[error("cancelled while waiting for the reply")]
    Cancelled,
    /// The link went down while waiting.
    #[error("the link went down while waiting for the reply")]
    LinkDown,
}

/// A request that a session does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// A transaction is under way, or its event has not been fetched.
    #[error("a transaction is under way")]
    Busy,
    /// The request can't be framed.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// What happened on the line beside replies. Each count stays at its largest value once there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Requests sent, with repetitions.
    pub transmitted: u32,
    /// Replies and exceptions taken.
    pub replies: u32,
    /// Waits that ended without a reply.
    pub timeouts: u32,
    /// Bytes thrown away: noise, foreign frames, echoes that differ, late replies.
    pub discarded_bytes: u32,
    /// Frames of the right start and length whose CRC or content did not fit.
    pub broken_frames: u32,
    /// Frames of an older transaction (Modbus/TCP).
    pub stale_frames: u32,
    /// Echoes of our own frame, whole or in part.
    pub echoes: u32,
    /// Echoes that differ from what was sent: somebody else was sending.
    pub collisions: u32,
}

pub(crate) fn count(counter: &mut u32, by: usize) {
    *counter = counter.saturating_add(u32::try_from(by).unwrap_or(u32::MAX));
}
