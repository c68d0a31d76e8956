//! Finds meters on a line: reads only, at any of 6 speeds and 3 formats.
//!
//! ```text
//! cargo run --example scan_bus --features tokio -- --connect serial:/dev/ttyUSB0 --units 1-32
//! cargo run --example scan_bus --features tokio -- --connect tcp://192.0.2.10:8899 --transport rtu
//! ```
//!
//! It prints its worst-case time first, then each unit that answers. Behind TCP the gateway sets the line, so only units
//! are tried.

#[path = "../common/connect.rs"]
mod connect;
mod scan;

use std::error::Error;

use clap::Parser;
use connect::{Target, Transport};
use scan::{Scan, Units};

/// Looks for meters; sends nothing but reads.
#[derive(Debug, Parser)]
struct Args {
    /// tcp://HOST:PORT or serial:/dev/… (a speed behind @ is tried first)
    #[arg(long)]
    connect: Target,
    /// Frames on TCP: RTU as a serial server passes them, or Modbus/TCP
    #[arg(long, value_enum, default_value_t = Transport::Rtu)]
    transport: Transport,
    /// Units to try, such as 1-32 or 1,5,12
    #[arg(long, default_value = "1-247")]
    units: Units,
    /// How long to wait for a meter, in milliseconds
    #[arg(long, default_value = "300", value_parser = clap::value_parser!(u32).range(10..=5_000))]
    timeout_ms: u32,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let scan = Scan::new(&args.connect, args.transport, args.units, args.timeout_ms)?;
    println!("worst case: {}", scan.worst_case());
    let found = scan.run().await?;
    println!("{found} found");
    Ok(())
}
