//! Friendly hours ahead of their time, supply that waits for somebody, shops that are not heard, history.

mod common;

use common::{Desk, METER, Meter, OPERATOR, fen, meter_terms, number, terms, why};
use prepay_core::account::{
    Command, Effect, LostContact, MeterTakeOver, MeterTerms, Notice, OpenMode, Payment, Purse, Refusal, Restore, Terms,
};
use prepay_core::history::{Change, Moment};
use prepay_core::id::{ChannelId, SaleId};
use prepay_core::reading::Force;
use prepay_core::relay::Cause;
use prepay_core::status::{Credit, Link, Service};

fn forces(effects: &[Effect]) -> Vec<Force> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::WriteForce { force, .. } => Some(*force),
            _ => None,
        })
        .collect()
}

fn tick(desk: &mut Desk) -> Vec<Effect> {
    desk.tell(Command::Tick).unwrap()
}

#[test]
fn friendly_hours_are_written_ahead_and_released_after() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    let from_utc_s = desk.now.utc_s + 7_200;
    let plan = |from_utc_s, to_utc_s| Command::PlanFriendlyHours { meter: number(METER), from_utc_s, to_utc_s };
    let now_utc_s = desk.now.utc_s;
    let over = Refusal::FriendlySpan { from_utc_s: now_utc_s - 9, to_utc_s: now_utc_s, now_utc_s };
    assert_eq!(desk.tell(plan(now_utc_s - 9, now_utc_s)), Err(over));
    assert!(matches!(desk.tell(plan(from_utc_s, from_utc_s)), Err(Refusal::FriendlySpan { .. })));
    assert!(desk.tell(plan(from_utc_s, from_utc_s + 3_600)).unwrap().is_empty(), "two hours ahead is too early");
    desk.wait_s(7_200 - 900);
    let effects = tick(&mut desk);
    assert_eq!(forces(&effects), [Force::On], "a quarter of an hour ahead");
    desk.obey(effects);
    assert!(tick(&mut desk).is_empty());
    desk.wait_s(u64::try_from(from_utc_s + 3_599 - desk.now.utc_s).unwrap());
    assert!(tick(&mut desk).is_empty(), "to the last second");
    desk.wait_s(1);
    let effects = tick(&mut desk);
    assert_eq!(forces(&effects), [Force::Automatic]);
    desk.obey(effects);
    desk.wait_s(9_999);
    assert!(tick(&mut desk).is_empty(), "once");
}

fn cut(restore: Restore) -> Desk {
    let mut desk = Desk::open_with(Terms { restore, ..terms(Purse::AtStation) }, meter_terms(METER), 100);
    desk.meter.use_energy(1, 200);
    let effects = desk.observe();
    assert_eq!(forces(&effects), [Force::Off]);
    desk.obey(effects);
    desk
}

#[test]
fn supply_comes_back_as_the_policy_says() {
    let ask = |on_site| Command::Restore { meter: number(METER), on_site, by: OPERATOR, why: why("paid") };
    let mut desk = cut(Restore::Automatic);
    assert_eq!(desk.tell(ask(true)), Err(Refusal::NothingToRestore { meter: number(METER) }));
    assert_eq!(forces(&pay(&mut desk)), [Force::Automatic]);
    for restore in [Restore::OnRequest, Restore::OnSite] {
        let mut desk = cut(restore);
        assert_eq!(desk.tell(ask(true)), Err(Refusal::StillInArrears { meter: number(METER) }));
        assert_eq!(forces(&pay(&mut desk)), [], "{restore:?} waits");
        assert_eq!(desk.account.status(number(METER)).unwrap().credit, Credit::Alarm1);
        desk.restart();
        assert!(desk.state().restore_awaited(), "also across a restart");
        if restore == Restore::OnSite {
            assert_eq!(desk.tell(ask(false)), Err(Refusal::NotOnSite { meter: number(METER) }));
        }
        let effects = desk.tell(ask(restore == Restore::OnSite)).unwrap();
        assert_eq!(forces(&effects), [Force::Automatic]);
    }
    let in_meter = Terms { restore: Restore::OnSite, ..terms(Purse::InMeter) };
    let mut desk = Desk::open(Purse::InMeter, 100);
    assert!(matches!(desk.tell(Command::ChangeTerms { terms: in_meter }), Err(Refusal::Terms(_))));
}

