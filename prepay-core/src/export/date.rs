//! UTC seconds as a calendar date.

use core::fmt;

/// A day of the Gregorian calendar, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    year: i64,
    month: i64,
    day: i64,
}

impl Date {
    /// The day of a time between the years 0 and 9999; `None` outside.
    pub(super) fn of(utc_s: i64) -> Option<Self> {
        // The calendar repeats after 400 years, which begin on 1 March 0000: leap days are then the last of their years.
        let days = utc_s.div_euclid(86_400).checked_add(719_468)?;
        let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let leaps = day_of_era.checked_div(1_460)?.checked_sub(day_of_era.checked_div(36_524)?)?;
        let leaps = leaps.checked_add(day_of_era.checked_div(146_096)?)?;
        let year_of_era = day_of_era.checked_sub(leaps)?.checked_div(365)?;
        let century_leaps = year_of_era.checked_div(4)?.checked_sub(year_of_era.checked_div(100)?)?;
        let first_day = year_of_era.checked_mul(365)?.checked_add(century_leaps)?;
        let day_of_year = day_of_era.checked_sub(first_day)?;
        // Months from March have 153 days in every five.
        let month_from_march = day_of_year.checked_mul(5)?.checked_add(2)?.checked_div(153)?;
        let days_before = month_from_march.checked_mul(153)?.checked_add(2)?.checked_div(5)?;
        let day = day_of_year.checked_sub(days_before)?.checked_add(1)?;
        let (month, next) = if month_from_march < 10 { (3, 0) } else { (-9, 1) };
        let month = month_from_march.checked_add(month)?;
        let year = era.checked_mul(400)?.checked_add(year_of_era)?.checked_add(next)?;
        (0..=9999).contains(&year).then_some(Self { year, month, day })
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn known_days() {
        for (utc_s, text) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_772_719_650, "2026-03-05"),
            (4_107_542_399, "2100-02-28"),
            (4_107_542_400, "2100-03-01"),
            (253_402_300_799, "9999-12-31"),
        ] {
            assert_eq!(Date::of(utc_s).unwrap().to_string(), text);
        }
        assert_eq!(Date::of(253_402_300_800), None);
        assert_eq!(Date::of(i64::MIN), None);
        assert_eq!(Date::of(i64::MAX), None);
    }

    /// Every day of two eras follows the day before it, by the rules that children learn.
    #[test]
    fn each_day_follows_the_day_before() {
        let mut last = Date::of(-62_167_219_200).unwrap();
        assert_eq!(last.to_string(), "0000-01-01");
        for day in 1..=292_000_i64 {
            let next = Date::of(-62_167_219_200 + day * 86_400).unwrap();
            let leap = last.year % 4 == 0 && (last.year % 100 != 0 || last.year % 400 == 0);
            let length = match last.month {
                2 => 28 + i64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            let expected = match (last.day == length, last.month == 12) {
                (false, _) => Date { day: last.day + 1, ..last },
                (true, false) => Date { month: last.month + 1, day: 1, ..last },
                (true, true) => Date { year: last.year + 1, month: 1, day: 1 },
            };
            assert_eq!(next, expected);
            last = next;
        }
    }
}
