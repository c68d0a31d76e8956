//! The demonstration: a virtual mall, the station that looks after it, and the people who buy, in one process.
//!
//! Station and fleet meet only on the wire and share only time. Each has its own file in the demonstration's folder.

pub mod audit;
mod collectors;
mod customers;
pub mod report;

use crate::{
    api,
    collect::patience::Patience,
    fleet::{Fleet, FleetError, FleetHandle, FleetOptions, FleetPlan, LOSSY},
    pricing::PricingError,
    sealed::keys::KeysError,
    site::{self, Complaint, Site, model::Gateway},
    station::{Station, StationError},
    store::{LEASE, Place, Store, StoreError, site as stored_site},
};
use report::Report;
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// The mall that comes with the program.
const MALL: &str = include_str!("../../demo/mall.toml");
/// Monday, 2 November 2026, 08:00 in the mall.
const FIRST_MORNING_UTC_S: i64 = 1_793_577_600;
/// How often progress is shown.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);
/// How long open sales may take to close at the end.
const DRAIN_LIMIT: Duration = Duration::from_secs(30);

/// What the user asked for.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// Folder of the two files.
    pub folder: PathBuf,
    /// A site file of the user's own instead of the mall.
    pub site: Option<PathBuf>,
    /// The station's store; a file in the folder by default.
    pub db: Option<Place>,
    /// Where the page is served.
    pub listen: SocketAddr,
    /// World seconds a real second.
    pub speed: u32,
    /// Lines take the time that their baud rate needs.
    pub paced: bool,
    /// End after this long.
    pub duration: Option<Duration>,
    /// Where everything random comes from.
    pub seed: u64,
    /// Write the report as JSON here too.
    pub report: Option<PathBuf>,
    /// Where collectors of the site come in; any free port of this computer by default.
    pub collectors: Option<SocketAddr>,
    /// Run the site's collectors as processes of their own; a site without one gets one for half of its gateways.
    pub collect: bool,
}

