//! Credit levels, cuts, restores, operators' orders and relay orders.

mod common;

use common::{Desk, METER, OPERATOR, fen, meter_terms, number, terms, why};
use prepay_core::account::{Command, Effect, Fact, MeterTerms, Notice, Purse, ReadBack, Refusal, SupplyOrder};
use prepay_core::finding::{Finding, FindingKind};
use prepay_core::id::OperatorId;
use prepay_core::reading::Force;
use prepay_core::relay::Cause;
use prepay_core::status::{Credit, LinkState, Load, MoneyState, SupplyState};

fn write(effects: &[Effect]) -> Option<(u32, Force, Cause)> {
    effects.iter().find_map(|effect| match effect {
        Effect::WriteForce { version, force, cause, .. } => Some((*version, *force, *cause)),
        _ => None,
    })
}

fn fell_to(effects: &[Effect]) -> Option<Credit> {
    effects.iter().find_map(|effect| match effect {
        Effect::Notify(Notice::CreditFell { to, .. }) => Some(*to),
        _ => None,
    })
}

/// The station writes what it was told to, and reads back.
fn obey(desk: &mut Desk, effects: &[Effect]) {
    if let Some((version, force, _)) = write(effects) {
        assert!(desk.account.may_write(number(METER), version));
        desk.tell(Command::RelayOrdered { meter: number(METER), version }).unwrap();
        desk.meter.force = force;
        report(desk, version);
        assert!(desk.state().order().confirmed);
    }
}

fn report(desk: &mut Desk, version: u32) {
    desk.wait_s(1);
    let read_back = ReadBack::Reading(desk.reading());
    desk.tell(Command::RelayReported { meter: number(METER), version, read_back }).unwrap();
}

fn order(desk: &mut Desk, order: SupplyOrder) -> Result<Vec<Effect>, Refusal> {
    order_until(desk, order, None)
}

fn order_until(desk: &mut Desk, order: SupplyOrder, until_utc_s: Option<i64>) -> Result<Vec<Effect>, Refusal> {
    desk.tell(Command::OrderSupply { meter: number(METER), order, by: OPERATOR, why: why("asked for"), until_utc_s })
}

fn lock_out(desk: &mut Desk) -> Vec<Effect> {
    desk.tell(Command::PlaceLockOut { meter: number(METER), by: OPERATOR, why: why("repair") }).unwrap()
}

fn findings(desk: &Desk) -> Vec<FindingKind> {
    desk.facts()
        .iter()
        .filter_map(|fact| match fact {
            Fact::FindingRaised { finding, .. } => Some(finding.kind()),
            _ => None,
        })
        .collect()
}

#[test]
fn each_level_is_notified_once_with_the_purse_in_the_meter() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    let mut told = Vec::new();
    for _ in 0..60 {
        desk.meter.use_energy(1, 60);
        if desk.meter.balance() > 0 {
            told.extend(fell_to(&desk.observe()));
            told.extend(fell_to(&desk.settle()));
        }
    }
    desk.observe();
    told.extend(fell_to(&desk.observe()));
    assert_eq!(told, [Credit::Alarm1, Credit::Alarm2]);
    assert_eq!(desk.count_facts(|fact| matches!(fact, Fact::CutVerified { .. })), 1);
    assert_eq!(desk.account.display_state(number(METER)).unwrap().money, MoneyState::Arrears);
    // The meter restores by itself; the station only looks.
    desk.sell(5_000);
    desk.observe();
    assert_eq!(desk.count_facts(|fact| matches!(fact, Fact::RestoreVerified { autonomous: false, .. })), 1);
    assert_eq!(desk.count_facts(|fact| matches!(fact, Fact::RelayDesired { version: 1.., .. })), 0);
}

#[test]
fn a_cut_while_the_link_was_lost_is_the_meters_own() {
    let mut desk = Desk::open(Purse::InMeter, 100);
    desk.tell(Command::LinkStale { meter: number(METER) }).unwrap();
    let effects = desk.tell(Command::LinkLost { meter: number(METER) }).unwrap();
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Notify(Notice::LostContact { .. }))));
    assert!(desk.tell(Command::LinkStale { meter: number(METER) }).unwrap().is_empty());
    assert_eq!(desk.account.display_state(number(METER)).unwrap().link, LinkState::LostContact);
    desk.meter.use_energy(1, 200);
    desk.observe();
    assert_eq!(desk.account.display_state(number(METER)).unwrap().link, LinkState::Fresh);
    assert_eq!(desk.count_facts(|fact| matches!(fact, Fact::CutVerified { autonomous: true, .. })), 1);
}

