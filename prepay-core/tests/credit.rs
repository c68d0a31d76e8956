//! Debts, emergency credit, bills, deposits, goodwill: what purchases pay back and what becomes credit.

mod common;

use common::{Desk, METER, OPERATOR, TILL, fen, levels, number, terms, why};
use prepay_core::account::{Command, DebtCharge, Effect, Fact, Payment, Purse, Refusal, Terms};
use prepay_core::cosem::CreditStatus;
use prepay_core::credit::Levels;
use prepay_core::debt::{DebtError, DebtKind, Plan, Recovery};
use prepay_core::id::{ChannelId, DebtId, RefundId, SaleId};
use prepay_core::ledger::AccountKind;
use prepay_core::sale::SendOutcome;
use prepay_core::status::Credit;

fn desk_with(terms: Terms, balance: i64) -> Desk {
    Desk::open_with(terms, common::meter_terms(METER), balance)
}

fn charge(desk: &mut Desk, debt: u64, kind: DebtKind, minor: i64, tax: i64, notice_s: i64) {
    let notice_until_utc_s = desk.now.utc_s + notice_s;
    let charge = DebtCharge { kind, amount: fen(minor), tax: fen(tax), notice_until_utc_s };
    desk.tell(Command::ChargeDebt { debt: DebtId(debt), charge, by: OPERATOR, why: why("as agreed") }).unwrap();
}

fn carry(desk: &mut Desk, sale: SaleId) {
    desk.wait_s(1);
    desk.tell(Command::BeginSale { sale, evidence: desk.reading() }).unwrap();
    desk.deliver();
    desk.sent(sale, SendOutcome::ReplySeen);
    desk.read_back(sale);
}

#[test]
fn debts_come_first_and_the_rest_becomes_credit() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    charge(&mut desk, 1, DebtKind::Fee, 200, 0, 0);
    charge(&mut desk, 2, DebtKind::PeriodEnd, 1_130, 130, 0);
    assert_eq!(desk.posted(AccountKind::Arrears, 7), -1_330);
    assert_eq!(
        [AccountKind::Fees, AccountKind::Revenue, AccountKind::Tax].map(|kind| desk.posted(kind, 0)),
        [200, 1_000, 130]
    );
    let sale = desk.request(5_000).unwrap();
    assert_eq!(desk.state().sale().unwrap().amount, fen(3_670));
    carry(&mut desk, sale);
    assert_eq!((desk.meter.balance(), desk.posted(AccountKind::Arrears, 7)), (6_670, 0));
    assert_eq!(desk.posted(AccountKind::Cash, 1), -5_000);
    let reversal = Command::RequestReversal { refund: RefundId(1), sale, operator: OPERATOR, why: why("mistyped") };
    assert_eq!(desk.tell(reversal), Err(Refusal::PaidDebts { sale, recovered: fen(1_330) }));
    assert_eq!(desk.account.receipts().refundable(), Ok(fen(3_670)), "what has paid debts does not come back");
}

#[test]
fn a_purchase_that_debts_consume_sends_no_frame() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    charge(&mut desk, 1, DebtKind::Arrears, 9_000, 0, 0);
    let sale = SaleId(1);
    let request = Command::RequestSale {
        sale,
        meter: Some(number(METER)),
        amount: fen(5_000),
        payment: TILL,
        operator: OPERATOR,
    };
    let effects = desk.tell(request.clone()).unwrap();
    assert!(effects.iter().all(|effect| matches!(effect, Effect::Notify(_))), "{effects:?}");
    assert_eq!((desk.state().sale(), desk.account.debts().total()), (None, Ok(fen(4_000))));
    assert_eq!(desk.tell(request), Err(Refusal::SaleNotNew { sale, latest: sale }));
}

