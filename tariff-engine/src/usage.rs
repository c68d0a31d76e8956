//! What was used, and what is wrong with it.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::exact::Energy;
use crate::limits::{MAX_DEMAND_KW, MAX_FLAGGED_DAYS, MAX_LADDER_SEGMENTS, MAX_PERIOD_KWH};

/// Which way energy flowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the grid to the user.
    #[default]
    Import,
    /// From the user to the grid. This crate does not price it and refuses it by name.
    Export,
}

/// Energy used between two instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// First instant, seconds since 1970-01-01T00:00:00Z.
    pub from_utc_s: i64,
    /// Instant after the last.
    pub to_utc_s: i64,
    /// Energy, not negative.
    pub energy: Energy,
    /// Which way it flowed.
    #[serde(default)]
    pub direction: Direction,
}

impl Interval {
    /// Energy from the grid.
    pub const fn new(from_utc_s: i64, to_utc_s: i64, energy: Energy) -> Self {
        Self { from_utc_s, to_utc_s, energy, direction: Direction::Import }
    }
}

/// Intervals of equal length, one after the other, of energy from the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Series<'a> {
    /// First instant, seconds since 1970-01-01T00:00:00Z.
    pub start_utc_s: i64,
    /// Length of each interval, seconds; not 0.
    pub step_s: u32,
    /// Energy of each interval, not negative.
    pub energies: &'a [Energy],
}

/// Energy by rate between two readings of a meter: the differences of its rate registers.
///
/// The meter's own clock has decided which rate each kWh belongs to. Names are those of the tariff's rates; a rate that is not
/// named used nothing. A replaced meter changes nothing here: differences of the new one follow those of the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateUsage<'a> {
    /// Instant of the earlier reading, seconds since 1970-01-01T00:00:00Z.
    pub from_utc_s: i64,
    /// Instant of the later reading.
    pub to_utc_s: i64,
    /// Energy of each rate, not negative.
    pub energies: &'a [(&'a str, Energy)],
    /// Which way it flowed.
    pub direction: Direction,
}

/// What is allowed to be imperfect about usage. Everything else is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UsagePolicy {
    /// Time without usage.
    pub gaps: Gaps,
    /// Intervals over the border of a price period, a version or a ladder cycle.
    pub borders: Borders,
    /// Where peaks come from.
    pub demand: DemandSource,
}

/// Time that no usage covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gaps {
    /// Is an error.
    #[default]
    Refuse,
    /// Used nothing.
    UsedNothing,
}

/// Usage over a border at which the price changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Borders {
    /// Is an error.
    #[default]
    Refuse,
    /// Is split by time: whole 10⁻⁶ kWh, by largest remainder.
    SplitProRata,
}

/// Where the peaks of demand charges come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DemandSource {
    /// From the usage, which must be at least as fine as the demand window.
    #[default]
    Usage,
    /// From the meter's own maximum-demand registers, given with the inputs of the settlement.
    Reported,
}

/// A border at which something changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Border {
    /// The rate, or what a demand charge measures.
    Rate,
    /// The version of the tariff.
    Version,
    /// The ladder starts again.
    LadderReset,
    /// The billing period ends.
    BillingPeriod,
}

