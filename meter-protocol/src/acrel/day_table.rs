//! Day tables: which rate applies from which time of day, 14 slots.

use super::profile::settled;
use super::{BenchTest, BlockError, BuildError, Confirmed, Model, Profile, RateCodes};
use crate::wire::{Registers, Request};

const BLOCK: &str = "day table";
/// Slots of a day table.
const SLOTS: usize = 14;
const LEN: usize = 42;
const REGISTERS: u16 = 21;

/// A rate of the meter's tariff.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Rate {
    /// 尖
    Spike,
    /// 峰
    Peak,
    /// 平
    Flat,
    /// 谷
    Valley,
    /// 深谷, on 8-rate firmware.
    DeepValley,
}

impl Rate {
    const ALL: [Self; 5] = [Self::Spike, Self::Peak, Self::Flat, Self::Valley, Self::DeepValley];

    const fn code(self, codes: RateCodes) -> u8 {
        let from_zero = match self {
            Self::Spike => 0,
            Self::Peak => 1,
            Self::Flat => 2,
            Self::Valley => 3,
            Self::DeepValley => 4,
        };
        match codes {
            RateCodes::FromZero => from_zero,
            // At most 4.
            RateCodes::FromOne => from_zero.saturating_add(1),
        }
    }

    fn from_code(code: u8, codes: RateCodes) -> Option<Self> {
        Self::ALL.into_iter().find(|rate| rate.code(codes) == code)
    }
}

/// From this time of day on, this rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "the slot has exactly these three")]
pub struct Slot {
    /// Hour of the start, 0 to 23.
    pub hour: u8,
    /// Minute of the start, 0 to 59.
    pub minute: u8,
    /// Rate from then on.
    pub rate: Rate,
}

/// Which of the two day tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DayTableNumber {
    /// Day table 1.
    First,
    /// Day table 2.
    Second,
}

/// A day table, ready to write.
///
/// ```
/// use meter_protocol::acrel::{DayTable, Profile, Rate, RateCodes, Slot};
/// let mut profile = Profile::unsettled();
/// let slots = [Slot { hour: 6, minute: 30, rate: Rate::Spike }, Slot { hour: 23, minute: 59, rate: Rate::Flat }];
/// assert!(DayTable::new(&profile, &slots).unwrap_err().to_string().contains("bench test 2"));
/// profile.rate_codes = Some(RateCodes::FromOne);
/// assert!(DayTable::new(&profile, &slots).is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayTable([u8; LEN]);

impl DayTable {
    /// A table of 1 to 14 slots in ascending order of their starts; the rest stays unused (zeros).
    ///
    /// # Errors
    /// [`BuildError::Unsettled`] without rate codes in the profile (bench test 2), [`BuildError::Empty`],
    /// [`BuildError::TooMany`], [`BuildError::Range`] of a time, [`BuildError::Order`].
    pub fn new(profile: &Profile, slots: &[Slot]) -> Result<Self, BuildError> {
        let codes = settled(profile.rate_codes, "rate codes", BenchTest::RateCodes)?;
        if slots.is_empty() {
            return Err(BuildError::Empty { block: BLOCK });
        }
        if slots.len() > SLOTS {
            return Err(BuildError::TooMany { block: BLOCK, count: slots.len(), max: SLOTS });
        }
        let mut data = [0; LEN];
        let mut before = None;
        for (index, (bytes, slot)) in data.as_chunks_mut::<3>().0.iter_mut().zip(slots).enumerate() {
            limit("hour of a day table slot", slot.hour, 23)?;
            limit("minute of a day table slot", slot.minute, 59)?;
            let start = Some((slot.hour, slot.minute));
            if start <= before {
                return Err(BuildError::Order { slot: index });
            }
            before = start;
            *bytes = [slot.rate.code(codes), slot.minute, slot.hour];
        }
        Ok(Self(data))
    }

