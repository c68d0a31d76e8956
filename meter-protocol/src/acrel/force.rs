//! Force control of the relay, 0057H and 0058H.

use super::BlockError;
use crate::wire::{Registers, Request};

const BLOCK: &str = "force control";
const ADDRESS: u16 = 0x0057;

/// What the relay is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum ForceMode {
    /// The meter decides: prepaid, load and time control (恢复预付费). Words 0000 0000.
    Prepaid,
    /// Supply on whatever the balance (保电, keep power). Words 0001 0000.
    SupplyOn,
    /// Supply off (拉闸). Words 0001 0001.
    SupplyOff,
}

impl ForceMode {
    /// Mode and state as they stand in 0057H and 0058H. State 1 means tripped.
    #[must_use]
    pub const fn words(self) -> (u16, u16) {
        match self {
            Self::Prepaid => (0, 0),
            Self::SupplyOn => (1, 0),
            Self::SupplyOff => (1, 1),
        }
    }

    /// 10H @0057H, 2 registers. Confirm with [`ForceState::READ`] and status word 1.
    #[must_use]
    pub const fn request(self) -> Request<'static> {
        match self {
            Self::Prepaid => Request::write_fixed::<ADDRESS, 4>(&[0, 0, 0, 0]),
            Self::SupplyOn => Request::write_fixed::<ADDRESS, 4>(&[0, 1, 0, 0]),
            Self::SupplyOff => Request::write_fixed::<ADDRESS, 4>(&[0, 1, 0, 1]),
        }
    }
}

/// What 0057H and 0058H hold. The relay itself is in status word 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ForceState {
    /// 0057H.
    pub mode_raw: u16,
    /// 0058H.
    pub state_raw: u16,
}

impl ForceState {
    /// 03H @0057H, 2 registers.
    pub const READ: Request<'static> = Request::read_fixed::<ADDRESS, 2>();

    /// The mode, or `None` for words that no source describes. With mode 0 the state word does not matter.
    #[must_use]
    pub const fn mode(&self) -> Option<ForceMode> {
        match (self.mode_raw, self.state_raw) {
            (0, _) => Some(ForceMode::Prepaid),
            (1, 0) => Some(ForceMode::SupplyOn),
            (1, 1) => Some(ForceMode::SupplyOff),
            _ => None,
        }
    }

    /// Takes both words from a reply that holds 0057H and 0058H.
    ///
    /// # Errors
    /// [`BlockError::Missing`].
    pub fn from_registers(registers: &Registers<'_>) -> Result<Self, BlockError> {
        let holding = registers.function() == crate::wire::READ_HOLDING;
        match registers.slice(ADDRESS, 2) {
            Some(&[a, b, c, d]) if holding => {
                Ok(Self { mode_raw: u16::from_be_bytes([a, b]), state_raw: u16::from_be_bytes([c, d]) })
            }
            _ => Err(BlockError::Missing { block: BLOCK, address: registers.address(), count: registers.count() }),
        }
    }
}
