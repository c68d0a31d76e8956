//! Opening a running bill, and going on with a stored one.

use alloc::vec;
use alloc::vec::Vec;
use core::borrow::Borrow;

use super::state::{
    Book, DemandState, LadderState, Opening, Peak, PeakHistory, PeriodPeak, RunningState, STATE_FORMAT, YearState,
};
use super::{Cursor, RunningBill};
use crate::calendar::date::{date_of, day_number, parse_date};
use crate::compile::{CompiledTariff, has_ratchet};
use crate::limits::{MAX_DEMAND_KW, MAX_FLAGGED_DAYS, MAX_LADDER_SEGMENTS, MAX_LOOKBACK, MAX_PERIOD_KWH};
use crate::usage::UsageError;
use chrono::Datelike;

/// Months of a year.
const YEAR_MONTHS: i64 = 12;
/// Most past peaks that are kept: a year of all charges.
const MAX_PAST_PEAKS: usize = 12 * crate::limits::MAX_DEMAND_CHARGES;

/// Why a stored state does not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResumeError {
    /// The state was stored in another form.
    #[error("the state has form {found}, this crate reads {known}")]
    Format {
        /// Its form.
        found: u32,
        /// The form that is read.
        known: u32,
    },
    /// The tariff is another one: versions up to the state's own differ in dates, rates, tiers, limits or demand charges.
    /// Later versions and prices may differ.
    #[error("the tariff is not the one that the state was stored under")]
    OtherTariff,
    /// The state contradicts itself: it was changed while it was stored.
    #[error("the state is damaged: {what}")]
    Damaged {
        /// What is wrong.
        what: &'static str,
    },
}

impl<T: Borrow<CompiledTariff>> RunningBill<T> {
    /// Opens a running bill for an account.
    ///
    /// # Errors
    /// [`UsageError::OutsideVersions`], an unknown allowance, a date that is none, energy or peaks out of range.
    pub fn open(tariff: T, opening: &Opening) -> Result<Self, UsageError> {
        let compiled = tariff.borrow();
        let at_utc_s = opening.from_utc_s;
        let place = compiled.version_index(at_utc_s).ok_or(UsageError::OutsideVersions { at_utc_s })?;
        let (period_from_utc_s, period_to_utc_s) =
            compiled.billing_period(at_utc_s).ok_or(UsageError::BeyondCalendar { at_utc_s })?;
        let version = compiled.versions.get(place).ok_or(UsageError::OutsideVersions { at_utc_s })?;
        let state = RunningState {
            format: STATE_FORMAT,
            version: super::energy::number(place),
            fingerprint: version.fingerprint,
            policy: opening.policy,
            bill_from_utc_s: at_utc_s,
            next_utc_s: at_utc_s,
            period_from_utc_s,
            period_to_utc_s,
            month_of_year: month_of_year(compiled, period_to_utc_s)?,
            energy: 0,
            books: Vec::new(),
            ladder: ladder(compiled, opening)?,
            demand: demand(compiled, opening)?,
            year: YearState {
                year: date_of(compiled.zone.day(at_utc_s)).map_or(0, |date| date.year()),
                billed: opening.billed_this_year.clone(),
            },
            day_flags: Vec::new(),
            estimated_order: false,
        };
        let mut running = Self { tariff, state, cursor: Cursor::new() };
        running.open_book(place, at_utc_s)?;
        Ok(running)
    }

    /// Goes on from a stored state. The tariff may have got more versions since.
    ///
    /// # Errors
    /// [`ResumeError`] when the state has another form, belongs to another tariff, or is damaged.
    pub fn resume(tariff: T, state: RunningState) -> Result<Self, ResumeError> {
        if state.format != STATE_FORMAT {
            return Err(ResumeError::Format { found: state.format, known: STATE_FORMAT });
        }
        let compiled = tariff.borrow();
        let version = compiled.versions.get(usize::from(state.version));
        if version.is_none_or(|version| version.fingerprint != state.fingerprint) {
            return Err(ResumeError::OtherTariff);
        }
        check(compiled, &state).map_err(|what| ResumeError::Damaged { what })?;
        let mut running = Self { tariff, state, cursor: Cursor::new() };
        running.widen();
        Ok(running)
    }

    /// Names that later versions have added get a place of their own.
    pub(super) fn widen(&mut self) {
        let tariff = self.tariff.borrow();
        let names = tariff.rate_names.len();
        self.state.ladder.by_rate.resize(names, 0);
        self.state.demand.peaks.resize(tariff.registers.len(), Peak::default());
        for start in self.state.books.iter_mut().filter_map(|book| book.start.as_mut()) {
            start.by_rate.resize(names, 0);
        }
        self.state.shrink();
    }
}

