//! Day tables and the date table: which of the four rates counts now, and until when.

use super::clock::{self, Civil};
use super::options::{DateTableOrder, RateCodes};

/// Slots in a day table.
const SLOTS: usize = 14;
/// Entries in the date table.
const ENTRIES: usize = 4;
/// Registers of a day table.
pub(super) const DAY_TABLE_REGISTERS: u16 = 21;
/// Registers of the date table.
pub(super) const DATE_TABLE_REGISTERS: u16 = 6;
/// The rate that counts while a day table has no slot in use: flat.
const RATE_WITHOUT_TABLE: usize = 2;

/// One day table as it stands in the registers: 14 slots of rate, minute, hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct DayTable {
    slots: [[u8; 3]; SLOTS],
}

/// The date table as it stands in the registers: 4 entries of 3 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct DateTable {
    entries: [[u8; 3]; ENTRIES],
}

/// Three-byte items, packed high byte first, as one register.
fn packed_word(items: &[[u8; 3]], word: u16) -> Option<u16> {
    let first = usize::from(word).checked_mul(2)?;
    let mut bytes = items.iter().flatten().skip(first);
    Some(u16::from_be_bytes([*bytes.next()?, *bytes.next()?]))
}

fn unpacked<const N: usize>(bytes: &[u8]) -> Option<[[u8; 3]; N]> {
    let (items, rest) = bytes.as_chunks::<3>();
    if rest.is_empty() { items.try_into().ok() } else { None }
}

impl DayTable {
    pub(super) const EMPTY: Self = Self { slots: [[0; 3]; SLOTS] };

    /// Takes the 42 bytes of a write, or `None` if a slot is no time of day or no rate.
    pub(super) fn from_bytes(bytes: &[u8], codes: RateCodes, rates: u8) -> Option<Self> {
        let table = Self { slots: unpacked(bytes)? };
        let highest = match codes {
            RateCodes::FromOne => rates,
            RateCodes::FromZero => rates.saturating_sub(1),
        };
        table.slots.iter().all(|&[rate, minute, hour]| rate <= highest && minute < 60 && hour < 24).then_some(table)
    }

    pub(super) fn word(&self, word: u16) -> Option<u16> {
        packed_word(&self.slots, word)
    }

    /// The slots in use, as minute of the day and rate index from 0.
    fn in_use(&self, codes: RateCodes) -> impl Iterator<Item = (u16, usize)> {
        self.slots.iter().enumerate().filter_map(move |(position, &[rate, minute, hour])| {
            let start = u16::from(hour).checked_mul(60)?.checked_add(u16::from(minute))?;
            let index = match codes {
                RateCodes::FromOne => usize::from(rate).checked_sub(1)?,
                RateCodes::FromZero if position > 0 && start == 0 => return None,
                RateCodes::FromZero => usize::from(rate),
            };
            Some((start, index))
        })
    }

    /// The rate index at a minute of the day. Before the first slot the last one still counts, as from the day before.
    fn rate_at(&self, minute: u16, codes: RateCodes) -> usize {
        let begun = self.in_use(codes).filter(|(start, _)| *start <= minute).max_by_key(|(start, _)| *start);
        let last = || self.in_use(codes).max_by_key(|(start, _)| *start);
        begun.or_else(last).map_or(RATE_WITHOUT_TABLE, |(_, rate)| rate)
    }

    /// The next slot start behind a minute of the day, or 1440 for midnight.
    fn next_start(&self, minute: u16, codes: RateCodes) -> u16 {
        self.in_use(codes).map(|(start, _)| start).filter(|start| *start > minute).min().unwrap_or(1_440)
    }
}

impl DateTable {
    pub(super) const EMPTY: Self = Self { entries: [[0; 3]; ENTRIES] };

    /// Takes the 12 bytes of a write, or `None` if an entry is no day of the year.
    pub(super) fn from_bytes(bytes: &[u8], order: DateTableOrder) -> Option<Self> {
        let table = Self { entries: unpacked(bytes)? };
        let possible = |entry: &[u8; 3]| {
            let (_, day, month) = Self::sorted(*entry, order);
            day <= 31 && month <= 12
        };
        table.entries.iter().all(possible).then_some(table)
    }

    pub(super) fn word(&self, word: u16) -> Option<u16> {
        packed_word(&self.entries, word)
    }

    /// An entry as table index from 0, day and month. Only two day tables exist: any other number means the first.
    fn sorted(entry: [u8; 3], order: DateTableOrder) -> (usize, u8, u8) {
        match (order, entry) {
            (DateTableOrder::TableDayMonth, [table, day, month]) => (usize::from(table == 1), day, month),
            (DateTableOrder::MonthDayTable, [month, day, table]) => (usize::from(table == 2), day, month),
        }
    }

