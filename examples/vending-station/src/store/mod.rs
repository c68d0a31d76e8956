//! The station's file: one SQLite database, one writer, many readers.
//!
//! Money and relay decisions are rows that are only ever added; what the pages show are projections that the same
//! transaction writes. See `migrations/` for the tables.

pub mod books;
pub mod read;
pub mod site;

use serde::{Serialize, de::DeserializeOwned};
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    time::Duration,
};

/// Connections that only read.
const READERS: u32 = 4;
/// How long a statement waits for the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What can go wrong with the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process works on the file.
    #[error("{} is in use by another process", path.display())]
    InUse {
        /// The station's file.
        path: PathBuf,
    },
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

/// The open file. Dropping it gives the lock back.
#[derive(Debug)]
pub struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
    _lock: File,
}

impl Store {
    /// Opens or creates the station's file and brings its tables up to date.
    ///
    /// # Errors
    /// [`StoreError::InUse`] while another process has it open.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let lock = lock(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An intent has to survive a power cut before its first byte leaves.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("journal_size_limit", "67108864");
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        sqlx::migrate!("./migrations").run(&writer).await?;
        let readers = SqlitePoolOptions::new().max_connections(READERS).connect_with(options.read_only(true)).await?;
        Ok(Self { writer, readers, _lock: lock })
    }

    /// For statements that change something; one connection.
    pub fn writer(&self) -> &SqlitePool {
        &self.writer
    }

    /// For statements that only look.
    pub fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// Closes the file in order.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Takes the lock beside the file. The operating system gives it back however the process ends.
fn lock(path: &Path) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock_path = PathBuf::from(name);
    let failed = |error| StoreError::Lock { path: lock_path.clone(), error };
    let file = File::options().create(true).write(true).truncate(false).open(&lock_path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}
