//! The map of another maker's meter (declared in `examples/other_maker`) through the planner and every client.
#![cfg(all(
    feature = "tokio",
    feature = "tokio-modbus-017",
    feature = "embedded-io-07",
    feature = "embedded-io-async-07"
))]

#[path = "../examples/other_maker/map.rs"]
mod map;
#[path = "../examples/other_maker/server.rs"]
mod server;

use embedded_io::ErrorKind;
use map::{Alarms, AlarmsSwapped};
use meter_protocol::client::{
    NoDirectionPin, ReplyBuffer, embedded, embedded_async, tokio as over_tokio, tokio_modbus,
};
use meter_protocol::map::FieldError;
use meter_protocol::plan::{Limits, LineTiming, Scratch, plan};
use meter_protocol::session::{CharFormat, LineConfig, Pace};
use meter_protocol::wire::Registers;
use server::{Server, UNIT};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

fn line() -> LineConfig {
    LineConfig::rtu_unpaced().with_response_timeout_us(100_000)
}

fn served(mut stream: tokio::io::DuplexStream) {
    tokio::spawn(async move {
        let mut server = Server::new();
        let mut frame = [0; 256];
        while let Ok(len @ 1..) = stream.read(&mut frame).await {
            let reply = server.serve(&frame[..len]).unwrap_or_default();
            stream.write_all(&reply).await.unwrap();
        }
    });
}

/// What the read that holds them shows of the fields of one reply.
fn check(registers: &Registers<'_>) -> usize {
    let mut seen = 0;
    let mut see = |shown: Option<String>, expected: &str| {
        if let Some(shown) = shown {
            assert_eq!(shown, expected);
            seen += 1;
        }
    };
    see(map::ENERGY.number(registers).ok().map(|n| n.to_string()), "1234567.890");
    see(map::VOLTAGE.value(registers).ok().map(|n| n.to_string()), "230.5");
    see(map::POWER.number(registers).ok().map(|n| n.to_string()), "-1.250");
    see(map::CREDIT_BALANCE.number(registers).ok().map(|n| n.to_string()), "-12.34");
    see(map::CREDIT_SEQUENCE.value(registers).ok().map(|n| n.to_string()), "7");
    see(map::NUMBER.value(registers).ok().map(|n| format!("{n:012}")), "202600000042");
    see(map::NAME.value(registers).ok().map(str::to_owned), "Shop 1");
    see(map::BACKLIGHT.value(registers).ok().map(|n| n.to_string()), "30");
    seen
}

#[tokio::test]
async fn planned_reads_and_typed_writes_over_tokio() {
    let (ours, theirs) = duplex(1024);
    served(theirs);
    let mut client = over_tokio::Client::new(ours, line());
    let timing = LineTiming::new(Pace::serial(9600, CharFormat::N8_1), 35_000);
    let tables = [map::ALL];
    let mut scratch = Scratch::new();
    let reads = plan(map::ALL, &timing, &Limits::new(64, &tables), &mut scratch).unwrap();
    let mut seen = 0;
    for read in reads.reads() {
        let mut buffer = ReplyBuffer::new();
        seen += check(&client.read(UNIT, &read.request().unwrap(), &mut buffer).await.unwrap());
    }
    assert_eq!(seen, map::ALL.len());
    assert!(reads.reads().len() < map::ALL.len());

    client.write_field(UNIT, &map::BACKLIGHT, 45).await.unwrap();
    assert_eq!(client.read_number(UNIT, &map::BACKLIGHT).await.unwrap().to_string(), "45");
    let alarms = Alarms::new(20_00, 5_00).unwrap();
    client.write(UNIT, &alarms.request().unwrap()).await.unwrap();
    assert_eq!(client.read_number(UNIT, &Alarms::FIRST).await.unwrap().to_string(), "20.00");
    assert_eq!(client.read_number(UNIT, &Alarms::SECOND).await.unwrap().to_string(), "5.00");
    assert_eq!(Alarms::new(1, 2), Err(AlarmsSwapped));
    assert!(matches!(map::POWER.write(1, &mut [0; 4]), Err(FieldError::NotWritable { name: "power", .. })));
}

