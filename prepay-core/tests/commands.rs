//! Random orders of whole commands about money: what an account decides, its books take; no channel gives back more than it
//! took; no receipt is given back twice; and in the end the account can be closed.

mod common;

use common::{Desk, METER, OPERATOR, fen, meter_terms, number, terms, why};
use prepay_core::account::{Command, DebtCharge, Effect, FinalSettlement, Payment, Purse, ReadBack, RefundTo, Refusal};
use prepay_core::debt::{DebtKind, Plan, Recovery};
use prepay_core::id::{ChannelId, DebtId, RefundId, SaleId};
use prepay_core::ledger::AccountKind;
use prepay_core::refund::RefundTake;
use prepay_core::sale::SendOutcome;
use proptest::prelude::*;

const CHANNELS: [u64; 2] = [1, 2];

#[derive(Debug, Clone, Copy)]
enum Step {
    Sell(i64, usize),
    FromPurse(i64),
    Refund { exactly: Option<i64>, to_purse: bool, from_meter: bool },
    Reverse(u64),
    Debt(i64, usize),
    Instalments(u64, i64),
    PayDebts(i64),
    WriteOff(u64),
    Deposit(i64),
    Goodwill(i64),
    Emergency,
    Bill,
    Use(u64),
    Pause(bool),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let amount = prop_oneof![1_i64..20, 1_i64..9_000, Just(3_000_i64)];
    let one = prop_oneof![
        4 => (amount.clone(), 0_usize..2).prop_map(|(a, c)| Step::Sell(a, c)),
        1 => amount.clone().prop_map(Step::FromPurse),
        4 => (prop::option::of(amount.clone()), any::<bool>(), any::<bool>())
            .prop_map(|(exactly, to_purse, from_meter)| Step::Refund { exactly, to_purse, from_meter }),
        3 => (1_u64..12).prop_map(Step::Reverse),
        2 => (amount.clone(), 0_usize..5).prop_map(|(a, k)| Step::Debt(a, k)),
        1 => (1_u64..6, amount.clone()).prop_map(|(d, a)| Step::Instalments(d, a)),
        2 => amount.clone().prop_map(Step::PayDebts),
        1 => (1_u64..6).prop_map(Step::WriteOff),
        1 => amount.clone().prop_map(Step::Deposit),
        1 => amount.clone().prop_map(Step::Goodwill),
        1 => Just(Step::Emergency),
        1 => Just(Step::Bill),
        3 => (1_u64..4_000).prop_map(Step::Use),
        1 => any::<bool>().prop_map(Step::Pause),
        1 => (1_u64..5_000).prop_map(Step::Wait),
    ];
    prop::collection::vec(one, 1..40)
}

/// Numbers that every command takes anew.
#[derive(Default)]
struct Numbers {
    refund: u64,
    debt: u64,
}

fn command(step: Step, purse: Purse, desk: &mut Desk, numbers: &mut Numbers) -> Option<Command> {
    let by = OPERATOR;
    let why = why("random");
    let in_meter = purse == Purse::InMeter;
    let mut sale = || {
        desk.next_sale += 1;
        SaleId(desk.next_sale - 1)
    };
    Some(match step {
        Step::Sell(amount, channel) => {
            let payment = Payment::Channel(ChannelId(CHANNELS[channel]));
            let meter = in_meter.then(|| number(METER));
            Command::RequestSale { sale: sale(), meter, amount: fen(amount), payment, operator: by }
        }
        Step::FromPurse(amount) => {
            let meter = in_meter.then(|| number(METER));
            let payment = Payment::Purse;
            Command::RequestSale { sale: sale(), meter, amount: fen(amount), payment, operator: by }
        }
        Step::Refund { exactly, to_purse, from_meter } => {
            numbers.refund += 1;
            let take = exactly.map_or(RefundTake::Everything, |amount| RefundTake::Exactly(fen(amount)));
            let to = if to_purse { RefundTo::Purse } else { RefundTo::OriginalChannel };
            let from = from_meter.then(|| number(METER));
            Command::RequestRefund { refund: RefundId(numbers.refund), from, take, to, operator: by, why }
        }
        Step::Reverse(sale) => {
            numbers.refund += 1;
            let refund = RefundId(numbers.refund);
            Command::RequestReversal { refund, sale: SaleId(sale), operator: by, why }
        }
        Step::Debt(amount, kind) => {
            numbers.debt += 1;
            let kind =
                [DebtKind::Emergency, DebtKind::Arrears, DebtKind::Bill, DebtKind::PeriodEnd, DebtKind::Fee][kind];
            let charge = DebtCharge {
                kind,
                amount: fen(amount),
                tax: fen(amount / 7),
                notice_until_utc_s: desk.now.utc_s + 900,
            };
            Command::ChargeDebt { debt: DebtId(numbers.debt), charge, by, why }
        }
        Step::Instalments(debt, part) => {
            let plan =
                Plan { agreed: fen(part), part: fen(part / 2), first_due_utc_s: desk.now.utc_s + 500, every_s: 700 };
            Command::AgreeInstalments { debt: DebtId(debt), plan, by, why }
        }
        Step::PayDebts(amount) => {
            Command::PayDebts { sale: sale(), amount: fen(amount), channel: ChannelId(1), operator: by }
        }
        Step::WriteOff(debt) => Command::WriteOffDebt { debt: DebtId(debt), by, why },
        Step::Deposit(amount) => Command::TakeDeposit { amount: fen(amount), channel: ChannelId(2), operator: by },
        Step::Goodwill(amount) => Command::GiveGoodwill { amount: fen(amount), by, why },
        Step::Emergency => {
            numbers.debt += 1;
            let sale = in_meter.then(|| (sale(), number(METER)));
            Command::TakeEmergency { debt: DebtId(numbers.debt), sale, by, why }
        }
        Step::Bill => {
            numbers.debt += 1;
            Command::IssueBill { debt: DebtId(numbers.debt), by, why }
        }
        Step::Pause(true) => Command::Pause { by, why },
        Step::Pause(false) => Command::Resume { by, why },
        Step::Use(_) | Step::Wait(_) => return None,
    })
}

