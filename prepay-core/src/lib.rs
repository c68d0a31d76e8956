//! Prepaid electricity accounts: double-entry ledger, sales closed by meter evidence, balance, alarm and relay state machines. no_std, deterministic.
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
