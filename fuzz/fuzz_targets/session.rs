//! A session on a line where anything can happen: bytes of any kind at any time, calls in any order.
//!
//! Input: the line (framing, echo, attempts, speed, longest response), then steps, each an operation byte and its
//! arguments; see [`Bench::step`]. Time only goes forwards.
//!
//! It must hold that nothing panics; that a transaction left alone ends after a bounded number of wake-ups; that each
//! transaction has exactly one end; that what is taken as a reply was received since the transmission, byte by byte,
//! with the right unit, function and length; that a write is sent at most once; that an RTU line was silent before
//! each transmission.
#![no_main]

use fuzz::{Asked, Tape, answers, crc16_bitwise};
use libfuzzer_sys::fuzz_target;
use meter_protocol::session::{CharFormat, Framing, LineConfig, Outcome, Session, TransactionId};
use meter_protocol::wire::{Answer, EXCEPTION_BIT, MAX_ADU_LEN, Reply, Request, VENDOR_WRITE, rtu, tcp};

/// Most steps of one run; a run is then finished in order.
const MAX_STEPS: usize = 400;

fuzz_target!(|bytes: &[u8]| {
    let mut tape = Tape::new(bytes);
    let mut bench = Bench::new(line(&mut tape));
    for _ in 0..MAX_STEPS {
        if tape.is_over() {
            break;
        }
        bench.step(&mut tape);
    }
    bench.finish();
});

fn line(tape: &mut Tape<'_>) -> LineConfig {
    let pace =
        [(9600, CharFormat::N8_1), (0, CharFormat::N8_1), (2400, CharFormat::Parity8_1), (115_200, CharFormat::N8_2)];
    let (options, (baud, format)) = (tape.byte(), tape.pick(&pace));
    let line = if options & 1 == 1 { LineConfig::tcp() } else { LineConfig::rtu(baud, format) };
    line.with_local_echo(options & 2 == 2)
        .with_read_attempts(options >> 2 & 3)
        .with_extra_gap_us(tape.word().into())
        .with_frame_end_us(u32::from(tape.word()) * 4)
        .with_longest_response_us(u32::from(tape.word()) * 64)
}

/// What was submitted and is not over.
struct Pending {
    id: TransactionId,
    unit: u8,
    asked: Asked,
    transmissions: u32,
    /// The driver said that the link refused the frame.
    refused: bool,
}

impl Pending {
    /// The answer's frame is among the bytes that came since the transmission, and it answers the request.
    fn check(&self, answer: &Answer<'_>, framing: Framing, sent: &[u8], received: &[u8]) {
        let request = self.asked.request().expect("it was submitted");
        assert!(self.transmissions > 0);
        let pdu = pdu(answer);
        let body = [&[self.unit], &pdu[..]].concat();
        let on_rtu = [&body[..], &crc16_bitwise(&body).to_le_bytes()].concat();
        assert!(answers(&on_rtu, self.unit, &request), "{answer:?}");
        let frame = match framing {
            Framing::Tcp => {
                let length = u16::try_from(body.len()).unwrap().to_be_bytes();
                [&sent[..2], &[0, 0], &length, &body].concat()
            }
            _ => on_rtu,
        };
        assert!(received.windows(frame.len()).any(|window| window == frame), "{frame:02X?} never came");
        if let Answer::Reply(Reply::Registers(registers)) = answer
            && let Request::ReadHolding(span) | Request::ReadInput(span) = request
        {
            assert_eq!((registers.address(), registers.count()), (span.address(), usize::from(span.count())));
        }
    }
}

/// An answer as it must have stood on the line. A vendor's reply is put together here: one that reads as a factory
/// function is taken, but the crate doesn't write it.
fn pdu(answer: &Answer<'_>) -> Vec<u8> {
    if let Answer::Reply(Reply::Vendor(reply)) = answer {
        let function = if reply.is_marked_as_exception() { VENDOR_WRITE | EXCEPTION_BIT } else { VENDOR_WRITE };
        return [&[function], reply.bytes()].concat();
    }
    let mut buf = [0; MAX_ADU_LEN];
    let frame = rtu::encode_answer(1, answer, &mut buf).unwrap();
    frame[1..frame.len() - 2].to_vec()
}

struct Bench {
    session: Session,
    now_us: u64,
    pending: Option<Pending>,
    /// What came since the last transmission was handed out.
    received: Vec<u8>,
    last_rx_us: Option<u64>,
    sent: Vec<u8>,
}

impl Bench {
    fn new(line: LineConfig) -> Self {
        Self {
            session: Session::new(line),
            now_us: 0,
            pending: None,
            received: Vec::new(),
            last_rx_us: None,
            sent: Vec::new(),
        }
    }

    fn step(&mut self, tape: &mut Tape<'_>) {
        match tape.byte() % 16 {
            0 => self.submit(tape),
            1 => self.transmit(),
            2 => self.session.transmitted(self.now_us),
            3 => {
                let bytes = tape.counted();
                self.receive(bytes);
            }
            // A frame of any content whose CRC fits, or whose header says the length.
            4 => {
                let body = tape.counted().to_vec();
                let frame = self.framed(body);
                self.receive(&frame);
            }
            // The echo of our own frame, or a part of it.
            5 => {
                let (from, len) = (usize::from(tape.byte()), usize::from(tape.byte()));
                let echo: Vec<u8> = self.sent.iter().skip(from).take(len).copied().collect();
                self.receive(&echo);
            }
            6 => self.answer(tape.byte(), tape.flag()),
            7 => self.wait(u64::from(tape.word())),
            8 => self.wait(u64::from(tape.word()) * 1_000),
            9 => {
                if let Some(at_us) = self.session.poll_timeout() {
                    self.now_us = self.now_us.max(at_us);
                }
                self.session.handle_timeout(self.now_us);
            }
            10 => self.session.handle_timeout(self.now_us),
            11 => self.collect(),
            12 => self.session.cancel(self.now_us),
            13 => {
                self.session.link_down(self.now_us);
                self.last_rx_us = None;
            }
            14 => self.refuse(),
            _ => {
                self.transmit();
                self.session.transmitted(self.now_us);
            }
        }
    }

