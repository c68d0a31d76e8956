//! Readings that come late, backward, estimated or wrong; registers that wrap; transformers that change.

mod common;

use common::{Desk, METER, OPERATOR, fen, meter_terms, number, terms, why};
use prepay_core::account::{
    Account, Command, Event, Fact, MeterTakeOver, MeterTerms, OpenMode, Purse, RefundTo, Refusal, Terms, postings,
};
use prepay_core::id::{AccountId, RefundId};
use prepay_core::ledger::AccountKind;
use prepay_core::money::Money;
use prepay_core::reading::{Force, MeterFlags, MeterReading, Rates, Registers};
use prepay_core::refund::RefundTake;
use prepay_core::series::{Series, Source};
use prepay_core::settlement::{PriceRequest, Priced, Pricer, PricerRefusal, PricerState, RegisterLimits, Usage};
use prepay_core::status::Credit;
use prepay_core::time::Now;
use proptest::prelude::*;
use rust_decimal::Decimal;

const START_S: i64 = 1_772_719_650;
const LIMITS: RegisterLimits = RegisterLimits::six_digits(200);
const BEGIN: u64 = 99_999_000;

/// A ladder by energy and a price by the hour in which an interval begins: how a span is cut matters.
struct LadderByHour;

impl Pricer for LadderByHour {
    fn price(&self, request: &PriceRequest<'_>) -> Result<Priced, PricerRefusal> {
        let text = core::str::from_utf8(request.state.as_bytes()).unwrap();
        let (used, cost) = text.split_once('/').unwrap_or(("0", "0"));
        let (used, cost): (u64, i128) = (used.parse().unwrap(), cost.parse().unwrap());
        let hour = request.usage.from_utc_s.div_euclid(3600).rem_euclid(24);
        let base = if (8..20).contains(&hour) { 9_000 } else { 4_000 };
        let step = i128::from(request.usage.total_centi_kwh) * (base + if used > 50_000 { 1_234 } else { 0 });
        let (used, cost) = (used + request.usage.total_centi_kwh, cost + step);
        Ok(Priced {
            cumulative: Decimal::from_i128_with_scale(cost, 6),
            cumulative_tax: Decimal::from_i128_with_scale(cost, 6) / Decimal::from(7),
            tariff_version: 1,
            state: PricerState::new(format!("{used}/{cost}").into_bytes())?,
        })
    }
}

fn registers(advanced: u64) -> Registers {
    let modulus = LIMITS.modulus_centi_kwh;
    Registers { total_centi_kwh: (BEGIN + advanced) % modulus, rates: Rates::default() }
}

fn reading(advanced: u64, at: Now) -> MeterReading {
    MeterReading {
        meter: number(METER),
        purchase_count: 0,
        balance: Money::ZERO,
        energy: registers(advanced),
        relay_closed: true,
        force: Force::Automatic,
        flags: MeterFlags::default(),
        prepaid_enabled: false,
        taken: at,
    }
}

struct Books {
    account: Account,
    events: Vec<Event>,
}

impl Books {
    fn open() -> Self {
        let mut books = Self { account: Account::new(AccountId(7)), events: Vec::new() };
        let terms = Terms::new(prepay_core::money::Currency::CNY, Purse::AtStation, common::levels());
        let meter = MeterTakeOver {
            terms: MeterTerms::new(number(METER), LIMITS),
            mode: OpenMode::TakeOver,
            reading: reading(0, Now::new(0, START_S)),
        };
        let station_credit = fen(1_000_000);
        books.tell(&Command::Open { terms, meters: vec![meter], station_credit }, Now::new(0, START_S)).unwrap();
        books
    }

    fn tell(&mut self, command: &Command, now: Now) -> Result<(), Refusal> {
        let decision = self.account.decide(command, now, &LadderByHour)?;
        for event in &decision.events {
            self.account.apply(event).unwrap();
        }
        self.events.extend(decision.events);
        Ok(())
    }

    fn series(&self) -> &Series {
        self.account.meter(number(METER)).unwrap().series()
    }

    /// A time after everything that has happened.
    fn now(&self) -> Now {
        let steps = u64::try_from(self.events.len()).unwrap();
        Now::new(steps, START_S + 24 * 40_000)
    }

    fn command(&self, (utc_s, advanced): (i64, u64), ratio: Option<u32>) -> (Command, Now) {
        let now = Now { utc_s, ..self.now() };
        let (meter, reading) = (number(METER), reading(advanced, now));
        let command = match ratio {
            Some(ratio) => Command::ChangeRatio { meter, reading, ratio },
            None if utc_s > self.series().last().taken_utc_s => Command::SettleNow { meter, reading },
            None => Command::LateReading { meter, energy: registers(advanced), taken_utc_s: utc_s },
        };
        (command, now)
    }

