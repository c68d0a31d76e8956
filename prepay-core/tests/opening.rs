//! Opening, terms, several meters, and events that do not fit.

mod common;

use common::{Desk, METER, Meter, OPERATOR, TILL, fen, meter_terms, number, terms, why};
use prepay_core::account::{
    Account, ApplyError, Command, Effect, Event, Fact, MeterTakeOver, MeterTerms, OpenMode, Purse, Refusal,
    SupplyOrder, Terms, TermsError,
};
use prepay_core::id::{AccountId, SaleId};
use prepay_core::ledger::AccountKind;
use prepay_core::money::Currency;
use prepay_core::persist::Persisted;
use prepay_core::sale::SalePolicy;
use prepay_core::status::{Credit, MoneyState, Service};
use proptest::prelude::*;

const OTHER: u64 = 202_603_050_013;

fn take_over(meter: &Meter, desk: &Desk, mode: OpenMode) -> MeterTakeOver {
    MeterTakeOver { terms: meter_terms(meter.number), mode, reading: meter.reading(desk.now) }
}

fn open(terms: Terms, meters: Vec<MeterTakeOver>) -> Command {
    Command::Open { terms, meters, station_credit: fen(0) }
}

#[test]
fn a_take_over_books_what_the_meter_shows() {
    for (balance, level) in [(3_000, Credit::Normal), (1_500, Credit::Alarm1), (-8_401, Credit::Arrears)] {
        let desk = Desk::open(Purse::InMeter, balance);
        assert_eq!(desk.posted(AccountKind::MeterPurse, METER), balance);
        assert_eq!(desk.posted(AccountKind::TakeOver, 0), -balance);
        assert_eq!(desk.account.status(number(METER)).unwrap().credit, level);
        assert_eq!(desk.account.service(), Service::Open);
    }
    // What is in such a meter is not used, and its arrears start an order.
    let desk = Desk::open(Purse::AtStation, -1);
    assert_eq!(desk.posted(AccountKind::CustomerPurse, 7), -1);
    assert_eq!(desk.posted(AccountKind::MeterPurse, METER), 0);
    assert_eq!(desk.state().order().version, 1);
}

#[test]
fn a_fresh_meter_has_no_credit() {
    let mut desk = Desk::new(Meter::new(METER, 1, 0));
    let command = open(terms(Purse::InMeter), vec![take_over(&desk.meter, &desk, OpenMode::Fresh)]);
    assert!(matches!(desk.tell(command), Err(Refusal::OpeningCredit { .. })));
    desk.meter = Meter::new(METER, 0, 0);
    let command = open(terms(Purse::InMeter), vec![take_over(&desk.meter, &desk, OpenMode::Fresh)]);
    desk.tell(command.clone()).unwrap();
    assert_eq!(desk.account.display_state(number(METER)).unwrap().money, MoneyState::Arrears);
    assert!(matches!(desk.tell(command), Err(Refusal::Service { .. })), "an account opens once");
}

#[test]
fn openings_that_can_not_be_are_refused() {
    let mut desk = Desk::new(Meter::new(METER, 3_000, 41));
    let good = take_over(&desk.meter, &desk, OpenMode::TakeOver);
    let in_meter = terms(Purse::InMeter);
    let changed = |change: fn(&mut MeterTakeOver)| {
        let mut meter = good;
        change(&mut meter);
        open(in_meter, vec![meter])
    };
    let policy = |change: fn(&mut Terms)| {
        let mut terms = in_meter;
        change(&mut terms);
        open(terms, vec![good])
    };
    type Expected = fn(&Refusal) -> bool;
    let cases: Vec<(Command, Expected)> = vec![
        (open(in_meter, vec![]), |r| matches!(r, Refusal::Meters { meters: 0, .. })),
        (open(in_meter, vec![good, good]), |r| matches!(r, Refusal::Meters { distinct: 1, .. })),
        (open(in_meter, vec![good; Account::MAX_METERS + 1]), |r| matches!(r, Refusal::Meters { .. })),
        (changed(|m| m.reading.meter = number(5)), |r| matches!(r, Refusal::OtherMeter { .. })),
        (changed(|m| m.terms.tolerance = fen(-1)), |r| matches!(r, Refusal::Terms(TermsError::NotPositive { .. }))),
        (changed(|m| m.terms.registers.modulus_centi_kwh = 0), |r| {
            matches!(r, Refusal::Terms(TermsError::Zero { .. }))
        }),
        (changed(|m| m.reading.energy.total_centi_kwh = 100_000_000), |r| {
            matches!(r, Refusal::OpeningRegister { register: 0, .. })
        }),
        (policy(|t| t.max_sale = Some(fen(0))), |r| matches!(r, Refusal::Terms(TermsError::NotPositive { .. }))),
        (policy(|t| t.sale.max_frames = 0), |r| matches!(r, Refusal::Terms(TermsError::Zero { .. }))),
        (policy(|t| t.sale.frame_life_ms = 0), |r| matches!(r, Refusal::Terms(TermsError::Zero { .. }))),
        (Command::Open { terms: in_meter, meters: vec![good], station_credit: fen(1) }, |r| {
            matches!(r, Refusal::OpeningCredit { .. })
        }),
        (Command::Tick, |r| matches!(r, Refusal::Service { found: Service::NotOpened, .. })),
    ];
    for (index, (command, expected)) in cases.into_iter().enumerate() {
        let refusal = desk.tell(command).unwrap_err();
        assert!(expected(&refusal), "{index}: {refusal}");
        assert_eq!(desk.account.seq(), 0);
    }
}

