//! Energy rates, tiers and their units.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use rust_decimal::Decimal;

use super::number::RawNumber;
use super::record::{Fields, Record};
use super::schedule::{Schedule, periods, rate_name};
use super::{BILLING_DEMAND, UrdbError};
use crate::exact::Number;
use crate::tariff::{EnergyCharge, Ladder, Limit, Rate, Reset, Scope, SeasonalLimits};

const STRUCTURE: &str = "energyratestructure";

/// A tier as the record writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tier {
    /// rate + adj, exact.
    pub(super) price: Number,
    pub(super) max: Option<RawNumber>,
    pub(super) unit: String,
}

pub(super) fn read(record: &mut Record, scope: Scope) -> Result<EnergyCharge, UrdbError> {
    let structure = structure(record, STRUCTURE, "kWh")?
        .ok_or_else(|| UrdbError::new(STRUCTURE, "nothing", "a tariff needs energy rates"))?;
    let weekdays = needed_schedule(record, "energyweekdayschedule", structure.len())?;
    let weekends = needed_schedule(record, "energyweekendschedule", structure.len())?;
    let mut used = weekdays.used();
    used.extend(weekends.used());
    used.sort_unstable();
    used.dedup();
    let ladders = used
        .iter()
        .filter_map(|number| {
            let tiers = structure.get(usize::try_from(*number).ok()?)?;
            Some((*number, tiers))
        })
        .map(|(number, tiers)| flatten(record, number, tiers).map(|steps| (number, steps)))
        .collect::<Result<Vec<_>, _>>()?;
    let (limits, seasonal) = limits(&ladders, &weekdays, &weekends)?;
    let rates = ladders.iter().map(|(number, steps)| rate(*number, steps, limits.len())).collect();
    let everywhere = limits.iter().chain(seasonal.iter().flat_map(|season| &season.limits));
    let per_kw = everywhere.into_iter().any(|limit| limit.kwh_per_kw.is_some());
    let ladder = (!limits.is_empty()).then(|| Ladder {
        reset: Reset::BillingPeriod,
        year_start: None,
        scope,
        limits,
        seasonal,
        allowances: Vec::new(),
        demand: per_kw.then(|| BILLING_DEMAND.to_string()),
    });
    Ok(EnergyCharge { components: Vec::new(), rates, periods: periods(&weekdays, &weekends), ladder })
}

fn needed_schedule(record: &mut Record, field: &'static str, periods: usize) -> Result<Schedule, UrdbError> {
    let schedule = Schedule::read(record, field)?
        .ok_or_else(|| UrdbError::new(field, "nothing", "energy rates need their schedules"))?;
    schedule.check(field, periods)?;
    Ok(schedule)
}

/// Reads a structure of periods and tiers.
pub(super) fn structure(
    record: &mut Record,
    field: &'static str,
    unit: &'static str,
) -> Result<Option<Vec<Vec<Tier>>>, UrdbError> {
    let raw: Option<Vec<Vec<Fields>>> = record.parsed(field, "a list of periods, each a list of tiers")?;
    let Some(raw) = raw else { return Ok(None) };
    if raw.is_empty() || raw.iter().any(Vec::is_empty) {
        return Err(UrdbError::new(field, "an empty list", "at least one period with at least one tier"));
    }
    let mut structure = Vec::with_capacity(raw.len());
    for (period, tiers) in raw.iter().enumerate() {
        let mut read = Vec::with_capacity(tiers.len());
        for (place, fields) in tiers.iter().enumerate() {
            let path = format!("{field}[{period}][{place}]");
            read.push(tier(record, &path, fields, unit)?);
        }
        rising(field, period, &read)?;
        structure.push(read);
    }
    Ok(Some(structure))
}

/// Limits rise; the last tier's is none.
fn rising(field: &'static str, period: usize, tiers: &[Tier]) -> Result<(), UrdbError> {
    let limit = |tier: &Tier| tier.max.as_ref().and_then(RawNumber::decimal);
    let limited = tiers.split_last().map_or(tiers, |(_, before)| before);
    for (place, (lower, upper)) in (1_u32..).zip(limited.iter().zip(limited.iter().skip(1))) {
        let falls = limit(lower).zip(limit(upper)).is_some_and(|(lower, upper)| upper <= lower);
        if falls && lower.unit == upper.unit {
            let max = upper.max.as_ref().map(ToString::to_string).unwrap_or_default();
            return Err(UrdbError::new(
                format!("{field}[{period}][{place}].max"),
                max,
                "above the limit of the tier before",
            ));
        }
    }
    Ok(())
}

