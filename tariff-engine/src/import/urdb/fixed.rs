//! Fixed charges and minimums, in the names of all versions of the form.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::UrdbError;
use super::number::RawNumber;
use super::record::Record;
use crate::exact::Number;
use crate::tariff::{FixedCharge, FixedDays, FixedPer, Minimum};

pub(super) fn read(record: &mut Record, days: FixedDays) -> Result<(Vec<FixedCharge>, Option<Minimum>), UrdbError> {
    Ok((fixed(record, days)?, minimum(record)?))
}

fn fixed(record: &mut Record, days: FixedDays) -> Result<Vec<FixedCharge>, UrdbError> {
    let old = amount(record, "fixedmonthlycharge")?;
    let new = amount(record, "fixedchargefirstmeter")?;
    let units = record.text("fixedchargeunits")?;
    let (price, per) = match (old, new) {
        (None, None) => return Ok(Vec::new()),
        (Some(_), Some(number)) => {
            return Err(UrdbError::new("fixedchargefirstmeter", number, "not together with fixedmonthlycharge"));
        }
        (Some(price), None) => (price, FixedPer::Month),
        (None, Some(price)) => match units.as_deref() {
            Some("$/month") => (price, FixedPer::Month),
            Some("$/day") => (price, FixedPer::Day),
            Some("$/year") => (price, FixedPer::Year),
            other => {
                let value = other.unwrap_or("nothing").to_string();
                return Err(UrdbError::new("fixedchargeunits", value, "$/month, $/day or $/year"));
            }
        },
    };
    let days = if per == FixedPer::Day { days } else { FixedDays::Real };
    Ok([FixedCharge { name: String::from("fixed charge"), price, per, days }].to_vec())
}

fn minimum(record: &mut Record) -> Result<Option<Minimum>, UrdbError> {
    let mut monthly = amount(record, "minmonthlycharge")?;
    let mut annual = amount(record, "annualmincharge")?;
    let units = record.text("minchargeunits")?;
    if let Some(number) = amount(record, "mincharge")? {
        let slot = match units.as_deref() {
            Some("$/month") => &mut monthly,
            Some("$/year") => &mut annual,
            other => {
                let value = other.unwrap_or("nothing").to_string();
                return Err(UrdbError::new("minchargeunits", value, "$/month or $/year"));
            }
        };
        if slot.is_some() {
            return Err(UrdbError::new("mincharge", number, "not together with its older name"));
        }
        *slot = Some(number);
    }
    let base = ["energy", "demand", "fixed"].map(ToString::to_string).to_vec();
    Ok((monthly.is_some() || annual.is_some()).then_some(Minimum { monthly, annual, base }))
}

/// An amount that may be missing; zero is as good as missing.
fn amount(record: &mut Record, field: &'static str) -> Result<Option<Number>, UrdbError> {
    let Some(raw) = record.optional(field)?.filter(|raw: &RawNumber| !raw.is_zero()) else { return Ok(None) };
    let wrong = || UrdbError::new(field, &raw, "a decimal of at most 28 digits");
    raw.decimal().map(|decimal| Some(Number::from(decimal))).ok_or_else(wrong)
}
