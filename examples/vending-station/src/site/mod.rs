//! The site file: what stands where, who rents it, what it costs.
//!
//! One TOML file or a folder of CSV files (`site.csv`, `building.csv`, `collector.csv`, `gateway.csv`, `bus.csv`, `tariff.csv`,
//! `tenant.csv`, `meter.csv`) with the same fields. Everything is checked before anything is stored.

pub mod check;
pub mod model;
pub mod raw;
pub mod row;

pub use check::Checked;
pub use model::Site;
pub use row::Complaint;
use std::{path::Path, sync::Arc};

/// Reads and checks a site file or folder.
///
/// # Errors
/// All that is wrong with it, in the order of the file.
pub fn load(path: &Path) -> Result<Checked, Vec<Complaint>> {
    check::check(&raw::read(path)?)
}

/// Checks a site that is at hand as TOML text; `name` stands for the file in complaints.
///
/// # Errors
/// All that is wrong with it, in the order of the text.
pub fn from_toml(name: &str, text: &str) -> Result<Checked, Vec<Complaint>> {
    check::check(&raw::from_toml(&name.into(), text, Path::new(""))?)
}

/// Checks a site that is at hand as the texts of CSV files, each with its kind (of [`raw::KINDS`]) and its name.
///
/// # Errors
/// All that is wrong with it, in the order of the files.
pub fn from_csv(files: &[(&'static str, Arc<str>, String)]) -> Result<Checked, Vec<Complaint>> {
    check::check(&raw::from_csv(files, Path::new(""))?)
}
