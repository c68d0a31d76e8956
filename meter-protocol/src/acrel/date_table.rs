//! The date table: which day table applies from which date, 4 entries.

use super::profile::settled;
use super::{BenchTest, BlockError, BuildError, Confirmed, DateTableOrder, Model, Profile};
use crate::wire::{Registers, Request};

const BLOCK: &str = "date table";
const ENTRIES: usize = 4;
const LEN: usize = 12;
const REGISTERS: u16 = 6;
/// Largest table code that any source writes.
const MAX_TABLE: u8 = 4;

/// From this date on, this day table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "the entry has exactly these three")]
pub struct DateEntry {
    /// Month of the start, 1 to 12.
    pub month: u8,
    /// Day of the start, 1 to 31.
    pub day: u8,
    /// Code of the day table, 0 to 4, as the meter counts: the vendor's tool counts from 0.
    pub table: u8,
}

impl DateEntry {
    const fn bytes(self, order: DateTableOrder) -> [u8; 3] {
        match order {
            DateTableOrder::TableDayMonth => [self.table, self.day, self.month],
            DateTableOrder::MonthDayTable => [self.month, self.day, self.table],
        }
    }

    const fn from_bytes(bytes: [u8; 3], order: DateTableOrder) -> Self {
        let [first, day, last] = bytes;
        match order {
            DateTableOrder::TableDayMonth => Self { month: last, day, table: first },
            DateTableOrder::MonthDayTable => Self { month: first, day, table: last },
        }
    }
}

/// A date table: written by [`DateTable::new`], read by [`DateTable::from_registers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTable([u8; LEN]);

impl DateTable {
    /// A table of 1 to 4 entries; the rest stays unused (zeros).
    ///
    /// # Errors
    /// [`BuildError::Unsettled`] without an order in the profile (bench test 1), [`BuildError::Empty`],
    /// [`BuildError::TooMany`], [`BuildError::Range`].
    pub fn new(profile: &Profile, entries: &[DateEntry]) -> Result<Self, BuildError> {
        let order = settled(profile.date_table_order, "byte order of the date table", BenchTest::DateTableOrder)?;
        if entries.is_empty() {
            return Err(BuildError::Empty { block: BLOCK });
        }
        if entries.len() > ENTRIES {
            return Err(BuildError::TooMany { block: BLOCK, count: entries.len(), max: ENTRIES });
        }
        let mut data = [0; LEN];
        for (bytes, entry) in data.as_chunks_mut::<3>().0.iter_mut().zip(entries) {
            limit("month of a date entry", entry.month, 1, 12)?;
            limit("day of a date entry", entry.day, 1, 31)?;
            limit("table of a date entry", entry.table, 0, MAX_TABLE)?;
            *bytes = entry.bytes(order);
        }
        Ok(Self(data))
    }

    /// 10H at the address of the confirmed model.
    ///
    /// # Errors
    /// [`BuildError::Model`] for a model whose address is not known.
    pub fn request(&self, model: &Confirmed<Model>) -> Result<Request<'_>, BuildError> {
        match model.value() {
            Model::Dtsy1352 => Ok(Request::write_fixed::<0x0028, LEN>(&self.0)),
            Model::Ddsy1352 => Ok(Request::write_fixed::<0x2000, LEN>(&self.0)),
            model => Err(BuildError::Model { block: BLOCK, model }),
        }
    }

    /// The read of the table of the confirmed model.
    ///
    /// # Errors
    /// [`BuildError::Model`] for a model whose address is not known.
    pub fn read(model: &Confirmed<Model>) -> Result<Request<'static>, BuildError> {
        match model.value() {
            Model::Dtsy1352 => Ok(Request::read_fixed::<0x0028, REGISTERS>()),
            Model::Ddsy1352 => Ok(Request::read_fixed::<0x2000, REGISTERS>()),
            model => Err(BuildError::Model { block: BLOCK, model }),
        }
    }

    /// From the registers of such a read.
    ///
    /// # Errors
    /// [`BlockError::Length`].
    pub fn from_registers(registers: &Registers<'_>) -> Result<Self, BlockError> {
        match <[u8; LEN]>::try_from(registers.bytes()) {
            Ok(data) => Ok(Self(data)),
            Err(_) => Err(BlockError::Length { block: BLOCK, expected: LEN, actual: registers.bytes().len() }),
        }
    }

    /// The twelve raw bytes: all there is to see until the order is settled.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; LEN] {
        &self.0
    }

    /// The entries in use, in the order of the profile. Entries as read are not checked.
    pub fn entries(&self, order: DateTableOrder) -> impl Iterator<Item = DateEntry> + '_ {
        let used = self.0.as_chunks::<3>().0.iter().filter(|bytes| **bytes != [0; 3]);
        used.map(move |bytes| DateEntry::from_bytes(*bytes, order))
    }
}

fn limit(field: &'static str, value: u8, min: u8, max: u8) -> Result<(), BuildError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(BuildError::Range { field, value: value.into(), min: min.into(), max: max.into() })
}
