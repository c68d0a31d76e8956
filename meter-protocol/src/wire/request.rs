//! What a master asks: built checked, written as a PDU, and parsed on the slave side.

use super::cursor::Cursor;
use super::factory::FactoryFunction;
use super::span::{fixed_span, register_write, span};
use super::{EncodeError, FrameError, MAX_READ_REGISTERS, MAX_WRITE_REGISTERS, RequestError};
use super::{READ_HOLDING, READ_INPUT, REPORT_ID, VENDOR_WRITE, WRITE_MULTIPLE, WRITE_SINGLE};
use nom::number::complete::{be_u8, be_u16};
use nom::{IResult, Parser};

pub use super::expectation::Expectation;
pub(crate) use super::expectation::ReplyLen;
pub use super::span::{RegisterWrite, Span};

/// The eight bytes after 11H by which the vendor's tool asks for the version.
const VERSION_QUERY: [u8; 8] = [0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10];

/// A request of a master. Every value of this type is within the limits of its function and is no factory function.
///
/// ```
/// use meter_protocol::wire::{Request, rtu};
/// let poll = Request::read_holding(0x0200, 48)?;
/// let mut buf = [0; 256];
/// assert_eq!(rtu::encode_request(1, &poll, &mut buf)?, [0x01, 0x03, 0x02, 0x00, 0x00, 0x30, 0x44, 0x66]);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request<'a> {
    /// 03H, read holding registers.
    ReadHolding(Span),
    /// 04H, read input registers.
    ReadInput(Span),
    /// 06H, write one register.
    WriteSingle {
        /// Register.
        address: u16,
        /// New value.
        value: u16,
    },
    /// 10H, write registers.
    WriteMultiple(RegisterWrite<'a>),
    /// 11H, report server id.
    ReportId(IdQuery),
    /// 20H, vendor write.
    Vendor(RegisterWrite<'a>),
}

/// Which form of 11H is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdQuery {
    /// The standard request without data; its reply carries a byte count.
    Standard,
    /// The version query of the vendor's tool, with eight fixed bytes; its reply has 15 bytes on RTU.
    AcrelVersion,
}

impl<'a> Request<'a> {
    /// 03H: read `count` holding registers from `address`.
    ///
    /// # Errors
    /// [`RequestError::Count`] outside 1..=125, [`RequestError::PastEnd`].
    pub const fn read_holding(address: u16, count: u16) -> Result<Self, RequestError> {
        match span(address, count as usize, MAX_READ_REGISTERS) {
            Ok(span) => Ok(Self::ReadHolding(span)),
            Err(error) => Err(error),
        }
    }

    /// 03H of a fixed run, checked by the compiler.
    ///
    /// ```
    /// use meter_protocol::wire::Request;
    /// const POLL: Request<'static> = Request::read_fixed::<0x0200, 48>();
    /// assert_eq!(POLL, Request::read_holding(0x0200, 48)?);
    /// # Ok::<(), meter_protocol::wire::RequestError>(())
    /// ```
    #[must_use]
    pub const fn read_fixed<const ADDRESS: u16, const COUNT: u16>() -> Self {
        const { assert!(span(ADDRESS, COUNT as usize, MAX_READ_REGISTERS).is_ok(), "1..=125 registers, not past FFFFH") }
        Self::ReadHolding(Span { address: ADDRESS, count: COUNT })
    }

    /// 10H of a fixed run, checked by the compiler.
    pub(crate) const fn write_fixed<const ADDRESS: u16, const LEN: usize>(data: &'a [u8; LEN]) -> Self {
        Self::WriteMultiple(RegisterWrite { span: fixed_span::<ADDRESS, LEN>(), data })
    }

    /// 20H of a fixed window, checked by the compiler.
    pub(crate) const fn vendor_fixed<const ADDRESS: u16, const LEN: usize>(data: &'a [u8; LEN]) -> Self {
        let span = fixed_span::<ADDRESS, LEN>();
        const { assert!(FactoryFunction::of_vendor_write(ADDRESS, MAX_WRITE_REGISTERS).is_none(), "clears energy") }
        Self::Vendor(RegisterWrite { span, data })
    }

