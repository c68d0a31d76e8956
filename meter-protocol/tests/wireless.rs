//! Settings of radio and cloud: the layout of the register document, read, changed and written back; nothing secret is shown.
#![cfg(feature = "wireless")]
#![allow(clippy::disallowed_methods, reason = "tests may panic")]

use meter_protocol::acrel::*;
use meter_protocol::wire::{Registers, Request};

/// The data of a write, with its address.
fn data<'a>(request: &Request<'a>) -> (u16, &'a [u8]) {
    match request {
        Request::WriteMultiple(write) => (write.address(), write.data()),
        other => panic!("{other:?}"),
    }
}

/// 52 registers from 1300H: mode 1, every 15 minutes, serial, 192.0.2.1:7001, protocol 2, name.
fn radio_block() -> Vec<u8> {
    let mut block = vec![0, 1, 0, 15];
    block.extend(b"20260305000012\0\0");
    block.extend([192, 0, 2, 1, 0x1B, 0x59, 2, 12]);
    block.extend(b"head.example\0\0\0\0\0\0\0\0\0\0\0\0");
    block.extend(0..52_u8);
    block
}

#[test]
fn radio_settings_are_written_back_as_they_were_read() {
    let block = radio_block();
    assert_eq!(block.len(), 104);
    let mut radio = RadioSettings::from_registers(&Registers::holding(0x1300, &block).unwrap()).unwrap();
    assert_eq!((radio.mode, radio.upload_interval_min, radio.server_port), (1, 15, 7001));
    assert_eq!(radio.serial.as_str(), Some("20260305000012"));
    assert_eq!(data(&radio.write().request()), (0x1300, &block[..52]));
    radio.server_domain = WireText::new("a.example").unwrap();
    let write = radio.write();
    let (_, bytes) = data(&write.request());
    assert_eq!((bytes[27], &bytes[28..38]), (9, &b"a.example\0"[..]));
    let mut whole = block;
    whole[..52].copy_from_slice(bytes);
    let again = RadioSettings::from_registers(&Registers::holding(0x1300, &whole).unwrap()).unwrap();
    assert_eq!(again, radio);
    let long = WireText::<24>::new("a-name-that-is-much-too-long.example");
    assert_eq!(long.unwrap_err(), BuildError::TooMany { block: "text", count: 36, max: 24 });
    assert!(matches!(WireText::<24>::new("a b"), Err(BuildError::Range { value: 0x20, .. })));
}

#[test]
fn the_access_point_and_the_status() {
    let mut block = [0; 34];
    block[..5].copy_from_slice(b"cmnet");
    block[30..].copy_from_slice(&[0, 60, 0, 1]);
    let point = AccessPoint::from_registers(&Registers::holding(0x1338, &block).unwrap()).unwrap();
    assert_eq!((point.name.as_str(), point.heartbeat_interval_raw, point.enable_raw), (Some("cmnet"), 60, 1));
    assert_eq!(data(&point.write().request()), (0x1338, &block[..]));
    let mut block = [0; 88];
    block[8..28].copy_from_slice(b"89860000000000000012");
    block[36..40].copy_from_slice(&[1, 2, 3, 4]);
    block[40..55].copy_from_slice(b"860000000000012");
    let status = RadioStatus::from_registers(&Registers::holding(0x1700, &block).unwrap()).unwrap();
    assert_eq!((status.sent, status.received), (0x0102, 0x0304));
    assert_eq!((status.ccid.as_str(), status.imei.as_str()), (Some("89860000000000000012"), Some("860000000000012")));
    let short = Registers::holding(0x1700, &block[..20]).unwrap();
    assert!(matches!(RadioStatus::from_registers(&short), Err(BlockError::Missing { address: 0x1700, count: 10, .. })));
}

#[test]
fn credentials_are_written_and_shown_nowhere() {
    let mut block = vec![0; 246];
    block[..2].copy_from_slice(&[1, 2]);
    block[2..14].copy_from_slice(b"mqtt.example");
    block[42..46].copy_from_slice(&[0x07, 0x5B, 0, 5]);
    block[46..51].copy_from_slice(b"alice");
    block[86..92].copy_from_slice(b"hunter");
    block[126..].fill(0x5A);
    let mut cloud = CloudSettings::from_registers(&Registers::holding(0x1950, &block).unwrap()).unwrap();
    assert_eq!(data(&cloud.write().request()), (0x1950, &block[..126]));
    cloud.password = Secret::new(b"correct-horse").unwrap();
    let write = cloud.write();
    let (_, bytes) = data(&write.request());
    block[..126].copy_from_slice(bytes);
    let again = CloudSettings::from_registers(&Registers::holding(0x1950, &block).unwrap()).unwrap();
    assert_eq!(again.password.reveal(), b"correct-horse");
    let shown = format!("{cloud:?} {write:?} {:?}", write.request());
    assert!(!["alice", "hunter", "correct", "97, 108, 105"].iter().any(|secret| shown.contains(secret)), "{shown}");
    let refused = Secret::<40>::new(b"pass word").unwrap_err().to_string();
    assert_eq!(refused, "secret is 0, allowed are 33..=126");
}
