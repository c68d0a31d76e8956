//! 4G meters that dial in: a hub for their connections.
//!
//! The caller accepts the connections, from whatever socket, and gives each to [`Hub::serve`] in a task of its own. Only
//! listed serials are taken, each once: a second connection with the same serial is refused and reported, and the first
//! one stays until it ends or is silent for too long. A meter that is connected is read and written through
//! [`Hub::meter`], by the same calls as through a [`super::Client`].
//!
//! The serial is no proof of who a meter is: anybody who knows it can send it. Let these connections in through a
//! private network only.
//!
//! ```no_run
//! use meter_protocol::client::tokio::dial_in::{Hub, HubConfig};
//! use meter_protocol::uplink::radio::Serial;
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let serial = Serial::new("00000000000001")?;
//! let (hub, mut events) = Hub::new([serial], HubConfig::default())?;
//! let listener = tokio::net::TcpListener::bind("192.0.2.1:9000").await?;
//! let acceptor = hub.clone();
//! tokio::spawn(async move {
//!     while let Ok((stream, _)) = listener.accept().await {
//!         let hub = acceptor.clone();
//!         tokio::spawn(async move { hub.serve(stream).await });
//!     }
//! });
//! tokio::spawn(async move { while let Some(event) = events.next().await { println!("{event:?}") } });
//! if let Some(meter) = hub.meter(serial) {
//!     let now = meter.read_realtime(1).await?;
//!     println!("balance {} x 0.01", now.remaining_minor);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Saturating arithmetic here counts bytes and connections up to their limits.

mod connection;
mod event;
mod meter;

pub use event::{HubEvent, HubEvents, OddFrame, RefusalReason};
pub use meter::DialedMeter;

use crate::acrel::{Clock, LinkId};
use crate::uplink::radio::{CloseReason, Serial, StationConfig};
use ::tokio::io::{AsyncRead, AsyncWrite};
use ::tokio::sync::mpsc;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use thiserror::Error;

/// Most meters that a hub lists.
pub const MAX_METERS: usize = 10_000;
/// Events that wait to be fetched; connections stand still when so many do.
pub const MAX_EVENTS: usize = 1_024;
/// Requests that wait for one meter.
pub const MAX_WAITING: usize = 32;

/// Settings of a hub.
#[derive(Clone)]
#[non_exhaustive]
pub struct HubConfig {
    /// How each connection is treated.
    pub station: StationConfig,
    /// Most connections at once, registered or not. Default 1000.
    pub connections_max: usize,
    /// Line number of the first meter's connections, for confirmations; each meter has its own. Default 0: choose one
    /// above the program's other lines.
    pub first_line: u32,
    /// The meters' local time, for those that ask. Without it they get no answer. Default none.
    pub clock: Option<Arc<dyn Fn() -> Clock + Send + Sync>>,
}

impl Default for HubConfig {
    fn default() -> Self {
        Self { station: StationConfig::DEFAULT, connections_max: 1_000, first_line: 0, clock: None }
    }
}

impl fmt::Debug for HubConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubConfig")
            .field("station", &self.station)
            .field("connections_max", &self.connections_max)
            .field("first_line", &self.first_line)
            .field("clock", &self.clock.is_some())
            .finish()
    }
}

/// A hub that is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HubError {
    /// More serials than a hub lists.
    #[error("{count} meters, a hub lists at most {max}")]
    TooMany {
        /// Serials given.
        count: usize,
        /// The limit.
        max: usize,
    },
}

/// Connections of listed meters. Clones are the same hub.
#[derive(Clone, Debug)]
pub struct Hub {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    config: HubConfig,
    table: Mutex<Table>,
    events: mpsc::Sender<HubEvent>,
}

#[derive(Debug)]
struct Table {
    meters: BTreeMap<Serial, Entry>,
    connections: usize,
}

/// A listed meter.
#[derive(Debug)]
struct Entry {
    /// The number of its present or next connection.
    link: LinkId,
    jobs: Option<mpsc::Sender<meter::Job>>,
}

impl Hub {
    /// A hub that takes these meters, and its events. Fetch the events in a task of their own.
    ///
    /// # Errors
    /// [`HubError::TooMany`].
    pub fn new(serials: impl IntoIterator<Item = Serial>, config: HubConfig) -> Result<(Self, HubEvents), HubError> {
        let meters: BTreeMap<Serial, Entry> = (config.first_line..)
            .zip(serials)
            .take(MAX_METERS.saturating_add(1))
            .map(|(line, serial)| (serial, Entry { link: LinkId::first(line), jobs: None }))
            .collect();
        if meters.len() > MAX_METERS {
            return Err(HubError::TooMany { count: meters.len(), max: MAX_METERS });
        }
        let (events, receiver) = mpsc::channel(MAX_EVENTS);
        let shared = Shared { config, table: Mutex::new(Table { meters, connections: 0 }), events };
        Ok((Self { shared: Arc::new(shared) }, HubEvents(receiver)))
    }

    /// The meter, if it is connected now.
    #[must_use]
    pub fn meter(&self, serial: Serial) -> Option<DialedMeter> {
        let table = self.shared.table();
        let entry = table.meters.get(&serial)?;
        let jobs = entry.jobs.clone()?;
        Some(DialedMeter::new(serial, entry.link, jobs, self.shared.config.station.line.response_timeout_us))
    }

    /// Listed meters that are connected now.
    #[must_use]
    pub fn connected(&self) -> usize {
        self.shared.table().meters.values().filter(|entry| entry.jobs.is_some()).count()
    }

    /// Serves one connection until it ends, and says why it did. Dropping the future closes the connection.
    pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> CloseReason {
        match Slot::take(&self.shared) {
            Some(slot) => connection::serve(&self.shared, stream, slot).await,
            None => {
                self.shared.tell(HubEvent::Refused { serial: None, reason: RefusalReason::TooManyConnections }).await;
                CloseReason::Refused
            }
        }
    }
}

impl Shared {
    /// Nothing that is done under the lock can leave the table half changed.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn tell(&self, event: HubEvent) {
        // Nobody listens any more: the connections go on.
        let _nobody = self.events.send(event).await;
    }
}

/// One of the connections that a hub allows, and the meter that registered on it. Dropping it frees both.
#[derive(Debug)]
pub(super) struct Slot {
    shared: Arc<Shared>,
    serial: Option<Serial>,
}

impl Slot {
    fn take(shared: &Arc<Shared>) -> Option<Self> {
        let mut table = shared.table();
        if table.connections >= shared.config.connections_max {
            return None;
        }
        table.connections = table.connections.saturating_add(1);
        Some(Self { shared: Arc::clone(shared), serial: None })
    }

    /// Whether `serial` may register on this connection; its requests then come through `jobs`.
    fn register(&mut self, serial: Serial, jobs: &mpsc::Sender<meter::Job>) -> Result<LinkId, RefusalReason> {
        let mut table = self.shared.table();
        let entry = table.meters.get_mut(&serial).ok_or(RefusalReason::NotListed)?;
        if self.serial != Some(serial) {
            if entry.jobs.is_some() {
                return Err(RefusalReason::AlreadyConnected);
            }
            entry.jobs = Some(jobs.clone());
            self.serial = Some(serial);
        }
        Ok(entry.link)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut table = self.shared.table();
        table.connections = table.connections.saturating_sub(1);
        if let Some(entry) = self.serial.and_then(|serial| table.meters.get_mut(&serial)) {
            entry.jobs = None;
            entry.link = entry.link.next();
        }
    }
}
