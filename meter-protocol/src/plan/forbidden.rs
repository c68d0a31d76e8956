//! Ranges that a meter answers with exception 02, and how to find one.

use super::Read;
use crate::map::Table;

/// Registers that no read may touch. Keep what was learned with the meter's profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct RegisterRange {
    /// Holding or input registers.
    pub table: Table,
    /// First register.
    pub first: u16,
    /// Last register.
    pub last: u16,
}

/// Finds the forbidden range inside a read of n registers that was answered with exception 02, in at most
/// 2 · log₂ n + 2 further reads, under the assumption that there is one such range.
///
/// ```
/// use meter_protocol::map::Table;
/// use meter_protocol::plan::{ForbiddenSearch, Read, RegisterRange};
///
/// let failed = Read { table: Table::Holding, address: 0x0200, count: 100 };
/// let mut search = ForbiddenSearch::new(failed);
/// while let Some(probe) = search.probe() {
///     let touches = probe.address <= 0x0233 && 0x0231 < probe.address + probe.count;
///     search.answered(!touches);
/// }
/// assert_eq!(search.found(), Some(RegisterRange { table: Table::Holding, first: 0x0231, last: 0x0233 }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForbiddenSearch {
    table: Table,
    /// The first forbidden register lies in here.
    first: Bounds,
    /// The last one lies in here, once the first is known.
    last: Bounds,
}

/// Inclusive bounds of a register that is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bounds {
    low: u16,
    high: u16,
}

impl Bounds {
    const fn is_one(self) -> bool {
        self.low == self.high
    }
}

impl ForbiddenSearch {
    /// Looks inside this read, which was refused as a whole.
    #[must_use]
    pub const fn new(refused: Read) -> Self {
        let low = refused.address;
        let high = low.saturating_add(refused.count.saturating_sub(1));
        Self { table: refused.table, first: Bounds { low, high }, last: Bounds { low, high } }
    }

    /// The next read to try, or `None` when the range is known.
    #[must_use]
    pub const fn probe(&self) -> Option<Read> {
        let (address, last) = if !self.first.is_one() {
            // Does the lower half answer?
            (self.first.low, self.first.low.midpoint(self.first.high))
        } else if !self.last.is_one() {
            // Does what comes after the middle answer?
            (self.last.low.midpoint(self.last.high).saturating_add(1), self.last.high)
        } else {
            return None;
        };
        let count = last.saturating_sub(address).saturating_add(1);
        Some(Read { table: self.table, address, count })
    }

    /// Reports whether the probe was answered with registers.
    pub const fn answered(&mut self, with_registers: bool) {
        if !self.first.is_one() {
            let middle = self.first.low.midpoint(self.first.high);
            if with_registers {
                self.first.low = middle.saturating_add(1);
            } else {
                self.first.high = middle;
            }
            self.last.low = self.first.low;
        } else if !self.last.is_one() {
            let middle = self.last.low.midpoint(self.last.high);
            if with_registers {
                self.last.high = middle;
            } else {
                self.last.low = middle.saturating_add(1);
            }
        }
    }

    /// The range, once there is nothing more to try.
    #[must_use]
    pub const fn found(&self) -> Option<RegisterRange> {
        if self.first.is_one() && self.last.is_one() {
            return Some(RegisterRange { table: self.table, first: self.first.low, last: self.last.low });
        }
        None
    }
}
