//! An independent pricing, slow and written from the rules: rational numbers, one interval after the other, no tables.
//!
//! It reads the document, not the compiled tariff, and shares no code with the crate.
#![expect(unreachable_pub, reason = "a module of tests")]

use std::collections::BTreeMap;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed, Zero};
use tariff_engine::tariff::{
    Day, FixedDays, FixedPer, Ladder, Limit, Period, Reset, RoundingPolicy, Scope, Tariff, Version,
};
use tariff_engine::{Number, RoundingMode};

pub type Q = BigRational;

/// A use of energy in one price period.
#[derive(Debug, Clone, Copy)]
pub struct Use {
    pub from: i64,
    pub to: i64,
    pub micro: i64,
}

/// What the account brings along.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub from: i64,
    pub ladder_used: i64,
    pub allowances: Vec<String>,
    /// Demand charge, months before the first bill's month, kW in 10⁻⁶.
    pub past_peaks: Vec<(String, i64, i64)>,
    pub reactive_micro: i64,
    pub contract_micro: i64,
    pub peak_kva_micro: i64,
}

/// Amounts of one bill.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Amounts {
    pub energy: Q,
    pub demand: Q,
    pub contract: Q,
    pub fixed: Q,
    pub power_factor: Q,
    pub minimum: Q,
    pub taxes: Q,
    pub total: Q,
}

pub fn q(number: i64) -> Q {
    Q::from_integer(BigInt::from(number))
}

/// A decimal string as a fraction.
pub fn parse(text: &str) -> Q {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mantissa: BigInt = format!("{whole}{fraction}").parse().unwrap();
    let places = u32::try_from(fraction.len()).unwrap();
    Q::new(mantissa * sign, BigInt::from(10).pow(places))
}

fn number(number: &Number) -> Q {
    parse(number.as_str())
}

/// Rounds by the rule of a policy.
fn round(value: &Q, places: u8, mode: RoundingMode) -> Q {
    let scale = Q::from_integer(BigInt::from(10).pow(u32::from(places)));
    let scaled = value.abs() * &scale;
    let floor = scaled.floor();
    let rest = &scaled - &floor;
    let half = Q::new(BigInt::from(1), BigInt::from(2));
    let odd = (floor.to_integer() % BigInt::from(2)) != BigInt::zero();
    let up = rest > half || (rest == half && (mode == RoundingMode::HalfAwayFromZero || odd));
    let magnitude = if up { floor + q(1) } else { floor } / scale;
    if value.is_negative() { -magnitude } else { magnitude }
}

/// Year, month, day of a day since 1970-01-01, by counting.
fn civil(day: i64) -> (i64, i64, i64) {
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    // 2000-01-01 is near the dates of the tests.
    let (mut year, mut rest) = (2000, day - 10_957);
    while rest < 0 {
        year -= 1;
        rest += if leap(year) { 366 } else { 365 };
    }
    loop {
        let length = if leap(year) { 366 } else { 365 };
        if rest < length {
            break;
        }
        rest -= length;
        year += 1;
    }
    let february = if leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if rest < length {
            break;
        }
        rest -= length;
        month += 1;
    }
    (year, month, rest + 1)
}

/// Day since 1970-01-01 of a date, by searching.
pub fn day_of(year: i64, month: i64, day: i64) -> i64 {
    let mut guess = (year - 1970) * 365 + (month - 1) * 28 + day - 2;
    while civil(guess) != (year, month, day) {
        guess += 1;
    }
    guess
}

fn date(text: &str) -> i64 {
    let parts: Vec<i64> = text.split('-').map(|part| part.parse().unwrap()).collect();
    day_of(parts[0], parts[1], parts[2])
}

/// The tariff as the reference sees it.
pub struct Reference<'a> {
    pub tariff: &'a Tariff,
    pub offset_s: i64,
    /// First instant of each version.
    starts: Vec<i64>,
}

impl<'a> Reference<'a> {
    pub fn new(tariff: &'a Tariff, offset_s: i64) -> Self {
        let starts = tariff.versions.iter().map(|version| date(&version.from) * 86_400 - offset_s).collect();
        Self { tariff, offset_s, starts }
    }

    fn day(&self, utc: i64) -> i64 {
        (utc + self.offset_s).div_euclid(86_400)
    }

    fn midnight(&self, day: i64) -> i64 {
        day * 86_400 - self.offset_s
    }

    fn version_at(&self, utc: i64) -> usize {
        self.starts.iter().rposition(|start| *start <= utc).unwrap()
    }