#[test]
fn a_percentage_of_each_purchase_pays_debts_and_parts_wait_for_their_day() {
    let mut desk = desk_with(Terms { recovery: Recovery::Percent(30), ..terms(Purse::InMeter) }, 3_000);
    charge(&mut desk, 1, DebtKind::Arrears, 9_000, 0, 0);
    let sale = desk.request(1_001).unwrap();
    assert_eq!(desk.state().sale().unwrap().amount, fen(701), "30 % rounded down");
    carry(&mut desk, sale);
    let plan = Plan { agreed: fen(0), part: fen(100), first_due_utc_s: desk.now.utc_s + 86_400, every_s: 86_400 };
    let agree = |debt| Command::AgreeInstalments { debt: DebtId(debt), plan, by: OPERATOR, why: why("asked") };
    assert_eq!(desk.tell(agree(5)), Err(Refusal::Debt(DebtError::NoSuchDebt { debt: DebtId(5) })));
    desk.tell(agree(1)).unwrap();
    assert_eq!((desk.posted(AccountKind::Arrears, 7), desk.posted(AccountKind::Instalments, 7)), (0, -8_700));
    let sale = desk.request(1_000).unwrap();
    assert_eq!(desk.state().sale().unwrap().amount, fen(1_000), "nothing is due yet");
    carry(&mut desk, sale);
    desk.wait_s(2 * 86_400);
    let sale = desk.request(1_000).unwrap();
    assert_eq!(desk.state().sale().unwrap().amount, fen(800), "two parts are due");
    carry(&mut desk, sale);
    let write_off = Command::WriteOffDebt { debt: DebtId(1), by: OPERATOR, why: why("insolvent") };
    desk.tell(write_off.clone()).unwrap();
    assert_eq!(desk.posted(AccountKind::WriteOff, 0), -8_500);
    assert_eq!(desk.tell(write_off), Err(Refusal::Debt(DebtError::NoSuchDebt { debt: DebtId(1) })));
}

#[test]
fn debts_can_be_paid_alone_but_not_above_what_is_owed() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    charge(&mut desk, 1, DebtKind::Fee, 500, 0, 0);
    let pay = |sale, minor| Command::PayDebts {
        sale: SaleId(sale),
        amount: fen(minor),
        channel: ChannelId(1),
        operator: OPERATOR,
    };
    assert_eq!(desk.tell(pay(1, 501)), Err(Refusal::NotEnough { amount: fen(501), available: fen(500) }));
    desk.tell(pay(1, 300)).unwrap();
    desk.tell(pay(2, 200)).unwrap();
    assert_eq!(desk.account.debts().as_slice(), &[]);
}

#[test]
fn emergency_credit_in_a_meter_is_sold_on_credit_and_paid_back_first() {
    let terms = Terms { emergency: Some(fen(1_000)), recovery: Recovery::Percent(10), ..terms(Purse::InMeter) };
    let mut desk = desk_with(terms, 3_000);
    let take = |sale| Command::TakeEmergency {
        debt: DebtId(sale),
        sale: Some((SaleId(sale), number(METER))),
        by: OPERATOR,
        why: why("weekend"),
    };
    assert_eq!(desk.account.emergency_status(), Some(CreditStatus::Enabled));
    assert_eq!(desk.tell(take(1)), Err(Refusal::EmergencyNotOffered { credit: Credit::Normal }));
    desk.meter.use_energy(1, 2_600);
    desk.observe();
    assert_eq!(desk.account.emergency_status(), Some(CreditStatus::Selectable));
    desk.next_sale = 2;
    let effects = desk.tell(take(1)).unwrap();
    assert!(effects.iter().any(|effect| matches!(effect, Effect::StartSale { .. })), "{effects:?}");
    carry(&mut desk, SaleId(1));
    assert_eq!((desk.meter.balance(), desk.posted(AccountKind::Arrears, 7)), (1_400, -1_000));
    assert_eq!(desk.tell(take(2)), Err(Refusal::EmergencyTaken));
    let sale = desk.request(1_500).unwrap();
    assert_eq!(desk.state().sale().unwrap().amount, fen(500), "paid back first and whole");
    carry(&mut desk, sale);
    assert_eq!((desk.meter.balance(), desk.account.emergency_taken()), (1_900, false));
}

