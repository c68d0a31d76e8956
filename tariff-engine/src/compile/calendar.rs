//! Checks the calendar: weekends, holidays, make-up days, flags.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::error::{CompileError, Path};
use super::values::{at_most, name, unique};
use crate::calendar::date::{day_number, day_of_year, parse_date, parse_month_day};
use crate::calendar::day::{DayKind, Days};
use crate::calendar::schedule::YearSet;
use crate::limits::{MAX_CALENDAR_ENTRIES, MAX_DAY_FLAGS, MAX_HOLIDAY_NAMES};
use crate::tariff::{Calendar, Season};

/// Days that one holiday may last.
const MAX_HOLIDAY_DAYS: i64 = 62;

pub(super) fn days(path: &Path<'_>, calendar: &Calendar) -> Result<Days, CompileError> {
    at_most(&path.key("day_flags"), &calendar.day_flags, MAX_DAY_FLAGS)?;
    for (index, flag) in calendar.day_flags.iter().enumerate() {
        let path = path.key("day_flags");
        name(&path.index(index), flag)?;
        if calendar.day_flags.iter().take(index).any(|earlier| earlier == flag) {
            return Err(path.index(index).error(format!("{flag:?}"), "a name that no other entry has"));
        }
    }
    at_most(&path.key("seasons"), &calendar.seasons, MAX_CALENDAR_ENTRIES)?;
    unique(&path.key("seasons"), calendar.seasons.iter().map(|season| season.name.as_str()))?;
    for (index, entry) in calendar.seasons.iter().enumerate() {
        season(&path.key("seasons").index(index), entry)?;
    }
    let mut special = BTreeMap::new();
    let holidays = holidays(&path.key("holidays"), calendar, &mut special)?;
    let workdays = path.key("workdays");
    at_most(&workdays, &calendar.workdays, MAX_CALENDAR_ENTRIES)?;
    for (index, text) in calendar.workdays.iter().enumerate() {
        special.insert(day(&workdays.index(index), text)?, DayKind::MakeUp);
    }
    Ok(Days {
        weekend: calendar.weekend.iter().fold(0, |bits, weekday| bits | 1 << (*weekday as u32)),
        special: special.into_iter().collect(),
        holidays,
        flags: calendar.day_flags.clone(),
    })
}

/// Adds the days of all holidays, and gives their names.
fn holidays(
    path: &Path<'_>,
    calendar: &Calendar,
    special: &mut BTreeMap<i64, DayKind>,
) -> Result<Vec<String>, CompileError> {
    at_most(path, &calendar.holidays, MAX_CALENDAR_ENTRIES)?;
    let mut names: Vec<String> = Vec::new();
    for (index, holiday) in calendar.holidays.iter().enumerate() {
        let path = path.index(index);
        name(&path.key("name"), &holiday.name)?;
        if !names.contains(&holiday.name) {
            names.push(holiday.name.clone());
        }
        let number = names.iter().position(|known| *known == holiday.name).and_then(|place| u32::try_from(place).ok());
        let from = day(&path.key("from"), &holiday.from)?;
        let to = holiday.to.as_ref().map_or(Ok(from), |to| day(&path.key("to"), to))?;
        if to < from || to.saturating_sub(from) >= MAX_HOLIDAY_DAYS {
            let rule = format!("from \"from\" on, at most {MAX_HOLIDAY_DAYS} days");
            return Err(path.key("to").error(format!("{:?}", holiday.to), rule));
        }
        for day in from..=to {
            let before = special.insert(day, DayKind::Holiday(number.unwrap_or_default()));
            if before.is_some_and(|before| Some(before) != number.map(DayKind::Holiday)) {
                return Err(path.error(format!("{:?}", holiday.name), "no day may belong to two holidays"));
            }
        }
    }
    if names.len() > MAX_HOLIDAY_NAMES {
        return Err(path.error(format!("{} names", names.len()), format!("at most {MAX_HOLIDAY_NAMES} names")));
    }
    Ok(names)
}

fn day(path: &Path<'_>, text: &str) -> Result<i64, CompileError> {
    parse_date(text).map(day_number).ok_or_else(|| path.error(format!("{text:?}"), "a date such as \"2025-01-31\""))
}

/// The days of a season.
pub(super) fn season(path: &Path<'_>, season: &Season) -> Result<YearSet, CompileError> {
    let parse = |key, text: &str| {
        parse_month_day(text)
            .map(|(month, day)| day_of_year(month, day))
            .ok_or_else(|| path.key(key).error(format!("{text:?}"), "a day of the year such as \"07-01\""))
    };
    let (from, to) = (parse("from", &season.from)?, parse("to", &season.to)?);
    let mut set = YearSet::NONE;
    let year = crate::calendar::date::YEAR_SLOTS;
    for slot in 0..year {
        if if from <= to { (from..=to).contains(&slot) } else { slot >= from || slot <= to } {
            set.insert(slot);
        }
    }
    Ok(set)
}
