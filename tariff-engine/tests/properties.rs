//! Properties that every price must have, on random loads.

use proptest::prelude::*;
use tariff_engine::{
    Amount, CompiledTariff, Energy, Interval, Opening, PeriodInputs, RateUsage, RunningBill, Series, Tariff,
};

const HOUR: i64 = 3_600;

/// A tariff of two rates and the tiers of one limit, with demand, in a scope.
fn tariff(scope: &str, tiers: [&str; 4], extra: &str) -> CompiledTariff {
    let [a1, a2, b1, b2] = tiers;
    let text = format!(
        r#"
schema = 1
name = "t"
zone = "+08:00"
[[versions]]
from = "2020-01-01"
demand_window_minutes = 60
demand = [{{ name = "d", rates = [{{ name = "all", price = "2.5" }}] }}]
{extra}
[versions.energy]
rates = [{{ name = "a", tiers = ["{a1}", "{a2}"] }}, {{ name = "b", tiers = ["{b1}", "{b2}"] }}]
periods = [{{ rate = "a", from = "08:00", to = "20:00" }}, {{ rate = "b", from = "20:00", to = "08:00" }}]
ladder = {{ scope = "{scope}", limits = [{{ kwh = "100" }}] }}
"#
    );
    toml::from_str::<Tariff>(&text).unwrap().compile().unwrap()
}

const INCLINING: [&str; 4] = ["0.5", "0.9", "0.2", "0.4"];
const DECLINING: [&str; 4] = ["0.9", "0.5", "0.4", "0.2"];

fn open(tariff: &CompiledTariff) -> RunningBill<&CompiledTariff> {
    let from_utc_s = tariff.day_start_utc_s("2025-03-01").unwrap();
    RunningBill::open(tariff, &Opening { from_utc_s, ..Opening::default() }).unwrap()
}

/// March 2025 has 744 hours; the load is given for the first of them and zero after it.
fn month(load: &[i64]) -> Vec<Energy> {
    (0..744).map(|hour| Energy::from_micro_kwh(load.get(hour).copied().unwrap_or(0))).collect()
}

fn bill_of(tariff: &CompiledTariff, energies: &[Energy]) -> tariff_engine::Bill {
    let mut running = open(tariff);
    let start_utc_s = running.next_utc_s();
    running.push_series(&Series { start_utc_s, step_s: 3_600, energies }).unwrap();
    running.settle(&PeriodInputs::default()).unwrap()
}

fn energy_of(tariff: &CompiledTariff, energies: &[Energy]) -> Amount {
    bill_of(tariff, energies).sum_of(&[tariff_engine::LineKind::Energy]).unwrap()
}

fn load() -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec(0_i64..5_000_000, 1..200)
}

const SCOPES: [&str; 3] = ["shared_chronological", "shared_proportional", "per_period"];

