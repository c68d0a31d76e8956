//! Modbus/TCP frames: MBAP header (transaction, protocol 0, length, unit) and PDU.

use super::cursor::Cursor;
use super::{Answer, EncodeError, Expectation, FrameError, Incoming, MAX_PDU_LEN, ReplyError, Request};
use nom::number::complete::{be_u8, be_u16};
use nom::{IResult, Parser};

/// Bytes of the MBAP header, with the unit.
pub const HEADER_LEN: usize = 7;
/// Most that the length field may say: unit and the longest PDU.
const MAX_LENGTH: u16 = 254;

/// The MBAP header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Chosen by the master, returned by the slave.
    pub transaction: u16,
    /// Unit behind the gateway.
    pub unit: u8,
    /// Length of the PDU in bytes, 1..=253.
    pub pdu_len: usize,
}

/// Writes a request and returns its bytes.
///
/// # Errors
/// [`EncodeError::BufferTooSmall`]; [`EncodeError::Broadcast`] for unit 0.
pub fn encode_request<'b>(
    transaction: u16,
    unit: u8,
    request: &Request<'_>,
    buf: &'b mut [u8],
) -> Result<&'b [u8], EncodeError> {
    if unit == 0 {
        return Err(EncodeError::Broadcast);
    }
    encode(transaction, unit, buf, |cursor| request.put(cursor))
}

/// Writes an answer, as a slave does, and returns its bytes.
///
/// # Errors
/// [`EncodeError::BufferTooSmall`], [`EncodeError::PduTooLong`]; [`EncodeError::Factory`] for an answer that reads as a
/// factory function.
pub fn encode_answer<'b>(
    transaction: u16,
    unit: u8,
    answer: &Answer<'_>,
    buf: &'b mut [u8],
) -> Result<&'b [u8], EncodeError> {
    encode(transaction, unit, buf, |cursor| answer.put(cursor))
}

fn encode(
    transaction: u16,
    unit: u8,
    buf: &mut [u8],
    put: impl FnOnce(&mut Cursor<'_>) -> Result<(), EncodeError>,
) -> Result<&[u8], EncodeError> {
    let available = buf.len();
    let (header, body) =
        buf.split_at_mut_checked(HEADER_LEN).ok_or(EncodeError::BufferTooSmall { needed: HEADER_LEN, available })?;
    let mut cursor = Cursor::new(body);
    put(&mut cursor)?;
    let len = cursor.finish().len();
    let length = match u16::try_from(len.saturating_add(1)) {
        Ok(length) if length <= MAX_LENGTH => length,
        _ => return Err(EncodeError::PduTooLong { len }),
    };
    let mut head = Cursor::new(header);
    head.put_u16(transaction)?;
    head.put_u16(0)?;
    head.put_u16(length)?;
    head.put_u8(unit)?;
    Ok(buf.get(..HEADER_LEN.saturating_add(len)).unwrap_or_default())
}

/// Reads the header at the start of `bytes`.
///
/// # Errors
/// [`FrameError::TooShort`] when fewer than seven bytes are there, [`FrameError::Protocol`], [`FrameError::MbapLength`].
pub fn decode_header(bytes: &[u8]) -> Result<Header, FrameError> {
    let parsed: IResult<_, _, ()> = (be_u16, be_u16, be_u16, be_u8).parse(bytes);
    let Ok((_, (transaction, protocol, length, unit))) = parsed else {
        return Err(FrameError::TooShort { expected: HEADER_LEN, actual: bytes.len() });
    };
    if protocol != 0 {
        return Err(FrameError::Protocol { actual: protocol });
    }
    if !(2..=MAX_LENGTH).contains(&length) {
        return Err(FrameError::MbapLength { actual: length });
    }
    Ok(Header { transaction, unit, pdu_len: usize::from(length).saturating_sub(1) })
}

/// Checks the header against the frame's length and returns it with the PDU.
///
/// # Errors
/// As [`decode_header`]; [`FrameError::TooShort`] and [`FrameError::TooLong`] when the length field does not fit.
pub fn open(frame: &[u8]) -> Result<(Header, &[u8]), FrameError> {
    let header = decode_header(frame)?;
    let pdu = frame.get(HEADER_LEN..).unwrap_or_default();
    let expected = HEADER_LEN.saturating_add(header.pdu_len);
    let actual = frame.len();
    match pdu.len() {
        len if len < header.pdu_len => Err(FrameError::TooShort { expected, actual }),
        len if len > header.pdu_len || len > MAX_PDU_LEN => Err(FrameError::TooLong { expected, actual }),
        _ => Ok((header, pdu)),
    }
}

/// Decodes a whole frame as the answer to what was asked.
///
/// # Errors
/// [`ReplyError`] names what was expected and what came.
pub fn decode_answer<'a>(
    frame: &'a [u8],
    transaction: u16,
    unit: u8,
    expected: &Expectation,
) -> Result<Answer<'a>, ReplyError> {
    let (header, pdu) = open(frame)?;
    if header.transaction != transaction {
        return Err(ReplyError::Transaction { expected: transaction, actual: header.transaction });
    }
    if header.unit != unit {
        return Err(ReplyError::Unit { expected: unit, actual: header.unit });
    }
    Answer::parse(pdu, expected)
}

/// Decodes a whole frame as a request, as a slave or a gateway does.
///
/// # Errors
/// [`FrameError`].
pub fn decode_request(frame: &[u8]) -> Result<(Header, Incoming<'_>), FrameError> {
    let (header, pdu) = open(frame)?;
    Ok((header, Request::parse(pdu)?))
}