/// Why the demonstration could not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// The site file.
    #[error("{} complaint(s) about the site:\n{}", .0.len(), .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Site(Vec<Complaint>),
    /// The fleet.
    #[error(transparent)]
    Fleet(Box<dyn std::error::Error + Send + Sync>),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The import.
    #[error(transparent)]
    Import(#[from] stored_site::ImportError),
    /// A tariff.
    #[error(transparent)]
    Pricing(#[from] PricingError),
    /// The station.
    #[error(transparent)]
    Station(#[from] StationError),
    /// Books without their world.
    #[error("{}: the station has open accounts, but the world is new; its meters know nothing of their credit. Bring world.sqlite back, or begin again in an empty folder", folder.display())]
    WorldLost {
        /// The demonstration's folder.
        folder: PathBuf,
    },
    /// The keys of a collector.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The site file for a collector.
    #[error("the site file for collectors: {0}")]
    SiteFile(String),
    /// A file or socket.
    #[error("{what}: {error}")]
    Io {
        /// Which.
        what: String,
        /// Why.
        error: std::io::Error,
    },
}

impl From<FleetError> for DemoError {
    fn from(error: FleetError) -> Self {
        Self::Fleet(Box::new(error))
    }
}

fn io(what: impl ToString) -> impl FnOnce(std::io::Error) -> DemoError {
    move |error| DemoError::Io { what: what.to_string(), error }
}

/// Runs until the time is over or somebody presses Ctrl-C, prints the table, and says whether everything balances.
///
/// # Errors
/// [`DemoError`] when it can't start or the final report can't be written.
pub async fn run(options: DemoOptions) -> Result<bool, DemoError> {
    let listener = tokio::net::TcpListener::bind(options.listen).await.map_err(io(options.listen))?;
    let address = listener.local_addr().map_err(io(options.listen))?;
    if let Some(path) = &options.report {
        std::fs::write(path, "").map_err(io(path.display()))?;
    }
    let mut stop_asked = listen_for_signals();
    let mut site = match &options.site {
        Some(path) => site::load(path),
        None => site::from_toml("demo/mall.toml", MALL),
    }
    .map_err(DemoError::Site)?
    .site;
    if options.collect && site.collectors.is_empty() {
        collectors::share_out(&mut site);
    }
    std::fs::create_dir_all(&options.folder).map_err(io(options.folder.display()))?;
    let anywhere = |_: &Gateway| Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let plan = FleetPlan::of_site(&site, options.seed, FIRST_MORNING_UTC_S, anywhere)?;
    let fleet = Fleet::open(&options.folder.join("world.sqlite"), plan).await?;
    let place = options.db.clone().unwrap_or_else(|| Place::File(options.folder.join("station.sqlite")));
    let store = Store::open(place, LEASE).await?;
    // The world goes on where it stopped; the station's clock must not have been ahead of it.
    let latest = crate::store::read::latest_utc_s(&store).await?;
    let clock = fleet.clock(latest.saturating_mul(1000), options.speed);
    let created = fleet.meters_created();
    let patience = Patience::new(clock, options.paced);
    let fleet_options = FleetOptions {
        paced: options.paced,
        faults: LOSSY,
        seed: options.seed,
        frame_life: patience.frame_life(),
        ..FleetOptions::default()
    };
    let fleet = fleet.serve(clock, fleet_options).await?;
    for (gateway, address) in gateways_of(&site).into_iter().zip(fleet.addresses()) {
        site.gateways[gateway].address = address.to_string();
    }
    stored_site::import(&store, &site).await?;
    if created == site.meters.len() && stored_site::any_open(&store).await? {
        return Err(DemoError::WorldLost { folder: options.folder });
    }
    let outposts = collectors::Outposts::prepare(&site, &options, clock).await?;
    let (door, mut outposts) = outposts.map_or((None, None), |(door, outposts)| (Some(door), Some(outposts)));
    let station = Station::start(store, clock, options.paced, door).await?;
    let (shops, meters) = (site.tenants.len(), site.meters.len());
    let world = if created > 0 { format!("{created} of them new in the world") } else { "the world goes on".into() };
    println!("{}: {shops} shops, {meters} meters ({world})", site.settings.name);
    println!("page: http://{address}  (ends {})", ends(options.duration));
    if let Some(outposts) = &mut outposts {
        println!("collectors: {}", outposts.address);
        if options.collect {
            outposts.start()?;
        }
    }
    let app = api::router(station.clone());
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let stop = Arc::new(AtomicBool::new(false));
    let people = {
        let (stop, speed, seed) = (stop.clone(), options.speed, options.seed);
        std::thread::spawn(move || customers::run(&format!("http://{address}"), speed, seed, &stop))
    };

    let began = Instant::now();
    if watch_progress(&station, began, options.duration, &mut stop_asked).await {
        println!("stopping in order…");
    }
    stop.store(true, Ordering::Relaxed);
    let joined = tokio::task::spawn_blocking(move || people.join()).await;
    if !matches!(joined, Ok(Ok(()))) {
        tracing::error!("the customers' thread ended badly");
    }
    station.drain().await;
    drain(&station).await;
    station.close().await;
    server.abort();
    drop(outposts);
    let report = audit::make(&station, fleet_counts(&fleet), began.elapsed()).await?;
    finish(&report, options.report.as_deref())?;
    station.store.close().await;
    fleet.shutdown().await?;
    Ok(report.balances())
}

fn ends(duration: Option<Duration>) -> String {
    duration.map_or_else(|| "with Ctrl-C".into(), |duration| format!("after {} s", duration.as_secs()))
}

fn finish(report: &Report, path: Option<&Path>) -> Result<(), DemoError> {
    println!("{report}");
    if let Some(path) = path {
        let text = serde_json::to_string_pretty(report).map_err(|error| io(path.display())(error.into()))?;
        std::fs::write(path, text).map_err(io(path.display()))?;
    }
    Ok(())
}

/// What the fleet itself counted.
fn fleet_counts(fleet: &FleetHandle) -> report::FleetCounts {
    let stats = fleet.stats();
    report::FleetCounts { requests: stats.requests, replies: stats.replies, states_stored: stats.states_stored }
}

/// Shows a line now and then until the time is over; true if somebody asked to stop.
async fn watch_progress(
    station: &Station,
    began: Instant,
    duration: Option<Duration>,
    stop_asked: &mut watch::Receiver<bool>,
) -> bool {
    let mut every = tokio::time::interval(PROGRESS_EVERY);
    every.tick().await;
    loop {
        let left = duration.map(|duration| duration.saturating_sub(began.elapsed()));
        let over = async {
            match left {
                Some(left) => tokio::time::sleep(left).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = over => return false,
            // What was sent before is seen too: the channel keeps it.
            _ = stop_asked.wait_for(|asked| *asked) => return true,
            _ = every.tick() => match report::progress(station).await {
                Ok(line) => println!("{line}"),
                Err(error) => tracing::error!(%error, "no progress line"),
            },
        }
    }
}

/// The first signal asks to stop in order; a second one ends the process at once, which the files survive.
pub(crate) fn listen_for_signals() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            tracing::error!("signals can't be listened for");
            return std::future::pending().await;
        };
        for again in [false, true] {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            if again {
                std::process::exit(130);
            }
            sender.send_replace(true);
        }
    });
    receiver
}

/// Waits until no sale is open any more. What can't be settled by then stays open and is reported.
async fn drain(station: &Station) {
    let until = Instant::now() + DRAIN_LIMIT;
    while Instant::now() < until {
        let open = station.books.look().await.map(|state| report::open_sales(&state));
        if !open.is_ok_and(|open| open > 0) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The gateway of each bus, in the order of the buses.
fn gateways_of(site: &Site) -> Vec<usize> {
    let position = |code: &str| site.gateways.iter().position(|gateway| gateway.code == code);
    site.buses.iter().filter_map(|bus| position(&bus.gateway)).collect()
}
