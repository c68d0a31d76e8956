//! Bytes out and in: the frame to send, and the reply among what arrives.

use super::event::count;
use super::scan::{self, Echo, Scan};
use super::timing::MaybeTime;
use super::{End, Framing, Job, NoReply, NotTransmitted, RX_LEN, Session, State};
use crate::wire::request::ReplyLen;
use crate::wire::{Expectation, MAX_ADU_LEN, rtu};
use core::cell::Cell;
use core::ops::Range;

impl Session {
    /// The frame to send now, if the line has been quiet long enough. After this the request counts as sent.
    pub fn poll_transmit<'b>(&mut self, now_us: u64, buf: &'b mut [u8; MAX_ADU_LEN]) -> Option<&'b [u8]> {
        let State::Queued { job, .. } = self.state else { return None };
        if !self.is_ready(now_us) {
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
        self.state = State::Waiting { job, sent_us: now_us, deadline_us, last_rx_us: MaybeTime::NONE, echo_pending };
        if self.rx_len > 0 {
            self.look(now_us);
        }
    }

    /// Bytes arrived; over a tunnel, one frame.
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
        if self.line.framing == Framing::Tunnel {
            self.look_at_frame(now_us, bytes);
            return;
        }
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
        *last_rx_us = MaybeTime::at(now_us);
        if echo_pending && !self.strip_echo() {
            return;
        }
        let received = self.rx.get(..self.rx_len).unwrap_or_default();
        let scan = match self.line.framing {
            Framing::Tcp => scan::tcp_reply(received, self.transaction, job.unit, &job.expected),
            Framing::Rtu | Framing::Tunnel if job.expected.reply_len() == ReplyLen::Open => return,
            Framing::Rtu | Framing::Tunnel => scan::rtu_reply(received, job.unit, &job.expected),
        };
        self.take(now_us, job, &scan);
    }

    /// A frame out of a tunnel is the reply or it is not.
    fn look_at_frame(&mut self, now_us: u64, frame: &[u8]) {
        let State::Waiting { job, .. } = self.state else { return };
        let sent = self.tx.get(..self.tx_len).unwrap_or_default();
        // Any bytes answer a vendor write, except the ones that asked.
        let is_returned = job.expected.reply_len() == ReplyLen::Open && frame == sent;
        if !is_returned && rtu::decode_answer(frame, job.unit, &job.expected).is_ok() {
            let len = self.append(frame);
            self.answered(now_us, job, 0..len);
            return;
        }
        count(&mut self.counters.broken_frames, usize::from(rtu::open(frame).is_err()));
        count(&mut self.counters.discarded_bytes, frame.len());
    }

    /// The tunnel's far end confirms that it has the write, and gives no reply of the meter: some 4G meters answer a
    /// write by their serial alone. The transaction ends with [`NoReply::Acknowledged`], so that the caller reads back.
    /// A read goes on waiting: a confirmation is no reading.
    pub fn acknowledged(&mut self, now_us: u64) {
        let State::Waiting { job, sent_us, .. } = self.state else { return };
        if matches!(job.expected, Expectation::Registers { .. } | Expectation::Id(_)) {
            return;
        }
        self.quiet_after(now_us);
        // The meter's own reply may still follow.
        self.drain_until(self.last_reply_us(sent_us, &job));
        self.end(job, End::NoReply(NoReply::Acknowledged));
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

    pub(super) fn answered(&mut self, now_us: u64, job: Job, found: Range<usize>) {
        count(&mut self.counters.replies, 1);
        let around = self.rx_len.saturating_sub(found.len());
        count(&mut self.counters.discarded_bytes, around);
        self.ready_at_us = MaybeTime::NONE;
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

    fn clear_received(&mut self) {
        self.rx_len = 0;
    }

    /// Throws away leading bytes and counts them.
    pub(super) fn discard(&mut self, len: usize) {
        count(&mut self.counters.discarded_bytes, len);
        self.shift(len);
    }

    fn shift(&mut self, len: usize) {
        let len = len.min(self.rx_len);
        // Not `copy_within`: it can panic, and firmware shows that nothing here does.
        let bytes = Cell::from_mut(self.rx.as_mut_slice()).as_slice_of_cells();
        let kept = bytes.get(len..self.rx_len).unwrap_or_default();
        for (to, from) in bytes.iter().zip(kept) {
            to.set(from.get());
        }
        self.rx_len = self.rx_len.saturating_sub(len);
    }
}
