//! Booking consumption: the meter's fall, the tariff's charge, and the difference between them.

mod common;

use common::{Desk, FixedPrices, METER, OPERATOR, PRICES, fen, meter_terms, number, terms, why};
use prepay_core::account::{Command, DifferenceKind, Effect, Fact, Notice, Purse, QuarantineReason, Refusal, Terms};
use prepay_core::finding::{Finding, FindingKind};
use prepay_core::ledger::AccountKind;
use prepay_core::settlement::{PriceRequest, Priced, Pricer, PricerRefusal};
use prepay_core::status::{Link, Trust};
use proptest::prelude::*;

fn revenue_and_tax(desk: &Desk) -> i64 {
    desk.posted(AccountKind::Revenue, 0) + desk.posted(AccountKind::Tax, 0)
}

#[test]
fn the_books_follow_the_meter_and_name_its_rounding() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    // 0.15 kWh at 1.2: the tariff says 0.18; the meter also used 0.01 kWh at 0.7, 0.187 together, and rounds down its rest.
    desk.meter.use_energy(0, 15);
    desk.meter.use_energy(2, 1);
    desk.settle();
    assert_eq!(desk.posted(AccountKind::MeterPurse, METER), desk.meter.balance());
    assert_eq!(desk.meter.balance(), 3_000 - 19);
    assert_eq!(revenue_and_tax(&desk), 19);
    desk.meter.use_energy(2, 1);
    desk.settle();
    // 0.194 in all: the tariff has charged 0.19, the meter has taken 0.20.
    assert_eq!(desk.meter.balance(), 3_000 - 20);
    assert_eq!(revenue_and_tax(&desk), 19);
    assert_eq!(desk.posted(AccountKind::MeterRounding, 0), 1);
    assert_eq!(desk.state().trust(), Trust::Trusted);
}

#[test]
fn a_meter_with_another_price_drifts_into_an_account_of_its_own() {
    let mut desk = Desk::open(Purse::InMeter, 100_000);
    desk.meter.prices[1] = 10_100;
    desk.meter.use_energy(1, 10_000);
    let effects = desk.settle();
    let expected = Finding::PriceDrift { fall: fen(10_100), charge: fen(10_000), limit: fen(4) };
    let told =
        |effect: &Effect| matches!(effect, Effect::Notify(Notice::Finding { finding, .. }) if *finding == expected);
    assert!(effects.iter().any(told), "{effects:?}");
    assert_eq!(desk.posted(AccountKind::PriceLag, 0), 100);
    assert_eq!(desk.posted(AccountKind::MeterRounding, 0), 0);
    assert_eq!((desk.state().drift().settlements, desk.state().drift().sum.minor()), (1, 100));
    assert_eq!(desk.state().trust(), Trust::Drifting);
    desk.meter.prices = PRICES;
    desk.meter.use_energy(1, 10_000);
    desk.settle();
    assert_eq!(desk.state().trust(), Trust::Trusted, "the next settlement in order ends it");
}

#[test]
fn differences_that_add_up_to_a_limit_are_a_finding() {
    let drifting = Terms { price_lag_limit: Some(fen(150)), ..terms(Purse::InMeter) };
    let mut desk = Desk::open_with(drifting, meter_terms(METER), 100_000);
    desk.meter.prices[1] = 10_100;
    let raised = |desk: &Desk| {
        let limit = |fact: &Fact| matches!(fact, Fact::FindingRaised { finding: Finding::DriftLimit { price_lag, .. }, .. } if *price_lag == fen(200));
        desk.count_facts(limit)
    };
    for expected in [0, 1] {
        desk.meter.use_energy(1, 10_000);
        desk.settle();
        desk.wait_s(200);
        desk.observe();
        assert_eq!(raised(&desk), expected);
    }
}

