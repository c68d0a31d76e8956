//! Every known register of the meters as a constant, with its source and how sure it is.
//!
//! The table of all of them is in `docs/register-map.md`, which is written from these constants.
//!
//! | Source | What it is |
//! |---|---|
//! | S1 | the vendor's commissioning tool, byte by byte |
//! | S2 | the vendor's manual of the wireless DDSY1352 / DTSY1352, 2021-06 |
//! | S3 | ems4j, an open energy management system (MIT) |
//! | S4 | a platform with one of the 4G meters |
//! | S5, S6 | platforms that read the meters over MQTT |
//! | S8 | manuals of the metering-only siblings |
//!
//! Fields whose wrong value costs money or supply are [`crate::map::Access::Guarded`]: they have typed blocks in [`crate::acrel`], and
//! their constants don't write.

/// Declares field constants and the table of them. The words are both their documentation and their description.
macro_rules! fields {
    ($($name:ident $about:literal: $value:ty = $field:expr;)*) => {
        $(#[doc = $about] pub const $name: $crate::map::Field<$value> = $field.about($about);)*

        /// All fields of this module.
        pub const ALL: &[$crate::map::FieldInfo] = &[$($name.info()),*];
    };
}

pub mod adf300;
pub mod clock_eight_rate;
pub mod clock_four_rate;
pub mod ddsy1352;
pub mod dtsd1352;
pub mod dtsy1352;
pub mod eight_rate;
pub mod low_block;
pub mod prepay;
pub mod realtime;
pub mod settings;
pub mod vendor;
pub mod wireless;

use crate::acrel::RealtimeLayout;
use crate::map::{Access, Confidence, Field, FieldInfo, Group, Table, Unit, write_markdown};
use core::fmt;

/// Balance, purchase count and energies of the realtime block: only true together.
pub const MONEY: Group = Group(1);
/// The bytes of the clock.
pub const CLOCK: Group = Group(2);
/// The bytes of the maximum demand.
pub const DEMAND: Group = Group(3);
/// Force mode and state.
pub const FORCE: Group = Group(4);

/// A meter with a map of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MeterMap {
    /// Three-phase prepaid meter.
    Dtsy1352(RealtimeLayout),
    /// Single-phase prepaid meter.
    Ddsy1352(RealtimeLayout),
    /// Many-circuit prepaid meter.
    Adf300,
    /// Metering-only sibling.
    Dtsd1352,
}

impl MeterMap {
    /// The fields of this meter, in the tables that share them.
    #[must_use]
    pub const fn tables(self) -> &'static [&'static [FieldInfo]] {
        use RealtimeLayout::{EightRate, FourRate};
        match self {
            Self::Dtsy1352(FourRate) => &[
                low_block::ALL,
                realtime::ALL,
                clock_four_rate::ALL,
                settings::ALL,
                prepay::ALL,
                wireless::ALL,
                vendor::ALL,
                dtsy1352::ALL,
            ],
            Self::Dtsy1352(EightRate) => &[
                low_block::ALL,
                realtime::ALL,
                clock_eight_rate::ALL,
                eight_rate::ALL,
                settings::ALL,
                prepay::ALL,
                wireless::ALL,
                vendor::ALL,
                dtsy1352::ALL,
            ],
            Self::Ddsy1352(FourRate) => &[
                low_block::ALL,
                realtime::ALL,
                clock_four_rate::ALL,
                settings::ALL,
                prepay::ALL,
                wireless::ALL,
                vendor::ALL,
                ddsy1352::ALL,
            ],
            Self::Ddsy1352(EightRate) => &[
                low_block::ALL,
                realtime::ALL,
                clock_eight_rate::ALL,
                eight_rate::ALL,
                settings::ALL,
                prepay::ALL,
                wireless::ALL,
                vendor::ALL,
                ddsy1352::ALL,
            ],
            Self::Adf300 => &[adf300::ALL],
            Self::Dtsd1352 => &[dtsd1352::ALL],
        }
    }

    /// The fields of this meter.
    pub fn fields(self) -> impl Iterator<Item = &'static FieldInfo> + Clone {
        self.tables().iter().copied().flatten()
    }
}

