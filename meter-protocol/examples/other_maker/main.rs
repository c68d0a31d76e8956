//! Another maker's meter, declared in a user's own crate and read with the planner and the session of this one:
//! `cargo run -p meter-protocol --example other_maker`. The meter is a server in the same program.

mod map;
mod server;

use map::Alarms;
use meter_protocol::map::Value;
use meter_protocol::plan::{Limits, LineTiming, Scratch, plan};
use meter_protocol::session::{CharFormat, LineConfig, Outcome, Pace, Session};
use meter_protocol::wire::{MAX_ADU_LEN, Registers, Reply, Request};
use server::{Server, UNIT};
use std::error::Error;

/// A line without pace: the session's clock is a number that the driver sets.
struct Line {
    session: Session,
    server: Server,
    now_us: u64,
}

impl Line {
    /// One transaction: what a driver does, without a port.
    fn transact<T>(&mut self, request: &Request<'_>, take: impl FnOnce(&Reply<'_>) -> T) -> Result<T, Box<dyn Error>> {
        self.session.submit(self.now_us, UNIT, request)?;
        let mut buf = [0; MAX_ADU_LEN];
        if let Some(frame) = self.session.poll_transmit(self.now_us, &mut buf) {
            let reply = self.server.serve(frame).ok_or("the meter is silent")?;
            self.session.transmitted(self.now_us);
            self.now_us += 20_000;
            self.session.receive(self.now_us, &reply);
        }
        match self.session.poll_event().map(|event| event.outcome) {
            Some(Outcome::Reply(reply)) => Ok(take(&reply)),
            other => Err(format!("{other:?}").into()),
        }
    }

    fn read<T>(&mut self, request: &Request<'_>, take: impl FnOnce(&Registers<'_>) -> T) -> Result<T, Box<dyn Error>> {
        self.transact(request, |reply| match reply {
            Reply::Registers(registers) => Ok(take(registers)),
            other => Err(format!("{other:?}").into()),
        })?
    }
}

fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Digits(digits) => format!("{digits:012}"),
        Value::Text(text) => (*text).to_owned(),
        other => format!("{other:?}"),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut line = Line { session: Session::new(LineConfig::rtu_unpaced()), server: Server::new(), now_us: 0 };

    // The reads that cost this line least; credit and its sequence number come in one.
    let timing = LineTiming::new(Pace::serial(9600, CharFormat::N8_1), 35_000);
    let tables = [map::ALL];
    let mut scratch = Scratch::new();
    let reads = plan(map::ALL, &timing, &Limits::new(64, &tables), &mut scratch)?;
    println!("{} reads, {} ms of the line", reads.reads().len(), reads.cost_us() / 1_000);
    for read in reads.reads() {
        line.read(&read.request()?, |registers| {
            for field in map::ALL {
                // Fields of the other reads are not in this reply.
                if let Ok(value) = field.value(registers) {
                    println!("{:16} {} {}", field.name, shown(&value), field.unit);
                }
            }
        })?;
    }

    // A field that may be written through its constant, and one write that needs a type of its own.
    let mut data = [0; 2];
    line.transact(&map::BACKLIGHT.write(60, &mut data)?, |_| ())?;
    println!("backlight now {}", line.read(&map::BACKLIGHT.info().read()?, |r| map::BACKLIGHT.value(r))??);
    let alarms = Alarms::new(20_00, 5_00).map_err(|_| "the first alarm must be the higher one")?;
    line.transact(&alarms.request()?, |_| ())?;
    for alarm in [Alarms::FIRST, Alarms::SECOND] {
        println!("{} now {}", alarm.info().name, line.read(&alarm.info().read()?, |r| alarm.number(r))??);
    }
    Ok(())
}
