//! The station's side of one gateway's connection, sans-IO.
//!
//! A driver fetches events by [`GatewayStation::poll_event`], sends what [`GatewayStation::poll_transmit`] gives and calls
//! [`GatewayStation::transmitted`], passes what arrives to [`GatewayStation::receive`], which stops after each frame, and
//! calls [`GatewayStation::handle_timeout`] when [`GatewayStation::poll_timeout`] is reached.

use super::document::{Content, Document, Validation};
use super::forwarding::{GatewayMeter, parse_forwarding, text_of};
use super::frame::{GatewayCutter, GatewayFrame, PacketType};
use super::{GatewayError, GatewaySecret, Report};
use crate::acrel::{Clock, LinkId};
use crate::session::{self, Framing, LineConfig, Session, TransactionId};
use crate::uplink::forwardable;
use crate::wire::{MAX_ADU_LEN, Request};
use std::string::String;
use std::vec::Vec;

/// Settings of a [`GatewayStation`]. Times in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GatewayConfig {
    /// Times and repetitions of forwarded requests.
    pub line: LineConfig,
    /// How long a new connection may take to authenticate. Default 60 s; ours.
    pub authentication_timeout_us: u64,
    /// How long an authenticated gateway may be silent. Default 15 min; ours.
    pub silence_timeout_us: u64,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self { line: LineConfig::tunnel(), authentication_timeout_us: 60_000_000, silence_timeout_us: 900_000_000 }
    }
}

/// Something happened on a gateway's connection.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GatewayEvent<'a> {
    /// A gateway wants to be authenticated: answer by [`GatewayStation::challenge`] with its secret and a sequence that
    /// nobody can guess, or close the connection.
    Authenticating {
        /// Its id.
        gateway_id: String,
        /// Its building.
        building_id: String,
    },
    /// The gateway has proved that it knows its secret, or has failed to: the connection is then to be closed.
    Authenticated {
        /// Whether the digest was right.
        passed: bool,
    },
    /// A sign of life: answer by [`GatewayStation::answer_heartbeat`].
    Heartbeat,
    /// Readings.
    Report(Report),
    /// A forwarded request has ended.
    Transaction(session::Event<'a>),
    /// A frame or document that was not taken.
    Odd(GatewayError),
    /// The connection is of no use any more: close it. This comes once and last.
    Closed,
}

/// The station's side of the connection of one gateway.
#[derive(Debug)]
pub struct GatewayStation {
    config: GatewayConfig,
    session: Session,
    cutter: GatewayCutter,
    state: State,
    pending: Option<GatewayEvent<'static>>,
    answer: Option<Vec<u8>>,
    is_sending_request: bool,
    /// The meter of the request under way.
    asked: Option<GatewayMeter>,
    opened_us: u64,
    last_rx_us: u64,
}

#[derive(Debug)]
enum State {
    Fresh,
    Challenged { ids: Ids, secret: GatewaySecret, sequence: String },
    Authenticated { ids: Ids, secret: GatewaySecret },
    Asked(Ids),
    Closed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Ids {
    building: String,
    gateway: String,
}

impl GatewayStation {
    /// A connection that was just accepted.
    #[must_use]
    pub const fn new(now_us: u64, config: GatewayConfig, link: LinkId) -> Self {
        let mut line = config.line;
        line.framing = Framing::Tunnel;
        Self {
            config,
            session: Session::on_line(line, link),
            cutter: GatewayCutter::new(),
            state: State::Fresh,
            pending: None,
            answer: None,
            is_sending_request: false,
            asked: None,
            opened_us: now_us,
            last_rx_us: now_us,
        }
    }

    /// Whether the gateway has proved that it knows its secret.
    #[must_use]
    pub const fn is_authenticated(&self) -> bool {
        matches!(self.state, State::Authenticated { .. })
    }

    /// Answers a gateway that wants to be authenticated. The sequence must be new each time.
    ///
    /// # Errors
    /// [`GatewayError::NotAuthenticated`] when none has asked.
    pub fn challenge(&mut self, secret: GatewaySecret, sequence: &str) -> Result<(), GatewayError> {
        let State::Asked(ids) = &self.state else { return Err(GatewayError::NotAuthenticated) };
        let ids = ids.clone();
        self.answer = Some(plain(&ids, Content::Validation(Validation::Sequence(sequence.into())))?);
        self.state = State::Challenged { ids, secret, sequence: sequence.into() };
        Ok(())
    }

