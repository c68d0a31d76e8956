//! Broken rules of refunds, each of which a small seeded world catches, and a clean core that passes the same seeds.
#![cfg(feature = "sim")]

mod common;

use common::{Desk, METER, OPERATOR, fen, number, why};
use prepay_core::account::{Command, Effect, Purse, ReadBack, RefundTo};
use prepay_core::id::{RefundId, SaleId};
use prepay_core::ledger::AccountKind;
use prepay_core::refund::{MoneyWrite, RefundTake};
use prepay_core::sale::SendOutcome;
use prepay_core::sim::Bend;

const REFUND: RefundId = RefundId(1);
const SEEDS: u64 = 200;

/// What may go wrong, in the words of the properties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Broken {
    /// Books and meter disagree though nobody but the station wrote.
    BooksAgainstMeter,
    /// The meter took half of a frame and nobody was told.
    HalfUnseen,
    /// The meter was quarantined though nobody but the station wrote.
    FalseQuarantine,
}

struct World {
    desk: Desk,
    bend: Option<Bend>,
    random: u64,
    /// Frames on their way: when they arrive, UTC seconds. None lives as long as the stated frame life of five seconds.
    air: Vec<(i64, MoneyWrite)>,
    half: bool,
}

impl World {
    fn new(seed: u64, bend: Option<Bend>) -> Self {
        let mut desk = Desk::open(Purse::InMeter, 3_000);
        desk.sell(10_000);
        desk.account.set_bend(bend);
        Self { desk, bend, random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, air: Vec::new(), half: false }
    }

