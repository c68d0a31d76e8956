//! What kind of day a date is.

use alloc::string::String;
use alloc::vec::Vec;

use chrono::Datelike;

use super::date::{MONTH_SLOTS, date_of, day_of_year};

/// Days that every month has.
const SHORTEST_MONTH: usize = 28;

/// The facts of a day that periods ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DayFacts {
    /// Place in the year, 0 to 371.
    pub(crate) day_of_year: usize,
    /// Its class.
    pub(crate) class: DayClass,
}

impl DayFacts {
    /// Stands where no day was looked at.
    pub(crate) const NONE: Self =
        Self { day_of_year: 0, class: DayClass { weekday: 0, kind: DayKind::Ordinary, flags: 0 } };
}

/// All that a condition on days can see besides the time of the year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DayClass {
    /// 0 is Monday.
    pub(crate) weekday: u32,
    /// Ordinary, make-up or holiday.
    pub(crate) kind: DayKind,
    /// Bits of the day flags that are set.
    pub(crate) flags: u32,
}

/// Ordinary days are working days or weekend by their weekday.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DayKind {
    Ordinary,
    MakeUp,
    /// A holiday, by the number of its name.
    Holiday(u32),
}

/// The calendar of a tariff.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Days {
    /// Bit 0 is Monday.
    pub(crate) weekend: u32,
    /// Days that are not ordinary, in order.
    pub(crate) special: Vec<(i64, DayKind)>,
    /// Names of holidays.
    pub(crate) holidays: Vec<String>,
    /// Names of day flags.
    pub(crate) flags: Vec<String>,
}

impl Days {
    /// The facts of a day; none where the calendar ends.
    pub(crate) fn facts(&self, day: i64, flags: u32) -> Option<DayFacts> {
        let date = date_of(day)?;
        let class = DayClass { weekday: date.weekday().num_days_from_monday(), kind: self.kind(day), flags };
        Some(DayFacts { day_of_year: day_of_year(date.month(), date.day()), class })
    }

    /// The facts of the day after one whose facts are known: inside a month without asking the calendar.
    pub(crate) fn facts_after(&self, before: DayFacts, day: i64, flags: u32) -> Option<DayFacts> {
        if before.day_of_year.rem_euclid(MONTH_SLOTS) >= SHORTEST_MONTH.saturating_sub(1) {
            return self.facts(day, flags);
        }
        let weekday = if before.class.weekday == 6 { 0 } else { before.class.weekday.saturating_add(1) };
        let class = DayClass { weekday, kind: self.kind(day), flags };
        Some(DayFacts { day_of_year: before.day_of_year.saturating_add(1), class })
    }

    fn kind(&self, day: i64) -> DayKind {
        match self.special.binary_search_by_key(&day, |(special, _)| *special) {
            Ok(found) => self.special.get(found).map_or(DayKind::Ordinary, |(_, kind)| *kind),
            Err(_) => DayKind::Ordinary,
        }
    }

    /// Different kinds of day.
    fn kinds(&self) -> usize {
        self.holidays.len().saturating_add(2)
    }

    /// How many classes there are.
    pub(crate) fn classes(&self) -> usize {
        self.kinds().saturating_mul(7) << self.flags.len()
    }

    /// The number of a class, below [`Self::classes`].
    pub(crate) fn class_number(&self, class: DayClass) -> usize {
        let kind = match class.kind {
            DayKind::Ordinary => 0,
            DayKind::MakeUp => 1,
            DayKind::Holiday(name) => usize::try_from(name).unwrap_or(0).saturating_add(2),
        };
        let weekday = usize::try_from(class.weekday).unwrap_or(0);
        let flags = usize::try_from(class.flags).unwrap_or(0);
        (kind.saturating_mul(7).saturating_add(weekday) << self.flags.len()) | flags
    }

    /// The class of a number.
    pub(crate) fn class(&self, number: usize) -> DayClass {
        let number = u32::try_from(number).unwrap_or(0);
        let bits = u32::try_from(self.flags.len()).unwrap_or(0);
        let flags = number & (1_u32 << bits).saturating_sub(1);
        let rest = number >> bits;
        let kind = match rest.div_euclid(7) {
            0 => DayKind::Ordinary,
            1 => DayKind::MakeUp,
            holiday => DayKind::Holiday(holiday.saturating_sub(2)),
        };
        DayClass { weekday: rest.rem_euclid(7), kind, flags }
    }

    /// Whether the day is a working day, of the weekend, or a holiday.
    pub(crate) fn role(&self, class: DayClass) -> DayRole {
        match class.kind {
            DayKind::MakeUp => DayRole::Workday,
            DayKind::Holiday(_) => DayRole::Holiday,
            DayKind::Ordinary if self.weekend >> class.weekday & 1 == 1 => DayRole::Weekend,
            DayKind::Ordinary => DayRole::Workday,
        }
    }
}

/// The part a day plays in the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DayRole {
    Workday,
    Weekend,
    Holiday,
}

#[cfg(test)]
mod tests {
    use super::super::date::{day_number, parse_date};
    use super::*;

    #[test]
    fn classes_are_numbered_both_ways() {
        let days = Days {
            weekend: 0b110_0000,
            special: Vec::new(),
            holidays: ["a", "b"].map(String::from).to_vec(),
            flags: ["hot", "windy"].map(String::from).to_vec(),
        };
        assert_eq!(days.classes(), 7 * 4 * 4);
        for number in 0..days.classes() {
            assert_eq!(days.class_number(days.class(number)), number);
        }
    }

    #[test]
    fn make_up_days_and_holidays() {
        let number = |text: &str| day_number(parse_date(text).unwrap());
        let days = Days {
            weekend: 0b110_0000,
            special: [(number("2025-09-28"), DayKind::MakeUp), (number("2025-10-01"), DayKind::Holiday(0))].to_vec(),
            holidays: ["National Day"].map(String::from).to_vec(),
            flags: Vec::new(),
        };
        let role = |text: &str| days.role(days.facts(number(text), 0).unwrap().class);
        assert_eq!(role("2025-09-27"), DayRole::Weekend);
        assert_eq!(role("2025-09-28"), DayRole::Workday);
        assert_eq!(role("2025-10-01"), DayRole::Holiday);
        assert_eq!(role("2025-10-02"), DayRole::Workday);
    }

    #[test]
    fn the_day_after_is_the_same_as_the_day_looked_up() {
        let number = |text: &str| day_number(parse_date(text).unwrap());
        let days = Days { special: [(number("2024-02-29"), DayKind::MakeUp)].to_vec(), ..Days::default() };
        // Four centuries hold every length of month and year.
        let (mut day, last) = (number("1999-12-31"), number("2400-01-02"));
        let mut facts = days.facts(day, 0).unwrap();
        while day < last {
            day += 1;
            facts = days.facts_after(facts, day, 0).unwrap();
            assert_eq!(Some(facts), days.facts(day, 0), "day {day}");
        }
    }
}
