//! Frames that peers get wrong, and the collected frames of peers' tests where they are at hand.

mod common;

use common::{hex, with_crc};
use meter_protocol::session::{LineConfig, Outcome, Session};
use meter_protocol::wire::{Answer, FrameError, MAX_ADU_LEN, Reply, ReplyError, Request, rtu, sniff, tcp};
use serde_json::Value;

fn against(frame: &[u8], request: &Request<'_>) -> Result<(), ReplyError> {
    rtu::decode_answer(frame, 1, &request.expectation()).map(|_| ())
}

/// rmodbus 0.13 panics on it; rusty-modbus-codec 0.1 takes it.
#[test]
fn a_read_reply_without_data() {
    let frame = hex("01 03 00 20 F0");
    assert!(matches!(sniff::decode_rtu(&frame), Err(FrameError::Shape { function: 3, .. })));
    let asked = Request::read_holding(0, 1).unwrap();
    assert_eq!(against(&frame, &asked), Err(ReplyError::ByteCount { expected: 2, actual: 0 }));
}

/// modbus-core 0.2 and rusty-modbus-codec 0.1 take it.
#[test]
fn an_odd_byte_count() {
    let frame = hex("01 03 03 00 07 00 47 BE");
    assert!(sniff::decode_rtu(&frame).is_err());
    assert!(against(&frame, &Request::read_holding(0, 1).unwrap()).is_err());
}

#[test]
fn a_byte_count_below_the_data_with_a_crc_over_all() {
    let frame = hex("01 03 02 00 07 00 09 03 F4");
    assert!(sniff::decode_rtu(&frame).is_err());
    assert!(against(&frame, &Request::read_holding(0, 1).unwrap()).is_err());
    assert!(against(&frame, &Request::read_holding(0, 2).unwrap()).is_err());
}

/// rmodbus 0.13 and tokio-modbus 0.17 take two registers for ten; tokio-modbus panics on it in a debug build.
#[test]
fn a_late_reply_to_another_count() {
    let frame = hex("01 03 04 00 07 00 09 8B F4");
    assert!(sniff::decode_rtu(&frame).is_ok());
    assert!(against(&frame, &Request::read_holding(0, 2).unwrap()).is_ok());
    let ten = Request::read_holding(0, 10).unwrap();
    assert_eq!(against(&frame, &ten), Err(ReplyError::ByteCount { expected: 20, actual: 4 }));
}

/// rmodbus 0.13 takes it.
#[test]
fn a_write_confirmed_for_another_address_or_count() {
    let asked = Request::write_multiple(0x57, &[0; 4]).unwrap();
    let reply = |pdu: &str| against(&with_crc(pdu), &asked);
    assert_eq!(reply("01 10 00 57 00 02"), Ok(()));
    assert_eq!(reply("01 10 00 58 00 02"), Err(ReplyError::Address { expected: 0x57, actual: 0x58 }));
    assert_eq!(reply("01 10 00 57 00 01"), Err(ReplyError::Value { expected: 2, actual: 1 }));
    assert_eq!(reply("01 06 00 57 00 02"), Err(ReplyError::Function { expected: 0x10, actual: 0x06 }));
    let asked = Request::write_single(2, 3);
    let other = against(&with_crc("01 06 00 02 00 04"), &asked);
    assert_eq!(other, Err(ReplyError::Value { expected: 3, actual: 4 }));
}

#[test]
fn another_unit() {
    let asked = Request::read_holding(0, 1).unwrap();
    assert_eq!(against(&with_crc("02 03 02 00 07"), &asked), Err(ReplyError::Unit { expected: 1, actual: 2 }));
}

/// modbus-core 0.2 takes exception code 0.
#[test]
fn exceptions() {
    let asked = Request::read_holding(0, 1).unwrap();
    assert_eq!(against(&hex("01 83 00 41 30"), &asked), Err(FrameError::ExceptionZero.into()));
    let vendor = hex("01 83 20 40 E8");
    match rtu::decode_answer(&vendor, 1, &asked.expectation()) {
        Ok(Answer::Exception(exception)) => assert_eq!((exception.function, exception.code.get()), (3, 0x20)),
        other => panic!("{other:?}"),
    }
    assert_eq!(against(&with_crc("01 90 02"), &asked), Err(ReplyError::Function { expected: 3, actual: 0x90 }));
    assert!(against(&with_crc("01 83 02 02"), &asked).is_err());
}

/// pymodbus reads one byte too long.
#[test]
fn a_valid_frame_followed_by_zeros() {
    let mut frame = with_crc("01 03 02 00 07");
    let asked = Request::read_holding(0, 1).unwrap();
    assert_eq!(against(&frame, &asked), Ok(()));
    for _ in 0..3 {
        frame.push(0);
        assert!(rtu::open(&frame).is_ok(), "the CRC fits again");
        assert!(against(&frame, &asked).is_err());
        assert!(sniff::decode_rtu(&frame).is_err());
    }
}

#[test]
fn ambiguous_function_bytes_give_both_readings() {
    let frame = with_crc("01 AA 02");
    let sniffed = sniff::decode_rtu(&frame).unwrap();
    assert!(sniffed.as_request.is_some() && sniffed.as_exception.is_some());
}

