//! The day's end: totals by operator and channel, sealed with the heads of all ledgers, and checked offline.

mod common;

use common::{Desk, OPERATOR, fen, why};
use prepay_core::account::{Command, Event, Fact, Payback, Payment, Purse, RefundTo};
use prepay_core::day::{Anchor, DayChainError, DayClose, DayError, OpenDay, verify_anchored, verify_days};
use prepay_core::export::{ChainTextError, chain_header, chain_line, verify_chain_text_anchored};
use prepay_core::id::{AccountId, ChannelId, OperatorId, RefundId, SaleId};
use prepay_core::ledger::{
    AccountKey, AccountKind, Action, ChainError, Entry, Hash, Ledger, LimitRule, ShardId, Transfer, TransferId,
};
use prepay_core::money::{Currency, Money};
use prepay_core::refund::{RefundKind, RefundTake};

#[test]
fn a_day_is_closed_with_totals_that_the_cash_accounts_confirm() {
    let mut desk = Desk::open(Purse::AtStation, 500);
    let start = desk.now.utc_s;
    for (sale, (minor, channel, operator)) in
        (1_u64..).zip([(1_000, 1, 3), (2_000, 2, 3), (700, 1, 4), (300, 1, 3), (50, 2, 4)])
    {
        let (amount, payment) = (fen(minor), Payment::Channel(ChannelId(channel)));
        let operator = OperatorId(operator);
        let sale = SaleId(sale);
        desk.tell(Command::RequestSale { sale, meter: None, amount, payment, operator }).unwrap();
    }
    let refund = |refund, minor| Command::RequestRefund {
        refund: RefundId(refund),
        from: None,
        take: RefundTake::Exactly(fen(minor)),
        to: RefundTo::OriginalChannel,
        operator: OPERATOR,
        why: why("moves out"),
    };
    let undo = |refund, sale| Command::RequestReversal {
        refund: RefundId(refund),
        sale: SaleId(sale),
        operator: OPERATOR,
        why: why("mistyped"),
    };
    desk.tell(undo(1, 5)).unwrap();
    desk.tell(refund(2, 400)).unwrap();
    let today = || {
        let mut day = OpenDay::new(start, start + 86_400).unwrap();
        desk.events().iter().try_for_each(|event| day.add(event)).unwrap();
        day
    };
    let anchor = Anchor { shard: ShardId(0), head: desk.ledger.head() };
    let first = today().close(vec![anchor], Hash::from_bytes([0; 32])).unwrap();
    for channel in [1, 2] {
        let lines = first.lines.iter().filter(|line| line.channel == ChannelId(channel));
        let till: i64 = lines.map(|line| line.totals.in_till().unwrap().minor()).sum();
        assert_eq!(till, -desk.posted(AccountKind::Cash, channel), "channel {channel}");
    }
    let third = first.lines.iter().find(|line| (line.operator, line.channel) == (OPERATOR, ChannelId(1))).unwrap();
    assert_eq!((third.totals.receipts, third.totals.received), (2, fen(1_300)));
    let sheet = first.to_string();
    assert!(sheet.contains(&desk.ledger.head().hash.to_string()) && sheet.contains(&first.seal.to_string()), "{sheet}");
    assert!(first.is_intact());
    let text = serde_json::to_string(&first).unwrap();
    assert_eq!(serde_json::from_str::<DayClose>(&text).unwrap(), first);
    let mut changed = first.clone();
    changed.lines[0].totals.received = fen(1);
    assert!(!changed.is_intact(), "a changed sheet shows");
    let second = OpenDay::new(start + 86_400, start + 2 * 86_400).unwrap();
    let second = second.close(vec![anchor], first.seal).unwrap();
    assert_eq!((second.lines.len(), second.previous), (0, first.seal));
    assert_ne!(second.seal, first.seal);
    assert_eq!(today().close(vec![anchor, anchor], first.seal), Err(DayError::ShardTwice { shard: 0 }));
    assert!(matches!(OpenDay::new(5, 5), Err(DayError::Span { .. })));
}

#[test]
fn an_event_of_another_day_does_not_count() {
    let mut desk = Desk::open(Purse::AtStation, 500);
    desk.request(1_000).unwrap();
    let mut tomorrow = OpenDay::new(desk.now.utc_s + 1, desk.now.utc_s + 2).unwrap();
    desk.events().iter().try_for_each(|event| tomorrow.add(event)).unwrap();
    assert_eq!(tomorrow.close(vec![], Hash::from_bytes([0; 32])).unwrap().lines, vec![]);
    assert_eq!(desk.count_facts(|fact| matches!(fact, Fact::StationSaleMade { .. })), 1);
}

const DAY_S: i64 = 86_400;

/// Two ledgers of one site and their days: the first takes two receipts a day, the second one every other day.
struct Site {
    journals: [Vec<Entry>; 2],
    days: Vec<DayClose>,
}

fn receipt(seq: u64) -> Transfer {
    Transfer {
        id: TransferId::new(7, seq, 0),
        action: Action::Receipt,
        debit: AccountKey::new(AccountKind::Cash, 1),
        credit: AccountKey::new(AccountKind::CustomerPurse, 7),
        amount: fen(100),
        limit: LimitRule::Record,
    }
}

fn book(ledger: &mut Ledger, journal: &mut Vec<Entry>, utc_s: i64) {
    let entries = ledger.decide(&[receipt(ledger.head().seq + 1)], utc_s).unwrap();
    ledger.apply(&entries[0]).unwrap();
    journal.extend(entries);
}

