//! The fleet over real sockets, polled with frames made by hand.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use meter_protocol::virtual_meter::{Faults, MeterOptions, Model};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

/// 2026-03-05 00:00:00 UTC: a Thursday, 08:00 in the fleet's zone.
const START_UTC_S: i64 = 1_772_668_800;
const START_MS: i64 = START_UTC_S * 1_000;

fn number(bus: usize, unit: u8) -> String {
    format!("2026{bus:04}{unit:04}")
}

/// `meters` meters on each of `buses` buses, of mixed trades, all prepaid.
fn plan(buses: usize, meters: u8) -> FleetPlan {
    let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let bus = |n: usize| BusPlan { name: format!("bus-{n}"), listen: loopback, baud: 9_600 };
    let mut plan = FleetPlan {
        seed: 42,
        start_utc_s: START_UTC_S,
        utc_offset_min: 480,
        meter_options: MeterOptions::default(),
        buses: (0..buses).map(bus).collect(),
        meters: Vec::new(),
    };
    for bus in 0..buses {
        for unit in 1..=meters {
            let single = unit % 3 == 0;
            plan.meters.push(MeterPlan {
                bus,
                unit,
                number: number(bus, unit),
                model: if single { Model::Ddsy1352 } else { Model::Dtsy1352 },
                trade: Trade::ALL[(bus + usize::from(unit)) % Trade::ALL.len()],
                rated_w: if single { 4_000 } else { 14_000 },
                prepaid: true,
                price_hint_per_kwh: 8_833,
                alarm_1_hint_cents: 5_000,
            });
        }
    }
    plan
}

/// The check sum, written here once more: nothing of the master side is used.
fn framed(body: &[u8]) -> Vec<u8> {
    let mut sum = 0xFFFF_u16;
    for byte in body {
        sum ^= u16::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xA001 } else { sum >> 1 };
        }
    }
    [body, &sum.to_le_bytes()].concat()
}

async fn exchange(stream: &mut TcpStream, body: &[u8], reply_bytes: usize) -> Vec<u8> {
    stream.write_all(&framed(body)).await.unwrap();
    let mut reply = vec![0; reply_bytes];
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_exact(&mut reply)).await;
    read.expect("a reply within ten seconds").unwrap();
    assert_eq!(framed(&reply[..reply_bytes - 2]), reply, "check sum");
    reply
}

async fn read_words(stream: &mut TcpStream, unit: u8, start: u16, count: u8) -> Vec<u16> {
    let [high, low] = start.to_be_bytes();
    let reply = exchange(stream, &[unit, 3, high, low, 0, count], 5 + 2 * usize::from(count)).await;
    assert_eq!(reply[..3], [unit, 3, 2 * count]);
    reply[3..reply.len() - 2].chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
}

fn double(words: &[u16]) -> u32 {
    u32::from(words[0]) << 16 | u32::from(words[1])
}

/// What one poll of 0200H says about money and energy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Poll {
    total: u32,
    rates: [u32; 4],
    remaining: i32,
    count: u16,
    closed: bool,
}

async fn poll(stream: &mut TcpStream, unit: u8) -> Poll {
    let words = read_words(stream, unit, 0x0200, 48).await;
    Poll {
        total: double(&words[21..]),
        rates: [23, 25, 27, 29].map(|at| double(&words[at..])),
        remaining: double(&words[31..]).cast_signed(),
        count: words[33],
        closed: words[36] & 0xE000 != 0,
    }
}

/// 20H at 0100H.
async fn sell(stream: &mut TcpStream, unit: u8, cents: u32, count: u16) {
    let ([a, b, c, d], [e, f]) = (cents.to_be_bytes(), count.to_be_bytes());
    let reply = exchange(stream, &[unit, 0x20, 1, 0, 0, 4, 8, a, b, c, d, e, f, 0, 0], 15).await;
    assert_eq!(reply[..2], [unit, 0x20]);
}

/// 20H at 0200H with all prices and no other field.
async fn set_prices(stream: &mut TcpStream, unit: u8, price: u32) {
    let mut body = vec![unit, 0x20, 2, 0, 0, 30, 60];
    body.resize(7 + 60, 0);
    body[7 + 29] = 1;
    for rate in 0..4 {
        body[7 + 30 + 4 * rate..][..4].copy_from_slice(&price.to_be_bytes());
    }
    assert_eq!(exchange(stream, &body, 15).await[..2], [unit, 0x20]);
}

