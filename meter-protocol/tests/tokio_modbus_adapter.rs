//! The adapter of `tokio-modbus` against the virtual meter over TCP, both framings, and against a peer that misbehaves.
#![cfg(all(feature = "virtual-meter", feature = "tokio-modbus-017"))]

mod common;

use common::{hex, with_crc};
use meter_protocol::acrel::fields::realtime;
use meter_protocol::acrel::{MeterNumber, PrepayBlock, Realtime, RealtimeLayout};
use meter_protocol::client::tokio_modbus::{Reader, ReaderError};
use meter_protocol::client::{MeterError, ReplyBuffer, TransactError};
use meter_protocol::session::{NoReply, NotTransmitted};
use meter_protocol::virtual_meter as vm;
use meter_protocol::wire::crc::crc16;
use meter_protocol::wire::{ExceptionCode, Request};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const START_MS: i64 = 1_772_704_800_000;

fn meter() -> vm::VirtualMeter {
    let number = [2, 0, 2, 6, 0, 3, 0, 5, 0, 0, 1, 2];
    let mut setup = vm::MeterSetup::new(vm::Model::Ddsy1352, 1, number, START_MS);
    (setup.prepay_enabled, setup.remaining_cents, setup.purchase_count) = (true, -8_401, 12);
    vm::VirtualMeter::new(&setup, vm::MeterOptions::default()).unwrap()
}

/// Serves a meter over TCP: `answer` makes the bytes of one reply from those of one request.
async fn serve(mut answer: impl FnMut(&[u8]) -> Vec<u8> + Send + 'static) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            let mut request = [0; 260];
            while let Ok(len @ 1..) = stream.read(&mut request).await {
                if stream.write_all(&answer(&request[..len])).await.is_err() {
                    break;
                }
            }
        }
    });
    (place, connections)
}

/// A reader of RTU frames over TCP.
macro_rules! rtu_reader {
    ($place:expr) => {{
        let place: String = $place;
        Reader::new(move || {
            let place = place.clone();
            async move { Ok(tokio_modbus::client::rtu::attach(TcpStream::connect(place).await?)) }
        })
        .with_response_timeout(Duration::from_millis(300))
        .with_longest_response(Duration::from_millis(350))
    }};
}

async fn reads<F, C>(mut reader: Reader<F>)
where
    F: FnMut() -> C,
    C: Future<Output = std::io::Result<tokio_modbus::client::Context>>,
{
    let now = reader.read_block::<Realtime>(1).await.unwrap();
    assert_eq!((now.remaining_minor, now.purchase_count), (-8_401, 12));
    assert_eq!(reader.read_block::<PrepayBlock>(1).await.unwrap().remaining_minor, -8_401);
    assert_eq!(reader.read_block::<MeterNumber>(1).await.unwrap().to_string(), "202603050012");
    assert_eq!(reader.read_number(1, &realtime::REMAINING_AMOUNT).await.unwrap().to_string(), "-84.01");
    assert_eq!(reader.detect_layout(1).await.unwrap(), RealtimeLayout::FourRate);
    let mut buffer = ReplyBuffer::new();
    let refused = reader.read(1, &Request::read_holding(0x3000, 2).unwrap(), &mut buffer).await.unwrap_err();
    let MeterError::Transact(TransactError::Exception(exception)) = refused else { panic!("{refused}") };
    assert_eq!((exception.function, exception.code), (0x03, ExceptionCode::ILLEGAL_ADDRESS));
    assert!(reader.is_connected(), "an exception is an answer");
}

