//! Who gains and who loses when tenants' prices change from a flat one to time of use or a ladder.
//!
//! `cargo run --release -p tariff-study` makes sixty tenants from a seed, bills a year of each under three tariffs, and writes tables
//! (CSV) and plots (SVG, PNG). `--load FILE.csv` takes measured tenants instead, `--tariff FILE.toml` other tariffs; the first tariff
//! is the one that the others are compared with.

mod load;
mod plot;
mod study;
mod table;
mod tenants;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use load::{LoadError, Tenant};
use study::{Study, StudyError};
use tariff_engine::{CompiledTariff, Tariff};

/// The tariffs of a study that names none.
const TARIFFS: [(&str, &str); 3] = [
    ("flat", include_str!("../tariffs/flat.toml")),
    ("time of use", include_str!("../tariffs/time_of_use.toml")),
    ("ladder", include_str!("../tariffs/ladder.toml")),
];

/// Who gains and who loses under which tariff.
#[derive(Parser)]
struct Arguments {
    /// Where tables and plots go.
    #[arg(long, default_value = "tariff-study-results")]
    out: PathBuf,
    /// Seed of the made-up tenants: the same seed gives the same files.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many tenants are made up.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    tenants: u32,
    /// The calendar year that is billed.
    #[arg(long, default_value_t = 2025, value_parser = clap::value_parser!(i32).range(1990..=2100))]
    year: i32,
    /// Measured loads instead of made-up ones: a CSV with a column for each tenant (mean kW of each step of a year).
    #[arg(long = "load", value_name = "FILE.csv")]
    loads: Vec<PathBuf>,
    /// Tariffs instead of the built-in ones, TOML; the first is the one that the others are compared with.
    #[arg(long = "tariff", value_name = "FILE.toml")]
    tariffs: Vec<PathBuf>,
}

/// Why there is no study.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{path}: {error}")]
    File { path: String, error: std::io::Error },
    #[error("{path}: {error}")]
    Document { path: String, error: toml::de::Error },
    #[error("{path}: {error}")]
    Tariff { path: String, error: tariff_engine::CompileError },
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Study(#[from] StudyError),
    #[error("{path}: {error}")]
    Table { path: String, error: csv::Error },
    #[error("{path}: {error}")]
    Plot { path: String, error: plot::PlotError },
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("tariff-study: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let tariffs = tariffs(&arguments.tariffs)?;
    let tenants = tenants(arguments)?;
    let count = tenants.len();
    let mut done = 0;
    let study = Study::run(&tariffs, &tenants, arguments.year, |tenant| {
        done += 1;
        progress(done, count, &tenant.name);
    })?;
    std::fs::create_dir_all(&arguments.out)
        .map_err(|error| Failure::File { path: arguments.out.display().to_string(), error })?;
    let place = |file: &str| arguments.out.join(file);
    let table = |path: PathBuf, written: Result<(), csv::Error>| {
        written.map_err(|error| Failure::Table { path: path.display().to_string(), error })
    };
    table(place("bills.csv"), table::bills(&place("bills.csv"), &study))?;
    table(place("tenants.csv"), table::tenants(&place("tenants.csv"), &study))?;
    for (name, draw) in plot::ALL {
        plot::both(&arguments.out, name, draw, &study)
            .map_err(|(path, error)| Failure::Plot { path: path.display().to_string(), error })?;
    }
    print!("{}", table::summary(&study));
    println!(
        "bills.csv, tenants.csv, gains.svg, gains.png, prices.svg and prices.png are in {}",
        arguments.out.display()
    );
    Ok(())
}

/// One line on standard error that grows, or one for each tenth where that is no terminal.
fn progress(done: usize, count: usize, name: &str) {
    use std::io::IsTerminal as _;
    let mut out = std::io::stderr();
    let terminal = out.is_terminal();
    // What can't be shown is not missed.
    let _ = if terminal {
        let end = if done == count { "\n" } else { "" };
        write!(out, "\r\x1b[K{done} of {count} tenants: {name}{end}").and_then(|()| out.flush())
    } else if done == count || done.is_multiple_of(count.div_ceil(10)) {
        writeln!(out, "{done} of {count} tenants")
    } else {
        Ok(())
    };
}

fn tariffs(files: &[PathBuf]) -> Result<Vec<CompiledTariff>, Failure> {
    let compiled = |path: &str, text: &str| {
        let path = path.to_string();
        let document: Tariff = toml::from_str(text).map_err(|error| Failure::Document { path: path.clone(), error })?;
        document.compile().map_err(|error| Failure::Tariff { path, error })
    };
    if files.is_empty() {
        return TARIFFS.iter().map(|(name, text)| compiled(name, text)).collect();
    }
    files
        .iter()
        .map(|file| {
            let path = file.display().to_string();
            let text = std::fs::read_to_string(file).map_err(|error| Failure::File { path: path.clone(), error })?;
            compiled(&path, &text)
        })
        .collect()
}

fn tenants(arguments: &Arguments) -> Result<Vec<Tenant>, Failure> {
    if arguments.loads.is_empty() {
        return Ok(tenants::made_up(arguments.seed, arguments.tenants, arguments.year));
    }
    let mut tenants = Vec::new();
    for file in &arguments.loads {
        tenants.extend(load::read(file, arguments.year)?);
    }
    Ok(tenants)
}