async fn opened(path: &Path, plan: FleetPlan) -> Fleet {
    Fleet::open(path, plan).await.unwrap()
}

async fn served(path: &Path, plan: FleetPlan, speed: u32) -> FleetHandle {
    let fleet = opened(path, plan).await;
    let clock = fleet.clock(START_MS, speed);
    fleet.serve(clock, FleetOptions::default()).await.unwrap()
}

async fn connected(handle: &FleetHandle, bus: usize) -> TcpStream {
    TcpStream::connect(handle.addresses()[bus]).await.unwrap()
}

#[tokio::test]
async fn a_served_meter_answers_hand_made_frames() {
    let folder = tempfile::tempdir().unwrap();
    let handle = served(&folder.path().join("world"), plan(2, 3), 1).await;
    let mut stream = connected(&handle, 1).await;

    let number = read_words(&mut stream, 3, 0x0043, 3).await;
    assert_eq!(number, [0x2026, 0x0001, 0x0003]);
    let words = read_words(&mut stream, 3, 0x0200, 48).await;
    assert_eq!(words[0], 7, "unit 3 is a DDSY1352");
    assert_eq!(words[40..42], [0x1A03, 0x0504], "Thursday 2026-03-05");
    assert_eq!(words[42] >> 8, 8, "08 h local");
    let prepay = read_words(&mut stream, 1, 0x0400, 25).await;
    assert_eq!((prepay[0], double(&prepay[2..]), double(&prepay[10..])), (1, 0, 0), "in service, no price, no alarm");
    let beyond = exchange(&mut stream, &[1, 3, 0x09, 0x00, 0, 1], 5).await;
    assert_eq!(beyond[..3], [1, 0x83, 2]);

    // Two requests in one segment, and one request in two.
    let frame = framed(&[2, 3, 0, 0, 0, 2]);
    stream.write_all(&[frame.clone(), frame.clone()].concat()).await.unwrap();
    let mut replies = [0; 18];
    stream.read_exact(&mut replies).await.unwrap();
    assert_eq!(replies[..9], replies[9..]);
    stream.write_all(&frame[..3]).await.unwrap();
    stream.flush().await.unwrap();
    stream.write_all(&frame[3..]).await.unwrap();
    stream.read_exact(&mut replies[..9]).await.unwrap();
    assert_eq!(replies[..9], replies[9..]);

    let stats = handle.stats();
    assert_eq!((stats.requests, stats.replies, stats.states_stored), (7, 7, 7));
    handle.shutdown().await.unwrap();
}

#[tokio::test]
async fn two_clients_share_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let handle = served(&folder.path().join("world"), plan(1, 4), 600).await;
    let (mut one, mut two) = (connected(&handle, 0).await, connected(&handle, 0).await);
    for _ in 0..20 {
        let (a, b) = tokio::join!(read_words(&mut one, 1, 0x0043, 3), read_words(&mut two, 2, 0x0043, 3));
        assert_eq!((a[2], b[2]), (1, 2));
    }
    handle.shutdown().await.unwrap();
}

