//! `vending-station serve`: the station of an imported site, in real time.

use crate::{
    api,
    clock::WorldClock,
    demo::listen_for_signals,
    sealed::{door::Door, settings::now_unix_ms},
    station::{Station, StationError},
    store::{LEASE, Place, Store, StoreError},
};
use meter_protocol::seal::SuitePolicy;
use std::{io, net::SocketAddr, path::PathBuf};
use tokio::net::TcpListener;

/// Why the station does not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The station.
    #[error(transparent)]
    Station(#[from] StationError),
    /// An address.
    #[error("{address}: {error}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
}

/// Serves until a signal asks to stop. Stopping at any other moment is safe too: what is open is in the store.
///
/// # Errors
/// [`ServeError`]; nothing runs then.
pub async fn run(
    db: Place,
    listen: SocketAddr,
    collectors: Option<SocketAddr>,
    keys: PathBuf,
    policy: SuitePolicy,
) -> Result<(), ServeError> {
    let mut stop_asked = listen_for_signals();
    let page = bind(listen).await?;
    let door = match collectors {
        Some(address) => Some(Door { listener: bind(address).await?, keys, policy }),
        None => None,
    };
    let store = Store::open(db, LEASE).await?;
    let station = Station::start(store, WorldClock::starting_at(now_unix_ms(), 1), false, door).await?;
    println!("page: http://{listen}");
    let app = api::router(station.clone());
    let server = tokio::spawn(async move { axum::serve(page, app).await });
    let _ = stop_asked.wait_for(|asked| *asked).await;
    println!("stopping in order…");
    station.drain().await;
    server.abort();
    station.books.flush().await;
    station.store.close().await;
    Ok(())
}

async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|error| ServeError::Listen { address, error })
}