    /// 04H: read `count` input registers from `address`.
    ///
    /// # Errors
    /// [`RequestError::Count`] outside 1..=125, [`RequestError::PastEnd`].
    pub const fn read_input(address: u16, count: u16) -> Result<Self, RequestError> {
        match span(address, count as usize, MAX_READ_REGISTERS) {
            Ok(span) => Ok(Self::ReadInput(span)),
            Err(error) => Err(error),
        }
    }

    /// 06H: write one register.
    #[must_use]
    pub const fn write_single(address: u16, value: u16) -> Self {
        Self::WriteSingle { address, value }
    }

    /// 10H: write registers. `data` holds two bytes a register, high byte first.
    ///
    /// # Errors
    /// [`RequestError::OddData`], [`RequestError::Count`] outside 1..=123, [`RequestError::PastEnd`].
    pub const fn write_multiple(address: u16, data: &'a [u8]) -> Result<Self, RequestError> {
        match register_write(address, data) {
            Ok(write) => Ok(Self::WriteMultiple(write)),
            Err(error) => Err(error),
        }
    }

    /// 20H: vendor write. `data` holds two bytes a register. The typed blocks of [`crate::acrel`] build these.
    ///
    /// # Errors
    /// As [`Request::write_multiple`], and [`RequestError::Factory`] for the range that clears energy.
    pub const fn vendor_write(address: u16, data: &'a [u8]) -> Result<Self, RequestError> {
        match register_write(address, data) {
            Ok(write) => match FactoryFunction::of_vendor_write(address, write.span.count) {
                Some(factory) => Err(RequestError::Factory(factory)),
                None => Ok(Self::Vendor(write)),
            },
            Err(error) => Err(error),
        }
    }

    /// 11H with the fixed bytes of the vendor's tool: the version of the meter.
    #[must_use]
    pub const fn version_query() -> Self {
        Self::ReportId(IdQuery::AcrelVersion)
    }

    /// The function code.
    #[must_use]
    pub const fn function(&self) -> u8 {
        match self {
            Self::ReadHolding(_) => READ_HOLDING,
            Self::ReadInput(_) => READ_INPUT,
            Self::WriteSingle { .. } => WRITE_SINGLE,
            Self::WriteMultiple(_) => WRITE_MULTIPLE,
            Self::ReportId(_) => REPORT_ID,
            Self::Vendor(_) => VENDOR_WRITE,
        }
    }

    /// Whether the request changes nothing in the meter, so that it may be repeated.
    #[must_use]
    pub const fn is_read(&self) -> bool {
        matches!(self, Self::ReadHolding(_) | Self::ReadInput(_) | Self::ReportId(_))
    }

    /// What a reply to this request looks like; it outlives the request's data.
    #[must_use]
    pub const fn expectation(&self) -> Expectation {
        match self {
            Self::ReadHolding(span) => Expectation::Registers { function: READ_HOLDING, span: *span },
            Self::ReadInput(span) => Expectation::Registers { function: READ_INPUT, span: *span },
            Self::WriteSingle { address, value } => {
                Expectation::Echo { function: WRITE_SINGLE, address: *address, value: *value }
            }
            Self::WriteMultiple(write) => {
                Expectation::Echo { function: WRITE_MULTIPLE, address: write.address(), value: write.count() }
            }
            Self::ReportId(query) => Expectation::Id(*query),
            Self::Vendor(write) => Expectation::Vendor { address: write.address() },
        }
    }

    /// Function, address and count or value, for the requests that hold nothing else.
    #[inline]
    pub(crate) const fn as_words(&self) -> Option<(u8, u16, u16)> {
        match self {
            Self::ReadHolding(span) => Some((READ_HOLDING, span.address, span.count)),
            Self::ReadInput(span) => Some((READ_INPUT, span.address, span.count)),
            Self::WriteSingle { address, value } => Some((WRITE_SINGLE, *address, *value)),
            Self::WriteMultiple(_) | Self::Vendor(_) | Self::ReportId(_) => None,
        }
    }

