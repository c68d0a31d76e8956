//! The books: which cell a kWh belongs to.

use alloc::vec;
use alloc::vec::Vec;
use core::borrow::Borrow;

use super::clock::Stretch;
use super::state::{Book, LadderState, RunningState};
use super::{Mode, RunningBill};
use crate::compile::{CompiledLadder, CompiledTariff, LadderKind};
use crate::limits::MAX_PERIOD_KWH;
use crate::tariff::Scope;
use crate::usage::UsageError;

/// Energy that one bill may have, 10⁻⁶ kWh.
pub(crate) const MAX_ENERGY: i64 = MAX_PERIOD_KWH * 1_000_000;

/// A place in a list as a stored number. All such lists are far shorter.
pub(super) fn number(place: usize) -> u16 {
    u16::try_from(place).unwrap_or(u16::MAX)
}

/// What an account's limits depend on.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a> {
    allowances: &'a [u16],
    month: u8,
}

impl RunningState {
    pub(crate) fn terms(&self) -> Terms<'_> {
        Terms { allowances: &self.ladder.allowances, month: self.month_of_year }
    }
}

/// The upper end of a tier that is known at once, with the account's allowances, 10⁻⁶ kWh; none for the last tier.
pub(crate) fn known_limit(ladder: &CompiledLadder, terms: Terms<'_>, tier: usize) -> Option<i64> {
    let fixed = ladder.limits(terms.month).get(tier)?.fixed?;
    Some(fixed.saturating_add(allowance(ladder, terms.allowances, tier)))
}

/// What the account's allowances add to a limit.
pub(crate) fn allowance(ladder: &CompiledLadder, allowances: &[u16], tier: usize) -> i64 {
    ladder
        .allowances
        .iter()
        .filter(|(name, _)| allowances.contains(name))
        .filter_map(|(_, shifts)| shifts.get(tier))
        .fold(0, |sum, shift| sum.saturating_add(*shift))
}

/// The tier in which the next kWh lies, and 10⁻⁶ kWh that it still takes.
pub(crate) fn tier_at(ladder: &CompiledLadder, terms: Terms<'_>, used: i64) -> (usize, i64) {
    let mut tier = 0;
    while let Some(limit) = known_limit(ladder, terms, tier) {
        if used < limit {
            return (tier, limit.saturating_sub(used));
        }
        tier = tier.saturating_add(1);
    }
    (tier, i64::MAX)
}

/// The scope of a ladder.
const fn scope(kind: LadderKind) -> Option<Scope> {
    match kind {
        LadderKind::None => None,
        LadderKind::Streamed(scope) | LadderKind::Deferred(scope) => Some(scope),
    }
}

impl<T: Borrow<CompiledTariff>> RunningBill<T> {
    /// Energy of the bill with this much more, or the limit.
    #[inline]
    pub(super) fn energy_with(&self, micro_kwh: i64) -> Result<i64, UsageError> {
        match self.state.energy.checked_add(micro_kwh) {
            Some(energy) if energy <= MAX_ENERGY => Ok(energy),
            _ => Err(UsageError::TooMuchEnergy),
        }
    }

    /// Goes to a stretch: opens the book of its version, starts the ladder again where that is due, and moves the cursor.
    pub(super) fn enter(&mut self, stretch: Stretch, from_utc_s: i64) -> Result<(), UsageError> {
        let at = self.state.books.last().map(|book| usize::from(book.version));
        if at != Some(stretch.version) {
            self.open_book(stretch.version, from_utc_s)?;
        }
        if from_utc_s >= self.state.ladder.reset_utc_s {
            self.reset_ladder(stretch.version, from_utc_s)?;
        }
        self.point(stretch)
    }

    /// Opens the book of a version.
    pub(super) fn open_book(&mut self, place: usize, from_utc_s: i64) -> Result<(), UsageError> {
        self.close_book();
        match self.state.books.last().map(|book| usize::from(book.version)) {
            Some(before) => self.change_versions(before, place)?,
            None => self.state.ladder.reset_utc_s = self.cycle_utc_s(place, from_utc_s)?.1,
        }
        if from_utc_s >= self.state.ladder.reset_utc_s {
            self.reset_ladder(place, from_utc_s)?;
        }
        let tariff = self.tariff.borrow();
        let version = tariff.versions.get(place).ok_or(UsageError::OutsideVersions { at_utc_s: from_utc_s })?;
        let deferred = matches!(version.energy.ladder.kind, LadderKind::Deferred(_));
        let start = deferred.then(|| self.state.ladder.clone());
        self.state.books.reserve_exact(1);
        self.state.books.push(Book {
            version: number(place),
            from_utc_s,
            cells: vec![0; version.energy.cells()],
            start,
            segments: Vec::new(),
        });
        self.state.version = number(place);
        self.state.fingerprint = version.fingerprint;
        Ok(())
    }

