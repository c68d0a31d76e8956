//! Modbus on the wire: bytes to frames and back, without allocation.
//!
//! | Module | Holds |
//! |---|---|
//! | [`crc`] | CRC-16 of RTU frames |
//! | [`request`] | what a master may ask; checked when it is built |
//! | [`reply`] | what a slave answers, decoded against what was asked |
//! | [`rtu`] | frames with unit and CRC |
//! | [`tcp`] | frames with the MBAP header of Modbus/TCP |
//! | [`sniff`] | frames seen without knowing the request |
//! | [`stream`] | frames cut out of a noisy stream, for listening |
//! | [`factory`] | functions that are recognised and never built |
//!
//! A reply is only ever decoded against its request. `nom` parses the headers; none of its types is public.
//!
//! Saturating arithmetic is of lengths and addresses that are checked against a limit right after; no content of a
//! register goes through it.

pub mod crc;
pub mod factory;
pub mod reply;
pub mod request;
pub mod rtu;
pub mod sniff;
pub mod stream;
pub mod tcp;

mod cursor;
mod error;
mod exception;
mod expectation;
mod span;

pub use error::{EncodeError, FrameError, ReplyError, RequestError};
pub use reply::{Answer, Exception, ExceptionCode, Registers, Reply, VendorReply};
pub use request::{Expectation, Incoming, Request};

/// Longest PDU (function code and data) of the Modbus specification, in bytes.
pub const MAX_PDU_LEN: usize = 253;
/// Longest RTU frame: unit, PDU, CRC, in bytes.
pub const MAX_RTU_LEN: usize = 256;
/// Longest Modbus/TCP frame: MBAP header and PDU, in bytes. A buffer of this length holds any frame of this crate.
pub const MAX_ADU_LEN: usize = 260;
/// Most registers in one read (Modbus specification).
pub const MAX_READ_REGISTERS: u16 = 125;
/// Most registers in one write, for 10H (Modbus specification) and, by the same frame length, for vendor function 20H.
pub const MAX_WRITE_REGISTERS: u16 = 123;

/// Function 03H, read holding registers.
pub const READ_HOLDING: u8 = 0x03;
/// Function 04H, read input registers.
pub const READ_INPUT: u8 = 0x04;
/// Function 06H, write one register.
pub const WRITE_SINGLE: u8 = 0x06;
/// Function 10H, write registers.
pub const WRITE_MULTIPLE: u8 = 0x10;
/// Function 11H, report server id; Acrel meters answer it with their version.
pub const REPORT_ID: u8 = 0x11;
/// Vendor function 20H of Acrel meters: sale, parameters, clock, load and time control.
pub const VENDOR_WRITE: u8 = 0x20;
/// The bit that marks an exception in the function byte of a reply.
pub const EXCEPTION_BIT: u8 = 0x80;
