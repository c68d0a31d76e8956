//! Demand charges and lookback.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use serde_json::value::RawValue;

use super::energy::{Tier, structure};
use super::number::RawNumber;
use super::record::{Fields, Record};
use super::schedule::{Schedule, periods, rate_name};
use super::{BILLING_DEMAND, FLAT_DEMAND, TOU_DEMAND, UrdbError};
use crate::exact::{Number, Power};
use crate::tariff::{DemandCharge, DemandRate, DemandTier, EnergyCharge, Ratchet};

const FLAT: &str = "flatdemandstructure";
const FLAT_MONTHS: &str = "flatdemandmonths";
const TOU: &str = "demandratestructure";
const TOU_SCHEDULES: [&str; 2] = ["demandweekdayschedule", "demandweekendschedule"];

/// How earlier peaks bind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Lookback {
    ratchet: Option<Ratchet>,
    minimum_kw: Option<Number>,
    pub(super) year_before: Option<[Power; 12]>,
}

/// Reads the lookback fields of the form, or the extension `x_sam`.
pub(super) fn lookback(record: &mut Record) -> Result<Lookback, UrdbError> {
    let percent = record.optional("lookbackpercent")?.filter(|number| !number.is_zero());
    let range = record.optional("lookbackrange")?.filter(|number| !number.is_zero());
    let months: Option<Vec<Box<RawValue>>> = record.parsed("lookbackmonths", "a list of 12")?;
    if let Some(raw) = record.take("x_sam") {
        if percent.is_some() {
            return Err(UrdbError::new("x_sam", "given", "not together with lookbackpercent"));
        }
        return extension(raw.get());
    }
    let Some(percent) = percent else { return Ok(Lookback::default()) };
    let share = share("lookbackpercent", &percent)?;
    let lookback = match range {
        Some(range) => range
            .whole()
            .filter(|range| (1..=12).contains(range))
            .ok_or_else(|| UrdbError::new("lookbackrange", &range, "1 to 12 months"))?,
        // Months that are named one by one are those of the past year.
        None if months.is_some() => 11,
        None => return Err(UrdbError::new("lookbackrange", "nothing", "lookbackpercent needs a range or months")),
    };
    let named = months.map(|months| source_months(&months, &share)).transpose()?;
    let ratchet = match named {
        Some(share_by_month) => Ratchet { lookback, share_by_month, ..Ratchet::default() },
        None => Ratchet { lookback, share: Some(share), ..Ratchet::default() },
    };
    Ok(Lookback { ratchet: Some(ratchet), ..Lookback::default() })
}

/// A share of 0 to 1.
fn share(field: &str, number: &RawNumber) -> Result<Number, UrdbError> {
    number
        .decimal()
        .filter(|share| !number.is_negative() && *share <= rust_decimal::Decimal::ONE)
        .map(Number::from)
        .ok_or_else(|| UrdbError::new(field, number, "a share from 0 to 1"))
}

/// `true` or 1 for each month whose peaks count.
fn source_months(months: &[Box<RawValue>], share: &Number) -> Result<Vec<Number>, UrdbError> {
    if months.len() != 12 {
        return Err(UrdbError::new("lookbackmonths", format!("{} entries", months.len()), "12 entries"));
    }
    let entry = |(place, raw): (usize, &RawValue)| match raw.get() {
        "true" | "1" | "1.0" => Ok(share.clone()),
        "false" | "0" | "0.0" => Ok(Number::from(0)),
        other => Err(UrdbError::new(format!("lookbackmonths[{place}]"), other, "true or false")),
    };
    months.iter().map(AsRef::as_ref).enumerate().map(entry).collect()
}

