//! Import of OpenEI utility-rate records (URDB), all versions of the form that are met in public.
//!
//! Numbers are read digit for digit, never through a float. What can't be honoured is refused by the name of its field; what only
//! informs, or is left out by convention (`sell`, `dgrules`), is a warning. A record has one set of prices, so the tariff has one
//! version; it counts whole calendar months.
//!
//! ```
//! use tariff_engine::import::urdb::{self, Options};
//! let record = format!(
//!     r#"{{"name": "flat", "energyratestructure": [[{{"rate": 0.10594002, "adj": 0.01}}]],
//!         "energyweekdayschedule": {0}, "energyweekendschedule": {0}, "fixedchargefirstmeter": 16.43,
//!         "fixedchargeunits": "$/month"}}"#,
//!     format!("{:?}", [[0; 24]; 12]),
//! );
//! let imported = urdb::read(&record, &Options::default()).unwrap();
//! assert!(imported.warnings.is_empty());
//! assert!(imported.tariff.compile().is_ok());
//! ```

mod demand;
mod energy;
mod fixed;
mod number;
mod record;
mod schedule;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::exact::Power;
use crate::running::{PastPeak, PeakHistory};
use crate::tariff::{Billing, Calendar, FixedDays, RoundingPolicy, SCHEMA, Scope, Tariff, Version};
use record::Record;

/// What a record leaves open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Time zone of the schedules; a fixed offset, because records are used without daylight saving time.
    pub zone: String,
    /// First day of the version.
    pub from: String,
    /// How tiers and periods meet.
    pub tiers: Scope,
    /// Which days a daily fixed charge counts.
    pub fixed_days: FixedDays,
    /// Demand window in minutes, in place of the record's own; 60 where neither has one.
    pub demand_window_minutes: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            zone: "UTC".to_string(),
            from: "1970-01-01".to_string(),
            tiers: Scope::SharedChronological,
            fixed_days: FixedDays::Real,
            demand_window_minutes: None,
        }
    }
}

/// A record, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The tariff.
    pub tariff: Tariff,
    /// What was left out, or taken in a way worth knowing.
    pub warnings: Vec<Warning>,
    /// First day on which the record says it is effective, as it is written there.
    pub effective_from: Option<String>,
    /// Peaks of the year before, January first, where the record has them; a peak that never binds is zero.
    pub year_before: Option<[Power; 12]>,
}

/// Names of the demand charges of imported tariffs: flat ones begin with this,
pub const FLAT_DEMAND: &str = "flat demand";
/// the one by period is this,
pub const TOU_DEMAND: &str = "period demand";
/// and the one that only measures, for limits per kW, is this.
pub const BILLING_DEMAND: &str = "billing demand";

impl Imported {
    /// The peaks of the year before `year`, for the ratchets of the tariff.
    pub fn history(&self, year: i32) -> PeakHistory {
        let Some(peaks) = self.year_before else { return PeakHistory::Unknown };
        let before = year.saturating_sub(1);
        let charges = self.tariff.versions.iter().flat_map(|version| &version.demand);
        let known = charges.flat_map(|charge| {
            (1..=12).zip(peaks).map(move |(month, power)| PastPeak {
                charge: charge.name.clone(),
                date: format!("{before:04}-{month:02}-01"),
                power,
            })
        });
        PeakHistory::Known(known.collect())
    }
}

/// Something that was not taken as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The field.
    pub field: String,
    /// What happened to it.
    pub text: &'static str,
}

/// Why a record was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {value}: {rule}")]
#[non_exhaustive]
pub struct UrdbError {
    /// The field, such as `energyratestructure[0][1].rate`.
    pub field: String,
    /// What it says.
    pub value: String,
    /// The rule that it breaks.
    pub rule: &'static str,
}

impl UrdbError {
    fn new(field: impl ToString, value: impl ToString, rule: &'static str) -> Self {
        Self { field: field.to_string(), value: value.to_string(), rule }
    }
}

/// Reads a record: a JSON object, alone or inside `{"items": [...]}`.
///
/// # Errors
/// [`UrdbError`] with the name of the field.
pub fn read(json: &str, options: &Options) -> Result<Imported, UrdbError> {
    let mut record = Record::parse(json)?;
    let billing_demand = demand::lookback(&mut record)?;
    let energy = energy::read(&mut record, options.tiers)?;
    let demand = demand::read(&mut record, &energy, &billing_demand)?;
    let (fixed, minimum) = fixed::read(&mut record, options.fixed_days)?;
    let window = record.optional("demandwindow")?;
    let window = match (options.demand_window_minutes, window) {
        (Some(minutes), Some(_)) => {
            record.warn("demandwindow", "replaced by the window that was asked for");
            minutes
        }
        (Some(minutes), None) => minutes,
        (None, Some(minutes)) => {
            minutes.whole().ok_or_else(|| UrdbError::new("demandwindow", minutes, "whole minutes"))?
        }
        (None, None) => 60,
    };
    let name = record.text("name")?.filter(|name| !name.is_empty()).unwrap_or_else(|| "URDB record".to_string());
    let effective_from = record.start_date()?;
    let source = record.text("uri")?.unwrap_or_default();
    let warnings = record.finish()?;
    let version = Version {
        from: options.from.clone(),
        until: None,
        source,
        energy,
        demand_window_minutes: (!demand.is_empty()).then_some(window),
        demand,
        contract: Vec::new(),
        fixed,
        power_factor: None,
        minimum,
        taxes: Vec::new(),
    };
    let tariff = Tariff {
        schema: SCHEMA,
        name: name.chars().filter(|letter| !letter.is_control()).take(crate::limits::MAX_NAME_CHARS).collect(),
        currency: "USD".to_string(),
        zone: options.zone.clone(),
        billing: Billing::default(),
        calendar: Calendar::default(),
        rounding: RoundingPolicy::default(),
        versions: [version].to_vec(),
    };
    Ok(Imported { tariff, warnings, effective_from, year_before: billing_demand.year_before })
}
