//! The processes of a test: the demonstration with station and fleet, and a collector.

use serde_json::Value;
use sqlx::{Connection, Row, SqliteConnection};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Long enough for the slowest computer: it decides nothing, it only ends a test that hangs.
const DEADLINE: Duration = Duration::from_secs(90);
const PROGRAM: &str = env!("CARGO_BIN_EXE_vending-station");

/// The seed of a test, which is printed; `LINK_SEED` repeats one.
pub(crate) fn seed(test: &str) -> u64 {
    let seed = std::env::var("LINK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("{test}: LINK_SEED={seed}");
    seed
}

/// Everything that a process says, gathered by a thread.
struct Said {
    text: Arc<Mutex<String>>,
    thread: JoinHandle<()>,
}

impl Said {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let into = text.clone();
        let thread = std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let mut text = into.lock().expect("alive");
                text.push_str(&line);
                text.push('\n');
            }
        });
        Self { text, thread }
    }

    fn so_far(&self) -> String {
        self.text.lock().expect("alive").clone()
    }

    fn all(self) -> String {
        self.thread.join().expect("alive");
        self.text.lock().expect("alive").clone()
    }
}

/// A process of the demonstration, and where it is.
struct Started {
    process: Child,
    said: [Said; 2],
    page: String,
    door: SocketAddr,
}

impl Started {
    fn new(folder: &Path, seed: u64) -> Self {
        let site = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/collector/site.toml");
        let mut process = Command::new(PROGRAM)
            .args(["demo", "--listen", "127.0.0.1:0", "--collectors", "127.0.0.1:0", "--speed", "300"])
            .args(["--seed", &(seed >> 1).to_string()])
            .arg("--dir")
            .arg(folder)
            .arg("--site")
            .arg(site)
            .arg("--report")
            .arg(folder.join("report.json"))
            .env("RUST_LOG", "warn,vending_station=debug")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let out = Said::of(process.stdout.take().expect("piped"));
        let log = Said::of(process.stderr.take().expect("piped"));
        let mut word_after = |head: &str| {
            let until = Instant::now() + DEADLINE;
            loop {
                let text = out.so_far();
                if let Some(rest) = text.lines().find_map(|line| line.strip_prefix(head)) {
                    return rest.split_whitespace().next().expect("a word").to_owned();
                }
                let ended = process.try_wait().expect("asked").is_some();
                assert!(!ended && Instant::now() < until, "it does not start:\n{text}\n{}", log.so_far());
                std::thread::sleep(Duration::from_millis(20));
            }
        };
        let page = word_after("page: ");
        let door = word_after("collectors: ").parse().expect("an address");
        Self { process, said: [out, log], page, door }
    }
}

/// The demonstration: a station with its door and the fleet.
pub(crate) struct World {
    folder: tempfile::TempDir,
    seed: u64,
    process: Mutex<Child>,
    said: Mutex<Option<[Said; 2]>>,
    page: String,
    door: SocketAddr,
    accounts: Vec<i64>,
    /// Sales that the station took, with their accounts.
    sold: Mutex<Vec<(i64, i64, i64)>>,
}

impl World {
    pub(crate) fn start(seed: u64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let Started { process, said, page, door } = Started::new(folder.path(), seed);
        Self {
            folder,
            seed,
            process: Mutex::new(process),
            said: Mutex::new(Some(said)),
            page,
            door,
            accounts: (1..=6).collect(),
            sold: Mutex::default(),
        }
    }

