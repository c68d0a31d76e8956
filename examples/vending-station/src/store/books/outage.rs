//! What the writer does while the store takes nothing: a full disk, a server that is away. What was asked is answered with the
//! reason; what lines have told is kept and stored when the store works again, so that no reading is lost.

use super::Job;
use crate::store::StoreError;
use sqlx::error::ErrorKind;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// The most that is kept: half an hour of a large site. Beyond it polls between the ends of intervals go, the oldest first.
const KEPT_MAX: usize = 65_536;
/// A store that failed is tried again after this.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Since when nothing can be stored.
#[derive(Debug)]
pub(super) struct Outage {
    reason: String,
    began: Instant,
    failed: Instant,
}

impl Outage {
    /// A transaction has failed, for the first time or again.
    pub(super) fn goes_on(outage: &mut Option<Self>, error: &StoreError) {
        let now = Instant::now();
        let began = outage.as_ref().map_or(now, |outage| outage.began);
        *outage = Some(Self { reason: error.to_string(), began, failed: now });
    }

    pub(super) fn reason(&self) -> String {
        self.reason.clone()
    }

    pub(super) fn seconds(&self) -> u64 {
        self.began.elapsed().as_secs()
    }

    /// Whether the store is to be tried again.
    pub(super) fn is_to_be_tried(&self) -> bool {
        self.failed.elapsed() >= AGAIN_AFTER
    }
}

/// Whether a failure says something about the store and not about what was written: it may pass.
pub(super) fn passes(error: &StoreError) -> bool {
    match error {
        StoreError::Sql(sqlx::Error::Database(error)) => matches!(error.kind(), ErrorKind::Other),
        StoreError::Sql(sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed) => true,
        _ => false,
    }
}

/// Whether nobody waits for what comes of a job.
pub(super) const fn is_told(job: &Job) -> bool {
    matches!(job, Job::Heard { .. } | Job::Silent { .. } | Job::Outcome { .. } | Job::Poll { stored: None, .. })
}

/// What lines have told and could not be stored, in its order.
#[derive(Default)]
pub(super) struct Kept {
    jobs: VecDeque<Job>,
}

impl Kept {
    pub(super) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Keeps what came last.
    pub(super) fn put(&mut self, job: Job) {
        if self.jobs.len() >= KEPT_MAX {
            let between = |job: &Job| matches!(job, Job::Poll { poll, .. } if !poll.settle);
            let least = self.jobs.iter().position(between).unwrap_or(0);
            self.jobs.remove(least);
            tracing::error!("the books can't be written for too long; a reading is lost");
        }
        self.jobs.push_back(job);
    }

    /// Puts back what came first.
    pub(super) fn put_first(&mut self, jobs: Vec<Job>) {
        for job in jobs.into_iter().rev() {
            self.jobs.push_front(job);
        }
    }

    /// The oldest, in their order.
    pub(super) fn take(&mut self, most: usize) -> Vec<Job> {
        let most = most.min(self.jobs.len());
        self.jobs.drain(..most).collect()
    }
}
