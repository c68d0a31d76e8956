//! What the fleet counts, for the final table.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use meter_protocol::virtual_meter::FaultCounts;

use super::world::StoreCounts;

/// Totals over all buses since the fleet is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct FleetStats {
    /// Connections that gateways have taken.
    pub(crate) connections: u64,
    /// Connections that were turned away because a gateway had its limit.
    pub(crate) connections_refused: u64,
    /// Frames that were put on a line.
    pub(crate) requests: u64,
    /// Deliveries of bytes to a master, whole or broken.
    pub(crate) replies: u64,
    /// Byte strings between two silences that were no request.
    pub(crate) bad_frames: u64,
    /// Requests that waited longer than half the frame life: dropped before they acted.
    pub(crate) expired_requests: u64,
    /// Replies that were ready later than half the frame life after their request acted: dropped.
    pub(crate) expired_replies: u64,
    /// Requests that a full gateway dropped.
    pub(crate) overflowed: u64,
    /// What the lines did to frames.
    pub(crate) faults: FaultCounts,
    /// Meter states that were committed.
    pub(crate) states_stored: u64,
    /// Transactions in which they were.
    pub(crate) commits: u64,
}

/// Counters that every task of the fleet adds to.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedStats {
    inner: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    connections: AtomicU64,
    connections_refused: AtomicU64,
    requests: AtomicU64,
    replies: AtomicU64,
    bad_frames: AtomicU64,
    expired_requests: AtomicU64,
    expired_replies: AtomicU64,
    overflowed: AtomicU64,
    faults: Mutex<FaultCounts>,
}

fn one_more(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl SharedStats {
    pub(super) fn connection(&self) {
        one_more(&self.inner.connections);
    }

    pub(super) fn connection_refused(&self) {
        one_more(&self.inner.connections_refused);
    }

    pub(super) fn request(&self) {
        one_more(&self.inner.requests);
    }

    pub(super) fn reply(&self) {
        one_more(&self.inner.replies);
    }

    pub(super) fn bad_frame(&self) {
        one_more(&self.inner.bad_frames);
    }

    pub(super) fn expired_request(&self) {
        one_more(&self.inner.expired_requests);
    }

    pub(super) fn expired_reply(&self) {
        one_more(&self.inner.expired_replies);
    }

    pub(super) fn overflowed(&self) {
        one_more(&self.inner.overflowed);
    }

    /// Adds what a line did to frames between two looks at its counters.
    pub(super) fn faults(&self, before: &FaultCounts, after: &FaultCounts) {
        let mut sum = self.inner.faults.lock().unwrap_or_else(PoisonError::into_inner);
        *sum = sum.plus(&after.minus(before));
    }

    pub(super) fn read(&self, stored: &StoreCounts) -> FleetStats {
        let counters = &*self.inner;
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        FleetStats {
            connections: of(&counters.connections),
            connections_refused: of(&counters.connections_refused),
            requests: of(&counters.requests),
            replies: of(&counters.replies),
            bad_frames: of(&counters.bad_frames),
            expired_requests: of(&counters.expired_requests),
            expired_replies: of(&counters.expired_replies),
            overflowed: of(&counters.overflowed),
            faults: *counters.faults.lock().unwrap_or_else(PoisonError::into_inner),
            states_stored: of(&stored.states),
            commits: of(&stored.commits),
        }
    }
}
