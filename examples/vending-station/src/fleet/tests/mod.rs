//! The fleet over real sockets, polled with frames made by hand.

mod habits;
mod wire;
mod world;

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
    fleet.serve(clock, patient()).await.unwrap()
}

/// A frame may wait as long as it likes: a slow machine changes no verdict.
fn patient() -> FleetOptions {
    FleetOptions { frame_life: FRAME_LIFE_MAX, ..FleetOptions::default() }
}

async fn connected(handle: &FleetHandle, bus: usize) -> TcpStream {
    TcpStream::connect(handle.addresses()[bus]).await.unwrap()
}
