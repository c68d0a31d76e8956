//! Virtual meters behind a TCP port or a pseudo-terminal.
//!
//! ```text
//! cargo run --example virtual_meter --features virtual-meter -- --listen 127.0.0.1:5020 --transport rtu --unit 1
//! cargo run --example virtual_meter --features virtual-meter -- --listen pty --transport rtu --unit 1 --unit 2
//! ```
//!
//! It prints one line when it is ready, with the port or the terminal to connect to, and runs until it is ended. The
//! meters start with a price of 0.80 a kWh in all rates, so that a load uses up the balance.

#[path = "../common/amount.rs"]
mod amount;
mod fleet;
#[cfg(unix)]
mod pty;
mod serve;

use std::error::Error;
use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;

use clap::{Parser, ValueEnum};
use fleet::{Fleet, Plan};
use meter_protocol::virtual_meter::Model;

/// Most connections at a time.
const CONNECTIONS_MAX: usize = 16;

/// Virtual prepaid meters on one line.
#[derive(Debug, Parser)]
struct Args {
    /// HOST:PORT (port 0 takes a free one), or pty for a pseudo-terminal
    #[arg(long, default_value = "127.0.0.1:5020")]
    listen: String,
    /// Frames on TCP: RTU as a serial server passes them, or Modbus/TCP
    #[arg(long, value_enum, default_value_t = Transport::Rtu)]
    transport: Transport,
    /// Unit address; repeat it for more meters
    #[arg(long = "unit", default_value = "1", value_parser = clap::value_parser!(u8).range(1..=247))]
    units: Vec<u8>,
    /// Which meter
    #[arg(long, value_enum, default_value_t = ModelName::Ddsy1352)]
    model: ModelName,
    /// Remaining amount at the start
    #[arg(long, default_value = "100.00", value_parser = amount::hundredths, allow_hyphen_values = true)]
    balance: i32,
    /// Load, in kW, with at most three decimals
    #[arg(long, default_value = "0", value_parser = fleet::watts)]
    power_kw: u64,
    /// How many seconds pass in the meter during one
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    speed: u32,
    /// Seed of the faults of an old cable; without it the line is perfect
    #[arg(long)]
    faults: Option<u64>,
    /// Speed of the pseudo-terminal: requests at another one are noise
    #[arg(long, default_value = "9600")]
    baud: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Transport {
    Rtu,
    Tcp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ModelName {
    Ddsy1352,
    Dtsy1352,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let model = match args.model {
        ModelName::Ddsy1352 => Model::Ddsy1352,
        ModelName::Dtsy1352 => Model::Dtsy1352,
    };
    let plan = Plan {
        units: args.units.clone(),
        model,
        balance_cents: args.balance,
        power_w: args.power_kw,
        speed: args.speed,
        faults_seed: args.faults,
    };
    let fleet = Arc::new(Fleet::new(&plan)?);
    if args.listen == "pty" {
        return serve_pty(&args, &fleet);
    }
    let listener = TcpListener::bind(&args.listen).map_err(|error| format!("{}: {error}", args.listen))?;
    ready(&listener.local_addr()?.to_string(), &args)?;
    for stream in listener.incoming() {
        // A handle of the fleet for each connection, and this one.
        if Arc::strong_count(&fleet) > CONNECTIONS_MAX {
            continue;
        }
        let (stream, fleet) = (stream?, Arc::clone(&fleet));
        stream.set_nodelay(true)?;
        let writer = stream.try_clone()?;
        std::thread::spawn(move || match args.transport {
            Transport::Rtu => serve::rtu(stream, writer, &fleet, || true),
            Transport::Tcp => serve::modbus_tcp(stream, writer, &fleet),
        });
    }
    Ok(())
}

/// The one line that says that it works.
fn ready(place: &str, args: &Args) -> std::io::Result<()> {
    let units: Vec<String> = args.units.iter().map(ToString::to_string).collect();
    let transport = match args.transport {
        Transport::Rtu => "rtu",
        Transport::Tcp => "tcp",
    };
    let mut out = std::io::stdout();
    writeln!(out, "ready: {place} transport {transport} units {}", units.join(","))?;
    out.flush()
}

#[cfg(unix)]
fn serve_pty(args: &Args, fleet: &Arc<Fleet>) -> Result<(), Box<dyn Error>> {
    if args.transport == Transport::Tcp {
        return Err("Modbus/TCP does not run over a pseudo-terminal".into());
    }
    let terminal = pty::Terminal::open()?;
    ready(terminal.path(), args)?;
    let (reader, writer) = terminal.ends()?;
    let baud = args.baud;
    serve::rtu(reader, writer, fleet, move || terminal.baud() == baud);
    Ok(())
}

#[cfg(not(unix))]
fn serve_pty(_: &Args, _: &Arc<Fleet>) -> Result<(), Box<dyn Error>> {
    Err("there are no pseudo-terminals on this system".into())
}
