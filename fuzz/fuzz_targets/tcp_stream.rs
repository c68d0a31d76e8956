//! Frames of Modbus/TCP against a slow reading of the specification, and an RTU stream cut into frames.
//!
//! Input: how long the pieces of the stream are, then parts: frames of requests, frames of any content whose CRC fits,
//! noise, silence; what is left is a frame of Modbus/TCP.
//!
//! It must hold that a stream gives the same frames however it is cut into pieces; that every byte is in a frame or
//! counted as thrown away, in the order of the stream; that a frame between two silences is found; that a TCP frame is
//! taken exactly when its header says so, and that a request read from it is written again the same.
#![no_main]

use fuzz::{Asked, Tape, crc16_bitwise};
use libfuzzer_sys::fuzz_target;
use meter_protocol::acrel::PrepayBlock;
use meter_protocol::wire::stream::StreamDecoder;
use meter_protocol::wire::{EncodeError, Incoming, MAX_ADU_LEN, Request, rtu, sniff, tcp};

/// Most parts of a stream.
const MAX_PARTS: usize = 24;

fuzz_target!(|bytes: &[u8]| {
    let mut tape = Tape::new(bytes);
    let piece = usize::from(tape.byte()) + 1;
    let bursts = bursts(&mut tape);
    let (by_piece, by_byte) = (cut(&bursts, piece), cut(&bursts, 1));
    assert_eq!(by_piece, by_byte, "the pieces matter");
    let (found, discarded) = by_piece;
    let stream = bursts.concat();
    let in_frames: usize = found.iter().map(Vec::len).sum();
    assert_eq!(in_frames + usize::try_from(discarded).unwrap(), stream.len());
    in_order(&stream, &found);
    for frame in &found {
        assert!(sniff::decode_rtu(frame).is_ok());
    }
    over_tcp(tape.rest());
});

/// What comes between two silences, several times.
fn bursts(tape: &mut Tape<'_>) -> Vec<Vec<u8>> {
    let mut bursts = vec![Vec::new()];
    for _ in 0..MAX_PARTS {
        let part = match tape.byte() % 8 {
            0 => break,
            1 | 2 => request(tape),
            3 | 4 => {
                let body = tape.counted();
                [body, &crc16_bitwise(body).to_le_bytes()].concat()
            }
            5 => tape.counted().to_vec(),
            6 => {
                alone(&request(tape));
                continue;
            }
            _ => {
                bursts.push(Vec::new());
                continue;
            }
        };
        if let Some(burst) = bursts.last_mut() {
            burst.extend(part);
        }
    }
    bursts
}

fn request(tape: &mut Tape<'_>) -> Vec<u8> {
    let (unit, asked) = (tape.byte(), Asked::from_tape(tape));
    let mut buf = [0; MAX_ADU_LEN];
    let encoded = asked.request().and_then(|request| rtu::encode_request(unit, &request, &mut buf).ok());
    encoded.map_or_else(Vec::new, <[u8]>::to_vec)
}

/// A frame between two silences is found whole, unless it begins with a shorter frame whose check sum fits too.
fn alone(frame: &[u8]) {
    let begins_with_another = (4..frame.len()).any(|len| sniff::decode_rtu(&frame[..len]).is_ok());
    if !frame.is_empty() && !begins_with_another {
        assert_eq!(cut(&[frame.to_vec()], 1), (vec![frame.to_vec()], 0));
    }
}

/// The frames of bursts that come in pieces, and how many bytes were thrown away.
fn cut(bursts: &[Vec<u8>], piece: usize) -> (Vec<Vec<u8>>, u32) {
    let mut decoder = StreamDecoder::new();
    let mut frames = Vec::new();
    for burst in bursts {
        for piece in burst.chunks(piece) {
            let mut rest = piece;
            while !rest.is_empty() {
                let taken = decoder.feed(rest);
                assert!(taken > 0 || decoder.frame().is_some(), "no progress");
                frames.extend(decoder.frame().map(<[u8]>::to_vec));
                rest = &rest[taken..];
            }
        }
        loop {
            decoder.silence();
            match decoder.frame() {
                Some(frame) => frames.push(frame.to_vec()),
                None => break,
            }
        }
    }
    (frames, decoder.discarded())
}

fn in_order(stream: &[u8], found: &[Vec<u8>]) {
    let mut rest = stream;
    for frame in found {
        let at = rest.windows(frame.len()).position(|window| window == frame).expect("frames come in order");
        rest = &rest[at + frame.len()..];
    }
}

/// A frame is taken exactly when protocol and length fit; a request that is read is written again the same.
fn over_tcp(frame: &[u8]) {
    let fits = frame.len() > 7
        && frame.len() <= 260
        && frame[2..4] == [0, 0]
        && usize::from(u16::from_be_bytes([frame[4], frame[5]])) == frame.len() - 6;
    let opened = tcp::open(frame);
    assert_eq!(opened.is_ok(), fits, "{opened:?}");
    let Ok((header, pdu)) = opened else { return };
    assert_eq!((header.transaction.to_be_bytes(), header.unit), ([frame[0], frame[1]], frame[6]));
    assert_eq!((header.pdu_len, pdu), (pdu.len(), &frame[7..]));
    answers_over_tcp(frame, &header);
    if let Ok((header, Incoming::Request(request))) = tcp::decode_request(frame) {
        let mut buf = [0; MAX_ADU_LEN];
        match tcp::encode_request(header.transaction, header.unit, &request, &mut buf) {
            Ok(again) => assert_eq!(again, frame),
            Err(error) => assert_eq!(header.unit, 0, "{error}"),
        }
    }
}

/// A frame that answers some request is written again the same, and answers no other transaction and no other unit.
fn answers_over_tcp(frame: &[u8], header: &tcp::Header) {
    let (transaction, unit) = (header.transaction, header.unit);
    let write = u16::from_be_bytes([frame[8 % frame.len()], frame[9 % frame.len()]]);
    let count = u16::try_from((frame.len() - 7) / 2).unwrap().clamp(1, 125);
    let requests = [
        Request::read_holding(0, count).unwrap(),
        Request::read_input(0, count).unwrap(),
        Request::write_single(write, write),
        Request::version_query(),
        PrepayBlock::READ,
    ];
    for request in requests {
        let expected = request.expectation();
        let Ok(answer) = tcp::decode_answer(frame, transaction, unit, &expected) else { continue };
        let mut buf = [0; MAX_ADU_LEN];
        match tcp::encode_answer(transaction, unit, &answer, &mut buf) {
            Ok(again) => assert_eq!(again, frame),
            Err(error) => assert!(unit == 0 || matches!(error, EncodeError::Factory(_)), "{error}"),
        }
        assert!(tcp::decode_answer(frame, transaction ^ 1, unit, &expected).is_err());
        assert!(tcp::decode_answer(frame, transaction, unit ^ 1, &expected).is_err());
    }
}
