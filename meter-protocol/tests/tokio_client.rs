//! The tokio client against a slave in the same process: what it reads, and how it tells the four ends apart.
#![cfg(feature = "tokio")]
#![allow(clippy::inconsistent_digit_grouping, reason = "amounts in hundredths: 100_00 is 100.00")]

mod common;

use common::{PREPAY_REPLY, REALTIME_REPLY, hex, with_crc};
use meter_protocol::acrel::*;
use meter_protocol::bus::JobOutcome;
use meter_protocol::client::tokio::{Client, MeterError, ReplyBuffer, TransactError};
use meter_protocol::session::{LineConfig, NoReply, NotTransmitted};
use meter_protocol::wire::{ExceptionCode, Reply, Request};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

/// What the slave does with the next frame it gets.
enum Act {
    Answer(Vec<u8>),
    /// Answers after so many milliseconds.
    Late(u64, Vec<u8>),
    Ignore,
    HangUp,
}

/// A slave that plays its part frame by frame and returns what it was sent.
fn slave(mut stream: DuplexStream, acts: Vec<Act>) -> tokio::task::JoinHandle<Vec<Vec<u8>>> {
    tokio::spawn(async move {
        let mut seen = Vec::new();
        for act in acts {
            let mut frame = vec![0; 256];
            let Ok(len @ 1..) = stream.read(&mut frame).await else { break };
            frame.truncate(len);
            seen.push(frame);
            match act {
                Act::Answer(bytes) => stream.write_all(&bytes).await.unwrap(),
                Act::Late(ms, bytes) => {
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                    stream.write_all(&bytes).await.unwrap();
                }
                Act::Ignore => {}
                Act::HangUp => return seen,
            }
        }
        // The line stays up until the master is gone.
        while matches!(stream.read(&mut [0; 256]).await, Ok(1..)) {}
        seen
    })
}

fn line() -> LineConfig {
    LineConfig::rtu_unpaced().with_response_timeout_us(100_000).with_longest_response_us(200_000)
}

fn set_up(acts: Vec<Act>) -> (Client<DuplexStream>, tokio::task::JoinHandle<Vec<Vec<u8>>>) {
    let (ours, theirs) = duplex(1024);
    (Client::new(ours, line()), slave(theirs, acts))
}

#[tokio::test(start_paused = true)]
async fn typed_reads() {
    let (mut client, slave) = set_up(vec![
        Act::Answer(hex(REALTIME_REPLY)),
        Act::Answer(hex(PREPAY_REPLY)),
        Act::Answer(with_crc("01 03 04 00 01 00 01")),
        Act::Answer(hex("01 03 06 20 26 03 05 00 12 BF 9A")),
        Act::Answer(with_crc("01 11 00 00 00 00 00 00 6F 00 00 00 00")),
    ]);
    assert_eq!(client.read_realtime(1).await.unwrap().remaining_minor, -84_01);
    assert_eq!(client.read_prepay(1).await.unwrap().remaining_minor, 88_75);
    assert_eq!(client.read_force(1).await.unwrap().mode(), Some(ForceMode::SupplyOff));
    assert_eq!(client.read_meter_number(1).await.unwrap().to_string(), "202603050012");
    assert_eq!(client.read_version(1).await.unwrap(), FirmwareVersion::Release(111));
    drop(client);
    assert_eq!(slave.await.unwrap()[0], hex("01 03 02 00 00 30 44 66"));
}

#[tokio::test(start_paused = true)]
async fn a_client_runs_in_a_task_of_its_own() {
    let (mut client, _slave) = set_up(vec![Act::Answer(hex(REALTIME_REPLY))]);
    let balance = tokio::spawn(async move { client.read_realtime(1).await.map(|now| now.remaining_minor) });
    assert_eq!(balance.await.unwrap().unwrap(), -84_01);
}

#[tokio::test(start_paused = true)]
async fn typed_writes() {
    let (mut client, slave) = set_up(vec![
        Act::Answer(hex("01 10 00 57 00 02 F0 18")),
        Act::Answer(with_crc("01 20 01 00 00 04 00 00 00 00 00 00 00")),
        Act::Answer(with_crc("01 20 02 00 00 1E 00 00 00 00 00 00 00")),
        // The vendor's tool waits 2 s for this one.
        Act::Late(2_000, with_crc("01 20 03 54 00 05 00 00 00 00 00 00 00")),
    ]);
    client.write_force(1, ForceMode::SupplyOn).await.unwrap();
    client.sell(1, &Purchase::new(100_00, 0).unwrap()).await.unwrap();
    client.write_settings(1, &Settings::new().alarms(20_00, 5_00)).await.unwrap();
    client.write_clock(1, &Clock::new(2026, 3, 5, 14, 7, 30).unwrap()).await.unwrap();
    assert!(matches!(
        client.write_settings(1, &Settings::new()).await,
        Err(MeterError::Build(BuildError::Empty { .. }))
    ));
    drop(client);
    let seen = slave.await.unwrap();
    assert_eq!(seen[1], hex("01 20 01 00 00 04 08 00 00 27 10 00 01 00 00 12 1F"));
    assert_eq!(seen[3], hex("01 20 03 54 00 05 0A 1E 07 0E 04 05 03 1A 00 00 00 C2 28"));
}

