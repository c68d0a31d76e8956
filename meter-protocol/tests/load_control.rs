//! Load control and trip counters: the frames of the reference, and the virtual meter as the other side.
#![cfg(feature = "virtual-meter")]

mod common;

use common::hex;
use meter_protocol::acrel::*;
use meter_protocol::virtual_meter as vm;
use meter_protocol::wire::{Answer, MAX_ADU_LEN, Registers, Reply, Request, rtu};

const START_MS: i64 = 1_772_704_800_000;

struct Rig(vm::VirtualMeter);

impl Rig {
    fn new(model: vm::Model, load_enable: vm::EnablePolarity) -> Self {
        let mut options = vm::MeterOptions::default();
        options.load_enable = load_enable;
        let setup = vm::MeterSetup::new(model, 1, [2, 0, 2, 6, 0, 3, 0, 5, 0, 0, 1, 2], START_MS);
        Self(vm::VirtualMeter::new(&setup, options).unwrap())
    }

    fn send<T>(&mut self, request: &Request<'_>, take: impl FnOnce(Answer<'_>) -> T) -> T {
        let mut buf = [0; MAX_ADU_LEN];
        let frame = rtu::encode_request(1, request, &mut buf).unwrap();
        let now_ms = self.0.time_ms();
        let reply = self.0.serve(now_ms, frame).unwrap();
        take(rtu::decode_answer(&reply, 1, &request.expectation()).unwrap())
    }

    fn read<T>(&mut self, request: &Request<'_>, parse: impl FnOnce(&Registers<'_>) -> Result<T, BlockError>) -> T {
        self.send(request, |answer| match answer {
            Answer::Reply(Reply::Registers(registers)) => parse(&registers).unwrap(),
            other => panic!("{other:?}"),
        })
    }

    fn write(&mut self, request: &Request<'_>) {
        self.send(request, |answer| match answer {
            Answer::Reply(Reply::Vendor(reply)) => assert!(!reply.is_marked_as_exception()),
            other => panic!("{other:?}"),
        });
    }

    fn model(&mut self) -> Confirmed<Model> {
        self.read(&Model::READ, |registers| Confirmed::from_reply(1, LinkId::first(0), registers))
    }

    fn block(&mut self) -> LoadControlBlock {
        let model = self.model();
        let request = LoadControlBlock::read(&model).unwrap();
        self.read(&request, |registers| LoadControlBlock::from_registers(&model, registers))
    }

    fn trips(&mut self) -> u16 {
        self.read(&Realtime::READ, |r| Realtime::from_registers(RealtimeLayout::FourRate, r)).load_trip_count
    }
}

const LIMIT: PowerLimit = PowerLimit { max_power_raw: 3_000, step_raw: 800, step_power_factor_raw: 0 };

#[test]
fn the_frames_of_the_reference() {
    let mut rig = Rig::new(vm::Model::Dtsy1352, vm::EnablePolarity::OneIsOn);
    let model = rig.model();
    let mut buf = [0; MAX_ADU_LEN];
    let control = LoadControl::all_lines(true).limit(LIMIT).allowed_trips(3);
    let frame = rtu::encode_request(1, &control.request(&model).unwrap(), &mut buf).unwrap();
    let zeros = "00".repeat(12);
    let expected = format!("01 20 04 00 00 0D 1A FF 01 01 0B B8 03 20 00 00 00 00 01 00 03 {zeros} 96 9C");
    assert_eq!(frame, hex(&expected));
    let counters = TripCounters::new().all(0);
    let frame = rtu::encode_request(1, &counters.request().unwrap(), &mut buf).unwrap();
    assert_eq!(frame, hex("01 20 04 10 00 04 08 00 00 00 00 00 00 01 00 48 A1"));
    let read = LoadControlBlock::read(&model).unwrap();
    assert_eq!(rtu::encode_request(1, &read, &mut buf).unwrap(), hex("01 03 04 80 00 13 04 DF"));
    let model = Rig::new(vm::Model::Ddsy1352, vm::EnablePolarity::OneIsOn).model();
    let read = LoadControlBlock::read(&model).unwrap();
    assert_eq!(rtu::encode_request(1, &read, &mut buf).unwrap(), hex("01 03 04 80 00 07 04 D0"));
}

