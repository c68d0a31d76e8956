//! An enciphered sale through a session: the frame of the reference goes out, the clear reply is taken.
#![cfg(feature = "frame-cipher")]

mod common;

use common::{hex, with_crc};
use meter_protocol::acrel::{ForceMode, FrameKey, Purchase};
use meter_protocol::session::{LineConfig, Outcome, Session, SubmitError};
use meter_protocol::wire::{EncodeError, MAX_ADU_LEN, Reply};

/// Invented, like the one of the reference.
fn key() -> FrameKey {
    FrameKey::new([0x1111, 0x2222, 0x3333, 0x4444])
}

#[test]
fn a_sale_goes_out_enciphered_and_its_clear_reply_is_taken() {
    let mut session = Session::new(LineConfig::rtu_unpaced());
    let sale = Purchase::new(10_000, 0).unwrap();
    let id = session.submit_enciphered(0, 1, &sale.request(), &key()).unwrap();
    let mut buf = [0; MAX_ADU_LEN];
    let frame = session.poll_transmit(0, &mut buf).unwrap();
    assert_eq!(frame, hex("E0 95 D3 88 D7 54 BE C9 06 FF C5 83 8F C9 5C 03 DB 0B 33 68"));
    session.transmitted(10);
    session.receive(20, &with_crc("01 20 01 00 00 04 08 00 00 27 10 00 01"));
    let silent_us = session.poll_timeout().unwrap();
    session.handle_timeout(silent_us);
    let event = session.poll_event().unwrap();
    assert_eq!(event.id, id);
    assert!(matches!(event.outcome, Outcome::Reply(Reply::Vendor(reply)) if reply.bytes().len() == 11));
}

#[test]
fn what_is_not_enciphered_is_refused_and_sends_nothing() {
    let mut session = Session::new(LineConfig::rtu_unpaced());
    let refused = session.submit_enciphered(0, 1, &ForceMode::SupplyOff.request(), &key());
    assert_eq!(refused, Err(SubmitError::Encode(EncodeError::NotEnciphered { function: 0x10 })));
    assert!(!session.is_busy());
    let mut session = Session::new(LineConfig::tcp());
    let sale = Purchase::new(10_000, 0).unwrap();
    let refused = session.submit_enciphered(0, 1, &sale.request(), &key());
    assert_eq!(refused, Err(SubmitError::Encode(EncodeError::NotEnciphered { function: 0x20 })));
    assert!(!session.is_busy());
}

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn a_client_over_tokio_sends_it_enciphered() {
    use meter_protocol::client::tokio::{Client, TransactError};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let (ours, mut theirs) = tokio::io::duplex(256);
    let mut client = Client::new(ours, LineConfig::rtu_unpaced());
    let meter = tokio::spawn(async move {
        let mut frame = [0; 64];
        let len = theirs.read(&mut frame).await.unwrap();
        theirs.write_all(&with_crc("01 20 01 00 00 04")).await.unwrap();
        (frame[..len].to_vec(), theirs.read(&mut frame).await.unwrap())
    });
    let sale = Purchase::new(10_000, 0).unwrap();
    client.write_enciphered(1, &sale.request(), &key()).await.unwrap();
    let refused = client.write_enciphered(1, &ForceMode::SupplyOff.request(), &key()).await.unwrap_err();
    assert!(matches!(refused, TransactError::Encode(EncodeError::NotEnciphered { function: 0x10 })), "{refused:?}");
    drop(client);
    let (sent, more) = meter.await.unwrap();
    assert_eq!(sent, hex("E0 95 D3 88 D7 54 BE C9 06 FF C5 83 8F C9 5C 03 DB 0B 33 68"));
    assert_eq!(more, 0, "nothing else was sent");
}