    /// The index of the day table on a date. Before the first entry of a year the last one still counts.
    fn day_table_on(&self, month: u8, day: u8, order: DateTableOrder) -> usize {
        let in_use = || {
            let entries = self.entries.iter().map(|entry| Self::sorted(*entry, order));
            entries.filter(|(_, d, m)| *d > 0 && *m > 0).map(|(table, d, m)| ((m, d), table))
        };
        let begun = in_use().filter(|(from, _)| *from <= (month, day)).max_by_key(|(from, _)| *from);
        begun.or_else(|| in_use().max_by_key(|(from, _)| *from)).map_or(0, |(_, table)| table)
    }
}

/// The rate that counts at a local time, and the local time at which it may change next.
pub(super) fn rate_at(
    local_ms: i64,
    day_tables: &[DayTable; 2],
    dates: &DateTable,
    codes: RateCodes,
    order: DateTableOrder,
) -> (usize, i64) {
    let Civil { month, day, .. } = clock::civil(local_ms);
    let [first, second] = day_tables;
    let table = if dates.day_table_on(month, day, order) == 1 { second } else { first };
    let minute = clock::minute_of_day(local_ms);
    let until_ms = clock::at_minute(clock::midnight(local_ms), table.next_start(minute, codes));
    (table.rate_at(minute, codes), until_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(slots: &[[u8; 3]]) -> DayTable {
        let mut table = DayTable::EMPTY;
        table.slots[..slots.len()].clone_from_slice(slots);
        table
    }

    #[test]
    fn a_day_of_four_rates() {
        let table = day(&[[4, 0, 0], [1, 30, 6], [3, 0, 9], [2, 15, 18], [4, 0, 23]]);
        let at = |hour: u16, minute: u16| table.rate_at(hour * 60 + minute, RateCodes::FromOne);
        assert_eq!((at(0, 0), at(6, 29), at(6, 30), at(9, 0), at(18, 15), at(23, 59)), (3, 3, 0, 2, 1, 3));
        assert_eq!(table.next_start(0, RateCodes::FromOne), 390);
        assert_eq!(table.next_start(1_400, RateCodes::FromOne), 1_440);
    }

    #[test]
    fn before_the_first_slot_the_last_one_counts() {
        let table = day(&[[1, 30, 6], [3, 59, 23]]);
        assert_eq!(table.rate_at(0, RateCodes::FromOne), 2);
        assert_eq!(DayTable::EMPTY.rate_at(700, RateCodes::FromOne), RATE_WITHOUT_TABLE);
        assert_eq!(DayTable::EMPTY.rate_at(700, RateCodes::FromZero), 0);
    }

    #[test]
    fn dates_choose_the_table_in_either_order() {
        let tool = DateTable { entries: [[0, 1, 1], [1, 1, 7], [0; 3], [0; 3]] };
        assert_eq!(tool.day_table_on(6, 30, DateTableOrder::TableDayMonth), 0);
        assert_eq!(tool.day_table_on(7, 1, DateTableOrder::TableDayMonth), 1);
        let other = DateTable { entries: [[10, 15, 1], [6, 5, 2], [0; 3], [0; 3]] };
        assert_eq!(other.day_table_on(6, 5, DateTableOrder::MonthDayTable), 1);
        assert_eq!(other.day_table_on(10, 15, DateTableOrder::MonthDayTable), 0);
        assert_eq!(other.day_table_on(1, 1, DateTableOrder::MonthDayTable), 0);
    }

    #[test]
    fn impossible_tables_are_refused() {
        let mut bytes = [0; 42];
        assert!(DayTable::from_bytes(&bytes, RateCodes::FromOne, 4).is_some());
        bytes[0] = 5;
        assert!(DayTable::from_bytes(&bytes, RateCodes::FromOne, 4).is_none());
        assert!(DayTable::from_bytes(&bytes, RateCodes::FromOne, 5).is_some());
        assert!(DayTable::from_bytes(&bytes[..41], RateCodes::FromOne, 4).is_none());
        let dates = [0x0A, 0x0F, 1, 6, 5, 4, 0, 0, 0, 0, 0, 0];
        assert!(DateTable::from_bytes(&dates, DateTableOrder::MonthDayTable).is_some());
        let dates = [1, 32, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert!(DateTable::from_bytes(&dates, DateTableOrder::TableDayMonth).is_none());
    }
}
