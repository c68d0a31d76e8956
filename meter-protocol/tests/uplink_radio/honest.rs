//! A meter that does everything right, on a connection on which noise comes between its frames.
//!
//! The noise comes from seeds, not from a property: once in about 65 000 it makes a frame together with what follows, which
//! no receiver can tell.

use crate::common::random::Random;
use crate::driver::{Decision, Driver};
use meter_protocol::acrel::{LinkId, Realtime, RealtimeLayout};
use meter_protocol::uplink::radio::{Station, StationConfig};
use meter_protocol::virtual_meter as vm;

const START_MS: i64 = 1_772_719_650_000;
const SEEDS: u64 = 300;
const STEPS: usize = 30;
/// Longest pause inside the stream, in microseconds: far less than the silence after which a frame is given up, so that a
/// reply behind noise still comes within its time.
const PAUSE_MAX_US: u64 = 200_000;
const HEARTBEAT: [u8; 7] = [0x7B, 0x7B, 0x94, 0xBE, 0xEF, 0x7D, 0x7D];

struct World {
    random: Random,
    driver: Driver,
    meter: vm::VirtualMeter,
    module: vm::DialIn,
    now_us: u64,
    /// The last frame that the meter sent, of which noise takes pieces.
    last: Vec<u8>,
    heartbeats: usize,
    uploads: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let setup = vm::MeterSetup::new(vm::Model::Ddsy1352, 1, [2, 0, 2, 6, 0, 3, 0, 5, 0, 0, 1, 2], START_MS);
        let setup = vm::MeterSetup { prepay_enabled: true, remaining_cents: 2_000, ..setup };
        let meter = vm::VirtualMeter::new(&setup, vm::MeterOptions::default()).unwrap();
        let options = vm::DialInOptions {
            serial_before_reply: random.below(2) == 0,
            serial_before_upload: random.below(2) == 0,
            heartbeat_ms: 60_000,
            upload_min: 2,
            ..vm::DialInOptions::default()
        };
        let module = vm::DialIn::new(b"00000000000001", options);
        let driver = Driver::new(Station::new(0, StationConfig::DEFAULT, LinkId::first(0)), Decision::Admit);
        Self { random, driver, meter, module, now_us: 0, last: Vec::new(), heartbeats: 0, uploads: 0 }
    }

    fn now_ms(&self) -> i64 {
        START_MS + i64::try_from(self.now_us / 1_000).unwrap()
    }

    /// Bytes that are no frame: anything, the beginning of a frame, or a frame with a flipped bit.
    fn noise(&mut self) -> Vec<u8> {
        let len = self.random.below(60) as usize;
        match self.random.below(5) {
            0 => Vec::new(),
            1 | 2 => (0..len).map(|_| self.random.below(256) as u8).collect(),
            3 => self.last[..len.min(self.last.len().saturating_sub(1))].to_vec(),
            _ => {
                let mut frame = HEARTBEAT.to_vec();
                frame[self.random.below(7) as usize] ^= 1 << self.random.below(8);
                frame
            }
        }
    }

    /// Carries what the meter sends, in pieces, with noise before it; what the station sends back reaches the meter.
    fn carry(&mut self, sent: Vec<u8>) {
        let mut stream = self.noise();
        stream.extend(&sent);
        if let Some(frame) = sent.strip_prefix(&HEARTBEAT).or(Some(&sent[..])).filter(|frame| !frame.is_empty()) {
            self.last = frame.to_vec();
        }
        while !stream.is_empty() {
            let piece = 1 + self.random.below(80).min(stream.len() as u64 - 1) as usize;
            self.now_us += self.random.below(PAUSE_MAX_US);
            let piece: Vec<u8> = stream.drain(..piece).collect();
            let back = self.driver.take(self.now_us, &piece);
            self.deliver(&back);
        }
    }

    fn deliver(&mut self, frames: &[Vec<u8>]) {
        for frame in frames {
            let now_ms = self.now_ms();
            let reply = self.module.receive(&mut self.meter, now_ms, frame);
            if !reply.is_empty() {
                self.carry(reply);
            }
        }
    }

    /// Time passes; the station looks whenever it said that it wants to.
    fn wait(&mut self, us: u64) {
        let until_us = self.now_us + us;
        while let Some(at_us) = self.driver.station.poll_timeout().filter(|at_us| *at_us <= until_us) {
            self.now_us = self.now_us.max(at_us);
            let back = self.driver.run(self.now_us);
            self.deliver(&back);
        }
        self.now_us = self.now_us.max(until_us);
    }

    fn tick(&mut self) {
        let now_ms = self.now_ms();
        let due = self.module.tick(&mut self.meter, now_ms);
        self.heartbeats += usize::from(due.starts_with(&HEARTBEAT));
        self.uploads += usize::from(due.len() > HEARTBEAT.len());
        self.carry(due);
    }
}

#[test]
fn an_honest_meter_is_served_between_the_noise() {
    let (mut replies, mut uploads) = (0, 0);
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        let hello = world.module.connect(START_MS);
        world.last = hello.clone();
        world.carry(hello);
        world.wait(6_000_000);
        assert!(world.module.is_registered(), "seed {seed}");
        for step in 0..STEPS {
            world.tick();
            let asked = world.driver.station.submit(world.now_us, 1, &Realtime::READ);
            assert!(asked.is_ok(), "seed {seed} step {step}: {asked:?}");
            let back = world.driver.run(world.now_us);
            world.deliver(&back);
            let pause_us = 20_000_000 + world.random.below(40_000_000);
            world.wait(pause_us);
            let ended = &world.driver.told.ended;
            let data = ended.get(step).unwrap_or_else(|| panic!("seed {seed} step {step}: no end"));
            let data = data.as_ref().unwrap_or_else(|| panic!("seed {seed} step {step}: no reply"));
            assert_eq!(Realtime::parse(RealtimeLayout::FourRate, data).unwrap().remaining_minor, 2_000);
        }
        let (told, sent) = (&world.driver.told, &world.driver.sent);
        assert_eq!(
            (told.registering, told.heartbeats, told.uploads),
            (1, world.heartbeats, world.uploads),
            "seed {seed}"
        );
        assert_eq!((sent.registrations, sent.uploads, sent.requests), (1, world.uploads, STEPS), "seed {seed}");
        assert_eq!(world.module.acknowledged_uploads() as usize, world.uploads, "seed {seed}");
        assert_eq!(told.closed, None, "seed {seed}");
        replies += told.ended.len();
        uploads += told.uploads;
    }
    println!("{replies} replies and {uploads} uploads in noise of {SEEDS} seeds, none lost");
    assert!(uploads > 1_000, "{uploads}");
}