#[test]
fn credit_at_the_station_cuts_and_restores_by_order() {
    let mut desk = Desk::open(Purse::AtStation, 3_000);
    desk.meter.use_energy(1, 1_100);
    assert_eq!(fell_to(&desk.observe()), Some(Credit::Alarm1), "accrued, not booked, counts");
    assert_eq!(desk.account.purse().minor(), 3_000);
    assert_eq!(fell_to(&desk.observe()), None);
    assert_eq!(fell_to(&desk.settle()), None);
    desk.meter.use_energy(1, 1_500);
    assert_eq!(fell_to(&desk.settle()), Some(Credit::Alarm2));
    desk.meter.use_energy(1, 400);
    let effects = desk.observe();
    assert_eq!(fell_to(&effects), Some(Credit::Arrears));
    assert_eq!(write(&effects), Some((1, Force::Off, Cause::Arrears)));
    obey(&mut desk, &effects);
    assert!(desk.state().is_cut());
    assert_eq!(desk.account.display_state(number(METER)).unwrap().money, MoneyState::Arrears);
}

#[test]
fn a_payment_restores_credit_at_the_station_with_version_two() {
    let mut desk = Desk::open(Purse::AtStation, 100);
    desk.meter.use_energy(1, 150);
    let effects = desk.settle();
    obey(&mut desk, &effects);
    assert_eq!(desk.account.purse().minor(), -50);
    desk.request(50).unwrap();
    assert_eq!(desk.state().order().decided.force, Force::Off, "nothing left is not enough");
    let sale = prepay_core::id::SaleId(desk.next_sale);
    desk.next_sale += 1;
    let payment = common::TILL;
    let command = Command::RequestSale { sale, meter: None, amount: fen(1), payment, operator: OPERATOR };
    let effects = desk.tell(command).unwrap();
    assert_eq!(write(&effects), Some((2, Force::Automatic, Cause::Prepaid)));
    obey(&mut desk, &effects);
    assert!(!desk.state().is_cut());
    assert_eq!(desk.count_facts(|fact| matches!(fact, Fact::RestoreVerified { .. })), 1);
}

#[test]
fn accrued_charges_hold_a_restore_back_until_they_are_covered() {
    let mut desk = Desk::open(Purse::AtStation, 100);
    desk.meter.use_energy(1, 150);
    let effects = desk.observe();
    obey(&mut desk, &effects);
    assert_eq!(desk.account.purse().minor(), 100, "nothing is booked yet");
    desk.request(40).unwrap();
    assert_eq!(desk.state().order().decided.force, Force::Off);
    desk.request(20).unwrap();
    assert_eq!(desk.state().order().decided.force, Force::Automatic);
}

#[test]
fn a_newer_order_supersedes_one_that_was_not_written() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    let first = write(&order(&mut desk, SupplyOrder::ForcedOff).unwrap()).unwrap();
    let second = write(&order(&mut desk, SupplyOrder::KeepPower).unwrap()).unwrap();
    assert_eq!((first.0, second.0, second.1), (1, 2, Force::On));
    assert!(!desk.account.may_write(number(METER), 1) && desk.account.may_write(number(METER), 2));
    let late = desk.tell(Command::RelayOrdered { meter: number(METER), version: 1 });
    assert!(matches!(late, Err(Refusal::Superseded { version: 1, current: 2, .. })));
    assert!(desk.state().forced_off().is_none(), "one order at a time");
}

