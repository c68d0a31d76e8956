//! What a desk is made of.

use super::super::{commission::Wanted, patience::Patience, reading::Spectacles};
use crate::{clock::WorldClock, store::books::Books};
use prepay_core::{
    account::{MeterTerms, Terms},
    id::{AccountId, MeterNumber},
    money::Money,
};

/// What the lines are for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything.
    Run,
    /// One booked reading of each meter, then the desks end.
    Close,
}

/// A desk as it is set up.
#[derive(Debug)]
pub struct DeskSetup {
    /// The code of its line, for the log.
    pub code: String,
    /// Its meters.
    pub meters: Vec<MeterSetup>,
}

/// A meter on a line.
#[derive(Debug, Clone)]
pub struct MeterSetup {
    /// Its number.
    pub number: MeterNumber,
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

/// What all desks share.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The books.
    pub books: Books,
    /// The clock.
    pub clock: WorldClock,
    /// Waiting times.
    pub patience: Patience,
    /// How the meters are read.
    pub spectacles: Spectacles,
    /// Where readings are asked for.
    pub asks: super::Asks,
}
