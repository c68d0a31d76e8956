//! An old meter goes, a new one takes over: credit, count, prices and energy, to the unit, through every interruption.

mod common;

use common::{Desk, METER, Meter, OPERATOR, fen, meter_terms, number, why};
use prepay_core::account::{
    Command, Effect, Fact, MeterState, MeterTakeOver, OldMeter, OpenMode, Purse, ReadBack, RefundTo, Refusal,
    SaleResolution,
};
use prepay_core::id::RefundId;
use prepay_core::ledger::AccountKind;
use prepay_core::reading::{Force, Rates};
use prepay_core::reconcile::{Discrepancy, with_meter};
use prepay_core::refund::{MoneyWrite, RefundTake};
use prepay_core::relay::{Cause, Decided};
use prepay_core::sale::SendOutcome;
use prepay_core::settlement::Usage;
use proptest::prelude::*;

const NEW: u64 = 5;
const WRITE: RefundId = RefundId(1);

/// A desk whose old meter has been set aside; `desk.meter` is the new one.
struct Swap {
    desk: Desk,
    old: Meter,
}

fn estimate(peak_centi_kwh: u64) -> Usage {
    let rates = Rates::new(&[0, peak_centi_kwh, 0, 0]).unwrap();
    Usage { from_utc_s: 0, to_utc_s: 0, total_centi_kwh: peak_centi_kwh, rates }
}

fn swap(mut desk: Desk, last: OldMeter) -> (Swap, Result<Vec<Effect>, Refusal>) {
    let mut fresh = Meter::new(NEW, 77, 3);
    fresh.rates = [10, 20, 30, 40];
    fresh.prepaid = desk.meter.prepaid;
    let old = core::mem::replace(&mut desk.meter, fresh);
    let new = MeterTakeOver { terms: meter_terms(NEW), mode: OpenMode::Fresh, reading: desk.reading() };
    let (old_number, operator) = (number(METER), OPERATOR);
    let told =
        desk.tell(Command::ReplaceMeter { refund: WRITE, old: old_number, last, new, operator, why: why("burnt") });
    (Swap { desk, old }, told)
}

fn read(mut desk: Desk) -> (Swap, Result<Vec<Effect>, Refusal>) {
    desk.wait_s(1);
    let last = OldMeter::Read(desk.reading());
    swap(desk, last)
}

fn new_state(desk: &Desk) -> &MeterState {
    desk.account.meter(number(NEW)).unwrap()
}

fn frame(effects: &[Effect]) -> Option<MoneyWrite> {
    effects.iter().find_map(|effect| match effect {
        Effect::OverwriteBalance { write, .. } => Some(*write),
        _ => None,
    })
}

/// From the request to the frame for the new meter.
fn to_the_frame(desk: &mut Desk, effects: Vec<Effect>) -> MoneyWrite {
    desk.obey(effects);
    desk.wait_s(1);
    frame(&desk.tell(Command::BeginRefund { refund: WRITE, evidence: desk.reading() }).unwrap()).unwrap()
}

fn read_back(desk: &mut Desk) -> Vec<Effect> {
    desk.wait_s(6);
    let read_back = ReadBack::Reading(desk.reading());
    desk.tell(Command::RefundReadBack { refund: WRITE, read_back }).unwrap()
}

fn fence_and_end(desk: &mut Desk) {
    desk.tell(Command::RefundFenceClosed { refund: WRITE }).unwrap();
    let effects = read_back(desk);
    desk.obey(effects);
}

fn complete(desk: &mut Desk, effects: Vec<Effect>) {
    let write = to_the_frame(desk, effects);
    desk.meter.overwrite(write.remaining(), write.purchase_count());
    desk.tell(Command::RefundSent { refund: WRITE, outcome: SendOutcome::NoReply }).unwrap();
    read_back(desk);
    fence_and_end(desk);
    assert!(desk.account.meter(number(METER)).is_none());
}

fn agrees(desk: &mut Desk) {
    desk.wait_s(1);
    assert_eq!(with_meter(&desk.account, number(NEW), &desk.reading(), &desk.pricer).unwrap(), vec![]);
}

