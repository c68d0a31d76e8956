//! The sans-IO master of one transaction at a time: what to send, when to give up, which reply is ours.
//!
//! The session does no input or output and reads no clock. Time is in microseconds from any origin that does not
//! move; it comes in as an argument and never goes backwards. A driver does this:
//!
//! 1. [`Session::submit`] a request.
//! 2. Send what [`Session::poll_transmit`] gives and call [`Session::transmitted`] when the last byte has left.
//! 3. Pass what arrives to [`Session::receive`], and call [`Session::handle_timeout`] when [`Session::poll_timeout`]
//!    is reached. Do both as well while no transaction is under way: late replies must be drained.
//! 4. Fetch the end with [`Session::poll_event`].
//!
//! ```
//! use meter_protocol::session::{LineConfig, Outcome, Session};
//! use meter_protocol::wire::{MAX_ADU_LEN, Reply, Request};
//!
//! let mut session = Session::new(LineConfig::rtu_unpaced());
//! let id = session.submit(0, 1, &Request::read_holding(0x0043, 3)?)?;
//! let mut buf = [0; MAX_ADU_LEN];
//! let sent = session.poll_transmit(0, &mut buf).expect("the line is quiet");
//! assert_eq!(sent, [0x01, 0x03, 0x00, 0x43, 0x00, 0x03, 0xF4, 0x1F]);
//! session.transmitted(10);
//! session.receive(20, &[0x01, 0x03, 0x06, 0x20, 0x26, 0x03, 0x05, 0x00, 0x12, 0xBF, 0x9A]);
//! let event = session.poll_event().expect("the reply is complete");
//! assert_eq!(event.id, id);
//! assert!(matches!(event.outcome, Outcome::Reply(Reply::Registers(_))));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # Which reply is ours
//! Unit, function and byte count must be the asked ones, lengths come from the request, and everything else is slid
//! over byte by byte with the clock still running. After a time-out the line is kept quiet and drained until the
//! longest response time has passed, because a late reply of equal unit, function and length can't be told from the
//! right one.
//!
//! # Tunnels
//! Over [`Framing::Tunnel`] the frames are those of RTU, but something else carries them whole: the 90H frames of a
//! meter that dials in, or a gateway's forwarding. The driver wraps what [`Session::poll_transmit`] gives, and calls
//! [`Session::receive`] once for each frame that comes out of the tunnel, without what the tunnel put around it. Nothing
//! is slid over there: a frame is the reply or it is discarded. [`Session::acknowledged`] is for a tunnel that confirms
//! a write without its reply. [`crate::uplink`] does all of this.
//!
//! # What is repeated
//! Reads, as often as [`LineConfig::read_attempts`] says. Writes never: read back first.
//!
//! # Arithmetic
//! Saturating arithmetic is of lengths, times and counters, which stay at their end; no content of a register is among
//! them.

mod event;
mod line;
mod scan;
mod timing;
mod traffic;

pub use event::{Counters, Event, NoReply, NotTransmitted, Outcome, SubmitError, TransactionId};
pub use line::{CharFormat, Framing, LineConfig, Pace};

use timing::MaybeTime;

use crate::acrel::LinkId;
use crate::wire::{Answer, Expectation, MAX_ADU_LEN, Request, rtu, tcp};

/// Room for a whole echo and a whole reply.
const RX_LEN: usize = 2 * MAX_ADU_LEN;
/// Longest reply counted into a time-out when its length is not known beforehand.
const OPEN_REPLY_LEN: usize = 64;

/// The master of one line.
#[derive(Debug)]
pub struct Session {
    line: LineConfig,
    link: LinkId,
    state: State,
    /// Earliest time of the next transmission: silence, or the end of draining. None before anything is known.
    ready_at_us: MaybeTime,
    counters: Counters,
    next_id: u32,
    /// Modbus/TCP transaction of the last frame.
    transaction: u16,
    tx: [u8; MAX_ADU_LEN],
    tx_len: usize,
    rx: [u8; RX_LEN],
    rx_len: usize,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Idle,
    /// Waiting for silence.
    Queued {
        job: Job,
        give_up_us: u64,
    },
    /// Given to the driver; some of it may have left.
    Sending {
        job: Job,
    },
    /// Sent; the reply must be complete at `deadline_us`.
    Waiting {
        job: Job,
        sent_us: u64,
        deadline_us: u64,
        last_rx_us: MaybeTime,
        echo_pending: bool,
    },
    /// Ended; the event has not been fetched. A reply lies in `rx`.
    Done {
        job: Job,
        end: End,
    },
}

