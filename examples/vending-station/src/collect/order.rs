//! The seam between a line and the books: what a line is told to do, and what it tells.
//!
//! A line executes and shows; it decides nothing about money. The same types pass between two tasks of one process and,
//! sealed, between a collector and the station.

use super::{commission::Wanted, reading::Shown};
use meter_protocol::bus::Class;
use prepay_core::{id::MeterNumber, reading::Force};
use std::sync::Arc;
use tokio::sync::oneshot;

/// The number of an order. It is not used twice in a run of the station.
pub type OrderId = u64;

/// Something that a line has to do on one meter, in one slot of the bus. It is answered by one [`Report::Done`].
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Its number.
    pub id: OrderId,
    /// The meter.
    pub meter: MeterNumber,
    /// What to do.
    pub task: Task,
    /// It is not begun any more after this time, seconds since 1970 UTC; none: it is as good as new whenever it comes.
    pub not_after_utc_s: Option<i64>,
}

/// What there is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Task {
    /// Read the number on the meter and its status.
    Read {
        /// How urgent it is.
        class: Class,
    },
    /// Read the meter, send exactly this purchase frame, once and only if the meter is the right one and shows `count`, and
    /// read it again.
    Sell {
        /// How much, minor units.
        amount_minor: u32,
        /// The purchase count that the meter has to show before.
        count: u16,
    },
    /// Read the meter, write the force word once if it is the right meter, and read it again.
    Switch {
        /// What to write.
        force: Force,
    },
    /// Make the meter what it has to be.
    Commission(Box<Wanted>),
}

impl Task {
    /// Its class on the bus.
    pub fn class(&self) -> Class {
        match self {
            Self::Read { class } => *class,
            Self::Sell { .. } => Class::Money,
            Self::Switch { .. } | Self::Commission(_) => Class::Control,
        }
    }

    /// The answer when it is not carried out and nothing has left.
    pub fn not_done(&self) -> Done {
        match self {
            Self::Read { .. } => Done::Read(None),
            Self::Sell { .. } | Self::Switch { .. } => Done::unwritten(),
            Self::Commission(_) => Done::NotReady { reason: "it was not begun".into() },
        }
    }
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq)]
pub enum Done {
    /// The meter shows this; none: it could not be read.
    Read(Option<Shown>),
    /// What is known about a frame, and what the meter showed in the same slot of the bus.
    Written {
        /// What the sender knows.
        written: Written,
        /// Before the frame; none: the meter could not be read.
        before: Option<Shown>,
        /// After it; none: there was no frame, or the meter could not be read.
        after: Option<Shown>,
    },
    /// The meter is as wanted and shows this.
    Ready {
        /// Its status.
        shown: Shown,
        /// Its prepay block as read back.
        settings: Arc<[u8]>,
    },
    /// The meter is not as wanted.
    NotReady {
        /// Why, for the log.
        reason: String,
    },
}

impl Done {
    /// A write that was not begun.
    pub fn unwritten() -> Self {
        Self::Written { written: Written::NotTransmitted, before: None, after: None }
    }
}

/// What the sender knows about a written frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The meter confirmed it. Only a read-back is proof.
    Confirmed,
    /// The meter answered with an exception. What it did is for a read-back to show.
    Refused {
        /// The exception's code.
        code: u8,
    },
    /// No answer, or none that is known: the meter may have acted.
    NoReply,
    /// Certainly no byte left.
    NotTransmitted,
}

/// How a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineState {
    /// Its code.
    pub code: Arc<str>,
    /// There is a connection to its gateway.
    pub up: bool,
    /// Since when, seconds since 1970 UTC.
    pub since_utc_s: i64,
    /// What went over it since the start.
    pub counters: LineCounters,
}

/// What went over a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LineCounters {
    /// Requests sent, with repetitions.
    pub transmitted: u32,
    /// Replies and exceptions taken.
    pub replies: u32,
    /// Waits that ended without a reply.
    pub timeouts: u32,
    /// Frames whose CRC or content did not fit.
    pub broken_frames: u32,
}

/// What a line tells.
#[derive(Debug)]
pub enum Report {
    /// A poll was answered.
    Shown {
        /// The meter that was asked.
        meter: MeterNumber,
        /// What was answered.
        shown: Shown,
        /// Is told when the reading is durable.
        stored: Option<oneshot::Sender<()>>,
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
    /// The connection to the line's gateway was made or lost.
    Line(LineState),
    /// An order is done.
    Done {
        /// Which.
        id: OrderId,
        /// Its meter.
        meter: MeterNumber,
        /// What became of it.
        done: Done,
        /// Is told when the books have it.
        taken: Option<oneshot::Sender<()>>,
    },
}
