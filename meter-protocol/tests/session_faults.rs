//! The session on a bad line: what it takes, what it slides over, when it gives up, what it never repeats.
#![allow(clippy::inconsistent_digit_grouping, reason = "amounts in hundredths: 100_00 is 100.00")]
#![allow(clippy::disallowed_methods, reason = "tests may panic")]

mod common;

use common::{REALTIME_REPLY, hex, with_crc};
use meter_protocol::acrel::{ForceMode, Purchase, Realtime};
use meter_protocol::session::{CharFormat, LineConfig, NoReply, NotTransmitted, Outcome, Session, SubmitError};
use meter_protocol::wire::{EncodeError, MAX_ADU_LEN, Reply, Request};

const TIMEOUT_US: u32 = 1_000_000;
const LONGEST_US: u32 = 3_000_000;

fn unpaced() -> Session {
    Session::new(LineConfig::rtu_unpaced())
}

/// Submits and transmits at time 0.
fn sent(session: &mut Session, unit: u8, request: &Request<'_>) -> Vec<u8> {
    session.submit(0, unit, request).unwrap();
    let frame = transmit(session, 0).expect("the line is quiet");
    session.transmitted(0);
    frame
}

fn transmit(session: &mut Session, now_us: u64) -> Option<Vec<u8>> {
    session.poll_transmit(now_us, &mut [0; MAX_ADU_LEN]).map(<[u8]>::to_vec)
}

/// The registers of the reply, if there is one.
fn reply(session: &mut Session) -> Option<Vec<u8>> {
    match session.poll_event()?.outcome {
        Outcome::Reply(Reply::Registers(registers)) => Some(registers.bytes().to_vec()),
        Outcome::Reply(Reply::Vendor(vendor)) => Some(vendor.bytes().to_vec()),
        Outcome::Reply(_) => Some(Vec::new()),
        other => panic!("{other:?}"),
    }
}

fn two_registers() -> Request<'static> {
    Request::read_holding(0x0057, 2).unwrap()
}

const TWO: &str = "01 03 04 00 01 00 00";

#[test]
fn a_reply_in_one_piece_and_byte_by_byte() {
    for piece in [1, 2, 7, 101] {
        let mut session = unpaced();
        sent(&mut session, 1, &Realtime::READ);
        let frame = hex(REALTIME_REPLY);
        for (index, bytes) in frame.chunks(piece).enumerate() {
            assert!(session.poll_event().is_none());
            session.receive(100 + index as u64, bytes);
        }
        assert_eq!(reply(&mut session).unwrap(), frame[3..99]);
        assert_eq!(session.counters().discarded_bytes, 0);
        assert!(!session.is_busy());
    }
}

#[test]
fn noise_before_the_reply_is_slid_over() {
    let good = with_crc(TWO);
    let cases =
        ["00", "FF FF", "01", "01 03", "01 03 60", "01 03 04 00", "01 83", "00 01 01 03 04 FF", "01 03 00 20 F0"];
    for noise in cases {
        let mut session = unpaced();
        sent(&mut session, 1, &two_registers());
        session.receive(10, &hex(noise));
        assert!(session.poll_event().is_none(), "{noise}");
        session.receive(20, &good);
        assert_eq!(reply(&mut session).unwrap(), [0, 1, 0, 0], "{noise}");
        assert_eq!(session.counters().discarded_bytes as usize, hex(noise).len(), "{noise}");
    }
}

#[test]
fn a_broken_frame_and_then_the_same_one_right() {
    // A wrong CRC, and a byte too many inside.
    for broken in ["01 83 02 91 21", "01 83 02 F0 91 31"] {
        let mut bytes = hex(broken);
        bytes.extend(with_crc("01 83 02"));
        let mut session = unpaced();
        sent(&mut session, 1, &two_registers());
        session.receive(10, &bytes);
        match session.poll_event().unwrap().outcome {
            Outcome::Exception(exception) => assert_eq!(exception.code.get(), 2),
            other => panic!("{other:?}"),
        }
        assert!(session.counters().broken_frames >= 1);
    }
}