    /// A reading arrives, in time or late; with a ratio it is the last one of the old transformers.
    fn arrive(&mut self, one: (i64, u64), ratio: Option<u32>) {
        let (command, now) = self.command(one, ratio);
        self.tell(&command, now).unwrap();
    }

    /// Whether a reading would be believed.
    fn tried(&self, one: (i64, u64)) -> bool {
        let (command, now) = self.command(one, None);
        self.account.decide(&command, now, &LadderByHour).is_ok_and(|decision| {
            !decision.events.iter().any(|event| matches!(event.fact, Fact::MeterQuarantined { .. }))
        })
    }

    fn estimate(&mut self, total_centi_kwh: u64, to_utc_s: i64) {
        let usage = Usage { from_utc_s: 0, to_utc_s, total_centi_kwh, rates: Rates::default() };
        self.tell(&Command::EstimateUse { meter: number(METER), usage }, self.now()).unwrap();
    }

    fn charged(&self) -> Money {
        self.account.meter(number(METER)).unwrap().charged()
    }

    /// What was posted, counted in the postings and not in the state.
    fn posted(&self, kind: AccountKind) -> i64 {
        let transfers = self.events.iter().flat_map(|event| postings(event).unwrap());
        transfers
            .map(|transfer| {
                let amount = transfer.amount.minor();
                i64::from(transfer.credit.kind == kind) * amount - i64::from(transfer.debit.kind == kind) * amount
            })
            .sum()
    }
}

