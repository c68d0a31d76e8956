//! What a line is made of.

use super::super::{commission::Wanted, patience::Patience, reading};
use crate::{clock::WorldClock, store::books::Books, totals::Totals};
use meter_protocol::{acrel::Profile, bus::BusError};
use prepay_core::{
    account::{MeterTerms, Terms},
    id::{AccountId, MeterNumber},
    money::Money,
};
use std::sync::Arc;

/// What a line does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything.
    Run,
    /// What is open is finished, nothing new is polled.
    Drain,
    /// One booked reading of each meter, then the task ends.
    Close,
}

/// A line as it is set up.
#[derive(Debug)]
pub struct LineSetup {
    /// Its code, for the log.
    pub code: String,
    /// Its number among the lines.
    pub number: u32,
    /// `host:port` of the gateway.
    pub address: String,
    /// Baud rate.
    pub baud: u32,
    /// Its meters.
    pub meters: Vec<MeterSetup>,
}

/// A meter on a line.
#[derive(Debug, Clone)]
pub struct MeterSetup {
    /// Its number.
    pub number: MeterNumber,
    /// Unit address.
    pub unit: u8,
    /// What its account needs; none for a meter that is only read.
    pub account: Option<AccountSetup>,
}

/// An account on a meter.
#[derive(Debug, Clone)]
pub struct AccountSetup {
    /// Its number.
    pub id: AccountId,
    /// It is in the books already.
    pub open: bool,
    /// What the meter has to hold.
    pub wanted: Wanted,
    /// Terms to open it with.
    pub terms: Terms,
    /// What is known about the meter.
    pub meter_terms: MeterTerms,
    /// Credit at the station from earlier books.
    pub station_credit: Money,
}

/// What all lines share.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The books.
    pub books: Books,
    /// The clock.
    pub clock: WorldClock,
    /// Waiting times.
    pub patience: Patience,
    /// What the bench tests have settled.
    pub profile: Profile,
    /// Local time minus UTC, minutes.
    pub utc_offset_min: i32,
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