fn pay(desk: &mut Desk) -> Vec<Effect> {
    let sale = SaleId(desk.next_sale);
    desk.next_sale += 1;
    let (amount, payment) = (fen(1_000), Payment::Channel(ChannelId(1)));
    desk.tell(Command::RequestSale { sale, meter: None, amount, payment, operator: OPERATOR }).unwrap()
}

#[test]
fn a_shop_that_is_not_heard_has_a_bound_that_is_shown_and_told_once() {
    let lost_contact = LostContact { per_hour: fen(100), bound: Some(fen(200)), cut: true };
    let mut desk = Desk::open_with(Terms { lost_contact, ..terms(Purse::AtStation) }, meter_terms(METER), 300);
    let exposure = |desk: &Desk| desk.account.exposure(number(METER), desk.now.utc_s).unwrap().minor();
    desk.tell(Command::LinkStale { meter: number(METER) }).unwrap();
    desk.wait_s(3 * 3600);
    desk.tell(Command::LinkLost { meter: number(METER) }).unwrap();
    assert_eq!(exposure(&desk), 0, "within the credit");
    desk.wait_s(2 * 3600);
    assert_eq!((exposure(&desk), tick(&mut desk).len()), (200, 0), "at the bound");
    desk.wait_s(1);
    let effects = tick(&mut desk);
    assert!(
        effects.iter().any(|e| matches!(e, Effect::Notify(Notice::Exposed { exposure, .. }) if *exposure == fen(300)))
    );
    assert_eq!(forces(&effects), [Force::Off], "waits for the meter");
    assert!(tick(&mut desk).is_empty(), "told once");
    desk.restart();
    assert!(tick(&mut desk).iter().all(|effect| !matches!(effect, Effect::Notify(_))), "also across a restart");
    // Heard again, and there is credit: the order to cut is superseded before it was written.
    desk.meter.use_energy(1, 100);
    let effects = desk.observe();
    assert_eq!(forces(&effects), [Force::Automatic]);
    assert_eq!(exposure(&desk), 0);
    desk.obey(effects);
    assert_eq!(desk.meter.force, Force::Automatic);
}

#[test]
fn a_meter_that_must_never_be_cut_is_not_cut_by_any_policy() {
    let lost_contact = LostContact { per_hour: fen(9_999), bound: Some(fen(0)), cut: true };
    let terms = Terms { lost_contact, restore: Restore::OnSite, ..terms(Purse::AtStation) };
    let mut desk = Desk::open_with(terms, MeterTerms { never_cut: true, ..meter_terms(METER) }, 100);
    desk.tell(Command::LinkLost { meter: number(METER) }).unwrap();
    desk.wait_s(86_400);
    assert_eq!(forces(&tick(&mut desk)), []);
    desk.meter.use_energy(1, 900);
    assert_eq!(forces(&desk.observe()), []);
    assert_eq!(desk.account.status(number(METER)).unwrap().credit, Credit::Arrears);
}

#[test]
fn history_tells_each_crossing_once() {
    let mut desk = cut(Restore::Automatic);
    desk.tell(Command::LinkLost { meter: number(METER) }).unwrap();
    desk.tell(Command::Pause { by: OPERATOR, why: why("renovation") }).unwrap();
    let moments: Vec<_> = desk.events().iter().filter_map(Moment::of).collect();
    let changes: Vec<_> = moments.iter().map(|moment| moment.change).collect();
    for expected in [
        Change::Service(Service::Open),
        Change::Credit { from: Credit::Alarm2, to: Credit::Arrears },
        Change::Relay(false),
        Change::Cut { autonomous: false },
        Change::Link { from: Link::Fresh, to: Link::Lost },
        Change::Service(Service::Paused),
    ] {
        assert_eq!(changes.iter().filter(|change| **change == expected).count(), 1, "{expected:?}: {changes:?}");
    }
    assert!(moments.windows(2).all(|pair| pair[0].seq < pair[1].seq));
}

