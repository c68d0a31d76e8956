//! The session and the independent virtual meter on one paced line, in virtual time, each fault by seed.
//!
//! What a meter truly answers is asked of a copy of it at the moment when the request arrives; every value that the
//! session takes must be that one. `FAULT_SEEDS=10000` runs the long form; with `-- --nocapture` the figures are shown.
//!
//! Three groups of faults. Those that the protocol excludes must never give a wrong value, and the line must work again
//! within the longest response time, t3.5 and one transaction. Noise wider than the check sum can tell passes as often
//! as chance says. Replies later than the longest response time can't be told from the right ones where unit and shape
//! are equal: they are counted, and nothing else may be taken.
#![cfg(feature = "virtual-meter")]
#![allow(clippy::disallowed_methods, reason = "tests may panic")]

mod common;

use common::random::Random;
use common::virtual_line::{Exchange, Taken, VirtualLine, random_request};
use meter_protocol::session::{CharFormat, LineConfig};
use meter_protocol::virtual_meter::Faults;
use meter_protocol::wire::{Request, rtu};

const METERS: u8 = 3;
/// Transactions of one seed; about half of them meet the fault.
const TRANSACTIONS: u32 = 8;
/// Bits that a check sum of 16 bits surely tells.
const BURST_BITS: u64 = 16;

/// What happens to one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    LostRequest,
    LostReply,
    LateReply,
    TruncatedReply,
    NoiseBefore,
    Echo,
    EchoOfAnAdapterThatIsKnown,
    ForeignFrame,
    RepeatedReply,
    /// One to three bits of the reply.
    FlippedBits,
    /// Up to 16 neighbouring bits of the reply.
    Burst,
    /// One to three bits of the request.
    FlippedRequest,
}

const EXCLUDED: [Fault; 12] = [
    Fault::LostRequest,
    Fault::LostReply,
    Fault::LateReply,
    Fault::TruncatedReply,
    Fault::NoiseBefore,
    Fault::Echo,
    Fault::EchoOfAnAdapterThatIsKnown,
    Fault::ForeignFrame,
    Fault::RepeatedReply,
    Fault::FlippedBits,
    Fault::Burst,
    Fault::FlippedRequest,
];

fn line() -> LineConfig {
    LineConfig::rtu(9600, CharFormat::N8_1)
}

impl Fault {
    /// What the virtual bus does to every frame under this fault.
    fn of_the_bus(self) -> Faults {
        let mut faults = Faults::NONE;
        // Later than the session waits, and less than it keeps the line quiet for.
        faults.late_us = (0, line().longest_response_us - 200_000);
        let rate = match self {
            Self::LostRequest => &mut faults.lost_request_per_mille,
            Self::LostReply => &mut faults.lost_reply_per_mille,
            Self::LateReply => &mut faults.late_reply_per_mille,
            Self::TruncatedReply => &mut faults.truncated_reply_per_mille,
            Self::NoiseBefore => &mut faults.noise_before_per_mille,
            Self::Echo | Self::EchoOfAnAdapterThatIsKnown => &mut faults.echo_per_mille,
            Self::ForeignFrame => &mut faults.foreign_per_mille,
            Self::RepeatedReply => {
                // Right behind the first: a copy that comes later is a late reply of equal shape.
                faults.late_us = (0, 0);
                &mut faults.duplicated_reply_per_mille
            }
            Self::FlippedBits | Self::Burst | Self::FlippedRequest => return faults,
        };
        *rate = 1_000;
        faults
    }

    /// What is done to the bytes on top of it.
    fn strike(self, exchange: &mut Exchange<'_>, random: &mut Random) {
        match self {
            Self::FlippedBits => flip(&mut exchange.reply, random),
            Self::FlippedRequest => flip(exchange.request, random),
            Self::Burst => {
                let bits = exchange.reply.len() as u64 * 8;
                let width = 1 + random.below(BURST_BITS);
                let start = random.below(bits - width + 1);
                for bit in start..start + width {
                    let edge = bit == start || bit == start + width - 1;
                    if edge || random.below(2) == 1 {
                        exchange.reply[bit as usize / 8] ^= 1 << (bit % 8);
                    }
                }
            }
            _ => {}
        }
    }

    /// Whether the fault leaves nothing that may be taken.
    fn leaves_nothing(self) -> bool {
        use Fault::*;
        matches!(self, LostRequest | LostReply | TruncatedReply | FlippedBits | Burst | FlippedRequest)
    }
}

/// Flips one to three different bits.
fn flip(bytes: &mut [u8], random: &mut Random) {
    let mut flipped = Vec::new();
    for _ in 0..=random.below(3) {
        let bit = random.below(bytes.len() as u64 * 8);
        if !flipped.contains(&bit) {
            flipped.push(bit);
            bytes[bit as usize / 8] ^= 1 << (bit % 8);
        }
    }
}

fn seeds() -> u64 {
    std::env::var("FAULT_SEEDS").map_or(60, |seeds| seeds.parse().unwrap())
}

/// Names the seed when a check fails.
struct Report<T: core::fmt::Debug>(T, u64);

impl<T: core::fmt::Debug> Drop for Report<T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:?}, seed {}", self.0, self.1);
        }
    }
}

