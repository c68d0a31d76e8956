//! Frames seen on a line without knowing the request: which readings fit?
//!
//! Standard functions must have the shape of their request or of their reply; anything else with a fitting CRC or
//! header is reported as a valid, opaque frame.

use super::exception::parse_exception;
use super::request::byte;
use super::{EXCEPTION_BIT, Exception, FrameError, Incoming, Request, rtu, tcp};

/// A valid frame and its possible readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sniffed<'a> {
    /// Unit asked or answering.
    pub unit: u8,
    /// Function byte.
    pub function: u8,
    /// Bytes after the function byte.
    pub data: &'a [u8],
    /// The name of the function, if it is a known one.
    pub name: Option<&'static str>,
    /// The frame read as a request of this crate, or as a factory function.
    pub as_request: Option<Incoming<'a>>,
    /// The frame read as an exception. A factory function byte can also be one: both readings are then given.
    pub as_exception: Option<Exception>,
    /// Whether the frame has the shape of this function's reply.
    pub fits_reply: bool,
}

/// Decodes an RTU frame of unknown direction.
///
/// # Errors
/// [`FrameError`]: length, CRC, or a standard function whose data fit neither request nor reply.
pub fn decode_rtu(frame: &[u8]) -> Result<Sniffed<'_>, FrameError> {
    let (unit, pdu) = rtu::open(frame)?;
    decode_pdu(unit, pdu)
}

/// Decodes a Modbus/TCP frame of unknown direction.
///
/// # Errors
/// As [`decode_rtu`], with the MBAP header instead of the CRC.
pub fn decode_tcp(frame: &[u8]) -> Result<(tcp::Header, Sniffed<'_>), FrameError> {
    let (header, pdu) = tcp::open(frame)?;
    Ok((header, decode_pdu(header.unit, pdu)?))
}

/// Decodes a PDU of unknown direction.
///
/// # Errors
/// [`FrameError::Shape`] when a standard function fits neither its request nor its reply.
pub fn decode_pdu(unit: u8, pdu: &[u8]) -> Result<Sniffed<'_>, FrameError> {
    let Ok((data, function)) = byte(pdu) else {
        return Err(FrameError::TooShort { expected: 1, actual: pdu.len() });
    };
    let as_request = match Request::parse(pdu) {
        Ok(Incoming::Other { .. }) | Err(_) => None,
        Ok(incoming) => Some(incoming),
    };
    let known = shape_of(function);
    let mut as_exception = None;
    if function & EXCEPTION_BIT != 0 && known.is_none() && data.len() == 1 {
        let base = function & !EXCEPTION_BIT;
        as_exception = match parse_exception(base, data) {
            Ok(exception) => Some(exception),
            // The vendor's own refusals carry any code.
            Err(error) if shape_of(base).is_some() && base != super::VENDOR_WRITE => return Err(error),
            // The exception of no function we know: an opaque frame.
            Err(_) => None,
        };
    }
    let fits_reply = known.is_some_and(|shape| (shape.reply)(data));
    if let Some(shape) = known
        && !fits_reply
        && as_request.is_none()
        && !(shape.request)(data)
    {
        return Err(FrameError::Shape { function, len: data.len() });
    }
    let name = known.map(|shape| shape.name);
    Ok(Sniffed { unit, function, data, name, as_request, as_exception, fits_reply })
}

/// Whether the data after a function code have a certain shape.
type Fits = fn(&[u8]) -> bool;

/// Name and shapes of a standard function.
#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    request: Fits,
    reply: Fits,
}

fn shape_of(function: u8) -> Option<Shape> {
    let (name, request, reply): (_, Fits, Fits) = match function {
        0x01 => ("read coils", is_pair, is_counted),
        0x02 => ("read discrete inputs", is_pair, is_counted),
        0x03 => ("read holding registers", never, is_registers),
        0x04 => ("read input registers", never, is_registers),
        0x05 => ("write single coil", is_pair, is_pair),
        0x06 => ("write single register", never, is_pair),
        0x0F => ("write multiple coils", is_coil_write, is_pair),
        0x10 => ("write multiple registers", never, is_pair),
        0x11 => ("report server id", never, is_id),
        0x16 => ("mask write register", is_triple, is_triple),
        0x17 => ("read and write registers", is_read_write, is_registers),
        0x20 => ("vendor write", never, any),
        0x2B => ("encapsulated interface", is_interface, is_interface),
        _ => return None,
    };
    Some(Shape { name, request, reply })
}

fn never(_: &[u8]) -> bool {
    false
}

fn any(_: &[u8]) -> bool {
    true
}

fn is_pair(data: &[u8]) -> bool {
    data.len() == 4
}

fn is_triple(data: &[u8]) -> bool {
    data.len() == 6
}

fn is_counted(data: &[u8]) -> bool {
    matches!(data, [count, rest @ ..] if *count > 0 && usize::from(*count) == rest.len())
}

fn is_registers(data: &[u8]) -> bool {
    is_counted(data) && data.len() % 2 == 1
}

/// The standard form counts its bytes; the reply to the vendor's version query has eleven.
fn is_id(data: &[u8]) -> bool {
    is_counted(data) || data.len() == 11
}

fn is_coil_write(data: &[u8]) -> bool {
    match data {
        [_, _, high, low, count, rest @ ..] => {
            let bytes = usize::from(u16::from_be_bytes([*high, *low])).div_ceil(8);
            bytes > 0 && usize::from(*count) == bytes && rest.len() == bytes
        }
        _ => false,
    }
}

fn is_read_write(data: &[u8]) -> bool {
    match data {
        [_, _, _, _, _, _, high, low, count, rest @ ..] => {
            let bytes = usize::from(u16::from_be_bytes([*high, *low])).saturating_mul(2);
            bytes > 0 && usize::from(*count) == bytes && rest.len() == bytes
        }
        _ => false,
    }
}

/// 2BH carries a type byte (0EH identification, 0DH CANopen) that says how the rest is laid out.
fn is_interface(data: &[u8]) -> bool {
    matches!(data, [0x0D | 0x0E, _, ..])
}