#[derive(Clone, Copy, Debug)]
struct Job {
    id: TransactionId,
    unit: u8,
    expected: Expectation,
    attempts_left: u8,
    response_timeout_us: u32,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Answer { start: usize, end: usize },
    NotTransmitted(NotTransmitted),
    NoReply(NoReply),
}

impl Session {
    /// A session on line number 0. Use [`Session::on_line`] where several lines are in one program.
    #[must_use]
    pub const fn new(line: LineConfig) -> Self {
        Self::on_line(line, LinkId::first(0))
    }

    /// A session whose confirmations (see [`crate::acrel::Confirmed`]) belong to `link`.
    #[must_use]
    pub const fn on_line(line: LineConfig, link: LinkId) -> Self {
        Self {
            line,
            link,
            state: State::Idle,
            ready_at_us: MaybeTime::NONE,
            counters: Counters {
                transmitted: 0,
                replies: 0,
                timeouts: 0,
                discarded_bytes: 0,
                broken_frames: 0,
                stale_frames: 0,
                echoes: 0,
                collisions: 0,
            },
            next_id: 0,
            transaction: 0,
            tx: [0; MAX_ADU_LEN],
            tx_len: 0,
            rx: [0; RX_LEN],
            rx_len: 0,
        }
    }

    /// The line as configured.
    #[must_use]
    pub const fn line(&self) -> &LineConfig {
        &self.line
    }

    /// The present connection. It changes with [`Session::link_down`].
    #[must_use]
    pub const fn link(&self) -> LinkId {
        self.link
    }

    /// What happened on the line so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Whether a transaction is under way or its event waits to be fetched.
    #[must_use]
    pub const fn is_busy(&self) -> bool {
        !matches!(self.state, State::Idle)
    }

