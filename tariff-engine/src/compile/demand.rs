//! Checks demand charges.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::Shared;
use super::compiled::{CompiledDemand, CompiledDemandRate, CompiledRatchet, Register};
use super::error::{CompileError, Path};
use super::periods::numbered;
use super::values::{QUANTITY_PLACES, SHARE_ONE, SHARE_PLACES, at_most, one_of, price, scaled, small, unique};
use crate::calendar::schedule::Layer;
use crate::exact::Number;
use crate::limits::{
    MAX_CHARGES, MAX_DEMAND_CHARGES, MAX_DEMAND_KW, MAX_DEMAND_REGISTERS, MAX_LOOKBACK, MAX_RATES, MAX_TIERS,
};
use crate::tariff::{DemandCharge, DemandRate, Ratchet, Version};

/// Names of rates and the numbers that they stand for.
type RateNumbers<'a> = Vec<(&'a str, u16)>;

impl Shared<'_> {
    /// The demand window, seconds.
    pub(super) fn demand_window(&self, path: &Path<'_>, version: &Version) -> Result<Option<i64>, CompileError> {
        match (version.demand_window_minutes, version.demand.is_empty()) {
            (None, true) => Ok(None),
            (None, false) => Err(path.error("nothing", "demand charges need a demand window, such as 15")),
            (Some(minutes), _) if 60_u32.checked_rem(minutes) != Some(0) => {
                Err(path.error(minutes, "a divisor of 60 minutes"))
            }
            // Nothing is measured, so nothing depends on the window.
            (Some(_), true) => Ok(None),
            (Some(minutes), false) => Ok(Some(i64::from(minutes).saturating_mul(60))),
        }
    }

    pub(super) fn demand(
        &mut self,
        path: &Path<'_>,
        version: &Version,
        window_s: Option<i64>,
    ) -> Result<(Vec<CompiledDemand>, Vec<Layer>), CompileError> {
        at_most(path, &version.demand, MAX_CHARGES)?;
        unique(path, version.demand.iter().map(|charge| charge.name.as_str()))?;
        let step = window_s.and_then(|window| u16::try_from(window.div_euclid(60)).ok()).unwrap_or(1);
        let mut charges = Vec::with_capacity(version.demand.len());
        let mut layers = Vec::with_capacity(version.demand.len());
        for (index, charge) in version.demand.iter().enumerate() {
            let path = path.index(index);
            let name = numbered(&mut self.demand_names, &charge.name);
            if self.demand_names.len() > MAX_DEMAND_CHARGES {
                let rule = format!("at most {MAX_DEMAND_CHARGES} names of demand charges in all versions");
                return Err(path.key("name").error(format!("{:?}", charge.name), rule));
            }
            let (compiled, values) = self.demand_charge(&path, charge, name)?;
            layers.push(self.layer(&path.key("periods"), &charge.periods, &values, false, step)?);
            charges.push(compiled);
        }
        Ok((charges, layers))
    }

    fn demand_charge<'a>(
        &mut self,
        path: &Path<'_>,
        charge: &'a DemandCharge,
        name: u16,
    ) -> Result<(CompiledDemand, RateNumbers<'a>), CompileError> {
        let rates_path = path.key("rates");
        at_most(&rates_path, &charge.rates, MAX_RATES)?;
        unique(&rates_path, charge.rates.iter().map(|rate| rate.name.as_str()))?;
        if charge.rates.is_empty() {
            return Err(rates_path.error("nothing", "at least one rate"));
        }
        let mut rates = Vec::with_capacity(charge.rates.len());
        let mut values = Vec::with_capacity(charge.rates.len());
        for (index, rate) in charge.rates.iter().enumerate() {
            let path = rates_path.index(index);
            let register = self.register(&path, name, rate)?;
            rates.push(CompiledDemandRate { register, tiers: demand_tiers(&path, rate)? });
            values.push((rate.name.as_str(), register));
        }
        let minimum = charge.minimum_kw.as_ref().map_or(Ok(0), |number| kw(&path.key("minimum_kw"), number))?;
        let ratchet = charge.ratchet.as_ref().map(|entry| ratchet(&path.key("ratchet"), entry, &values)).transpose()?;
        let months = months(&path.key("months"), &charge.months)?;
        Ok((CompiledDemand { name, rates, months, minimum, ratchet }, values))
    }

    fn register(&mut self, path: &Path<'_>, charge: u16, rate: &DemandRate) -> Result<u16, CompileError> {
        let wanted = |register: &Register| register.charge == charge && register.rate == rate.name;
        let place = self.registers.iter().position(wanted).unwrap_or_else(|| {
            self.registers.push(Register { charge, rate: rate.name.clone() });
            self.registers.len().saturating_sub(1)
        });
        if place >= MAX_DEMAND_REGISTERS {
            let rule = format!("at most {MAX_DEMAND_REGISTERS} demand rates in all versions");
            return Err(path.key("name").error(format!("{:?}", rate.name), rule));
        }
        Ok(small(place))
    }
}