#[tokio::test]
async fn noise_and_other_units_are_passed_over_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let handle = served(&folder.path().join("world"), plan(1, 2), 1).await;
    let mut stream = connected(&handle, 0).await;
    stream.write_all(&framed(&[9, 3, 0, 0, 0, 2])).await.unwrap();
    stream.write_all(&[0xFF, 0x00, 0x17]).await.unwrap();
    // The noise ends with silence; the next request is answered and nothing else.
    while handle.stats().bad_frames == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(read_words(&mut stream, 1, 0x0043, 3).await[2], 1);
    // A function that no length is known for ends with silence and is refused by the meter.
    let refused = exchange(&mut stream, &[1, 0x2B, 0x0E, 0x01, 0x00], 5).await;
    assert_eq!(refused[..3], [1, 0xAB, 1]);
    handle.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_restarted_world_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world");
    let handle = served(&path, plan(2, 3), 3_600).await;
    let mut before = HashMap::new();
    for bus in 0..2 {
        let mut stream = connected(&handle, bus).await;
        for unit in 1..=3 {
            set_prices(&mut stream, unit, 8_833).await;
            let count = poll(&mut stream, unit).await.count;
            sell(&mut stream, unit, 123_456, count + 1).await;
            before.insert((bus, unit), poll(&mut stream, unit).await);
        }
    }
    handle.shutdown().await.unwrap();

    // Other sockets, other order of buses, one meter more: still the same world.
    let mut changed = plan(2, 3);
    changed.buses.reverse();
    for meter in &mut changed.meters {
        meter.bus = 1 - meter.bus;
    }
    let one_more = MeterPlan { unit: 9, number: "202600000009".into(), bus: 0, ..changed.meters[0].clone() };
    changed.meters.push(one_more);
    let fleet = opened(&path, changed).await;
    assert_eq!(fleet.meters_created(), 1);
    let stopped_ms = fleet.time_utc_ms();
    assert!(stopped_ms > START_MS);
    let clock = fleet.clock(START_MS, 1);
    assert!(clock.now_ms() >= stopped_ms);
    let handle = fleet.serve(clock, FleetOptions::default()).await.unwrap();
    for ((bus, unit), before) in before {
        let mut stream = connected(&handle, 1 - bus).await;
        let after = poll(&mut stream, unit).await;
        assert_eq!(after.count, before.count);
        // No more than the rated power with its noise, since the world began.
        let most_mj = u64::from(14_000_u32 * 109 / 100) * (clock.now_ms() - START_MS).unsigned_abs();
        let used = u64::from(after.total.checked_sub(before.total).expect("energy never falls"));
        assert!(used <= most_mj / 36_000_000 + 1, "{before:?} {after:?}");
        assert!(after.remaining <= before.remaining);
        assert!(after.rates.iter().zip(before.rates).all(|(after, before)| *after >= before));
        let words = read_words(&mut stream, unit, 0x0400, 4).await;
        assert_eq!(double(&words[2..]), 8_833, "the price is part of the state");
    }
    handle.shutdown().await.unwrap();
}

/// What a crash leaves: the files as they are at this moment, without any orderly end.
fn crash_image(world: &Path, copy: &Path) {
    for suffix in ["", "-wal"] {
        let with = |path: &Path| format!("{}{suffix}", path.display());
        std::fs::copy(with(world), with(copy)).unwrap();
    }
}

#[tokio::test]
async fn a_sale_that_was_answered_survives_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let (path, image) = (folder.path().join("world"), folder.path().join("image"));
    let handle = served(&path, plan(1, 1), 60).await;
    let mut stream = connected(&handle, 0).await;
    for round in 1..=5_u16 {
        let before = poll(&mut stream, 1).await;
        sell(&mut stream, 1, 10_000 + u32::from(round), before.count + 1).await;
        crash_image(&path, &image);

        let survivor = opened(&image, plan(1, 1)).await;
        let meter = survivor.meters[0];
        // Prices are 0: nothing but the sale can have changed the balance.
        assert_eq!(meter.purchase_count(), before.count + 1, "round {round}");
        assert_eq!(meter.remaining_cents(), before.remaining + 10_000 + i32::from(round.cast_signed()));
        assert!(survivor.time_utc_ms() >= meter.time_ms());
        drop(survivor);
        std::fs::remove_file(&image).unwrap();
    }
    handle.shutdown().await.unwrap();
}

const CHILD_WORLD: &str = "FLEET_TEST_WORLD";
const CHILD_READY: &str = "gateway at ";

/// The process that is killed below. It serves until then; started by hand, without a world, it does nothing.
#[tokio::test]
#[ignore = "started by the test that kills it"]
async fn child_that_is_killed() {
    let Some(path) = std::env::var_os(CHILD_WORLD) else { return };
    let handle = served(Path::new(&path), plan(1, 2), 600).await;
    println!("{CHILD_READY}{}", handle.addresses()[0]);
    std::future::pending::<()>().await;
}

