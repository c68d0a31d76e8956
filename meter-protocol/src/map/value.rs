//! Reading fields out of registers, and writing them.

use super::field::{Access, Field, FieldInfo, Table};
use super::kind::{Digits, Kind, Raw, Text, WordOrder};
use super::number::{Number, NumberError};
use crate::wire::{READ_HOLDING, READ_INPUT, Registers, Request, RequestError};
use thiserror::Error;

/// A field that can't be read from these registers, or not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FieldError {
    /// The reply does not hold the field's registers.
    #[error("{name} at {address:04X}H is not among the registers read")]
    NotRead {
        /// Name of the field.
        name: &'static str,
        /// Its first register.
        address: u16,
    },
    /// A half byte that is no decimal digit.
    #[error("{name} has a half byte {value:X}H, which is no decimal digit")]
    Digit {
        /// Name of the field.
        name: &'static str,
        /// The half byte.
        value: u8,
    },
    /// Characters that are no text.
    #[error("{name} holds bytes that are no text")]
    NotText {
        /// Name of the field.
        name: &'static str,
    },
    /// Bits that stand for no number.
    #[error("{name}: {error}")]
    Number {
        /// Name of the field.
        name: &'static str,
        /// What is wrong with them.
        error: NumberError,
    },
    /// The field is not written through its constant.
    #[error("{name} is not written through its field ({access:?})")]
    NotWritable {
        /// Name of the field.
        name: &'static str,
        /// What may be done with it.
        access: Access,
    },
    /// A window of function 20H is written and never read.
    #[error("{name} is a window of function 20H and can't be read")]
    NotReadable {
        /// Name of the field.
        name: &'static str,
    },
    /// A half-register field can't be written without the other half.
    #[error("{name} is half a register")]
    HalfRegister {
        /// Name of the field.
        name: &'static str,
    },
    /// The caller's buffer is too small.
    #[error("{name} needs {needed} bytes, the buffer has {available}")]
    BufferTooSmall {
        /// Name of the field.
        name: &'static str,
        /// Bytes needed.
        needed: usize,
        /// Bytes there.
        available: usize,
    },
    /// A hidden field that does not hold what its kind asks for; what it holds is not said.
    #[error("{name} is hidden and does not hold what it should")]
    Hidden {
        /// Name of the field.
        name: &'static str,
    },
    /// The write can't be built.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// A field's value without its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// A number in the field's unit; raw steps where the scale is unknown.
    Number(Number),
    /// Flags.
    Bits(u16),
    /// Decimal digits, leading zeros lost; the field's registers say how many there are.
    Digits(u64),
    /// Characters up to the first zero byte.
    Text(&'a str),
    /// Bytes.
    Raw(&'a [u8]),
    /// A secret or an identity, which is not given away: see [`FieldInfo::hidden`].
    Hidden,
}

/// Integers that fields can hold.
pub trait Integer: Copy + Into<i128> + sealed::Sealed {}

mod sealed {
    /// The integer in the bytes of its registers, high byte first.
    pub trait Sealed: Sized {
        fn from_raw(raw: i128) -> Option<Self>;
    }
}

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl Integer for $integer {}
        impl sealed::Sealed for $integer {
            fn from_raw(raw: i128) -> Option<Self> {
                Self::try_from(raw).ok()
            }
        }
    )*};
}
integers!(u8, u16, i16, u32, i32, u64, i64);

