//! How a quantity is written into registers.

/// Which of several registers comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WordOrder {
    /// The register with the higher part has the lower address. The order of Acrel meters.
    HighFirst,
    /// The register with the lower part has the lower address.
    LowFirst,
}

/// How the bits of a field are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The high byte of a register.
    HighByte,
    /// The low byte of a register.
    LowByte,
    /// An unsigned register.
    U16,
    /// A signed register, two's complement.
    I16,
    /// Two registers, unsigned.
    U32(WordOrder),
    /// Two registers, signed.
    I32(WordOrder),
    /// Four registers, unsigned.
    U64(WordOrder),
    /// Four registers, signed.
    I64(WordOrder),
    /// Two registers with the bits of an IEEE-754 single; read as an exact decimal.
    F32(WordOrder),
    /// A register of flags.
    Bits,
    /// Decimal digits, four in a register.
    Bcd {
        /// Number of registers, at most 4.
        registers: u16,
    },
    /// Characters, two in a register.
    Ascii {
        /// Number of registers.
        registers: u16,
    },
    /// Bytes with a structure of their own, or none that is known.
    Raw {
        /// Number of registers.
        registers: u16,
    },
}

impl Kind {
    /// Registers that the field takes or shares.
    #[must_use]
    pub const fn registers(self) -> u16 {
        match self {
            Self::HighByte | Self::LowByte | Self::U16 | Self::I16 | Self::Bits => 1,
            Self::U32(_) | Self::I32(_) | Self::F32(_) => 2,
            Self::U64(_) | Self::I64(_) => 4,
            Self::Bcd { registers } | Self::Ascii { registers } | Self::Raw { registers } => registers,
        }
    }

    /// The bits that the field takes in each of its registers.
    #[must_use]
    pub const fn mask(self) -> u16 {
        match self {
            Self::HighByte => 0xFF00,
            Self::LowByte => 0x00FF,
            _ => 0xFFFF,
        }
    }

    /// Whether a negative value can be written.
    #[must_use]
    pub const fn is_signed(self) -> bool {
        matches!(self, Self::I16 | Self::I32(_) | Self::I64(_) | Self::F32(_))
    }

    /// The word for it in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HighByte => "high byte",
            Self::LowByte => "low byte",
            Self::U16 => "u16",
            Self::I16 => "i16",
            Self::U32(WordOrder::HighFirst) => "u32",
            Self::U32(WordOrder::LowFirst) => "u32, low word first",
            Self::I32(WordOrder::HighFirst) => "i32",
            Self::I32(WordOrder::LowFirst) => "i32, low word first",
            Self::U64(WordOrder::HighFirst) => "u64",
            Self::U64(WordOrder::LowFirst) => "u64, low word first",
            Self::I64(WordOrder::HighFirst) => "i64",
            Self::I64(WordOrder::LowFirst) => "i64, low word first",
            Self::F32(WordOrder::HighFirst) => "f32",
            Self::F32(WordOrder::LowFirst) => "f32, low word first",
            Self::Bits => "bits",
            Self::Bcd { .. } => "BCD",
            Self::Ascii { .. } => "ASCII",
            Self::Raw { .. } => "bytes",
        }
    }
}

/// Type of fields that hold decimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digits {}

/// Type of fields that hold characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {}

/// Type of fields that hold bytes with a structure of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raw {}