#[test]
fn replies_of_other_units_functions_and_lengths_are_discarded_with_the_clock_running() {
    let foreign =
        ["02 03 04 00 01 00 00", "01 04 04 00 01 00 00", "01 03 02 00 07", "01 90 02", "02 83 02", "01 10 00 57 00 02"];
    let mut session = unpaced();
    sent(&mut session, 1, &two_registers());
    for (index, frame) in foreign.into_iter().enumerate() {
        session.receive(1000 * index as u64, &with_crc(frame));
        assert!(session.poll_event().is_none(), "{frame}");
    }
    assert_eq!(session.poll_timeout(), Some(u64::from(TIMEOUT_US)));
    session.receive(10_000, &with_crc(TWO));
    assert_eq!(reply(&mut session).unwrap(), [0, 1, 0, 0]);
}

#[test]
fn a_late_reply_is_never_taken_for_the_next_one() {
    let mut session = unpaced();
    sent(&mut session, 1, &two_registers());
    session.handle_timeout(u64::from(TIMEOUT_US));
    let outcome = session.poll_event().unwrap().outcome;
    assert_eq!(outcome, Outcome::NoReply(NoReply::TimedOut));

    // The next request is of equal shape. It does not leave before the longest response time has passed.
    session.submit(u64::from(TIMEOUT_US), 1, &two_registers()).unwrap();
    assert_eq!(transmit(&mut session, u64::from(TIMEOUT_US)), None);
    session.receive(u64::from(LONGEST_US) - 1, &with_crc("01 03 04 DE AD BE EF"));
    assert_eq!(transmit(&mut session, u64::from(LONGEST_US) - 1), None);
    assert!(transmit(&mut session, u64::from(LONGEST_US)).is_some());
    session.transmitted(u64::from(LONGEST_US));
    session.receive(u64::from(LONGEST_US) + 10, &with_crc(TWO));
    assert_eq!(reply(&mut session).unwrap(), [0, 1, 0, 0]);
    assert_eq!(session.counters().discarded_bytes, 9);
}

#[test]
fn the_silent_interval_is_kept_on_a_paced_line() {
    let line = LineConfig::rtu(9600, CharFormat::N8_1);
    let t35 = line.pace.t35_us();
    let mut session = Session::new(line);
    session.submit(5_000, 1, &two_registers()).unwrap();
    assert_eq!(transmit(&mut session, 5_000), None);
    assert_eq!(session.poll_timeout(), Some(5_000 + t35));
    assert!(transmit(&mut session, 5_000 + t35).is_some());
    session.transmitted(20_000);
    session.receive(60_000, &with_crc(TWO));
    reply(&mut session).unwrap();
    session.submit(60_001, 1, &two_registers()).unwrap();
    assert_eq!(transmit(&mut session, 60_000 + t35 - 1), None);
    // A byte out of nowhere starts the silence again.
    session.receive(60_000 + t35 - 1, &[0xFF]);
    assert_eq!(transmit(&mut session, 60_000 + t35), None);
    assert!(transmit(&mut session, 60_000 + 2 * t35 - 1).is_some());
}

#[test]
fn a_line_that_never_falls_silent_ends_the_wait() {
    let mut session = Session::new(LineConfig::rtu(9600, CharFormat::N8_1));
    session.submit(0, 1, &two_registers()).unwrap();
    let mut now_us = 0;
    let outcome = loop {
        now_us += 1_000;
        session.receive(now_us, &[0x55]);
        session.handle_timeout(now_us);
        assert_eq!(transmit(&mut session, now_us), None);
        if let Some(event) = session.poll_event() {
            break event.outcome;
        }
    };
    assert_eq!(outcome, Outcome::NotTransmitted(NotTransmitted::LineBusy));
    assert!(now_us < 2 * u64::from(LONGEST_US));
}

