//! Gives a meter another unit number or speed, and finds it again.

use super::port::{checked_unit, write};
use super::{Baud, BuildError, MeterNumber, Port, PortSettings};
use crate::wire::{Registers, Reply, Request};
use thiserror::Error;

/// How often all places are asked before the meter counts as lost.
const ROUNDS: u8 = 3;

/// Where a meter answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the two things that a relocation changes")]
pub struct Place {
    /// Unit number, 1 to 247.
    pub unit: u8,
    /// Speed of the line.
    pub baud: Baud,
}

/// What the caller does next.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a caller must handle both")]
pub enum RelocationStep<'a> {
    /// Set the line to the speed of `at`, send the request to its unit once, and report with [`Relocation::answered`].
    Ask {
        /// Where.
        at: Place,
        /// What.
        request: Request<'a>,
    },
    /// The end.
    Done(RelocationVerdict),
}

/// What came on a request, as far as a relocation needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a caller must tell these apart")]
pub enum RelocationAnswer<'a> {
    /// A reply.
    Reply(Reply<'a>),
    /// An exception of the meter.
    Refused,
    /// Nothing in time, or nothing that could be read.
    Nothing,
    /// No byte of the request left.
    NotTransmitted,
}

/// Why nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotMoved {
    /// The meter with this number does not answer where it should be.
    #[error("no meter with the expected number answers at the old place")]
    NotThere,
    /// The port's settings can't be read there.
    #[error("the settings of the port can't be read")]
    NoSettings,
    /// The port's settings say another unit or speed than the one by which the meter was asked: it is the other port, or
    /// the index of speeds counts otherwise.
    #[error("the port shows unit {unit} and speed index {baud_index}, which is not how the meter was asked")]
    OtherSettings {
        /// Unit number shown.
        unit: u8,
        /// Index of the speed shown.
        baud_index: u8,
    },
    /// Something answers at the new place already.
    #[error("something answers at the new place already")]
    Occupied,
    /// The write did not leave.
    #[error("the write was not transmitted")]
    NotTransmitted,
}

/// Where the meter is, by what answered with its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RelocationVerdict {
    /// Nothing was written, and why.
    Untouched(NotMoved),
    /// At the new place.
    Moved,
    /// Still at the old place. Some meters may take the new one after a power cut.
    Stayed,
    /// With the new unit and the old speed, or the other way round.
    Halfway(Place),
    /// Nowhere: look with a scan over all units and speeds.
    Lost,
}

/// The procedure, sans-IO: see who is there, see that the new place is free, write once, and ask until the meter is found
/// by its number. The write is never repeated, and its reply decides nothing.
///
/// ```
/// use meter_protocol::acrel::{Baud, Place, Port, Relocation, RelocationStep};
/// let from = Place { unit: 1, baud: Baud::B9600 };
/// let to = Place { unit: 17, baud: Baud::B9600 };
/// let relocation = Relocation::new("202603050012".parse()?, Port::First, from, to)?;
/// assert!(matches!(relocation.next(), RelocationStep::Ask { at, .. } if at == from));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Relocation {
    number: MeterNumber,
    port: Port,
    from: Place,
    to: Place,
    state: State,
    data: [u8; 10],
}

#[derive(Clone, Copy, Debug)]
enum State {
    Identify,
    Inspect,
    LookAhead,
    Write,
    /// Asks the place of this index, in this round.
    Find {
        place: usize,
        round: u8,
    },
    Done(RelocationVerdict),
}

impl Relocation {
    /// From one place to another, for the meter with this number at 0043H.
    ///
    /// # Errors
    /// [`BuildError::Range`] for a unit outside 1 to 247; [`BuildError::Empty`] when the places are equal.
    pub fn new(number: MeterNumber, port: Port, from: Place, to: Place) -> Result<Self, BuildError> {
        checked_unit(from.unit)?;
        checked_unit(to.unit)?;
        if from == to {
            return Err(BuildError::Empty { block: "relocation" });
        }
        Ok(Self { number, port, from, to, state: State::Identify, data: [0; 10] })
    }

    /// What to do next.
    #[must_use]
    pub fn next(&self) -> RelocationStep<'_> {
        let (at, request) = match self.state {
            State::Identify => (self.from, MeterNumber::READ),
            State::Inspect => (self.from, PortSettings::read(self.port)),
            State::LookAhead => (self.to, MeterNumber::READ),
            State::Write => (self.from, write(self.port, &self.data)),
            State::Find { place, .. } => (self.place(place), MeterNumber::READ),
            State::Done(verdict) => return RelocationStep::Done(verdict),
        };
        RelocationStep::Ask { at, request }
    }

    /// The places where a meter can be after the write, likeliest first.
    fn place(&self, index: usize) -> Place {
        match index {
            0 => self.to,
            1 => self.from,
            2 => Place { unit: self.to.unit, baud: self.from.baud },
            _ => Place { unit: self.from.unit, baud: self.to.baud },
        }
    }

    /// Reports what came.
    pub fn answered(&mut self, answer: &RelocationAnswer<'_>) {
        let untouched = |why| State::Done(RelocationVerdict::Untouched(why));
        self.state = match self.state {
            State::Identify if self.is_ours(answer) => State::Inspect,
            State::Identify => untouched(NotMoved::NotThere),
            State::Inspect => match settings(self.port, answer) {
                None => untouched(NotMoved::NoSettings),
                Some(now) if (now.unit, now.baud_index) == (self.from.unit, self.from.baud.index()) => {
                    self.data = now.moved(self.to.unit, self.to.baud);
                    State::LookAhead
                }
                Some(now) => untouched(NotMoved::OtherSettings { unit: now.unit, baud_index: now.baud_index }),
            },
            State::LookAhead => match answer {
                RelocationAnswer::Nothing => State::Write,
                RelocationAnswer::NotTransmitted => untouched(NotMoved::NotTransmitted),
                _ => untouched(NotMoved::Occupied),
            },
            State::Write => match answer {
                RelocationAnswer::NotTransmitted => untouched(NotMoved::NotTransmitted),
                _ => State::Find { place: 0, round: 1 },
            },
            State::Find { place, .. } if self.is_ours(answer) => State::Done(self.found(self.place(place))),
            State::Find { place: 3, round } if round >= ROUNDS => State::Done(RelocationVerdict::Lost),
            State::Find { place: 3, round } => State::Find { place: 0, round: round.saturating_add(1) },
            State::Find { place, round } => State::Find { place: place.saturating_add(1), round },
            State::Done(verdict) => State::Done(verdict),
        };
    }

    fn found(&self, at: Place) -> RelocationVerdict {
        if at == self.to {
            RelocationVerdict::Moved
        } else if at == self.from {
            RelocationVerdict::Stayed
        } else {
            RelocationVerdict::Halfway(at)
        }
    }

    fn is_ours(&self, answer: &RelocationAnswer<'_>) -> bool {
        registers(answer).is_some_and(|shown| MeterNumber::from_registers(&shown) == Ok(self.number))
    }
}

fn registers<'a>(answer: &RelocationAnswer<'a>) -> Option<Registers<'a>> {
    match answer {
        RelocationAnswer::Reply(Reply::Registers(registers)) => Some(*registers),
        _ => None,
    }
}

fn settings(port: Port, answer: &RelocationAnswer<'_>) -> Option<PortSettings> {
    PortSettings::from_registers(port, &registers(answer)?).ok()
}