#[test]
fn precedence_is_obeyed_and_falls_back_step_by_step() {
    let mut desk = Desk::open(Purse::AtStation, 100);
    desk.meter.use_energy(1, 150);
    let effects = desk.settle();
    obey(&mut desk, &effects);
    let effects = order(&mut desk, SupplyOrder::KeepPower).unwrap();
    assert_eq!(write(&effects).unwrap().2, Cause::KeepPower);
    obey(&mut desk, &effects);
    let effects = lock_out(&mut desk);
    assert_eq!(write(&effects).unwrap().1, Force::Off);
    obey(&mut desk, &effects);
    assert_eq!(desk.account.display_state(number(METER)).unwrap().supply, SupplyState::WorkTag);
    // A recharge does not close what is locked out.
    desk.request(10_000).unwrap();
    assert_eq!(desk.state().order().decided.cause, Cause::LockOut);

    let lift = |by, administrator| Command::LiftLockOut { meter: number(METER), by, administrator, why: why("done") };
    assert!(matches!(desk.tell(lift(OperatorId(9), false)), Err(Refusal::NotOwner { .. })));
    let effects = desk.tell(lift(OperatorId(9), true)).unwrap();
    assert_eq!(write(&effects).unwrap().2, Cause::KeepPower);
    obey(&mut desk, &effects);
    let effects = order(&mut desk, SupplyOrder::Prepaid).unwrap();
    assert_eq!(write(&effects).unwrap().1, Force::Automatic);
    obey(&mut desk, &effects);
    assert!(matches!(desk.tell(lift(OPERATOR, false)), Err(Refusal::NoSuchOrder { .. })));
}

#[test]
fn orders_lapse_by_themselves() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    let until = desk.now.utc_s + 600;
    let effects = order_until(&mut desk, SupplyOrder::ForcedOff, Some(until)).unwrap();
    obey(&mut desk, &effects);
    desk.wait_s(500);
    assert!(desk.tell(Command::Tick).unwrap().is_empty());
    desk.wait_s(100);
    let effects = desk.tell(Command::Tick).unwrap();
    assert_eq!(write(&effects).unwrap().1, Force::Automatic);
    let past = desk.now.utc_s;
    let refused = order_until(&mut desk, SupplyOrder::KeepPower, Some(past));
    assert!(matches!(refused, Err(Refusal::UntilPast { .. })));
}

#[test]
fn a_meter_that_must_never_be_cut_refuses() {
    let profile = MeterTerms { never_cut: true, ..meter_terms(METER) };
    let mut desk = Desk::open_with(terms(Purse::AtStation), profile, 100);
    desk.meter.use_energy(1, 150);
    let effects = desk.settle();
    assert_eq!((fell_to(&effects), write(&effects)), (Some(Credit::Arrears), None));
    assert!(matches!(order(&mut desk, SupplyOrder::ForcedOff), Err(Refusal::NeverCut { .. })));
    let refused = desk.tell(Command::Shed { meter: number(METER), shed: true });
    assert!(matches!(refused, Err(Refusal::NeverCut { .. })));
    assert_eq!(write(&lock_out(&mut desk)).unwrap().1, Force::Off);
}

#[test]
fn shedding_and_friendly_hours_take_their_places() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    let meter = number(METER);
    let effects = desk.tell(Command::FriendlyHours { meter, on: true }).unwrap();
    assert_eq!(write(&effects), Some((1, Force::On, Cause::FriendlyHours)));
    obey(&mut desk, &effects);
    let effects = desk.tell(Command::Shed { meter, shed: true }).unwrap();
    assert_eq!(write(&effects), Some((2, Force::Off, Cause::LoadLimit)));
    obey(&mut desk, &effects);
    assert_eq!(desk.account.display_state(meter).unwrap().supply, SupplyState::Shed);
    let effects = desk.tell(Command::Shed { meter, shed: false }).unwrap();
    obey(&mut desk, &effects);
    let effects = desk.tell(Command::FriendlyHours { meter, on: false }).unwrap();
    assert_eq!(write(&effects), Some((4, Force::Automatic, Cause::Prepaid)));
}

#[test]
fn an_order_that_is_not_shown_is_written_again_with_back_off() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    let effects = order(&mut desk, SupplyOrder::ForcedOff).unwrap();
    let (version, ..) = write(&effects).unwrap();
    desk.tell(Command::RelayOrdered { meter: number(METER), version }).unwrap();
    let mut waits = Vec::new();
    let mut last = desk.now.utc_s;
    while waits.len() < 8 {
        desk.wait_s(9);
        if write(&desk.observe()).is_some() {
            waits.push((desk.now.utc_s - last) / 60);
            last = desk.now.utc_s;
        }
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    desk.meter.force = Force::Off;
    desk.observe();
    assert!(desk.state().order().confirmed);
}

