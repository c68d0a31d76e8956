//! The reference collector-and-vending service: how the crates `meter-protocol`, `tariff-engine` and `prepay-core` are wired
//! into a station. Written to be read; see `ARCHITECTURE.md` at the root of the workspace.

pub mod amount;
pub mod api;
pub mod clock;
pub mod collect;
pub mod console;
pub mod control;
pub mod demo;
mod fleet;
pub mod local_time;
pub mod pricing;
pub mod sealed;
pub mod serve;
pub mod simulate;
pub mod site;
pub mod station;
pub mod store;
pub mod totals;

/// The examples of the workspace's README are tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;
