//! The task that works batches off. It keeps nothing that is not in the store, so it goes on after any stop.

use super::Kind;
use crate::{
    clock::WorldClock,
    collect::desk::{Asks, Mode},
    store::{
        Store, StoreError,
        books::{Books, BooksError, Ordered, SupplyRequest},
        commands::{self, BatchRow, TargetRow},
    },
};
use futures_util::future::join_all;
use prepay_core::{
    id::{AccountId, IdError, MeterNumber, OperatorId, Reason},
    reading::Force,
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{Notify, Semaphore, watch},
    task::JoinSet,
};

/// Meters that are ordered together.
const GROUP: i64 = 100;
/// Meters whose supply comes back together, and the world time before the next ones: loads start one after the other.
const RESTORE_GROUP: i64 = 10;
const RESTORE_PAUSE: Duration = Duration::from_secs(5);
const RESTORE_PAUSE_FLOOR: Duration = Duration::from_millis(200);
/// Readings of batches that wait for their lines at the same time.
const READINGS_MAX: usize = 512;
/// An order or a reading that is not answered for so long is not reached so far.
const ANSWER: Duration = Duration::from_secs(60);
const ANSWER_FLOOR: Duration = Duration::from_secs(5);
/// A look at the store while nobody tells anything.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The task.
#[derive(Debug)]
pub struct Runner {
    store: Arc<Store>,
    books: Books,
    asks: Asks,
    clock: WorldClock,
    told: Arc<Notify>,
    /// When each batch may bring the next meters back.
    next: HashMap<i64, Instant>,
    known: HashSet<i64>,
    readings: JoinSet<()>,
    free: Arc<Semaphore>,
}

/// A row that can't be worked on.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Books(#[from] BooksError),
    #[error(transparent)]
    Id(#[from] IdError),
    #[error("batch {0} is of no known kind")]
    Kind(i64),
}

impl Runner {
    /// Makes the task. `told` wakes it.
    pub fn new(store: Arc<Store>, books: Books, asks: Asks, clock: WorldClock, told: Arc<Notify>) -> Self {
        let free = Arc::new(Semaphore::new(READINGS_MAX));
        let (next, known, readings) = (HashMap::new(), HashSet::new(), JoinSet::new());
        Self { store, books, asks, clock, told, next, known, readings, free }
    }

