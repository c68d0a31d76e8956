//! The async driver.

use crate::line::{CHAR_US, De, Delay, Port, Receiver, Shared, Trouble, block_on, line};
use embedded_io::ErrorKind;
use meter_protocol::acrel::{ForceMode, ForceState, MeterNumber, Realtime};
use meter_protocol::bus::{Bus, BusConfig, Class, Job, JobOutcome, MeterSlot};
use meter_protocol::client::embedded_async::Driver;
use meter_protocol::client::{PortError, ReplyBuffer, TransactError, Turn};
use meter_protocol::session::{CharFormat, LineConfig, NoReply};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

fn driver(line: &Shared) -> Driver<Receiver, Port, De, Delay, impl Fn() -> u64 + use<>> {
    let config =
        LineConfig::rtu(9600, CharFormat::N8_1).with_response_timeout_us(200_000).with_longest_response_us(400_000);
    let clock = {
        let line = line.clone();
        move || line.borrow().now_us
    };
    Driver::new(Receiver(line.clone()), Port(line.clone()), De(line.clone()), Delay(line.clone()), clock, config)
}

#[test]
fn typed_reads_and_the_order_at_the_pin() {
    let line = line();
    let mut driver = driver(&line);
    block_on(
        &line,
        driver.run(async |client| {
            assert_eq!(client.read_block::<Realtime>(1).await.unwrap().remaining_minor, 50_000);
            client.write(1, &ForceMode::SupplyOn.request()).await.unwrap();
            assert_eq!(client.read_block::<ForceState>(1).await.unwrap().mode(), Some(ForceMode::SupplyOn));
            assert_eq!(client.confirm_model(2).await.unwrap().unit(), 2);
        }),
    );
    let log = line.borrow().log.clone();
    let order: Vec<&str> = log[..4].iter().map(|(_, what)| *what).collect();
    assert_eq!(order, ["high", "write", "flush", "low"]);
    assert_eq!(log[3].0 - log[2].0, CHAR_US);
}

#[test]
fn the_read_future_outlives_time_outs_and_transactions() {
    let line = line();
    let mut driver = driver(&line);
    block_on(
        &line,
        driver.run(async |client| {
            for round in 0..4 {
                line.borrow_mut().lose = round % 2 == 0;
                let read = client.read_block::<Realtime>(1).await;
                assert_eq!(read.is_err(), round % 2 == 0);
                assert_eq!(line.borrow().dropped_reads, 0, "round {round}");
            }
            let until_us = client.now_us() + 1_000_000;
            client.wait_until(until_us).await.unwrap();
            assert_eq!(line.borrow().dropped_reads, 0);
        }),
    );
    assert_eq!(line.borrow().dropped_reads, 1, "dropped with the work, not before");
}

#[test]
fn a_late_reply_is_drained() {
    let line = line();
    let mut driver = driver(&line);
    block_on(
        &line,
        driver.run(async |client| {
            line.borrow_mut().late_us = 300_000;
            let error = client.transact(1, &MeterNumber::READ, &mut ReplyBuffer::new()).await.unwrap_err();
            assert_eq!(error, TransactError::NoReply { reason: NoReply::TimedOut, source: None });
            assert_eq!(client.read_block::<MeterNumber>(2).await.unwrap().to_string(), "202603050012");
            assert!(client.counters().discarded_bytes >= 11);
        }),
    );
}

#[test]
fn noise_and_errors_while_reading_are_slid_over() {
    let line = line();
    let mut driver = driver(&line);
    line.borrow_mut().noise = vec![Ok(0x00), Err(ErrorKind::Other), Ok(0xFF), Ok(0x01), Ok(0x03), Ok(0x07)];
    block_on(
        &line,
        driver.run(async |client| {
            assert_eq!(client.read_block::<Realtime>(1).await.unwrap().purchase_count, 12);
        }),
    );
}

