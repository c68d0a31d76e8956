//! An account from its preparation to its final settlement, and tenants that move.

mod common;

use common::{Desk, METER, Meter, OPERATOR, TILL, fen, meter_terms, number, terms, why};
use prepay_core::account::{
    Command, DebtCharge, Effect, FinalSettlement, MeterTakeOver, OpenMode, Payment, Purse, ReadBack, RefundTo, Refusal,
};
use prepay_core::debt::DebtKind;
use prepay_core::id::{ChannelId, DebtId, RefundId, SaleId};
use prepay_core::ledger::AccountKind;
use prepay_core::refund::RefundTake;
use prepay_core::sale::SendOutcome;
use prepay_core::status::{MoneyState, Service};

const TILL_2: ChannelId = ChannelId(2);

fn pause(desk: &mut Desk) {
    desk.tell(Command::Pause { by: OPERATOR, why: why("renovation") }).unwrap();
}

fn close(desk: &mut Desk, settlement: FinalSettlement) -> Result<Vec<Effect>, Refusal> {
    desk.wait_s(1);
    let readings = vec![desk.reading()];
    desk.tell(Command::Close { readings, settlement, by: OPERATOR, why: why("lease ended") })
}

/// Takes everything out of the meter.
fn empty(desk: &mut Desk, refund: u64, to: RefundTo) {
    let refund = RefundId(refund);
    desk.wait_s(1);
    let (from, take) = (Some(number(METER)), RefundTake::Everything);
    let request = Command::RequestRefund { refund, from, take, to, operator: OPERATOR, why: why("moves out") };
    let effects = desk.tell(request).unwrap();
    desk.obey(effects);
    desk.wait_s(1);
    let effects = desk.tell(Command::BeginRefund { refund, evidence: desk.reading() }).unwrap();
    let write = effects.iter().find_map(|effect| match effect {
        Effect::OverwriteBalance { write, .. } => Some(*write),
        _ => None,
    });
    let write = write.unwrap();
    desk.meter.overwrite(write.remaining(), write.purchase_count());
    desk.tell(Command::RefundSent { refund, outcome: SendOutcome::ReplySeen }).unwrap();
    for _ in 0..2 {
        desk.wait_s(6);
        let read_back = ReadBack::Reading(desk.reading());
        let effects = desk.tell(Command::RefundReadBack { refund, read_back }).unwrap();
        if desk.state().refund().is_some() {
            desk.tell(Command::RefundFenceClosed { refund }).unwrap();
        }
        desk.obey(effects);
    }
    assert!(desk.state().refund().is_none());
}

#[test]
fn an_account_is_prepared_and_a_reading_opens_it() {
    let mut desk = Desk::new(Meter::new(METER, 0, 0));
    let prepare =
        Command::Prepare { terms: terms(Purse::InMeter), meters: vec![meter_terms(METER)], mode: OpenMode::Fresh };
    desk.tell(prepare.clone()).unwrap();
    desk.tell(prepare).unwrap();
    assert_eq!(desk.account.service(), Service::Prepared);
    assert!(matches!(desk.tell(Command::Tick), Err(Refusal::Service { found: Service::Prepared, .. })));
    let nothing = Command::OpenPrepared { readings: vec![] };
    assert_eq!(desk.tell(nothing), Err(Refusal::NoReading { meter: number(METER) }));
    let readings = vec![desk.reading()];
    desk.tell(Command::OpenPrepared { readings: readings.clone() }).unwrap();
    assert_eq!((desk.account.service(), desk.account.prepared()), (Service::Open, None));
    assert!(matches!(desk.tell(Command::OpenPrepared { readings }), Err(Refusal::Service { .. })));
    desk.sell(1_000);
}

#[test]
fn a_paused_account_sells_nothing_and_brings_open_work_to_its_end() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    let sale = desk.begin(1_000);
    pause(&mut desk);
    assert!(matches!(desk.request(1_000), Err(Refusal::Service { found: Service::Paused, .. })));
    desk.deliver();
    desk.sent(sale, SendOutcome::ReplySeen);
    desk.read_back(sale);
    assert_eq!(desk.meter.balance(), 4_000);
    desk.meter.use_energy(1, 100);
    desk.settle();
    desk.tell(Command::Resume { by: OPERATOR, why: why("open again") }).unwrap();
    desk.sell(500);
}

