//! The table of `docs/postings.md` against the code, in both directions.

mod common;

use std::collections::BTreeMap;

use common::{METER, OPERATOR, TILL, fen, meter_terms, number, terms, why};
use prepay_core::account::{
    DifferenceKind, Event, Fact, MeterOpening, OpenMode, Payback, Payment, Purse, RefundVoidCause, Settled, postings,
};
use prepay_core::id::{AccountId, ChannelId, RefundId, SaleId};
use prepay_core::ledger::{AccountKey, AccountKind, Action, LimitRule, Transfer, TransferId};
use prepay_core::reading::{Rates, Registers};
use prepay_core::refund::{RefundKind, RefundTake};
use prepay_core::sale::{Evidence, Proof, VoidCause};
use prepay_core::settlement::{PricerState, Usage};
use prepay_core::time::Now;

const HOLD: TransferId = TransferId::new(7, 3, 0);

fn evidence(balance: i64) -> Evidence {
    let energy = Registers::default();
    Evidence { purchase_count: 41, balance: fen(balance), energy, taken: Now::default() }
}

fn opened(purse: Purse, station: i64, balance: i64) -> Fact {
    let meters = vec![MeterOpening {
        terms: meter_terms(METER),
        mode: OpenMode::TakeOver,
        shown: evidence(balance),
        relay_closed: true,
    }];
    Fact::Opened { terms: terms(purse), meters, station_credit: fen(station) }
}

fn settled(in_meter: bool, charge: i64, tax: i64, booked: i64, difference: DifferenceKind) -> Fact {
    let rates = Rates::new(&[0, 0, 0, 0]).unwrap();
    Fact::Settled(Settled {
        meter: number(METER),
        in_meter,
        shown: evidence(0),
        usage: Usage { from_utc_s: 0, to_utc_s: 1, total_centi_kwh: 0, rates },
        charge: fen(charge),
        tax: fen(tax),
        booked: fen(booked),
        difference,
        tariff_version: 1,
        pricer: PricerState::default(),
    })
}

fn requested(payment: Payment) -> Fact {
    let (sale, meter) = (SaleId(1), number(METER));
    Fact::SaleRequested { sale, meter, amount: fen(100), payment, operator: OPERATOR }
}

fn voided(hold: Option<TransferId>) -> Fact {
    let (sale, meter) = (SaleId(1), number(METER));
    Fact::SaleVoided { sale, meter, amount: fen(100), hold, cause: VoidCause::Fenced }
}

const RECEIPT: TransferId = TransferId::new(7, 2, 0);

fn payback(whole: bool) -> Vec<Payback> {
    vec![Payback { sale: SaleId(1), receipt: RECEIPT, channel: ChannelId(1), amount: fen(100), whole }]
}

fn refund_requested(held: i64) -> Fact {
    Fact::RefundRequested {
        refund: RefundId(1),
        meter: number(METER),
        kind: RefundKind::Refund,
        take: RefundTake::Everything,
        held: fen(held),
        hold: HOLD,
        payback: payback(false),
        operator: OPERATOR,
        why: why("moves out"),
    }
}

fn refund_applied(kind: RefundKind, amount: i64, payback: Vec<Payback>) -> Fact {
    Fact::RefundApplied {
        refund: RefundId(1),
        meter: number(METER),
        kind,
        amount: fen(amount),
        held: fen(amount.max(0)),
        hold: HOLD,
        payback,
        count: 43,
        proof: Proof::Amount,
    }
}

fn refund_voided(held: i64) -> Fact {
    let (refund, meter, cause) = (RefundId(1), number(METER), RefundVoidCause::Fenced);
    Fact::RefundVoided { refund, meter, held: fen(held), hold: HOLD, cause }
}

fn paid_back(kind: RefundKind, whole: bool) -> Fact {
    let (operator, why) = (OPERATOR, why("moves out"));
    Fact::PaidBack { refund: RefundId(1), kind, payback: payback(whole), operator, why }
}

fn released(to_suspense: i64) -> Fact {
    Fact::QuarantineReleased {
        meter: number(METER),
        by: OPERATOR,
        why: why("explained"),
        accepted: evidence(0),
        foreign_writes: 1,
        to_suspense: fen(to_suspense),
    }
}

