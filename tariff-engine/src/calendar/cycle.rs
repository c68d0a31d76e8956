//! Spans of dates that repeat: billing periods and ladder cycles.

use chrono::{Datelike, Months, NaiveDate};

use super::date::{date_of, day_number};

/// Spans of whole months, counted from a month and day of the year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cycle {
    /// Month in which one of the spans begins, 1 to 12.
    pub(crate) start_month: u32,
    /// Day of the month on which each span begins. Where a month is shorter, its last day.
    pub(crate) start_day: u32,
    /// Months in a span: a divisor of 12.
    pub(crate) months: u32,
}

impl Cycle {
    /// Calendar months.
    pub(crate) const MONTHLY: Self = Self { start_month: 1, start_day: 1, months: 1 };

    /// First day and day after the last of the span in which a day lies; none at the ends of the calendar.
    pub(crate) fn span(self, day: i64) -> Option<(i64, i64)> {
        let date = date_of(day)?;
        // Months since the year 0, shifted so that spans begin at multiples of `months`.
        let month = date.year().checked_mul(12)?.checked_add(i32::try_from(date.month0()).ok()?)?;
        let shift = i32::try_from(self.start_month).ok()?.checked_sub(1)?;
        let length = i32::try_from(self.months).ok()?.max(1);
        let late = self.start_in(month)? > date;
        let counted = month.checked_sub(shift)?.checked_sub(i32::from(late))?;
        let first = counted.div_euclid(length).checked_mul(length)?.checked_add(shift)?;
        let from = self.start_in(first)?;
        let to = self.start_in(first.checked_add(length)?)?;
        Some((day_number(from), day_number(to)))
    }

    /// The date on which a span that begins in this month (counted since the year 0) begins.
    fn start_in(self, month: i32) -> Option<NaiveDate> {
        let first = NaiveDate::from_ymd_opt(month.div_euclid(12), 1, 1)?
            .checked_add_months(Months::new(u32::try_from(month.rem_euclid(12)).ok()?))?;
        (0..4).find_map(|short| first.with_day(self.start_day.saturating_sub(short)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::date::parse_date;
    use super::*;

    fn day(text: &str) -> i64 {
        day_number(parse_date(text).unwrap())
    }

    #[test]
    fn spans() {
        let monthly_20 = Cycle { start_month: 1, start_day: 20, months: 1 };
        assert_eq!(monthly_20.span(day("2025-01-19")), Some((day("2024-12-20"), day("2025-01-20"))));
        assert_eq!(monthly_20.span(day("2025-01-20")), Some((day("2025-01-20"), day("2025-02-20"))));
        let two_months = Cycle { start_month: 1, start_day: 1, months: 2 };
        assert_eq!(two_months.span(day("2024-02-29")), Some((day("2024-01-01"), day("2024-03-01"))));
        let july_years = Cycle { start_month: 7, start_day: 1, months: 12 };
        assert_eq!(july_years.span(day("2025-06-30")), Some((day("2024-07-01"), day("2025-07-01"))));
        assert_eq!(july_years.span(day("2025-07-01")), Some((day("2025-07-01"), day("2026-07-01"))));
        let leap = Cycle { start_month: 2, start_day: 29, months: 12 };
        assert_eq!(leap.span(day("2025-03-01")), Some((day("2025-02-28"), day("2026-02-28"))));
    }
}
