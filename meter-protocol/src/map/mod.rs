//! Registers as typed constants: where a quantity stands, how it is written, where that is known from.
//!
//! A [`Field`] is a constant. It decodes its registers from a reply, and its erased descriptor [`FieldInfo`] is what
//! [`crate::plan`] works on. The fields of Acrel meters are in [`crate::acrel::fields`]; another maker's meter is
//! declared in the same way in any crate:
//!
//! ```
//! use meter_protocol::map::{Access, Confidence, Field, Unit};
//! use meter_protocol::wire::{Registers, rtu};
//!
//! const ENERGY: Field<u32> = Field::u32("energy_import", 0x0500).scale(-3).unit(Unit::KilowattHour)
//!     .known_from("maker's manual, table 4", Confidence::Manual);
//! const BACKLIGHT: Field<u16> = Field::u16("backlight", 0x0710).unit(Unit::Second).access(Access::ReadWrite);
//!
//! let reply = [0x00, 0x01, 0xE2, 0x40];
//! let registers = Registers::holding(0x0500, &reply)?;
//! assert_eq!(ENERGY.value(&registers)?, 123_456);
//! assert_eq!(ENERGY.number(&registers)?.to_string(), "123.456");
//!
//! let mut data = [0; 2];
//! let write = BACKLIGHT.write(30, &mut data)?;
//! assert_eq!(rtu::encode_request(3, &write, &mut [0; 256])?[..9], [3, 0x10, 0x07, 0x10, 0, 1, 2, 0, 30]);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod describe;
mod field;
mod kind;
mod number;
mod unit;
mod value;

pub use describe::write_markdown;
pub use field::{Access, Confidence, Field, FieldInfo, Group, Table};
pub use kind::{Digits, Kind, Raw, Text, WordOrder};
pub use number::{Number, NumberError};
pub use unit::Unit;
pub use value::{FieldError, Integer, Value};