#[test]
fn reads_are_repeated_as_configured_and_writes_never() {
    let line = LineConfig::rtu_unpaced().with_read_attempts(3);
    let sale = Purchase::new(100_00, 4).unwrap();
    for (request, attempts) in [(two_registers(), 3), (ForceMode::SupplyOff.request(), 1), (sale.request(), 1)] {
        let mut session = Session::new(line);
        session.submit(0, 1, &request).unwrap();
        let mut frames = Vec::new();
        let mut now_us = 0;
        let outcome = loop {
            if let Some(frame) = transmit(&mut session, now_us) {
                frames.push(frame);
                session.transmitted(now_us);
            }
            session.handle_timeout(now_us);
            if let Some(event) = session.poll_event() {
                break event.outcome;
            }
            now_us = session.poll_timeout().unwrap().max(now_us);
        };
        assert_eq!(outcome, Outcome::NoReply(NoReply::TimedOut));
        assert_eq!(frames.len(), attempts);
        assert!(frames.windows(2).all(|pair| pair[0] == pair[1]));
        assert_eq!(session.counters().transmitted as usize, attempts);
    }
}

#[test]
fn a_vendor_reply_ends_by_silence_and_is_raw() {
    let sale = Purchase::new(100_00, 4).unwrap();
    let line = LineConfig::rtu_unpaced();
    let quiet = u64::from(line.frame_end_us);
    for (pdu, raw) in [("01 20 01 00 00 04 00 00 00 00 00 00 00", 11), ("01 A0 03", 1)] {
        let mut session = Session::new(line);
        sent(&mut session, 1, &sale.request());
        let frame = with_crc(pdu);
        let (first, rest) = frame.split_at(3);
        session.receive(50_000, first);
        session.receive(50_000 + quiet - 1, rest);
        assert_eq!(session.poll_timeout(), Some(50_000 + 2 * quiet - 1));
        session.handle_timeout(50_000 + quiet);
        assert!(session.poll_event().is_none());
        session.handle_timeout(50_000 + 2 * quiet - 1);
        assert_eq!(reply(&mut session).unwrap().len(), raw);
    }
}

#[test]
fn a_vendor_reply_that_is_no_frame_leaves_the_outcome_open() {
    let sale = Purchase::new(100_00, 4).unwrap();
    let mut session = unpaced();
    let frame = sent(&mut session, 1, &sale.request());
    // Our own frame is an echo, a broken one is noise, another unit's is foreign.
    session.receive(100, &frame);
    session.handle_timeout(50_000);
    session.receive(60_000, &hex("01 20 01 00 00 00"));
    session.handle_timeout(100_000);
    session.receive(110_000, &with_crc("02 20 01 00 00 04 00"));
    session.handle_timeout(150_000);
    assert!(session.poll_event().is_none());
    session.handle_timeout(2_000_000);
    assert_eq!(session.poll_event().unwrap().outcome, Outcome::NoReply(NoReply::TimedOut));
}

#[test]
fn echoes_are_stripped_whole_or_in_part() {
    let request = Request::write_single(2, 3);
    let line = LineConfig::rtu_unpaced().with_local_echo(true);
    for lost in [0, 1, 4] {
        let mut session = Session::new(line);
        let frame = sent(&mut session, 1, &request);
        let mut bytes = frame[lost..].to_vec();
        session.receive(10, &bytes);
        assert!(session.poll_event().is_none(), "the echo is not the reply");
        bytes.clear();
        session.receive(20, &frame);
        assert!(reply(&mut session).is_some());
        assert_eq!((session.counters().echoes, session.counters().collisions), (1, 0));
    }
    let mut session = Session::new(line);
    let frame = sent(&mut session, 1, &request);
    let mut differs = frame.clone();
    differs[3] ^= 0x40;
    session.receive(10, &differs);
    assert!(session.poll_event().is_none());
    assert_eq!(session.counters().collisions, 1);
}

