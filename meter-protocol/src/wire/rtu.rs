//! RTU frames: unit, PDU, CRC.

use super::crc::{crc16, crc16_of_six};
use super::cursor::Cursor;
use super::{Answer, EncodeError, Expectation, FrameError, Incoming, MAX_RTU_LEN, ReplyError, Request};

/// Shortest frame: unit, function, CRC.
const MIN_LEN: usize = 4;

/// Writes a request and returns its bytes.
///
/// # Errors
/// [`EncodeError::BufferTooSmall`]; [`EncodeError::Broadcast`] for unit 0.
#[inline]
pub fn encode_request<'b>(unit: u8, request: &Request<'_>, buf: &'b mut [u8]) -> Result<&'b [u8], EncodeError> {
    if unit == 0 {
        return Err(EncodeError::Broadcast);
    }
    if let Some((function, address, value)) = request.as_words() {
        return encode_words(unit, function, address, value, buf);
    }
    let mut cursor = Cursor::new(buf);
    cursor.put_u8(unit)?;
    request.put(&mut cursor)?;
    seal(cursor)
}

/// The requests that a master sends all day, 8 bytes long, without a cursor.
#[inline]
fn encode_words(unit: u8, function: u8, address: u16, value: u16, buf: &mut [u8]) -> Result<&[u8], EncodeError> {
    let available = buf.len();
    let Some(frame) = buf.first_chunk_mut::<8>() else {
        return Err(EncodeError::BufferTooSmall { needed: 8, available });
    };
    let [a, b] = address.to_be_bytes();
    let [c, d] = value.to_be_bytes();
    let [low, high] = crc16_of_six([unit, function, a, b, c, d]).to_le_bytes();
    *frame = [unit, function, a, b, c, d, low, high];
    Ok(frame)
}

/// Writes an answer, as a slave does, and returns its bytes.
///
/// # Errors
/// [`EncodeError::BufferTooSmall`], [`EncodeError::PduTooLong`]; [`EncodeError::Factory`] for an answer that reads as a
/// factory function.
pub fn encode_answer<'b>(unit: u8, answer: &Answer<'_>, buf: &'b mut [u8]) -> Result<&'b [u8], EncodeError> {
    let mut cursor = Cursor::new(buf);
    cursor.put_u8(unit)?;
    answer.put(&mut cursor)?;
    seal(cursor)
}

fn seal(mut cursor: Cursor<'_>) -> Result<&[u8], EncodeError> {
    let crc = crc16(cursor.written());
    cursor.put(&crc.to_le_bytes())?;
    let frame = cursor.finish();
    if frame.len() > MAX_RTU_LEN {
        return Err(EncodeError::PduTooLong { len: frame.len().saturating_sub(3) });
    }
    Ok(frame)
}

/// Decodes a whole frame as the answer of `unit` to what was asked.
///
/// # Errors
/// [`ReplyError`] names what was expected and what came. A frame followed by zero bytes is refused although its CRC
/// fits: the length comes from the request.
#[inline]
pub fn decode_answer<'a>(frame: &'a [u8], unit: u8, expected: &Expectation) -> Result<Answer<'a>, ReplyError> {
    let (actual, pdu) = open(frame)?;
    if actual != unit {
        return Err(ReplyError::Unit { expected: unit, actual });
    }
    Answer::parse(pdu, expected)
}

/// Decodes a whole frame as a request to some unit, as a slave or a gateway does.
///
/// # Errors
/// [`FrameError`].
pub fn decode_request(frame: &[u8]) -> Result<(u8, Incoming<'_>), FrameError> {
    let (unit, pdu) = open(frame)?;
    Ok((unit, Request::parse(pdu)?))
}

/// Checks length and CRC and returns unit and PDU.
///
/// # Errors
/// [`FrameError::TooShort`], [`FrameError::TooLong`], [`FrameError::Crc`].
#[inline]
pub fn open(frame: &[u8]) -> Result<(u8, &[u8]), FrameError> {
    let len = frame.len();
    if len > MAX_RTU_LEN {
        return Err(FrameError::TooLong { expected: MAX_RTU_LEN, actual: len });
    }
    match frame {
        [body @ .., low, high] if len >= MIN_LEN => {
            let actual = u16::from_le_bytes([*low, *high]);
            let expected = crc16(body);
            if actual != expected {
                return Err(FrameError::Crc { expected, actual });
            }
            match body {
                [unit, pdu @ ..] => Ok((*unit, pdu)),
                [] => Err(FrameError::TooShort { expected: MIN_LEN, actual: len }),
            }
        }
        _ => Err(FrameError::TooShort { expected: MIN_LEN, actual: len }),
    }
}
