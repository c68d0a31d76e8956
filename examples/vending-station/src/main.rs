//! `vending-station`: collection and vending for prepaid electricity meters.

use clap::{Args, Parser, Subcommand};
use meter_protocol::seal::SuitePolicy;
use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};
use vending_station::{
    clock::WorldClock,
    demo::{self, DemoOptions},
    sealed::{collector::Collector, keys},
    serve,
    simulate::{self, SimulateOptions, Size},
    site,
    store::{self, Place, Store, backup},
};

/// Collects meters, sells electricity and keeps the books.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A virtual mall and the station that looks after it, in one process.
    Demo(DemoArgs),
    /// An area collector: runs its lines and speaks to the station over the sealed link.
    Collect {
        /// Its settings.
        file: PathBuf,
        /// `host:port` of the station, instead of the one in the settings.
        #[arg(long)]
        station: Option<String>,
    },
    /// The station of an imported site.
    Serve(ServeArgs),
    /// The virtual fleet of a site as a process of its own, for tests and training.
    Simulate(SimulateArgs),
    /// Make a key file for a collector, readable by its owner alone.
    Key {
        /// The file; it must not exist.
        file: PathBuf,
        /// The collector's number, which no other collector of the station has.
        #[arg(long)]
        peer: u64,
    },
    /// Load buildings, gateways, buses, meters, tenants and tariffs from a TOML file or a folder of CSV files.
    Import {
        /// The file or folder.
        file: PathBuf,
        /// The station's store: a file, or postgres://USER@HOST:PORT/NAME.
        #[arg(long, default_value = "station.sqlite")]
        db: Place,
        /// Only check the file.
        #[arg(long)]
        check: bool,
    },
    /// Copy the whole store into a new file; the station may go on.
    Backup {
        /// The new file.
        file: PathBuf,
        /// The station's store.
        #[arg(long, default_value = "station.sqlite")]
        db: Place,
    },
    /// Fill a new store from a backup; accounts sell again once their meter was read.
    Restore {
        /// The backup.
        file: PathBuf,
        /// The new store.
        #[arg(long, default_value = "station.sqlite")]
        db: Place,
    },
    /// Verify the journal's chain, the events and the trial balance; exit code 1 if anything is wrong.
    Check {
        /// The station's store.
        #[arg(long, default_value = "station.sqlite")]
        db: Place,
        /// Build all tables again from the events and compare every row. The station must not run.
        #[arg(long)]
        replay: bool,
    },
}

#[derive(Debug, Args)]
struct DemoArgs {
    /// End after this long, such as 60s or 5m.
    #[arg(long = "for", value_parser = parse_duration)]
    duration: Option<Duration>,
    /// World seconds in a real second.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=i64::from(WorldClock::SPEED_MAX)))]
    speed: u32,
    /// Lines take the time that 9600 baud needs; implies --speed 1.
    #[arg(long)]
    paced: bool,
    /// Folder of the station's and the world's files.
    #[arg(long, default_value = "demo-data")]
    dir: PathBuf,
    /// The station's store instead of a file in the folder, such as postgres://USER@HOST:PORT/NAME.
    #[arg(long)]
    db: Option<Place>,
    /// Address of the page; loopback only, for it has no login.
    #[arg(long, default_value = "127.0.0.1:8080", value_parser = parse_loopback)]
    listen: SocketAddr,
    /// A site file instead of the mall.
    #[arg(long)]
    site: Option<PathBuf>,
    /// Where everything random comes from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the final report as JSON.
    #[arg(long)]
    report: Option<PathBuf>,
    /// Where collectors of the site come in.
    #[arg(long)]
    collectors: Option<SocketAddr>,
    /// Run collectors as processes of their own; a site without one gets one for half of its gateways.
    #[arg(long)]
    collect: bool,
}

#[derive(Debug, Args)]
struct ServeArgs {
    /// The station's store: a file, or postgres://USER@HOST:PORT/NAME.
    #[arg(long, default_value = "station.sqlite")]
    db: Place,
    /// Address of the page; loopback only, for it has no login.
    #[arg(long, default_value = "127.0.0.1:8080", value_parser = parse_loopback)]
    listen: SocketAddr,
    /// Where the site's collectors come in.
    #[arg(long)]
    collectors: Option<SocketAddr>,
    /// Folder of the key files that the site names.
    #[arg(long, default_value = "keys")]
    keys: PathBuf,
    /// Collectors with 3DES keys are refused from this day on, such as 2027-06-30 (00:00 UTC).
    #[arg(long, value_parser = parse_day)]
    refuse_3des_from: Option<i64>,
}