#[test]
fn what_arrives_while_the_request_is_leaving_is_no_reply() {
    let mut session = unpaced();
    session.submit(0, 1, &two_registers()).unwrap();
    transmit(&mut session, 0).unwrap();
    session.receive(5, &with_crc("01 03 04 DE AD BE EF"));
    session.transmitted(10);
    assert!(session.poll_event().is_none());
    assert_eq!(session.counters().discarded_bytes, 9);
    session.receive(20, &with_crc(TWO));
    assert_eq!(reply(&mut session).unwrap(), [0, 1, 0, 0]);
}

#[test]
fn an_echo_that_nobody_configured_does_no_harm_to_reads_and_multiple_writes() {
    for request in [two_registers(), ForceMode::SupplyOn.request()] {
        let mut session = unpaced();
        let frame = sent(&mut session, 1, &request);
        session.receive(10, &frame);
        assert!(session.poll_event().is_none());
        let good = if request.is_read() { with_crc(TWO) } else { hex("01 10 00 57 00 02 F0 18") };
        session.receive(20, &good);
        assert!(reply(&mut session).is_some());
    }
}

#[test]
fn cancelling_and_losing_the_link_say_whether_anything_left() {
    let mut session = unpaced();
    session.submit(0, 1, &two_registers()).unwrap();
    assert_eq!(session.submit(0, 1, &two_registers()), Err(SubmitError::Busy));
    session.cancel(0);
    assert_eq!(session.poll_event().unwrap().outcome, Outcome::NotTransmitted(NotTransmitted::Cancelled));

    session.submit(0, 1, &two_registers()).unwrap();
    session.link_down(0);
    assert_eq!(session.poll_event().unwrap().outcome, Outcome::NotTransmitted(NotTransmitted::LinkDown));

    session.submit(0, 1, &two_registers()).unwrap();
    transmit(&mut session, 0).unwrap();
    session.cancel(0);
    assert_eq!(session.poll_event().unwrap().outcome, Outcome::NoReply(NoReply::Cancelled));
    session.submit(10, 1, &two_registers()).unwrap();
    assert_eq!(transmit(&mut session, 10), None, "the abandoned reply may still come");

    let before = session.link();
    session.link_down(20);
    assert_ne!(session.link(), before);
    session.poll_event().unwrap();
    session.submit(30, 1, &two_registers()).unwrap();
    assert!(transmit(&mut session, 30).is_some(), "a new connection needs no draining");
    session.not_transmitted();
    assert_eq!(session.poll_event().unwrap().outcome, Outcome::NotTransmitted(NotTransmitted::LinkDown));
}

#[test]
fn nothing_is_broadcast() {
    let mut session = unpaced();
    let refused = session.submit(0, 0, &ForceMode::SupplyOff.request());
    assert_eq!(refused, Err(SubmitError::Encode(EncodeError::Broadcast)));
    assert!(!session.is_busy());
}

#[test]
fn tcp_skips_older_transactions_and_waits_on() {
    let mut session = Session::new(LineConfig::tcp());
    let first = sent(&mut session, 1, &two_registers());
    session.handle_timeout(2_000_000);
    session.poll_event().unwrap();
    session.submit(2_000_000, 1, &two_registers()).unwrap();
    let second = transmit(&mut session, 2_000_000).expect("no draining: numbers tell late replies");
    session.transmitted(2_000_000);
    assert_ne!(first[..2], second[..2]);

    let reply_to = |number: &[u8], value: u8| [number, &[0, 0, 0, 7, 1, 3, 4, 0, value, 0, 0]].concat();
    session.receive(2_000_010, &reply_to(&first[..2], 9));
    assert!(session.poll_event().is_none());
    assert_eq!(session.counters().stale_frames, 1);
    let good = reply_to(&second[..2], 1);
    for byte in good {
        session.receive(2_000_020, &[byte]);
    }
    assert_eq!(reply(&mut session).unwrap(), [0, 1, 0, 0]);
}

#[test]
fn a_flood_is_bounded() {
    let mut session = unpaced();
    sent(&mut session, 1, &Realtime::READ);
    session.receive(10, &vec![1; 10_000]);
    session.receive(20, &hex(REALTIME_REPLY));
    assert!(reply(&mut session).is_some());
}
