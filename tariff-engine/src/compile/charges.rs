//! Checks the charges at the end of a period: contract, fixed, power factor, minimum, taxes.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Shared;
use super::compiled::{
    Base, CompiledContract, CompiledFixed, CompiledMinimum, CompiledPowerFactor, CompiledTax, CompiledVersion, TaxKind,
};
use super::error::{CompileError, Path};
use super::values::{SHARE_PLACES, at_most, charge, name, one_of, price, scaled};
use crate::exact::Number;
use crate::limits::MAX_CHARGES;
use crate::tariff::{
    ContractCharge, ContractUnit, FixedDays, FixedPer, Minimum, OverContract, PowerFactor, Tax, Version,
};

/// Names that stand for groups of charges.
const GROUPS: [&str; 7] = ["energy", "demand", "contract", "fixed", "power_factor", "minimum", "taxes"];
/// Largest per cent of a tax or of an adjustment.
const MAX_PERCENT: i64 = 1_000;
/// Largest share of a contract.
const MAX_SHARE: i64 = 1_000;
/// Steps of a power-factor table.
const MAX_STEPS: usize = 101;

impl Shared<'_> {
    pub(super) fn charges(
        &self,
        path: &Path<'_>,
        version: &Version,
        compiled: &mut CompiledVersion,
    ) -> Result<(), CompileError> {
        self.names(path, version)?;
        let contract = path.key("contract");
        at_most(&contract, &version.contract, MAX_CHARGES)?;
        for (index, entry) in version.contract.iter().enumerate() {
            compiled.contract.push(self.contract(&contract.index(index), entry, version)?);
        }
        let fixed = path.key("fixed");
        at_most(&fixed, &version.fixed, MAX_CHARGES)?;
        for (index, entry) in version.fixed.iter().enumerate() {
            let path = fixed.index(index);
            if entry.per != FixedPer::Day && entry.days != FixedDays::Real {
                return Err(path.key("days").error(format!("{:?}", entry.days), "only with a price per day"));
            }
            compiled.fixed.push(CompiledFixed {
                name: entry.name.clone(),
                price: charge(&path.key("price"), &entry.price)?,
                per: entry.per,
                days: entry.days,
            });
        }
        if let Some(entry) = &version.power_factor {
            compiled.power_factor = Some(power_factor(&path.key("power_factor"), entry, version, compiled)?);
        }
        if let Some(entry) = &version.minimum {
            compiled.minimum = Some(minimum(&path.key("minimum"), entry, version, compiled)?);
        }
        let taxes = path.key("taxes");
        at_most(&taxes, &version.taxes, MAX_CHARGES)?;
        for (index, entry) in version.taxes.iter().enumerate() {
            let kind = tax(&taxes.index(index), entry, version, compiled)?;
            compiled.taxes.push(CompiledTax { name: entry.name.clone(), kind });
        }
        Ok(())
    }

    /// Bases refer to charges by name, so no two share one.
    fn names(&self, path: &Path<'_>, version: &Version) -> Result<(), CompileError> {
        let mut known: Vec<&str> = GROUPS.to_vec();
        let lists: [(&'static str, Vec<&String>); 4] = [
            ("demand", version.demand.iter().map(|charge| &charge.name).collect()),
            ("contract", version.contract.iter().map(|charge| &charge.name).collect()),
            ("fixed", version.fixed.iter().map(|charge| &charge.name).collect()),
            ("taxes", version.taxes.iter().map(|tax| &tax.name).collect()),
        ];
        for (key, names) in &lists {
            let list = path.key(key);
            for (index, text) in names.iter().enumerate() {
                let entry = list.index(index);
                let path = entry.key("name");
                name(&path, text)?;
                if known.contains(&text.as_str()) {
                    return Err(path.error(format!("{text:?}"), "a name that no other charge or group of charges has"));
                }
                known.push(text);
            }
        }
        Ok(())
    }

    fn contract(
        &self,
        path: &Path<'_>,
        entry: &ContractCharge,
        version: &Version,
    ) -> Result<CompiledContract, CompileError> {
        let demand_path = path.key("demand");
        let demand = match (&entry.demand, entry.unit, entry.over.is_empty()) {
            (None, ContractUnit::Kw, false) => {
                return Err(demand_path.error("nothing", "prices above a contract in kW need a demand charge"));
            }
            (None, _, _) => None,
            (Some(name), ContractUnit::Kw, false) => {
                let names = version.demand.iter().map(|charge| charge.name.as_str());
                Some(one_of(&demand_path, name, "a demand charge", names)?)
            }
            (Some(name), _, _) => {
                let rule = "only with prices above a contract in kW; the peak in kVA is an input";
                return Err(demand_path.error(format!("{name:?}"), rule));
            }
        };
        let over_path = path.key("over");
        at_most(&over_path, &entry.over, MAX_CHARGES)?;
        let mut over: Vec<(i64, i128)> = Vec::with_capacity(entry.over.len());
        for (index, OverContract { above, price: number }) in entry.over.iter().enumerate() {
            let path = over_path.index(index);
            let share = small_scaled(&path.key("above"), above, 0, MAX_SHARE)?;
            if over.last().is_some_and(|(before, _)| share <= *before) {
                return Err(path.key("above").error(above, "above the entry before"));
            }
            over.push((share, price(&path.key("price"), number)?));
        }
        Ok(CompiledContract {
            name: entry.name.clone(),
            unit: entry.unit,
            price: price(&path.key("price"), &entry.price)?,
            demand,
            over,
        })
    }
}

