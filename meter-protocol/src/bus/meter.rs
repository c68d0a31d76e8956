//! One meter on a line: what waits for it, when it is due, whether it answers.

use super::{BusConfig, Class, Job, JobOutcome, MAX_WAITING};

/// Poll cycles of one meter.
pub const MAX_CYCLES: usize = 4;

/// One meter of a [`super::Bus`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeterSlot {
    cycles: [Option<Cycle>; MAX_CYCLES],
    waiting: [u8; 3],
    link: Link,
    counters: MeterCounters,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cycle {
    interval_us: u64,
    due_us: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Unknown,
    Fresh {
        last_answer_us: u64,
    },
    /// Unanswered jobs in a row, not yet enough to count as silent.
    Failing {
        failures: u8,
        since_us: u64,
        last_answer_us: Option<u64>,
    },
    Silent {
        since_us: u64,
        probe_us: u64,
        backoff_us: u64,
    },
}

/// What is known about the link to a meter. Times in microseconds of the bus.
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

/// What happened with a meter. Each count stays at its largest value once there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MeterCounters {
    /// Jobs that were answered.
    pub answered: u32,
    /// Jobs that were not.
    pub unanswered: u32,
    /// Jobs that were never sent.
    pub not_transmitted: u32,
    /// Probes among the jobs.
    pub probes: u32,
    /// Times that the meter fell silent.
    pub silences: u32,
}

impl MeterSlot {
    /// A meter that is only read on request.
    #[must_use]
    pub const fn unpolled() -> Self {
        let counters = MeterCounters { answered: 0, unanswered: 0, not_transmitted: 0, probes: 0, silences: 0 };
        Self { cycles: [None; MAX_CYCLES], waiting: [0; 3], link: Link::Unknown, counters }
    }

    /// A meter that is polled every `interval_us`, at once for the first time. 0 polls it as often as the line allows.
    #[must_use]
    pub const fn polled(interval_us: u64) -> Self {
        let mut meter = Self::unpolled();
        meter.cycles = [Some(Cycle { interval_us, due_us: 0 }), None, None, None];
        meter
    }

    /// Adds or replaces a cycle, due at `first_due_us` for the first time. Cycles from [`MAX_CYCLES`] on are ignored;
    /// [`super::Bus::set_cycle`] reports them.
    #[must_use]
    pub fn with_cycle(mut self, cycle: usize, interval_us: u64, first_due_us: u64) -> Self {
        self.set_cycle(cycle, Some(interval_us), first_due_us);
        self
    }

    pub(super) fn set_cycle(&mut self, cycle: usize, interval_us: Option<u64>, due_us: u64) -> bool {
        let Some(place) = self.cycles.get_mut(cycle) else { return false };
        *place = interval_us.map(|interval_us| Cycle { interval_us, due_us });
        true
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
        matches!(self.link, Link::Silent { .. })
    }

    pub(super) const fn next_probe(&self) -> Option<u64> {
        match self.link {
            Link::Silent { probe_us, .. } => Some(probe_us),
            _ => None,
        }
    }

    /// The cycle that is due first, and when.
    pub(super) fn next_poll(&self) -> Option<(usize, u64)> {
        let cycles = self.cycles.iter().enumerate();
        cycles.filter_map(|(index, cycle)| cycle.map(|cycle| (index, cycle.due_us))).min_by_key(|(_, due_us)| *due_us)
    }

    pub(super) const fn link_state(&self) -> LinkState {
        match self.link {
            Link::Fresh { last_answer_us } | Link::Failing { last_answer_us: Some(last_answer_us), .. } => {
                LinkState::Fresh { last_answer_us }
            }
            Link::Unknown | Link::Failing { last_answer_us: None, .. } => LinkState::Unknown,
            Link::Silent { since_us, .. } => LinkState::Silent { since_us },
        }
    }

    pub(super) const fn counters(&self) -> MeterCounters {
        self.counters
    }

    pub(super) fn finished(&mut self, job: Job, outcome: JobOutcome, config: &BusConfig, now_us: u64) {
        if job == Job::Probe {
            up(&mut self.counters.probes);
        }
        match outcome {
            JobOutcome::Answered => {
                up(&mut self.counters.answered);
                self.link = Link::Fresh { last_answer_us: now_us };
            }
            JobOutcome::NoReply => {
                up(&mut self.counters.unanswered);
                self.unanswered(config, now_us);
            }
            JobOutcome::NotTransmitted => {
                up(&mut self.counters.not_transmitted);
                if let Link::Silent { probe_us, .. } = &mut self.link {
                    *probe_us = now_us.saturating_add(config.retry_after_us);
                }
            }
        }
        if let Job::Poll { cycle } = job {
            self.reschedule(cycle, outcome, config, now_us);
        }
    }

    fn reschedule(&mut self, cycle: usize, outcome: JobOutcome, config: &BusConfig, now_us: u64) {
        let Some(Some(cycle)) = self.cycles.get_mut(cycle) else { return };
        cycle.due_us = if outcome == JobOutcome::Answered {
            // A round that was missed is skipped: the next one is due now at the earliest.
            cycle.due_us.saturating_add(cycle.interval_us).max(now_us)
        } else {
            now_us.saturating_add(cycle.interval_us.min(config.retry_after_us))
        };
    }

    fn unanswered(&mut self, config: &BusConfig, now_us: u64) {
        let (failures, since_us, last_answer_us) = match self.link {
            Link::Unknown => (1, now_us, None),
            Link::Fresh { last_answer_us } => (1, now_us, Some(last_answer_us)),
            Link::Failing { failures, since_us, last_answer_us } => {
                (failures.saturating_add(1), since_us, last_answer_us)
            }
            Link::Silent { since_us, backoff_us, .. } => {
                let backoff_us = backoff_us.saturating_mul(2).min(config.longest_probe_us);
                self.link = Link::Silent { since_us, backoff_us, probe_us: now_us.saturating_add(backoff_us) };
                return;
            }
        };
        self.link = if failures < config.trip_after {
            Link::Failing { failures, since_us, last_answer_us }
        } else {
            up(&mut self.counters.silences);
            let backoff_us = config.first_probe_us.min(config.longest_probe_us);
            Link::Silent { since_us, backoff_us, probe_us: now_us.saturating_add(backoff_us) }
        };
    }
}

fn up(counter: &mut u32) {
    *counter = counter.saturating_add(1);
}