    fn below(&mut self, limit: u64) -> u64 {
        // xorshift64*
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }

    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.desk.wait_s(1);
            let now = self.desk.now.utc_s;
            for (_, write) in self.air.extract_if(.., |(at, _)| *at <= now).collect::<Vec<_>>() {
                self.desk.meter.overwrite(write.remaining(), write.purchase_count());
                self.half = false;
            }
        }
    }

    fn send(&mut self, write: MoneyWrite) {
        let now = self.desk.now.utc_s;
        match self.below(10) {
            0 | 1 => {}
            2 | 3 => {
                let later = i64::try_from(self.below(4)).unwrap() + 1;
                self.air.push((now + later, write));
            }
            // Twice: now, and a late copy.
            4 | 5 => {
                self.desk.meter.overwrite(write.remaining(), write.purchase_count());
                self.air.push((now + 4, write));
            }
            6 => {
                let count = self.desk.meter.count;
                self.desk.meter.overwrite(write.remaining(), count);
                self.half = count != write.purchase_count();
            }
            7 => {
                self.desk.meter.count = write.purchase_count();
                self.half = self.desk.meter.balance() != write.remaining().minor();
            }
            _ => self.desk.meter.overwrite(write.remaining(), write.purchase_count()),
        }
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        let mut work: std::collections::VecDeque<_> = self.desk.obey(effects).into();
        while let Some(effect) = work.pop_front() {
            let told = match effect {
                Effect::StartRefund { refund, .. } => {
                    self.pass(1);
                    let evidence = self.desk.reading();
                    self.desk.tell(Command::BeginRefund { refund, evidence })
                }
                Effect::OverwriteBalance { refund, write, frame, .. } => {
                    if !self.desk.account.may_overwrite(refund, frame) {
                        continue;
                    }
                    self.send(write);
                    self.desk.tell(Command::RefundSent { refund, outcome: SendOutcome::NoReply })
                }
                Effect::ReadBackRefund { refund, not_before_mono_ms, .. } => {
                    let wait_ms = not_before_mono_ms.saturating_sub(self.desk.now.mono_ms);
                    self.pass(wait_ms.div_ceil(1000).max(1));
                    if self.below(6) == 0 {
                        self.desk.restart();
                        self.desk.account.set_bend(self.bend);
                    }
                    if self.below(5) == 0 {
                        let why = why("changed her mind");
                        drop(self.desk.tell(Command::RequestRefundVoid { refund, by: OPERATOR, why }));
                    }
                    let read_back = ReadBack::Reading(self.desk.reading());
                    self.desk.tell(Command::RefundReadBack { refund, read_back })
                }
                Effect::FenceRefund { refund, .. } => self.desk.tell(Command::RefundFenceClosed { refund }),
                _ => continue,
            };
            let effects = told.unwrap_or_default();
            work.extend(self.desk.obey(effects));
            if work.is_empty() && self.desk.state().refund().is_some() && self.desk.state().quarantine().is_none() {
                work.extend(self.desk.tell(Command::RefundProbeDue { refund: REFUND }).unwrap_or_default());
            }
        }
    }

    /// A whole refund, use of energy, a sale, and what stands in the books and in the meter after it.
    fn run(mut self) -> Option<Broken> {
        let effects = self.desk.tell(Command::RequestRefund {
            refund: REFUND,
            from: Some(number(METER)),
            take: RefundTake::Exactly(fen(4_000)),
            to: RefundTo::OriginalChannel,
            operator: OPERATOR,
            why: why("moves out"),
        });
        self.perform(effects.unwrap());
        if self.desk.state().quarantine().is_some() {
            return (!self.half).then_some(Broken::FalseQuarantine);
        }
        if self.half {
            return Some(Broken::HalfUnseen);
        }
        self.pass(1);
        self.desk.meter.use_energy(1, 300);
        self.desk.next_sale = 5;
        let sold = self.desk.request(2_000).is_ok_and(|sale: SaleId| {
            self.desk.wait_s(1);
            let begun = self.desk.tell(Command::BeginSale { sale, evidence: self.desk.reading() });
            begun.is_ok() && self.desk.state().sale().is_some_and(|open| open.begun.is_some())
        });
        if sold {
            let sale = SaleId(5);
            self.desk.deliver();
            self.desk.tell(Command::SaleSent { sale, outcome: SendOutcome::NoReply }).unwrap();
            self.desk.wait_s(1);
            let read_back = ReadBack::Reading(self.desk.reading());
            drop(self.desk.tell(Command::SaleReadBack { sale, read_back }));
        }
        self.pass(10);
        let (meter, reading) = (number(METER), self.desk.reading());
        drop(self.desk.tell(Command::SettleNow { meter, reading }));
        if self.desk.state().quarantine().is_some() {
            return Some(Broken::FalseQuarantine);
        }
        let lag = self.desk.posted(AccountKind::PriceLag, 0) + self.desk.posted(AccountKind::OverwriteDrift, 0);
        let purse = self.desk.posted(AccountKind::MeterPurse, METER);
        (lag != 0 || purse != self.desk.meter.balance()).then_some(Broken::BooksAgainstMeter)
    }
}

fn campaign(bend: Option<Bend>) -> Vec<(u64, Broken)> {
    (1..=SEEDS).filter_map(|seed| World::new(seed, bend).run().map(|broken| (seed, broken))).collect()
}

#[test]
fn a_clean_core_passes_every_seed() {
    assert_eq!(campaign(None), vec![]);
}

#[test]
fn every_broken_rule_is_caught_by_what_it_breaks() {
    let mutants = [
        (Bend::RefundNotAppliedIsApplied, Broken::FalseQuarantine),
        (Bend::RefundForeignIsApplied, Broken::HalfUnseen),
        (Bend::TornIsNotApplied, Broken::HalfUnseen),
        (Bend::RefundClosedWithoutFence, Broken::FalseQuarantine),
        (Bend::RefundVoidedWithoutFence, Broken::FalseQuarantine),
    ];
    for (bend, breaks) in mutants {
        let found = campaign(Some(bend));
        let mut counts = std::collections::BTreeMap::new();
        found.iter().for_each(|(_, broken)| *counts.entry(*broken).or_insert(0_u32) += 1);
        println!("{bend:?}: caught in {} of {SEEDS} worlds: {counts:?}", found.len());
        assert!(counts.contains_key(&breaks), "{bend:?} should break {breaks:?}: {counts:?}");
    }
}
