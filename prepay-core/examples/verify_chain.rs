//! Checks exports of hash chains offline and prints their heads, or the first line that is wrong. With the sheets of closed
//! days (one JSON object a line) it checks their seals, and that every chain passes through the heads that they anchor.
//!
//! ```text
//! cargo run -p prepay-core --example verify_chain -- chain.txt [chain.txt…] [--days days.jsonl]
//! ```

use std::error::Error;
use std::process::ExitCode;

use prepay_core::day::{DayClose, verify_days};
use prepay_core::export::verify_chain_text_anchored;

fn check(chains: &[String], days: Option<&str>) -> Result<(), Box<dyn Error>> {
    let read = |path: &str| std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    let sheets = days.map(read).transpose()?.unwrap_or_default();
    let days: Vec<DayClose> = sheets.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    if !days.is_empty() {
        println!("{} days, seal {}", days.len(), verify_days(&days)?);
    }
    for path in chains {
        let head =
            verify_chain_text_anchored(read(path)?.lines(), &days).map_err(|error| format!("{path}: {error}"))?;
        println!("{} lines, head {}", head.seq, head.hash);
    }
    Ok(())
}

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let flag = arguments.iter().position(|argument| argument == "--days");
    let days = flag.map(|place| arguments.drain(place..).nth(1));
    if arguments.is_empty() || days == Some(None) {
        eprintln!("usage: verify_chain FILE… [--days FILE]");
        return ExitCode::from(2);
    }
    match check(&arguments, days.flatten().as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
