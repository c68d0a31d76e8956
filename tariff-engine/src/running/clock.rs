//! What holds at an instant, and until when.

use super::state::Flagged;
use crate::calendar::date::{DAY_S, MINUTE_S, date_of};
use crate::calendar::day::DayFacts;
use crate::calendar::schedule::Slot;
use crate::compile::{CompiledTariff, CompiledVersion};
use crate::usage::{MissingInput, UsageError};

/// A stretch of time in which nothing changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) from_utc_s: i64,
    pub(super) to_utc_s: i64,
    /// Place of the version.
    pub(super) version: usize,
    /// Place of the rate in the version.
    pub(super) rate: u16,
    /// Set of demand registers that measure.
    pub(super) registers: u16,
}

/// Finds stretches, fast when they are asked for in order of time.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    day: i64,
    day_from_utc_s: i64,
    day_to_utc_s: i64,
    facts: DayFacts,
    /// Whether the clocks change on that day.
    changes: bool,
    version: usize,
    table: usize,
    /// Place of the last stretch among the day's slots; none where the clocks change.
    slot: Option<usize>,
}

impl Clock {
    /// A clock that has not looked at any day.
    pub(super) const fn new() -> Self {
        Self {
            day: 0,
            day_from_utc_s: 0,
            day_to_utc_s: i64::MIN,
            facts: DayFacts::NONE,
            changes: false,
            version: 0,
            table: 0,
            slot: None,
        }
    }

    /// The stretch in which an instant lies.
    pub(super) fn stretch(
        &mut self,
        tariff: &CompiledTariff,
        day_flags: &[Flagged],
        at_utc_s: i64,
    ) -> Result<Stretch, UsageError> {
        self.slot = None;
        if !(self.day_from_utc_s..self.day_to_utc_s).contains(&at_utc_s) {
            self.load_day(tariff, day_flags, at_utc_s)?;
        }
        let slots = tariff.versions.get(self.version).map_or(&[][..], |version| version.schedule.table(self.table));
        let local_s = if self.changes {
            tariff.zone.local_s(at_utc_s).rem_euclid(DAY_S)
        } else {
            at_utc_s.saturating_sub(self.day_from_utc_s)
        };
        let holds = |slot: &Slot| local_s < i64::from(slot.end_minute).saturating_mul(MINUTE_S);
        let place = slots.iter().position(holds).unwrap_or(0);
        let slot = slots.get(place).copied().unwrap_or(Slot { end_minute: 0, rate: 0, registers: 0 });
        if !self.changes {
            self.slot = Some(place);
            let before = place.checked_sub(1).and_then(|place| slots.get(place)).map_or(0, |slot| slot.end_minute);
            return Ok(self.whole(before, slot));
        }
        let ends_in_s = i64::from(slot.end_minute).saturating_mul(MINUTE_S).saturating_sub(local_s);
        let mut to_utc_s = at_utc_s.saturating_add(ends_in_s).min(self.day_to_utc_s);
        if let Some(change) = tariff.zone.next_change(at_utc_s, to_utc_s) {
            to_utc_s = change;
        }
        Ok(Stretch {
            from_utc_s: at_utc_s,
            to_utc_s,
            version: self.version,
            rate: slot.rate,
            registers: slot.registers,
        })
    }

    /// The stretch after the last one, where it is in the same version and the clocks change on neither day.
    #[inline]
    pub(super) fn next(&mut self, tariff: &CompiledTariff, day_flags: &[Flagged]) -> Option<Stretch> {
        let place = self.slot?;
        let schedule = &tariff.versions.get(self.version)?.schedule;
        let slots = schedule.table(self.table);
        let next = place.wrapping_add(1);
        if let (Some(last), Some(slot)) = (slots.get(place), slots.get(next)) {
            self.slot = Some(next);
            return Some(self.whole(last.end_minute, *slot));
        }
        self.next_day(tariff, day_flags)?;
        self.slot = Some(0);
        Some(self.whole(0, *schedule.table(self.table).first()?))
    }

    /// A slot of a day on which the clocks don't change.
    #[inline]
    fn whole(&self, from_minute: u16, slot: Slot) -> Stretch {
        let instant = |minute: u16| self.day_from_utc_s.saturating_add(i64::from(minute).saturating_mul(MINUTE_S));
        Stretch {
            from_utc_s: instant(from_minute),
            to_utc_s: instant(slot.end_minute),
            version: self.version,
            rate: slot.rate,
            registers: slot.registers,
        }
    }

    /// Goes to the next day, where it is in the same version and the clocks don't change.
    fn next_day(&mut self, tariff: &CompiledTariff, day_flags: &[Flagged]) -> Option<()> {
        self.slot = None;
        let from_utc_s = self.day_to_utc_s;
        let version = tariff.versions.get(self.version).filter(|version| from_utc_s < version.until_utc_s)?;
        let to_utc_s = tariff.zone.even_day_end(from_utc_s)?;
        let day = self.day.checked_add(1)?;
        let flags = flags_of(day_flags, day);
        if version.schedule.uses_flags && flags.is_none() {
            return None;
        }
        self.facts = tariff.days.facts_after(self.facts, day, flags.unwrap_or(0))?;
        self.day = day;
        self.day_from_utc_s = from_utc_s;
        self.day_to_utc_s = to_utc_s;
        self.table = version.schedule.table_of(&tariff.days, self.facts);
        Some(())
    }

    fn load_day(&mut self, tariff: &CompiledTariff, day_flags: &[Flagged], at_utc_s: i64) -> Result<(), UsageError> {
        let held = tariff.versions.get(self.version);
        let in_force = |version: &&CompiledVersion| (version.from_utc_s..version.until_utc_s).contains(&at_utc_s);
        let place = match held.filter(in_force) {
            Some(_) => self.version,
            None => tariff.version_index(at_utc_s).ok_or(UsageError::OutsideVersions { at_utc_s })?,
        };
        let version = tariff.versions.get(place).ok_or(UsageError::OutsideVersions { at_utc_s })?;
        let day = tariff.zone.day(at_utc_s);
        let flags = flags_of(day_flags, day);
        if version.schedule.uses_flags && flags.is_none() {
            let date = date_of(day).map_or_else(alloc::string::String::new, |date| alloc::format!("{date}"));
            return Err(MissingInput::DayFlags { date }.into());
        }
        let facts = tariff.days.facts(day, flags.unwrap_or(0)).ok_or(UsageError::BeyondCalendar { at_utc_s })?;
        self.day = day;
        self.facts = facts;
        self.day_from_utc_s = tariff.zone.day_start(day);
        self.day_to_utc_s = tariff.zone.day_start(day.saturating_add(1));
        self.changes = tariff.zone.offset_s(self.day_from_utc_s) != tariff.zone.offset_s(self.day_to_utc_s)
            || self.day_to_utc_s.saturating_sub(self.day_from_utc_s) != DAY_S;
        self.version = place;
        self.table = version.schedule.table_of(&tariff.days, facts);
        Ok(())
    }
}

/// The flags that a day was told to have.
fn flags_of(day_flags: &[Flagged], day: i64) -> Option<u32> {
    day_flags.iter().find(|flagged| i64::from(flagged.day) == day).map(|flagged| u32::from(flagged.bits))
}