impl FieldInfo {
    /// The read of this field alone. Fields of a group are only true together: read those by a [`crate::plan`].
    ///
    /// # Errors
    /// [`FieldError::NotReadable`] for a window of function 20H.
    pub fn read(&self) -> Result<Request<'static>, FieldError> {
        match self.table {
            Table::Holding => Ok(Request::read_holding(self.address, self.registers())?),
            Table::Input => Ok(Request::read_input(self.address, self.registers())?),
            Table::Vendor => Err(FieldError::NotReadable { name: self.name }),
        }
    }

    /// The bytes of the field's registers.
    fn bytes<'a>(&self, registers: &Registers<'a>) -> Result<&'a [u8], FieldError> {
        let function = match self.table {
            Table::Holding => READ_HOLDING,
            Table::Input => READ_INPUT,
            Table::Vendor => 0,
        };
        let bytes =
            if registers.function() == function { registers.slice(self.address, self.registers()) } else { None };
        bytes.ok_or(FieldError::NotRead { name: self.name, address: self.address })
    }

    /// The integer as it stands in the registers, or `None` for kinds that hold none.
    fn raw_integer(&self, bytes: &[u8]) -> Option<i128> {
        let unsigned = |low_first| {
            let words = bytes.as_chunks::<2>().0.iter().map(|pair| u64::from(u16::from_be_bytes(*pair)));
            let join = |high: u64, low: u64| high << 16 | low;
            if low_first { words.rev().fold(0, join) } else { words.fold(0, join) }
        };
        let order = |order: WordOrder| unsigned(order == WordOrder::LowFirst);
        let signed = |raw: u64, bits: u32| {
            // 16, 32 or 64 of 64.
            let shift = 64_u32.saturating_sub(bits);
            i128::from(raw.unbounded_shl(shift).cast_signed() >> shift)
        };
        Some(match self.kind {
            Kind::HighByte => bytes.first().copied()?.into(),
            Kind::LowByte => bytes.get(1).copied()?.into(),
            Kind::U16 | Kind::Bits => unsigned(false).into(),
            Kind::I16 => signed(unsigned(false), 16),
            Kind::U32(o) | Kind::U64(o) => order(o).into(),
            Kind::I32(o) => signed(order(o), 32),
            Kind::I64(o) => signed(order(o), 64),
            Kind::F32(_) | Kind::Bcd { .. } | Kind::Ascii { .. } | Kind::Raw { .. } => return None,
        })
    }

    /// The value in the registers of a reply; [`Value::Hidden`] for a field that is [hidden](FieldInfo::hidden).
    ///
    /// # Errors
    /// [`FieldError::NotRead`], and what can be wrong with digits, text and singles.
    pub fn value<'a>(&self, registers: &Registers<'a>) -> Result<Value<'a>, FieldError> {
        if self.hidden {
            return self.bytes(registers).map(|_| Value::Hidden);
        }
        self.reveal(registers)
    }

    /// The value in the registers of a reply, whether it is hidden or not. Never log it.
    ///
    /// # Errors
    /// As [`FieldInfo::value`]; [`FieldError::Hidden`] instead of an error that would tell what a hidden field holds.
    pub fn reveal<'a>(&self, registers: &Registers<'a>) -> Result<Value<'a>, FieldError> {
        let name = self.name;
        let bytes = self.bytes(registers)?;
        if let Some(raw) = self.raw_integer(bytes) {
            return Ok(match self.kind {
                Kind::Bits => Value::Bits(u16::try_from(raw).unwrap_or(u16::MAX)),
                // Without a stated scale the steps stand as they are.
                _ => Value::Number(Number::new(raw, self.scale.unwrap_or(0))),
            });
        }
        match self.kind {
            Kind::F32(order) => single(name, order, bytes).map(Value::Number),
            Kind::Bcd { .. } => digits(self, bytes).map(Value::Digits),
            Kind::Ascii { .. } => text(name, bytes).map(Value::Text),
            _ => Ok(Value::Raw(bytes)),
        }
    }
}

impl<T: Integer> Field<T> {
    /// The raw integer: steps of the register.
    ///
    /// # Errors
    /// [`FieldError::NotRead`].
    pub fn value(&self, registers: &Registers<'_>) -> Result<T, FieldError> {
        let info = self.info();
        let raw = info.raw_integer(info.bytes(registers)?).and_then(T::from_raw);
        raw.ok_or(FieldError::NotRead { name: info.name, address: info.address })
    }

    /// The value in the field's unit, exact; raw steps where the scale is unknown.
    ///
    /// # Errors
    /// [`FieldError::NotRead`].
    pub fn number(&self, registers: &Registers<'_>) -> Result<Number, FieldError> {
        let raw: i128 = self.value(registers)?.into();
        // Without a stated scale the steps stand as they are.
        Ok(Number::new(raw, self.info().scale.unwrap_or(0)))
    }

