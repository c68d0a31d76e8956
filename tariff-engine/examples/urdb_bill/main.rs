//! Bills a year of hourly load under an OpenEI tariff.
//!
//! `urdb_bill TARIFF.json LOAD.csv [--tiers chronological|proportional|per-period] [--json]`
//!
//! The load is a CSV with the header `kw` and one mean power a row, 8760 rows (or 8760 times 2, 3, 4 …), beginning on 1 January.
//! The year is 2018 (365 days, 1 January is a Monday) at a fixed offset, and a daily fixed charge counts 365/12 days a month: the
//! conventions of NREL's PySAM, so that results can be compared. A ratchet looks back into the same year, as if it repeated, unless
//! the record has the peaks of the year before. Numbers are exact; each one printed is rounded once, half-even, to 10 places.
//!
//! Exit code 2 and the field's name for a tariff that is refused.

use std::io::Write as _;
use std::process::ExitCode;

use tariff_engine::import::urdb;
use tariff_engine::tariff::Scope;
use tariff_engine::{Amount, Rounding, RoundingMode};

mod year;

use year::{KEYS, amounts, bill_year, load_of, options, printed, sums};

/// What was asked for.
struct Arguments {
    tariff: String,
    load: String,
    tiers: Scope,
    json: bool,
}

/// Why it ends early, and with which exit code.
struct Refusal(u8, String);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Refusal(code, why)) => {
            eprintln!("urdb_bill: {why}");
            ExitCode::from(code)
        }
    }
}

fn run() -> Result<(), Refusal> {
    let arguments = arguments()?;
    let read = |path: &str| std::fs::read_to_string(path).map_err(|error| Refusal(1, format!("{path}: {error}")));
    let (record, load) = (read(&arguments.tariff)?, read(&arguments.load)?);
    let (step_s, energies) = load_of(&load).map_err(|why| Refusal(1, format!("{}: {why}", arguments.load)))?;
    let options = options(arguments.tiers, step_s);
    let refused = |why: String| Refusal(2, format!("{}: {why}", arguments.tariff));
    let imported = urdb::read(&record, &options).map_err(|error| refused(error.to_string()))?;
    let tariff = imported.tariff.compile().map_err(|error| refused(error.to_string()))?;
    for warning in &imported.warnings {
        eprintln!("{}: {}: {}", arguments.tariff, warning.field, warning.text);
    }
    let bills = bill_year(&tariff, &imported, step_s, &energies).map_err(|error| Refusal(1, error.to_string()))?;
    let months =
        bills.iter().map(amounts).collect::<Result<Vec<_>, _>>().map_err(|error| Refusal(1, error.to_string()))?;
    let year = sums(&months).map_err(|error| Refusal(1, error.to_string()))?;
    if arguments.json {
        print_json(&months, &year)
    } else {
        print_table(&months, &year)
    }
    Ok(())
}

fn arguments() -> Result<Arguments, Refusal> {
    let usage = "usage: urdb_bill TARIFF.json LOAD.csv [--tiers chronological|proportional|per-period] [--json]";
    let mut files = Vec::new();
    let (mut tiers, mut json) = (Scope::SharedChronological, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => json = true,
            "--tiers" => {
                tiers = match arguments.next().as_deref() {
                    Some("chronological") => Scope::SharedChronological,
                    Some("proportional") => Scope::SharedProportional,
                    Some("per-period") => Scope::PerPeriod,
                    other => return Err(Refusal(1, format!("--tiers {}\n{usage}", other.unwrap_or("nothing")))),
                };
            }
            option if option.starts_with("--") => return Err(Refusal(1, format!("{option} is no option\n{usage}"))),
            _ => files.push(argument),
        }
    }
    match <[String; 2]>::try_from(files) {
        Ok([tariff, load]) => Ok(Arguments { tariff, load, tiers, json }),
        Err(_) => Err(Refusal(1, usage.to_string())),
    }
}

fn print_json(months: &[[Amount; 6]], year: &[Amount; 6]) {
    let column = |index: usize| months.iter().map(|month| printed(&month[index])).collect::<Vec<_>>();
    let monthly: serde_json::Map<_, _> =
        KEYS.iter().enumerate().map(|(index, key)| ((*key).to_string(), column(index).into())).collect();
    let annual: serde_json::Map<_, _> =
        KEYS.iter().zip(year).map(|(key, amount)| ((*key).to_string(), printed(amount).into())).collect();
    say(&format!("{}\n", serde_json::json!({ "monthly": monthly, "annual": annual })));
}

fn print_table(months: &[[Amount; 6]], year: &[Amount; 6]) {
    let cent = Rounding::new(2, RoundingMode::HalfEven).expect("2 places are allowed");
    let mut text = KEYS.iter().fold(String::from("month"), |text, key| format!("{text}{key:>14}"));
    let named = (1..).map(|month: u32| month.to_string()).zip(months).chain([("year".to_string(), year)]);
    for (name, amounts) in named {
        let row = amounts.iter().map(|amount| format!("{:>14}", amount.round(cent).to_string()));
        text.push_str(&format!("\n{name:>5}{}", row.collect::<String>()));
    }
    text.push('\n');
    say(&text);
}

/// To standard output. A reader that has seen enough, such as `head`, is no failure.
fn say(text: &str) {
    if let Err(error) = std::io::stdout().write_all(text.as_bytes())
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        eprintln!("urdb_bill: standard output: {error}");
    }
}
