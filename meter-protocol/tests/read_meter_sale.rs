//! The example `read_meter` sells, is killed at the worst moments, and settles at its next start by reading back.
#![cfg(all(unix, feature = "tokio", feature = "virtual-meter"))]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

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

/// A meter behind a TCP port of this process.
struct Station {
    meter: Arc<Mutex<VirtualMeter>>,
    next: Arc<Mutex<Sale>>,
    address: String,
    /// Each sale as it arrives, with the journal as it was at that moment.
    sales: Receiver<String>,
}

impl Station {
    fn start(journal: &Path) -> Self {
        let mut setup = MeterSetup::new(Model::Ddsy1352, 1, [2, 0, 2, 6, 0, 3, 0, 5, 0, 0, 1, 2], START_MS);
        (setup.prepay_enabled, setup.remaining_cents, setup.purchase_count) = (true, 8_875, 12);
        let meter = Arc::new(Mutex::new(VirtualMeter::new(&setup, MeterOptions::default()).unwrap()));
        let next = Arc::new(Mutex::new(Sale::Answer));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("tcp://{}", listener.local_addr().unwrap());
        let (heard, sales) = channel();
        let (served, plan, journal) = (Arc::clone(&meter), Arc::clone(&next), journal.to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &served, &plan, &journal, &heard);
            }
        });
        Self { meter, next, address, sales }
    }

    fn shown(&self) -> (i32, u16) {
        let meter = self.meter.lock().unwrap();
        (meter.remaining_cents(), meter.purchase_count())
    }

    fn command(&self, journal: &Path, more: &[&str]) -> Command {
        let mut command = Command::new(read_meter());
        command.args(["--connect", &self.address, "--unit", "1", "--frame-life-s", "2", "--journal"]);
        command.arg(journal).args(more).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts a sale and kills the program as soon as its frame has arrived here.
    fn kill_at_sale(&self, journal: &Path, sale: Sale) -> String {
        *self.next.lock().unwrap() = sale;
        let mut child = self.command(journal, &["--sell", "100.00"]).spawn().unwrap();
        let journal_then = self.sales.recv().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        *self.next.lock().unwrap() = Sale::Answer;
        journal_then
    }
}

fn serve(
    mut stream: TcpStream,
    meter: &Mutex<VirtualMeter>,
    next: &Mutex<Sale>,
    journal: &Path,
    heard: &Sender<String>,
) {
    let (mut received, mut bytes) = (Vec::new(), [0; 256]);
    while let Ok(count @ 1..) = stream.read(&mut bytes) {
        received.extend_from_slice(&bytes[..count]);
        while let RequestCut::Frame(length) = cut_request(&received) {
            let frame: Vec<u8> = received.drain(..length).collect();
            let is_sale = frame[1..4] == [0x20, 0x01, 0x00];
            let act = if is_sale { *next.lock().unwrap() } else { Sale::Answer };
            let reply = if act == Sale::Lose { None } else { meter.lock().unwrap().serve(START_MS, &frame) };
            if is_sale {
                heard.send(std::fs::read_to_string(journal).unwrap()).unwrap();
            }
            if let (Sale::Answer, Some(reply)) = (act, reply) {
                let _gone = stream.write_all(&reply);
            }
        }
    }
}

/// The example beside this test; built here if only this test was asked for.
fn read_meter() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples/read_meter");
    if !path.exists() {
        let built =
            Command::new(env!("CARGO")).args(["build", "--example", "read_meter", "--features", "tokio"]).status();
        assert!(built.unwrap().success() && path.exists(), "{}", path.display());
    }
    path
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
    *station.next.lock().unwrap() = Sale::Lose;
    let output = station.command(&journal, &["--sell", "100.00"]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("no end yet"));
    *station.next.lock().unwrap() = Sale::Answer;
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
