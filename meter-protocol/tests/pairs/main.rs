//! Every pair of what a client believes and what a meter does, for each open point that `tests/money` and
//! `tests/load_control.rs` do not run: a client that disagrees with the meter reports it and never writes.
#![cfg(feature = "virtual-meter")]

mod behaviour;
#[path = "../common/mod.rs"]
mod common;
mod line;
mod line_force;
mod rig;
mod settings;
