//! The reads with the least bus time for a set of fields that is due, found by dynamic programming.
//!
//! A read costs the silent interval, 8 characters of request, the turnaround, and 5 + 2n characters of reply. Whether a
//! gap is worth reading through therefore follows from the line and is never fixed.
//!
//! Kept: a field and a group of fields are never split over two reads; no read is longer than the meter takes or touches
//! a forbidden range; a gap is read through only over registers that the map knows, unless that is allowed. (A group is
//! read whole: who declares it says that what lies between can be read.)
//!
//! ```
//! use meter_protocol::acrel::fields::{clock_four_rate, realtime};
//! use meter_protocol::plan::{LineTiming, Limits, Scratch, plan};
//! use meter_protocol::session::{CharFormat, Pace};
//!
//! let line = LineTiming::new(Pace::serial(9600, CharFormat::N8_1), 35_000);
//! let known = [realtime::ALL, clock_four_rate::ALL];
//! let limits = Limits::new(123, &known);
//! let mut scratch = Scratch::new();
//! let reads = plan(known.iter().copied().flatten(), &line, &limits, &mut scratch)?;
//! // The whole realtime block is one read.
//! assert_eq!((reads.reads().len(), reads.reads()[0].address, reads.reads()[0].count), (1, 0x0200, 48));
//! # Ok::<(), meter_protocol::plan::PlanError>(())
//! ```
//!
//! Saturating arithmetic is of addresses, counts and bus times; no content of a register is among them.

mod forbidden;
mod optimum;

pub use forbidden::{ForbiddenSearch, RegisterRange};
pub use optimum::{Plan, Scratch, plan};

use crate::map::{FieldInfo, Table};
use crate::session::Pace;
use crate::wire::{MAX_READ_REGISTERS, Request, RequestError};
use thiserror::Error;

/// Most fields in one plan.
pub const MAX_FIELDS: usize = 128;

/// What a read costs on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineTiming {
    pace: Pace,
    turnaround_us: u32,
}

impl LineTiming {
    /// A line at `pace` whose meters take `turnaround_us` to begin a reply.
    #[must_use]
    pub const fn new(pace: Pace, turnaround_us: u32) -> Self {
        Self { pace, turnaround_us }
    }

    /// Bus time of one read of `count` registers, in microseconds.
    #[must_use]
    pub fn read_us(&self, count: u16) -> u64 {
        let chars = u64::from(count).saturating_mul(2).saturating_add(13);
        self.pace.t35_us().saturating_add(self.turnaround_us.into()).saturating_add(self.pace.chars_us(chars))
    }
}

/// What a meter allows.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Limits<'a> {
    /// Most registers in one read; above 125 it counts as 125.
    pub max_registers: u16,
    /// Ranges that no read may touch.
    pub forbidden: &'a [RegisterRange],
    /// The tables of the meter's map: only gaps over these registers are read through.
    pub known: &'a [&'a [FieldInfo]],
    /// Whether gaps over unknown registers are read through as well.
    pub read_unknown: bool,
}

impl<'a> Limits<'a> {
    /// A meter that takes reads of `max_registers`, with this map and nothing forbidden.
    #[must_use]
    pub const fn new(max_registers: u16, known: &'a [&'a [FieldInfo]]) -> Self {
        Self { max_registers, forbidden: &[], known, read_unknown: false }
    }

    /// Sets [`Limits::forbidden`].
    #[must_use]
    pub const fn with_forbidden(mut self, forbidden: &'a [RegisterRange]) -> Self {
        self.forbidden = forbidden;
        self
    }

    /// Sets [`Limits::read_unknown`].
    #[must_use]
    pub const fn with_read_unknown(mut self, read_unknown: bool) -> Self {
        self.read_unknown = read_unknown;
        self
    }

    fn longest(&self) -> u16 {
        self.max_registers.min(MAX_READ_REGISTERS)
    }

    fn forbids(&self, table: Table, first: u16, last: u16) -> bool {
        self.forbidden.iter().any(|range| range.table == table && first <= range.last && range.first <= last)
    }

    /// Whether every register of a gap is known. An empty gap is.
    fn knows(&self, table: Table, first: u16, last: u16) -> bool {
        self.read_unknown
            || (first..=last).all(|register| {
                let holds =
                    |field: &FieldInfo| field.table == table && (field.address..=field.last()).contains(&register);
                self.known.iter().copied().flatten().any(holds)
            })
    }
}

/// One read of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Read {
    /// Holding or input registers.
    pub table: Table,
    /// First register.
    pub address: u16,
    /// Number of registers.
    pub count: u16,
}

impl Read {
    /// The request of this read.
    ///
    /// # Errors
    /// [`RequestError`] for a count that no plan has: 0 or above 125.
    pub const fn request(&self) -> Result<Request<'static>, RequestError> {
        match self.table {
            Table::Input => Request::read_input(self.address, self.count),
            _ => Request::read_holding(self.address, self.count),
        }
    }
}

/// A set of fields that can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PlanError {
    /// More fields than a plan holds.
    #[error("more than 128 fields are due")]
    TooManyFields,
    /// A window of function 20H.
    #[error("{name} is a window of function 20H and can't be read")]
    NotReadable {
        /// Name of the field.
        name: &'static str,
    },
    /// A field, or the group that it belongs to, is longer than a read may be.
    #[error("{name} and its group need {count} registers in one read, the limit is {max}")]
    TooLong {
        /// Name of the field.
        name: &'static str,
        /// Registers in one read.
        count: u32,
        /// The limit.
        max: u16,
    },
    /// A field, or the group that it belongs to, touches a forbidden range.
    #[error("{name} or its group lies in a forbidden range")]
    Forbidden {
        /// Name of the field.
        name: &'static str,
    },
    /// The fields of a group stand in two tables.
    #[error("the group of {name} stands in two tables")]
    GroupApart {
        /// Name of a field of the group.
        name: &'static str,
    },
}