#[test]
fn balance_count_ladder_and_energy_move_to_the_new_meter() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    desk.sell(2_000);
    desk.meter.use_energy(1, 700);
    let (Swap { mut desk, .. }, told) = read(desk);
    let ladder = desk.account.meter(number(METER)).unwrap().pricer_state().clone();
    assert_eq!(desk.request(100), Err(Refusal::BeingReplaced { meter: number(METER), new: number(NEW) }));
    complete(&mut desk, told.unwrap());
    let state = new_state(&desk);
    assert_eq!((state.purse(), state.count(), state.pricer_state()), (fen(4_300), 43, &ladder));
    assert_eq!((state.energy_centi_kwh(), state.charged()), (700, fen(700)));
    assert_eq!((desk.posted(AccountKind::MeterPurse, METER), desk.posted(AccountKind::MeterPurse, NEW)), (0, 4_300));
    assert_eq!((desk.meter.balance(), desk.meter.force), (4_300, Force::Automatic));
    agrees(&mut desk);
    desk.meter.use_energy(1, 100);
    agrees(&mut desk);
}

#[test]
fn a_new_meter_that_takes_nothing_leaves_the_old_one_in_charge() {
    let (Swap { mut desk, old }, told) = read(Desk::open(Purse::InMeter, 3_000));
    to_the_frame(&mut desk, told.unwrap());
    desk.tell(Command::RefundSent { refund: WRITE, outcome: SendOutcome::NoReply }).unwrap();
    desk.tell(Command::RequestRefundVoid { refund: WRITE, by: OPERATOR, why: why("broken too") }).unwrap();
    read_back(&mut desk);
    fence_and_end(&mut desk);
    assert!(desk.account.meter(number(NEW)).is_none());
    desk.meter = old;
    desk.sell(1_000);
    assert_eq!(desk.posted(AccountKind::MeterPurse, METER), 4_000);
    assert_eq!(desk.count_facts(|fact| matches!(fact, Fact::ReplacementRolledBack { .. })), 1);
}

fn release(desk: &mut Desk, sale: Option<SaleResolution>) -> Result<Vec<Effect>, Refusal> {
    let (meter, by, reading) = (number(NEW), OPERATOR, desk.reading());
    desk.tell(Command::ReleaseQuarantine { meter, by, why: why("looked at it"), reading, sale })
}

#[test]
fn what_a_quarantined_new_meter_shows_before_it_takes_over_is_never_booked() {
    let (Swap { mut desk, .. }, told) = read(Desk::open(Purse::InMeter, 3_000));
    desk.obey(told.unwrap());
    let right = core::mem::replace(&mut desk.meter.number, 9);
    desk.wait_s(1);
    desk.tell(Command::BeginRefund { refund: WRITE, evidence: desk.reading() }).unwrap();
    assert!(new_state(&desk).quarantine().is_some());
    desk.meter.number = right;
    desk.wait_s(1);
    let effects = release(&mut desk, None).unwrap();
    assert_eq!((desk.posted(AccountKind::MeterPurse, NEW), desk.posted(AccountKind::Suspense, NEW)), (0, 0));
    complete(&mut desk, effects);
    assert_eq!((desk.posted(AccountKind::MeterPurse, NEW), desk.meter.balance()), (3_000, 3_000));
    desk.check();
    agrees(&mut desk);
}

#[test]
fn an_operator_can_give_a_quarantined_replacement_up() {
    let (Swap { mut desk, old }, told) = read(Desk::open(Purse::InMeter, 3_000));
    let write = to_the_frame(&mut desk, told.unwrap());
    // The count came, the balance did not.
    desk.meter.count = write.purchase_count();
    desk.tell(Command::RefundSent { refund: WRITE, outcome: SendOutcome::NoReply }).unwrap();
    read_back(&mut desk);
    assert!(new_state(&desk).quarantine().is_some());
    desk.wait_s(1);
    assert!(matches!(release(&mut desk, None), Err(Refusal::Resolution { .. })));
    release(&mut desk, Some(SaleResolution::NotApplied)).unwrap();
    assert!(desk.account.meter(number(NEW)).is_none());
    assert_eq!(desk.count_facts(|fact| matches!(fact, Fact::QuarantineReleased { .. })), 1);
    assert_eq!((desk.posted(AccountKind::MeterPurse, METER), desk.posted(AccountKind::MeterPurse, NEW)), (3_000, 0));
    desk.meter = old;
    desk.sell(1_000);
    desk.check();
}

