//! Says in words what frames mean. Hex on standard input, one frame a line.
//!
//! ```text
//! $ echo '01 03 02 00 00 30 44 66' | cargo run -q -p meter-protocol --example explain
//! ok   unit 1 is asked for 48 holding registers from 0200H
//! ```
//!
//! Lines are taken in the order of the line: a reply is read against the request before it, which is the only way to
//! know which registers it holds. Credentials, identities and the contents of replies without a request are not shown.

mod frame;
mod words;

use std::io::{BufRead, Write};

use clap::{Parser, ValueEnum};
use frame::{Explained, Listener};
use serde_json::json;

/// Longest line that is looked at: a frame of 260 bytes with room for any separators.
const LINE_MAX_CHARS: usize = 4_096;

/// Explains Modbus frames of Acrel prepaid meters.
#[derive(Debug, Parser)]
struct Args {
    /// RTU frames with their CRC, or Modbus/TCP frames with their header
    #[arg(long, value_enum, default_value_t = Transport::Rtu)]
    transport: Transport,
    /// One JSON object a line: valid, meaning and, if not valid, error
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    Rtu,
    Tcp,
}

fn main() -> std::io::Result<()> {
    let args = Args::parse();
    let mut listener = Listener::new(args.transport);
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let text = line.split('#').next().unwrap_or_default().trim();
        if text.is_empty() {
            continue;
        }
        let explained = match bytes_of(text) {
            Ok(bytes) => listener.explain(&bytes),
            Err(error) => Explained { meaning: "not a frame".to_owned(), error: Some(error) },
        };
        let Explained { meaning, error } = explained;
        let written = match (args.json, error) {
            (true, None) => writeln!(out, "{}", json!({ "valid": true, "meaning": meaning })),
            (true, Some(error)) => writeln!(out, "{}", json!({ "valid": false, "meaning": meaning, "error": error })),
            (false, None) => writeln!(out, "ok   {meaning}"),
            (false, Some(error)) => writeln!(out, "bad  {meaning}: {error}"),
        };
        match written {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            other => other?,
        }
    }
    Ok(())
}

/// The bytes of a hex text; blanks, commas and colons may stand between them.
fn bytes_of(text: &str) -> Result<Vec<u8>, String> {
    if text.len() > LINE_MAX_CHARS {
        return Err(format!("{} characters, at most {LINE_MAX_CHARS} are looked at", text.len()));
    }
    let mut digits = Vec::new();
    for letter in text.chars().filter(|letter| !letter.is_whitespace() && !",:".contains(*letter)) {
        let digit = letter.to_digit(16).ok_or_else(|| format!("{letter:?} is no hex digit"))?;
        digits.push(u8::try_from(digit).unwrap_or(0));
    }
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(format!("{} hex digits, an odd number", digits.len()));
    }
    Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}
