//! Commands over a network that drops, doubles, reorders, corrupts and replays, with restarts of both ends: by the rules of
//! Part 2 each is done once and as it was ordered.
#![cfg(all(feature = "seal-aes", feature = "seal-sm4"))]

#[path = "seal/support.rs"]
mod support;

use meter_protocol::seal::message::{Ack, Command, Envelope, Message, MessageId, MeterRef, Order};
use meter_protocol::seal::{Form, Link, MAX_PAYLOAD_LEN, PeerKeys, RECORD_LEN, Suite};
use std::collections::{BTreeMap, BTreeSet};
use support::{Dice, keys, open, seal, session};

const COMMANDS: u8 = 60;

/// An end whose record is stored whenever it is committed; `support::open` and `support::seal` commit before use.
struct End {
    link: Link,
    stored: [u8; RECORD_LEN],
}

impl End {
    fn new(mut link: Link, keys: &PeerKeys) -> Self {
        let record = link.next_record();
        link.commit(&record).unwrap();
        Self { stored: record.to_bytes(keys).unwrap(), link }
    }

    /// What is stored is never older than what is in force: here it is written after each step that commits.
    fn store(&mut self, keys: &PeerKeys) {
        let record = self.link.next_record();
        self.link.commit(&record).unwrap();
        self.stored = record.to_bytes(keys).unwrap();
    }

    fn restart(&mut self, keys: &PeerKeys) {
        self.link = Link::resume(keys, &self.stored).unwrap();
    }
}

fn sale(n: u8) -> Message<'static> {
    let meter = MeterRef { line: 1, unit: 7, number: "202603050012".parse().unwrap() };
    let order = Order::Sale { amount_minor: u32::from(n) * 100 + 1, count_before: n.into() };
    Message::Command(Command { meter, not_after_utc_s: i64::MAX, order })
}

/// What the network makes of the frames under way.
fn through(dice: &mut Dice, recorded: &mut Vec<Vec<u8>>, frames: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut arriving = Vec::new();
    for frame in frames {
        recorded.push(frame.clone());
        match dice.below(10) {
            0..3 => {}
            3 => arriving.extend([frame.clone(), frame]),
            4 => {
                let mut corrupt = frame;
                let bit = dice.below(corrupt.len() * 8);
                corrupt[bit / 8] ^= 1 << (bit % 8);
                arriving.push(corrupt);
            }
            5 => arriving.insert(dice.below(arriving.len() + 1), frame),
            _ => arriving.push(frame),
        }
    }
    // And something old.
    arriving.push(recorded[dice.below(recorded.len())].clone());
    arriving
}

#[test]
fn each_command_is_done_once_and_as_ordered() {
    for suite in Suite::ALL {
        for seed in 0..4 {
            run(suite, seed);
        }
    }
}

fn run(suite: Suite, seed: u64) {
    println!("{suite:?} seed {seed}");
    let mut dice = Dice(seed);
    let keys = keys(suite);
    let (collector, station) = session(&keys, Form::Datagram, 1);
    let (mut collector, mut station) = (End::new(collector, &keys), End::new(station, &keys));
    let mut waiting: Vec<u8> = (0..COMMANDS).collect();
    // What the collector keeps over restarts: ids with what was done.
    let mut done: BTreeMap<MessageId, Order> = BTreeMap::new();
    let (mut times, mut recorded) = (BTreeMap::<MessageId, u32>::new(), Vec::new());
    let (mut rounds, mut opened_once) = (0, BTreeSet::new());
    while !waiting.is_empty() {
        rounds += 1;
        assert!(rounds < 1_000, "{} commands are never acknowledged", waiting.len());
        let mut payload = [0; MAX_PAYLOAD_LEN];
        let mut under_way = Vec::new();
        for n in waiting.iter().take(20) {
            let envelope = Envelope { id: MessageId([*n; 16]), message: sale(*n) };
            under_way.push(seal(&mut station.link, envelope.emit(&mut payload).unwrap()));
        }
        station.store(&keys);
        let mut acknowledgements = Vec::new();
        for frame in through(&mut dice, &mut recorded, under_way) {
            let Ok(opened) = open(&mut collector.link, &frame) else { continue };
            assert!(opened_once.insert(frame), "a replay was opened");
            collector.store(&keys);
            let envelope = Envelope::parse(&opened).unwrap();
            let Message::Command(command) = envelope.message else { panic!("{envelope:?}") };
            done.entry(envelope.id).or_insert_with(|| {
                *times.entry(envelope.id).or_default() += 1;
                command.order
            });
            let ack = Envelope { id: MessageId([0xFF; 16]), message: Message::Ack(Ack { ids: &[envelope.id.0] }) };
            acknowledgements.push(seal(&mut collector.link, ack.emit(&mut payload).unwrap()));
            collector.store(&keys);
        }
        for frame in through(&mut dice, &mut recorded, acknowledgements) {
            let Ok(opened) = open(&mut station.link, &frame) else { continue };
            station.store(&keys);
            let Message::Ack(ack) = Envelope::parse(&opened).unwrap().message else { continue };
            waiting.retain(|n| ack.iter().all(|id| id != MessageId([*n; 16])));
        }
        match dice.below(8) {
            0 => collector.restart(&keys),
            1 => station.restart(&keys),
            _ => {}
        }
    }
    assert_eq!(done.len(), usize::from(COMMANDS));
    assert!(times.values().all(|times| *times == 1));
    for (id, order) in done {
        let Message::Command(ordered) = sale(id.0[0]) else { continue };
        assert_eq!(order, ordered.order);
    }
    // After a restart nothing opens that was ever opened.
    collector.restart(&keys);
    let before = collector.link.counters().opened;
    for frame in recorded.iter().filter(|frame| opened_once.contains(*frame)) {
        assert!(open(&mut collector.link, frame).is_err());
    }
    assert_eq!(collector.link.counters().opened, before);
}
