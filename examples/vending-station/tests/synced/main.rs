//! `kill -9` leaves the page cache alone, so it proves nothing about a power cut. Here the system calls of a station are traced
//! while it sells. At the moment at which the first byte of a money frame leaves, the sale's intent must be in a copy of the
//! store that holds nothing but bytes behind a finished `fdatasync`.
//!
//! Needs strace: `scripts/check-synced` runs it.

mod disk;
mod trace;

use disk::Disk;
use sqlx::{Connection, Row, SqliteConnection};
use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use trace::{Frame, Step};
use vending_station::{
    clock::WorldClock,
    site,
    station::Station,
    store::{Place, Store, check, site as stored},
};

/// Long enough for the slowest computer: it decides nothing, it only ends a test that hangs.
const DEADLINE: Duration = Duration::from_secs(90);
const METERS: usize = 6;
/// Sales of each meter, one after the other.
const ROUNDS: usize = 3;
const PROGRAM: &str = env!("CARGO_BIN_EXE_vending-station");
/// Where the traced station finds its store, and how it is to treat the disk.
const STORE: &str = "SYNCED_STORE";
const PRAGMA: &str = "SYNCED_PRAGMA";

/// A fleet of a few meters in a process of its own, and the store of its station.
struct World {
    folder: tempfile::TempDir,
    fleet: Child,
}