/// Corrects what was read too low, the latest first: above what still stands behind it a reading is refused.
fn put_right(books: &mut Books, wrong: &mut Vec<(i64, u64)>) {
    wrong.sort_unstable();
    while let Some((taken_utc_s, advanced)) = wrong.pop() {
        let (meter, energy) = (number(METER), registers(advanced));
        let correct = Command::CorrectReading { meter, energy, taken_utc_s, by: OPERATOR, why: why("misread") };
        // A reading that showed nothing used since the one before was not kept: the true one arrives then.
        if books.series().points().iter().any(|point| point.taken_utc_s == taken_utc_s) {
            let now = books.now();
            books.tell(&correct, now).unwrap();
        } else {
            books.arrive((taken_utc_s, advanced), None);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// After all readings have arrived, in any order, charges and corrections are what the ordered series costs: in the
    /// account, in the postings and in the tax; wraps included.
    #[test]
    fn any_order_of_arrival_costs_the_same(
        steps in prop::collection::vec((600_i64..40_000, 0_u64..9_000), 1..24),
        order in prop::collection::vec(any::<u32>(), 24),
    ) {
        let mut at = (START_S, 0);
        let series: Vec<(i64, u64)> = steps.iter().map(|(seconds, energy)| {
            at = (at.0 + seconds, at.1 + energy);
            at
        }).collect();
        let settle = |books: &mut Books, mono_ms, (utc_s, advanced)| {
            let now = Now::new(mono_ms, utc_s);
            books.tell(&Command::SettleNow { meter: number(METER), reading: reading(advanced, now) }, now)
        };
        let mut ordered = Books::open();
        for (index, one) in (1_u64..).zip(&series) {
            settle(&mut ordered, index, *one).unwrap();
        }
        let mut arrivals: Vec<_> = series.iter().copied().zip(order).collect();
        arrivals.sort_by_key(|(_, rank)| *rank);
        let mut books = Books::open();
        for (index, ((utc_s, advanced), _)) in (1_u64..).zip(arrivals) {
            let last = books.account.meter(number(METER)).unwrap().series().last().taken_utc_s;
            if utc_s > last {
                settle(&mut books, index, (utc_s, advanced)).unwrap();
            } else {
                let late = Command::LateReading { meter: number(METER), energy: registers(advanced), taken_utc_s: utc_s };
                books.tell(&late, Now::new(index, utc_s)).unwrap();
            }
        }
        prop_assert_eq!(books.charged(), ordered.charged());
        prop_assert_eq!(books.account.purse(), ordered.account.purse());
        for kind in [AccountKind::Revenue, AccountKind::Tax] {
            prop_assert_eq!(books.posted(kind), ordered.posted(kind));
        }
        prop_assert_eq!(ordered.posted(AccountKind::CustomerPurse), ordered.account.purse().minor());
        let rebuilt = Account::rebuild(AccountId(7), &books.events).unwrap();
        prop_assert_eq!(rebuilt.purse(), books.account.purse());
    }

    /// The same with everything that can happen to readings at once: a wrap, late arrivals before and after a change of the
    /// transformers, estimates over the gaps, and readings that come wrong and are put right at the end.
    #[test]
    fn whatever_happens_to_readings_in_the_end_the_ordered_series_is_charged(
        steps in prop::collection::vec((600_i64..40_000, 0_u64..9_000, any::<u32>(), any::<[bool; 2]>()), 2..24),
        change in any::<prop::sample::Index>(),
        ratio in 1_u32..100,
    ) {
        let mut at = (START_S, 0);
        let series: Vec<(i64, u64)> = steps.iter().map(|(seconds, energy, ..)| {
            at = (at.0 + seconds, at.1 + energy);
            at
        }).collect();
        let change = change.index(series.len());
        let (mut books, mut ordered) = (Books::open(), Books::open());
        for (place, one) in series.iter().enumerate() {
            ordered.arrive(*one, (place == change).then_some(ratio));
        }
        // What was read before the transformers changed arrives in any order on both sides of the change.
        let mut arrivals: Vec<usize> = (0..series.len()).collect();
        arrivals.sort_by_key(|place| steps[*place].2);
        let changed = arrivals.iter().position(|place| *place == change).unwrap();
        let (before, after) = arrivals.split_at_checked(changed).unwrap();
        let (early, beyond): (Vec<_>, Vec<_>) = before.iter().partition(|place| **place < change);
        let mut wrong = Vec::new();
        for place in early.into_iter().chain(after.iter().copied()).chain(beyond) {
            let ((utc_s, advanced), [estimate, mistaken]) = (series[place], steps[place].3);
            if place == change {
                put_right(&mut books, &mut wrong);
                books.arrive((utc_s, advanced), Some(ratio));
                continue;
            }
            // A wrong reading that came before stands against it.
            if !books.tried((utc_s, advanced)) {
                put_right(&mut books, &mut wrong);
            }
            let last = books.series().last().taken_utc_s;
            if estimate && utc_s > last + 1 && last > START_S {
                books.estimate(7, utc_s - 1);
            }
            let fits = advanced > 0 && books.tried((utc_s, advanced - 1));
            let taken = advanced - u64::from(mistaken && fits);
            books.arrive((utc_s, taken), None);
            if taken != advanced {
                wrong.push((utc_s, advanced));
            }
        }
        put_right(&mut books, &mut wrong);
        prop_assert_eq!(books.charged(), ordered.charged());
        prop_assert_eq!(books.account.purse(), ordered.account.purse());
        for kind in [AccountKind::Revenue, AccountKind::Tax, AccountKind::CustomerPurse] {
            prop_assert_eq!(books.posted(kind), ordered.posted(kind));
        }
    }

    /// An estimate over a gap leaves no trace once the meter is read again.
    #[test]
    fn an_estimate_is_replaced_by_the_next_reading(
        used in 0_u64..9_000, guess in 0_u64..9_000, after in 0_u64..9_000, twice: bool,
    ) {
        let mut with = Books::open();
        let mut without = Books::open();
        let day = |n: i64| START_S + n * 86_400;
        let estimate = |total_centi_kwh, to_utc_s| Command::EstimateUse {
            meter: number(METER),
            usage: Usage { from_utc_s: 0, to_utc_s, total_centi_kwh, rates: Rates::default() },
        };
        with.tell(&estimate(guess, day(1)), Now::new(1, day(1))).unwrap();
        prop_assert!(guess == 0 || with.charged().is_positive());
        if twice {
            with.tell(&estimate(guess, day(2)), Now::new(2, day(2))).unwrap();
        }
        for (index, advanced) in [(3, used), (4, used + after)] {
            for books in [&mut with, &mut without] {
                let now = Now::new(index, day(index.try_into().unwrap()));
                books.tell(&Command::SettleNow { meter: number(METER), reading: reading(advanced, now) }, now).unwrap();
            }
        }
        prop_assert_eq!(with.charged(), without.charged());
        prop_assert_eq!(with.account.purse(), without.account.purse());
    }
}

#[test]
fn a_wrong_reading_is_put_right_and_one_that_fits_nowhere_is_refused() {
    let mut books = Books::open();
    let settle = |books: &mut Books, hours: i64, advanced| {
        let now = Now::new(u64::try_from(hours).unwrap(), START_S + hours * 3600);
        books.tell(&Command::SettleNow { meter: number(METER), reading: reading(advanced, now) }, now).unwrap();
    };
    settle(&mut books, 1, 1_000);
    settle(&mut books, 2, 3_000);
    settle(&mut books, 3, 4_000);
    let correct = |hours: i64, advanced| Command::CorrectReading {
        meter: number(METER),
        energy: registers(advanced),
        taken_utc_s: START_S + hours * 3600,
        by: OPERATOR,
        why: why("misread"),
    };
    let now = Now::new(9, START_S + 9 * 3600);
    let before = books.account.clone();
    assert!(matches!(books.tell(&correct(2, 4_001), now), Err(Refusal::Register(_))), "backward afterwards");
    assert!(matches!(books.tell(&correct(5, 3_500), now), Err(Refusal::NoSuchReading { .. })));
    assert_eq!(books.account, before, "a refusal changes nothing");
    books.tell(&correct(2, 2_000), now).unwrap();
    let mut right = Books::open();
    settle(&mut right, 1, 1_000);
    settle(&mut right, 2, 2_000);
    settle(&mut right, 3, 4_000);
    assert_eq!(books.charged(), right.charged());
    books.tell(&correct(3, 3_000), now).unwrap();
    assert_eq!(books.account.meter(number(METER)).unwrap().settled().energy, registers(3_000), "also the last one");
    let late = |hours: i64, advanced| Command::LateReading {
        meter: number(METER),
        energy: registers(advanced),
        taken_utc_s: START_S + hours * 3600,
    };
    assert!(matches!(books.tell(&late(2, 2_000), now), Err(Refusal::ReadingKnown { .. })));
    assert!(matches!(books.tell(&late(4, 5_000), now), Err(Refusal::ReadingNotLate { .. })));
    assert!(matches!(books.tell(&late(0, 0), now), Err(Refusal::ReadingTooOld { .. })));
    assert!(matches!(books.tell(&late(-1, 0), now), Err(Refusal::ReadingTooOld { .. })));
}

#[test]
fn a_full_series_moves_its_fixed_point_on_and_keeps_its_price() {
    let mut books = Books::open();
    let count = u64::try_from(Series::MAX).unwrap() + 10;
    for hour in 1..=count {
        let now = Now::new(hour, START_S + i64::try_from(hour).unwrap() * 3600);
        books.tell(&Command::SettleNow { meter: number(METER), reading: reading(hour * 100, now) }, now).unwrap();
    }
    let series = books.account.meter(number(METER)).unwrap().series().clone();
    assert!(series.points().len() <= Series::MAX && series.base().taken_utc_s > START_S);
    let whole = series.price(AccountId(7), number(METER), &LIMITS, &LadderByHour).unwrap();
    let currency = prepay_core::money::Currency::CNY;
    assert_eq!(Money::quantise(whole.cumulative, currency).unwrap().amount, books.charged());
    let old = Command::LateReading { meter: number(METER), energy: registers(50), taken_utc_s: START_S + 1800 };
    assert!(matches!(books.tell(&old, Now::new(999, START_S + 999_999)), Err(Refusal::ReadingTooOld { .. })));
}

#[test]
fn a_clock_that_is_set_back_moves_the_fixed_point_and_charges_on() {
    let mut books = Books::open();
    let settle = |books: &mut Books, mono_ms, utc_s, advanced| {
        let now = Now::new(mono_ms, utc_s);
        books.tell(&Command::SettleNow { meter: number(METER), reading: reading(advanced, now) }, now).unwrap();
    };
    settle(&mut books, 1, START_S + 7_200, 1_000);
    let before = books.charged();
    settle(&mut books, 2, START_S + 3_600, 1_500);
    assert!(books.charged() > before);
    let series = books.account.meter(number(METER)).unwrap().series();
    assert_eq!((series.base().energy, series.points().len()), (registers(1_500), 0));
    let at = books.charged();
    settle(&mut books, 3, START_S + 3_700, 1_500);
    assert_eq!(books.charged(), at, "nothing is charged twice");
}

#[test]
fn transformers_that_change_split_the_charge_at_the_change() {
    let mut desk = Desk::open(Purse::AtStation, 100_000);
    desk.meter.use_energy(1, 100);
    desk.wait_s(1);
    let reading = desk.reading();
    desk.tell(Command::ChangeRatio { meter: number(METER), reading, ratio: 30 }).unwrap();
    desk.meter.use_energy(1, 100);
    desk.settle();
    assert_eq!(desk.account.purse(), fen(100_000 - 100 - 3_000));
    let silent = Command::ChangeMeterTerms { terms: MeterTerms { ratio: 1, ..*desk.state().terms() } };
    assert_eq!(desk.tell(silent), Err(Refusal::Fixed { field: "ratio" }));
    let mut in_meter = Desk::open(Purse::InMeter, 100);
    in_meter.wait_s(1);
    let change = Command::ChangeRatio { meter: number(METER), reading: in_meter.reading(), ratio: 2 };
    assert!(matches!(in_meter.tell(change), Err(Refusal::Terms(_))));
}

#[test]
fn a_meter_is_not_estimated_while_it_holds_the_purse() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    desk.wait_s(60);
    let usage = Usage { from_utc_s: 0, to_utc_s: desk.now.utc_s, total_centi_kwh: 1, rates: Rates::default() };
    let refused = desk.tell(Command::EstimateUse { meter: number(METER), usage });
    assert_eq!(refused, Err(Refusal::EstimateInMeter { meter: number(METER) }));
    let mut station = Desk::open(Purse::AtStation, 3_000);
    station.wait_s(60);
    let refused = station.tell(Command::EstimateUse { meter: number(METER), usage });
    assert_eq!(refused, Err(Refusal::EstimateRates { given: 0, rates: 4 }));
}

#[test]
fn a_late_reading_of_a_meter_with_the_purse_changes_the_tariffs_part_only() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    desk.meter.use_energy(1, 100);
    let early = (desk.reading().energy, desk.now.utc_s + 10);
    desk.wait_s(60);
    desk.meter.use_energy(0, 100);
    desk.settle();
    let (energy, taken_utc_s) = early;
    desk.tell(Command::LateReading { meter: number(METER), energy, taken_utc_s }).unwrap();
    assert_eq!(desk.posted(AccountKind::MeterPurse, METER), desk.meter.balance());
    assert_eq!(desk.state().series().points().len(), 2);
    assert!(desk.state().series().points().iter().all(|point| point.source == Source::Measured));
}

