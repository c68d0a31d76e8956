//! Refunds and reversals of credit in a meter: lost frames, late copies, crashes, limits, channels.

mod common;

use common::refunds::{
    FIRST, begin, desk, fences, finish, frame, read_back, request, reverse, sent, to_the_frame, whole,
};
use common::{Desk, METER, OPERATOR, fen, meter_terms, number, terms, why};
use prepay_core::account::{
    Command, DifferenceKind, Effect, Fact, MeterTerms, Purse, QuarantineReason, RefundTo, RefundVoidCause, Refusal,
    SaleResolution, SupplyOrder,
};
use prepay_core::id::{RefundId, SaleId};
use prepay_core::ledger::AccountKind;
use prepay_core::reading::Force;
use prepay_core::reconcile::with_meter;
use prepay_core::refund::RefundTake;
use prepay_core::sale::{Proof, SendOutcome};
use prepay_core::status::Trust;

fn agrees(desk: &mut Desk) {
    desk.wait_s(1);
    assert_eq!(with_meter(&desk.account, number(METER), &desk.reading(), &desk.pricer).unwrap(), vec![]);
}

#[test]
fn a_refund_takes_credit_and_gives_it_back_through_its_channel() {
    let mut desk = desk();
    let effects = request(&mut desk, 1, 4_000, RefundTo::OriginalChannel).unwrap();
    whole(&mut desk, FIRST, effects);
    assert_eq!((desk.meter.balance(), desk.meter.count, desk.meter.force), (9_000, 43, Force::Automatic));
    assert_eq!(desk.posted(AccountKind::MeterPurse, METER), 9_000);
    assert_eq!(desk.posted(AccountKind::Cash, 1), -6_000);
    assert_eq!(desk.posted(AccountKind::CustomerPurse, 7), 0);
    let proofs = desk.count_facts(|fact| matches!(fact, Fact::RefundApplied { proof: Proof::Amount, .. }));
    assert_eq!((proofs, desk.state().posted_writes()), (1, 2));
    agrees(&mut desk);
}

#[test]
fn the_frame_waits_until_the_supply_is_off() {
    let mut desk = desk();
    let effects = request(&mut desk, 1, 4_000, RefundTo::OriginalChannel).unwrap();
    assert!(effects.iter().any(|effect| matches!(effect, Effect::WriteForce { force: Force::Off, .. })));
    let early = begin(&mut desk, FIRST);
    assert_eq!(frame(&early), None, "not off yet");
    assert!(early.iter().any(|effect| matches!(effect, Effect::StartRefund { .. })));
    desk.meter.force = Force::Off;
    assert!(frame(&begin(&mut desk, FIRST)).is_some());
}

#[test]
fn a_lost_frame_is_sent_again_identically_and_a_lost_reply_is_not() {
    let mut desk = desk();
    let effects = request(&mut desk, 1, 4_000, RefundTo::OriginalChannel).unwrap();
    let first = to_the_frame(&mut desk, FIRST, effects);
    sent(&mut desk, FIRST, SendOutcome::NoReply);
    let again = frame(&read_back(&mut desk, FIRST)).unwrap();
    assert_eq!(again, (first, 2));
    assert!(desk.account.may_overwrite(FIRST, 2) && !desk.account.may_overwrite(FIRST, 1));
    desk.meter.overwrite(first.remaining(), first.purchase_count());
    sent(&mut desk, FIRST, SendOutcome::NoReply);
    finish(&mut desk, FIRST);
    assert_eq!(desk.posted(AccountKind::MeterPurse, METER), 9_000);
}

#[test]
fn no_second_frame_erases_energy_that_was_used_since() {
    let mut desk = desk();
    let effects = request(&mut desk, 1, 4_000, RefundTo::OriginalChannel).unwrap();
    to_the_frame(&mut desk, FIRST, effects);
    sent(&mut desk, FIRST, SendOutcome::NoReply);
    desk.meter.use_energy(1, 300);
    let effects = read_back(&mut desk, FIRST);
    assert!(fences(&effects) && frame(&effects).is_none());
    desk.tell(Command::RefundFenceClosed { refund: FIRST }).unwrap();
    desk.wait_s(5);
    read_back(&mut desk, FIRST);
    let fenced = |fact: &Fact| matches!(fact, Fact::RefundVoided { cause: RefundVoidCause::Fenced, .. });
    assert_eq!(desk.count_facts(fenced), 1);
    assert_eq!(desk.account.receipts().refundable(), Ok(fen(10_000)), "nothing is set aside any more");
    agrees(&mut desk);
}

