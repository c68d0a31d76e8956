//! Opening a store: the connections, the tables, and the right to write.

use super::{Place, StoreError, lease::Lease};
use sqlx::{
    Any, AnyPool, ConnectOptions, SqlSafeStr, Transaction,
    any::AnyPoolOptions,
    migrate::{Migration, Migrator},
    sqlite::SqliteConnectOptions,
};
use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    time::Duration,
};

/// Connections that only read.
const READERS: u32 = 4;
/// SQLite: an intent has to survive a power cut before its first byte leaves, so each commit waits for the disk. A statement
/// waits 5 s for the file. The write-ahead log shrinks to 64 MiB.
const SQLITE_SETTINGS: &str = "PRAGMA foreign_keys = ON; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    PRAGMA busy_timeout = 5000; PRAGMA journal_size_limit = 67108864;";
/// PostgreSQL: a reader can't write by mistake.
const POSTGRES_READER: &str = "SET default_transaction_read_only = on";
/// PostgreSQL: whatever the server's or the user's setting, a commit of ours waits for the disk.
const POSTGRES_DURABLE: &str = "SET LOCAL synchronous_commit = on";
/// PostgreSQL: one connection for the books, one that renews the lease.
const POSTGRES_WRITERS: u32 = 2;
const TABLES: Migrator = sqlx::migrate!("./migrations");

/// The open store. Dropping it gives the right to write back.
#[derive(Debug)]
pub struct Store {
    writer: AnyPool,
    readers: AnyPool,
    right: Right,
}

/// What keeps other processes from writing.
#[derive(Debug)]
enum Right {
    /// A lock beside the file; the operating system gives it back however the process ends.
    Lock(File),
    Lease(Lease),
    /// In memory; nobody else knows of it.
    Own,
    /// This one does not write.
    None,
}