    /// Answers a heartbeat with the gateway's local time.
    ///
    /// # Errors
    /// [`GatewayError::NotAuthenticated`], [`GatewayError::AnswerPending`].
    pub fn answer_heartbeat(&mut self, clock: Clock) -> Result<(), GatewayError> {
        let State::Authenticated { ids, .. } = &self.state else { return Err(GatewayError::NotAuthenticated) };
        if self.answer.is_some() {
            return Err(GatewayError::AnswerPending);
        }
        self.answer = Some(plain(ids, Content::HeartBeat { time: Some(clock) })?);
        Ok(())
    }

    /// Forwards a request to a meter behind the gateway. One at a time.
    ///
    /// # Errors
    /// [`GatewayError::NotAuthenticated`], [`GatewayError::Submit`].
    pub fn submit(
        &mut self,
        now_us: u64,
        meter: GatewayMeter,
        request: &Request<'_>,
    ) -> Result<TransactionId, GatewayError> {
        if !self.is_authenticated() {
            return Err(GatewayError::NotAuthenticated);
        }
        let id = self.session.submit(now_us, meter.unit(), request)?;
        self.asked = Some(meter);
        Ok(id)
    }

    /// As [`GatewayStation::submit`], for an RTU frame that somebody else built. Factory functions and functions that
    /// this crate does not know are refused.
    ///
    /// # Errors
    /// As [`GatewayStation::submit`], and [`GatewayError::Forward`].
    pub fn submit_frame(&mut self, now_us: u64, port: u8, frame: &[u8]) -> Result<TransactionId, GatewayError> {
        let (unit, request) = forwardable(frame)?;
        self.submit(now_us, GatewayMeter::new(port, unit)?, &request)
    }

    /// The frame to send now.
    pub fn poll_transmit(&mut self, now_us: u64) -> Option<Vec<u8>> {
        if let Some(answer) = self.answer.take() {
            return Some(answer);
        }
        let State::Authenticated { secret, .. } = &self.state else { return None };
        let mut buf = [0; MAX_ADU_LEN];
        let frame = self.session.poll_transmit(now_us, &mut buf)?;
        self.is_sending_request = true;
        let text = text_of(self.asked?, frame);
        GatewayFrame::encode(PacketType::Downlink, &secret.encipher(text.as_bytes())).ok()
    }

    /// The last byte of what [`GatewayStation::poll_transmit`] gave has left.
    pub fn transmitted(&mut self, now_us: u64) {
        if core::mem::take(&mut self.is_sending_request) {
            self.session.transmitted(now_us);
        }
    }

    /// Bytes arrived. Returns how many were taken: 0 while an event or an answer waits to be fetched.
    pub fn receive(&mut self, now_us: u64, bytes: &[u8]) -> usize {
        if matches!(self.state, State::Closed) {
            return bytes.len();
        }
        if self.pending.is_some() || self.answer.is_some() || self.session.is_done() {
            return 0;
        }
        match self.cutter.feed(bytes) {
            Ok((taken, frame)) => {
                if taken > 0 {
                    self.last_rx_us = now_us;
                }
                if let Some(frame) = frame
                    && let Err(error) = self.take(now_us, &frame)
                {
                    self.pending = Some(GatewayEvent::Odd(error));
                }
                taken
            }
            // Without a check sum there is no way back into the stream.
            Err(error) => {
                self.pending = Some(GatewayEvent::Odd(error));
                self.end(now_us);
                bytes.len()
            }
        }
    }

    /// The connection has ended.
    pub fn link_down(&mut self, now_us: u64) {
        self.end(now_us);
    }

    /// Time passed. Call it when [`GatewayStation::poll_timeout`] is reached; an early call does nothing.
    pub fn handle_timeout(&mut self, now_us: u64) {
        self.session.handle_timeout(now_us);
        if self.end_of_patience_us().is_some_and(|at_us| now_us >= at_us) {
            self.end(now_us);
        }
    }

    /// When [`GatewayStation::handle_timeout`] or [`GatewayStation::poll_transmit`] should be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        [self.end_of_patience_us(), self.session.poll_timeout()].into_iter().flatten().min()
    }

