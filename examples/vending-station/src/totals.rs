//! What the station counts as it goes.

use std::sync::atomic::{AtomicI64, Ordering};

/// Totals of this run. All lines add to them.
#[derive(Debug, Default)]
pub struct Totals {
    /// Good replies to reads.
    pub reads: AtomicI64,
    /// Requests whose reply was lost, late or broken.
    pub lost_replies: AtomicI64,
    /// Purchase frames that left.
    pub purchase_frames: AtomicI64,
    /// Relay orders written.
    pub relay_writes: AtomicI64,
}

/// The totals at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// Good replies to reads.
    pub reads: i64,
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

    /// The present values.
    pub fn snapshot(&self) -> Snapshot {
        let of = |counter: &AtomicI64| counter.load(Ordering::Relaxed);
        Snapshot {
            reads: of(&self.reads),
            lost_replies: of(&self.lost_replies),
            purchase_frames: of(&self.purchase_frames),
            relay_writes: of(&self.relay_writes),
        }
    }
}