fn ladder(tariff: &CompiledTariff, opening: &Opening) -> Result<LadderState, UsageError> {
    let mut state = LadderState {
        reset_utc_s: i64::MIN,
        total: ladder_energy(opening.ladder_used.micro_kwh())?,
        by_rate: vec![0; tariff.rate_names.len()],
        allowances: Vec::new(),
    };
    for (name, energy) in &opening.ladder_used_by_rate {
        let place = tariff.rate_names.iter().position(|known| known == name);
        let place = place
            .and_then(|place| state.by_rate.get_mut(place))
            .ok_or_else(|| UsageError::UnknownRate { rate: name.clone(), at_utc_s: opening.from_utc_s })?;
        *place = ladder_energy(energy.micro_kwh())?;
    }
    for name in &opening.allowances {
        let place = tariff.allowances.iter().position(|known| known == name);
        let place = place.ok_or_else(|| UsageError::UnknownAllowance { name: name.clone() })?;
        state.allowances.push(super::energy::number(place));
    }
    state.allowances.sort_unstable();
    state.allowances.dedup();
    state.allowances.shrink_to_fit();
    Ok(state)
}

/// Past peaks that are kept: those of each charge with a ratchet.
fn most_past_peaks(tariff: &CompiledTariff) -> usize {
    let ratchets = (0..tariff.demand_names.len()).filter(|name| has_ratchet(&tariff.versions, *name)).count();
    ratchets.saturating_mul(usize::try_from(MAX_LOOKBACK).unwrap_or(usize::MAX))
}

fn ladder_energy(micro_kwh: i64) -> Result<i64, UsageError> {
    let most = MAX_PERIOD_KWH.saturating_mul(1_000_000).saturating_mul(YEAR_MONTHS);
    if (0..=most).contains(&micro_kwh) { Ok(micro_kwh) } else { Err(UsageError::TooMuchEnergy) }
}

fn demand(tariff: &CompiledTariff, opening: &Opening) -> Result<DemandState, UsageError> {
    let mut state = DemandState {
        peaks: vec![Peak::default(); tariff.registers.len()],
        window_to_utc_s: i64::MIN,
        window_energy: 0,
        history: Vec::new(),
        known_periods: 0,
    };
    let PeakHistory::Known(peaks) = &opening.history else {
        if opening.history == PeakHistory::NewSupply {
            state.known_periods = u32::MAX;
        }
        return Ok(state);
    };
    state.known_periods = u32::MAX;
    let at_utc_s = opening.from_utc_s;
    let beyond = || UsageError::BeyondCalendar { at_utc_s };
    let (_, period_to_utc_s) = tariff.billing_period(at_utc_s).ok_or_else(beyond)?;
    let this_month = month_of(tariff.zone.day(period_to_utc_s.saturating_sub(1))).ok_or_else(beyond)?;
    let reach = i64::from(MAX_LOOKBACK).saturating_mul(i64::from(tariff.billing.months));
    if peaks.len() > MAX_PAST_PEAKS {
        return Err(UsageError::DemandOutOfRange);
    }
    for peak in peaks {
        let bad = || UsageError::BadDate { date: peak.date.clone() };
        let day = parse_date(&peak.date).map(day_number).ok_or_else(bad)?;
        let (_, to) = tariff.billing.span(day).ok_or_else(bad)?;
        let power = peak.power.micro_kw();
        if !(0..=MAX_DEMAND_KW.saturating_mul(1_000_000)).contains(&power) {
            return Err(UsageError::DemandOutOfRange);
        }
        // A charge that has no ratchet binds nothing, nor does a peak of long ago.
        let place = tariff.demand_names.iter().position(|name| *name == peak.charge);
        let Some(place) = place.filter(|place| has_ratchet(&tariff.versions, *place)) else { continue };
        let month = month_of(to.saturating_sub(1)).ok_or_else(bad)?;
        if this_month.saturating_sub(month) > reach {
            continue;
        }
        let entry =
            PeriodPeak { charge: super::energy::number(place), month: i32::try_from(month).map_err(|_| bad())?, power };
        match state.history.iter_mut().find(|known| (known.charge, known.month) == (entry.charge, entry.month)) {
            Some(known) => known.power = known.power.max(power),
            None => state.history.push(entry),
        }
    }
    if state.history.len() > most_past_peaks(tariff) {
        return Err(UsageError::DemandOutOfRange);
    }
    state.history.shrink_to_fit();
    Ok(state)
}

/// The month of a day, counted since the year 0.
pub(crate) fn month_of(day: i64) -> Option<i64> {
    let date = date_of(day)?;
    Some(i64::from(date.year()).saturating_mul(YEAR_MONTHS).saturating_add(i64::from(date.month0())))
}

