//! Exact electricity bills: flat, time-of-use and tiered tariffs, explained line by line. no_std.
//!
//! A [`Tariff`] is a document (TOML, JSON; decimals as strings). [`Tariff::compile`] checks it once. A [`RunningBill`] takes usage,
//! as [`Interval`]s, [`Series`] or differences of a meter's rate registers ([`RateUsage`]), and settles into a [`Bill`].
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

mod bill;
mod calendar;
mod compile;
mod exact;
pub mod import;
mod inverse;
pub mod limits;
pub mod on_meter;
mod power_factor;
pub mod preset;
mod running;
pub mod tariff;
mod usage;

pub use bill::{
    Bill, DemandFact, IncludedTax, Language, Line, LineKind, PeriodInputs, Quantity, Reactive, Reason, Unit,
};
pub use compile::{CompileError, CompiledTariff};
pub(crate) use exact::decimal_text;
pub use exact::{
    Amount, AmountError, Energy, EnergyError, MAX_PLACES, Number, Power, PowerError, Rounding, RoundingMode,
};
pub use inverse::{InverseError, Lasts, LoadProfile, MAX_STEPS_AHEAD, Purchase};
pub use running::{
    MarginalPrice, Opening, PastPeak, PeakHistory, Position, ResumeError, RunningBill, RunningState, Split,
};
pub use tariff::Tariff;
pub use usage::{
    Border, Borders, DemandSource, Direction, Gaps, Interval, MissingInput, RateUsage, Series, UsageError, UsagePolicy,
};

/// The README's example is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
