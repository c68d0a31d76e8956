//! Times a bill-year of an OpenEI record and a load, twelve settled bills included, and prints the fastest run and the year's bill.
//!
//! `bill_year TARIFF.json LOAD.csv [RUNS]`, with files and conventions as those of `urdb_bill`. `scripts/bench-pysam` runs it.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use tariff_engine::import::urdb;
use tariff_engine::tariff::Scope;
use tariff_engine::{Amount, CompiledTariff, Energy, Opening, PeriodInputs, RunningBill, Series};

#[expect(dead_code, reason = "the reading of files is shared with the example, the printing is not")]
#[path = "../../tariff-engine/examples/urdb_bill/year.rs"]
mod year;

/// Runs without an argument.
const RUNS: usize = 300;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("usage: bill_year TARIFF.json LOAD.csv [RUNS]");
    let (record, load) = (std::fs::read_to_string(next()?)?, std::fs::read_to_string(next()?)?);
    let runs = next().map_or(Ok(RUNS), |runs| runs.parse())?;
    let (step_s, energies) = year::load_of(&load)?;
    let imported = urdb::read(&record, &year::options(Scope::SharedProportional, step_s))?;
    let tariff = imported.tariff.compile()?;
    let mut fastest = Duration::MAX;
    let mut bill = Amount::ZERO;
    for _ in 0..runs {
        let began = Instant::now();
        bill = bill_year(black_box(&tariff), step_s, black_box(&energies))?;
        fastest = fastest.min(began.elapsed());
    }
    println!("{{\"nanoseconds\": {}, \"bill\": \"{}\"}}", fastest.as_nanos(), year::printed(&bill));
    Ok(())
}

fn bill_year(tariff: &CompiledTariff, step_s: u32, energies: &[Energy]) -> Result<Amount, Box<dyn Error>> {
    let start_utc_s = tariff.day_start_utc_s("2018-01-01").ok_or("no such day")?;
    let mut running = RunningBill::open(tariff, &Opening { from_utc_s: start_utc_s, ..Opening::default() })?;
    let series = Series { start_utc_s, step_s, energies };
    let mut bills = Vec::with_capacity(12);
    running.run_series(&series, &PeriodInputs::default(), |bill| bills.push(bill))?;
    Ok(Amount::sum(bills.iter().map(|bill| &bill.total))?)
}