#[tokio::test(start_paused = true)]
async fn the_four_ends_of_a_transaction() {
    let request = Request::read_holding(0, 1).unwrap();
    let mut buffer = ReplyBuffer::new();
    let (mut client, _slave) = set_up(vec![
        Act::Answer(with_crc("01 03 02 00 07")),
        Act::Answer(with_crc("01 83 02")),
        Act::Ignore,
        Act::HangUp,
    ]);
    assert!(matches!(client.transact(1, &request, &mut buffer).await, Ok(Reply::Registers(r)) if r.word(0) == Some(7)));
    let refused = client.transact(1, &request, &mut buffer).await.unwrap_err();
    assert!(matches!(refused, TransactError::Exception(e) if e.code == ExceptionCode::ILLEGAL_ADDRESS));
    assert!(!refused.may_have_acted());
    let silent = client.transact(1, &request, &mut buffer).await.unwrap_err();
    assert!(matches!(silent, TransactError::NoReply { reason: NoReply::TimedOut, source: None }));
    assert!(silent.may_have_acted());
    let hung_up = client.transact(1, &request, &mut buffer).await.unwrap_err();
    assert!(matches!(hung_up, TransactError::NoReply { reason: NoReply::LinkDown, source: Some(_) }), "{hung_up:?}");
    assert!(client.is_broken());
    let gone = client.transact(1, &request, &mut buffer).await.unwrap_err();
    assert!(matches!(gone, TransactError::NotTransmitted { reason: NotTransmitted::LinkDown, .. }));
    assert!(!gone.may_have_acted());
}

#[tokio::test(start_paused = true)]
async fn an_exception_says_whether_the_meter_may_have_acted() {
    let cases = [
        ("01 90 02", false, JobOutcome::Answered),
        ("01 90 06", false, JobOutcome::Answered),
        ("01 90 04", true, JobOutcome::Answered),
        ("01 90 05", true, JobOutcome::Answered),
        ("01 90 20", true, JobOutcome::Answered),
        ("01 90 0A", false, JobOutcome::NoReply),
        ("01 90 0B", true, JobOutcome::NoReply),
    ];
    let (mut client, _slave) = set_up(cases.iter().map(|(frame, ..)| Act::Answer(with_crc(frame))).collect());
    for (frame, may_have_acted, outcome) in cases {
        let error = client.write_force(1, ForceMode::SupplyOff).await.unwrap_err();
        assert_eq!((error.may_have_acted(), error.job_outcome()), (may_have_acted, outcome), "{frame}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_closed_before_the_first_byte_was_not_transmitted() {
    let (ours, theirs) = duplex(64);
    drop(theirs);
    let mut client = Client::new(ours, line());
    let error = client.sell(1, &Purchase::new(1, 0).unwrap()).await.unwrap_err();
    assert!(matches!(error, TransactError::NotTransmitted { source: Some(_), .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_late_reply_is_drained_before_the_next_request() {
    let request = Request::read_holding(0, 1).unwrap();
    let mut buffer = ReplyBuffer::new();
    let (mut client, slave) =
        set_up(vec![Act::Late(150, with_crc("01 03 02 DE AD")), Act::Answer(with_crc("01 03 02 00 07"))]);
    assert!(client.transact(1, &request, &mut buffer).await.unwrap_err().may_have_acted());
    // Nobody reads the stream meanwhile; the late bytes wait in it.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let reply = client.transact(1, &request, &mut buffer).await.unwrap();
    assert!(matches!(reply, Reply::Registers(registers) if registers.word(0) == Some(7)));
    assert_eq!(client.counters().discarded_bytes, 7);
    drop(client);
    assert_eq!(slave.await.unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_future_leaves_the_client_usable() {
    let request = Request::read_holding(0, 1).unwrap();
    let mut buffer = ReplyBuffer::new();
    let (mut client, _slave) =
        set_up(vec![Act::Late(50, with_crc("01 03 02 DE AD")), Act::Answer(with_crc("01 03 02 00 07"))]);
    let abandoned = tokio::time::timeout(Duration::from_millis(10), client.transact(1, &request, &mut buffer)).await;
    assert!(abandoned.is_err());
    let reply = client.transact(1, &request, &mut buffer).await.unwrap();
    assert!(matches!(reply, Reply::Registers(registers) if registers.word(0) == Some(7)));
}

#[tokio::test(start_paused = true)]
async fn a_table_is_only_written_with_the_model_of_this_connection() {
    let mut profile = Profile::unsettled();
    profile.rate_codes = Some(RateCodes::FromOne);
    let table = DayTable::new(&profile, &[Slot { hour: 0, minute: 0, rate: Rate::Flat }]).unwrap();
    let (mut first, _slave) = set_up(vec![Act::Answer(with_crc("09 03 02 00 05"))]);
    let model = first.confirm_model(9).await.unwrap();
    assert_eq!((model.value(), model.unit()), (Model::Dtsy1352, 9));

    let (ours, theirs) = duplex(1024);
    let slave = slave(theirs, vec![Act::Answer(with_crc("09 10 20 00 00 15"))]);
    let mut second = Client::on_line(ours, line(), first.next_link());
    let refused = second.write_day_table(&model, DayTableNumber::First, &table).await.unwrap_err();
    assert!(matches!(refused, MeterError::Build(BuildError::Confirmation { .. })), "{refused}");
    drop(second);
    assert!(slave.await.unwrap().is_empty(), "nothing was sent");
}

#[tokio::test(start_paused = true)]
async fn the_layout_is_learned_by_asking_for_the_longer_one() {
    let (mut client, _slave) = set_up(vec![
        Act::Answer(with_crc("01 83 02")),
        Act::Answer(with_crc(&format!("01 03 90 {}", "00".repeat(144)))),
    ]);
    assert_eq!(client.detect_layout(1).await.unwrap(), RealtimeLayout::FourRate);
    assert_eq!(client.detect_layout(1).await.unwrap(), RealtimeLayout::EightRate);
}
