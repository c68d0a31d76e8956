//! Random tariffs and loads, priced by the crate and by an independent reference; every amount must agree exactly.
//!
//! `DIFFERENTIAL_CASES` and `DIFFERENTIAL_SEED` in the environment make it a campaign.

mod reference;

use reference::{Amounts, Facts, Q, Reference, Use};
use tariff_engine::preset::{StandardPowerFactor, china_power_factor};
use tariff_engine::tariff::{
    Allowance, Component, ContractCharge, ContractUnit, Day, DemandCharge, DemandRate, DemandTier, EnergyCharge,
    FixedCharge, FixedDays, FixedPer, Ladder, Limit, Minimum, OverContract, Period, Ratchet, Rate, Reset,
    RoundingPolicy, Scope, SeasonalLimits, Tariff, Tax, Version,
};
use tariff_engine::{
    Amount, Bill, Energy, Gaps, Interval, LineKind, Number, Opening, PastPeak, PeakHistory, PeriodInputs, Power,
    Reactive, RoundingMode, RunningBill, UsagePolicy,
};

/// Cases of a plain test run.
const CASES: u64 = 10_000;
const SEED: u64 = 20_260_101;

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

    fn below(&mut self, bound: i64) -> i64 {
        i64::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    fn chance(&mut self, percent: i64) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Clone>(&mut self, list: &[T]) -> T {
        list[usize::try_from(self.below(i64::try_from(list.len()).unwrap())).unwrap()].clone()
    }

    fn some<T>(&mut self, percent: i64, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.chance(percent).then(|| make(self))
    }

    fn list<T>(&mut self, most: i64, mut make: impl FnMut(&mut Self, usize) -> T) -> Vec<T> {
        (0..usize::try_from(self.below(most + 1)).unwrap()).map(|index| make(self, index)).collect()
    }

    /// A decimal with a random number of places.
    fn decimal(&mut self, bound: i64, most_places: i64) -> Number {
        let places = self.below(most_places + 1);
        let scale = 10_i64.pow(u32::try_from(places).unwrap());
        let mantissa = self.below(bound * scale);
        Number::from(rust_decimal::Decimal::new(mantissa, u32::try_from(places).unwrap()))
    }

    fn price(&mut self) -> Number {
        if self.chance(5) {
            return Number::from(format!("-0.{}", 1 + self.below(999_999)));
        }
        if self.chance(10) {
            return Number::from("0.070768997073173523");
        }
        self.decimal(2, 9)
    }
}

/// Periods of some rates that cover the day: one below all, others above it with precedences of their own.
fn periods(random: &mut Random, rates: &[String], step: i64) -> Vec<Period> {
    if rates.len() == 1 && random.chance(50) {
        return Vec::new();
    }
    let time = |minute: i64| format!("{:02}:{:02}", minute / 60, minute % 60);
    let base = Period { rate: rates[0].clone(), from: "00:00".into(), to: "24:00".into(), ..Period::default() };
    let mut periods = vec![base];
    for precedence in 1..=i32::try_from(random.below(4)).unwrap() {
        let from = random.below(1_440 / step) * step;
        let to = random.below(1_440 / step + 1) * step;
        let days = random.pick(&[
            vec![],
            vec![Day::Workday],
            vec![Day::Weekend],
            vec![Day::Monday, Day::Friday],
            vec![Day::Sunday],
        ]);
        let months = if random.chance(30) { vec![u32::try_from(1 + random.below(12)).unwrap(), 7] } else { Vec::new() };
        periods.push(Period {
            rate: random.pick(rates),
            from: time(from),
            to: time(to),
            days,
            months,
            precedence,
            ..Period::default()
        });
    }
    periods
}

fn rising(random: &mut Random, count: usize, make: impl Fn(i64) -> Limit) -> Vec<Limit> {
    let mut at = 0;
    (0..count)
        .map(|_| {
            at += 1 + random.below(60);
            make(at)
        })
        .collect()
}

fn limits(random: &mut Random, kind: i64, count: usize) -> Vec<Limit> {
    let number = |value: i64| Some(Number::from(value));
    match kind {
        0 => rising(random, count, |at| Limit { kwh: number(at), ..Limit::default() }),
        1 => rising(random, count, |at| Limit {
            kwh_per_day: Some(Number::from(format!("{at}.125"))),
            ..Limit::default()
        }),
        2 => rising(random, count, |at| Limit { kwh_per_kw: number(at), ..Limit::default() }),
        _ => rising(random, count, |at| Limit { kwh: number(at), kwh_per_kw: number(at * 2), ..Limit::default() }),
    }
}

