//! Local time: zones, dates, what kind of day it is, and what holds at each minute of it.

pub(crate) mod cycle;
pub(crate) mod date;
pub(crate) mod day;
pub(crate) mod schedule;
pub(crate) mod zone;
