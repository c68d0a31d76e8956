//! The blocking driver.

use crate::line::{CHAR_US, De, Delay, Port, Shared, Trouble, line};
use embedded_io::ErrorKind;
use meter_protocol::acrel::fields::settings;
use meter_protocol::acrel::{
    Clock as MeterClock, DayTable, DayTableNumber, ForceMode, ForceState, MeterNumber, Model, Profile, Purchase,
    PurseReading, Rate, RateCodes, Realtime, RealtimeLayout, SaleVerdict, Slot,
};
use meter_protocol::bus::{Bus, BusConfig, Class, Job, JobOutcome, MeterSlot};
use meter_protocol::client::embedded::Client;
use meter_protocol::client::{DirectionTiming, MeterError, PortError, ReplyBuffer, TransactError, Turn};
use meter_protocol::session::{CharFormat, LineConfig, NoReply, NotTransmitted};
use meter_protocol::wire::Request;
use meter_protocol::wire::crc::crc16;

fn config() -> LineConfig {
    LineConfig::rtu(9600, CharFormat::N8_1).with_response_timeout_us(200_000).with_longest_response_us(400_000)
}

fn client(line: &Shared) -> Client<Port, De, Delay, impl Fn() -> u64 + use<>> {
    let clock = {
        let line = line.clone();
        move || line.borrow().now_us
    };
    Client::new(Port(line.clone()), De(line.clone()), Delay(line.clone()), clock, config())
}

#[test]
fn the_pin_is_high_around_the_frame_and_one_character_longer() {
    let line = line();
    let mut client = client(&line);
    client.read_block::<Realtime>(1).unwrap();
    let log = line.borrow().log.clone();
    let order: Vec<&str> = log.iter().map(|(_, what)| *what).collect();
    assert_eq!(order, ["high", "write", "flush", "low"]);
    let at = |name| log.iter().find(|(_, what)| *what == name).unwrap().0;
    assert_eq!(at("write"), at("high"), "no lead by default");
    assert_eq!(at("flush") - at("write"), 8 * CHAR_US);
    assert_eq!(at("low") - at("flush"), CHAR_US);
    assert!(!line.borrow().driving);
}

#[test]
fn the_timing_of_the_pin_can_be_set() {
    let line = line();
    let timing = DirectionTiming::DEFAULT.with_lead_us(250).with_tail_us(0);
    let mut client = client(&line).with_direction_timing(timing);
    client.read_block::<Realtime>(1).unwrap();
    let log = line.borrow().log.clone();
    assert_eq!(log[1].0 - log[0].0, 250);
    assert_eq!(log[3].0, log[2].0);
}

#[test]
fn the_first_request_keeps_the_silent_interval() {
    let line = line();
    client(&line).read_block::<MeterNumber>(1).unwrap();
    assert!(line.borrow().log[0].0 >= 3_646, "{:?}", line.borrow().log);
}

#[test]
fn typed_reads_and_writes() {
    let line = line();
    let mut client = client(&line);
    let before = client.read_block::<Realtime>(1).unwrap();
    assert_eq!((before.remaining_minor, before.purchase_count), (50_000, 12));
    assert_eq!(client.read_block::<MeterNumber>(2).unwrap().to_string(), "202603050012");
    assert_eq!(client.detect_layout(1).unwrap(), RealtimeLayout::FourRate);
    assert_eq!(client.read_realtime_as(RealtimeLayout::FourRate, 1).unwrap().model, Model::Dtsy1352);
    assert_eq!(client.read_number(1, &settings::RELAY_PULSE_WIDTH).unwrap().to_string(), "500");
    client.write_field(1, &settings::RELAY_PULSE_WIDTH, 700).unwrap();
    assert_eq!(client.read_number(1, &settings::RELAY_PULSE_WIDTH).unwrap().to_string(), "700");

    let sale = Purchase::new(10_000, before.purchase_count).unwrap();
    client.write(1, &sale.request()).unwrap();
    let after = client.read_block::<Realtime>(1).unwrap();
    let verdict = sale.verdict(&PurseReading::from(&before), &PurseReading::from(&after), 200);
    assert_eq!(verdict, SaleVerdict::Taken { used_minor: 0 });

    client.write(1, &ForceMode::SupplyOff.request()).unwrap();
    assert_eq!(client.read_block::<ForceState>(1).unwrap().mode(), Some(ForceMode::SupplyOff));
    let clock = MeterClock::new(2026, 3, 6, 1, 2, 3).unwrap();
    client.write(1, &clock.frame().request()).unwrap();
    assert_eq!(client.read_block::<Realtime>(1).unwrap().clock.unwrap().day(), 6);

    let mut profile = Profile::unsettled();
    profile.rate_codes = Some(RateCodes::FromOne);
    let table = DayTable::new(&profile, &[Slot { hour: 0, minute: 0, rate: Rate::Valley }]).unwrap();
    let model = client.confirm_model(1).unwrap();
    client.write(1, &table.request(&model, DayTableNumber::First).unwrap()).unwrap();
}

