//! The world of the gateway images: runs QEMU, plays 32 virtual meters on one UART and the station on the other, and says
//! whether every round and every command came through.

mod plan;
mod stack;
mod station;
mod world;

use clap::Parser;
use meter_protocol::seal::{KeyBundle, PeerId, PeerKeys};
use stack::Stack;
use station::Station;
use std::{
    error::Error,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};
use world::{METERS, World};

/// Runs a gateway image in QEMU among virtual meters.
#[derive(Debug, Parser)]
struct Options {
    /// The image.
    image: PathBuf,
    /// The image tells its rounds in clear text instead of sealing them.
    #[arg(long)]
    clear: bool,
    /// Rounds that every meter must have.
    #[arg(long, default_value_t = 20)]
    rounds: u32,
    /// Commands that must be done.
    #[arg(long, default_value_t = 0)]
    commands: u32,
    /// The line is an old cable, and the station's connection breaks now and then.
    #[arg(long)]
    faults: bool,
    /// Where everything random comes from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Give up after so many seconds.
    #[arg(long, default_value_t = 300)]
    patience_s: u64,
    /// The image's stack may take so many bytes.
    #[arg(long)]
    stack_max: Option<usize>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    println!("seed {}", options.seed);
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Ends with its guard.
struct Qemu(Child);

impl Drop for Qemu {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn qemu(options: &Options, meters: SocketAddr, station: SocketAddr, key: &str) -> std::io::Result<(Qemu, Stack)> {
    let socket = |name: &str, address: SocketAddr| {
        format!("socket,id={name},host={},port={},reconnect=1,nodelay=on", address.ip(), address.port())
    };
    let arguments = format!("enable=on,target=native,arg=gateway,arg=1,arg=7,arg={key}");
    let mut command = Command::new("qemu-system-arm");
    command.args(["-M", "mps2-an386", "-cpu", "cortex-m4", "-nographic", "-monitor", "none"]);
    command.args(["-chardev", &socket("meters", meters), "-chardev", &socket("station", station)]);
    command.args(["-serial", "null", "-serial", "chardev:meters", "-serial", "chardev:station"]);
    command.args(["-semihosting-config", &arguments, "-kernel"]).arg(&options.image);
    let stack = Stack::paint(&mut command)?;
    Ok((Qemu(command.stdin(Stdio::null()).spawn()?), stack))
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let world = World::new(options.seed, options.faults)?;
    let mut random = fastrand::Rng::with_seed(options.seed ^ 0x4E1);
    let key: [u8; 24] = std::array::from_fn(|_| random.u8(..));
    let mut keys = PeerKeys::new(PeerId(7));
    keys.insert(1, KeyBundle::tdes(&key)?)?;
    let (meters, station) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let (_qemu, stack) = qemu(options, meters.local_addr()?, station.local_addr()?, &hex)?;
    let served = world.clone();
    thread::spawn(move || {
        for socket in meters.incoming().flatten() {
            // A connection that breaks is followed by the next.
            let _ = served.serve(socket);
        }
    });
    let begun = Instant::now();
    let patience = Duration::from_secs(options.patience_s);
    if options.clear {
        rounds_in_clear(&station, options.rounds)?;
        return judge_stack(&stack, options.stack_max);
    }
    station.set_nonblocking(true)?;
    let mut side = Station::new(keys, world.clone(), options.seed, options.commands, options.faults);
    loop {
        if begun.elapsed() > patience {
            return Err(format!(
                "after {} s: {} of {} rounds, {} of {} commands, {} sessions, {} connections refused; {:?}",
                options.patience_s,
                side.rounds_done(),
                options.rounds,
                side.plan.done,
                options.commands,
                side.sessions,
                side.refused,
                side.wrong
            )
            .into());
        }
        match station.accept() {
            Ok((socket, _)) => {
                socket.set_nonblocking(false)?;
                if side.serve(socket, options.rounds)? {
                    break;
                }
            }
            Err(_) => thread::sleep(Duration::from_millis(10)),
        }
    }
    report(&side, &world, options, begun.elapsed())?;
    judge_stack(&stack, options.stack_max)
}

fn judge_stack(stack: &Stack, most: Option<usize>) -> Result<(), Box<dyn Error>> {
    let deepest = stack.deepest()?;
    println!("stack: {deepest} bytes at its deepest");
    match most {
        Some(most) if deepest > most => Err(format!("the stack may take {most} bytes").into()),
        _ => Ok(()),
    }
}

/// The poll image: a line of text for each round.
fn rounds_in_clear(station: &TcpListener, rounds: u32) -> Result<(), Box<dyn Error>> {
    let (socket, _) = station.accept()?;
    let mut answered = 0;
    for line in BufReader::new(socket).lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let ["round", number, "answered", count, "energy", _] = words[..] else {
            return Err(format!("the image said `{line}`").into());
        };
        answered += count.parse::<u32>()?;
        if number.parse::<u32>()? == rounds {
            println!("{rounds} rounds of {METERS} meters, {answered} answers");
            return Ok(());
        }
    }
    Err("the image has ended".into())
}

fn report(side: &Station, world: &World, options: &Options, took: Duration) -> Result<(), Box<dyn Error>> {
    let mut wrong: Vec<String> = side.wrong.iter().chain(&side.plan.wrong).cloned().collect();
    for unit in 1..=METERS {
        let (sales, _) = side.plan.sold.get(&unit).copied().unwrap_or_default();
        let count =
            world.look(|bus| bus.meters().iter().find(|meter| meter.unit() == unit).map(|m| m.purchase_count()));
        if count != Some(u16::from(unit) + sales) {
            wrong.push(format!("unit {unit}: {sales} sales are booked, the meter counts {count:?} from {unit}"));
        }
    }
    let sales: u16 = side.plan.sold.values().map(|(count, _)| count).sum();
    let snapshots: u32 = side.rounds.values().sum();
    println!(
        "{} rounds of {METERS} meters ({snapshots} sealed readings, {} of them repeated), {} of {} commands done by {} results, \
         {sales} sales, {} closed by reading the meter, {} sessions, {:.1} s",
        side.rounds_done(),
        side.repeated,
        side.plan.done,
        options.commands,
        side.plan.results,
        side.plan.unknown,
        side.sessions,
        took.as_secs_f64()
    );
    println!("faults on the line: {:?}", world.look(|bus| *bus.fault_counts()));
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}
