//! One customer's account: its meters, its money, its supply. State is a fold of events.
//!
//! ```text
//! command ──► decide ──► events + withheld effects ──► store ──► apply ──► release effects
//! ```
//!
//! [`Account::decide`] refuses or answers with events and sealed effects, and changes nothing. The caller stores the
//! events (and the ledger entries of [`postings`]) in one transaction, applies them, and opens the effects with the
//! receipt. After a crash [`Account::rebuild`] folds the stored events, and [`Account::resume`] says what to do next.

mod apply;
mod command;
mod corrections;
mod debts;
mod decide;
mod draft;
mod effect;
mod event;
mod life;
mod money_facts;
mod observe;
mod opening;
mod orders;
mod policies;
mod posting;
mod receipts;
mod refund_facts;
mod refunds;
mod refusal;
mod replaced_facts;
mod replacing;
mod sales;
mod settle;
mod state;
mod terms;

pub use command::{
    Command, DebtCharge, FinalSettlement, MeterTakeOver, OldMeter, OpenMode, ReadBack, RefundTo, SupplyOrder,
};
pub use draft::Decision;
pub use effect::{Effect, Notice};
pub use event::{
    DifferenceKind, Event, Fact, Lifted, MeterOpening, Payment, QuarantineReason, RefundVoidCause, SaleResolution,
    Settled,
};
pub use posting::postings;
pub use receipts::{Payback, Receipt, Receipts};
pub use refusal::{ApplyError, Refusal};
pub use replacing::{Carry, Estimate, OnBench};
pub use state::{Account, DriftCount, LastSale, MeterState, Prepared, Quarantine, Suspicion};
pub use terms::{LostContact, MeterTerms, Purse, Restore, Terms, TermsError};
