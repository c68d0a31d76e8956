//! The field constant and its erased descriptor.

use super::kind::{Digits, Kind, Raw, Text, WordOrder};
use super::number::Number;
use super::unit::Unit;
use core::fmt;
use core::marker::PhantomData;

/// Where a field is addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Table {
    /// Holding registers, 03H.
    Holding,
    /// Input registers, 04H.
    Input,
    /// A window that exists only for vendor function 20H; it can't be read.
    Vendor,
}

/// What may be done with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Access {
    /// Read only.
    Read,
    /// Read, and written by [`Field::write`].
    ReadWrite,
    /// The meter takes writes here, but a wrong one costs money or supply: there is a typed block for it, or none.
    Guarded,
}

/// How sure a fact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Confidence {
    /// Two or more independent sources agree.
    Confirmed,
    /// A maker's manual.
    Manual,
    /// The byte-level behaviour of a maker's own tool.
    VendorTool,
    /// One third-party implementation.
    Field,
    /// Deduced from neighbours or names.
    Inferred,
    /// Sources disagree.
    Conflict,
    /// Nothing stated.
    Unstated,
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Confirmed => "confirmed",
            Self::Manual => "manual",
            Self::VendorTool => "vendor tool",
            Self::Field => "field",
            Self::Inferred => "inferred",
            Self::Conflict => "conflict",
            Self::Unstated => "unstated",
        })
    }
}

/// Fields of one group are read in one request, because they are only true together (a balance and its purchase count,
/// the bytes of a clock). Numbers are the map's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group(pub u8);

/// The descriptor of a field, without its type: what planners and tables work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct FieldInfo {
    /// Name in snake case, unique within a map.
    pub name: &'static str,
    /// What it is, in words.
    pub about: &'static str,
    /// First register.
    pub address: u16,
    /// How it is written.
    pub kind: Kind,
    /// Where it is addressed.
    pub table: Table,
    /// Power of ten of one step, or `None` where no source states it: the value is then raw.
    pub scale: Option<i8>,
    /// Unit of the scaled value.
    pub unit: Unit,
    /// What may be done with it.
    pub access: Access,
    /// What it must be read together with.
    pub group: Option<Group>,
    /// Where it is known from.
    pub source: &'static str,
    /// How sure that is.
    pub confidence: Confidence,
    /// Whether it holds a secret or an identity, so that [`FieldInfo::value`] does not give it away.
    pub hidden: bool,
}

impl FieldInfo {
    /// Number of registers.
    #[must_use]
    pub const fn registers(&self) -> u16 {
        self.kind.registers()
    }

    /// Last register.
    #[must_use]
    pub const fn last(&self) -> u16 {
        // A field that would pass FFFFH ends there; it can be declared, not read.
        self.address.saturating_add(self.registers().saturating_sub(1))
    }

    /// Whether any of `count` registers from `address` belongs to the field. `table` is where they are addressed.
    #[must_use]
    pub fn touches(&self, table: Table, address: u16, count: u16) -> bool {
        // A run that would pass FFFFH ends there.
        let last = address.saturating_add(count.saturating_sub(1));
        self.table == table && count > 0 && self.address <= last && address <= self.last()
    }

    /// Whether two fields of one map claim the same bit. Windows of function 20H are commands, told apart by their
    /// first register alone.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        if self.table != other.table {
            return false;
        }
        if self.table == Table::Vendor {
            return self.address == other.address;
        }
        let apart = self.last() < other.address || other.last() < self.address;
        !apart && self.kind.mask() & other.kind.mask() != 0
    }
}

/// A field whose value has the type `T`: an integer, a [`Number`], [`Digits`], [`Text`] or [`Raw`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Field<T> {
    info: FieldInfo,
    value: PhantomData<fn() -> T>,
}

impl<T> Field<T> {
    /// The descriptor.
    #[must_use]
    pub const fn info(&self) -> FieldInfo {
        self.info
    }

    const fn of(name: &'static str, address: u16, kind: Kind) -> Self {
        let info = FieldInfo {
            name,
            about: "",
            address,
            kind,
            table: Table::Holding,
            scale: Some(0),
            unit: Unit::None,
            access: Access::Read,
            group: None,
            source: "",
            confidence: Confidence::Unstated,
            hidden: false,
        };
        Self { info, value: PhantomData }
    }

    /// Says in words what it is.
    #[must_use]
    pub const fn about(mut self, about: &'static str) -> Self {
        self.info.about = about;
        self
    }

    /// One step is 10 to the power of `scale`. Without it one step is 1.
    #[must_use]
    pub const fn scale(mut self, scale: i8) -> Self {
        self.info.scale = Some(scale);
        self
    }

    /// No source states the scale.
    #[must_use]
    pub const fn scale_unknown(mut self) -> Self {
        self.info.scale = None;
        self
    }

    /// Unit of the scaled value.
    #[must_use]
    pub const fn unit(mut self, unit: Unit) -> Self {
        self.info.unit = unit;
        self
    }

