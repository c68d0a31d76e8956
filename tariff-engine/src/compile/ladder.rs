//! Checks a ladder.

use alloc::format;
use alloc::vec::Vec;

use super::Shared;
use super::compiled::{CompiledLadder, CompiledLimit, CompiledVersion, LadderKind};
use super::error::{CompileError, Path};
use super::periods::numbered;
use super::values::{QUANTITY_PLACES, at_most, one_of, scaled, unique};
use crate::calendar::cycle::Cycle;
use crate::calendar::date::parse_month_day;
use crate::exact::Number;
use crate::limits::{MAX_CHARGES, MAX_LADDER_SEGMENTS, MAX_PERIOD_KWH};
use crate::tariff::{Ladder, Limit, Reset, Scope};

/// Most kWh for each day or kW.
const MAX_KWH_EACH: i64 = 1_000_000;
/// Most days of a billing period, by its months.
const MOST_DAYS_A_MONTH: usize = 31;

impl Shared<'_> {
    pub(super) fn ladder(
        &mut self,
        path: &Path<'_>,
        ladder: Option<&Ladder>,
        version: &CompiledVersion,
    ) -> Result<CompiledLadder, CompileError> {
        let none = version.energy.ladder.clone();
        let Some(ladder) = ladder else { return Ok(none) };
        let mut sets = [limits(&path.key("limits"), &ladder.limits)?].to_vec();
        let cycle = self.cycle(path, ladder)?;
        let set_of_month = self.seasonal(&path.key("seasonal"), ladder, cycle, &mut sets)?;
        let demand = self.ladder_demand(path, ladder, version)?;
        let streamed = ladder.scope != Scope::SharedProportional
            && sets.iter().flatten().all(|limit| limit.per_day.is_none() && limit.per_kw.is_none());
        let kind = match (ladder.limits.is_empty(), streamed) {
            (true, _) => LadderKind::None,
            (false, true) => LadderKind::Streamed(ladder.scope),
            (false, false) => LadderKind::Deferred(ladder.scope),
        };
        if let LadderKind::Deferred(scope) = kind {
            self.deferred(path, ladder, cycle, scope, version)?;
        }
        let allowances = self.allowances(&path.key("allowances"), ladder)?;
        Ok(CompiledLadder { kind, cycle, sets, set_of_month, allowances, demand })
    }

    fn cycle(&self, path: &Path<'_>, ladder: &Ladder) -> Result<Cycle, CompileError> {
        let year_start = path.key("year_start");
        match (ladder.reset, &ladder.year_start) {
            (Reset::Yearly, None) => Ok(Cycle { start_month: 1, start_day: 1, months: 12 }),
            (Reset::Yearly, Some(text)) => parse_month_day(text)
                .map(|(start_month, start_day)| Cycle { start_month, start_day, months: 12 })
                .ok_or_else(|| year_start.error(format!("{text:?}"), "a day of the year such as \"07-01\"")),
            (_, Some(text)) => Err(year_start.error(format!("{text:?}"), "only with a yearly reset")),
            (Reset::Monthly, None) => Ok(Cycle::MONTHLY),
            (Reset::BillingPeriod, None) => Ok(self.billing),
        }
    }

    /// Adds the sets of limits of some months, and gives the set of each month.
    fn seasonal(
        &self,
        path: &Path<'_>,
        ladder: &Ladder,
        cycle: Cycle,
        sets: &mut Vec<Vec<CompiledLimit>>,
    ) -> Result<[u8; 12], CompileError> {
        let mut set_of_month = [0_u8; 12];
        at_most(path, &ladder.seasonal, set_of_month.len())?;
        if !ladder.seasonal.is_empty() && cycle != self.billing {
            let rule = "seasonal limits need a ladder that is reset with the billing period";
            return Err(path.error(format!("{:?}", ladder.reset), rule));
        }
        for (index, season) in ladder.seasonal.iter().enumerate() {
            let path = path.index(index);
            if season.limits.len() != ladder.limits.len() {
                let rule = format!("{} limits, as many as the ladder has", ladder.limits.len());
                return Err(path.key("limits").error(format!("{} limits", season.limits.len()), rule));
            }
            sets.push(limits(&path.key("limits"), &season.limits)?);
            for (place, month) in season.months.iter().enumerate() {
                let month_path = path.key("months");
                let slot = month.checked_sub(1).and_then(|month| usize::try_from(month).ok());
                let slot = slot.and_then(|month| set_of_month.get_mut(month));
                let slot = slot.ok_or_else(|| month_path.index(place).error(month, "a month from 1 to 12"))?;
                if *slot != 0 {
                    return Err(month_path.index(place).error(month, "a month of one season only"));
                }
                *slot = u8::try_from(index.saturating_add(1)).unwrap_or(u8::MAX);
            }
        }
        Ok(set_of_month)
    }

    /// The demand charge whose billing demand multiplies limits per kW.
    fn ladder_demand(
        &self,
        path: &Path<'_>,
        ladder: &Ladder,
        version: &CompiledVersion,
    ) -> Result<Option<usize>, CompileError> {
        let seasonal = ladder.seasonal.iter().flat_map(|season| &season.limits);
        let needed = ladder.limits.iter().chain(seasonal).any(|limit| limit.kwh_per_kw.is_some());
        let path = path.key("demand");
        match &ladder.demand {
            None if needed => Err(path.error("nothing", "limits per kW need the name of a demand charge")),
            None => Ok(None),
            Some(name) if !needed => Err(path.error(format!("{name:?}"), "only with limits per kW")),
            Some(name) => {
                let names = version.demand.iter().map(|charge| self.demand_names.get(usize::from(charge.name)));
                one_of(&path, name, "a demand charge", names.map(|name| name.map_or("", |name| name.as_str())))
                    .map(Some)
            }
        }
    }

    /// Tiers that are known only at the end of the billing period.
    fn deferred(
        &self,
        path: &Path<'_>,
        ladder: &Ladder,
        cycle: Cycle,
        scope: Scope,
        version: &CompiledVersion,
    ) -> Result<(), CompileError> {
        if cycle != self.billing {
            let rule = "a proportional ladder, or one with limits per day or per kW, is reset with the billing period";
            return Err(path.key("reset").error(format!("{:?}", ladder.reset), rule));
        }
        let months = usize::try_from(self.billing.months).unwrap_or(12);
        let days = months.saturating_mul(MOST_DAYS_A_MONTH);
        let segments = version.schedule.most_slots().saturating_mul(days);
        if scope == Scope::SharedChronological && version.energy.rates.len() > 1 && segments > MAX_LADDER_SEGMENTS {
            let rule = format!("at most {MAX_LADDER_SEGMENTS} changes of rate in a billing period with such a ladder");
            return Err(path.error(format!("{segments} changes of rate"), rule));
        }
        Ok(())
    }

    fn allowances(&mut self, path: &Path<'_>, ladder: &Ladder) -> Result<Vec<(u16, Vec<i64>)>, CompileError> {
        at_most(path, &ladder.allowances, MAX_CHARGES)?;
        unique(path, ladder.allowances.iter().map(|allowance| allowance.name.as_str()))?;
        let mut compiled = Vec::with_capacity(ladder.allowances.len());
        for (index, allowance) in ladder.allowances.iter().enumerate() {
            let entry = path.index(index);
            let shifts = shifts(&entry.key("kwh"), &allowance.kwh, ladder.limits.len())?;
            compiled.push((numbered(&mut self.allowances, &allowance.name), shifts));
        }
        Ok(compiled)
    }
}

