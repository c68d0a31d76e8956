//! The blocks of Acrel DTSY1352 (three-phase) and DDSY1352 (single-phase) prepaid meters, typed.
//!
//! Reading: [`Realtime`] (nearly everything in one read), [`PrepayBlock`], [`ForceState`], [`DayTable`],
//! [`DateTable`], [`LoadControlBlock`], [`TimeControlBlock`], [`PortSettings`], [`MeterNumber`], [`SerialNumber`],
//! [`FirmwareVersion`], and with the feature `wireless` `RadioSettings`, `AccessPoint`, `CloudSettings`, `TimeZone`,
//! `RadioStatus` and `WifiSettings`, whose credentials and identities are hidden.
//!
//! Writing: [`Purchase`] (a sale), [`Settings`] (alarms, prices, overdraft: can't touch money), [`MoneyOverwrite`]
//! (remaining amount and count: can touch nothing else), [`ForceMode`], the tables, [`Clock`], [`LoadControl`],
//! [`TripCounters`], [`TimeControl`], [`LineForce`], [`SerialNumber`], and `WirelessChange`. Another unit number or speed
//! is given by [`Relocation`], which
//! finds the meter again.
//!
//! Judging by what the meter shows afterwards: [`Purchase::verdict`], [`Settings::shown_by`],
//! [`MoneyOverwrite::shown_by`]. What a meter's own figures say about an open point: [`PriceEvidence`],
//! [`RateEvidence`], [`Fits`].
//!
//! # Units
//! Integers throughout, with the unit last in the name.
//!
//! | Suffix | Unit |
//! |---|---|
//! | `_centikwh` | 0.01 kWh |
//! | `_minor` | 0.01 account unit (fen, cent), the meter's own resolution |
//! | `_decivolt`, `_centiampere` | 0.1 V, 0.01 A |
//! | `_w`, `_var` | W, var |
//! | `_permille` | 0.001 |
//!
//! # What no source settles
//! Nobody documents some facts of these meters: the price scale, the order of the date table, the rate codes. A
//! [`Profile`] holds what a bench test has found. Where a wrong value costs money or supply there is no default:
//! building the write fails with [`Unsettled`], which names the test; reading shows the raw value.

mod block;
#[cfg(feature = "frame-cipher")]
mod cipher;
mod clock;
mod date_table;
mod day_table;
mod error;
mod evidence;
pub mod fields;
mod fits;
mod force;
mod line_force;
mod load_control;
mod meter_number;
mod model;
mod money;
mod parameter_frame;
mod per_line;
mod port;
mod prepay;
mod profile;
mod purchase;
mod realtime;
mod relocation;
mod serial_number;
mod settings;
mod status;
mod time_control;
mod verdict;
mod version;
#[cfg(feature = "wireless")]
mod wireless;

pub use block::Block;
#[cfg(feature = "frame-cipher")]
pub use cipher::FrameKey;
pub use clock::{Clock, ClockError, ClockFrame};
pub use date_table::{DateEntry, DateTable};
pub use day_table::{DayTable, DayTableNumber, DayTableReading, Rate, Slot};
pub use error::{BlockError, BuildError};
pub use evidence::{Contradiction, PriceEvidence, RateEvidence};
pub use fits::{Fits, OpenPoint};
pub use force::{ForceMode, ForceState};
pub use line_force::{LineForce, LineForceFrame};
pub use load_control::{LineLoadControl, LoadControl, LoadControlBlock, PowerLimit, TripCounters};
pub use meter_number::{MeterNumber, MeterNumberError};
pub use model::{Confirmed, LinkId, Model};
pub use money::MoneyOverwrite;
pub use port::{Baud, Port, PortSettings};
pub use prepay::{PrepayBlock, Prices};
pub use profile::{
    BenchTest, DateTableOrder, EnablePolarity, EnergySide, EqualCountRule, LineForceLength, LineForceSense,
    PriceDecimals, Profile, RateCodes, RatioOrder, TotalMeaning, Unsettled, WirelessWrites,
};
pub use purchase::Purchase;
pub use realtime::{Demand, EnergyRegisters, Realtime, RealtimeLayout};
pub use relocation::{NotMoved, Place, Relocation, RelocationAnswer, RelocationStep, RelocationVerdict};
pub use serial_number::SerialNumber;
pub use settings::{MicroPrices, Settings};
pub use status::{Line, StatusWord1, StatusWord2};
pub use time_control::{LineTimeControl, TimeControl, TimeControlBlock, TimeSlot, Weekdays};
pub use verdict::{NotShown, PurseReading, SaleContradiction, SaleVerdict};
pub use version::FirmwareVersion;
#[cfg(feature = "wireless")]
pub use wireless::{
    AccessPoint, CloudSettings, CloudSites, RadioSettings, RadioStatus, Secret, TimeZone, WifiSettings, WireText,
    WirelessChange,
};
