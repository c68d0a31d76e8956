//! One sale under every row of fates: frames lost and late, crashes, voids, energy used. The verdict is what the meter has.

mod common;

use common::{Desk, METER, OPERATOR, fen, meter_terms, number, terms, why};
use prepay_core::account::{Command, Effect, MeterTerms, Purse, ReadBack};
use prepay_core::sale::{EqualCountRule, SendOutcome};
use proptest::prelude::*;

/// What the world can do between two steps of the station.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Arrives,
    Lost,
    Late,
    NotSent,
    Unreadable,
    Crash,
    Use(u64),
    AskVoid,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        3 => Just(Fate::Arrives),
        3 => Just(Fate::Lost),
        2 => Just(Fate::Late),
        1 => Just(Fate::NotSent),
        1 => Just(Fate::Unreadable),
        2 => Just(Fate::Crash),
        2 => (1_u64..400).prop_map(Fate::Use),
        1 => Just(Fate::AskVoid),
    ]
}

/// Follows the effects as a station would, with the fates in between, until the sale is closed.
fn run_sale(rule: EqualCountRule, fates: Vec<Fate>) -> Desk {
    let profile = MeterTerms { equal_count: rule, ..meter_terms(METER) };
    let mut desk = Desk::open_with(terms(Purse::InMeter), profile, 3_000);
    let sale = desk.begin(10_000);
    let mut todo =
        vec![Effect::SendPurchase { sale, meter: number(METER), amount: fen(10_000), new_count: 42, frame: 1 }];
    let mut fates = fates.into_iter();
    // A frame on the air, and the monotonic second until which it lives.
    let mut late: Option<u64> = None;
    for _ in 0..300 {
        if desk.state().sale().is_none() || desk.state().quarantine().is_some() {
            break;
        }
        let fate = fates.next().unwrap_or(Fate::Arrives);
        match fate {
            Fate::Crash => {
                todo = desk.restart();
                // The frame on the air does not know of the restart.
                late = late.map(|_| desk.now.mono_ms + 4_000);
                continue;
            }
            Fate::Use(centi_kwh) => desk.meter.use_energy(1, centi_kwh),
            Fate::AskVoid => {
                let command = Command::RequestVoid { sale, by: OPERATOR, why: why("asked") };
                todo.extend(desk.tell(command).unwrap());
                continue;
            }
            _ => {}
        }
        if todo.is_empty() {
            todo = desk.tell(Command::ProbeDue { sale }).unwrap();
        }
        let effect = todo.remove(0);
        desk.wait_s(1);
        if let Some(until) = late.filter(|until| desk.now.mono_ms >= *until - 3_000) {
            assert!(desk.now.mono_ms <= until + 60_000);
            desk.meter.purchase(fen(10_000), 42);
            late = None;
        }
        let more = match effect {
            Effect::SendPurchase { frame, .. } => {
                if !desk.account.may_send(sale, frame) {
                    continue;
                }
                let outcome = match fate {
                    Fate::Lost | Fate::Unreadable => SendOutcome::NoReply,
                    Fate::NotSent => SendOutcome::NotTransmitted,
                    Fate::Late => {
                        late = Some(desk.now.mono_ms + 4_000);
                        SendOutcome::NoReply
                    }
                    _ => {
                        desk.deliver();
                        SendOutcome::ReplySeen
                    }
                };
                desk.tell(Command::SaleSent { sale, outcome }).unwrap()
            }
            Effect::ReadBack { not_before_mono_ms, .. } => {
                desk.wait_s(not_before_mono_ms.saturating_sub(desk.now.mono_ms).div_ceil(1_000));
                if late.is_some_and(|until| desk.now.mono_ms > until) {
                    desk.meter.purchase(fen(10_000), 42);
                    late = None;
                }
                let read_back = match fate {
                    Fate::Unreadable => ReadBack::Unreadable,
                    _ => ReadBack::Reading(desk.reading()),
                };
                desk.tell(Command::SaleReadBack { sale, read_back }).unwrap()
            }
            Effect::Fence { .. } => desk.tell(Command::FenceClosed { sale }).unwrap(),
            _ => continue,
        };
        todo = more;
    }
    if let Some(_still_on_the_air) = late.take() {
        desk.meter.purchase(fen(10_000), 42);
    }
    desk
}

proptest! {
    /// Whatever is lost, late or crashed: the sale closes, and the books say what the meter has.
    #[test]
    fn the_verdict_is_what_the_meter_has(rule in 0_usize..3, fates in prop::collection::vec(fate(), 0..40)) {
        let rule = [EqualCountRule::EqualAcknowledged, EqualCountRule::EqualRefused, EqualCountRule::AnyCountAdds][rule];
        let mut desk = run_sale(rule, fates);
        prop_assert!(desk.state().quarantine().is_none(), "{:?}", desk.state().quarantine());
        prop_assert!(desk.state().sale().is_none(), "unresolved: {:?}", desk.state().sale());
        desk.settle();
        prop_assert!(desk.state().quarantine().is_none(), "a late frame came after the verdict");
        prop_assert_eq!(desk.state().purse().minor(), desk.meter.balance());
        let in_meter = desk.meter.count == 42;
        prop_assert_eq!(desk.account.purse().minor(), if in_meter { 0 } else { 10_000 });
    }
}
