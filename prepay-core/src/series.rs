//! The readings since a fixed point, in the order in which they were taken, whatever the order in which they came.
//!
//! A charge is a fold over the ordered series. So a reading that comes late, is estimated, or is corrected afterwards gives
//! a correction: the fold over the new series less what was posted. In the end charges and corrections are what the ordered
//! series costs.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::id::{AccountId, MeterNumber};
use crate::reading::Registers;
use crate::settlement::{
    BadRegister, PriceRequest, Priced, Pricer, PricerRefusal, PricerState, RegisterLimits, usage_between,
};

/// Where a reading comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Read from the meter.
    #[default]
    Measured,
    /// Estimated over a gap. The next reading that is measured takes its place.
    Estimated,
    /// Put right afterwards.
    Corrected,
}

/// One reading of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// The registers.
    pub energy: Registers,
    /// When they were read, UTC seconds.
    pub taken_utc_s: i64,
    /// Where the reading comes from.
    pub source: Source,
    /// How many times the registers' energy was used, from the point before to this one: the ratio of the current and
    /// voltage transformers where the registers do not contain it.
    pub ratio: u32,
}

/// A fixed point and the readings after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StoredSeries")]
pub struct Series {
    base: Point,
    pricer: PricerState,
    points: Vec<Point>,
}

/// As it is stored, before it is checked.
#[derive(Deserialize)]
struct StoredSeries {
    base: Point,
    pricer: PricerState,
    points: Vec<Point>,
}

impl TryFrom<StoredSeries> for Series {
    type Error = StoredSeriesError;

    fn try_from(StoredSeries { base, pricer, points }: StoredSeries) -> Result<Self, StoredSeriesError> {
        if points.len() > Self::MAX {
            return Err(StoredSeriesError::TooLong { points: points.len(), max: Self::MAX });
        }
        let mut before_utc_s = base.taken_utc_s;
        for point in &points {
            if point.taken_utc_s <= before_utc_s {
                return Err(StoredSeriesError::Order { taken_utc_s: point.taken_utc_s, before_utc_s });
            }
            before_utc_s = point.taken_utc_s;
        }
        Ok(Self { base, pricer, points })
    }
}

impl Series {
    /// The most readings after the fixed point. When they are full, the fixed point moves on.
    pub const MAX: usize = 64;

    /// A series that begins at `base`, where pricing stands at `pricer`.
    #[must_use]
    pub const fn new(base: Point, pricer: PricerState) -> Self {
        Self { base, pricer, points: Vec::new() }
    }

    /// The fixed point: nothing before it can change any more.
    #[must_use]
    pub const fn base(&self) -> &Point {
        &self.base
    }

    /// The readings after the fixed point, in the order of their times.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// The last reading.
    #[must_use]
    pub fn last(&self) -> &Point {
        self.points.last().unwrap_or(&self.base)
    }

    /// Whether the series ends with an estimate.
    #[must_use]
    pub fn ends_estimated(&self) -> bool {
        self.last().source == Source::Estimated
    }

