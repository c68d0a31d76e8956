//! A sale into a meter: intent → attempt → evidence. Only what the meter shows closes it, never a time-out.

mod machine;
mod verdict;

pub use machine::{Begun, FencePurpose, Next, OpenSale, Phase, SendOutcome, VoidCause, VoidRequest};
pub use verdict::{Evidence, Proof, Verdict, verdict};

use serde::{Deserialize, Serialize};

/// What a meter does with a purchase frame whose count it has seen. No public source says it for these meters, so it
/// is a rule of the profile that a bench test settles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EqualCountRule {
    /// It acknowledges and does not add.
    EqualAcknowledged,
    /// It refuses and does not add.
    EqualRefused,
    /// It adds whatever the count is. No second frame is sent before the fence, and the risk that remains is reported.
    /// The default, because it assumes least.
    #[default]
    AnyCountAdds,
}

/// How a sale waits and repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SalePolicy {
    /// The longest time that a frame can live anywhere between the station and the meter, in milliseconds.
    pub frame_life_ms: u64,
    /// From the end of a transmission to the first read-back, in milliseconds.
    pub read_back_after_ms: u64,
    /// First wait after a read-back that failed, in milliseconds; doubles up to `probe_max_ms`.
    pub probe_first_ms: u64,
    /// Longest wait between two read-backs, in milliseconds.
    pub probe_max_ms: u64,
    /// How many frames of one sale may be sent. After the last one has shown no effect the sale is fenced and voided:
    /// the money stays with the customer.
    pub max_frames: u8,
}

impl SalePolicy {
    /// Five seconds of frame life, read-back at once, probes from 1 s to 60 s, five frames.
    pub const DEFAULT: Self = Self {
        frame_life_ms: 5_000,
        read_back_after_ms: 0,
        probe_first_ms: 1_000,
        probe_max_ms: 60_000,
        max_frames: 5,
    };

    /// The wait from a frame's sending, or from finding that it was not sent, to the next read-back.
    pub(crate) fn wait_after_ms(&self, outcome: SendOutcome, failures: u16) -> u64 {
        match outcome {
            SendOutcome::NotTransmitted => self.probe_wait_ms(failures),
            SendOutcome::ReplySeen | SendOutcome::NoReply => self.read_back_after_ms,
        }
    }

    /// The wait after `failures` read-backs in a row have failed.
    #[must_use]
    pub fn probe_wait_ms(&self, failures: u16) -> u64 {
        let doublings = u32::from(failures.saturating_sub(1)).min(63);
        self.probe_first_ms.saturating_mul(1_u64.checked_shl(doublings).unwrap_or(u64::MAX)).min(self.probe_max_ms)
    }
}

impl Default for SalePolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}