    /// First day of the span of `months` months that begin on `start_day` and contain `day`, and of the next one.
    fn span(&self, day: i64, months: i64, start_day: i64) -> (i64, i64) {
        let mut first = day;
        loop {
            let (_, month, of_month) = civil(first);
            if of_month == start_day && (month - 1) % months == 0 {
                break;
            }
            first -= 1;
        }
        let mut next = first + 1;
        loop {
            let (_, month, of_month) = civil(next);
            if of_month == start_day && (month - 1) % months == 0 {
                return (first, next);
            }
            next += 1;
        }
    }

    pub fn billing(&self, utc: i64) -> (i64, i64) {
        let billing = &self.tariff.billing;
        let (from, to) = self.span(self.day(utc), i64::from(billing.months), i64::from(billing.start_day));
        (self.midnight(from), self.midnight(to))
    }

    /// The rate that holds, by the highest precedence of all periods that match.
    fn rate<'p>(&self, periods: &'p [Period], only: Option<&'p str>, utc: i64) -> Option<&'p str> {
        if periods.is_empty() {
            return only;
        }
        let local = utc + self.offset_s;
        let (day, minute) = (local.div_euclid(86_400), local.rem_euclid(86_400) / 60);
        let (_, month, _) = civil(day);
        let weekday = (day + 3).rem_euclid(7);
        let minutes = |text: &str| {
            let (hour, minute) = text.split_once(':').unwrap();
            hour.parse::<i64>().unwrap() * 60 + minute.parse::<i64>().unwrap()
        };
        let inside = |period: &&Period| {
            let (from, to) = (minutes(&period.from), minutes(&period.to));
            let time = if from < to { from <= minute && minute < to } else { minute >= from || minute < to };
            let days = period.days.is_empty()
                || period.days.iter().any(|day| match day {
                    Day::Workday => weekday < 5,
                    Day::Weekend => weekday >= 5,
                    Day::Monday => weekday == 0,
                    Day::Friday => weekday == 4,
                    Day::Sunday => weekday == 6,
                    other => panic!("{other:?} is not generated"),
                });
            let months = period.months.is_empty() || period.months.iter().any(|other| i64::from(*other) == month);
            time && days && months
        };
        periods.iter().filter(inside).max_by_key(|period| period.precedence).map(|period| period.rate.as_str())
    }

    fn price(&self, version: &Version, rate: &str, tier: usize) -> Q {
        let entry = version.energy.rates.iter().find(|entry| entry.name == rate).unwrap();
        let mut sum = match (&entry.price, entry.tiers.get(tier)) {
            (Some(price), _) | (None, Some(price)) => number(price),
            _ => q(0),
        };
        for component in &version.energy.components {
            let own = component.price.as_ref().or(component.tiers.get(tier)).map(number).unwrap();
            let ratio = entry.ratio.as_ref().filter(|_| component.scaled).map_or(q(1), number);
            sum += own * ratio;
        }
        sum
    }

    /// End of the ladder cycle in which an instant lies, and its beginning.
    fn cycle(&self, version: &Version, utc: i64) -> (i64, i64) {
        let day = self.day(utc);
        let (from, to) = match version.energy.ladder.as_ref().map(|ladder| ladder.reset) {
            Some(Reset::Yearly) => self.span(day, 12, 1),
            Some(Reset::BillingPeriod) => return self.billing(utc),
            _ => self.span(day, 1, 1),
        };
        (self.midnight(from), self.midnight(to))
    }

    /// Bills of consecutive periods.
    pub fn bills(&self, facts: &Facts, uses: &[Use], periods: usize) -> Vec<Amounts> {
        let mut walk = Walk::new(self, facts);
        let mut history: Vec<(String, i64, i64)> = Vec::new();
        let first_month = {
            let (year, month, _) = civil(self.day(self.billing(facts.from).1 - 1));
            year * 12 + month
        };
        for (charge, before, power) in &facts.past_peaks {
            history.push((charge.clone(), first_month - before, *power));
        }
        let mut bills = Vec::new();
        let (mut from, mut year_total) = (facts.from, q(0));
        for _ in 0..periods {
            let (start, to) = self.billing(from);
            let inside: Vec<Use> = uses.iter().filter(|u| u.from >= from && u.to <= to).copied().collect();
            let bill = Bill { reference: self, facts, uses: &inside, start, from, to, history: &history };
            let (amounts, peaks, counted) = bill.make(&mut walk, &year_total);
            history.extend(peaks);
            year_total = if civil(self.day(from)).0 == civil(self.day(to)).0 { year_total + counted } else { q(0) };
            bills.push(amounts);
            from = to;
        }
        bills
    }
}