#[test]
fn energy_used_under_the_write_goes_to_its_own_account() {
    let mut desk = desk();
    let keep = Command::OrderSupply {
        meter: number(METER),
        order: SupplyOrder::KeepPower,
        by: OPERATOR,
        why: why("cold store"),
        until_utc_s: None,
    };
    let effects = desk.tell(keep).unwrap();
    desk.obey(effects);
    let effects = request(&mut desk, 1, 4_000, RefundTo::OriginalChannel).unwrap();
    let rest = desk.obey(effects);
    assert!(rest.iter().any(|effect| matches!(effect, Effect::StartRefund { .. })));
    assert_eq!(desk.meter.force, Force::On, "power that an operator keeps is not cut for a refund");
    let write = frame(&begin(&mut desk, FIRST)).unwrap().0;
    desk.meter.use_energy(1, 200);
    desk.meter.overwrite(write.remaining(), write.purchase_count());
    sent(&mut desk, FIRST, SendOutcome::ReplySeen);
    finish(&mut desk, FIRST);
    assert_eq!(desk.posted(AccountKind::OverwriteDrift, 0), -200, "two kWh at 1.00 were given back unpaid");
    assert_eq!(desk.posted(AccountKind::Revenue, 0) + desk.posted(AccountKind::Tax, 0), 200);
    assert_eq!(desk.posted(AccountKind::MeterPurse, METER), desk.meter.balance());
    let overwritten =
        |fact: &Fact| matches!(fact, Fact::Settled(settled) if settled.difference == DifferenceKind::Overwrite);
    assert_eq!(desk.count_facts(overwritten), 1);
    assert_eq!(desk.account.status(number(METER)).unwrap().trust, Trust::Trusted, "that is no drift of prices");
}

#[test]
fn a_meter_that_must_never_be_cut_is_not_cut_for_a_refund() {
    let profile = MeterTerms { never_cut: true, ..meter_terms(METER) };
    let mut desk = Desk::open_with(terms(Purse::InMeter), profile, 3_000);
    desk.sell(10_000);
    let effects = request(&mut desk, 1, 4_000, RefundTo::OriginalChannel).unwrap();
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::WriteForce { .. })), "{effects:?}");
    assert!(frame(&begin(&mut desk, FIRST)).is_some());
}

#[test]
fn a_late_copy_inside_the_fence_changes_nothing() {
    let mut desk = desk();
    let effects = request(&mut desk, 1, 4_000, RefundTo::OriginalChannel).unwrap();
    let write = to_the_frame(&mut desk, FIRST, effects);
    desk.meter.overwrite(write.remaining(), write.purchase_count());
    sent(&mut desk, FIRST, SendOutcome::NoReply);
    assert!(fences(&read_back(&mut desk, FIRST)));
    assert_eq!(desk.request(1_000), Err(Refusal::RefundOpen { meter: number(METER), open: FIRST }), "no sale before");
    desk.tell(Command::RefundFenceClosed { refund: FIRST }).unwrap();
    desk.wait_s(3);
    desk.meter.overwrite(write.remaining(), write.purchase_count());
    desk.wait_s(3);
    let effects = read_back(&mut desk, FIRST);
    desk.obey(effects);
    assert_eq!(desk.posted(AccountKind::MeterPurse, METER), 9_000);
    assert_eq!(desk.meter.balance(), 9_000);
    desk.sell(1_000);
    agrees(&mut desk);
}

#[test]
fn a_void_waits_for_the_fence_and_loses_against_evidence() {
    let mut desk = desk();
    let effects = request(&mut desk, 1, 4_000, RefundTo::OriginalChannel).unwrap();
    let write = to_the_frame(&mut desk, FIRST, effects);
    sent(&mut desk, FIRST, SendOutcome::NoReply);
    desk.tell(Command::RequestRefundVoid { refund: FIRST, by: OPERATOR, why: why("changed her mind") }).unwrap();
    assert!(fences(&read_back(&mut desk, FIRST)));
    desk.tell(Command::RefundFenceClosed { refund: FIRST }).unwrap();
    desk.wait_s(2);
    desk.meter.overwrite(write.remaining(), write.purchase_count());
    desk.wait_s(4);
    read_back(&mut desk, FIRST);
    assert_eq!(desk.count_facts(|fact| matches!(fact, Fact::RefundApplied { .. })), 1);
    assert_eq!(desk.posted(AccountKind::MeterPurse, METER), 9_000);
}

#[test]
fn a_void_before_anything_left_is_immediate_and_gives_the_relay_back() {
    let mut desk = desk();
    let effects = request(&mut desk, 1, 4_000, RefundTo::OriginalChannel).unwrap();
    desk.obey(effects);
    let effects =
        desk.tell(Command::RequestRefundVoid { refund: FIRST, by: OPERATOR, why: why("typing error") }).unwrap();
    desk.obey(effects);
    assert_eq!((desk.meter.force, desk.state().refund()), (Force::Automatic, None));
    assert_eq!(desk.posted(AccountKind::MeterPurse, METER), 13_000);
}

