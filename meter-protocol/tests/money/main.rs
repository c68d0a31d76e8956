//! Master and virtual meter joined where money moves: every pair of what the client believes and what the meter does,
//! and a power cut at every byte. The two sides share no code, so they only agree where two readings of the documents do.
#![cfg(feature = "virtual-meter")]
#![allow(clippy::disallowed_methods, reason = "tests may panic")]

mod beliefs;
mod read_back;
mod rig;