/// The first hidden field of the prepaid meters among `count` holding registers from `address`, if there is one. What
/// tells frames in words asks this before it shows their contents.
///
/// ```
/// use meter_protocol::acrel::fields::hidden_among;
/// assert_eq!(hidden_among(0x1950, 123).map(|field| field.name), Some("cloud_credentials"));
/// assert!(hidden_among(0x0200, 48).is_none());
/// ```
#[must_use]
pub fn hidden_among(address: u16, count: u16) -> Option<&'static FieldInfo> {
    let maps = [MeterMap::Ddsy1352(RealtimeLayout::EightRate), MeterMap::Dtsy1352(RealtimeLayout::EightRate)];
    let mut fields = maps.into_iter().flat_map(MeterMap::fields);
    fields.find(|field| field.hidden && field.touches(Table::Holding, address, count))
}

/// Writes `docs/register-map.md`: every table with its rows.
///
/// # Errors
/// Those of `out`.
pub fn write_register_map(out: &mut dyn fmt::Write) -> fmt::Result {
    out.write_str(HEAD)?;
    for (title, table) in [
        ("Low block (both prepaid meters)", low_block::ALL),
        ("Realtime block (both prepaid meters)", realtime::ALL),
        ("Clock and demand, 48-register layout", clock_four_rate::ALL),
        ("Clock, 72-register layout", clock_eight_rate::ALL),
        ("8-rate firmware only", eight_rate::ALL),
        ("Configuration (both prepaid meters)", settings::ALL),
        ("Prepay block (both prepaid meters)", prepay::ALL),
        ("Wireless and cloud (both prepaid meters)", wireless::ALL),
        ("Windows of function 20H (both prepaid meters)", vendor::ALL),
        ("DDSY1352 (single-phase) only", ddsy1352::ALL),
        ("DTSY1352 (three-phase) only", dtsy1352::ALL),
        ("ADF300", adf300::ALL),
        ("DTSD1352 (metering only)", dtsd1352::ALL),
    ] {
        write!(out, "\n## {title}\n\n")?;
        write_markdown(out, table)?;
    }
    Ok(())
}

const HEAD: &str = "# Register map of the Acrel meters

Written from the constants in `src/acrel/fields` by `cargo run -p meter-protocol --example register_map`.

Nothing here was tried on a meter. Scale: the value of one step; `?` where no source states it, so that reading shows raw
steps. Access: guarded registers take writes, but only through a typed block, or not at all from this crate; hidden ones
hold a secret or an identity and are not shown. Group: fields of one group are read in one request. Registers marked 20H
are windows of the vendor function, not registers to read.

| Source | What it is |
|---|---|
| S1 | the vendor's commissioning tool, byte by byte |
| S2 | the vendor's manual of the wireless DDSY1352 / DTSY1352, 2021-06 |
| S3 | ems4j, an open energy management system (MIT) |
| S4 | a platform with one of the 4G meters |
| S5, S6 | platforms that read the meters over MQTT |
| S8 | manuals of the metering-only siblings |
";

const fn energy(name: &'static str, address: u16) -> Field<u32> {
    Field::u32(name, address).scale(-2).unit(Unit::KilowattHour).known_from("S1;S3", Confidence::Confirmed)
}

const fn amount(name: &'static str, address: u16) -> Field<u32> {
    Field::u32(name, address).scale(-2).unit(Unit::Account).known_from("S1", Confidence::VendorTool)
}

const fn price(name: &'static str, address: u16) -> Field<u32> {
    let price = Field::u32(name, address).scale_unknown().unit(Unit::AccountPerKilowattHour);
    price.known_from("S1", Confidence::Inferred)
}

const fn word(name: &'static str, address: u16) -> Field<u16> {
    Field::u16(name, address).known_from("S1", Confidence::VendorTool)
}

const fn high(name: &'static str, address: u16) -> Field<u8> {
    Field::high_byte(name, address).known_from("S1", Confidence::VendorTool)
}

const fn low(name: &'static str, address: u16) -> Field<u8> {
    Field::low_byte(name, address).known_from("S1", Confidence::VendorTool)
}

const fn raw(name: &'static str, address: u16, registers: u16) -> Field<crate::map::Raw> {
    Field::raw(name, address, registers).known_from("S1", Confidence::VendorTool)
}

const fn ascii(name: &'static str, address: u16, registers: u16) -> Field<crate::map::Text> {
    Field::ascii(name, address, registers).known_from("S1", Confidence::VendorTool).access(Access::Guarded)
}

const fn window(name: &'static str, address: u16, registers: u16) -> Field<crate::map::Raw> {
    raw(name, address, registers).table(Table::Vendor).access(Access::Guarded)
}
