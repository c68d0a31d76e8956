//! Time control, serial number and ports: frames of the reference, and the virtual meter as the other side.
#![cfg(feature = "virtual-meter")]
#![allow(clippy::disallowed_methods, reason = "tests may panic")]

use meter_protocol::acrel::*;
use meter_protocol::virtual_meter as vm;
use meter_protocol::wire::{Answer, MAX_ADU_LEN, Registers, Reply, Request, rtu};

mod common;

/// 2026-03-05 10:00, a Thursday.
const START_MS: i64 = 1_772_704_800_000;
const MORNING: TimeSlot = TimeSlot { hour: 6, minute: 30, on: true };
const NIGHT: TimeSlot = TimeSlot { hour: 23, minute: 0, on: false };

fn meter(model: vm::Model) -> vm::VirtualMeter {
    let setup = vm::MeterSetup::new(model, 1, [2, 0, 2, 6, 0, 3, 0, 5, 0, 0, 1, 2], START_MS);
    vm::VirtualMeter::new(&setup, vm::MeterOptions::default()).unwrap()
}

fn ask<T>(meter: &mut vm::VirtualMeter, request: &Request<'_>, take: impl FnOnce(Answer<'_>) -> T) -> T {
    let mut buf = [0; MAX_ADU_LEN];
    let frame = rtu::encode_request(meter.unit(), request, &mut buf).unwrap();
    let (unit, now_ms) = (meter.unit(), meter.time_ms());
    let reply = meter.serve(now_ms, frame).unwrap();
    take(rtu::decode_answer(&reply, unit, &request.expectation()).unwrap())
}