/// A ladder; `deferrable` is whether it may be reset with the billing period.
fn ladder(random: &mut Random, demand: Option<&str>) -> Ladder {
    let count = usize::try_from(1 + random.below(3)).unwrap();
    let scope = random.pick(&[Scope::SharedChronological, Scope::SharedProportional, Scope::PerPeriod]);
    let kind = if demand.is_some() { random.below(4) } else { random.below(2) };
    let streams = kind == 0 && scope != Scope::SharedProportional;
    let reset = if streams {
        random.pick(&[Reset::Monthly, Reset::Yearly, Reset::BillingPeriod])
    } else {
        Reset::BillingPeriod
    };
    let seasonal = if reset == Reset::BillingPeriod && random.chance(30) {
        vec![SeasonalLimits { months: vec![3, 4, 5], limits: limits(random, kind, count) }]
    } else {
        Vec::new()
    };
    let shift = random.below(20);
    Ladder {
        reset,
        year_start: None,
        scope,
        limits: limits(random, kind, count),
        seasonal,
        allowances: vec![Allowance { name: "large".into(), kwh: vec![Number::from(shift); count] }],
        demand: demand.filter(|_| kind >= 2).map(String::from),
    }
}

fn demand(random: &mut Random, index: usize, step: i64) -> DemandCharge {
    let names: Vec<String> = (0..=random.below(2)).map(|rate| format!("d{rate}")).collect();
    let rates = names
        .iter()
        .map(|name| {
            let tiers = if random.chance(50) {
                let first = random.price();
                let to_kw = Some(Number::from(1 + random.below(5)));
                vec![DemandTier { to_kw, price: first }, DemandTier { to_kw: None, price: random.price() }]
            } else {
                Vec::new()
            };
            let price = if tiers.is_empty() { random.some(80, Random::price) } else { None };
            DemandRate { name: name.clone(), price, tiers }
        })
        .collect();
    let share = |random: &mut Random| Number::from(format!("0.{}", 1 + random.below(999)));
    let ratchet = random.some(50, |random| Ratchet {
        lookback: u32::try_from(1 + random.below(12)).unwrap(),
        share: None,
        share_by_month: (0..12).map(|_| share(random)).collect(),
        own_share_by_month: if random.chance(50) { (0..12).map(|_| share(random)).collect() } else { Vec::new() },
        source_rates: if random.chance(50) { vec![names[0].clone()] } else { Vec::new() },
    });
    DemandCharge {
        name: format!("demand {index}"),
        rates,
        periods: periods(random, &names, step),
        months: if random.chance(20) { vec![2, 3, 9] } else { Vec::new() },
        minimum_kw: random.some(30, |random| random.decimal(3, 6)),
        ratchet,
    }
}

fn version(random: &mut Random, from: String, step: i64) -> Version {
    let demand: Vec<DemandCharge> = random.list(2, |random, index| demand(random, index, step.max(60)));
    let names: Vec<String> = (0..=random.below(4)).map(|rate| format!("r{rate}")).collect();
    let per_kw = demand.first().map(|charge| charge.name.clone());
    let ladder = random.some(70, |random| ladder(random, per_kw.as_deref()));
    let tiers = ladder.as_ref().map_or(1, |ladder| ladder.limits.len() + 1);
    let components: Vec<Component> = random.list(2, |random, index| Component {
        name: format!("c{index}"),
        price: Some(random.decimal(1, 6)),
        tiers: Vec::new(),
        scaled: index == 1,
    });
    let ratio = !components.is_empty();
    let rates = names
        .iter()
        .map(|name| Rate {
            name: name.clone(),
            price: None,
            tiers: (0..tiers).map(|_| random.price()).collect(),
            ratio: random.some(if ratio { 50 } else { 0 }, |random| Number::from(format!("1.{}", random.below(100)))),
        })
        .collect();
    let periods = periods(random, &names, step);
    let fixed = random.list(2, |random, index| {
        let per = random.pick(&[FixedPer::Day, FixedPer::Month, FixedPer::Year]);
        let mean = per == FixedPer::Day && random.chance(50);
        let days = if mean { FixedDays::MeanMonth365_12 } else { FixedDays::Real };
        FixedCharge { name: format!("fixed {index}"), price: random.decimal(30, 4), per, days }
    });
    let contract = random.list(1, |random, index| ContractCharge {
        name: format!("contract {index}"),
        unit: ContractUnit::Kva,
        price: random.decimal(20, 3),
        demand: None,
        over: vec![
            OverContract { above: Number::from("1"), price: random.decimal(20, 3) },
            OverContract { above: Number::from("1.05"), price: random.decimal(50, 3) },
        ],
    });
    let groups = |list: &[&str]| list.iter().map(|name| (*name).to_string()).collect::<Vec<_>>();
    let power_factor = random.some(30, |random| {
        let funds: Vec<&str> = components.first().map(|component| component.name.as_str()).into_iter().collect();
        let standard = random.pick(&[StandardPowerFactor::F090, StandardPowerFactor::F085, StandardPowerFactor::F080]);
        china_power_factor(standard, &funds).part
    });
    let minimum = random.some(40, |random| {
        let annual = random.some(50, |random| random.decimal(500, 2));
        let monthly = if annual.is_none() {
            Some(random.decimal(60, 2))
        } else {
            random.some(50, |random| random.decimal(60, 2))
        };
        Minimum { monthly, annual, base: groups(&["energy", "demand", "fixed"]) }
    });
    let mut taxes = vec![
        Tax {
            name: "vat".into(),
            percent: Some(random.decimal(30, 3)),
            per_kwh: None,
            base: groups(&["energy", "fixed", "minimum"]),
            included: false,
        },
        Tax {
            name: "fund".into(),
            percent: None,
            per_kwh: Some(random.decimal(1, 5)),
            base: Vec::new(),
            included: false,
        },
        Tax {
            name: "on top".into(),
            percent: Some(random.decimal(10, 1)),
            per_kwh: None,
            base: groups(&["vat", "fund", "power_factor"]),
            included: false,
        },
    ];
    taxes.truncate(usize::try_from(random.below(4)).unwrap());
    Version {
        from,
        until: None,
        source: String::new(),
        energy: EnergyCharge { components, rates, periods, ladder },
        demand_window_minutes: Some(
            u32::try_from(if step >= 60 { random.pick(&[15, 30, 60]).max(60) } else { random.pick(&[step, 60]) })
                .unwrap(),
        ),
        demand,
        contract,
        fixed,
        power_factor,
        minimum,
        taxes,
    }
}