#[test]
fn refunds_never_pass_what_was_paid() {
    let mut desk = desk();
    // 130.00 are in the meter, 100.00 of them were paid here.
    let above = request(&mut desk, 1, 10_001, RefundTo::OriginalChannel).unwrap_err();
    assert_eq!(above, Refusal::AboveRefundable { amount: fen(10_001), refundable: fen(10_000) });
    let effects = request(&mut desk, 1, 6_000, RefundTo::OriginalChannel).unwrap();
    whole(&mut desk, FIRST, effects);
    let above = request(&mut desk, 2, 4_001, RefundTo::OriginalChannel).unwrap_err();
    assert_eq!(above, Refusal::AboveRefundable { amount: fen(4_001), refundable: fen(4_000) });
    let effects = request(&mut desk, 2, 4_000, RefundTo::OriginalChannel).unwrap();
    whole(&mut desk, RefundId(2), effects);
    assert_eq!(desk.posted(AccountKind::Cash, 1), 0);
    let old = request(&mut desk, 2, 1, RefundTo::Purse).unwrap_err();
    assert_eq!(old, Refusal::RefundNotNew { refund: RefundId(2), latest: RefundId(2) });
    let much = request(&mut desk, 3, 3_001, RefundTo::Purse).unwrap_err();
    assert_eq!(much, Refusal::NotEnough { amount: fen(3_001), available: fen(3_000) });
    let effects = request(&mut desk, 3, 3_000, RefundTo::Purse).unwrap();
    whole(&mut desk, RefundId(3), effects);
    assert_eq!((desk.posted(AccountKind::CustomerPurse, 7), desk.meter.balance()), (3_000, 0));
}

#[test]
fn a_sale_is_reversed_at_most_once_and_only_the_last_one() {
    let mut desk = desk();
    let last = desk.sell(2_000);
    assert_eq!(reverse(&mut desk, 1, SaleId(1)), Err(Refusal::NotReversible { sale: SaleId(1) }));
    let effects = reverse(&mut desk, 1, last).unwrap();
    assert_eq!(reverse(&mut desk, 2, last), Err(Refusal::AlreadyReversed { sale: last }), "while it is under way");
    whole(&mut desk, FIRST, effects);
    assert_eq!(reverse(&mut desk, 2, last), Err(Refusal::AlreadyReversed { sale: last }));
    assert_eq!((desk.meter.balance(), desk.posted(AccountKind::Cash, 1)), (13_000, -10_000));
    let sale = desk.sell(1_000);
    let effects = request(&mut desk, 2, 500, RefundTo::OriginalChannel).unwrap();
    whole(&mut desk, RefundId(2), effects);
    assert_eq!(reverse(&mut desk, 3, sale), Err(Refusal::AlreadyRefunded { sale, refunded: fen(500) }));
}

#[test]
fn a_reversal_that_would_leave_less_than_nothing_is_given_up() {
    let mut desk = Desk::open(Purse::InMeter, 0);
    let sale = desk.sell(1_000);
    let effects = reverse(&mut desk, 1, sale).unwrap();
    desk.meter.use_energy(1, 300);
    desk.obey(effects);
    begin(&mut desk, FIRST);
    let given_up = |fact: &Fact| matches!(fact, Fact::RefundVoided { cause: RefundVoidCause::NotEnough, .. });
    assert_eq!(desk.count_facts(given_up), 1);
    assert_eq!(reverse(&mut desk, 2, sale), Err(Refusal::NotEnough { amount: fen(1_000), available: fen(700) }));
}

#[test]
fn half_a_write_quarantines() {
    for (balance, count, torn) in [(9_000_i64, 42_u16, true), (13_000, 43, false)] {
        let mut desk = desk();
        let effects = request(&mut desk, 1, 4_000, RefundTo::OriginalChannel).unwrap();
        to_the_frame(&mut desk, FIRST, effects);
        desk.meter.overwrite(fen(balance), count);
        sent(&mut desk, FIRST, SendOutcome::ReplySeen);
        let effects = read_back(&mut desk, FIRST);
        desk.obey(effects);
        let reason = desk.state().quarantine().unwrap().reason;
        let expected = if torn {
            QuarantineReason::TornWrite { off_by: fen(-4_000) }
        } else {
            QuarantineReason::ForeignWrite { off_by: fen(4_000) }
        };
        assert_eq!(reason, expected);
        desk.wait_s(1);
        let release = |sale| Command::ReleaseQuarantine {
            meter: number(METER),
            by: OPERATOR,
            why: why("seen on the display"),
            reading: desk.reading(),
            sale,
        };
        let unanswered = release(None);
        let resolution = if torn { SaleResolution::Applied } else { SaleResolution::NotApplied };
        let answered = release(Some(resolution));
        assert!(matches!(desk.tell(unanswered), Err(Refusal::Resolution { .. })));
        let effects = desk.tell(answered).unwrap();
        desk.obey(effects);
        assert_eq!(desk.posted(AccountKind::MeterPurse, METER), desk.meter.balance());
        assert_eq!(desk.posted(AccountKind::Suspense, METER), 0);
        assert_eq!(desk.meter.force, Force::Automatic);
    }
}

