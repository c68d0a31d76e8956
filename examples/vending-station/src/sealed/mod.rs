//! The sealed link to area collectors, on both ends: orders go down, evidence comes up. `meter-protocol`'s `seal` makes the
//! frames and the messages; here they meet the seam of [`crate::collect::order`].

pub mod collector;
mod copies;
pub mod door;
pub mod gate;
mod guard;
pub mod journal;
pub mod keys;
mod notices;
mod offset;
pub(crate) mod peer;
mod pump;
pub mod settings;
mod setups;
mod spool;
mod wire;
