//! Sales into a meter: lost frames, late frames, crashes, voids, strangers.

mod common;

use common::{Desk, METER, OPERATOR, TILL, fen, meter_terms, number, terms, why};
use prepay_core::account::{Command, Effect, Fact, Payment, Purse, ReadBack, Refusal};
use prepay_core::id::SaleId;
use prepay_core::ledger::AccountKind;
use prepay_core::sale::{EqualCountRule, Phase, Proof, SendOutcome, VoidCause};

fn desk() -> Desk {
    Desk::open(Purse::InMeter, 3_000)
}

fn sends(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::SendPurchase { .. }))
}

fn fences(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Fence { .. }))
}

fn read_back_at(effects: &[Effect]) -> Option<u64> {
    effects.iter().find_map(|effect| match effect {
        Effect::ReadBack { not_before_mono_ms, .. } => Some(*not_before_mono_ms),
        _ => None,
    })
}

fn applied(desk: &Desk) -> Option<Proof> {
    desk.facts().iter().find_map(|fact| match fact {
        Fact::SaleApplied { proof, .. } => Some(*proof),
        _ => None,
    })
}

#[test]
fn a_sale_goes_through_the_books() {
    let mut desk = desk();
    desk.sell(10_000);
    assert_eq!(applied(&desk), Some(Proof::Amount));
    assert_eq!(desk.posted(AccountKind::Cash, 1), -10_000);
    assert_eq!(desk.posted(AccountKind::CustomerPurse, 7), 0);
    assert_eq!(desk.posted(AccountKind::MeterPurse, METER), 13_000);
    assert_eq!(desk.state().count(), 42);
    assert_eq!(desk.meter.balance(), 13_000);
}

#[test]
fn a_lost_reply_is_settled_by_the_read_back() {
    let mut desk = desk();
    let sale = desk.begin(10_000);
    desk.deliver();
    let effects = desk.sent(sale, SendOutcome::NoReply);
    assert!(read_back_at(&effects).is_some() && !sends(&effects));
    let effects = desk.read_back(sale);
    assert!(!sends(&effects));
    assert_eq!(desk.meter.balance(), 13_000);
    assert!(desk.state().sale().is_none());
}

#[test]
fn a_lost_request_is_sent_again_identically() {
    let mut desk = desk();
    let sale = desk.begin(10_000);
    desk.sent(sale, SendOutcome::NoReply);
    let effects = desk.read_back(sale);
    let again = effects.iter().find_map(|effect| match effect {
        Effect::SendPurchase { amount, new_count, frame, .. } => Some((*amount, *new_count, *frame)),
        _ => None,
    });
    assert_eq!(again, Some((fen(10_000), 42, 2)));
    assert!(desk.account.may_send(sale, 2) && !desk.account.may_send(sale, 1));
    desk.deliver();
    desk.sent(sale, SendOutcome::ReplySeen);
    desk.read_back(sale);
    assert_eq!(desk.meter.balance(), 13_000);
}

#[test]
fn a_late_frame_after_the_second_one_credits_once() {
    for rule in [EqualCountRule::EqualAcknowledged, EqualCountRule::EqualRefused] {
        let profile = prepay_core::account::MeterTerms { equal_count: rule, ..meter_terms(METER) };
        let mut desk = Desk::open_with(terms(Purse::InMeter), profile, 3_000);
        let sale = desk.begin(10_000);
        desk.sent(sale, SendOutcome::NoReply);
        assert!(sends(&desk.read_back(sale)));
        desk.deliver();
        desk.deliver();
        desk.sent(sale, SendOutcome::NoReply);
        desk.read_back(sale);
        assert_eq!((desk.meter.balance(), desk.state().purse().minor()), (13_000, 13_000), "{rule:?}");
    }
}

#[test]
fn a_meter_that_adds_any_count_gets_no_second_frame_before_the_fence() {
    let profile = prepay_core::account::MeterTerms { equal_count: EqualCountRule::AnyCountAdds, ..meter_terms(METER) };
    let mut desk = Desk::open_with(terms(Purse::InMeter), profile, 3_000);
    let sale = desk.begin(10_000);
    desk.sent(sale, SendOutcome::NoReply);
    let effects = desk.read_back(sale);
    assert!(fences(&effects) && !sends(&effects));
    let closed = desk.now.mono_ms;
    let effects = desk.tell(Command::FenceClosed { sale }).unwrap();
    assert_eq!(read_back_at(&effects), Some(closed + 5_001));
    // Too early: the fence still stands.
    let effects = desk.read_back(sale);
    assert!(!sends(&effects));
    desk.wait_s(5);
    let effects = desk.read_back(sale);
    assert!(sends(&effects));
    assert_eq!(desk.count_facts(|fact| matches!(fact, Fact::SaleNotApplied { residual_risk: true, .. })), 1);
    desk.deliver();
    desk.sent(sale, SendOutcome::NoReply);
    desk.read_back(sale);
    assert_eq!(desk.meter.balance(), 13_000);
}

