//! `vending-station simulate`: the virtual fleet of a site as a process of its own, for tests and training.
//!
//! It plays every meter of a site file at the addresses that the file gives to its gateways, so `import` and `serve` take the
//! same file. Its world file is its own: a fleet that is killed goes on with the credit that its meters had.

mod new_site;

pub use new_site::Size;

use crate::{
    clock::WorldClock,
    collect::patience::Patience,
    demo::listen_for_signals,
    fleet::{Fleet, FleetError, FleetOptions, FleetPlan, LOSSY},
    sealed::settings::now_unix_ms,
    site::{self, Complaint, model::Gateway},
};
use meter_protocol::virtual_meter::Faults;
use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// A meter that is only read is stored this often: a fleet at full speed must not wait for its own file.
const READS_KEPT_AFTER: Duration = Duration::from_secs(60);

/// What the user asked for.
#[derive(Debug, Clone)]
pub struct SimulateOptions {
    /// The site whose meters are played.
    pub site: PathBuf,
    /// Write a site of this size there first.
    pub new: Option<Size>,
    /// The file of the meters' states.
    pub world: PathBuf,
    /// Lines take the time that their baud rate needs.
    pub paced: bool,
    /// Lines lose and break frames, by this seed.
    pub faults: Option<u64>,
    /// So many gateways are dead.
    pub dead: usize,
    /// Note each frame that writes here.
    pub writes: Option<PathBuf>,
    /// Where everything random of a new world comes from.
    pub seed: u64,
}

/// Why the fleet can't be played.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulateError {
    /// The site file.
    #[error("{} complaint(s) about the site:\n{}", .0.len(), .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Site(Vec<Complaint>),
    /// No site has this size.
    #[error("`{field}` is {value}; expected {least} to {most}")]
    Size {
        /// Which.
        field: &'static str,
        /// What was asked for.
        value: usize,
        /// The least.
        least: usize,
        /// The most.
        most: usize,
    },
    /// A new site would take the place of another one.
    #[error("{}: there is another site already; a new one is written only where there is none", path.display())]
    OtherSite {
        /// The site file.
        path: PathBuf,
    },
    /// The site file can't be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The fleet.
    #[error(transparent)]
    Fleet(Box<dyn std::error::Error + Send + Sync>),
}

impl From<FleetError> for SimulateError {
    fn from(error: FleetError) -> Self {
        Self::Fleet(Box::new(error))
    }
}

/// Plays the fleet until a signal asks to stop. Any other end is safe too: what was written to a meter is in the world file
/// before the meter answers.
///
/// # Errors
/// [`SimulateError`]; nothing runs then.
pub async fn run(options: SimulateOptions) -> Result<(), SimulateError> {
    let mut stop_asked = listen_for_signals();
    if let Some(size) = options.new {
        write_new(&options.site, &size)?;
    }
    let site = site::load(&options.site).map_err(SimulateError::Site)?.site;
    let now_ms = now_unix_ms();
    let plan = FleetPlan::of_site(&site, options.seed, now_ms.div_euclid(1000), address)?;
    let fleet = Fleet::open(&options.world, plan).await?;
    let created = fleet.meters_created();
    let clock = WorldClock::starting_at(now_ms.max(fleet.time_utc_ms()), 1);
    let fleet_options = FleetOptions {
        paced: options.paced,
        faults: if options.faults.is_some() { LOSSY } else { Faults::NONE },
        seed: options.faults.unwrap_or_default(),
        frame_life: Patience::new(clock, options.paced).frame_life(),
        reads_kept_after: READS_KEPT_AFTER,
        dead: options.dead,
        writes: options.writes,
    };
    let fleet = fleet.serve(clock, fleet_options).await?;
    println!("{} meters behind {} gateways, {created} of them new in the world", site.meters.len(), site.buses.len());
    // Whoever waits for this line finds every gateway at its place.
    println!("ready: {}", options.site.display());
    let _ = stop_asked.wait_for(|asked| *asked).await;
    let stats = fleet.stats();
    fleet.shutdown().await?;
    println!("{} requests, {} replies, {} states stored", stats.requests, stats.replies, stats.states_stored);
    Ok(())
}

/// Where a gateway of the site listens.
fn address(gateway: &Gateway) -> Result<SocketAddr, FleetError> {
    gateway.address.parse().map_err(|error| FleetError::Unplayable {
        what: format!("gateway {}", gateway.code),
        reason: format!("`{}` is no address of this computer: {error}", gateway.address),
    })
}

fn write_new(path: &Path, size: &Size) -> Result<(), SimulateError> {
    let text = new_site::text(size)?;
    let failed = |error| SimulateError::File { path: path.into(), error };
    match std::fs::read_to_string(path) {
        Ok(there) if there == text => Ok(()),
        Ok(_) => Err(SimulateError::OtherSite { path: path.into() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => std::fs::write(path, text).map_err(failed),
        Err(error) => Err(failed(error)),
    }
}
