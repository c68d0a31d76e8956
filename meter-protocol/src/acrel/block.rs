//! What one read gives: the key under which any client reads a typed block.

use super::{BlockError, ForceState, MeterNumber, PrepayBlock, Realtime, RealtimeLayout, SerialNumber};
use crate::wire::{Registers, Request};

/// A block of the meter that one fixed read gives. Every client reads it by its type.
///
/// ```
/// use meter_protocol::acrel::{Block, MeterNumber};
/// use meter_protocol::wire::Registers;
///
/// fn parse<B: Block>(registers: &Registers<'_>) -> Option<B> {
///     B::from_registers(registers).ok()
/// }
/// let reply = [0x20, 0x26, 0x03, 0x05, 0x00, 0x12];
/// let number: MeterNumber = parse(&Registers::holding(0x0043, &reply)?).ok_or("a number")?;
/// assert_eq!(number.to_string(), "202603050012");
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub trait Block: Sized {
    /// The read of the block.
    const READ: Request<'static>;

    /// From the registers of the reply.
    ///
    /// # Errors
    /// [`BlockError`] when they are not this block.
    fn from_registers(registers: &Registers<'_>) -> Result<Self, BlockError>;
}

/// In its usual layout of 48 registers.
impl Block for Realtime {
    const READ: Request<'static> = Self::READ;

    fn from_registers(registers: &Registers<'_>) -> Result<Self, BlockError> {
        Self::from_registers(RealtimeLayout::FourRate, registers)
    }
}

/// Blocks whose own constant and parser have the names of the trait.
macro_rules! blocks {
    ($($block:ty),*) => {$(
        impl Block for $block {
            const READ: Request<'static> = Self::READ;

            fn from_registers(registers: &Registers<'_>) -> Result<Self, BlockError> {
                Self::from_registers(registers)
            }
        }
    )*};
}
blocks!(PrepayBlock, ForceState, MeterNumber, SerialNumber);
#[cfg(feature = "wireless")]
blocks!(
    super::AccessPoint,
    super::CloudSettings,
    super::RadioSettings,
    super::RadioStatus,
    super::TimeZone,
    super::WifiSettings
);
