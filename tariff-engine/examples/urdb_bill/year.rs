//! A year of bills under the conventions of NREL's PySAM.
#![expect(unreachable_pub, reason = "the tests take this file in as a module of their own")]

use tariff_engine::import::urdb::{FLAT_DEMAND, Imported, Options};
use tariff_engine::tariff::{FixedDays, Scope};
use tariff_engine::{
    Amount, AmountError, Bill, CompiledTariff, Energy, LineKind, Opening, PastPeak, PeakHistory, PeriodInputs,
    Rounding, RoundingMode, RunningBill, Series, UsageError,
};

const YEAR: i32 = 2018;
const YEAR_HOURS: usize = 8_760;
/// What the year's amounts are called.
pub const KEYS: [&str; 6] = ["energy", "demand_flat", "demand_tou", "fixed", "minimum", "bill"];

/// How records are read under these conventions.
pub fn options(tiers: Scope, step_s: u32) -> Options {
    Options {
        tiers,
        fixed_days: FixedDays::MeanMonth365_12,
        demand_window_minutes: Some(step_s / 60),
        ..Options::default()
    }
}

/// Step in seconds and energy of each step. Power times the step must be a whole number of 10⁻⁶ kWh.
pub fn load_of(text: &str) -> Result<(u32, Vec<Energy>), String> {
    // Spreadsheets put a mark at the beginning.
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty());
    match lines.next() {
        Some((_, "kw")) => {}
        other => return Err(format!("the header is {:?}, not \"kw\"", other.map_or("", |(_, line)| line))),
    }
    let powers = lines
        .map(|(index, line)| line.parse::<Energy>().map_err(|error| format!("line {}: {error}", index + 1)))
        .collect::<Result<Vec<_>, _>>()?;
    let a_day = powers.len() / YEAR_HOURS;
    if a_day == 0 || powers.len() % YEAR_HOURS != 0 || 60 % a_day != 0 {
        return Err(format!("{} rows; a year has 8760 hours", powers.len()));
    }
    let steps = i64::try_from(a_day).map_err(|error| error.to_string())?;
    let energies = powers
        .iter()
        .enumerate()
        .map(|(index, power)| {
            let micro = power.micro_kwh();
            if micro % steps == 0 {
                Ok(Energy::from_micro_kwh(micro / steps))
            } else {
                Err(format!("row {}: {power} kW is no whole 10⁻⁶ kWh", index + 1))
            }
        })
        .collect::<Result<_, _>>()?;
    Ok((3_600 / u32::try_from(a_day).map_err(|error| error.to_string())?, energies))
}

/// The twelve bills of the year.
pub fn bill_year(
    tariff: &CompiledTariff,
    imported: &Imported,
    step_s: u32,
    energies: &[Energy],
) -> Result<Vec<Bill>, UsageError> {
    let history = match imported.history(YEAR) {
        PeakHistory::Unknown => {
            let first = bills(tariff, PeakHistory::NewSupply, step_s, energies)?;
            PeakHistory::Known((1..).zip(&first).flat_map(|(month, bill)| peaks_before(month, bill)).collect())
        }
        known => known,
    };
    bills(tariff, history, step_s, energies)
}

/// The peaks of a month, as those of the year before.
fn peaks_before(month: u32, bill: &Bill) -> impl Iterator<Item = PastPeak> {
    bill.demand.iter().map(move |fact| PastPeak {
        charge: fact.charge.clone(),
        date: format!("{}-{month:02}-01", YEAR - 1),
        power: fact.measured_kw,
    })
}

fn bills(
    tariff: &CompiledTariff,
    history: PeakHistory,
    step_s: u32,
    energies: &[Energy],
) -> Result<Vec<Bill>, UsageError> {
    let from_utc_s = tariff.day_start_utc_s(&format!("{YEAR}-01-01")).unwrap_or_default();
    let mut running = RunningBill::open(tariff, &Opening { from_utc_s, history, ..Opening::default() })?;
    let mut bills = Vec::with_capacity(12);
    let inputs = PeriodInputs::default();
    running.run_series(&Series { start_utc_s: from_utc_s, step_s, energies }, &inputs, |bill| bills.push(bill))?;
    Ok(bills)
}

/// Unrounded amounts of a bill, in the order of the keys.
pub fn amounts(bill: &Bill) -> Result<[Amount; 6], AmountError> {
    let flat = bill.lines.iter().filter(|line| line.kind == LineKind::Demand && line.name.starts_with(FLAT_DEMAND));
    let demand = bill.sum_of(&[LineKind::Demand])?;
    let demand_flat = Amount::sum(flat.map(|line| &line.amount))?;
    Ok([
        bill.sum_of(&[LineKind::Energy])?,
        demand_flat.clone(),
        demand.minus(&demand_flat)?,
        bill.sum_of(&[LineKind::Fixed])?,
        bill.sum_of(&[LineKind::MinimumMonthly, LineKind::MinimumAnnual])?,
        bill.total.clone(),
    ])
}

/// The sums of the year.
pub fn sums(months: &[[Amount; 6]]) -> Result<[Amount; 6], AmountError> {
    let mut year: [Amount; 6] = Default::default();
    for month in months {
        for (sum, amount) in year.iter_mut().zip(month) {
            *sum = sum.plus(amount)?;
        }
    }
    Ok(year)
}

/// Rounded once, half-even, to 10 places, without trailing zeros.
pub fn printed(amount: &Amount) -> String {
    let rounding = Rounding::new(10, RoundingMode::HalfEven).expect("10 places are allowed");
    amount.round(rounding).normalize().to_string()
}