    /// Works until the station closes.
    pub async fn run(mut self, mut mode: watch::Receiver<Mode>) {
        loop {
            if let Err(error) = self.turn().await {
                tracing::error!(%error, "commands can't be worked on; trying again");
            }
            tokio::select! {
                closed = mode.wait_for(|mode| *mode == Mode::Close) => {
                    drop(closed);
                    return;
                }
                () = self.told.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            while self.readings.try_join_next().is_some() {}
        }
    }

    async fn turn(&mut self) -> Result<(), RunError> {
        for batch in commands::running(&self.store).await? {
            let kind = Kind::of(&batch.kind).ok_or(RunError::Kind(batch.id))?;
            if !self.known.contains(&batch.id) {
                self.take_up(&batch, kind).await?;
                self.known.insert(batch.id);
            }
            self.go_on(&batch, kind).await?;
        }
        Ok(())
    }

    /// What a batch had under way before the last stop. Orders are the books' to bring to their meters; a row whose order was
    /// confirmed before it was given waits for a reading, and so do readings.
    async fn take_up(&mut self, batch: &BatchRow, kind: Kind) -> Result<(), RunError> {
        if kind == Kind::ReadNow {
            return Ok(commands::begin_again(&self.store, batch.id).await?);
        }
        let sent = commands::targets(&self.store, batch.id, Some("sent"), i64::MAX).await?;
        if sent.is_empty() {
            return Ok(());
        }
        let state = self.books.look().await?;
        for target in sent {
            let number = number(&target)?;
            let account = state.accounts.get(&AccountId(target.account.unsigned_abs()));
            let order = account.and_then(|account| account.meter(number)).map(|meter| *meter.order());
            if let Some(order) = order.filter(|order| order.confirmed) {
                self.read(batch.id, target, Some(order.decided.force))?;
            }
        }
        Ok(())
    }

    async fn go_on(&mut self, batch: &BatchRow, kind: Kind) -> Result<(), RunError> {
        let now_utc_s = self.clock.utc_s();
        let answer = self.clock.real(ANSWER, ANSWER_FLOOR).saturating_mul(self.clock.speed());
        let limit_s = i64::try_from(answer.as_secs()).unwrap_or(i64::MAX);
        let sent = commands::targets(&self.store, batch.id, Some("sent"), i64::MAX).await?;
        if sent.iter().any(|target| target.changed_utc_s < now_utc_s.saturating_sub(limit_s)) {
            commands::give_up_waiting(&self.store, batch.id, now_utc_s.saturating_sub(limit_s), now_utc_s).await?;
        }
        if self.next.get(&batch.id).is_some_and(|next| *next > Instant::now()) {
            return Ok(());
        }
        let group = if kind.restores() { RESTORE_GROUP } else { GROUP };
        let waiting = commands::targets(&self.store, batch.id, Some("waiting"), group).await?;
        if waiting.is_empty() {
            if sent.is_empty() {
                commands::finish(&self.store, batch.id).await?;
                self.next.remove(&batch.id);
            }
            return Ok(());
        }
        if kind.restores() {
            let pause = self.clock.real(RESTORE_PAUSE, RESTORE_PAUSE_FLOOR);
            self.next.insert(batch.id, Instant::now() + pause);
        }
        match kind.switch(batch.administrator) {
            None => {
                for target in waiting {
                    if self.free.available_permits() == 0 {
                        break;
                    }
                    let (meter, utc_s) = (target.meter.clone(), self.clock.utc_s());
                    commands::advance(&self.store, batch.id, &meter, "waiting", "sent", "", utc_s).await?;
                    self.read(batch.id, target, None)?;
                }
            }
            Some(switch) => {
                let why = Reason::new(batch.why.clone())?;
                let by = OperatorId(batch.operator.unsigned_abs());
                let mut orders = Vec::new();
                for target in waiting {
                    let (meter, account) = (number(&target)?, AccountId(target.account.unsigned_abs()));
                    let (why, until_utc_s) = (why.clone(), batch.until_utc_s);
                    let request = SupplyRequest { batch: batch.id, meter, account, switch, by, why, until_utc_s };
                    orders.push(async { (target, self.books.order(request).await) });
                }
                for (target, ordered) in join_all(orders).await {
                    if let Ordered::Stands { force, .. } = ordered? {
                        self.read(batch.id, target, Some(force))?;
                    }
                }
            }
        }
        self.told.notify_one();
        Ok(())
    }

    /// Reads a meter for a batch; `shows`: what it has to show.
    fn read(&mut self, batch: i64, target: TargetRow, shows: Option<Force>) -> Result<(), RunError> {
        let (meter, limit) = (number(&target)?, self.clock.real(ANSWER, ANSWER_FLOOR));
        let (store, asks, clock, free) = (self.store.clone(), self.asks.clone(), self.clock, self.free.clone());
        self.readings.spawn(async move {
            let _permit = free.acquire().await;
            let shown = tokio::time::timeout(limit, asks.read(meter)).await.ok().flatten();
            let (state, reason) = match (shown, shows) {
                (None, _) => ("not_reached", "the meter does not answer".to_owned()),
                (Some(shown), Some(force)) if shown.reading.force != force => {
                    ("unknown", format!("the meter shows {:?}, ordered is {force:?}", shown.reading.force))
                }
                (Some(_), _) => ("done", String::new()),
            };
            let advanced = commands::advance(&store, batch, &target.meter, "sent", state, &reason, clock.utc_s()).await;
            if let Err(error) = advanced {
                tracing::error!(batch, meter = target.meter, %error, "a reading's result was not stored");
            }
        });
        Ok(())
    }
}

fn number(target: &TargetRow) -> Result<MeterNumber, RunError> {
    let number: u64 = target.meter.parse().map_err(|error| StoreError::damaged("batch_meter", &target.meter, error))?;
    Ok(MeterNumber::new(number)?)
}
