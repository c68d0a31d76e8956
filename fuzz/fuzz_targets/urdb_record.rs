//! An OpenEI record: read, compiled, billed for a month.
//!
//! It must hold that nothing panics; that what is refused names a field; that a record is read the same a second time,
//! and within a list of one; that an imported tariff is the same after it was written and read; that a bill of a compiled one
//! has lines that sum to its total and the energy that was used.
#![no_main]

use fuzz::mutate_words;
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use tariff_engine::import::urdb::{self, Imported, Options};
use tariff_engine::tariff::{FixedDays, Scope};
use tariff_engine::{Amount, Energy, Opening, PeriodInputs, RunningBill, Series, Tariff};

/// Half-hours of January.
const STEPS: i64 = 48 * 31;
const STEP_S: u32 = 1_800;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    let options = options(bytes.len());
    match urdb::read(text, &options) {
        Ok(imported) => {
            assert_eq!(urdb::read(text, &options).as_ref(), Ok(&imported));
            if !text.contains("\"items\"") {
                assert_eq!(urdb::read(&format!("{{\"items\":[{text}]}}"), &options).as_ref(), Ok(&imported));
            }
            taken(&imported, options.demand_window_minutes);
        }
        Err(error) => assert!(!error.field.is_empty() && !error.rule.is_empty()),
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    if seed % 4 == 0 {
        fuzzer_mutate(data, size, max_size)
    } else {
        mutate_words(data, size, max_size, seed >> 2, WORDS)
    }
});

/// Every way to take a record comes up, by the length of its text.
fn options(len: usize) -> Options {
    let tiers = [Scope::SharedChronological, Scope::SharedProportional, Scope::PerPeriod][len % 3];
    let fixed_days = if len % 2 == 0 { FixedDays::Real } else { Options::default().fixed_days };
    let demand_window_minutes = (len % 5 == 0).then_some(30);
    Options { tiers, fixed_days, demand_window_minutes, ..Options::default() }
}

fn taken(imported: &Imported, window: Option<u32>) {
    let json = serde_json::to_string(&imported.tariff).expect("it can be written");
    assert_eq!(serde_json::from_str::<Tariff>(&json).expect("our own text"), imported.tariff);
    let compiled = match imported.tariff.compile() {
        Ok(compiled) => compiled,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let opening = Opening { history: imported.history(1970), ..Opening::default() };
    let Ok(mut running) = RunningBill::open(&compiled, &opening) else { return };
    let energies: Vec<_> = (0..STEPS).map(|step| Energy::from_micro_kwh(step * step % 41 * 1_000_003)).collect();
    // A tariff without demand takes any step.
    let step_s = if window == Some(30) { STEP_S } else { 2 * STEP_S };
    let energies = &energies[..energies.len() * 1_800 / usize::try_from(step_s).expect("seconds")];
    let series = Series { start_utc_s: running.next_utc_s(), step_s, energies };
    if running.push_series(&series).is_err() {
        return;
    }
    let used: i64 = energies.iter().map(|energy| energy.micro_kwh()).sum();
    if let Ok(bill) = running.settle(&PeriodInputs::default()) {
        let lines = Amount::sum(bill.lines.iter().map(|line| &line.amount)).expect("few lines");
        assert_eq!((lines, bill.energy.micro_kwh()), (bill.total.clone(), used));
    }
}

/// Fields and values of records.
const WORDS: &[&str] = &[
    "\"name\"",
    "\"uri\"",
    "\"startdate\"",
    "\"enddate\"",
    "\"sector\"",
    "\"description\"",
    "\"energyratestructure\"",
    "\"energyweekdayschedule\"",
    "\"energyweekendschedule\"",
    "\"demandratestructure\"",
    "\"demandweekdayschedule\"",
    "\"demandweekendschedule\"",
    "\"demandrateunit\"",
    "\"demandwindow\"",
    "\"demandunits\"",
    "\"demandratchetpercentage\"",
    "\"demandreactivepowercharge\"",
    "\"flatdemandstructure\"",
    "\"flatdemandmonths\"",
    "\"flatdemandunit\"",
    "\"coincidentratestructure\"",
    "\"coincidentschedule\"",
    "\"coincidentrateunit\"",
    "\"fixedchargefirstmeter\"",
    "\"fixedchargeunits\"",
    "\"fixedmonthlycharge\"",
    "\"minmonthlycharge\"",
    "\"annualmincharge\"",
    "\"mincharge\"",
    "\"minchargeunits\"",
    "\"lookbackpercent\"",
    "\"lookbackmonths\"",
    "\"lookbackrange\"",
    "\"dgrules\"",
    "\"usenetmetering\"",
    "\"items\"",
    "\"rate\"",
    "\"adj\"",
    "\"sell\"",
    "\"max\"",
    "\"unit\"",
    "\"kW\"",
    "\"kWh\"",
    "\"kWh daily\"",
    "\"kWh/kW\"",
    "\"kWh/kW daily\"",
    "\"$/day\"",
    "\"$/month\"",
    "\"$/year\"",
    "\"2018-02-29\"",
    "\"\"",
    "0",
    "1",
    "2",
    "3",
    "6",
    "11",
    "12",
    "15",
    "24",
    "30",
    "100",
    "-1",
    "0.5",
    "0.10594002",
    "1e38",
    "1e-9",
    "99999999999999999999",
    "null",
    "true",
    "[]",
    "{}",
    "[0,0,0,0,0,0,0,0,0,0,0,0]",
    "[0,0,0,0,0,1,1,1,1,0,0,0]",
    "[0,0,0,0,0,0,0,0,1,1,1,1,1,1,1,1,1,1,0,0,0,0,0,0]",
    "[false,true,false,false,false,true,true,true,false,false,false,true]",
];
