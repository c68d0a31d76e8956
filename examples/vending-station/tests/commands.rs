//! Remote commands on virtual meters that count what reaches them: each meter is commanded, nobody twice, through lost replies
//! and a killed station; a work tag is stronger than money and than every other order.

mod common;

use common::Scratch;
use meter_protocol::virtual_meter::{
    FaultInjector, Faults, MeterOptions, MeterSetup, Model, RequestCut, VirtualBus, VirtualMeter, cut_request,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};
use vending_station::store::Place;

const PROGRAM: &str = env!("CARGO_BIN_EXE_vending-station");
/// It decides nothing, it only ends a test that hangs.
const DEADLINE: Duration = Duration::from_secs(120);
/// The first register of the force word (register manual, 0057H).
const FORCE_ADDRESS: [u8; 2] = [0x00, 0x57];
const WRITE_REGISTERS: u8 = 0x10;
const BUSES: usize = 4;
const METERS_A_BUS: u8 = 30;

/// A line of virtual meters behind a socket.
struct Line {
    bus: VirtualBus,
    /// Force words by unit, in the order in which they came.
    forced: BTreeMap<u8, Vec<Vec<u8>>>,
    /// The reply to the next write of a force word to this unit is lost.
    lose: Option<u8>,
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("small")
}

impl Line {
    fn new(bus: usize) -> Self {
        let mut line = VirtualBus::new(FaultInjector::new(Faults::NONE, 1), None);
        for unit in 1..=METERS_A_BUS {
            let digits = number(bus, unit).into_bytes().iter().map(|byte| byte - b'0').collect::<Vec<_>>();
            let mut setup = MeterSetup::new(Model::Dtsy1352, unit, digits.try_into().expect("12"), now_ms());
            setup.utc_offset_min = 480;
            setup.prepay_enabled = true;
            (setup.remaining_cents, setup.purchase_count) = (50_000, 7);
            line.add(VirtualMeter::new(&setup, MeterOptions::default()).expect("a meter")).expect("a place");
        }
        Self { bus: line, forced: BTreeMap::new(), lose: None }
    }

    fn request(&mut self, frame: &[u8]) -> Vec<u8> {
        let reply = self.bus.request(now_ms(), frame).deliveries.into_iter().flat_map(|one| one.bytes).collect();
        if frame[1] == WRITE_REGISTERS && frame[2..4] == FORCE_ADDRESS {
            self.forced.entry(frame[0]).or_default().push(frame[7..frame.len() - 2].to_vec());
            if self.lose.take_if(|unit| *unit == frame[0]).is_some() {
                return Vec::new();
            }
        }
        reply
    }

    fn closed(&self, unit: u8) -> bool {
        self.bus.meters()[usize::from(unit) - 1].relay_closed()
    }
}

fn number(bus: usize, unit: u8) -> String {
    format!("20261100{bus:02}{unit:02}")
}

/// The lines live as long as the test; stations come and go.
fn serve(line: &Arc<Mutex<Line>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let line = line.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let line = line.clone();
            std::thread::spawn(move || connection(stream, &line));
        }
    });
    port
}

fn connection(mut stream: TcpStream, line: &Mutex<Line>) {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 256]);
    while let Ok(count @ 1..) = stream.read(&mut chunk) {
        bytes.extend_from_slice(&chunk[..count]);
        while let RequestCut::Frame(length) = cut_request(&bytes) {
            let frame: Vec<u8> = bytes.drain(..length).collect();
            // A little time on the wire, so that a kill finds something in the middle.
            std::thread::sleep(Duration::from_millis(2));
            let reply = line.lock().expect("alive").request(&frame);
            if stream.write_all(&reply).is_err() {
                return;
            }
        }
    }
}

