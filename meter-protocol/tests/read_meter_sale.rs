//! The example `read_meter` sells, is killed at the worst moments, and settles at its next start by reading back.
#![cfg(all(unix, feature = "tokio", feature = "virtual-meter"))]

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::example;
use meter_protocol::virtual_meter::{MeterOptions, MeterSetup, Model, RequestCut, VirtualMeter, cut_request};

const START_MS: i64 = 1_772_704_800_000;

/// What the meter's line does with the next sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sale {
    Answer,
    /// The meter takes it, nobody hears.
    TakeSilently,
    /// It never reaches the meter.
    Lose,
}

/// The moment at which the program is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Moment {
    /// When this many frames have arrived.
    frame: usize,
    /// Whether the meter gets the last of them.
    is_served: bool,
}

/// What happens on the line from now on.
struct Plan {
    sale: Sale,
    /// Frames up to the moment are counted down.
    kill: Option<Moment>,
}

/// A meter behind a TCP port of this process.
struct Station {
    meter: Arc<Mutex<VirtualMeter>>,
    plan: Arc<Mutex<Plan>>,
    address: String,
    /// Each sale as it arrives, with the journal as it was at that moment.
    sales: Receiver<String>,
    /// The moment has come.
    reached: Receiver<()>,
}

/// The line's end of a [`Station`].
struct Served {
    meter: Arc<Mutex<VirtualMeter>>,
    plan: Arc<Mutex<Plan>>,
    journal: PathBuf,
    heard: Sender<String>,
    reached: Sender<()>,
}

impl Station {
    fn start(journal: &Path) -> Self {
        let mut setup = MeterSetup::new(Model::Ddsy1352, 1, [2, 0, 2, 6, 0, 3, 0, 5, 0, 0, 1, 2], START_MS);
        (setup.prepay_enabled, setup.remaining_cents, setup.purchase_count) = (true, 8_875, 12);
        let meter = Arc::new(Mutex::new(VirtualMeter::new(&setup, MeterOptions::default()).unwrap()));
        let plan = Arc::new(Mutex::new(Plan { sale: Sale::Answer, kill: None }));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("tcp://{}", listener.local_addr().unwrap());
        let ((heard, sales), (reach, reached)) = (channel(), channel());
        let (meter_served, plan_served) = (Arc::clone(&meter), Arc::clone(&plan));
        let served =
            Served { meter: meter_served, plan: plan_served, journal: journal.to_owned(), heard, reached: reach };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &served);
            }
        });
        Self { meter, plan, address, sales, reached }
    }

    fn plan(&self, sale: Sale) {
        self.plan.lock().unwrap().sale = sale;
    }

    fn shown(&self) -> (i32, u16) {
        let meter = self.meter.lock().unwrap();
        (meter.remaining_cents(), meter.purchase_count())
    }

    fn command(&self, journal: &Path, more: &[&str]) -> Command {
        let mut command = Command::new(example("read_meter", "tokio"));
        command.args(["--connect", &self.address, "--unit", "1", "--frame-life-s", "1", "--journal"]);
        command.arg(journal).args(more).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the program and kills it at a moment; false if it had ended before.
    fn kill_at(&self, journal: &Path, more: &[&str], moment: Moment) -> bool {
        self.plan.lock().unwrap().kill = Some(moment);
        let mut child = self.command(journal, more).spawn().unwrap();
        let was_reached = loop {
            match self.reached.recv_timeout(Duration::from_millis(2)) {
                Ok(()) => break true,
                Err(_) if child.try_wait().unwrap().is_some() => break self.reached.try_recv().is_ok(),
                Err(_) => {}
            }
        };
        let _ended = child.kill();
        child.wait().unwrap();
        self.plan.lock().unwrap().kill = None;
        was_reached
    }

    /// Starts a sale and kills the program as soon as its frame has arrived here.
    fn kill_at_sale(&self, journal: &Path, sale: Sale) -> String {
        self.plan(sale);
        let mut child = self.command(journal, &["--sell", "100.00"]).spawn().unwrap();
        let journal_then = self.sales.recv().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        self.plan(Sale::Answer);
        journal_then
    }
}

