//! What the fuzzer found once.

use meter_protocol::session::{CharFormat, LineConfig, Session};
use meter_protocol::wire::{MAX_ADU_LEN, Request, crc, request::IdQuery, rtu, sniff};

/// A frame of these bytes with its check sum.
fn sealed(bytes: &[u8]) -> Vec<u8> {
    let mut frame = bytes.to_vec();
    frame.extend(crc::crc16(bytes).to_le_bytes());
    frame
}

#[test]
fn a_server_id_without_a_byte_is_no_answer() {
    let frame = sealed(&[0x05, 0x11, 0x00]);
    let request = Request::ReportId(IdQuery::Standard);
    assert!(rtu::decode_answer(&frame, 5, &request.expectation()).is_err());
    assert!(sniff::decode_rtu(&frame).is_err());
}

#[test]
fn a_vendor_refusal_of_any_code_is_seen_without_its_request() {
    let frame = sealed(&[0x17, 0xA0, 0x00]);
    assert!(sniff::decode_rtu(&frame).is_ok());
}

#[test]
fn bytes_that_arrive_before_a_cancellation_keep_the_line_quiet() {
    let line = LineConfig::rtu(9600, CharFormat::N8_1);
    let quiet_us = line.pace.t35_us();
    let read = Request::read_holding(0x0043, 3).unwrap();
    let mut session = Session::new(line);
    let mut buf = [0; MAX_ADU_LEN];
    session.submit(0, 1, &read).unwrap();
    assert!(session.poll_transmit(quiet_us, &mut buf).is_some());
    session.transmitted(quiet_us + 8_000);
    // Noise long after the reply was due, then the caller gives up and asks again.
    let late_us = quiet_us + 8_000 + u64::from(line.longest_response_us) - 1;
    session.receive(late_us, &[0x55]);
    session.cancel(late_us);
    assert!(session.poll_event().is_some());
    session.submit(late_us, 1, &read).unwrap();
    assert!(session.poll_transmit(late_us + quiet_us - 1, &mut buf).is_none(), "the line was not silent");
}
