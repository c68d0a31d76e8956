//! One order to many meters, with a result for each.

use alloc::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::id::MeterNumber;

/// How far the order to one meter has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemResult {
    /// Not ordered yet.
    Waiting,
    /// Ordered under a version, not seen yet.
    Ordered {
        /// The version of the relay order.
        version: u32,
    },
    /// A read-back has shown it.
    Confirmed,
    /// A newer order has taken its place before it was seen.
    Superseded,
    /// The rules refuse it (never cut, no open account, …).
    Refused,
    /// The meter was not reached in the batch's time.
    NotReached,
}

impl ItemResult {
    /// Nothing changes it any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Waiting | Self::Ordered { .. })
    }
}

/// How many meters of a batch have come how far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BatchTotals {
    /// Waiting or ordered.
    pub open: u32,
    /// Confirmed.
    pub confirmed: u32,
    /// Superseded.
    pub superseded: u32,
    /// Refused.
    pub refused: u32,
    /// Not reached.
    pub not_reached: u32,
}

/// One order to many meters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    items: BTreeMap<MeterNumber, ItemResult>,
}

/// A report that does not fit the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BatchError {
    /// More meters than one batch takes.
    #[error("{meters} meters in one batch, at most {max}")]
    TooLarge {
        /// What was given.
        meters: usize,
        /// The most.
        max: usize,
    },
    /// The meter is not in the batch.
    #[error("meter {meter} is not in the batch")]
    UnknownMeter {
        /// The meter.
        meter: MeterNumber,
    },
    /// The meter has its result already.
    #[error("meter {meter} is {result:?} already")]
    Final {
        /// The meter.
        meter: MeterNumber,
        /// Its result.
        result: ItemResult,
    },
}

impl Batch {
    /// The most meters of one batch.
    pub const MAX_METERS: usize = 10_000;

    /// An order to these meters; a meter that is named twice counts once.
    ///
    /// # Errors
    /// [`BatchError::TooLarge`].
    pub fn new(meters: impl IntoIterator<Item = MeterNumber>) -> Result<Self, BatchError> {
        let items: BTreeMap<_, _> = meters.into_iter().map(|meter| (meter, ItemResult::Waiting)).collect();
        if items.len() > Self::MAX_METERS {
            return Err(BatchError::TooLarge { meters: items.len(), max: Self::MAX_METERS });
        }
        Ok(Self { items })
    }

    /// The meter was ordered: `version` is that of its relay order.
    ///
    /// # Errors
    /// [`BatchError`]; the batch is then as it was.
    pub fn ordered(&mut self, meter: MeterNumber, version: u32) -> Result<(), BatchError> {
        self.set(meter, ItemResult::Ordered { version })
    }

    /// The rules have refused the order to this meter.
    ///
    /// # Errors
    /// As [`Batch::ordered`].
    pub fn refused(&mut self, meter: MeterNumber) -> Result<(), BatchError> {
        self.set(meter, ItemResult::Refused)
    }

    /// The relay order of a meter as it stands now: confirmed under the batch's version, or superseded by a newer one.
    ///
    /// # Errors
    /// As [`Batch::ordered`].
    pub fn reported(&mut self, meter: MeterNumber, version: u32, confirmed: bool) -> Result<(), BatchError> {
        match self.result(meter).ok_or(BatchError::UnknownMeter { meter })? {
            ItemResult::Ordered { version: ours } if version > ours => self.set(meter, ItemResult::Superseded),
            ItemResult::Ordered { version: ours } if version == ours && confirmed => {
                self.set(meter, ItemResult::Confirmed)
            }
            ItemResult::Ordered { .. } | ItemResult::Waiting => Ok(()),
            result => Err(BatchError::Final { meter, result }),
        }
    }

    /// The batch's time is over: what is open was not reached.
    pub fn close(&mut self) {
        for result in self.items.values_mut().filter(|result| !result.is_final()) {
            *result = ItemResult::NotReached;
        }
    }

    /// The result of a meter.
    #[must_use]
    pub fn result(&self, meter: MeterNumber) -> Option<ItemResult> {
        self.items.get(&meter).copied()
    }

    /// Every meter with its result, in order of their numbers.
    pub fn results(&self) -> impl Iterator<Item = (MeterNumber, ItemResult)> + '_ {
        self.items.iter().map(|(meter, result)| (*meter, *result))
    }

    /// How many have come how far.
    #[must_use]
    pub fn totals(&self) -> BatchTotals {
        self.items.values().fold(BatchTotals::default(), |mut totals, result| {
            let count = match result {
                ItemResult::Waiting | ItemResult::Ordered { .. } => &mut totals.open,
                ItemResult::Confirmed => &mut totals.confirmed,
                ItemResult::Superseded => &mut totals.superseded,
                ItemResult::Refused => &mut totals.refused,
                ItemResult::NotReached => &mut totals.not_reached,
            };
            *count = count.saturating_add(1);
            totals
        })
    }

    fn set(&mut self, meter: MeterNumber, to: ItemResult) -> Result<(), BatchError> {
        let item = self.items.get_mut(&meter).ok_or(BatchError::UnknownMeter { meter })?;
        if item.is_final() {
            return Err(BatchError::Final { meter, result: *item });
        }
        *item = to;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(number: u64) -> MeterNumber {
        MeterNumber::new(number).unwrap()
    }

    #[test]
    fn each_meter_has_one_final_result() {
        let mut batch = Batch::new((1..=5).map(meter)).unwrap();
        for number in 1..=4 {
            batch.ordered(meter(number), 7).unwrap();
        }
        batch.refused(meter(5)).unwrap();
        batch.reported(meter(1), 7, false).unwrap();
        batch.reported(meter(1), 7, true).unwrap();
        // An older order's confirmation says nothing; a newer order has taken our order's place.
        batch.reported(meter(2), 6, true).unwrap();
        batch.reported(meter(2), 8, true).unwrap();
        batch.reported(meter(3), 6, true).unwrap();
        let totals = BatchTotals { open: 2, confirmed: 1, superseded: 1, refused: 1, not_reached: 0 };
        assert_eq!(batch.totals(), totals);
        batch.close();
        assert_eq!(batch.totals(), BatchTotals { open: 0, not_reached: 2, ..totals });
        for (number, result) in batch.clone().results() {
            assert!(result.is_final());
            assert_eq!(batch.ordered(number, 9), Err(BatchError::Final { meter: number, result }));
            assert_eq!(batch.reported(number, 9, true), Err(BatchError::Final { meter: number, result }));
        }
        assert_eq!(batch.refused(meter(6)), Err(BatchError::UnknownMeter { meter: meter(6) }));
    }

    #[test]
    fn a_batch_has_a_limit() {
        let many = (0..=10_000).map(meter);
        assert_eq!(Batch::new(many).unwrap_err(), BatchError::TooLarge { meters: 10_001, max: 10_000 });
    }
}
