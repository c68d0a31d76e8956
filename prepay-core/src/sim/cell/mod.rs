//! One cell: a station with a store that dies and comes back, driven by the effects of the core.

mod debts;
mod driver;
mod operations;
mod people;
mod refund;
mod replace;
mod station;
mod vend;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Config;
use super::auditor::Auditor;
use super::link::{FRAME_LIFE_MS, Link};
use super::meter::{CountRule, SimMeter};
use super::prices::PRICES;
use super::report::Report;
use super::rng::Rng;
use crate::account::{Account, Command, Effect, Event, MeterTakeOver, MeterTerms, OpenMode, Purse, Terms};
use crate::bend::Bend;
use crate::credit::Levels;
use crate::id::{AccountId, MeterNumber, OperatorId};
use crate::ledger::{Entry, Key, KeyRecord, Ledger, ShardId};
use crate::money::{Currency, Money};
use crate::reading::Rates;
use crate::sale::{EqualCountRule, SalePolicy};
use crate::settlement::{MeterPrices, RegisterLimits};
use crate::time::Now;

const OPERATOR: OperatorId = OperatorId(1);
const UTC_ORIGIN_S: i64 = 1_772_719_650;
/// After this long in trouble the line heals, so that what is unresolved then has no excuse.
const TROUBLE_MS: u64 = 300_000;

pub(super) struct Cell {
    rng: Rng,
    now_ms: u64,
    boot_ms: u64,
    mono_base_ms: u64,
    utc_shift_s: i64,
    number: MeterNumber,
    meter: SimMeter,
    /// The right meter, while a wrong one hangs in its place.
    put_aside: Option<SimMeter>,
    link: Link,
    account: Account,
    ledger: Ledger,
    stored: Vec<Event>,
    journal: Vec<Entry>,
    keys: BTreeMap<Key, KeyRecord<u64>>,
    todo: Vec<(u64, Effect)>,
    auditor: Auditor,
    bend: Option<Bend>,
    next_sale: u64,
    next_refund: u64,
    next_debt: u64,
    transmissions: u64,
    first_sent_ms: Option<u64>,
    read_backs: u32,
    priced_micro: u64,
    station_paid: i64,
    started: bool,
    /// The wall clock stands an hour forward.
    summer: bool,
    /// Nobody dies any more.
    calm: bool,
    /// The end of the last trouble of the open sale.
    trouble_ms: u64,
    /// The longest pause between two sales, in ms.
    pub(super) pause_ms: u64,
    /// What happened, a line each, when somebody wants to read it.
    pub(super) story: Option<Vec<String>>,
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Stored,
    Refused,
    Lost,
}

struct Crashed;

impl Cell {
    pub(super) fn new(config: &Config, cell: u64) -> Self {
        let mut rng = Rng::new(config.seed, cell + 1);
        let rule = match rng.below(3) {
            0 => CountRule::Acknowledges,
            1 => CountRule::Refuses,
            _ => CountRule::Adds,
        };
        // A third of the meters are about to wrap their purchase count.
        let count = if rng.chance(333) { u16::MAX - small(rng.below(16)) } else { small(rng.below(60_000)) };
        let raw = rng.between(1, MeterNumber::MAX - 1);
        let cents = i64::try_from(rng.below(20_000)).unwrap_or(0) - 500;
        let account = Account::new(AccountId(cell + 1));
        let mono_base_ms = rng.below(1 << 40);
        Self {
            now_ms: 0,
            boot_ms: 0,
            mono_base_ms,
            utc_shift_s: 0,
            number: MeterNumber::at_most(raw),
            meter: SimMeter::new(raw, cents, count, PRICES, rule),
            put_aside: None,
            link: Link::new(),
            account,
            ledger: Ledger::new(Currency::CNY, ShardId(0)),
            stored: Vec::new(),
            journal: Vec::new(),
            keys: BTreeMap::new(),
            todo: Vec::new(),
            auditor: Auditor::new(raw, rng.chance(200)),
            bend: config.bend,
            next_sale: 1,
            next_refund: 1,
            next_debt: 1,
            transmissions: 0,
            first_sent_ms: None,
            read_backs: 0,
            priced_micro: 0,
            station_paid: 0,
            started: false,
            summer: false,
            calm: false,
            trouble_ms: 0,
            pause_ms: 1_800_000,
            story: None,
            rng,
        }
    }

    pub(super) fn run(mut self, vends: u64, report: &mut Report) -> Vec<String> {
        report.begin_cell();
        self.open(report);
        for _ in 0..vends {
            self.gap_and_vend(report);
        }
        self.close(report);
        self.story.unwrap_or_default()
    }

    /// Lives until its time is over; answers its journal.
    pub(super) fn live(mut self, until_ms: u64, report: &mut Report) -> Vec<Entry> {
        report.begin_cell();
        self.open(report);
        while self.now_ms < until_ms {
            self.gap_and_vend(report);
        }
        self.close(report);
        self.journal
    }

