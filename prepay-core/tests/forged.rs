//! Events that no decision made: forged, doubled, out of place. Each is refused and leaves the state as it was.

mod common;

use common::{Desk, METER, Meter, OPERATOR, fen, meter_terms, number, why};
use prepay_core::account::{
    Account, ApplyError, Command, DifferenceKind, Effect, Event, Fact, FinalSettlement, MeterTakeOver, OldMeter,
    OpenMode, Purse, ReadBack, RefundTo, Refusal,
};
use prepay_core::id::{AccountId, RefundId, SaleId};
use prepay_core::money::Money;
use prepay_core::reading::Rates;
use prepay_core::refund::RefundTake;
use prepay_core::sale::SendOutcome;
use prepay_core::settlement::Usage;

const NEW: u64 = 202_603_050_013;

/// Sales, a void, a refund and consumption on one meter.
fn busy_desk() -> Desk {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    desk.sell(1_000);
    desk.meter.use_energy(1, 100);
    desk.settle();
    let sale = desk.request(500).unwrap();
    desk.tell(Command::RequestVoid { sale, by: OPERATOR, why: why("mistyped") }).unwrap();
    refund(&mut desk, RefundId(1));
    desk.sell(2_000);
    desk
}

fn refund(desk: &mut Desk, refund: RefundId) {
    desk.wait_s(1);
    let (from, take, to) = (Some(number(METER)), RefundTake::Exactly(fen(300)), RefundTo::Purse);
    let request = Command::RequestRefund { refund, from, take, to, operator: OPERATOR, why: why("moves") };
    let effects = desk.tell(request).unwrap();
    desk.obey(effects);
    write_and_fence(desk, refund);
}

/// The overwrite, from its reading to its end.
fn write_and_fence(desk: &mut Desk, refund: RefundId) {
    desk.wait_s(1);
    let effects = desk.tell(Command::BeginRefund { refund, evidence: desk.reading() }).unwrap();
    let write = effects.iter().find_map(|effect| match effect {
        Effect::OverwriteBalance { write, .. } => Some(*write),
        _ => None,
    });
    let write = write.unwrap();
    desk.meter.overwrite(write.remaining(), write.purchase_count());
    desk.tell(Command::RefundSent { refund, outcome: SendOutcome::ReplySeen }).unwrap();
    desk.wait_s(6);
    let read_back = ReadBack::Reading(desk.reading());
    desk.tell(Command::RefundReadBack { refund, read_back }).unwrap();
    desk.tell(Command::RefundFenceClosed { refund }).unwrap();
    desk.wait_s(6);
    let read_back = ReadBack::Reading(desk.reading());
    let effects = desk.tell(Command::RefundReadBack { refund, read_back }).unwrap();
    desk.obey(effects);
}

/// The burnt meter waits for the bench, a new one has taken over.
fn burnt() -> Desk {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    let mut fresh = Meter::new(NEW, 0, 3);
    fresh.prepaid = true;
    desk.meter = fresh;
    let usage = Usage { from_utc_s: 0, to_utc_s: 0, total_centi_kwh: 100, rates: Rates::new(&[0, 100, 0, 0]).unwrap() };
    let last = OldMeter::Unreadable { usage, sale: None };
    let new = MeterTakeOver { terms: meter_terms(NEW), mode: OpenMode::Fresh, reading: desk.reading() };
    let (refund, old, operator) = (RefundId(1), number(METER), OPERATOR);
    let effects = desk.tell(Command::ReplaceMeter { refund, old, last, new, operator, why: why("burnt") }).unwrap();
    desk.obey(effects);
    write_and_fence(&mut desk, refund);
    assert_eq!(desk.account.on_bench().len(), 1);
    desk
}

const fn moves_money(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::Opened { .. }
            | Fact::SaleRequested { .. }
            | Fact::SaleBegun { .. }
            | Fact::SaleApplied { .. }
            | Fact::SaleVoided { .. }
            | Fact::RefundRequested { .. }
            | Fact::RefundBegun { .. }
            | Fact::RefundApplied { .. }
            | Fact::ReplacementRequested { .. }
            | Fact::ReplacementDone { .. }
            | Fact::MeterAttached { .. }
    )
}

#[test]
fn no_event_about_money_happens_twice_or_out_of_its_place() {
    for desk in [busy_desk(), burnt()] {
        let events = desk.events();
        let mut account = Account::new(AccountId(7));
        for place in 0..=events.len() {
            for (of, event) in events.iter().enumerate().filter(|(of, _)| *of != place) {
                let forged = Event { seq: account.seq() + 1, ..event.clone() };
                let mut tried = account.clone();
                match tried.apply(&forged) {
                    Ok(()) => {
                        assert!(of > place || !moves_money(&event.fact), "event {of} after event {place}: {event:?}")
                    }
                    Err(_) => assert_eq!(tried, account, "a refused event changes nothing: {event:?}"),
                }
            }
            if let Some(event) = events.get(place) {
                account.apply(event).unwrap();
            }
        }
        assert_eq!(account.seq(), desk.account.seq());
    }
}

