//! A tenant and a year of load.

use std::path::Path;

use tariff_engine::Energy;

/// Steps an hour that a load may have.
const STEPS_AN_HOUR: [usize; 5] = [1, 2, 4, 6, 12];
/// Most columns of a file.
const MOST_TENANTS: usize = 10_000;

/// One who uses electricity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tenant {
    pub(crate) name: String,
    /// What kind of business it is; `"measured"` where the load came from a file.
    pub(crate) kind: String,
    /// Length of each step, seconds.
    pub(crate) step_s: u32,
    /// Energy of each step of the year, from 1 January 00:00.
    pub(crate) energies: Vec<Energy>,
}

/// What is wrong with a file of loads.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("{path}: {error}")]
    Csv { path: String, error: csv::Error },
    #[error("{path}: row {row}, column {column:?}: {value:?} is {rule}")]
    Value { path: String, row: usize, column: String, value: String, rule: &'static str },
    #[error("{path}: {rows} rows; {year} has {hours} hours, and a load 1, 2, 4, 6 or 12 rows an hour")]
    Rows { path: String, rows: usize, year: i32, hours: usize },
    #[error("{path}: {columns} columns, at most {MOST_TENANTS}")]
    Columns { path: String, columns: usize },
}

/// Days of a year.
pub(crate) const fn days_of(year: i32) -> usize {
    if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) { 366 } else { 365 }
}

/// Reads a CSV: a header with a name for each tenant, then their mean power in kW, one row a step. One column named `kw` takes the
/// file's name.
pub(crate) fn read(file: &Path, year: i32) -> Result<Vec<Tenant>, LoadError> {
    let path = file.display().to_string();
    let wrong = |error| LoadError::Csv { path: path.clone(), error };
    let mut reader = csv::Reader::from_path(file).map_err(wrong)?;
    let headers = reader.headers().map_err(wrong)?.clone();
    if headers.len() > MOST_TENANTS {
        return Err(LoadError::Columns { path, columns: headers.len() });
    }
    let mut powers: Vec<Vec<Energy>> = vec![Vec::new(); headers.len()];
    for (place, record) in reader.records().enumerate() {
        let record = record.map_err(wrong)?;
        for ((value, column), name) in record.iter().zip(&mut powers).zip(&headers) {
            let bad = |rule| LoadError::Value {
                path: path.clone(),
                row: place + 2,
                column: name.to_string(),
                value: value.to_string(),
                rule,
            };
            let power: Energy =
                value.trim().parse().map_err(|_| bad("not a number of kW with at most six decimals"))?;
            if power < Energy::ZERO {
                return Err(bad("negative: feeding in is not priced here"));
            }
            column.push(power);
        }
    }
    let rows = powers.first().map_or(0, Vec::len);
    let hours = days_of(year) * 24;
    let steps = STEPS_AN_HOUR.into_iter().find(|steps| steps * hours == rows);
    let Some(steps) = steps else { return Err(LoadError::Rows { path, rows, year, hours }) };
    let alone = file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    powers
        .into_iter()
        .zip(&headers)
        .map(|(powers, name)| {
            let name = if headers.len() == 1 && name == "kw" { alone.clone() } else { name.to_string() };
            let energies = powers.into_iter().enumerate().map(|(row, power)| {
                energy_of(power, steps).ok_or_else(|| LoadError::Value {
                    path: path.clone(),
                    row: row + 2,
                    column: name.clone(),
                    value: power.to_string(),
                    rule: "no whole number of 10⁻⁶ kWh in a step",
                })
            });
            let energies = energies.collect::<Result<_, _>>()?;
            let step_s = u32::try_from(3_600 / steps).unwrap_or(3_600);
            Ok(Tenant { name: name.clone(), kind: "measured".into(), step_s, energies })
        })
        .collect()
}

/// Energy of a mean power in one of so many steps an hour, where it is exact.
fn energy_of(power: Energy, steps: usize) -> Option<Energy> {
    let steps = i64::try_from(steps).ok()?;
    (power.micro_kwh() % steps == 0).then(|| Energy::from_micro_kwh(power.micro_kwh() / steps))
}