#[test]
fn a_restart_writes_again_what_is_not_confirmed() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    order(&mut desk, SupplyOrder::ForcedOff).unwrap();
    assert_eq!(write(&desk.restart()), Some((1, Force::Off, Cause::ForcedOff)));
    desk.meter.force = Force::Off;
    desk.observe();
    assert_eq!(write(&desk.restart()), None);
}

#[test]
fn a_force_word_that_somebody_changed_is_found_and_written_again() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    let effects = order(&mut desk, SupplyOrder::ForcedOff).unwrap();
    obey(&mut desk, &effects);
    desk.meter.force = Force::Automatic;
    desk.observe();
    assert!(findings(&desk).is_empty(), "a moment is no finding");
    desk.wait_s(180);
    let effects = desk.observe();
    assert_eq!(findings(&desk), [FindingKind::Force]);
    assert_eq!(write(&effects), Some((2, Force::Off, Cause::ForcedOff)));
    obey(&mut desk, &effects);
    assert_eq!(desk.state().suspicions(), &[]);
}

#[test]
fn a_meter_taken_over_with_a_forced_state_is_reported_and_left_alone() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    desk.meter.force = Force::On;
    desk.observe();
    desk.wait_s(180);
    let effects = desk.observe();
    assert_eq!(write(&effects), None);
    assert_eq!(findings(&desk), [FindingKind::Force]);
    desk.observe();
    assert_eq!(findings(&desk).len(), 1, "once");
}

#[test]
fn a_meter_that_does_not_do_what_its_purse_says_is_found() {
    type Tamper = fn(&mut Desk);
    let cases: [(Tamper, FindingKind); 5] = [
        (
            |desk| {
                desk.meter.use_energy(1, 4_000);
                desk.meter.relay_stuck = Some(true);
            },
            FindingKind::NotCut,
        ),
        (|desk| desk.meter.relay_stuck = Some(false), FindingKind::NotRestored),
        (|desk| desk.meter.prepaid = false, FindingKind::PrepaidFunction),
        (
            |desk| {
                let effects = order(desk, SupplyOrder::KeepPower).unwrap();
                obey(desk, &effects);
                desk.meter.relay_stuck = Some(false);
            },
            FindingKind::Relay,
        ),
        (|desk| desk.meter.force = Force::Off, FindingKind::Force),
    ];
    for (tamper, expected) in cases {
        let mut desk = Desk::open(Purse::InMeter, 3_000);
        tamper(&mut desk);
        desk.observe();
        desk.wait_s(180);
        desk.observe();
        assert!(findings(&desk).contains(&expected), "{expected:?}: {:?}", findings(&desk));
        desk.meter = common::Meter { force: desk.state().order().decided.force, ..desk.meter.clone() };
        desk.meter.relay_stuck = None;
        desk.meter.prepaid = true;
        desk.observe();
        desk.observe();
        assert!(desk.state().suspicions().iter().all(|suspicion| suspicion.kind != expected), "{expected:?} is over");
    }
}

#[test]
fn a_flag_that_contradicts_the_balance_is_found() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    let observe = |desk: &mut Desk| {
        desk.wait_s(200);
        let mut reading = desk.reading();
        reading.flags.arrears = true;
        desk.tell(Command::Observe { meter: number(METER), reading }).unwrap();
    };
    observe(&mut desk);
    observe(&mut desk);
    let expected = Finding::ArrearsFlag { flag: true, balance: fen(3_000) };
    assert_eq!(desk.count_facts(|fact| matches!(fact, Fact::FindingRaised { finding, .. } if *finding == expected)), 1);
}

#[test]
fn an_overload_trip_is_shown_and_is_no_cut() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    desk.meter.overload = true;
    desk.observe();
    assert_eq!(desk.account.status(number(METER)).unwrap().load, Load::Tripped);
    assert_eq!(desk.account.display_state(number(METER)).unwrap().supply, SupplyState::OverloadTrip);
    desk.wait_s(200);
    desk.observe();
    assert!(findings(&desk).is_empty() && !desk.state().is_cut());
    desk.meter.overload = false;
    desk.observe();
    assert_eq!(desk.account.display_state(number(METER)).unwrap().supply, SupplyState::Prepaid);
}
