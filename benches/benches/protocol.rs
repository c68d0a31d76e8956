//! Frames and blocks of the meters, beside the published codecs. Every decoder also reads all registers it got.

use benches::criterion;
use benches::frames::{MOST_REGISTERS, REALTIME_REGISTERS, UNIT, expectation, realtime_reply, registers, reply, sum};
use criterion::Criterion;
use meter_protocol::acrel::{Realtime, RealtimeLayout};
use meter_protocol::wire::crc::{crc16, crc16_8k, crc16_512};
use meter_protocol::wire::{Answer, Request, rtu};
use modbus_core::rtu as peer_rtu;
use rmodbus::ModbusProto;
use rmodbus::client::ModbusRequest;
use rusty_modbus_codec::request::ReadHoldingRegistersRequest;
use rusty_modbus_codec::{Encode as _, ResponsePdu};
use std::hint::black_box;

fn main() {
    let mut criterion = criterion();
    crc(&mut criterion);
    decode_rtu(&mut criterion);
    decode_pdu(&mut criterion);
    encode(&mut criterion);
    realtime(&mut criterion);
    criterion.final_summary();
}

fn crc(criterion: &mut Criterion) {
    let bytes: Vec<u8> = (0..253_u8).collect();
    let mut group = criterion.benchmark_group("crc_253_bytes");
    group.bench_function("meter-protocol 8 KiB", |bencher| bencher.iter(|| crc16_8k(black_box(&bytes))));
    group.bench_function("meter-protocol 512 B", |bencher| bencher.iter(|| crc16_512(black_box(&bytes))));
    group.bench_function("modbus-core", |bencher| bencher.iter(|| peer_rtu::crc16(black_box(&bytes))));
    group.finish();
}

fn decode_rtu(criterion: &mut Criterion) {
    let frame = reply(MOST_REGISTERS);
    let expected = expectation(MOST_REGISTERS);
    let mut group = criterion.benchmark_group("decode_125_registers_rtu");
    assert_eq!(crc16(&frame[..frame.len() - 2]), crc16_8k(&frame[..frame.len() - 2]));
    group.bench_function("meter-protocol 8 KiB", |bencher| {
        bencher.iter(|| {
            let answer = rtu::decode_answer(black_box(&frame), UNIT, black_box(&expected)).expect("it answers");
            sum(&registers(answer))
        });
    });
    // The frame decoder with the small table, which a feature chooses: unit, CRC, answer.
    group.bench_function("meter-protocol 512 B", |bencher| {
        bencher.iter(|| {
            let [body @ .., low, high] = &black_box(&frame)[..] else { panic!("a frame") };
            assert_eq!(crc16_512(body), u16::from_le_bytes([*low, *high]));
            let [UNIT, pdu @ ..] = body else { panic!("another unit") };
            sum(&registers(Answer::parse(pdu, black_box(&expected)).expect("it answers")))
        });
    });
    group.bench_function("modbus-core", |bencher| {
        bencher.iter(|| {
            let adu = peer_rtu::client::decode_response(black_box(&frame)).expect("valid").expect("whole");
            modbus_core_sum(adu.pdu.0.expect("no exception"))
        });
    });
    let mut request = ModbusRequest::new(UNIT, ModbusProto::Rtu);
    request.generate_get_holdings(0x0200, MOST_REGISTERS, &mut Vec::new()).expect("it fits");
    let mut values: Vec<u16> = Vec::with_capacity(usize::from(MOST_REGISTERS));
    group.bench_function("rmodbus", |bencher| {
        bencher.iter(|| {
            values.clear();
            request.parse_u16(black_box(&frame), &mut values).expect("valid");
            values.iter().copied().fold(0, u16::wrapping_add)
        });
    });
    group.finish();
}

fn modbus_core_sum(response: modbus_core::Response<'_>) -> u16 {
    match response {
        modbus_core::Response::ReadHoldingRegisters(data) => data.into_iter().fold(0, u16::wrapping_add),
        other => panic!("{other:?}"),
    }
}