#[tokio::test]
async fn the_adapter_of_tokio_modbus_reads_the_map() {
    let mut reader = tokio_modbus::Reader::new(|| async {
        let (ours, theirs) = duplex(1024);
        served(theirs);
        Ok(::tokio_modbus::client::rtu::attach(ours))
    });
    assert_eq!(reader.read_number(UNIT, &map::ENERGY).await.unwrap().to_string(), "1234567.890");
    assert_eq!(reader.read_number(UNIT, &map::CREDIT_BALANCE).await.unwrap().to_string(), "-12.34");
}

/// A port that answers at once.
struct Port {
    server: Server,
    coming: Rc<RefCell<VecDeque<u8>>>,
}

impl embedded_io::ErrorType for Port {
    type Error = ErrorKind;
}
impl embedded_io::Read for Port {
    fn read(&mut self, room: &mut [u8]) -> Result<usize, ErrorKind> {
        let mut coming = self.coming.borrow_mut();
        let len = room.len().min(coming.len());
        room.iter_mut().zip(coming.drain(..len)).for_each(|(to, byte)| *to = byte);
        Ok(len)
    }
}
impl embedded_io::ReadReady for Port {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        Ok(!self.coming.borrow().is_empty())
    }
}
impl embedded_io::Write for Port {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.coming.borrow_mut().extend(self.server.serve(bytes).unwrap_or_default());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}
impl embedded_io_async::Write for Port {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        embedded_io::Write::write(self, bytes)
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

struct Receiver(Rc<RefCell<VecDeque<u8>>>);

impl embedded_io::ErrorType for Receiver {
    type Error = ErrorKind;
}
impl embedded_io_async::Read for Receiver {
    async fn read(&mut self, room: &mut [u8]) -> Result<usize, ErrorKind> {
        std::future::poll_fn(|context| {
            let mut coming = self.0.borrow_mut();
            if coming.is_empty() {
                // The test polls again and again.
                context.waker().wake_by_ref();
                return std::task::Poll::Pending;
            }
            let len = room.len().min(coming.len());
            room.iter_mut().zip(coming.drain(..len)).for_each(|(to, byte)| *to = byte);
            std::task::Poll::Ready(Ok(len))
        })
        .await
    }
}

/// Moves the clock.
struct Delay(Rc<Cell<u64>>);

impl embedded_hal::delay::DelayNs for Delay {
    fn delay_ns(&mut self, ns: u32) {
        self.0.set(self.0.get() + u64::from(ns).div_ceil(1_000));
    }
}
impl embedded_hal_async::delay::DelayNs for Delay {
    async fn delay_ns(&mut self, ns: u32) {
        self.0.set(self.0.get() + u64::from(ns).div_ceil(1_000));
    }
}

#[test]
fn the_blocking_driver_reads_and_writes_the_map() {
    let clock = Rc::new(Cell::new(0));
    let shown = clock.clone();
    let port = Port { server: Server::new(), coming: Rc::default() };
    let mut client = embedded::Client::new(port, NoDirectionPin, Delay(clock), move || shown.get(), line());
    assert_eq!(client.read_number(UNIT, &map::ENERGY).unwrap().to_string(), "1234567.890");
    client.write_field(UNIT, &map::BACKLIGHT, 45).unwrap();
    assert_eq!(client.read_number(UNIT, &map::BACKLIGHT).unwrap().to_string(), "45");
}

#[tokio::test]
async fn the_async_driver_reads_and_writes_the_map() {
    let clock = Rc::new(Cell::new(0));
    let shown = clock.clone();
    let coming = Rc::<RefCell<VecDeque<u8>>>::default();
    let port = Port { server: Server::new(), coming: coming.clone() };
    let mut driver =
        embedded_async::Driver::new(Receiver(coming), port, NoDirectionPin, Delay(clock), move || shown.get(), line());
    let run = driver.run(async |client| {
        assert_eq!(client.read_number(UNIT, &map::ENERGY).await.unwrap().to_string(), "1234567.890");
        client.write_field(UNIT, &map::BACKLIGHT, 45).await.unwrap();
        client.read_number(UNIT, &map::BACKLIGHT).await.unwrap().to_string()
    });
    assert_eq!(run.await, "45");
}
