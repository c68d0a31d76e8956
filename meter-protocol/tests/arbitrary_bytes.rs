//! Arbitrary bytes never panic, never loop, and are never taken for a reply that does not fit.

use meter_protocol::acrel::*;
use meter_protocol::session::{CharFormat, LineConfig, Outcome, Session};
use meter_protocol::wire::{
    Answer, Exception, ExceptionCode, Incoming, MAX_ADU_LEN, Registers, Reply, Request, VendorReply, crc, rtu, sniff,
    tcp,
};
use proptest::prelude::*;

fn requests() -> Vec<Request<'static>> {
    vec![
        Realtime::READ,
        Request::read_input(7, 1).unwrap(),
        Request::write_single(2, 3),
        ForceMode::SupplyOff.request(),
        Request::version_query(),
        Request::vendor_write(0x0100, &[0; 8]).unwrap(),
    ]
}

/// Bytes, sometimes with a CRC that fits so that decoding goes deeper.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    (proptest::collection::vec(any::<u8>(), 0..300), any::<bool>()).prop_map(|(mut bytes, sealed)| {
        if sealed {
            let crc = crc::crc16(&bytes);
            bytes.extend(crc.to_le_bytes());
        }
        bytes
    })
}

/// What follows the function code of a write near the range that clears energy.
fn clearing() -> impl Strategy<Value = Vec<u8>> {
    (0x0880_u16..=0x0A00, 1_u8..=120).prop_map(|(address, count)| {
        let [high, low] = address.to_be_bytes();
        let mut bytes = vec![high, low, 0, count, 2 * count];
        bytes.resize(5 + 2 * usize::from(count), 0);
        bytes
    })
}

