//! What goes wrong on a sealed link. Nothing here names a secret, and nothing tells a peer why it was refused.

use super::{MAX_KEYS, MAX_PAYLOAD_LEN, Suite};
use thiserror::Error;

/// A key that is not taken. Key bytes are never shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The wrong number of bytes.
    #[error("a key of suite {} has {expected} bytes, {actual} were given", suite.code())]
    Length {
        /// Of this suite.
        suite: Suite,
        /// Bytes it needs.
        expected: usize,
        /// Bytes given.
        actual: usize,
    },
    /// A weak or semi-weak DES key among the three, parity bits masked.
    #[error("one of the three DES keys is weak")]
    Weak,
    /// Two of the three DES keys are equal with parity bits masked: single or two-key 3DES.
    #[error("two of the three DES keys are equal")]
    TwoKey,
    /// All bytes are the same.
    #[error("all bytes of the key are the same")]
    Degenerate,
    /// A key of this id is there already.
    #[error("key id {key_id} is there already")]
    Duplicate {
        /// The id.
        key_id: u8,
    },
    /// The peer has no key of this id.
    #[error("there is no key with id {key_id}")]
    Absent {
        /// The id.
        key_id: u8,
    },
    /// The keys of a peer are all of one suite.
    #[error("the peer uses suite {}, the key is for suite {}", expected.code(), actual.code())]
    OtherSuite {
        /// What the peer uses.
        expected: Suite,
        /// What the key is for.
        actual: Suite,
    },
    /// No place for one more.
    #[error("a peer has at most {MAX_KEYS} keys at a time")]
    Full,
    /// This build lacks the suite.
    #[error("suite {} is not built in", suite.code())]
    NotBuilt {
        /// The suite.
        suite: Suite,
    },
}

/// A header that is not one of this link. Nothing was done under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// Fewer bytes than a header, or not as many as the header says.
    #[error("{actual} bytes where the frame has {expected}")]
    Length {
        /// What is due.
        expected: usize,
        /// What is there.
        actual: usize,
    },
    /// Another version of the format.
    #[error("version {version} is unknown")]
    Version {
        /// Byte 0.
        version: u8,
    },
    /// An unknown suite, or not that of the peer.
    #[error("suite {suite} is not expected")]
    Suite {
        /// Byte 1.
        suite: u8,
    },
    /// An unknown kind, or one that is not expected now, or the wrong direction.
    #[error("kind {kind:#04x} is not expected")]
    Kind {
        /// Byte 2.
        kind: u8,
    },
    /// A key id of which there is no key.
    #[error("key id {key_id} is not expected")]
    KeyId {
        /// Byte 3.
        key_id: u8,
    },
    /// A payload longer than [`MAX_PAYLOAD_LEN`], or not that of a set-up frame.
    #[error("a payload of {len} bytes, at most {MAX_PAYLOAD_LEN} are allowed")]
    PayloadLength {
        /// Bytes 4 and 5.
        len: u16,
    },
    /// Another session.
    #[error("another session")]
    Session,
}

/// A payload that is not sealed. The sender's state is as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SealError {
    /// More than [`MAX_PAYLOAD_LEN`].
    #[error("a payload of {len} bytes, at most {MAX_PAYLOAD_LEN} are allowed")]
    PayloadTooLong {
        /// Bytes given.
        len: usize,
    },
    /// `out` is too short.
    #[error("the frame needs {needed} bytes, {available} are available")]
    BufferTooSmall {
        /// Bytes of the frame.
        needed: usize,
        /// Bytes of `out`.
        available: usize,
    },
    /// The reserved counters are used up: store the next record, commit it, seal again.
    #[error("the reserved counters are used up")]
    Reserve,
    /// The last epoch is used up: set up a new session.
    #[error("the session is used up")]
    Exhausted,
}

/// A frame that is not opened. `out` is as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Not a frame of this link, by what everybody can read.
    #[error("not a frame of this link: {0}")]
    Header(#[from] HeaderError),
    /// Refused. Tag, epoch, replay and padding all give this one value; [`super::SealCounters`] tell them apart locally.
    #[error("refused")]
    Refused,
    /// The frame is authentic and new, and its mark is not stored yet: store the next record, commit it, open again.
    #[error("the mark of the frame is not stored")]
    Store,
    /// `out` is too short.
    #[error("the payload needs {needed} bytes, {available} are available")]
    BufferTooSmall {
        /// Bytes of the payload.
        needed: usize,
        /// Bytes of `out`.
        available: usize,
    },
}

/// A session that is not set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SetupError {
    /// Not a set-up frame for this peer.
    #[error("not a set-up frame of this peer: {0}")]
    Header(#[from] HeaderError),
    /// The tag does not fit, or the set-up belongs to another attempt.
    #[error("refused")]
    Refused,
    /// The peer has no key.
    #[error("the peer has no key")]
    NoKey,
}

/// A stored session that is not resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Not written by this peer's key, torn, or altered.
    #[error("the stored session is not authentic")]
    Refused,
    /// Its key is no longer there.
    #[error("the stored session uses key id {key_id}, which is no longer there")]
    KeyId {
        /// The id.
        key_id: u8,
    },
    /// A session over a stream, which ends with its connection.
    #[error("a session over a stream is not stored")]
    Stream,
    /// An older record than the one in force.
    #[error("an older record than the one in force")]
    Older,
}
