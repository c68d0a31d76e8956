//! Random tariffs, from a seed or a tape of bytes.
#![expect(unreachable_pub, reason = "a module of tests")]

use tariff_engine::preset::{StandardPowerFactor, china_power_factor};
use tariff_engine::tariff::{
    Allowance, Calendar, Component, ContractCharge, ContractUnit, Day, DemandCharge, DemandRate, DemandTier,
    EnergyCharge, FixedCharge, FixedDays, FixedPer, Holiday, Ladder, Limit, Minimum, OverContract, Period, Ratchet,
    Rate, Reset, RoundingPolicy, Scope, SeasonalLimits, Tariff, Tax, Version, Weekday,
};
use tariff_engine::{Number, RoundingMode};

/// Choices from a tape of bytes while there are some, and from a seed behind its end.
pub struct Random {
    seed: u64,
    /// The next byte stands last.
    tape: Vec<u8>,
}

impl From<u64> for Random {
    fn from(seed: u64) -> Self {
        Self { seed, tape: Vec::new() }
    }
}

impl From<&[u8]> for Random {
    fn from(bytes: &[u8]) -> Self {
        Self { seed: 0, tape: bytes.iter().rev().copied().collect() }
    }
}

impl Random {
    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: i64) -> i64 {
        let bytes = if bound <= 0x100 { 1 } else { 4 };
        let choice = if self.tape.is_empty() {
            self.next()
        } else {
            (0..bytes).filter_map(|_| self.tape.pop()).fold(0, |sum, byte| sum << 8 | u64::from(byte))
        };
        i64::try_from(choice % u64::try_from(bound).unwrap()).unwrap()
    }

    pub fn chance(&mut self, percent: i64) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Clone>(&mut self, list: &[T]) -> T {
        list[usize::try_from(self.below(i64::try_from(list.len()).unwrap())).unwrap()].clone()
    }

    pub fn some<T>(&mut self, percent: i64, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.chance(percent).then(|| make(self))
    }

    pub fn list<T>(&mut self, most: i64, mut make: impl FnMut(&mut Self, usize) -> T) -> Vec<T> {
        (0..usize::try_from(self.below(most + 1)).unwrap()).map(|index| make(self, index)).collect()
    }

    /// A decimal with a random number of places.
    pub fn decimal(&mut self, bound: i64, most_places: i64) -> Number {
        let places = self.below(most_places + 1);
        let scale = 10_i64.pow(u32::try_from(places).unwrap());
        let mantissa = self.below(bound * scale);
        Number::from(rust_decimal::Decimal::new(mantissa, u32::try_from(places).unwrap()))
    }

    pub fn price(&mut self) -> Number {
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
            vec![Day::Holiday],
            vec![Day::Holiday, Day::Weekend],
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

/// Holidays, make-up working days and weekends of 2024, or none.
fn calendar(random: &mut Random) -> Calendar {
    if random.chance(50) {
        return Calendar::default();
    }
    let weekend =
        random.pick(&[vec![Weekday::Saturday, Weekday::Sunday], vec![Weekday::Sunday], vec![Weekday::Friday]]);
    let date = |month: usize, day: i64| format!("2024-{month:02}-{day:02}");
    // One holiday a month at most, in its first half, and make-up days in the second half.
    let holidays = random.list(6, |random, month| {
        let from = 1 + random.below(9);
        let to = random.some(60, |random| date(month + 1, from + random.below(6)));
        Holiday { name: random.pick(&["long", "short"]).into(), from: date(month + 1, from), to }
    });
    let workdays = random.list(6, |random, month| date(month + 1, 16 + random.below(12)));
    Calendar { weekend, holidays, workdays, ..Calendar::default() }
}

/// A tariff whose times of day are multiples of `step` minutes, and its offset from UTC in seconds.
pub fn tariff(random: &mut Random, step: i64) -> (Tariff, i64) {
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
        calendar: calendar(random),
        rounding: RoundingPolicy {
            lines: random.some(40, |random| u8::try_from(random.below(4)).unwrap()),
            total: random.some(40, |random| u8::try_from(random.below(3)).unwrap()),
            mode: random.pick(&[RoundingMode::HalfEven, RoundingMode::HalfAwayFromZero]),
        },
        versions,
    };
    (tariff, offset_s)
}
