//! Reads one meter and prints what it shows as JSON; switches its relay; sells credit into it.
//!
//! ```text
//! cargo run --example read_meter --features tokio -- --connect tcp://127.0.0.1:5020 --transport rtu --unit 1
//! cargo run --example read_meter --features tokio -- --connect serial:/dev/ttyUSB0 --unit 1 --force off
//! cargo run --example read_meter --features tokio -- --connect tcp://127.0.0.1:5020 --unit 1 \
//!     --sell 100.00 --journal sales.jsonl
//! ```
//!
//! A sale is written to the journal and synced before its first byte is sent, and closed by what the meter shows
//! afterwards. A sale whose end is not known (no reply, the program was killed) is settled by reading back at the next
//! start with that journal; until then nothing else is sold into that meter.

#[path = "../common/amount.rs"]
mod amount;
#[path = "../common/connect.rs"]
mod connect;
mod journal;
mod sale;
mod snapshot;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use connect::{Stream, Target, Transport};
use journal::Journal;
use meter_protocol::acrel::{ForceMode, RealtimeLayout};
use meter_protocol::client::tokio::{Client, TransactError};
use serde_json::{Value, json};

pub(crate) type BoxedClient = Client<Box<dyn Stream>>;

/// Sendings of a read before it is given up.
const READ_ATTEMPTS: u8 = 3;

/// Reads a prepaid meter.
#[derive(Debug, Parser)]
struct Args {
    /// tcp://HOST:PORT or serial:/dev/…[@BAUD[,8N1|8E1|8O1]]
    #[arg(long)]
    connect: Target,
    /// Frames on TCP: RTU as a serial server passes them, or Modbus/TCP
    #[arg(long, value_enum, default_value_t = Transport::Rtu)]
    transport: Transport,
    /// Unit address
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u8).range(1..=247))]
    unit: u8,
    /// Supply on whatever the balance, supply off, or back to prepaid
    #[arg(long, value_enum)]
    force: Option<Force>,
    /// Amount to sell, such as 100.00
    #[arg(long, requires = "journal", value_parser = amount::hundredths)]
    sell: Option<i32>,
    /// File of the sales, one JSON object a line
    #[arg(long)]
    journal: Option<PathBuf>,
    /// How long a frame can live between here and the meter, in seconds: a sale without a reply is only given up
    /// after that
    #[arg(long, default_value = "60")]
    frame_life_s: u32,
    /// Highest price of a kWh that a read-back has to reckon with
    #[arg(long, default_value = "20.00", value_parser = amount::hundredths)]
    price_ceiling: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Force {
    On,
    Off,
    Prepaid,
}

impl Force {
    const fn mode(self) -> ForceMode {
        match self {
            Self::On => ForceMode::SupplyOn,
            Self::Off => ForceMode::SupplyOff,
            Self::Prepaid => ForceMode::Prepaid,
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Args::parse()).await {
        Ok(shown) => {
            println!("{shown:#}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("read_meter: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<Value, Box<dyn Error>> {
    let line = args.connect.line(args.transport)?.with_read_attempts(READ_ATTEMPTS);
    let journal = args.journal.as_deref().map(Journal::open).transpose()?;
    let mut client: BoxedClient = Client::new(args.connect.open().await?, line);
    let layout = layout_of(&mut client, args.unit).await?;

    let mut sales = Vec::new();
    if let Some(mut journal) = journal {
        let till = sale::Till::new(args.unit, layout, args.frame_life_s, args.price_ceiling);
        sales = till.settle(&mut client, &mut journal).await?;
        if let Some(amount) = args.sell {
            sales.push(till.sell(&mut client, &mut journal, amount).await?);
        }
    }
    if let Some(force) = args.force {
        switch(&mut client, args.unit, force.mode()).await?;
    }

    let now = client.read_realtime_as(layout, args.unit).await?;
    let number = client.read_meter_number(args.unit).await.ok();
    let mut shown = snapshot::of(args.unit, number, &now);
    if let Some(object) = shown.as_object_mut() {
        if args.force.is_some() {
            let state = client.read_force(args.unit).await?;
            object.insert("force".to_owned(), json!(state.mode().map(snapshot::force_name)));
        }
        if !sales.is_empty() {
            object.insert("sales".to_owned(), json!(sales));
        }
    }
    Ok(shown)
}

/// A meter that has no 72 registers says so, or says nothing.
async fn layout_of(client: &mut BoxedClient, unit: u8) -> Result<RealtimeLayout, TransactError> {
    match client.detect_layout(unit).await {
        Err(TransactError::NoReply { source: None, .. }) => Ok(RealtimeLayout::FourRate),
        other => other,
    }
}

/// Writes force mode and state and reads both back, whatever the reply was.
async fn switch(client: &mut BoxedClient, unit: u8, mode: ForceMode) -> Result<(), Box<dyn Error>> {
    let written = client.write_force(unit, mode).await;
    let shown = client.read_force(unit).await?.mode();
    if shown == Some(mode) {
        return Ok(());
    }
    let reply = match written {
        Ok(()) => "it was confirmed".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(format!("the meter does not show the force mode that was written ({reply})").into())
}
