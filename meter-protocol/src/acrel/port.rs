//! Settings of the meter's serial ports: 0360H and 0365H.

use super::{BlockError, BuildError, MeterNumber};
use crate::wire::{Registers, Request};

const BLOCK: &str = "port settings";
const PORT_1: u16 = 0x0360;
const PORT_2: u16 = 0x0365;
const LEN: usize = 10;

/// One of the meter's two ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the meter has two")]
pub enum Port {
    /// 0360H.
    First,
    /// 0365H.
    Second,
}

/// A speed that the manual lists. That the meter's index counts them in this order from 0 is inferred from its default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the manual lists six")]
pub enum Baud {
    /// 1200
    B1200,
    /// 2400
    B2400,
    /// 4800
    B4800,
    /// 9600, the default of these meters.
    B9600,
    /// 19200
    B19200,
    /// 38400
    B38400,
}

impl Baud {
    /// All of them, by their index.
    pub const ALL: [Self; 6] = [Self::B1200, Self::B2400, Self::B4800, Self::B9600, Self::B19200, Self::B38400];

    /// Bits per second.
    #[must_use]
    pub const fn get(self) -> u32 {
        match self {
            Self::B1200 => 1_200,
            Self::B2400 => 2_400,
            Self::B4800 => 4_800,
            Self::B9600 => 9_600,
            Self::B19200 => 19_200,
            Self::B38400 => 38_400,
        }
    }

    /// The meter's index, 0 to 5.
    #[must_use]
    pub const fn index(self) -> u8 {
        self as u8
    }
}

/// The settings of one port. Parity and stop bits stay raw: no source states their indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PortSettings {
    /// Unit number.
    pub unit: u8,
    /// Index of the speed.
    pub baud_index: u8,
    /// Index of the parity.
    pub parity_raw: u8,
    /// Index of the stop bits.
    pub stop_raw: u8,
    /// The meter number that the port keeps, as it stands there.
    pub number_bcd: [u8; 6],
}

impl PortSettings {
    /// 03H @0360H or @0365H, 5 registers.
    #[must_use]
    pub const fn read(port: Port) -> Request<'static> {
        match port {
            Port::First => Request::read_fixed::<PORT_1, 5>(),
            Port::Second => Request::read_fixed::<PORT_2, 5>(),
        }
    }

    /// From the registers of such a read.
    ///
    /// # Errors
    /// [`BlockError::Missing`].
    pub fn from_registers(port: Port, registers: &Registers<'_>) -> Result<Self, BlockError> {
        let first = match port {
            Port::First => PORT_1,
            Port::Second => PORT_2,
        };
        let bytes = registers.slice(first, 5).and_then(|bytes| <[u8; LEN]>::try_from(bytes).ok());
        let Some([unit, baud_index, parity_raw, stop_raw, a, b, c, d, e, f]) = bytes else {
            let (address, count) = (registers.address(), registers.count());
            return Err(BlockError::Missing { block: BLOCK, address, count });
        };
        Ok(Self { unit, baud_index, parity_raw, stop_raw, number_bcd: [a, b, c, d, e, f] })
    }

    /// The speed, if the index is one of the manual's.
    #[must_use]
    pub fn baud(&self) -> Option<Baud> {
        Baud::ALL.get(usize::from(self.baud_index)).copied()
    }

    /// The number that the port keeps.
    #[must_use]
    pub fn number(&self) -> Option<MeterNumber> {
        MeterNumber::from_bcd(self.number_bcd).ok()
    }

    /// The frame's data: everything as it was read, with another unit and speed.
    pub(super) fn moved(&self, unit: u8, baud: Baud) -> [u8; LEN] {
        let [a, b, c, d, e, f] = self.number_bcd;
        [unit, baud.index(), self.parity_raw, self.stop_raw, a, b, c, d, e, f]
    }
}

/// 10H of a whole port. Only [`super::Relocation`] sends it: a meter that is not found again is lost to its line.
pub(super) const fn write(port: Port, data: &[u8; LEN]) -> Request<'_> {
    match port {
        Port::First => Request::write_fixed::<PORT_1, LEN>(data),
        Port::Second => Request::write_fixed::<PORT_2, LEN>(data),
    }
}

/// A unit number that a meter can have.
///
/// # Errors
/// [`BuildError::Range`] outside 1 to 247.
pub(super) fn checked_unit(unit: u8) -> Result<u8, BuildError> {
    if (1..=247).contains(&unit) {
        return Ok(unit);
    }
    Err(BuildError::Range { field: "unit", value: unit.into(), min: 1, max: 247 })
}