fn tariff(random: &mut Random, step: i64) -> (Tariff, i64) {
    let (zone, offset_s) = random.pick(&[("+08:00", 28_800), ("UTC", 0), ("-05:00", -18_000), ("+05:30", 19_800)]);
    let mut versions = vec![version(random, "2023-01-01".into(), step)];
    if random.chance(50) {
        let date = format!("2024-{:02}-{:02}", 1 + random.below(4), 1 + random.below(28));
        versions.push(version(random, date, step));
    }
    let tariff = Tariff {
        schema: 1,
        name: "random".into(),
        currency: String::new(),
        zone: zone.into(),
        billing: tariff_engine::tariff::Billing {
            start_day: u32::try_from(random.pick(&[1, 1, 1, 15, 28])).unwrap(),
            months: u32::try_from(random.pick(&[1, 1, 1, 2])).unwrap(),
        },
        calendar: Default::default(),
        rounding: RoundingPolicy {
            lines: random.some(40, |random| u8::try_from(random.below(4)).unwrap()),
            total: random.some(40, |random| u8::try_from(random.below(3)).unwrap()),
            mode: random.pick(&[RoundingMode::HalfEven, RoundingMode::HalfAwayFromZero]),
        },
        versions,
    };
    (tariff, offset_s)
}

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

fn one(seed: u64) {
    let mut random = Random(seed);
    let step = random.pick(&[15, 30, 60]);
    let (tariff, offset_s) = tariff(&mut random, step);
    let compiled = tariff
        .compile()
        .unwrap_or_else(|error| panic!("seed {seed}: {error}\n{}", serde_json::to_string(&tariff).unwrap()));
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
    let mut uses = uses(&mut random, from, first_to, step * 60);
    uses.extend(self::uses(&mut random, first_to, second_to, step * 60));
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
                .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            if random.chance(2) {
                let stored = serde_json::to_string(running.state()).unwrap();
                running = RunningBill::resume(&compiled, serde_json::from_str(&stored).unwrap()).unwrap();
            }
        }
        let bill = running.settle(&inputs).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let lines = Amount::sum(bill.lines.iter().map(|line| &line.amount)).unwrap();
        assert_eq!(lines, bill.total, "seed {seed}: lines sum to the total");
        assert_eq!(
            amounts(&bill),
            *expected,
            "seed {seed}\n{}\n{}",
            serde_json::to_string(&tariff).unwrap(),
            bill.text(tariff_engine::Language::English)
        );
    }
    assert!(left.next().is_none(), "seed {seed}: all usage was billed");
}

/// A date in the billing period so many months before the one that ends on a date.
fn months_before(last: &str, before: i64, start_day: u32) -> String {
    let parts: Vec<i64> = last.split('-').map(|part| part.parse().unwrap()).collect();
    let month = parts[0] * 12 + parts[1] - 1 - before;
    // The last day of a period is the day before its start day, or the last of the month.
    let day = if start_day == 1 { 28 } else { i64::from(start_day) - 1 };
    format!("{:04}-{:02}-{day:02}", month.div_euclid(12), month.rem_euclid(12) + 1)
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
