//! Random commands in any order: books, account and meter agree, and nothing is quarantined without a stranger.

mod common;

use common::{Desk, METER, OPERATOR, TILL, fen, meter_terms, number, terms, why};
use prepay_core::account::{
    Command, DebtCharge, Effect, FinalSettlement, Purse, ReadBack, RefundTo, Refusal, SupplyOrder,
};
use prepay_core::debt::{DebtKind, Plan, Recovery};
use prepay_core::id::{ChannelId, DebtId, RefundId, SaleId};
use prepay_core::money::Money;
use prepay_core::reconcile::with_meter;
use prepay_core::refund::{MoneyWrite, RefundTake};
use prepay_core::sale::{EqualCountRule, SendOutcome};

#[derive(Debug, Clone)]
enum Frame {
    Purchase(Money, u16),
    Overwrite(MoneyWrite),
}

struct Attack {
    desk: Desk,
    seed: u64,
    effects: Vec<Effect>,
    air: Vec<(Frame, i64)>,
    next_refund: u64,
    next_debt: u64,
    log: Vec<String>,
    closed: bool,
}

impl Attack {
    fn draw(&mut self, below: u64) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed >> 11) % below
    }

    fn tell(&mut self, command: Command) -> Result<(), Refusal> {
        self.log.push(
            format!("{} mono {} {command:?}", self.desk.now.utc_s, self.desk.now.mono_ms).chars().take(330).collect(),
        );
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.desk.tell(command)));
        match told {
            Ok(Ok(effects)) => {
                self.log.push(format!("   -> {effects:?}").chars().take(300).collect());
                self.effects.extend(effects);
                Ok(())
            }
            Ok(Err(refusal)) => {
                self.log.push(format!("   refused {refusal}"));
                Err(refusal)
            }
            Err(panic) => {
                for line in self.log.iter().rev().take(60).rev() {
                    println!("{line}");
                }
                std::panic::resume_unwind(panic)
            }
        }
    }

    fn arrive(&mut self, n: usize) {
        let (frame, until) = self.air.remove(n);
        if self.desk.now.utc_s > until {
            return;
        }
        self.log.push(format!("{} arrives {frame:?}", self.desk.now.utc_s));
        match frame {
            Frame::Purchase(amount, count) => {
                self.desk.meter.purchase(amount, count);
            }
            Frame::Overwrite(write) => self.desk.meter.overwrite(write.remaining(), write.purchase_count()),
        }
    }

    /// Carries out one effect, well or badly.
    fn work(&mut self, n: usize, calm: bool) {
        let effect = self.effects.remove(n);
        self.log.push(format!("works {effect:?}").chars().take(200).collect());
        let life_s = 5;
        let wait = |desk: &mut Desk, ms: u64| {
            while desk.now.mono_ms < ms {
                desk.wait_s(1);
            }
        };
        match effect {
            Effect::StartSale { sale, .. } => {
                self.desk.wait_s(1);
                let evidence = self.desk.reading();
                let _ = self.tell(Command::BeginSale { sale, evidence });
            }
            Effect::StartRefund { refund, not_before_mono_ms, .. } => {
                wait(&mut self.desk, not_before_mono_ms);
                self.desk.wait_s(1);
                let evidence = self.desk.reading();
                let _ = self.tell(Command::BeginRefund { refund, evidence });
            }
            Effect::SendPurchase { sale, amount, new_count, frame, .. } => {
                if !self.desk.account.may_send(sale, frame) {
                    return;
                }
                let outcome = if calm { 0 } else { self.draw(5) };
                let now = self.desk.now.utc_s;
                let told = match outcome {
                    0 => {
                        self.desk.meter.purchase(amount, new_count);
                        SendOutcome::ReplySeen
                    }
                    1 => {
                        self.desk.meter.purchase(amount, new_count);
                        SendOutcome::NoReply
                    }
                    2 => SendOutcome::NoReply,
                    3 => {
                        self.air.push((Frame::Purchase(amount, new_count), now + life_s));
                        SendOutcome::NoReply
                    }
                    _ => SendOutcome::NotTransmitted,
                };
                self.desk.wait_s(1);
                let _ = self.tell(Command::SaleSent { sale, outcome: told });
            }
            Effect::OverwriteBalance { refund, write, frame, .. } => {
                if !self.desk.account.may_overwrite(refund, frame) {
                    return;
                }
                let outcome = if calm { 0 } else { self.draw(6) };
                let now = self.desk.now.utc_s;
                let told = match outcome {
                    0 => {
                        self.desk.meter.overwrite(write.remaining(), write.purchase_count());
                        SendOutcome::ReplySeen
                    }
                    1 => {
                        self.desk.meter.overwrite(write.remaining(), write.purchase_count());
                        SendOutcome::NoReply
                    }
                    2 => SendOutcome::NoReply,
                    3 => {
                        self.air.push((Frame::Overwrite(write), now + life_s));
                        SendOutcome::NoReply
                    }
                    4 => {
                        self.desk.meter.overwrite(write.remaining(), write.purchase_count());
                        self.air.push((Frame::Overwrite(write), now + life_s));
                        SendOutcome::ReplySeen
                    }
                    _ => SendOutcome::NotTransmitted,
                };
                self.desk.wait_s(1);
                let _ = self.tell(Command::RefundSent { refund, outcome: told });
            }
            Effect::ReadBack { sale, not_before_mono_ms, .. } => {
                wait(&mut self.desk, not_before_mono_ms);
                self.desk.wait_s(1);
                let read_back = if !calm && self.draw(4) == 0 {
                    ReadBack::Unreadable
                } else {
                    ReadBack::Reading(self.desk.reading())
                };
                let _ = self.tell(Command::SaleReadBack { sale, read_back });
            }
            Effect::ReadBackRefund { refund, not_before_mono_ms, .. } => {
                wait(&mut self.desk, not_before_mono_ms);
                self.desk.wait_s(1);
                let read_back = if !calm && self.draw(4) == 0 {
                    ReadBack::Unreadable
                } else {
                    ReadBack::Reading(self.desk.reading())
                };
                let _ = self.tell(Command::RefundReadBack { refund, read_back });
            }
            Effect::Fence { sale, .. } => {
                let _ = self.tell(Command::FenceClosed { sale });
            }
            Effect::FenceRefund { refund, .. } => {
                let _ = self.tell(Command::RefundFenceClosed { refund });
            }
            Effect::WriteForce { meter, version, force, .. } => {
                if !self.desk.account.may_write(meter, version) {
                    return;
                }
                if calm || self.draw(5) > 0 {
                    self.desk.meter.force = force;
                }
                let _ = self.tell(Command::RelayOrdered { meter, version });
                self.desk.wait_s(1);
                let read_back = ReadBack::Reading(self.desk.reading());
                let _ = self.tell(Command::RelayReported { meter, version, read_back });
            }
            _ => {}
        }
    }

    fn step(&mut self) {
        let purse = self.desk.account.terms().unwrap().purse;
        let meter = number(METER);
        let sale_open = self.desk.account.meter(meter).and_then(|m| m.sale().map(|s| s.id));
        let refund_open = self.desk.account.meter(meter).and_then(|m| m.refund().map(|s| s.id));
        let by = OPERATOR;
        match self.draw(40) {
            0..=3 => {
                let sale = SaleId(self.desk.next_sale);
                self.desk.next_sale += 1;
                let amount = fen(1 + i64::try_from(self.draw(9_000)).unwrap());
                let payment = if self.draw(4) == 0 {
                    prepay_core::account::Payment::Purse
                } else if self.draw(3) == 0 {
                    prepay_core::account::Payment::Channel(ChannelId(2))
                } else {
                    TILL
                };
                let meter = (purse == Purse::InMeter).then_some(meter);
                let _ = self.tell(Command::RequestSale { sale, meter, amount, payment, operator: by });
            }
            4..=13 if !self.effects.is_empty() => {
                let n = usize::try_from(self.draw(self.effects.len() as u64)).unwrap();
                self.work(n, false);
            }
            14 | 15 if !self.air.is_empty() => {
                let n = usize::try_from(self.draw(self.air.len() as u64)).unwrap();
                self.arrive(n);
            }
            16..=18 => {
                let refund = RefundId(self.next_refund);
                self.next_refund += 1;
                let amount = fen(1 + i64::try_from(self.draw(9_000)).unwrap());
                let from = (purse == Purse::InMeter && self.draw(4) > 0).then_some(meter);
                let take = if self.draw(4) == 0 { RefundTake::Everything } else { RefundTake::Exactly(amount) };
                let to = if self.draw(2) == 0 { RefundTo::Purse } else { RefundTo::OriginalChannel };
                let _ = self.tell(Command::RequestRefund { refund, from, take, to, operator: by, why: why("x") });
            }
            19 | 20 => {
                let refund = RefundId(self.next_refund);
                self.next_refund += 1;
                let newest = self.desk.next_sale;
                let sale = SaleId(newest.saturating_sub(self.draw(3)).max(1));
                let _ = self.tell(Command::RequestReversal { refund, sale, operator: by, why: why("x") });
            }
            21 => {
                if let Some(sale) = sale_open {
                    let _ = self.tell(Command::RequestVoid { sale, by, why: why("x") });
                }
            }
            22 => {
                if let Some(refund) = refund_open {
                    let _ = self.tell(Command::RequestRefundVoid { refund, by, why: why("x") });
                }
            }
            23 | 24 => {
                let (rate, used) = (usize::try_from(self.draw(4)).unwrap(), self.draw(600));
                if self.desk.meter.relay_closed() {
                    self.desk.meter.use_energy(rate, used);
                    self.log.push(format!("used {rate} {used}"));
                }
                self.desk.wait_s(300);
            }
            25 => {
                self.log.push("RESTART".into());
                self.effects = self.desk.restart();
                self.log.push(format!("   -> {:?}", self.effects).chars().take(300).collect());
                // A frame that was released and not yet handed out dies with the process.
            }
            26 | 27 => {
                self.desk.wait_s(1);
                let reading = self.desk.reading();
                let _ = self.tell(Command::Observe { meter, reading });
            }
            28 => {
                self.desk.wait_s(1);
                let reading = self.desk.reading();
                let _ = self.tell(Command::SettleNow { meter, reading });
            }
            29 => {
                let debt = DebtId(self.next_debt);
                self.next_debt += 1;
                let kind =
                    [DebtKind::Arrears, DebtKind::Fee, DebtKind::PeriodEnd][usize::try_from(self.draw(3)).unwrap()];
                let amount = fen(1 + i64::try_from(self.draw(3_000)).unwrap());
                let charge = DebtCharge {
                    kind,
                    amount,
                    tax: fen(amount.minor() / 9),
                    notice_until_utc_s: self.desk.now.utc_s + 900,
                };
                let _ = self.tell(Command::ChargeDebt { debt, charge, by, why: why("x") });
            }
            30 => {
                let sale = SaleId(self.desk.next_sale);
                self.desk.next_sale += 1;
                let amount = fen(1 + i64::try_from(self.draw(3_000)).unwrap());
                let _ = self.tell(Command::PayDebts { sale, amount, channel: ChannelId(2), operator: by });
            }
            31 => {
                let debt = DebtId(self.next_debt.saturating_sub(1));
                let plan = Plan { agreed: fen(0), part: fen(50), first_due_utc_s: self.desk.now.utc_s, every_s: 600 };
                let _ = self.tell(Command::AgreeInstalments { debt, plan, by, why: why("x") });
            }
            32 => {
                let debt = DebtId(self.next_debt.saturating_sub(1));
                let _ = self.tell(Command::WriteOffDebt { debt, by, why: why("x") });
            }
            33 => {
                let amount = fen(500);
                let _ = self.tell(Command::GiveGoodwill { amount, by, why: why("x") });
            }
            34 => {
                let _ = self.tell(Command::TakeDeposit { amount: fen(700), channel: ChannelId(1), operator: by });
            }
            35 => {
                let debt = DebtId(self.next_debt);
                self.next_debt += 1;
                let sale = (purse == Purse::InMeter).then(|| {
                    let s = SaleId(self.desk.next_sale);
                    self.desk.next_sale += 1;
                    (s, meter)
                });
                let _ = self.tell(Command::TakeEmergency { debt, sale, by, why: why("x") });
            }
            36 => {
                let order = [SupplyOrder::KeepPower, SupplyOrder::ForcedOff, SupplyOrder::Prepaid]
                    [usize::try_from(self.draw(3)).unwrap()];
                let _ = self.tell(Command::OrderSupply { meter, order, by, why: why("x"), until_utc_s: None });
            }
            37 => {
                let _ = if self.draw(2) == 0 {
                    self.tell(Command::Pause { by, why: why("x") })
                } else {
                    self.tell(Command::Resume { by, why: why("x") })
                };
            }
            38 if self.draw(6) == 0 => {
                self.desk.wait_s(1);
                let readings = vec![self.desk.reading()];
                let channel = ChannelId(1);
                let settlement = match self.draw(3) {
                    0 => FinalSettlement::Refund { channel },
                    1 => FinalSettlement::Collect { channel },
                    _ => FinalSettlement::WriteOff,
                };
                if self.tell(Command::Close { readings, settlement, by, why: why("x") }).is_ok() {
                    self.closed = true;
                }
            }
            _ => {
                let _ = self.tell(Command::Tick);
            }
        }
    }

    /// Links heal: everything open comes to an end.
    fn end(&mut self) {
        while !self.air.is_empty() {
            self.arrive(0);
        }
        self.desk.wait_s(60);
        self.effects = self.desk.restart();
        for _ in 0..60 {
            if self.effects.is_empty() {
                self.desk.wait_s(4_000);
                let _ = self.tell(Command::Tick);
                if self.effects.is_empty() {
                    break;
                }
            }
            self.work(0, true);
        }
        let fail = |this: &Self, what: String| {
            for line in this.log.iter().rev().take(80).rev() {
                println!("{line}");
            }
            panic!("{what}");
        };
        let state = self.desk.state().clone();
        if state.sale().is_some() || state.refund().is_some() {
            fail(self, format!("unresolved {:?} {:?}", state.sale(), state.refund()));
        }
        if state.quarantine().is_some() {
            fail(self, format!("quarantined {:?}", state.quarantine()));
        }
        self.desk.wait_s(1);
        let found = with_meter(&self.desk.account, number(METER), &self.desk.reading(), &self.desk.pricer).unwrap();
        if !found.is_empty() {
            fail(self, format!("{found:?}"));
        }
    }
}