    fn end_of_patience_us(&self) -> Option<u64> {
        match self.state {
            State::Closed => None,
            State::Authenticated { .. } => Some(self.last_rx_us.saturating_add(self.config.silence_timeout_us)),
            _ => Some(self.opened_us.saturating_add(self.config.authentication_timeout_us)),
        }
    }

    /// What happened, one at a time.
    pub fn poll_event(&mut self) -> Option<GatewayEvent<'_>> {
        if self.session.is_done() {
            self.asked = None;
            return self.session.poll_event().map(GatewayEvent::Transaction);
        }
        let event = self.pending.take()?;
        if event != GatewayEvent::Closed && matches!(self.state, State::Closed) {
            self.pending = Some(GatewayEvent::Closed);
        }
        Some(event)
    }

    fn end(&mut self, now_us: u64) {
        if matches!(self.state, State::Closed) {
            return;
        }
        self.state = State::Closed;
        self.answer = None;
        if self.pending.is_none() {
            self.pending = Some(GatewayEvent::Closed);
        }
        self.session.link_down(now_us);
    }

    fn take(&mut self, now_us: u64, frame: &GatewayFrame) -> Result<(), GatewayError> {
        match frame.packet {
            PacketType::Authentication => self.validation(Document::parse(text(&frame.data)?)?),
            PacketType::Heartbeat => {
                self.secret()?;
                Document::parse(text(&frame.data)?)?;
                self.pending = Some(GatewayEvent::Heartbeat);
                Ok(())
            }
            PacketType::Data => {
                let plain = self.secret()?.decipher(&frame.data)?;
                self.report(&plain)
            }
            PacketType::CompressedData => {
                let plain = self.secret()?.decipher_and_inflate(&frame.data)?;
                self.report(&plain)
            }
            PacketType::DownlinkReply => {
                let plain = self.secret()?.decipher(&frame.data)?;
                let (meter, reply) = parse_forwarding(text(&plain)?)?;
                // A reply of another port's meter is nobody's.
                if self.asked == Some(meter) {
                    self.session.receive(now_us, &reply);
                }
                Ok(())
            }
            PacketType::Downlink => Err(GatewayError::PacketType(frame.packet.byte())),
        }
    }

    fn secret(&self) -> Result<&GatewaySecret, GatewayError> {
        match &self.state {
            State::Authenticated { secret, .. } => Ok(secret),
            _ => Err(GatewayError::NotAuthenticated),
        }
    }

    fn report(&mut self, plain: &[u8]) -> Result<(), GatewayError> {
        match Document::parse(text(plain)?)?.content {
            Content::Report(report) => {
                self.pending = Some(GatewayEvent::Report(report));
                Ok(())
            }
            _ => Err(GatewayError::Missing("data")),
        }
    }

    fn validation(&mut self, document: Document) -> Result<(), GatewayError> {
        let Document { building_id, gateway_id, content } = document;
        match (content, &self.state) {
            (Content::Validation(Validation::Request), State::Fresh | State::Asked(_) | State::Challenged { .. }) => {
                self.state = State::Asked(Ids { building: building_id.clone(), gateway: gateway_id.clone() });
                self.pending = Some(GatewayEvent::Authenticating { gateway_id, building_id });
                Ok(())
            }
            (Content::Validation(Validation::Md5(answer)), State::Challenged { ids, secret, sequence }) => {
                let passed = ids.gateway == gateway_id && secret.is_answered_by(sequence, &answer);
                self.answer = Some(plain(ids, Content::Validation(Validation::Result { passed }))?);
                // One answer to one sequence.
                self.state = if passed {
                    State::Authenticated { ids: ids.clone(), secret: secret.clone() }
                } else {
                    State::Fresh
                };
                self.pending = Some(GatewayEvent::Authenticated { passed });
                Ok(())
            }
            _ => Err(GatewayError::NotAuthenticated),
        }
    }
}

fn plain(ids: &Ids, content: Content) -> Result<Vec<u8>, GatewayError> {
    let packet = match content {
        Content::HeartBeat { .. } => PacketType::Heartbeat,
        _ => PacketType::Authentication,
    };
    let document = Document::new(ids.building.clone(), ids.gateway.clone(), content);
    GatewayFrame::encode(packet, document.to_xml()?.as_bytes())
}

fn text(data: &[u8]) -> Result<&str, GatewayError> {
    core::str::from_utf8(data).map_err(|_| GatewayError::Text)
}