#[test]
fn an_interrupted_replacement_goes_on_by_evidence() {
    for arrived in [false, true] {
        let (Swap { mut desk, .. }, told) = read(Desk::open(Purse::InMeter, 3_000));
        let write = to_the_frame(&mut desk, told.unwrap());
        if arrived {
            desk.meter.overwrite(write.remaining(), write.purchase_count());
        }
        let effects = desk.restart();
        assert!(
            effects.iter().any(|effect| matches!(effect, Effect::ReadBackRefund { .. })) && frame(&effects).is_none()
        );
        if let Some(again) = frame(&read_back(&mut desk)) {
            assert!(!arrived);
            assert_eq!(again, write);
            desk.meter.overwrite(again.remaining(), again.purchase_count());
            desk.tell(Command::RefundSent { refund: WRITE, outcome: SendOutcome::ReplySeen }).unwrap();
            read_back(&mut desk);
        }
        fence_and_end(&mut desk);
        assert_eq!(desk.posted(AccountKind::MeterPurse, NEW), 3_000);
        agrees(&mut desk);
    }
}

#[test]
fn an_unreadable_meter_is_estimated_and_the_bench_corrects_it() {
    for (used, back) in [(400_u64, 200_i64), (900, -300)] {
        let mut desk = Desk::open(Purse::InMeter, 3_000);
        desk.meter.use_energy(1, used);
        let (Swap { mut desk, mut old }, told) = swap(desk, OldMeter::Unreadable { usage: estimate(600), sale: None });
        complete(&mut desk, told.unwrap());
        assert_eq!((desk.meter.balance(), desk.posted(AccountKind::Suspense, METER)), (2_400, 600));
        desk.wait_s(86_400);
        old.number = METER;
        let wrong = Command::ReadOnBench {
            meter: number(METER),
            reading: Some(desk.reading()),
            by: OPERATOR,
            why: why("read"),
        };
        assert!(matches!(desk.tell(wrong), Err(Refusal::OtherMeter { .. })));
        let reading = Some(old.reading(desk.now));
        let bench = Command::ReadOnBench { meter: number(METER), reading, by: OPERATOR, why: why("read") };
        desk.tell(bench.clone()).unwrap();
        assert_eq!(desk.tell(bench), Err(Refusal::UnknownMeter { meter: number(METER) }));
        assert_eq!((desk.posted(AccountKind::Suspense, METER), desk.account.purse()), (0, fen(back)));
        let charged = desk.posted(AccountKind::Revenue, 0) + desk.posted(AccountKind::Tax, 0);
        assert_eq!(charged, i64::try_from(used).unwrap());
        // What was estimated too little is owed at the station and paid by the next purchase.
        desk.next_sale = 9;
        let (amount, meter) = (fen(1_000), Some(number(NEW)));
        let sale = prepay_core::id::SaleId(9);
        let payment = common::TILL;
        desk.tell(Command::RequestSale { sale, meter, amount, payment, operator: OPERATOR }).unwrap();
        assert_eq!(new_state(&desk).sale().unwrap().amount, fen(1_000 + back.min(0)));
    }
}

#[test]
fn an_estimate_can_be_accepted_and_a_sale_that_was_under_way_is_judged() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    let sale = desk.begin(1_000);
    desk.deliver();
    let last = |sale| OldMeter::Unreadable { usage: estimate(0), sale };
    let (Swap { desk, old }, told) = swap(desk, last(None));
    assert!(matches!(told, Err(Refusal::Resolution { .. })));
    let desk = Desk { meter: old, ..desk };
    let (Swap { mut desk, old }, told) = swap(desk, last(Some(SaleResolution::NotApplied)));
    complete(&mut desk, told.unwrap());
    assert_eq!((desk.account.purse(), desk.meter.balance()), (fen(1_000), 3_000));
    let bench = |reading| Command::ReadOnBench { meter: number(METER), reading, by: OPERATOR, why: why("read") };
    let found = desk.tell(bench(Some(old.reading(desk.now))));
    assert_eq!(found, Err(Refusal::BenchCount { meter: number(METER), shown: 42, expected: 41 }), "sale {sale:?}");
    desk.tell(bench(None)).unwrap();
    assert_eq!(desk.account.on_bench(), &[]);
}