/// Runs [`child_that_is_killed`] in a process of its own and gives its gateway's address.
fn child_process(path: &Path) -> (std::process::Child, SocketAddr) {
    use std::io::BufRead;

    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "fleet::tests::child_that_is_killed", "--ignored", "--nocapture"])
        .env(CHILD_WORLD, path)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let output = std::io::BufReader::new(child.stdout.take().unwrap());
    // The harness may have begun a line of its own in front.
    let mut lines = output.lines().map_while(Result::ok);
    let address = lines.find_map(|line| line.split_once(CHILD_READY)?.1.trim().parse().ok());
    (child, address.expect("the child says where it listens"))
}

#[tokio::test]
async fn kill_minus_nine_loses_no_answered_sale_and_no_energy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world");
    let mut last: Option<Poll> = None;
    for round in 1..=3 {
        let (mut child, address) = child_process(&path);
        let mut stream = TcpStream::connect(address).await.unwrap();
        let before = poll(&mut stream, 1).await;
        if let Some(last) = last {
            assert_eq!((before.count, before.remaining), (last.count, last.remaining), "round {round}");
            assert!(before.total >= last.total, "round {round}");
        }
        let other = Fleet::open(&path, plan(1, 2)).await;
        assert!(matches!(other, Err(FleetError::InUse { .. })), "another process must be refused: {other:?}");
        sell(&mut stream, 1, 5_000, before.count + 1).await;
        let after = poll(&mut stream, 1).await;
        // Traffic that is still being committed when the end comes.
        for _ in 0..20 {
            stream.write_all(&framed(&[2, 3, 2, 0, 0, 48])).await.unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!((after.count, after.remaining), (before.count + 1, before.remaining + 5_000));
        last = Some(after);
    }
}

#[tokio::test]
async fn one_world_has_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world");
    let first = opened(&path, plan(1, 1)).await;
    let second = Fleet::open(&path, plan(1, 1)).await;
    assert!(matches!(second, Err(FleetError::InUse { .. })), "{second:?}");
    drop(first);
}

#[tokio::test]
async fn a_changed_meter_list_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world");
    let handle = served(&path, plan(1, 3), 1).await;
    handle.shutdown().await.unwrap();

    let mut gone = plan(1, 3);
    gone.meters.remove(1);
    let error = Fleet::open(&path, gone).await.unwrap_err();
    assert!(matches!(&error, FleetError::MeterGone { number } if *number == number_of(2)), "{error}");
    let mut moved = plan(1, 3);
    moved.meters[2].unit = 7;
    let error = Fleet::open(&path, moved).await.unwrap_err();
    assert!(matches!(&error, FleetError::MeterMoved { number, .. } if *number == number_of(3)), "{error}");
    let mut twice = plan(1, 3);
    twice.meters[2].unit = 1;
    assert!(matches!(Fleet::open(&path, twice).await, Err(FleetError::UnitTwice { unit: 1, .. })));
}

fn number_of(unit: u8) -> String {
    number(0, unit)
}

