//! One random tariff and load, priced by the crate and by the reference; every amount must agree exactly.
#![expect(unreachable_pub, reason = "a module of tests")]

use super::random::{self, Random};
use super::reference::{self, Amounts, Facts, Q, Reference, Use};
use tariff_engine::{
    Amount, Bill, Energy, Gaps, Interval, LineKind, Opening, PastPeak, PeakHistory, PeriodInputs, Power, Reactive,
    RunningBill, UsagePolicy,
};

/// Scattered intervals of one step, in order.
fn uses(random: &mut Random, from: i64, to: i64, step_s: i64) -> Vec<Use> {
    let mut uses = Vec::new();
    let mut at = from;
    loop {
        at += random.below(700_000) / step_s * step_s;
        if at + step_s > to {
            return uses;
        }
        for _ in 0..=random.below(4) {
            if at + step_s <= to {
                let micro = if random.chance(10) { 0 } else { random.below(8_000_000) };
                uses.push(Use { from: at, to: at + step_s, micro });
                at += step_s;
            }
        }
    }
}

/// The crate's exact text of an amount, read by the reference.
fn fraction(amount: &Amount) -> Q {
    let text = amount.to_string();
    let mut pieces = text.split('+');
    let whole = reference::parse(pieces.next().unwrap());
    let unit = Q::new(1.into(), num_bigint::BigInt::from(10).pow(24));
    pieces.fold(whole, |sum, piece| {
        let (numerator, denominator) = piece.split_once('/').unwrap();
        sum + reference::parse(numerator) / reference::parse(denominator) * &unit
    })
}

fn amounts(bill: &Bill) -> Amounts {
    let of = |kinds: &[LineKind]| fraction(&bill.sum_of(kinds).unwrap());
    Amounts {
        energy: of(&[LineKind::Energy]),
        demand: of(&[LineKind::Demand]),
        contract: of(&[LineKind::Contract, LineKind::OverContract]),
        fixed: of(&[LineKind::Fixed]),
        power_factor: of(&[LineKind::PowerFactor]),
        minimum: of(&[LineKind::MinimumMonthly, LineKind::MinimumAnnual]),
        taxes: of(&[LineKind::Tax]),
        total: fraction(&bill.total),
    }
}

/// Prices one tariff and load by both; `case` names it where they differ.
pub fn agree(random: &mut Random, case: &str) {
    let step = random.pick(&[15, 30, 60]);
    let (tariff, offset_s) = random::tariff(random, step);
    let compiled =
        tariff.compile().unwrap_or_else(|error| panic!("{case}: {error}\n{}", serde_json::to_string(&tariff).unwrap()));
    let month = 1 + random.below(12);
    let from = reference::day_of(if month < 6 { 2024 } else { 2023 }, month, 1 + random.below(28)) * 86_400 - offset_s;
    let reference = Reference::new(&tariff, offset_s);
    let charges: Vec<String> =
        tariff.versions.iter().flat_map(|v| &v.demand).map(|charge| charge.name.clone()).collect();
    let mut past_peaks: Vec<(String, i64, i64)> = Vec::new();
    for charge in charges {
        for before in 1..=3 {
            if !past_peaks.iter().any(|(name, b, _)| *name == charge && *b == before) {
                past_peaks.push((charge.clone(), before * i64::from(tariff.billing.months), random.below(9_000_000)));
            }
        }
    }
    let facts = Facts {
        from,
        ladder_used: random.below(100_000_000),
        allowances: if random.chance(50) { vec!["large".into()] } else { Vec::new() },
        past_peaks,
        reactive_micro: random.below(200_000_000),
        contract_micro: random.below(10_000_000),
        peak_kva_micro: random.below(12_000_000),
    };
    let knows_allowance = tariff.versions.iter().any(|version| version.energy.ladder.is_some());
    let facts = if knows_allowance { facts } else { Facts { allowances: Vec::new(), ..facts } };
    let (_, first_to) = reference.billing(from);
    let (_, second_to) = reference.billing(first_to);
    let mut uses = uses(random, from, first_to, step * 60);
    uses.extend(self::uses(random, first_to, second_to, step * 60));
    let expected = reference.bills(&facts, &uses, 2);

    let (_, first_month_end) = compiled.billing_period(from).unwrap();
    let known = facts.past_peaks.iter().map(|(charge, before, power)| PastPeak {
        charge: charge.clone(),
        date: months_before(
            &compiled.date_of_utc_s(first_month_end - 1).unwrap().to_string(),
            *before,
            tariff.billing.start_day,
        ),
        power: Power::from_micro_kw(*power),
    });
    let opening = Opening {
        from_utc_s: from,
        policy: UsagePolicy { gaps: Gaps::UsedNothing, ..UsagePolicy::default() },
        ladder_used: Energy::from_micro_kwh(facts.ladder_used),
        allowances: facts.allowances.clone(),
        history: PeakHistory::Known(known.collect()),
        ..Opening::default()
    };
    let power = |micro| Power::from_micro_kw(micro);
    let inputs = PeriodInputs {
        reactive: Some(Reactive {
            forward_kvarh: Energy::from_micro_kwh(facts.reactive_micro),
            reverse_kvarh: Energy::ZERO,
        }),
        contracts: vec![("contract 0".into(), power(facts.contract_micro))],
        peak_kva: vec![("contract 0".into(), power(facts.peak_kva_micro))],
        ..PeriodInputs::default()
    };
    let mut running = RunningBill::open(&compiled, &opening).unwrap();
    let mut left = uses.iter();
    for expected in &expected {
        let (_, to) = running.period_utc_s();
        for used in left.as_slice().iter().take_while(|used| used.to <= to) {
            left.next();
            running
                .push(Interval::new(used.from, used.to, Energy::from_micro_kwh(used.micro)))
                .unwrap_or_else(|error| panic!("{case}: {error}"));
            if random.chance(2) {
                let stored = serde_json::to_string(running.state()).unwrap();
                running = RunningBill::resume(&compiled, serde_json::from_str(&stored).unwrap()).unwrap();
            }
        }
        let bill = running.settle(&inputs).unwrap_or_else(|error| panic!("{case}: {error}"));
        let lines = Amount::sum(bill.lines.iter().map(|line| &line.amount)).unwrap();
        assert_eq!(lines, bill.total, "{case}: lines sum to the total");
        assert_eq!(
            amounts(&bill),
            *expected,
            "{case}\n{}\n{}",
            serde_json::to_string(&tariff).unwrap(),
            bill.text(tariff_engine::Language::English)
        );
    }
    assert!(left.next().is_none(), "{case}: all usage was billed");
}

/// A date in the billing period so many months before the one that ends on a date.
fn months_before(last: &str, before: i64, start_day: u32) -> String {
    let parts: Vec<i64> = last.split('-').map(|part| part.parse().unwrap()).collect();
    let month = parts[0] * 12 + parts[1] - 1 - before;
    // The last day of a period is the day before its start day, or the last of the month.
    let day = if start_day == 1 { 28 } else { i64::from(start_day) - 1 };
    format!("{:04}-{:02}-{day:02}", month.div_euclid(12), month.rem_euclid(12) + 1)
}