#[test]
fn terms_change_but_not_where_the_money_is() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    let mut other = terms(Purse::InMeter);
    other.sale = SalePolicy { max_frames: 2, ..other.sale };
    desk.tell(Command::ChangeTerms { terms: other }).unwrap();
    assert_eq!(desk.account.terms().unwrap().sale.max_frames, 2);
    let events = desk.stored.len();
    desk.tell(Command::ChangeTerms { terms: other }).unwrap();
    assert_eq!(desk.stored.len(), events, "nothing new is no event");
    let purse = Command::ChangeTerms { terms: terms(Purse::AtStation) };
    assert!(matches!(desk.tell(purse), Err(Refusal::Fixed { field: "purse" })));
    let currency = Command::ChangeTerms { terms: Terms { currency: Currency::EUR, ..other } };
    assert!(matches!(desk.tell(currency), Err(Refusal::Fixed { field: "currency" })));
    // A meter that becomes one that must never be cut is let go by the order that stands against it.
    let order = Command::OrderSupply {
        meter: number(METER),
        order: SupplyOrder::ForcedOff,
        by: OPERATOR,
        why: why("unpaid rent"),
        until_utc_s: None,
    };
    desk.tell(order).unwrap();
    let never = MeterTerms { never_cut: true, ..meter_terms(METER) };
    let effects = desk.tell(Command::ChangeMeterTerms { terms: never }).unwrap();
    assert!(effects.iter().any(|effect| matches!(effect, Effect::WriteForce { version: 2, .. })));
}

#[test]
fn two_meters_of_one_account_keep_their_own_purses() {
    let mut desk = Desk::new(Meter::new(METER, 3_000, 41));
    let other = Meter::new(OTHER, 100, 7);
    let meters = vec![take_over(&desk.meter, &desk, OpenMode::TakeOver), take_over(&other, &desk, OpenMode::TakeOver)];
    desk.tell(open(terms(Purse::InMeter), meters)).unwrap();
    let credit = |desk: &Desk, meter| desk.account.status(number(meter)).unwrap().credit;
    assert_eq!((credit(&desk, METER), credit(&desk, OTHER)), (Credit::Normal, Credit::Alarm2));
    // A sale on each at the same time.
    let request = |sale, meter| Command::RequestSale {
        sale: SaleId(sale),
        meter: Some(number(meter)),
        amount: fen(1_000),
        payment: TILL,
        operator: OPERATOR,
    };
    desk.tell(request(1, METER)).unwrap();
    desk.tell(request(2, OTHER)).unwrap();
    assert_eq!(desk.account.held().minor(), 2_000);
    desk.wait_s(1);
    desk.tell(Command::BeginSale { sale: SaleId(2), evidence: other.reading(desk.now) }).unwrap();
    let restarted = desk.restart();
    assert!(restarted.iter().any(|effect| matches!(effect, Effect::StartSale { sale: SaleId(1), .. })));
    assert!(restarted.iter().any(|effect| matches!(effect, Effect::ReadBack { sale: SaleId(2), .. })));
}

#[test]
fn two_meters_share_a_purse_at_the_station() {
    let mut desk = Desk::new(Meter { prepaid: false, ..Meter::new(METER, 0, 41) });
    let mut other = Meter { prepaid: false, ..Meter::new(OTHER, 0, 7) };
    let meters = vec![take_over(&desk.meter, &desk, OpenMode::TakeOver), take_over(&other, &desk, OpenMode::TakeOver)];
    let station_credit = fen(1_000);
    desk.tell(Command::Open { terms: terms(Purse::AtStation), meters, station_credit }).unwrap();
    desk.meter.use_energy(1, 600);
    other.use_energy(1, 500);
    desk.settle();
    desk.wait_s(1);
    let reading = other.reading(desk.now);
    let effects = desk.tell(Command::SettleNow { meter: number(OTHER), reading }).unwrap();
    assert_eq!(desk.account.purse().minor(), -100);
    let cut: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::WriteForce { meter, .. } => Some(meter.get()),
            _ => None,
        })
        .collect();
    assert_eq!(cut, [METER, OTHER], "both are cut");
}

#[test]
fn effects_wait_for_their_events() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    let command = Command::RequestSale {
        sale: SaleId(1),
        meter: Some(number(METER)),
        amount: fen(100),
        payment: TILL,
        operator: OPERATOR,
    };
    let decision = desk.account.decide(&command, desk.now, &desk.pricer).unwrap();
    let seq = desk.account.seq();
    assert_eq!(decision.effects.through_seq(), seq + 1);
    assert!(decision.effects.release(&Persisted::attest(AccountId(7), seq)).is_err());
    assert!(!desk.tell(command).unwrap().is_empty());
}

