//! 4G meters that dial in: the frames of the reference, and the station's side of a connection.

#![allow(clippy::disallowed_methods, reason = "tests may panic")]

mod common;

use common::{REALTIME_REPLY, hex, with_crc};
use meter_protocol::acrel::{Clock, ForceMode, LinkId, Realtime};
use meter_protocol::session::{NoReply, NotTransmitted, Outcome};
use meter_protocol::uplink::radio::*;
use meter_protocol::uplink::{ForwardError, forwardable};
use meter_protocol::wire::crc::crc16;
use meter_protocol::wire::factory::FactoryFunction;
use meter_protocol::wire::{FrameError, Incoming, Reply, Request};

const REGISTER: &str = "7B 7B 84
    30 30 30 30 30 30 30 30 30 30 30 30 30 31 00 00 00 00 00 00
    38 39 38 36 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 31 00 00 00 00 00 00 00 00 00 00
    1B 0002 0100 0100 1E A2 42 7D 7D";
const REGISTER_TAKEN: &str = "7B 7B 84 BF 23 7D 7D";
const UPLOAD_TAKEN: &str = "7B 7B 91 7E EC 7D 7D";
const HEARTBEAT: &str = "7B 7B 94 BE EF 7D 7D";
const TIME: &str = "7B 7B 93 15 0A 15 04 13 24 2A 2A F0 7D 7D";
const POLL: &str = "7B 7B 90 01 03 02 00 00 30 44 66 E6 FD 7D 7D";
const SERIAL: &str = "00000000000001";

fn serial() -> Serial {
    Serial::new(SERIAL).unwrap()
}

/// A frame around a body, with the CRC of this crate, whose own vectors are elsewhere.
fn framed(command: u8, body: &[u8]) -> Vec<u8> {
    let covered = [&[command], body].concat();
    [&[0x7B, 0x7B], &covered[..], &crc16(&covered).to_le_bytes(), &[0x7D, 0x7D]].concat()
}

fn up(bytes: &[u8]) -> Result<Up<'_>, RadioError> {
    Up::parse(Frame::decode(bytes)?)
}

fn upload_body(serial: Option<Serial>, inside: &[u8]) -> Vec<u8> {
    let serial = serial.map_or(Vec::new(), |serial| serial.as_bytes().to_vec());
    [&serial[..], b"[[1-1((", inside, b"))]]"].concat()
}

#[test]
fn frames_of_the_reference_are_read_and_written() {
    let mut buf = [0; MAX_FRAME_LEN];
    for (text, message) in [(REGISTER_TAKEN, Down::RegisterTaken), (UPLOAD_TAKEN, Down::UploadTaken)] {
        assert_eq!(Down::parse(Frame::decode(&hex(text)).unwrap()), Ok(message));
        assert_eq!(message.encode(&mut buf).unwrap(), hex(text));
    }
    let heartbeat = Up::Heartbeat { serial: None };
    assert_eq!(up(&hex(HEARTBEAT)), Ok(heartbeat));
    assert_eq!(heartbeat.encode(&mut buf).unwrap(), hex(HEARTBEAT));

    let time = Down::Time(Clock::new(2021, 10, 21, 19, 36, 42).unwrap());
    assert_eq!(time.encode(&mut buf).unwrap(), hex(TIME));
    assert_eq!(Down::parse(Frame::decode(&hex(TIME)).unwrap()), Ok(time));

    let poll = Down::Request { unit: 1, request: Realtime::READ };
    assert_eq!(poll.encode(&mut buf).unwrap(), hex(POLL));
    let bytes = hex(POLL);
    assert_eq!(Down::parse(Frame::decode(&bytes).unwrap()), Ok(poll));
}

#[test]
fn the_registration_of_the_reference() {
    let bytes = hex(REGISTER);
    let Ok(Up::Register(registration)) = up(&bytes) else { panic!("{:?}", up(&bytes)) };
    assert_eq!(registration.serial.as_str(), SERIAL);
    assert_eq!(registration.iccid.as_str(), "89860000000000000001");
    assert_eq!((registration.rssi, registration.upload_interval_min), (27, 30));
    assert_eq!(registration.versions_bcd, [[0, 2], [1, 0], [1, 0]]);
    let mut buf = [0; MAX_FRAME_LEN];
    assert_eq!(Up::Register(registration).encode(&mut buf).unwrap(), bytes);
    let short = up(&framed(0x84, &bytes[3..60])).map(|_| ());
    assert_eq!(short, Err(RadioError::BodyLength { command: 0x84, expected: 58, actual: 57 }));
    let nameless = up(&framed(0x84, &[0; 58])).map(|_| ());
    assert_eq!(nameless, Err(RadioError::TextLength { field: "serial", max: 20, actual: 0 }));
}