impl Store {
    /// Opens or creates the store and brings its tables up to date. A database that another process holds is waited for:
    /// `patience` is how long.
    ///
    /// # Errors
    /// [`StoreError::InUse`] while another process has it.
    pub async fn open(place: impl Into<Place>, patience: Duration) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        match place.into() {
            Place::File(path) => Self::sqlite(&path, patience).await,
            Place::Postgres(url) => Self::postgres(url, patience).await,
        }
    }

    async fn sqlite(path: &Path, patience: Duration) -> Result<Self, StoreError> {
        let right = Right::Lock(lock(path, patience).await?);
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let writer = pool(1, SQLITE_SETTINGS).connect(options.to_url_lossy().as_str()).await?;
        TABLES.run(&writer).await?;
        let readers = sqlite_readers(path).await?;
        Ok(Self { writer, readers, right })
    }

    async fn postgres(url: url::Url, patience: Duration) -> Result<Self, StoreError> {
        let writer = pool(POSTGRES_WRITERS, "").connect(url.as_str()).await?;
        // The tables are the same; only SQLite can keep the curve's rows in its key.
        let tables = TABLES.iter().map(|one| {
            let sql = one.sql.as_str().replace(") WITHOUT ROWID;", ");");
            let sql = sqlx::AssertSqlSafe(sql).into_sql_str();
            Migration::new(one.version, one.description.clone(), one.migration_type, sql, one.no_tx)
        });
        Migrator::with_migrations(tables.collect()).run(&writer).await?;
        let lease = Lease::take(&writer, patience).await?;
        let right = Right::Lease(lease.ok_or_else(|| StoreError::InUse { place: Place::Postgres(url.clone()) })?);
        let readers = pool(READERS, POSTGRES_READER).connect(url.as_str()).await?;
        Ok(Self { writer, readers, right })
    }

    /// Opens a store only to look into it; a station may be at work on it.
    ///
    /// # Errors
    /// [`StoreError::Sql`] when it isn't there.
    pub async fn open_to_read(place: impl Into<Place>) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let readers = match place.into() {
            Place::File(path) => sqlite_readers(&path).await?,
            Place::Postgres(url) => pool(READERS, POSTGRES_READER).connect(url.as_str()).await?,
        };
        Ok(Self { writer: readers.clone(), readers, right: Right::None })
    }

    /// An empty store in memory.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn scratch() -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        // It lives as long as its one connection.
        let one = AnyPoolOptions::new().max_connections(1).min_connections(1).idle_timeout(None).max_lifetime(None);
        let writer = one.connect("sqlite::memory:").await?;
        TABLES.run(&writer).await?;
        // Projections alone, without what they refer to.
        sqlx::query("PRAGMA foreign_keys = OFF").execute(&writer).await?;
        Ok(Self { readers: writer.clone(), writer, right: Right::Own })
    }

    /// A transaction that sees one moment of the store, whatever is written meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn snapshot(&self) -> Result<Transaction<'static, Any>, StoreError> {
        let mut tx = self.readers.begin().await?;
        if tx.backend_name() == "PostgreSQL" {
            sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").execute(&mut *tx).await?;
        }
        Ok(tx)
    }

    /// A transaction that writes: durable with its commit, and refused when another process has taken over.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`].
    pub async fn begin(&self) -> Result<Transaction<'static, Any>, StoreError> {
        let mut tx = match self.writer.begin_with("BEGIN").await {
            // On a full disk SQLite ends a transaction by itself. The driver's own end of it then fails, and it goes on counting
            // one transaction too many: what is written later would look committed and never be. Such a connection goes.
            Err(sqlx::Error::InvalidSavePointStatement) => {
                self.writer.acquire().await?.close().await?;
                self.writer.begin_with("BEGIN").await?
            }
            begun => begun?,
        };
        match &self.right {
            Right::Lock { .. } | Right::Own => {}
            Right::Lease(lease) => {
                sqlx::query(POSTGRES_DURABLE).execute(&mut *tx).await?;
                lease.fence(&mut tx).await?;
            }
            Right::None => return Err(StoreError::ReadOnly),
        }
        Ok(tx)
    }

    /// Whether this process may act on what it has stored: asked right before a byte leaves for a meter.
    pub fn holds(&self) -> bool {
        match &self.right {
            Right::Lock { .. } | Right::Own => true,
            Right::None => false,
            Right::Lease(lease) => lease.holds(),
        }
    }

    /// Waits until another process has taken over, for ever where none can.
    pub async fn until_lost(&self) -> StoreError {
        loop {
            match &self.right {
                Right::Lease(lease) if !lease.holds() => return StoreError::LeaseLost { fence: lease.fence },
                _ => tokio::time::sleep(Duration::from_millis(500)).await,
            }
        }
    }

    /// The connections that see what was just written.
    pub fn writer(&self) -> &AnyPool {
        &self.writer
    }

    /// For statements that only look.
    pub fn readers(&self) -> &AnyPool {
        &self.readers
    }

    /// Closes everything in order and gives the right to write back, though somebody may still hold the store.
    pub async fn close(&self) {
        self.readers.close().await;
        if let Right::Lease(lease) = &self.right {
            lease.give_back(&self.writer).await;
        }
        self.writer.close().await;
        if let Right::Lock(file) = &self.right
            && let Err(error) = file.unlock()
        {
            tracing::warn!(%error, "the lock is given back when the last holder of the store is gone");
        }
    }
}

async fn sqlite_readers(path: &Path) -> Result<AnyPool, StoreError> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    Ok(pool(READERS, "PRAGMA busy_timeout = 5000").connect(options.to_url_lossy().as_str()).await?)
}

fn pool(connections: u32, settings: &'static str) -> AnyPoolOptions {
    AnyPoolOptions::new().max_connections(connections).after_connect(move |connection, _| {
        Box::pin(async move {
            if !settings.is_empty() {
                sqlx::raw_sql(settings).execute(connection).await?;
            }
            Ok(())
        })
    })
}

/// Takes the lock beside the file.
async fn lock(path: &Path, patience: Duration) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock_path = PathBuf::from(name);
    let failed = |error| StoreError::Lock { path: lock_path.clone(), error };
    let file = File::options().create(true).write(true).truncate(false).open(&lock_path).map_err(failed)?;
    let since = std::time::Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if since.elapsed() < patience => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Err(TryLockError::WouldBlock) => return Err(StoreError::InUse { place: path.into() }),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
}
