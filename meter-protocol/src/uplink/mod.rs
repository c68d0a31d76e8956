//! Uplinks: meters and gateways that dial in over a network and carry Modbus inside frames of their own.
//!
//! | Module | Holds |
//! |---|---|
//! | [`radio`] | 4G meters over TCP: `7B 7B … 7D 7D` |
//! | `gateway` | area gateways over TCP: XML with AES bodies (feature `uplink-gateway`) |
//! | `cloud` | -IOT meters over MQTT: JSON documents (feature `uplink-json`) |
//!
//! # Factory functions
//! What is passed on to a meter is a [`crate::wire::Request`], built by this crate or parsed by [`forwardable`]. Neither
//! can be a factory function, and no public function of these modules wraps bytes that were not looked at.

#[cfg(feature = "uplink-json")]
pub mod cloud;
#[cfg(feature = "uplink-gateway")]
pub mod gateway;
pub mod radio;

mod exact;
mod forward;

pub use exact::{ExactError, MAX_DIGITS, parse_exact};
pub use forward::{ForwardError, forwardable};