    /// Writes function code and data.
    pub(crate) fn put(&self, cursor: &mut Cursor<'_>) -> Result<(), EncodeError> {
        cursor.put_u8(self.function())?;
        if let Some((_, address, value)) = self.as_words() {
            cursor.put_u16(address)?;
            return cursor.put_u16(value);
        }
        match self {
            Self::WriteMultiple(write) | Self::Vendor(write) => {
                cursor.put_u16(write.address())?;
                cursor.put_u16(write.count())?;
                let byte_count = u8::try_from(write.data.len());
                cursor.put_u8(byte_count.map_err(|_| EncodeError::PduTooLong { len: write.data.len() })?)?;
                cursor.put(write.data)
            }
            Self::ReadHolding(_)
            | Self::ReadInput(_)
            | Self::WriteSingle { .. }
            | Self::ReportId(IdQuery::Standard) => Ok(()),
            Self::ReportId(IdQuery::AcrelVersion) => cursor.put(&VERSION_QUERY),
        }
    }

    /// Parses a PDU as a request, strictly: byte counts and lengths must agree.
    ///
    /// # Errors
    /// [`FrameError`] when a function of this module has another shape, or the PDU is empty.
    pub fn parse(pdu: &'a [u8]) -> Result<Incoming<'a>, FrameError> {
        let (data, function) = byte(pdu).map_err(|_| FrameError::TooShort { expected: 1, actual: pdu.len() })?;
        if let Some(factory) = FactoryFunction::of_code(function) {
            return Ok(Incoming::Factory(factory));
        }
        let request = match function {
            READ_HOLDING => Self::ReadHolding(parse_span(function, data)?),
            READ_INPUT => Self::ReadInput(parse_span(function, data)?),
            WRITE_SINGLE => {
                let (address, value) = parse_pair(function, data)?;
                Self::WriteSingle { address, value }
            }
            WRITE_MULTIPLE => Self::WriteMultiple(parse_write(function, data)?),
            REPORT_ID if data.is_empty() => Self::ReportId(IdQuery::Standard),
            REPORT_ID if data == VERSION_QUERY => Self::ReportId(IdQuery::AcrelVersion),
            VENDOR_WRITE => {
                let write = parse_write(function, data)?;
                if let Some(factory) = FactoryFunction::of_vendor_write(write.address(), write.count()) {
                    return Ok(Incoming::Factory(factory));
                }
                Self::Vendor(write)
            }
            _ => return Ok(Incoming::Other { function, data }),
        };
        Ok(Incoming::Request(request))
    }
}

/// A request as a slave or a gateway sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Incoming<'a> {
    /// One that this crate can build; only these can be forwarded.
    Request(Request<'a>),
    /// A factory function: recognised, without its data.
    Factory(FactoryFunction),
    /// A function that this crate does not build.
    Other {
        /// Function code.
        function: u8,
        /// Bytes after it.
        data: &'a [u8],
    },
}

pub(crate) fn byte(input: &[u8]) -> IResult<&[u8], u8, ()> {
    be_u8(input)
}

/// Two big-endian words and nothing else.
pub(crate) fn parse_pair(function: u8, data: &[u8]) -> Result<(u16, u16), FrameError> {
    let parsed: IResult<_, _, ()> = (be_u16, be_u16).parse(data);
    match parsed {
        Ok((&[], pair)) => Ok(pair),
        _ => Err(FrameError::Shape { function, len: data.len() }),
    }
}

fn parse_span(function: u8, data: &[u8]) -> Result<Span, FrameError> {
    let (address, count) = parse_pair(function, data)?;
    span(address, usize::from(count), MAX_READ_REGISTERS).map_err(|error| frame_error(function, error))
}

fn parse_write(function: u8, data: &[u8]) -> Result<RegisterWrite<'_>, FrameError> {
    let parsed: IResult<_, _, ()> = (be_u16, be_u16, be_u8).parse(data);
    let Ok((values, (address, count, byte_count))) = parsed else {
        return Err(FrameError::Shape { function, len: data.len() });
    };
    let expected = usize::from(count).saturating_mul(2);
    for actual in [usize::from(byte_count), values.len()] {
        if actual != expected {
            return Err(FrameError::ByteCount { function, expected, actual });
        }
    }
    register_write(address, values).map_err(|error| frame_error(function, error))
}

