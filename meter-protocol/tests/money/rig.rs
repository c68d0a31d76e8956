//! A master's session with one virtual meter behind it.

use meter_protocol::acrel::*;
use meter_protocol::session::{LineConfig, Outcome, Session};
use meter_protocol::virtual_meter as vm;
use meter_protocol::wire::{MAX_ADU_LEN, Registers, Reply, Request};

/// 2026-03-05 10:00, a Thursday.
pub(crate) const START_MS: i64 = 1_772_704_800_000;
pub(crate) const HOUR_MS: i64 = 3_600_000;
pub(crate) const UNIT: u8 = 1;

/// What came back on a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Came {
    Registers(u16, Vec<u8>),
    Confirmed,
    Refused,
    Nothing,
}

/// What the line does to one request and its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Carried,
    RequestLost,
    ReplyLost,
    /// The request stays in a gateway until [`Rig::release`].
    Held,
    /// Power fails after so many bytes of request and reply together.
    PowerCut(usize),
}

/// A master's session with one virtual meter behind it.
pub(crate) struct Rig {
    pub(crate) session: Session,
    pub(crate) bus: vm::VirtualBus,
    pub(crate) now_us: u64,
    pub(crate) now_ms: i64,
    pub(crate) held: Vec<Vec<u8>>,
    /// Frames other than reads that the master has sent.
    pub(crate) writes: usize,
}

impl Rig {
    pub(crate) fn new(model: vm::Model, options: vm::MeterOptions) -> Self {
        let mut setup = vm::MeterSetup::new(model, UNIT, [2, 0, 2, 6, 0, 3, 0, 5, 0, 0, 1, 2], START_MS);
        (setup.prepay_enabled, setup.remaining_cents, setup.purchase_count) = (true, 50_000, 12);
        let mut bus = vm::VirtualBus::new(vm::FaultInjector::new(vm::Faults::NONE, 0), None);
        bus.add(vm::VirtualMeter::new(&setup, options).unwrap()).unwrap();
        let session = Session::new(LineConfig::rtu_unpaced());
        Self { session, bus, now_us: 0, now_ms: START_MS, held: Vec::new(), writes: 0 }
    }

    pub(crate) fn meter(&mut self) -> &mut vm::VirtualMeter {
        self.bus.meter_mut(0).unwrap()
    }

    pub(crate) fn wait(&mut self, ms: i64) {
        self.now_ms += ms;
        self.now_us += u64::try_from(ms).unwrap() * 1_000;
        let now_ms = self.now_ms;
        self.meter().advance(now_ms);
    }

    pub(crate) fn send(&mut self, request: &Request<'_>, fate: Fate) -> Came {
        self.writes += usize::from(!request.is_read());
        self.session.submit(self.now_us, UNIT, request).unwrap();
        let mut buf = [0; MAX_ADU_LEN];
        let frame = loop {
            match self.session.poll_transmit(self.now_us, &mut buf) {
                Some(frame) => break frame.to_vec(),
                None => self.now_us = self.session.poll_timeout().unwrap(),
            }
        };
        self.session.transmitted(self.now_us);
        let deliveries = match fate {
            Fate::Carried => self.bus.request(self.now_ms, &frame).deliveries,
            Fate::PowerCut(bytes) => self.bus.request_until_power_cut(self.now_ms, &frame, bytes).deliveries,
            Fate::ReplyLost => {
                self.bus.request(self.now_ms, &frame);
                Vec::new()
            }
            Fate::RequestLost => Vec::new(),
            Fate::Held => {
                self.held.push(frame);
                Vec::new()
            }
        };
        for delivery in deliveries {
            self.session.receive(self.now_us, &delivery.bytes);
        }
        loop {
            if let Some(event) = self.session.poll_event() {
                return match event.outcome {
                    Outcome::Reply(Reply::Registers(r)) => Came::Registers(r.address(), r.bytes().to_vec()),
                    Outcome::Reply(_) => Came::Confirmed,
                    Outcome::Exception(_) => Came::Refused,
                    Outcome::NoReply(_) => Came::Nothing,
                    Outcome::NotTransmitted(why) => panic!("{why}"),
                };
            }
            self.now_us = self.session.poll_timeout().unwrap().max(self.now_us);
            self.session.handle_timeout(self.now_us);
        }
    }

    /// What was held reaches the meter; the replies come too late for anybody.
    pub(crate) fn release(&mut self) {
        for frame in std::mem::take(&mut self.held) {
            self.bus.request(self.now_ms, &frame);
        }
    }

    pub(crate) fn read<T>(
        &mut self,
        request: &Request<'_>,
        parse: impl FnOnce(&Registers<'_>) -> Result<T, BlockError>,
    ) -> T {
        match self.send(request, Fate::Carried) {
            Came::Registers(address, bytes) => parse(&Registers::holding(address, &bytes).unwrap()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn realtime(&mut self) -> Realtime {
        self.read(&Realtime::READ, |r| Realtime::from_registers(RealtimeLayout::FourRate, r))
    }

    pub(crate) fn prepay(&mut self) -> PrepayBlock {
        self.read(&PrepayBlock::READ, PrepayBlock::from_registers)
    }

    pub(crate) fn model(&mut self) -> Confirmed<Model> {
        let link = self.session.link();
        self.read(&Model::READ, |r| Confirmed::from_reply(UNIT, link, r))
    }

    /// Something that somebody else did to the meter before.
    pub(crate) fn prepared(&mut self, body: &[u8]) {
        let mut frame = body.to_vec();
        frame.extend(meter_protocol::wire::crc::crc16(&frame).to_le_bytes());
        let now_ms = self.now_ms;
        // Some of the meters answer function 20H with silence.
        let reply = self.meter().serve(now_ms, &frame);
        assert!(reply.is_none_or(|reply| reply[1] == body[1]), "{body:02X?}");
    }

    pub(crate) fn set_prices(&mut self, raw: u32) {
        let mut body = vec![UNIT, 0x20, 2, 0, 0, 30, 60];
        body.resize(67, 0);
        body[7 + 29] = 1;
        for price in 0..4 {
            body[37 + 4 * price..41 + 4 * price].clone_from_slice(&raw.to_be_bytes());
        }
        self.prepared(&body);
    }
}

pub(crate) fn every_answer() -> impl Iterator<Item = (vm::VendorReply, vm::VendorRefusal)> {
    vm::VendorReply::ALL.iter().flat_map(|reply| vm::VendorRefusal::ALL.iter().map(move |refusal| (*reply, *refusal)))
}
