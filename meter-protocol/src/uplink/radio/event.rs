//! What comes out of a station's side of a connection.

use super::{Command, RadioError, Registration, Serial, Upload};
use crate::session;
use thiserror::Error;

/// Something happened on the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StationEvent<'a> {
    /// A meter says who it is. Decide by [`super::Station::admit`] or [`super::Station::refuse`]; nothing else is taken
    /// from the connection before. A registered meter may register again with the same serial.
    Registering(Registration),
    /// A sign of life.
    Heartbeat,
    /// The meter asks for the time: [`super::Station::answer_time`].
    TimeAsked,
    /// Data that nobody asked for. It has been acknowledged.
    Upload(Upload<'a>),
    /// An alarm, raw. Its layout and answer are not documented; nothing is sent.
    Alarm(&'a [u8]),
    /// Another command, raw. Nothing is sent.
    Other {
        /// The command.
        command: Command,
        /// Its body.
        body: &'a [u8],
    },
    /// A frame that names another meter than the one that registered. It was not taken.
    Foreign {
        /// The serial in the frame.
        serial: Serial,
    },
    /// A frame before the registration. It was not taken.
    Unregistered {
        /// Its command.
        command: Command,
    },
    /// A frame that can't be read.
    Odd(RadioError),
    /// A request through the tunnel has ended.
    Transaction(session::Event<'a>),
    /// The connection is of no use any more: close it. This comes once and last.
    Closed(CloseReason),
}

/// Why a connection is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The caller refused the registration.
    #[error("the registration was refused")]
    Refused,
    /// No registration in time.
    #[error("no registration in time")]
    NotRegistered,
    /// Nothing came for longer than the silence time-out.
    #[error("silent for too long")]
    Silent,
    /// The meter registered a second time with another serial.
    #[error("registered again as another meter")]
    SerialChanged,
    /// Too many bytes that are no frame.
    #[error("too many bytes that are no frame")]
    Garbage,
    /// The caller said that the connection has ended.
    #[error("the connection has ended")]
    LinkDown,
}

/// A call that does not fit the state of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StationError {
    /// No meter has registered, or the connection is given up.
    #[error("no meter is registered on this connection")]
    NotRegistered,
    /// An answer waits to be sent: fetch it by [`super::Station::poll_transmit`] first.
    #[error("an answer waits to be sent")]
    AnswerPending,
    /// The request was not taken.
    #[error(transparent)]
    Submit(#[from] session::SubmitError),
    /// The frame is not passed on.
    #[error(transparent)]
    Forward(#[from] crate::uplink::ForwardError),
}