/// Why usage was refused. The state is as it was before the call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UsageError {
    /// The interval ends at or before its beginning.
    #[error("usage from {from_utc_s} to {to_utc_s} has no length")]
    ZeroLength {
        /// Beginning.
        from_utc_s: i64,
        /// End.
        to_utc_s: i64,
    },
    /// Energy below zero.
    #[error("usage from {from_utc_s} is negative: {energy} kWh")]
    Negative {
        /// Beginning.
        from_utc_s: i64,
        /// The energy.
        energy: Energy,
    },
    /// Energy into the grid.
    #[error("usage from {from_utc_s} is export, which is not priced")]
    Export {
        /// Beginning.
        from_utc_s: i64,
    },
    /// Time between the last usage and this one.
    #[error("gap: usage was expected from {expected_utc_s} and begins at {from_utc_s}")]
    Gap {
        /// End of the last usage.
        expected_utc_s: i64,
        /// Beginning of this one.
        from_utc_s: i64,
    },
    /// Part of the time is priced already.
    #[error("overlap: usage up to {expected_utc_s} is priced already and this begins at {from_utc_s}")]
    Overlap {
        /// End of the last usage.
        expected_utc_s: i64,
        /// Beginning of this one.
        from_utc_s: i64,
    },
    /// All of the time is priced already.
    #[error("disorder: usage up to {expected_utc_s} is priced already and this ends at {to_utc_s}")]
    Disorder {
        /// End of the last usage.
        expected_utc_s: i64,
        /// End of this one.
        to_utc_s: i64,
    },
    /// Usage over a border, and the policy does not split it. Usage over the end of a billing period is never split inside one
    /// push, because the bill must be settled between the parts.
    #[error("usage from {from_utc_s} to {to_utc_s} crosses a border ({border:?}) at {at_utc_s}")]
    CrossesBorder {
        /// Beginning.
        from_utc_s: i64,
        /// End.
        to_utc_s: i64,
        /// What changes there.
        border: Border,
        /// Where the border is.
        at_utc_s: i64,
    },
    /// The billing period is over and must be settled first.
    #[error("usage from {from_utc_s} is after the billing period, which ends at {period_to_utc_s}: settle it first")]
    PeriodOver {
        /// Beginning.
        from_utc_s: i64,
        /// End of the billing period.
        period_to_utc_s: i64,
    },
    /// The billing period can't be settled before its end.
    #[error("usage is known up to {known_utc_s}, the billing period ends at {period_to_utc_s}")]
    PeriodNotOver {
        /// End of the last usage.
        known_utc_s: i64,
        /// End of the billing period.
        period_to_utc_s: i64,
    },
    /// No version of the tariff is in force.
    #[error("no version of the tariff is in force at {at_utc_s}")]
    OutsideVersions {
        /// The instant.
        at_utc_s: i64,
    },
    /// Longer than the window over which demand is averaged.
    #[error("usage from {from_utc_s} is {length_s} s long, the demand window {window_s} s")]
    LongerThanDemandWindow {
        /// Beginning.
        from_utc_s: i64,
        /// Length.
        length_s: i64,
        /// Demand window.
        window_s: i64,
    },
    /// Parts of the interval lie in two demand windows.
    #[error("usage from {from_utc_s} crosses the border of a demand window at {at_utc_s}")]
    CrossesDemandWindow {
        /// Beginning.
        from_utc_s: i64,
        /// The border.
        at_utc_s: i64,
    },
    /// More energy than one billing period or ladder cycle may have.
    #[error("energy of a billing period is beyond {} kWh", MAX_PERIOD_KWH)]
    TooMuchEnergy,
    /// More power than billing demand may have.
    #[error("demand or contracted capacity is beyond 0 to {} kW", MAX_DEMAND_KW)]
    DemandOutOfRange,
    /// A meter's rate that the version in force doesn't have.
    #[error("the tariff has no rate {rate:?} at {at_utc_s}")]
    UnknownRate {
        /// Name of the rate.
        rate: String,
        /// Beginning of the usage.
        at_utc_s: i64,
    },
    /// The same rate twice in one difference of registers.
    #[error("rate {rate:?} is given twice")]
    RateTwice {
        /// Name of the rate.
        rate: String,
    },
    /// Differences of registers with several rates don't tell the order of time that this ladder needs at the period's end.
    #[error(
        "a ladder whose limits are known only at the period's end needs intervals, not differences of several registers"
    )]
    OrderUnknown,
    /// More changes of rate in one billing period than are kept for a ladder whose limits are known at its end.
    #[error("a ladder whose limits are known only at the period's end takes {} changes of rate", MAX_LADDER_SEGMENTS)]
    TooManyRateChanges,
    /// An allowance that no ladder of the tariff has.
    #[error("the tariff has no allowance {name:?}")]
    UnknownAllowance {
        /// Name of the allowance.
        name: String,
    },
    /// A day flag that the tariff doesn't have.
    #[error("the tariff has no day flag {name:?}")]
    UnknownDayFlag {
        /// Name of the flag.
        name: String,
    },
    /// Flags of more days than are kept.
    #[error("day flags are kept for {} days ahead", MAX_FLAGGED_DAYS)]
    TooManyFlaggedDays,
    /// A date that is none, or past.
    #[error("{date:?} is not a date that is still to come")]
    BadDate {
        /// What was given.
        date: String,
    },
    /// Beyond the calendar, which ends with the year 9999.
    #[error("{at_utc_s} is beyond the calendar")]
    BeyondCalendar {
        /// The instant.
        at_utc_s: i64,
    },
    /// An amount beyond what can be held exactly. Compiled limits keep bills far below it; only sums over a year can meet it.
    #[error("an amount is beyond ±1.7e14")]
    AmountOutOfRange,
    /// Something that is needed was not given.
    #[error(transparent)]
    Missing(#[from] MissingInput),
}

impl From<crate::exact::AmountError> for UsageError {
    fn from(_: crate::exact::AmountError) -> Self {
        Self::AmountOutOfRange
    }
}

/// Something that the tariff needs and that was not given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MissingInput {
    /// The flags of a day on which prices depend.
    #[error("the day flags of {date} are not known")]
    DayFlags {
        /// The date.
        date: String,
    },
    /// Reactive energy, for the power factor.
    #[error("reactive energy (kvarh) is needed for the power factor")]
    ReactiveEnergy,
    /// Contracted capacity.
    #[error("contracted capacity of {charge:?} is needed")]
    ContractedCapacity {
        /// The contract charge.
        charge: String,
    },
    /// Highest apparent power, for a contract in kVA.
    #[error("the highest kVA is needed for {charge:?}")]
    PeakKva {
        /// The contract charge.
        charge: String,
    },
    /// Earlier peaks, for a ratchet.
    #[error("peaks of the {lookback} billing periods before are needed for {charge:?}")]
    PeakHistory {
        /// The demand charge.
        charge: String,
        /// How many periods.
        lookback: u32,
    },
    /// A peak of the meter's demand registers.
    #[error("the reported demand of {charge:?}, rate {rate:?}, is needed")]
    ReportedDemand {
        /// The demand charge.
        charge: String,
        /// Its rate.
        rate: String,
    },
}
