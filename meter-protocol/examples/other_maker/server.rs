//! That meter in software: holding registers behind the slave side of this crate.

use meter_protocol::wire::{Answer, Exception, ExceptionCode, Incoming, Registers, Reply, Request, rtu};

pub(crate) const UNIT: u8 = 5;

/// Its registers by address.
pub(crate) struct Server {
    words: std::collections::BTreeMap<u16, u16>,
}

impl Server {
    pub(crate) fn new() -> Self {
        let blocks: [(u16, &[u16]); 7] = [
            // 1234567.890 kWh, low word first.
            (0x0100, &[0x02D2, 0x4996, 0, 0]),
            // 230.5 V as an IEEE-754 single, -1.250 kW.
            (0x0110, &[0x4366, 0x8000, 0xFFFF, 0xFB1E]),
            // -12.34, two registers between that nobody explains, sequence 7.
            (0x0200, &[0xFFFF, 0xFB2E, 9, 9, 7]),
            (0x0300, &[0x2026, 0x0000, 0x0042]),
            (0x0304, &[0x5368, 0x6F70, 0x2031, 0]),
            (0x0310, &[30]),
            (0x0320, &[0, 0, 0, 0]),
        ];
        let words = blocks.iter().flat_map(|(first, words)| (*first..).zip(words.iter().copied()));
        Self { words: words.collect() }
    }

    /// The reply to one RTU frame, if it is for this meter.
    pub(crate) fn serve(&mut self, frame: &[u8]) -> Option<Vec<u8>> {
        let (UNIT, incoming) = rtu::decode_request(frame).ok()? else { return None };
        let mut room = [0; 260];
        let mut bytes = Vec::new();
        let answer = match incoming {
            Incoming::Request(Request::ReadHolding(span)) => {
                let words: Option<Vec<u16>> =
                    (0..span.count()).map(|offset| self.words.get(&(span.address() + offset)).copied()).collect();
                bytes.extend(words.iter().flatten().flat_map(|word| word.to_be_bytes()));
                match words {
                    Some(_) => Answer::Reply(Reply::Registers(Registers::holding(span.address(), &bytes).ok()?)),
                    None => refusal(0x03),
                }
            }
            Incoming::Request(Request::WriteMultiple(write)) => {
                for (address, pair) in (write.address()..).zip(write.data().chunks_exact(2)) {
                    self.words.insert(address, u16::from_be_bytes([pair[0], pair[1]]));
                }
                let (address, value) = (write.address(), write.count());
                Answer::Reply(Reply::Written { function: 0x10, address, value })
            }
            _ => refusal(frame[1]),
        };
        rtu::encode_answer(UNIT, &answer, &mut room).ok().map(<[u8]>::to_vec)
    }
}

fn refusal(function: u8) -> Answer<'static> {
    Answer::Exception(Exception { function, code: ExceptionCode::ILLEGAL_ADDRESS })
}
