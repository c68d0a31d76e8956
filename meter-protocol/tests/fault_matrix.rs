//! The session against a slave on a line with faults, in virtual time, by seed. Every value that the session takes must
//! be the one that the slave gave for this very request. `FAULT_SEEDS=10000` runs the long form.

mod common;

use common::random::Random;
use meter_protocol::session::{CharFormat, LineConfig, Outcome, Session};
use meter_protocol::wire::{Answer, Incoming, MAX_ADU_LEN, Registers, Reply, Request, VendorReply, crc, rtu};

const TRANSACTIONS: u32 = 12;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    Lost,
    Late,
    Repeated,
    Truncated,
    FlippedBits,
    Burst,
    Echo,
    EchoOnly,
    Foreign,
    Noise,
}

const FAULTS: [Fault; 10] = [
    Fault::Lost,
    Fault::Late,
    Fault::Repeated,
    Fault::Truncated,
    Fault::FlippedBits,
    Fault::Burst,
    Fault::Echo,
    Fault::EchoOnly,
    Fault::Foreign,
    Fault::Noise,
];

struct Line {
    session: Session,
    random: Random,
    now_us: u64,
    /// Bytes on their way to the master, by time of arrival.
    arriving: Vec<(u64, Vec<u8>)>,
    /// Executed requests, so that each reading is another one.
    executed: u32,
}

impl Line {
    fn new(seed: u64) -> Self {
        let line = LineConfig::rtu(9600, CharFormat::N8_1);
        Self { session: Session::new(line), random: Random::new(seed), now_us: 0, arriving: Vec::new(), executed: 0 }
    }

    /// What register `address` holds during the given execution.
    fn register(execution: u32, address: u16) -> u16 {
        (execution.wrapping_mul(40_503) >> 3) as u16 ^ address.wrapping_mul(257)
    }

    fn answer(&mut self, frame: &[u8]) -> Vec<u8> {
        let (unit, incoming) = rtu::decode_request(frame).expect("the master sends valid frames");
        let Incoming::Request(request) = incoming else { panic!("the master sends known requests") };
        self.executed += 1;
        let mut data = Vec::new();
        let reply = match request {
            Request::ReadHolding(span) => {
                for offset in 0..span.count() {
                    data.extend(Self::register(self.executed, span.address() + offset).to_be_bytes());
                }
                Reply::Registers(Registers::holding(span.address(), &data).unwrap())
            }
            Request::WriteMultiple(write) => {
                Reply::Written { function: 0x10, address: write.address(), value: write.count() }
            }
            _ => {
                data.extend(self.executed.to_be_bytes());
                data.extend([0; 7]);
                Reply::Vendor(VendorReply::new(false, &data))
            }
        };
        rtu::encode_answer(unit, &Answer::Reply(reply), &mut [0; 256]).unwrap().to_vec()
    }

    /// The slave hears the frame; what reaches the master of it depends on the fault.
    fn transmit(&mut self, frame: &[u8], fault: Fault) {
        let mut reply = self.answer(frame);
        let mut begin_us = 35_000;
        let len = reply.len() as u64;
        match fault {
            Fault::None => {}
            Fault::Lost => reply.clear(),
            Fault::Late => begin_us = 35_000 + self.random.below(2_900_000),
            Fault::Repeated => reply = [reply.clone(), reply].concat(),
            Fault::Truncated => reply.truncate(self.random.below(len) as usize),
            Fault::FlippedBits => {
                for _ in 0..=self.random.below(3) {
                    let bit = self.random.below(len * 8);
                    reply[bit as usize / 8] ^= 1 << (bit % 8);
                }
            }
            Fault::Burst => {
                let start = self.random.below(len * 8 - 15);
                for bit in start..start + 16 {
                    let flip = bit == start || self.random.below(2) == 1;
                    reply[bit as usize / 8] ^= u8::from(flip) << (bit % 8);
                }
            }
            Fault::Echo => reply = [frame.to_vec(), reply].concat(),
            Fault::EchoOnly => reply = frame.to_vec(),
            Fault::Foreign => {
                // Another unit's answer of the same shape, before ours.
                let mut foreign = reply.clone();
                foreign.truncate(reply.len() - 2);
                foreign[0] ^= 0x10;
                foreign[2] ^= u8::from(self.random.below(2) == 1);
                foreign.extend(crc::crc16(&foreign).to_le_bytes());
                reply = [foreign, reply].concat();
            }
            Fault::Noise => {
                let noise = (0..1 + self.random.below(6)).map(|_| self.random.below(256) as u8).collect::<Vec<_>>();
                reply = [noise, reply].concat();
            }
        }
        // Two can't be on the line at once.
        let line_free_us = self.arriving.iter().map(|(time, _)| *time).max().unwrap_or(0);
        let mut time = line_free_us.max(self.now_us + begin_us);
        let mut rest = &reply[..];
        // Adapters hand the bytes on in pieces. A repeated reply is only told from the next one while its pieces are
        // closer than the silent interval; an adapter that cuts more coarsely needs `extra_gap_us`.
        let longest_piece = if fault == Fault::Repeated { 3 } else { 40 };
        while !rest.is_empty() {
            let piece = (1 + self.random.below(longest_piece) as usize).min(rest.len());
            time += self.session.line().pace.chars_us(piece as u64);
            self.arriving.push((time, rest[..piece].to_vec()));
            rest = &rest[piece..];
        }
    }