/// Month of the last day before an instant; 0 is January.
pub(super) fn month_of_year(tariff: &CompiledTariff, period_to_utc_s: i64) -> Result<u8, UsageError> {
    let month = month_of(tariff.zone.day(period_to_utc_s.saturating_sub(1)));
    month
        .and_then(|month| u8::try_from(month.rem_euclid(YEAR_MONTHS)).ok())
        .ok_or(UsageError::BeyondCalendar { at_utc_s: period_to_utc_s })
}

/// What a state must be like so that pricing can rely on it.
fn check(tariff: &CompiledTariff, state: &RunningState) -> Result<(), &'static str> {
    let most = MAX_PERIOD_KWH.saturating_mul(1_000_000);
    let possible = |energy: i64| (0..=most.saturating_mul(YEAR_MONTHS)).contains(&energy);
    if tariff.billing_period(state.period_from_utc_s) != Some((state.period_from_utc_s, state.period_to_utc_s)) {
        return Err("its billing period is not one of the tariff");
    }
    if month_of_year(tariff, state.period_to_utc_s) != Ok(state.month_of_year) {
        return Err("its month is not that of its billing period");
    }
    let inside = state.period_from_utc_s..=state.period_to_utc_s;
    if !inside.contains(&state.bill_from_utc_s)
        || !inside.contains(&state.next_utc_s)
        || state.bill_from_utc_s > state.next_utc_s
    {
        return Err("its time is outside its billing period");
    }
    if !(0..=most).contains(&state.energy) {
        return Err("its energy is out of range");
    }
    let in_order =
        |books: &[Book]| books.iter().zip(books.iter().skip(1)).all(|(book, next)| book.version < next.version);
    if !in_order(&state.books) {
        return Err("its books are not in order");
    }
    if state.day_flags.len() > MAX_FLAGGED_DAYS {
        return Err("it has too many flagged days");
    }
    let mut sum = 0_i64;
    for book in &state.books {
        let cells = tariff.versions.get(usize::from(book.version)).map(|version| version.energy.cells());
        if cells != Some(book.cells.len()) {
            return Err("a book does not fit its version");
        }
        let deferred = tariff
            .versions
            .get(usize::from(book.version))
            .is_some_and(|version| matches!(version.energy.ladder.kind, crate::compile::LadderKind::Deferred(_)));
        if deferred != book.start.is_some() {
            return Err("a book does not fit its ladder");
        }
        if !book.cells.iter().all(|cell| possible(*cell)) {
            return Err("a book is out of range");
        }
        sum = book.cells.iter().fold(sum, |sum, cell| sum.saturating_add(*cell));
        let listed = book.segments.iter().fold(0_i64, |sum, (_, energy)| sum.saturating_add(*energy));
        let known = |rate: u16| usize::from(rate) < book.cells.len();
        if book.segments.len() > MAX_LADDER_SEGMENTS {
            return Err("a list of changes of rate is too long");
        }
        if !book.segments.iter().all(|(rate, energy)| known(*rate) && possible(*energy)) {
            return Err("a list of changes of rate is out of range");
        }
        if !book.segments.is_empty() && listed != book.cells.iter().fold(0_i64, |sum, cell| sum.saturating_add(*cell)) {
            return Err("a list of changes of rate does not sum to its book");
        }
    }
    if state.books.last().is_none_or(|book| book.version != state.version) || sum != state.energy {
        return Err("its books do not sum to its energy");
    }
    let ladders = state.books.iter().filter_map(|book| book.start.as_ref()).chain([&state.ladder]);
    for ladder in ladders {
        if !possible(ladder.total) || !ladder.by_rate.iter().all(|energy| possible(*energy)) {
            return Err("its position in the ladder is out of range");
        }
        if ladder.by_rate.len() > tariff.rate_names.len()
            || ladder.allowances.len() > tariff.allowances.len()
            || ladder.allowances.iter().any(|name| usize::from(*name) >= tariff.allowances.len())
        {
            return Err("its ladder is not one of the tariff");
        }
    }
    let powers = state.demand.peaks.iter().map(|peak| peak.power).chain(state.demand.history.iter().map(|p| p.power));
    if !powers.into_iter().all(|power| (0..=MAX_DEMAND_KW.saturating_mul(1_000_000)).contains(&power)) {
        return Err("a peak is out of range");
    }
    if state.demand.peaks.len() > tariff.registers.len() || state.demand.history.len() > most_past_peaks(tariff) {
        return Err("its peaks are not those of the tariff");
    }
    if !(0..=most).contains(&state.demand.window_energy) {
        return Err("its demand window is out of range");
    }
    Ok(())
}
