//! What the targets share: a tape of choices, requests made from it, and a CRC of their own.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod meter;
mod request;
mod tape;
mod text;

pub use meter::Meter;
pub use request::{Asked, answers, confirmed, crc16_bitwise};
pub use tape::Tape;
pub use text::mutate_words;
