//! What can be wrong with a frame: one error for each direction, each naming what was expected and what came.

use super::factory::FactoryFunction;
use thiserror::Error;

/// A request that can't be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The register count is zero or above the limit of the function.
    #[error("register count {count} is outside 1..={max}")]
    Count {
        /// What was asked.
        count: usize,
        /// The limit of this function.
        max: u16,
    },
    /// Address and count run past register FFFFH.
    #[error("{count} registers from {address:04X}H run past FFFFH")]
    PastEnd {
        /// First register.
        address: u16,
        /// Number of registers.
        count: u16,
    },
    /// Register data has an odd number of bytes.
    #[error("register data has {len} bytes, an odd number")]
    OddData {
        /// Bytes given.
        len: usize,
    },
    /// A factory function. These change calibration, clear energy or set keys without proof of authority.
    #[error("{0} is a factory function and is never built")]
    Factory(FactoryFunction),
}

/// A frame that can't be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The caller's buffer is too small.
    #[error("the frame needs at least {needed} bytes, the buffer has {available}")]
    BufferTooSmall {
        /// Bytes needed up to the point where room ran out.
        needed: usize,
        /// Length of the buffer.
        available: usize,
    },
    /// Unit 0 is the broadcast address. What these meters do with it is not known, so no request is built for it.
    #[error("unit 0 is the broadcast address; no request is built for it")]
    Broadcast,
    /// The vendor's cipher is only defined for RTU frames of sales and parameters.
    #[error("a frame of function {function:02X}H is not enciphered: only sales and parameters over RTU are")]
    NotEnciphered {
        /// The function of the request.
        function: u8,
    },
    /// The PDU is longer than 253 bytes.
    #[error("the PDU has {len} bytes, the limit is 253")]
    PduTooLong {
        /// Bytes of the PDU.
        len: usize,
    },
    /// The answer reads as a factory function, which this crate never builds.
    #[error("{0} is a factory function and can't be built, as an answer neither")]
    Factory(FactoryFunction),
}

/// A frame that is not well formed, whoever sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Fewer bytes than any frame has, or than its header announces.
    #[error("the frame needs {expected} bytes, {actual} came")]
    TooShort {
        /// Bytes needed.
        expected: usize,
        /// Bytes present.
        actual: usize,
    },
    /// More bytes than a frame may have, or than its header announces.
    #[error("the frame has {actual} bytes, {expected} were expected")]
    TooLong {
        /// Bytes expected.
        expected: usize,
        /// Bytes present.
        actual: usize,
    },
    /// The CRC does not fit.
    #[error("CRC {actual:04X}H does not fit, {expected:04X}H was computed")]
    Crc {
        /// Computed over the frame.
        expected: u16,
        /// Found at its end.
        actual: u16,
    },
    /// The MBAP protocol identifier is not 0.
    #[error("MBAP protocol identifier {actual} instead of 0")]
    Protocol {
        /// Found in the header.
        actual: u16,
    },
    /// The MBAP length is outside 2..=254.
    #[error("MBAP length {actual} is outside 2..=254")]
    MbapLength {
        /// Found in the header.
        actual: u16,
    },
    /// The data does not have the shape of a standard function.
    #[error("function {function:02X}H: {len} data bytes fit neither its request nor its reply")]
    Shape {
        /// Function code.
        function: u8,
        /// Data bytes after the function code.
        len: usize,
    },
    /// A byte count disagrees with the register count or with the bytes that follow.
    #[error("function {function:02X}H: byte count {actual} instead of {expected}")]
    ByteCount {
        /// Function code.
        function: u8,
        /// The count that would fit.
        expected: usize,
        /// The count found.
        actual: usize,
    },
    /// A register count is zero or above the limit of the function.
    #[error("function {function:02X}H: register count {count} is outside the limits of the function")]
    Count {
        /// Function code.
        function: u8,
        /// Registers named in the frame.
        count: usize,
    },
    /// Address and count run past register FFFFH.
    #[error("function {function:02X}H: {count} registers from {address:04X}H run past FFFFH")]
    PastEnd {
        /// Function code.
        function: u8,
        /// First register.
        address: u16,
        /// Number of registers.
        count: u16,
    },
    /// Exception code 0, which is reserved.
    #[error("exception code 0 is reserved")]
    ExceptionZero,
}

/// A frame that is not the answer to the request it was held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// The frame itself is not well formed.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// Another unit answered.
    #[error("unit {actual} answered, {expected} was asked")]
    Unit {
        /// Unit asked.
        expected: u8,
        /// Unit in the frame.
        actual: u8,
    },
    /// Another function, and not its exception.
    #[error("function {actual:02X}H answered, {expected:02X}H was asked")]
    Function {
        /// Function asked.
        expected: u8,
        /// Function in the frame.
        actual: u8,
    },
    /// Another transaction of the same connection (Modbus/TCP).
    #[error("transaction {actual} answered, {expected} was asked")]
    Transaction {
        /// Identifier sent.
        expected: u16,
        /// Identifier in the frame.
        actual: u16,
    },
    /// The byte count is not twice the register count asked.
    #[error("byte count {actual}, {expected} was asked")]
    ByteCount {
        /// Twice the register count asked.
        expected: usize,
        /// Found in the frame.
        actual: usize,
    },
    /// A write of another address was confirmed.
    #[error("address {actual:04X}H was confirmed, {expected:04X}H was written")]
    Address {
        /// Address written.
        expected: u16,
        /// Address in the frame.
        actual: u16,
    },
    /// Another value or register count was confirmed.
    #[error("{actual} was confirmed, {expected} was written")]
    Value {
        /// Value (06H) or register count (10H) written.
        expected: u16,
        /// Found in the frame.
        actual: u16,
    },
}