#[test]
fn nothing_used_books_nothing() {
    for purse in [Purse::InMeter, Purse::AtStation] {
        let mut desk = Desk::open(purse, 3_000);
        let facts = desk.facts().len();
        assert!(desk.settle().is_empty());
        assert!(desk.observe().is_empty());
        assert_eq!(desk.facts().len(), facts);
    }
}

#[test]
fn a_register_that_steps_back_quarantines_and_books_nothing() {
    for purse in [Purse::InMeter, Purse::AtStation] {
        let mut desk = Desk::open(purse, 3_000);
        desk.meter.rates[1] -= 1;
        desk.settle();
        let reason = desk.state().quarantine().unwrap().reason;
        assert!(matches!(reason, QuarantineReason::Register(bad) if bad.register == 0), "{reason:?}");
        assert_eq!(revenue_and_tax(&desk), 0);
        desk.wait_s(1);
        let refused = desk.tell(Command::SettleNow { meter: number(METER), reading: desk.reading() });
        assert!(matches!(refused, Err(Refusal::Quarantined { .. })));
        // The operator accepts the new base; what is used after it is charged.
        let command = Command::ReleaseQuarantine {
            meter: number(METER),
            by: OPERATOR,
            why: why("register reset on the bench"),
            reading: desk.reading(),
            sale: None,
        };
        desk.tell(command).unwrap();
        desk.meter.use_energy(1, 100);
        desk.settle();
        assert_eq!(revenue_and_tax(&desk), 100);
    }
}

#[test]
fn energy_used_in_quarantine_is_charged_and_the_rest_is_suspense() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    desk.meter.purchase(fen(700), 42);
    desk.observe();
    desk.meter.use_energy(1, 200);
    desk.wait_s(60);
    let command = Command::ReleaseQuarantine {
        meter: number(METER),
        by: OPERATOR,
        why: why("hand-held sale"),
        reading: desk.reading(),
        sale: None,
    };
    desk.tell(command).unwrap();
    assert_eq!(revenue_and_tax(&desk), 200);
    assert_eq!(desk.posted(AccountKind::Suspense, METER), -700);
    assert_eq!(desk.posted(AccountKind::MeterPurse, METER), 3_500);
}

#[test]
fn without_a_price_a_sale_goes_on_and_a_settlement_refuses() {
    struct NoTariff;
    impl Pricer for NoTariff {
        fn price(&self, _: &PriceRequest<'_>) -> Result<Priced, PricerRefusal> {
            Err(PricerRefusal::NoTariff { reason: "none for this month".into() })
        }
    }
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    desk.meter.use_energy(1, 100);
    desk.wait_s(1);
    let settle = Command::SettleNow { meter: number(METER), reading: desk.reading() };
    assert!(matches!(desk.account.decide(&settle, desk.now, &NoTariff), Err(Refusal::Pricer(_))));
    let sale = desk.request(1_000).unwrap();
    let begin = Command::BeginSale { sale, evidence: desk.reading() };
    let decision = desk.account.decide(&begin, desk.now, &NoTariff).unwrap();
    assert!(decision.events.iter().any(|event| matches!(event.fact, Fact::SaleBegun { .. })));
    assert!(!decision.events.iter().any(|event| matches!(event.fact, Fact::Settled(_))));
}

#[test]
fn a_poll_without_a_price_is_a_finding_and_still_obeys_orders() {
    struct NoTariff;
    impl Pricer for NoTariff {
        fn price(&self, _: &PriceRequest<'_>) -> Result<Priced, PricerRefusal> {
            Err(PricerRefusal::NoTariff { reason: "none for this month".into() })
        }
    }
    let mut desk = Desk::open(Purse::AtStation, 3_000);
    desk.tell(Command::LinkLost { meter: number(METER) }).unwrap();
    desk.meter.use_energy(1, 100);
    desk.wait_s(1);
    let observe = Command::Observe { meter: number(METER), reading: desk.reading() };
    let decision = desk.account.decide(&observe, desk.now, &NoTariff).unwrap();
    let seen = |fact: &Fact| matches!(fact, Fact::DisagreementSeen { kind: FindingKind::NoPrice, .. });
    let heard = |fact: &Fact| matches!(fact, Fact::LinkChanged { to: Link::Fresh, .. });
    assert!(decision.events.iter().any(|event| seen(&event.fact)));
    assert!(decision.events.iter().any(|event| heard(&event.fact)));
}

