//! The station's side of one connection, sans-IO.
//!
//! A driver does this, in a loop:
//!
//! 1. Fetch events by [`Station::poll_event`] until there is none.
//! 2. Send what [`Station::poll_transmit`] gives, then call [`Station::transmitted`], until there is none.
//! 3. Pass what arrives to [`Station::receive`]. It stops after each frame and says how many bytes it took: go on at 1
//!    with the rest. So nothing needs a queue, and a meter that floods the station only fills its own connection.
//! 4. Call [`Station::handle_timeout`] when [`Station::poll_timeout`] is reached.
//!
//! Saturating arithmetic in these modules counts thrown-away bytes and microseconds, which stay at their end.

mod incoming;
mod outgoing;

use super::config::StationConfig;
use super::event::{CloseReason, StationError};
use super::{Cutter, Serial};
use crate::acrel::{Clock, LinkId};
use crate::session::{Counters, Framing, Session, TransactionId};
use crate::uplink::forwardable;
use crate::wire::Request;
use incoming::Pending;
use outgoing::{Answer, Sending};

/// The station's side of the connection of one meter.
#[derive(Debug)]
pub struct Station {
    config: StationConfig,
    session: Session,
    cutter: Cutter,
    state: State,
    /// What the frame in the cutter means for the caller.
    pending: Option<Pending>,
    /// An answer that waits to be sent.
    answer: Option<Answer>,
    sending: Option<Sending>,
    opened_us: u64,
    last_rx_us: u64,
    /// Bytes thrown away when the last frame was found.
    discarded_before: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fresh,
    /// The caller has to decide; a registered meter registers again.
    Registering {
        serial: Serial,
    },
    Registered {
        serial: Serial,
    },
    Closed,
}

impl Station {
    /// A connection that was just accepted. `link` tells it from other connections: give each a number of its own.
    #[must_use]
    pub const fn new(now_us: u64, config: StationConfig, link: LinkId) -> Self {
        let mut line = config.line;
        line.framing = Framing::Tunnel;
        Self {
            config,
            session: Session::on_line(line, link),
            cutter: Cutter::new(),
            state: State::Fresh,
            pending: None,
            answer: None,
            sending: None,
            opened_us: now_us,
            last_rx_us: now_us,
            discarded_before: 0,
        }
    }

    /// The meter that registered and was admitted.
    #[must_use]
    pub const fn serial(&self) -> Option<Serial> {
        match self.state {
            State::Registered { serial } => Some(serial),
            _ => None,
        }
    }

    /// The present connection, for confirmations.
    #[must_use]
    pub const fn link(&self) -> LinkId {
        self.session.link()
    }

