//! A frame held against a request, and the same frame seen without one.
//!
//! Input: the request ([`fuzz::Asked`]), the unit, a flag that seals the frame with a CRC that fits, the frame.
#![no_main]

use fuzz::{Asked, Tape, answers, crc16_bitwise};
use libfuzzer_sys::fuzz_target;
use meter_protocol::wire::{
    Answer, EncodeError, Incoming, MAX_ADU_LEN, Registers, Reply, Request, crc, rtu, sniff, tcp,
};

fuzz_target!(|bytes: &[u8]| {
    let mut tape = Tape::new(bytes);
    let asked = Asked::from_tape(&mut tape);
    let (unit, sealed) = (tape.byte(), tape.flag());
    let mut frame = tape.rest().to_vec();
    if sealed {
        frame.extend(crc16_bitwise(&frame).to_le_bytes());
    }
    assert_eq!(crc::crc16(&frame), crc16_bitwise(&frame));
    let sniffed = sniff(&frame);
    if let Some(request) = asked.request() {
        round_trip(unit, &request);
        let accepted = against(&frame, unit, &request);
        assert!(!accepted || sniffed, "an answer is refused when its request is not known: {frame:02X?}");
    }
});

/// What is encoded is what a slave reads.
fn round_trip(unit: u8, request: &Request<'_>) {
    let mut buf = [0; MAX_ADU_LEN];
    match rtu::encode_request(unit, request, &mut buf) {
        Ok(frame) => {
            assert_eq!(rtu::decode_request(frame), Ok((unit, Incoming::Request(*request))));
            assert!(sniff(frame), "our own request is refused: {frame:02X?}");
        }
        Err(error) => assert_eq!(unit, 0, "{error}"),
    }
}

/// The decoder agrees with the slow opinion, and what it accepts is written again the same. Returns whether it accepts.
fn against(frame: &[u8], unit: u8, request: &Request<'_>) -> bool {
    let decoded = rtu::decode_answer(frame, unit, &request.expectation());
    assert_eq!(decoded.is_ok(), answers(frame, unit, request), "{decoded:?}");
    if let [_, pdu @ .., _, _] = frame
        && pdu.len() < 254
    {
        let length = u16::try_from(pdu.len() + 1).unwrap().to_be_bytes();
        let adu = [&[0, 7, 0, 0, length[0], length[1], unit], pdu].concat();
        let over_tcp = tcp::decode_answer(&adu, 7, unit, &request.expectation());
        assert!(tcp::decode_answer(&adu, 8, unit, &request.expectation()).is_err());
        if let Ok(answer) = &decoded {
            assert_eq!(over_tcp.as_ref(), Ok(answer));
            let mut buf = [0; MAX_ADU_LEN];
            written_again(tcp::encode_answer(7, unit, answer, &mut buf), &adu);
        }
    }
    let Ok(answer) = decoded else { return false };
    if let Answer::Reply(reply) = answer {
        moved(&reply);
    }
    let mut buf = [0; MAX_ADU_LEN];
    written_again(rtu::encode_answer(unit, &answer, &mut buf), frame);
    if let (Answer::Reply(Reply::Registers(registers)), Request::ReadHolding(span) | Request::ReadInput(span)) =
        (answer, request)
    {
        assert_eq!((registers.address(), registers.count()), (span.address(), usize::from(span.count())));
        assert_eq!(registers.bytes(), &frame[3..frame.len() - 2]);
        assert_eq!(registers.slice(span.address(), span.count()), Some(registers.bytes()));
        assert_eq!(registers.slice(span.address(), span.count() + 1), None);
        let made = match request {
            Request::ReadHolding(_) => Registers::holding(span.address(), registers.bytes()),
            _ => Registers::input(span.address(), registers.bytes()),
        };
        assert!(request.is_read() && registers.function() == frame[1]);
        assert_eq!((made, format!("{registers:?}").contains("count")), (Ok(registers), true));
        for (index, word) in registers.words().enumerate() {
            assert_eq!(word.to_be_bytes(), frame[3 + 2 * index..][..2]);
            assert_eq!(registers.word(span.address() + u16::try_from(index).unwrap()), Some(word));
        }
    }
    true
}

/// A reply is the same in another buffer, and in no shorter one.
fn moved(reply: &Reply<'_>) {
    let mut room = [0; MAX_ADU_LEN];
    assert_eq!(reply.copy_to(&mut room).as_ref(), Ok(reply));
    let len = match reply {
        Reply::Registers(registers) => registers.bytes().len(),
        Reply::Id(bytes) => bytes.len(),
        Reply::Vendor(vendor) => vendor.bytes().len(),
        _ => 0,
    };
    if len > 0 {
        assert!(reply.copy_to(&mut room[..len - 1]).is_err());
    }
}

/// What is read is written the same, or not at all: a vendor's reply of any bytes may read as a factory function.
fn written_again(written: Result<&[u8], EncodeError>, frame: &[u8]) {
    match written {
        Ok(written) => assert_eq!(written, frame),
        Err(error) => assert!(matches!(error, EncodeError::Factory(_)), "{error}"),
    }
}

/// Without a request: a frame that is taken has a CRC that fits, and its readings are true. Returns whether it is taken.
fn sniff(frame: &[u8]) -> bool {
    let Ok(seen) = sniff::decode_rtu(frame) else { return false };
    let body = &frame[..frame.len() - 2];
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    let adu = [&[0, 7, 0, 0][..], &length, body].concat();
    match sniff::decode_tcp(&adu) {
        Ok((header, over_tcp)) => assert_eq!((header.transaction, over_tcp.data), (7, seen.data)),
        Err(_) => assert!(adu.len() > 260 || body.len() < 2),
    }
    assert_eq!(crc16_bitwise(body).to_le_bytes(), frame[frame.len() - 2..]);
    assert_eq!((&[seen.unit, seen.function], seen.data), (body[..2].try_into().unwrap(), &body[2..]));
    if let Some(Incoming::Request(request)) = seen.as_request {
        let mut buf = [0; MAX_ADU_LEN];
        match rtu::encode_request(seen.unit, &request, &mut buf) {
            Ok(again) => assert_eq!(again, frame),
            Err(error) => assert_eq!(seen.unit, 0, "{error}"),
        }
    }
    if let Some(exception) = seen.as_exception {
        assert_eq!((exception.function | 0x80, &[exception.code.get()][..]), (seen.function, seen.data));
    }
    true
}
