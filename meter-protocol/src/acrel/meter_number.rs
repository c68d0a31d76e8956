//! The 12-digit meter number at 0043H.

use super::BlockError;
use crate::wire::{Registers, Request};
use core::fmt;
use core::str::FromStr;
use thiserror::Error;

const ADDRESS: u16 = 0x0043;

/// Twelve decimal digits, as printed on the meter and held in six BCD bytes.
///
/// ```
/// use meter_protocol::acrel::MeterNumber;
/// let number: MeterNumber = "202603050012".parse()?;
/// assert_eq!(number.to_bcd(), [0x20, 0x26, 0x03, 0x05, 0x00, 0x12]);
/// assert_eq!(number.to_string(), "202603050012");
/// # Ok::<(), meter_protocol::acrel::MeterNumberError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MeterNumber([u8; 6]);

/// Not a meter number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MeterNumberError {
    /// Not twelve characters.
    #[error("a meter number has 12 digits, {len} characters were given")]
    Length {
        /// Bytes given.
        len: usize,
    },
    /// A character or half byte that is no decimal digit.
    #[error("place {place} of the meter number is no decimal digit")]
    Digit {
        /// Place from 1, at the left.
        place: usize,
    },
}

impl MeterNumber {
    /// 03H @0043H, 3 registers.
    pub const READ: Request<'static> = Request::read_fixed::<ADDRESS, 3>();

    /// From the six BCD bytes of the register.
    ///
    /// # Errors
    /// [`MeterNumberError::Digit`].
    pub fn from_bcd(bcd: [u8; 6]) -> Result<Self, MeterNumberError> {
        for (index, digit) in digits(bcd).enumerate() {
            if digit > 9 {
                // A place among twelve.
                return Err(MeterNumberError::Digit { place: index.saturating_add(1) });
            }
        }
        Ok(Self(bcd))
    }

    /// Takes the number from a reply that holds 0043H to 0045H.
    ///
    /// # Errors
    /// [`BlockError::Missing`]; [`BlockError::Range`] for a half byte that is no digit, with its place.
    pub fn from_registers(registers: &Registers<'_>) -> Result<Self, BlockError> {
        let bytes = registers.slice(ADDRESS, 3).and_then(|bytes| <[u8; 6]>::try_from(bytes).ok());
        let Some(bcd) = bytes else {
            let (address, count) = (registers.address(), registers.count());
            return Err(BlockError::Missing { block: "meter number", address, count });
        };
        Self::from_bcd(bcd).map_err(|_| BlockError::Range {
            block: "meter number",
            field: "digit",
            value: digits(bcd).find(|digit| *digit > 9).unwrap_or_default().into(),
            min: 0,
            max: 9,
        })
    }

    /// The six BCD bytes.
    #[must_use]
    pub const fn to_bcd(self) -> [u8; 6] {
        self.0
    }
}

fn digits(bcd: [u8; 6]) -> impl Iterator<Item = u8> {
    bcd.into_iter().flat_map(|byte| [byte >> 4, byte & 0x0F])
}

impl FromStr for MeterNumber {
    type Err = MeterNumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Ok(text) = <&[u8; 12]>::try_from(text.as_bytes()) else {
            return Err(MeterNumberError::Length { len: text.len() });
        };
        if let Some(index) = text.iter().position(|byte| !byte.is_ascii_digit()) {
            // A place in a text.
            return Err(MeterNumberError::Digit { place: index.saturating_add(1) });
        }
        let mut bcd = [0; 6];
        for (byte, [high, low]) in bcd.iter_mut().zip(text.as_chunks::<2>().0) {
            *byte = (high & 0x0F) << 4 | low & 0x0F;
        }
        Ok(Self(bcd))
    }
}

impl fmt::Display for MeterNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        digits(self.0).try_for_each(|digit| write!(f, "{digit}"))
    }
}

impl fmt::Debug for MeterNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MeterNumber({self})")
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for MeterNumber {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_twelve_decimal_digits() {
        assert_eq!("12345678901".parse::<MeterNumber>(), Err(MeterNumberError::Length { len: 11 }));
        assert_eq!("12345a789012".parse::<MeterNumber>(), Err(MeterNumberError::Digit { place: 6 }));
        assert_eq!(MeterNumber::from_bcd([0, 0, 0xA0, 0, 0, 0]), Err(MeterNumberError::Digit { place: 5 }));
        assert_eq!(MeterNumber::from_bcd([0, 0, 0, 0, 0, 0x0F]), Err(MeterNumberError::Digit { place: 12 }));
    }
}
