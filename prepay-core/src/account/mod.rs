//! One customer's account: its meters, its money, its supply. State is a fold of events.
//!
//! ```text
//! command ──► decide ──► events + withheld effects ──► store ──► apply ──► release effects
//! ```
//!
//! [`Account::decide`] refuses or answers with events and sealed effects, and changes nothing. The caller stores the
//! events (and the ledger entries of [`postings`]) in one transaction, applies them, and opens the effects with the
//! receipt. After a crash [`Account::rebuild`] folds the stored events, and [`Account::resume`] says what to do next.

mod admits;
mod apply;
mod apply_error;
mod command;
mod corrections;
mod debts;
mod decide;
mod draft;
mod effect;
mod event;
mod life;
mod meter_facts;
mod meter_state;
mod money_facts;
mod observe;
mod opening;
mod orders;
mod policies;
mod posting;
mod quarantine;
mod receipts;
mod refund_facts;
mod refund_requests;
mod refunds;
mod refusal;
mod replaced_facts;
mod replacing;
mod sale_requests;
mod sales;
mod settle;
mod settled;
mod snapshot;
mod state;
mod terms;

pub use apply_error::ApplyError;
pub use command::{Command, ReadBack};
pub use debts::DebtCharge;
pub use draft::Decision;
pub use effect::{Effect, Notice};
pub use event::{Event, Fact};
pub use life::FinalSettlement;
pub use meter_state::{DriftCount, LastSale, MeterState, Suspicion};
pub use opening::{MeterOpening, MeterTakeOver, OpenMode};
pub use orders::{Lifted, SupplyOrder};
pub use posting::postings;
pub use quarantine::{Quarantine, QuarantineReason, SaleResolution};
pub use receipts::{Payback, Payment, Receipt, Receipts, RefundTo};
pub use refund_facts::RefundVoidCause;
pub use refusal::Refusal;
pub use replacing::{Carry, Estimate, OldMeter, OnBench};
pub use settled::{DifferenceKind, Settled};
pub use snapshot::SnapshotError;
pub use state::{Account, Prepared};
pub use terms::{LostContact, MeterTerms, Purse, Restore, Terms, TermsError};
