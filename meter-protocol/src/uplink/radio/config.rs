//! How a station treats a meter that dials in: what the sources leave open, and limits.

use crate::session::LineConfig;

/// Whether a heartbeat is answered. One source does not answer it; no manual says what the meter expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum HeartbeatAnswer {
    /// Nothing is sent.
    None,
    /// 94H without body, as registrations and uploads are answered.
    Empty,
}

/// Whether an upload is acknowledged whose content can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum OddUpload {
    /// It is not, so that the meter keeps it.
    Keep,
    /// It is, so that the meter goes on to the next one.
    Acknowledge,
}

/// Settings of a [`super::Station`]. Times in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StationConfig {
    /// Times and repetitions of requests through the tunnel. Its framing is [`crate::session::Framing::Tunnel`].
    pub line: LineConfig,
    /// Default [`HeartbeatAnswer::None`], as the one source does.
    pub heartbeat_answer: HeartbeatAnswer,
    /// Default [`OddUpload::Keep`].
    pub odd_upload: OddUpload,
    /// How long a new connection may take to register. Default 60 s; ours.
    pub register_timeout_us: u64,
    /// How long a registered meter may be silent. Default 15 min; ours. It must be longer than the heartbeat interval
    /// that is set in the meter (1347H).
    pub silence_timeout_us: u64,
    /// Silence inside a frame after which its rest is not waited for. Default 5 s; ours.
    pub frame_gap_us: u64,
    /// Bytes that are no frame after which the connection is given up. Default 4096; ours.
    pub garbage_max_bytes: u32,
}

impl StationConfig {
    /// The defaults.
    pub const DEFAULT: Self = Self {
        line: LineConfig::tunnel(),
        heartbeat_answer: HeartbeatAnswer::None,
        odd_upload: OddUpload::Keep,
        register_timeout_us: 60_000_000,
        silence_timeout_us: 900_000_000,
        frame_gap_us: 5_000_000,
        garbage_max_bytes: 4_096,
    };
}

impl Default for StationConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}
