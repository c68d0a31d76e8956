//! Books, account and meter against each other.

mod common;

use common::{Desk, FixedPrices, METER, fen, number};
use prepay_core::account::Purse;
use prepay_core::ledger::{AccountKey, AccountKind, Action, LimitRule, Transfer, TransferId};
use prepay_core::reconcile::{Discrepancy, ReconcileError, with_ledger, with_meter};
use prepay_core::sale::SendOutcome;

fn check(desk: &mut Desk) -> Vec<Discrepancy> {
    desk.wait_s(1);
    with_meter(&desk.account, number(METER), &desk.reading(), &desk.pricer).unwrap()
}

#[test]
fn unbilled_consumption_and_an_open_hold_are_explained() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    assert_eq!(check(&mut desk), vec![]);
    desk.meter.use_energy(1, 250);
    assert_eq!(check(&mut desk), vec![], "U");
    let sale = desk.begin(10_000);
    desk.meter.use_energy(1, 50);
    assert_eq!(check(&mut desk), vec![], "a hold that has not arrived: U");
    desk.deliver();
    assert_eq!(check(&mut desk), vec![], "a hold that has arrived: U − H");
    desk.sent(sale, SendOutcome::ReplySeen);
    desk.read_back(sale);
    assert_eq!(check(&mut desk), vec![]);
}

#[test]
fn tampering_is_found() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    desk.meter.micro_yuan += 50_000;
    let found = check(&mut desk);
    let expected = Discrepancy::MeterPurse {
        meter: number(METER),
        difference: fen(-5),
        unbilled: fen(0),
        hold: fen(0),
        allowance: fen(4),
    };
    assert_eq!(found, vec![expected]);
    desk.meter.micro_yuan -= 50_000;
    desk.meter.count = 43;
    assert_eq!(check(&mut desk), vec![Discrepancy::Count { meter: number(METER), shown: 43, expected: 41 }]);
    desk.meter.count = 41;
    desk.meter.rates[0] -= 10;
    assert_eq!(check(&mut desk), vec![Discrepancy::Registers { meter: number(METER) }]);
    desk.meter.number = 9;
    assert_eq!(check(&mut desk), vec![Discrepancy::OtherMeter { meter: number(METER), shown: number(9) }]);
}

#[test]
fn a_meter_by_passed_or_deducting_too_little_is_found() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    desk.meter.prices = [0; 4];
    desk.meter.use_energy(1, 400);
    let found = check(&mut desk);
    assert!(matches!(found[..], [Discrepancy::MeterPurse { unbilled, .. }] if unbilled == fen(400)), "{found:?}");
}

#[test]
fn a_ledger_that_says_otherwise_is_found() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    desk.begin(1_000);
    let (purse, meter) =
        (AccountKey::new(AccountKind::CustomerPurse, 7), AccountKey::new(AccountKind::MeterPurse, METER));
    let (id, limit) = (TransferId::new(99, 1, 0), LimitRule::Record);
    let stray = Transfer { id, action: Action::Hold, debit: purse, credit: meter, amount: fen(7), limit };
    let entries = desk.ledger.decide(&[stray], 0).unwrap();
    desk.ledger.apply(&entries[0]).unwrap();
    let found = with_ledger(&desk.account, &desk.ledger).unwrap();
    assert_eq!(found, vec![Discrepancy::LedgerHolds { key: purse, ledger: fen(1_007), account: fen(1_000) }]);
    let moved = Transfer { id: TransferId::new(99, 2, 0), action: Action::Move, ..stray };
    let entries = desk.ledger.decide(&[moved], 0).unwrap();
    desk.ledger.apply(&entries[0]).unwrap();
    let found = with_ledger(&desk.account, &desk.ledger).unwrap();
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn questions_without_an_answer_are_errors() {
    let desk = Desk::open(Purse::InMeter, 3_000);
    let reading = desk.reading();
    let pricer = FixedPrices([1; 4]);
    assert!(matches!(
        with_meter(&desk.account, number(5), &reading, &pricer),
        Err(ReconcileError::UnknownMeter { .. })
    ));
    let station = Desk::open(Purse::AtStation, 3_000);
    assert_eq!(with_meter(&station.account, number(METER), &reading, &pricer), Ok(vec![]));
}
