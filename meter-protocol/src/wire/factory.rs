//! Factory functions of the meters: recognised in traffic, impossible to build.
//!
//! Function codes 98H, 99H, AAH and ABH set constants, calibrate gain, clear energy, write whole blocks and set the
//! frame key; function 20H from 0900H (and its broadcast form 09FFH) clears an ADF300. They carry no proof of
//! authority. No type of this crate can hold one as a request: not a raw PDU, not a forwarded frame.

use core::fmt;

/// First register of the function 20H range that clears energy.
const CLEAR_FIRST: u16 = 0x0900;
/// Last register of that range: the broadcast form.
const CLEAR_LAST: u16 = 0x09FF;

/// A factory function as seen on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FactoryFunction {
    /// One of the function codes 98H, 99H, AAH, ABH.
    Code(u8),
    /// Function 20H that touches 0900H to 09FFH.
    Clear {
        /// First register of the frame.
        address: u16,
    },
}

impl FactoryFunction {
    /// Whether a request with this function code is a factory function.
    ///
    /// In a reply the same byte can be an exception (98H answers 18H and so on): there only the pending request tells.
    #[must_use]
    pub const fn of_code(function: u8) -> Option<Self> {
        match function {
            0x98 | 0x99 | 0xAA | 0xAB => Some(Self::Code(function)),
            _ => None,
        }
    }

    /// Whether a function 20H write of `count` registers from `address` reaches the range that clears energy.
    #[must_use]
    pub const fn of_vendor_write(address: u16, count: u16) -> Option<Self> {
        let last = address.saturating_add(count.saturating_sub(1));
        if address <= CLEAR_LAST && last >= CLEAR_FIRST { Some(Self::Clear { address }) } else { None }
    }
}

impl fmt::Display for FactoryFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "function {code:02X}H"),
            Self::Clear { address } => write!(f, "function 20H @{address:04X}H (clears energy)"),
        }
    }
}