/// The extension with which a record says what the form can't: lookback per cent by month, whether the own month counts in full,
/// a floor, and the peaks of the year before. The own month always counts at its per cent at least.
fn extension(json: &str) -> Result<Lookback, UrdbError> {
    let fields: Fields = serde_json::from_str(json).map_err(|error| UrdbError::new("x_sam", error, "a JSON object"))?;
    let mut lookback = Lookback::default();
    let mut ratchet = Ratchet { lookback: 11, ..Ratchet::default() };
    let mut own_in_full: Vec<bool> = [false; 12].to_vec();
    for (key, raw) in fields.iter() {
        let path = format!("x_sam.{key}");
        let list = |rule| {
            let parsed: Result<Vec<&RawValue>, _> = serde_json::from_str(raw.get());
            parsed.map_err(|error| UrdbError::new(&path, error, rule))
        };
        let wrong = |value: &str, rule| UrdbError::new(&path, value, rule);
        match key.as_str() {
            "billing_demand_minimum_kw" => {
                let number = RawNumber::parse(raw.get()).and_then(|number| number.decimal());
                lookback.minimum_kw = Some(number.map(Number::from).ok_or_else(|| wrong(raw.get(), "kW"))?);
            }
            "lookback_months" => {
                let months = RawNumber::parse(raw.get()).and_then(|number| number.whole());
                ratchet.lookback = months.ok_or_else(|| wrong(raw.get(), "a number of months"))?;
            }
            "lookback_percent_by_month" => {
                ratchet.share_by_month = list("12 numbers")?
                    .iter()
                    .map(|raw| {
                        let percent = RawNumber::parse(raw.get()).and_then(|number| number.decimal());
                        let share = percent.and_then(|percent| percent.checked_div(rust_decimal::Decimal::ONE_HUNDRED));
                        share.map(Number::from).ok_or_else(|| wrong(raw.get(), "a per cent"))
                    })
                    .collect::<Result<_, _>>()?;
            }
            "use_current_month_actual" => {
                own_in_full =
                    serde_json::from_str(raw.get()).map_err(|_| wrong(raw.get(), "12 times true or false"))?;
            }
            "tou_periods_in_ratchet" => {
                if list("a list of periods")?.iter().any(|raw| raw.get() != "0") {
                    return Err(wrong(raw.get(), "only period 0"));
                }
            }
            // Another reading of the same peaks.
            "year_zero_peaks_kw" => {}
            "year_zero_peaks_raw" => lookback.year_before = Some(year_before(&path, &list("12 numbers")?)?),
            _ => return Err(wrong(raw.get(), "a field that is known")),
        }
    }
    if ratchet.share_by_month.len() != 12 || own_in_full.len() != 12 {
        return Err(UrdbError::new("x_sam", "lists of other lengths", "12 entries, January first"));
    }
    ratchet.own_share_by_month = own_in_full
        .iter()
        .zip(&ratchet.share_by_month)
        .map(|(in_full, share)| if *in_full { Number::from(1) } else { share.clone() })
        .collect();
    lookback.ratchet = Some(ratchet);
    Ok(lookback)
}

/// Peaks below zero never bind.
fn year_before(path: &str, list: &[&RawValue]) -> Result<[Power; 12], UrdbError> {
    let mut peaks = [Power::ZERO; 12];
    if list.len() != peaks.len() {
        return Err(UrdbError::new(path, format!("{} numbers", list.len()), "12 numbers"));
    }
    for (peak, raw) in peaks.iter_mut().zip(list) {
        let number = RawNumber::parse(raw.get());
        let power = number.and_then(|number| number.decimal()).and_then(|kw| Power::from_decimal(kw).ok());
        let power = power.ok_or_else(|| UrdbError::new(path, raw.get(), "kW with at most 6 places"))?;
        *peak = power.max(Power::ZERO);
    }
    Ok(peaks)
}

pub(super) fn read(
    record: &mut Record,
    energy: &EnergyCharge,
    lookback: &Lookback,
) -> Result<Vec<DemandCharge>, UrdbError> {
    let mut charges = flat(record, lookback)?;
    if let Some(charge) = tou(record)? {
        if lookback.ratchet.is_some() {
            return Err(UrdbError::new(TOU, "given with lookback", "lookback binds flat demand and kWh/kW only"));
        }
        charges.push(charge);
    }
    if energy.ladder.as_ref().is_some_and(|ladder| ladder.demand.is_some()) {
        charges.push(DemandCharge {
            name: BILLING_DEMAND.to_string(),
            rates: [DemandRate { name: rate_name(0), ..DemandRate::default() }].to_vec(),
            minimum_kw: lookback.minimum_kw.clone(),
            ratchet: lookback.ratchet.clone(),
            ..DemandCharge::default()
        });
    }
    Ok(charges)
}

