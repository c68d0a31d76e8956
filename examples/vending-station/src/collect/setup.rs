//! From the site to its lines: what the station and a collector have to know alike.

use super::{line::LineSetup, reading::Spectacles};
use crate::site::{
    Site,
    model::{self, EqualCount},
};
use meter_protocol::acrel::{EqualCountRule, PriceDecimals, Profile, RateCodes};
use prepay_core::id::{IdError, MeterNumber};

/// A site whose lines can't be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// A bus without its gateway.
    #[error("bus `{bus}`: its gateway is missing")]
    NoGateway {
        /// The bus.
        bus: String,
    },
    /// No meter number.
    #[error("meter `{number}`: {reason}")]
    Number {
        /// What stands there.
        number: String,
        /// Why not.
        reason: String,
    },
}

/// How the site's meters are read: by what the site says that its bench tests have settled.
pub fn spectacles(settings: &model::Settings) -> Spectacles {
    let mut profile = Profile::unsettled();
    profile.price_decimals = settings.price_places.and_then(PriceDecimals::new);
    profile.rate_codes =
        settings.rate_codes_from_one.map(|from_one| if from_one { RateCodes::FromOne } else { RateCodes::FromZero });
    profile.equal_count = settings.equal_count.map(|rule| match rule {
        EqualCount::Acknowledged => EqualCountRule::Acknowledges,
        EqualCount::Refused => EqualCountRule::Refuses,
        EqualCount::Adds => EqualCountRule::AddsAgain,
    });
    Spectacles { profile, utc_offset_min: settings.utc_offset_min }
}

/// The lines of a site in their order, each with the collector that works on it; none: the station.
///
/// # Errors
/// [`SetupError`].
pub fn lines(site: &Site) -> Result<Vec<(Option<&str>, LineSetup)>, SetupError> {
    let mut lines = Vec::new();
    for (number, bus) in (0_u32..).zip(&site.buses) {
        let gateway = site.gateways.iter().find(|gateway| gateway.code == bus.gateway);
        let gateway = gateway.ok_or_else(|| SetupError::NoGateway { bus: bus.code.clone() })?;
        let mut meters = Vec::new();
        for meter in site.meters.iter().filter(|meter| meter.bus == bus.code) {
            meters.push((meter_number(meter)?, meter.unit));
        }
        let (code, address) = (bus.code.clone(), gateway.address.clone());
        lines.push((gateway.collector.as_deref(), LineSetup { code, number, address, baud: bus.baud, meters }));
    }
    Ok(lines)
}

/// The number on a meter.
///
/// # Errors
/// [`SetupError::Number`].
pub fn meter_number(meter: &model::Meter) -> Result<MeterNumber, SetupError> {
    let refuse = |reason: String| SetupError::Number { number: meter.number.clone(), reason };
    let number = meter.number.parse().map_err(|error: std::num::ParseIntError| refuse(error.to_string()))?;
    MeterNumber::new(number).map_err(|error: IdError| refuse(error.to_string()))
}