#[test]
fn rates_that_do_not_add_up_are_found() {
    let mut desk = Desk::open(Purse::InMeter, 3_000);
    for _ in 0..2 {
        desk.wait_s(200);
        let mut reading = desk.reading();
        reading.energy.total_centi_kwh += 5;
        desk.tell(Command::Observe { meter: number(METER), reading }).unwrap();
    }
    let found = Finding::RatesAgainstTotal { total: 5, rates: 0 };
    assert_eq!(desk.count_facts(|fact| matches!(fact, Fact::FindingRaised { finding, .. } if *finding == found)), 1);
}

#[test]
fn credit_at_the_station_pays_the_tariff_and_nothing_else() {
    let mut desk = Desk::open_with(terms(Purse::AtStation), meter_terms(METER), 3_000);
    desk.pricer = FixedPrices([12_345; 4]);
    desk.meter.use_energy(1, 1);
    desk.settle();
    // 0.012345 yuan: one fen so far.
    assert_eq!(desk.account.purse().minor(), 2_999);
    desk.meter.use_energy(1, 1);
    desk.settle();
    // 0.02469 yuan in all.
    assert_eq!(desk.account.purse().minor(), 2_998);
    assert_eq!(desk.posted(AccountKind::CustomerPurse, 7), 2_998);
    assert_eq!(desk.posted(AccountKind::MeterRounding, 0), 0);
    assert_eq!(desk.posted(AccountKind::MeterPurse, METER), 0);
}

fn is_rounding(fact: &Fact) -> bool {
    matches!(fact, Fact::Settled(settled) if settled.difference == DifferenceKind::Rounding)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However a span is cut by settlements, the charge is the same; sales in between don't matter; and with the purse in
    /// the meter the books end at what the meter shows.
    #[test]
    fn settlements_are_path_independent(
        in_meter: bool,
        steps in prop::collection::vec((0_usize..4, 0_u64..3_000, any::<bool>(), prop::option::of(1_i64..5_000)), 1..25),
    ) {
        let purse = if in_meter { Purse::InMeter } else { Purse::AtStation };
        let mut desk = Desk::open(purse, 1_000_000);
        for (rate, energy, settle, sell) in &steps {
            desk.wait_s(3_600);
            desk.meter.use_energy(*rate, *energy);
            if *settle {
                desk.settle();
            } else {
                desk.observe();
            }
            match sell {
                Some(minor) if in_meter => drop(desk.sell(*minor)),
                Some(minor) => drop(desk.request(*minor).unwrap()),
                None => {}
            }
        }
        desk.settle();
        let exact: u64 = steps.iter().map(|(rate, energy, ..)| energy * PRICES[*rate]).sum();
        let charged = i64::try_from((exact + 5_000) / 10_000).unwrap();
        prop_assert_eq!(revenue_and_tax(&desk), charged);
        prop_assert_eq!(desk.state().charged().minor(), charged);
        let settled = desk.count_facts(|fact| matches!(fact, Fact::Settled(_)));
        prop_assert_eq!(desk.count_facts(is_rounding), settled, "an honest meter never drifts");
        if in_meter {
            prop_assert_eq!(desk.posted(AccountKind::MeterPurse, METER), desk.meter.balance());
        }
        let sold: i64 = steps.iter().filter_map(|step| step.3).sum();
        let left = desk.posted(AccountKind::CustomerPurse, 7) + desk.posted(AccountKind::MeterPurse, METER);
        let rounding = desk.posted(AccountKind::MeterRounding, 0);
        prop_assert_eq!(1_000_000 + sold - charged - rounding, left);
    }
}