#[test]
fn a_void_waits_for_the_fence_and_loses_against_a_late_frame() {
    let mut desk = desk();
    let sale = desk.begin(10_000);
    desk.sent(sale, SendOutcome::NoReply);
    let effects = desk.tell(Command::RequestVoid { sale, by: OPERATOR, why: why("customer left") }).unwrap();
    assert!(read_back_at(&effects).is_some());
    assert!(fences(&desk.read_back(sale)));
    desk.tell(Command::FenceClosed { sale }).unwrap();
    desk.wait_s(3);
    desk.deliver();
    desk.wait_s(3);
    desk.read_back(sale);
    assert_eq!(applied(&desk), Some(Proof::Amount), "evidence beats the wish");
    assert_eq!(desk.posted(AccountKind::MeterPurse, METER), 13_000);
}

#[test]
fn a_void_behind_the_fence_gives_the_money_back_to_the_customer() {
    let mut desk = desk();
    let sale = desk.begin(10_000);
    desk.sent(sale, SendOutcome::NoReply);
    desk.tell(Command::RequestVoid { sale, by: OPERATOR, why: why("customer left") }).unwrap();
    desk.read_back(sale);
    desk.tell(Command::FenceClosed { sale }).unwrap();
    desk.wait_s(5);
    desk.read_back(sale);
    assert_eq!(desk.count_facts(|fact| matches!(fact, Fact::SaleVoided { cause: VoidCause::Fenced, .. })), 1);
    assert_eq!((desk.account.purse().minor(), desk.account.held().minor()), (10_000, 0));
    // The money can buy again, but not more than there is.
    let again = |sale, minor| Command::RequestSale {
        sale,
        meter: Some(number(METER)),
        amount: fen(minor),
        payment: Payment::Purse,
        operator: OPERATOR,
    };
    assert!(matches!(desk.tell(again(SaleId(2), 10_001)), Err(Refusal::NotEnough { .. })));
    desk.tell(again(SaleId(2), 10_000)).unwrap();
    desk.wait_s(1);
    desk.tell(Command::BeginSale { sale: SaleId(2), evidence: desk.reading() }).unwrap();
    desk.deliver();
    desk.sent(SaleId(2), SendOutcome::ReplySeen);
    desk.read_back(SaleId(2));
    assert_eq!(desk.posted(AccountKind::CustomerPurse, 7), 0);
    assert_eq!(desk.posted(AccountKind::Cash, 1), -10_000, "paid once");
}

#[test]
fn a_fence_starts_again_in_full_after_a_restart() {
    let mut desk = desk();
    let sale = desk.begin(10_000);
    desk.sent(sale, SendOutcome::NoReply);
    desk.tell(Command::RequestVoid { sale, by: OPERATOR, why: why("mistake") }).unwrap();
    desk.read_back(sale);
    desk.tell(Command::FenceClosed { sale }).unwrap();
    desk.wait_s(60);
    assert!(fences(&desk.restart()));
    desk.wait_s(60);
    let effects = desk.read_back(sale);
    assert!(fences(&effects), "a wait of before the restart does not count: {effects:?}");
    desk.tell(Command::FenceClosed { sale }).unwrap();
    desk.wait_s(5);
    desk.read_back(sale);
    assert!(desk.state().sale().is_none());
}

#[test]
fn nothing_that_left_is_voided_at_once() {
    let mut desk = desk();
    let sale = desk.request(10_000).unwrap();
    desk.tell(Command::RequestVoid { sale, by: OPERATOR, why: why("wrong shop") }).unwrap();
    assert!(desk.state().sale().is_none());
    let sale = desk.begin(10_000);
    let effects = desk.sent(sale, SendOutcome::NotTransmitted);
    assert_eq!(read_back_at(&effects), Some(desk.now.mono_ms + 1_000), "without a connection there is no hurry");
    desk.tell(Command::RequestVoid { sale, by: OPERATOR, why: why("gateway down") }).unwrap();
    let never_sent = |fact: &Fact| matches!(fact, Fact::SaleVoided { cause: VoidCause::NeverSent, .. });
    assert_eq!(desk.count_facts(never_sent), 2);
}

#[test]
fn frames_are_limited_and_the_last_word_is_a_fenced_void() {
    let mut desk = desk();
    let sale = desk.begin(10_000);
    let mut frames = 1;
    loop {
        desk.sent(sale, SendOutcome::NoReply);
        let effects = desk.read_back(sale);
        if !sends(&effects) {
            assert!(fences(&effects));
            break;
        }
        frames += 1;
    }
    assert_eq!(frames, desk.account.terms().unwrap().sale.max_frames);
    desk.tell(Command::FenceClosed { sale }).unwrap();
    desk.wait_s(5);
    desk.read_back(sale);
    assert_eq!(desk.account.purse().minor(), 10_000);
    assert_eq!(desk.meter.balance(), 3_000);
}