#[tokio::test]
async fn lost_replies_are_counted_and_the_meter_has_acted() {
    let folder = tempfile::tempdir().unwrap();
    let fleet = opened(&folder.path().join("world"), plan(1, 1)).await;
    let clock = fleet.clock(START_MS, 1);
    let faults = Faults { lost_reply_per_mille: 500, ..Faults::NONE };
    let handle = fleet.serve(clock, FleetOptions { faults, seed: 7, ..FleetOptions::default() }).await.unwrap();
    let mut stream = connected(&handle, 0).await;
    let mut answered = 0;
    for n in 1..=40 {
        stream.write_all(&framed(&[1, 3, 0, 0, 0, 1])).await.unwrap();
        while handle.stats().states_stored < n {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let stats = loop {
        let stats = handle.stats();
        if stats.replies + stats.faults.lost_replies == 40 {
            break stats;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    assert!((5..35).contains(&stats.faults.lost_replies), "seed 7: {stats:?}");
    let mut reply = [0; 7];
    while answered < stats.replies {
        stream.read_exact(&mut reply).await.unwrap();
        assert_eq!(reply[..3], [1, 3, 2]);
        answered += 1;
    }
    handle.shutdown().await.unwrap();
}

/// The promise of the first day: within ten hours of 08:00 about a dozen of the shops run out of credit, a couple
/// of dozen fall below alarm 1, the rest have days.
#[tokio::test]
async fn the_first_day_is_eventful() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(8, 30);
    let fleet = opened(&folder.path().join("world"), plan.clone()).await;
    let (mut out, mut low) = (0, 0);
    for (planned, meter) in plan.meters.iter().zip(&fleet.meters) {
        let mut meter = *meter;
        let shop = creation::shop(&plan, plan.seed, planned).unwrap();
        let price = planned.price_hint_per_kwh.to_be_bytes();
        let mut body = vec![planned.unit, 0x20, 2, 0, 0, 30, 60];
        body.resize(7 + 60, 0);
        body[7 + 29] = 1;
        for rate in 0..4 {
            body[7 + 30 + 4 * rate..][..4].copy_from_slice(&price);
        }
        assert!(meter.serve(START_MS, &framed(&body)).is_some());
        line::follow(&mut meter, &shop, START_MS + 36_000_000);
        out += u32::from(!meter.relay_closed());
        low += u32::from(meter.remaining_cents() <= i32::try_from(planned.alarm_1_hint_cents).unwrap());
    }
    assert!((10..=20).contains(&out), "{out} ran out");
    assert!((24..=50).contains(&low), "{low} are below alarm 1");
}

/// A meter that is looked at often is the same as one that is looked at once.
#[tokio::test]
async fn consumption_does_not_depend_on_polling() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(1, 6);
    let fleet = opened(&folder.path().join("world"), plan.clone()).await;
    let end_ms = START_MS + 3 * 86_400_000 + 1_234_567;
    for (planned, meter) in plan.meters.iter().zip(&fleet.meters) {
        let shop = creation::shop(&plan, plan.seed, planned).unwrap();
        let (mut once, mut often) = (*meter, *meter);
        line::follow(&mut once, &shop, end_ms);
        let mut at_ms = START_MS;
        while at_ms < end_ms {
            at_ms = (at_ms + 777_777).min(end_ms);
            line::follow(&mut often, &shop, at_ms);
            // As the world file does.
            often = serde_json::from_str(&encoded("", &often).unwrap()).unwrap();
        }
        assert_eq!(once, often);
        let used: u64 = once.energies_mj().iter().sum::<u64>() - meter.energies_mj().iter().sum::<u64>();
        assert_eq!(used, shop.energy_mj(START_MS, end_ms));
    }
}

#[tokio::test]
async fn a_paced_line_takes_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let fleet = opened(&folder.path().join("world"), plan(1, 1)).await;
    let clock = fleet.clock(START_MS, 1);
    let handle = fleet.serve(clock, FleetOptions { paced: true, ..FleetOptions::default() }).await.unwrap();
    let mut stream = connected(&handle, 0).await;
    let begun_ms = clock.now_ms();
    for _ in 0..3 {
        read_words(&mut stream, 1, 0x0200, 48).await;
    }
    // Three times 109 characters, 3.5 of silence and 35 ms of turnaround: a lower bound, whatever the machine does.
    assert!(clock.now_ms() - begun_ms >= 3 * 150);
    handle.shutdown().await.unwrap();
}

/// Prints how many exchanges a second 8 buses of 30 meters serve, commits included. No verdict hangs on the figure.
/// `taskset -c 0 cargo test --release -p vending-station throughput -- --ignored --nocapture`
#[tokio::test]
#[ignore = "a measurement"]
async fn throughput_of_eight_buses() {
    const ROUNDS: u32 = 40;
    let folder = tempfile::tempdir().unwrap();
    let handle = served(&folder.path().join("world"), plan(8, 30), 600).await;
    let begun = std::time::Instant::now();
    let mut masters = JoinSet::new();
    for bus in 0..8 {
        let mut stream = connected(&handle, bus).await;
        masters.spawn(async move {
            for _ in 0..ROUNDS {
                for unit in 1..=30 {
                    poll(&mut stream, unit).await;
                }
            }
        });
    }
    masters.join_all().await;
    let stats = handle.stats();
    let per_second = f64::from(8 * 30 * ROUNDS) / begun.elapsed().as_secs_f64();
    println!("{per_second:.0} exchanges/s, {} commits for {} states", stats.commits, stats.states_stored);
    assert_eq!(stats.states_stored, u64::from(8 * 30 * ROUNDS));
    handle.shutdown().await.unwrap();
}
