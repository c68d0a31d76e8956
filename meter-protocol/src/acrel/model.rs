//! Which meter this is, and proof that it was asked.

use super::BlockError;
use crate::wire::{Registers, Request};
use core::fmt;

/// Register of the model code.
const MODEL_CODE: u16 = 0x0200;

/// The model as the meter names itself at 0200H.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Model {
    /// Code 5: three-phase prepaid.
    Dtsy1352,
    /// Code 7: single-phase prepaid.
    Ddsy1352,
    /// Code 10: many-circuit prepaid.
    Adf300,
    /// Any other code. The metering-only sibling DTSD1352 may answer here with anything.
    Other(u16),
}

impl Model {
    /// The read that finds it.
    pub const READ: Request<'static> = Request::read_fixed::<MODEL_CODE, 1>();

    /// The model of a code.
    #[must_use]
    pub const fn from_code(code: u16) -> Self {
        match code {
            5 => Self::Dtsy1352,
            7 => Self::Ddsy1352,
            10 => Self::Adf300,
            other => Self::Other(other),
        }
    }

    /// The code at 0200H.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Dtsy1352 => 5,
            Self::Ddsy1352 => 7,
            Self::Adf300 => 10,
            Self::Other(code) => code,
        }
    }

    /// Name as on the plate.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dtsy1352 => "DTSY1352",
            Self::Ddsy1352 => "DDSY1352",
            Self::Adf300 => "ADF300",
            Self::Other(_) => "unknown",
        }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(code) => write!(f, "unknown model (code {code})"),
            _ => f.write_str(self.name()),
        }
    }
}

/// One connection to one line. It changes when the link goes down, so that what was learned on it ends with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkId {
    line: u32,
    generation: u32,
}

impl LinkId {
    /// The first connection of line `line`, a number that the caller gives each line.
    #[must_use]
    pub const fn first(line: u32) -> Self {
        Self { line, generation: 0 }
    }

    /// The connection after this one.
    #[must_use]
    pub(crate) const fn next(self) -> Self {
        // Wrapping is harmless: a confirmation does not live through 2^32 reconnections.
        Self { line: self.line, generation: self.generation.wrapping_add(1) }
    }
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} connection {}", self.line, self.generation)
    }
}

/// Something that this unit itself told on this connection.
///
/// Writes that differ between models take a `Confirmed<Model>`: 2000H is the single-phase meter's date table and the
/// three-phase meter's day table 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirmed<T> {
    value: T,
    unit: u8,
    link: LinkId,
}

impl<T: Copy> Confirmed<T> {
    /// What was told.
    #[must_use]
    pub const fn value(&self) -> T {
        self.value
    }

    /// Who told it.
    #[must_use]
    pub const fn unit(&self) -> u8 {
        self.unit
    }

    /// On which connection.
    #[must_use]
    pub const fn link(&self) -> LinkId {
        self.link
    }
}

impl Confirmed<Model> {
    /// Takes the model from a reply of `unit` on `link` that holds register 0200H.
    ///
    /// # Errors
    /// [`BlockError::Missing`] when the reply does not hold 0200H, or was read by another function than 03H.
    pub fn from_reply(unit: u8, link: LinkId, registers: &Registers<'_>) -> Result<Self, BlockError> {
        let holding = registers.function() == crate::wire::READ_HOLDING;
        match registers.word(MODEL_CODE) {
            Some(code) if holding => Ok(Self { value: Model::from_code(code), unit, link }),
            _ => {
                Err(BlockError::Missing { block: "model code", address: registers.address(), count: registers.count() })
            }
        }
    }
}
