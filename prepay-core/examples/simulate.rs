//! Runs the seeded simulation and prints what it found.
//!
//! ```text
//! cargo run --release -p prepay-core --features sim --example simulate -- --seed 1 --vends 100000 --json
//! ```
//!
//! `--mutant NAME` breaks one rule of the core, `--list-mutants` names them. Exits with 1 when anything is wrong and says
//! so on standard error: `--cell N` with the same arguments replays that cell to the same step and prints its story,
//! `--shrink` looks for the shortest story of the same failure.

use std::process::ExitCode;
use std::time::Instant;

use prepay_core::sim::{Config, MUTANTS, Report, mutant, replay, run, shrink};

const USAGE: &str =
    "usage: simulate [--seed N] [--vends M] [--mutant NAME] [--cell N | --shrink] [--json] | --list-mutants";

fn main() -> ExitCode {
    match simulate(std::env::args().skip(1)) {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn simulate(mut arguments: impl Iterator<Item = String>) -> Result<ExitCode, String> {
    let mut config = Config { seed: 1, vends: 10_000, bend: None };
    let (mut json, mut cell, mut shrinks) = (false, None, false);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--seed" => config.seed = value()?.parse().map_err(|error| format!("--seed: {error}"))?,
            "--vends" => config.vends = value()?.parse().map_err(|error| format!("--vends: {error}"))?,
            "--mutant" => {
                let name = value()?;
                let known = mutant(&name).ok_or(format!("no mutant is called {name}; see --list-mutants"))?;
                config.bend = Some(known.bend);
            }
            "--cell" => cell = Some(value()?.parse().map_err(|error| format!("--cell: {error}"))?),
            "--shrink" => shrinks = true,
            "--json" => json = true,
            "--list-mutants" => {
                MUTANTS.iter().for_each(|mutant| println!("{}", mutant.name));
                return Ok(ExitCode::SUCCESS);
            }
            other => return Err(format!("unknown argument {other}")),
        }
    }
    if shrinks {
        return Ok(shrunk(&config));
    }
    #[expect(clippy::disallowed_methods, reason = "only the speed is measured with it")]
    let begun = Instant::now();
    let report = match cell {
        None => run(&config),
        Some(cell) => {
            let (report, story) = replay(&config, cell);
            story.iter().for_each(|line| println!("{line}"));
            report
        }
    };
    let minutes = begun.elapsed().as_secs_f64() / 60.0;
    let summary = report.summary();
    let text = if json { serde_json::to_string(&summary) } else { serde_json::to_string_pretty(&summary) };
    println!("{}", text.map_err(|error| error.to_string())?);
    eprintln!("{:.1} million vends a minute", report.vends as f64 / minutes / 1e6);
    Ok(verdict(&report))
}

fn verdict(report: &Report) -> ExitCode {
    if report.failures() == 0 {
        return ExitCode::SUCCESS;
    }
    let cell = report.first_failure.map_or(String::new(), |cell| format!("; the first in cell {cell}"));
    eprintln!("{} things are wrong: {:?}{cell}", report.failures(), report.broken());
    ExitCode::FAILURE
}

fn shrunk(config: &Config) -> ExitCode {
    let Some(shrunk) = shrink(config) else {
        println!("nothing fails in {} vends of seed {}", config.vends, config.seed);
        return ExitCode::SUCCESS;
    };
    shrunk.story.iter().for_each(|line| println!("{line}"));
    let lines = shrunk.story.len();
    println!("cell {}, {} vends, {lines} lines: {:?}", shrunk.cell, shrunk.vends, shrunk.broken);
    ExitCode::FAILURE
}