fn read<T>(
    meter: &mut vm::VirtualMeter,
    request: &Request<'_>,
    parse: impl FnOnce(&Registers<'_>) -> Result<T, BlockError>,
) -> T {
    ask(meter, request, |answer| match answer {
        Answer::Reply(Reply::Registers(registers)) => parse(&registers).unwrap(),
        other => panic!("{other:?}"),
    })
}

fn write(meter: &mut vm::VirtualMeter, request: &Request<'_>) {
    ask(meter, request, |answer| assert!(matches!(answer, Answer::Reply(_)), "{answer:?}"));
}

fn model_of(meter: &mut vm::VirtualMeter) -> Confirmed<Model> {
    read(meter, &Model::READ, |registers| Confirmed::from_reply(1, LinkId::first(0), registers))
}

fn block(meter: &mut vm::VirtualMeter) -> TimeControlBlock {
    let model = model_of(meter);
    read(meter, &TimeControlBlock::read(&model).unwrap(), |r| TimeControlBlock::from_registers(&model, r))
}

#[test]
fn the_reads_of_the_reference() {
    let model = model_of(&mut meter(vm::Model::Dtsy1352));
    let mut buf = [0; MAX_ADU_LEN];
    let frame = rtu::encode_request(1, &TimeControlBlock::read(&model).unwrap(), &mut buf).unwrap();
    assert_eq!(frame, common::hex("01 03 04 20 00 4F 04 C4"));
}

#[test]
fn what_is_written_is_shown_and_switches_the_relay() {
    for (model, lines) in [(vm::Model::Ddsy1352, 1), (vm::Model::Dtsy1352, 3)] {
        let mut meter = meter(model);
        let confirmed = model_of(&mut meter);
        let control = TimeControl::all_lines(true).rest_days(Weekdays::WEEKEND, [3, 4]);
        let control = control.slots(&[MORNING], &[MORNING, NIGHT]).unwrap();
        assert!(!control.shown_by(&block(&mut meter)));
        write(&mut meter, &control.request(&confirmed).unwrap());
        let shown = block(&mut meter);
        assert!(control.shown_by(&shown));
        assert_eq!(shown.lines().len(), lines);
        for line in shown.lines() {
            assert!(line.slots(true).eq([MORNING]) && line.slots(false).eq([MORNING, NIGHT]));
            assert_eq!((line.rest_days, line.unlabelled, line.unlabelled_high), (Weekdays::WEEKEND, [3, 4], 0));
        }
        meter.advance(START_MS + 13 * 3_600_000);
        let now = read(&mut meter, &Realtime::READ, |r| Realtime::from_registers(RealtimeLayout::FourRate, r));
        assert!(!now.status_1.relay_closed() && now.status_2.time_enabled() && !now.status_2.time_closed(Line::L1));
        write(&mut meter, &TimeControl::all_lines(false).request(&confirmed).unwrap());
        assert!(meter.relay_closed());
        assert!(control.shown_by(&block(&mut meter)), "the slots stay");
    }
}

#[test]
fn one_line_alone() {
    for (index, line) in Line::ALL.into_iter().enumerate() {
        let mut meter = meter(vm::Model::Dtsy1352);
        let model = model_of(&mut meter);
        let control = TimeControl::line(line).enable(true).slots(&[NIGHT], &[NIGHT]).unwrap();
        write(&mut meter, &control.request(&model).unwrap());
        let shown = block(&mut meter);
        assert!(control.shown_by(&shown));
        for (other, times) in shown.lines().iter().enumerate() {
            assert_eq!(times.slots(false).next().is_some(), other == index);
        }
    }
    let single = model_of(&mut meter(vm::Model::Ddsy1352));
    let second = TimeControl::line(Line::L2).enable(true);
    assert!(matches!(second.request(&single), Err(BuildError::Model { .. })));
    assert!(matches!(TimeControl::line(Line::L1).request(&single), Err(BuildError::Empty { .. })));
}

#[test]
fn what_is_no_schedule_is_refused_by_name() {
    let slots = |slots: &[TimeSlot]| TimeControl::all_lines(true).slots(slots, &[NIGHT]);
    assert!(matches!(slots(&[]), Err(BuildError::Empty { .. })));
    assert!(matches!(slots(&[MORNING; 9]), Err(BuildError::TooMany { count: 9, max: 8, .. })));
    assert!(matches!(slots(&[NIGHT, MORNING]), Err(BuildError::Order { slot: 1 })));
    assert!(matches!(slots(&[MORNING, MORNING]), Err(BuildError::Order { slot: 1 })));
    let told = |hour, minute, on| slots(&[TimeSlot { hour, minute, on }]).unwrap_err().to_string();
    assert_eq!(told(24, 0, true), "hour of a slot is 24, allowed are 0..=23");
    assert_eq!(told(0, 60, true), "minute of a slot is 60, allowed are 0..=59");
    assert_eq!(told(0, 0, false), "minute of a slot that is off is 0, allowed are 1..=59");
    assert!(slots(&[TimeSlot { hour: 0, minute: 0, on: true }]).is_ok());
    assert!(Weekdays::NONE.with(6).with(0) == Weekdays::WEEKEND && !Weekdays::WEEKEND.has(1));
    assert!(Weekdays::NONE.with(9) == Weekdays::NONE && !Weekdays::WEEKEND.has(9));
}

#[test]
fn the_serial_number_is_read_and_written() {
    let mut meter = meter(vm::Model::Ddsy1352);
    let shown = read(&mut meter, &SerialNumber::READ, SerialNumber::from_registers);
    assert_eq!(shown.to_string(), "00202603050012");
    let serial = SerialNumber::new("SN-1").unwrap();
    write(&mut meter, &serial.request());
    assert_eq!(read(&mut meter, &SerialNumber::READ, SerialNumber::from_registers), serial);
    assert!(SerialNumber::new("").is_err() && SerialNumber::new("a b").is_err() && SerialNumber::new("é").is_err());
    let odd = Registers::holding(0x03A0, &[7; 14]).unwrap();
    assert!(matches!(SerialNumber::from_registers(&odd), Err(BlockError::Range { value: 7, .. })));
}
