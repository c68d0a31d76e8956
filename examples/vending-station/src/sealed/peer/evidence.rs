//! What the registers of a collector prove, and from when on.

use super::{CLOCK_OFF_MAX_S, Peer, wire};
use crate::collect::reading::Shown;
use meter_protocol::seal::message::RegisterBlock;
use prepay_core::{id::MeterNumber, time::Now};

impl Peer {
    /// The registers as the station reads them. Their time is the earliest at which they can have been read, so that what was
    /// read before a fence is never taken for the proof behind it; evidence for an order is not older than the order, for it was
    /// read for it. A reading from the future is none.
    pub(super) fn shown(
        &self,
        block: &RegisterBlock<'_>,
        meter: MeterNumber,
        not_before: Option<Now>,
    ) -> Option<Shown> {
        let offset = self.greeted?;
        let now = self.setup.clock.now();
        let ahead_s = block.read_at_utc_s.saturating_sub(now.utc_s);
        if ahead_s > CLOCK_OFF_MAX_S.saturating_mul(self.setup.clock.speed().into()) {
            self.refuse("a reading from the future", &format_args!("meter {meter}, {ahead_s} s ahead"));
            return None;
        }
        let earliest_mono_ms = offset.earliest_mono_ms(block.read_at_utc_s);
        let mut taken = Now { mono_ms: earliest_mono_ms.min(now.mono_ms), utc_s: block.read_at_utc_s.min(now.utc_s) };
        if let Some(first) = not_before {
            taken = Now { mono_ms: taken.mono_ms.max(first.mono_ms), utc_s: taken.utc_s.max(first.utc_s) };
        }
        wire::shown(block, self.setup.status, meter, taken, &self.setup.spectacles)
            .inspect_err(|error| self.refuse("a reading can't be used", error))
            .ok()
    }
}
