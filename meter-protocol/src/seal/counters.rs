//! Why frames were refused: for the operator's eyes, never for the peer's.

/// What a receiver has seen. Each count stays at its largest value once there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SealCounters {
    /// Frames opened.
    pub opened: u32,
    /// Length, version, suite, kind, direction, key id or session of another link.
    pub header: u32,
    /// Neither the current epoch nor the next.
    pub epoch: u32,
    /// The tag does not fit.
    pub tag: u32,
    /// Authentic, but seen before, too late, or out of order on a stream.
    pub replay: u32,
    /// Authentic, but the filling is not zero: the peer is broken.
    pub padding: u32,
    /// Refused because too many were refused before.
    pub exhausted: u32,
}

impl SealCounters {
    /// All that were refused under a key.
    #[must_use]
    pub const fn refused(&self) -> u32 {
        self.epoch
            .saturating_add(self.tag)
            .saturating_add(self.replay)
            .saturating_add(self.padding)
            .saturating_add(self.exhausted)
    }
}
