//! The world file: each meter's whole state, and fleet time. One process at a time, one writer, group commit.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous};
use sqlx::{Connection, Executor, Row};
use tokio::sync::{mpsc, oneshot};

use super::FleetError;

/// Format of the tables below.
const FORMAT: i64 = 1;
/// Most states that one transaction takes.
const GROUP_MAX: usize = 256;
/// States that may wait for the writer.
const QUEUE_MAX: usize = 1_024;
/// How long to wait for a process that is just closing the file before it counts as in use.
const BUSY_LIMIT: Duration = Duration::from_millis(500);

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS world (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    format INTEGER NOT NULL,
    seed TEXT NOT NULL,
    time_utc_ms INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS meters (
    number TEXT PRIMARY KEY,
    bus TEXT NOT NULL,
    unit INTEGER NOT NULL,
    model INTEGER NOT NULL,
    state TEXT NOT NULL
) WITHOUT ROWID;
";
const READ_WORLD: &str = "SELECT format, seed, time_utc_ms FROM world WHERE id = 1";
const CREATE_WORLD: &str = "INSERT INTO world (id, format, seed, time_utc_ms) VALUES (1, $1, $2, $3)";
const READ_METERS: &str = "SELECT number, bus, unit, model, state FROM meters ORDER BY number";
const CREATE_METER: &str = "INSERT INTO meters (number, bus, unit, model, state) VALUES ($1, $2, $3, $4, $5)";
const STORE_STATE: &str = "UPDATE meters SET state = $2 WHERE number = $1";
const STORE_TIME: &str = "UPDATE world SET time_utc_ms = max(time_utc_ms, $1) WHERE id = 1";

/// A meter as the file holds it. `unit` and `model` are those of its creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredMeter {
    pub(super) number: String,
    pub(super) bus: String,
    pub(super) unit: u8,
    pub(super) model: u16,
    pub(super) state: String,
}

/// The open file before it is served.
#[derive(Debug)]
pub(super) struct World {
    path: PathBuf,
    connection: SqliteConnection,
    pub(super) seed: u64,
    pub(super) time_utc_ms: i64,
}

impl World {
    /// Opens or creates the file and keeps it for this process alone until it is closed or the process ends.
    pub(super) async fn open(path: &Path, seed: u64, start_utc_ms: i64) -> Result<Self, FleetError> {
        let failed = |source: sqlx::Error| {
            let is_busy = source.as_database_error().is_some_and(|e| e.message().contains("locked"));
            if is_busy {
                FleetError::InUse { path: path.to_owned() }
            } else {
                FleetError::World { path: path.to_owned(), source }
            }
        };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .locking_mode(SqliteLockingMode::Exclusive)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY_LIMIT);
        let mut connection = SqliteConnection::connect_with(&options).await.map_err(failed)?;
        // The schema is written at each start: this takes the lock before anything is believed.
        connection.execute(SCHEMA).await.map_err(failed)?;
        let mut world = Self { path: path.to_owned(), connection, seed, time_utc_ms: start_utc_ms };
        match sqlx::query(READ_WORLD).fetch_optional(&mut world.connection).await.map_err(failed)? {
            None => {
                let create = sqlx::query(CREATE_WORLD).bind(FORMAT).bind(seed.to_string()).bind(start_utc_ms);
                create.execute(&mut world.connection).await.map_err(failed)?;
            }
            Some(row) => {
                let found: i64 = row.try_get(0).map_err(failed)?;
                if found != FORMAT {
                    return Err(FleetError::Format { path: path.to_owned(), found, expected: FORMAT });
                }
                let seed: String = row.try_get(1).map_err(failed)?;
                world.seed = seed.parse().map_err(|_| FleetError::Stored { field: "seed", value: seed })?;
                world.time_utc_ms = row.try_get(2).map_err(failed)?;
                // An idle write makes sure of the lock when the tables were there already.
                let touch = sqlx::query(STORE_TIME).bind(world.time_utc_ms);
                touch.execute(&mut world.connection).await.map_err(failed)?;
            }
        }
        Ok(world)
    }

    fn failed(&self, source: sqlx::Error) -> FleetError {
        FleetError::World { path: self.path.clone(), source }
    }

    pub(super) async fn meters(&mut self) -> Result<Vec<StoredMeter>, FleetError> {
        let rows = sqlx::query(READ_METERS).fetch_all(&mut self.connection).await.map_err(|e| self.failed(e))?;
        let read = |row: sqlx::sqlite::SqliteRow| -> Result<StoredMeter, sqlx::Error> {
            Ok(StoredMeter {
                number: row.try_get(0)?,
                bus: row.try_get(1)?,
                unit: row.try_get(2)?,
                model: row.try_get(3)?,
                state: row.try_get(4)?,
            })
        };
        rows.into_iter().map(read).collect::<Result<_, _>>().map_err(|e| self.failed(e))
    }

    /// Adds meters, all or none.
    pub(super) async fn create_meters(&mut self, meters: &[StoredMeter]) -> Result<(), FleetError> {
        let created = async {
            let mut transaction = self.connection.begin().await?;
            for meter in meters {
                let create = sqlx::query(CREATE_METER).bind(&meter.number).bind(&meter.bus).bind(meter.unit);
                create.bind(meter.model).bind(&meter.state).execute(&mut *transaction).await?;
            }
            transaction.commit().await
        };
        created.await.map_err(|e| FleetError::World { path: self.path.clone(), source: e })
    }

    /// Gives the file back. A world that is merely dropped gives it back a moment later.
    pub(super) async fn close(self) -> Result<(), FleetError> {
        let path = self.path;
        self.connection.close().await.map_err(|source| FleetError::World { path, source })
    }

    /// Hands the file to its writer. It ends when every [`Store`] is gone.
    pub(super) fn into_writer(self) -> (Store, impl Future<Output = Result<(), FleetError>>) {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        let counts = Arc::new(StoreCounts::default());
        let store = Store { sender, counts: Arc::clone(&counts) };
        (store, write(self, receiver, counts))
    }
}

