//! What of a tariff a meter with rate registers and day tables can carry by itself.
//!
//! A prepaid meter deducts by prices of its own: one per rate, at a fixed resolution, switched by day tables. This module tells
//! what such a meter would hold for a version of a tariff, how far each price is off, and why something can't be carried.
//! It knows no meter in particular.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use rust_decimal::Decimal;
use serde::Serialize;

use crate::calendar::date::{DAY_MINUTES, day_of_year};
use crate::calendar::day::{DayClass, DayFacts, DayKind, Days};
use crate::compile::values::PRICE_PLACES;
use crate::compile::{CompiledTariff, CompiledVersion, LadderKind};
use crate::decimal_text;
use crate::exact::{Amount, Rounding, RoundingMode};

/// What a meter can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterShape<'a> {
    /// Names of the meter's rates, in the order of its registers; the first has index 1.
    pub rates: &'a [&'a str],
    /// Decimal places of a price per kWh: 4 means 0.0001.
    pub price_places: u8,
    /// Largest raw price.
    pub largest_price_raw: u32,
    /// Switching times in a day table.
    pub slots: usize,
    /// Day tables.
    pub day_tables: usize,
    /// Entries of the date table: from each date on a day table holds, on all days of the week.
    pub date_entries: usize,
}

impl MeterShape<'static> {
    /// Four rates (spike, peak, flat, valley), prices of 0.0001, two day tables of 14 slots, a date table of four entries.
    pub const FOUR_RATES: Self = Self {
        rates: &["spike", "peak", "flat", "valley"],
        price_places: 4,
        largest_price_raw: u32::MAX,
        slots: 14,
        day_tables: 2,
        date_entries: 4,
    };
}

/// What the meter holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OnMeter {
    /// One price for each of the meter's rates; none for a rate that the tariff doesn't have.
    pub prices: Vec<Option<MeterPrice>>,
    /// Day tables, each beginning at 00:00.
    pub day_tables: Vec<Vec<MeterSlot>>,
    /// From each date on, a day table holds.
    pub date_table: Vec<MeterDate>,
    /// Charges of this version that the meter does not deduct; they are settled elsewhere.
    pub not_carried: Vec<NotCarried>,
}

/// A price as the meter holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MeterPrice {
    /// In steps of the resolution, the exact price rounded half away from zero.
    pub raw: u32,
    /// The tariff's exact price per kWh.
    #[serde(with = "decimal_text")]
    pub exact_per_kwh: Decimal,
    /// What the meter deducts too much (or too little, if negative) per kWh because of its resolution.
    #[serde(with = "decimal_text")]
    pub error_per_kwh: Decimal,
}

/// A switching time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct MeterSlot {
    /// Index of the rate from 1.
    pub rate: u8,
    /// From this hour,
    pub hour: u8,
    /// and minute on.
    pub minute: u8,
}

/// A date from which a day table holds, every year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MeterDate {
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month.
    pub day: u8,
    /// Place of the day table, from 0.
    pub day_table: u8,
}

/// A charge that a meter does not deduct.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NotCarried {
    /// Charges on the highest mean power.
    Demand,
    /// Contracted capacity.
    Contract,
    /// Fixed charges.
    Fixed,
    /// The adjustment by power factor.
    PowerFactor,
    /// Top-ups to a minimum.
    Minimum,
    /// Taxes and funds that are added; those that prices include are carried.
    Taxes,
}

/// Why a version can't be carried by the meter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectionError {
    /// No version is in force.
    #[error("no version of the tariff is in force at {at_utc_s}")]
    OutsideVersions {
        /// The instant.
        at_utc_s: i64,
    },
    /// Tiers: the meter knows one price per rate.
    #[error("a ladder of {tiers} tiers can't be carried by the meter")]
    Ladder {
        /// Tiers.
        tiers: usize,
    },
    /// A rate that the meter has no register for.
    #[error("the meter has no rate {rate:?}")]
    NoSuchRate {
        /// Name of the rate.
        rate: String,
    },
    /// A price below zero.
    #[error("the price of {rate:?} is negative: {price}")]
    NegativePrice {
        /// Name of the rate.
        rate: String,
        /// The price.
        price: Decimal,
    },
    /// A price above what the meter holds.
    #[error("the price of {rate:?} is {price}, in the meter's steps above {largest_raw}")]
    PriceTooLarge {
        /// Name of the rate.
        rate: String,
        /// The price.
        price: Decimal,
        /// The largest raw price.
        largest_raw: u32,
    },
    /// The resolution has too many places.
    #[error("prices of {places} decimal places are finer than {} places", crate::MAX_PLACES)]
    TooFine {
        /// Places.
        places: u8,
    },
    /// Different rates on different days of the week.
    #[error("rates differ between days of the week, which the meter's date table doesn't know")]
    Weekdays,
    /// Different rates on holidays or make-up days.
    #[error("rates differ on holidays or make-up working days, which the meter doesn't know")]
    SpecialDays,
    /// Rates that hang on day flags.
    #[error("rates hang on day flags, which the meter doesn't know")]
    DayFlags,
    /// Local time with daylight saving time.
    #[error("the tariff's zone changes its clocks, the meter doesn't")]
    DaylightSaving,
    /// More switching times than a day table holds.
    #[error("a day has {needed} switching times, a day table holds {limit}")]
    TooManySlots {
        /// Needed.
        needed: usize,
        /// Available.
        limit: usize,
    },
    /// More different days than there are day tables.
    #[error("the year has {needed} different days, the meter holds {limit} day tables")]
    TooManyDayTables {
        /// Needed.
        needed: usize,
        /// Available.
        limit: usize,
    },
    /// More changes in the year than the date table holds.
    #[error("the year has {needed} changes of day table, the date table holds {limit}")]
    TooManyDates {
        /// Needed.
        needed: usize,
        /// Available.
        limit: usize,
    },
}

