//! What happened with each meter, for callers that have room to count it.

use super::{Job, JobOutcome};

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

impl MeterCounters {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { answered: 0, unanswered: 0, not_transmitted: 0, probes: 0, silences: 0 }
    }

    pub(super) fn count(&mut self, job: Job, outcome: JobOutcome, fell_silent: bool) {
        up(match outcome {
            JobOutcome::Answered => &mut self.answered,
            JobOutcome::NoReply => &mut self.unanswered,
            JobOutcome::NotTransmitted => &mut self.not_transmitted,
        });
        if job == Job::Probe {
            up(&mut self.probes);
        }
        if fell_silent {
            up(&mut self.silences);
        }
    }
}

fn up(counter: &mut u32) {
    *counter = counter.saturating_add(1);
}
