//! Tenants made up from a seed. Whole numbers only, so that a seed means the same on every machine.

use crate::load::{Tenant, days_of};
use tariff_engine::Energy;

/// A kind of business: watts in each hour of an ordinary day, and how weekends and summers change it (per cent).
struct Kind {
    name: &'static str,
    watts: [i64; 24],
    weekend: i64,
    summer: i64,
}

const KINDS: [Kind; 6] = [
    Kind { name: "shop", watts: open(9, 21, 250, 2_600), weekend: 125, summer: 150 },
    Kind { name: "restaurant", watts: meals(), weekend: 130, summer: 135 },
    Kind { name: "office", watts: open(8, 18, 200, 3_200), weekend: 25, summer: 160 },
    Kind { name: "cold store", watts: open(0, 24, 0, 1_800), weekend: 100, summer: 140 },
    Kind { name: "night bakery", watts: open(1, 7, 300, 5_200), weekend: 110, summer: 100 },
    Kind { name: "cinema", watts: open(13, 23, 300, 4_400), weekend: 170, summer: 140 },
];

/// The same power while it is open, another one while it is closed.
const fn open(from: usize, to: usize, closed: i64, busy: i64) -> [i64; 24] {
    let mut watts = [closed; 24];
    let mut hour = from;
    while hour < to {
        watts[hour] = busy;
        hour += 1;
    }
    watts
}

const fn meals() -> [i64; 24] {
    let mut watts = open(10, 22, 350, 1_500);
    let busy = [11, 12, 13, 18, 19, 20];
    let mut place = 0;
    while place < busy.len() {
        watts[busy[place]] = 5_500;
        place += 1;
    }
    watts
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `from` to `to`, both included.
    fn between(&mut self, from: i64, to: i64) -> i64 {
        let width = u64::try_from(to - from).unwrap_or(0) + 1;
        from + i64::try_from(self.next() % width).unwrap_or(0)
    }
}

/// So many tenants, each with a size and habits of its own, hour by hour.
pub(crate) fn made_up(seed: u64, count: u32, year: i32) -> Vec<Tenant> {
    (0..count).map(|number| tenant(seed, number, year)).collect()
}

fn tenant(seed: u64, number: u32, year: i32) -> Tenant {
    // Each tenant has a sequence of its own, so that more tenants don't change the others.
    let mut random = Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(u64::from(number)));
    let kind = &KINDS[number as usize % KINDS.len()];
    let size = random.between(20, 260);
    let shift = usize::try_from(random.between(0, 2)).unwrap_or(0);
    let first_weekday = weekday_of_new_year(year);
    let mut energies = Vec::with_capacity(days_of(year) * 24);
    for day in 0..days_of(year) {
        let weekend = if (first_weekday + day) % 7 >= 5 { kind.weekend } else { 100 };
        // June to August, near enough for a made-up load.
        let summer = if (151..243).contains(&day) { kind.summer } else { 100 };
        let mood = random.between(85, 115);
        for hour in 0..24 {
            let watts = kind.watts[(hour + 24 - shift) % 24];
            let micro_kwh = watts * size * weekend / 100 * summer / 100 * mood / 100 * random.between(90, 110) / 10;
            energies.push(Energy::from_micro_kwh(micro_kwh));
        }
    }
    Tenant { name: format!("{} {}", kind.name, number / 6 + 1), kind: kind.name.into(), step_s: 3_600, energies }
}

/// 0 is Monday.
fn weekday_of_new_year(year: i32) -> usize {
    let before = i64::from(year) - 1;
    usize::try_from((before + before / 4 - before / 100 + before / 400).rem_euclid(7)).unwrap_or(0)
}