#[test]
fn with_the_purse_at_the_station_only_registers_change() {
    let mut desk = Desk::open(Purse::AtStation, 3_000);
    desk.meter.use_energy(1, 500);
    let (Swap { mut desk, .. }, told) = read(desk);
    assert!(frame(&told.unwrap()).is_none());
    assert_eq!((desk.account.purse(), new_state(&desk).energy_centi_kwh()), (fen(2_500), 500));
    desk.wait_s(1);
    desk.meter.use_energy(1, 100);
    let (meter, reading) = (number(NEW), desk.reading());
    desk.tell(Command::SettleNow { meter, reading }).unwrap();
    assert_eq!((desk.account.purse(), new_state(&desk).charged()), (fen(2_400), fen(600)));
}

#[test]
fn an_overdrawn_meter_leaves_its_debt_at_the_station() {
    let mut desk = Desk::open(Purse::InMeter, 100);
    desk.meter.use_energy(1, 350);
    let (Swap { mut desk, .. }, told) = read(desk);
    complete(&mut desk, told.unwrap());
    assert_eq!((desk.meter.balance(), desk.account.purse()), (0, fen(-250)));
    agrees(&mut desk);
}

#[test]
fn orders_of_people_stay_with_the_place() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    desk.tell(Command::PlaceLockOut { meter: number(METER), by: OPERATOR, why: why("rewiring") }).unwrap();
    let effects = desk.restart();
    desk.obey(effects);
    let (Swap { mut desk, .. }, told) = read(desk);
    // From the moment that it hangs there, not only when it has taken over.
    assert_eq!(new_state(&desk).order().decided, Decided { force: Force::Off, cause: Cause::LockOut });
    complete(&mut desk, told.unwrap());
    assert!(new_state(&desk).lock_out().is_some());
    assert_eq!(desk.meter.force, Force::Off, "people still work there");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever was used, estimated and interrupted: not a unit appears or disappears.
    #[test]
    fn a_replacement_conserves_money(
        balance in -500_i64..20_000,
        used in 0_u64..600,
        estimated in prop::option::of(0_u64..600),
        gives_up: bool,
        crashes: bool,
        later in 0_u64..300,
    ) {
        let mut desk = Desk::open(Purse::InMeter, balance);
        desk.meter.use_energy(1, used);
        let (Swap { mut desk, old }, told) = match estimated {
            Some(energy) => swap(desk, OldMeter::Unreadable { usage: estimate(energy), sale: None }),
            None => read(desk),
        };
        if gives_up {
            to_the_frame(&mut desk, told.unwrap());
            desk.tell(Command::RequestRefundVoid { refund: WRITE, by: OPERATOR, why: why("wrong model") }).unwrap();
            read_back(&mut desk);
            if crashes {
                desk.restart();
            }
            fence_and_end(&mut desk);
            desk.meter = old;
            desk.settle();
        } else {
            complete(&mut desk, told.unwrap());
            desk.wait_s(60);
            desk.meter.use_energy(1, later);
            let (meter, reading) = (number(NEW), desk.reading());
            desk.tell(Command::SettleNow { meter, reading }).unwrap();
            if estimated.is_some() {
                let reading = Some(old.reading(desk.now));
                desk.tell(Command::ReadOnBench { meter: number(METER), reading, by: OPERATOR, why: why("read") }).unwrap();
            }
        }
        let kinds = [AccountKind::Revenue, AccountKind::Tax, AccountKind::MeterRounding, AccountKind::PriceLag];
        let house: i64 = kinds.iter().map(|kind| desk.posted(*kind, 0)).sum();
        let suspense = desk.posted(AccountKind::Suspense, METER);
        let there = desk.meter.balance() + desk.account.purse().minor();
        prop_assert_eq!(there + house + suspense, balance);
        prop_assert_eq!(suspense, 0);
        let energy = used + if gives_up { 0 } else { later };
        prop_assert_eq!(house, i64::try_from(energy).unwrap());
    }
}

