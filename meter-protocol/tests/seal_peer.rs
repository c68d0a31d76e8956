//! An independent implementation in Python, written from the document alone, in both directions. It gets an environment
//! of its own with pip; an installation that fails is a failure.
#![cfg(all(feature = "seal-aes", feature = "seal-sm4"))]

#[path = "seal/support.rs"]
mod support;

use meter_protocol::acrel::{ForceMode, MeterNumber, MicroPrices};
use meter_protocol::seal::message::{
    Ack, Command as MeterCommand, CommandResult, Envelope, LineStatus, Message, MessageId, MeterLink, MeterRef,
    MeterStatus, Online, Order, Outcome, RefusalReason, RegisterBlock, SettingsOrder, Snapshot,
};
use meter_protocol::seal::{Form, Hello, HelloRequest, KeyBundle, Link, Nonce, PeerKeys, Suite};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use support::{Dice, PEER, hex, open, seal, to_hex};

const PEER_PY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/seal/peer.py");
const DOCUMENT: &str = include_str!("../docs/sealed-frame.md");

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn python() -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("seal-peer");
    let python = home.join("bin/python");
    let complete = home.join("complete");
    if !complete.exists() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home));
        let packages = ["pycryptodome>=3.20", "cryptography>=42"];
        run(Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(packages));
        std::fs::write(&complete, "").unwrap();
    }
    python
}