#[test]
fn uploads_with_and_without_serial() {
    for serial in [None, Some(serial())] {
        let reply = hex(REALTIME_REPLY);
        let bytes = framed(0x91, &upload_body(serial, &reply));
        let Ok(Up::Upload(upload)) = up(&bytes) else { panic!("{:?}", up(&bytes)) };
        assert_eq!((upload.serial, upload.address), (serial, "1-1"));
        let block = upload.realtime().unwrap();
        assert_eq!((block.remaining_minor, block.purchase_count), (-8401, 12));
        let mut buf = [0; MAX_FRAME_LEN];
        let same = Up::Upload(Upload::new(serial, "1-1", &reply).unwrap());
        assert_eq!(same.encode(&mut buf).unwrap(), bytes);
    }
}

#[test]
fn an_eight_rate_upload_is_told_by_its_byte_count() {
    // Deep valley 00 00 03 E8 at byte 96; the clock at byte 80 has no weekday.
    let mut data = vec![0; 144];
    data[80..86].copy_from_slice(&[26, 3, 5, 14, 7, 30]);
    data[96..100].copy_from_slice(&[0, 0, 3, 0xE8]);
    let mut reply = vec![1, 3, 144];
    reply.extend(&data);
    reply.extend(crc16(&reply).to_le_bytes());
    let bytes = framed(0x91, &upload_body(None, &reply));
    let Ok(Up::Upload(upload)) = up(&bytes) else { panic!() };
    let block = upload.realtime().unwrap();
    assert_eq!(block.energy.deep_valley_centikwh, Some(1000));
    assert_eq!(block.clock, Ok(Clock::new(2026, 3, 5, 14, 7, 30).unwrap()));
}

#[test]
fn brackets_inside_the_reply_do_not_end_it() {
    let reply = with_crc("01 03 08 29 29 5D 5D 28 28 5B 5B");
    let body = upload_body(None, &reply);
    let bytes = framed(0x91, &body);
    let Ok(Up::Upload(upload)) = up(&bytes) else { panic!("{:?}", up(&bytes)) };
    assert!(matches!(upload.content, UploadContent::Registers { data, .. } if data == b"))]](([["));
    assert!(upload.realtime().is_err(), "no known block has 8 bytes");
}

#[test]
fn uploads_that_are_none() {
    let reply = hex(REALTIME_REPLY);
    let inside = |body: &[u8]| up(&framed(0x91, body)).map(|_| ());
    let bracket = |missing| Err(RadioError::Bracket { missing });
    assert_eq!(inside(b"1-1((un))]]"), bracket("[["));
    assert_eq!(inside(b"[[1-1 un))]]"), bracket("(("));
    assert_eq!(inside(b"[[1-1((un]]"), bracket("))"));
    assert_eq!(inside(b"[[1-1((un))"), bracket("]]"));
    assert_eq!(inside(b"[[1-1((un))]]x"), Err(RadioError::Trailing { len: 1 }));
    assert_eq!(inside(b"[[((un))]]"), Err(RadioError::TextLength { field: "address", max: 16, actual: 0 }));
    let mut broken = reply.clone();
    broken[4] ^= 1;
    assert!(matches!(inside(&upload_body(None, &broken)), Err(RadioError::Inner(FrameError::Crc { .. }))));
    // The byte count says more than there is.
    let cut_off = upload_body(None, &reply[..60]);
    assert!(matches!(inside(&cut_off), Err(RadioError::Inner(FrameError::TooShort { expected: 101, .. }))));
    let of_other_function = upload_body(None, &with_crc("01 10 00 57 00 02"));
    assert_eq!(inside(&of_other_function), Err(RadioError::InnerFunction { function: 0x10 }));
    for (body, content) in [(&b"[[1-1((un))]]"[..], UploadContent::ReadFailed), (b"[[1-1(())]]", UploadContent::Empty)]
    {
        assert!(matches!(up(&framed(0x91, body)), Ok(Up::Upload(upload)) if upload.content == content));
    }
}

#[test]
fn times_that_do_not_exist() {
    let parse = |body: &[u8]| Down::parse(Frame::decode(&framed(0x93, body)).unwrap()).map(|_| ());
    assert_eq!(parse(&[21, 10, 21, 5, 19, 36, 42]), Err(RadioError::Weekday { expected: 4, actual: 5 }));
    assert!(matches!(parse(&[21, 2, 29, 1, 0, 0, 0]), Err(RadioError::Clock(_))));
    assert!(matches!(parse(&[21, 10, 21, 4, 24, 0, 0]), Err(RadioError::Clock(_))));
    assert_eq!(parse(&[21, 10, 21]), Err(RadioError::BodyLength { command: 0x93, expected: 7, actual: 3 }));
}