/// The position in the ladder as time goes on.
struct Walk<'a> {
    reference: &'a Reference<'a>,
    version: usize,
    cycle_to: i64,
    total: i64,
    own: BTreeMap<String, i64>,
}

impl<'a> Walk<'a> {
    fn new(reference: &'a Reference<'a>, facts: &Facts) -> Self {
        let version = reference.version_at(facts.from);
        let cycle_to = reference.cycle(&reference.tariff.versions[version], facts.from).1;
        Self { reference, version, cycle_to, total: facts.ladder_used, own: BTreeMap::new() }
    }

    fn zero(&mut self) {
        self.total = 0;
        self.own.clear();
    }

    /// Lets time go on up to the beginning of a use: changes of version, then ends of cycles.
    fn go_on(&mut self, to: i64) {
        let versions = &self.reference.tariff.versions;
        let scope = |version: &Version| version.energy.ladder.as_ref().map(|ladder| ladder.scope);
        while let Some(next) = versions.get(self.version + 1) {
            let start = self.reference.starts[self.version + 1];
            if start > to {
                break;
            }
            let (cycle_from, cycle_to) = self.reference.cycle(next, start);
            if scope(&versions[self.version]) != scope(next) || self.cycle_to <= start || cycle_from >= start {
                self.zero();
            }
            self.cycle_to = cycle_to;
            self.version += 1;
        }
        if to >= self.cycle_to {
            self.zero();
            self.cycle_to = self.reference.cycle(&versions[self.version], to).1;
        }
    }
}

/// One billing period.
struct Bill<'a> {
    reference: &'a Reference<'a>,
    facts: &'a Facts,
    uses: &'a [Use],
    /// Start of the billing period, and of the bill inside it.
    start: i64,
    from: i64,
    to: i64,
    history: &'a [(String, i64, i64)],
}

/// Energy of a version, rate and tier, kWh.
type Cells = BTreeMap<(usize, String, usize), Q>;

