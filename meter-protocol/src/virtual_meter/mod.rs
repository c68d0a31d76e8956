//! A prepaid meter in software, and a bus of them with the faults of a real line.
//!
//! It is written from the meter's register documents in raw addresses and shares neither logic nor constants with
//! the master side of this crate, down to the check sum. Where a client and this meter agree, two readings of the
//! documents agree. What the documents leave open is a switch in [`MeterOptions`].
//!
//! The meter has a clock, energies in four or five rates, a purse with its own rounding and a relay. Time comes in as an
//! argument; all arithmetic is in integers, so that the state after a span of time does not depend on the number of
//! steps in it. It opens no socket and needs `alloc` only for frames.
//!
//! Not modelled: the settings of radio uplinks, and relays that move one by one.
//!
//! ```
//! use meter_protocol::virtual_meter::{Load, MeterOptions, MeterSetup, Model, VirtualMeter};
//!
//! let start_ms = 1_772_719_650_000;
//! let setup = MeterSetup::new(Model::Ddsy1352, 1, [2, 0, 2, 6, 0, 3, 0, 5, 0, 0, 1, 2], start_ms);
//! let mut meter = VirtualMeter::new(&setup, MeterOptions::default())?;
//! meter.set_load(Load::new([1_500, 0, 0], 980));
//!
//! // Two hours later the master reads the total energy: 3.00 kWh.
//! let reply = meter.serve(start_ms + 2 * 3_600_000, &[0x01, 0x03, 0x00, 0x00, 0x00, 0x02, 0xC4, 0x0B]);
//! assert_eq!(reply.as_deref(), Some(&[0x01, 0x03, 0x04, 0x00, 0x00, 0x01, 0x2C, 0xFA, 0x7E][..]));
//! # Ok::<(), meter_protocol::virtual_meter::SetupError>(())
//! ```
//!
//! Saturating arithmetic is used all over this module where a value is bounded far inside its type (a century in
//! milliseconds, a power of 16 bits, an energy of 64 bits in mJ), because a library may not panic; none of these
//! bounds is reached between [`EARLIEST_MS`] and [`LATEST_MS`].

mod bus;
mod cipher;
mod clock;
mod demand;
mod dial_in;
mod faults;
mod frame;
mod load;
mod load_control;
mod meter;
mod model;
mod options;
mod purse;
mod registers;
mod serve;
mod tables;
mod time_control;
mod write;

#[cfg(test)]
mod tests;

pub use bus::{BusError, Delivery, Exchange, Line, METERS_MAX, VirtualBus};
pub use clock::{DRIFT_MAX_PPM, EARLIEST_MS, LATEST_MS};
pub use dial_in::{DialIn, DialInOptions};
pub use faults::{FaultCounts, FaultInjector, Faults};
pub use frame::{FRAME_MAX_BYTES, RequestCut, check_sum_is_good, cut_request};
pub use load::{Load, PHASE_MAX_W};
pub use meter::{MeterSetup, SetupError, UNIT_MAX, VirtualMeter};
pub use model::Model;
pub use options::{
    Broadcast, ClearFrames, CountJump, DateTableOrder, DeductionRounding, EnablePolarity, EnergyValues, EqualCount,
    Firmware, ForceFrame, ForcePerLine, MeterOptions, PriceScale, RateCodes, RatioOrder, RelayBits, RestoreRule,
    TotalMeaning, TripRule, VendorRefusal, VendorReply,
};
