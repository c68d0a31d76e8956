//! The books: holds, refunds, limits, and the journal.

use prepay_core::ledger::{
    AccountKey, AccountKind, Action, ChainError, Entry, HoldState, Ledger, LedgerError, LimitRule, ShardId, Transfer,
    TransferId, verify,
};
use prepay_core::money::{Currency, Money};
use proptest::prelude::*;

const CASH: AccountKey = AccountKey::new(AccountKind::Cash, 1);
const PURSE: AccountKey = AccountKey::new(AccountKind::CustomerPurse, 7);
const METER: AccountKey = AccountKey::new(AccountKind::MeterPurse, 42);

fn transfer(seq: u64, action: Action, debit: AccountKey, credit: AccountKey, minor: i64) -> Transfer {
    let (id, amount) = (TransferId::new(7, seq, 0), Money::from_minor(minor));
    Transfer { id, action, debit, credit, amount, limit: LimitRule::Enforce }
}

fn id(seq: u64) -> TransferId {
    TransferId::new(7, seq, 0)
}

/// Books in which the customer's purse can't be overdrawn.
fn books() -> Ledger {
    let mut ledger = Ledger::new(Currency::CNY, ShardId(0));
    ledger.set_overdraft_limit(PURSE, Some(Money::ZERO)).unwrap();
    ledger
}

fn post(ledger: &mut Ledger, transfers: &[Transfer]) -> Result<Vec<Entry>, LedgerError> {
    let entries = ledger.decide(transfers, 1_000)?;
    for entry in &entries {
        ledger.apply(entry)?;
    }
    assert!(ledger.trial_balance().balances());
    Ok(entries)
}

fn paid(minor: i64) -> Ledger {
    let mut ledger = books();
    post(&mut ledger, &[transfer(1, Action::Receipt, CASH, PURSE, minor)]).unwrap();
    ledger
}

fn posted(ledger: &Ledger, key: AccountKey) -> i64 {
    ledger.balance(key).posted().unwrap().minor()
}

#[test]
fn a_hold_is_posted_whole() {
    let mut ledger = paid(100);
    post(&mut ledger, &[transfer(2, Action::Hold, PURSE, METER, 60)]).unwrap();
    assert_eq!(ledger.balance(PURSE).available().unwrap().minor(), 40);
    assert_eq!((posted(&ledger, PURSE), posted(&ledger, METER)), (100, 0));
    post(&mut ledger, &[transfer(3, Action::Post { hold: id(2) }, PURSE, METER, 60)]).unwrap();
    assert_eq!((posted(&ledger, PURSE), posted(&ledger, METER)), (40, 60));
    assert_eq!(ledger.balance(PURSE).debits_pending, Money::ZERO);
    assert_eq!(ledger.hold(id(2)).unwrap().state, HoldState::Posted);
}

#[test]
fn a_hold_posted_in_part_frees_the_rest() {
    let mut ledger = paid(100);
    post(&mut ledger, &[transfer(2, Action::Hold, PURSE, METER, 60)]).unwrap();
    post(&mut ledger, &[transfer(3, Action::Post { hold: id(2) }, PURSE, METER, 25)]).unwrap();
    assert_eq!(ledger.balance(PURSE).available().unwrap().minor(), 75);
    assert_eq!(posted(&ledger, METER), 25);
}

#[test]
fn a_hold_ends_once() {
    for first in [Action::Post { hold: id(2) }, Action::Void { hold: id(2) }] {
        for second in [Action::Post { hold: id(2) }, Action::Void { hold: id(2) }] {
            let mut ledger = paid(100);
            post(&mut ledger, &[transfer(2, Action::Hold, PURSE, METER, 60)]).unwrap();
            post(&mut ledger, &[transfer(3, first, PURSE, METER, 60)]).unwrap();
            let before = ledger.clone();
            let refused = post(&mut ledger, &[transfer(4, second, PURSE, METER, 60)]);
            assert!(matches!(refused, Err(LedgerError::HoldEnded { .. })), "{first:?} {second:?}");
            assert_eq!(ledger, before, "a refusal leaves the books as they were");
        }
    }
}

