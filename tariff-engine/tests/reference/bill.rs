//! One bill, line by line.

use std::collections::BTreeMap;

use num_traits::Zero;
use tariff_engine::tariff::{FixedDays, FixedPer, Ladder, Limit, Scope, Version};

use super::numbers::{civil, kwh, line, number, power_factor, q, round, split};
use super::{Amounts, Bill, Q, Use, Walk};

/// Energy of a version, rate and tier, kWh.
type Cells = BTreeMap<(usize, String, usize), Q>;

impl Bill<'_> {
    pub fn make(&self, walk: &mut Walk<'_>, year_total: &Q) -> (Amounts, Vec<(String, i64, i64)>, Q) {
        let tariff = self.reference.tariff;
        let policy = &tariff.rounding;
        let end = self.reference.version_at(self.to - 1);
        let version = &tariff.versions[end];
        let cells = self.cells(walk);
        let mut amounts = Amounts::default();
        let mut by_name: BTreeMap<String, Q> = BTreeMap::new();
        for ((version, rate, tier), energy) in &cells {
            let price = self.reference.price(&tariff.versions[*version], rate, *tier);
            amounts.energy += line(policy, energy * price);
        }
        let mut peaks = Vec::new();
        let (_, month, _) = civil(self.reference.day(self.to - 1));
        for charge in &version.demand {
            let mut sum = q(0);
            for (rate, billed) in self.billed(version, charge) {
                let entry = charge.rates.iter().find(|entry| entry.name == rate).unwrap();
                let mut below = q(0);
                let flat = entry.price.iter().map(|price| (None, number(price)));
                let tiers = entry.tiers.iter().map(|tier| (tier.to_kw.as_ref().map(number), number(&tier.price)));
                for (to, price) in flat.chain(tiers) {
                    let top = to.filter(|to| *to < billed).unwrap_or_else(|| billed.clone());
                    if top > below {
                        sum += line(policy, (&top - &below) * price);
                        below = top;
                    }
                }
            }
            if charge.months.is_empty() || charge.months.iter().any(|other| i64::from(*other) == month) {
                amounts.demand += &sum;
                by_name.insert(charge.name.clone(), sum);
            }
            if let Some(ratchet) = &charge.ratchet {
                let source = |rate: &String| ratchet.source_rates.is_empty() || ratchet.source_rates.contains(rate);
                let measured = self.measured(&charge.name);
                let names = charge.rates.iter().map(|entry| entry.name.clone());
                let highest = names.filter(source).map(|rate| measured.get(&rate).copied().unwrap_or(0)).max();
                let (year, month, _) = civil(self.reference.day(self.to - 1));
                peaks.push((charge.name.clone(), year * 12 + month, highest.unwrap_or(0)));
            }
        }
        for contract in &version.contract {
            let capacity = Q::new(self.facts.contract_micro.into(), 1_000_000.into());
            let mut sum = line(policy, &capacity * number(&contract.price));
            let peak = Q::new(self.facts.peak_kva_micro.into(), 1_000_000.into());
            for (place, over) in contract.over.iter().enumerate() {
                let lower = &capacity * number(&over.above);
                let upper = contract.over.get(place + 1).map(|next| &capacity * number(&next.above));
                let top = upper.filter(|upper| *upper < peak).unwrap_or_else(|| peak.clone());
                if top > lower {
                    sum += line(policy, (top - lower) * number(&over.price));
                }
            }
            amounts.contract += &sum;
            by_name.insert(contract.name.clone(), sum);
        }
        amounts.fixed = self.fixed();
        let energy_micro: i64 = self.uses.iter().map(|u| u.micro).sum();
        let base = |names: &[String], amounts: &Amounts, by_name: &BTreeMap<String, Q>| -> Q {
            let of = |name: &String| match name.as_str() {
                "energy" => amounts.energy.clone(),
                "demand" => amounts.demand.clone(),
                "contract" => amounts.contract.clone(),
                "fixed" => amounts.fixed.clone(),
                "power_factor" => amounts.power_factor.clone(),
                "minimum" => amounts.minimum.clone(),
                name => by_name.get(name).cloned().unwrap_or_default(),
            };
            names.iter().map(of).fold(q(0), |sum, part| sum + part)
        };
        if let Some(entry) = &version.power_factor {
            let mut taken = base(&entry.base, &amounts, &by_name);
            for name in &entry.without {
                for ((version, rate, tier), energy) in &cells {
                    let energy_charge = &tariff.versions[*version].energy;
                    let Some(component) = energy_charge.components.iter().find(|c| c.name == *name) else { continue };
                    let own = component.price.as_ref().or(component.tiers.get(*tier)).map(number).unwrap();
                    let ratio = energy_charge.rates.iter().find(|r| r.name == *rate).unwrap().ratio.as_ref();
                    taken -= energy * own * ratio.filter(|_| component.scaled).map_or(q(1), number);
                }
            }
            if energy_micro != 0 || self.facts.reactive_micro != 0 {
                let hundredths = power_factor(energy_micro, self.facts.reactive_micro);
                let step = entry.table.iter().find(|step| q(hundredths) >= number(&step.at_least) * q(100)).unwrap();
                amounts.power_factor = line(policy, taken * number(&step.percent) / q(100));
            }
        }
        let mut counted = &amounts.energy + &amounts.demand + &amounts.contract + &amounts.fixed;
        if let Some(minimum) = &version.minimum {
            counted = base(&minimum.base, &amounts, &by_name);
            if let Some(monthly) = &minimum.monthly {
                let least = number(monthly) * q(i64::from(tariff.billing.months));
                if least > counted {
                    amounts.minimum += line(policy, &least - &counted);
                    counted = least;
                }
            }
            let ends_year = civil(self.reference.day(self.start)).0 != civil(self.reference.day(self.to)).0;
            if let Some(annual) = minimum.annual.as_ref().filter(|_| ends_year) {
                let so_far = year_total + &counted;
                if number(annual) > so_far {
                    amounts.minimum += line(policy, number(annual) - so_far);
                }
            }
        }
        for tax in &version.taxes {
            let amount = match (&tax.percent, &tax.per_kwh) {
                (Some(_), _) if tax.included => continue,
                (Some(percent), _) => base(&tax.base, &amounts, &by_name) * number(percent) / q(100),
                (_, Some(price)) => Q::new(energy_micro.into(), 1_000_000.into()) * number(price),
                _ => unreachable!(),
            };
            let amount = line(policy, amount);
            amounts.taxes += &amount;
            by_name.insert(tax.name.clone(), amount);
        }
        let sum = &amounts.energy
            + &amounts.demand
            + &amounts.contract
            + &amounts.fixed
            + &amounts.power_factor
            + &amounts.minimum
            + &amounts.taxes;
        amounts.total = policy.total.map_or(sum.clone(), |places| round(&sum, places, policy.mode));
        (amounts, peaks, counted)
    }

    /// Energy by version, rate and tier.
    fn cells(&self, walk: &mut Walk<'_>) -> Cells {
        let mut cells: Cells = BTreeMap::new();
        // Positions at the first use of a version, and uses by version and rate, for proportional ladders.
        let mut starts: BTreeMap<usize, i64> = BTreeMap::new();
        let mut by_rate: BTreeMap<(usize, String), i64> = BTreeMap::new();
        let ladders = self.reference.tariff.versions.iter().map(|version| {
            let used = self.uses.iter().any(|used| std::ptr::eq(version, self.version_of(used)));
            version
                .energy
                .ladder
                .as_ref()
                .filter(|_| used)
                .map(|ladder| self.limits(version, ladder))
                .unwrap_or_default()
        });
        let ladders: Vec<Vec<Q>> = ladders.collect();
        for used in self.uses {
            walk.go_on(used.from);
            let place = walk.version;
            let version = &self.reference.tariff.versions[place];
            let only = version.energy.rates.first().map(|rate| rate.name.as_str());
            let rate = self.reference.rate(&version.energy.periods, only, used.from).unwrap().to_string();
            let scope = version.energy.ladder.as_ref().map(|ladder| ladder.scope);
            starts.entry(place).or_insert(walk.total);
            *by_rate.entry((place, rate.clone())).or_insert(0) += used.micro;
            let position = match scope {
                Some(Scope::PerPeriod) => walk.own.entry(rate.clone()).or_insert(0),
                _ => &mut walk.total,
            };
            let (from, to) = (*position, *position + used.micro);
            *position = to;
            if scope == Some(Scope::SharedProportional) {
                continue;
            }
            for (tier, energy) in split(&ladders[place], &kwh(from), &kwh(to)) {
                *cells.entry((place, rate.clone(), tier)).or_default() += energy;
            }
        }
        for (place, start) in starts {
            let version = &self.reference.tariff.versions[place];
            if version.energy.ladder.as_ref().is_none_or(|ladder| ladder.scope != Scope::SharedProportional) {
                continue;
            }
            let whole: i64 = by_rate.iter().filter(|((v, _), _)| *v == place).map(|(_, micro)| micro).sum();
            if whole == 0 {
                continue;
            }
            for (tier, energy) in split(&ladders[place], &kwh(start), &kwh(start + whole)) {
                for ((_, rate), micro) in by_rate.iter().filter(|((v, _), _)| *v == place) {
                    *cells.entry((place, rate.clone(), tier)).or_default() +=
                        &energy * Q::new((*micro).into(), whole.into());
                }
            }
        }
        cells.retain(|_, energy| !energy.is_zero());
        cells
    }

    fn version_of(&self, used: &Use) -> &Version {
        &self.reference.tariff.versions[self.reference.version_at(used.from)]
    }

    /// Upper ends of all tiers but the last, kWh.
    fn limits(&self, version: &Version, ladder: &Ladder) -> Vec<Q> {
        let (_, month, _) = civil(self.reference.day(self.to - 1));
        let seasonal = ladder.seasonal.iter().find(|s| s.months.iter().any(|other| i64::from(*other) == month));
        let entries: &[Limit] = seasonal.map_or(&ladder.limits, |season| &season.limits);
        let days = self.reference.day(self.to - 1) - self.reference.day(self.from) + 1;
        let power = ladder.demand.as_ref().map(|name| {
            let charge = version.demand.iter().find(|charge| charge.name == *name).unwrap();
            self.billed(version, charge).into_values().max().unwrap()
        });
        let mut highest = q(0);
        let mut limits = Vec::new();
        for (tier, limit) in entries.iter().enumerate() {
            let candidates = [
                limit.kwh.as_ref().map(number),
                limit.kwh_per_day.as_ref().map(|each| number(each) * q(days)),
                limit.kwh_per_kw.as_ref().map(|each| number(each) * power.clone().unwrap()),
            ];
            let mut end = candidates.into_iter().flatten().min().unwrap();
            for allowance in ladder.allowances.iter().filter(|a| self.facts.allowances.contains(&a.name)) {
                end += number(&allowance.kwh[tier]);
            }
            highest = highest.max(end);
            limits.push(highest.clone());
        }
        limits
    }

    /// Peaks of a charge by rate, 10⁻⁶ kW.
    fn measured(&self, charge: &str) -> BTreeMap<String, i64> {
        let mut windows: BTreeMap<(i64, String), i64> = BTreeMap::new();
        let mut peaks = BTreeMap::new();
        for used in self.uses {
            let version = &self.reference.tariff.versions[self.reference.version_at(used.from)];
            let Some(entry) = version.demand.iter().find(|entry| entry.name == charge) else { continue };
            let window_s = i64::from(version.demand_window_minutes.unwrap()) * 60;
            let only = entry.rates.first().map(|rate| rate.name.as_str());
            let Some(rate) = self.reference.rate(&entry.periods, only, used.from) else { continue };
            let window = (used.from + self.reference.offset_s).div_euclid(window_s) * window_s;
            let energy = windows.entry((window, rate.to_string())).or_insert(0);
            *energy += used.micro;
            let power = *energy * (3_600 / window_s);
            let peak = peaks.entry(rate.to_string()).or_insert(0);
            *peak = power.max(*peak);
        }
        peaks
    }

    /// Billing demand of a charge by rate, kW.
    fn billed(&self, _: &Version, charge: &tariff_engine::tariff::DemandCharge) -> BTreeMap<String, Q> {
        let measured = self.measured(&charge.name);
        let (year, month, _) = civil(self.reference.day(self.to - 1));
        let index = |month: i64| usize::try_from((month - 1).rem_euclid(12)).unwrap();
        let kw = |micro: i64| Q::new(micro.into(), 1_000_000.into());
        let mut billed = BTreeMap::new();
        for rate in &charge.rates {
            let mut power = kw(measured.get(&rate.name).copied().unwrap_or(0));
            if let Some(ratchet) = &charge.ratchet {
                if let Some(share) = ratchet.own_share_by_month.get(index(month)) {
                    power *= number(share);
                }
                let now = year * 12 + month;
                let reach = i64::from(ratchet.lookback) * i64::from(self.reference.tariff.billing.months);
                for (_, then, micro) in self.history.iter().filter(|(name, ..)| *name == charge.name) {
                    if *then < now && *then >= now - reach {
                        let share = ratchet.share.as_ref().or(ratchet.share_by_month.get(index(*then))).map(number);
                        power = power.max(kw(*micro) * share.unwrap());
                    }
                }
            }
            power = power.max(charge.minimum_kw.as_ref().map_or(q(0), number));
            billed.insert(rate.name.clone(), power);
        }
        billed
    }

    fn fixed(&self) -> Q {
        let tariff = self.reference.tariff;
        let months = i64::from(tariff.billing.months);
        let day = |utc: i64| self.reference.day(utc);
        let period_days = day(self.to - 1) - day(self.start) + 1;
        let mut sum = q(0);
        for (place, version) in tariff.versions.iter().enumerate() {
            let from = self.reference.starts[place].max(self.from);
            let until = self.reference.starts.get(place + 1).copied().unwrap_or(i64::MAX);
            let to = until.min(self.to);
            if from >= to {
                continue;
            }
            let days = day(to - 1) - day(from) + 1;
            let share = Q::new(days.into(), period_days.into());
            for fixed in &version.fixed {
                let units = match (fixed.per, fixed.days) {
                    (FixedPer::Day, FixedDays::MeanMonth365_12) => Q::new(365.into(), 12.into()) * q(months) * &share,
                    (FixedPer::Day, _) => q(days),
                    (FixedPer::Month, _) => q(months) * &share,
                    (FixedPer::Year, _) => Q::new(months.into(), 12.into()) * &share,
                };
                sum += line(&tariff.rounding, number(&fixed.price) * units);
            }
        }
        sum
    }
}