#[test]
fn amounts_that_differ_from_what_is_open_are_refused() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    desk.begin(1_000);
    let open = desk.state().sale().unwrap().clone();
    let begun = open.begun.unwrap();
    let applied = |amount, hold| Fact::SaleApplied {
        sale: open.id,
        meter: number(METER),
        amount,
        hold,
        count: begun.new_count,
        proof: prepay_core::sale::Proof::Amount,
    };
    let mut other_hold = begun.hold;
    other_hold.origin += 1;
    for fact in [applied(fen(1_001), begun.hold), applied(fen(1_000), other_hold)] {
        let (before, event) = (desk.account.clone(), next(&desk.account, fact));
        assert!(matches!(desk.account.apply(&event), Err(ApplyError::Impossible { fact: "sale_applied", .. })));
        assert_eq!(desk.account, before);
    }
    desk.account.apply(&next(&desk.account, applied(fen(1_000), begun.hold))).unwrap();
}

fn next(account: &Account, fact: Fact) -> Event {
    Event { account: account.id(), seq: account.seq() + 1, utc_s: 0, fact }
}

#[test]
fn a_booking_that_does_not_fit_changes_nothing() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    desk.meter.use_energy(1, 100);
    desk.settle();
    let settled = desk.facts().into_iter().rev().find_map(|fact| match fact {
        Fact::Settled(settled) => Some(settled),
        _ => None,
    });
    for difference in [DifferenceKind::PriceLag, DifferenceKind::Rounding] {
        let mut settled = settled.clone().unwrap();
        // The difference fits, the purse does not.
        settled.booked = Money::from_minor(-i64::MAX);
        settled.charge = Money::ZERO;
        settled.difference = difference;
        let (before, event) = (desk.account.clone(), next(&desk.account, Fact::Settled(settled)));
        assert!(matches!(desk.account.apply(&event), Err(ApplyError::Money(_))));
        assert_eq!(desk.account, before);
    }
}

#[test]
fn a_relay_version_never_jumps() {
    let desk = Desk::open(Purse::InMeter, 3_000);
    let order = *desk.state().order();
    for version in [order.version + 2, u32::MAX] {
        let fact =
            Fact::RelayDesired { meter: number(METER), version, decided: order.decided, retry_at_utc_s: i64::MAX };
        let mut account = desk.account.clone();
        assert!(account.apply(&next(&desk.account, fact)).is_err());
        assert_eq!(account, desk.account);
    }
}

#[test]
fn the_last_number_is_not_used_twice() {
    let desk = Desk::open(Purse::InMeter, 3_000);
    let mut stored = serde_json::to_value(&desk.account).unwrap();
    stored["seq"] = u64::MAX.into();
    let mut account: Account = serde_json::from_value(stored).unwrap();
    let event = Event { account: AccountId(7), seq: u64::MAX, utc_s: 0, fact: pause() };
    assert_eq!(account.apply(&event), Err(ApplyError::Full { last: u64::MAX }));
    let command = Command::Pause { by: OPERATOR, why: why("holiday") };
    let refused = account.decide(&command, desk.now, &desk.pricer);
    assert_eq!(refused.unwrap_err(), Refusal::Apply(ApplyError::Full { last: u64::MAX }));
}

fn pause() -> Fact {
    Fact::Paused { by: OPERATOR, why: why("holiday") }
}

#[test]
fn what_is_in_suspense_for_the_bench_is_not_forgotten() {
    let mut desk = burnt();
    desk.wait_s(1);
    let close = |desk: &Desk| Command::Close {
        readings: vec![desk.reading()],
        settlement: FinalSettlement::WriteOff,
        by: OPERATOR,
        why: why("moves out"),
    };
    let waits = Err(Refusal::WaitsForBench { meter: number(METER) });
    let command = close(&desk);
    assert_eq!(desk.tell(command), waits);
    // Nor is the meter put to use again meanwhile.
    let old = Meter::new(METER, 0, 0).reading(desk.now);
    let meter = MeterTakeOver { terms: meter_terms(METER), mode: OpenMode::Fresh, reading: old };
    assert_eq!(desk.tell(Command::AttachMeter { meter }), waits);
    desk.tell(Command::ReadOnBench { meter: number(METER), reading: None, by: OPERATOR, why: why("lost") }).unwrap();
    desk.wait_s(1);
    let command = close(&desk);
    assert!(matches!(desk.tell(command), Err(Refusal::CreditInMeter { .. })), "the new meter still holds credit");
    assert_eq!(desk.account.meter_of_sale(SaleId(1)), None);
}
