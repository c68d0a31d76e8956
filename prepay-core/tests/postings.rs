//! The table of `docs/postings.md` against the code, in both directions.

mod common;

use std::collections::BTreeMap;

use common::{METER, OPERATOR, TILL, fen, meter_terms, number, terms, why};
use prepay_core::account::{
    Carry, DifferenceKind, Estimate, Event, Fact, FinalSettlement, MeterOpening, OpenMode, Payback, Payment, Purse,
    RefundVoidCause, Settled, postings,
};
use prepay_core::debt::{DebtKind, Plan, Recovered};
use prepay_core::id::{AccountId, ChannelId, DebtId, RefundId, SaleId};
use prepay_core::ledger::{AccountKey, AccountKind, Action, LimitRule, Transfer, TransferId};
use prepay_core::reading::{Rates, Registers};
use prepay_core::refund::{RefundKind, RefundTake};
use prepay_core::sale::{Evidence, Proof, VoidCause};
use prepay_core::series::{Point, Source};
use prepay_core::settlement::{PricerState, Usage};
use prepay_core::time::Now;

const NEW: u64 = 5;
const HOLD: TransferId = TransferId::new(7, 3, 0);

fn evidence(balance: i64) -> Evidence {
    let energy = Registers::default();
    Evidence { purchase_count: 41, balance: fen(balance), energy, taken: Now::default() }
}

fn opening(balance: i64) -> MeterOpening {
    MeterOpening { terms: meter_terms(METER), mode: OpenMode::TakeOver, shown: evidence(balance), relay_closed: true }
}

fn closed(settlement: FinalSettlement, paid: i64, collected: i64, written_off: i64) -> Fact {
    let payback = if paid > 0 { payback(false) } else { vec![] };
    let [paid, collected, written_off] = [paid, collected, written_off].map(fen);
    Fact::Closed { settlement, payback, paid, collected, written_off, by: OPERATOR, why: why("lease ended") }
}

fn incurred(kind: DebtKind, minor: i64, tax: i64) -> Fact {
    Fact::DebtIncurred {
        debt: DebtId(1),
        kind,
        amount: fen(minor),
        tax: fen(tax),
        notice_until_utc_s: 0,
        by: OPERATOR,
        why: why("as agreed"),
    }
}

fn part(instalment: bool) -> Recovered {
    Recovered { debt: DebtId(1), amount: fen(100), instalment }
}

fn written_off(instalment: bool) -> Fact {
    Fact::DebtWrittenOff { part: part(instalment), by: OPERATOR, why: why("insolvent") }
}

fn carry(in_meter: bool, credit: i64, overdrawn: i64, estimated: Option<i64>) -> Carry {
    let usage = Usage { from_utc_s: 0, to_utc_s: 1, total_centi_kwh: 0, rates: Rates::default() };
    let estimate =
        estimated.map(|minor| Estimate { usage, charge: fen(minor), tax: fen(0), pricer: PricerState::default() });
    Carry { in_meter, credit: fen(credit), overdrawn: fen(overdrawn), hold: HOLD, estimate }
}

fn replacing(carry: Carry) -> Fact {
    Fact::ReplacementRequested {
        refund: RefundId(1),
        old: number(METER),
        opening: Box::new(MeterOpening { terms: meter_terms(NEW), ..opening(0) }),
        carry: Box::new(carry),
        count: 43,
        operator: OPERATOR,
        why: why("burnt"),
    }
}

fn replaced(carry: Carry) -> Fact {
    let (refund, old, new) = (RefundId(1), number(METER), number(NEW));
    Fact::ReplacementDone { refund, old, new, carry: Box::new(carry), count: 43, proof: Proof::Amount }
}

fn rolled_back(carry: Carry) -> Fact {
    let (refund, old, new, cause) = (RefundId(1), number(METER), number(NEW), RefundVoidCause::Fenced);
    Fact::ReplacementRolledBack { refund, old, new, carry: Box::new(carry), cause }
}

fn bench(estimated: i64, charge: i64, booked: i64, difference: DifferenceKind) -> Fact {
    Fact::BenchRead {
        meter: number(METER),
        shown: None,
        estimated: fen(estimated),
        charge: fen(charge),
        tax: fen(10),
        booked: fen(booked),
        difference,
        by: OPERATOR,
        why: why("read"),
    }
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
        source: Source::Measured,
    })
}