    /// As a power cut does, with the station's and the meters' files left as they were; then everything starts again. The
    /// gateways get other addresses, so that a collector has to be started again too.
    pub(crate) fn cut_power(&mut self) {
        self.kill();
        let Started { process, said, page, door } = Started::new(self.folder.path(), self.seed);
        (self.page, self.door) = (page, door);
        *self.process.lock().expect("alive") = process;
        *self.said.lock().expect("alive") = Some(said);
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn door(&self) -> SocketAddr {
        self.door
    }

    /// The accounts whose purse is in the meter.
    pub(crate) fn accounts(&self) -> &[i64] {
        &self.accounts
    }

    pub(crate) fn live(&self) -> Value {
        self.get("/api/live")
    }

    pub(crate) fn sale(&self, id: i64) -> Value {
        self.get(&format!("/api/sales/{id}"))
    }

    fn get(&self, path: &str) -> Value {
        let mut answer = ureq::get(format!("{}{path}", self.page)).call().expect("an answer");
        answer.body_mut().read_json().expect("JSON")
    }

    /// Waits for something to come true; the deadline ends a test that hangs and decides nothing else.
    pub(crate) fn wait_for(&self, what: &str, holds: impl Fn(&Value) -> bool) {
        let until = Instant::now() + DEADLINE;
        loop {
            let live = self.live();
            if holds(&live) {
                return;
            }
            if Instant::now() > until {
                let said = self.said.lock().expect("alive").as_ref().map(|said| said[1].so_far()).unwrap_or_default();
                panic!("waited in vain for {what}: {live}\n{said}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until every account is open.
    pub(crate) fn wait_until_open(&self) {
        self.wait_for("the accounts to open", |live| {
            live["shops"].as_array().is_some_and(|shops| shops.iter().all(|shop| shop["money"] != "not_opened"))
        });
    }

    /// Sells at the till. None: the station refused, for one sale may be open on a meter.
    pub(crate) fn sell(&self, account: i64, amount: u32) -> Option<i64> {
        let key = format!("link-{account}-{:016x}", fastrand::u64(..));
        let body = serde_json::json!({ "account": account, "amount": format!("{amount}.00"), "channel": "cash" });
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut answer = agent
            .post(format!("{}/api/sales", self.page))
            .header("Idempotency-Key", key)
            .send_json(&body)
            .expect("an answer");
        if answer.status().as_u16() != 202 {
            return None;
        }
        let sale: Value = answer.body_mut().read_json().expect("JSON");
        let id = sale["id"].as_i64().expect("a number");
        self.sold.lock().expect("alive").push((id, account, i64::from(amount) * 100));
        Some(id)
    }

    /// Waits until every sale is closed.
    pub(crate) fn wait_until_settled(&self) {
        let open = self.sold.lock().expect("alive").clone();
        for (id, ..) in open {
            self.wait_for("the sales to close", |_| self.sale(id)["closed"] == true);
        }
    }

    /// Ends the demonstration at once and returns what it said.
    pub(crate) fn kill(&self) -> String {
        let mut process = self.process.lock().expect("alive");
        process.kill().expect("killed");
        process.wait().expect("ended");
        self.said.lock().expect("alive").take().expect("once").map(Said::all).concat()
    }

    /// Ends the demonstration in order; then books, station's rows and the meters themselves have to agree.
    pub(crate) fn finish_and_audit(&self) {
        let mut process = self.process.lock().expect("alive");
        let signal = Command::new("kill").args(["-INT", &process.id().to_string()]).status().expect("kill");
        assert!(signal.success());
        let status = process.wait().expect("ended");
        let said = self.said.lock().expect("alive").take().expect("once").map(Said::all).concat();
        let report: Value =
            serde_json::from_str(&std::fs::read_to_string(self.folder().join("report.json")).expect("a report"))
                .unwrap_or_else(|error| panic!("{error}\n{said}"));
        assert!(status.success() && report["findings"].as_array().is_some_and(Vec::is_empty), "{report:#}\n{said}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(self.audit());
    }

    /// The meters' own counts have moved by the sales of the station's file, no more and no less.
    async fn audit(&self) {
        let open = |name: &str| format!("sqlite://{}?mode=ro", self.folder().join(name).display());
        let mut station = SqliteConnection::connect(&open("station.sqlite")).await.expect("the station's file");
        let mut world = SqliteConnection::connect(&open("world.sqlite")).await.expect("the world's file");
        let query = "SELECT m.number, count(s.id) AS sales FROM meter m JOIN tenant t ON t.code = m.tenant
            LEFT JOIN sale s ON s.account = t.id AND s.state IN ('applied', 'applied_by_count')
            WHERE t.purse = 'meter' GROUP BY m.number";
        let rows = sqlx::query(query).fetch_all(&mut station).await.expect("read");
        assert_eq!(rows.len(), self.accounts.len());
        let counts = opening_counts(&mut station).await;
        let mut moved = 0;
        for row in rows {
            let (number, sales): (String, i64) = (row.get("number"), row.get("sales"));
            let state: String = sqlx::query("SELECT state FROM meters WHERE number = $1")
                .bind(&number)
                .fetch_one(&mut world)
                .await
                .expect("a meter")
                .get("state");
            let state: Value = serde_json::from_str(&state).expect("JSON");
            let count = state["purse"]["count"].as_i64().expect("a count");
            assert_eq!(count - counts[&number], sales, "meter {number}");
            moved += sales;
        }
        let sold = self.sold.lock().expect("alive").len();
        println!("{sold} sales by the test, {moved} in the meters");
        assert!(moved >= i64::try_from(sold).expect("few") && sold > 0);
    }
}

/// What each meter counted when its account was opened, before anybody could buy: the first line of the books.
async fn opening_counts(station: &mut SqliteConnection) -> BTreeMap<String, i64> {
    let rows = sqlx::query("SELECT body FROM event WHERE kind = 'opened'").fetch_all(station).await.expect("read");
    let mut counts = BTreeMap::new();
    for row in rows {
        let event: Value = serde_json::from_str(row.get("body")).expect("JSON");
        for meter in event["fact"]["opened"]["meters"].as_array().expect("meters") {
            let number = meter["terms"]["meter"].to_string().trim_matches('"').to_owned();
            counts.insert(number, meter["shown"]["purchase_count"].as_i64().expect("a count"));
        }
    }
    counts
}

impl Drop for World {
    fn drop(&mut self) {
        let mut process = self.process.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let _ = process.kill();
        let _ = process.wait();
    }
}

/// A collector process.
pub(crate) struct Collector {
    process: Child,
    said: Option<Said>,
}

impl Collector {
    pub(crate) fn start(world: &World, station: Option<SocketAddr>) -> Self {
        let mut command = Command::new(PROGRAM);
        command.arg("collect").arg(world.folder().join("collector-K1.toml"));
        if let Some(station) = station {
            command.args(["--station", &station.to_string()]);
        }
        let mut process =
            command.env("RUST_LOG", "warn,vending_station=debug").stderr(Stdio::piped()).spawn().expect("started");
        let said = Some(Said::of(process.stderr.take().expect("piped")));
        Self { process, said }
    }

    /// As a power cut does.
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("killed");
        self.process.wait().expect("ended");
    }

    /// Kills it and returns what it said.
    pub(crate) fn end(mut self) -> String {
        self.kill();
        self.said.take().expect("once").all()
    }

    pub(crate) fn said_so_far(&self) -> String {
        self.said.as_ref().map(Said::so_far).unwrap_or_default()
    }

    /// Waits for its own end and returns what it said.
    pub(crate) fn wait(mut self) -> String {
        assert!(!self.process.wait().expect("ended").success());
        self.said.take().expect("once").all()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
