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
//! # What is repeated
//! Reads, as often as [`LineConfig::read_attempts`] says. Writes never: read back first.
//!
//! # Arithmetic
//! Saturating arithmetic is of lengths, times and counters, which stay at their end; no content of a register is among
//! them.

mod event;
mod line;
mod scan;

pub use event::{Counters, Event, NoReply, NotTransmitted, Outcome, SubmitError, TransactionId};
pub use line::{CharFormat, Framing, LineConfig, Pace};

use crate::acrel::LinkId;
use crate::wire::request::ReplyLen;
use crate::wire::{Answer, Expectation, MAX_ADU_LEN, Request, rtu, tcp};
use core::ops::Range;
use event::count;
use scan::{Echo, Scan};

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
    /// Earliest time of the next transmission: silence, or the end of draining. `None` before anything is known.
    ready_at_us: Option<u64>,
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
        last_rx_us: Option<u64>,
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
            ready_at_us: None,
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
            Framing::Rtu => rtu::encode_request(unit, request, &mut self.tx)?,
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
        if self.line.framing != Framing::Rtu {
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
        let ready_at_us = *self.ready_at_us.get_or_insert(now_us.saturating_add(self.line.quiet_us()));
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
        self.ready_at_us = None;
        match self.state {
            State::Idle | State::Done { .. } => {}
            State::Queued { job, .. } => self.end(job, End::NotTransmitted(NotTransmitted::LinkDown)),
            State::Sending { job } | State::Waiting { job, .. } => self.end(job, End::NoReply(NoReply::LinkDown)),
        }
    }

    /// The frame to send now, if the line has been quiet long enough. After this the request counts as sent.
    pub fn poll_transmit<'b>(&mut self, now_us: u64, buf: &'b mut [u8; MAX_ADU_LEN]) -> Option<&'b [u8]> {
        let State::Queued { job, .. } = self.state else { return None };
        if self.ready_at_us.is_some_and(|ready_at_us| now_us < ready_at_us) {
            return None;
        }
        if self.line.framing == Framing::Tcp {
            self.number_frame();
        }
        self.clear_received();
        self.state = State::Sending { job };
        count(&mut self.counters.transmitted, 1);
        *buf = self.tx;
        buf.get(..self.tx_len)
    }

    /// Gives the Modbus/TCP frame its transaction number; numbers only need to differ from recent ones.
    fn number_frame(&mut self) {
        self.transaction = self.transaction.wrapping_add(1);
        if let Some(number) = self.tx.first_chunk_mut::<2>() {
            *number = self.transaction.to_be_bytes();
        }
    }

    /// Nothing of the frame that [`Session::poll_transmit`] gave has left, and nothing will: the link refused it.
    pub fn not_transmitted(&mut self) {
        if let State::Sending { job } = self.state {
            self.end(job, End::NotTransmitted(NotTransmitted::LinkDown));
        }
    }

    /// The last byte of the request has left the line. The response time runs from here.
    pub fn transmitted(&mut self, now_us: u64) {
        let State::Sending { job } = self.state else { return };
        let deadline_us = now_us
            .saturating_add(job.response_timeout_us.into())
            .saturating_add(self.reply_time_us(&job.expected))
            .saturating_add(self.line.quiet_us());
        let echo_pending = self.line.local_echo;
        self.state = State::Waiting { job, sent_us: now_us, deadline_us, last_rx_us: None, echo_pending };
        if self.rx_len > 0 {
            self.look(now_us);
        }
    }

    /// Bytes arrived.
    pub fn receive(&mut self, now_us: u64, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let may_be_ours = match self.state {
            State::Waiting { .. } => true,
            // Before the last byte has left there is no reply, only the echo of what is being sent.
            State::Sending { .. } => self.line.local_echo,
            State::Idle | State::Queued { .. } | State::Done { .. } => false,
        };
        if !may_be_ours {
            count(&mut self.counters.discarded_bytes, bytes.len());
            self.quiet_after(now_us);
            return;
        }
        // Whatever becomes of the transaction, the line was not silent just now.
        self.quiet_after(now_us);
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.rx_len == RX_LEN {
                // Full without a reply: the older half can't hold one.
                self.discard(RX_LEN / 2);
            }
            let taken = self.append(rest);
            rest = rest.get(taken..).unwrap_or_default();
            self.look(now_us);
            if let State::Done { .. } = self.state {
                count(&mut self.counters.discarded_bytes, rest.len());
                return;
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) -> usize {
        let room = self.rx.get_mut(self.rx_len..).unwrap_or_default();
        let taken = room.len().min(bytes.len());
        for (to, from) in room.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.rx_len = self.rx_len.saturating_add(taken);
        taken
    }

    /// Looks at the received bytes after some arrived.
    fn look(&mut self, now_us: u64) {
        let State::Waiting { job, ref mut last_rx_us, echo_pending, .. } = self.state else { return };
        *last_rx_us = Some(now_us);
        if echo_pending && !self.strip_echo() {
            return;
        }
        let received = self.rx.get(..self.rx_len).unwrap_or_default();
        let scan = match self.line.framing {
            Framing::Tcp => scan::tcp_reply(received, self.transaction, job.unit, &job.expected),
            Framing::Rtu if job.expected.reply_len() == ReplyLen::Open => return,
            Framing::Rtu => scan::rtu_reply(received, job.unit, &job.expected),
        };
        self.take(now_us, job, &scan);
    }

    fn take(&mut self, now_us: u64, job: Job, scan: &Scan) {
        count(&mut self.counters.stale_frames, scan.stale);
        if let Some(found) = &scan.found {
            count(&mut self.counters.broken_frames, scan.broken);
            self.answered(now_us, job, found.clone());
        } else if scan.useless > 0 {
            count(&mut self.counters.broken_frames, scan.broken);
            self.discard(scan.useless);
        }
    }

    fn answered(&mut self, now_us: u64, job: Job, found: Range<usize>) {
        count(&mut self.counters.replies, 1);
        let around = self.rx_len.saturating_sub(found.len());
        count(&mut self.counters.discarded_bytes, around);
        self.ready_at_us = None;
        self.quiet_after(now_us);
        self.end(job, End::Answer { start: found.start, end: found.end });
    }

    /// Whether the echo of our own frame is out of the way.
    fn strip_echo(&mut self) -> bool {
        let received = self.rx.get(..self.rx_len).unwrap_or_default();
        let sent = self.tx.get(..self.tx_len).unwrap_or_default();
        match scan::echo(received, sent) {
            Echo::Undecided => return false,
            Echo::Whole(len) => {
                count(&mut self.counters.echoes, 1);
                self.shift(len);
            }
            Echo::Differs => count(&mut self.counters.collisions, 1),
        }
        if let State::Waiting { echo_pending, .. } = &mut self.state {
            *echo_pending = false;
        }
        true
    }

    /// Time passed. Call it when [`Session::poll_timeout`] is reached; an early call does nothing.
    pub fn handle_timeout(&mut self, now_us: u64) {
        match self.state {
            State::Queued { job, give_up_us } if now_us >= give_up_us && !self.is_ready(now_us) => {
                self.end(job, End::NotTransmitted(NotTransmitted::LineBusy));
            }
            State::Waiting { job, sent_us, deadline_us, last_rx_us, echo_pending } => {
                if !echo_pending && self.frame_ended(now_us, &job, last_rx_us) {
                    let received = self.rx.get(..self.rx_len).unwrap_or_default();
                    let sent = self.tx.get(..self.tx_len).unwrap_or_default();
                    if let Some(found) = scan::vendor_reply(received, job.unit, sent) {
                        self.answered(now_us, job, found);
                        return;
                    }
                    // Silence after something else: wait on, and look again when more has come.
                    if let State::Waiting { last_rx_us, .. } = &mut self.state {
                        *last_rx_us = None;
                    }
                }
                if now_us >= deadline_us {
                    self.timed_out(now_us, job, sent_us);
                }
            }
            _ => {}
        }
    }

    fn timed_out(&mut self, now_us: u64, job: Job, sent_us: u64) {
        count(&mut self.counters.timeouts, 1);
        self.discard(self.rx_len);
        self.quiet_after(now_us);
        self.drain_until(self.last_reply_us(sent_us, &job));
        let attempts_left = job.attempts_left.saturating_sub(1);
        if attempts_left == 0 {
            self.end(job, End::NoReply(NoReply::TimedOut));
        } else {
            self.queue(now_us, Job { attempts_left, ..job });
        }
    }

    /// Whether a reply of unknown length has ended by silence.
    fn frame_ended(&self, now_us: u64, job: &Job, last_rx_us: Option<u64>) -> bool {
        let open = self.line.framing == Framing::Rtu && job.expected.reply_len() == ReplyLen::Open;
        open && last_rx_us.is_some_and(|last| now_us >= last.saturating_add(self.line.frame_end_quiet_us()))
    }

    /// When [`Session::poll_transmit`] or [`Session::handle_timeout`] should be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        match self.state {
            State::Idle | State::Sending { .. } | State::Done { .. } => None,
            State::Queued { give_up_us, .. } => Some(self.ready_at_us.unwrap_or(0).min(give_up_us)),
            State::Waiting { job, deadline_us, last_rx_us, echo_pending, .. } => {
                let open = self.line.framing == Framing::Rtu && job.expected.reply_len() == ReplyLen::Open;
                let frame_end = last_rx_us.filter(|_| open && !echo_pending);
                let frame_end = frame_end.map(|last| last.saturating_add(self.line.frame_end_quiet_us()));
                Some(frame_end.map_or(deadline_us, |end| end.min(deadline_us)))
            }
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
                    Framing::Rtu => rtu::decode_answer(frame, job.unit, &job.expected),
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

    fn is_ready(&self, now_us: u64) -> bool {
        self.ready_at_us.is_none_or(|ready_at_us| now_us >= ready_at_us)
    }

    /// Time that the characters of the reply take.
    fn reply_time_us(&self, expected: &Expectation) -> u64 {
        let pdu_len = match expected.reply_len() {
            ReplyLen::Fixed(len) => len,
            ReplyLen::Counted | ReplyLen::Open => OPEN_REPLY_LEN,
        };
        self.line.pace.chars_us(u64::try_from(pdu_len.saturating_add(3)).unwrap_or(u64::MAX))
    }

    /// When the latest possible reply to a request sent at `sent_us` has passed.
    fn last_reply_us(&self, sent_us: u64, job: &Job) -> u64 {
        let longest = self.line.longest_response_us.max(job.response_timeout_us);
        sent_us.saturating_add(longest.into()).saturating_add(self.reply_time_us(&job.expected))
    }

    /// Keeps the line quiet until then. Modbus/TCP needs none of it: transaction numbers tell late replies.
    fn drain_until(&mut self, until_us: u64) {
        if self.line.framing == Framing::Rtu {
            let until_us = until_us.saturating_add(self.line.quiet_us());
            self.ready_at_us = Some(self.ready_at_us.map_or(until_us, |ready| ready.max(until_us)));
        }
    }

    /// Keeps the silent interval after bytes on the line.
    fn quiet_after(&mut self, now_us: u64) {
        let until_us = now_us.saturating_add(self.line.quiet_us());
        self.ready_at_us = Some(self.ready_at_us.map_or(until_us, |ready| ready.max(until_us)));
    }

    fn clear_received(&mut self) {
        self.rx_len = 0;
    }

    /// Throws away leading bytes and counts them.
    fn discard(&mut self, len: usize) {
        count(&mut self.counters.discarded_bytes, len);
        self.shift(len);
    }

    fn shift(&mut self, len: usize) {
        let len = len.min(self.rx_len);
        self.rx.copy_within(len..self.rx_len, 0);
        self.rx_len = self.rx_len.saturating_sub(len);
    }
}