/// A number of at most six places, in 10⁻⁶.
fn small_scaled(path: &Path<'_>, number: &Number, least: i64, most: i64) -> Result<i64, CompileError> {
    let value = scaled(path, number, SHARE_PLACES, least, most)?;
    i64::try_from(value).map_err(|_| path.error(number, "too large"))
}

fn power_factor(
    path: &Path<'_>,
    entry: &PowerFactor,
    version: &Version,
    compiled: &CompiledVersion,
) -> Result<CompiledPowerFactor, CompileError> {
    let table_path = path.key("table");
    at_most(&table_path, &entry.table, MAX_STEPS)?;
    let mut table: Vec<(i64, i64)> = Vec::with_capacity(entry.table.len());
    for (index, step) in entry.table.iter().enumerate() {
        let path = table_path.index(index);
        let at_least = i64::try_from(scaled(&path.key("at_least"), &step.at_least, 2, 0, 1)?).unwrap_or(0);
        if table.last().is_some_and(|(before, _)| at_least >= *before) {
            return Err(path.key("at_least").error(&step.at_least, "below the step before"));
        }
        table.push((at_least, small_scaled(&path.key("percent"), &step.percent, -100, MAX_PERCENT)?));
    }
    if table.last().is_none_or(|(lowest, _)| *lowest != 0) {
        let value = entry.table.last().map_or_else(|| "nothing".into(), |step| format!("{}", step.at_least));
        return Err(table_path.error(value, "steps down to 0.00"));
    }
    let without_path = path.key("without");
    for (index, component) in entry.without.iter().enumerate() {
        let names = version.energy.components.iter().map(|component| component.name.as_str());
        one_of(&without_path.index(index), component, "a component of the energy price", names)?;
    }
    let base = base(&path.key("base"), &entry.base, version, compiled, compiled.power_factor_place())?;
    if !entry.without.is_empty() && !base.contains(&0) {
        return Err(path.key("without").error("components", "only with energy in the base"));
    }
    Ok(CompiledPowerFactor { table, base, without: entry.without.clone() })
}