impl World {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let site = folder.path().join("site.toml");
        let first = free_ports();
        let mut fleet = Command::new(PROGRAM)
            .arg("simulate")
            .arg(&site)
            .args(["--meters", &METERS.to_string(), "--gateways", "2", "--listen", &first.to_string()])
            .arg("--world")
            .arg(folder.path().join("world.sqlite"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let ready = std::io::BufRead::lines(std::io::BufReader::new(fleet.stdout.take().expect("piped")))
            .map_while(Result::ok)
            .any(|line| line.starts_with("ready"));
        assert!(ready, "the fleet does not start");
        std::fs::create_dir(folder.path().join("store")).expect("made");
        Self { folder, fleet }
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store/station.sqlite")
    }

    /// Imports the site and closes the file again: what it holds then is the disk at the beginning.
    fn import(&self) {
        let site = site::load(&self.folder.path().join("site.toml")).expect("good").site;
        block_on(async {
            let store = Store::open(Place::File(self.store()), Duration::ZERO).await.expect("opened");
            stored::import(&store, &site).await.expect("imported");
            store.close().await;
        });
    }

    /// Has a station sell under a trace.
    fn trace(&self, pragma: &str) -> Vec<Step> {
        let trace = self.folder.path().join("trace");
        let calls = "trace=pwrite64,write,writev,sendto,sendmsg,lseek,fdatasync,fsync,ftruncate,unlink";
        let done = Command::new("strace")
            .args(["-f", "-y", "-xx", "-s", "100000", "-e", calls, "-e", "signal=none", "-o"])
            .arg(&trace)
            .arg(std::env::current_exe().expect("this test"))
            .args(["--exact", "the_station_of_the_trace", "--ignored", "--nocapture"])
            .env(STORE, self.store())
            .env(PRAGMA, pragma)
            .stdout(Stdio::null())
            .status()
            .expect("strace is there");
        assert!(done.success(), "the station under the trace: {done}");
        trace::read(&std::fs::read_to_string(trace).expect("a trace"))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.fleet.kill();
        let _ = self.fleet.wait();
    }
}

/// An address with a free port behind which another is free.
fn free_ports() -> SocketAddr {
    loop {
        let one = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
        let next = one.port().checked_add(1).map(|port| TcpListener::bind(("127.0.0.1", port)));
        if matches!(next, Some(Ok(_))) {
            return one;
        }
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(work)
}

/// Not a test: the station that is traced. It opens all accounts and sells to each a few times.
#[test]
#[ignore = "the others start it"]
fn the_station_of_the_trace() {
    let Some(path) = std::env::var_os(STORE) else { return };
    block_on(async {
        let store = Store::open(Place::File(path.into()), Duration::ZERO).await.expect("opened");
        let pragma = sqlx::AssertSqlSafe(std::env::var(PRAGMA).unwrap_or_default());
        sqlx::raw_sql(pragma).execute(store.writer()).await.expect("set");
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
        let clock = WorldClock::starting_at(i64::try_from(now_ms).expect("fits"), 1);
        let station = Station::start(store, clock, false, None).await.expect("started");
        until(async || {
            let state = station.books.look().await.expect("alive");
            state.accounts.values().filter(|account| account.terms().is_some()).count() == METERS
        })
        .await;
        for round in 0..ROUNDS {
            for account in 1..=METERS {
                let amount = i64::try_from(1_000 + 100 * round + account).expect("small");
                let key = format!("{round}-{account}");
                let id = i64::try_from(account).expect("small");
                station.books.sell(&key, key.as_bytes(), id, amount, "cash").await.expect("sold");
            }
            let sold = i64::try_from((round + 1) * METERS).expect("small");
            until(async || closed(&station).await == sold).await;
        }
        // As a power cut: nothing is closed in order.
        std::process::exit(0);
    });
}

async fn closed(station: &Station) -> i64 {
    let query = "SELECT count(*) AS n FROM sale WHERE state IN ('applied', 'applied_by_count')";
    sqlx::query(query).fetch_one(station.store.readers()).await.expect("counted").get("n")
}

async fn until(mut holds: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !holds().await {
        assert!(Instant::now() < end, "waited in vain");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What a trace shows.
#[derive(Debug, Default)]
struct Shown {
    frames: usize,
    /// Frames whose intent was not on the disk when they left.
    early: Vec<Frame>,
    /// Why the store can't be opened again, at these frames and at the end.
    broken: Vec<String>,
    syncs: u32,
    /// Sales in the copy at the end.
    sales: i64,
}

/// Follows the disk through the trace and cuts the power at each money frame, and at the end.
fn follow(world: &World, disk: Disk, steps: Vec<Step>) -> Shown {
    let mut disk = disk;
    let mut shown = Shown::default();
    for step in steps {
        if let Step::Frame(frame) = step {
            shown.frames += 1;
            let copy = tempfile::tempdir_in(world.folder.path()).expect("a folder");
            disk.copy_to(copy.path());
            match block_on(intent(copy.path(), frame)) {
                Ok(true) => {}
                Ok(false) => shown.early.push(frame),
                Err(error) => shown.broken.push(format!("{frame:?}: {error}")),
            }
        } else {
            disk.take(step);
        }
    }
    shown.syncs = disk.syncs;
    let copy = tempfile::tempdir_in(world.folder.path()).expect("a folder");
    disk.copy_to(copy.path());
    match block_on(reopen(copy.path())) {
        Ok(sales) => shown.sales = sales,
        Err(error) => shown.broken.push(format!("at the end: {error}")),
    }
    shown
}

/// Whether the copy is whole and holds the open intent of a frame.
async fn intent(folder: &Path, frame: Frame) -> Result<bool, sqlx::Error> {
    let file = folder.join("station.sqlite");
    let mut copy = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await?;
    let whole: String = sqlx::query("PRAGMA integrity_check").fetch_one(&mut copy).await?.get(0);
    let open = sqlx::query(
        "SELECT count(*) AS n FROM outbox o JOIN meter m ON cast(m.number AS integer) = o.meter
         WHERE o.state = 'open' AND o.amount_minor = $1 AND o.new_count = $2 AND m.unit = $3",
    )
    .bind(i64::from(frame.amount_minor))
    .bind(i64::from(frame.count))
    .bind(i64::from(frame.unit))
    .fetch_one(&mut copy)
    .await?
    .get::<i64, _>("n");
    copy.close().await?;
    Ok(whole == "ok" && open == 1)
}

/// Opens the copy as the station does at its next start, builds every table again, and counts the sales.
async fn reopen(folder: &Path) -> Result<i64, Box<dyn std::error::Error>> {
    let store = Store::open(Place::File(folder.join("station.sqlite")), Duration::ZERO).await?;
    let checked = check::check_site(&store, true).await?;
    let sales = sqlx::query("SELECT count(*) AS n FROM sale").fetch_one(store.readers()).await?.get("n");
    store.close().await;
    if checked.is_whole() { Ok(sales) } else { Err(format!("{checked:?}").into()) }
}

fn run(pragma: &str) -> Shown {
    let world = World::start();
    world.import();
    let disk = Disk::of(&world.folder.path().join("store"));
    let steps = world.trace(pragma);
    let shown = follow(&world, disk, steps);
    println!(
        "{pragma:?}: {} money frames, {} syncs, {} frames before their intent was on the disk, {} sales in the synced copy, broken: {:?}",
        shown.frames,
        shown.syncs,
        shown.early.len(),
        shown.sales,
        shown.broken
    );
    shown
}

#[test]
#[ignore = "needs strace: scripts/check-synced"]
fn an_intent_is_on_the_disk_before_its_frame_leaves() {
    let shown = run("");
    assert_eq!((shown.early, shown.broken), (Vec::new(), Vec::new()));
    assert_eq!((shown.frames, shown.sales), (METERS * ROUNDS, i64::try_from(METERS * ROUNDS).expect("small")));
}

/// The same test must find out a store that leaves syncing to the operating system.
#[test]
#[ignore = "needs strace: scripts/check-synced"]
fn a_store_that_does_not_sync_is_found_out() {
    let shown = run("PRAGMA synchronous = OFF");
    assert_eq!(shown.frames, METERS * ROUNDS);
    let found = shown.early.len() + shown.broken.len();
    assert!(found >= METERS * ROUNDS, "only {found} of {} frames were found to be early", shown.frames);
}