    /// Runs one transaction and checks what the session took for its end.
    fn transaction(&mut self, unit: u8, request: &Request<'_>, fault: Fault) -> bool {
        self.session.submit(self.now_us, unit, request).unwrap();
        let mut execution = 0;
        loop {
            let mut buf = [0; MAX_ADU_LEN];
            if let Some(frame) = self.session.poll_transmit(self.now_us, &mut buf).map(<[u8]>::to_vec) {
                self.now_us += self.session.line().pace.chars_us(frame.len() as u64);
                self.session.transmitted(self.now_us);
                self.transmit(&frame, fault);
                execution = self.executed;
            }
            self.session.handle_timeout(self.now_us);
            if let Some(event) = self.session.poll_event() {
                return check(event.outcome, execution, fault);
            }
            self.advance();
        }
    }

    /// To the next arrival or time-out, whichever is first.
    fn advance(&mut self) {
        let due_us = self.session.poll_timeout().expect("a transaction is under way");
        match self.arriving.first() {
            Some((time, _)) if *time <= due_us => {
                let (time, bytes) = self.arriving.remove(0);
                self.now_us = time.max(self.now_us);
                self.session.receive(self.now_us, &bytes);
            }
            _ => self.now_us = due_us.max(self.now_us),
        }
    }
}

fn check(outcome: Outcome<'_>, execution: u32, fault: Fault) -> bool {
    match outcome {
        Outcome::Reply(Reply::Registers(registers)) => {
            for (offset, word) in registers.words().enumerate() {
                let address = registers.address() + offset as u16;
                assert_eq!(word, Line::register(execution, address), "a wrong value was taken");
            }
            true
        }
        // A raw reply is no verdict; but it must not be our own frame, nor an older answer.
        Outcome::Reply(Reply::Vendor(vendor)) => {
            assert_eq!(vendor.bytes()[..4], execution.to_be_bytes());
            true
        }
        Outcome::Reply(_) => {
            assert!(fault != Fault::Lost && fault != Fault::EchoOnly);
            true
        }
        Outcome::Exception(exception) => panic!("nobody sent {exception}"),
        Outcome::NoReply(_) => false,
        Outcome::NotTransmitted(why) => panic!("{why}"),
    }
}

fn seeds() -> u64 {
    std::env::var("FAULT_SEEDS").map_or(150, |seeds| seeds.parse().unwrap())
}

/// Names the seed when a check fails.
struct Report(Fault, u64);

impl Drop for Report {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("fault {:?}, seed {}", self.0, self.1);
        }
    }
}

#[test]
fn no_wrong_value_under_any_fault() {
    let sale = [0, 0, 0x27, 0x10, 0, 8, 0, 0];
    for fault in FAULTS {
        let mut taken = 0;
        for seed in 0..seeds() {
            let _report = Report(fault, seed);
            let mut line = Line::new(seed * 16 + fault as u64);
            for _ in 0..TRANSACTIONS {
                let count = [1, 2, 2, 10, 48][line.random.below(5) as usize];
                let unit = 1 + line.random.below(2) as u8;
                let request = match line.random.below(6) {
                    0 => Request::write_multiple(0x57, &[0, 1, 0, 1]).unwrap(),
                    1 => Request::vendor_write(0x0100, &sale).unwrap(),
                    _ => Request::read_holding(0x0200, count).unwrap(),
                };
                let now = if line.random.below(2) == 0 { fault } else { Fault::None };
                let answered = line.transaction(unit, &request, now);
                assert!(answered || now != Fault::None, "a clean transaction failed after {fault:?}");
                taken += u32::from(answered && now != Fault::None);
            }
        }
        let all = seeds() as u32 * TRANSACTIONS;
        match fault {
            Fault::Lost | Fault::Truncated | Fault::Burst | Fault::EchoOnly => assert_eq!(taken, 0, "{fault:?}"),
            // Two flips of one bit leave the frame as it was.
            Fault::FlippedBits => assert!(taken * 20 < all, "{taken} of {all}"),
            _ => assert!(taken * 20 > all, "{fault:?}: {taken} of {all} faulty replies were found"),
        }
    }
}