fn corrected(in_meter: bool, charge: i64, tax: i64) -> Fact {
    let point = Point { energy: Registers::default(), taken_utc_s: 1, source: Source::Measured, ratio: 1 };
    Fact::ChargeCorrected {
        meter: number(METER),
        in_meter,
        point,
        charge: fen(charge),
        tax: fen(tax),
        tariff_version: 1,
        pricer: PricerState::default(),
        by: None,
    }
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
        operator: OPERATOR,
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
        ("charge_corrected", "purse at the station, more", 87, corrected(false, 100, 13)),
        ("charge_corrected", "purse at the station, less", 87, corrected(false, -100, -13)),
        ("charge_corrected", "purse in the meter, more", 100, corrected(true, 100, 13)),
        (
            "meter_attached",
            "purse in the meter",
            70,
            Fact::MeterAttached { opening: Box::new(opening(70)), credit: fen(70) },
        ),
        (
            "meter_attached",
            "credit at the station",
            0,
            Fact::MeterAttached { opening: Box::new(opening(70)), credit: fen(0) },
        ),
        ("closed", "refund", 30, closed(FinalSettlement::Refund { channel: ChannelId(1) }, 30, 0, 0)),
        ("closed", "collect", 30, closed(FinalSettlement::Collect { channel: ChannelId(1) }, 0, 30, 0)),
        ("closed", "write off, the customer's", 30, closed(FinalSettlement::WriteOff, 0, 0, 30)),
        ("closed", "write off, ours", 30, closed(FinalSettlement::WriteOff, 0, 0, -30)),
        (
            "payment_received",
            "any",
            100,
            Fact::PaymentReceived { sale, amount: fen(100), channel: ChannelId(1), operator },
        ),
        ("debt_incurred", "emergency", 100, incurred(DebtKind::Emergency, 100, 0)),
        ("debt_incurred", "bill", 100, incurred(DebtKind::Bill, 100, 0)),
        ("debt_incurred", "arrears", 100, incurred(DebtKind::Arrears, 100, 0)),
        ("debt_incurred", "period end", 87, incurred(DebtKind::PeriodEnd, 100, 13)),
        ("debt_incurred", "fee", 87, incurred(DebtKind::Fee, 100, 13)),
        ("debt_recovered", "each debt", 100, Fact::DebtRecovered { sale: None, parts: vec![part(false)] }),
        ("debt_recovered", "each instalment", 100, Fact::DebtRecovered { sale: None, parts: vec![part(true)] }),
        (
            "instalments_agreed",
            "any",
            100,
            Fact::InstalmentsAgreed {
                debt: DebtId(1),
                plan: Plan { agreed: fen(100), part: fen(10), first_due_utc_s: 0, every_s: 1 },
                by: operator,
                why: why("asked"),
            },
        ),
        ("debt_written_off", "a debt", 100, written_off(false)),
        ("debt_written_off", "instalments", 100, written_off(true)),
        ("deposit_taken", "any", 100, Fact::DepositTaken { amount: fen(100), channel: ChannelId(1), operator }),
        ("deposit_returned", "any", 100, Fact::DepositReturned { amount: fen(100) }),
        (
            "goodwill_given",
            "any",
            100,
            Fact::GoodwillGiven { amount: fen(100), period: None, by: operator, why: why("outage") },
        ),
        ("replacement_requested", "the old meter has credit", 100, replacing(carry(true, 100, 0, None))),
        ("replacement_requested", "the old meter is overdrawn", 30, replacing(carry(true, 0, -30, None))),
        ("replacement_requested", "the old meter is unreadable", 40, replacing(carry(true, 100, 0, Some(40)))),
        ("replacement_requested", "unreadable, credit at the station", 40, replacing(carry(false, 0, 0, Some(40)))),
        ("replacement_done", "the old meter has credit", 100, replaced(carry(true, 100, 0, None))),
        ("replacement_done", "the old meter is overdrawn", 0, replaced(carry(true, 0, -30, None))),
        ("replacement_rolled_back", "the old meter has credit", 100, rolled_back(carry(true, 100, 0, None))),
        ("replacement_rolled_back", "the old meter is unreadable", 40, rolled_back(carry(true, 100, 0, Some(40)))),
        ("bench_read", "estimated too much", 20, bench(120, 100, 100, rounding)),
        ("bench_read", "estimated too little", 20, bench(80, 100, 100, rounding)),
        ("bench_read", "the meter took more, beyond rounding", 40, bench(140, 100, 140, lag)),
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
        let special = name == "settled" && case.starts_with("the meter took");
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

/// The table of owners: the numbers that an account of each name may belong to here.
fn owners() -> BTreeMap<&'static str, &'static [u64]> {
    let rows = include_str!("../docs/postings.md").lines().filter_map(|line| {
        let (owner, accounts) = line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | ")?;
        let numbers: &[u64] = match owner {
            "a channel" => &[1],
            "an account" => &[7],
            "a meter" => &[METER, NEW],
            "the house" => &[0],
            _ => return None,
        };
        Some(accounts.split(", ").map(move |account| (account, numbers)))
    });
    rows.flatten().collect()
}

#[test]
fn owners_are_who_the_text_says() {
    let mut owners = owners();
    let named = owners.len();
    let kinds = AccountKind::ALL.iter().filter(|kind| **kind != AccountKind::ProviderClearing);
    assert_eq!(kinds.filter(|kind| owners.contains_key(kind.name())).count(), named);
    assert_eq!(named, AccountKind::ALL.len() - 1, "every kind but the provider's has its owner");
    let known = owners.clone();
    for (.., fact) in samples() {
        for (part, transfer) in (0_u16..).zip(postings(&event(fact)).unwrap()) {
            assert_eq!(transfer.id, TransferId::new(7, 9, part));
            for AccountKey { kind, owner } in [transfer.debit, transfer.credit] {
                assert!(known[kind.name()].contains(&owner), "{kind:?}: {owner}");
                owners.remove(kind.name());
            }
        }
    }
    assert!(owners.is_empty(), "named and never posted to: {owners:?}");
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