fn run(seed: u64, purse: Purse, rule: EqualCountRule) {
    println!("seed {seed} {purse:?} {rule:?}");
    let mut terms = terms(purse);
    terms.emergency = Some(fen(1_500));
    if seed.is_multiple_of(3) {
        terms.recovery = Recovery::Percent(30);
    }
    let mut meter = meter_terms(METER);
    meter.equal_count = rule;
    let mut attack = Attack {
        desk: Desk::open_with(terms, meter, 3_000),
        seed: seed * 7_919 + 0x9E37_79B9_7F4A,
        effects: vec![],
        air: vec![],
        next_refund: 1,
        next_debt: 1,
        log: vec![],
        closed: false,
    };
    for _ in 0..attack_steps() {
        attack.step();
        if attack.closed {
            return;
        }
    }
    attack.end();
}

fn attack_steps() -> usize {
    120
}

fn all(purse: Purse) {
    let seeds: u64 = std::env::var("ATTACK_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(60);
    let mut failed = 0;
    for seed in 1..=seeds {
        let rule = if seed % 2 == 0 { EqualCountRule::EqualAcknowledged } else { EqualCountRule::EqualRefused };
        if std::panic::catch_unwind(|| run(seed, purse, rule)).is_err() {
            println!("^^^ FAILED {seed}");
            failed += 1;
            if failed > 4 {
                break;
            }
        }
    }
    assert_eq!(failed, 0);
}

#[test]
fn in_meter() {
    all(Purse::InMeter);
}

#[test]
fn at_station() {
    all(Purse::AtStation);
}
