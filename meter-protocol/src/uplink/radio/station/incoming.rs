//! What came over the connection: frames cut from the stream, and what each of them means.
//!
//! Saturating arithmetic here counts thrown-away bytes; the count stays at its end.

use super::super::config::{HeartbeatAnswer, OddUpload};
use super::super::event::{CloseReason, StationEvent};
use super::super::{Command, RadioError, Serial, Up};
use super::{Answer, State, Station};

/// What there is to tell the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pending {
    /// The frame in the cutter, as it says.
    Frame,
    Unregistered,
    Foreign(Serial),
    Odd(RadioError),
    Closed(CloseReason),
}

impl Station {
    /// Bytes arrived. Returns how many were taken: 0 while an event or an answer waits to be fetched.
    pub fn receive(&mut self, now_us: u64, bytes: &[u8]) -> usize {
        if self.state == State::Closed {
            return bytes.len();
        }
        if self.is_waiting() {
            return 0;
        }
        let taken = self.cutter.feed(bytes);
        if taken > 0 {
            self.last_rx_us = now_us;
        }
        self.dispatch(now_us);
        taken
    }

    /// Whether the caller has to fetch or decide something before more is taken from the connection.
    pub(super) fn is_waiting(&self) -> bool {
        let decides = matches!(self.state, State::Registering { .. });
        decides || self.pending.is_some() || self.answer.is_some() || self.session.is_done()
    }

    /// What happened, one at a time.
    pub fn poll_event(&mut self) -> Option<StationEvent<'_>> {
        // The end of a request comes first: an event of closing is the last one.
        if self.session.is_done() {
            return self.session.poll_event().map(StationEvent::Transaction);
        }
        match self.pending.take()? {
            Pending::Closed(reason) => Some(StationEvent::Closed(reason)),
            Pending::Odd(error) => Some(StationEvent::Odd(error)),
            Pending::Foreign(serial) => Some(StationEvent::Foreign { serial }),
            Pending::Unregistered => {
                Some(StationEvent::Unregistered { command: self.cutter.frame().map(|frame| frame.command())? })
            }
            Pending::Frame => match Up::parse(self.cutter.frame()?) {
                Ok(Up::Register(registration)) => Some(StationEvent::Registering(registration)),
                Ok(Up::Heartbeat { .. }) => Some(StationEvent::Heartbeat),
                Ok(Up::TimeAsked { .. }) => Some(StationEvent::TimeAsked),
                Ok(Up::Upload(upload)) => Some(StationEvent::Upload(upload)),
                Ok(Up::Other { command: Command::Alarm, body }) => Some(StationEvent::Alarm(body)),
                Ok(Up::Other { command, body }) => Some(StationEvent::Other { command, body }),
                Ok(Up::Reply { .. } | Up::Acknowledged(_)) => None,
                Err(error) => Some(StationEvent::Odd(error)),
            },
        }
    }

    /// Looks at the frame that was cut, if there is one.
    pub(super) fn dispatch(&mut self, now_us: u64) {
        let Some(frame) = self.cutter.frame() else {
            if self.cutter.discarded().saturating_sub(self.discarded_before) > self.config.garbage_max_bytes {
                self.close(now_us, CloseReason::Garbage);
            }
            return;
        };
        self.discarded_before = self.cutter.discarded();
        let message = match Up::parse(frame) {
            Ok(message) => message,
            Err(error) => {
                if frame.command() == Command::Upload
                    && self.config.odd_upload == OddUpload::Acknowledge
                    && self.serial().is_some()
                {
                    self.answer = Some(Answer::Upload);
                }
                self.pending = Some(Pending::Odd(error));
                return;
            }
        };
        let own = match (self.state, &message) {
            (_, Up::Register(registration)) => {
                let serial = registration.serial;
                return self.registering(now_us, serial);
            }
            (State::Registered { serial }, _) => serial,
            _ => {
                self.pending = Some(Pending::Unregistered);
                return;
            }
        };
        if let Some(serial) = named(&message).filter(|serial| *serial != own) {
            self.pending = Some(Pending::Foreign(serial));
            return;
        }
        match message {
            Up::Reply { frame, .. } => return self.session.receive(now_us, frame),
            Up::Acknowledged(_) => return self.session.acknowledged(now_us),
            Up::Upload(_) => self.answer = Some(Answer::Upload),
            Up::Heartbeat { .. } if self.config.heartbeat_answer == HeartbeatAnswer::Empty => {
                self.answer = Some(Answer::Heartbeat);
            }
            Up::Heartbeat { .. } | Up::TimeAsked { .. } | Up::Other { .. } | Up::Register(_) => {}
        }
        self.pending = Some(Pending::Frame);
    }

    fn registering(&mut self, now_us: u64, serial: Serial) {
        match self.state {
            State::Registered { serial: own } if own != serial => self.close(now_us, CloseReason::SerialChanged),
            _ => {
                self.state = State::Registering { serial };
                self.pending = Some(Pending::Frame);
            }
        }
    }
}

/// The serial that a message names.
fn named(message: &Up<'_>) -> Option<Serial> {
    match message {
        Up::Acknowledged(serial) => Some(*serial),
        Up::Heartbeat { serial } | Up::TimeAsked { serial } | Up::Reply { serial, .. } => *serial,
        Up::Upload(upload) => upload.serial,
        Up::Register(_) | Up::Other { .. } => None,
    }
}
