//! What a real line does to frames, by seed.

use alloc::vec::Vec;
use core::ops::RangeInclusive;

use super::bus::Delivery;
use super::frame;

/// How often a line does what to a frame, each in 0.001 of the frames. More than one can hit the same frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faults {
    /// The request never reaches the meter.
    pub lost_request_per_mille: u16,
    /// The request reaches the meter twice, one right behind the other.
    pub duplicated_request_per_mille: u16,
    /// The meter acts, its reply never arrives.
    pub lost_reply_per_mille: u16,
    /// The reply comes later, by a time in `late_us`.
    pub late_reply_per_mille: u16,
    /// The reply comes twice, the copy later by a time in `late_us`.
    pub duplicated_reply_per_mille: u16,
    /// The reply breaks off before its end.
    pub truncated_reply_per_mille: u16,
    /// One to eight bits of the reply are flipped.
    pub corrupted_reply_per_mille: u16,
    /// One to six bytes of noise come in front of the reply.
    pub noise_before_per_mille: u16,
    /// The master hears its own request, whole or in part, in front of the reply, as on a two-wire adapter that does
    /// not mute its receiver.
    pub echo_per_mille: u16,
    /// A whole valid frame of another unit comes in front of the reply.
    pub foreign_per_mille: u16,
    /// Shortest and longest extra delay in microseconds. The end is also the longest time that a frame lives.
    pub late_us: (u32, u32),
}

impl Faults {
    /// A perfect line.
    pub const NONE: Self = Self {
        lost_request_per_mille: 0,
        duplicated_request_per_mille: 0,
        lost_reply_per_mille: 0,
        late_reply_per_mille: 0,
        duplicated_reply_per_mille: 0,
        truncated_reply_per_mille: 0,
        corrupted_reply_per_mille: 0,
        noise_before_per_mille: 0,
        echo_per_mille: 0,
        foreign_per_mille: 0,
        late_us: (0, 0),
    };

    /// An old cable: about three per cent of the exchanges fail in one way or another.
    pub const OLD_CABLE: Self = Self {
        lost_request_per_mille: 5,
        lost_reply_per_mille: 15,
        late_reply_per_mille: 2,
        truncated_reply_per_mille: 3,
        corrupted_reply_per_mille: 4,
        noise_before_per_mille: 3,
        late_us: (50_000, 400_000),
        ..Self::NONE
    };
}

/// How often each fault has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct FaultCounts {
    /// Requests that never reached a meter.
    pub lost_requests: u64,
    /// Requests that were carried twice.
    pub duplicated_requests: u64,
    /// Replies that never arrived.
    pub lost_replies: u64,
    /// Replies that were held back.
    pub late_replies: u64,
    /// Replies that came twice.
    pub duplicated_replies: u64,
    /// Replies that broke off.
    pub truncated_replies: u64,
    /// Replies with flipped bits.
    pub corrupted_replies: u64,
    /// Replies with noise in front.
    pub noisy_replies: u64,
    /// Replies with an echo of the request in front.
    pub echoes: u64,
    /// Replies with a frame of another unit in front.
    pub foreign_frames: u64,
}

impl FaultCounts {
    /// Both together, counter by counter.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        self.joined(other, u64::saturating_add)
    }

    /// What has come since an `earlier` look at the same counters.
    #[must_use]
    pub fn minus(&self, earlier: &Self) -> Self {
        self.joined(earlier, u64::saturating_sub)
    }

    fn joined(&self, other: &Self, join: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            lost_requests: join(self.lost_requests, other.lost_requests),
            duplicated_requests: join(self.duplicated_requests, other.duplicated_requests),
            lost_replies: join(self.lost_replies, other.lost_replies),
            late_replies: join(self.late_replies, other.late_replies),
            duplicated_replies: join(self.duplicated_replies, other.duplicated_replies),
            truncated_replies: join(self.truncated_replies, other.truncated_replies),
            corrupted_replies: join(self.corrupted_replies, other.corrupted_replies),
            noisy_replies: join(self.noisy_replies, other.noisy_replies),
            echoes: join(self.echoes, other.echoes),
            foreign_frames: join(self.foreign_frames, other.foreign_frames),
        }
    }
}

/// Decides by seed what happens to each frame. The same seed and the same calls give the same faults.
#[derive(Debug, Clone)]
pub struct FaultInjector {
    faults: Faults,
    state: u64,
    counts: FaultCounts,
}

impl FaultInjector {
    /// An injector at the beginning of its sequence.
    #[must_use]
    pub const fn new(faults: Faults, seed: u64) -> Self {
        let counts = FaultCounts {
            lost_requests: 0,
            duplicated_requests: 0,
            lost_replies: 0,
            late_replies: 0,
            duplicated_replies: 0,
            truncated_replies: 0,
            corrupted_replies: 0,
            noisy_replies: 0,
            echoes: 0,
            foreign_frames: 0,
        };
        Self { faults, state: seed, counts }
    }

    /// What has happened so far.
    #[must_use]
    pub const fn counts(&self) -> &FaultCounts {
        &self.counts
    }

