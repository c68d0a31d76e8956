//! Checks a tariff document once, and prepares it.

mod bounds;
mod calendar;
mod charges;
mod compiled;
mod demand;
mod energy;
mod error;
mod fingerprint;
mod ladder;
mod periods;
mod size;
pub(crate) mod values;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::calendar::cycle::Cycle;
use crate::calendar::date::{day_number, parse_date};
use crate::calendar::day::Days;
use crate::calendar::schedule::Schedule;
use crate::calendar::zone::Zone;
use crate::exact::{MAX_PLACES, Rounding};
use crate::limits::MAX_VERSIONS;
use crate::tariff::{Billing, RoundingPolicy, SCHEMA, Tariff, Version};

pub use compiled::CompiledTariff;
pub(crate) use compiled::{
    CompiledContract, CompiledDemand, CompiledEnergy, CompiledFixed, CompiledLadder, CompiledRatchet, CompiledVersion,
    LadderKind, TaxKind,
};
pub use error::CompileError;
use error::Path;
pub(crate) use size::has_ratchet;

/// What the versions of a tariff share.
struct Shared<'a> {
    tariff: &'a Tariff,
    zone: Zone,
    billing: Cycle,
    days: Days,
    rate_names: Vec<String>,
    demand_names: Vec<String>,
    registers: Vec<compiled::Register>,
    allowances: Vec<String>,
}

pub(crate) fn compile(tariff: &Tariff) -> Result<CompiledTariff, CompileError> {
    let root = Path::Root;
    if tariff.schema != SCHEMA {
        return Err(root.key("schema").error(tariff.schema, format!("{SCHEMA}, the format that this crate reads")));
    }
    values::name(&root.key("name"), &tariff.name)?;
    let zone = Zone::parse(&tariff.zone).map_err(|rule| root.key("zone").error(format!("{:?}", tariff.zone), rule))?;
    let mut shared = Shared {
        tariff,
        zone,
        billing: billing(&root.key("billing"), &tariff.billing)?,
        days: calendar::days(&root.key("calendar"), &tariff.calendar)?,
        rate_names: Vec::new(),
        demand_names: Vec::new(),
        registers: Vec::new(),
        allowances: Vec::new(),
    };
    let (line_rounding, total_rounding) = rounding(&root.key("rounding"), &tariff.rounding)?;
    let path = root.key("versions");
    let spans = spans(&path, tariff)?;
    let mut versions: Vec<CompiledVersion> = Vec::with_capacity(spans.len());
    for ((index, version), span) in tariff.versions.iter().enumerate().zip(spans) {
        let mut compiled = shared.version(&path.index(index), version, span)?;
        compiled.fingerprint = fingerprint::chained(versions.last().map(|last| last.fingerprint), &compiled, &shared);
        versions.push(compiled);
    }
    size::check(&path, &shared, &versions)?;
    Ok(CompiledTariff {
        name: tariff.name.clone(),
        currency: tariff.currency.clone(),
        zone,
        billing: shared.billing,
        days: shared.days,
        line_rounding,
        total_rounding,
        versions,
        rate_names: shared.rate_names,
        demand_names: shared.demand_names,
        registers: shared.registers,
        allowances: shared.allowances,
    })
}

fn billing(path: &Path<'_>, billing: &Billing) -> Result<Cycle, CompileError> {
    if !(1..=28).contains(&billing.start_day) {
        return Err(path.key("start_day").error(billing.start_day, "a day from 1 to 28"));
    }
    if !matches!(billing.months, 1 | 2 | 3 | 4 | 6 | 12) {
        return Err(path.key("months").error(billing.months, "1, 2, 3, 4, 6 or 12"));
    }
    Ok(Cycle { start_month: 1, start_day: billing.start_day, months: billing.months })
}

fn rounding(path: &Path<'_>, policy: &RoundingPolicy) -> Result<(Option<Rounding>, Option<Rounding>), CompileError> {
    let rule = |key, places: Option<u8>| match places {
        None => Ok(None),
        Some(places) => Rounding::new(places, policy.mode)
            .map(Some)
            .ok_or_else(|| path.key(key).error(places, format!("at most {MAX_PLACES} places"))),
    };
    Ok((rule("lines", policy.lines)?, rule("total", policy.total)?))
}

/// First day and day after the last of each version.
fn spans(path: &Path<'_>, tariff: &Tariff) -> Result<Vec<(i64, i64)>, CompileError> {
    values::at_most(path, &tariff.versions, MAX_VERSIONS)?;
    if tariff.versions.is_empty() {
        return Err(path.error("nothing", "at least one version"));
    }
    let day = |path: &Path<'_>, text: &str| {
        parse_date(text).map(day_number).ok_or_else(|| path.error(format!("{text:?}"), "a date such as \"2025-01-31\""))
    };
    let mut spans: Vec<(i64, i64)> = Vec::with_capacity(tariff.versions.len());
    for (index, version) in tariff.versions.iter().enumerate() {
        let path = path.index(index);
        let from = day(&path.key("from"), &version.from)?;
        if let Some(last) = spans.last_mut() {
            if from <= last.0 {
                return Err(path.key("from").error(format!("{:?}", version.from), "after the version before"));
            }
            last.1 = from;
        }
        let until = match &version.until {
            None => i64::MAX,
            Some(_) if index.saturating_add(1) < tariff.versions.len() => {
                return Err(path.key("until").error(format!("{:?}", version.until), "only in the last version"));
            }
            Some(text) => {
                let until = day(&path.key("until"), text)?;
                if until <= from {
                    return Err(path.key("until").error(format!("{text:?}"), "after \"from\""));
                }
                until
            }
        };
        spans.push((from, until));
    }
    Ok(spans)
}

impl Shared<'_> {
    fn version(
        &mut self,
        path: &Path<'_>,
        version: &Version,
        (from_day, until_day): (i64, i64),
    ) -> Result<CompiledVersion, CompileError> {
        let window = self.demand_window(&path.key("demand_window_minutes"), version)?;
        let (demand, demand_layers) = self.demand(&path.key("demand"), version, window)?;
        let (energy, energy_layer) = self.energy(&path.key("energy"), &version.energy)?;
        let mut layers = Vec::with_capacity(demand_layers.len().saturating_add(1));
        layers.push(energy_layer);
        layers.extend(demand_layers);
        let schedule = Schedule::build(&self.days, &layers)
            .map_err(|error| periods::schedule_error(path, version, &self.days, &error))?;
        let mut compiled = CompiledVersion {
            from_day,
            from_utc_s: self.zone.day_start(from_day),
            until_utc_s: if until_day == i64::MAX { i64::MAX } else { self.zone.day_start(until_day) },
            fingerprint: 0,
            energy,
            schedule,
            window_s: window,
            demand,
            contract: Vec::new(),
            fixed: Vec::new(),
            power_factor: None,
            minimum: None,
            taxes: Vec::new(),
        };
        compiled.energy.ladder =
            self.ladder(&path.key("energy").key("ladder"), version.energy.ladder.as_ref(), &compiled)?;
        self.charges(path, version, &mut compiled)?;
        bounds::check(path, self, &compiled)?;
        Ok(compiled)
    }
}