fn serve(mut stream: TcpStream, served: &Served) {
    let (mut received, mut bytes) = (Vec::new(), [0; 256]);
    while let Ok(count @ 1..) = stream.read(&mut bytes) {
        received.extend_from_slice(&bytes[..count]);
        while let RequestCut::Frame(length) = cut_request(&received) {
            let frame: Vec<u8> = received.drain(..length).collect();
            let is_sale = frame[1..4] == [0x20, 0x01, 0x00];
            let (sale, last) = {
                let mut plan = served.plan.lock().unwrap();
                if let Some(kill) = &mut plan.kill {
                    kill.frame -= 1;
                }
                (plan.sale, plan.kill.take_if(|kill| kill.frame == 0))
            };
            let act = if is_sale { sale } else { Sale::Answer };
            let is_taken = last.map_or(act != Sale::Lose, |moment| moment.is_served);
            let reply = if is_taken { served.meter.lock().unwrap().serve(START_MS, &frame) } else { None };
            if is_sale {
                served.heard.send(std::fs::read_to_string(&served.journal).unwrap()).unwrap();
            }
            if last.is_some() {
                served.reached.send(()).unwrap();
                // Nothing more is answered; the program is killed while it waits.
                while let Ok(1..) = stream.read(&mut bytes) {}
                return;
            }
            if let (Sale::Answer, Some(reply)) = (act, reply) {
                let _gone = stream.write_all(&reply);
            }
        }
    }
}

fn journal_at(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.jsonl", std::process::id()));
    let _absent = std::fs::remove_file(&path);
    path
}

fn json(output: &Output) -> serde_json::Value {
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_sale_is_on_disk_before_its_first_byte_and_closed_by_the_read_back() {
    let journal = journal_at("plain");
    let station = Station::start(&journal);
    let output = station.command(&journal, &["--sell", "100.00"]).output().unwrap();
    let shown = json(&output);
    assert_eq!((&shown["balance"], &shown["purchase_count"]), (&"188.75".into(), &13.into()));
    assert_eq!(shown["sales"][0]["state"], "taken");
    let journal_then = station.sales.recv().unwrap();
    assert!(journal_then.ends_with('\n') && journal_then.contains("\"state\":\"intent\""), "{journal_then}");
    assert!(std::fs::read_to_string(&journal).unwrap().contains("\"state\":\"taken\""));
    assert_eq!(station.shown(), (18_875, 13));
}

#[test]
fn killed_after_the_meter_took_the_sale() {
    let journal = journal_at("taken");
    let station = Station::start(&journal);
    assert!(station.kill_at_sale(&journal, Sale::TakeSilently).contains("intent"));
    assert_eq!(station.shown(), (18_875, 13));
    // The next start settles it and sells nothing by itself.
    let shown = json(&station.command(&journal, &[]).output().unwrap());
    assert_eq!((&shown["sales"][0]["state"], &shown["balance"]), (&"taken".into(), &"188.75".into()));
    // Settled once: the start after that has nothing to say about it.
    let shown = json(&station.command(&journal, &[]).output().unwrap());
    assert!(shown.get("sales").is_none());
    assert_eq!(station.shown(), (18_875, 13));
    assert!(station.sales.try_recv().is_err(), "one frame in all");
}

#[test]
fn killed_before_the_sale_reached_the_meter() {
    let journal = journal_at("lost");
    let station = Station::start(&journal);
    station.kill_at_sale(&journal, Sale::Lose);
    assert_eq!(station.shown(), (8_875, 12));
    // Settled first, then the new sale, with the count that the lost one never used.
    let shown = json(&station.command(&journal, &["--sell", "50.25"]).output().unwrap());
    assert_eq!((&shown["sales"][0]["state"], &shown["sales"][1]["state"]), (&"not_taken".into(), &"taken".into()));
    assert_eq!(station.shown(), (8_875 + 5_025, 13));
}

#[test]
fn a_lost_reply_leaves_the_sale_open_when_the_count_has_not_moved() {
    let journal = journal_at("open");
    let station = Station::start(&journal);
    station.plan(Sale::Lose);
    let output = station.command(&journal, &["--sell", "100.00"]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("no end yet"));
    station.plan(Sale::Answer);
    let shown = json(&station.command(&journal, &[]).output().unwrap());
    assert_eq!(shown["sales"][0]["state"], "not_taken");
    assert_eq!(station.shown(), (8_875, 12));
}

#[test]
fn a_torn_intent_was_never_sent_and_a_strange_line_is_refused() {
    let journal = journal_at("torn");
    let station = Station::start(&journal);
    std::fs::write(&journal, "{\"sale\":1,\"state\":\"int").unwrap();
    let shown = json(&station.command(&journal, &["--sell", "1"]).output().unwrap());
    assert_eq!(shown["sales"][0]["state"], "taken");
    assert_eq!(station.shown(), (8_975, 13));
    std::fs::write(&journal, "{\"sale\":1,\"state\":\"unheard of\"}\n").unwrap();
    let output = station.command(&journal, &["--sell", "1"]).output().unwrap();
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("line 1"));
    assert_eq!(station.shown(), (8_975, 13));
}

