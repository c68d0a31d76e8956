//! A session and virtual meters on one line at 9600 8N1, in virtual time.

use super::random::Random;
use meter_protocol::acrel::Purchase;
use meter_protocol::session::{LineConfig, Outcome, Session};
use meter_protocol::virtual_meter as vm;
use meter_protocol::wire::{MAX_ADU_LEN, Reply, Request, VENDOR_WRITE};

/// 2026-03-05 10:00, a Thursday.
const START_MS: i64 = 1_772_704_800_000;
/// The longest reply that is asked for: 48 registers.
const LONGEST_REPLY_BYTES: usize = 101;
const REQUEST_BYTES: usize = 8;
/// What the session waits for after function 20H, at most.
const LONGEST_VENDOR_REPLY_BYTES: usize = 67;

/// Bytes of one exchange that a fault may strike.
pub(crate) struct Exchange<'a> {
    /// The frame on its way to the meter.
    pub(crate) request: &'a mut [u8],
    /// The reply on its way to the master.
    pub(crate) reply: Vec<u8>,
}

/// What a session took for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// What the meter answered to this very request.
    Right,
    /// Nothing.
    Nothing,
    /// A vendor reply that is not what the meter sent. Its length is not known, so that a cut one passes when its last
    /// bytes are a check sum by chance or were zeros. Its bytes are handed on raw and decide nothing.
    OtherRaw,
    /// Something else.
    Wrong {
        /// Whether it is what the same unit answered earlier, in the same number of bytes.
        is_older_of_equal_shape: bool,
    },
}

/// What is asked of a meter, with its data.
pub(crate) enum Asked {
    Read(u16, u16),
    Force([u8; 4]),
    /// A sale of so much.
    Sale(u32),
}

/// A read of some block three times in four, else a switch or a sale.
pub(crate) fn random_request(random: &mut Random) -> Asked {
    const READS: [(u16, u16); 6] = [(0x0200, 48), (0x0200, 48), (0x0400, 25), (0x021F, 3), (0x0057, 2), (0x022A, 2)];
    match random.below(8) {
        0 => Asked::Force([0, 1, 0, random.below(2) as u8]),
        1 => Asked::Sale(1 + random.below(10_000) as u32),
        _ => {
            let (address, count) = READS[random.below(6) as usize];
            Asked::Read(address, count)
        }
    }
}

pub(crate) struct VirtualLine {
    pub(crate) random: Random,
    session: Session,
    bus: vm::VirtualBus,
    injector: vm::FaultInjector,
    pace: vm::Line,
    now_us: u64,
    /// Bytes on their way to the master, by time.
    arriving: Vec<(u64, Vec<u8>)>,
    /// Unit and frame of each true answer so far.
    answers: Vec<(u8, Vec<u8>)>,
    /// When the last byte of the latest faulty exchange was on the line. Bytes that are missing count as there.
    last_faulty_us: u64,
    /// How long that exchange may take the line when it goes well.
    bound_us: u64,
}

impl VirtualLine {
    /// A line of `meters` whose bus does `faults` to the exchanges that are to be struck.
    pub(crate) fn new(line: LineConfig, meters: u8, seed: u64, faults: vm::Faults) -> Self {
        // The bus itself is without faults: they are laid over single exchanges.
        let mut bus = vm::VirtualBus::new(vm::FaultInjector::new(vm::Faults::NONE, 0), None);
        for unit in 1..=meters {
            let model = if unit == 2 { vm::Model::Ddsy1352 } else { vm::Model::Dtsy1352 };
            let mut setup =
                vm::MeterSetup::new(model, unit, [2, 0, 2, 6, 0, 3, 0, 5, 0, 0, unit / 10, unit % 10], START_MS);
            (setup.prepay_enabled, setup.remaining_cents, setup.purchase_count) = (true, 50_000, 12);
            let mut meter = vm::VirtualMeter::new(&setup, vm::MeterOptions::default()).unwrap();
            // Energy moves on from one reading to the next.
            meter.set_load(vm::Load::new([30_000, 20_000, 10_000], 900));
            bus.add(meter).unwrap();
        }
        Self {
            random: Random::new(seed),
            session: Session::new(line),
            bus,
            injector: vm::FaultInjector::new(faults, seed),
            pace: vm::Line::new(9600),
            now_us: 0,
            arriving: Vec::new(),
            answers: Vec::new(),
            last_faulty_us: 0,
            bound_us: 0,
        }
    }