    /// Carries the position in the ladder from version to version. It starts again where the scope is another one, or where the
    /// old or the new ladder starts again at the change.
    fn change_versions(&mut self, before: usize, place: usize) -> Result<(), UsageError> {
        for later in before.saturating_add(1)..=place {
            let at_utc_s = self.version(later)?.from_utc_s;
            let (cycle_from_utc_s, cycle_to_utc_s) = self.cycle_utc_s(later, at_utc_s)?;
            let kind = |place: usize| self.version(place).map(|version| scope(version.energy.ladder.kind));
            let starts_again = kind(later.saturating_sub(1))? != kind(later)?
                || self.state.ladder.reset_utc_s <= at_utc_s
                || cycle_from_utc_s >= at_utc_s;
            if starts_again {
                self.state.ladder.total = 0;
                self.state.ladder.by_rate.fill(0);
            }
            self.state.ladder.reset_utc_s = cycle_to_utc_s;
        }
        Ok(())
    }

    /// The ladder cycle of a version in which an instant lies.
    fn cycle_utc_s(&self, place: usize, at_utc_s: i64) -> Result<(i64, i64), UsageError> {
        let tariff = self.tariff.borrow();
        let cycle = self.version(place)?.energy.ladder.cycle;
        let (from, to) = cycle.span(tariff.zone.day(at_utc_s)).ok_or(UsageError::BeyondCalendar { at_utc_s })?;
        Ok((tariff.zone.day_start(from), tariff.zone.day_start(to)))
    }

    /// Brings the ladder's position up to date where tiers are known at the end.
    fn close_book(&mut self) {
        let tariff = self.tariff.borrow();
        let Some(book) = self.state.books.last() else { return };
        let Some(version) = tariff.versions.get(usize::from(book.version)) else { return };
        if !matches!(version.energy.ladder.kind, LadderKind::Deferred(_)) {
            return;
        }
        let ladder: &mut LadderState = &mut self.state.ladder;
        for (cell, rate) in book.cells.iter().zip(&version.energy.rates) {
            ladder.total = ladder.total.saturating_add(*cell);
            if let Some(own) = ladder.by_rate.get_mut(usize::from(*rate)) {
                *own = own.saturating_add(*cell);
            }
        }
    }

    fn reset_ladder(&mut self, place: usize, at_utc_s: i64) -> Result<(), UsageError> {
        self.state.ladder.reset_utc_s = self.cycle_utc_s(place, at_utc_s)?.1;
        self.state.ladder.total = 0;
        self.state.ladder.by_rate.fill(0);
        Ok(())
    }

    /// Adds energy to the books at the cursor. The sums are bounded by [`MAX_ENERGY`], so nothing saturates.
    #[inline]
    pub(super) fn book(&mut self, micro_kwh: i64) {
        match self.cursor.mode {
            Mode::Plain => self.add_to_cell(self.cursor.first_cell, micro_kwh),
            Mode::Shared | Mode::OwnLadder if micro_kwh <= self.cursor.room => self.climb_within(micro_kwh),
            Mode::Shared | Mode::OwnLadder => self.climb(micro_kwh),
            Mode::Listed => {
                self.add_to_cell(self.cursor.first_cell, micro_kwh);
                self.list(self.cursor.rate, micro_kwh);
            }
        }
    }

    #[inline]
    pub(super) fn add_to_cell(&mut self, cell: usize, micro_kwh: i64) {
        if let Some(cell) = self.state.books.last_mut().and_then(|book| book.cells.get_mut(cell)) {
            *cell = cell.saturating_add(micro_kwh);
        }
    }

    /// Adds energy that stays in the present tier.
    #[inline]
    fn climb_within(&mut self, micro_kwh: i64) {
        self.add_to_cell(self.cursor.first_cell.saturating_add(self.cursor.tier), micro_kwh);
        self.cursor.room = self.cursor.room.saturating_sub(micro_kwh);
        if self.cursor.mode == Mode::Shared {
            self.state.ladder.total = self.state.ladder.total.saturating_add(micro_kwh);
        } else if let Some(own) = self.state.ladder.by_rate.get_mut(usize::from(self.cursor.rate_number)) {
            *own = own.saturating_add(micro_kwh);
        }
    }

    /// Adds energy that reaches into higher tiers.
    fn climb(&mut self, micro_kwh: i64) {
        let mut rest = micro_kwh;
        while rest > self.cursor.room {
            let room = self.cursor.room;
            self.climb_within(room);
            rest = rest.saturating_sub(room);
            self.find_tier();
        }
        self.climb_within(rest);
    }

    /// Adds energy to the list of changes of rate.
    pub(super) fn list(&mut self, rate: u16, micro_kwh: i64) {
        let Some(book) = self.state.books.last_mut() else { return };
        match book.segments.last_mut() {
            Some((last, energy)) if *last == rate => *energy = energy.saturating_add(micro_kwh),
            // Nothing used changes nothing, so it takes no place.
            _ if micro_kwh == 0 => {}
            _ => book.segments.push((rate, micro_kwh)),
        }
    }
}