#[test]
fn what_the_protocol_excludes_gives_no_wrong_value_and_recovers_in_time() {
    println!(
        "{:28} {:>9} {:>9} {:>9} {:>7} {:>8} {:>14}",
        "fault", "exchanges", "struck", "taken", "wrong", "cut raw", "recovery, ms"
    );
    for fault in EXCLUDED {
        let (mut struck, mut taken, mut raw, mut longest_us) = (0_u64, 0_u64, 0_u64, 0);
        for seed in 0..seeds() {
            let _report = Report(fault, seed);
            let echoes = fault == Fault::EchoOfAnAdapterThatIsKnown;
            let mut rig = VirtualLine::new(line().with_local_echo(echoes), METERS, seed, fault.of_the_bus());
            let mut hit_before = false;
            for _ in 0..TRANSACTIONS {
                let hits = rig.random.below(2) == 0;
                let request = random_request(&mut rig.random);
                let outcome = rig.transaction(&request, hits, |exchange, random| {
                    if hits {
                        fault.strike(exchange, random)
                    }
                });
                match outcome {
                    Taken::Right => {
                        assert!(!hits || !fault.leaves_nothing(), "a reply was taken that was not there");
                        taken += u64::from(hits);
                    }
                    Taken::Nothing => assert!(hits, "a clean transaction failed"),
                    Taken::OtherRaw => raw += 1,
                    Taken::Wrong { .. } => panic!("a wrong value was taken"),
                }
                if hit_before && !hits {
                    longest_us = longest_us.max(rig.recovery_us());
                    assert!(rig.recovery_us() <= rig.recovery_bound_us(), "{} µs", rig.recovery_us());
                }
                struck += u64::from(hits);
                hit_before = hits;
            }
        }
        let all = seeds() * u64::from(TRANSACTIONS);
        let recovery_ms = longest_us / 1_000;
        println!("{:28} {all:9} {struck:9} {taken:9} {:7} {raw:8} {recovery_ms:14}", format!("{fault:?}"), 0);
        assert!(struck * 3 > all, "{fault:?}");
        // One vendor reply in 256 ends with a zero.
        assert!(raw == 0 || fault == Fault::TruncatedReply && raw * 1_000 < struck, "{fault:?}: {raw} of {struck}");
        if !fault.leaves_nothing() && fault != Fault::LateReply {
            assert!(taken * 10 > struck * 9, "{fault:?}: {taken} of {struck} replies were found");
        }
    }
    let bound = VirtualLine::new(line(), METERS, 0, Faults::NONE).longest_recovery_bound_us() / 1_000;
    println!("recovery allowed after a whole realtime block: {bound} ms");
}

/// More than 16 bits apart the check sum only tells by chance, once in 65 536.
#[test]
fn wide_noise_passes_as_seldom_as_chance_says() {
    let (mut candidates, mut accepted) = (0_u64, 0_u64);
    for seed in 0..seeds() {
        let _report = Report("wide noise", seed);
        let mut rig = VirtualLine::new(line(), METERS, seed, Faults::NONE);
        for _ in 0..TRANSACTIONS {
            let request = random_request(&mut rig.random);
            // The head stays, so that each reply gets as far as the check sum.
            let outcome = rig.transaction(&request, false, |exchange, random| {
                let from = 3.min(exchange.reply.len());
                for byte in &mut exchange.reply[from..] {
                    *byte ^= random.below(256) as u8;
                }
            });
            candidates += 1;
            accepted += u64::from(matches!(outcome, Taken::Wrong { .. } | Taken::OtherRaw));
        }
    }
    println!("wide noise through the session: {accepted} of {candidates} replies taken");
    assert!(accepted * 65_536 <= candidates * 2);
}

/// The same without a session, with as many replies as a fraction of 1 in 65 536 needs.
#[test]
fn wide_noise_passes_the_check_sum_as_seldom_as_chance_says() {
    const CANDIDATES: u64 = 1 << 20;
    let expected = Request::read_holding(0x0200, 8).unwrap().expectation();
    let mut frame = [0; 21];
    frame[..3].copy_from_slice(&[1, 3, 16]);
    let mut random = Random::new(1);
    let mut accepted = 0;
    for _ in 0..CANDIDATES {
        frame[3..].fill_with(|| random.below(256) as u8);
        accepted += u64::from(rtu::decode_answer(&frame, 1, &expected).is_ok());
    }
    println!("wide noise on whole frames: {accepted} of {CANDIDATES} taken, chance says {}", CANDIDATES / 65_536);
    assert!(accepted > 0 && accepted * 65_536 <= CANDIDATES * 2);
}

/// A reply that comes after the longest response time, and the second reply to a request that was carried twice.
#[test]
fn later_replies_are_taken_only_where_unit_and_shape_are_equal() {
    let longest_us = line().longest_response_us;
    let later = Faults { late_reply_per_mille: 1_000, late_us: (longest_us + 200_000, 4 * longest_us), ..Faults::NONE };
    let twice = Faults { duplicated_request_per_mille: 1_000, ..Faults::NONE };
    for (name, faults) in [("later than the longest response", later), ("request carried twice", twice)] {
        let (mut struck, mut right, mut equal) = (0_u64, 0_u64, 0_u64);
        for seed in 0..seeds() {
            let _report = Report(name, seed);
            let mut rig = VirtualLine::new(line(), METERS, seed, faults);
            for _ in 0..TRANSACTIONS {
                let hits = rig.random.below(2) == 0;
                let request = random_request(&mut rig.random);
                match rig.transaction(&request, hits, |_, _| {}) {
                    Taken::Wrong { is_older_of_equal_shape } => {
                        assert!(is_older_of_equal_shape, "a reply of another unit or shape was taken");
                        equal += 1;
                    }
                    Taken::Right => right += 1,
                    // An older vendor reply: raw, and of equal unit.
                    Taken::OtherRaw => equal += 1,
                    Taken::Nothing => {}
                }
                struck += u64::from(hits);
            }
        }
        println!("{name}: {struck} struck, {right} right values, {equal} older replies of equal unit and shape taken");
        assert!(right > 0);
    }
}