    /// What happened to the requests through the tunnel.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        self.session.counters()
    }

    /// Whether a request is under way or its end waits to be fetched.
    #[must_use]
    pub const fn is_busy(&self) -> bool {
        self.session.is_busy()
    }

    /// Takes the meter that is registering: its registration will be acknowledged.
    pub fn admit(&mut self) {
        if let State::Registering { serial } = self.state {
            self.state = State::Registered { serial };
            self.answer = Some(Answer::Registration);
        }
    }

    /// Does not take the meter that is registering. Nothing is sent to it.
    pub fn refuse(&mut self, now_us: u64) {
        if let State::Registering { .. } = self.state {
            self.close(now_us, CloseReason::Refused);
        }
    }

    /// Answers a question for the time, or sets the time unasked. `clock` is the meter's local time.
    ///
    /// # Errors
    /// [`StationError::NotRegistered`], [`StationError::AnswerPending`].
    pub fn answer_time(&mut self, clock: Clock) -> Result<(), StationError> {
        self.check_registered()?;
        if self.answer.is_some() {
            return Err(StationError::AnswerPending);
        }
        self.answer = Some(Answer::Time(clock));
        Ok(())
    }

    /// Takes a request to `unit` through the tunnel. One at a time.
    ///
    /// # Errors
    /// [`StationError::NotRegistered`], [`StationError::Submit`].
    pub fn submit(&mut self, now_us: u64, unit: u8, request: &Request<'_>) -> Result<TransactionId, StationError> {
        let response_timeout_us = self.config.line.response_timeout_us;
        self.submit_within(now_us, unit, request, response_timeout_us)
    }

    /// As [`Station::submit`], with a response time-out for this request only.
    ///
    /// # Errors
    /// As [`Station::submit`].
    pub fn submit_within(
        &mut self,
        now_us: u64,
        unit: u8,
        request: &Request<'_>,
        response_timeout_us: u32,
    ) -> Result<TransactionId, StationError> {
        self.check_registered()?;
        Ok(self.session.submit_within(now_us, unit, request, response_timeout_us)?)
    }

    /// As [`Station::submit`], for an RTU frame that somebody else built. Factory functions and functions that this
    /// crate does not know are refused.
    ///
    /// # Errors
    /// As [`Station::submit`], and [`StationError::Forward`].
    pub fn submit_frame(&mut self, now_us: u64, frame: &[u8]) -> Result<TransactionId, StationError> {
        let (unit, request) = forwardable(frame)?;
        self.submit(now_us, unit, &request)
    }

    /// As [`Station::submit`], enciphered by the vendor's cipher.
    ///
    /// # Errors
    /// As [`Station::submit`].
    #[cfg(feature = "frame-cipher")]
    pub fn submit_enciphered(
        &mut self,
        now_us: u64,
        unit: u8,
        request: &Request<'_>,
        key: &crate::acrel::FrameKey,
    ) -> Result<TransactionId, StationError> {
        self.check_registered()?;
        Ok(self.session.submit_enciphered(now_us, unit, request, key)?)
    }

    /// Gives up the request under way.
    pub fn cancel(&mut self, now_us: u64) {
        self.session.cancel(now_us);
    }

    /// The connection has ended. The request under way ends, and [`StationEvent::Closed`](super::StationEvent::Closed) follows.
    pub fn link_down(&mut self, now_us: u64) {
        self.close(now_us, CloseReason::LinkDown);
    }

    /// Time passed. Call it when [`Station::poll_timeout`] is reached; an early call does nothing.
    pub fn handle_timeout(&mut self, now_us: u64) {
        if self.state == State::Closed {
            return;
        }
        self.session.handle_timeout(now_us);
        if !self.is_waiting() {
            self.cutter.feed(&[]);
            self.dispatch(now_us);
        }
        if self.cutter.has_part() && now_us >= self.gap_end_us() && !self.is_waiting() {
            // Everything that is left: what comes later is another frame.
            while self.cutter.has_part() {
                self.cutter.give_up();
            }
            self.dispatch(now_us);
        }
        if let Some((at_us, reason)) = self.end_of_patience()
            && now_us >= at_us
        {
            self.close(now_us, reason);
        }
    }

    /// When [`Station::handle_timeout`] or [`Station::poll_transmit`] should be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        if self.state == State::Closed {
            return None;
        }
        if self.cutter.has_more() && !self.is_waiting() {
            // A frame may lie behind the last one.
            return Some(self.last_rx_us);
        }
        let patience = self.end_of_patience().map(|(at_us, _)| at_us);
        let gap = self.cutter.has_part().then(|| self.gap_end_us());
        let session = if self.serial().is_some() { self.session.poll_timeout() } else { None };
        [patience, gap, session].into_iter().flatten().min()
    }

    fn gap_end_us(&self) -> u64 {
        self.last_rx_us.saturating_add(self.config.frame_gap_us)
    }

    fn end_of_patience(&self) -> Option<(u64, CloseReason)> {
        match self.state {
            State::Fresh => {
                Some((self.opened_us.saturating_add(self.config.register_timeout_us), CloseReason::NotRegistered))
            }
            State::Registered { .. } => {
                Some((self.last_rx_us.saturating_add(self.config.silence_timeout_us), CloseReason::Silent))
            }
            State::Registering { .. } | State::Closed => None,
        }
    }

    fn close(&mut self, now_us: u64, reason: CloseReason) {
        if self.state == State::Closed {
            return;
        }
        self.state = State::Closed;
        self.answer = None;
        self.sending = None;
        self.pending = Some(Pending::Closed(reason));
        self.session.link_down(now_us);
    }

    fn check_registered(&self) -> Result<(), StationError> {
        match self.state {
            State::Registered { .. } => Ok(()),
            _ => Err(StationError::NotRegistered),
        }
    }
}