/// Killed at every frame of a sale, with the meter having got that frame or not: the next start tells what the meter shows,
/// once, and no second frame of the sale is ever sent.
#[test]
fn killed_at_every_moment_of_a_sale() {
    let mut moments = [0, 0];
    for is_served in [false, true] {
        for frame in 1.. {
            let journal = journal_at(&format!("moment-{is_served}-{frame}"));
            let station = Station::start(&journal);
            let moment = Moment { frame, is_served };
            if !station.kill_at(&journal, &["--sell", "100.00"], moment) {
                break;
            }
            moments[usize::from(is_served)] += 1;
            let is_open = std::fs::read_to_string(&journal).unwrap().lines().count() == 1;
            let shown = json(&station.command(&journal, &[]).output().unwrap());
            let told = shown["sales"][0]["state"].as_str();
            let written = std::fs::read_to_string(&journal).unwrap();
            let (intended, taken) = (written.contains("\"intent\""), written.contains("\"taken\""));
            let truth = if taken { (18_875, 13) } else { (8_875, 12) };
            assert_eq!(station.shown(), truth, "{moment:?}: {written}");
            // Each intent has exactly one verdict, and what was open is told.
            assert_eq!(written.lines().count(), 2 * usize::from(intended), "{moment:?}: {written}");
            let expected = is_open.then_some(if taken { "taken" } else { "not_taken" });
            assert_eq!(told, expected, "{moment:?}: {written}");
            // Told once: the start after that changes nothing.
            let shown = json(&station.command(&journal, &[]).output().unwrap());
            assert!(shown.get("sales").is_none(), "{moment:?}: {shown}");
            assert_eq!(station.shown(), truth, "{moment:?}");
            assert!(station.sales.try_iter().count() <= 1, "{moment:?}: sent twice");
        }
    }
    // At least: who is it, what does it show, the sale, the read-back.
    assert!(moments.iter().all(|moments| *moments >= 4), "{moments:?}");
}

/// Settling is killed at every frame as well, and settles at the start after that.
#[test]
fn killed_at_every_moment_of_settling() {
    for (sale, truth) in [(Sale::TakeSilently, (18_875, 13)), (Sale::Lose, (8_875, 12))] {
        for frame in 1.. {
            let journal = journal_at(&format!("settling-{sale:?}-{frame}"));
            let station = Station::start(&journal);
            station.kill_at_sale(&journal, sale);
            if !station.kill_at(&journal, &[], Moment { frame, is_served: true }) {
                assert!(frame > 2, "it reads back");
                break;
            }
            json(&station.command(&journal, &[]).output().unwrap());
            let written = std::fs::read_to_string(&journal).unwrap();
            assert_eq!(written.lines().count(), 2, "{sale:?} {frame}: {written}");
            assert_eq!(written.contains("\"taken\""), sale == Sale::TakeSilently, "{sale:?} {frame}: {written}");
            assert_eq!(station.shown(), truth, "{sale:?} {frame}");
            assert_eq!(station.sales.try_iter().count(), 0, "{sale:?} {frame}: sent again");
        }
    }
}
