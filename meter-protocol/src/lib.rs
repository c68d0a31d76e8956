//! Modbus RTU for Acrel DTSY1352 and DDSY1352 prepaid meters: frames, register maps, sessions. no_std, sans-IO, no allocation.
//!
//! | Module | Answers |
//! |---|---|
//! | [`wire`] | what bytes make a frame, and does this frame answer that request? |
//! | [`map`] | where does a quantity stand, and how sure is that? |
//! | [`acrel`] | what do these registers mean, and how is a sale, a setting or a switch written? |
//! | [`plan`] | which reads cost this line least? |
//! | [`session`] | what do I send next, when do I give up, and which reply is mine? |
//! | [`bus`] | whose turn is it on this line, and who is silent? |
//! | [`uplink`] | how do meters and gateways talk that dial in over a network? |
//! | `seal` | the sealed link between collector and station: frames, sessions, messages (feature) |
//! | `client` | drivers of the session (features) |
//! | [`manual`] | how does a reading work, how a sale, and what must be done on a real meter first? |
//! | `virtual_meter` | a meter in software, and a line with faults (feature) |
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
// The library never panics and never loses a digit. Tests may.
#![cfg_attr(test, allow(clippy::disallowed_methods))]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::arithmetic_side_effects,
        clippy::float_arithmetic,
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        clippy::disallowed_methods,
    )
)]

#[cfg(feature = "virtual-meter")]
extern crate alloc;
#[cfg(any(test, feature = "tokio", feature = "tokio-modbus-017", feature = "uplink-gateway", feature = "uplink-json"))]
extern crate std;

pub mod acrel;
pub mod bus;
#[cfg(any(
    feature = "tokio",
    feature = "tokio-modbus-017",
    feature = "embedded-io-07",
    feature = "embedded-io-async-07"
))]
pub mod client;
pub mod manual;
pub mod map;
pub mod plan;
#[cfg(feature = "seal")]
pub mod seal;
pub mod session;
pub mod uplink;
#[cfg(feature = "virtual-meter")]
pub mod virtual_meter;
pub mod wire;

/// The examples of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct ReadmeExamples;