#[test]
fn closing_needs_empty_meters_and_a_settlement_that_fits() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    desk.sell(2_000);
    let holds = Refusal::CreditInMeter { meter: number(METER), balance: fen(5_000) };
    assert_eq!(close(&mut desk, FinalSettlement::WriteOff), Err(holds));
    desk.meter.use_energy(1, 700);
    empty(&mut desk, 1, RefundTo::OriginalChannel);
    assert_eq!(desk.posted(AccountKind::Cash, 1), 0, "the receipt went back whole");
    assert_eq!(desk.account.purse(), fen(2_300), "what was there before these books");
    desk.tell(Command::TakeDeposit { amount: fen(500), channel: ChannelId(1), operator: OPERATOR }).unwrap();
    let charge = DebtCharge { kind: DebtKind::Fee, amount: fen(100), tax: fen(0), notice_until_utc_s: 0 };
    desk.tell(Command::ChargeDebt { debt: DebtId(1), charge, by: OPERATOR, why: why("cleaning") }).unwrap();
    let collect = close(&mut desk, FinalSettlement::Collect { channel: TILL_2 });
    assert!(matches!(collect, Err(Refusal::FinalSettlement { rest, .. }) if rest == fen(2_700)), "{collect:?}");
    close(&mut desk, FinalSettlement::Refund { channel: TILL_2 }).unwrap();
    assert_eq!(desk.account.service(), Service::Closed);
    assert_eq!(desk.account.display_state(number(METER)).unwrap().money, MoneyState::NotOpened);
    let kinds = [AccountKind::CustomerPurse, AccountKind::Arrears, AccountKind::Deposits];
    assert_eq!(kinds.map(|kind| desk.posted(kind, 7)), [0, 0, 0]);
    assert_eq!((desk.posted(AccountKind::Cash, 2), desk.posted(AccountKind::MeterPurse, METER)), (2_700, 0));
    assert!(matches!(desk.request(100), Err(Refusal::Service { found: Service::Closed, .. })));
}

#[test]
fn an_overdrawn_customer_pays_or_is_written_off() {
    for settlement in [FinalSettlement::Collect { channel: TILL_2 }, FinalSettlement::WriteOff] {
        let mut desk = Desk::open(Purse::AtStation, 300);
        desk.meter.use_energy(1, 500);
        let refund = close(&mut desk, FinalSettlement::Refund { channel: TILL_2 });
        assert!(matches!(refund, Err(Refusal::FinalSettlement { rest, .. }) if rest == fen(-200)), "{refund:?}");
        close(&mut desk, settlement).unwrap();
        assert_eq!(desk.posted(AccountKind::CustomerPurse, 7), 0);
        let (cash, given_up) = (desk.posted(AccountKind::Cash, 2), desk.posted(AccountKind::WriteOff, 0));
        assert_eq!(cash + given_up, -200);
        assert_eq!(given_up == 0, settlement != FinalSettlement::WriteOff);
    }
}

#[test]
fn an_overdrawn_meter_is_cleared_for_the_next_tenant() {
    let mut desk = Desk::open(Purse::InMeter, 100);
    desk.meter.use_energy(1, 350);
    desk.settle();
    assert_eq!(desk.meter.balance(), -250);
    empty(&mut desk, 1, RefundTo::Purse);
    assert_eq!((desk.meter.balance(), desk.account.purse()), (0, fen(-250)));
    close(&mut desk, FinalSettlement::Collect { channel: TILL_2 }).unwrap();
    assert_eq!(desk.posted(AccountKind::Cash, 2), -250);
}

