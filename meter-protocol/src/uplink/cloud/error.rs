//! What can be wrong with a topic or document.

use super::topic::MAX_NAME_LEN;
use super::update::{MAX_DOCUMENT_LEN, MAX_VALUES};
use crate::uplink::ExactError;
use std::string::String;
use thiserror::Error;

/// A topic or document that is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CloudError {
    /// The topic is not one of these meters.
    #[error("not a topic of these meters")]
    Topic,
    /// A product key or serial is not made of 1 to 64 letters, digits, `-` and `_`.
    #[error("a name is not 1 to {MAX_NAME_LEN} letters, digits, '-' or '_'")]
    Name,
    /// The document is too long.
    #[error("{len} bytes, a document has at most {MAX_DOCUMENT_LEN}")]
    TooLong {
        /// Bytes that came.
        len: usize,
    },
    /// The document is no JSON object as these meters send it.
    #[error("not a document of these meters")]
    Json,
    /// More values than a document has.
    #[error("more than {MAX_VALUES} values")]
    TooMany,
    /// A value is no decimal number.
    #[error("{field}: {error}")]
    Number {
        /// Which value.
        field: String,
        /// What is wrong.
        error: ExactError,
    },
    /// A value is outside its range.
    #[error("{field} is outside 0..={max}")]
    Range {
        /// Which value.
        field: String,
        /// Largest allowed.
        max: u16,
    },
}
