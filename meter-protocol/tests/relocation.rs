//! Another unit number or speed for a meter on a line with others: whatever is lost on the way, the verdict says where
//! the meter is.
#![cfg(feature = "virtual-meter")]

use meter_protocol::acrel::{
    Baud, MeterNumber, NotMoved, Place, Port, PortSettings, Relocation, RelocationAnswer, RelocationStep,
    RelocationVerdict,
};
use meter_protocol::virtual_meter as vm;
use meter_protocol::wire::{Answer, MAX_ADU_LEN, Request, rtu};

const START_MS: i64 = 1_772_704_800_000;
const FROM: Place = Place { unit: 1, baud: Baud::B9600 };

/// What happens to the one write.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Carried,
    RequestLost,
    ReplyLost,
    NotTransmitted,
    /// The meter takes the unit and keeps its speed.
    UnitOnly,
    /// The meter ends up where nobody looks.
    Astray,
}

struct Line {
    meters: Vec<vm::VirtualMeter>,
    fate: Fate,
    writes: usize,
    asked: Vec<Place>,
}

fn number(unit: u8) -> MeterNumber {
    format!("2026030500{unit:02}").parse().unwrap()
}

fn line(units: &[u8], fate: Fate) -> Line {
    let meters = units.iter().map(|&unit| {
        let digits = [2, 0, 2, 6, 0, 3, 0, 5, 0, 0, unit / 10, unit % 10];
        let setup = vm::MeterSetup::new(vm::Model::Dtsy1352, unit, digits, START_MS);
        vm::VirtualMeter::new(&setup, vm::MeterOptions::default()).unwrap()
    });
    Line { meters: meters.collect(), fate, writes: 0, asked: Vec::new() }
}

impl Line {
    /// What a line at this speed carries: meters at other speeds hear noise.
    fn carry(&mut self, baud: Baud, frame: &[u8]) -> Option<Vec<u8>> {
        let hears = |meter: &vm::VirtualMeter| meter.register(0x0360).unwrap() & 0xFF == u16::from(baud.index());
        self.meters.iter_mut().filter(|meter| hears(meter)).find_map(|meter| meter.serve(START_MS, frame))
    }

    fn ask(&mut self, at: Place, request: &Request<'_>, take: impl FnOnce(&RelocationAnswer<'_>)) {
        let mut buf = [0; MAX_ADU_LEN];
        let mut frame = rtu::encode_request(at.unit, request, &mut buf).unwrap().to_vec();
        self.asked.push(at);
        let is_write = !request.is_read();
        self.writes += usize::from(is_write && self.fate != Fate::NotTransmitted);
        let reply = match self.fate {
            Fate::NotTransmitted if is_write => return take(&RelocationAnswer::NotTransmitted),
            Fate::RequestLost if is_write => None,
            Fate::ReplyLost if is_write => {
                self.carry(at.baud, &frame);
                None
            }
            Fate::UnitOnly | Fate::Astray if is_write => {
                frame.truncate(17);
                if self.fate == Fate::UnitOnly {
                    frame[8] = at.baud.index()
                } else {
                    frame[7] = 99
                }
                frame.extend(meter_protocol::wire::crc::crc16(&frame).to_le_bytes());
                self.carry(at.baud, &frame);
                None
            }
            _ => self.carry(at.baud, &frame),
        };
        let Some(reply) = reply else { return take(&RelocationAnswer::Nothing) };
        match rtu::decode_answer(&reply, at.unit, &request.expectation()).unwrap() {
            Answer::Reply(reply) => take(&RelocationAnswer::Reply(reply)),
            Answer::Exception(_) => take(&RelocationAnswer::Refused),
        }
    }

    fn run(&mut self, to: Place, expected: MeterNumber) -> RelocationVerdict {
        let mut relocation = Relocation::new(expected, Port::First, FROM, to).unwrap();
        for _ in 0..100 {
            let before = relocation;
            match before.next() {
                RelocationStep::Done(verdict) => return verdict,
                RelocationStep::Ask { at, request } => self.ask(at, &request, |answer| relocation.answered(answer)),
            }
        }
        panic!("the procedure does not end");
    }
}