/// One event for each line of the table, and the amount that stands in it.
fn samples() -> Vec<(&'static str, &'static str, i64, Fact)> {
    let (sale, meter, operator) = (SaleId(1), number(METER), OPERATOR);
    let (rounding, lag) = (DifferenceKind::Rounding, DifferenceKind::PriceLag);
    let over = DifferenceKind::Overwrite;
    let (back, undone) = (RefundKind::Refund, RefundKind::Reversal { sale });
    vec![
        ("opened", "credit at the station", 500, opened(Purse::AtStation, 500, 70)),
        ("opened", "purse in the meter, each meter", 70, opened(Purse::InMeter, 0, 70)),
        ("opened", "purse in the meter, overdrawn", 70, opened(Purse::InMeter, 0, -70)),
        ("settled", "purse in the meter", 87, settled(true, 100, 13, 100, rounding)),
        ("settled", "the meter took more, within rounding", 2, settled(true, 100, 0, 102, rounding)),
        ("settled", "the meter took less, within rounding", 2, settled(true, 100, 0, 98, rounding)),
        ("settled", "the meter took more, beyond rounding", 40, settled(true, 100, 0, 140, lag)),
        ("settled", "the meter took less, beyond rounding", 40, settled(true, 100, 0, 60, lag)),
        ("settled", "the meter took more, after an overwrite", 40, settled(true, 100, 0, 140, over)),
        ("settled", "the meter took less, after an overwrite", 40, settled(true, 100, 0, 60, over)),
        ("refund_requested", "any", 100, refund_requested(100)),
        ("refund_requested", "an overdrawn meter is cleared", 0, refund_requested(0)),
        ("refund_applied", "into the purse", 100, refund_applied(back, 100, vec![])),
        ("refund_applied", "refund through a channel", 100, refund_applied(back, 100, payback(false))),
        ("refund_applied", "reversal", 100, refund_applied(undone, 100, payback(true))),
        ("refund_applied", "an overdrawn meter is cleared", 30, refund_applied(back, -30, vec![])),
        ("refund_voided", "any", 100, refund_voided(100)),
        ("refund_voided", "an overdrawn meter is cleared", 0, refund_voided(0)),
        ("paid_back", "refund", 100, paid_back(back, false)),
        ("paid_back", "reversal", 100, paid_back(undone, true)),
        ("settled", "purse at the station", 87, settled(false, 100, 13, 100, rounding)),
        ("sale_requested", "paid by a channel", 100, requested(TILL)),
        ("sale_requested", "paid from the purse", 0, requested(Payment::Purse)),
        (
            "station_sale_made",
            "any",
            100,
            Fact::StationSaleMade { sale, amount: fen(100), channel: ChannelId(1), operator },
        ),
        (
            "sale_begun",
            "any",
            100,
            Fact::SaleBegun { sale, meter, amount: fen(100), before: evidence(0), new_count: 42, hold: HOLD },
        ),
        (
            "sale_applied",
            "any",
            100,
            Fact::SaleApplied { sale, meter, amount: fen(100), hold: HOLD, count: 42, proof: Proof::Amount },
        ),
        ("sale_voided", "begun", 100, voided(Some(HOLD))),
        ("sale_voided", "not begun", 0, voided(None)),
        ("quarantine_released", "the meter holds more", 30, released(30)),
        ("quarantine_released", "the meter holds less", 30, released(-30)),
    ]
}

fn event(fact: Fact) -> Event {
    Event { account: AccountId(7), seq: 9, utc_s: 0, fact }
}

/// A transfer in the words of the table: what it does, from, to, limit.
fn words(transfer: &Transfer) -> [String; 4] {
    let does = match transfer.action {
        Action::Move => "move",
        Action::Receipt => "receipt",
        Action::Hold => "hold",
        Action::Post { hold: HOLD } => "post",
        Action::Void { hold: HOLD } => "void",
        Action::Refund { of: RECEIPT } => "refund",
        Action::Reverse { of: RECEIPT } => "reverse",
        other => panic!("not in the table: {other:?}"),
    };
    let limit = if transfer.limit == LimitRule::Enforce { "enforce" } else { "record" };
    [does, transfer.debit.kind.name(), transfer.credit.kind.name(), limit].map(String::from)
}

/// Lines of the table by event and case.
fn table() -> BTreeMap<(String, String), Vec<[String; 4]>> {
    let text = include_str!("../docs/postings.md");
    let mut lines: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let [event, case, _amount, does, debit, credit, limit] = cells[..] else { panic!("not seven cells: {line}") };
        let line = [does, debit, credit, limit].map(String::from);
        lines.entry((event.to_owned(), case.to_owned())).or_default().push(line);
    }
    lines
}

#[test]
fn the_table_says_what_the_code_does() {
    let mut table = table();
    for (name, case, amount, fact) in samples() {
        let json = serde_json::to_value(&fact).unwrap();
        assert!(json.get(name).is_some(), "{name} is the stable name of the event: {json}");
        let transfers = postings(&event(fact)).unwrap();
        let lines =
            table.remove(&(name.to_owned(), case.to_owned())).unwrap_or_else(|| panic!("no line: {name}, {case}"));
        if amount == 0 {
            assert_eq!(lines, vec![["–", "–", "–", "–"].map(String::from)], "{name}, {case}");
            assert_eq!(transfers, vec![], "{name}, {case}");
            continue;
        }
        // A case of a difference comes with the charge itself, which has lines of its own.
        let special = case.starts_with("the meter took");
        let found: Vec<_> = transfers
            .iter()
            .filter(|transfer| !special || transfer.credit.kind != AccountKind::Revenue)
            .map(words)
            .collect();
        assert_eq!(found, lines, "{name}, {case}");
        assert!(transfers.iter().any(|transfer| transfer.amount.minor() == amount), "{name}, {case}: {transfers:?}");
    }
    assert!(table.is_empty(), "lines without an event: {table:?}");
}

#[test]
fn owners_are_who_the_text_says() {
    for (.., fact) in samples() {
        for (part, transfer) in (0_u16..).zip(postings(&event(fact)).unwrap()) {
            assert_eq!(transfer.id, TransferId::new(7, 9, part));
            for AccountKey { kind, owner } in [transfer.debit, transfer.credit] {
                let expected = match kind {
                    AccountKind::Cash => 1,
                    AccountKind::CustomerPurse => 7,
                    AccountKind::MeterPurse | AccountKind::Suspense => METER,
                    _ => 0,
                };
                assert_eq!(owner, expected, "{kind:?}");
            }
        }
    }
}

#[test]
fn an_event_that_moves_no_money_posts_nothing() {
    let meter = number(METER);
    let facts = [
        Fact::CutVerified { meter, autonomous: false },
        Fact::RelayConfirmed { meter, version: 1 },
        Fact::SaleUnknown { sale: SaleId(1), meter, failures: 3 },
    ];
    for fact in facts {
        assert_eq!(postings(&event(fact)).unwrap(), vec![]);
    }
}
