//! What a run found.

use alloc::vec::Vec;

use serde::Serialize;

/// How often each fault happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Faults {
    /// Requests that never arrived.
    pub lost_requests: u64,
    /// Replies that never came back.
    pub lost_replies: u64,
    /// Requests that arrived after the time-out, up to the frame life.
    pub late: u64,
    /// Requests that arrived twice.
    pub duplicated: u64,
    /// Requests that were overtaken.
    pub reordered: u64,
    /// Requests cut short: refused by the checksum.
    pub truncated: u64,
    /// Requests with wrong bytes: refused by the checksum.
    pub corrupted: u64,
    /// Gateway restarts.
    pub gateway_restarts: u64,
    /// The meter lost power inside a write.
    pub power_losses: u64,
    /// Purchase counts that wrapped.
    pub count_wraps: u64,
    /// Meters swapped without telling.
    pub swapped: u64,
    /// The same request from the same operator twice.
    pub double_clicks: u64,
    /// A second operator at the same meter.
    pub second_operators: u64,
    /// Payments announced twice.
    pub duplicated_callbacks: u64,
    /// Crashes of the station, before the commit.
    pub crashes_before_commit: u64,
    /// Crashes after the commit, before its effects.
    pub crashes_after_commit: u64,
    /// Crashes with a frame just sent.
    pub crashes_after_send: u64,
    /// Crashes with a reading just taken.
    pub crashes_after_read: u64,
    /// Commits that failed.
    pub failed_commits: u64,
    /// Steps of the wall clock.
    pub clock_jumps: u64,
    /// Writes by a hand-held tool.
    pub foreign_writes: u64,
}

/// What a run found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// Vends simulated.
    pub vends: u64,
    /// Faults by kind.
    pub faults: Faults,
    /// Sales whose verdict is not what the meter did.
    pub wrong_verdicts: u64,
    /// Sales that a meter credited twice by two transmissions of ours, or by a doubled frame without anybody noticing.
    pub double_credits: u64,
    /// Sales that are closed as applied and were not.
    pub lost_credits: u64,
    /// Sales that were not closed after the links had healed.
    pub unresolved: u64,
    /// Quarantines.
    pub quarantined: u64,
    /// Quarantines without anything that explains them.
    pub false_quarantines: u64,
    /// Doubled frames that a meter which adds any count has added twice; found and put to suspense.
    pub wire_duplicates: u64,
    /// Sales whose fate a stranger has hidden: an equal write that looks like ours, or a count set back behind it.
    pub indistinguishable: u64,
    /// Cuts by the meter itself while it was not heard.
    pub autonomous_cuts: u64,
    /// Longest time from the first frame to the verdict, in seconds.
    pub max_time_to_verdict_s: u64,
    /// Median of that time, in seconds (rounded up).
    pub median_time_to_verdict_s: u64,
    /// Median number of read-backs of a sale.
    pub median_read_backs: u64,
    /// Relays that were not what the standing rules want, after the links had healed.
    pub supply_errors: u64,
    /// Books that did not balance, did not agree with the account, the payments or the meter, or a broken chain.
    pub ledger_imbalance: u64,
    /// The first cell in which anything of the above was wrong.
    pub first_failure: Option<u64>,
    #[serde(skip)]
    pub(super) times_ms: Vec<u32>,
    #[serde(skip)]
    pub(super) read_backs: Vec<u32>,
}

impl Report {
    /// How many things are wrong.
    #[must_use]
    pub const fn failures(&self) -> u64 {
        self.wrong_verdicts
            + self.double_credits
            + self.lost_credits
            + self.unresolved
            + self.false_quarantines
            + self.supply_errors
            + self.ledger_imbalance
    }

    pub(super) fn finish(&mut self) {
        let median = |values: &mut Vec<u32>| {
            values.sort_unstable();
            u64::from(values.get(values.len() / 2).copied().unwrap_or(0))
        };
        let longest = self.times_ms.iter().max().copied().unwrap_or(0);
        self.max_time_to_verdict_s = u64::from(longest).div_ceil(1_000);
        self.median_time_to_verdict_s = median(&mut self.times_ms).div_ceil(1_000);
        self.median_read_backs = median(&mut self.read_backs);
    }
}