#[test]
fn consumption_is_posted_once_a_day_by_the_polls() {
    let daily = Terms { post_daily_at_s: Some(16 * 3600), ..terms(Purse::AtStation) };
    let mut desk = Desk::open_with(daily, meter_terms(METER), 100_000);
    for _ in 0..(5 * 48) {
        desk.meter.use_energy(1, 3);
        desk.wait_s(1_799);
        desk.observe();
    }
    assert_eq!(desk.count_facts(|fact| matches!(fact, Fact::Settled(_))), 5);
}

#[test]
fn a_late_reading_does_not_forget_what_the_polls_have_seen_used() {
    let mut desk = Desk::open(Purse::AtStation, 1_000);
    let early = (desk.reading().energy, desk.now.utc_s + 5);
    desk.wait_s(60);
    desk.settle();
    desk.meter.use_energy(1, 100);
    desk.settle();
    // 8.00 of 9.00 are used, and nothing of it is booked yet.
    desk.meter.use_energy(1, 800);
    desk.observe();
    let (energy, taken_utc_s) = early;
    desk.tell(Command::LateReading { meter: number(METER), energy, taken_utc_s }).unwrap();
    assert_eq!(desk.account.status(number(METER)).unwrap().credit, Credit::Alarm2, "0.00 and 1.00 are left");
    let refund = Command::RequestRefund {
        refund: RefundId(1),
        from: None,
        take: RefundTake::Exactly(fen(500)),
        to: RefundTo::OriginalChannel,
        operator: OPERATOR,
        why: why("moves out"),
    };
    assert_eq!(desk.tell(refund), Err(Refusal::NotEnough { amount: fen(500), available: fen(100) }));
}

