//! One meter on a line: what waits for it, when it is due, whether it answers.

use super::config::Rules;
use super::time::{Epoch, Moment};
use super::{Class, Job, JobOutcome, MAX_WAITING};

/// Poll cycles of a line.
pub const MAX_CYCLES: usize = 4;

/// One meter of a [`super::Bus`], 28 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeterSlot {
    /// When each cycle is due.
    due: [Moment; MAX_CYCLES],
    /// When it last answered; of a silent meter, when it is probed next.
    answered_or_probe: Moment,
    /// When the first of the unanswered jobs ended.
    unanswered_since: Moment,
    waiting: [u8; 3],
    lost: Lost,
}

/// A slot is what a microcontroller has for each meter.
const _: () = assert!(size_of::<MeterSlot>() <= 32);

/// Unanswered jobs in a row; of a silent meter, unanswered probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lost(u8);

impl Lost {
    const SILENT: u8 = 0x80;

    const fn is_silent(self) -> bool {
        self.0 & Self::SILENT != 0
    }

    const fn count(self) -> u8 {
        self.0 & !Self::SILENT
    }

    /// One more, up to what can be counted.
    const fn more(self) -> Self {
        if self.count() < Self::SILENT - 1 { Self(self.0.saturating_add(1)) } else { self }
    }
}

/// What is known about the link to a meter. Times in microseconds of the bus, to the millisecond; what lies more than 24 days
/// back counts as lying there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkState {
    /// It was never asked, or never answered and not yet given up.
    Unknown,
    /// It answers; the last job or two may have been lost.
    Fresh {
        /// When it last answered.
        last_answer_us: u64,
    },
    /// It does not answer.
    Silent {
        /// When the first of the unanswered jobs ended.
        since_us: u64,
    },
}

impl MeterSlot {
    /// A meter that is only read on request.
    #[must_use]
    pub const fn unpolled() -> Self {
        Self {
            due: [Moment::NEVER; MAX_CYCLES],
            answered_or_probe: Moment::NEVER,
            unanswered_since: Moment::NEVER,
            waiting: [0; 3],
            lost: Lost(0),
        }
    }

    /// A meter that takes part in cycle 0, at once for the first time.
    #[must_use]
    pub const fn polled() -> Self {
        let mut meter = Self::unpolled();
        meter.due = [Moment::START, Moment::NEVER, Moment::NEVER, Moment::NEVER];
        meter
    }

    /// Lets the meter take part in a cycle, for the first time `after_us` after the first time that the bus is told, and 12.4
    /// days after it at most. Cycles from [`MAX_CYCLES`] on are ignored; [`super::Bus::set_cycle`] reports both.
    #[must_use]
    pub fn with_cycle(mut self, cycle: u8, after_us: u64) -> Self {
        self.set_cycle(cycle, Moment::after_start(after_us));
        self
    }

    pub(super) fn set_cycle(&mut self, cycle: u8, due: Moment) -> bool {
        let Some(place) = self.due.get_mut(usize::from(cycle)) else { return false };
        *place = due;
        true
    }

    /// The epoch was moved.
    pub(super) fn moved(&mut self, by_ms: u64) {
        let own = [&mut self.answered_or_probe, &mut self.unanswered_since];
        for moment in self.due.iter_mut().chain(own) {
            *moment = moment.moved(by_ms);
        }
    }

    pub(super) fn add(&mut self, class: Class) -> bool {
        match self.waiting.get_mut(class.rank()) {
            Some(count) if *count < MAX_WAITING => {
                *count = count.saturating_add(1);
                true
            }
            _ => false,
        }
    }

    pub(super) fn take(&mut self, class: Class) {
        if let Some(count) = self.waiting.get_mut(class.rank()) {
            *count = count.saturating_sub(1);
        }
    }

    pub(super) fn withdraw(&mut self, class: Class) -> u8 {
        self.waiting.get_mut(class.rank()).map_or(0, core::mem::take)
    }

    pub(super) fn waits(&self, class: Class) -> bool {
        self.waiting.get(class.rank()).is_some_and(|count| *count > 0)
    }

    pub(super) fn waits_for_any(&self) -> bool {
        self.waiting != [0; 3]
    }

    pub(super) const fn is_silent(&self) -> bool {
        self.lost.is_silent()
    }

    pub(super) fn next_probe(&self) -> Option<Moment> {
        self.is_silent().then_some(self.answered_or_probe)
    }

    /// The cycle that is due first, and when.
    pub(super) fn next_poll(&self) -> Option<(u8, Moment)> {
        let cycles = (0..).zip(&self.due);
        cycles.filter_map(|(cycle, due)| Some((cycle, due.known()?))).min_by_key(|(_, due)| *due)
    }

    pub(super) fn link_state(&self, epoch: &Epoch) -> LinkState {
        if self.is_silent() {
            return LinkState::Silent { since_us: epoch.us(self.unanswered_since) };
        }
        match self.answered_or_probe.known() {
            Some(answered) => LinkState::Fresh { last_answer_us: epoch.us(answered) },
            None => LinkState::Unknown,
        }
    }

    /// Notes how a job ended. True when the meter falls silent with it.
    pub(super) fn finished(&mut self, job: Job, outcome: JobOutcome, rules: &Rules, now: Moment) -> bool {
        let falls_silent = match outcome {
            JobOutcome::Answered => {
                (self.answered_or_probe, self.lost) = (now, Lost(0));
                false
            }
            JobOutcome::NoReply => self.unanswered(rules, now),
            JobOutcome::NotTransmitted => {
                if self.is_silent() {
                    self.answered_or_probe = now.plus(rules.retry_after);
                }
                false
            }
        };
        if let Job::Poll { cycle } = job {
            self.reschedule(usize::from(cycle), outcome, rules, now);
        }
        falls_silent
    }

    fn reschedule(&mut self, cycle: usize, outcome: JobOutcome, rules: &Rules, now: Moment) {
        let (Some(due), Some(interval)) = (self.due.get_mut(cycle), rules.cycles.get(cycle)) else { return };
        // The work may have taken the meter out of the cycle.
        let Some(was_due) = due.known() else { return };
        *due = if outcome == JobOutcome::Answered {
            // A round that was missed is skipped: the next one is due now at the earliest.
            was_due.plus(*interval).max(now)
        } else {
            now.plus(rules.retry_after.min(*interval))
        };
    }

    fn unanswered(&mut self, rules: &Rules, now: Moment) -> bool {
        let was_silent = self.is_silent();
        if !was_silent && self.lost.count() == 0 {
            self.unanswered_since = now;
        }
        self.lost = self.lost.more();
        if !was_silent {
            if self.lost.count() < rules.trip_after.min(Lost::SILENT - 1) {
                return false;
            }
            self.lost = Lost(Lost::SILENT);
        }
        let wait = rules.first_probe.doubled(self.lost.count());
        self.answered_or_probe = now.plus(wait.min(rules.longest_probe));
        !was_silent
    }
}