#[test]
fn holds_count_against_the_limit() {
    let mut ledger = paid(100);
    post(&mut ledger, &[transfer(2, Action::Hold, PURSE, METER, 60)]).unwrap();
    let refused = post(&mut ledger, &[transfer(3, Action::Hold, PURSE, METER, 41)]);
    assert!(
        matches!(refused, Err(LedgerError::LimitExceeded { available_after, .. }) if available_after.minor() == -1)
    );
    post(&mut ledger, &[transfer(3, Action::Hold, PURSE, METER, 40)]).unwrap();
    // Posting a hold needs no new room.
    post(&mut ledger, &[transfer(4, Action::Post { hold: id(2) }, PURSE, METER, 60)]).unwrap();
}

#[test]
fn what_has_happened_is_recorded_beyond_the_limit() {
    let mut ledger = paid(100);
    let used = Transfer {
        limit: LimitRule::Record,
        ..transfer(2, Action::Move, PURSE, AccountKey::house(AccountKind::Revenue), 150)
    };
    post(&mut ledger, &[used]).unwrap();
    assert_eq!(posted(&ledger, PURSE), -50);
    let refused = post(&mut ledger, &[transfer(3, Action::Move, PURSE, METER, 1)]);
    assert!(matches!(refused, Err(LedgerError::LimitExceeded { .. })));
}

#[test]
fn a_batch_happens_whole_or_not_at_all() {
    let mut ledger = paid(100);
    let before = ledger.clone();
    let batch = [transfer(2, Action::Move, PURSE, METER, 80), transfer(3, Action::Move, PURSE, METER, 30)];
    assert!(matches!(post(&mut ledger, &batch), Err(LedgerError::LimitExceeded { .. })));
    assert_eq!(ledger, before);
    let too_many = vec![batch[0]; Ledger::MAX_BATCH + 1];
    assert!(matches!(ledger.decide(&too_many, 0), Err(LedgerError::BatchTooLarge { .. })));
}

#[test]
fn a_receipt_is_reversed_once_and_whole() {
    let reverse = |seq, minor| transfer(seq, Action::Reverse { of: id(1) }, PURSE, CASH, minor);
    let refund = |seq, minor| transfer(seq, Action::Refund { of: id(1) }, PURSE, CASH, minor);
    let mut ledger = paid(100);
    assert!(matches!(post(&mut ledger, &[reverse(2, 99)]), Err(LedgerError::ReversalNotWhole { .. })));
    post(&mut ledger, &[reverse(2, 100)]).unwrap();
    assert!(matches!(post(&mut ledger, &[reverse(3, 100)]), Err(LedgerError::AlreadyReversed { .. })));
    assert!(matches!(post(&mut ledger, &[refund(3, 1)]), Err(LedgerError::AlreadyReversed { .. })));

    let mut ledger = paid(100);
    post(&mut ledger, &[refund(2, 1)]).unwrap();
    assert!(matches!(post(&mut ledger, &[reverse(3, 100)]), Err(LedgerError::ReversalNotWhole { .. })));
    // Two reversals in one batch race as well.
    let mut ledger = paid(100);
    assert!(post(&mut ledger, &[reverse(2, 100), reverse(3, 100)]).is_err());
    assert_eq!(posted(&ledger, PURSE), 100);
}

#[test]
fn refunds_never_pass_the_receipt() {
    let refund = |seq, minor| transfer(seq, Action::Refund { of: id(1) }, PURSE, CASH, minor);
    let mut ledger = paid(100);
    post(&mut ledger, &[refund(2, 40), refund(3, 40)]).unwrap();
    let refused = post(&mut ledger, &[refund(4, 21)]);
    assert!(matches!(refused, Err(LedgerError::AmountAboveRest { rest, .. }) if rest.minor() == 20));
    post(&mut ledger, &[refund(4, 20)]).unwrap();
    assert_eq!(posted(&ledger, PURSE), 0);
    // Money goes back the way it came, to no other channel.
    let mut ledger = paid(100);
    let other = transfer(2, Action::Refund { of: id(1) }, PURSE, AccountKey::new(AccountKind::Cash, 2), 10);
    assert!(matches!(post(&mut ledger, &[other]), Err(LedgerError::OtherAccounts { .. })));
}

