//! A line that loses, delays, doubles, reorders and spoils frames, and a gateway that restarts.

use alloc::vec::Vec;

use super::meter::{Author, Part, SimMeter};
use super::report::Faults;
use super::rng::Rng;

/// How long a frame can live between station and meter, in ms. The station's terms must not promise less.
pub(super) const FRAME_LIFE_MS: u64 = 4_500;
/// How long the station waits for an answer, in ms.
pub(super) const TIMEOUT_MS: u64 = 500;

/// What a frame asks of the meter.
#[derive(Debug, Clone, Copy)]
pub(super) enum Frame {
    Read,
    Purchase { amount: u32, count: u16, author: Author },
    Overwrite { remaining: u32, count: u16, refund: u64 },
    Force { mode: u16, state: u16 },
}

/// What comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// A valid reply.
    Reply,
    /// Nothing usable in time.
    Silence,
    /// No connection: not one byte left.
    NoConnection,
}

#[derive(Debug, Clone)]
pub(super) struct Link {
    /// Frames that are still on their way.
    flying: Vec<(u64, Frame)>,
    /// The gateway can't be reached before this time.
    down_until_ms: u64,
    /// The meter has no power before this time.
    meter_dark_until_ms: u64,
    /// No more faults.
    pub(super) healed: bool,
}

impl Link {
    pub(super) const fn new() -> Self {
        Self { flying: Vec::new(), down_until_ms: 0, meter_dark_until_ms: 0, healed: false }
    }

    /// Another meter hangs at its end: what was on its way finds nobody.
    pub(super) fn unplug(&mut self) {
        self.flying.clear();
    }

    /// Lets everything arrive that is due.
    pub(super) fn advance(&mut self, now_ms: u64, meter: &mut SimMeter) {
        while let Some(index) = self.next_due(now_ms) {
            let (_, frame) = self.flying.swap_remove(index);
            deliver(frame, meter);
        }
    }

    fn next_due(&self, now_ms: u64) -> Option<usize> {
        let due = self.flying.iter().enumerate().filter(|(_, (at, _))| *at <= now_ms);
        due.min_by_key(|(_, (at, _))| *at).map(|(index, _)| index)
    }

    /// Sends a frame and waits; `now_ms` moves on.
    pub(super) fn exchange(
        &mut self,
        frame: Frame,
        now_ms: &mut u64,
        meter: &mut SimMeter,
        rng: &mut Rng,
        faults: &mut Faults,
    ) -> Answer {
        self.advance(*now_ms, meter);
        if !self.healed {
            self.break_something(*now_ms, rng, faults);
        }
        if *now_ms < self.down_until_ms && !self.healed {
            *now_ms += 20;
            return Answer::NoConnection;
        }
        let at = *now_ms + rng.between(10, 60);
        if self.healed {
            *now_ms = at;
            self.advance(at, meter);
            deliver(frame, meter);
            return Answer::Reply;
        }
        let silence = |now_ms: &mut u64| *now_ms += TIMEOUT_MS;
        match rng.below(100) {
            0..=3 => {
                faults.lost_requests += 1;
                silence(now_ms);
                self.advance(*now_ms, meter);
                return Answer::Silence;
            }
            4..=5 => {
                faults.truncated += 1;
                silence(now_ms);
                self.advance(*now_ms, meter);
                return Answer::Silence;
            }
            6..=7 => {
                faults.corrupted += 1;
                silence(now_ms);
                self.advance(*now_ms, meter);
                return Answer::Silence;
            }
            8..=11 => {
                // Late: arrives when nobody waits any more, up to the end of its life.
                faults.late += 1;
                self.flying.push((*now_ms + rng.between(TIMEOUT_MS, FRAME_LIFE_MS), frame));
                silence(now_ms);
                self.advance(*now_ms, meter);
                return Answer::Silence;
            }
            12..=14 => {
                // Doubled: the copy is late, and may overtake or be overtaken by later frames.
                faults.duplicated += 1;
                self.flying.push((*now_ms + rng.between(70, FRAME_LIFE_MS), frame));
            }
            15..=16 => {
                // Reordered: held back behind whatever is sent within the next second.
                faults.reordered += 1;
                self.flying.push((*now_ms + rng.between(TIMEOUT_MS, 1_500), frame));
                silence(now_ms);
                self.advance(*now_ms, meter);
                return Answer::Silence;
            }
            _ => {}
        }
        self.advance(at, meter);
        if at < self.meter_dark_until_ms {
            silence(now_ms);
            self.advance(*now_ms, meter);
            return Answer::Silence;
        }
        if rng.chance(12) {
            // The meter loses power inside the write: it happened or it did not, and nobody answers.
            faults.power_losses += 1;
            if rng.chance(500) {
                deliver_torn(frame, meter, rng);
            }
            self.meter_dark_until_ms = at + rng.between(500, 20_000);
            silence(now_ms);
            self.advance(*now_ms, meter);
            return Answer::Silence;
        }
        deliver(frame, meter);
        if rng.chance(40) {
            faults.lost_replies += 1;
            silence(now_ms);
            self.advance(*now_ms, meter);
            return Answer::Silence;
        }
        *now_ms = at;
        // A refusal is a reply too: only the meter's registers say what it did.
        Answer::Reply
    }

    fn break_something(&mut self, now_ms: u64, rng: &mut Rng, faults: &mut Faults) {
        if rng.chance(4) {
            faults.gateway_restarts += 1;
            self.down_until_ms = now_ms + rng.between(2_000, 60_000);
            // What it held is gone, or comes out when it is up again: within the frame life in any case.
            if rng.chance(500) {
                self.flying.clear();
            }
        }
    }
}

fn deliver(frame: Frame, meter: &mut SimMeter) {
    match frame {
        Frame::Read => {}
        Frame::Purchase { amount, count, author } => meter.purchase(amount, count, author),
        Frame::Overwrite { remaining, count, refund } => meter.overwrite_both(remaining, count, refund, Part::Whole),
        Frame::Force { mode, state } => meter.force = (mode, state),
    }
}

/// Two registers that are written together can be torn apart by a loss of power; nothing else has two.
fn deliver_torn(frame: Frame, meter: &mut SimMeter, rng: &mut Rng) {
    let Frame::Overwrite { remaining, count, refund } = frame else { return deliver(frame, meter) };
    let part = match rng.below(4) {
        0 => Part::Balance,
        1 => Part::Count,
        _ => Part::Whole,
    };
    meter.overwrite_both(remaining, count, refund, part);
}