    /// From the last byte of the latest faulty exchange to the end of the transaction after it.
    pub(crate) fn recovery_us(&self) -> u64 {
        self.now_us.saturating_sub(self.last_faulty_us)
    }

    /// Longest response time, t3.5 and the latest transaction.
    pub(crate) fn recovery_bound_us(&self) -> u64 {
        u64::from(self.session.line().longest_response_us) + self.pace.silence_us() + self.bound_us
    }

    /// The same for a transaction with the longest reply.
    pub(crate) fn longest_recovery_bound_us(&self) -> u64 {
        u64::from(self.session.line().longest_response_us) + self.pace.silence_us() + self.realtime_us()
    }

    /// The present, in microseconds.
    pub(crate) fn now_us(&self) -> u64 {
        self.now_us
    }

    /// Lets time pass without a transaction.
    pub(crate) fn wait_until(&mut self, now_us: u64) {
        self.now_us = self.now_us.max(now_us);
    }

    /// What a transaction with a reply of 48 registers takes on this line.
    pub(crate) fn realtime_us(&self) -> u64 {
        self.pace.exchange_us(REQUEST_BYTES, LONGEST_REPLY_BYTES)
    }

    /// Runs one transaction with a random meter. The faults of the bus come over it if it `is_struck`; `strike` may
    /// change its bytes besides.
    pub(crate) fn transaction(
        &mut self,
        asked: &Asked,
        is_struck: bool,
        strike: impl FnMut(&mut Exchange<'_>, &mut Random),
    ) -> Taken {
        let unit = 1 + self.random.below(self.bus.meters().len() as u64) as u8;
        self.transaction_with(unit, asked, is_struck, strike)
    }

    /// The same with this meter.
    pub(crate) fn transaction_with(
        &mut self,
        unit: u8,
        asked: &Asked,
        is_struck: bool,
        mut strike: impl FnMut(&mut Exchange<'_>, &mut Random),
    ) -> Taken {
        let sale = match asked {
            Asked::Sale(amount) => Some(Purchase::new(*amount, self.meter(unit).purchase_count()).unwrap()),
            _ => None,
        };
        let request = match (asked, &sale) {
            (Asked::Read(address, count), _) => Request::read_holding(*address, *count).unwrap(),
            (Asked::Force(words), _) => Request::write_multiple(0x0057, words).unwrap(),
            (Asked::Sale(_), Some(sale)) => sale.request(),
            (Asked::Sale(_), None) => unreachable!("a sale is made above"),
        };
        self.session.submit(self.now_us, unit, &request).unwrap();
        let mut truth = None;
        loop {
            let mut buf = [0; MAX_ADU_LEN];
            if let Some(frame) = self.session.poll_transmit(self.now_us, &mut buf).map(<[u8]>::to_vec) {
                truth = self.carry(unit, frame, is_struck, &mut strike);
            }
            self.session.handle_timeout(self.now_us);
            if let Some(event) = self.session.poll_event() {
                let outcome = event.outcome;
                return taken(&outcome, truth.as_deref(), unit, &self.answers);
            }
            self.advance();
        }
    }

    fn meter(&self, unit: u8) -> &vm::VirtualMeter {
        &self.bus.meters()[usize::from(unit - 1)]
    }

    /// Carries a frame to the meters and what they answer back. Returns what the meter truly answered.
    fn carry(
        &mut self,
        unit: u8,
        mut frame: Vec<u8>,
        is_struck: bool,
        strike: &mut impl FnMut(&mut Exchange<'_>, &mut Random),
    ) -> Option<Vec<u8>> {
        let sent = frame.clone();
        let began_us = self.now_us;
        self.now_us += self.pace.characters_us(frame.len());
        self.session.transmitted(self.now_us);
        let now_ms = START_MS + i64::try_from(self.now_us / 1_000).unwrap();
        let truth = self.meter(unit).clone().serve(now_ms, &sent);
        let reply_bytes = truth.as_ref().map_or(0, Vec::len);
        // The length of a vendor reply is not known: room for a longer one is kept, and silence ends it.
        let is_vendor = frame[1] == VENDOR_WRITE;
        let room_bytes = if is_vendor { reply_bytes.max(LONGEST_VENDOR_REPLY_BYTES) } else { reply_bytes };
        let frame_end_us = if is_vendor { u64::from(self.session.line().frame_end_us) } else { 0 };
        self.bound_us = self.pace.exchange_us(frame.len(), reply_bytes) + frame_end_us;
        let clean_end_us = began_us + self.pace.exchange_us(frame.len(), room_bytes);

        let mut exchange = Exchange { request: &mut frame, reply: truth.clone().unwrap_or_default() };
        strike(&mut exchange, &mut self.random);
        let reply = exchange.reply;
        let struck_request = frame != sent;
        let copies = if is_struck { self.injector.request_copies() } else { 1 };
        for copy in 1..=u64::from(copies) {
            let answered = self.bus.request(now_ms, &frame).deliveries;
            // The meter hears a broken request as broken; else it has answered what its copy answered.
            assert_eq!(answered.is_empty(), struck_request || truth.is_none());
            if answered.is_empty() {
                continue;
            }
            let end_us = copy * self.pace.exchange_us(sent.len(), reply_bytes);
            let came = match is_struck {
                true => self.injector.deliver(end_us, &sent, reply.clone()),
                false => vec![vm::Delivery { delay_us: end_us, bytes: reply.clone() }],
            };
            for delivery in came {
                self.arrive(began_us + delivery.delay_us, &delivery.bytes);
            }
        }
        if is_struck {
            let last_us = self.arriving.iter().map(|(time, _)| *time).max().unwrap_or(0);
            self.last_faulty_us = clean_end_us.max(last_us);
        }
        if let Some(truth) = &truth {
            self.answers.push((unit, truth.clone()));
        }
        truth
    }

    /// Bytes whose last one is on the line at `end_us`, handed on in pieces as adapters do.
    fn arrive(&mut self, end_us: u64, bytes: &[u8]) {
        let line_free_us = self.arriving.iter().map(|(time, _)| *time).max().unwrap_or(0);
        // Two can't be on the line at once.
        let begin_us = end_us.saturating_sub(self.pace.characters_us(bytes.len())).max(line_free_us);
        let (mut time, mut rest) = (begin_us, bytes);
        while !rest.is_empty() {
            let piece = (1 + self.random.below(3) as usize).min(rest.len());
            time += self.pace.characters_us(piece);
            self.arriving.push((time, rest[..piece].to_vec()));
            rest = &rest[piece..];
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

/// Judges what came by what the meter has answered. `answers` ends with the answer to this request, if there was one.
fn taken(outcome: &Outcome<'_>, truth: Option<&[u8]>, unit: u8, answers: &[(u8, Vec<u8>)]) -> Taken {
    // Data of the frame, without unit, function, byte count and check sum.
    let data = |frame: &[u8]| match frame[1] {
        0x03 => frame[3..frame.len() - 2].to_vec(),
        _ => frame[2..frame.len() - 2].to_vec(),
    };
    let came = match outcome {
        Outcome::Reply(Reply::Registers(registers)) => registers.bytes().to_vec(),
        Outcome::Reply(Reply::Written { address, value, .. }) => [address.to_be_bytes(), value.to_be_bytes()].concat(),
        Outcome::Reply(Reply::Vendor(vendor)) => vendor.bytes().to_vec(),
        Outcome::NoReply(_) => return Taken::Nothing,
        other => panic!("{other:?}"),
    };
    if truth.is_some_and(|truth| data(truth) == came) {
        return Taken::Right;
    }
    let function = match outcome {
        Outcome::Reply(Reply::Registers(_)) => 0x03,
        Outcome::Reply(Reply::Written { function, .. }) => *function,
        _ => return Taken::OtherRaw,
    };
    let older = |(of, frame): &(u8, Vec<u8>)| *of == unit && frame[1] == function && data(frame) == came;
    Taken::Wrong { is_older_of_equal_shape: answers.iter().any(older) }
}