#[test]
fn events_out_of_place_are_refused_and_change_nothing() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    let (before, seq) = (desk.account.clone(), desk.account.seq() + 1);
    let event = |seq, fact| Event { account: AccountId(7), seq, utc_s: 0, fact };
    let moved = Fact::RelayMoved { meter: number(METER), closed: false };
    let unknown = Fact::RelayMoved { meter: number(5), closed: false };
    let without_sale = Fact::SaleUnknown { sale: SaleId(1), meter: number(METER), failures: 1 };
    let account = &mut desk.account;
    assert!(matches!(account.apply(&event(seq + 1, moved.clone())), Err(ApplyError::Sequence { .. })));
    assert!(matches!(account.apply(&event(seq - 1, moved.clone())), Err(ApplyError::Sequence { .. })));
    let other = Event { account: AccountId(8), ..event(seq, moved.clone()) };
    assert!(matches!(account.apply(&other), Err(ApplyError::Account { .. })));
    assert!(matches!(account.apply(&event(seq, unknown)), Err(ApplyError::Impossible { .. })));
    assert!(matches!(account.apply(&event(seq, without_sale)), Err(ApplyError::Impossible { .. })));
    assert_eq!(*account, before);
    account.apply(&event(seq, moved)).unwrap();
}

/// Any command at any moment, with any small mistake in it.
fn any_command() -> impl Strategy<Value = Command> {
    use prepay_core::account::ReadBack;
    use prepay_core::sale::SendOutcome;
    let meter = prop_oneof![9 => Just(number(METER)), 1 => Just(number(5))];
    let sale = (0_u64..6).prop_map(SaleId);
    let reading = (0_u16..4, -50_i64..20_000, 0_u64..500, any::<bool>(), 0_u64..3).prop_map(
        |(count, balance, energy, closed, late_s)| {
            let mut meter = Meter::new(METER, balance, 41 + count);
            meter.rates = [100_000 + energy, 400_000, 434_567, 300_000];
            meter.relay_stuck = Some(closed);
            let mut reading = meter.reading(prepay_core::time::Now::new(2_000_000, 1_772_800_000));
            reading.taken.mono_ms -= late_s * 1_000;
            reading
        },
    );
    prop_oneof![
        (meter.clone(), reading.clone()).prop_map(|(meter, reading)| Command::Observe { meter, reading }),
        (meter.clone(), reading.clone()).prop_map(|(meter, reading)| Command::SettleNow { meter, reading }),
        (sale.clone(), meter.clone(), -5_i64..5_000).prop_map(|(sale, meter, minor)| Command::RequestSale {
            sale,
            meter: Some(meter),
            amount: fen(minor),
            payment: TILL,
            operator: OPERATOR
        }),
        (sale.clone(), reading.clone()).prop_map(|(sale, evidence)| Command::BeginSale { sale, evidence }),
        sale.clone().prop_map(|sale| Command::SaleSent { sale, outcome: SendOutcome::NoReply }),
        sale.clone().prop_map(|sale| Command::SaleSent { sale, outcome: SendOutcome::NotTransmitted }),
        (sale.clone(), reading.clone())
            .prop_map(|(sale, reading)| Command::SaleReadBack { sale, read_back: ReadBack::Reading(reading) }),
        sale.clone().prop_map(|sale| Command::SaleReadBack { sale, read_back: ReadBack::Unreadable }),
        sale.clone().prop_map(|sale| Command::ProbeDue { sale }),
        sale.clone().prop_map(|sale| Command::FenceClosed { sale }),
        sale.prop_map(|sale| Command::RequestVoid { sale, by: OPERATOR, why: why("any") }),
        (meter.clone(), reading).prop_map(|(meter, reading)| Command::ReleaseQuarantine {
            meter,
            by: OPERATOR,
            why: why("any"),
            reading,
            sale: None
        }),
        meter.clone().prop_map(|meter| Command::LinkLost { meter }),
        (meter.clone(), 0_u32..4).prop_map(|(meter, version)| Command::RelayOrdered { meter, version }),
        meter.prop_map(|meter| Command::Shed { meter, shed: true }),
        Just(Command::Tick),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Impossible orders of commands are refused with a reason or do something that balances; the desk checks the books,
    /// the fold and the reconciliation after each of them.
    #[test]
    fn no_order_of_commands_breaks_the_books(in_meter: bool, commands in prop::collection::vec(any_command(), 0..40)) {
        let mut desk = Desk::open(if in_meter { Purse::InMeter } else { Purse::AtStation }, 3_000);
        desk.now = prepay_core::time::Now::new(2_000_000, 1_772_800_000);
        for command in commands {
            let (account, ledger) = (desk.account.clone(), desk.ledger.clone());
            if let Err(refusal) = desk.tell(command) {
                prop_assert!(!matches!(refusal, Refusal::Apply(_)), "{}", refusal);
                prop_assert_eq!(&desk.account, &account);
                prop_assert_eq!(&desk.ledger, &ledger);
            }
        }
    }
}
