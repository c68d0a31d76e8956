//! Checks energy prices.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::Shared;
use super::compiled::{CompiledEnergy, CompiledLadder};
use super::error::{CompileError, Path};
use super::periods::numbered;
use super::values::{self, SHARE_ONE, SHARE_PLACES, at_most, price, scaled, unique};
use crate::calendar::schedule::Layer;
use crate::exact::Number;
use crate::limits::{MAX_COMPONENTS, MAX_PRICE, MAX_RATE_NAMES, MAX_RATES, MAX_TIERS};
use crate::tariff::{Component, EnergyCharge, Rate};

/// The largest ratio of a rate.
const MAX_RATIO: i64 = 1_000;

impl Shared<'_> {
    /// The prices and the layer of their periods. The ladder is checked later, when the demand charges are known.
    pub(super) fn energy(
        &mut self,
        path: &Path<'_>,
        energy: &EnergyCharge,
    ) -> Result<(CompiledEnergy, Layer), CompileError> {
        let (rates_path, components_path) = (path.key("rates"), path.key("components"));
        at_most(&components_path, &energy.components, MAX_COMPONENTS)?;
        unique(&components_path, energy.components.iter().map(|component| component.name.as_str()))?;
        at_most(&rates_path, &energy.rates, MAX_RATES)?;
        unique(&rates_path, energy.rates.iter().map(|rate| rate.name.as_str()))?;
        if energy.rates.is_empty() {
            return Err(rates_path.error("nothing", "at least one rate"));
        }
        let tiers = energy.ladder.as_ref().map_or(1, |ladder| ladder.limits.len().saturating_add(1));
        if tiers > MAX_TIERS {
            let rule = format!("at most {} limits", MAX_TIERS.saturating_sub(1));
            return Err(path.key("ladder").key("limits").error(format!("{} limits", tiers.saturating_sub(1)), rule));
        }
        let mut table = PriceTable::new(energy, tiers);
        for (index, component) in energy.components.iter().enumerate() {
            table.add_component(&components_path.index(index), component, energy, path)?;
        }
        for (index, rate) in energy.rates.iter().enumerate() {
            table.add_rate(&rates_path.index(index), index, rate)?;
        }
        let numbers: Vec<u16> = energy.rates.iter().map(|rate| numbered(&mut self.rate_names, &rate.name)).collect();
        if self.rate_names.len() > MAX_RATE_NAMES {
            let value = format!("{} names of rates", self.rate_names.len());
            return Err(rates_path.error(value, format!("at most {MAX_RATE_NAMES} names in all versions")));
        }
        let values: Vec<(&str, u16)> =
            energy.rates.iter().enumerate().map(|(place, rate)| (rate.name.as_str(), values::small(place))).collect();
        let layer = self.layer(&path.key("periods"), &energy.periods, &values, true, 1)?;
        let compiled = CompiledEnergy {
            rates: numbers,
            tiers,
            prices: table.prices,
            components: table.components,
            ladder: CompiledLadder::none(),
        };
        Ok((compiled, layer))
    }
}

/// Prices of all cells as they are added up.
struct PriceTable {
    tiers: usize,
    prices: Vec<i128>,
    components: Vec<(String, Vec<i128>)>,
}

impl PriceTable {
    fn new(energy: &EnergyCharge, tiers: usize) -> Self {
        let cells = energy.rates.len().saturating_mul(tiers);
        Self { tiers, prices: vec![0; cells], components: Vec::new() }
    }

    fn add_component(
        &mut self,
        path: &Path<'_>,
        component: &Component,
        energy: &EnergyCharge,
        energy_path: &Path<'_>,
    ) -> Result<(), CompileError> {
        let by_tier = self.by_tier(path, component.price.as_ref(), &component.tiers, true)?;
        let mut cells = Vec::with_capacity(self.prices.len());
        for (index, rate) in energy.rates.iter().enumerate() {
            let rate_path = energy_path.key("rates");
            let ratio = match (&rate.ratio, component.scaled) {
                (Some(ratio), true) => scaled(&rate_path.index(index).key("ratio"), ratio, SHARE_PLACES, 0, MAX_RATIO)?,
                _ => SHARE_ONE,
            };
            for price in &by_tier {
                let product = price.saturating_mul(ratio);
                if product.checked_rem(SHARE_ONE) != Some(0) {
                    let rule = format!("times {:?} it has at most {} places", component.name, values::PRICE_PLACES);
                    return Err(rate_path.index(index).key("ratio").error(values::shown(rate.ratio.as_ref()), rule));
                }
                cells.push(product.div_euclid(SHARE_ONE));
            }
        }
        for (price, part) in self.prices.iter_mut().zip(&cells) {
            *price = price.saturating_add(*part);
        }
        self.components.push((component.name.clone(), cells));
        Ok(())
    }

    fn add_rate(&mut self, path: &Path<'_>, index: usize, rate: &Rate) -> Result<(), CompileError> {
        let needed = self.components.is_empty();
        let by_tier = self.by_tier(path, rate.price.as_ref(), &rate.tiers, needed)?;
        if let (Some(ratio), true) = (&rate.ratio, self.components.is_empty()) {
            return Err(path.key("ratio").error(ratio, "a ratio needs components that it scales"));
        }
        let first = index.saturating_mul(self.tiers);
        let limit = i128::from(MAX_PRICE).saturating_mul(10_i128.pow(values::PRICE_PLACES));
        for (price, own) in self.prices.iter_mut().skip(first).zip(by_tier) {
            *price = price.saturating_add(own);
            if price.saturating_abs() > limit {
                return Err(path.error(format!("{:?}", rate.name), format!("a price of at most {MAX_PRICE}")));
            }
        }
        Ok(())
    }

    /// One price for each tier.
    fn by_tier(
        &self,
        path: &Path<'_>,
        single: Option<&Number>,
        tiers: &[Number],
        needed: bool,
    ) -> Result<Vec<i128>, CompileError> {
        match (single, tiers) {
            (Some(number), []) => Ok(vec![price(&path.key("price"), number)?; self.tiers]),
            (None, []) if !needed => Ok(vec![0; self.tiers]),
            (None, []) => Err(path.key("price").error("nothing", "a price, or one for each tier")),
            (Some(number), _) => Err(path.key("price").error(number, "either a price or tiers, not both")),
            (None, tiers) if tiers.len() != self.tiers => {
                let rule = format!("one price for each of the {} tiers of the ladder", self.tiers);
                Err(path.key("tiers").error(format!("{} prices", tiers.len()), rule))
            }
            (None, tiers) => {
                let path = path.key("tiers");
                tiers.iter().enumerate().map(|(index, number)| price(&path.index(index), number)).collect()
            }
        }
    }
}
