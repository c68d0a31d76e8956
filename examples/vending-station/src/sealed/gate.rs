//! The station's door for collectors: it takes connections, finds out who is there, and hands each to its collector's task.

use super::{
    keys::{self, KeysError},
    peer::{Peer, PeerSetup},
    pump::Conn,
    wire::Ids,
};
use crate::{clock::WorldClock, collect::reading::StatusReadError, site::model};
use meter_protocol::seal::{HelloRequest, PeerId, PeerKeys, SuitePolicy, tokio::accept};
use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
    task::JoinSet,
};

/// Connections that may be in their set-up at a time. Others are closed at once.
const SETUPS_MAX: usize = 32;
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
}

/// The state of one collector, shared with the pages.
#[derive(Debug, Clone)]
pub(super) struct Shown(Arc<Mutex<CollectorState>>);

impl Shown {
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
    known: HashMap<PeerId, Known>,
    states: Vec<Shown>,
    tasks: JoinSet<()>,
}

impl Gate {
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
        let state = Shown(Arc::new(Mutex::new(CollectorState {
            code: collector.code.clone(),
            online: false,
            since_utc_s: setup.clock.utc_s(),
            sessions: 0,
            backlog: 0,
            open_orders: 0,
        })));
        let (connections, arriving) = mpsc::channel(1);
        self.states.push(state.clone());
        self.tasks.spawn(Peer::new(&collector.code, setup, Ids::new()?, state).run(arriving));
        let code = collector.code.as_str().into();
        self.known.insert(keys.peer(), Known { keys, code, connections });
        Ok(())
    }

    /// Opens the door. Whoever can't prove to be a collector of the site is closed without a word.
    pub(super) fn take(&mut self, listener: TcpListener, policy: SuitePolicy, clock: WorldClock) {
        let known = Arc::new(std::mem::take(&mut self.known));
        let policy = Arc::new(Mutex::new(policy));
        self.tasks.spawn(async move {
            let room = Arc::new(Semaphore::new(SETUPS_MAX));
            let mut setups = JoinSet::new();
            loop {
                let stream = match listener.accept().await {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be taken");
                        tokio::time::sleep(AGAIN).await;
                        continue;
                    }
                };
                while setups.try_join_next().is_some() {}
                let Ok(place) = room.clone().try_acquire_owned() else { continue };
                let (known, policy) = (known.clone(), policy.clone());
                setups.spawn(async move {
                    if let Some((code, conn, connections)) = set_up(stream, &known, &policy, clock).await {
                        drop(place);
                        tracing::info!(collector = &*code, "connected");
                        let _ = connections.send(conn).await;
                    }
                });
            }
        });
    }

    /// How the collectors are.
    pub fn states(&self) -> Vec<CollectorState> {
        self.states.iter().map(Shown::get).collect()
    }
}

async fn set_up(
    stream: TcpStream,
    known: &HashMap<PeerId, Known>,
    policy: &Mutex<SuitePolicy>,
    clock: WorldClock,
) -> Option<(Arc<str>, Conn, mpsc::Sender<Conn>)> {
    let _ = stream.set_nodelay(true);
    let nonce = keys::nonce().inspect_err(|error| tracing::error!(%error, "no session")).ok()?;
    let (reader, writer) = stream.into_split();
    let allowed = |keys: &&PeerKeys| {
        let mut policy = policy.lock().unwrap_or_else(PoisonError::into_inner);
        keys.suite().is_some_and(|suite| policy.allows(suite, clock.utc_s()))
    };
    let choose = |request: &HelloRequest| known.get(&request.peer()).map(|known| &known.keys).filter(allowed);
    let accepted = accept(reader, writer, nonce, choose).await;
    let (peer, reader, writer) =
        accepted.inspect_err(|error| tracing::info!(%error, "a connection was closed")).ok()?;
    let known = known.get(&peer)?;
    Some((known.code.clone(), Conn::new(known.code.clone(), reader, writer), known.connections.clone()))
}