#[test]
fn a_call_that_is_dropped_gives_the_line_back_and_leaves_the_client_usable() {
    let line = line();
    let mut driver = driver(&line);
    block_on(
        &line,
        driver.run(async |client| {
            for polls in 1..40 {
                {
                    let mut buffer = ReplyBuffer::new();
                    let mut call = pin!(client.transact(1, &MeterNumber::READ, &mut buffer));
                    let mut left = polls;
                    poll_fn(|context| {
                        left -= 1;
                        match call.as_mut().poll(context) {
                            Poll::Ready(_) => Poll::Ready(()),
                            Poll::Pending if left == 0 => Poll::Ready(()),
                            Poll::Pending => Poll::Pending,
                        }
                    })
                    .await;
                }
                assert!(!line.borrow().driving, "after {polls} polls");
                // Same length, another unit and number: a mixed-up reply would show.
                assert_eq!(client.read_block::<MeterNumber>(2).await.unwrap().to_string(), "202603050012", "{polls}");
            }
        }),
    );
    assert_eq!(line.borrow().dropped_reads, 1);
}

#[test]
fn a_port_that_ends_or_fails_is_told() {
    let line = line();
    let mut driver = driver(&line);
    block_on(
        &line,
        driver.run(async |client| {
            line.borrow_mut().trouble = Trouble::WriteFailsAfter(3);
            let error = client.write(1, &ForceMode::SupplyOff.request()).await.unwrap_err();
            assert!(error.may_have_acted() && !line.borrow().driving, "{error}");
            line.borrow_mut().trouble = Trouble::Ended;
            line.borrow_mut().stray(0, &[0]);
            let error = client.transact(1, &MeterNumber::READ, &mut ReplyBuffer::new()).await.unwrap_err();
            assert!(matches!(error, TransactError::NotTransmitted { source: Some(PortError::Closed), .. }), "{error}");
        }),
    );
}

#[test]
fn a_bus_is_driven_and_a_dropped_job_is_reported() {
    let line = line();
    let mut driver = driver(&line);
    let slots = [MeterSlot::polled(); 2];
    let mut bus = Bus::new(slots, BusConfig::every(10_000_000)).unwrap();
    bus.request(1, Class::Control).unwrap();
    block_on(
        &line,
        driver.run(async |client| {
            {
                let mut job = pin!(client.run_next(&mut bus, async |_, _, _| std::future::pending().await));
                poll_fn(|context| Poll::Ready(job.as_mut().poll(context).is_pending())).await;
            }
            let mut jobs = Vec::new();
            while client.now_us() < 21_000_000 {
                let turn = client.run_next(&mut bus, async |client, slot, job| {
                    jobs.push((slot, job));
                    match client.read_block::<Realtime>(if slot == 0 { 1 } else { 2 }).await {
                        Ok(_) => JobOutcome::Answered,
                        Err(error) => error.job_outcome(),
                    }
                });
                if let Turn::WaitUntil(until_us) = turn.await.unwrap() {
                    client.wait_until(until_us).await.unwrap();
                }
            }
            assert!(jobs.iter().all(|(_, job)| *job == Job::Poll { cycle: 0 }), "control was tried once: {jobs:?}");
            assert_eq!(jobs.len(), 6);
        }),
    );
}

#[cfg(feature = "frame-cipher")]
#[test]
fn a_sale_goes_out_enciphered() {
    use meter_protocol::acrel::{FrameKey, Purchase};
    let line = line();
    let mut driver = driver(&line);
    let key = FrameKey::new(crate::line::KEY);
    block_on(
        &line,
        driver.run(async |client| {
            let sale = Purchase::new(10_000, 12).unwrap();
            client.write_enciphered(2, &sale.request(), &key).await.unwrap();
            let now = client.read_block::<Realtime>(2).await.unwrap();
            assert_eq!((now.remaining_minor, now.purchase_count), (60_000, 13));
            let error = client.write_enciphered(2, &ForceMode::SupplyOff.request(), &key).await.unwrap_err();
            assert!(matches!(error, TransactError::Encode(_)), "{error:?}");
        }),
    );
    assert_eq!(line.borrow().requests.len(), 2);
}