/// A state on its way into the file.
struct Order {
    /// The meter whose state it is; without one only time is stored.
    meter: Option<(Arc<str>, String)>,
    time_utc_ms: i64,
    stored: oneshot::Sender<()>,
}

/// What the writer has done.
#[derive(Debug, Default)]
pub(super) struct StoreCounts {
    pub(super) states: AtomicU64,
    pub(super) commits: AtomicU64,
}

/// The way into the file. Clones share one writer.
#[derive(Debug, Clone)]
pub(super) struct Store {
    sender: mpsc::Sender<Order>,
    pub(super) counts: Arc<StoreCounts>,
}

impl Store {
    /// Comes back when the state is committed, or with an error if it never will be.
    pub(super) async fn keep(&self, number: Arc<str>, state: String, time_utc_ms: i64) -> Result<(), FleetError> {
        self.order(Some((number, state)), time_utc_ms).await
    }

    /// Stores nothing but how far time has come.
    pub(super) async fn keep_time(&self, time_utc_ms: i64) -> Result<(), FleetError> {
        self.order(None, time_utc_ms).await
    }

    async fn order(&self, meter: Option<(Arc<str>, String)>, time_utc_ms: i64) -> Result<(), FleetError> {
        let stopped = |reason: &str| FleetError::StoreStopped { reason: reason.to_owned() };
        let (stored, done) = oneshot::channel();
        let order = Order { meter, time_utc_ms, stored };
        self.sender.send(order).await.map_err(|_| stopped("the writer has ended"))?;
        done.await.map_err(|_| stopped("the transaction failed"))
    }
}

/// Writes what has come in since the last commit as one transaction, until nobody can send any more.
async fn write(
    mut world: World,
    mut receiver: mpsc::Receiver<Order>,
    counts: Arc<StoreCounts>,
) -> Result<(), FleetError> {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while receiver.recv_many(&mut group, GROUP_MAX).await > 0 {
        commit(&mut world.connection, &group).await.map_err(|e| world.failed(e))?;
        let states = group.iter().filter(|order| order.meter.is_some()).count();
        counts.states.fetch_add(u64::try_from(states).unwrap_or(0), Ordering::Relaxed);
        counts.commits.fetch_add(1, Ordering::Relaxed);
        for order in group.drain(..) {
            // Whoever asked may be gone by now; the state is kept all the same.
            let _ = order.stored.send(());
        }
    }
    world.close().await
}

async fn commit(connection: &mut SqliteConnection, group: &[Order]) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    for (number, state) in group.iter().filter_map(|order| order.meter.as_ref()) {
        sqlx::query(STORE_STATE).bind(&**number).bind(state).execute(&mut *transaction).await?;
    }
    if let Some(time_utc_ms) = group.iter().map(|order| order.time_utc_ms).max() {
        sqlx::query(STORE_TIME).bind(time_utc_ms).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}