    /// How many copies of the next request reach the meter: 0, 1 or 2.
    pub fn request_copies(&mut self) -> u8 {
        if self.happens(self.faults.lost_request_per_mille) {
            self.counts.lost_requests = self.counts.lost_requests.saturating_add(1);
            return 0;
        }
        if self.happens(self.faults.duplicated_request_per_mille) {
            self.counts.duplicated_requests = self.counts.duplicated_requests.saturating_add(1);
            return 2;
        }
        1
    }

    /// What becomes of the reply to a request, if its last byte would arrive after `sent_us`.
    pub fn deliver(&mut self, sent_us: u64, request: &[u8], mut reply: Vec<u8>) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        if self.happens(self.faults.lost_reply_per_mille) {
            self.counts.lost_replies = self.counts.lost_replies.saturating_add(1);
            return deliveries;
        }
        if self.happens(self.faults.corrupted_reply_per_mille) {
            self.counts.corrupted_replies = self.counts.corrupted_replies.saturating_add(1);
            self.flip_bits(&mut reply);
        }
        if self.happens(self.faults.truncated_reply_per_mille) && reply.len() > 1 {
            self.counts.truncated_replies = self.counts.truncated_replies.saturating_add(1);
            let kept = self.below(reply.len().saturating_sub(1)).saturating_add(1);
            reply.truncate(kept);
        }
        if self.happens(self.faults.noise_before_per_mille) {
            self.counts.noisy_replies = self.counts.noisy_replies.saturating_add(1);
            let noise = (0..=self.below(6)).map(|_| self.noise_byte()).collect();
            reply = behind(noise, &reply);
        }
        if self.happens(self.faults.foreign_per_mille) {
            self.counts.foreign_frames = self.counts.foreign_frames.saturating_add(1);
            reply = behind(self.foreign_frame(request), &reply);
        }
        if self.happens(self.faults.echo_per_mille) {
            self.counts.echoes = self.counts.echoes.saturating_add(1);
            // The receiver may be muted for the first part of the request.
            let heard = self.below(request.len()).saturating_add(1);
            let echo = request.iter().skip(request.len().saturating_sub(heard)).copied().collect();
            reply = behind(echo, &reply);
        }
        let mut delay_us = sent_us;
        if self.happens(self.faults.late_reply_per_mille) {
            self.counts.late_replies = self.counts.late_replies.saturating_add(1);
            delay_us = delay_us.saturating_add(self.lateness_us());
        }
        if self.happens(self.faults.duplicated_reply_per_mille) {
            self.counts.duplicated_replies = self.counts.duplicated_replies.saturating_add(1);
            let copy_us = delay_us.saturating_add(self.lateness_us());
            deliveries.push(Delivery { delay_us: copy_us, bytes: reply.clone() });
        }
        deliveries.push(Delivery { delay_us, bytes: reply });
        deliveries.sort_by_key(|delivery| delivery.delay_us);
        deliveries
    }

    /// The next number of the sequence (splitmix64). Wrapping is what the generator is made of.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 to `limit` - 1; 0 if the limit is 0.
    fn below(&mut self, limit: usize) -> usize {
        let wide = u64::try_from(limit).unwrap_or(u64::MAX);
        let drawn = self.next().checked_rem(wide).unwrap_or(0);
        usize::try_from(drawn).unwrap_or(0)
    }

    fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let width = range.end().saturating_sub(*range.start()).saturating_add(1);
        range.start().saturating_add(self.next().checked_rem(width).unwrap_or(0))
    }

    fn happens(&mut self, per_mille: u16) -> bool {
        // The sequence moves on whatever the rate is: changing one rate leaves the draws for the others in place.
        self.within(0..=999) < u64::from(per_mille)
    }

    fn lateness_us(&mut self) -> u64 {
        let (first, second) = self.faults.late_us;
        self.within(u64::from(first.min(second))..=u64::from(first.max(second)))
    }

    fn noise_byte(&mut self) -> u8 {
        // Idle and broken lines show 00H and FFH far more often than anything else.
        match self.below(4) {
            0 => 0x00,
            1 | 2 => 0xFF,
            _ => self.next().to_le_bytes().first().copied().unwrap_or(0),
        }
    }

    /// A reply of one register from a unit that was not asked.
    fn foreign_frame(&mut self, request: &[u8]) -> Vec<u8> {
        let asked = request.first().copied().unwrap_or(0);
        let unit = if asked == 1 { 2 } else { asked.saturating_sub(1).max(1) };
        let [high, low, ..] = self.next().to_le_bytes();
        frame::sealed(Vec::from([unit, 0x03, 2, high, low]))
    }

    fn flip_bits(&mut self, reply: &mut [u8]) {
        for _ in 0..=self.below(8) {
            let position = self.below(reply.len());
            let bit = 1_u8.checked_shl(u32::try_from(self.below(8)).unwrap_or(0)).unwrap_or(1);
            if let Some(byte) = reply.get_mut(position) {
                *byte ^= bit;
            }
        }
    }
}

/// `front` with the reply behind it.
fn behind(mut front: Vec<u8>, reply: &[u8]) -> Vec<u8> {
    front.extend_from_slice(reply);
    front
}
