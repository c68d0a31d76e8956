//! What every prepay ledger has to keep, as a test kit for any ledger.
//!
//! Implement [`PrepayLedger`] for the ledger under test (a database, a service, another crate), and [`check`] runs the
//! properties of [`Property::ALL`] against it: scripted requests with seeded amounts, judged by what the ledger shows
//! afterwards. Nothing of this crate's ledger is used in the judging.
//!
//! [`Reference`] is this crate's ledger behind the trait. It can carry one [`Fault`]; each fault breaks exactly the
//! properties that it declares, which shows that each property is watched and none is watched twice.
//!
//! ```
//! use prepay_core::conformance::{Fault, Reference, check};
//!
//! assert!(check(1, || Reference::new(None)).is_empty());
//! let broken = check(1, || Reference::new(Some(Fault::KeyForgotten)));
//! assert_eq!(broken.iter().map(|found| found.property).collect::<Vec<_>>(), Fault::KeyForgotten.breaks());
//! ```
#![allow(clippy::arithmetic_side_effects, reason = "amounts of the kit are small")]

mod fault;
mod money_properties;
mod reference;
mod supply_properties;

use alloc::string::String;
use alloc::vec::Vec;

pub use fault::Fault;
pub use reference::Reference;

/// What is asked of the ledger. Customers, meters and holds are numbers that the kit chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Request {
    /// Money from the till to a customer's purse. Its key names the receipt.
    Pay {
        /// The customer.
        customer: u64,
        /// Minor units.
        amount: i64,
    },
    /// Sets money of the customer aside for a meter. Its key names the hold.
    Hold {
        /// The customer.
        customer: u64,
        /// The meter.
        meter: u64,
        /// Minor units.
        amount: i64,
    },
    /// The meter was credited: posts a hold, whole or in part.
    Post {
        /// The key of the hold.
        hold: u64,
        /// Minor units.
        amount: i64,
    },
    /// Frees a hold.
    Void {
        /// The key of the hold.
        hold: u64,
    },
    /// Gives a part of a payment back.
    Refund {
        /// The key of the payment.
        receipt: u64,
        /// Minor units.
        amount: i64,
    },
    /// Undoes a payment whole.
    Reverse {
        /// The key of the payment.
        receipt: u64,
    },
    /// A meter is replaced: its whole credit goes to the new one.
    Replace {
        /// The old meter.
        old: u64,
        /// The new meter.
        new: u64,
    },
}

/// What the ledger answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// It happened.
    Done,
    /// It had happened before, under the same key with the same body.
    Replayed,
    /// The key was used before with another body.
    OtherBody,
    /// It did not happen, and under this key it never will.
    Refused,
}

/// A ledger under test. A fresh one for each script.
pub trait PrepayLedger {
    /// Judges and stores a request under its idempotency key.
    fn ask(&mut self, key: u64, request: Request) -> Answer;

    /// Two requests at the same moment: both are judged on the state before either is stored, as two processes do.
    fn race(&mut self, first: (u64, Request), second: (u64, Request)) -> [Answer; 2];

    /// The customer's money, holds included, minor units.
    fn customer(&self, customer: u64) -> i64;

    /// What of it is set aside, minor units.
    fn held(&self, customer: u64) -> i64;

    /// The credit that stands in a meter, minor units.
    fn meter(&self, meter: u64) -> i64;

    /// The money in the till, minor units.
    fn till(&self) -> i64;

    /// All posted debits less all posted credits.
    fn imbalance(&self) -> i64;

    /// Lines of the journal.
    fn lines(&self) -> u64;

    /// Audits the stored journal; with `changed`, after somebody has altered that line (from 0) behind the ledger's back.
    /// True when the audit finds nothing.
    fn audit(&self, changed: Option<u64>) -> bool;

    /// What the relay is told while these rules stand.
    fn relay(&self, rules: Rules) -> Told;
}

