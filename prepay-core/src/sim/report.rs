//! What a run found.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::Serialize;

use super::Property;

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
    /// Wall clocks that were moved by an hour because somebody kept local time in them.
    pub dst_changes: u64,
    /// Writes by a hand-held tool.
    pub foreign_writes: u64,
}

/// What a run found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
    /// What operators see was not the strongest rule that stands.
    pub wrong_displays: u64,
    /// Longest time from the end of the last trouble of a sale (a fault on its frames, a crash, a fence, a quarantine)
    /// to its verdict, in ms.
    pub max_after_outage_ms: u64,
    /// Vends by what the meter does with a count it has seen: acknowledges, refuses, adds.
    pub vends_by_rule: [u64; 3],
    /// How often the station died, by what it was doing and where in that.
    pub crashes: BTreeMap<(&'static str, Crash), u64>,
    /// Cells by the properties that broke first in them; what breaks later follows from that.
    pub roots: BTreeMap<Vec<Property>, u64>,
    /// The first cell in which anything of the above was wrong.
    pub first_failure: Option<u64>,
    /// The counts of each property when the cell began, and whether one has broken in it.
    pub(super) cell: ([u64; 8], bool),
    pub(super) times_ms: Vec<u32>,
    pub(super) read_backs: Vec<u32>,
}

/// Where in a step the station dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Crash {
    /// Before the write was stored: it is lost.
    WriteLost,
    /// After the write was stored: nothing was done with it yet.
    WriteKept,
    /// After the effect, before its outcome was stored.
    EffectDone,
}

/// The findings as one object, each under its own name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// [`Report::vends`].
    pub vends: u64,
    /// [`Report::faults`].
    pub faults: Faults,
    /// [`Report::wrong_verdicts`].
    pub wrong_verdicts: u64,
    /// [`Report::double_credits`].
    pub double_credits: u64,
    /// [`Report::lost_credits`].
    pub lost_credits: u64,
    /// [`Report::unresolved`].
    pub unresolved: u64,
    /// [`Report::quarantined`].
    pub quarantined: u64,
    /// [`Report::indistinguishable`].
    pub indistinguishable: u64,
    /// [`Report::autonomous_cuts`].
    pub autonomous_cuts: u64,
    /// [`Report::max_time_to_verdict_s`].
    pub max_time_to_verdict_s: u64,
    /// [`Report::median_time_to_verdict_s`].
    pub median_time_to_verdict_s: u64,
    /// [`Report::supply_errors`].
    pub supply_errors: u64,
    /// [`Report::ledger_imbalance`].
    pub ledger_imbalance: u64,
}

impl Report {
    /// How many things are wrong.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.counts().iter().sum()
    }

    /// The findings as one object.
    #[must_use]
    pub const fn summary(&self) -> Summary {
        Summary {
            vends: self.vends,
            faults: self.faults,
            wrong_verdicts: self.wrong_verdicts,
            double_credits: self.double_credits,
            lost_credits: self.lost_credits,
            unresolved: self.unresolved,
            quarantined: self.quarantined,
            indistinguishable: self.indistinguishable,
            autonomous_cuts: self.autonomous_cuts,
            max_time_to_verdict_s: self.max_time_to_verdict_s,
            median_time_to_verdict_s: self.median_time_to_verdict_s,
            supply_errors: self.supply_errors,
            ledger_imbalance: self.ledger_imbalance,
        }
    }

    fn counts(&self) -> [u64; 8] {
        Property::ALL.map(|property| property.broken(self))
    }

    pub(super) fn begin_cell(&mut self) {
        self.cell = (self.counts(), false);
    }

    /// Remembers what broke first in a cell. Asked after everything that can break something.
    pub(super) fn mark(&mut self) {
        let (before, broken) = self.cell;
        let now = self.counts();
        if !broken && now != before {
            let risen = Property::ALL.into_iter().zip(now.into_iter().zip(before));
            let first = risen.filter(|(_, (now, before))| now > before).map(|(property, _)| property).collect();
            *self.roots.entry(first).or_default() += 1;
            self.cell.1 = true;
        }
    }

    /// The properties that broke first in some cell.
    #[must_use]
    pub fn broken(&self) -> Vec<Property> {
        let mut all: Vec<_> = self.roots.keys().flatten().copied().collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    pub(super) fn crash(&mut self, step: &'static str, crash: Crash) {
        *self.crashes.entry((step, crash)).or_default() += 1;
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