fn site(days: i64) -> Site {
    let mut ledgers = [0, 1].map(|shard| Ledger::new(Currency::CNY, ShardId(shard)));
    let mut site = Site { journals: [Vec::new(), Vec::new()], days: Vec::new() };
    let mut seal = Hash::from_bytes([0; 32]);
    for day in 0..days {
        let from_utc_s = day * DAY_S;
        for (ledger, receipts) in [(0, 2), (1, day % 2)] {
            for _ in 0..receipts {
                book(&mut ledgers[ledger], &mut site.journals[ledger], from_utc_s);
            }
        }
        let anchors = ledgers.iter().map(|ledger| Anchor { shard: ledger.shard(), head: ledger.head() }).collect();
        let closed = OpenDay::new(from_utc_s, from_utc_s + DAY_S).unwrap().close(anchors, seal).unwrap();
        seal = closed.seal;
        site.days.push(closed);
    }
    site
}

fn text(site: &Site, shard: u32) -> String {
    let mut text = String::new();
    chain_header(Currency::CNY, ShardId(shard), &mut text).unwrap();
    site.journals[shard as usize].iter().for_each(|entry| chain_line(entry, &mut text).unwrap());
    text
}

#[test]
fn the_days_of_several_ledgers_are_checked_offline() {
    let site = site(5);
    assert_eq!(verify_days(&site.days), Ok(site.days[4].seal));
    assert_eq!(verify_days(&[]), Ok(Hash::from_bytes([0; 32])));
    for shard in [0, 1] {
        let journal = &site.journals[shard as usize];
        let head = verify_anchored(Currency::CNY, ShardId(shard), journal, &site.days).unwrap();
        assert_eq!(head, site.days[4].anchors[shard as usize].head);
        assert_eq!(verify_chain_text_anchored(text(&site, shard).lines(), &site.days), Ok(head));
    }
}

#[test]
fn a_journal_that_was_changed_and_chained_anew_misses_its_anchors() {
    let site = site(4);
    let mut forged = Site { journals: [Vec::new(), Vec::new()], days: site.days.clone() };
    let mut ledger = Ledger::new(Currency::CNY, ShardId(0));
    for entry in &site.journals[0] {
        // The third receipt came a second later, they say.
        book(&mut ledger, &mut forged.journals[0], entry.utc_s + i64::from(entry.seq == 3));
    }
    let anchor = DayChainError::Anchor { shard: 0, seq: 4 };
    let check = |journal: &[Entry]| verify_anchored(Currency::CNY, ShardId(0), journal, &site.days);
    assert_eq!(check(&forged.journals[0]), Err(anchor.clone()));
    assert_eq!(verify_chain_text_anchored(text(&forged, 0).lines(), &site.days), Err(ChainTextError::Anchor(anchor)));
    let short = DayChainError::CutShort { shard: 0, seq: 7, anchored_seq: 8 };
    assert_eq!(check(&site.journals[0][..7]), Err(short));
    let gone = [&site.journals[0][..2], &site.journals[0][3..]].concat();
    assert_eq!(check(&gone), Err(DayChainError::Chain(ChainError::Sequence { expected: 3, found: 4 })));
    // An empty ledger of another currency begins elsewhere.
    let other = verify_anchored(Currency::EUR, ShardId(1), [], &site.days);
    assert_eq!(other, Err(DayChainError::Anchor { shard: 1, seq: 0 }));
}

#[test]
fn days_that_were_changed_taken_out_or_sealed_anew_are_found() {
    let change = |place: usize, change: &dyn Fn(&mut DayClose), seal: bool| {
        let mut days = site(4).days;
        change(&mut days[place]);
        let mut previous = days[0].previous;
        for day in days.iter_mut().filter(|_| seal) {
            day.previous = previous;
            day.seal = day.computed_seal();
            previous = day.seal;
        }
        verify_days(&days)
    };
    let start = |day: usize| i64::try_from(day).unwrap() * DAY_S;
    assert_eq!(change(2, &|day| day.to_utc_s -= 1, false), Err(DayChainError::Changed { from_utc_s: start(2) }));
    let mut days = site(4).days;
    days.remove(1);
    assert_eq!(verify_days(&days), Err(DayChainError::Link { from_utc_s: start(2) }));
    // The same, sealed anew by somebody who can: what can't be is still found, the rest by the printed seal.
    let overlaps = change(2, &|day| day.from_utc_s -= 1, true);
    assert!(matches!(overlaps, Err(DayChainError::Span { .. })), "{overlaps:?}");
    let missing = DayChainError::Missing { from_utc_s: start(1), shard: 1 };
    assert_eq!(change(1, &|day| day.anchors.truncate(1), true), Err(missing));
    let back = DayChainError::Back { from_utc_s: start(2), shard: 0, seq: 1, known_seq: 4 };
    assert_eq!(change(2, &|day| day.anchors[0].head.seq = 1, true), Err(back));
    let seal = change(2, &|day| day.to_utc_s -= 1, true).unwrap();
    assert_ne!(seal, site(4).days[3].seal);
}

#[test]
fn an_event_that_does_not_fit_leaves_the_day_as_it_was() {
    let mut day = OpenDay::new(0, DAY_S).unwrap();
    let receipt = TransferId::new(7, 1, 0);
    let part =
        |channel, amount| Payback { sale: SaleId(1), receipt, channel: ChannelId(channel), amount, whole: false };
    let paid_back = |payback| Event {
        account: AccountId(7),
        seq: 1,
        utc_s: 0,
        fact: Fact::PaidBack {
            refund: RefundId(1),
            kind: RefundKind::Refund,
            payback,
            operator: OPERATOR,
            why: why("moves out"),
        },
    };
    day.add(&paid_back(vec![part(1, Money::MAX)])).unwrap();
    let before = day.clone();
    let told = day.add(&paid_back(vec![part(2, fen(5)), part(1, fen(1))]));
    assert!(matches!(told, Err(DayError::Money(_))), "{told:?}");
    assert_eq!(day, before);
}
