//! Writes that nobody here sent: the meter is set apart until an operator explains what it shows.

mod common;

use common::{Desk, METER, OPERATOR, fen, number, why};
use prepay_core::account::{Command, Effect, Purse, QuarantineReason, Refusal, SaleResolution};
use prepay_core::ledger::AccountKind;
use prepay_core::sale::{Phase, SendOutcome};
use prepay_core::status::{LinkState, Trust};

fn desk() -> Desk {
    Desk::open(Purse::InMeter, 3_000)
}

#[test]
fn a_foreign_amount_quarantines_and_an_operator_resolves() {
    for (resolution, purse, suspense) in
        [(SaleResolution::NotApplied, 10_000, -5_000), (SaleResolution::Applied, 0, 5_000)]
    {
        let mut desk = desk();
        let sale = desk.begin(10_000);
        // Somebody else sold 50.00 with a hand-held tool; our frame was lost.
        desk.meter.purchase(fen(5_000), 42);
        desk.sent(sale, SendOutcome::NoReply);
        desk.read_back(sale);
        let quarantine = desk.state().quarantine().unwrap();
        assert_eq!(quarantine.reason, QuarantineReason::ForeignWrite { off_by: fen(-5_000) });
        assert_eq!(desk.account.display_state(number(METER)).unwrap().link, LinkState::Quarantined);
        assert!(matches!(desk.request(100), Err(Refusal::Quarantined { .. })));
        assert!(matches!(desk.tell(Command::ProbeDue { sale }), Err(Refusal::Quarantined { .. })));

        desk.wait_s(60);
        let release = |reading, sale| Command::ReleaseQuarantine {
            meter: number(METER),
            by: OPERATOR,
            why: why("hand-held sale of the old system"),
            reading,
            sale,
        };
        let reading = desk.reading();
        assert!(matches!(desk.tell(release(reading, None)), Err(Refusal::Resolution { .. })));
        desk.tell(release(reading, Some(resolution))).unwrap();
        assert_eq!(desk.state().trust(), Trust::Trusted);
        assert_eq!(desk.posted(AccountKind::CustomerPurse, 7), purse);
        assert_eq!(desk.posted(AccountKind::MeterPurse, METER), 8_000, "the books follow the meter");
        assert_eq!(desk.posted(AccountKind::Suspense, METER), suspense);
        assert_eq!(desk.state().count(), 42);
        desk.sell(1_000);
    }
}

#[test]
fn writes_without_a_sale_are_quarantined() {
    type Tamper = fn(&mut Desk);
    type Expected = fn(&QuarantineReason) -> bool;
    let cases: [(Tamper, Expected); 5] = [
        (
            |desk| desk.meter.micro_yuan += 10_000,
            |reason| matches!(reason, QuarantineReason::BalanceRose { by } if by.minor() == 1),
        ),
        (
            |desk| assert!(desk.meter.purchase(fen(700), 42)),
            |reason| matches!(reason, QuarantineReason::ForeignWrite { off_by } if off_by.minor() == 700),
        ),
        (|desk| desk.meter.count = 44, |reason| matches!(reason, QuarantineReason::UnexplainedWrites { writes: 3 })),
        (|desk| desk.meter.count = 40, |reason| matches!(reason, QuarantineReason::CountWentBack { shown: 40 })),
        (|desk| desk.meter.number = 5, |reason| matches!(reason, QuarantineReason::OtherMeter { .. })),
    ];
    for (index, (tamper, expected)) in cases.into_iter().enumerate() {
        let mut desk = desk();
        tamper(&mut desk);
        desk.observe();
        assert!(expected(&desk.state().quarantine().unwrap().reason), "{index}: {:?}", desk.state().quarantine());
        let facts = desk.facts().len();
        desk.observe();
        assert_eq!(desk.facts().len(), facts, "{index}: once");
    }
}

#[test]
fn evidence_that_does_not_fit_stops_a_sale_before_anything_leaves() {
    let mut desk = desk();
    let sale = desk.request(10_000).unwrap();
    desk.meter.purchase(fen(700), 42);
    desk.wait_s(1);
    let effects = desk.tell(Command::BeginSale { sale, evidence: desk.reading() }).unwrap();
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::SendPurchase { .. })));
    assert!(desk.state().quarantine().is_some());
    assert_eq!(desk.state().sale().unwrap().phase, Phase::Requested);
    // The release asks for no resolution, because nothing left, and the sale goes on.
    desk.wait_s(1);
    let command = Command::ReleaseQuarantine {
        meter: number(METER),
        by: OPERATOR,
        why: why("found the receipt"),
        reading: desk.reading(),
        sale: None,
    };
    let effects = desk.tell(command).unwrap();
    assert!(effects.iter().any(|effect| matches!(effect, Effect::StartSale { .. })));
}
