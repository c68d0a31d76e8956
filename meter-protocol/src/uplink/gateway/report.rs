//! Readings of the meters behind a gateway.

use super::GatewayError;
use super::document::value;
use super::tree::Element;
use crate::acrel::Clock;
use crate::map::Number;
use crate::uplink::parse_exact;
use std::string::String;
use std::vec::Vec;

/// A report: when, and what each meter showed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// When the gateway read, in its local time.
    pub time: Clock,
    /// The meters, in the order of the document.
    pub meters: Vec<MeterReport>,
}

/// Readings of one meter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MeterReport {
    /// Its id, as configured in the gateway. Where it has five digits, [`super::GatewayMeter::parse`] reads it.
    pub id: String,
    /// Its readings.
    pub values: Vec<ReportValue>,
}

/// One reading.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReportValue {
    /// Function id, as configured in the gateway.
    pub id: String,
    /// The value, exact; `None` when the gateway has none.
    pub value: Option<Number>,
    /// The `error` attribute; empty when all is well.
    pub error: String,
}

/// Function ids of energies. They are configured in the gateway: these defaults are those of the one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnergyNames<'a> {
    /// Total.
    pub total: &'a str,
    /// Spike rate.
    pub spike: &'a str,
    /// Peak rate.
    pub peak: &'a str,
    /// Flat rate.
    pub flat: &'a str,
    /// Valley rate.
    pub valley: &'a str,
    /// Deep-valley rate.
    pub deep_valley: &'a str,
}

impl Default for EnergyNames<'_> {
    fn default() -> Self {
        Self {
            total: "WPP",
            spike: "PowerHigher",
            peak: "PowerHigh",
            flat: "PowerFlat",
            valley: "PowerLow",
            deep_valley: "EPISG",
        }
    }
}

/// Energies of a meter in kWh, where they were reported without error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Energies {
    /// Total.
    pub total_kwh: Option<Number>,
    /// Spike rate.
    pub spike_kwh: Option<Number>,
    /// Peak rate.
    pub peak_kwh: Option<Number>,
    /// Flat rate.
    pub flat_kwh: Option<Number>,
    /// Valley rate.
    pub valley_kwh: Option<Number>,
    /// Deep-valley rate.
    pub deep_valley_kwh: Option<Number>,
}

impl MeterReport {
    /// The reading with this function id, upper or lower case, if it came without error.
    #[must_use]
    pub fn value(&self, id: &str) -> Option<Number> {
        let reading = self.values.iter().find(|value| value.id.eq_ignore_ascii_case(id))?;
        if reading.error.is_empty() { reading.value } else { None }
    }

    /// The energies under these names.
    #[must_use]
    pub fn energies(&self, names: &EnergyNames<'_>) -> Energies {
        Energies {
            total_kwh: self.value(names.total),
            spike_kwh: self.value(names.spike),
            peak_kwh: self.value(names.peak),
            flat_kwh: self.value(names.flat),
            valley_kwh: self.value(names.valley),
            deep_valley_kwh: self.value(names.deep_valley),
        }
    }
}

impl Report {
    pub(super) fn from_element(data: &Element) -> Result<Self, GatewayError> {
        let time = time_of(data.child("time")?.text())?;
        let meters: Result<Vec<_>, _> = data.children.iter().filter(|child| child.is("meter")).map(meter).collect();
        Ok(Self { time, meters: meters? })
    }
}

fn meter(element: &Element) -> Result<MeterReport, GatewayError> {
    let id = element.attribute("id").filter(|id| !id.is_empty()).ok_or(GatewayError::Missing("meter id"))?;
    let functions = element.children.iter().filter(|child| child.is("function"));
    let values: Result<Vec<_>, _> = functions.map(reading).collect();
    Ok(MeterReport { id: String::from(id), values: values? })
}

fn reading(element: &Element) -> Result<ReportValue, GatewayError> {
    let id = element.attribute("id").filter(|id| !id.is_empty()).ok_or(GatewayError::Missing("function id"))?;
    let value = match element.text() {
        "" => None,
        text => Some(parse_exact(text).map_err(|error| GatewayError::Reading { id: String::from(id), error })?),
    };
    let error = String::from(element.attribute("error").unwrap_or_default());
    Ok(ReportValue { id: String::from(id), value, error })
}

/// A time of 14 digits: year, month, day, hour, minute, second.
pub(super) fn time_of(text: &str) -> Result<Clock, GatewayError> {
    let wrong = || value("time", text);
    if text.len() != 14 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let year = text.get(..4).and_then(|digits| digits.parse().ok()).ok_or_else(wrong)?;
    let two = |at: usize| text.get(at..at.saturating_add(2)).and_then(|digits| digits.parse::<u8>().ok());
    let (Some(month), Some(day), Some(hour), Some(minute), Some(second)) = (two(4), two(6), two(8), two(10), two(12))
    else {
        return Err(wrong());
    };
    Ok(Clock::new(year, month, day, hour, minute, second)?)
}
