//! What the sources leave open, as settled on the bench.

use core::fmt;
use thiserror::Error;

/// A bench test that settles one open point of these meters. Each is harmless: see [`BenchTest::procedure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
#[repr(u8)]
pub enum BenchTest {
    /// Byte order of the date table.
    DateTableOrder = 1,
    /// Rate codes of the day tables.
    RateCodes = 2,
    /// Which of 0037H and 0038H is PT and which CT.
    RatioOrder = 3,
    /// Decimals of a price register.
    PriceScale = 4,
    /// Meaning of 0410H, 0412H and 0418H.
    UnlabelledRegisters = 5,
    /// What the meter does with an equal, next, skipped or lower purchase count.
    PurchaseCount = 6,
    /// Bytes of the reply to function 20H.
    VendorReply = 7,
    /// Register and refusal of the hoarding limit.
    HoardingLimit = 8,
    /// Which value of 0420H and 0480H means enabled.
    EnablePolarity = 9,
    /// Sense and length of the per-line force frame.
    ForcePerLine = 10,
    /// Most registers a read, response time, broadcast.
    LineLimits = 11,
    /// Whether an encrypted meter takes clear frames.
    EncryptedMode = 12,
    /// Which relay bit belongs to which line.
    RelayBits = 13,
    /// Whether force mode survives a power cut.
    ForcePersistence = 14,
    /// Whether 000AH to 0010H exist on the three-phase meter.
    LowBlock = 15,
    /// Whether energies are primary or secondary values when CT or PT ratios are not 1.
    EnergySide = 16,
    /// Whether wireless settings are written as whole blocks or part by part.
    WirelessWrites = 17,
}

impl BenchTest {
    /// The number in the bench checklist, 1 to 17.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// What to do on a meter without a customer.
    #[must_use]
    pub const fn procedure(self) -> &'static str {
        match self {
            Self::DateTableOrder => "set one date entry on the meter's menu, read 0028H (three-phase) or 2000H",
            Self::RateCodes => "set a known day table on the menu, read 2000H (three-phase) or 2006H",
            Self::RatioOrder => "compare 0037H and 0038H with 0213H and 0214H on a CT meter",
            Self::PriceScale => "compare 0402H with the price on the display",
            Self::UnlabelledRegisters => "compare 0410H, 0412H and 0418H with the menus before and after a sale",
            Self::PurchaseCount => "send a sale with an equal, next, skipped and lower count",
            Self::VendorReply => "record the replies to accepted and refused sales",
            Self::HoardingLimit => "send an over-large sale",
            Self::EnablePolarity => "switch load and time control on the menu, read 0480H and 0420H",
            Self::ForcePerLine => "force one line with a lamp on it",
            Self::LineLimits => "measure the longest read, the response time and broadcasts",
            Self::EncryptedMode => "send clear and wrongly keyed frames with a key supplied by the owner",
            Self::RelayBits => "switch one line of a three-relay meter, read 0224H",
            Self::ForcePersistence => "force, cut the power, read 0057H",
            Self::LowBlock => "read 000AH to 0010H on a three-phase meter",
            Self::EnergySide => "compare 0215H with the display on a CT meter",
            Self::WirelessWrites => "write 1300H back as it was read, whole and in parts, and read it again",
        }
    }
}

impl fmt::Display for BenchTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bench test {}: {}", self.number(), self.procedure())
    }
}

/// A fact that must be settled on the meter before this is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{what} is not settled in the profile; {test}")]
pub struct Unsettled {
    /// The fact.
    pub what: &'static str,
    /// The test that settles it.
    pub test: BenchTest,
}

/// Decimals of a price register, 0 to 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "u8", into = "u8"))]
pub struct PriceDecimals(u8);

impl PriceDecimals {
    /// Most decimals: prices are handled in 10^-6 account units.
    pub const MAX: u8 = 6;

    /// `decimals` of 0 to 6, otherwise `None`.
    #[must_use]
    pub const fn new(decimals: u8) -> Option<Self> {
        if decimals <= Self::MAX { Some(Self(decimals)) } else { None }
    }

    /// The number of decimals.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Micro units (10^-6 account units) of one step of the register.
    #[must_use]
    pub const fn step_micro(self) -> u64 {
        match self.0 {
            0 => 1_000_000,
            1 => 100_000,
            2 => 10_000,
            3 => 1_000,
            4 => 100,
            5 => 10,
            _ => 1,
        }
    }
}

impl TryFrom<u8> for PriceDecimals {
    type Error = &'static str;

    fn try_from(decimals: u8) -> Result<Self, Self::Error> {
        Self::new(decimals).ok_or("price decimals must be 0 to 6")
    }
}

impl From<PriceDecimals> for u8 {
    fn from(decimals: PriceDecimals) -> Self {
        decimals.0
    }
}

/// What the meter does with a sale whose purchase count equals the stored one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum EqualCountRule {
    /// Answers as if it had just taken it, and adds nothing.
    Acknowledges,
    /// Refuses it and adds nothing.
    Refuses,
    /// Adds the amount once more.
    AddsAgain,
}

/// Byte order of one entry of the date table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum DateTableOrder {
    /// Table, day, month: the vendor's tool.
    TableDayMonth,
    /// Month, day, table: a field implementation.
    MonthDayTable,
}

