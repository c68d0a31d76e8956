//! The demonstration's collectors: their files, and the processes that run them.

use super::{DemoError, DemoOptions, MALL, io};
use crate::{
    clock::WorldClock,
    sealed::{
        door::Door,
        keys,
        settings::{CollectorFile, World, now_unix_ms},
    },
    site::{Site, model::Collector},
};
use meter_protocol::seal::SuitePolicy;
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command},
};
use tokio::net::TcpListener;
use toml::{Table, Value};

/// The collector of a site that has none.
const CODE: &str = "K1";

/// Gives the second half of the gateways to a collector.
pub(super) fn share_out(site: &mut Site) {
    let half = site.gateways.len() / 2;
    for gateway in site.gateways.iter_mut().skip(half) {
        gateway.collector = Some(CODE.into());
    }
    site.collectors.push(Collector { code: CODE.into(), key_file: format!("{CODE}.keys") });
}

/// The collectors of a run. Dropping it ends their processes.
#[derive(Debug)]
pub(super) struct Outposts {
    /// Where they come in.
    pub(super) address: SocketAddr,
    files: Vec<PathBuf>,
    processes: Vec<Child>,
}

impl Outposts {
    /// Writes keys, site and settings for each collector; none for a site without.
    pub(super) async fn prepare(
        site: &Site,
        options: &DemoOptions,
        clock: WorldClock,
    ) -> Result<Option<(Door, Self)>, DemoError> {
        if site.collectors.is_empty() {
            return Ok(None);
        }
        let wanted = options.collectors.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let listener = TcpListener::bind(wanted).await.map_err(io(wanted))?;
        let address = listener.local_addr().map_err(io(wanted))?;
        let folder = std::path::absolute(&options.folder).map_err(io(options.folder.display()))?;
        let key_folder = folder.join("keys");
        std::fs::create_dir_all(&key_folder).map_err(io(key_folder.display()))?;
        let site_file = folder.join("site.toml");
        let text = site_text(site, options.site.as_deref())?;
        std::fs::write(&site_file, text).map_err(io(site_file.display()))?;
        let world =
            World { utc_ms: clock.utc_ms(), unix_ms: now_unix_ms(), speed: clock.speed(), paced: options.paced };
        let mut files = Vec::new();
        for (peer, collector) in (1..).zip(&site.collectors) {
            let key_file = key_folder.join(&collector.key_file);
            if !key_file.exists() {
                keys::create(&key_file, peer)?;
            }
            let settings = CollectorFile {
                code: collector.code.clone(),
                station: address.to_string(),
                site: site_file.clone(),
                keys: key_folder.clone(),
                journal: folder.join(format!("{}.journal", collector.code)),
                world: Some(world),
            };
            let file = folder.join(format!("collector-{}.toml", collector.code));
            let text = toml::to_string(&settings).map_err(|error| DemoError::SiteFile(error.to_string()))?;
            std::fs::write(&file, text).map_err(io(file.display()))?;
            files.push(file);
        }
        let door = Door { listener, keys: key_folder, policy: SuitePolicy::any() };
        Ok(Some((door, Self { address, files, processes: Vec::new() })))
    }

    /// Starts a process for each collector.
    pub(super) fn start(&mut self) -> Result<(), DemoError> {
        let program = std::env::current_exe().map_err(io("this program"))?;
        for file in &self.files {
            let process = Command::new(&program).arg("collect").arg(file).spawn().map_err(io(program.display()))?;
            println!("collector process {}: {}", process.id(), file.display());
            self.processes.push(process);
        }
        Ok(())
    }
}

impl Drop for Outposts {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // Any moment is good enough to stop a collector.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// The site file with the gateways where they are now and the collectors that work on them.
fn site_text(site: &Site, path: Option<&Path>) -> Result<String, DemoError> {
    let text = match path {
        Some(path) if path.is_dir() => return Err(DemoError::SiteFile("a folder of CSV files can't be shared".into())),
        Some(path) => std::fs::read_to_string(path).map_err(io(path.display()))?,
        None => MALL.to_owned(),
    };
    let bad = |reason: &dyn std::fmt::Display| DemoError::SiteFile(reason.to_string());
    let mut table: Table = toml::from_str(&text).map_err(|error| bad(&error))?;
    for gateway in table.get_mut("gateway").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(row) = gateway.as_table_mut() else { continue };
        let known = site.gateways.iter().find(|known| row.get("code").and_then(Value::as_str) == Some(&known.code));
        let Some(known) = known else { continue };
        row.insert("address".into(), known.address.clone().into());
        if let Some(collector) = &known.collector {
            row.insert("collector".into(), collector.clone().into());
        }
    }
    for tariff in table.get_mut("tariff").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(file) = tariff.as_table_mut().and_then(|row| row.get_mut("file")) else { continue };
        let folder = path.and_then(Path::parent).unwrap_or(Path::new(""));
        let place = std::path::absolute(folder.join(file.as_str().unwrap_or_default())).map_err(|error| bad(&error))?;
        *file = place.display().to_string().into();
    }
    let collectors = site.collectors.iter().map(|collector| {
        let row = [("code", &collector.code), ("key_file", &collector.key_file)];
        Value::Table(row.into_iter().map(|(name, value)| (name.to_owned(), value.clone().into())).collect())
    });
    table.insert("collector".into(), Value::Array(collectors.collect()));
    toml::to_string(&table).map_err(|error| bad(&error))
}
