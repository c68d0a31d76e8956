//! The station's store: one SQLite file or one PostgreSQL database, one writer, many readers.
//!
//! Money and relay decisions are rows that are only ever added; what the pages show are projections that the same
//! transaction writes. See `migrations/` for the tables. Both databases take the same statements.

pub mod backup;
pub mod books;
pub mod check;
pub mod commands;
mod copy;
mod lease;
mod open;
mod place;
pub mod read;
pub mod site;

pub use lease::LEASE;
pub use open::Store;
pub use place::{Place, PlaceError};

use serde::{Serialize, de::DeserializeOwned};
use std::path::PathBuf;

/// What can go wrong with the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process works on it.
    #[error("{place} is in use by another process")]
    InUse {
        /// The station's store.
        place: Place,
    },
    /// Another process has taken the database over while this one did not renew its lease.
    #[error("another process has taken the books over from lease {fence}")]
    LeaseLost {
        /// The fencing number that this process had.
        fence: i64,
    },
    /// It was opened only to look into it.
    #[error("the store was opened only to read")]
    ReadOnly,
    /// The lock file can't be made.
    #[error("{}: {error}", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The database refused.
    #[error("database: {0}")]
    Sql(#[from] sqlx::Error),
    /// The tables can't be brought to this program's version.
    #[error("database tables: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A stored value can't be read back: the file was altered or is of another version.
    #[error("{table} row {row}: {reason}")]
    Damaged {
        /// The table.
        table: &'static str,
        /// The row's key.
        row: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl StoreError {
    /// A row that can't be read back.
    pub fn damaged(table: &'static str, row: impl ToString, reason: impl ToString) -> Self {
        Self::Damaged { table, row: row.to_string(), reason: reason.to_string() }
    }
}

/// A value as the text of a column.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::damaged("new row", std::any::type_name::<T>(), error))
}

/// The value in a column.
pub(crate) fn from_json<T: DeserializeOwned>(table: &'static str, row: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::damaged(table, row, error))
}