    fn gap_and_vend(&mut self, report: &mut Report) {
        report.vends += 1;
        let [acknowledges, refuses, adds] = &mut report.vends_by_rule;
        *match self.meter.rule {
            CountRule::Acknowledges => acknowledges,
            CountRule::Refuses => refuses,
            CountRule::Adds => adds,
        } += 1;
        self.trouble(report);
        self.vend(report);
        if self.rng.chance(300) {
            self.settle_down(report);
        }
    }

    fn close(&mut self, report: &mut Report) {
        self.settle_down(report);
        (self.link.healed, self.calm) = (true, true);
        self.poll(true, report);
        self.auditor.watch(&self.meter, report);
        self.auditor.close(&self.account, &self.ledger, &self.journal, &self.meter, report);
        for complaint in core::mem::take(&mut self.auditor.complaints) {
            self.note(|| format!("wrong    {complaint}"));
        }
        report.mark();
    }

    fn note(&mut self, what: impl FnOnce() -> String) {
        let at_ms = self.now_ms;
        if let Some(story) = &mut self.story {
            story.push(format!("{at_ms:>10} ms  {}", what()));
        }
    }

    fn open(&mut self, report: &mut Report) {
        let fen = Money::from_minor;
        let Ok(levels) = Levels::new(fen(2_000), fen(500), fen(0), fen(100)) else { return };
        let purse = if self.auditor.at_station { Purse::AtStation } else { Purse::InMeter };
        let sale = SalePolicy { frame_life_ms: FRAME_LIFE_MS, max_frames: 4, ..SalePolicy::DEFAULT };
        let emergency = Some(fen(debts::EMERGENCY));
        let terms = Terms { sale, emergency, ..Terms::new(Currency::CNY, purse, levels) };
        self.auditor.wanted.never_cut = self.rng.chance(100);
        self.meter.prepaid_on = !self.auditor.at_station;
        let meter = self.meter_terms(self.number);
        let reading = self.show();
        let meters = [MeterTakeOver { terms: meter, mode: OpenMode::TakeOver, reading }].to_vec();
        self.link.healed = true;
        self.tell(&Command::Open { terms, meters, station_credit: Money::ZERO }, report);
        self.link.healed = false;
        self.started = true;
        self.account.set_bend(self.bend);
    }

    /// What is known about every meter of this cell.
    fn meter_terms(&self, number: MeterNumber) -> MeterTerms {
        let equal_count = match self.meter.rule {
            CountRule::Acknowledges => EqualCountRule::EqualAcknowledged,
            CountRule::Refuses => EqualCountRule::EqualRefused,
            CountRule::Adds => EqualCountRule::AnyCountAdds,
        };
        let raw = Rates::new(&PRICES.map(u64::from)).unwrap_or_default();
        MeterTerms {
            never_cut: self.auditor.wanted.never_cut,
            equal_count,
            tolerance: Money::from_minor(4),
            confirmed_prices: Some(MeterPrices { decimals: 4, raw }),
            ..MeterTerms::new(number, RegisterLimits::six_digits(2_000))
        }
    }

    /// Everything heals; polls until nothing is open; then the auditor looks at the supply.
    fn settle_down(&mut self, report: &mut Report) {
        self.link.healed = true;
        self.wait(2 * FRAME_LIFE_MS);
        for _ in 0..40 {
            if self.quarantined() || self.put_aside.is_some() {
                self.explain(report);
            }
            self.run_todo(50, report);
            let seen = self.poll(true, report);
            self.run_todo(50, report);
            let Some(state) = self.account.meter(self.number) else { break };
            if seen && state.order().confirmed && state.suspicions().is_empty() && !self.quarantined() {
                break;
            }
            self.wait(200_000);
        }
        let credit = if self.auditor.at_station {
            self.station_paid
                - self.auditor.refunds.paid_back
                - self.auditor.debts.recovered
                - i64::try_from((self.priced_micro + 5_000) / 10_000).unwrap_or(0)
        } else {
            self.meter.remaining()
        };
        self.auditor.check_supply(&self.meter, credit, report);
        self.auditor.check_display(self.account.display_state(self.number), report);
        report.mark();
        self.link.healed = false;
    }

    fn chaos(&mut self, per_mille: u64) -> bool {
        !self.calm && self.started && self.rng.chance(per_mille)
    }

    fn wait(&mut self, ms: u64) {
        self.now_ms += ms;
        self.link.advance(self.now_ms, &mut self.meter);
    }

    fn now(&self) -> Now {
        let utc_s = UTC_ORIGIN_S + i64::try_from(self.now_ms / 1_000).unwrap_or(0) + self.utc_shift_s;
        Now::new(self.mono_base_ms + (self.now_ms - self.boot_ms), utc_s)
    }

    fn consume(&mut self, rate: usize, centi_kwh: u32) {
        if self.meter.relay_closed() {
            let price = PRICES.get(rate).copied().unwrap_or(0);
            self.priced_micro += u64::from(centi_kwh) * u64::from(price);
        }
        self.meter.consume(rate, centi_kwh);
    }
}

fn small(value: u64) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}