proptest! {
    #[test]
    fn pieces_give_the_same_bill_as_the_whole(load in load(), cuts in prop::collection::vec(1_usize..60, 1..20), scope in 0_usize..3) {
        let tariff = tariff(SCOPES[scope], INCLINING, "");
        let energies = month(&load);
        let whole = bill_of(&tariff, &energies);
        let mut running = open(&tariff);
        let mut rest = energies.as_slice();
        for cut in cuts.iter().cycle() {
            let (piece, others) = rest.split_at_checked(*cut).unwrap_or((rest, &[]));
            let start_utc_s = running.next_utc_s();
            running.push_series(&Series { start_utc_s, step_s: 3_600, energies: piece }).unwrap();
            rest = others;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(running.settle(&PeriodInputs::default()).unwrap(), whole.clone());
        let mut one_by_one = open(&tariff);
        for energy in &energies {
            let from = one_by_one.next_utc_s();
            one_by_one.push(Interval::new(from, from + HOUR, *energy)).unwrap();
        }
        prop_assert_eq!(one_by_one.settle(&PeriodInputs::default()).unwrap(), whole);
    }

    #[test]
    fn order_inside_one_price_period_is_irrelevant(mut hours in prop::collection::vec(0_i64..5_000_000, 12), scope in 0_usize..3) {
        let tariff = tariff(SCOPES[scope], INCLINING, "");
        let day = |hours: &[i64]| [vec![30_000_000; 8], hours.to_vec()].concat();
        let before = energy_of(&tariff, &month(&day(&hours)));
        hours.sort_unstable();
        prop_assert_eq!(energy_of(&tariff, &month(&day(&hours))), before);
    }

    #[test]
    fn more_energy_never_costs_less(load in load(), hour in 0_usize..200, more in 1_i64..9_000_000) {
        for scope in ["shared_chronological", "per_period"] {
            let tariff = tariff(scope, INCLINING, "");
            let mut larger = load.clone();
            larger.resize(200, 0);
            larger[hour] += more;
            prop_assert!(energy_of(&tariff, &month(&larger)) > energy_of(&tariff, &month(&load)));
        }
    }

    /// Rising tiers: one meter pays for energy at least what two do, falling tiers: at most. It holds in every scope with limits in kWh:
    /// behind one meter each kWh stands as high in the ladder as behind its own, or higher.
    #[test]
    fn one_meter_against_two(first in load(), second in load()) {
        let both: Vec<i64> = (0..first.len().max(second.len()))
            .map(|hour| first.get(hour).unwrap_or(&0) + second.get(hour).unwrap_or(&0))
            .collect();
        for (tiers, inclining) in [(INCLINING, true), (DECLINING, false)] {
            for scope in SCOPES {
                let tariff = tariff(scope, tiers, "");
                let one = energy_of(&tariff, &month(&both));
                let two = energy_of(&tariff, &month(&first)).plus(&energy_of(&tariff, &month(&second))).unwrap();
                let holds = if inclining { one >= two } else { one <= two };
                prop_assert!(holds, "{scope}, inclining {inclining}: one {one}, two {two}");
            }
        }
    }

    #[test]
    fn the_inverse_finds_the_energy_of_a_cost(before in 0_i64..300_000_000, steps in 0_i64..40_000) {
        let tariff = tariff("per_period", INCLINING, "");
        let mut running = open(&tariff);
        let from = running.next_utc_s();
        running.push(Interval::new(from, from + HOUR, Energy::from_micro_kwh(before))).unwrap();
        let inputs = PeriodInputs::default();
        let step = Energy::from_centi_kwh(1).unwrap();
        let cost = |micro: i64| {
            let mut more = running.clone();
            more.push(Interval::new(from + HOUR, from + 2 * HOUR, Energy::from_micro_kwh(micro))).unwrap();
            more.energy_amount(&inputs).unwrap().minus(&running.energy_amount(&inputs).unwrap()).unwrap()
        };
        let wanted = steps * 10_000;
        let money = cost(wanted);
        let bought = running.energy_for(&money, "b", step, &inputs).unwrap();
        prop_assert_eq!((bought.energy.micro_kwh(), bought.residue.is_zero()), (wanted, true));
        let a_little_more = money.plus(&"0.0000001".parse().unwrap()).unwrap();
        let bought = running.energy_for(&a_little_more, "b", step, &inputs).unwrap();
        prop_assert_eq!(bought.energy.micro_kwh(), wanted);
        prop_assert!(cost(wanted) <= a_little_more && a_little_more < cost(wanted + 10_000));
    }

    #[test]
    fn tiers_that_repeat_a_price_change_nothing(load in load(), scope in 0_usize..3) {
        let plain = tariff(SCOPES[scope], INCLINING, "");
        let text = format!(
            r#"
schema = 1
name = "t"
zone = "+08:00"
[[versions]]
from = "2020-01-01"
[versions.energy]
rates = [{{ name = "a", tiers = ["0.5", "0.9", "0.9"] }}, {{ name = "b", tiers = ["0.2", "0.4", "0.4"] }}]
periods = [{{ rate = "a", from = "08:00", to = "20:00" }}, {{ rate = "b", from = "20:00", to = "08:00" }}]
ladder = {{ scope = "{}", limits = [{{ kwh = "100" }}, {{ kwh = "150.5" }}] }}
"#,
            SCOPES[scope]
        );
        let padded = toml::from_str::<Tariff>(&text).unwrap().compile().unwrap();
        prop_assert_eq!(energy_of(&plain, &month(&load)), energy_of(&padded, &month(&load)));
    }

    #[test]
    fn a_credit_note_is_the_exact_negative(load in load()) {
        let tariff = tariff("shared_proportional", INCLINING, "");
        let bill = bill_of(&tariff, &month(&load));
        let note = bill.credit_note();
        prop_assert!(bill.total.plus(&note.total).unwrap().is_zero());
        prop_assert_eq!(Amount::sum(note.lines.iter().map(|line| &line.amount)).unwrap(), note.total.clone());
        prop_assert_eq!(note.credit_note(), bill);
    }

    #[test]
    fn registers_are_path_independent_without_a_shared_ladder(parts in prop::collection::vec((0_i64..4_000, 0_i64..4_000), 1..30)) {
        let tariff = tariff("per_period", INCLINING, "");
        let policy = tariff_engine::UsagePolicy { demand: tariff_engine::DemandSource::Reported, ..Default::default() };
        let from_utc_s = tariff.day_start_utc_s("2025-03-01").unwrap();
        let opening = Opening { from_utc_s, policy, ..Opening::default() };
        let read = |running: &mut RunningBill<&CompiledTariff>, a: i64, b: i64, to_utc_s: i64| {
            let energies = [("a", Energy::from_centi_kwh(a).unwrap()), ("b", Energy::from_centi_kwh(b).unwrap())];
            let from_utc_s = running.next_utc_s();
            running.push_registers(&RateUsage { from_utc_s, to_utc_s, energies: &energies, direction: Default::default() }).unwrap();
        };
        let mut often = RunningBill::open(&tariff, &opening).unwrap();
        for (index, (a, b)) in (1..).zip(&parts) {
            read(&mut often, *a, *b, from_utc_s + index * 1_800);
        }
        let mut once = RunningBill::open(&tariff, &opening).unwrap();
        let count = i64::try_from(parts.len()).unwrap();
        let (a, b) = parts.iter().fold((0, 0), |(x, y), (a, b)| (x + a, y + b));
        read(&mut once, a, b, from_utc_s + count * 1_800);
        prop_assert_eq!(once.energy_amount(&PeriodInputs::default()).unwrap(), often.energy_amount(&PeriodInputs::default()).unwrap());
    }

    #[test]
    fn fixed_charges_by_days_conserve_the_sum(day in 2_u32..31) {
        let fixed = r#"fixed = [{ name = "f", price = "31.7", per = "month" }]"#;
        let whole = tariff("per_period", INCLINING, fixed);
        let version = |from: &str| format!(
            "[[versions]]\nfrom = \"{from}\"\n{fixed}\n[versions.energy]\nrates = [{{ name = \"a\", price = \"1\" }}]\n"
        );
        let text = format!("schema = 1\nname = \"t\"\nzone = \"+08:00\"\n{}{}", version("2020-01-01"), version(&format!("2025-03-{day:02}")));
        let cut = toml::from_str::<Tariff>(&text).unwrap().compile().unwrap();
        let fixed_of = |tariff: &CompiledTariff| bill_of(tariff, &month(&[])).sum_of(&[tariff_engine::LineKind::Fixed]).unwrap();
        prop_assert_eq!(fixed_of(&whole), fixed_of(&cut));
    }
}

/// The limit of "one meter pays at least what two do": where a limit grows with the peak, energy of a steady user can hide below the
/// limit of a peaky one.
#[test]
fn with_limits_per_kw_two_meters_may_pay_more_than_one() {
    let text = r#"
schema = 1
name = "t"
zone = "+08:00"
[[versions]]
from = "2020-01-01"
demand_window_minutes = 60
demand = [{ name = "d", rates = [{ name = "all" , price = "0" }] }]
[versions.energy]
rates = [{ name = "a", tiers = ["0.5", "0.9"] }]
ladder = { limits = [{ kwh_per_kw = "50" }], demand = "d" }
"#;
    let tariff = toml::from_str::<Tariff>(text).unwrap().compile().unwrap();
    let (steady, peaky) = (vec![1_000_000; 700], vec![100_000_000]);
    let both: Vec<i64> =
        steady.iter().enumerate().map(|(hour, energy)| if hour == 0 { energy + peaky[0] } else { *energy }).collect();
    let of = |load: &[i64]| energy_of(&tariff, &month(load));
    // 700 kWh against 50, and 100 against 5000; together 800 against 5050.
    assert_eq!(
        (of(&steady), of(&peaky), of(&both)),
        ("610".parse().unwrap(), "50".parse().unwrap(), "400".parse().unwrap())
    );
}

/// What a peer gets wrong: with declining tiers a proportional ladder is not monotone, so money can't be turned into energy.
#[test]
fn proportional_declining_tiers_are_not_monotone() {
    // 99 kWh at the dear rate, then 900 kWh more at the cheap one, which share the cheap tier of the dear rate.
    let tariff = tariff("shared_proportional", ["9", "0.1", "0.1", "0.1"], "");
    let morning = [vec![0; 8], vec![99_000_000]].concat();
    let both = [vec![900_000_000], vec![0; 7], vec![99_000_000]].concat();
    assert!(energy_of(&tariff, &month(&both)) < energy_of(&tariff, &month(&morning)));
    let error = open(&tariff).energy_for(
        &"1".parse().unwrap(),
        "a",
        Energy::from_centi_kwh(1).unwrap(),
        &PeriodInputs::default(),
    );
    assert!(matches!(error, Err(tariff_engine::InverseError::NotMonotone { .. })));
}