/// Shifts that never fall along the ladder keep its limits in order, in any combination.
fn shifts(path: &Path<'_>, numbers: &[Number], limits: usize) -> Result<Vec<i64>, CompileError> {
    if numbers.len() != limits {
        return Err(path.error(format!("{} numbers", numbers.len()), format!("one for each of the {limits} limits")));
    }
    let mut shifts: Vec<i64> = Vec::with_capacity(limits);
    for (index, number) in numbers.iter().enumerate() {
        let shift = kwh(&path.index(index), number, MAX_PERIOD_KWH)?;
        if shifts.last().is_some_and(|last| shift < *last) {
            return Err(path.index(index).error(number, "not below the one before"));
        }
        shifts.push(shift);
    }
    Ok(shifts)
}

/// The limits of one set.
fn limits(path: &Path<'_>, document: &[Limit]) -> Result<Vec<CompiledLimit>, CompileError> {
    let entries = document.iter().enumerate().map(|(index, entry)| limit(&path.index(index), entry));
    let limits = entries.collect::<Result<Vec<_>, _>>()?;
    rising(path, document, &limits)?;
    Ok(limits)
}

fn limit(path: &Path<'_>, limit: &Limit) -> Result<CompiledLimit, CompileError> {
    let read = |key, number: Option<&Number>, most| number.map(|number| kwh(&path.key(key), number, most)).transpose();
    let compiled = CompiledLimit {
        fixed: read("kwh", limit.kwh.as_ref(), MAX_PERIOD_KWH)?,
        per_day: read("kwh_per_day", limit.kwh_per_day.as_ref(), MAX_KWH_EACH)?,
        per_kw: read("kwh_per_kw", limit.kwh_per_kw.as_ref(), MAX_KWH_EACH)?,
    };
    if compiled == CompiledLimit::default() {
        return Err(path.error("nothing", "kwh, kwh_per_day or kwh_per_kw"));
    }
    Ok(compiled)
}

fn kwh(path: &Path<'_>, number: &Number, most: i64) -> Result<i64, CompileError> {
    let value = scaled(path, number, QUANTITY_PLACES, 0, most)?;
    i64::try_from(value).map_err(|_| path.error(number, "too large"))
}

/// Limits of the same single unit rise. Limits of different units can't be compared before the end of the period; there a
/// limit below the one before leaves its tier empty.
fn rising(path: &Path<'_>, document: &[Limit], limits: &[CompiledLimit]) -> Result<(), CompileError> {
    for (index, pair) in limits.windows(2).enumerate() {
        let [before, this] = pair else { continue };
        let falls = |earlier: Option<i64>, later: Option<i64>| matches!((earlier, later), (Some(e), Some(l)) if l <= e);
        let single = |limit: &CompiledLimit| {
            [limit.fixed, limit.per_day, limit.per_kw].iter().filter(|value| value.is_some()).count() == 1
        };
        let place = index.saturating_add(1);
        let entry = document.get(place);
        let path = path.index(place);
        let checks = [
            ("kwh", before.fixed, this.fixed, entry.and_then(|entry| entry.kwh.as_ref())),
            ("kwh_per_day", before.per_day, this.per_day, entry.and_then(|entry| entry.kwh_per_day.as_ref())),
            ("kwh_per_kw", before.per_kw, this.per_kw, entry.and_then(|entry| entry.kwh_per_kw.as_ref())),
        ];
        for (key, earlier, later, number) in checks {
            if single(before) && single(this) && falls(earlier, later) {
                return Err(path.key(key).error(super::values::shown(number), "above the limit before"));
            }
        }
    }
    Ok(())
}
