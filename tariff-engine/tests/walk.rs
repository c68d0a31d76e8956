//! Usage in a row is looked up by walking the day's slots; it must come to what looking each interval up anew comes to.

mod random;

use random::Random;
use tariff_engine::tariff::Tariff;
use tariff_engine::{
    Bill, CompiledTariff, DemandSource, Energy, Interval, Opening, PeakHistory, PeriodInputs, RunningBill, Series,
    UsagePolicy,
};

const STEP_S: i64 = 1_800;
const TARIFFS: u64 = 120;

fn zones() -> Vec<&'static str> {
    let mut zones = vec!["+08:00", "-03:30"];
    if cfg!(feature = "chrono-tz") {
        // An hour, half an hour, and a change at midnight.
        zones.extend(["America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo"]);
    }
    zones
}

/// A random tariff without what asks for inputs, so that every month can be settled.
fn tariff(seed: u64, zone: &str) -> Option<CompiledTariff> {
    let (mut tariff, _): (Tariff, i64) = random::tariff(&mut Random::from(seed), 30);
    tariff.zone = zone.into();
    for version in &mut tariff.versions {
        version.contract.clear();
        version.power_factor = None;
        version.taxes.clear();
        version.minimum = None;
    }
    tariff.compile().ok()
}

fn opening(tariff: &CompiledTariff, date: &str) -> Opening {
    Opening {
        from_utc_s: tariff.day_start_utc_s(date).unwrap(),
        policy: UsagePolicy { demand: DemandSource::Usage, ..UsagePolicy::default() },
        history: PeakHistory::NewSupply,
        ..Opening::default()
    }
}

/// Every interval on a bill that was just resumed, so that nothing is at hand.
fn looked_up_anew(tariff: &CompiledTariff, date: &str, energies: &[Energy]) -> Vec<Bill> {
    let mut running = RunningBill::open(tariff, &opening(tariff, date)).unwrap();
    let mut bills = Vec::new();
    for energy in energies {
        running = RunningBill::resume(tariff, running.into_state()).unwrap();
        let from = running.next_utc_s();
        running.push(Interval::new(from, from + STEP_S, *energy)).unwrap();
        if running.next_utc_s() == running.period_utc_s().1 {
            bills.push(running.settle(&PeriodInputs::default()).unwrap());
        }
    }
    bills.push(running.preview(&PeriodInputs::default()).unwrap());
    bills
}

fn one_by_one(tariff: &CompiledTariff, date: &str, energies: &[Energy]) -> Vec<Bill> {
    let mut running = RunningBill::open(tariff, &opening(tariff, date)).unwrap();
    let mut bills = Vec::new();
    for energy in energies {
        let from = running.next_utc_s();
        running.push(Interval::new(from, from + STEP_S, *energy)).unwrap();
        if running.next_utc_s() == running.period_utc_s().1 {
            bills.push(running.settle(&PeriodInputs::default()).unwrap());
        }
    }
    bills.push(running.preview(&PeriodInputs::default()).unwrap());
    bills
}

fn series(tariff: &CompiledTariff, date: &str, energies: &[Energy]) -> Vec<Bill> {
    let opening = opening(tariff, date);
    let mut running = RunningBill::open(tariff, &opening).unwrap();
    let mut bills = Vec::new();
    let step_s = u32::try_from(STEP_S).unwrap();
    let series = Series { start_utc_s: opening.from_utc_s, step_s, energies };
    running.run_series(&series, &PeriodInputs::default(), |bill| bills.push(bill)).unwrap();
    bills.push(running.preview(&PeriodInputs::default()).unwrap());
    bills
}

#[test]
fn walking_comes_to_the_same_as_looking_up() {
    let mut walked = 0;
    for seed in 0..TARIFFS {
        for zone in zones() {
            let Some(tariff) = tariff(seed, zone) else { continue };
            let mut random = Random::from(seed ^ 0xfeed);
            // Over the changes of the clocks in spring and autumn, on both halves of the earth.
            let date = random.pick(&["2024-02-25", "2024-03-20", "2024-10-20", "2024-10-28", "2024-01-10"]);
            let energies: Vec<Energy> = (0..48 * 25).map(|_| Energy::from_micro_kwh(random.below(6_000_000))).collect();
            let expected = looked_up_anew(&tariff, date, &energies);
            assert_eq!(one_by_one(&tariff, date, &energies), expected, "seed {seed}, {zone}, {date}, one by one");
            assert_eq!(series(&tariff, date, &energies), expected, "seed {seed}, {zone}, {date}, in series");
            walked += 1;
        }
    }
    assert!(walked > TARIFFS, "{walked}");
}