proptest! {
    #[test]
    fn decoders(bytes in frames()) {
        let _ = (rtu::decode_request(&bytes), sniff::decode_rtu(&bytes), sniff::decode_tcp(&bytes), tcp::decode_request(&bytes));
        for request in requests() {
            let _ = rtu::decode_answer(&bytes, 1, &request.expectation());
            let _ = tcp::decode_answer(&bytes, 1, 1, &request.expectation());
        }
        let _ = (PrepayBlock::parse(&bytes), Realtime::parse(RealtimeLayout::FourRate, &bytes));
        let _ = Realtime::parse(RealtimeLayout::EightRate, &bytes);
        if let Ok(registers) = Registers::holding(0x0040, &bytes) {
            let _ = (MeterNumber::from_registers(&registers), ForceState::from_registers(&registers));
            let _ = (DayTableReading::from_registers(&registers), DateTable::from_registers(&registers));
        }
    }

    /// What a slave or a gateway answers can't be a factory function in disguise.
    #[test]
    fn no_answer_reads_as_a_factory_function(
        function in prop_oneof![Just(0x18_u8), Just(0x99), Just(0xAA), Just(0x2B), any::<u8>()],
        code in 1_u8..=11,
        (address, value) in (prop_oneof![0x08F0_u16..=0x0A00, any::<u16>()], any::<u16>()),
        bytes in prop_oneof![clearing(), proptest::collection::vec(any::<u8>(), 0..250)],
        refused: bool,
    ) {
        let code = ExceptionCode::new(code).unwrap();
        let answers = [
            Answer::Exception(Exception { function, code }),
            Answer::Reply(Reply::Written { function, address, value }),
            Answer::Reply(Reply::Vendor(VendorReply::new(refused, &bytes))),
            Answer::Reply(Reply::Id(&bytes)),
        ];
        for answer in answers {
            let (mut rtu_buf, mut tcp_buf) = ([0; MAX_ADU_LEN], [0; MAX_ADU_LEN]);
            if let Ok(frame) = rtu::encode_answer(1, &answer, &mut rtu_buf) {
                prop_assert!(!matches!(rtu::decode_request(frame), Ok((_, Incoming::Factory(_)))), "{:?}", answer);
            }
            if let Ok(frame) = tcp::encode_answer(7, 1, &answer, &mut tcp_buf) {
                prop_assert!(!matches!(tcp::decode_request(frame), Ok((_, Incoming::Factory(_)))), "{:?}", answer);
            }
        }
    }

    #[test]
    fn blocks_of_the_right_length(bytes in proptest::collection::vec(any::<u8>(), 144)) {
        let eight = Realtime::parse(RealtimeLayout::EightRate, &bytes).unwrap();
        let four = Realtime::parse(RealtimeLayout::FourRate, &bytes[..96]).unwrap();
        prop_assert_eq!(eight.remaining_minor, four.remaining_minor);
        let _ = (four.energy_factor(&Profile::unsettled()), PrepayBlock::parse(&bytes[..50]).unwrap());
        let table = DayTableReading::from_registers(&Registers::holding(0x2000, &bytes[..42]).unwrap()).unwrap();
        for codes in [RateCodes::FromOne, RateCodes::FromZero] {
            prop_assert!(table.slots(codes).count() <= 14);
        }
        let dates = DateTable::from_registers(&Registers::holding(0x2000, &bytes[..12]).unwrap()).unwrap();
        prop_assert!(dates.entries(DateTableOrder::MonthDayTable).count() <= 4);
    }

    #[test]
    fn sessions(pieces in proptest::collection::vec((frames(), 0..2_000_000_u64), 0..20), index in 0..6_usize, tcp in any::<bool>(), echo in any::<bool>()) {
        let line = if tcp { LineConfig::tcp() } else { LineConfig::rtu(9600, CharFormat::N8_1) };
        let mut session = Session::new(line.with_read_attempts(2).with_local_echo(echo));
        let mut now_us = 0;
        session.submit(now_us, 1, &requests()[index]).unwrap();
        for (bytes, pause_us) in pieces {
            if session.poll_transmit(now_us, &mut [0; MAX_ADU_LEN]).is_some() {
                session.transmitted(now_us);
            }
            session.receive(now_us, &bytes);
            now_us += pause_us;
            session.handle_timeout(now_us);
            if let Some(event) = session.poll_event()
                && let Outcome::Reply(Reply::Registers(registers)) = event.outcome
            {
                let asked = if index == 0 { 48 } else { 1 };
                prop_assert!(index < 2 && registers.count() == asked);
            }
            let _ = session.submit(now_us, 1, &requests()[index]);
        }
    }

    /// Up to three flipped bits and bursts of up to 16 bits are always noticed in a reply of 101 bytes.
    #[test]
    fn corruption_within_the_reach_of_the_crc(data in proptest::collection::vec(any::<u8>(), 96), flips in proptest::collection::vec(0..808_usize, 1..=3), burst in 1..=u16::MAX, at in 0..792_usize) {
        let answer = Answer::Reply(Reply::Registers(Registers::holding(0x0200, &data).unwrap()));
        let mut buf = [0; 256];
        let good = rtu::encode_answer(1, &answer, &mut buf).unwrap().to_vec();
        let deliver = |bytes: &[u8]| {
            let mut session = Session::new(LineConfig::rtu_unpaced());
            session.submit(0, 1, &Realtime::READ).unwrap();
            session.poll_transmit(0, &mut [0; MAX_ADU_LEN]).unwrap();
            session.transmitted(0);
            session.receive(1, bytes);
            session.poll_event().is_some()
        };
        prop_assert!(deliver(&good));
        let mut flipped = good.clone();
        for bit in &flips {
            flipped[bit / 8] ^= 1 << (bit % 8);
        }
        prop_assert!(flipped == good || !deliver(&flipped));
        // In the order of the line, low bit first.
        let mut burst_frame = good.clone();
        for bit in (0..16).filter(|bit| burst & (1 << bit) != 0) {
            burst_frame[(at + bit) / 8] ^= 1 << ((at + bit) % 8);
        }
        prop_assert!(!deliver(&burst_frame));
    }
}
