//! Uplinks: meters and gateways that dial in over a network and carry Modbus inside frames of their own.
//!
//! | Module | Holds |
//! |---|---|
//! | [`radio`] | 4G meters over TCP: `7B 7B … 7D 7D` |
//!
//! # Factory functions
//! What is passed on to a meter is a [`crate::wire::Request`], built by this crate or parsed by [`forwardable`]. Neither
//! can be a factory function, and no public function of these modules wraps bytes that were not looked at.

pub mod radio;

mod forward;

pub use forward::{ForwardError, forwardable};