fn frame_error(function: u8, error: RequestError) -> FrameError {
    match error {
        RequestError::Count { count, .. } => FrameError::Count { function, count },
        RequestError::PastEnd { address, count } => FrameError::PastEnd { function, address, count },
        RequestError::OddData { len } => FrameError::Shape { function, len },
        RequestError::Factory(_) => FrameError::Shape { function, len: 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn limits_are_refused_by_name() {
        assert_eq!(Request::read_holding(0, 0), Err(RequestError::Count { count: 0, max: 125 }));
        assert_eq!(Request::read_holding(0, 126), Err(RequestError::Count { count: 126, max: 125 }));
        assert_eq!(Request::read_holding(0xFFFF, 2), Err(RequestError::PastEnd { address: 0xFFFF, count: 2 }));
        assert!(Request::read_holding(0xFFFF, 1).is_ok());
        assert!(Request::read_holding(0, 125).is_ok());
        assert_eq!(Request::write_multiple(0, &[1]), Err(RequestError::OddData { len: 1 }));
        assert_eq!(Request::write_multiple(0, &[0; 248]), Err(RequestError::Count { count: 124, max: 123 }));
        assert!(Request::write_multiple(0, &[0; 246]).is_ok());
    }

    #[test]
    fn no_span_reaches_the_range_that_clears_energy() {
        for (address, words) in [(0x0900, 1), (0x09FF, 1), (0x08FF, 2), (0x0890, 123), (0x0950, 3)] {
            let refused = Request::vendor_write(address, &[0; 246][..words * 2]);
            assert_eq!(refused, Err(RequestError::Factory(FactoryFunction::Clear { address })));
        }
        assert!(Request::vendor_write(0x08FF, &[0; 2]).is_ok());
        assert!(Request::vendor_write(0x0A00, &[0; 2]).is_ok());
    }

    #[test]
    fn factory_functions_are_recognised() {
        for code in [0x98, 0x99, 0xAA, 0xAB] {
            assert_eq!(Request::parse(&[code, 1, 2]), Ok(Incoming::Factory(FactoryFunction::Code(code))));
        }
        let clear = [0x20, 0x09, 0xFF, 0, 1, 2, 0, 0];
        assert_eq!(Request::parse(&clear), Ok(Incoming::Factory(FactoryFunction::Clear { address: 0x09FF })));
    }

    #[test]
    fn byte_counts_must_agree() {
        let one_byte_more = [0x20, 0x05, 0x00, 0x00, 0x05, 0x0A, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let error = FrameError::ByteCount { function: 0x20, expected: 10, actual: 11 };
        assert_eq!(Request::parse(&one_byte_more), Err(error));
    }

    proptest! {
        #[test]
        fn what_parses_is_written_the_same(pdu in proptest::collection::vec(any::<u8>(), 0..260), function in proptest::sample::select(&[3u8, 4, 6, 0x10, 0x11, 0x20][..])) {
            let mut pdu = pdu;
            if let Some(first) = pdu.first_mut() { *first = function; }
            if let Ok(Incoming::Request(request)) = Request::parse(&pdu) {
                let mut buf = [0; 253];
                let mut cursor = Cursor::new(&mut buf);
                request.put(&mut cursor).unwrap();
                prop_assert_eq!(cursor.finish(), &pdu[..]);
            }
        }
    }
}