/// The new meter against the books while it takes over.
fn explained(desk: &mut Desk) -> Vec<Discrepancy> {
    desk.wait_s(1);
    with_meter(&desk.account, number(NEW), &desk.reading(), &desk.pricer).unwrap()
}

#[test]
fn a_meter_that_takes_over_is_explained_at_every_step() {
    for (balance, credit) in [(3_000, 3_000), (0, 0)] {
        let (Swap { mut desk, .. }, told) = read(Desk::open(Purse::InMeter, balance));
        assert_eq!(explained(&mut desk), vec![], "what it showed before is nobody's");
        let write = to_the_frame(&mut desk, told.unwrap());
        assert_eq!(explained(&mut desk), vec![], "not written yet");
        let before = desk.meter.clone();
        desk.meter.overwrite(write.remaining(), write.purchase_count());
        assert_eq!(explained(&mut desk), vec![], "written");
        desk.meter.micro_yuan += 500_000;
        assert!(
            matches!(explained(&mut desk)[..], [Discrepancy::MeterPurse { hold, .. }] if hold == fen(credit)),
            "more than was written"
        );
        desk.meter = before;
        desk.meter.count = 99;
        assert!(matches!(explained(&mut desk)[..], [Discrepancy::Count { shown: 99, .. }]));
    }
}

#[test]
fn a_meter_that_dies_while_credit_is_taken_out_of_it_can_be_replaced() {
    for (judged, left) in [(SaleResolution::Applied, 2_000), (SaleResolution::NotApplied, 3_000)] {
        let mut desk = Desk::open(Purse::InMeter, 1_000);
        desk.sell(2_000);
        let refund = RefundId(1);
        let (from, take, to) = (Some(number(METER)), RefundTake::Exactly(fen(1_000)), RefundTo::OriginalChannel);
        let request = Command::RequestRefund { refund, from, take, to, operator: OPERATOR, why: why("too much") };
        let effects = desk.tell(request).unwrap();
        desk.obey(effects);
        desk.wait_s(1);
        desk.tell(Command::BeginRefund { refund, evidence: desk.reading() }).unwrap();
        desk.tell(Command::RefundSent { refund, outcome: SendOutcome::NoReply }).unwrap();
        // Lightning. Nobody will ever read it at its place again.
        desk.tell(Command::RefundReadBack { refund, read_back: ReadBack::Unreadable }).unwrap();
        let mut fresh = Meter::new(NEW, 0, 3);
        fresh.prepaid = true;
        desk.meter = fresh;
        let replace = |desk: &Desk, sale| Command::ReplaceMeter {
            refund: RefundId(2),
            old: number(METER),
            last: OldMeter::Unreadable { usage: estimate(0), sale },
            new: MeterTakeOver { terms: meter_terms(NEW), mode: OpenMode::Fresh, reading: desk.reading() },
            operator: OPERATOR,
            why: why("lightning"),
        };
        let silent = replace(&desk, None);
        assert!(matches!(desk.tell(silent), Err(Refusal::Resolution { .. })), "an operator has to say");
        let command = replace(&desk, Some(judged));
        let mut effects = desk.tell(command).unwrap();
        // The old meter's relay is given back as well; nobody is there to take it.
        effects.retain(|effect| matches!(effect, Effect::WriteForce { meter, .. } if *meter == number(NEW)));
        desk.obey(effects);
        desk.wait_s(1);
        let begin = Command::BeginRefund { refund: RefundId(2), evidence: desk.reading() };
        assert_eq!(frame(&desk.tell(begin).unwrap()).unwrap().remaining(), fen(left));
        assert_eq!(-desk.posted(AccountKind::Cash, 1), left - 1_000, "what was paid and not given back");
    }
}
