//! What a slave answers, decoded against what was asked.

use super::cursor::Cursor;
use super::exception::parse_exception;
use super::factory::FactoryFunction;
use super::request::{Expectation, IdQuery, ReplyLen, byte, parse_pair};
use super::{EXCEPTION_BIT, EncodeError, FrameError, READ_HOLDING, READ_INPUT, REPORT_ID, ReplyError, VENDOR_WRITE};
use core::fmt;

pub use super::exception::{Exception, ExceptionCode};

/// An answer: what was asked for, or an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// The reply of the function that was asked.
    Reply(Reply<'a>),
    /// A refusal, by the meter or by a gateway before it: see [`Exception::may_have_acted`].
    Exception(Exception),
}

/// A reply that fits its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply<'a> {
    /// 03H and 04H.
    Registers(Registers<'a>),
    /// 06H and 10H: the write was taken. `value` is the value (06H) or the register count (10H).
    Written {
        /// 06H or 10H.
        function: u8,
        /// Address written.
        address: u16,
        /// Value or count.
        value: u16,
    },
    /// 11H: the bytes after the function code, raw.
    Id(&'a [u8]),
    /// 20H or A0H: raw, see [`VendorReply`].
    Vendor(VendorReply<'a>),
}

/// Contents of registers, with the address and function they were read by.
///
/// `Debug` tells where they stand and not what they hold: that may be a password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Registers<'a> {
    function: u8,
    address: u16,
    bytes: &'a [u8],
}

impl fmt::Debug for Registers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { function, address, .. } = self;
        let mut told = f.debug_struct("Registers");
        told.field("function", function).field("address", address).field("count", &self.count());
        told.finish_non_exhaustive()
    }
}

impl<'a> Registers<'a> {
    /// Contents of holding registers from `address`, two bytes each. A slave answers with these.
    ///
    /// # Errors
    /// [`FrameError::Count`] unless there are 1 to 125 whole registers.
    pub const fn holding(address: u16, bytes: &'a [u8]) -> Result<Self, FrameError> {
        Self::checked(READ_HOLDING, address, bytes)
    }

    /// Contents of input registers from `address`, two bytes each.
    ///
    /// # Errors
    /// [`FrameError::Count`] unless there are 1 to 125 whole registers.
    pub const fn input(address: u16, bytes: &'a [u8]) -> Result<Self, FrameError> {
        Self::checked(READ_INPUT, address, bytes)
    }

    const fn checked(function: u8, address: u16, bytes: &'a [u8]) -> Result<Self, FrameError> {
        let (words, rest) = bytes.as_chunks::<2>();
        if !rest.is_empty() || words.is_empty() || words.len() > super::MAX_READ_REGISTERS as usize {
            return Err(FrameError::Count { function, count: words.len() });
        }
        Ok(Self { function, address, bytes })
    }

    /// 03H or 04H.
    #[must_use]
    pub const fn function(&self) -> u8 {
        self.function
    }

    /// First register.
    #[must_use]
    pub const fn address(&self) -> u16 {
        self.address
    }

    /// Number of registers.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.bytes.as_chunks::<2>().0.len()
    }

    /// The contents, two bytes a register, high byte first.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The contents as words.
    pub fn words(&self) -> impl ExactSizeIterator<Item = u16> + 'a {
        self.bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair))
    }

    /// Register `address`, if it was read.
    #[must_use]
    pub fn word(&self, address: u16) -> Option<u16> {
        let index = usize::from(address.checked_sub(self.address)?);
        self.bytes.as_chunks::<2>().0.get(index).map(|pair| u16::from_be_bytes(*pair))
    }

    /// The bytes of `count` registers from `address`, if all of them were read.
    #[must_use]
    pub fn slice(&self, address: u16, count: u16) -> Option<&'a [u8]> {
        let start = usize::from(address.checked_sub(self.address)?).checked_mul(2)?;
        let end = start.checked_add(usize::from(count).checked_mul(2)?)?;
        self.bytes.get(start..end)
    }
}