/// What a station side did, as owned values.
#[derive(Debug, PartialEq)]
enum Seen {
    Registering,
    Heartbeat,
    TimeAsked,
    Upload(i32),
    Alarm(Vec<u8>),
    Foreign,
    Unregistered(Command),
    Odd,
    Registers(Vec<u8>),
    Ended(String),
    Closed(CloseReason),
}

/// Feeds bytes and collects events and what is sent; registrations of [`SERIAL`] are admitted.
fn drive(station: &mut Station, now_us: u64, mut bytes: &[u8]) -> (Vec<Seen>, Vec<Vec<u8>>) {
    let (mut seen, mut sent) = (Vec::new(), Vec::new());
    station.handle_timeout(now_us);
    loop {
        let before = (seen.len(), sent.len(), bytes.len());
        while let Some(event) = station.poll_event() {
            let mut admit = None;
            seen.push(match event {
                StationEvent::Registering(registration) => {
                    admit = Some(registration.serial == serial());
                    Seen::Registering
                }
                StationEvent::Heartbeat => Seen::Heartbeat,
                StationEvent::TimeAsked => Seen::TimeAsked,
                StationEvent::Upload(upload) => Seen::Upload(upload.realtime().unwrap().remaining_minor),
                StationEvent::Alarm(body) => Seen::Alarm(body.to_vec()),
                StationEvent::Foreign { .. } => Seen::Foreign,
                StationEvent::Unregistered { command } => Seen::Unregistered(command),
                StationEvent::Odd(_) => Seen::Odd,
                StationEvent::Transaction(event) => match event.outcome {
                    Outcome::Reply(Reply::Registers(registers)) => Seen::Registers(registers.bytes().to_vec()),
                    outcome => Seen::Ended(format!("{outcome:?}")),
                },
                StationEvent::Closed(reason) => Seen::Closed(reason),
                other => panic!("{other:?}"),
            });
            match admit {
                Some(true) => station.admit(),
                Some(false) => station.refuse(now_us),
                None => {}
            }
        }
        let mut buf = [0; MAX_FRAME_LEN];
        while let Some(frame) = station.poll_transmit(now_us, &mut buf) {
            sent.push(frame.to_vec());
            station.transmitted(now_us);
        }
        bytes = &bytes[station.receive(now_us, bytes)..];
        station.handle_timeout(now_us);
        if before == (seen.len(), sent.len(), bytes.len()) && bytes.is_empty() {
            return (seen, sent);
        }
    }
}

fn station() -> Station {
    Station::new(0, StationConfig::DEFAULT, LinkId::first(0))
}

fn registered() -> Station {
    let mut station = station();
    let (seen, sent) = drive(&mut station, 0, &hex(REGISTER));
    assert_eq!((seen, sent), (vec![Seen::Registering], vec![hex(REGISTER_TAKEN)]));
    assert_eq!(station.serial(), Some(serial()));
    station
}

#[test]
fn a_meter_registers_and_is_read_through_the_tunnel() {
    for prefix in [None, Some(serial())] {
        let mut station = registered();
        station.submit(1, 1, &Realtime::READ).unwrap();
        assert_eq!(drive(&mut station, 1, &[]).1, [hex(POLL)]);
        // A heartbeat and an upload come between.
        let reply = hex(REALTIME_REPLY);
        let tunnelled = framed(0x90, &[&prefix.map_or(vec![], |s| s.as_bytes().to_vec())[..], &reply].concat());
        let stream = [hex(HEARTBEAT), framed(0x91, &upload_body(None, &reply)), tunnelled].concat();
        let (seen, sent) = drive(&mut station, 2, &stream);
        assert_eq!(seen, [Seen::Heartbeat, Seen::Upload(-8401), Seen::Registers(reply[3..99].to_vec())]);
        assert_eq!(sent, [hex(UPLOAD_TAKEN)]);
        assert_eq!(station.counters().discarded_bytes, 0);
    }
}

