//! What the targets share: a tape of choices, requests made from it, and a CRC of their own.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod request;
mod tape;

pub use request::{Asked, answers, crc16_bitwise};
pub use tape::Tape;
