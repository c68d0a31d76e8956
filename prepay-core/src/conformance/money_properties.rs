//! Scripts about money. Each looks at one property and uses no more of the ledger than it needs.

use alloc::format;
use alloc::string::String;

use super::{Answer, PrepayLedger, Property, Request};

const CUSTOMER: u64 = 7;
const METER: u64 = 42;
const NEW_METER: u64 = 43;

/// Amounts drawn from the seed.
struct Amounts(u64);

impl Amounts {
    /// In `1..=most`.
    fn up_to(&mut self, most: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let drawn = i64::try_from(self.0 >> 33).unwrap_or(0);
        1 + drawn.checked_rem(most).unwrap_or(0)
    }
}

fn pay(amount: i64) -> Request {
    Request::Pay { customer: CUSTOMER, amount }
}

fn hold(amount: i64) -> Request {
    Request::Hold { customer: CUSTOMER, meter: METER, amount }
}

fn expect(what: &str, found: i64, expected: i64) -> Option<String> {
    (found != expected).then(|| format!("{what} is {found}, not {expected}"))
}

/// What speaks against a property about money.
pub(super) fn check(property: Property, seed: u64, ledger: &mut dyn PrepayLedger) -> Option<String> {
    let mut amounts = Amounts(seed);
    let paid = 10 + amounts.up_to(100_000);
    let part = amounts.up_to(paid - 2);
    match property {
        Property::BooksBalance => {
            let requests = [(1, pay(paid)), (2, hold(part)), (3, Request::Post { hold: 2, amount: part })];
            requests.into_iter().find_map(|(key, request)| {
                ledger.ask(key, request);
                expect("debits less credits", ledger.imbalance(), 0)
            })
        }
        Property::CreditedOnce => {
            ledger.ask(1, pay(paid));
            let again = ledger.ask(1, pay(paid));
            let purse = expect("the purse after one payment and its repetition", ledger.customer(CUSTOMER), paid);
            purse.or_else(|| (again != Answer::Replayed).then(|| format!("the repetition was answered {again:?}")))
        }
        Property::OtherBodyRefused => {
            ledger.ask(1, pay(paid));
            let other = ledger.ask(1, pay(part));
            (other != Answer::OtherBody).then(|| format!("another body was answered {other:?}"))
        }
        Property::RefusedIsBurned => {
            // Refused because there is no such hold, which then comes.
            let post = Request::Post { hold: 3, amount: part };
            for (key, request) in [(1, post), (2, pay(paid)), (3, hold(part))] {
                ledger.ask(key, request);
            }
            let again = ledger.ask(1, post);
            (again != Answer::Refused).then(|| format!("a refused key was answered {again:?} later"))
        }
        Property::RefusalChangesNothing => {
            ledger.ask(1, pay(paid));
            let before = (ledger.customer(CUSTOMER), ledger.held(CUSTOMER), ledger.till(), ledger.lines());
            for (key, request) in [(2, Request::Post { hold: 9, amount: 1 }), (3, Request::Void { hold: 9 })] {
                ledger.ask(key, request);
            }
            let after = (ledger.customer(CUSTOMER), ledger.held(CUSTOMER), ledger.till(), ledger.lines());
            (before != after).then(|| format!("purse, holds, till and lines went from {before:?} to {after:?}"))
        }
        Property::NoCreditWithoutMoney => {
            ledger.ask(1, pay(part));
            ledger.ask(2, hold(paid));
            ledger.ask(3, Request::Post { hold: 2, amount: paid });
            expect("the meter's credit above what was paid", ledger.meter(METER), 0)
        }
        Property::HoldsCount => {
            ledger.ask(1, pay(paid));
            ledger.ask(2, hold(paid - 1));
            ledger.ask(3, hold(2));
            expect("what is set aside", ledger.held(CUSTOMER), paid - 1)
        }
        Property::PostedOnce => {
            let post = Request::Post { hold: 2, amount: part };
            for (key, request) in [(1, pay(paid + part)), (2, hold(part)), (3, post), (4, post)] {
                ledger.ask(key, request);
            }
            expect("the meter's credit after two posts of one hold", ledger.meter(METER), part)
        }
        Property::PostedWithinHold => {
            let more = Request::Post { hold: 2, amount: part + 1 };
            for (key, request) in [(1, pay(paid)), (2, hold(part)), (3, more)] {
                ledger.ask(key, request);
            }
            expect("the meter's credit after a post above its hold", ledger.meter(METER), 0)
        }
        Property::NoVoidAfterPost => {
            let post = Request::Post { hold: 2, amount: part };
            for (key, request) in [(1, pay(paid)), (2, hold(part)), (3, post), (4, Request::Void { hold: 2 })] {
                ledger.ask(key, request);
            }
            expect("the purse after a post and a void", ledger.customer(CUSTOMER), paid - part)
        }
        Property::RefundsWithinPayment => {
            // Another customer's money is in the till as well.
            ledger.ask(1, pay(paid));
            ledger.ask(2, pay(paid));
            ledger.ask(3, Request::Refund { receipt: 1, amount: part });
            let first = expect("the till after a refund", ledger.till(), 2 * paid - part);
            ledger.ask(4, Request::Refund { receipt: 1, amount: paid - part + 1 });
            first.or_else(|| expect("the till after a refund above the rest", ledger.till(), 2 * paid - part))
        }
        Property::ReversedOnce => {
            for (key, request) in [(1, pay(paid)), (2, pay(paid))] {
                ledger.ask(key, request);
            }
            ledger.ask(3, Request::Reverse { receipt: 1 });
            ledger.ask(4, Request::Reverse { receipt: 1 });
            expect("the till after one payment was reversed twice", ledger.till(), paid)
        }
        Property::ReversedOnceUnderRace => {
            for (key, request) in [(1, pay(paid)), (2, pay(paid))] {
                ledger.ask(key, request);
            }
            let reverse = Request::Reverse { receipt: 1 };
            let answers = ledger.race((3, reverse), (4, reverse));
            let done = answers.iter().filter(|answer| **answer == Answer::Done).count();
            let till = expect("the till after two reversals at once", ledger.till(), paid);
            till.or_else(|| (done != 1).then(|| format!("two reversals at once were answered {answers:?}")))
        }
        Property::ReplacementConserves => {
            let replace = Request::Replace { old: METER, new: NEW_METER };
            let post = Request::Post { hold: 2, amount: part };
            for (key, request) in [(1, pay(paid)), (2, hold(part)), (3, post), (4, replace)] {
                ledger.ask(key, request);
            }
            let old = expect("the old meter's credit", ledger.meter(METER), 0);
            old.or_else(|| expect("the new meter's credit", ledger.meter(NEW_METER), part))
        }
        Property::HistoryIsSealed => {
            ledger.ask(1, pay(paid));
            ledger.ask(2, pay(part));
            if !ledger.audit(None) {
                return Some("the audit of an untouched journal fails".into());
            }
            (0..ledger.lines()).find(|line| ledger.audit(Some(*line))).map(|line| format!("line {line} changed unseen"))
        }
        _ => None,
    }
}
