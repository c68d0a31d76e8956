//! Schedules of 12 months × 24 hours.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::value::RawValue;

use super::UrdbError;
use super::number::RawNumber;
use super::record::Record;
use crate::tariff::{Day, Period};

/// A period number for each month and hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Schedule {
    rows: Vec<Vec<u32>>,
}

impl Schedule {
    /// Reads a schedule, if it is there.
    pub(super) fn read(record: &mut Record, field: &'static str) -> Result<Option<Self>, UrdbError> {
        let cells: Option<Vec<Vec<Box<RawValue>>>> = record.parsed(field, "12 rows of 24 numbers")?;
        let Some(cells) = cells else { return Ok(None) };
        if cells.len() != 12 {
            return Err(UrdbError::new(field, format!("{} rows", cells.len()), "12 rows of 24 numbers"));
        }
        let mut rows = Vec::with_capacity(12);
        for (month, row) in cells.iter().enumerate() {
            if row.len() != 24 {
                let place = format!("{field}[{month}]");
                return Err(UrdbError::new(place, format!("{} numbers", row.len()), "12 rows of 24 numbers"));
            }
            let mut numbers = Vec::with_capacity(24);
            for (hour, cell) in row.iter().enumerate() {
                let number = RawNumber::parse(cell.get()).and_then(|number| number.whole());
                let wrong = || UrdbError::new(format!("{field}[{month}][{hour}]"), cell.get(), "a period number");
                numbers.push(number.ok_or_else(wrong)?);
            }
            rows.push(numbers);
        }
        Ok(Some(Self { rows }))
    }

    /// Every number must be below `periods`.
    pub(super) fn check(&self, field: &'static str, periods: usize) -> Result<(), UrdbError> {
        for (month, row) in self.rows.iter().enumerate() {
            for (hour, number) in row.iter().enumerate() {
                if usize::try_from(*number).unwrap_or(usize::MAX) >= periods {
                    let place = format!("{field}[{month}][{hour}]");
                    return Err(UrdbError::new(place, number, "the number of a period of the structure"));
                }
            }
        }
        Ok(())
    }

    /// The periods that occur, in order.
    pub(super) fn used(&self) -> Vec<u32> {
        let mut used: Vec<u32> = self.rows.iter().flatten().copied().collect();
        used.sort_unstable();
        used.dedup();
        used
    }

    /// Whether a period occurs in a month, 1 to 12.
    pub(super) fn uses(&self, month: u32, number: u32) -> bool {
        let row = month.checked_sub(1).and_then(|month| self.rows.get(usize::try_from(month).ok()?));
        row.is_some_and(|row| row.contains(&number))
    }

    /// Whether only period 0 occurs.
    pub(super) fn is_zero(&self) -> bool {
        self.used() == [0]
    }
}

/// The periods of a pair of schedules; rates are named by number.
pub(super) fn periods(weekdays: &Schedule, weekends: &Schedule) -> Vec<Period> {
    let mut periods = Vec::new();
    let mut seen: Vec<(&[u32], &[u32])> = Vec::new();
    let pairs: Vec<(&[u32], &[u32])> =
        weekdays.rows.iter().map(Vec::as_slice).zip(weekends.rows.iter().map(Vec::as_slice)).collect();
    for pair in &pairs {
        if seen.contains(pair) {
            continue;
        }
        seen.push(*pair);
        let alike = (1..).zip(&pairs).filter(|(_, other)| *other == pair).map(|(month, _)| month);
        let months: Vec<u32> = if pairs.iter().all(|other| other == pair) { Vec::new() } else { alike.collect() };
        let (weekday, weekend) = *pair;
        if weekday == weekend {
            push_day(&mut periods, weekday, &months, &[]);
        } else {
            push_day(&mut periods, weekday, &months, &[Day::Workday]);
            push_day(&mut periods, weekend, &months, &[Day::Weekend]);
        }
    }
    periods
}

fn push_day(periods: &mut Vec<Period>, hours: &[u32], months: &[u32], days: &[Day]) {
    let mut from = 0_usize;
    for (hour, number) in hours.iter().enumerate() {
        let next = hour.saturating_add(1);
        if hours.get(next) == Some(number) {
            continue;
        }
        periods.push(Period {
            rate: rate_name(*number),
            from: format!("{from:02}:00"),
            to: format!("{next:02}:00"),
            days: days.to_vec(),
            months: months.to_vec(),
            ..Period::default()
        });
        from = next;
    }
}

/// Rates are named by their number in the record.
pub(super) fn rate_name(number: u32) -> String {
    number.to_string()
}
