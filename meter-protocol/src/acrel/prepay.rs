//! The prepay block, 03H @0400H, 25 registers: what the parameter frame has set.

use super::profile::settled;
use super::{BenchTest, BlockError, Profile, Unsettled};
use crate::wire::{Registers, Request};

const BLOCK: &str = "prepay block";
const ADDRESS: u16 = 0x0400;
const REGISTERS: u16 = 25;

/// Prices of the four rates as the meter holds them: raw steps, whose scale no source states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Prices {
    /// Spike.
    pub spike_raw: u32,
    /// Peak.
    pub peak_raw: u32,
    /// Flat.
    pub flat_raw: u32,
    /// Valley.
    pub valley_raw: u32,
}

impl Prices {
    /// Spike, peak, flat, valley in 10^-6 account units per kWh.
    ///
    /// # Errors
    /// [`Unsettled`] without a price scale in the profile (bench test 4).
    pub fn micro(&self, profile: &Profile) -> Result<[u64; 4], Unsettled> {
        let decimals = settled(profile.price_decimals, "price scale", BenchTest::PriceScale)?;
        let raw = [self.spike_raw, self.peak_raw, self.flat_raw, self.valley_raw];
        // 2^32 steps of at most 10^6 micro units stay below 2^53.
        Ok(raw.map(|steps| u64::from(steps).saturating_mul(decimals.step_micro())))
    }
}

/// Settings and money of the prepaid function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PrepayBlock {
    /// 0400H: 0 is off, anything else on.
    pub enable_raw: u16,
    /// 0401H.
    pub purchase_count: u16,
    /// 0402H to 0409H.
    pub prices: Prices,
    /// 040AH: alarm amount 1, 0.01 account units.
    pub alarm_1_minor: u32,
    /// 040CH: alarm amount 2, 0.01 account units.
    pub alarm_2_minor: u32,
    /// 040EH: overdraft limit, 0.01 account units.
    pub overdraft_minor: u32,
    /// 0410H: unknown.
    pub unknown_0410: [u8; 4],
    /// 0412H: total energy or total purchased; bench test 5 settles which.
    pub total_raw: u32,
    /// 0414H: remaining amount, 0.01 account units; negative when overdrawn.
    pub remaining_minor: i32,
    /// 0416H: base (free) amount, 0.01 account units.
    pub base_free_minor: u32,
    /// 0418H: unlabelled, probably what the meter does at the warning level.
    pub unlabelled_0418: u16,
}

impl PrepayBlock {
    /// 03H @0400H, 25 registers.
    pub const READ: Request<'static> = Request::read_fixed::<ADDRESS, REGISTERS>();

    /// Whether the prepaid function of the meter is on.
    #[must_use]
    pub const fn enabled(&self) -> bool {
        self.enable_raw != 0
    }

    /// Parses the registers of a reply that starts at 0400H.
    ///
    /// # Errors
    /// [`BlockError::Missing`] for another address or function, [`BlockError::Length`].
    pub fn from_registers(registers: &Registers<'_>) -> Result<Self, BlockError> {
        if registers.address() != ADDRESS || registers.function() != crate::wire::READ_HOLDING {
            let (address, count) = (registers.address(), registers.count());
            return Err(BlockError::Missing { block: BLOCK, address, count });
        }
        Self::parse(registers.bytes())
    }

    /// Parses the 50 data bytes of the block.
    ///
    /// # Errors
    /// [`BlockError::Length`].
    pub fn parse(data: &[u8]) -> Result<Self, BlockError> {
        let Ok(d) = <&[u8; 50]>::try_from(data) else {
            return Err(BlockError::Length { block: BLOCK, expected: 50, actual: data.len() });
        };
        Ok(Self {
            enable_raw: u16::from_be_bytes([d[0], d[1]]),
            purchase_count: u16::from_be_bytes([d[2], d[3]]),
            prices: Prices {
                spike_raw: u32::from_be_bytes([d[4], d[5], d[6], d[7]]),
                peak_raw: u32::from_be_bytes([d[8], d[9], d[10], d[11]]),
                flat_raw: u32::from_be_bytes([d[12], d[13], d[14], d[15]]),
                valley_raw: u32::from_be_bytes([d[16], d[17], d[18], d[19]]),
            },
            alarm_1_minor: u32::from_be_bytes([d[20], d[21], d[22], d[23]]),
            alarm_2_minor: u32::from_be_bytes([d[24], d[25], d[26], d[27]]),
            overdraft_minor: u32::from_be_bytes([d[28], d[29], d[30], d[31]]),
            unknown_0410: [d[32], d[33], d[34], d[35]],
            total_raw: u32::from_be_bytes([d[36], d[37], d[38], d[39]]),
            remaining_minor: i32::from_be_bytes([d[40], d[41], d[42], d[43]]),
            base_free_minor: u32::from_be_bytes([d[44], d[45], d[46], d[47]]),
            unlabelled_0418: u16::from_be_bytes([d[48], d[49]]),
        })
    }
}
