//! The seam between a line and the books: what a line is told to do, and what it tells.
//!
//! A line executes and shows; it decides nothing about money. The same two types pass between the tasks of one process and,
//! sealed, between a collector and the station.

use super::{commission::Wanted, reading::Shown};
use meter_protocol::bus::Class;
use prepay_core::{id::MeterNumber, reading::Force, settlement::MeterPrices};
use std::sync::Arc;

/// The number of an order. Numbers rise and are never used twice, also across restarts of the station.
pub type OrderId = u64;

/// Something that a line has to do on one meter. Each order is answered by one [`Report::Done`], except [`Task::Release`].
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Its number.
    pub id: OrderId,
    /// The meter.
    pub meter: MeterNumber,
    /// What to do.
    pub task: Task,
}

/// What there is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Task {
    /// Read the number on the meter and its status, in one go. After a read of [`Class::Money`] or [`Class::Control`] the line
    /// stays with the meter until the next order for it, but not for ever: a write may only follow such a read.
    Read {
        /// How urgent it is.
        class: Class,
    },
    /// Send exactly this purchase frame, once.
    Sell {
        /// The read that it follows. When the line has left the meter since, nothing is sent.
        after: OrderId,
        /// How much, minor units.
        amount_minor: u32,
        /// The purchase count that the meter showed.
        count: u16,
    },
    /// Write the force word, once.
    Switch {
        /// The read that it follows. When the line has left the meter since, nothing is sent.
        after: OrderId,
        /// What to write.
        force: Force,
    },
    /// Nothing follows the last read: the line may leave the meter.
    Release,
    /// Close the connection to the gateway, so that no byte of it can be sent any more.
    HangUp,
    /// Make the meter what it has to be.
    Commission(Box<Wanted>),
}

impl Task {
    /// Whether a byte of it may change the meter, so that a repetition would be another act.
    pub fn is_write(&self) -> bool {
        matches!(self, Self::Sell { .. } | Self::Switch { .. })
    }
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq)]
pub enum Done {
    /// The meter shows this; none: it could not be read.
    Read(Option<Shown>),
    /// What is known about the frame.
    Written(Written),
    /// The connection is closed.
    HungUp,
    /// The meter is as wanted and shows this.
    Ready {
        /// Its status.
        shown: Shown,
        /// Its prices as read back, if the scale of its registers is settled.
        prices: Option<MeterPrices>,
    },
    /// The meter is not as wanted.
    NotReady {
        /// Why, for the log.
        reason: String,
    },
}

/// What the sender knows about a written frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The meter confirmed it. Only a read-back is proof.
    Confirmed,
    /// The meter answered with an exception. What it did is for a read-back to show.
    Refused,
    /// No answer: the meter may have acted.
    NoReply,
    /// Certainly no byte left.
    NotTransmitted,
}

/// A reading's place in the queue of a line behind a collector. The station stores the mark with the reading, so that a
/// repetition counts for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The line's code.
    pub line: Arc<str>,
    /// Which queue: a collector whose journal was lost begins another one.
    pub queue: u64,
    /// The reading's number in it. Numbers rise.
    pub seq: u64,
}

/// What a line tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// A poll was answered.
    Shown {
        /// The meter that was asked.
        meter: MeterNumber,
        /// What was answered.
        shown: Shown,
        /// Its place in the collector's queue, if it came from one.
        mark: Option<Mark>,
    },
    /// The meter has been silent for too long.
    Silent {
        /// Which.
        meter: MeterNumber,
    },
    /// It answers again.
    Heard {
        /// Which.
        meter: MeterNumber,
    },
    /// An order is done.
    Done {
        /// Which.
        id: OrderId,
        /// Its meter.
        meter: MeterNumber,
        /// What became of it.
        done: Done,
    },
}