fn tier(record: &mut Record, path: &str, fields: &Fields, unit: &'static str) -> Result<Tier, UrdbError> {
    let mut tier = Tier { price: Number::from(0), max: None, unit: unit.to_string() };
    let (mut rate, mut adj) = (None, None);
    for (key, raw) in fields.iter().filter(|(_, raw)| raw.get() != "null") {
        let number = || {
            RawNumber::parse(raw.get()).ok_or_else(|| UrdbError::new(format!("{path}.{key}"), raw.get(), "a number"))
        };
        match key.as_str() {
            "rate" => rate = Some(number()?),
            "adj" => adj = Some(number()?),
            "max" => tier.max = Some(number()?),
            "unit" => {
                tier.unit = serde_json::from_str(raw.get())
                    .map_err(|_| UrdbError::new(format!("{path}.unit"), raw.get(), "a text"))?;
            }
            "sell" => record.warn(format!("{path}.sell"), "not used: export is not priced"),
            _ => record.warn(format!("{path}.{key}"), "not used: the field is not known"),
        }
    }
    let rate = rate.ok_or_else(|| UrdbError::new(format!("{path}.rate"), "nothing", "each tier needs a rate"))?;
    let exact = |number: &RawNumber, key: &str| {
        let rule = "a decimal of at most 18 places";
        let wrong = || UrdbError::new(format!("{path}.{key}"), number, rule);
        number.decimal().filter(|decimal| decimal.scale() <= 18).ok_or_else(wrong)
    };
    let mut price = exact(&rate, "rate")?;
    if let Some(adj) = &adj {
        price = exact_sum(price, exact(adj, "adj")?)
            .ok_or_else(|| UrdbError::new(format!("{path}.adj"), adj, "rate + adj within 28 digits"))?;
    }
    tier.price = Number::from(price);
    Ok(tier)
}

/// The sum with all its digits, where a decimal of 28 holds them. (`Decimal::checked_add` drops the last ones instead.)
fn exact_sum(a: Decimal, b: Decimal) -> Option<Decimal> {
    let places = a.scale().max(b.scale());
    let at_places =
        |number: Decimal| 10_i128.checked_pow(places.checked_sub(number.scale())?)?.checked_mul(number.mantissa());
    Decimal::try_from_i128_with_scale(at_places(a)?.checked_add(at_places(b)?)?, places).ok()
}

/// A tier of the ladder: its price and its upper end, none for the last one.
type Step = (Number, Option<Limit>);

/// The ladder of one period.
///
/// A tier in kWh/kW that is followed by tiers in kWh heads them: it caps them all at so many kWh per kW, and its own rate is not
/// charged, because the tiers inside it have rates of their own.
fn flatten(record: &mut Record, period: u32, tiers: &[Tier]) -> Result<Vec<Step>, UrdbError> {
    let mut steps: Vec<Step> = Vec::with_capacity(tiers.len());
    let mut cap: Option<Number> = None;
    let kinds: Vec<&str> = tiers.iter().map(|tier| tier.unit.as_str()).collect();
    let daily = kinds.contains(&"kWh daily");
    for (place, tier) in tiers.iter().enumerate() {
        let path = format!("{STRUCTURE}[{period}][{place}]");
        let next = kinds.get(place.saturating_add(1)).copied();
        match tier.unit.as_str() {
            "kWh" | "kWh/kW" if daily => {
                return Err(UrdbError::new(format!("{path}.unit"), &tier.unit, "no mixture with kWh daily"));
            }
            "kWh/kW" if next == Some("kWh") => {
                cap = Some(limit_number(&path, tier)?);
                record
                    .warn(format!("{path}.rate"), "not charged: the kWh tiers inside this kWh/kW tier have their own");
            }
            "kWh/kW" => {
                cap = None;
                let limit = end(record, &path, tier, next.is_none())?;
                steps.push((
                    tier.price.clone(),
                    limit.map(|per_kw| Limit { kwh_per_kw: Some(per_kw), ..Limit::default() }),
                ));
            }
            "kWh" => {
                let ends_block = next != Some("kWh");
                if ends_block && cap.is_none() && next.is_some() {
                    return Err(UrdbError::new(
                        format!("{path}.unit"),
                        "kWh",
                        "kWh tiers stand inside or without kWh/kW",
                    ));
                }
                let kwh = end(record, &path, tier, ends_block)?;
                // The last kWh tier of a block goes up to the cap; the last tier of all is open.
                let limit = Limit { kwh, kwh_per_kw: cap.clone(), ..Limit::default() };
                let open = next.is_none() && cap.is_none();
                if next.is_none() && cap.is_some() {
                    return Err(UrdbError::new(format!("{path}.unit"), "kWh", "a kWh/kW tier above the cap"));
                }
                steps.push((tier.price.clone(), (!open).then_some(limit)));
            }
            "kWh daily" => {
                let limit = end(record, &path, tier, next.is_none())?;
                steps.push((tier.price.clone(), limit.map(|kwh| Limit { kwh_per_day: Some(kwh), ..Limit::default() })));
            }
            other => return Err(UrdbError::new(format!("{path}.unit"), other, "kWh, kWh/kW or kWh daily")),
        }
    }
    Ok(steps)
}

