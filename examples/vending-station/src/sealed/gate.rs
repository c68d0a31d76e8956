//! The station's door for collectors: it takes connections, finds out who is there, and hands each to its collector's task.

use super::{
    guard::{Guard, GuardError},
    keys::{self, KeysError},
    peer::{Peer, PeerSetup},
    pump::Conn,
    setups::{Setups, Ticket},
    wire::Ids,
};
use crate::{clock::WorldClock, collect::reading::StatusReadError, site::model};
use meter_protocol::seal::{HelloRequest, PeerId, PeerKeys, tokio::accept};
use prepay_core::time::Now;
use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::interval,
};

/// How often the latest time is taken note of.
const NOTE_EVERY: Duration = Duration::from_secs(1);
/// A door that can't take a connection tries again after this.
const AGAIN: Duration = Duration::from_millis(100);

/// What the pages show of a collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectorState {
    /// Its code.
    pub code: String,
    /// There is a session with it.
    pub online: bool,
    /// Since when it is online, or not, seconds since 1970 UTC.
    pub since_utc_s: i64,
    /// Sessions since the station started.
    pub sessions: u64,
    /// Readings that it had kept back when its session began.
    pub backlog: u32,
    /// Orders that wait for it.
    pub open_orders: usize,
    /// Messages that were not understood, and readings from the future, since the station started.
    pub refused: u64,
    /// Its lines without a connection to their gateway.
    pub lines_down: usize,
    /// Its meters that do not answer it.
    pub meters_lost: usize,
}

impl CollectorState {
    /// Nothing was heard of it yet.
    pub(super) fn unseen(code: String, since_utc_s: i64) -> Self {
        Self {
            code,
            online: false,
            since_utc_s,
            sessions: 0,
            backlog: 0,
            open_orders: 0,
            refused: 0,
            lines_down: 0,
            meters_lost: 0,
        }
    }
}

/// The state of one collector, shared with the pages.
#[derive(Debug, Clone)]
pub(super) struct Shown(Arc<Mutex<CollectorState>>);

impl Shown {
    pub(super) fn new(state: CollectorState) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    pub(super) fn with(&self, change: impl FnOnce(&mut CollectorState)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn get(&self) -> CollectorState {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A collector and its keys.
#[derive(Debug)]
struct Known {
    keys: PeerKeys,
    code: Arc<str>,
    connections: mpsc::Sender<Conn>,
}

/// Why the door can't be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// A collector's keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The latest time.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// Its meters.
    #[error(transparent)]
    Status(#[from] StatusReadError),
    /// Two collectors with the same number in their key files.
    #[error("the key files of collectors `{first}` and `{second}` are both for peer {peer}")]
    SamePeer {
        /// One.
        first: String,
        /// The other.
        second: String,
        /// Their number.
        peer: u64,
    },
}

/// All collectors of the station.
#[derive(Debug, Default)]
pub struct Gate {
    /// None: no door, and no collectors.
    guarded: Option<(Guard, WorldClock)>,
    known: HashMap<PeerId, Known>,
    states: Vec<Shown>,
    tasks: JoinSet<()>,
}

impl Gate {
    /// A door without collectors yet.
    pub(super) fn guarded(guard: Guard, clock: WorldClock) -> Self {
        Self { guarded: Some((guard, clock)), ..Self::default() }
    }

    /// Adds a collector. Its key file is read from the folder of keys.
    pub(super) fn add(
        &mut self,
        collector: &model::Collector,
        folder: &Path,
        setup: PeerSetup,
    ) -> Result<(), GateError> {
        let keys = keys::load(&folder.join(&collector.key_file))?;
        if let Some(other) = self.known.get(&keys.peer()) {
            let (first, second) = (other.code.to_string(), collector.code.clone());
            return Err(GateError::SamePeer { first, second, peer: keys.peer().0 });
        }
        let state = Shown::new(CollectorState::unseen(collector.code.clone(), setup.clock.utc_s()));
        let (connections, arriving) = mpsc::channel(1);
        self.states.push(state.clone());
        let guard = self.guarded.as_ref().map(|(guard, _)| guard.clone()).zip(keys.suite());
        self.tasks.spawn(Peer::new(&collector.code, setup, Ids::new()?, state, guard).run(arriving));
        let code = collector.code.as_str().into();
        self.known.insert(keys.peer(), Known { keys, code, connections });
        Ok(())
    }

    /// Opens the door. Whoever can't prove to be a collector of the site is closed without a word.
    pub(super) fn take(&mut self, listener: TcpListener) {
        let Some((guard, clock)) = self.guarded.clone() else { return };
        let door = Arc::new(Entrance { known: std::mem::take(&mut self.known), guard: guard.clone(), clock });
        self.tasks.spawn(async move {
            let mut note = interval(NOTE_EVERY);
            loop {
                note.tick().await;
                guard.note(clock.utc_s());
            }
        });
        self.tasks.spawn(async move {
            let setups = Arc::new(Mutex::new(Setups::default()));
            let mut tasks = JoinSet::new();
            let mut dropped = 0;
            loop {
                let (stream, address) = match listener.accept().await {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be taken");
                        tokio::time::sleep(AGAIN).await;
                        continue;
                    }
                };
                while tasks.try_join_next().is_some() {}
                let mut all = setups.lock().unwrap_or_else(PoisonError::into_inner);
                all.enter(address.ip(), |ticket| tasks.spawn(enter(stream, door.clone(), setups.clone(), ticket)));
                // A flood is told as often as it doubles.
                if all.dropped() > dropped * 2 {
                    dropped = all.dropped();
                    tracing::warn!(dropped, %address, "connections without a word had to give way");
                }
            }
        });
    }

    /// How the collectors are.
    pub fn states(&self) -> Vec<CollectorState> {
        self.states.iter().map(Shown::get).collect()
    }
}

/// What a set-up needs.
#[derive(Debug)]
struct Entrance {
    known: HashMap<PeerId, Known>,
    guard: Guard,
    clock: WorldClock,
}

/// One connection, from its first byte to its collector's task.
async fn enter(stream: TcpStream, door: Arc<Entrance>, setups: Arc<Mutex<Setups>>, ticket: Ticket) {
    let accepted = door.set_up(stream).await;
    setups.lock().unwrap_or_else(PoisonError::into_inner).leave(ticket);
    if let Some((known, conn)) = accepted {
        tracing::info!(collector = &*known.code, "connected");
        let _ = known.connections.send(conn).await;
    }
}

impl Entrance {
    async fn set_up(&self, stream: TcpStream) -> Option<(&Known, Conn)> {
        let _ = stream.set_nodelay(true);
        let nonce = keys::nonce().inspect_err(|error| tracing::error!(%error, "no session")).ok()?;
        let (reader, writer) = stream.into_split();
        let allowed = |keys: &&PeerKeys| keys.suite().is_some_and(|suite| self.guard.allows(suite, self.clock.utc_s()));
        // Before the answer leaves: whatever the collector says on this session is said later.
        let mut asked = Now::default();
        let choose = |request: &HelloRequest| {
            asked = self.clock.now();
            self.known.get(&request.peer()).map(|known| &known.keys).filter(allowed)
        };
        let accepted = accept(reader, writer, nonce, choose).await;
        let (peer, reader, writer) =
            accepted.inspect_err(|error| tracing::info!(%error, "a connection was closed")).ok()?;
        let known = self.known.get(&peer)?;
        Some((known, Conn::new(known.code.clone(), asked, reader, writer)))
    }
}
