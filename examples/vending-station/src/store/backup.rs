//! Backup and restore. A backup is a SQLite file with the same tables, whatever the store is, taken from one moment of it while
//! the station goes on.

use super::{Place, Store, StoreError, copy};
use std::{path::Path, time::Duration};

/// What a backup or a restore did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Rows of all tables.
    pub rows: u64,
    /// Accounts that take no sale until their meter was read; always 0 after a backup.
    pub unproved: u64,
}

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// A backup never overwrites.
    #[error("{file} is there already; a backup is written to a new file")]
    Exists {
        /// The file.
        file: Place,
    },
    /// A restore never overwrites.
    #[error("{place} is not empty; books are restored into a new file or database")]
    NotEmpty {
        /// The store.
        place: Place,
    },
    /// There is no such backup.
    #[error("{file} is not there")]
    Missing {
        /// The file.
        file: Place,
    },
    /// A file can't be looked at or moved.
    #[error("{what}: {error}")]
    Io {
        /// Which.
        what: String,
        /// Why.
        error: std::io::Error,
    },
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for BackupError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> BackupError {
    move |error| BackupError::Io { what: path.display().to_string(), error }
}

/// Writes everything that is committed at this moment into a new file. The station may run.
///
/// # Errors
/// [`BackupError`]; the file is not there then.
pub async fn backup(place: &Place, file: &Path) -> Result<Copied, BackupError> {
    if file.try_exists().map_err(io(file))? {
        return Err(BackupError::Exists { file: file.into() });
    }
    // Under another name until it is whole, so that a half written file is never taken for a backup.
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let part = Path::new(&part);
    for left_behind in [part.to_owned(), with_suffix(part, "-wal"), with_suffix(part, "-shm")] {
        if left_behind.try_exists().map_err(io(part))? {
            std::fs::remove_file(&left_behind).map_err(io(&left_behind))?;
        }
    }
    let source = Store::open_to_read(place.clone()).await?;
    let target = Store::open(part, Duration::ZERO).await?;
    let rows = copy(&source, &target).await;
    source.close().await;
    target.close().await;
    let rows = rows?;
    std::fs::rename(part, file).map_err(io(file))?;
    // The lock file of the work under the other name.
    let lock = with_suffix(part, ".lock");
    std::fs::remove_file(&lock).map_err(io(&lock))?;
    // The name is durable only with its folder.
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io(folder))?;
    Ok(Copied { rows, unproved: 0 })
}

/// Fills an empty store from a backup. Meters may hold credit that the backup doesn't know, so every account with its purse
/// in the meter takes no sale until its meter was read and agrees.
///
/// # Errors
/// [`BackupError`]; the store is as it was then.
pub async fn restore(file: &Path, place: &Place) -> Result<Copied, BackupError> {
    if !file.try_exists().map_err(io(file))? {
        return Err(BackupError::Missing { file: file.into() });
    }
    let source = Store::open_to_read(file).await?;
    let target = Store::open(place.clone(), Duration::ZERO).await?;
    let copied = async {
        if sqlx::query("SELECT 1 FROM site").fetch_optional(target.readers()).await?.is_some() {
            return Err(BackupError::NotEmpty { place: place.clone() });
        }
        let mut from = source.snapshot().await?;
        let mut to = target.begin().await?;
        let rows = copy::all(&mut from, &mut to).await?;
        sqlx::query("DELETE FROM unproved").execute(&mut *to).await?;
        let unproved =
            "INSERT INTO unproved (account) SELECT account.id FROM account JOIN tenant ON tenant.id = account.id
                        WHERE tenant.purse = 'meter'";
        let unproved = sqlx::query(unproved).execute(&mut *to).await?.rows_affected();
        to.commit().await?;
        Ok(Copied { rows, unproved })
    };
    let copied = copied.await;
    source.close().await;
    target.close().await;
    copied
}

async fn copy(source: &Store, target: &Store) -> Result<u64, StoreError> {
    let mut from = source.snapshot().await?;
    let mut to = target.begin().await?;
    let rows = copy::all(&mut from, &mut to).await?;
    to.commit().await?;
    Ok(rows)
}

fn with_suffix(path: &Path, suffix: &str) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