/// Codes of the rates in a day table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum RateCodes {
    /// 1 spike, 2 peak, 3 flat, 4 valley, 5 deep valley; 0 marks an unused slot.
    FromOne,
    /// 0 spike, 1 peak, 2 flat, 3 valley, 4 deep valley.
    FromZero,
}

/// Whether energies already contain the transformer ratios.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum EnergySide {
    /// Primary: the registers are what was consumed.
    Primary,
    /// Secondary: the registers must be multiplied by PT × CT.
    Secondary,
}

/// Which register of 0037H and 0038H is which ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum RatioOrder {
    /// 0037H is PT, 0038H is CT.
    PtFirst,
    /// 0037H is CT, 0038H is PT.
    CtFirst,
}

/// What the total at 0412H and in the parameter frame counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum TotalMeaning {
    /// Everything that was ever bought, in 0.01 account units.
    Purchased,
    /// Total energy, in 0.01 kWh.
    Energy,
}

/// What state 1 in the force frame of single lines means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum LineForceSense {
    /// Supply on, as the status bits would have it.
    OneIsOn,
    /// Supply off, as in 0058H.
    OneIsOff,
}

/// Data bytes of the force frame of single lines, which always announces 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum LineForceLength {
    /// Ten, as announced.
    Ten,
    /// Eleven, as the vendor's tool sends. Such a frame contradicts itself: this crate does not build it.
    Eleven,
}

/// How the meter takes writes of its wireless settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum WirelessWrites {
    /// Whole blocks of up to 123 registers, as they are read.
    WholeBlock,
    /// Each part of a block by itself.
    PartByPart,
}

/// Which value of an enable flag means on when it is read. For writing 1 is always on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum EnablePolarity {
    /// A set flag means on.
    OneIsOn,
    /// A set flag means off.
    OneIsOff,
}

/// What is known about a batch of meters beyond their documents.
///
/// Starts unsettled; commissioning fills it in. The timing fields do have defaults: too long a value only costs time.
///
/// ```
/// use meter_protocol::acrel::{MicroPrices, PriceDecimals, Profile, Settings};
/// let prices = MicroPrices { spike: 1_200_000, peak: 1_000_000, flat: 700_000, valley: 400_000 };
/// let refusal = Settings::new().prices(&Profile::unsettled(), prices).unwrap_err();
/// assert!(refusal.to_string().contains("bench test 4"));
///
/// let mut settled = Profile::unsettled();
/// settled.price_decimals = PriceDecimals::new(4);
/// assert!(Settings::new().prices(&settled, prices).is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Profile {
    /// Decimals of the price registers. Needed to write prices.
    pub price_decimals: Option<PriceDecimals>,
    /// Reaction to an equal purchase count. Needed to send the same sale again.
    pub equal_count: Option<EqualCountRule>,
    /// Order of the date table. Needed to write it.
    pub date_table_order: Option<DateTableOrder>,
    /// Rate codes. Needed to write a day table.
    pub rate_codes: Option<RateCodes>,
    /// Whether energies contain the transformer ratios. Needed to bill a meter whose ratios are not 1.
    pub energy_side: Option<EnergySide>,
    /// Order of the ratio registers.
    pub ratio_order: Option<RatioOrder>,
    /// Meaning of the total. Needed to overwrite it.
    pub total_meaning: Option<TotalMeaning>,
    /// Polarity of the enable flags of load control as read.
    pub enable_polarity: Option<EnablePolarity>,
    /// Polarity of the enable word of time control as read.
    pub time_polarity: Option<EnablePolarity>,
    /// Meaning of state 1 in the force frame of single lines. Needed to send it.
    pub line_force_sense: Option<LineForceSense>,
    /// Length of the force frame of single lines. Needed to send it.
    pub line_force_length: Option<LineForceLength>,
    /// How wireless settings are written. Needed to write them.
    pub wireless_writes: Option<WirelessWrites>,
    /// Longest time until a reply starts, in microseconds. Default 3 s: the vendor's tool waits as long.
    pub longest_response_us: u32,
    /// Longest time that a frame can live between the master and the meter (gateways, radio), in microseconds.
    /// Default 60 s, an assumption on the safe side.
    pub frame_life_us: u32,
    /// Most registers in one read. Default 123, the longest read seen.
    pub max_read_registers: u16,
}

impl Profile {
    /// Nothing settled, timing at its defaults.
    #[must_use]
    pub const fn unsettled() -> Self {
        Self {
            price_decimals: None,
            equal_count: None,
            date_table_order: None,
            rate_codes: None,
            energy_side: None,
            ratio_order: None,
            total_meaning: None,
            enable_polarity: None,
            time_polarity: None,
            line_force_sense: None,
            line_force_length: None,
            wireless_writes: None,
            longest_response_us: 3_000_000,
            frame_life_us: 60_000_000,
            max_read_registers: 123,
        }
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self::unsettled()
    }
}

/// The value, or the refusal that names the test.
pub(crate) fn settled<T: Copy>(value: Option<T>, what: &'static str, test: BenchTest) -> Result<T, Unsettled> {
    value.ok_or(Unsettled { what, test })
}
