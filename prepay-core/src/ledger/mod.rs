//! A double-entry ledger: immutable transfers, holds, limits, idempotency outcomes and a hash chain.
//!
//! [`Ledger::decide`] turns transfers into chained [`Entry`] records or refuses; the caller stores the entries and then
//! gives each to [`Ledger::apply`]. The balances are a fold of the entries: [`Ledger::rebuild`] makes them again from
//! the stored journal and checks every link of the chain on the way; [`verify`] checks a journal without a ledger.

mod balance;
mod books;
mod chain;
mod error;
mod idempotency;
mod key;
mod overlay;
mod rules;
mod transfer;

pub use balance::{Balance, TrialBalance};
pub use books::Ledger;
pub(crate) use chain::verify_each;
pub use chain::{ChainError, Entry, Hash, Head, RECORD_BYTES, ShardId, genesis, verify};
pub use error::LedgerError;
pub use idempotency::{BodyHash, Fate, Key, KeyRecord, Keyed};
pub use key::{AccountKey, AccountKind};
pub use rules::{Hold, HoldState};
pub use transfer::{Action, LimitRule, Transfer, TransferId};