/// kW in 10⁻⁶.
fn kw(path: &Path<'_>, number: &Number) -> Result<i64, CompileError> {
    let value = scaled(path, number, QUANTITY_PLACES, 0, MAX_DEMAND_KW)?;
    i64::try_from(value).map_err(|_| path.error(number, "too large"))
}

fn demand_tiers(path: &Path<'_>, rate: &DemandRate) -> Result<Vec<(Option<i64>, i128)>, CompileError> {
    if let Some(number) = &rate.price {
        if !rate.tiers.is_empty() {
            return Err(path.key("price").error(number, "either a price or tiers, not both"));
        }
        return Ok(vec![(None, price(&path.key("price"), number)?)]);
    }
    let path = path.key("tiers");
    at_most(&path, &rate.tiers, MAX_TIERS)?;
    let mut tiers: Vec<(Option<i64>, i128)> = Vec::with_capacity(rate.tiers.len());
    for (index, tier) in rate.tiers.iter().enumerate() {
        let path = path.index(index);
        let last = index.saturating_add(1) == rate.tiers.len();
        let to = match (&tier.to_kw, last) {
            (None, true) => None,
            (Some(number), false) => Some(kw(&path.key("to_kw"), number)?),
            (Some(number), true) => return Err(path.key("to_kw").error(number, "none: the last tier is open")),
            (None, false) => return Err(path.key("to_kw").error("nothing", "an upper end, except in the last tier")),
        };
        if let (Some(to), Some((Some(before), _))) = (to, tiers.last())
            && to <= *before
        {
            return Err(path.key("to_kw").error(super::values::shown(tier.to_kw.as_ref()), "above the tier before"));
        }
        tiers.push((to, price(&path.key("price"), &tier.price)?));
    }
    Ok(tiers)
}

/// Bits of months; all when none is named.
fn months(path: &Path<'_>, months: &[u32]) -> Result<u32, CompileError> {
    if months.is_empty() {
        return Ok(0xFFF);
    }
    let mut bits = 0;
    for (index, month) in months.iter().enumerate() {
        match month.checked_sub(1).filter(|month| *month < 12) {
            Some(month) => bits |= 1 << month,
            None => return Err(path.index(index).error(month, "a month from 1 to 12")),
        }
    }
    Ok(bits)
}

fn ratchet(path: &Path<'_>, ratchet: &Ratchet, values: &[(&str, u16)]) -> Result<CompiledRatchet, CompileError> {
    if !(1..=MAX_LOOKBACK).contains(&ratchet.lookback) {
        let rule = format!("from 1 to {MAX_LOOKBACK} billing periods");
        return Err(path.key("lookback").error(ratchet.lookback, rule));
    }
    let share = match (&ratchet.share, ratchet.share_by_month.as_slice()) {
        (Some(number), []) => [share(&path.key("share"), number)?; 12],
        (None, []) => return Err(path.key("share").error("nothing", "a share, or one for each month")),
        (Some(number), _) => return Err(path.key("share").error(number, "either share or share_by_month, not both")),
        (None, numbers) => by_month(&path.key("share_by_month"), numbers)?,
    };
    let own_share = match ratchet.own_share_by_month.as_slice() {
        [] => [i64::try_from(SHARE_ONE).unwrap_or(i64::MAX); 12],
        numbers => by_month(&path.key("own_share_by_month"), numbers)?,
    };
    let mut sources = Vec::new();
    for (index, name) in ratchet.source_rates.iter().enumerate() {
        let path = path.key("source_rates");
        let names = values.iter().map(|(name, _)| *name);
        let place = one_of(&path.index(index), name, "a rate of this charge", names)?;
        sources.extend(values.get(place).map(|(_, register)| *register));
    }
    if sources.is_empty() {
        sources = values.iter().map(|(_, register)| *register).collect();
    }
    Ok(CompiledRatchet { lookback: ratchet.lookback, share, own_share, sources })
}

fn by_month(path: &Path<'_>, numbers: &[Number]) -> Result<[i64; 12], CompileError> {
    let mut shares = [0; 12];
    if numbers.len() != shares.len() {
        return Err(path.error(format!("{} numbers", numbers.len()), "12, January first"));
    }
    for ((index, number), place) in numbers.iter().enumerate().zip(&mut shares) {
        *place = share(&path.index(index), number)?;
    }
    Ok(shares)
}

/// A share from 0 to 1, in 10⁻⁶.
fn share(path: &Path<'_>, number: &Number) -> Result<i64, CompileError> {
    let value = scaled(path, number, SHARE_PLACES, 0, 1)?;
    i64::try_from(value).map_err(|_| path.error(number, "too large"))
}