#[tokio::test]
async fn the_virtual_meter_over_rtu_on_tcp() {
    let mut meter = meter();
    let (place, connections) = serve(move |request| meter.serve(START_MS, request).unwrap_or_default()).await;
    reads(rtu_reader!(place)).await;
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_virtual_meter_over_modbus_tcp() {
    let mut meter = meter();
    let (place, _) = serve(move |request| {
        let mut frame = request[6..].to_vec();
        frame.extend(crc16(&frame).to_le_bytes());
        let reply = meter.serve(START_MS, &frame).unwrap();
        let body = &reply[..reply.len() - 2];
        let mut out = request[..4].to_vec();
        out.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        out.extend(body);
        out
    })
    .await;
    reads(Reader::new(move || {
        let place = place.clone();
        async move { Ok(tokio_modbus::client::tcp::attach(TcpStream::connect(place).await?)) }
    }))
    .await;
}

#[tokio::test]
async fn a_reply_with_another_count_is_refused_and_the_connection_given_up() {
    let mut asked = 0;
    let (place, connections) = serve(move |_| {
        asked += 1;
        // A late reply with 2 registers to a read of 3, then the right one.
        if asked == 1 { with_crc("01 03 04 00 01 00 01") } else { hex("01 03 06 20 26 03 05 00 12 BF 9A") }
    })
    .await;
    let mut reader = rtu_reader!(place);
    let error = reader.read_block::<MeterNumber>(1).await.unwrap_err();
    let MeterError::Transact(TransactError::NoReply { source: Some(ReaderError::Count { expected, actual }), .. }) =
        error
    else {
        panic!("{error}")
    };
    assert_eq!((expected, actual), (3, 2));
    assert!(!reader.is_connected());
    assert_eq!(reader.read_block::<MeterNumber>(1).await.unwrap().to_string(), "202603050012");
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_time_out_is_waited_out_and_the_late_reply_never_seen() {
    let mut asked = 0;
    let (place, connections) = serve(move |_| {
        asked += 1;
        if asked == 1 { Vec::new() } else { hex("01 03 06 20 26 03 05 00 12 BF 9A") }
    })
    .await;
    let mut reader = rtu_reader!(place);
    let error = reader.read_block::<MeterNumber>(1).await.unwrap_err();
    assert!(
        matches!(error, MeterError::Transact(TransactError::NoReply { reason: NoReply::TimedOut, source: None })),
        "{error}"
    );
    assert_eq!(reader.read_block::<MeterNumber>(1).await.unwrap().to_string(), "202603050012");
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_dropped_read_gives_the_connection_up() {
    let mut asked = 0;
    let (place, connections) = serve(move |_| {
        asked += 1;
        if asked == 1 { Vec::new() } else { hex("01 03 06 20 26 03 05 00 12 BF 9A") }
    })
    .await;
    let mut reader = rtu_reader!(place);
    let dropped = tokio::time::timeout(Duration::from_millis(50), reader.read_block::<MeterNumber>(1)).await;
    assert!(dropped.is_err() && !reader.is_connected());
    assert_eq!(reader.read_block::<MeterNumber>(1).await.unwrap().to_string(), "202603050012");
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn another_unit_or_function_ends_the_read_and_a_broken_frame_too() {
    for reply in [with_crc("02 03 06 20 26 03 05 00 12"), with_crc("01 04 06 20 26 03 05 00 12"), vec![0xFF; 40]] {
        let (place, _) = serve(move |_| reply.clone()).await;
        let mut reader = rtu_reader!(place);
        let error = reader.read_block::<MeterNumber>(1).await.unwrap_err();
        assert!(matches!(error, MeterError::Transact(TransactError::NoReply { .. })), "{error}");
        assert!(!reader.is_connected());
    }
}

#[tokio::test]
async fn nothing_but_reads_is_sent_and_no_connection_is_told() {
    let mut reader = rtu_reader!("127.0.0.1:1".to_owned());
    let mut buffer = ReplyBuffer::new();
    let error = reader.read(1, &Request::write_single(0x57, 1), &mut buffer).await.unwrap_err();
    let MeterError::Transact(TransactError::NotTransmitted {
        source: Some(ReaderError::NotARead { function: 6 }), ..
    }) = error
    else {
        panic!("{error}")
    };
    let error = reader.read_block::<MeterNumber>(1).await.unwrap_err();
    let MeterError::Transact(TransactError::NotTransmitted { reason, source: Some(ReaderError::Connect(_)) }) = error
    else {
        panic!("{error}")
    };
    assert_eq!(reason, NotTransmitted::LinkDown);
}
