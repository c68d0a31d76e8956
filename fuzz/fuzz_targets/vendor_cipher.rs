//! The vendor's frame cipher against a slow reading of its description, on frames and on any bytes.
//!
//! Input: the key, the unit, how much room there is, the request, then bytes.
//!
//! It must hold that what is enciphered is the clear frame, padded with zeros, block by block as described; that
//! deciphering gives it back; that nothing but sales and parameters is enciphered; that a room that is too small is
//! refused; that what is deciphered and enciphered again by the description is what was there.
#![no_main]

use fuzz::{Asked, Tape};
use libfuzzer_sys::fuzz_target;
use meter_protocol::acrel::{FrameKey, MoneyOverwrite, Purchase, Settings};
use meter_protocol::wire::{EncodeError, MAX_RTU_LEN, Request, rtu};

fuzz_target!(|bytes: &[u8]| {
    let mut tape = Tape::new(bytes);
    let words = [tape.word(), tape.word(), tape.word(), tape.word()];
    let (unit, room) = (tape.byte(), usize::from(tape.word()) % 300);
    match tape.byte() % 4 {
        0 => {
            if let Ok(sale) = Purchase::new(tape.long(), tape.word()) {
                enciphered(words, unit, room, &sale.request());
            }
        }
        1 => {
            let overwrite = MoneyOverwrite::new().remaining(tape.long().cast_signed()).purchase_count(tape.word());
            enciphered(words, unit, room, &overwrite.request().expect("two amounts"));
        }
        2 => {
            let settings = Settings::new().enable(tape.flag());
            enciphered(words, unit, room, &settings.request().expect("one setting"));
        }
        _ => {
            let asked = Asked::from_tape(&mut tape);
            if let Some(request) = asked.request() {
                enciphered(words, unit, room, &request);
            }
        }
    }
    there_and_back(words, tape.rest());
});

fn enciphered(words: [u16; 4], unit: u8, room: usize, request: &Request<'_>) {
    let key = FrameKey::new(words);
    let (mut clear, mut buf) = ([0; MAX_RTU_LEN], [0xEE; 300]);
    let result = key.encode_request(unit, request, &mut buf[..room]);
    let is_enciphered = matches!(request, Request::Vendor(write) if matches!(write.address(), 0x0100 | 0x0200));
    if !is_enciphered {
        return assert_eq!(result, Err(EncodeError::NotEnciphered { function: request.function() }));
    }
    let Ok(clear) = rtu::encode_request(unit, request, &mut clear) else {
        return assert_eq!(result, Err(EncodeError::Broadcast));
    };
    let mut expected = clear.to_vec();
    expected.resize(clear.len().next_multiple_of(4), 0);
    let fits = expected.len() <= room.min(MAX_RTU_LEN);
    assert_eq!(result.is_ok(), fits, "{result:?}");
    let Ok(frame) = result else { return };
    let mut frame = frame.to_vec();
    expected.as_chunks_mut::<4>().0.iter_mut().for_each(|block| *block = encipher(words, *block));
    assert_eq!(frame, expected);
    key.decipher(&mut frame);
    assert_eq!(&frame[..clear.len()], clear);
}

fn there_and_back(words: [u16; 4], bytes: &[u8]) {
    let mut changed = bytes.to_vec();
    FrameKey::new(words).decipher(&mut changed);
    let (blocks, rest) = changed.as_chunks_mut::<4>();
    blocks.iter_mut().for_each(|block| *block = encipher(words, *block));
    assert_eq!(*rest, bytes[bytes.len() - rest.len()..]);
    assert_eq!(changed, bytes);
}

/// TEA on halves of 16 bits, counted in wide numbers and cut to 16 bits after each step.
fn encipher(words: [u16; 4], block: [u8; 4]) -> [u8; 4] {
    const CUT: u64 = 0x1_0000;
    let key = words.map(u64::from);
    let mut halves = [u64::from(block[0]) * 256 + u64::from(block[1]), u64::from(block[2]) * 256 + u64::from(block[3])];
    for round in 1..=16 {
        let sum = round * 0x79B9 % CUT;
        for (changed, other, keys) in [(0, 1, [key[0], key[1]]), (1, 0, [key[2], key[3]])] {
            let half: u64 = halves[other];
            let mixed = ((half * 16 + keys[0]) ^ (half + sum) ^ (half / 32 + keys[1])) % CUT;
            halves[changed] = (halves[changed] + mixed) % CUT;
        }
    }
    let [[a, b], [c, d]] = halves.map(|half| u16::try_from(half).expect("cut to 16 bits").to_be_bytes());
    [a, b, c, d]
}
