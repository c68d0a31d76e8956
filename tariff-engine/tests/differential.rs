//! Random tariffs and loads, priced by the crate and by an independent reference; every amount must agree exactly.
//!
//! `DIFFERENTIAL_CASES` and `DIFFERENTIAL_SEED` in the environment make it a campaign.

mod agreement;
mod random;
mod reference;

use random::Random;

/// Cases of a plain test run.
const CASES: u64 = 10_000;
const SEED: u64 = 20_260_101;

fn one(seed: u64) {
    agreement::agree(&mut Random::from(seed), &format!("seed {seed}"));
}

#[test]
fn random_tariffs_and_loads_agree_with_the_reference() {
    let read = |name: &str, default: u64| std::env::var(name).ok().map_or(default, |text| text.parse().unwrap());
    let (cases, seed) = (read("DIFFERENTIAL_CASES", CASES), read("DIFFERENTIAL_SEED", SEED));
    println!("{cases} cases from seed {seed}");
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || (0..cases).filter(|case| case % threads == thread).for_each(|case| one(seed + case)));
        }
    });
}