#[test]
fn a_crash_after_any_step_reads_back_and_never_writes_blindly() {
    for step in 0..5 {
        let mut desk = desk();
        let effects = request(&mut desk, 1, 4_000, RefundTo::OriginalChannel).unwrap();
        let write = to_the_frame(&mut desk, FIRST, effects);
        if step >= 1 {
            desk.meter.overwrite(write.remaining(), write.purchase_count());
        }
        if step >= 2 {
            sent(&mut desk, FIRST, SendOutcome::NoReply);
        }
        if step >= 3 {
            read_back(&mut desk, FIRST);
        }
        if step >= 4 {
            desk.tell(Command::RefundFenceClosed { refund: FIRST }).unwrap();
        }
        let effects = desk.restart();
        assert_eq!(frame(&effects), None, "step {step}");
        if step == 0 {
            let again = frame(&read_back(&mut desk, FIRST)).unwrap();
            assert_eq!(again, (write, 2), "nothing arrived: the identical frame");
            desk.meter.overwrite(write.remaining(), write.purchase_count());
            sent(&mut desk, FIRST, SendOutcome::NoReply);
        }
        if step >= 3 {
            assert!(fences(&effects), "the wait starts again in full: {effects:?}");
            desk.tell(Command::RefundFenceClosed { refund: FIRST }).unwrap();
            desk.wait_s(6);
            read_back(&mut desk, FIRST);
        } else {
            finish(&mut desk, FIRST);
        }
        assert_eq!(desk.posted(AccountKind::MeterPurse, METER), 9_000, "step {step}");
    }
}

#[test]
fn money_at_the_station_goes_back_at_once() {
    let mut desk = Desk::open(Purse::AtStation, 500);
    let sale = desk.request(2_000).unwrap();
    let other = desk.request(700).unwrap();
    let pay_out = |refund, minor| Command::RequestRefund {
        refund: RefundId(refund),
        from: None,
        take: RefundTake::Exactly(fen(minor)),
        to: RefundTo::OriginalChannel,
        operator: OPERATOR,
        why: why("moves out"),
    };
    assert!(matches!(desk.tell(pay_out(1, 2_701)), Err(Refusal::AboveRefundable { .. })));
    assert!(matches!(desk.tell(pay_out(1, 3_201)), Err(Refusal::NotEnough { .. })));
    desk.tell(pay_out(1, 1_000)).unwrap();
    assert_eq!((desk.posted(AccountKind::Cash, 1), desk.account.purse()), (-1_700, fen(2_200)));
    assert_eq!(reverse(&mut desk, 2, other), Err(Refusal::AlreadyRefunded { sale: other, refunded: fen(700) }));
    assert_eq!(reverse(&mut desk, 2, sale), Err(Refusal::AlreadyRefunded { sale, refunded: fen(300) }));
    let third = desk.request(300).unwrap();
    reverse(&mut desk, 2, third).unwrap();
    assert_eq!(reverse(&mut desk, 3, third), Err(Refusal::AlreadyReversed { sale: third }));
    assert_eq!(desk.posted(AccountKind::Cash, 1), -1_700);
}

#[test]
fn impossible_orders_of_steps_are_refused() {
    let mut desk = desk();
    let refund = FIRST;
    for command in [
        Command::BeginRefund { refund, evidence: desk.reading() },
        Command::RefundSent { refund, outcome: SendOutcome::NoReply },
        Command::RefundProbeDue { refund },
        Command::RequestRefundVoid { refund, by: OPERATOR, why: why("what?") },
    ] {
        assert_eq!(desk.tell(command), Err(Refusal::NoSuchRefund { refund }));
    }
    let sale = desk.begin(1_000);
    assert_eq!(
        request(&mut desk, 1, 100, RefundTo::Purse),
        Err(Refusal::SaleOpen { meter: number(METER), open: sale })
    );
    desk.deliver();
    desk.sent(sale, SendOutcome::ReplySeen);
    desk.read_back(sale);
    request(&mut desk, 1, 100, RefundTo::Purse).unwrap();
    assert!(matches!(
        desk.tell(Command::RefundFenceClosed { refund }),
        Err(Refusal::RefundStep { command: "fence closed", phase: "requested", .. })
    ));
    assert!(matches!(request(&mut desk, 2, 100, RefundTo::Purse), Err(Refusal::RefundOpen { .. })));
    assert!(matches!(request(&mut desk, 2, 0, RefundTo::Purse), Err(Refusal::RefundOpen { .. })));
}