#[test]
fn a_silent_meter_times_out_and_the_line_is_drained_before_the_next_request() {
    let line = line();
    let mut client = client(&line);
    // The reply comes after the time-out and before the longest response time.
    line.borrow_mut().late_us = 300_000;
    let error = client.read_block::<Realtime>(1).unwrap_err();
    let MeterError::Transact(error) = error else { panic!("{error}") };
    assert_eq!(error, TransactError::NoReply { reason: NoReply::TimedOut, source: None });
    assert!(error.may_have_acted());
    assert_eq!(client.read_block::<Realtime>(2).unwrap().remaining_minor, 50_000);
    assert!(client.counters().discarded_bytes >= 101, "{:?}", client.counters());
    let log = &line.borrow().log;
    let low = log.iter().find(|(_, what)| *what == "low").unwrap().0;
    let next = log.iter().rfind(|(_, what)| *what == "high").unwrap().0;
    assert!(next - low >= 400_000, "{low} {next}");
}

#[test]
fn noise_and_errors_while_reading_are_slid_over() {
    let line = line();
    let mut client = client(&line);
    line.borrow_mut().noise = vec![Ok(0x00), Err(ErrorKind::Other), Ok(0xFF), Ok(0x01), Ok(0x03), Ok(0x07)];
    let now = client.read_block::<Realtime>(1).unwrap();
    assert_eq!(now.purchase_count, 12);
    assert!(client.counters().discarded_bytes >= 5);
}

#[test]
fn errors_while_reading_are_told_when_no_reply_comes() {
    let line = line();
    let mut client = client(&line);
    line.borrow_mut().noise = (0..120).map(|_| Err(ErrorKind::InvalidData)).collect();
    line.borrow_mut().late_us = 60_000;
    let error = client.transact(1, &Realtime::READ, &mut ReplyBuffer::new()).unwrap_err();
    let source = Some(PortError::Port(ErrorKind::InvalidData));
    assert_eq!(error, TransactError::NoReply { reason: NoReply::TimedOut, source });
}

#[test]
fn a_write_that_fails_before_the_first_byte_was_not_transmitted() {
    let line = line();
    let mut client = client(&line);
    line.borrow_mut().trouble = Trouble::WriteFails;
    let error = client.write(1, &ForceMode::SupplyOff.request()).unwrap_err();
    let source = Some(PortError::Port(ErrorKind::Other));
    assert_eq!(error, TransactError::NotTransmitted { reason: NotTransmitted::LinkDown, source });
    assert!(!line.borrow().driving, "the line is given back");
    line.borrow_mut().trouble = Trouble::None;
    assert!(client.read_block::<Realtime>(1).is_ok());
}

#[test]
fn a_write_that_fails_half_way_may_have_reached_the_meter() {
    let line = line();
    let mut client = client(&line);
    line.borrow_mut().trouble = Trouble::WriteFailsAfter(5);
    let error = client.write(1, &ForceMode::SupplyOff.request()).unwrap_err();
    assert!(error.may_have_acted(), "{error}");
    assert!(!line.borrow().driving, "the line is given back");
    line.borrow_mut().trouble = Trouble::None;
    assert!(client.read_block::<Realtime>(1).is_ok());
}