    /// Whether [`Session::poll_event`] has something.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.state, State::Done { .. })
    }

    /// Takes a request for `unit`. The frame is encoded at once; the request's data need not live on.
    ///
    /// # Errors
    /// [`SubmitError::Busy`]; [`SubmitError::Encode`], with [`crate::wire::EncodeError::Broadcast`] for unit 0.
    pub fn submit(&mut self, now_us: u64, unit: u8, request: &Request<'_>) -> Result<TransactionId, SubmitError> {
        self.submit_within(now_us, unit, request, self.line.response_timeout_us)
    }

    /// As [`Session::submit`], with a response time-out for this request only: setting the clock takes some meters 2 s.
    ///
    /// # Errors
    /// As [`Session::submit`].
    pub fn submit_within(
        &mut self,
        now_us: u64,
        unit: u8,
        request: &Request<'_>,
        response_timeout_us: u32,
    ) -> Result<TransactionId, SubmitError> {
        if self.is_busy() {
            return Err(SubmitError::Busy);
        }
        let frame = match self.line.framing {
            Framing::Rtu | Framing::Tunnel => rtu::encode_request(unit, request, &mut self.tx)?,
            // The number is set when the frame is handed out.
            Framing::Tcp => tcp::encode_request(0, unit, request, &mut self.tx)?,
        };
        self.tx_len = frame.len();
        Ok(self.begin(now_us, unit, request, response_timeout_us))
    }

    /// As [`Session::submit`], enciphered by the vendor's cipher: a sale or a parameter frame to a meter that is
    /// switched to it. The reply is clear.
    ///
    /// # Errors
    /// As [`Session::submit`], with [`crate::wire::EncodeError::NotEnciphered`] for other requests and over
    /// Modbus/TCP.
    #[cfg(feature = "frame-cipher")]
    pub fn submit_enciphered(
        &mut self,
        now_us: u64,
        unit: u8,
        request: &Request<'_>,
        key: &crate::acrel::FrameKey,
    ) -> Result<TransactionId, SubmitError> {
        if self.is_busy() {
            return Err(SubmitError::Busy);
        }
        if self.line.framing == Framing::Tcp {
            return Err(crate::wire::EncodeError::NotEnciphered { function: request.function() }.into());
        }
        self.tx_len = key.encode_request(unit, request, &mut self.tx)?.len();
        Ok(self.begin(now_us, unit, request, self.line.response_timeout_us))
    }

    /// The frame lies in `tx`.
    fn begin(&mut self, now_us: u64, unit: u8, request: &Request<'_>, response_timeout_us: u32) -> TransactionId {
        let id = TransactionId(self.next_id);
        // Identifiers only tell neighbours apart, so they may start again.
        self.next_id = self.next_id.wrapping_add(1);
        let attempts_left = if request.is_read() { self.line.read_attempts.max(1) } else { 1 };
        self.queue(now_us, Job { id, unit, expected: request.expectation(), attempts_left, response_timeout_us });
        id
    }

    fn queue(&mut self, now_us: u64, job: Job) {
        let ready_at_us = self.ready_at_us.get().unwrap_or_else(|| now_us.saturating_add(self.line.quiet_us()));
        self.ready_at_us = MaybeTime::at(ready_at_us);
        let give_up_us = ready_at_us.max(now_us).saturating_add(self.line.longest_response_us.into());
        self.state = State::Queued { job, give_up_us };
    }

    /// Gives up the transaction under way, if there is one. Its event then says whether anything had left.
    pub fn cancel(&mut self, now_us: u64) {
        match self.state {
            State::Idle | State::Done { .. } => {}
            State::Queued { job, .. } => self.end(job, End::NotTransmitted(NotTransmitted::Cancelled)),
            State::Sending { job } => {
                self.drain_until(self.last_reply_us(now_us, &job));
                self.end(job, End::NoReply(NoReply::Cancelled));
            }
            State::Waiting { job, sent_us, .. } => {
                self.drain_until(self.last_reply_us(sent_us, &job));
                self.end(job, End::NoReply(NoReply::Cancelled));
            }
        }
    }

    /// The connection ended: what was received is void, confirmations end, and the transaction under way ends.
    /// A new connection needs no draining.
    pub fn link_down(&mut self, _now_us: u64) {
        self.link = self.link.next();
        self.ready_at_us = MaybeTime::NONE;
        match self.state {
            State::Idle | State::Done { .. } => {}
            State::Queued { job, .. } => self.end(job, End::NotTransmitted(NotTransmitted::LinkDown)),
            State::Sending { job } | State::Waiting { job, .. } => self.end(job, End::NoReply(NoReply::LinkDown)),
        }
    }

    /// The end of the transaction, once. The session is free for the next one afterwards.
    pub fn poll_event(&mut self) -> Option<Event<'_>> {
        let State::Done { job, end } = self.state else { return None };
        self.state = State::Idle;
        let outcome = match end {
            End::NotTransmitted(why) => Outcome::NotTransmitted(why),
            End::NoReply(why) => Outcome::NoReply(why),
            End::Answer { start, end } => {
                let frame = self.rx.get(start..end).unwrap_or_default();
                let answer = match self.line.framing {
                    Framing::Rtu | Framing::Tunnel => rtu::decode_answer(frame, job.unit, &job.expected),
                    Framing::Tcp => tcp::decode_answer(frame, self.transaction, job.unit, &job.expected),
                };
                match answer {
                    Ok(Answer::Reply(reply)) => Outcome::Reply(reply),
                    Ok(Answer::Exception(exception)) => Outcome::Exception(exception),
                    // The same bytes decoded a moment ago; an unknown outcome is the safe word for the impossible.
                    Err(_) => Outcome::NoReply(NoReply::TimedOut),
                }
            }
        };
        Some(Event { id: job.id, outcome })
    }

    fn end(&mut self, job: Job, end: End) {
        self.state = State::Done { job, end };
    }
}
