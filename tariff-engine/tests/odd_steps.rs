//! Random tariffs in zones whose clocks change: a series of any step, intervals one by one, and a bill that is stored and
//! resumed before each push give the same bill, or refuse the same way.

#![cfg(feature = "chrono-tz")]

mod random;

use random::Random;
use tariff_engine::tariff::Tariff;
use tariff_engine::{
    Borders, CompiledTariff, Energy, Gaps, Interval, Opening, PeakHistory, PeriodInputs, Power, Reactive, RunningBill,
    Series, UsagePolicy,
};

const SEED: u64 = 77_000_000;
const CASES: u64 = 60;
const ZONES: [&str; 9] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "America/Sao_Paulo",
    "Africa/Cairo",
    "Pacific/Chatham",
    "America/St_Johns",
    "+08:00",
];
const STEPS_S: [u32; 12] = [1, 60, 420, 660, 900, 1_800, 3_600, 5_400, 7_200, 25_200, 86_400, 40_000];

fn inputs() -> PeriodInputs {
    let power = Power::from_micro_kw;
    PeriodInputs {
        reactive: Some(Reactive { forward_kvarh: Energy::from_micro_kwh(5_000_000), reverse_kvarh: Energy::ZERO }),
        contracts: vec![("contract 0".into(), power(1_000_000))],
        peak_kva: vec![("contract 0".into(), power(2_000_000))],
        ..PeriodInputs::default()
    }
}

fn resumed<'a>(
    compiled: &'a CompiledTariff,
    running: &RunningBill<&CompiledTariff>,
) -> RunningBill<&'a CompiledTariff> {
    let stored = serde_json::to_string(running.state()).unwrap();
    RunningBill::resume(compiled, serde_json::from_str(&stored).unwrap()).unwrap()
}

fn one(seed: u64) -> [u64; 2] {
    let mut random = Random::from(seed);
    let step_minutes = random.pick(&[15, 30, 60]);
    let (tariff, _) = random::tariff(&mut random, step_minutes);
    let tariff = Tariff { zone: random.pick(&ZONES).into(), ..tariff };
    let compiled = tariff.compile().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    let date = format!("202{}-{:02}-{:02}", 3 + random.below(2), 1 + random.below(12), 1 + random.below(28));
    let from_utc_s = compiled.day_start_utc_s(&date).unwrap();
    let borders = random.pick(&[Borders::Refuse, Borders::SplitProRata]);
    let opening = Opening {
        from_utc_s,
        policy: UsagePolicy { borders, gaps: Gaps::UsedNothing, ..UsagePolicy::default() },
        ladder_used: Energy::from_micro_kwh(random.below(100_000_000)),
        history: PeakHistory::NewSupply,
        ..Opening::default()
    };
    let mut series = RunningBill::open(&compiled, &opening).unwrap();
    let mut single = RunningBill::open(&compiled, &opening).unwrap();
    let mut stored = RunningBill::open(&compiled, &opening).unwrap();
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..60 {
        let (_, to) = series.period_utc_s();
        let next = series.next_utc_s();
        assert_eq!((next, next), (single.next_utc_s(), stored.next_utc_s()), "seed {seed}");
        if next >= to {
            let bills = [&mut series, &mut single, &mut stored].map(|bill| bill.settle(&inputs()).unwrap());
            assert!(bills[0] == bills[1] && bills[0] == bills[2], "seed {seed}");
            continue;
        }
        let step_s = random.pick(&STEPS_S);
        let fitting = (to - next) / i64::from(step_s);
        let count = (1 + random.below(if step_s < 900 { 700 } else { 200 })).min(fitting);
        let energies: Vec<Energy> = (0..count)
            .map(|_| {
                let bad = random.chance(1) && random.chance(5);
                let micro = if bad {
                    -1
                } else if random.chance(20) {
                    0
                } else {
                    random.below(900_000)
                };
                Energy::from_micro_kwh(micro)
            })
            .collect();
        let one_by_one = energies.iter().zip(0..).try_for_each(|(energy, index)| {
            let at = next + index * i64::from(step_s);
            single.push(Interval::new(at, at + i64::from(step_s), *energy))
        });
        // Always from a state that was just read back.
        let mut slow = resumed(&compiled, &stored);
        let by_state = energies.iter().zip(0..).try_for_each(|(energy, index)| {
            let at = next + index * i64::from(step_s);
            if step_s >= 900 {
                slow = resumed(&compiled, &slow);
            }
            slow.push(Interval::new(at, at + i64::from(step_s), *energy))
        });
        let whole = series.push_series(&Series { start_utc_s: next, step_s, energies: &energies });
        // Of two things that are wrong, a series may name the other one first.
        assert_eq!(whole.is_err(), one_by_one.is_err(), "seed {seed}, step {step_s}: {whole:?} {one_by_one:?}");
        assert_eq!(one_by_one.as_ref().err(), by_state.as_ref().err(), "seed {seed}, step {step_s}");
        if whole.is_ok() {
            taken += 1;
            stored = slow;
        } else {
            refused += 1;
            assert_eq!(series.next_utc_s(), next, "seed {seed}: nothing of it was taken");
            single = resumed(&compiled, &series);
            // Short intervals up to the next full hour go on.
            let at = (next + 3_600).div_euclid(3_600) * 3_600;
            let energy = Energy::from_micro_kwh(1_000);
            for other in [&mut series, &mut single, &mut stored] {
                let mut from = next;
                while from < at.min(to) {
                    let end = (from + 900).div_euclid(900) * 900;
                    other.push(Interval::new(from, end.min(to), energy)).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
                    from = end;
                }
            }
        }
        if random.chance(30) {
            series = resumed(&compiled, &series);
        }
        let preview = |bill: &RunningBill<&CompiledTariff>| bill.clone().settle(&inputs()).unwrap();
        let (a, b, c) = (preview(&series), preview(&single), preview(&stored));
        assert_eq!(a, b, "seed {seed}, step {step_s}");
        assert_eq!(a, c, "seed {seed}, step {step_s}");
    }
    [taken, refused]
}

#[test]
fn series_and_intervals_and_stored_states_give_the_same_bill() {
    println!("{CASES} cases from seed {SEED}");
    let all = (0..CASES).map(|case| one(SEED + case)).fold([0, 0], |[a, b], [c, d]| [a + c, b + d]);
    println!("{} series taken, {} refused", all[0], all[1]);
    assert!(all[0] > CASES && all[1] > CASES / 4, "{all:?}");
}
