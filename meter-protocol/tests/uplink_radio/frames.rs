//! Frames of the reference and frames that are none.

use crate::common::{REALTIME_REPLY, hex, with_crc};
use crate::*;
use meter_protocol::acrel::{Clock, Realtime};
use meter_protocol::uplink::radio::*;
use meter_protocol::wire::FrameError;

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