impl Bill<'_> {
    fn make(&self, walk: &mut Walk<'_>, year_total: &Q) -> (Amounts, Vec<(String, i64, i64)>, Q) {
        let tariff = self.reference.tariff;
        let policy = &tariff.rounding;
        let end = self.reference.version_at(self.to - 1);
        let version = &tariff.versions[end];
        let cells = self.cells(walk);
        let mut amounts = Amounts::default();
        let mut by_name: BTreeMap<String, Q> = BTreeMap::new();
        for ((version, rate, tier), energy) in &cells {
            let price = self.reference.price(&tariff.versions[*version], rate, *tier);
            amounts.energy += line(policy, energy * price);
        }
        let mut peaks = Vec::new();
        let (_, month, _) = civil(self.reference.day(self.to - 1));
        for charge in &version.demand {
            let mut sum = q(0);
            for (rate, billed) in self.billed(version, charge) {
                let entry = charge.rates.iter().find(|entry| entry.name == rate).unwrap();
                let mut below = q(0);
                let flat = entry.price.iter().map(|price| (None, number(price)));
                let tiers = entry.tiers.iter().map(|tier| (tier.to_kw.as_ref().map(number), number(&tier.price)));
                for (to, price) in flat.chain(tiers) {
                    let top = to.filter(|to| *to < billed).unwrap_or_else(|| billed.clone());
                    if top > below {
                        sum += line(policy, (&top - &below) * price);
                        below = top;
                    }
                }
            }
            if charge.months.is_empty() || charge.months.iter().any(|other| i64::from(*other) == month) {
                amounts.demand += &sum;
                by_name.insert(charge.name.clone(), sum);
            }
            if let Some(ratchet) = &charge.ratchet {
                let source = |rate: &String| ratchet.source_rates.is_empty() || ratchet.source_rates.contains(rate);
                let measured = self.measured(&charge.name);
                let names = charge.rates.iter().map(|entry| entry.name.clone());
                let highest = names.filter(source).map(|rate| measured.get(&rate).copied().unwrap_or(0)).max();
                let (year, month, _) = civil(self.reference.day(self.to - 1));
                peaks.push((charge.name.clone(), year * 12 + month, highest.unwrap_or(0)));
            }
        }
        for contract in &version.contract {
            let capacity = Q::new(self.facts.contract_micro.into(), 1_000_000.into());
            let mut sum = line(policy, &capacity * number(&contract.price));
            let peak = Q::new(self.facts.peak_kva_micro.into(), 1_000_000.into());
            for (place, over) in contract.over.iter().enumerate() {
                let lower = &capacity * number(&over.above);
                let upper = contract.over.get(place + 1).map(|next| &capacity * number(&next.above));
                let top = upper.filter(|upper| *upper < peak).unwrap_or_else(|| peak.clone());
                if top > lower {
                    sum += line(policy, (top - lower) * number(&over.price));
                }
            }
            amounts.contract += &sum;
            by_name.insert(contract.name.clone(), sum);
        }
        amounts.fixed = self.fixed();
        let energy_micro: i64 = self.uses.iter().map(|u| u.micro).sum();
        let base = |names: &[String], amounts: &Amounts, by_name: &BTreeMap<String, Q>| -> Q {
            let of = |name: &String| match name.as_str() {
                "energy" => amounts.energy.clone(),
                "demand" => amounts.demand.clone(),
                "contract" => amounts.contract.clone(),
                "fixed" => amounts.fixed.clone(),
                "power_factor" => amounts.power_factor.clone(),
                "minimum" => amounts.minimum.clone(),
                name => by_name.get(name).cloned().unwrap_or_default(),
            };
            names.iter().map(of).fold(q(0), |sum, part| sum + part)
        };
        if let Some(entry) = &version.power_factor {
            let mut taken = base(&entry.base, &amounts, &by_name);
            for name in &entry.without {
                for ((version, rate, tier), energy) in &cells {
                    let energy_charge = &tariff.versions[*version].energy;
                    let Some(component) = energy_charge.components.iter().find(|c| c.name == *name) else { continue };
                    let own = component.price.as_ref().or(component.tiers.get(*tier)).map(number).unwrap();
                    let ratio = energy_charge.rates.iter().find(|r| r.name == *rate).unwrap().ratio.as_ref();
                    taken -= energy * own * ratio.filter(|_| component.scaled).map_or(q(1), number);
                }
            }
            if energy_micro != 0 || self.facts.reactive_micro != 0 {
                let hundredths = power_factor(energy_micro, self.facts.reactive_micro);
                let step = entry.table.iter().find(|step| q(hundredths) >= number(&step.at_least) * q(100)).unwrap();
                amounts.power_factor = line(policy, taken * number(&step.percent) / q(100));
            }
        }
        let mut counted = &amounts.energy + &amounts.demand + &amounts.contract + &amounts.fixed;
        if let Some(minimum) = &version.minimum {
            counted = base(&minimum.base, &amounts, &by_name);
            if let Some(monthly) = &minimum.monthly {
                let least = number(monthly) * q(i64::from(tariff.billing.months));
                if least > counted {
                    amounts.minimum += line(policy, &least - &counted);
                    counted = least;
                }
            }
            let ends_year = civil(self.reference.day(self.start)).0 != civil(self.reference.day(self.to)).0;
            if let Some(annual) = minimum.annual.as_ref().filter(|_| ends_year) {
                let so_far = year_total + &counted;
                if number(annual) > so_far {
                    amounts.minimum += line(policy, number(annual) - so_far);
                }
            }
        }
        for tax in &version.taxes {
            let amount = match (&tax.percent, &tax.per_kwh) {
                (Some(_), _) if tax.included => continue,
                (Some(percent), _) => base(&tax.base, &amounts, &by_name) * number(percent) / q(100),
                (_, Some(price)) => Q::new(energy_micro.into(), 1_000_000.into()) * number(price),
                _ => unreachable!(),
            };
            let amount = line(policy, amount);
            amounts.taxes += &amount;
            by_name.insert(tax.name.clone(), amount);
        }
        let sum = &amounts.energy
            + &amounts.demand
            + &amounts.contract
            + &amounts.fixed
            + &amounts.power_factor
            + &amounts.minimum
            + &amounts.taxes;
        amounts.total = policy.total.map_or(sum.clone(), |places| round(&sum, places, policy.mode));
        (amounts, peaks, counted)
    }

    /// Energy by version, rate and tier.
    fn cells(&self, walk: &mut Walk<'_>) -> Cells {
        let mut cells: Cells = BTreeMap::new();
        // Positions at the first use of a version, and uses by version and rate, for proportional ladders.
        let mut starts: BTreeMap<usize, i64> = BTreeMap::new();
        let mut by_rate: BTreeMap<(usize, String), i64> = BTreeMap::new();
        let ladders = self.reference.tariff.versions.iter().map(|version| {
            let used = self.uses.iter().any(|used| std::ptr::eq(version, self.version_of(used)));
            version
                .energy
                .ladder
                .as_ref()
                .filter(|_| used)
                .map(|ladder| self.limits(version, ladder))
                .unwrap_or_default()
        });
        let ladders: Vec<Vec<Q>> = ladders.collect();
        for used in self.uses {
            walk.go_on(used.from);
            let place = walk.version;
            let version = &self.reference.tariff.versions[place];
            let only = version.energy.rates.first().map(|rate| rate.name.as_str());
            let rate = self.reference.rate(&version.energy.periods, only, used.from).unwrap().to_string();
            let scope = version.energy.ladder.as_ref().map(|ladder| ladder.scope);
            starts.entry(place).or_insert(walk.total);
            *by_rate.entry((place, rate.clone())).or_insert(0) += used.micro;
            let position = match scope {
                Some(Scope::PerPeriod) => walk.own.entry(rate.clone()).or_insert(0),
                _ => &mut walk.total,
            };
            let (from, to) = (*position, *position + used.micro);
            *position = to;
            if scope == Some(Scope::SharedProportional) {
                continue;
            }
            for (tier, energy) in split(&ladders[place], &kwh(from), &kwh(to)) {
                *cells.entry((place, rate.clone(), tier)).or_default() += energy;
            }
        }
        for (place, start) in starts {
            let version = &self.reference.tariff.versions[place];
            if version.energy.ladder.as_ref().is_none_or(|ladder| ladder.scope != Scope::SharedProportional) {
                continue;
            }
            let whole: i64 = by_rate.iter().filter(|((v, _), _)| *v == place).map(|(_, micro)| micro).sum();
            if whole == 0 {
                continue;
            }
            for (tier, energy) in split(&ladders[place], &kwh(start), &kwh(start + whole)) {
                for ((_, rate), micro) in by_rate.iter().filter(|((v, _), _)| *v == place) {
                    *cells.entry((place, rate.clone(), tier)).or_default() +=
                        &energy * Q::new((*micro).into(), whole.into());
                }
            }
        }
        cells.retain(|_, energy| !energy.is_zero());
        cells
    }

    fn version_of(&self, used: &Use) -> &Version {
        &self.reference.tariff.versions[self.reference.version_at(used.from)]
    }

    /// Upper ends of all tiers but the last, kWh.
    fn limits(&self, version: &Version, ladder: &Ladder) -> Vec<Q> {
        let (_, month, _) = civil(self.reference.day(self.to - 1));
        let seasonal = ladder.seasonal.iter().find(|s| s.months.iter().any(|other| i64::from(*other) == month));
        let entries: &[Limit] = seasonal.map_or(&ladder.limits, |season| &season.limits);
        let days = self.reference.day(self.to - 1) - self.reference.day(self.from) + 1;
        let power = ladder.demand.as_ref().map(|name| {
            let charge = version.demand.iter().find(|charge| charge.name == *name).unwrap();
            self.billed(version, charge).into_values().max().unwrap()
        });
        let mut highest = q(0);
        let mut limits = Vec::new();
        for (tier, limit) in entries.iter().enumerate() {
            let candidates = [
                limit.kwh.as_ref().map(number),
                limit.kwh_per_day.as_ref().map(|each| number(each) * q(days)),
                limit.kwh_per_kw.as_ref().map(|each| number(each) * power.clone().unwrap()),
            ];
            let mut end = candidates.into_iter().flatten().min().unwrap();
            for allowance in ladder.allowances.iter().filter(|a| self.facts.allowances.contains(&a.name)) {
                end += number(&allowance.kwh[tier]);
            }
            highest = highest.max(end);
            limits.push(highest.clone());
        }
        limits
    }

    /// Peaks of a charge by rate, 10⁻⁶ kW.
    fn measured(&self, charge: &str) -> BTreeMap<String, i64> {
        let mut windows: BTreeMap<(i64, String), i64> = BTreeMap::new();
        let mut peaks = BTreeMap::new();
        for used in self.uses {
            let version = &self.reference.tariff.versions[self.reference.version_at(used.from)];
            let Some(entry) = version.demand.iter().find(|entry| entry.name == charge) else { continue };
            let window_s = i64::from(version.demand_window_minutes.unwrap()) * 60;
            let only = entry.rates.first().map(|rate| rate.name.as_str());
            let Some(rate) = self.reference.rate(&entry.periods, only, used.from) else { continue };
            let window = (used.from + self.reference.offset_s).div_euclid(window_s) * window_s;
            let energy = windows.entry((window, rate.to_string())).or_insert(0);
            *energy += used.micro;
            let power = *energy * (3_600 / window_s);
            let peak = peaks.entry(rate.to_string()).or_insert(0);
            *peak = power.max(*peak);
        }
        peaks
    }

    /// Billing demand of a charge by rate, kW.
    fn billed(&self, _: &Version, charge: &tariff_engine::tariff::DemandCharge) -> BTreeMap<String, Q> {
        let measured = self.measured(&charge.name);
        let (year, month, _) = civil(self.reference.day(self.to - 1));
        let index = |month: i64| usize::try_from((month - 1).rem_euclid(12)).unwrap();
        let kw = |micro: i64| Q::new(micro.into(), 1_000_000.into());
        let mut billed = BTreeMap::new();
        for rate in &charge.rates {
            let mut power = kw(measured.get(&rate.name).copied().unwrap_or(0));
            if let Some(ratchet) = &charge.ratchet {
                if let Some(share) = ratchet.own_share_by_month.get(index(month)) {
                    power *= number(share);
                }
                let now = year * 12 + month;
                let reach = i64::from(ratchet.lookback) * i64::from(self.reference.tariff.billing.months);
                for (_, then, micro) in self.history.iter().filter(|(name, ..)| *name == charge.name) {
                    if *then < now && *then >= now - reach {
                        let share = ratchet.share.as_ref().or(ratchet.share_by_month.get(index(*then))).map(number);
                        power = power.max(kw(*micro) * share.unwrap());
                    }
                }
            }
            power = power.max(charge.minimum_kw.as_ref().map_or(q(0), number));
            billed.insert(rate.name.clone(), power);
        }
        billed
    }

    fn fixed(&self) -> Q {
        let tariff = self.reference.tariff;
        let months = i64::from(tariff.billing.months);
        let day = |utc: i64| self.reference.day(utc);
        let period_days = day(self.to - 1) - day(self.start) + 1;
        let mut sum = q(0);
        for (place, version) in tariff.versions.iter().enumerate() {
            let from = self.reference.starts[place].max(self.from);
            let until = self.reference.starts.get(place + 1).copied().unwrap_or(i64::MAX);
            let to = until.min(self.to);
            if from >= to {
                continue;
            }
            let days = day(to - 1) - day(from) + 1;
            let share = Q::new(days.into(), period_days.into());
            for fixed in &version.fixed {
                let units = match (fixed.per, fixed.days) {
                    (FixedPer::Day, FixedDays::MeanMonth365_12) => Q::new(365.into(), 12.into()) * q(months) * &share,
                    (FixedPer::Day, _) => q(days),
                    (FixedPer::Month, _) => q(months) * &share,
                    (FixedPer::Year, _) => Q::new(months.into(), 12.into()) * &share,
                };
                sum += line(&tariff.rounding, number(&fixed.price) * units);
            }
        }
        sum
    }
}

fn kwh(micro: i64) -> Q {
    Q::new(micro.into(), 1_000_000.into())
}

fn line(policy: &RoundingPolicy, amount: Q) -> Q {
    policy.lines.map_or(amount.clone(), |places| round(&amount, places, policy.mode))
}

/// The parts of a span of the ladder, by tier.
fn split(limits: &[Q], from: &Q, to: &Q) -> Vec<(usize, Q)> {
    let mut parts = Vec::new();
    let mut at = from.clone();
    for (tier, limit) in limits.iter().enumerate() {
        let end = limit.min(to);
        if *end > at {
            parts.push((tier, end - &at));
            at = end.clone();
        }
    }
    if *to > at {
        parts.push((limits.len(), to - at));
    }
    parts
}

/// Hundredths, half up: the root is compared by its square.
fn power_factor(active: i64, reactive: i64) -> i64 {
    let (active, reactive) = (q(active), q(reactive));
    let square = &active * &active / (&active * &active + &reactive * &reactive);
    (0..=100)
        .rev()
        .find(|hundredths| {
            let edge = Q::new((2 * hundredths - 1).into(), 200.into());
            *hundredths == 0 || &edge * &edge <= square
        })
        .unwrap()
}