#[test]
fn shapes_that_make_no_sense_are_refused() {
    let mut ledger = paid(100);
    for (bad, name) in [
        (transfer(1, Action::Move, PURSE, METER, 1), "recorded before"),
        (transfer(2, Action::Move, PURSE, METER, 0), "zero"),
        (transfer(2, Action::Move, PURSE, METER, -5), "negative"),
        (transfer(2, Action::Move, PURSE, PURSE, 5), "to itself"),
        (transfer(2, Action::Post { hold: id(1) }, PURSE, METER, 5), "a receipt is no hold"),
        (transfer(2, Action::Refund { of: id(9) }, PURSE, CASH, 5), "no such receipt"),
    ] {
        let before = ledger.clone();
        assert!(post(&mut ledger, &[bad]).is_err(), "{name}");
        assert_eq!(ledger, before, "{name}");
    }
    post(&mut ledger, &[transfer(2, Action::Hold, PURSE, METER, 60)]).unwrap();
    for (bad, name) in [
        (transfer(3, Action::Post { hold: id(2) }, PURSE, METER, 61), "more than held"),
        (transfer(3, Action::Void { hold: id(2) }, PURSE, METER, 59), "a void is whole"),
        (transfer(3, Action::Post { hold: id(2) }, PURSE, CASH, 60), "other accounts"),
    ] {
        assert!(post(&mut ledger, &[bad]).is_err(), "{name}");
    }
}

#[test]
fn a_sum_out_of_range_is_refused() {
    let mut ledger = books();
    post(&mut ledger, &[transfer(1, Action::Move, CASH, PURSE, i64::MAX)]).unwrap();
    assert!(matches!(post(&mut ledger, &[transfer(2, Action::Move, CASH, PURSE, 1)]), Err(LedgerError::Money(_))));
}

#[test]
fn an_entry_out_of_place_is_refused() {
    let mut ledger = paid(100);
    let one = ledger.decide(&[transfer(2, Action::Move, PURSE, METER, 1)], 5).unwrap();
    let other = ledger.decide(&[transfer(2, Action::Move, PURSE, METER, 2)], 5).unwrap();
    ledger.apply(&one[0]).unwrap();
    assert!(matches!(ledger.apply(&one[0]), Err(LedgerError::Chain(ChainError::Sequence { expected: 3, found: 2 }))));
    let next = Entry { seq: 3, ..other[0] };
    assert!(matches!(ledger.apply(&next), Err(LedgerError::Chain(ChainError::Link { seq: 3 }))));
}

/// What a random customer tries to do.
#[derive(Debug, Clone, Copy)]
enum Try {
    Pay(i64),
    Hold(i64),
    Post(usize, i64),
    Void(usize),
    Refund(usize, i64),
    Reverse(usize),
}

fn tries() -> impl Strategy<Value = Vec<Try>> {
    let amount = 1_i64..200;
    let one = prop_oneof![
        amount.clone().prop_map(Try::Pay),
        amount.clone().prop_map(Try::Hold),
        (0_usize..6, amount.clone()).prop_map(|(which, amount)| Try::Post(which, amount)),
        (0_usize..6).prop_map(Try::Void),
        (0_usize..6, amount).prop_map(|(which, amount)| Try::Refund(which, amount)),
        (0_usize..6).prop_map(Try::Reverse),
    ];
    prop::collection::vec(one, 0..60)
}