#[test]
fn every_belief_about_the_polarity_meets_every_meter() {
    for belief in [None, Some(EnablePolarity::OneIsOn), Some(EnablePolarity::OneIsOff)] {
        for polarity in vm::EnablePolarity::ALL {
            for model in [vm::Model::Dtsy1352, vm::Model::Ddsy1352] {
                for on in [true, false] {
                    let mut rig = Rig::new(model, *polarity);
                    let confirmed = rig.model();
                    rig.write(&LoadControl::all_lines(on).request(&confirmed).unwrap());
                    let mut profile = Profile::unsettled();
                    profile.enable_polarity = belief;
                    let agrees = match polarity {
                        vm::EnablePolarity::OneIsOn => EnablePolarity::OneIsOn,
                        vm::EnablePolarity::OneIsOff => EnablePolarity::OneIsOff,
                    };
                    match (belief, rig.block().enabled(&profile, Line::L1)) {
                        (None, told) => assert!(told.unwrap_err().to_string().contains("bench test 9")),
                        (Some(belief), told) => assert_eq!(told, Ok(on == (belief == agrees))),
                    }
                }
            }
        }
    }
}

#[test]
fn limits_reach_the_line_that_they_are_for_and_cut_it() {
    let mut profile = Profile::unsettled();
    profile.enable_polarity = Some(EnablePolarity::OneIsOn);
    for (line, watts) in [(Line::L1, [3_001, 0, 0]), (Line::L2, [0, 3_001, 0]), (Line::L3, [0, 0, 3_001])] {
        let mut rig = Rig::new(vm::Model::Dtsy1352, vm::EnablePolarity::OneIsOn);
        let model = rig.model();
        let control = LoadControl::line(line).enable(true).limit(LIMIT).recover_time(10).allowed_trips(2);
        rig.write(&control.request(&model).unwrap());
        let block = rig.block();
        for (index, other) in Line::ALL.into_iter().enumerate() {
            let shown = block.lines()[index];
            let read = (shown.max_power_raw, shown.step_raw, shown.recover_time_raw, shown.allowed_trips);
            assert_eq!(read == (3_000, 800, 10, 2), other == line, "{other:?}");
            assert_eq!(block.enabled(&profile, other), Ok(other == line));
        }
        rig.0.set_load(vm::Load::new(watts, 1_000));
        assert!(!rig.0.relay_closed());
        assert_eq!(rig.trips(), 1);
        // With the load still there the line would trip again at once.
        rig.0.set_load(vm::Load::NONE);
        rig.write(&TripCounters::new().all(0).request().unwrap());
        assert_eq!(rig.trips(), 0);
    }
}

#[test]
fn what_a_model_does_not_have_is_not_built() {
    let mut rig = Rig::new(vm::Model::Ddsy1352, vm::EnablePolarity::OneIsOn);
    let model = rig.model();
    let second = LoadControl::line(Line::L2).enable(true);
    assert!(matches!(second.request(&model), Err(BuildError::Model { .. })));
    assert!(matches!(LoadControl::line(Line::L1).request(&model), Err(BuildError::Empty { .. })));
    assert!(matches!(TripCounters::new().request(), Err(BuildError::Empty { .. })));
    assert_eq!(rig.block().lines().len(), 1);
    let wrong = [0; 38];
    let registers = Registers::holding(0x0480, &wrong).unwrap();
    assert!(matches!(
        LoadControlBlock::from_registers(&model, &registers),
        Err(BlockError::Length { expected: 14, .. })
    ));
    let elsewhere = Registers::holding(0x0481, &wrong[..14]).unwrap();
    assert!(matches!(LoadControlBlock::from_registers(&model, &elsewhere), Err(BlockError::Missing { .. })));
}
