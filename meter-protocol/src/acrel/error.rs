//! What can be wrong with a block that came, and with one that is to be written.

use super::{BenchTest, LinkId, Model, Unsettled};
use thiserror::Error;

/// Registers that can't be read as the block they were asked as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum BlockError {
    /// The block has another length.
    #[error("{block}: {actual} bytes instead of {expected}")]
    Length {
        /// Which block.
        block: &'static str,
        /// Bytes of the block.
        expected: usize,
        /// Bytes that came.
        actual: usize,
    },
    /// The registers do not hold this block.
    #[error("{block}: {count} registers from {address:04X}H do not hold it")]
    Missing {
        /// Which block.
        block: &'static str,
        /// First register that came.
        address: u16,
        /// Registers that came.
        count: usize,
    },
    /// A byte of the block is outside its range.
    #[error("{block}: {field} is {value}, allowed are {min}..={max}")]
    Range {
        /// Which block.
        block: &'static str,
        /// Which field of it.
        field: &'static str,
        /// What came.
        value: u16,
        /// Smallest allowed.
        min: u16,
        /// Largest allowed.
        max: u16,
    },
}

/// A write that is not built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A fact of the meter that this write depends on has not been settled.
    #[error(transparent)]
    Unsettled(#[from] Unsettled),
    /// A value outside what the meter can hold.
    #[error("{field} is {value}, allowed are {min}..={max}")]
    Range {
        /// Which field.
        field: &'static str,
        /// What was given.
        value: i64,
        /// Smallest allowed.
        min: i64,
        /// Largest allowed.
        max: i64,
    },
    /// A price that the meter's scale can't hold without rounding.
    #[error("{field} of {value} micro units has more than {decimals} decimals")]
    Inexact {
        /// Which price.
        field: &'static str,
        /// What was given, in 10^-6 account units per kWh.
        value: u64,
        /// Decimals that the meter holds.
        decimals: u8,
    },
    /// Nothing to write.
    #[error("{block}: nothing is set")]
    Empty {
        /// Which block.
        block: &'static str,
    },
    /// Characters that the meter's text can't hold. They are not shown: they may be a secret.
    #[error("{field} has a character that is no printable ASCII")]
    NotText {
        /// Which field.
        field: &'static str,
    },
    /// A frame whose byte count would not be the number of its bytes.
    #[error("{block}: this meter takes {sent} bytes in a frame that announces {announced}, which is not built")]
    ByteCount {
        /// Which frame.
        block: &'static str,
        /// Bytes that it would announce.
        announced: u8,
        /// Bytes that it would hold.
        sent: u8,
    },
    /// More entries than the table holds.
    #[error("{block}: {count} entries, it holds {max}")]
    TooMany {
        /// Which table.
        block: &'static str,
        /// Entries given.
        count: usize,
        /// Entries it holds.
        max: usize,
    },
    /// The starts of a day table are not in ascending order.
    #[error("day table: slot {slot} does not start after the slot before it")]
    Order {
        /// Index of the slot, from 0.
        slot: usize,
    },
    /// The model has no such table at a known address.
    #[error("{block} is not known for model code {}", model.code())]
    Model {
        /// Which block.
        block: &'static str,
        /// The confirmed model.
        model: Model,
    },
    /// The model was confirmed on another unit, or on a connection that has ended since.
    #[error(
        "the model was confirmed for unit {confirmed_unit} on {confirmed_link}, the write goes to unit {unit} on {link}"
    )]
    Confirmation {
        /// Unit of the confirmation.
        confirmed_unit: u8,
        /// Connection of the confirmation.
        confirmed_link: LinkId,
        /// Unit to be written.
        unit: u8,
        /// Connection to be used.
        link: LinkId,
    },
    /// A sale may only be sent again while the meter still shows the count it had before.
    #[error("purchase count {actual} was read back, {expected} is needed to send the same sale again")]
    CountMoved {
        /// Count before the sale.
        expected: u16,
        /// Count read back.
        actual: u16,
    },
    /// This meter adds a sale with an equal count again, so that a late first frame would be credited twice.
    #[error("this meter adds an equal purchase count again ({test}): build a new sale behind a fence")]
    WouldAddAgain {
        /// The test that settled it.
        test: BenchTest,
    },
}
