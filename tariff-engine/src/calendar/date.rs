//! Dates and times of day as documents write them.

use chrono::{Datelike, NaiveDate};

/// Seconds of a day without a change of offset.
pub(crate) const DAY_S: i64 = 86_400;
pub(crate) const MINUTE_S: i64 = 60;
/// Minutes of a day.
pub(crate) const DAY_MINUTES: u16 = 1_440;
/// Days of a year in the numbering of [`day_of_year`]: every month has 31.
pub(crate) const YEAR_SLOTS: usize = 12 * MONTH_SLOTS;
pub(crate) const MONTH_SLOTS: usize = 31;

/// First and last date that a tariff may name.
pub(crate) const FIRST_YEAR: i32 = 1900;
pub(crate) const LAST_YEAR: i32 = 9999;

/// `"2025-01-31"`, from the year 1900 to 9999.
pub(crate) fn parse_date(text: &str) -> Option<NaiveDate> {
    let (year, rest) = text.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    let year = digits(year, 4)?;
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, digits(month, 2)?, digits(day, 2)?)?;
    (FIRST_YEAR..=LAST_YEAR).contains(&date.year()).then_some(date)
}

/// `"MM-DD"` as (month, day); 29 February is a day.
pub(crate) fn parse_month_day(text: &str) -> Option<(u32, u32)> {
    let (month, day) = text.split_once('-')?;
    let (month, day) = (digits(month, 2)?, digits(day, 2)?);
    NaiveDate::from_ymd_opt(2024, month, day).map(|_| (month, day))
}

/// `"HH:MM"` from `"00:00"` to `"24:00"`, in minutes.
pub(crate) fn parse_minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute) = (digits(hour, 2)?, digits(minute, 2)?);
    if minute > 59 {
        return None;
    }
    let total = hour.checked_mul(60)?.checked_add(minute)?;
    u16::try_from(total).ok().filter(|total| *total <= DAY_MINUTES)
}

fn digits(text: &str, count: usize) -> Option<u32> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// Days since 1970-01-01.
pub(crate) fn day_number(date: NaiveDate) -> i64 {
    i64::from(date.num_days_from_ce()).saturating_sub(719_163)
}

/// The date of a day number, where the calendar reaches that far.
pub(crate) fn date_of(day: i64) -> Option<NaiveDate> {
    NaiveDate::from_num_days_from_ce_opt(i32::try_from(day.checked_add(719_163)?).ok()?)
}

/// The day's place in the year, 0 to 371, the same in every year.
pub(crate) fn day_of_year(month: u32, day: u32) -> usize {
    let slot = month.saturating_sub(1).saturating_mul(31).saturating_add(day.saturating_sub(1));
    usize::try_from(slot).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_a_date_and_nothing_else() {
        assert_eq!(parse_date("1970-01-01").map(day_number), Some(0));
        assert_eq!(parse_date("2024-02-29").and_then(|date| date_of(day_number(date))), parse_date("2024-02-29"));
        for bad in ["2025-02-29", "2025-1-1", "10000-01-01", "1899-12-31", "2025-01-01 ", "+025-01-01", ""] {
            assert_eq!(parse_date(bad), None, "{bad}");
        }
        assert!(parse_date("9999-12-31").is_some());
    }

    #[test]
    fn reads_times_of_day() {
        assert_eq!(parse_minute("00:00"), Some(0));
        assert_eq!(parse_minute("24:00"), Some(1_440));
        for bad in ["24:01", "26:00", "8:00", "08:60", "0800", "-1:00", "08:0a"] {
            assert_eq!(parse_minute(bad), None, "{bad}");
        }
        assert_eq!(parse_month_day("02-29"), Some((2, 29)));
        assert_eq!(parse_month_day("02-30"), None);
    }
}