/// The upper end of a tier; none where it is the last, and a finite one there only informs.
pub(super) fn end(record: &mut Record, path: &str, tier: &Tier, last: bool) -> Result<Option<Number>, UrdbError> {
    if !last {
        return limit_number(path, tier).map(Some);
    }
    if tier.max.as_ref().is_some_and(|max| !max.is_open()) {
        record.warn(format!("{path}.max"), "not used: the last tier is open");
    }
    Ok(None)
}

/// The upper end of a tier that must have one.
fn limit_number(path: &str, tier: &Tier) -> Result<Number, UrdbError> {
    let field = format!("{path}.max");
    let max =
        tier.max.as_ref().ok_or_else(|| UrdbError::new(&field, "nothing", "all tiers but the last need a max"))?;
    if max.is_open() || max.is_negative() {
        return Err(UrdbError::new(field, max, "a finite upper end; only the last tier is open"));
    }
    max.decimal().map(Number::from).ok_or_else(|| UrdbError::new(field, max, "a decimal of at most 28 digits"))
}

/// The limits of all months: those of most tiers, and those of months that differ from them.
fn limits(
    ladders: &[(u32, Vec<Step>)],
    weekdays: &Schedule,
    weekends: &Schedule,
) -> Result<(Vec<Limit>, Vec<SeasonalLimits>), UrdbError> {
    let mut months: Vec<(u32, Vec<Limit>)> = Vec::with_capacity(12);
    for month in 1..=12 {
        let used = |number: u32| weekdays.uses(month, number) || weekends.uses(month, number);
        let of_month: Vec<&(u32, Vec<Step>)> = ladders.iter().filter(|(number, _)| used(*number)).collect();
        months.push((month, common_limits(&of_month)?));
    }
    let main = months.iter().map(|(_, limits)| limits).max_by_key(|limits| limits.len()).cloned().unwrap_or_default();
    let mut seasonal: Vec<SeasonalLimits> = Vec::new();
    for (month, limits) in months {
        let limits = padded(limits, &main);
        if limits == main {
            continue;
        }
        match seasonal.iter_mut().find(|season| season.limits == limits) {
            Some(season) => season.months.push(month),
            None => seasonal.push(SeasonalLimits { months: [month].to_vec(), limits }),
        }
    }
    Ok((main, seasonal))
}

/// As many limits as the longest ladder of the year has. The tiers above a shorter one repeat its last price, so where they
/// begin changes nothing.
fn padded(mut limits: Vec<Limit>, main: &[Limit]) -> Vec<Limit> {
    if main.starts_with(&limits) {
        return main.to_vec();
    }
    while limits.len() < main.len() {
        let Some(mut next) = limits.last().cloned() else { return main.to_vec() };
        for number in [&mut next.kwh, &mut next.kwh_per_day, &mut next.kwh_per_kw].into_iter().flatten() {
            let raised = number.decimal().ok().and_then(|limit| limit.checked_add(Decimal::ONE));
            *number = raised.map_or_else(|| number.clone(), Number::from);
        }
        limits.push(next);
    }
    limits
}

/// The limits of the longest ladder of a month; all others of it must agree with it as far as they go.
fn common_limits(ladders: &[&(u32, Vec<Step>)]) -> Result<Vec<Limit>, UrdbError> {
    // The first of several, so that the error names a later one.
    let longest = ladders.iter().rev().max_by_key(|(_, steps)| steps.len());
    let limits: Vec<Limit> =
        longest.map(|(_, steps)| steps.iter().filter_map(|(_, limit)| limit.clone()).collect()).unwrap_or_default();
    for (number, steps) in ladders {
        for (place, ((_, own), common)) in steps.iter().zip(&limits).enumerate() {
            if own.as_ref().is_some_and(|own| own != common) {
                let field = format!("{STRUCTURE}[{number}][{place}].max");
                return Err(UrdbError::new(field, "another limit", "the same limits in all periods of a month"));
            }
        }
    }
    Ok(limits)
}

/// A rate; where its ladder is shorter than the longest one, its last price goes on.
fn rate(number: u32, steps: &[Step], limits: usize) -> Rate {
    let mut tiers: Vec<Number> = steps.iter().map(|(price, _)| price.clone()).collect();
    if let Some(last) = tiers.last().cloned() {
        tiers.resize(limits.saturating_add(1), last);
    }
    Rate { name: rate_name(number), price: None, tiers, ratio: None }
}
