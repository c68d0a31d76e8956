//! What a reply must look like, kept after the request's data are gone.

use super::request::IdQuery;
use super::span::Span;
use super::{REPORT_ID, VENDOR_WRITE};

/// Bytes of a version reply as PDU: the tool takes 15 bytes with unit and CRC.
const VERSION_REPLY_PDU_LEN: usize = 12;

/// What a reply must look like: the request without its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expectation {
    /// Register contents of this run.
    Registers {
        /// 03H or 04H.
        function: u8,
        /// What was asked.
        span: Span,
    },
    /// Address and value (06H) or count (10H) as they were sent.
    Echo {
        /// 06H or 10H.
        function: u8,
        /// Address sent.
        address: u16,
        /// Value or count sent.
        value: u16,
    },
    /// An identification.
    Id(IdQuery),
    /// Any bytes after 20H or A0H: their meaning is not documented, so success is decided by reading back.
    Vendor {
        /// Window that was written.
        address: u16,
    },
}

/// How long the PDU of a reply is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReplyLen {
    /// Known from the request.
    Fixed(usize),
    /// Told by the byte after the function code.
    Counted,
    /// Ended by silence.
    Open,
}

impl Expectation {
    /// The function code asked.
    #[must_use]
    pub const fn function(&self) -> u8 {
        match self {
            Self::Registers { function, .. } | Self::Echo { function, .. } => *function,
            Self::Id(_) => REPORT_ID,
            Self::Vendor { .. } => VENDOR_WRITE,
        }
    }

    pub(crate) const fn reply_len(&self) -> ReplyLen {
        match self {
            Self::Registers { span, .. } => ReplyLen::Fixed(span.byte_count().saturating_add(2)),
            Self::Echo { .. } => ReplyLen::Fixed(5),
            Self::Id(IdQuery::AcrelVersion) => ReplyLen::Fixed(VERSION_REPLY_PDU_LEN),
            Self::Id(IdQuery::Standard) => ReplyLen::Counted,
            Self::Vendor { .. } => ReplyLen::Open,
        }
    }
}