impl CompiledTariff {
    /// What the meter holds for the version in force at an instant.
    ///
    /// A tariff of one rate is carried by all of the meter's rates, whatever its name.
    ///
    /// # Errors
    /// [`ProjectionError`]: the first thing that the meter can't carry.
    pub fn on_meter(&self, at_utc_s: i64, shape: &MeterShape<'_>) -> Result<OnMeter, ProjectionError> {
        let version = self.version_at(at_utc_s).ok_or(ProjectionError::OutsideVersions { at_utc_s })?;
        if version.energy.ladder.kind != LadderKind::None {
            return Err(ProjectionError::Ladder { tiers: version.energy.tiers });
        }
        if !matches!(self.zone, crate::calendar::zone::Zone::Fixed(_)) {
            return Err(ProjectionError::DaylightSaving);
        }
        let places = self.meter_places(version, shape)?;
        let prices = self.meter_prices(version, shape, &places)?;
        let (day_tables, date_table) = year(&self.days, version, shape, &places)?;
        Ok(OnMeter { prices, day_tables, date_table, not_carried: not_carried(version) })
    }

    /// The meter's rates, from 0, that carry each rate of the version.
    fn meter_places(
        &self,
        version: &CompiledVersion,
        shape: &MeterShape<'_>,
    ) -> Result<Vec<Vec<usize>>, ProjectionError> {
        if version.energy.rates.len() == 1 {
            return Ok([(0..shape.rates.len()).collect()].to_vec());
        }
        let place = |number: &u16| {
            let name = self.rate_name(*number);
            let found = shape.rates.iter().position(|rate| *rate == name);
            found.map(|place| [place].to_vec()).ok_or_else(|| ProjectionError::NoSuchRate { rate: name.to_string() })
        };
        version.energy.rates.iter().map(place).collect()
    }

    fn meter_prices(
        &self,
        version: &CompiledVersion,
        shape: &MeterShape<'_>,
        places: &[Vec<usize>],
    ) -> Result<Vec<Option<MeterPrice>>, ProjectionError> {
        let too_fine = ProjectionError::TooFine { places: shape.price_places };
        let rounding = Rounding::new(shape.price_places, RoundingMode::HalfAwayFromZero).ok_or(too_fine)?;
        let mut prices: Vec<Option<MeterPrice>> = shape.rates.iter().map(|_| None).collect();
        for ((number, price), meter_rates) in version.energy.rates.iter().zip(&version.energy.prices).zip(places) {
            let rate = self.rate_name(*number).to_string();
            let exact_per_kwh = crate::bill::price_decimal(*price);
            if *price < 0 {
                return Err(ProjectionError::NegativePrice { rate, price: exact_per_kwh });
            }
            // Units of an amount are 10⁻²⁴, of a price 10⁻¹⁸.
            let amount = Amount::from_units(price.saturating_mul(1_000_000));
            let raw = amount.minor_units(rounding);
            let raw = u32::try_from(raw).ok().filter(|raw| *raw <= shape.largest_price_raw).ok_or(
                ProjectionError::PriceTooLarge { rate, price: exact_per_kwh, largest_raw: shape.largest_price_raw },
            )?;
            let held = i128::from(raw).saturating_mul(step(shape.price_places));
            let error_per_kwh = crate::bill::price_decimal(held.saturating_sub(*price));
            for place in meter_rates {
                if let Some(slot) = prices.get_mut(*place) {
                    *slot = Some(MeterPrice { raw, exact_per_kwh, error_per_kwh });
                }
            }
        }
        Ok(prices)
    }
}

