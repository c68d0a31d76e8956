//! The sealed link to area collectors, on both ends: orders go down, evidence comes up. `meter-protocol`'s `seal` makes the
//! frames and the messages; here they meet the seam of [`crate::collect::order`].

pub mod collector;
pub mod door;
pub mod gate;
pub mod journal;
pub mod keys;
pub(crate) mod peer;
mod pump;
pub mod settings;
mod spool;
mod wire;
