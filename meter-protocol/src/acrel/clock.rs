//! The meter's clock: local time without a zone.

use crate::wire::Request;
use core::fmt;
use thiserror::Error;

/// First year that the meter's two digits can mean.
const CENTURY: u16 = 2000;

/// A date and time that exists, years 2000 to 2099. Local time of the meter; it knows no zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Clock {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
}

/// A clock field outside its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[error("clock: {field} is {value}, allowed are {min}..={max}")]
pub struct ClockError {
    /// Which field.
    pub field: &'static str,
    /// What was given.
    pub value: u16,
    /// Smallest allowed.
    pub min: u16,
    /// Largest allowed, for a day in this month.
    pub max: u16,
}

impl Clock {
    /// A checked date and time.
    ///
    /// # Errors
    /// [`ClockError`] names the first field out of range: year 2000..=2099, a day that its month has.
    pub fn new(year: u16, month: u8, day: u8, hour: u8, minute: u8, second: u8) -> Result<Self, ClockError> {
        let plain = (CENTURY..=2099).contains(&year)
            && (1..=12).contains(&month)
            && (1..=28).contains(&day)
            && hour <= 23
            && minute <= 59
            && second <= 59;
        if !plain {
            // The last days of a month, or an error.
            Self::check(year, month, day, hour, minute, second)?;
        }
        Ok(Self { year, month, day, hour, minute, second })
    }

    #[cold]
    fn check(year: u16, month: u8, day: u8, hour: u8, minute: u8, second: u8) -> Result<(), ClockError> {
        in_range("year", year, CENTURY, 2099)?;
        in_range("month", month.into(), 1, 12)?;
        in_range("day", day.into(), 1, days_in(year, month).into())?;
        in_range("hour", hour.into(), 0, 23)?;
        in_range("minute", minute.into(), 0, 59)?;
        in_range("second", second.into(), 0, 59)
    }

    /// Year, 2000 to 2099.
    #[must_use]
    pub const fn year(&self) -> u16 {
        self.year
    }

    /// Month, 1 to 12.
    #[must_use]
    pub const fn month(&self) -> u8 {
        self.month
    }

    /// Day of the month, from 1.
    #[must_use]
    pub const fn day(&self) -> u8 {
        self.day
    }

    /// Hour, 0 to 23.
    #[must_use]
    pub const fn hour(&self) -> u8 {
        self.hour
    }

    /// Minute, 0 to 59.
    #[must_use]
    pub const fn minute(&self) -> u8 {
        self.minute
    }

    /// Second, 0 to 59.
    #[must_use]
    pub const fn second(&self) -> u8 {
        self.second
    }

    /// Day of the week of the date, Sunday 0.
    #[must_use]
    #[expect(clippy::arithmetic_side_effects, reason = "all terms are below 3000")]
    pub fn weekday(&self) -> u8 {
        // Zeller's rule, with March as the first month of its year.
        let (year, month) = match self.month {
            1 | 2 => (u32::from(self.year) - 1, u32::from(self.month) + 12),
            _ => (u32::from(self.year), u32::from(self.month)),
        };
        let from_saturday = u32::from(self.day) + 13 * (month + 1) / 5 + year + year / 4 - year / 100 + year / 400;
        ((from_saturday + 6) % 7) as u8
    }

    /// The bytes of function 20H @0354H that set the clock.
    #[must_use]
    pub fn frame(&self) -> ClockFrame {
        // The year is 2000 or later by construction.
        let [_, year] = self.year.saturating_sub(CENTURY).to_be_bytes();
        ClockFrame([self.second, self.minute, self.hour, self.weekday(), self.day, self.month, year, 0, 0, 0])
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    }
}

/// A clock setting, ready to send. The vendor's tool waits 2 s for its reply; read the clock back at 0228H.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockFrame([u8; 10]);

impl ClockFrame {
    /// 20H @0354H, 5 registers.
    #[must_use]
    pub const fn request(&self) -> Request<'_> {
        Request::vendor_fixed::<0x0354, 10>(&self.0)
    }
}

/// A clock from the meter's bytes; the year has two digits.
pub(crate) fn from_bytes(year: u8, month: u8, day: u8, time: [u8; 3]) -> Result<Clock, ClockError> {
    let [hour, minute, second] = time;
    in_range("year of the century", year.into(), 0, 99)?;
    // At most 2099, checked above.
    Clock::new(CENTURY.saturating_add(year.into()), month, day, hour, minute, second)
}

pub(crate) fn in_range(field: &'static str, value: u16, min: u16, max: u16) -> Result<(), ClockError> {
    if (min..=max).contains(&value) { Ok(()) } else { Err(ClockError { field, value, min, max }) }
}

const fn days_in(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        // 2000 is a leap year as well, so the rule of four holds in 2000..=2099.
        2 if year.is_multiple_of(4) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekdays() {
        let weekday = |year, month, day| Clock::new(year, month, day, 0, 0, 0).unwrap().weekday();
        assert_eq!(weekday(2026, 3, 5), 4);
        assert_eq!(weekday(2021, 10, 21), 4);
        assert_eq!(weekday(2000, 1, 1), 6);
        assert_eq!(weekday(2000, 2, 29), 2);
        assert_eq!(weekday(2099, 12, 31), 4);
    }

    #[test]
    fn weekdays_advance_by_one_each_day() {
        let mut expected = 6;
        for year in 2000..=2099 {
            for month in 1..=12 {
                for day in 1..=days_in(year, month) {
                    assert_eq!(Clock::new(year, month, day, 0, 0, 0).unwrap().weekday(), expected);
                    expected = (expected + 1) % 7;
                }
            }
        }
    }

    #[test]
    fn dates_that_do_not_exist_are_refused() {
        assert_eq!(Clock::new(2026, 2, 29, 0, 0, 0), Err(ClockError { field: "day", value: 29, min: 1, max: 28 }));
        assert!(Clock::new(2028, 2, 29, 23, 59, 59).is_ok());
        assert!(Clock::new(2026, 13, 1, 0, 0, 0).is_err());
        assert!(Clock::new(2026, 1, 1, 24, 0, 0).is_err());
        assert!(Clock::new(1999, 1, 1, 0, 0, 0).is_err());
    }
}