    /// Where it is addressed, if not in the holding registers.
    #[must_use]
    pub const fn table(mut self, table: Table) -> Self {
        self.info.table = table;
        self
    }

    /// What may be done with it, if more than reading.
    #[must_use]
    pub const fn access(mut self, access: Access) -> Self {
        self.info.access = access;
        self
    }

    /// It holds a secret or an identity: [`FieldInfo::value`] says [`Value::Hidden`](super::Value::Hidden), and what
    /// lists fields in words leaves it out. The calls of the typed field still give it to a caller who names it.
    ///
    /// ```
    /// use meter_protocol::map::{Field, Value};
    /// use meter_protocol::wire::Registers;
    /// const PIN: Field<u16> = Field::u16("pin", 0x0100).hidden();
    /// let registers = Registers::holding(0x0100, &[0x04, 0xD2])?;
    /// assert_eq!(PIN.info().value(&registers)?, Value::Hidden);
    /// assert_eq!(PIN.value(&registers)?, 1234);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn hidden(mut self) -> Self {
        self.info.hidden = true;
        self
    }

    /// Must be read together with the other fields of this group.
    #[must_use]
    pub const fn group(mut self, group: Group) -> Self {
        self.info.group = Some(group);
        self
    }

    /// The lower register comes first. Only for values of several registers.
    #[must_use]
    pub const fn low_word_first(mut self) -> Self {
        self.info.kind = match self.info.kind {
            Kind::U32(_) => Kind::U32(WordOrder::LowFirst),
            Kind::I32(_) => Kind::I32(WordOrder::LowFirst),
            Kind::U64(_) => Kind::U64(WordOrder::LowFirst),
            Kind::I64(_) => Kind::I64(WordOrder::LowFirst),
            Kind::F32(_) => Kind::F32(WordOrder::LowFirst),
            other => other,
        };
        self
    }

    /// Where it is known from, and how sure that is.
    #[must_use]
    pub const fn known_from(mut self, source: &'static str, confidence: Confidence) -> Self {
        self.info.source = source;
        self.info.confidence = confidence;
        self
    }
}

impl Field<u8> {
    /// The high byte of a register.
    #[must_use]
    pub const fn high_byte(name: &'static str, address: u16) -> Self {
        Self::of(name, address, Kind::HighByte)
    }

    /// The low byte of a register.
    #[must_use]
    pub const fn low_byte(name: &'static str, address: u16) -> Self {
        Self::of(name, address, Kind::LowByte)
    }
}

impl Field<u16> {
    /// An unsigned register.
    #[must_use]
    pub const fn u16(name: &'static str, address: u16) -> Self {
        Self::of(name, address, Kind::U16)
    }

    /// A register of flags.
    #[must_use]
    pub const fn bits(name: &'static str, address: u16) -> Self {
        Self::of(name, address, Kind::Bits)
    }
}

impl Field<i16> {
    /// A signed register.
    #[must_use]
    pub const fn i16(name: &'static str, address: u16) -> Self {
        Self::of(name, address, Kind::I16)
    }
}

impl Field<u32> {
    /// Two registers, unsigned, high word first.
    #[must_use]
    pub const fn u32(name: &'static str, address: u16) -> Self {
        Self::of(name, address, Kind::U32(WordOrder::HighFirst))
    }
}

impl Field<i32> {
    /// Two registers, signed, high word first.
    #[must_use]
    pub const fn i32(name: &'static str, address: u16) -> Self {
        Self::of(name, address, Kind::I32(WordOrder::HighFirst))
    }
}

impl Field<u64> {
    /// Four registers, unsigned, high word first.
    #[must_use]
    pub const fn u64(name: &'static str, address: u16) -> Self {
        Self::of(name, address, Kind::U64(WordOrder::HighFirst))
    }
}

impl Field<i64> {
    /// Four registers, signed, high word first.
    #[must_use]
    pub const fn i64(name: &'static str, address: u16) -> Self {
        Self::of(name, address, Kind::I64(WordOrder::HighFirst))
    }
}

impl Field<Number> {
    /// Two registers with the bits of an IEEE-754 single, high word first.
    #[must_use]
    pub const fn f32(name: &'static str, address: u16) -> Self {
        Self::of(name, address, Kind::F32(WordOrder::HighFirst))
    }
}

impl Field<Digits> {
    /// Decimal digits, four in a register, at most four registers.
    #[must_use]
    pub const fn bcd(name: &'static str, address: u16, registers: u16) -> Self {
        Self::of(name, address, Kind::Bcd { registers })
    }
}

impl Field<Text> {
    /// Characters, two in a register.
    #[must_use]
    pub const fn ascii(name: &'static str, address: u16, registers: u16) -> Self {
        Self::of(name, address, Kind::Ascii { registers })
    }
}

impl Field<Raw> {
    /// Bytes with a structure of their own.
    #[must_use]
    pub const fn raw(name: &'static str, address: u16, registers: u16) -> Self {
        Self::of(name, address, Kind::Raw { registers })
    }
}