#[test]
fn a_write_that_is_acknowledged_by_the_serial_alone_has_to_be_read_back() {
    let mut station = registered();
    station.submit(0, 1, &ForceMode::SupplyOff.request()).unwrap();
    drive(&mut station, 0, &[]);
    let acknowledged = framed(0x90, serial().as_bytes());
    let (seen, _) = drive(&mut station, 1, &acknowledged);
    assert_eq!(seen, [Seen::Ended(format!("{:?}", Outcome::NoReply(NoReply::Acknowledged)))]);
    // The meter's own reply is late now: it is discarded, and the next request waits until it can't come any more.
    station.submit(2, 1, &ForceMode::SupplyOff.request()).unwrap();
    assert!(drive(&mut station, 2, &framed(0x90, &with_crc("01 10 00 57 00 02"))).1.is_empty());
    assert_eq!(station.counters().discarded_bytes, 8);
    assert_eq!(drive(&mut station, 31_000_000, &[]).1.len(), 1);
}

#[test]
fn an_acknowledgement_is_no_reading_and_other_meters_are_not_ours() {
    let mut station = registered();
    station.submit(0, 1, &Realtime::READ).unwrap();
    drive(&mut station, 0, &[]);
    let other = Serial::new("99").unwrap();
    let foreign = framed(0x90, &[&other.as_bytes()[..], &hex(REALTIME_REPLY)].concat());
    let stream = [framed(0x90, serial().as_bytes()), foreign, framed(0x90, other.as_bytes())].concat();
    assert_eq!(drive(&mut station, 1, &stream).0, [Seen::Foreign, Seen::Foreign]);
    // Replies that do not fit the request.
    for wrong in ["02 03 02 00 07", "01 03 02 00 07", "01 04 60"] {
        assert!(drive(&mut station, 2, &framed(0x90, &with_crc(wrong))).0.is_empty(), "{wrong}");
    }
    let timed_out = Seen::Ended(format!("{:?}", Outcome::NoReply(NoReply::TimedOut)));
    assert_eq!(drive(&mut station, 11_000_000, &[]).0, [timed_out]);
}

#[test]
fn a_vendor_reply_ends_with_its_frame() {
    let mut station = registered();
    let sale = Request::vendor_write(0x0100, &[0, 0, 0x27, 0x10, 0, 1, 0, 0]).unwrap();
    station.submit(0, 1, &sale).unwrap();
    let (_, sent) = drive(&mut station, 0, &[]);
    let frame_inside = &sent[0][3..sent[0].len() - 4];
    // Our own frame is an echo of the module, no reply.
    assert!(drive(&mut station, 1, &framed(0x90, frame_inside)).0.is_empty());
    let (seen, _) = drive(&mut station, 2, &framed(0x90, &with_crc("01 20 01 00 00 04")));
    assert!(matches!(&seen[..], [Seen::Ended(outcome)] if outcome.contains("Vendor")), "{seen:?}");
}

#[test]
fn factory_functions_do_not_get_through_the_tunnel() {
    let mut station = registered();
    for (frame, factory) in [
        ("01 99 00 00", FactoryFunction::Code(0x99)),
        ("01 20 09 00 00 01 02 00 00", FactoryFunction::Clear { address: 0x0900 }),
        ("01 20 09 FF 00 01 02 00 00", FactoryFunction::Clear { address: 0x09FF }),
    ] {
        let frame = with_crc(frame);
        let error = ForwardError::Factory(factory);
        assert_eq!(station.submit_frame(0, &frame), Err(StationError::Forward(error)));
        assert_eq!(forwardable(&frame).map(|_| ()), Err(error));
        // Not disguised as a reply, and not taken from a station either.
        let mut buf = [0; MAX_FRAME_LEN];
        let reply = Up::Reply { serial: None, frame: &frame };
        assert_eq!(reply.encode(&mut buf).map(|_| ()), Err(RadioError::Forward(error)));
        let down = framed(0x90, &frame);
        assert_eq!(Down::parse(Frame::decode(&down).unwrap()), Err(RadioError::Forward(error)));
        assert!(matches!(Request::parse(&frame[1..frame.len() - 2]), Ok(Incoming::Factory(_))));
    }
    assert!(drive(&mut station, 0, &[]).1.is_empty(), "nothing was sent");
}

#[test]
fn nothing_is_taken_before_the_registration() {
    let mut station = station();
    assert_eq!(station.submit(0, 1, &Realtime::READ), Err(StationError::NotRegistered));
    let stream = [hex(HEARTBEAT), framed(0x91, &upload_body(None, &hex(REALTIME_REPLY)))].concat();
    let (seen, sent) = drive(&mut station, 0, &stream);
    assert_eq!(seen, [Seen::Unregistered(Command::Heartbeat), Seen::Unregistered(Command::Upload)]);
    assert!(sent.is_empty());
    assert_eq!(station.poll_timeout(), Some(60_000_000));
    assert_eq!(drive(&mut station, 60_000_000, &[]).0, [Seen::Closed(CloseReason::NotRegistered)]);
    assert!(drive(&mut station, 60_000_001, &hex(REGISTER)).0.is_empty(), "it is closed for good");
}