proptest! {
    /// A plain model of sums, kept beside the ledger, agrees after every step; the journal rebuilds the same books.
    #[test]
    fn books_agree_with_a_plain_model(tries in tries()) {
        let mut ledger = books();
        let (mut purse, mut held, mut meter, mut cash) = (0_i64, 0_i64, 0_i64, 0_i64);
        let mut receipts: Vec<(TransferId, i64, i64, bool)> = Vec::new();
        let mut holds: Vec<(TransferId, i64, bool)> = Vec::new();
        let mut journal = Vec::new();
        for (seq, attempt) in (1_u64..).zip(tries) {
            let free = purse - held;
            let (tried, allowed) = match attempt {
                Try::Pay(amount) => (transfer(seq, Action::Receipt, CASH, PURSE, amount), true),
                Try::Hold(amount) => (transfer(seq, Action::Hold, PURSE, METER, amount), amount <= free),
                Try::Post(which, amount) => {
                    let (hold, of, open) = holds.get(which).copied().unwrap_or((id(999), 0, false));
                    (transfer(seq, Action::Post { hold }, PURSE, METER, amount), open && amount <= of)
                }
                Try::Void(which) => {
                    let (hold, of, open) = holds.get(which).copied().unwrap_or((id(999), 1, false));
                    (transfer(seq, Action::Void { hold }, PURSE, METER, of), open)
                }
                Try::Refund(which, amount) => {
                    let (of, paid, back, reversed) = receipts.get(which).copied().unwrap_or((id(999), 0, 0, true));
                    let allowed = !reversed && amount <= paid - back && amount <= free;
                    (transfer(seq, Action::Refund { of }, PURSE, CASH, amount), allowed)
                }
                Try::Reverse(which) => {
                    let (of, paid, back, reversed) = receipts.get(which).copied().unwrap_or((id(999), 1, 0, true));
                    (transfer(seq, Action::Reverse { of }, PURSE, CASH, paid), !reversed && back == 0 && paid <= free)
                }
            };
            let done = post(&mut ledger, &[tried]);
            prop_assert_eq!(done.is_ok(), allowed, "{:?}: {:?}", attempt, done);
            let Ok(entries) = done else { continue };
            journal.extend(entries);
            match attempt {
                Try::Pay(amount) => {
                    receipts.push((id(seq), amount, 0, false));
                    (purse, cash) = (purse + amount, cash - amount);
                }
                Try::Hold(amount) => {
                    holds.push((id(seq), amount, true));
                    held += amount;
                }
                Try::Post(which, amount) => {
                    holds[which].2 = false;
                    held -= holds[which].1;
                    (purse, meter) = (purse - amount, meter + amount);
                }
                Try::Void(which) => {
                    holds[which].2 = false;
                    held -= holds[which].1;
                }
                Try::Refund(which, amount) => {
                    receipts[which].2 += amount;
                    (purse, cash) = (purse - amount, cash + amount);
                }
                Try::Reverse(which) => {
                    receipts[which].3 = true;
                    (purse, cash) = (purse - receipts[which].1, cash + receipts[which].1);
                }
            }
            prop_assert_eq!((posted(&ledger, PURSE), posted(&ledger, METER), posted(&ledger, CASH)), (purse, meter, cash));
            prop_assert_eq!(ledger.balance(PURSE).debits_pending.minor(), held);
        }
        let mut again = Ledger::rebuild(Currency::CNY, ShardId(0), &journal).unwrap();
        again.set_overdraft_limit(PURSE, Some(Money::ZERO)).unwrap();
        prop_assert_eq!(&again, &ledger);
        prop_assert_eq!(verify(Currency::CNY, ShardId(0), &journal), Ok(ledger.head()));
    }

    /// Any line that is changed, removed, doubled or moved is found.
    #[test]
    fn a_spoiled_journal_is_found(at in 0_usize..9, kind in 0_u8..4, flip in 1_i64..1000) {
        let mut ledger = Ledger::new(Currency::CNY, ShardId(0));
        let transfers: Vec<_> = (1..=10).map(|seq| transfer(seq, Action::Move, CASH, PURSE, 10)).collect();
        let mut journal = post(&mut ledger, &transfers).unwrap();
        match kind {
            0 => journal[at].transfer.amount = Money::from_minor(10 + flip),
            1 => drop(journal.remove(at)),
            2 => journal.insert(at, journal[at]),
            _ => journal.swap(at, at + 1),
        }
        prop_assert!(verify(Currency::CNY, ShardId(0), &journal).is_err());
        prop_assert!(Ledger::rebuild(Currency::CNY, ShardId(0), &journal).is_err());
    }

    #[test]
    fn an_entry_survives_json(seq in 1_u64..1000, minor in 1_i64..) {
        let ledger = Ledger::new(Currency::CNY, ShardId(0));
        let entries = ledger.decide(&[transfer(seq, Action::Move, CASH, PURSE, minor)], -5).unwrap();
        let text = serde_json::to_string(&entries).unwrap();
        prop_assert_eq!(serde_json::from_str::<Vec<Entry>>(&text).unwrap(), entries);
    }
}
