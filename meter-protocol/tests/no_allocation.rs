//! Nothing on the way of a transaction allocates.
#![allow(clippy::inconsistent_digit_grouping, reason = "amounts in hundredths: 100_00 is 100.00")]

mod common;

use meter_protocol::acrel::fields::{self, MeterMap};
use meter_protocol::acrel::{PrepayBlock, Purchase, Realtime, RealtimeLayout, Settings};
use meter_protocol::bus::{Bus, BusConfig, Class, JobOutcome, MeterSlot, Next};
use meter_protocol::map::Table;
use meter_protocol::plan::{ForbiddenSearch, Limits, LineTiming, Read, Scratch, plan};
use meter_protocol::session::{CharFormat, LineConfig, Outcome, Pace, Session};
use meter_protocol::wire::{Answer, Incoming, MAX_ADU_LEN, Registers, Reply, Request, crc, rtu, sniff, tcp};

fn transaction(session: &mut Session, now_us: u64, request: &Request<'_>, reply: &[u8]) -> i32 {
    session.submit(now_us, 1, request).unwrap();
    session.poll_transmit(now_us, &mut [0; MAX_ADU_LEN]).unwrap();
    session.transmitted(now_us);
    session.receive(now_us, &[0xFF, 0x01]);
    session.receive(now_us, reply);
    session.handle_timeout(now_us + 20_000);
    match session.poll_event().unwrap().outcome {
        Outcome::Reply(Reply::Registers(registers)) if registers.address() == 0x0200 => {
            Realtime::from_registers(RealtimeLayout::FourRate, &registers).unwrap().remaining_minor
        }
        Outcome::Reply(Reply::Registers(registers)) => PrepayBlock::from_registers(&registers).unwrap().remaining_minor,
        Outcome::Reply(_) => 0,
        other => panic!("{other:?}"),
    }
}

#[test]
fn transactions_and_scheduling_do_not_allocate() {
    let realtime = common::hex(common::REALTIME_REPLY);
    let prepay = common::hex(common::PREPAY_REPLY);
    let sold = common::with_crc("01 20 01 00 00 04 00 00 00 00 00 00 00");
    let mut sum = 0;
    let mut jobs = 0;
    let allocations = allocation_counter::measure(|| {
        let mut session = Session::new(LineConfig::rtu_unpaced());
        let sale = Purchase::new(100_00, 12).unwrap();
        let settings = Settings::new().alarms(20_00, 5_00).overdraft(0);
        sum += transaction(&mut session, 0, &Realtime::READ, &realtime);
        sum += transaction(&mut session, 100_000, &PrepayBlock::READ, &prepay);
        sum += transaction(&mut session, 200_000, &sale.request(), &sold);
        sum += transaction(&mut session, 300_000, &settings.request().unwrap(), &sold);
        let mut bus = Bus::new([MeterSlot::polled(); 8], BusConfig::every(1_000_000)).unwrap();
        bus.request(3, Class::Money).unwrap();
        while let Next::Run { slot, job } = bus.next(jobs) {
            jobs += 1;
            bus.finished(slot, job, JobOutcome::Answered, jobs).unwrap();
        }
    });
    assert_eq!(allocations.count_total, 0);
    assert_eq!((sum, jobs), (-84_01 + 88_75, 9));
    assert!(allocation_counter::measure(|| drop(vec![1, 2, 3])).count_total > 0, "the counter counts");
}

/// Every way from bytes to values and back, once.
#[test]
fn decoding_encoding_and_planning_do_not_allocate() {
    let frame = common::hex(common::REALTIME_REPLY);
    let mut tcp_frame = vec![0, 7, 0, 0, 0, 99];
    tcp_frame.extend(&frame[..99]);
    let noise: Vec<u8> = (0..200).collect();
    let line = LineTiming::new(Pace::serial(9600, CharFormat::N8_1), 35_000);
    let map = MeterMap::Dtsy1352(RealtimeLayout::FourRate);
    let limits = Limits::new(123, map.tables());
    let mut scratch = Scratch::new();
    let mut values = 0;
    let allocations = allocation_counter::measure(|| {
        assert_eq!(crc::crc16_8k(&noise), crc::crc16_512(&noise));
        let expected = Realtime::READ.expectation();
        for answer in [rtu::decode_answer(&frame, 1, &expected), tcp::decode_answer(&tcp_frame, 7, 1, &expected)] {
            let Ok(Answer::Reply(Reply::Registers(registers))) = answer else { panic!("{answer:?}") };
            let now = Realtime::from_registers(RealtimeLayout::FourRate, &registers).unwrap();
            assert_eq!(now.remaining_minor, -84_01);
            values += fields::realtime::ALL.iter().filter(|field| field.value(&registers).is_ok()).count();
        }
        assert!(sniff::decode_rtu(&frame).is_ok() && sniff::decode_tcp(&tcp_frame).is_ok());
        // What is wrong is told without memory of its own as well.
        assert!(sniff::decode_rtu(&noise).is_err() && rtu::decode_answer(&noise, 1, &expected).is_err());

        let mut buf = [0; MAX_ADU_LEN];
        for request in [Realtime::READ, Request::write_multiple(0x57, &[0, 1, 0, 0]).unwrap(), Request::version_query()]
        {
            let sent = rtu::encode_request(1, &request, &mut buf).unwrap();
            assert_eq!(rtu::decode_request(sent), Ok((1, Incoming::Request(request))));
            tcp::encode_request(7, 1, &request, &mut buf).unwrap();
        }
        let registers = Registers::holding(0x0200, &noise[..96]).unwrap();
        rtu::encode_answer(1, &Answer::Reply(Reply::Registers(registers)), &mut buf).unwrap();

        let due = fields::realtime::ALL.iter().chain(fields::prepay::ALL);
        assert_eq!(plan(due, &line, &limits, &mut scratch).unwrap().reads().len(), 2);
        let mut search = ForbiddenSearch::new(Read { table: Table::Holding, address: 0, count: 100 });
        while let Some(probe) = search.probe() {
            search.answered(probe.address > 50);
        }
    });
    assert_eq!(allocations.count_total, 0);
    assert_eq!(values, 2 * fields::realtime::ALL.len());
}