#[test]
fn emergency_credit_at_the_station_delays_the_cut_and_ends_with_a_payment() {
    let terms = Terms { emergency: Some(fen(1_000)), ..terms(Purse::AtStation) };
    let mut desk = desk_with(terms, 600);
    desk.meter.use_energy(1, 300);
    desk.observe();
    let take = Command::TakeEmergency { debt: DebtId(1), sale: None, by: OPERATOR, why: why("weekend") };
    desk.tell(take.clone()).unwrap();
    assert_eq!(desk.account.emergency_status(), Some(CreditStatus::Invoked));
    desk.meter.use_energy(1, 700);
    let effects = desk.observe();
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::WriteForce { .. })), "not cut: {effects:?}");
    assert_eq!(desk.account.emergency_status(), Some(CreditStatus::InUse));
    assert_eq!(desk.tell(take), Err(Refusal::EmergencyTaken));
    desk.meter.use_energy(1, 700);
    let effects = desk.observe();
    assert!(effects.iter().any(|effect| matches!(effect, Effect::WriteForce { .. })), "used up: {effects:?}");
    assert_eq!(desk.account.emergency_status(), Some(CreditStatus::Exhausted));
    desk.request(3_000).unwrap();
    assert_eq!(desk.account.emergency_status(), Some(CreditStatus::Enabled));
}

#[test]
fn period_end_charges_do_not_cut_before_their_notice_has_passed() {
    let mut desk = Desk::open(Purse::AtStation, 1_000);
    charge(&mut desk, 1, DebtKind::PeriodEnd, 1_500, 0, 3 * 86_400);
    desk.wait_s(86_400);
    desk.tell(Command::Tick).unwrap();
    desk.observe();
    assert_eq!(desk.account.status(number(METER)).unwrap().credit, Credit::Alarm1);
    assert_eq!(desk.account.debts().total(), Ok(fen(1_500)));
    desk.wait_s(3 * 86_400);
    let effects = desk.tell(Command::Tick).unwrap();
    assert!(effects.iter().any(|effect| matches!(effect, Effect::WriteForce { .. })), "{effects:?}");
    assert_eq!((desk.account.purse(), desk.account.debts().total()), (fen(-500), Ok(fen(0))));
}

#[test]
fn a_postpaid_account_is_cut_by_its_limit_or_by_an_overdue_bill() {
    let levels = Levels::new(fen(-500), fen(-800), fen(1_000), fen(0)).unwrap();
    let postpaid = Terms { levels, bill_due_s: Some(10 * 86_400), ..terms(Purse::AtStation) };
    let mut desk = desk_with(postpaid, 0);
    let bill = |debt| Command::IssueBill { debt: DebtId(debt), by: OPERATOR, why: why("month's end") };
    desk.meter.use_energy(1, 400);
    desk.settle();
    desk.tell(bill(1)).unwrap();
    assert_eq!((desk.account.purse(), desk.account.debts().total()), (fen(0), Ok(fen(400))));
    assert!(matches!(desk.tell(bill(2)), Err(Refusal::AmountNotPositive { .. })), "nothing more to bill");
    desk.meter.use_energy(1, 500);
    desk.observe();
    assert_eq!(desk.account.status(number(METER)).unwrap().credit, Credit::Alarm2, "bill and use count together");
    desk.wait_s(10 * 86_400);
    desk.tell(Command::Tick).unwrap();
    assert_eq!(desk.account.status(number(METER)).unwrap().credit, Credit::Arrears, "overdue");
    desk.request(400).unwrap();
    assert_eq!(desk.account.debts().total(), Ok(fen(0)));
    assert_eq!(desk.account.status(number(METER)).unwrap().credit, Credit::Alarm1);
    desk.meter.use_energy(1, 500);
    desk.observe();
    assert_eq!(desk.account.status(number(METER)).unwrap().credit, Credit::Arrears, "the limit");
    let mut prepaid = Desk::open(Purse::AtStation, 0);
    assert_eq!(prepaid.tell(bill(1)), Err(Refusal::NotAgreed { what: "bills" }));
}

