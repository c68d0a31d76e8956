//! A seeded world of meters, lines, a station and its operators, with faults at every step, and an auditor.
//!
//! The same seed gives the same world, step by step. The simulated meter and the auditor are written from the register
//! documents, in raw registers and sums of their own; they share no rule with the machines that they check, and the
//! meter rounds otherwise than the station does.
//!
//! Time is virtual, so a day of outages takes microseconds. One world is a *cell*: an account, a meter, a line. A cell
//! lives for a few vends; a run is many cells, each from the run's seed and its own number, so that a failing one is
//! replayed alone with [`replay`]; its number is in [`Report::first_failure`].
#![allow(clippy::arithmetic_side_effects, reason = "virtual times and amounts are bounded far below their types' ends")]

mod auditor;
mod cell;
mod link;
mod meter;
mod mutants;
mod prices;
mod report;
mod rng;
mod shrink;
mod year;

use alloc::string::String;
use alloc::vec::Vec;

pub use crate::bend::Bend;
pub use mutants::{MUTANTS, Mutant, Property, mutant};
pub use report::{Crash, Faults, Report, Summary};
pub use shrink::{Shrunk, shrink};
pub use year::{Year, year};

/// What to simulate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// The same seed gives the same run.
    pub seed: u64,
    /// How many vends.
    pub vends: u64,
    /// A rule to break.
    pub bend: Option<Bend>,
}

/// Vends of one cell.
pub const VENDS_A_CELL: u64 = 16;

/// Runs the simulation.
#[must_use]
pub fn run(config: &Config) -> Report {
    let mut report = Report::default();
    let cells = config.vends.div_ceil(VENDS_A_CELL);
    for cell in 0..cells {
        let vends = config.vends.saturating_sub(cell * VENDS_A_CELL).min(VENDS_A_CELL);
        run_cell(config, cell, vends, &mut report);
    }
    report.finish();
    report
}

/// Runs one cell of a run again, to the same step, and tells its story: one line for each thing that happened.
#[must_use]
pub fn replay(config: &Config, cell: u64) -> (Report, Vec<String>) {
    replay_vends(config, cell, config.vends.saturating_sub(cell * VENDS_A_CELL).min(VENDS_A_CELL))
}

/// Runs the first vends of one cell again.
fn replay_vends(config: &Config, cell: u64, vends: u64) -> (Report, Vec<String>) {
    let mut report = Report::default();
    let mut world = cell::Cell::new(config, cell);
    world.story = Some(Vec::new());
    let story = world.run(vends, &mut report);
    report.finish();
    (report, story)
}

fn run_cell(config: &Config, cell: u64, vends: u64, report: &mut Report) {
    let before = report.failures();
    cell::Cell::new(config, cell).run(vends, report);
    if report.failures() > before && report.first_failure.is_none() {
        report.first_failure = Some(cell);
    }
}