/// The answer to a vendor write. What its bytes mean is documented nowhere, so it is handed on raw; whether the write
/// took effect is decided by reading back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VendorReply<'a> {
    refused: bool,
    bytes: &'a [u8],
}

impl<'a> VendorReply<'a> {
    /// An answer with function byte 20H (or A0H when `refused`) and these bytes after it.
    #[must_use]
    pub const fn new(refused: bool, bytes: &'a [u8]) -> Self {
        Self { refused, bytes }
    }

    /// Whether the function byte was A0H. A hint only: no source says what a meter answers when it refuses.
    #[must_use]
    pub const fn is_marked_as_exception(&self) -> bool {
        self.refused
    }

    /// The bytes after the function code.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl Reply<'_> {
    /// The same reply with its data moved into `room`, for a caller whose buffer outlives the frame.
    ///
    /// # Errors
    /// [`EncodeError::BufferTooSmall`].
    pub fn copy_to<'b>(&self, room: &'b mut [u8]) -> Result<Reply<'b>, EncodeError> {
        let mut cursor = Cursor::new(room);
        match *self {
            Reply::Registers(Registers { function, address, bytes }) => {
                cursor.put(bytes)?;
                Ok(Reply::Registers(Registers { function, address, bytes: cursor.finish() }))
            }
            Reply::Written { function, address, value } => Ok(Reply::Written { function, address, value }),
            Reply::Id(bytes) => {
                cursor.put(bytes)?;
                Ok(Reply::Id(cursor.finish()))
            }
            Reply::Vendor(VendorReply { refused, bytes }) => {
                cursor.put(bytes)?;
                Ok(Reply::Vendor(VendorReply { refused, bytes: cursor.finish() }))
            }
        }
    }
}

impl<'a> Answer<'a> {
    /// Parses a PDU as the answer to `expected`.
    ///
    /// # Errors
    /// [`ReplyError`] names the first thing that does not fit.
    #[inline]
    pub fn parse(pdu: &'a [u8], expected: &Expectation) -> Result<Self, ReplyError> {
        // What a master reads all day is seen at a glance, where it is called; anything else is looked at in order.
        if let (Expectation::Registers { function, span }, [actual, byte_count, bytes @ ..]) = (*expected, pdu)
            && *actual == function
            && usize::from(*byte_count) == bytes.len()
            && bytes.len() == span.byte_count()
        {
            return Ok(Self::Reply(Reply::Registers(Registers { function, address: span.address(), bytes })));
        }
        Self::parse_in_order(pdu, expected)
    }

    fn parse_in_order(pdu: &'a [u8], expected: &Expectation) -> Result<Self, ReplyError> {
        let asked = expected.function();
        let Ok((data, function)) = byte(pdu) else {
            return Err(FrameError::TooShort { expected: 1, actual: pdu.len() }.into());
        };
        if let Expectation::Vendor { .. } = expected {
            let refused = function == VENDOR_WRITE | EXCEPTION_BIT;
            if !refused && function != VENDOR_WRITE {
                return Err(ReplyError::Function { expected: asked, actual: function });
            }
            return Ok(Self::Reply(Reply::Vendor(VendorReply::new(refused, data))));
        }
        if function == asked | EXCEPTION_BIT {
            return parse_exception(asked, data).map(Self::Exception).map_err(ReplyError::Frame);
        }
        if function != asked {
            return Err(ReplyError::Function { expected: asked, actual: function });
        }
        match *expected {
            Expectation::Registers { function, span } => {
                let bytes = counted(function, data, span.byte_count())?;
                Ok(Reply::Registers(Registers { function, address: span.address(), bytes }))
            }
            Expectation::Echo { function, address, value } => {
                let (actual_address, actual_value) = parse_pair(function, data)?;
                if actual_address != address {
                    return Err(ReplyError::Address { expected: address, actual: actual_address });
                }
                if actual_value != value {
                    return Err(ReplyError::Value { expected: value, actual: actual_value });
                }
                Ok(Reply::Written { function, address, value })
            }
            Expectation::Id(query) => parse_id(query, pdu.len(), expected, data),
            Expectation::Vendor { .. } => Ok(Reply::Vendor(VendorReply::new(false, data))),
        }
        .map(Self::Reply)
    }

