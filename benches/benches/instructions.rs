//! Instructions of what must not grow unseen: `scripts/instructions` holds them against the committed counts.

#![allow(missing_docs, unused_qualifications, reason = "the macros of gungraun write them")]

use benches::books::{NoPrice, Poll, Request, Station, request};
use benches::frames::{MOST_REGISTERS, REALTIME_REGISTERS, UNIT, expectation, realtime_reply, registers, reply, sum};
use benches::links::session;
use benches::years::{by_series, large, load, one_by_one, tiers_and_demand, time_of_use};
use gungraun::{library_benchmark, library_benchmark_group, main};
use meter_protocol::acrel::{Realtime, RealtimeLayout};
use meter_protocol::seal::{Link, MAX_FRAME_LEN, Suite};
use meter_protocol::wire::{Expectation, Request as WireRequest, rtu};
use prepay_core::account::Decision;
use std::hint::black_box;
use tariff_engine::{Amount, CompiledTariff, Energy, Tariff};

/// Customers of the ledger: enough that its maps have depth, few enough for a slow machine.
const CUSTOMERS: u64 = 1_000;

/// A frame, and what it is held against.
fn full_reply() -> (Vec<u8>, Expectation) {
    (reply(MOST_REGISTERS), expectation(MOST_REGISTERS))
}

#[library_benchmark]
#[bench::whole(full_reply())]
fn decode_125_registers((frame, expected): (Vec<u8>, Expectation)) -> u16 {
    sum(&registers(rtu::decode_answer(black_box(&frame), UNIT, black_box(&expected)).expect("it answers")))
}

#[library_benchmark]
fn encode_read() -> usize {
    let request = WireRequest::read_holding(black_box(0x0200), black_box(REALTIME_REGISTERS)).expect("in range");
    rtu::encode_request(black_box(UNIT), &request, black_box(&mut [0; 256])).expect("it fits").len()
}

fn block_reply() -> (Vec<u8>, Expectation) {
    (realtime_reply(), expectation(REALTIME_REGISTERS))
}

#[library_benchmark]
#[bench::four_rates(block_reply())]
fn realtime_snapshot((frame, expected): (Vec<u8>, Expectation)) -> Realtime {
    let shown = registers(rtu::decode_answer(black_box(&frame), UNIT, black_box(&expected)).expect("it answers"));
    Realtime::from_registers(RealtimeLayout::FourRate, &shown).expect("whole")
}

#[library_benchmark]
#[bench::tdes(session(Suite::Tdes))]
#[bench::aes(session(Suite::AesCcm))]
#[bench::sm4(session(Suite::Sm4Ccm))]
fn seal_64_bytes((mut collector, _station): (Link, Link)) -> usize {
    collector.seal(black_box(&[0x5A; 64]), black_box(&mut [0; MAX_FRAME_LEN])).expect("room").len()
}

#[library_benchmark]
#[bench::time_of_use((time_of_use(), load(1)))]
#[bench::tiers_and_demand((tiers_and_demand(), load(1)))]
fn year_by_series((tariff, hours): (CompiledTariff, Vec<Energy>)) -> Vec<Amount> {
    by_series(black_box(&tariff), black_box(&hours))
}

#[library_benchmark]
#[bench::time_of_use((time_of_use(), load(1)))]
fn year_one_by_one((tariff, hours): (CompiledTariff, Vec<Energy>)) -> Vec<Amount> {
    one_by_one(black_box(&tariff), black_box(&hours))
}

#[library_benchmark]
#[bench::large(large())]
fn compile_tariff(tariff: Tariff) -> CompiledTariff {
    black_box(&tariff).compile().expect("a tariff")
}

fn till() -> (Station, Vec<Request>) {
    (Station::new(CUSTOMERS), (CUSTOMERS..2 * CUSTOMERS).map(|n| request(n, CUSTOMERS)).collect())
}

#[library_benchmark]
#[bench::a_thousand(till())]
fn transfers_with_chain((mut station, requests): (Station, Vec<Request>)) -> Station {
    requests.iter().for_each(|request| station.take(black_box(request)));
    station
}

#[library_benchmark]
#[bench::settled_in(Poll::new())]
fn reading_that_crosses_nothing(poll: Poll) -> (Poll, Decision) {
    let decision = poll.account.decide(black_box(&poll.command), black_box(poll.now), &NoPrice).expect("it is taken");
    (poll, decision)
}

library_benchmark_group!(
    name = protocol,
    benchmarks = [decode_125_registers, encode_read, realtime_snapshot, seal_64_bytes]
);
library_benchmark_group!(name = tariff, benchmarks = [year_by_series, year_one_by_one, compile_tariff]);
library_benchmark_group!(name = money, benchmarks = [transfers_with_chain, reading_that_crosses_nothing]);

main!(library_benchmark_groups = [protocol, tariff, money]);
