//! The 14-character serial number at 03A0H.

use super::{BlockError, BuildError};
use crate::wire::{Registers, Request};
use core::fmt;

const BLOCK: &str = "serial number";
const ADDRESS: u16 = 0x03A0;
const LEN: usize = 14;

/// Up to fourteen printable ASCII characters.
///
/// ```
/// use meter_protocol::acrel::SerialNumber;
/// let serial = SerialNumber::new("20260305000012")?;
/// assert_eq!(serial.as_str(), "20260305000012");
/// assert!(SerialNumber::new("too long by far").is_err());
/// # Ok::<(), meter_protocol::acrel::BuildError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SerialNumber([u8; LEN]);

impl SerialNumber {
    /// 03H @03A0H, 7 registers.
    pub const READ: Request<'static> = Request::read_fixed::<ADDRESS, 7>();

    /// A serial number to write; shorter ones are filled with zero bytes.
    ///
    /// # Errors
    /// [`BuildError::Empty`], [`BuildError::TooMany`] above 14 characters, [`BuildError::Range`] for a character that is
    /// not printable ASCII.
    pub fn new(text: &str) -> Result<Self, BuildError> {
        if text.is_empty() {
            return Err(BuildError::Empty { block: BLOCK });
        }
        if text.len() > LEN {
            return Err(BuildError::TooMany { block: BLOCK, count: text.len(), max: LEN });
        }
        let mut bytes = [0; LEN];
        for (to, byte) in bytes.iter_mut().zip(text.bytes()) {
            if !byte.is_ascii_graphic() {
                let field = "character of the serial number";
                return Err(BuildError::Range { field, value: byte.into(), min: 0x21, max: 0x7E });
            }
            *to = byte;
        }
        Ok(Self(bytes))
    }

    /// From a reply that holds 03A0H to 03A6H.
    ///
    /// # Errors
    /// [`BlockError::Missing`]; [`BlockError::Range`] for a byte that is no printable ASCII before the first zero byte.
    pub fn from_registers(registers: &Registers<'_>) -> Result<Self, BlockError> {
        let bytes = registers.slice(ADDRESS, 7).and_then(|bytes| <[u8; LEN]>::try_from(bytes).ok());
        let Some(bytes) = bytes else {
            let (address, count) = (registers.address(), registers.count());
            return Err(BlockError::Missing { block: BLOCK, address, count });
        };
        let used = bytes.iter().take_while(|byte| **byte != 0);
        match used.clone().find(|byte| !byte.is_ascii_graphic()) {
            None => Ok(Self(bytes)),
            Some(byte) => {
                let value = u16::from(*byte);
                Err(BlockError::Range { block: BLOCK, field: "character", value, min: 0x21, max: 0x7E })
            }
        }
    }

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let used = self.0.split(|byte| *byte == 0).next().unwrap_or_default();
        core::str::from_utf8(used).unwrap_or_default()
    }

    /// 10H @03A0H, 7 registers. Read back with [`SerialNumber::READ`].
    #[must_use]
    pub const fn request(&self) -> Request<'_> {
        Request::write_fixed::<ADDRESS, LEN>(&self.0)
    }
}

impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SerialNumber({self})")
    }
}