/// One step of a price resolution, in 10⁻¹⁸.
fn step(places: u8) -> i128 {
    10_i128.pow(PRICE_PLACES.saturating_sub(u32::from(places)))
}

/// Day tables and date table of a year.
fn year(
    days: &Days,
    version: &CompiledVersion,
    shape: &MeterShape<'_>,
    places: &[Vec<usize>],
) -> Result<(Vec<Vec<MeterSlot>>, Vec<MeterDate>), ProjectionError> {
    if version.schedule.uses_flags {
        return Err(ProjectionError::DayFlags);
    }
    let slots = |facts: DayFacts| slots_of(days, version, places, facts);
    let mut tables: Vec<Vec<MeterSlot>> = Vec::new();
    let mut by_day: Vec<(u8, u8, u8)> = Vec::new();
    for (month, length) in (1_u8..=12).zip([31_u8, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
        for day in 1..=length {
            let day_of_year = day_of_year(u32::from(month), u32::from(day));
            let on = |weekday| DayFacts { day_of_year, class: DayClass { weekday, kind: DayKind::Ordinary, flags: 0 } };
            let table = slots(on(0));
            if (1..7).any(|weekday| slots(on(weekday)) != table) {
                return Err(ProjectionError::Weekdays);
            }
            let place = tables.iter().position(|known| *known == table).unwrap_or_else(|| {
                tables.push(table);
                tables.len().saturating_sub(1)
            });
            by_day.push((month, day, u8::try_from(place).unwrap_or(u8::MAX)));
        }
    }
    for (day, _) in &days.special {
        let Some(facts) = days.facts(*day, 0) else { continue };
        let ordinary = DayFacts { class: DayClass { weekday: 0, kind: DayKind::Ordinary, flags: 0 }, ..facts };
        if slots(facts) != slots(ordinary) {
            return Err(ProjectionError::SpecialDays);
        }
    }
    let needed = tables.iter().map(Vec::len).max().unwrap_or(0);
    if needed > shape.slots {
        return Err(ProjectionError::TooManySlots { needed, limit: shape.slots });
    }
    if tables.len() > shape.day_tables {
        return Err(ProjectionError::TooManyDayTables { needed: tables.len(), limit: shape.day_tables });
    }
    let last = by_day.last().map(|(.., table)| *table);
    let before = core::iter::once(last).chain(by_day.iter().map(|(.., table)| Some(*table)));
    let changes = by_day.iter().zip(before).filter(|((.., table), before)| Some(*table) != *before);
    let mut dates: Vec<MeterDate> = changes
        .map(|((month, day, day_table), _)| MeterDate { month: *month, day: *day, day_table: *day_table })
        .collect();
    if dates.is_empty() {
        dates.push(MeterDate { month: 1, day: 1, day_table: 0 });
    }
    if dates.len() > shape.date_entries {
        return Err(ProjectionError::TooManyDates { needed: dates.len(), limit: shape.date_entries });
    }
    Ok((tables, dates))
}

/// Switching times of one day.
fn slots_of(days: &Days, version: &CompiledVersion, places: &[Vec<usize>], facts: DayFacts) -> Vec<MeterSlot> {
    let mut slots: Vec<MeterSlot> = Vec::new();
    let mut from = 0_u16;
    for slot in version.schedule.table(version.schedule.table_of(days, facts)) {
        let place = places.get(usize::from(slot.rate)).and_then(|places| places.first()).copied().unwrap_or(0);
        let rate = u8::try_from(place.saturating_add(1)).unwrap_or(u8::MAX);
        // Slots that differ only in what demand charges measure are one to the meter.
        if slots.last().is_none_or(|last| last.rate != rate) {
            let hour = u8::try_from(from.div_euclid(60)).unwrap_or(0);
            let minute = u8::try_from(from.rem_euclid(60)).unwrap_or(0);
            slots.push(MeterSlot { rate, hour, minute });
        }
        from = slot.end_minute.min(DAY_MINUTES);
    }
    slots
}

fn not_carried(version: &CompiledVersion) -> Vec<NotCarried> {
    let charges = [
        (NotCarried::Demand, version.demand.iter().flat_map(|charge| &charge.rates).any(|rate| !rate.tiers.is_empty())),
        (NotCarried::Contract, !version.contract.is_empty()),
        (NotCarried::Fixed, !version.fixed.is_empty()),
        (NotCarried::PowerFactor, version.power_factor.is_some()),
        (NotCarried::Minimum, version.minimum.is_some()),
        (
            NotCarried::Taxes,
            version.taxes.iter().any(|tax| !matches!(tax.kind, crate::compile::TaxKind::Included { .. })),
        ),
    ];
    charges.into_iter().filter(|(_, there)| *there).map(|(charge, _)| charge).collect()
}