/// One charge for each structure that some month names.
fn flat(record: &mut Record, lookback: &Lookback) -> Result<Vec<DemandCharge>, UrdbError> {
    let structure = structure(record, FLAT, "kW")?;
    let months: Option<Vec<Box<RawValue>>> = record.parsed(FLAT_MONTHS, "12 numbers")?;
    let Some(structure) = structure else {
        let names_none = months.is_none_or(|months| {
            months.iter().all(|raw| RawNumber::parse(raw.get()).is_some_and(|number| number.is_zero()))
        });
        return if names_none {
            Ok(Vec::new())
        } else {
            Err(UrdbError::new(FLAT, "nothing", "flatdemandmonths name it"))
        };
    };
    if is_free(&structure) {
        return Ok(Vec::new());
    }
    let months =
        months.ok_or_else(|| UrdbError::new(FLAT_MONTHS, "nothing", "flatdemandstructure needs its months"))?;
    if months.len() != 12 {
        return Err(UrdbError::new(FLAT_MONTHS, format!("{} numbers", months.len()), "12 numbers"));
    }
    let mut by_structure: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
    for ((month, raw), place) in (1..).zip(&months).zip(0_usize..) {
        let number = RawNumber::parse(raw.get()).and_then(|number| number.whole());
        let number = number.and_then(|number| usize::try_from(number).ok()).filter(|number| *number < structure.len());
        let field = format!("{FLAT_MONTHS}[{place}]");
        let number = number.ok_or_else(|| UrdbError::new(field, raw.get(), "the number of a structure"))?;
        by_structure.entry(number).or_default().push(month);
    }
    let mut charges = Vec::new();
    for (number, months) in by_structure {
        let Some(tiers) = structure.get(number) else { continue };
        let path = format!("{FLAT}[{number}]");
        let mut rate = DemandRate { name: rate_name(0), ..DemandRate::default() };
        rate.tiers = demand_tiers(record, &path, tiers)?;
        charges.push(DemandCharge {
            name: format!("{FLAT_DEMAND} {number}"),
            rates: [rate].to_vec(),
            months,
            minimum_kw: lookback.minimum_kw.clone(),
            ratchet: lookback.ratchet.clone(),
            ..DemandCharge::default()
        });
    }
    Ok(charges)
}

fn tou(record: &mut Record) -> Result<Option<DemandCharge>, UrdbError> {
    let structure = structure(record, TOU, "kW")?;
    let [weekday_field, weekend_field] = TOU_SCHEDULES;
    let (weekdays, weekends) = (Schedule::read(record, weekday_field)?, Schedule::read(record, weekend_field)?);
    let Some(structure) = structure else {
        let names_none = [&weekdays, &weekends].into_iter().flatten().all(Schedule::is_zero);
        if !names_none {
            return Err(UrdbError::new(TOU, "nothing", "the demand schedules name periods of it"));
        }
        if weekdays.is_some() || weekends.is_some() {
            record.warn(weekday_field, "not used: there are no demand rates");
        }
        return Ok(None);
    };
    for (field, schedule) in TOU_SCHEDULES.into_iter().zip([&weekdays, &weekends]) {
        if let Some(schedule) = schedule {
            schedule.check(field, structure.len())?;
        }
    }
    if is_free(&structure) {
        return Ok(None);
    }
    let missing = |field| UrdbError::new(field, "nothing", "demand rates need their schedules");
    let weekdays = weekdays.ok_or_else(|| missing(weekday_field))?;
    let weekends = weekends.ok_or_else(|| missing(weekend_field))?;
    let mut used = weekdays.used();
    used.extend(weekends.used());
    used.sort_unstable();
    used.dedup();
    let mut rates = Vec::with_capacity(used.len());
    for number in used {
        let Some(tiers) = usize::try_from(number).ok().and_then(|number| structure.get(number)) else { continue };
        let path = format!("{TOU}[{number}]");
        let tiers = demand_tiers(record, &path, tiers)?;
        rates.push(DemandRate { name: rate_name(number), price: None, tiers });
    }
    Ok(Some(DemandCharge {
        name: TOU_DEMAND.to_string(),
        rates,
        periods: periods(&weekdays, &weekends),
        ..DemandCharge::default()
    }))
}

/// Whether all prices are zero: nothing is charged then.
fn is_free(structure: &[Vec<Tier>]) -> bool {
    structure.iter().flatten().all(|tier| tier.price.decimal().is_ok_and(|price| price.is_zero()))
}

fn demand_tiers(record: &mut Record, path: &str, tiers: &[Tier]) -> Result<Vec<DemandTier>, UrdbError> {
    let mut read = Vec::with_capacity(tiers.len());
    for (place, tier) in tiers.iter().enumerate() {
        let path = format!("{path}[{place}]");
        if tier.unit != "kW" {
            return Err(UrdbError::new(format!("{path}.unit"), &tier.unit, "only kW"));
        }
        let last = place.saturating_add(1) == tiers.len();
        let to_kw = super::energy::end(record, &path, tier, last)?;
        read.push(DemandTier { to_kw, price: tier.price.clone() });
    }
    Ok(read)
}