fn site(ports: &[u16]) -> String {
    let mut site = String::from(
        "site.name = \"Test\"\nsite.currency = \"CNY\"\nsite.utc_offset_min = 480\nsite.price_places = 4\n\
         site.equal_count = \"acknowledged\"\nsite.rate_codes_from_one = true\nbuilding = [{ code = \"A\", name = \"A\" }]\n",
    );
    for (bus, port) in ports.iter().enumerate() {
        let _ = writeln!(site, "[[gateway]]\ncode = \"G{bus}\"\nbuilding = \"A\"\naddress = \"127.0.0.1:{port}\"");
        let _ = writeln!(site, "[[bus]]\ncode = \"B{bus}\"\ngateway = \"G{bus}\"\nbaud = 9600");
        for unit in 1..=METERS_A_BUS {
            let number = number(bus, unit);
            let _ = writeln!(
                site,
                "[[tenant]]\ncode = \"S{bus}-{unit}\"\nname = \"Shop\"\ntrade = \"clothes\"\nbuilding = \"A\"\nfloor = \"{bus}F\"\n\
                 tariff = \"flat\"\npurse = \"meter\"\nalarm_1 = \"50.00\"\nalarm_2 = \"15.00\"\n\
                 [[meter]]\nnumber = \"{number}\"\nbus = \"B{bus}\"\nunit = {unit}\nmodel = \"DTSY1352-NK\"\ntenant = \"S{bus}-{unit}\""
            );
        }
    }
    site.push_str(
        "[[tariff]]\ncode = \"flat\"\n[tariff.document]\nschema = 1\nname = \"Flat\"\nzone = \"+08:00\"\n\
         [[tariff.document.versions]]\nfrom = \"2026-01-01\"\nenergy.rates = [{ name = \"flat\", price = \"0.8821\" }]\n",
    );
    site
}

/// A station as a process, which can be killed.
struct Station {
    process: Child,
    page: String,
}