    /// Whether the fixed point has to move on before another reading.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.points.len() >= Self::MAX
    }

    /// The last reading that is not an estimate.
    #[must_use]
    pub fn last_measured(&self) -> &Point {
        self.points.iter().rev().find(|point| point.source != Source::Estimated).unwrap_or(&self.base)
    }

    /// Puts a reading into its place by time. One of the same time takes the other's place; estimates between the
    /// measured readings around it are forgotten.
    pub fn put(&mut self, point: Point) {
        if point.source != Source::Estimated {
            let before = |other: &&Point| other.taken_utc_s < point.taken_utc_s && other.source != Source::Estimated;
            let after = |other: &&Point| other.taken_utc_s > point.taken_utc_s && other.source != Source::Estimated;
            let from = self.points.iter().rev().find(before).map_or(i64::MIN, |other| other.taken_utc_s);
            let to = self.points.iter().find(after).map_or(i64::MAX, |other| other.taken_utc_s);
            self.points.retain(|other| {
                other.source != Source::Estimated || other.taken_utc_s <= from || other.taken_utc_s >= to
            });
        }
        self.points.retain(|other| other.taken_utc_s != point.taken_utc_s);
        let place = self.points.partition_point(|other| other.taken_utc_s < point.taken_utc_s);
        self.points.insert(place, point);
    }

    /// The fold over the series: what all of it costs since pricing began.
    ///
    /// # Errors
    /// [`SeriesError`] for registers that no meter in order shows in this order, or without a price.
    pub fn price(
        &self,
        account: AccountId,
        meter: MeterNumber,
        limits: &RegisterLimits,
        pricer: &dyn Pricer,
    ) -> Result<Priced, SeriesError> {
        fold(&self.base, &self.pricer, &self.points, account, meter, limits, pricer)
    }

    /// The series with its fixed point in the middle, for when it is full; further back when a reading from before the
    /// middle (`keep_from_utc_s`) is to find its place after it.
    ///
    /// # Errors
    /// As [`Series::price`].
    pub fn moved_on(
        &self,
        keep_from_utc_s: i64,
        account: AccountId,
        meter: MeterNumber,
        limits: &RegisterLimits,
        pricer: &dyn Pricer,
    ) -> Result<Self, SeriesError> {
        let before = self.points.partition_point(|point| point.taken_utc_s < keep_from_utc_s);
        let half = self.points.len().div_ceil(2).min(before);
        let (old, kept) = self.points.split_at_checked(half).unwrap_or((&self.points, &[]));
        let Some(base) = old.last() else { return Ok(self.clone()) };
        let priced = fold(&self.base, &self.pricer, old, account, meter, limits, pricer)?;
        Ok(Self { base: *base, pricer: priced.state, points: kept.to_vec() })
    }
}

fn fold(
    base: &Point,
    state: &PricerState,
    points: &[Point],
    account: AccountId,
    meter: MeterNumber,
    limits: &RegisterLimits,
    pricer: &dyn Pricer,
) -> Result<Priced, SeriesError> {
    let mut from = base;
    let mut priced: Option<Priced> = None;
    for point in points {
        let (before, after) = ((&from.energy, from.taken_utc_s), (&point.energy, point.taken_utc_s));
        let usage = usage_between(before, after, limits)?.times(point.ratio);
        if usage.is_zero() {
            // Nothing was used up to here: the next interval begins where the last one ended, as when it is read in order.
            continue;
        }
        let state = priced.as_ref().map_or(state, |priced| &priced.state);
        priced = Some(pricer.price(&PriceRequest { account, meter, state, usage })?);
        from = point;
    }
    match priced {
        Some(priced) => Ok(priced),
        // Nothing was used at all: what was charged up to the fixed point stands.
        None => {
            let (from_utc_s, to_utc_s) = (base.taken_utc_s, base.taken_utc_s);
            let usage = usage_between((&base.energy, from_utc_s), (&base.energy, to_utc_s), limits)?;
            Ok(pricer.price(&PriceRequest { account, meter, state, usage })?)
        }
    }
}

/// A series that can't be priced.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SeriesError {
    /// Registers out of order.
    #[error(transparent)]
    Register(#[from] BadRegister),
    /// No price.
    #[error(transparent)]
    Pricer(#[from] PricerRefusal),
}

/// A stored series that this crate did not store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StoredSeriesError {
    /// More readings than are kept.
    #[error("a series of {points} readings, at most {max}")]
    TooLong {
        /// What was given.
        points: usize,
        /// The most.
        max: usize,
    },
    /// Not in the order of its times.
    #[error("a reading of {taken_utc_s} after one of {before_utc_s} (UTC seconds)")]
    Order {
        /// The later one's time.
        taken_utc_s: i64,
        /// The earlier one's time.
        before_utc_s: i64,
    },
}