#[test]
fn connections_that_are_given_up() {
    let other = Registration::new(Serial::new("99").unwrap(), Iccid::new("89").unwrap());
    let mut buf = [0; MAX_FRAME_LEN];
    let other = Up::Register(other).encode(&mut buf).unwrap().to_vec();
    let mut refused = station();
    assert_eq!(drive(&mut refused, 0, &other).0, [Seen::Registering, Seen::Closed(CloseReason::Refused)]);

    let mut changed = registered();
    changed.submit(0, 1, &Realtime::READ).unwrap();
    let down = Seen::Ended(format!("{:?}", Outcome::NotTransmitted(NotTransmitted::LinkDown)));
    changed.receive(0, &other);
    assert_eq!(drive(&mut changed, 0, &[]).0, [down, Seen::Closed(CloseReason::SerialChanged)]);

    let mut silent = registered();
    drive(&mut silent, 899_000_000, &hex(HEARTBEAT));
    assert!(drive(&mut silent, 1_798_000_000, &[]).0.is_empty());
    assert_eq!(drive(&mut silent, 1_799_000_000, &[]).0, [Seen::Closed(CloseReason::Silent)]);

    let mut web = station();
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(200);
    assert_eq!(drive(&mut web, 0, &request).0, [Seen::Closed(CloseReason::Garbage)]);
}

#[test]
fn a_registered_meter_may_register_again_and_asks_for_the_time() {
    let mut station = registered();
    let (seen, sent) = drive(&mut station, 5, &[hex(REGISTER), framed(0x93, serial().as_bytes())].concat());
    assert_eq!((seen, sent), (vec![Seen::Registering, Seen::TimeAsked], vec![hex(REGISTER_TAKEN)]));
    station.answer_time(Clock::new(2021, 10, 21, 19, 36, 42).unwrap()).unwrap();
    assert_eq!(drive(&mut station, 6, &[]).1, [hex(TIME)]);
}

#[test]
fn what_the_sources_leave_open_is_a_switch() {
    let mut config = StationConfig::DEFAULT;
    config.heartbeat_answer = HeartbeatAnswer::Empty;
    config.odd_upload = OddUpload::Acknowledge;
    let odd = framed(0x91, b"[[1-1((zz))]]");
    for (config, heartbeats, uploads) in [(StationConfig::DEFAULT, 0, 0), (config, 1, 1)] {
        let mut station = Station::new(0, config, LinkId::first(0));
        drive(&mut station, 0, &hex(REGISTER));
        assert_eq!(drive(&mut station, 1, &hex(HEARTBEAT)).1.len(), heartbeats);
        let (seen, sent) = drive(&mut station, 2, &odd);
        assert_eq!((seen, sent.len()), (vec![Seen::Odd], uploads));
    }
}

#[test]
fn an_unfinished_frame_is_reported_and_what_follows_is_taken() {
    let mut station = registered();
    let stream = [framed(0x89, &[1, 2, 3]), framed(0x90, &[1, 3, 8, 0]), hex(HEARTBEAT)].concat();
    assert_eq!(drive(&mut station, 0, &stream).0, [Seen::Alarm(vec![1, 2, 3])]);
    assert_eq!(station.poll_timeout(), Some(5_000_000));
    assert_eq!(drive(&mut station, 5_000_000, &[]).0, [Seen::Odd, Seen::Heartbeat]);
}

/// The fields of an upload are open. What is put into them afterwards is looked at when it is written: here a whole frame
/// with a factory function between the brackets.
#[test]
fn an_upload_wraps_nothing_that_was_not_looked_at() {
    let mut reply = vec![1, 3, 2, 0, 7];
    reply.extend(crc16(&reply).to_le_bytes());
    let mut inner = vec![1, 0x99, 0, 0];
    inner.extend(crc16(&inner).to_le_bytes());
    let smuggled = framed(0x90, &inner);
    let mut buf = [0; MAX_FRAME_LEN];
    let good = Upload::new(None, "1-1", &reply).unwrap();
    assert!(Up::Upload(good).encode(&mut buf).is_ok());
    let mut bad = good;
    bad.content = UploadContent::Registers { unit: 1, data: &[0, 7], frame: &smuggled };
    assert!(Up::Upload(bad).encode(&mut buf).is_err());
    let mut bad = good;
    bad.address = "1-1((un))]]";
    bad.content = UploadContent::Registers { unit: 1, data: &[0, 7], frame: &inner };
    assert!(Up::Upload(bad).encode(&mut buf).is_err());
}
