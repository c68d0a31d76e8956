//! Runs the seeded simulation and prints what it found.
//!
//! ```text
//! cargo run --release -p prepay-core --features sim --example simulate -- --seed 1 --vends 100000 --json
//! ```
//!
//! `--mutant NAME` breaks one rule of the core, `--list-mutants` names them. Exits with 1 when anything is wrong. The
//! report names the first failing cell: `--cell N` with the same arguments replays it and prints its story.

use std::process::ExitCode;

use prepay_core::sim::{Config, MUTANTS, mutant, replay, run};

fn main() -> ExitCode {
    match simulate(std::env::args().skip(1)) {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("{problem}");
            eprintln!("usage: simulate [--seed N] [--vends M] [--mutant NAME] [--cell N] [--json] | --list-mutants");
            ExitCode::from(2)
        }
    }
}

fn simulate(mut arguments: impl Iterator<Item = String>) -> Result<ExitCode, String> {
    let mut config = Config { seed: 1, vends: 10_000, bend: None };
    let (mut json, mut cell) = (false, None);
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
            "--json" => json = true,
            "--list-mutants" => {
                MUTANTS.iter().for_each(|mutant| println!("{}", mutant.name));
                return Ok(ExitCode::SUCCESS);
            }
            other => return Err(format!("unknown argument {other}")),
        }
    }
    let report = match cell {
        None => run(&config),
        Some(cell) => {
            let (report, story) = replay(&config, cell);
            story.iter().for_each(|line| println!("{line}"));
            report
        }
    };
    let text = if json { serde_json::to_string(&report) } else { serde_json::to_string_pretty(&report) };
    println!("{}", text.map_err(|error| error.to_string())?);
    Ok(if report.failures() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