/// The rules that stand for a meter's supply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Rules {
    /// People work on the line.
    pub lock_out: bool,
    /// An operator keeps power on.
    pub keep_power: bool,
    /// An operator keeps power off.
    pub forced_off: bool,
    /// Shed to keep a group under its limit.
    pub load_limit: bool,
    /// Nobody is cut for lack of credit in these hours.
    pub friendly_hours: bool,
    /// Credit is used up.
    pub arrears: bool,
    /// A fire pump or a lift.
    pub never_cut: bool,
    /// The purse is in the meter, which cuts by itself unless it is told to stay on.
    pub in_meter: bool,
}

/// What the relay is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Told {
    /// Stay closed.
    On,
    /// Stay open.
    Off,
    /// Follow the meter's own prepaid rule (with the purse at the station: closed).
    Automatic,
}

/// A property of a prepay ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Property {
    /// Debits equal credits after every request.
    BooksBalance,
    /// A request that comes again is answered again and happens once.
    CreditedOnce,
    /// A key that comes with another body is refused.
    OtherBodyRefused,
    /// A key that was refused never happens later.
    RefusedIsBurned,
    /// A refusal changes nothing.
    RefusalChangesNothing,
    /// No meter is credited above the money that was paid.
    NoCreditWithoutMoney,
    /// Money that is set aside can't be set aside again.
    HoldsCount,
    /// A hold is posted once.
    PostedOnce,
    /// No more is posted than was held.
    PostedWithinHold,
    /// A hold that was posted can't be voided.
    NoVoidAfterPost,
    /// Refunds may repeat, their sum never passes the payment.
    RefundsWithinPayment,
    /// A payment is reversed once.
    ReversedOnce,
    /// Of two reversals at the same moment one happens.
    ReversedOnceUnderRace,
    /// A replacement moves the credit: nothing is lost, nothing stays behind.
    ReplacementConserves,
    /// A journal line that was altered is found.
    HistoryIsSealed,
    /// A lock-out opens the relay, whatever else stands.
    LockOutDominates,
    /// Keeping power beats everything but a lock-out.
    KeepPowerDominates,
    /// Lack of credit cuts nobody in friendly hours.
    NoCutInFriendlyHours,
    /// Only a lock-out opens a meter that must never be cut.
    NeverCutIsKept,
}

impl Property {
    /// Every property.
    pub const ALL: [Self; 19] = [
        Self::BooksBalance,
        Self::CreditedOnce,
        Self::OtherBodyRefused,
        Self::RefusedIsBurned,
        Self::RefusalChangesNothing,
        Self::NoCreditWithoutMoney,
        Self::HoldsCount,
        Self::PostedOnce,
        Self::PostedWithinHold,
        Self::NoVoidAfterPost,
        Self::RefundsWithinPayment,
        Self::ReversedOnce,
        Self::ReversedOnceUnderRace,
        Self::ReplacementConserves,
        Self::HistoryIsSealed,
        Self::LockOutDominates,
        Self::KeepPowerDominates,
        Self::NoCutInFriendlyHours,
        Self::NeverCutIsKept,
    ];
}

/// A property that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which one.
    pub property: Property,
    /// What was seen, with the seed of the amounts.
    pub story: String,
}

/// How often each script runs, with other amounts.
const ROUNDS: u64 = 64;

/// Runs every property against fresh ledgers; what is found is empty for a ledger in order. The seed draws the amounts.
pub fn check<L: PrepayLedger>(seed: u64, mut fresh: impl FnMut() -> L) -> Vec<Finding> {
    let mut found = Vec::new();
    for property in Property::ALL {
        let seeds = (0..ROUNDS).map(|round| seed.wrapping_mul(ROUNDS).wrapping_add(round));
        let mut stories = seeds.filter_map(|seed| hold_up(property, seed, &mut fresh()).map(|story| (seed, story)));
        if let Some((seed, story)) = stories.next() {
            found.push(Finding { property, story: alloc::format!("seed {seed}: {story}") });
        }
    }
    found
}

/// What speaks against a property, in one script.
fn hold_up(property: Property, seed: u64, ledger: &mut dyn PrepayLedger) -> Option<String> {
    supply_properties::check(property, ledger).or_else(|| money_properties::check(property, seed, ledger))
}
