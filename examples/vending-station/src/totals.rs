//! What the station counts as it goes.

use serde::Serialize;
use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

/// Totals of this run. All lines add to them.
#[derive(Debug, Default)]
pub struct Totals {
    /// Good replies to reads.
    pub reads: AtomicI64,
    /// Statuses that were read, by poll or as evidence.
    pub statuses: AtomicI64,
    /// How long these took from request to reply, in all, µs.
    pub status_us: AtomicI64,
    /// Requests whose reply was lost, late or broken.
    pub lost_replies: AtomicI64,
    /// Purchase frames that left.
    pub purchase_frames: AtomicI64,
    /// Relay orders written.
    pub relay_writes: AtomicI64,
}

/// The totals at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// Good replies to reads.
    pub reads: i64,
    /// Statuses that were read, by poll or as evidence.
    pub statuses: i64,
    /// How long these took from request to reply, in all, µs.
    pub status_us: i64,
    /// Requests whose reply was lost, late or broken.
    pub lost_replies: i64,
    /// Purchase frames that left.
    pub purchase_frames: i64,
    /// Relay orders written.
    pub relay_writes: i64,
}

impl Totals {
    /// One more.
    pub fn add(counter: &AtomicI64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// One more status, and how long it took.
    pub fn add_status(&self, took: Duration) {
        Self::add(&self.statuses);
        self.status_us.fetch_add(i64::try_from(took.as_micros()).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// The present values.
    pub fn snapshot(&self) -> Snapshot {
        let of = |counter: &AtomicI64| counter.load(Ordering::Relaxed);
        Snapshot {
            reads: of(&self.reads),
            statuses: of(&self.statuses),
            status_us: of(&self.status_us),
            lost_replies: of(&self.lost_replies),
            purchase_frames: of(&self.purchase_frames),
            relay_writes: of(&self.relay_writes),
        }
    }
}