#[test]
fn a_late_reading_finds_its_place_in_a_full_series() {
    let day = |n: u64| START_S + i64::try_from(n).unwrap() * 86_400;
    let settle = |books: &mut Books, n: u64| {
        let now = Now::new(n, day(n));
        books.tell(&Command::SettleNow { meter: number(METER), reading: reading(n * 300, now) }, now).unwrap();
    };
    let full = u64::try_from(Series::MAX).unwrap() + 1;
    for late in [1, 2, 3, 40, full - 1] {
        let (mut books, mut ordered) = (Books::open(), Books::open());
        for n in 1..=full {
            settle(&mut ordered, n);
            if n != late {
                settle(&mut books, n);
            }
        }
        assert!(books.account.meter(number(METER)).unwrap().series().is_full());
        let taken_utc_s = day(late);
        let command = Command::LateReading { meter: number(METER), energy: registers(late * 300), taken_utc_s };
        let told = books.tell(&command, Now::new(full, day(full)));
        if late == 1 {
            // Nothing before it can be given up: it is older than what can still be put right.
            let base_utc_s = day(2);
            assert_eq!(told, Err(Refusal::ReadingTooOld { taken_utc_s, base_utc_s }));
        } else {
            told.unwrap();
            assert_eq!(books.charged(), ordered.charged(), "day {late}");
        }
    }
}
