//! What a running bill remembers: everything that is needed to go on after a restart.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::exact::{Amount, Energy, Power};
use crate::usage::UsagePolicy;

/// What an account brings along when a running bill is opened.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Opening {
    /// First instant that is billed, seconds since 1970-01-01T00:00:00Z.
    pub from_utc_s: i64,
    /// What is allowed to be imperfect about usage.
    pub policy: UsagePolicy,
    /// Energy used since the ladder's last reset, before `from_utc_s`.
    pub ladder_used: Energy,
    /// The same by rate, where each rate has a ladder of its own.
    pub ladder_used_by_rate: Vec<(String, Energy)>,
    /// Allowances of the account, by name.
    pub allowances: Vec<String>,
    /// Bills of the calendar year before `from_utc_s`, for an annual minimum.
    pub billed_this_year: Amount,
    /// Peaks of earlier billing periods, for ratchets.
    pub history: PeakHistory,
}

/// What is known about peaks before the first bill.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeakHistory {
    /// Nothing. A bill that a ratchet needs them for is refused until enough periods were billed.
    #[default]
    Unknown,
    /// There was no supply before.
    NewSupply,
    /// The peaks of earlier periods; what is not listed was zero.
    Known(Vec<PastPeak>),
}

/// The peak of one demand charge in one earlier billing period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PastPeak {
    /// Name of the demand charge.
    pub charge: String,
    /// A date in the billing period, such as `"2024-12-01"`.
    pub date: String,
    /// Highest mean power.
    pub power: Power,
}

/// The stored form of a running bill. It has a bounded size (see `RunningBill`) and is opaque: read it with
/// [`RunningBill`](crate::RunningBill).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunningState {
    /// Version of this form.
    pub(crate) format: u32,
    /// Number of the version of the tariff in force at the last usage, and its fingerprint.
    pub(crate) version: u16,
    pub(crate) fingerprint: u64,
    pub(crate) policy: UsagePolicy,
    /// First instant of the present bill.
    pub(crate) bill_from_utc_s: i64,
    /// First instant that no usage covers yet.
    pub(crate) next_utc_s: i64,
    /// Billing period of the present bill.
    pub(crate) period_from_utc_s: i64,
    pub(crate) period_to_utc_s: i64,
    /// Month of the billing period's last day; 0 is January.
    pub(crate) month_of_year: u8,
    /// Energy of the present bill, 10⁻⁶ kWh.
    pub(crate) energy: i64,
    pub(crate) books: Vec<Book>,
    pub(crate) ladder: LadderState,
    pub(crate) demand: DemandState,
    pub(crate) year: YearState,
    /// Flags of days to come.
    pub(crate) day_flags: Vec<Flagged>,
    /// Some difference of registers lay across a tier border.
    pub(crate) estimated_order: bool,
}

/// The flags of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Flagged {
    /// Days since 1970-01-01.
    pub(crate) day: i32,
    pub(crate) bits: u8,
}

/// Energy of the present bill under one version of the tariff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Book {
    pub(crate) version: u16,
    pub(crate) from_utc_s: i64,
    /// By rate and tier where tiers are known at once, by rate where they are known at the end. 10⁻⁶ kWh.
    pub(crate) cells: Vec<i64>,
    /// Positions in the ladder when the book was opened, where tiers are known at the end.
    pub(crate) start: Option<LadderState>,
    /// Energy per change of rate, in order, where a shared ladder is known at the end: rate and 10⁻⁶ kWh.
    pub(crate) segments: Vec<(u16, i64)>,
}

/// Where an account stands in its ladder.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LadderState {
    /// When the energy counts from zero again.
    pub(crate) reset_utc_s: i64,
    /// Energy since the last reset, 10⁻⁶ kWh.
    pub(crate) total: i64,
    /// The same by number of the rate's name.
    pub(crate) by_rate: Vec<i64>,
    /// Numbers of the account's allowances.
    pub(crate) allowances: Vec<u16>,
}

/// Peaks of the present and earlier billing periods.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DemandState {
    /// By number of the register.
    pub(crate) peaks: Vec<Peak>,
    /// End of the open demand window; no window is open at 0 energy.
    pub(crate) window_to_utc_s: i64,
    /// Energy in it so far, 10⁻⁶ kWh.
    pub(crate) window_energy: i64,
    /// Peaks of earlier periods.
    pub(crate) history: Vec<PeriodPeak>,
    /// Earlier periods that the history covers; all of them where it was told.
    pub(crate) known_periods: u32,
}

/// A highest mean power, and the end of the window in which it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Peak {
    /// 10⁻⁶ kW.
    pub(crate) power: i64,
    pub(crate) at_utc_s: i64,
}

/// The peak of a demand charge in an earlier period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PeriodPeak {
    /// Number of the demand charge's name.
    pub(crate) charge: u16,
    /// Month of the period's last day, counted since the year 0.
    pub(crate) month: i32,
    /// 10⁻⁶ kW.
    pub(crate) power: i64,
}

/// Bills of the calendar year so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct YearState {
    pub(crate) year: i32,
    /// What counts towards an annual minimum, of settled bills.
    pub(crate) billed: Amount,
}

/// The only form of stored states so far.
pub(crate) const STATE_FORMAT: u32 = 1;
