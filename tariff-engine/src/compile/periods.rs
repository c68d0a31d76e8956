//! Checks periods: when a rate holds.

use alloc::format;
use alloc::vec::Vec;

use super::error::{CompileError, Path};
use super::values::{at_most, one_of, small};
use super::{Shared, calendar};
use crate::calendar::date::{DAY_MINUTES, day_of_year, parse_minute};
use crate::calendar::day::{DayKind, Days};
use crate::calendar::schedule::{DayCondition, Layer, ScheduleError, Window, YearSet};
use crate::limits::{MAX_DAY_TABLES, MAX_PERIODS};
use crate::tariff::{Day, Period, Version};

impl Shared<'_> {
    /// The windows of a list of periods. `values` are what the rates of these names stand for.
    ///
    /// `step` is the demand window in minutes, at whose multiples the periods of a demand charge must begin and end.
    pub(super) fn layer(
        &self,
        path: &Path<'_>,
        periods: &[Period],
        values: &[(&str, u16)],
        complete: bool,
        step: u16,
    ) -> Result<Layer, CompileError> {
        at_most(path, periods, MAX_PERIODS)?;
        if periods.is_empty() {
            return match values {
                [(_, value)] => Ok(Layer { windows: [all_the_time(*value)].to_vec(), complete }),
                _ => Err(path.error("nothing", "periods say when each rate holds, where there are several")),
            };
        }
        let mut windows = Vec::with_capacity(periods.len());
        for (index, period) in periods.iter().enumerate() {
            self.windows(&path.index(index), index, period, values, step, &mut windows)?;
        }
        Ok(Layer { windows, complete })
    }

    fn windows(
        &self,
        path: &Path<'_>,
        index: usize,
        period: &Period,
        values: &[(&str, u16)],
        step: u16,
        windows: &mut Vec<Window>,
    ) -> Result<(), CompileError> {
        let rate = one_of(&path.key("rate"), &period.rate, "a rate", values.iter().map(|(name, _)| *name))?;
        let minute = |key, text: &str| {
            let path = path.key(key);
            let minute = parse_minute(text)
                .ok_or_else(|| path.error(format!("{text:?}"), "a time from \"00:00\" to \"24:00\""))?;
            if minute.checked_rem(step) != Some(0) {
                return Err(path.error(format!("{text:?}"), format!("a multiple of the demand window, {step} minutes")));
            }
            Ok(minute)
        };
        let (from, to) = (minute("from", &period.from)?, minute("to", &period.to)?);
        if from == DAY_MINUTES {
            return Err(path.key("from").error(format!("{:?}", period.from), "a time from \"00:00\" to \"23:59\""));
        }
        let window = Window {
            value: values.get(rate).map_or(0, |(_, value)| *value),
            from_minute: from,
            to_minute: to,
            year: self.year_set(path, period)?,
            days: self.day_condition(path, period)?,
            precedence: period.precedence,
            period: index,
        };
        if from < to {
            windows.push(window);
        } else {
            windows.push(Window { to_minute: DAY_MINUTES, ..window });
            if to > 0 {
                windows.push(Window { from_minute: 0, ..window });
            }
        }
        Ok(())
    }

    fn year_set(&self, path: &Path<'_>, period: &Period) -> Result<YearSet, CompileError> {
        let mut set = YearSet::ALL;
        if !period.seasons.is_empty() {
            let known = &self.tariff.calendar.seasons;
            let mut seasons = YearSet::NONE;
            for (index, name) in period.seasons.iter().enumerate() {
                let path = path.key("seasons");
                let place =
                    one_of(&path.index(index), name, "a season", known.iter().map(|season| season.name.as_str()))?;
                if let Some(season) = known.get(place) {
                    seasons = seasons.union(calendar::season(&path.index(index), season)?);
                }
            }
            set = set.intersection(seasons);
        }
        if !period.months.is_empty() {
            let mut months = YearSet::NONE;
            for (index, month) in period.months.iter().enumerate() {
                if !(1..=12).contains(month) {
                    return Err(path.key("months").index(index).error(month, "a month from 1 to 12"));
                }
                (1..=31).for_each(|day| months.insert(day_of_year(*month, day)));
            }
            set = set.intersection(months);
        }
        Ok(set)
    }

    fn day_condition(&self, path: &Path<'_>, period: &Period) -> Result<DayCondition, CompileError> {
        let mut condition = DayCondition::default();
        for day in &period.days {
            match day {
                Day::Workday => condition.workday = true,
                Day::Weekend => condition.weekend = true,
                Day::Holiday => condition.holiday = true,
                weekday => condition.weekdays |= 1 << (*weekday as u32),
            }
        }
        for (index, name) in period.holidays.iter().enumerate() {
            let path = path.key("holidays");
            let names = self.days.holidays.iter().map(alloc::string::String::as_str);
            condition.holidays |= 1 << one_of(&path.index(index), name, "a holiday", names)?;
        }
        for (index, name) in period.flags.iter().enumerate() {
            let path = path.key("flags");
            let names = self.days.flags.iter().map(alloc::string::String::as_str);
            condition.flags |= 1 << one_of(&path.index(index), name, "a day flag", names)?;
        }
        Ok(condition)
    }
}