#[derive(Debug, Args)]
struct SimulateArgs {
    /// The site file whose meters are played, at the addresses that it gives to its gateways.
    site: PathBuf,
    /// Write a site of so many meters into that file first, if there is none.
    #[arg(long, requires = "gateways")]
    meters: Option<usize>,
    /// Gateways of the new site, each with one line.
    #[arg(long, requires = "meters")]
    gateways: Option<usize>,
    /// Where the first gateway of the new site listens; the others follow on the next ports.
    #[arg(long, default_value = "127.0.0.1:20000")]
    listen: SocketAddr,
    /// The file of the meters' states.
    #[arg(long, default_value = "world.sqlite")]
    world: PathBuf,
    /// Lines take the time that their baud rate needs.
    #[arg(long)]
    paced: bool,
    /// Lines lose and break frames, by this seed.
    #[arg(long, value_name = "SEED")]
    faults: Option<u64>,
    /// Note each frame that writes to a meter in this file, one a line: time in ms, line, bytes.
    #[arg(long, value_name = "FILE")]
    writes: Option<PathBuf>,
    /// So many gateways are dead: refused, black hole, silent, one byte a second, in turn.
    #[arg(long, default_value_t = 0)]
    dead: usize,
    /// Where everything random of a new world comes from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| "warn,vending_station=warn".into()),
        )
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    runtime.block_on(async {
        match cli.command {
            Command::Demo(args) => demonstrate(args).await,
            Command::Collect { file, station } => collect(file, station).await,
            Command::Serve(ServeArgs { db, listen, collectors, keys, refuse_3des_from }) => {
                let policy = refuse_3des_from.map_or_else(SuitePolicy::any, SuitePolicy::refuse_tdes_from);
                match serve::run(db, listen, collectors, keys, policy).await {
                    Ok(()) => ExitCode::SUCCESS,
                    Err(error) => fail(&error),
                }
            }
            Command::Simulate(args) => simulate(args).await,
            Command::Key { file, peer } => match keys::create(&file, peer) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(&error),
            },
            Command::Import { file, db, check } => import(file, db, check).await,
            Command::Backup { file, db } => match backup::backup(&db, &file).await {
                Ok(copied) => say(format_args!("{} rows of {db} are in {}", copied.rows, file.display())),
                Err(error) => fail(&error),
            },
            Command::Restore { file, db } => match backup::restore(&file, &db).await {
                Ok(copied) => say(format_args!(
                    "{} rows restored into {db}; {} accounts take no sale before their meter was read",
                    copied.rows, copied.unproved
                )),
                Err(error) => fail(&error),
            },
            Command::Check { db, replay } => check(db, replay).await,
        }
    })
}

async fn demonstrate(args: DemoArgs) -> ExitCode {
    let options = DemoOptions {
        folder: args.dir,
        site: args.site,
        db: args.db,
        listen: args.listen,
        speed: if args.paced { 1 } else { args.speed },
        paced: args.paced,
        duration: args.duration,
        seed: args.seed,
        report: args.report,
        collectors: args.collectors,
        collect: args.collect,
    };
    match demo::run(options).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => fail(&error),
    }
}

async fn simulate(args: SimulateArgs) -> ExitCode {
    let size = |(meters, gateways)| Size { meters, gateways, first: args.listen };
    let options = SimulateOptions {
        site: args.site,
        new: args.meters.zip(args.gateways).map(size),
        world: args.world,
        paced: args.paced,
        faults: args.faults,
        dead: args.dead,
        writes: args.writes,
        seed: args.seed,
    };
    match simulate::run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

async fn collect(file: PathBuf, station: Option<String>) -> ExitCode {
    let collector = match Collector::start(&file, station).await {
        Ok(collector) => collector,
        Err(error) => return fail(&error),
    };
    match collector.run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

async fn import(file: PathBuf, db: Place, check: bool) -> ExitCode {
    let checked = match site::load(&file) {
        Ok(checked) => checked,
        Err(complaints) => {
            for complaint in &complaints {
                eprintln!("{complaint}");
            }
            eprintln!("{} complaints; nothing was imported", complaints.len());
            return ExitCode::FAILURE;
        }
    };
    for warning in &checked.warnings {
        eprintln!("warning: {warning}");
    }
    if check {
        println!("{} is right", file.display());
        return ExitCode::SUCCESS;
    }
    let imported = async {
        let store = Store::open(db.clone(), Duration::ZERO).await?;
        let imported = store::site::import(&store, &checked.site).await;
        store.close().await;
        imported
    };
    match imported.await {
        Ok(imported) => {
            println!(
                "{} records imported into {}, {} others left as they are",
                imported.records, db, imported.untouched
            );
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error),
    }
}

async fn check(db: Place, replay: bool) -> ExitCode {
    let checked = async {
        // A replay compares what must not move meanwhile.
        let store = if replay { Store::open(db, Duration::ZERO).await? } else { Store::open_to_read(db).await? };
        let checked = store::check::check_site(&store, replay).await;
        store.close().await;
        checked
    };
    match checked.await {
        Err(error) => fail(&error),
        Ok(checked) => {
            println!("{} events, {} entries of the journal, head {}", checked.events, checked.entries, checked.head);
            println!("debits {} credits", if checked.balances { "equal" } else { "DIFFER FROM" });
            for difference in &checked.differences {
                println!("{difference}");
            }
            if replay {
                println!("{} rows differ from what the events say", checked.differing);
            }
            if checked.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
    }
}

fn say(what: std::fmt::Arguments<'_>) -> ExitCode {
    println!("{what}");
    ExitCode::SUCCESS
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

/// `90`, `90s`, `5m` or `2h`.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let factor = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(format!("`{unit}` is no unit; expected s, m or h")),
    };
    let count: u64 = digits.parse().map_err(|_| format!("`{text}` is no duration; expected such as 60s"))?;
    count.checked_mul(factor).map(Duration::from_secs).ok_or_else(|| format!("`{text}` is too long"))
}

/// The first second of a day, UTC.
fn parse_day(text: &str) -> Result<i64, String> {
    let day: chrono::NaiveDate =
        text.parse().map_err(|_| format!("`{text}` is no day; expected such as 2027-06-30"))?;
    Ok(day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp())
}

fn parse_loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| format!("`{text}` is no address; expected such as 127.0.0.1:8080"))?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err(format!(
            "{address} can be reached from outside, and the demonstration has no login; expected a loopback address"
        ))
    }
}
