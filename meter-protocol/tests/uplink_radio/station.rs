//! What a station does on one connection, step by step.

use crate::common::{REALTIME_REPLY, hex, with_crc};
use crate::*;
use meter_protocol::acrel::{Clock, ForceMode, LinkId, Realtime};
use meter_protocol::session::{NoReply, NotTransmitted, Outcome};
use meter_protocol::uplink::radio::*;
use meter_protocol::uplink::{ForwardError, forwardable};
use meter_protocol::wire::factory::FactoryFunction;
use meter_protocol::wire::{Incoming, Reply, Request};

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
