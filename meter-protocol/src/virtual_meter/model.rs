//! The two models that this meter can be.

/// Which meter this is. The register map differs between the two, so the model is fixed at creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Model {
    /// Three-phase DTSY1352-NK, model code 5.
    Dtsy1352,
    /// Single-phase DDSY1352-NK, model code 7.
    Ddsy1352,
}

impl Model {
    /// What register 0200H answers.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Dtsy1352 => 5,
            Self::Ddsy1352 => 7,
        }
    }

    /// How many phases are measured: 1 or 3.
    #[must_use]
    pub const fn phases(self) -> usize {
        match self {
            Self::Dtsy1352 => 3,
            Self::Ddsy1352 => 1,
        }
    }

    /// First register of the date table (6 registers).
    pub(super) const fn date_table_address(self) -> u16 {
        match self {
            Self::Dtsy1352 => 0x0028,
            Self::Ddsy1352 => 0x2000,
        }
    }

    /// First registers of day tables 1 and 2 (21 registers each).
    pub(super) const fn day_table_addresses(self) -> [u16; 2] {
        match self {
            Self::Dtsy1352 => [0x2000, 0x2015],
            Self::Ddsy1352 => [0x2006, 0x201B],
        }
    }
}