    fn submit(&mut self, tape: &mut Tape<'_>) {
        let (unit, asked) = (tape.byte(), Asked::from_tape(tape));
        let Some(request) = asked.request() else { return };
        let busy = self.session.is_busy();
        match self.session.submit(self.now_us, unit, &request) {
            Ok(id) => {
                assert!(!busy && unit != 0 && self.pending.is_none());
                self.pending = Some(Pending { id, unit, asked, transmissions: 0, refused: false });
            }
            Err(error) => assert!(busy || unit == 0, "{error}"),
        }
    }

    fn transmit(&mut self) {
        let mut buf = [0; MAX_ADU_LEN];
        let Some(frame) = self.session.poll_transmit(self.now_us, &mut buf) else { return };
        let pending = self.pending.as_mut().expect("only what was submitted is sent");
        pending.transmissions += 1;
        let request = pending.asked.request().expect("it was submitted");
        let line = self.session.line();
        let most = if request.is_read() { u32::from(line.read_attempts.max(1)) } else { 1 };
        assert!(pending.transmissions <= most, "sent {} times", pending.transmissions);
        if line.framing == Framing::Rtu {
            let mut expected = [0; MAX_ADU_LEN];
            assert_eq!(frame, rtu::encode_request(pending.unit, &request, &mut expected).unwrap());
            let quiet_us = line.pace.t35_us() + u64::from(line.extra_gap_us);
            let silent = self.last_rx_us.is_none_or(|last_us| self.now_us >= last_us + quiet_us);
            assert!(silent, "sent at {} after bytes at {:?}", self.now_us, self.last_rx_us);
        }
        self.sent = frame.to_vec();
        self.received.clear();
    }

    fn receive(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.last_rx_us = Some(self.now_us);
        }
        self.received.extend(bytes);
        self.session.receive(self.now_us, bytes);
    }

    fn framed(&self, body: Vec<u8>) -> Vec<u8> {
        match self.session.line().framing {
            Framing::Tcp => {
                let length = u16::try_from(body.len()).unwrap().to_be_bytes();
                let transaction = self.sent.get(..2).unwrap_or(&[0, 0]);
                [transaction, &[0, 0], &length, &body].concat()
            }
            _ => [&body[..], &crc16_bitwise(&body).to_le_bytes()].concat(),
        }
    }

    /// What a meter would answer, or nearly: `filler` is its data, `damaged` changes a byte.
    fn answer(&mut self, filler: u8, damaged: bool) {
        let Some(pending) = &self.pending else { return };
        let mut pdu = match pending.asked.request() {
            Some(Request::ReadHolding(span) | Request::ReadInput(span)) => {
                let bytes = u8::try_from(2 * span.count()).unwrap();
                [&[self.function(), bytes][..], &vec![filler; usize::from(bytes)]].concat()
            }
            Some(Request::ReportId(_)) => [&[0x11, 10][..], &[filler; 10]].concat(),
            _ => self.sent.iter().skip(self.pdu_at()).take(5).copied().collect(),
        };
        if damaged && let Some(byte) = pdu.get_mut(usize::from(filler) % 4) {
            *byte ^= 1 << (filler % 7);
        }
        let frame = self.framed([&[pending.unit], &pdu[..]].concat());
        self.receive(&frame);
    }

    fn function(&self) -> u8 {
        self.sent.get(self.pdu_at()).copied().unwrap_or(3)
    }

    fn pdu_at(&self) -> usize {
        if self.session.line().framing == Framing::Tcp { tcp::HEADER_LEN } else { 1 }
    }

    fn refuse(&mut self) {
        self.session.not_transmitted();
        if let Some(pending) = &mut self.pending {
            pending.refused |= self.session.is_done();
        }
    }

    fn wait(&mut self, us: u64) {
        self.now_us += us;
    }

    /// Fetches the end of the transaction and checks that it is true.
    fn collect(&mut self) {
        let was_done = self.session.is_done();
        let framing = self.session.line().framing;
        let Some(event) = self.session.poll_event() else {
            assert!(!was_done);
            return;
        };
        assert!(was_done);
        let pending = self.pending.take().expect("one end for each transaction");
        assert_eq!(event.id, pending.id);
        let is_read = pending.asked.request().is_some_and(|request| request.is_read());
        match event.outcome {
            Outcome::Reply(reply) => pending.check(&Answer::Reply(reply), framing, &self.sent, &self.received),
            Outcome::Exception(exception) => {
                pending.check(&Answer::Exception(exception), framing, &self.sent, &self.received);
            }
            Outcome::NotTransmitted(why) => {
                assert!(pending.transmissions == 0 || pending.refused || is_read, "{why}");
            }
            Outcome::NoReply(_) => assert!(pending.transmissions > 0),
        }
        assert!(!self.session.is_busy() && self.session.poll_event().is_none());
    }

    /// A driver that does its duty on a dead line brings every transaction to its end.
    fn finish(&mut self) {
        let mut wakes = 0;
        while self.session.is_busy() {
            wakes += 1;
            assert!(wakes < 64, "the transaction does not end");
            self.collect();
            self.transmit();
            self.session.transmitted(self.now_us);
            if let Some(at_us) = self.session.poll_timeout() {
                self.now_us = self.now_us.max(at_us);
                self.session.handle_timeout(self.now_us);
            }
        }
        assert!(self.pending.is_none());
    }
}
