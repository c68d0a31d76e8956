//! What a hub reports.

use crate::uplink::radio::{CloseReason, RadioError, Registration, Serial};
use ::tokio::sync::mpsc;
use std::string::String;
use std::vec::Vec;
use thiserror::Error;

/// Something happened on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HubEvent {
    /// A listed meter has registered and was taken.
    Registered(Registration),
    /// A connection was refused.
    Refused {
        /// The serial that it gave, if it came so far.
        serial: Option<Serial>,
        /// Why.
        reason: RefusalReason,
    },
    /// A sign of life.
    Heartbeat(Serial),
    /// A meter asked for the time.
    TimeAsked(Serial),
    /// Data that nobody asked for. It has been acknowledged.
    Upload {
        /// Whose.
        serial: Serial,
        /// Address of the meter behind the module, such as `1-1`.
        address: String,
        /// The RTU reply, or nothing where the module could not read the meter. Its data are taken apart by
        /// [`crate::acrel::RealtimeLayout::of_upload`] and [`crate::acrel::Realtime::parse`].
        data: Option<Vec<u8>>,
    },
    /// A command whose layout is not documented: alarms (89H) and others.
    Raw {
        /// Whose.
        serial: Serial,
        /// Command byte.
        command: u8,
        /// Its body.
        body: Vec<u8>,
    },
    /// A frame that was not taken: it names another meter, came before the registration, or can't be read.
    Odd {
        /// The meter of the connection, if one has registered.
        serial: Option<Serial>,
        /// What was wrong.
        what: OddFrame,
    },
    /// The connection of a meter has ended.
    Closed {
        /// Whose, if one had registered.
        serial: Option<Serial>,
        /// Why.
        reason: CloseReason,
    },
}

/// Why a frame was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OddFrame {
    /// It names another meter.
    #[error("it names meter {0}")]
    Foreign(Serial),
    /// It came before the registration.
    #[error("command {0:02X}H came before the registration")]
    Unregistered(u8),
    /// It can't be read.
    #[error(transparent)]
    Unreadable(RadioError),
}

/// Why a connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RefusalReason {
    /// The serial is not listed.
    #[error("the serial is not listed")]
    NotListed,
    /// A meter with this serial is connected already. Either it has dialled again before its old connection was given
    /// up, or somebody else uses its serial.
    #[error("a meter with this serial is connected already")]
    AlreadyConnected,
    /// The hub has as many connections as it allows.
    #[error("too many connections")]
    TooManyConnections,
}

/// The events of a hub, in order.
#[derive(Debug)]
pub struct HubEvents(pub(super) mpsc::Receiver<HubEvent>);

impl HubEvents {
    /// The next event; `None` when the hub and its connections are gone.
    pub async fn next(&mut self) -> Option<HubEvent> {
        self.0.recv().await
    }
}
