//! Reads a meter through a client context of `tokio-modbus`:
//! `cargo run --example tokio_modbus_reader --features tokio-modbus-017 -- HOST:PORT rtu|tcp UNIT`.
//! Prints one line: model, total energy, balance, purchase count.

use meter_protocol::acrel::Realtime;
use meter_protocol::acrel::fields::realtime;
use meter_protocol::client::tokio_modbus::Reader;
use std::error::Error;
use tokio::net::TcpStream;
use tokio_modbus::client::{rtu, tcp};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [place, transport @ ("rtu" | "tcp"), unit] = &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..]
    else {
        return Err("give HOST:PORT, rtu or tcp, and a unit number".into());
    };
    let unit: u8 = unit.parse()?;
    let framed = *transport == "tcp";
    let mut reader = Reader::new(|| async {
        let stream = TcpStream::connect(*place).await?;
        Ok(if framed { tcp::attach(stream) } else { rtu::attach(stream) })
    });
    let now = reader.read_block::<Realtime>(unit).await?;
    let energy = reader.read_number(unit, &realtime::ENERGY_TOTAL).await?;
    let balance = reader.read_number(unit, &realtime::REMAINING_AMOUNT).await?;
    println!("{} {energy} {balance} {}", now.model, now.purchase_count);
    Ok(())
}