fn destinations() -> impl Iterator<Item = Place> {
    let bauds = Baud::ALL.into_iter().flat_map(|baud| [1, 17].map(|unit| Place { unit, baud }));
    bauds.filter(|place| *place != FROM)
}

#[test]
fn the_meter_is_found_whatever_is_lost() {
    for to in destinations() {
        for fate in [Fate::Carried, Fate::ReplyLost, Fate::RequestLost] {
            let mut line = line(&[1, 2], fate);
            let verdict = line.run(to, number(1));
            let expected = if fate == Fate::RequestLost { RelocationVerdict::Stayed } else { RelocationVerdict::Moved };
            assert_eq!(verdict, expected, "{to:?} {fate:?}");
            assert_eq!(line.writes, 1, "never a second time");
            let settled = if fate == Fate::RequestLost { FROM } else { to };
            assert_eq!(line.meters[0].unit(), settled.unit);
            // The number and the format of the port are as before.
            let bytes: Vec<u8> =
                (0x360..0x365).flat_map(|a| line.meters[0].register(a).unwrap().to_be_bytes()).collect();
            assert_eq!(bytes[4..], [0x20, 0x26, 0x03, 0x05, 0x00, 0x01]);
        }
    }
}

#[test]
fn halfway_and_lost_are_told_apart() {
    let to = Place { unit: 17, baud: Baud::B19200 };
    let mut halfway = line(&[1, 2], Fate::UnitOnly);
    assert_eq!(halfway.run(to, number(1)), RelocationVerdict::Halfway(Place { unit: 17, baud: Baud::B9600 }));
    let mut astray = line(&[1, 2], Fate::Astray);
    assert_eq!(astray.run(to, number(1)), RelocationVerdict::Lost);
    assert_eq!(astray.asked.len(), 4 + 3 * 4, "three rounds over four places");
    assert_eq!(astray.writes, 1);
}

#[test]
fn nothing_is_written_when_anything_is_odd() {
    let to = Place { unit: 2, baud: Baud::B9600 };
    let untouched = |line: &mut Line, to, number, why| {
        assert_eq!(line.run(to, number), RelocationVerdict::Untouched(why));
        assert_eq!(line.writes, 0);
    };
    untouched(&mut line(&[1, 2], Fate::Carried), to, number(1), NotMoved::Occupied);
    untouched(&mut line(&[1, 2], Fate::Carried), to, number(7), NotMoved::NotThere);
    untouched(&mut line(&[2], Fate::Carried), to, number(1), NotMoved::NotThere);
    let to = Place { unit: 17, baud: Baud::B9600 };
    untouched(&mut line(&[1], Fate::NotTransmitted), to, number(1), NotMoved::NotTransmitted);
    // The second port is set to unit 9: a caller that names the wrong port is told.
    let mut other = line(&[1], Fate::Carried);
    let mut relocation = Relocation::new(number(1), Port::Second, FROM, to).unwrap();
    other.meters[0].serve(START_MS, &{
        let mut frame = vec![1, 0x10, 0x03, 0x65, 0, 5, 10, 9, 3, 0, 0, 0, 0, 0, 0, 0, 0];
        frame.extend(meter_protocol::wire::crc::crc16(&frame).to_le_bytes());
        frame
    });
    for _ in 0..2 {
        let before = relocation;
        let RelocationStep::Ask { at, request } = before.next() else { panic!("ended early") };
        other.ask(at, &request, |answer| relocation.answered(answer));
    }
    let why = NotMoved::OtherSettings { unit: 9, baud_index: 3 };
    assert_eq!(relocation.next(), RelocationStep::Done(RelocationVerdict::Untouched(why)));
    assert!(Relocation::new(number(1), Port::First, FROM, FROM).is_err());
    for unit in [0, 248] {
        assert!(Relocation::new(number(1), Port::First, FROM, Place { unit, baud: Baud::B9600 }).is_err());
    }
    assert_eq!(PortSettings::read(Port::First), Request::read_holding(0x0360, 5).unwrap());
}