#[test]
fn a_port_that_ends_is_told() {
    let line = line();
    let mut client = client(&line);
    line.borrow_mut().trouble = Trouble::Ended;
    let error = client.transact(1, &Realtime::READ, &mut ReplyBuffer::new()).unwrap_err();
    assert!(matches!(error, TransactError::NotTransmitted { source: Some(PortError::Closed), .. }), "{error}");
}

#[test]
fn broadcasts_and_factory_windows_are_refused_before_the_pin_moves() {
    let line = line();
    let mut client = client(&line);
    let error = client.write(0, &ForceMode::SupplyOff.request()).unwrap_err();
    assert!(matches!(error, TransactError::Encode(_)), "{error}");
    assert!(Request::vendor_write(0x0900, &[0; 2]).is_err());
    assert!(line.borrow().log.is_empty());
}

#[test]
fn a_bus_is_driven_money_first() {
    let line = line();
    let mut client = client(&line);
    let mut bus = Bus::new([MeterSlot::polled(); 2], BusConfig::every(10_000_000)).unwrap();
    bus.request(1, Class::Money).unwrap();
    let mut jobs = Vec::new();
    while client.now_us() < 21_000_000 {
        let turn = client.run_next(&mut bus, |client, slot, job| {
            jobs.push((slot, job));
            match client.read_block::<Realtime>(if slot == 0 { 1 } else { 2 }) {
                Ok(_) => JobOutcome::Answered,
                Err(error) => error.job_outcome(),
            }
        });
        match turn.unwrap() {
            Turn::Ran { outcome, .. } => assert_eq!(outcome, JobOutcome::Answered),
            Turn::WaitUntil(until_us) => client.wait_until(until_us).unwrap(),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(jobs[0], (1, Job::Money));
    let polls = jobs.iter().filter(|(_, job)| matches!(job, Job::Poll { cycle: 0 })).count();
    assert_eq!(polls, 6, "{jobs:?}");
}

#[test]
fn what_arrives_while_nobody_asks_is_not_the_next_answer() {
    let line = line();
    let mut client = client(&line);
    // A whole valid reply to the read below, from nowhere.
    let mut stray = vec![0x01, 0x03, 0x06, 0x20, 0x26, 0x03, 0x05, 0x00, 0x99];
    stray.extend(crc16(&stray).to_le_bytes());
    line.borrow_mut().stray(1_000, &stray);
    client.wait_until(500_000).unwrap();
    assert_eq!(client.counters().discarded_bytes, 11);
    assert_eq!(client.read_block::<MeterNumber>(1).unwrap().to_string(), "202603050011");
}

#[cfg(feature = "frame-cipher")]
#[test]
fn a_sale_goes_out_enciphered() {
    let line = line();
    let mut client = client(&line);
    let key = meter_protocol::acrel::FrameKey::new(crate::line::KEY);
    let before = PurseReading::from(&client.read_block::<Realtime>(2).unwrap());
    let sale = Purchase::new(10_000, before.purchase_count).unwrap();
    client.write_enciphered(2, &sale.request(), &key).unwrap();
    let sent = line.borrow().requests.last().unwrap().clone();
    assert_eq!((sent.len(), sent[..2] == [2, 0x20]), (20, false), "{sent:02X?}");
    let after = PurseReading::from(&client.read_block::<Realtime>(2).unwrap());
    assert_eq!(sale.verdict(&before, &after, 100), SaleVerdict::Taken { used_minor: 0 });
    let requests = line.borrow().requests.len();
    let error = client.write_enciphered(2, &ForceMode::SupplyOff.request(), &key).unwrap_err();
    assert!(matches!(error, TransactError::Encode(_)), "{error:?}");
    assert_eq!(line.borrow().requests.len(), requests, "nothing was sent");
}
