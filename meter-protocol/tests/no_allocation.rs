//! Nothing on the way of a transaction allocates.
#![allow(clippy::inconsistent_digit_grouping, reason = "amounts in hundredths: 100_00 is 100.00")]

mod common;

use meter_protocol::acrel::{PrepayBlock, Purchase, Realtime, RealtimeLayout, Settings};
use meter_protocol::bus::{Bus, BusConfig, Class, JobOutcome, MeterSlot, Next};
use meter_protocol::session::{LineConfig, Outcome, Session};
use meter_protocol::wire::{MAX_ADU_LEN, Reply, Request};

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
        let mut bus = Bus::new([MeterSlot::polled(1_000_000); 8], BusConfig::default()).unwrap();
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