/// A sale waits for its meter while another meter of the customer, overdrawn, is cleared: what was paid covers that first, and
/// what is left is less than the sale. Nothing has left for the meter, so the sale ends and the rest is the customer's.
#[test]
fn a_sale_that_is_no_longer_covered_is_given_up() {
    const OTHER: u64 = 202_603_050_013;
    let mut desk = Desk::new(Meter::new(METER, 100, 41));
    let other = Meter::new(OTHER, 3_000, 7);
    let take_over = |meter: &Meter, desk: &Desk| MeterTakeOver {
        terms: meter_terms(meter.number),
        mode: OpenMode::TakeOver,
        reading: meter.reading(desk.now),
    };
    let meters = vec![take_over(&desk.meter, &desk), take_over(&other, &desk)];
    desk.tell(Command::Open { terms: terms(Purse::InMeter), meters, station_credit: fen(0) }).unwrap();
    desk.meter.use_energy(1, 350);
    desk.settle();
    let (sale, meter) = (SaleId(7), Some(number(OTHER)));
    let request = Command::RequestSale { sale, meter, amount: fen(1_000), payment: TILL, operator: OPERATOR };
    desk.tell(request).unwrap();
    empty(&mut desk, 1, RefundTo::Purse);
    assert_eq!((desk.account.purse(), desk.account.held()), (fen(750), fen(1_000)));
    let effects = desk.tell(Command::BeginSale { sale, evidence: other.reading(desk.now) }).unwrap();
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::SendPurchase { .. })), "{effects:?}");
    assert!(desk.account.meter(number(OTHER)).unwrap().sale().is_none());
    assert_eq!((desk.account.purse(), desk.account.held()), (fen(750), fen(0)));
}

/// Emergency credit goes through the customer's purse: what is missing there already would be missing twice.
#[test]
fn no_emergency_credit_out_of_a_purse_below_zero() {
    let mut with_emergency = terms(Purse::InMeter);
    with_emergency.emergency = Some(fen(1_500));
    let mut desk = Desk::open_with(with_emergency, meter_terms(METER), 100);
    desk.meter.use_energy(1, 350);
    desk.settle();
    empty(&mut desk, 1, RefundTo::Purse);
    assert_eq!(desk.account.purse(), fen(-250));
    let before = desk.account.clone();
    let sale = Some((SaleId(9), number(METER)));
    let take = Command::TakeEmergency { debt: DebtId(1), sale, by: OPERATOR, why: why("at night") };
    assert_eq!(desk.tell(take).unwrap_err(), Refusal::NotEnough { amount: fen(1_500), available: fen(1_250) });
    assert_eq!(desk.account, before);
}

#[test]
fn a_lock_out_is_not_forgotten_by_closing() {
    let mut desk = Desk::open(Purse::AtStation, 0);
    desk.tell(Command::PlaceLockOut { meter: number(METER), by: OPERATOR, why: why("rewiring") }).unwrap();
    assert!(matches!(close(&mut desk, FinalSettlement::WriteOff), Err(Refusal::OrderStands { order: "lock-out", .. })));
    assert_eq!(desk.account.service(), Service::Open);
}

#[test]
fn a_tenant_moves_to_another_shop_with_the_credit() {
    const OTHER: u64 = 5;
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    desk.sell(2_000);
    desk.meter.use_energy(1, 1_000);
    let last = Command::DetachMeter {
        meter: number(METER),
        reading: desk.reading(),
        by: OPERATOR,
        why: why("moves to shop 5"),
    };
    assert_eq!(desk.tell(last), Err(Refusal::LastMeter { meter: number(METER) }));
    empty(&mut desk, 1, RefundTo::Purse);
    let other = Meter::new(OTHER, 0, 9);
    let reading = other.reading(desk.now);
    let meter = MeterTakeOver { terms: meter_terms(OTHER), mode: OpenMode::Fresh, reading };
    desk.tell(Command::AttachMeter { meter }).unwrap();
    assert!(matches!(desk.tell(Command::AttachMeter { meter }), Err(Refusal::Meters { .. })));
    desk.wait_s(1);
    let reading = desk.reading();
    desk.tell(Command::DetachMeter { meter: number(METER), reading, by: OPERATOR, why: why("moves to shop 5") })
        .unwrap();
    assert_eq!(desk.account.meters().len(), 1);
    desk.meter = other;
    let (sale, amount, meter) = (SaleId(7), fen(4_000), Some(number(OTHER)));
    desk.tell(Command::RequestSale { sale, meter, amount, payment: Payment::Purse, operator: OPERATOR }).unwrap();
    desk.wait_s(1);
    desk.tell(Command::BeginSale { sale, evidence: desk.reading() }).unwrap();
    desk.meter.purchase(amount, 10);
    desk.sent(sale, SendOutcome::ReplySeen);
    desk.read_back(sale);
    assert_eq!((desk.meter.balance(), desk.account.purse()), (4_000, fen(0)));
    assert_eq!(desk.posted(AccountKind::MeterPurse, OTHER), 4_000);
}
