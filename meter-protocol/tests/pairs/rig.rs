//! A meter, and what the client has sent to it.

use crate::common::hex;
use meter_protocol::acrel::*;
use meter_protocol::virtual_meter as vm;
use meter_protocol::wire::{Answer, ExceptionCode, MAX_ADU_LEN, Registers, Reply, Request, rtu};

pub(crate) const MODELS: [vm::Model; 2] = [vm::Model::Ddsy1352, vm::Model::Dtsy1352];
/// 2026-03-05 10:00, a Thursday.
pub(crate) const START_MS: i64 = 1_772_704_800_000;

/// A meter, and how many frames other than reads have been sent to it by the client.
pub(crate) struct Rig {
    pub(crate) meter: vm::VirtualMeter,
    pub(crate) writes: usize,
}

pub(crate) enum Came {
    Registers(u16, Vec<u8>),
    Done,
    Refused(ExceptionCode),
    Nothing,
}

impl Rig {
    pub(crate) fn new(model: vm::Model, options: vm::MeterOptions) -> Self {
        Self::with_key(model, options, None)
    }

    pub(crate) fn with_key(model: vm::Model, options: vm::MeterOptions, cipher_key: Option<[u16; 4]>) -> Self {
        let mut setup = vm::MeterSetup::new(model, 1, [2, 0, 2, 6, 0, 3, 0, 5, 0, 0, 1, 2], START_MS);
        (setup.prepay_enabled, setup.remaining_cents, setup.purchase_count) = (true, 50_000, 12);
        setup.cipher_key = cipher_key;
        Self { meter: vm::VirtualMeter::new(&setup, options).unwrap(), writes: 0 }
    }

    pub(crate) fn send(&mut self, request: &Request<'_>) -> Came {
        let mut buf = [0; MAX_ADU_LEN];
        let frame = rtu::encode_request(1, request, &mut buf).unwrap();
        self.writes += usize::from(!request.is_read());
        self.exchange(frame, request)
    }

    pub(crate) fn exchange(&mut self, frame: &[u8], request: &Request<'_>) -> Came {
        let now_ms = self.meter.time_ms();
        let Some(reply) = self.meter.serve(now_ms, frame) else { return Came::Nothing };
        match rtu::decode_answer(&reply, 1, &request.expectation()).unwrap() {
            Answer::Reply(Reply::Registers(r)) => Came::Registers(r.address(), r.bytes().to_vec()),
            Answer::Reply(_) => Came::Done,
            Answer::Exception(exception) => Came::Refused(exception.code),
        }
    }

    pub(crate) fn read<T>(
        &mut self,
        request: &Request<'_>,
        parse: impl FnOnce(&Registers<'_>) -> Result<T, BlockError>,
    ) -> T {
        match self.send(request) {
            Came::Registers(address, bytes) => parse(&Registers::holding(address, &bytes).unwrap()).unwrap(),
            _ => panic!("{request:?} was not answered"),
        }
    }

    pub(crate) fn block<B: Block>(&mut self) -> B {
        self.read(&B::READ, B::from_registers)
    }

    pub(crate) fn model(&mut self) -> Confirmed<Model> {
        self.read(&Model::READ, |registers| Confirmed::from_reply(1, LinkId::first(0), registers))
    }

    /// Something that somebody else did, on the menu or with another tool.
    pub(crate) fn prepared(&mut self, text: &str) {
        let reply = self.prepared_or_refused(text);
        assert!(reply.is_none_or(|reply| reply[1] == hex(text)[1]), "{text}");
    }

    /// As [`Rig::prepared`], for what some meters refuse.
    pub(crate) fn prepared_or_refused(&mut self, text: &str) -> Option<Vec<u8>> {
        let mut frame = hex(text);
        frame.extend(meter_protocol::wire::crc::crc16(&frame).to_le_bytes());
        let now_ms = self.meter.time_ms();
        self.meter.serve(now_ms, &frame)
    }
}