    /// The factory function that a meter could take this answer for.
    fn factory(&self) -> Option<FactoryFunction> {
        match self {
            // 98H is also the exception to 18H, and so on.
            Self::Exception(exception) => FactoryFunction::of_code(exception.function | EXCEPTION_BIT),
            Self::Reply(Reply::Written { function: VENDOR_WRITE, address, .. }) => {
                FactoryFunction::of_vendor_write(*address, 1)
            }
            Self::Reply(Reply::Written { function, .. }) => FactoryFunction::of_code(*function),
            Self::Reply(Reply::Vendor(VendorReply { refused: false, bytes: [high, low, rest @ ..] })) => {
                let count = match rest {
                    [0, count, ..] => u16::from(*count).min(super::MAX_WRITE_REGISTERS),
                    _ => 1,
                };
                FactoryFunction::of_vendor_write(u16::from_be_bytes([*high, *low]), count)
            }
            Self::Reply(_) => None,
        }
    }

    /// Writes function code and data, as a slave does.
    pub(crate) fn put(&self, cursor: &mut Cursor<'_>) -> Result<(), EncodeError> {
        if let Some(function) = self.factory() {
            return Err(EncodeError::Factory(function));
        }
        match self {
            Self::Exception(exception) => cursor.put(&[exception.function | EXCEPTION_BIT, exception.code.get()]),
            Self::Reply(Reply::Registers(registers)) => {
                let len = registers.bytes.len();
                let byte_count = u8::try_from(len).map_err(|_| EncodeError::PduTooLong { len })?;
                cursor.put(&[registers.function, byte_count])?;
                cursor.put(registers.bytes)
            }
            Self::Reply(Reply::Written { function, address, value }) => {
                cursor.put_u8(*function)?;
                cursor.put_u16(*address)?;
                cursor.put_u16(*value)
            }
            Self::Reply(Reply::Id(bytes)) => {
                cursor.put_u8(REPORT_ID)?;
                cursor.put(bytes)
            }
            Self::Reply(Reply::Vendor(reply)) => {
                let mark = if reply.refused { EXCEPTION_BIT } else { 0 };
                cursor.put_u8(VENDOR_WRITE | mark)?;
                cursor.put(reply.bytes)
            }
        }
    }
}

/// The bytes after a byte count that must be `wanted`.
fn counted(function: u8, data: &[u8], wanted: usize) -> Result<&[u8], ReplyError> {
    let Ok((bytes, byte_count)) = byte(data) else {
        return Err(FrameError::Shape { function, len: data.len() }.into());
    };
    let announced = usize::from(byte_count);
    if announced != wanted {
        return Err(ReplyError::ByteCount { expected: wanted, actual: announced });
    }
    if bytes.len() != announced {
        return Err(FrameError::ByteCount { function, expected: announced, actual: bytes.len() }.into());
    }
    Ok(bytes)
}

fn parse_id<'a>(
    query: IdQuery,
    pdu_len: usize,
    expected: &Expectation,
    data: &'a [u8],
) -> Result<Reply<'a>, ReplyError> {
    if let ReplyLen::Fixed(wanted) = expected.reply_len()
        && pdu_len != wanted
    {
        return Err(FrameError::TooLong { expected: wanted, actual: pdu_len }.into());
    }
    match query {
        IdQuery::AcrelVersion => Ok(Reply::Id(data)),
        IdQuery::Standard => {
            let announced = data.first().map_or(0, |count| usize::from(*count));
            counted(REPORT_ID, data, announced)?;
            // A server id has at least one byte: seen without its request, a count of 0 is no identification either.
            if announced == 0 {
                return Err(ReplyError::ByteCount { expected: 1, actual: 0 });
            }
            Ok(Reply::Id(data))
        }
    }
}
