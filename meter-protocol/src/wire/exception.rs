//! Exceptions: what was refused, and why.

use super::{EXCEPTION_BIT, FrameError};
use core::fmt;

/// An exception: the function that was refused and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Function asked, without the exception bit.
    pub function: u8,
    /// The reason.
    pub code: ExceptionCode,
}

impl Exception {
    /// Whether the meter may have acted although an exception came: it failed while acting (04), works on it (05), did
    /// not answer the gateway (0BH), or the code says nothing that is known. A write must then be read back.
    #[must_use]
    pub fn may_have_acted(&self) -> bool {
        let refused_before = [
            ExceptionCode::ILLEGAL_FUNCTION,
            ExceptionCode::ILLEGAL_ADDRESS,
            ExceptionCode::ILLEGAL_VALUE,
            ExceptionCode::BUSY,
            ExceptionCode::GATEWAY_PATH,
        ];
        !refused_before.contains(&self.code)
    }

    /// Whether it comes from a gateway whose meter did not answer (0AH, 0BH).
    #[must_use]
    pub fn is_of_gateway(&self) -> bool {
        [ExceptionCode::GATEWAY_PATH, ExceptionCode::GATEWAY_TARGET].contains(&self.code)
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "function {:02X}H refused: {}", self.function, self.code)
    }
}

/// The reason of an exception; codes beyond the standard are kept. Never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExceptionCode(core::num::NonZeroU8);

impl ExceptionCode {
    /// The function is not supported.
    pub const ILLEGAL_FUNCTION: Self = Self::standard(1);
    /// A register of the request does not exist.
    pub const ILLEGAL_ADDRESS: Self = Self::standard(2);
    /// A value or a count is not allowed.
    pub const ILLEGAL_VALUE: Self = Self::standard(3);
    /// The device failed.
    pub const DEVICE_FAILURE: Self = Self::standard(4);
    /// The device is busy.
    pub const BUSY: Self = Self::standard(6);
    /// A gateway has no path to the unit.
    pub const GATEWAY_PATH: Self = Self::standard(0x0A);
    /// The unit behind a gateway did not answer.
    pub const GATEWAY_TARGET: Self = Self::standard(0x0B);

    const fn standard(code: u8) -> Self {
        match core::num::NonZeroU8::new(code) {
            Some(code) => Self(code),
            None => Self(core::num::NonZeroU8::MIN),
        }
    }

    /// The code, or `None` for the reserved code 0.
    #[must_use]
    pub const fn new(code: u8) -> Option<Self> {
        match core::num::NonZeroU8::new(code) {
            Some(code) => Some(Self(code)),
            None => None,
        }
    }

    /// The byte on the wire.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0.get()
    }
}

impl fmt::Display for ExceptionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self.get() {
            1 => "illegal function",
            2 => "illegal address",
            3 => "illegal value",
            4 => "device failure",
            5 => "acknowledged, still working",
            6 => "busy",
            8 => "memory parity error",
            0x0A => "gateway path unavailable",
            0x0B => "no answer from the unit behind the gateway",
            _ => "vendor code",
        };
        write!(f, "exception {:02X}H ({words})", self.get())
    }
}

pub(crate) fn parse_exception(function: u8, data: &[u8]) -> Result<Exception, FrameError> {
    match data {
        &[code] => match ExceptionCode::new(code) {
            Some(code) => Ok(Exception { function, code }),
            None => Err(FrameError::ExceptionZero),
        },
        _ => Err(FrameError::Shape { function: function | EXCEPTION_BIT, len: data.len() }),
    }
}
