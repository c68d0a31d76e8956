//! Where an account stands: its tier, and what the next kWh costs.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::borrow::Borrow;

use rust_decimal::Decimal;
use serde::Serialize;

use super::RunningBill;
use super::energy::{known_limit, tier_at};
use crate::bill::{Peaks, PeriodInputs, limits_now, price_decimal};
use crate::compile::{CompiledEnergy, CompiledTariff, LadderKind};
use crate::decimal_text;
use crate::exact::Energy;
use crate::tariff::Scope;
use crate::usage::{UsageError, UsagePolicy};

/// The place in the ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Position {
    /// Tier of the next kWh, from 1.
    pub tier: u16,
    /// How many tiers there are.
    pub tiers: u16,
    /// Energy since the last reset: of all rates, or of this one where each has a ladder of its own.
    pub used: Energy,
    /// Energy up to the next tier; none in the last one.
    pub to_next_tier: Option<Energy>,
    /// Limits hang on the period's end and are those of now.
    pub provisional: bool,
}

/// The price of the next kWh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MarginalPrice {
    /// Name of the rate.
    pub rate: String,
    /// Price per kWh, energy charge only.
    #[serde(with = "decimal_text")]
    pub price_per_kwh: Decimal,
    /// Where it stands.
    pub position: Position,
}

impl<T: Borrow<CompiledTariff>> RunningBill<T> {
    /// Name of the rate at the instant up to which usage is known.
    ///
    /// # Errors
    /// [`UsageError::OutsideVersions`], or [`UsageError::Missing`] where a day flag is needed.
    pub fn rate_now(&self) -> Result<&str, UsageError> {
        let mut clock = self.cursor.clock.clone();
        let stretch = clock.stretch(self.tariff.borrow(), &self.state.day_flags, self.state.next_utc_s)?;
        let version = self.version(stretch.version)?;
        let number = version.energy.rates.get(usize::from(stretch.rate)).copied().unwrap_or_default();
        Ok(self.tariff.borrow().rate_name(number))
    }

    /// The price of the next kWh of a rate of the version in force at the last usage.
    ///
    /// # Errors
    /// [`UsageError::UnknownRate`], or [`UsageError::Missing`] where limits per kW need an input.
    pub fn marginal_price(&self, rate: &str, inputs: &PeriodInputs) -> Result<MarginalPrice, UsageError> {
        let (rate_place, energy) = self.present_rate(rate)?;
        let (tier, position) = self.position_of(rate_place, inputs)?;
        let cell = rate_place.saturating_mul(energy.tiers).saturating_add(tier);
        let price = energy.prices.get(cell).copied().unwrap_or_default();
        Ok(MarginalPrice { rate: rate.to_string(), price_per_kwh: price_decimal(price), position })
    }

    /// Energy since the last reset that counts for a rate, 10⁻⁶ kWh.
    pub(crate) fn ladder_used(&self, rate_place: usize) -> Result<i64, UsageError> {
        let energy = &self.version(usize::from(self.state.version))?.energy;
        let number = energy.rates.get(rate_place).copied().unwrap_or_default();
        let own = self.state.ladder.by_rate.get(usize::from(number)).copied().unwrap_or(0);
        let cells = self.state.books.last().map_or(&[][..], |book| &book.cells);
        Ok(match energy.ladder.kind {
            LadderKind::None => 0,
            LadderKind::Streamed(Scope::PerPeriod) => own,
            LadderKind::Streamed(_) => self.state.ladder.total,
            // Where tiers are known at the end, the state holds the position at the beginning of the book.
            LadderKind::Deferred(Scope::PerPeriod) => own.saturating_add(cells.get(rate_place).copied().unwrap_or(0)),
            LadderKind::Deferred(_) => {
                cells.iter().fold(self.state.ladder.total, |sum, cell| sum.saturating_add(*cell))
            }
        })
    }

    /// Place of the tier from 0, and the position.
    pub(crate) fn position_of(
        &self,
        rate_place: usize,
        inputs: &PeriodInputs,
    ) -> Result<(usize, Position), UsageError> {
        let version = self.version(usize::from(self.state.version))?;
        let ladder = &version.energy.ladder;
        let used = self.ladder_used(rate_place)?;
        let provisional = matches!(ladder.kind, LadderKind::Deferred(_));
        let (tier, room) = if provisional {
            let limits = self.limits_ahead(inputs)?;
            let tier = limits.iter().position(|limit| used < *limit).unwrap_or(limits.len());
            (tier, limits.get(tier).map(|limit| limit.saturating_sub(used)))
        } else {
            let (tier, room) = tier_at(ladder, self.state.terms(), used);
            (tier, known_limit(ladder, self.state.terms(), tier).map(|_| room))
        };
        let position = Position {
            tier: super::energy::number(tier.saturating_add(1)),
            tiers: super::energy::number(version.energy.tiers),
            used: Energy::from_micro_kwh(used),
            to_next_tier: room.map(Energy::from_micro_kwh),
            provisional,
        };
        Ok((tier, position))
    }
}

impl<T: Borrow<CompiledTariff>> RunningBill<T> {
    /// The place of a rate in the version in force at the last usage, and that version's energy prices.
    pub(crate) fn present_rate(&self, rate: &str) -> Result<(usize, &CompiledEnergy), UsageError> {
        let place = usize::from(self.state.version);
        let at_utc_s = self.state.next_utc_s;
        let unknown = || UsageError::UnknownRate { rate: rate.to_string(), at_utc_s };
        Ok((self.rate_place(place, rate).ok_or_else(unknown)?, &self.version(place)?.energy))
    }

    /// Upper ends of the tiers as they are now, 10⁻⁶ kWh.
    pub(crate) fn limits_ahead(&self, inputs: &PeriodInputs) -> Result<Vec<i64>, UsageError> {
        let version = self.version(usize::from(self.state.version))?;
        let ladder = &version.energy.ladder;
        if let LadderKind::Deferred(_) = ladder.kind {
            let peaks = Peaks::of(self.tariff.borrow(), &self.state, inputs)?;
            return limits_now(peaks, version, self.state.period_to_utc_s);
        }
        Ok((0..version.energy.tiers).filter_map(|tier| known_limit(ladder, self.state.terms(), tier)).collect())
    }

    /// A copy that borrows the tariff.
    pub(crate) fn copy(&self) -> RunningBill<&CompiledTariff> {
        RunningBill { tariff: self.tariff.borrow(), state: self.state.clone(), cursor: super::Cursor::new() }
    }

    pub(crate) const fn policy_mut(&mut self) -> &mut UsagePolicy {
        &mut self.state.policy
    }
}
