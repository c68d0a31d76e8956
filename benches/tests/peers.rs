//! Frames that crash or fool the published codecs, given to them and to ours. Each of these frames is among the tests
//! of the protocol crate as well; here it is shown that they are no straw men.

use meter_protocol::wire::{Request, crc, rtu};
use rmodbus::ModbusProto;
use rmodbus::client::ModbusRequest;

const UNIT: u8 = 1;

/// A frame of unit 1 with its check sum.
fn frame(pdu: &[u8]) -> Vec<u8> {
    let mut frame = vec![UNIT];
    frame.extend(pdu);
    frame.extend(crc::crc16(&frame).to_le_bytes());
    frame
}

fn we_take(frame: &[u8], request: &Request<'_>) -> bool {
    rtu::decode_answer(frame, UNIT, &request.expectation()).is_ok()
}

fn read(count: u16) -> Request<'static> {
    Request::read_holding(0, count).expect("in range")
}

/// What rmodbus makes of a reply to a read of `count` registers; an error if it panicked.
fn rmodbus_reads(count: u16, reply: &[u8]) -> std::thread::Result<Option<Vec<u16>>> {
    let reply = reply.to_vec();
    std::panic::catch_unwind(move || {
        let mut request = ModbusRequest::new(UNIT, ModbusProto::Rtu);
        request.generate_get_holdings(0, count, &mut Vec::new()).expect("it fits");
        let mut values = Vec::new();
        request.parse_u16(&reply, &mut values).ok().map(|()| values)
    })
}

#[test]
fn rmodbus_panics_on_a_valid_reply_without_data() {
    let empty = frame(&[3, 0]);
    assert_eq!(empty, [0x01, 0x03, 0x00, 0x20, 0xF0]);
    assert!(rmodbus_reads(1, &empty).is_err());
    assert!(!we_take(&empty, &read(1)));
}

#[test]
fn rmodbus_takes_a_reply_with_another_register_count() {
    let two = frame(&[3, 4, 0, 7, 0, 9]);
    assert_eq!(rmodbus_reads(10, &two).ok().flatten(), Some(vec![7, 9]));
    assert!(!we_take(&two, &read(10)));
    assert!(we_take(&two, &read(2)));
}

#[test]
fn rmodbus_takes_a_write_confirmed_for_another_address() {
    let mut request = ModbusRequest::new(UNIT, ModbusProto::Rtu);
    request.generate_set_holdings_bulk(0x57, &[1, 0], &mut Vec::new()).expect("it fits");
    let elsewhere = frame(&[0x10, 0, 0x58, 0, 2]);
    assert!(request.parse_ok(&elsewhere).is_ok());
    let ours = Request::write_multiple(0x57, &[0, 1, 0, 0]).expect("in range");
    assert!(!we_take(&elsewhere, &ours));
    assert!(we_take(&frame(&[0x10, 0, 0x57, 0, 2]), &ours));
}

#[test]
fn modbus_core_takes_an_odd_byte_count_and_exception_code_0() {
    for pdu in [&[3, 3, 0, 7, 0][..], &[0x83, 0]] {
        let reply = frame(pdu);
        assert!(matches!(modbus_core::rtu::client::decode_response(&reply), Ok(Some(_))), "{pdu:02X?}");
        assert!(!we_take(&reply, &read(1)), "{pdu:02X?}");
    }
}

#[test]
fn rusty_modbus_codec_takes_odd_and_zero_byte_counts() {
    for pdu in [&[3, 3, 0, 7, 0][..], &[3, 0]] {
        assert!(rusty_modbus_codec::decode_response(pdu).is_ok(), "{pdu:02X?}");
        assert!(!we_take(&frame(pdu), &read(1)), "{pdu:02X?}");
    }
}
