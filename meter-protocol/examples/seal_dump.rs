//! Opens captured frames of a sealed link with the peer's key file, for support work. Hex on standard input, one frame a
//! line, both directions as they came.
//!
//! ```text
//! $ cargo run -q -p meter-protocol --features seal --example seal_dump -- --keys peer-7.keys < captured.hex
//! hello      suite 1, key 1, peer 7
//! welcome    a session begins
//! up   0.0   empty
//! up   0.1   Snapshot(Snapshot { meter: MeterRef { line: 1, unit: 7, …
//! down 0.0   refused
//! ```
//!
//! The capture has to hold the set-up (hello and welcome): without its nonces nobody can open the rest. What follows may
//! have gaps. It shows what the frames hold, money included; the keys are not shown.

use clap::Parser;
use meter_protocol::seal::message::Envelope;
use meter_protocol::seal::{Direction, Header, HelloRequest, Kind, MAX_FRAME_LEN, MAX_PAYLOAD_LEN, PeerKeys, Watcher};
use std::error::Error;
use std::fs;
use std::io::{BufRead, Write};
use std::path::PathBuf;

/// Longest line that is looked at.
const MAX_LINE_LEN: usize = 4 * MAX_FRAME_LEN;

/// Opens captured frames of a sealed link.
#[derive(Debug, Parser)]
struct Args {
    /// The peer's key file
    #[arg(long)]
    keys: PathBuf,
    /// Show payloads in hexadecimal instead of messages
    #[arg(long)]
    raw: bool,
}

/// What is known of the session while reading along.
#[derive(Default)]
struct Capture {
    hello: Option<Vec<u8>>,
    watcher: Option<Watcher>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let text = fs::read_to_string(&args.keys).map_err(|error| format!("{}: {error}", args.keys.display()))?;
    let keys = PeerKeys::from_key_file(&text)?;
    let mut capture = Capture::default();
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let text = line.split('#').next().unwrap_or_default().trim();
        if text.is_empty() {
            continue;
        }
        let shown = match bytes_of(text) {
            Some(frame) => capture.explain(&keys, &frame, args.raw),
            None => "not hexadecimal, or too long".to_owned(),
        };
        writeln!(out, "{shown}")?;
    }
    Ok(())
}

impl Capture {
    fn explain(&mut self, keys: &PeerKeys, frame: &[u8], raw: bool) -> String {
        let header = match Header::parse(frame) {
            Ok(header) => header,
            Err(error) => return format!("no frame   {error}"),
        };
        match header.kind {
            Kind::Hello => {
                (self.hello, self.watcher) = (Some(frame.to_vec()), None);
                match HelloRequest::read(frame) {
                    Ok(request) => {
                        let (suite, key_id) = (request.suite().code(), request.key_id());
                        format!("hello      suite {suite}, key {key_id}, peer {}", request.peer())
                    }
                    Err(error) => format!("hello      {error}"),
                }
            }
            Kind::Welcome => match self.hello.as_deref().map(|hello| Watcher::new(keys, hello, frame)) {
                Some(Ok(watcher)) => {
                    self.watcher = Some(watcher);
                    "welcome    a session begins".to_owned()
                }
                Some(Err(error)) => format!("welcome    {error}"),
                None => "welcome    without its hello".to_owned(),
            },
            _ => format!("{:<10} {}", place(&header), self.payload(frame, raw)),
        }
    }

    fn payload(&self, frame: &[u8], raw: bool) -> String {
        let mut out = [0; MAX_PAYLOAD_LEN];
        match self.watcher.as_ref().map(|watcher| watcher.open(frame, &mut out)) {
            None => "the set-up was not captured".to_owned(),
            Some(Err(error)) => error.to_string(),
            Some(Ok([])) => "empty".to_owned(),
            Some(Ok(payload)) if raw => payload.iter().map(|byte| format!("{byte:02x}")).collect(),
            Some(Ok(payload)) => match Envelope::parse(payload) {
                Ok(envelope) => format!("{} {:?}", envelope.id, envelope.message),
                Err(error) => format!("{} bytes that are no message: {error}", payload.len()),
            },
        }
    }
}

fn place(header: &Header) -> String {
    let way = match header.direction {
        Direction::Up => "up  ",
        Direction::Down => "down",
    };
    format!("{way} {}.{}", header.epoch, header.counter)
}

fn bytes_of(text: &str) -> Option<Vec<u8>> {
    if text.len() > MAX_LINE_LEN {
        return None;
    }
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2));
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}