    /// 10H of this table at the address of the confirmed model.
    ///
    /// # Errors
    /// [`BuildError::Model`] for a model whose addresses are not known.
    pub fn request(&self, model: &Confirmed<Model>, number: DayTableNumber) -> Result<Request<'_>, BuildError> {
        match (model.value(), number) {
            (Model::Dtsy1352, DayTableNumber::First) => Ok(Request::write_fixed::<0x2000, LEN>(&self.0)),
            (Model::Dtsy1352, DayTableNumber::Second) => Ok(Request::write_fixed::<0x2015, LEN>(&self.0)),
            (Model::Ddsy1352, DayTableNumber::First) => Ok(Request::write_fixed::<0x2006, LEN>(&self.0)),
            (Model::Ddsy1352, DayTableNumber::Second) => Ok(Request::write_fixed::<0x201B, LEN>(&self.0)),
            (model, _) => Err(BuildError::Model { block: BLOCK, model }),
        }
    }

    /// The 42 bytes as they are written.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; LEN] {
        &self.0
    }
}

/// A day table as read: three raw bytes a slot until the profile says what the codes mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayTableReading([[u8; 3]; SLOTS]);

impl DayTableReading {
    /// The read of a table of the confirmed model.
    ///
    /// # Errors
    /// [`BuildError::Model`] for a model whose addresses are not known.
    pub fn read(model: &Confirmed<Model>, number: DayTableNumber) -> Result<Request<'static>, BuildError> {
        match (model.value(), number) {
            (Model::Dtsy1352, DayTableNumber::First) => Ok(Request::read_fixed::<0x2000, REGISTERS>()),
            (Model::Dtsy1352, DayTableNumber::Second) => Ok(Request::read_fixed::<0x2015, REGISTERS>()),
            (Model::Ddsy1352, DayTableNumber::First) => Ok(Request::read_fixed::<0x2006, REGISTERS>()),
            (Model::Ddsy1352, DayTableNumber::Second) => Ok(Request::read_fixed::<0x201B, REGISTERS>()),
            (model, _) => Err(BuildError::Model { block: BLOCK, model }),
        }
    }

    /// From the registers of such a read.
    ///
    /// # Errors
    /// [`BlockError::Length`].
    pub fn from_registers(registers: &Registers<'_>) -> Result<Self, BlockError> {
        let slots = registers.bytes().as_chunks::<3>().0;
        match <&[[u8; 3]; SLOTS]>::try_from(slots) {
            Ok(slots) if registers.bytes().len() == LEN => Ok(Self(*slots)),
            _ => Err(BlockError::Length { block: BLOCK, expected: LEN, actual: registers.bytes().len() }),
        }
    }

    /// Rate code, minute, hour of each slot.
    #[must_use]
    pub const fn raw(&self) -> &[[u8; 3]; SLOTS] {
        &self.0
    }

    /// The slots in use, by the codes of the profile. A slot of three zeros after the first is unused.
    ///
    /// # Errors
    /// Each item fails with [`BlockError::Range`] for a code or time out of range.
    pub fn slots(&self, codes: RateCodes) -> impl Iterator<Item = Result<Slot, BlockError>> + '_ {
        let used = self.0.iter().enumerate().filter(move |(index, bytes)| {
            let zeros = **bytes == [0; 3];
            !zeros || (*index == 0 && codes == RateCodes::FromZero)
        });
        used.map(move |(_, &[code, minute, hour])| {
            check("hour", hour, 23)?;
            check("minute", minute, 59)?;
            let lowest = Rate::Spike.code(codes);
            let highest = Rate::DeepValley.code(codes);
            let rate = Rate::from_code(code, codes).ok_or(BlockError::Range {
                block: BLOCK,
                field: "rate code",
                value: code.into(),
                min: lowest.into(),
                max: highest.into(),
            })?;
            Ok(Slot { hour, minute, rate })
        })
    }
}

fn limit(field: &'static str, value: u8, max: u8) -> Result<(), BuildError> {
    if value > max {
        return Err(BuildError::Range { field, value: value.into(), min: 0, max: max.into() });
    }
    Ok(())
}

fn check(field: &'static str, value: u8, max: u8) -> Result<(), BlockError> {
    if value > max {
        return Err(BlockError::Range { block: BLOCK, field, value: value.into(), min: 0, max: max.into() });
    }
    Ok(())
}