/// Carries out what the account asks for until nothing is under way.
fn carry_out(desk: &mut Desk, effects: Vec<Effect>) {
    let mut pending = effects;
    for _ in 0..60 {
        if desk.state().sale().is_none() && desk.state().refund().is_none() {
            desk.obey(pending);
            return;
        }
        let effects = desk.obey(pending);
        pending = Vec::new();
        for effect in effects {
            desk.wait_s(10);
            let told = match effect {
                Effect::StartSale { sale, .. } => desk.tell(Command::BeginSale { sale, evidence: desk.reading() }),
                Effect::StartRefund { refund, .. } => {
                    desk.tell(Command::BeginRefund { refund, evidence: desk.reading() })
                }
                Effect::SendPurchase { sale, .. } => {
                    desk.deliver();
                    desk.tell(Command::SaleSent { sale, outcome: SendOutcome::ReplySeen })
                }
                Effect::OverwriteBalance { refund, write, .. } => {
                    desk.meter.overwrite(write.remaining(), write.purchase_count());
                    desk.tell(Command::RefundSent { refund, outcome: SendOutcome::ReplySeen })
                }
                Effect::ReadBack { sale, .. } => {
                    let read_back = ReadBack::Reading(desk.reading());
                    desk.tell(Command::SaleReadBack { sale, read_back })
                }
                Effect::ReadBackRefund { refund, .. } => {
                    let read_back = ReadBack::Reading(desk.reading());
                    desk.tell(Command::RefundReadBack { refund, read_back })
                }
                Effect::FenceRefund { refund, .. } => desk.tell(Command::RefundFenceClosed { refund }),
                _ => continue,
            };
            pending.extend(told.unwrap_or_default());
        }
        if pending.is_empty() {
            pending = desk.restart();
        }
    }
    panic!("never ends: {:?} {:?}", desk.state().sale(), desk.state().refund());
}

fn check(desk: &Desk) {
    for channel in CHANNELS {
        let taken = -desk.posted(AccountKind::Cash, channel);
        assert!(taken >= 0, "channel {channel} gave back {} more than it took", -taken);
    }
    for receipt in desk.account.receipts().as_slice() {
        let given = receipt.refunded.minor() + receipt.set_aside.minor() + receipt.recovered.minor();
        assert!(given <= receipt.amount.minor(), "{receipt:?}");
        assert!(receipt.refundable().unwrap().minor() >= 0, "{receipt:?}");
    }
    assert_eq!(desk.state().quarantine(), None);
}

/// Takes everything out of the meter and closes.
fn close(desk: &mut Desk, purse: Purse, numbers: &mut Numbers) {
    let by = OPERATOR;
    desk.wait_s(10);
    let _ = desk.tell(Command::Resume { by, why: why("closing") });
    desk.settle();
    if purse == Purse::InMeter && desk.state().purse() != fen(0) {
        let step = Step::Refund { exactly: None, to_purse: true, from_meter: true };
        let command = command(step, purse, desk, numbers).unwrap();
        let effects = desk.tell(command).unwrap();
        carry_out(desk, effects);
    }
    desk.wait_s(10);
    let close =
        |settlement, desk: &Desk| Command::Close { readings: vec![desk.reading()], settlement, by, why: why("moves") };
    let channel = ChannelId(1);
    let told = desk.tell(close(FinalSettlement::Refund { channel }, desk));
    if let Err(Refusal::FinalSettlement { .. }) = told {
        desk.tell(close(FinalSettlement::Collect { channel }, desk)).unwrap();
    } else {
        told.unwrap();
    }
    for kind in [AccountKind::CustomerPurse, AccountKind::Arrears] {
        assert_eq!(desk.posted(kind, 7), 0, "{kind:?} is left");
    }
    assert_eq!(desk.account.debts().as_slice(), []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn what_is_decided_is_booked_and_no_money_comes_or_goes(
        steps in steps(),
        station in any::<bool>(),
        percent in prop::option::of(0_u8..=100),
        postpaid in any::<bool>(),
    ) {
        let purse = if station { Purse::AtStation } else { Purse::InMeter };
        let mut terms = terms(purse);
        terms.recovery = percent.map_or(Recovery::Whole, Recovery::Percent);
        terms.emergency = Some(fen(500));
        terms.bill_due_s = (station && postpaid).then_some(3_600);
        let mut desk = Desk::open_with(terms, meter_terms(METER), 3_000);
        let mut numbers = Numbers::default();
        for step in steps {
            desk.wait_s(10);
            match step {
                Step::Use(energy) if desk.meter.relay_closed() => desk.meter.use_energy(1, energy),
                Step::Use(_) => {}
                Step::Wait(seconds) => desk.wait_s(seconds),
                _ => {}
            }
            let effects = match command(step, purse, &mut desk, &mut numbers) {
                Some(command) => desk.tell(command).unwrap_or_default(),
                None => desk.settle(),
            };
            carry_out(&mut desk, effects);
            check(&desk);
        }
        close(&mut desk, purse, &mut numbers);
    }
}