impl Station {
    fn start(place: &Place) -> Self {
        // The port is free again when the station takes it; another process may be faster, and the test fails loudly.
        let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let mut process = Command::new(PROGRAM)
            .args(["serve", "--db", &named(place), "--listen", &free.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        assert!(line.starts_with("page: "), "{line}");
        Self { process, page: format!("http://{free}") }
    }

    fn kill(mut self) {
        self.process.kill().expect("killed");
        self.process.wait().expect("ended");
    }

    fn get(&self, path: &str) -> Value {
        ureq::get(format!("{}{path}", self.page)).call().expect("an answer").body_mut().read_json().expect("JSON")
    }

    fn post(&self, path: &str, key: &str, body: &Value) -> (u16, Value) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let request = agent.post(format!("{}{path}", self.page)).header("Idempotency-Key", key);
        let mut answer = request.send_json(body).expect("an answer");
        (answer.status().as_u16(), answer.body_mut().read_json().expect("JSON"))
    }

    fn order(&self, key: &str, kind: &str, select: &Value) -> i64 {
        let (status, batch) = self.post("/api/commands", key, &request(kind, select, 7));
        assert_eq!(status, 202, "{batch}");
        batch["id"].as_i64().expect("a number")
    }

    /// Waits until the batch has its end, and returns it.
    fn finished(&self, batch: i64) -> Value {
        self.wait_for(&format!("/api/commands/{batch}"), |batch| batch["state"] == "done")
    }

    fn wait_for(&self, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + DEADLINE;
        loop {
            let answer = self.get(path);
            if holds(&answer) {
                return answer;
            }
            assert!(Instant::now() < until, "waited in vain: {answer}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn wait_until_open(&self) {
        self.wait_for("/api/live", |live| {
            live["shops"].as_array().is_some_and(|shops| shops.iter().all(|shop| shop["money"] != "not_opened"))
        });
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn named(place: &Place) -> String {
    match place {
        Place::File(path) => path.display().to_string(),
        Place::Postgres(url) => url.to_string(),
        _ => panic!("a place that the tests don't know"),
    }
}

fn request(kind: &str, select: &Value, operator: u32) -> Value {
    json!({ "kind": kind, "select": select, "operator": operator, "why": "test" })
}

fn count(batch: &Value, state: &str) -> i64 {
    batch["counts"][state].as_i64().unwrap_or(0)
}

/// Lines, and a store that has imported their site.
struct World {
    lines: Vec<Arc<Mutex<Line>>>,
    scratch: Scratch,
}

impl World {
    fn new(buses: usize) -> Self {
        let lines: Vec<_> = (0..buses).map(|bus| Arc::new(Mutex::new(Line::new(bus)))).collect();
        let ports: Vec<u16> = lines.iter().map(serve).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let scratch = runtime.block_on(Scratch::new());
        let file = tempfile::Builder::new().suffix(".toml").tempfile().expect("a file");
        std::fs::write(file.path(), site(&ports)).expect("written");
        let path: &Path = file.path();
        let imported = Command::new(PROGRAM).arg("import").arg(path).args(["--db", &named(&scratch.place)]).output();
        let imported = imported.expect("started");
        assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
        Self { lines, scratch }
    }

    fn start(&self) -> Station {
        Station::start(&self.scratch.place)
    }

    fn line(&self, bus: usize) -> std::sync::MutexGuard<'_, Line> {
        self.lines[bus].lock().expect("alive")
    }
}

#[test]
fn a_killed_batch_goes_on_and_commands_each_meter_at_most_once_more() {
    let world = World::new(BUSES);
    let station = world.start();
    station.wait_until_open();
    // Making a meter ready may write the force word; from here on each write counts.
    for bus in 0..BUSES {
        world.line(bus).forced.clear();
    }
    world.line(0).lose = Some(3);
    let preview = station.post("/api/commands/preview", "", &request("force_off", &json!({ "building": "A" }), 7)).1;
    assert_eq!((preview["meters"].as_i64(), preview["shops"].as_i64()), (Some(120), Some(120)));
    let batch = station.order("off-1", "force_off", &json!({ "building": "A" }));
    assert_eq!(
        station.order("off-1", "force_off", &json!({ "building": "A" })),
        batch,
        "the same key is the same batch"
    );
    let other = station.post("/api/commands", "off-1", &request("keep_power", &json!({ "building": "A" }), 7));
    assert_eq!((other.0, other.1["type"].as_str()), (409, Some("urn:vending-station:key-used")));
    let seen = station.wait_for(&format!("/api/commands/{batch}"), |batch| count(batch, "done") >= 20);
    station.kill();
    let before: usize = (0..BUSES).map(|bus| world.line(bus).forced.len()).sum();
    println!("killed with {} of 120 told as done, {before} meters written", count(&seen, "done"));
    assert!(before < 120, "the kill came too late");
    let station = world.start();
    let batch = station.finished(batch);
    assert_eq!(count(&batch, "done"), 120, "{}", batch["counts"]);
    let mut writes = BTreeMap::new();
    for bus in 0..BUSES {
        let line = world.line(bus);
        for unit in 1..=METERS_A_BUS {
            assert!(!line.closed(unit), "bus {bus} unit {unit}");
            *writes.entry(line.forced.get(&unit).map_or(0, Vec::len)).or_insert(0) += 1;
        }
    }
    println!("meters by writes of the force word: {writes:?}");
    assert!(writes.keys().all(|count| (1..=2).contains(count)), "{writes:?}");
}

#[test]
fn a_work_tag_is_stronger_than_a_recharge_and_than_keep_power() {
    let world = World::new(1);
    let station = world.start();
    station.wait_until_open();
    let (tagged, account) = (json!({ "meters": [number(0, 5)] }), 5);
    let sold = |key: &str| {
        let body = json!({ "account": account, "amount": "100.00", "channel": "cash" });
        let (status, sale) = station.post("/api/sales", key, &body);
        assert_eq!(status, 202, "{sale}");
        station.wait_for(&format!("/api/sales/{}", sale["id"]), |sale| sale["closed"] == true)["kind"].clone()
    };
    assert_eq!(count(&station.finished(station.order("keep", "keep_power", &tagged)), "done"), 1);
    // A recharge and the tag at the same time.
    std::thread::scope(|scope| {
        let sale = scope.spawn(|| sold("race"));
        assert_eq!(count(&station.finished(station.order("tag", "work_tag", &tagged)), "done"), 1);
        assert_eq!(sale.join().expect("sold"), "applied");
    });
    assert!(!world.line(0).closed(5), "above keep power, and beside a recharge");
    let writes = world.line(0).forced.get(&5).map_or(0, Vec::len);
    assert_eq!(sold("later"), "applied");
    for kind in ["keep_power", "restore_prepaid"] {
        let batch = station.finished(station.order(kind, kind, &tagged));
        assert_eq!(count(&batch, "refused"), 1, "{batch}");
        assert!(batch["meters"][0]["reason"].as_str().is_some_and(|reason| reason.contains("work tag")), "{batch}");
    }
    let all = station.finished(station.order("read", "read_now", &json!({ "all": true })));
    assert_eq!(count(&all, "done"), i64::from(METERS_A_BUS));
    assert!(!world.line(0).closed(5), "after a recharge");
    assert_eq!(world.line(0).forced.get(&5).map_or(0, Vec::len), writes, "nothing was written under the tag");
    // Only its owner or an administrator lifts it.
    let (status, foreign) = station.post("/api/commands", "lift-1", &request("lift_tag", &tagged, 8));
    assert_eq!(status, 202, "{foreign}");
    let foreign = station.finished(foreign["id"].as_i64().expect("a number"));
    assert_eq!(count(&foreign, "refused"), 1, "{foreign}");
    let mut administrator = request("lift_tag", &tagged, 8);
    administrator["administrator"] = true.into();
    let lifted = station.post("/api/commands", "lift-2", &administrator).1;
    assert_eq!(count(&station.finished(lifted["id"].as_i64().expect("a number")), "done"), 1);
    assert!(world.line(0).closed(5), "power is kept again");
}

#[test]
fn what_failed_is_tried_again_alone_and_a_cancelled_rest_is_left() {
    let world = World::new(1);
    let station = world.start();
    station.wait_until_open();
    let pair = json!({ "meters": [number(0, 1), number(0, 2)] });
    let first = json!({ "meters": [number(0, 1)] });
    station.finished(station.order("tag", "work_tag", &first));
    let batch = station.order("prepaid", "restore_prepaid", &pair);
    let ended = station.finished(batch);
    assert_eq!((count(&ended, "refused"), count(&ended, "done")), (1, 1), "{ended}");
    station.finished(station.order("lift", "lift_tag", &first));
    let (status, again) = station.post(&format!("/api/commands/{batch}/retry"), "again", &json!(null));
    assert_eq!(status, 202, "{again}");
    let again = station.finished(again["id"].as_i64().expect("a number"));
    assert_eq!((again["meters"].as_array().map(Vec::len), count(&again, "done")), (Some(1), 1), "{again}");
    // Restoration goes in groups, so there is a rest to cancel.
    let all = station.order("all", "keep_power", &json!({ "all": true }));
    let cancelled = station.post(&format!("/api/commands/{all}/cancel"), "", &json!(null)).1;
    assert_eq!(cancelled["state"], "cancelled");
    assert!(count(&cancelled, "cancelled") >= 10, "{}", cancelled["counts"]);
    let refused = station.post("/api/commands", "none", &request("keep_power", &json!({}), 7));
    assert_eq!((refused.0, refused.1["type"].as_str()), (422, Some("urn:vending-station:refused")));
    let mut table = String::new();
    let mut answer = ureq::get(format!("{}/api/meters.csv", station.page)).call().expect("an answer");
    answer.body_mut().as_reader().read_to_string(&mut table).expect("text");
    assert_eq!(table.lines().count(), 1 + usize::from(METERS_A_BUS), "a row a meter");
    assert!(table.lines().skip(1).all(|row| !row.ends_with(',')), "each with the time of its reading");
    let page = ureq::get(format!("{}/commands?lang=zh&kind=force_off&bus=B0&operator=1&why=x", station.page));
    let page = page.call().expect("an answer").body_mut().read_to_string().expect("text");
    assert!(page.contains("30 家商铺") && page.contains("拉闸"), "the preview");
}
