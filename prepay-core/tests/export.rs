//! The journal for other tools: balances that agree, and a chain in plain text that shows every change.

use prepay_core::export::{
    ChainTextError, ExportError, Exporter, Format, chain_header, chain_line, exported_balances, verify_chain_text,
};
use prepay_core::ledger::{
    AccountKey, AccountKind, Action, ChainError, Entry, Ledger, LimitRule, ShardId, Transfer, TransferId,
};
use prepay_core::money::{Currency, Money};
use proptest::prelude::*;

fn key(kind: AccountKind, owner: u64) -> AccountKey {
    AccountKey::new(kind, owner)
}

/// Transfers of every kind, as many as `seeds`: a receipt, a hold that is posted in part, one that is voided, …
fn journal(seeds: &[u16]) -> (Ledger, Vec<Entry>) {
    let mut ledger = Ledger::new(Currency::CNY, ShardId(2));
    let mut journal = Vec::new();
    let (till, purse, meter) =
        (key(AccountKind::Cash, 1), key(AccountKind::CustomerPurse, 7), key(AccountKind::MeterPurse, 42));
    for (seq, seed) in (1..).zip(seeds) {
        let amount = Money::from_minor(i64::from(*seed) + 1);
        let (first, second) = (TransferId::new(7, seq, 0), TransferId::new(7, seq, 1));
        let line = |id, action, debit, credit, amount| Transfer {
            id,
            action,
            debit,
            credit,
            amount,
            limit: LimitRule::Record,
        };
        let transfers = match seed % 5 {
            0 => vec![line(first, Action::Receipt, till, purse, amount)],
            1 => vec![line(first, Action::Hold, purse, meter, amount)],
            2 => {
                let post = Action::Post { hold: first };
                vec![
                    line(first, Action::Hold, purse, meter, amount),
                    line(second, post, purse, meter, Money::from_minor(1)),
                ]
            }
            3 => {
                let void = Action::Void { hold: first };
                vec![line(first, Action::Hold, purse, meter, amount), line(second, void, purse, meter, amount)]
            }
            _ => {
                let back = Action::Reverse { of: first };
                vec![line(first, Action::Receipt, till, purse, amount), line(second, back, purse, till, amount)]
            }
        };
        for entry in ledger.decide(&transfers, 1_772_719_650 + i64::from(*seed)).unwrap() {
            ledger.apply(&entry).unwrap();
            journal.push(entry);
        }
    }
    (ledger, journal)
}

/// What a reader who only sums up finds in the text.
fn sums(text: &str) -> Vec<(String, Money)> {
    let mut sums = std::collections::BTreeMap::<String, i64>::new();
    for line in text.lines().filter(|line| line.starts_with("    ")) {
        let words: Vec<_> = line.split_whitespace().collect();
        let [name, amount, "CNY"] = words[..] else { panic!("{line}") };
        *sums.entry(name.to_owned()).or_default() += amount.replace('.', "").parse::<i64>().unwrap();
    }
    sums.into_iter().filter(|(_, sum)| *sum != 0).map(|(name, sum)| (name, Money::from_minor(sum))).collect()
}

proptest! {
    #[test]
    fn a_reader_who_only_sums_up_finds_our_balances(seeds in prop::collection::vec(any::<u16>(), 0..60)) {
        let (ledger, journal) = journal(&seeds);
        for format in [Format::Hledger, Format::Beancount] {
            let (mut text, mut exporter) = (String::new(), Exporter::new(format, Currency::CNY));
            for entry in &journal {
                exporter.entry(entry, &mut text).unwrap();
            }
            prop_assert_eq!(sums(&text), exported_balances(&ledger).unwrap());
        }
    }

    /// Whatever byte of the text is changed, the check sees it or the text says the same.
    #[test]
    fn a_changed_digit_is_seen(at in 0_usize..10_000, digit in prop::char::ranges(vec!['0'..='9', 'a'..='f'].into())) {
        let text = chain_text(&journal(&[0, 1, 2, 3, 4]).1);
        let at = at % text.len();
        let mut changed = text.clone();
        changed.replace_range(at..=at, &digit.to_string());
        if changed != text {
            prop_assert!(verify_chain_text(changed.lines()).is_err(), "{changed}");
        }
    }
}

fn chain_text(journal: &[Entry]) -> String {
    let mut text = String::new();
    chain_header(Currency::CNY, ShardId(2), &mut text).unwrap();
    journal.iter().for_each(|entry| chain_line(entry, &mut text).unwrap());
    text
}

#[test]
fn the_chain_is_checked_from_its_text_alone() {
    let (ledger, journal) = journal(&[0, 1, 2, 3, 4]);
    let text = chain_text(&journal);
    assert_eq!(verify_chain_text(text.lines()), Ok(ledger.head()));
    let lines: Vec<_> = text.lines().collect();
    // A line is missing, two have changed places, the header is another ledger's, a line is cut.
    let without: Vec<_> = [&lines[..2], &lines[3..]].concat();
    let missing = ChainError::Sequence { expected: 2, found: 3 };
    assert_eq!(verify_chain_text(without), Err(ChainTextError::Chain(missing)));
    let mut swapped = lines.clone();
    swapped.swap(1, 2);
    assert!(matches!(verify_chain_text(swapped), Err(ChainTextError::Chain(ChainError::Sequence { .. }))));
    let mut other = lines.clone();
    other[0] = "prepay-core ledger 1 CNY 2 3";
    assert_eq!(verify_chain_text(other), Err(ChainTextError::Chain(ChainError::Changed { seq: 1 })));
    let mut cut = lines.clone();
    cut[3] = &lines[3][..100];
    assert_eq!(verify_chain_text(cut), Err(ChainTextError::Line { line: 4 }));
    for header in ["", "prepay-core ledger 2 CNY 2 0", "prepay-core ledger 1 CNY 2", "prepay-core ledger 1 CNY 999 0"] {
        assert_eq!(verify_chain_text([header]), Err(ChainTextError::Header), "{header}");
    }
}

#[test]
fn a_journal_without_its_beginning_is_refused() {
    let journal = journal(&[2]).1;
    let (mut text, mut exporter) = (String::new(), Exporter::new(Format::Hledger, Currency::CNY));
    let refused = exporter.entry(&journal[1], &mut text);
    assert_eq!(refused, Err(ExportError::NoHold { seq: 2, hold: TransferId::new(7, 1, 0) }));
    let far = Entry { utc_s: i64::MAX, ..journal[0] };
    assert_eq!(exporter.entry(&far, &mut text), Err(ExportError::Time { seq: 1, utc_s: i64::MAX }));
    assert_eq!(text, "");
}