    /// The 10H write of `value`, in steps of the register, with its data in the caller's buffer.
    ///
    /// # Errors
    /// [`FieldError::NotWritable`] unless the field is [`Access::ReadWrite`] in the holding registers,
    /// [`FieldError::HalfRegister`], [`FieldError::BufferTooSmall`].
    pub fn write<'b>(&self, value: T, buf: &'b mut [u8]) -> Result<Request<'b>, FieldError> {
        let info = self.info();
        let name = info.name;
        if info.access != Access::ReadWrite || info.table != Table::Holding {
            return Err(FieldError::NotWritable { name, access: info.access });
        }
        let low_first = match info.kind {
            Kind::HighByte | Kind::LowByte => return Err(FieldError::HalfRegister { name }),
            Kind::U32(order) | Kind::I32(order) | Kind::U64(order) | Kind::I64(order) => order == WordOrder::LowFirst,
            _ => false,
        };
        // A length: at most 8 bytes for an integer.
        let needed = usize::from(info.registers()).saturating_mul(2);
        let available = buf.len();
        let data = buf.get_mut(..needed).ok_or(FieldError::BufferTooSmall { name, needed, available })?;
        let raw: i128 = value.into();
        let all = raw.to_be_bytes();
        let words = data.as_chunks_mut::<2>().0;
        let values = all.as_chunks::<2>().0.iter().rev();
        if low_first {
            words.iter_mut().zip(values).for_each(|(to, from)| *to = *from);
        } else {
            words.iter_mut().rev().zip(values).for_each(|(to, from)| *to = *from);
        }
        Ok(Request::write_multiple(info.address, data)?)
    }
}

impl Field<Number> {
    /// The exact decimal of the single.
    ///
    /// # Errors
    /// [`FieldError::NotRead`], [`FieldError::Number`].
    pub fn value(&self, registers: &Registers<'_>) -> Result<Number, FieldError> {
        let info = self.info();
        let order = match info.kind {
            Kind::F32(order) => order,
            _ => WordOrder::HighFirst,
        };
        single(info.name, order, info.bytes(registers)?)
    }
}

impl Field<Digits> {
    /// The digits as a number; leading zeros are lost.
    ///
    /// # Errors
    /// [`FieldError::NotRead`], [`FieldError::Digit`].
    pub fn value(&self, registers: &Registers<'_>) -> Result<u64, FieldError> {
        let info = self.info();
        digits(&info, info.bytes(registers)?)
    }
}

impl Field<Text> {
    /// The characters up to the first zero byte.
    ///
    /// # Errors
    /// [`FieldError::NotRead`], [`FieldError::NotText`].
    pub fn value<'a>(&self, registers: &Registers<'a>) -> Result<&'a str, FieldError> {
        let info = self.info();
        text(info.name, info.bytes(registers)?)
    }
}

impl Field<Raw> {
    /// The bytes.
    ///
    /// # Errors
    /// [`FieldError::NotRead`].
    pub fn value<'a>(&self, registers: &Registers<'a>) -> Result<&'a [u8], FieldError> {
        self.info().bytes(registers)
    }
}

fn single(name: &'static str, order: WordOrder, bytes: &[u8]) -> Result<Number, FieldError> {
    let mut words = bytes.as_chunks::<2>().0.iter().map(|pair| u32::from(u16::from_be_bytes(*pair)));
    // A field of this kind always has its two registers: `FieldInfo::bytes` has seen to it.
    let (first, second) = (words.next().unwrap_or(0), words.next().unwrap_or(0));
    let bits = if order == WordOrder::HighFirst { first << 16 | second } else { second << 16 | first };
    Number::from_f32_bits(bits).map_err(|error| FieldError::Number { name, error })
}

fn digits(field: &FieldInfo, bytes: &[u8]) -> Result<u64, FieldError> {
    let name = field.name;
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
    halves.take(16).try_fold(0_u64, |number, digit| {
        if digit > 9 {
            let told = FieldError::Digit { name, value: digit };
            return Err(if field.hidden { FieldError::Hidden { name } } else { told });
        }
        // Sixteen digits stay below 2^64.
        Ok(number.saturating_mul(10).saturating_add(digit.into()))
    })
}

fn text<'a>(name: &'static str, bytes: &'a [u8]) -> Result<&'a str, FieldError> {
    let used = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    core::str::from_utf8(used).map_err(|_| FieldError::NotText { name })
}
