//! Time: when to give up, when a reply has ended, how long the line stays quiet.

use super::event::count;
use super::{End, Framing, Job, NoReply, NotTransmitted, OPEN_REPLY_LEN, Session, State, scan};
use crate::wire::Expectation;
use crate::wire::request::ReplyLen;

/// A time, or that there is none, in the room of a time: a session lies in a microcontroller's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MaybeTime(u64);

impl MaybeTime {
    /// The end of all time stands for none.
    pub(super) const NONE: Self = Self(u64::MAX);

    pub(super) fn at(us: u64) -> Self {
        Self(us.min(u64::MAX - 1))
    }

    pub(super) fn get(self) -> Option<u64> {
        (self != Self::NONE).then_some(self.0)
    }
}

impl Session {
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
                        *last_rx_us = MaybeTime::NONE;
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
    fn frame_ended(&self, now_us: u64, job: &Job, last_rx_us: MaybeTime) -> bool {
        let open = self.line.framing == Framing::Rtu && job.expected.reply_len() == ReplyLen::Open;
        open && last_rx_us.get().is_some_and(|last| now_us >= last.saturating_add(self.line.frame_end_quiet_us()))
    }

    /// When [`Session::poll_transmit`] or [`Session::handle_timeout`] should be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        match self.state {
            State::Idle | State::Sending { .. } | State::Done { .. } => None,
            State::Queued { give_up_us, .. } => Some(self.ready_at_us.get().unwrap_or(0).min(give_up_us)),
            State::Waiting { job, deadline_us, last_rx_us, echo_pending, .. } => {
                let open = self.line.framing == Framing::Rtu && job.expected.reply_len() == ReplyLen::Open;
                let frame_end = last_rx_us.get().filter(|_| open && !echo_pending);
                let frame_end = frame_end.map(|last| last.saturating_add(self.line.frame_end_quiet_us()));
                Some(frame_end.map_or(deadline_us, |end| end.min(deadline_us)))
            }
        }
    }

    pub(super) fn is_ready(&self, now_us: u64) -> bool {
        self.ready_at_us.get().is_none_or(|ready_at_us| now_us >= ready_at_us)
    }

    /// Time that the characters of the reply take.
    pub(super) fn reply_time_us(&self, expected: &Expectation) -> u64 {
        let pdu_len = match expected.reply_len() {
            ReplyLen::Fixed(len) => len,
            ReplyLen::Counted | ReplyLen::Open => OPEN_REPLY_LEN,
        };
        self.line.pace.chars_us(u64::try_from(pdu_len.saturating_add(3)).unwrap_or(u64::MAX))
    }

    /// When the latest possible reply to a request sent at `sent_us` has passed.
    pub(super) fn last_reply_us(&self, sent_us: u64, job: &Job) -> u64 {
        let longest = self.line.longest_response_us.max(job.response_timeout_us);
        sent_us.saturating_add(longest.into()).saturating_add(self.reply_time_us(&job.expected))
    }

    /// Keeps the line quiet until then. Modbus/TCP needs none of it: transaction numbers tell late replies.
    pub(super) fn drain_until(&mut self, until_us: u64) {
        if self.line.framing != Framing::Tcp {
            let until_us = until_us.saturating_add(self.line.quiet_us());
            self.not_ready_until(until_us);
        }
    }

    /// Keeps the silent interval after bytes on the line.
    pub(super) fn quiet_after(&mut self, now_us: u64) {
        let until_us = now_us.saturating_add(self.line.quiet_us());
        self.not_ready_until(until_us);
    }

    fn not_ready_until(&mut self, until_us: u64) {
        let ready_at_us = self.ready_at_us.get().map_or(until_us, |ready| ready.max(until_us));
        self.ready_at_us = MaybeTime::at(ready_at_us);
    }
}
