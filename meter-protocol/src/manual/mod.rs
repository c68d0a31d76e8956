//! The manual: three chapters to read in order. They hold no code but their examples, which are compiled.
//!
//! | Chapter | Answers |
//! |---|---|
//! | [`reading`] | what happens between "read unit 1" and a number that may be trusted? |
//! | [`sale`] | how is credit sold into a meter, exactly once? |
//! | [`bench`](mod@bench) | what must be done on a real meter before money or supply depends on it? |

#[doc = include_str!("reading.md")]
pub mod reading {}

#[doc = include_str!("sale.md")]
pub mod sale {}

#[doc = include_str!("bench.md")]
pub mod bench {}