fn all_the_time(value: u16) -> Window {
    Window {
        value,
        from_minute: 0,
        to_minute: DAY_MINUTES,
        year: YearSet::ALL,
        days: DayCondition::default(),
        precedence: 0,
        period: 0,
    }
}

/// An error of the schedule, told as a path in the document.
pub(super) fn schedule_error(path: &Path<'_>, version: &Version, days: &Days, error: &ScheduleError) -> CompileError {
    let time = |minute: u16| format!("{:02}:{:02}", minute.div_euclid(60), minute.rem_euclid(60));
    match error {
        ScheduleError::TooManyDays => {
            path.key("energy").key("periods").error("periods", format!("at most {MAX_DAY_TABLES} different days"))
        }
        ScheduleError::Gap { minute, facts, .. } => {
            let month = facts.day_of_year.div_euclid(31).saturating_add(1);
            let day = facts.day_of_year.rem_euclid(31).saturating_add(1);
            let weekday = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
                .get(usize::try_from(facts.class.weekday).unwrap_or(0))
                .copied()
                .unwrap_or_default();
            let kind = match facts.class.kind {
                DayKind::Ordinary => "",
                DayKind::MakeUp => ", a make-up working day",
                DayKind::Holiday(_) => ", a holiday",
            };
            let flags = if facts.class.flags == 0 { "" } else { ", with day flags" };
            let _ = days;
            let value = format!("nothing at {} on a {weekday}, {month:02}-{day:02}{kind}{flags}", time(*minute));
            path.key("energy").key("periods").error(value, "a rate at every minute of every day")
        }
        ScheduleError::Overlap { layer, period, other, minute } => {
            let rule = format!("no overlap with periods[{other}] at equal precedence");
            match layer.checked_sub(1) {
                None => {
                    let (energy, key) = (path.key("energy"), "periods");
                    let precedence = version.energy.periods.get(*period).map_or(0, |period| period.precedence);
                    let value = format!("precedence {precedence} at {}", time(*minute));
                    energy.key(key).index(*period).error(value, rule)
                }
                Some(charge) => {
                    let demand = path.key("demand");
                    demand.index(charge).key("periods").index(*period).error(time(*minute), rule)
                }
            }
        }
    }
}

/// The numbers of a list of names, adding those that are new.
pub(super) fn numbered(known: &mut Vec<alloc::string::String>, name: &str) -> u16 {
    let place = known.iter().position(|other| other == name).unwrap_or_else(|| {
        known.push(name.into());
        known.len().saturating_sub(1)
    });
    small(place)
}