/// tokio-modbus 0.17 gives up after 30 bytes of noise.
#[test]
fn more_noise_than_a_peer_bears() {
    let asked = Request::read_holding(0, 1).unwrap();
    let mut session = waiting(&asked);
    let mut bytes = [0x00, 0xFF, 0x01, 0x03].repeat(25);
    bytes.extend(with_crc("01 03 02 00 07"));
    session.receive(1_000, &bytes);
    assert_eq!(value(&mut session), Some(7));
}

/// tokio-modbus 0.17 waits for the length that the broken byte count says and eats the next reply.
#[test]
fn a_broken_byte_count_before_the_next_reply() {
    let asked = Request::read_holding(0, 1).unwrap();
    let mut session = waiting(&asked);
    let mut broken = with_crc("01 03 02 00 07");
    broken[2] = 0x42;
    session.receive(1_000, &broken);
    assert_eq!(value(&mut session), None);
    session.receive(2_000, &with_crc("01 03 02 00 08"));
    assert_eq!(value(&mut session), Some(8));
}

/// tokio-modbus 0.17 returns the first of these for the second request.
#[test]
fn a_late_reply_before_the_right_one() {
    let asked = Request::read_holding(0, 10).unwrap();
    let mut session = waiting(&asked);
    session.receive(1_000, &with_crc("01 03 04 00 07 00 09"));
    assert_eq!(value(&mut session), None);
    session.receive(2_000, &with_crc(&format!("01 03 14 {}", "00 05 ".repeat(10))));
    assert_eq!(value(&mut session), Some(5));
}

/// A session that has sent this to unit 1.
fn waiting(asked: &Request<'_>) -> Session {
    let mut session = Session::new(LineConfig::rtu_unpaced());
    session.submit(0, 1, asked).unwrap();
    session.poll_transmit(0, &mut [0; MAX_ADU_LEN]).unwrap();
    session.transmitted(0);
    session
}

/// The first register of what it took, if it took anything yet.
fn value(session: &mut Session) -> Option<u16> {
    match session.poll_event()?.outcome {
        Outcome::Reply(Reply::Registers(registers)) => registers.words().next(),
        other => panic!("{other:?}"),
    }
}

/// The collected frames: each is treated as its `expect` says. The collection is not part of this crate; without it
/// the cases above stand for it.
#[test]
fn collected_frames() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/modbus-vectors/frames.json");
    let Ok(text) = std::fs::read_to_string(path) else { return };
    let entries: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(entries.len() > 100);
    for entry in entries {
        let field = |name: &str| entry[name].as_str().unwrap_or_default();
        let bytes = hex(field("hex"));
        let decoded = match field("kind") {
            "rtu" => sniff::decode_rtu(&bytes).map(|_| ()),
            "tcp" => sniff::decode_tcp(&bytes).map(|_| ()),
            other => panic!("{other}"),
        };
        let expect = field("expect");
        match expect {
            "accept as exception 00 or reject, never panic" => {}
            _ if expect.starts_with("accept") => assert_eq!(decoded, Ok(()), "{entry}"),
            _ if expect.starts_with("reject") => assert!(decoded.is_err(), "{entry}"),
            // The frame inside is found by sliding: see the session's tests.
            "resync" => {
                assert!(decoded.is_err(), "{entry}");
                let inside = hex(field("frame"));
                assert!(bytes.windows(inside.len()).any(|window| window == inside), "{entry}");
                assert!(sniff::decode_rtu(&inside).is_ok(), "{entry}");
            }
            other => panic!("unknown expectation {other}"),
        }
    }
}

#[test]
fn tcp_frames_against_their_request() {
    let asked = Request::read_holding(0, 2).unwrap();
    let frame = hex("0007 0000 0007 01 03 04 0001 0002");
    let decode = |frame: &[u8], transaction, unit| {
        tcp::decode_answer(frame, transaction, unit, &asked.expectation()).map(|_| ())
    };
    assert!(decode(&frame, 7, 1).is_ok());
    assert_eq!(decode(&frame, 8, 1), Err(ReplyError::Transaction { expected: 8, actual: 7 }));
    assert_eq!(decode(&frame, 7, 2), Err(ReplyError::Unit { expected: 2, actual: 1 }));
    let wrong_protocol = hex("0007 0001 0007 01 03 04 0001 0002");
    assert_eq!(decode(&wrong_protocol, 7, 1), Err(FrameError::Protocol { actual: 1 }.into()));
    let too_long = hex("0007 0000 0006 01 03 04 0001 0002");
    assert!(matches!(decode(&too_long, 7, 1), Err(ReplyError::Frame(FrameError::TooLong { .. }))));
    let too_short = hex("0007 0000 0008 01 03 04 0001 0002");
    assert!(matches!(decode(&too_short, 7, 1), Err(ReplyError::Frame(FrameError::TooShort { .. }))));

    let mut buf = [0; 260];
    assert_eq!(tcp::encode_request(7, 1, &asked, &mut buf).unwrap(), hex("0007 0000 0006 01 03 0000 0002"));
}