#[test]
fn the_next_friendly_hours_do_not_prolong_the_ones_that_last() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    let start = desk.now.utc_s;
    let plan = |from_utc_s, to_utc_s| Command::PlanFriendlyHours { meter: number(METER), from_utc_s, to_utc_s };
    let effects = desk.tell(plan(start, start + 3_600)).unwrap();
    assert_eq!(forces(&effects), [Force::On]);
    desk.obey(effects);
    // Tomorrow's are planned while today's last, twice, and it changes nothing today.
    let tomorrow = start + 86_400;
    for to_utc_s in [tomorrow + 1_800, tomorrow + 3_600] {
        assert_eq!(forces(&desk.tell(plan(tomorrow, to_utc_s)).unwrap()), []);
    }
    let told = desk.facts().len();
    desk.tell(plan(start, start + 3_600)).unwrap();
    desk.tell(plan(tomorrow, tomorrow + 3_600)).unwrap();
    assert_eq!(desk.facts().len(), told, "what is known is not told again");
    desk.wait_s(u64::try_from(start + 3_600 - desk.now.utc_s).unwrap());
    let effects = tick(&mut desk);
    assert_eq!(forces(&effects), [Force::Automatic], "today's are over");
    desk.obey(effects);
    desk.restart();
    desk.wait_s(u64::try_from(tomorrow - 900 - desk.now.utc_s).unwrap());
    let effects = tick(&mut desk);
    assert_eq!(forces(&effects), [Force::On], "tomorrow's begin");
    desk.obey(effects);
    desk.wait_s(u64::try_from(tomorrow + 3_600 - desk.now.utc_s).unwrap());
    assert_eq!(forces(&tick(&mut desk)), [Force::Automatic], "and end");
}

#[test]
fn friendly_hours_that_follow_at_once_leave_the_meter_alone() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    let start = desk.now.utc_s;
    let plan = |from_utc_s, to_utc_s| Command::PlanFriendlyHours { meter: number(METER), from_utc_s, to_utc_s };
    let effects = desk.tell(plan(start, start + 3_600)).unwrap();
    desk.obey(effects);
    // A holiday follows the evening.
    desk.tell(plan(start + 3_600, start + 90_000)).unwrap();
    desk.wait_s(u64::try_from(start + 3_600 - desk.now.utc_s).unwrap());
    assert_eq!(forces(&tick(&mut desk)), []);
    assert_eq!(desk.account.status(number(METER)).unwrap().supply.cause, Cause::FriendlyHours);
    // And hours that last can be given another end.
    let now_utc_s = desk.now.utc_s;
    desk.tell(plan(start, now_utc_s + 10)).unwrap();
    desk.wait_s(10);
    assert_eq!(forces(&tick(&mut desk)), [Force::Automatic]);
}

#[test]
fn shops_on_one_purse_are_exposed_together() {
    let lost_contact = LostContact { per_hour: fen(100), bound: Some(fen(200)), cut: true };
    let mut desk = Desk::open_with(Terms { lost_contact, ..terms(Purse::AtStation) }, meter_terms(METER), 300);
    let second = Meter { prepaid: false, ..Meter::new(9, 0, 0) };
    let reading = second.reading(desk.now);
    let meter = MeterTakeOver { terms: meter_terms(9), mode: OpenMode::Fresh, reading };
    desk.tell(Command::AttachMeter { meter }).unwrap();
    let exposure = |desk: &Desk, meter| desk.account.exposure(number(meter), desk.now.utc_s).unwrap().minor();
    desk.tell(Command::LinkLost { meter: number(METER) }).unwrap();
    desk.wait_s(2 * 3600);
    desk.tell(Command::LinkLost { meter: number(9) }).unwrap();
    desk.wait_s(2 * 3600);
    // Four hours of one and two of the other: 6.00 against the one credit of 3.00.
    assert_eq!((exposure(&desk, METER), exposure(&desk, 9)), (300, 300));
    assert_eq!(forces(&tick(&mut desk)), [Force::Off, Force::Off], "both wait for the order");
    // One is heard, and its four hours were no use at all.
    desk.observe();
    assert_eq!((exposure(&desk, METER), exposure(&desk, 9)), (0, 0));
}
