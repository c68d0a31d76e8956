#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
// The library never panics and never loses a digit. Tests may.
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

extern crate alloc;

pub mod account;
mod bend;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod cosem;
pub mod credit;
pub mod day;
pub mod debt;
pub mod export;
pub mod finding;
pub mod history;
pub mod id;
pub mod ledger;
pub mod load;
pub mod money;
pub mod persist;
pub mod reading;
pub mod reconcile;
pub mod refund;
pub mod relay;
pub mod sale;
pub mod series;
pub mod settlement;
#[cfg(feature = "sim")]
pub mod sim;
pub mod status;
pub mod time;
