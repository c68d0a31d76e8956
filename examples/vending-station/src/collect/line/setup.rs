//! What a line is made of.

use super::super::{
    patience::Patience,
    reading::{self, Spectacles},
};
use crate::{clock::WorldClock, totals::Totals};
use meter_protocol::bus::BusError;
use prepay_core::id::MeterNumber;
use std::sync::Arc;

/// A line as it is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineSetup {
    /// Its code, for the log.
    pub code: String,
    /// Its number among the lines.
    pub number: u32,
    /// `host:port` of the gateway.
    pub address: String,
    /// Baud rate.
    pub baud: u32,
    /// Its meters: number and unit address.
    pub meters: Vec<(MeterNumber, u8)>,
}

/// What all lines of a process share.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The clock.
    pub clock: WorldClock,
    /// Waiting times.
    pub patience: Patience,
    /// How the meters are read.
    pub spectacles: Spectacles,
    /// Totals of the run.
    pub totals: Arc<Totals>,
}

/// A line that can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Its meters.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// Its status read.
    #[error(transparent)]
    Status(#[from] reading::StatusReadError),
}