fn decode_pdu(criterion: &mut Criterion) {
    let frame = reply(MOST_REGISTERS);
    let pdu = &frame[1..frame.len() - 2];
    let expected = expectation(MOST_REGISTERS);
    let mut group = criterion.benchmark_group("decode_125_registers_pdu");
    group.bench_function("meter-protocol", |bencher| {
        bencher.iter(|| sum(&registers(Answer::parse(black_box(pdu), black_box(&expected)).expect("it answers"))));
    });
    group.bench_function("rusty-modbus-codec", |bencher| {
        bencher.iter(|| match rusty_modbus_codec::decode_response(black_box(pdu)) {
            Ok(ResponsePdu::ReadHoldingRegisters(response)) => response.registers().fold(0, u16::wrapping_add),
            other => panic!("{other:?}"),
        });
    });
    group.bench_function("modbus-core", |bencher| {
        bencher.iter(|| modbus_core_sum(modbus_core::Response::try_from(black_box(pdu)).expect("valid")));
    });
    group.finish();
}

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode_read_rtu");
    let mut buf = [0; 256];
    group.bench_function("meter-protocol", |bencher| {
        bencher.iter(|| {
            let request = Request::read_holding(black_box(0x0200), black_box(48)).expect("in range");
            rtu::encode_request(black_box(UNIT), &request, black_box(&mut buf)).expect("it fits").len()
        });
    });
    group.bench_function("modbus-core", |bencher| {
        bencher.iter(|| {
            let request = modbus_core::Request::ReadHoldingRegisters(black_box(0x0200), black_box(48));
            let adu = peer_rtu::RequestAdu {
                hdr: peer_rtu::Header { slave: black_box(UNIT) },
                pdu: modbus_core::RequestPdu(request),
            };
            peer_rtu::client::encode_request(adu, black_box(&mut buf)).expect("it fits")
        });
    });
    let mut frame: Vec<u8> = Vec::with_capacity(256);
    group.bench_function("rmodbus", |bencher| {
        bencher.iter(|| {
            frame.clear();
            let mut request = ModbusRequest::new(black_box(UNIT), ModbusProto::Rtu);
            request.generate_get_holdings(black_box(0x0200), black_box(48), black_box(&mut frame)).expect("it fits");
            frame.len()
        });
    });
    group.finish();
    let mut group = criterion.benchmark_group("encode_read_pdu");
    let request = ReadHoldingRegistersRequest::decode(&[0x02, 0x00, 0, 48]).expect("in range");
    group.bench_function("rusty-modbus-codec", |bencher| {
        bencher.iter(|| black_box(&request).encode_into(black_box(&mut buf)).expect("it fits"));
    });
    group.finish();
}

/// The typed snapshot beside what nobody can do without: copying the registers.
fn realtime(criterion: &mut Criterion) {
    let frame = realtime_reply();
    let data = &frame[3..frame.len() - 2];
    let expected = expectation(REALTIME_REGISTERS);
    let parse = |data: &[u8]| Realtime::parse(RealtimeLayout::FourRate, data).expect("whole");
    assert!(parse(data).clock.is_ok());

    let mut group = criterion.benchmark_group("realtime_block");
    group.bench_function("typed snapshot", |bencher| bencher.iter(|| parse(black_box(data))));
    group.bench_function("copy of 48 registers", |bencher| bencher.iter(|| copy(black_box(data))));
    group.finish();
    let mut group = criterion.benchmark_group("realtime_reply_rtu");
    let decode = || registers(rtu::decode_answer(black_box(&frame), UNIT, black_box(&expected)).expect("it answers"));
    group.bench_function("typed snapshot", |bencher| {
        bencher.iter(|| Realtime::from_registers(RealtimeLayout::FourRate, &decode()).expect("whole"));
    });
    group.bench_function("copy of 48 registers", |bencher| bencher.iter(|| copy(decode().bytes())));
    group.finish();
}

fn copy(data: &[u8]) -> [u16; REALTIME_REGISTERS as usize] {
    let mut words = [0; REALTIME_REGISTERS as usize];
    for (word, pair) in words.iter_mut().zip(data.as_chunks::<2>().0) {
        *word = u16::from_be_bytes(*pair);
    }
    words
}