fn minimum(
    path: &Path<'_>,
    entry: &Minimum,
    version: &Version,
    compiled: &CompiledVersion,
) -> Result<CompiledMinimum, CompileError> {
    let read = |key, number: Option<&Number>| number.map(|number| charge(&path.key(key), number)).transpose();
    let (monthly, annual) = (read("monthly", entry.monthly.as_ref())?, read("annual", entry.annual.as_ref())?);
    if monthly.is_none() && annual.is_none() {
        return Err(path.error("nothing", "monthly, annual, or both"));
    }
    let base = base(&path.key("base"), &entry.base, version, compiled, compiled.minimum_place())?;
    Ok(CompiledMinimum { monthly, annual, base })
}

fn tax(path: &Path<'_>, entry: &Tax, version: &Version, compiled: &CompiledVersion) -> Result<TaxKind, CompileError> {
    match (&entry.percent, &entry.per_kwh) {
        (None, None) => Err(path.error("nothing", "percent or per_kwh")),
        (Some(number), Some(_)) => Err(path.key("percent").error(number, "either percent or per_kwh, not both")),
        (None, Some(number)) => {
            if entry.included || !entry.base.is_empty() {
                let key = if entry.included { "included" } else { "base" };
                return Err(path.key(key).error("given", "only with percent"));
            }
            Ok(TaxKind::PerKwh { price: price(&path.key("per_kwh"), number)? })
        }
        (Some(number), None) => {
            let percent = small_scaled(&path.key("percent"), number, 0, MAX_PERCENT)?;
            let place = compiled.first_tax().saturating_add(compiled.taxes.len());
            let base = base(&path.key("base"), &entry.base, version, compiled, place)?;
            Ok(if entry.included { TaxKind::Included { percent, base } } else { TaxKind::Added { percent, base } })
        }
    }
}

/// The places of the named subtotals. A charge may stand only on those before it.
fn base(
    path: &Path<'_>,
    names: &[String],
    version: &Version,
    compiled: &CompiledVersion,
    before: usize,
) -> Result<Base, CompileError> {
    if names.is_empty() {
        return Err(path.error("nothing", "what it is taken of"));
    }
    let find = |mut names: &mut dyn Iterator<Item = &String>, name: &str| {
        Iterator::position(&mut names, |other| other == name)
    };
    let mut places: Base = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let after = |first: usize, found: Option<usize>| found.map(|place| first.saturating_add(place));
        let found: Vec<usize> = match name.as_str() {
            "energy" => (0..CompiledVersion::FIRST_DEMAND).collect(),
            "demand" => (CompiledVersion::FIRST_DEMAND..compiled.first_contract()).collect(),
            "contract" => (compiled.first_contract()..compiled.first_fixed()).collect(),
            "fixed" => (compiled.first_fixed()..compiled.power_factor_place()).collect(),
            "power_factor" => (compiled.power_factor_place()..compiled.minimum_place()).collect(),
            "minimum" => (compiled.minimum_place()..compiled.first_tax()).collect(),
            name => {
                after(CompiledVersion::FIRST_DEMAND, find(&mut version.demand.iter().map(|charge| &charge.name), name))
                    .or_else(|| {
                        after(
                            compiled.first_contract(),
                            find(&mut version.contract.iter().map(|charge| &charge.name), name),
                        )
                    })
                    .or_else(|| {
                        after(compiled.first_fixed(), find(&mut version.fixed.iter().map(|charge| &charge.name), name))
                    })
                    .or_else(|| after(compiled.first_tax(), find(&mut version.taxes.iter().map(|tax| &tax.name), name)))
                    .into_iter()
                    .collect()
            }
        };
        let path = path.index(index);
        let group_is_empty = GROUPS.contains(&name.as_str()) && name != "taxes";
        if found.is_empty() && !group_is_empty {
            let rule =
                "energy, demand, contract, fixed, power_factor, minimum, or the name of a charge of this version";
            return Err(path.error(format!("{name:?}"), rule));
        }
        for place in found {
            if place >= before {
                return Err(path.error(format!("{name:?}"), "a charge that comes earlier in the bill"));
            }
            if places.contains(&place) {
                return Err(path.error(format!("{name:?}"), "each charge once"));
            }
            places.push(place);
        }
    }
    Ok(places)
}
