//! An independent pricing, slow and written from the rules: rational numbers, one interval after the other, no tables.
//!
//! It reads the document, not the compiled tariff, and shares no code with the crate.
#![expect(unreachable_pub, reason = "a module of tests")]

mod bill;
mod numbers;

use std::collections::BTreeMap;

use num_rational::BigRational;
use tariff_engine::tariff::{Day, Holiday, Period, Reset, Tariff, Version, Weekday};

use numbers::{civil, date, number, q};
pub use numbers::{day_of, parse};

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
        let (day_number, minute) = (local.div_euclid(86_400), local.rem_euclid(86_400) / 60);
        let (_, month, _) = civil(day_number);
        let weekday = (day_number + 3).rem_euclid(7);
        let minutes = |text: &str| {
            let (hour, minute) = text.split_once(':').unwrap();
            hour.parse::<i64>().unwrap() * 60 + minute.parse::<i64>().unwrap()
        };
        let inside = |period: &&Period| {
            let (from, to) = (minutes(&period.from), minutes(&period.to));
            let time = if from < to { from <= minute && minute < to } else { minute >= from || minute < to };
            let days = period.days.is_empty()
                || period.days.iter().any(|day| match day {
                    Day::Workday => self.role(day_number) == Role::Workday,
                    Day::Weekend => self.role(day_number) == Role::Weekend,
                    Day::Holiday => self.role(day_number) == Role::Holiday,
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

    /// A make-up day is a working day, a holiday is a holiday, and other days are what their weekday is.
    fn role(&self, day: i64) -> Role {
        let calendar = &self.tariff.calendar;
        let holiday =
            |entry: &Holiday| (date(&entry.from)..=date(entry.to.as_ref().unwrap_or(&entry.from))).contains(&day);
        let week = [
            Weekday::Monday,
            Weekday::Tuesday,
            Weekday::Wednesday,
            Weekday::Thursday,
            Weekday::Friday,
            Weekday::Saturday,
            Weekday::Sunday,
        ];
        let weekday = week[usize::try_from((day + 3).rem_euclid(7)).unwrap()];
        if calendar.workdays.iter().any(|workday| date(workday) == day) {
            Role::Workday
        } else if calendar.holidays.iter().any(holiday) {
            Role::Holiday
        } else if calendar.weekend.contains(&weekday) {
            Role::Weekend
        } else {
            Role::Workday
        }
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

/// The part that a day plays in the week.
#[derive(PartialEq, Eq)]
enum Role {
    Workday,
    Weekend,
    Holiday,
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