/// The peer, answering one request after the other.
struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    fn start(python: &Path) -> Self {
        let serve = |command: &mut Command| command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut child = serve(Command::new(python).args([PEER_PY, "serve"]));
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    fn ask(&mut self, question: &Value) -> Value {
        writeln!(self.input, "{question}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{question}: {error}: {line}"))
    }

    fn bytes(&mut self, question: &Value, field: &str) -> Vec<u8> {
        let answer = self.ask(question);
        hex(answer[field].as_str().unwrap_or_else(|| panic!("{question}: {answer}")))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_independent_peer_agrees() {
    let python = python();
    the_document_holds_its_vectors(&python);
    let mut peer = Peer::start(&python);
    for suite in Suite::ALL {
        for form in [Form::Stream, Form::Datagram] {
            both_directions(&mut peer, suite, form);
        }
    }
    messages_agree(&mut peer);
}

fn the_document_holds_its_vectors(python: &Path) {
    let made = String::from_utf8(run(Command::new(python).args([PEER_PY, "vectors"]))).unwrap();
    let shown = DOCUMENT.split("<!-- vectors -->\n").nth(1).unwrap().split("<!-- end of vectors -->").next().unwrap();
    assert_eq!(made, shown, "docs/sealed-frame.md");
}

/// Our frames against those that stand in the document; this needs no Python.
#[test]
fn the_vectors_of_the_document() {
    for suite in Suite::ALL {
        let section = DOCUMENT.split(&format!("Suite {}:\n\n```text\n", suite.code())).nth(1).unwrap();
        let lines = section.split("```").next().unwrap().lines().map(|line| line.split_once(" = ").unwrap());
        let vector: HashMap<&str, Vec<u8>> = lines.map(|(name, value)| (name, hex(value))).collect();
        let mut keys = PeerKeys::new(PEER);
        keys.insert(1, KeyBundle::from_slice(suite, &vector["master"]).unwrap()).unwrap();
        let nonce = |from: u8| Nonce(std::array::from_fn(|i| from + i as u8));
        let mut hello = Hello::new(&keys, Form::Stream, nonce(0)).unwrap();
        assert_eq!(hello.frame(), vector["hello"]);
        let mut answer = HelloRequest::read(hello.frame()).unwrap().answer(&keys, nonce(16)).unwrap();
        assert_eq!(answer.frame(), vector["welcome"]);
        let mut collector = hello.finish(answer.frame()).unwrap();
        assert_eq!(collector.session()[..], vector["session tag"]);
        let confirmation = seal(&mut collector, b"");
        assert_eq!(confirmation, vector["up.0.0"]);
        let mut station = answer.confirm(&confirmation).unwrap();
        let payload = &vector["payload"];
        assert_eq!(seal(&mut collector, payload), vector["up.0.1"]);
        assert_eq!(seal(&mut station, payload), vector["down.0.0"]);
        collector.advance_epoch().unwrap();
        assert_eq!(seal(&mut collector, payload), vector["up.1.0"]);
        for frame in ["up.0.1", "up.1.0"] {
            assert_eq!(open(&mut station, &vector[frame]).as_ref(), Ok(payload));
        }
    }
}

fn both_directions(peer: &mut Peer, suite: Suite, form: Form) {
    let seed = 0xD0C5 + u64::from(suite.code());
    println!("seed {seed:#x}");
    let mut dice = Dice(seed);
    let master = dice.bytes(suite.key_len());
    let (key_id, peer_id) = (dice.next() as u8, dice.next());
    let mut keys = PeerKeys::new(meter_protocol::seal::PeerId(peer_id));
    keys.insert(key_id, KeyBundle::from_slice(suite, &master).unwrap()).unwrap();
    let nonces: [[u8; 16]; 2] = std::array::from_fn(|_| dice.bytes(16).try_into().unwrap());
    let theirs = peer.ask(&json!({
        "op": "session", "suite": suite.code(), "master": to_hex(&master), "key_id": key_id, "peer": peer_id,
        "form": if form == Form::Stream { 1 } else { 2 },
        "hello_nonce": to_hex(&nonces[0]), "welcome_nonce": to_hex(&nonces[1]),
    }));
    let [their_hello, their_welcome] = ["hello", "welcome"].map(|name| hex(theirs[name].as_str().unwrap()));
    // Our collector and their station.
    let mut hello = Hello::new(&keys, form, Nonce(nonces[0])).unwrap();
    assert_eq!(hello.frame(), their_hello);
    let mut collector = hello.finish(&their_welcome).unwrap();
    // Their collector and our station.
    let mut answer = HelloRequest::read(&their_hello).unwrap().answer(&keys, Nonce(nonces[1])).unwrap();
    let confirmation =
        peer.bytes(&json!({"op": "seal", "direction": 0, "epoch": 0, "counter": 0, "payload": ""}), "frame");
    let mut station = answer.confirm(&confirmation).unwrap();
    seal(&mut collector, b"");
    let (mut counter, mut epoch) = (1, 0);
    for round in 0..60 {
        if round == 40 {
            collector.advance_epoch().unwrap();
            (epoch, counter) = (1, 0);
        }
        let len = if round < 33 { round } else { dice.below(1_025) };
        let payload = dice.bytes(len);
        let ours = seal(&mut collector, &payload);
        let opened = peer.ask(&json!({"op": "open", "direction": 0, "frame": to_hex(&ours)}));
        assert_eq!(opened, json!({"epoch": epoch, "counter": counter, "payload": to_hex(&payload)}), "{suite:?} {len}");
        let question = json!({
            "op": "seal", "direction": 0, "epoch": epoch, "counter": counter, "payload": to_hex(&payload)
        });
        let theirs = peer.bytes(&question, "frame");
        assert_eq!(theirs, ours, "{suite:?} {len}");
        assert_eq!(open(&mut station, &theirs), Ok(payload.clone()));
        down(peer, &mut station, &mut collector, &payload);
        counter += 1;
        // And what they refuse, too.
        let mut altered = ours;
        let bit = dice.below(altered.len() * 8);
        altered[bit / 8] ^= 1 << (bit % 8);
        let refused = peer.ask(&json!({"op": "open", "direction": 0, "frame": to_hex(&altered)}));
        assert!(refused["refused"].is_string(), "{suite:?} bit {bit}");
    }
}

fn down(peer: &mut Peer, station: &mut Link, collector: &mut Link, payload: &[u8]) {
    let frame = seal(station, payload);
    let opened = peer.bytes(&json!({"op": "open", "direction": 1, "frame": to_hex(&frame)}), "payload");
    assert_eq!(opened, payload);
    let counter = u32::from_be_bytes(frame[12..16].try_into().unwrap());
    let question = json!({"op": "seal", "direction": 1, "epoch": 0, "counter": counter, "payload": to_hex(payload)});
    assert_eq!(peer.bytes(&question, "frame"), frame);
    assert_eq!(open(collector, &frame).as_deref(), Ok(payload));
}

fn messages_agree(peer: &mut Peer) {
    let number: MeterNumber = "202603050012".parse().unwrap();
    let meter = MeterRef { line: 3, unit: 17, number };
    let there = json!([3, 17, "202603050012"]);
    let data: Vec<u8> = (0..96).collect();
    let block = RegisterBlock { read_at_utc_s: 1_772_719_650, address: 0x0200, data: &data };
    let shown = json!({"read_at": 1_772_719_650, "address": 0x0200, "data": to_hex(&data)});
    let ids = [[1; 16], [2; 16]];
    let command = |order| Message::Command(MeterCommand { meter, not_after_utc_s: 1_772_720_000, order });
    let ordered = |mut order: Value| {
        order["kind"] = "command".into();
        order["meter"] = there.clone();
        order["not_after"] = 1_772_720_000.into();
        order
    };
    let result = |outcome, before, after| {
        let command = MessageId([5; 16]);
        Message::Result(CommandResult { command, meter, ended_at_utc_s: 99, outcome, before, after })
    };
    let prices = MicroPrices { spike: 1_200_000, peak: 1_000_000, flat: 800_000, valley: u64::MAX };
    let settings = SettingsOrder {
        enable: Some(true),
        base_free_minor: Some(5),
        alarms_minor: Some((2_000, 500)),
        overdraft_minor: Some(7),
        prices: Some(prices),
    };
    let cases = [
        (
            Message::Online(Online {
                boot_count: 9,
                now_utc_s: -1,
                lines: 2,
                meters: 240,
                backlog: 70_000,
                software: "x 1.0 电",
            }),
            json!({"kind": "online", "boots": 9, "now": -1, "lines": 2, "meters": 240, "backlog": 70_000, "software": "x 1.0 电"}),
        ),
        (
            Message::Snapshot(Snapshot { meter, response_ms: 87, block }),
            json!({"kind": "snapshot", "meter": there, "response_ms": 87, "registers": shown}),
        ),
        (
            Message::MeterStatus(MeterStatus { meter, link: MeterLink::Lost, since_utc_s: 5, missed: 12 }),
            json!({"kind": "meter_status", "meter": there, "link": 3, "since": 5, "missed": 12}),
        ),
        (
            Message::LineStatus(LineStatus {
                line: 3,
                up: true,
                since_utc_s: 8,
                transmitted: 1,
                replies: 2,
                timeouts: 3,
                broken_frames: 4,
            }),
            json!({"kind": "line_status", "line": 3, "up": 1, "since": 8, "counts": [1, 2, 3, 4]}),
        ),
        (
            result(Outcome::Exception { code: 6 }, Some(block), None),
            json!({"kind": "result", "command": "05".repeat(16), "meter": there, "ended_at": 99, "outcome": [3, 6], "before": shown}),
        ),
        (
            result(Outcome::Refused(RefusalReason::Busy), Some(block), Some(block)),
            json!({"kind": "result", "command": "05".repeat(16), "meter": there, "ended_at": 99, "outcome": [4, 6], "before": shown, "after": shown}),
        ),
        (Message::Ack(Ack { ids: &ids }), json!({"kind": "ack", "ids": ["01".repeat(16), "02".repeat(16)]})),
        (
            command(Order::Read { address: 0x0400, count: 25 }),
            ordered(json!({"order": "read", "address": 0x0400, "count": 25})),
        ),
        (
            command(Order::Sale { amount_minor: 10_000, count_before: 65_535 }),
            ordered(json!({"order": "sale", "amount": 10_000, "count_before": 65_535})),
        ),
        (
            command(Order::Overwrite { count_before: 3, remaining_minor: -500, count: 4 }),
            ordered(json!({"order": "overwrite", "count_before": 3, "remaining": -500, "count": 4})),
        ),
        (
            command(Order::Settings(settings)),
            ordered(json!({"order": "settings", "enable": 1, "base": 5, "alarms": [2000, 500], "overdraft": 7,
                "prices": [1_200_000_u64, 1_000_000_u64, 800_000_u64, u64::MAX]})),
        ),
        (command(Order::Force(ForceMode::SupplyOff)), ordered(json!({"order": "force", "mode": 2}))),
        (command(Order::SetClock), ordered(json!({"order": "clock"}))),
    ];
    for (message, mut theirs) in cases {
        theirs["id"] = "0a".repeat(16).into();
        let theirs = peer.bytes(&json!({"op": "message", "message": theirs}), "payload");
        let envelope = Envelope { id: MessageId([10; 16]), message };
        let mut out = [0; 1_024];
        assert_eq!(envelope.emit(&mut out).unwrap(), theirs, "{message:?}");
        assert_eq!(Envelope::parse(&theirs), Ok(envelope));
    }
}