#[test]
fn an_unreadable_meter_is_probed_with_back_off_and_nothing_is_sent() {
    let mut desk = desk();
    let sale = desk.begin(10_000);
    desk.sent(sale, SendOutcome::NoReply);
    let mut waits = Vec::new();
    for _ in 0..8 {
        let effects = desk.tell(Command::SaleReadBack { sale, read_back: ReadBack::Unreadable }).unwrap();
        assert!(!sends(&effects));
        waits.push(read_back_at(&effects).unwrap() - desk.now.mono_ms);
    }
    assert_eq!(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
    desk.deliver();
    desk.read_back(sale);
    assert_eq!(applied(&desk), Some(Proof::Amount));
}

#[test]
fn consumption_between_the_readings_does_not_hide_the_amount() {
    let mut desk = desk();
    let sale = desk.begin(10_000);
    desk.deliver();
    desk.meter.use_energy(1, 350);
    desk.sent(sale, SendOutcome::ReplySeen);
    desk.read_back(sale);
    assert_eq!(applied(&desk), Some(Proof::Amount));
    assert_eq!(desk.state().purse().minor(), 13_000 - 350);
    assert_eq!(desk.meter.balance(), 13_000 - 350);
}

#[test]
fn without_confirmed_prices_consumption_leaves_only_the_count() {
    let profile = prepay_core::account::MeterTerms { confirmed_prices: None, ..meter_terms(METER) };
    let mut desk = Desk::open_with(terms(Purse::InMeter), profile, 3_000);
    let sale = desk.begin(10_000);
    desk.deliver();
    desk.meter.use_energy(1, 350);
    desk.sent(sale, SendOutcome::ReplySeen);
    desk.read_back(sale);
    assert_eq!(applied(&desk), Some(Proof::CountOnly));
}

#[test]
fn a_poll_can_close_a_sale_but_never_says_that_it_was_not_applied() {
    let mut desk = desk();
    let sale = desk.begin(10_000);
    desk.sent(sale, SendOutcome::NoReply);
    let effects = desk.observe();
    assert!(!sends(&effects));
    assert_eq!(desk.state().sale().unwrap().phase, Phase::ReadingBack);
    desk.deliver();
    desk.observe();
    assert_eq!(applied(&desk), Some(Proof::Amount));
    assert!(matches!(
        desk.tell(Command::SaleReadBack { sale, read_back: ReadBack::Unreadable }),
        Err(Refusal::NoSuchSale { .. })
    ));
}

#[test]
fn requests_that_can_not_be_are_refused_and_change_nothing() {
    let mut limited = terms(Purse::InMeter);
    limited.max_sale = Some(fen(50_000));
    limited.max_stored = Some(fen(60_000));
    let mut desk = Desk::open_with(limited, meter_terms(METER), 30_000);
    let request = |sale, meter, minor| Command::RequestSale {
        sale: SaleId(sale),
        meter,
        amount: fen(minor),
        payment: TILL,
        operator: OPERATOR,
    };
    let meter = Some(number(METER));
    let before = desk.account.clone();
    assert!(matches!(desk.tell(request(1, meter, 0)), Err(Refusal::AmountNotPositive { .. })));
    assert!(matches!(desk.tell(request(1, meter, 50_001)), Err(Refusal::AmountAboveSale { .. })));
    assert!(matches!(desk.tell(request(1, meter, 30_001)), Err(Refusal::AmountAboveStored { .. })));
    assert!(matches!(desk.tell(request(1, None, 100)), Err(Refusal::SaleMeter { .. })));
    assert!(matches!(desk.tell(request(1, Some(number(9)), 100)), Err(Refusal::UnknownMeter { .. })));
    assert_eq!(desk.account, before);
    desk.tell(request(5, meter, 100)).unwrap();
    assert!(matches!(desk.tell(request(5, meter, 100)), Err(Refusal::SaleNotNew { .. })), "a double click");
    assert!(matches!(desk.tell(request(6, meter, 100)), Err(Refusal::SaleOpen { .. })), "two operators at once");
    assert!(matches!(
        desk.tell(Command::SaleSent { sale: SaleId(5), outcome: SendOutcome::NoReply }),
        Err(Refusal::SaleStep { .. })
    ));
}

#[test]
fn the_count_wraps() {
    let mut desk = desk();
    desk.meter.count = u16::MAX;
    desk.observe();
    desk.wait_s(1);
    let command = Command::ReleaseQuarantine {
        meter: number(METER),
        by: OPERATOR,
        why: why("test of the wrap"),
        reading: desk.reading(),
        sale: None,
    };
    desk.tell(command).unwrap();
    desk.sell(100);
    assert_eq!((desk.state().count(), desk.meter.count), (0, 0));
    desk.sell(100);
    assert_eq!(desk.state().count(), 1);
}

#[test]
fn readings_from_the_past_or_the_future_are_refused() {
    let mut desk = desk();
    let old = desk.reading();
    desk.sell(100);
    let observe = |reading| Command::Observe { meter: number(METER), reading };
    assert!(matches!(desk.tell(observe(old)), Err(Refusal::ReadingOlder { .. })));
    let mut future = desk.reading();
    future.taken.mono_ms += 1;
    assert!(matches!(desk.tell(observe(future)), Err(Refusal::ReadingFromFuture { .. })));
}