#[test]
fn goodwill_and_the_free_amount_go_to_the_purse_and_from_there_into_the_meter() {
    let mut desk = desk_with(Terms { free_amount: Some(fen(300)), ..terms(Purse::InMeter) }, 3_000);
    let free = |period| Command::GiveFreeAmount { period, by: OPERATOR, why: why("dormitory") };
    desk.tell(free(202_603)).unwrap();
    assert_eq!(desk.tell(free(202_603)), Err(Refusal::PeriodNotNew { period: 202_603, latest: 202_603 }));
    desk.tell(Command::GiveGoodwill { amount: fen(200), by: OPERATOR, why: why("outage") }).unwrap();
    assert_eq!((desk.posted(AccountKind::Goodwill, 0), desk.account.purse()), (-500, fen(500)));
    let (sale, amount) = (SaleId(1), fen(500));
    let (meter, payment) = (Some(number(METER)), Payment::Purse);
    desk.tell(Command::RequestSale { sale, meter, amount, payment, operator: OPERATOR }).unwrap();
    carry(&mut desk, sale);
    assert_eq!(desk.meter.balance(), 3_500);
    let refund = Command::RequestRefund {
        refund: RefundId(1),
        from: Some(number(METER)),
        take: prepay_core::refund::RefundTake::Exactly(fen(1)),
        to: prepay_core::account::RefundTo::OriginalChannel,
        operator: OPERATOR,
        why: why("cash, please"),
    };
    assert!(matches!(desk.tell(refund), Err(Refusal::AboveRefundable { .. })), "what was given is not paid out");
}

#[test]
fn terms_and_charges_that_make_no_sense_are_refused() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    for terms in [
        Terms { recovery: Recovery::Percent(101), ..terms(Purse::InMeter) },
        Terms { emergency: Some(fen(0)), ..terms(Purse::InMeter) },
        Terms { bill_due_s: Some(1), ..terms(Purse::InMeter) },
    ] {
        assert!(matches!(desk.tell(Command::ChangeTerms { terms }), Err(Refusal::Terms(_))));
    }
    let charge = |kind, minor, tax| Command::ChargeDebt {
        debt: DebtId(1),
        charge: DebtCharge { kind, amount: fen(minor), tax: fen(tax), notice_until_utc_s: 0 },
        by: OPERATOR,
        why: why("test"),
    };
    assert!(matches!(desk.tell(charge(DebtKind::Bill, 1, 0)), Err(Refusal::DebtKind { .. })));
    assert!(matches!(desk.tell(charge(DebtKind::Fee, 0, 0)), Err(Refusal::AmountNotPositive { .. })));
    assert!(matches!(desk.tell(charge(DebtKind::Fee, 1, 2)), Err(Refusal::NotEnough { .. })));
    desk.tell(charge(DebtKind::Fee, 2, 1)).unwrap();
    assert!(matches!(desk.tell(charge(DebtKind::Fee, 2, 1)), Err(Refusal::DebtNotNew { .. })));
    let incurred = desk.count_facts(|fact| matches!(fact, Fact::DebtIncurred { .. }));
    assert_eq!((incurred, levels().alarm_1()), (1, fen(2_000)));
}

#[test]
fn emergency_credit_at_the_station_is_paid_back_before_older_debts() {
    let terms = Terms { emergency: Some(fen(1_000)), ..terms(Purse::AtStation) };
    let mut desk = desk_with(terms, 600);
    desk.meter.use_energy(1, 300);
    desk.observe();
    desk.tell(Command::TakeEmergency { debt: DebtId(1), sale: None, by: OPERATOR, why: why("weekend") }).unwrap();
    charge(&mut desk, 1, DebtKind::Arrears, 9_000, 0, 86_400);
    desk.meter.use_energy(1, 700);
    desk.observe();
    assert_eq!(desk.account.emergency_status(), Some(CreditStatus::InUse));
    // 4.00 of it is used. A payment fills that up before it pays anything else, booked or not.
    desk.request(250).unwrap();
    assert_eq!((desk.account.purse(), desk.account.debts().total()), (fen(850), Ok(fen(9_000))));
    desk.settle();
    assert_eq!(desk.account.purse(), fen(-150));
    desk.request(1_000).unwrap();
    assert_eq!((desk.account.purse(), desk.account.debts().total()), (fen(0), Ok(fen(8_150))));
    desk.request(8_151).unwrap();
    assert!(!desk.account.emergency_taken(), "credit is above the limit again without it");
}
