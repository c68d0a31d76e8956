//! The books: all accounts and the ledger behind one writer.
//!
//! Whoever wants something sends a job. The writer takes what has come together, decides each job on the state in
//! memory, writes all rows in one transaction, and only after the commit answers and lets effects go.

mod load;
mod orders;
mod outage;
pub(super) mod projection;
mod rows;
mod sell;
mod writer;

use super::StoreError;
use crate::clock::WorldClock;
use prepay_core::{
    account::{Command, Effect},
    id::{AccountId, MeterNumber, SaleId},
    reading::MeterReading,
    settlement::Pricer,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use tokio::sync::{mpsc, oneshot};

pub use load::{State, each_event, load as audit};
pub use orders::{Ordered, SupplyRequest, Switch};

/// Jobs that may wait for the writer. Senders wait beyond that.
const QUEUE_JOBS: usize = 1024;
/// The most jobs of one transaction.
const BATCH_JOBS_MAX: usize = 256;
/// How often everything that is open is handed out again, in real seconds.
const SWEEP_EVERY_S: u64 = 5;

/// Where effects for a meter go: the queue of its line.
pub type Routes = HashMap<MeterNumber, mpsc::Sender<Vec<Effect>>>;

/// One poll of a meter, to be stored.
#[derive(Debug, Clone)]
pub struct Poll {
    /// The account, if the meter has one that is open.
    pub account: Option<AccountId>,
    /// The reading.
    pub reading: MeterReading,
    /// Active power, W.
    pub power_w: i64,
    /// Voltage of the first line, 0.1 V.
    pub voltage_dv: i64,
    /// Status words.
    pub status: [u16; 2],
    /// The meter's clock less ours, if it could be read.
    pub clock_drift_s: Option<i64>,
    /// This poll closes an interval: it is booked and kept in the curve.
    pub settle: bool,
}

/// What may leave, if nothing has overtaken it.
#[derive(Debug, Clone, Copy)]
pub enum May {
    /// This frame of this sale.
    Send(SaleId, u8),
    /// This version of a relay order.
    Write(MeterNumber, u32),
}

/// A request to sell.
#[derive(Debug, Clone)]
struct Sell {
    key: String,
    body: Vec<u8>,
    account: AccountId,
    amount_minor: i64,
    channel: String,
}

enum Job {
    Command {
        account: AccountId,
        command: Box<Command>,
        answer: Option<oneshot::Sender<Result<Vec<Effect>, BooksError>>>,
    },
    Sell {
        sell: Sell,
        answer: oneshot::Sender<Result<i64, SellError>>,
    },
    Poll {
        poll: Box<Poll>,
        stored: Option<oneshot::Sender<()>>,
    },
    Heard {
        meter: MeterNumber,
    },
    Silent {
        meter: MeterNumber,
        account: Option<AccountId>,
    },
    May {
        account: AccountId,
        what: May,
        answer: oneshot::Sender<bool>,
    },
    Order {
        request: Box<SupplyRequest>,
        answer: oneshot::Sender<Result<Ordered, BooksError>>,
    },
    Outcome {
        meter: MeterNumber,
        version: u32,
        state: &'static str,
        reason: String,
    },
    Look {
        answer: oneshot::Sender<Box<State>>,
    },
    Sweep,
    Flush {
        answer: oneshot::Sender<()>,
    },
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BooksError {
    /// The account refuses.
    #[error(transparent)]
    Refused(#[from] prepay_core::account::Refusal),
    /// The ledger refuses.
    #[error(transparent)]
    Ledger(#[from] prepay_core::ledger::LedgerError),
    /// The store failed; nothing was done.
    #[error("the books can't be written: {0}")]
    Store(String),
    /// The writer has stopped.
    #[error("the station is stopping")]
    Stopped,
}

/// Why a sale was not booked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SellError {
    /// The key was used for another request.
    #[error("the key was used for another request")]
    OtherBody,
    /// No such open account.
    #[error("no such account")]
    NoAccount,
    /// Refused for good.
    #[error("{0}")]
    Refused(String),
    /// The store failed; nothing was booked.
    #[error(transparent)]
    Store(BooksError),
}

/// A handle on the writer. Clones share it.
#[derive(Clone)]
pub struct Books {
    jobs: mpsc::Sender<Job>,
    routes: Arc<Mutex<Routes>>,
}

impl std::fmt::Debug for Books {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Books").finish_non_exhaustive()
    }
}

impl Books {
    /// Loads all accounts from the store and starts the writer.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the stored events or the journal do not fold.
    pub async fn start(
        store: Arc<super::Store>,
        clock: WorldClock,
        currency: prepay_core::money::Currency,
        pricer: Arc<dyn Pricer + Send + Sync>,
    ) -> Result<Self, StoreError> {
        let state = load::load(store.writer(), currency).await?;
        let (jobs, queue) = mpsc::channel(QUEUE_JOBS);
        let routes = Arc::new(Mutex::new(Routes::new()));
        let writer = writer::Writer::new(store, clock, currency, pricer, state, routes.clone());
        tokio::spawn(writer.run(queue));
        let books = Self { jobs, routes };
        let sweeper = books.jobs.downgrade();
        tokio::spawn(async move {
            let mut every = tokio::time::interval(std::time::Duration::from_secs(SWEEP_EVERY_S));
            loop {
                every.tick().await;
                let Some(jobs) = sweeper.upgrade() else { return };
                if jobs.send(Job::Sweep).await.is_err() {
                    return;
                }
            }
        });
        Ok(books)
    }

    /// Sends the effects of these meters to this queue from now on.
    pub fn route(&self, meters: impl IntoIterator<Item = MeterNumber>, queue: &mpsc::Sender<Vec<Effect>>) {
        let mut routes = self.routes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        routes.extend(meters.into_iter().map(|meter| (meter, queue.clone())));
    }

    /// Carries out a command and waits until it is durable. The effects are the caller's to carry out.
    ///
    /// # Errors
    /// [`BooksError`]; the account is then as it was.
    pub async fn command(&self, account: AccountId, command: Command) -> Result<Vec<Effect>, BooksError> {
        self.ask(|answer| Job::Command { account, command: Box::new(command), answer: Some(answer) }).await?
    }

    /// Books a sale that a customer has paid, under an idempotency key, and returns its number.
    ///
    /// # Errors
    /// [`SellError`]; a refusal burns the key.
    pub async fn sell(
        &self,
        key: &str,
        body: &[u8],
        account: i64,
        amount_minor: i64,
        channel: &str,
    ) -> Result<i64, SellError> {
        let account = AccountId(u64::try_from(account).map_err(|_| SellError::NoAccount)?);
        let sell = Sell { key: key.into(), body: body.into(), account, amount_minor, channel: channel.into() };
        self.ask(|answer| Job::Sell { sell, answer }).await.map_err(SellError::Store)?
    }

    /// Stores a poll. Does not wait for the commit, of which `stored` is told; effects go to the meter's line.
    pub async fn poll(&self, poll: Poll, stored: Option<oneshot::Sender<()>>) {
        self.tell(Job::Poll { poll: Box::new(poll), stored }).await;
    }

    /// Gives the order of a batch to one meter: the order and the batch's row are one transaction.
    ///
    /// # Errors
    /// [`BooksError::Store`] and [`BooksError::Stopped`]; the row is then as it was. A refusal is an answer, not an error.
    pub async fn order(&self, request: SupplyRequest) -> Result<Ordered, BooksError> {
        self.ask(|answer| Job::Order { request: Box::new(request), answer }).await?
    }

    /// What a line knows about a relay order that no meter has confirmed.
    pub async fn outcome(&self, meter: MeterNumber, version: u32, state: &'static str, reason: impl Into<String>) {
        self.tell(Job::Outcome { meter, version, state, reason: reason.into() }).await;
    }

    /// The meter answers again.
    pub async fn heard(&self, meter: MeterNumber) {
        self.tell(Job::Heard { meter }).await;
    }

    /// The meter has fallen silent.
    pub async fn silent(&self, meter: MeterNumber, account: Option<AccountId>) {
        self.tell(Job::Silent { meter, account }).await;
    }

    /// Whether something may still leave: asked right before it does. A writer that has stopped allows nothing.
    pub async fn may(&self, account: AccountId, what: May) -> bool {
        self.ask(|answer| Job::May { account, what, answer }).await.unwrap_or(false)
    }

    /// A copy of the state in memory, for audits.
    ///
    /// # Errors
    /// [`BooksError::Stopped`].
    pub async fn look(&self) -> Result<State, BooksError> {
        Ok(*self.ask(|answer| Job::Look { answer }).await?)
    }

    /// Waits until everything that was told so far is durable.
    pub async fn flush(&self) {
        // A writer that has stopped has written what it could.
        let _ = self.ask(|answer| Job::Flush { answer }).await;
    }

    async fn tell(&self, job: Job) {
        if self.jobs.send(job).await.is_err() {
            tracing::warn!("the books have stopped; a reading was not stored");
        }
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> Result<T, BooksError> {
        let (answer, answered) = oneshot::channel();
        self.jobs.send(job(answer)).await.map_err(|_| BooksError::Stopped)?;
        answered.await.map_err(|_| BooksError::Stopped)
    }
}

/// How a sale is paid: the word of the API and the ledger's channel.
pub const CHANNELS: [(&str, u64); 4] = [("cash", 1), ("card", 2), ("scan", 3), ("transfer", 4)];

/// Numbers of the core fit a column: counters from 1, meter numbers of 12 digits, registers of 8 digits.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
