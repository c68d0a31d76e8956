//! Numbers that lose nothing: energy, amounts of money, and the one place where they are rounded.

mod amount;
mod amount_text;
pub(crate) mod decimal_text;
mod digits;
mod energy;
mod fraction;
mod number;
mod power;
mod rounding;
mod wide;

pub use amount::{Amount, AmountError};
pub use energy::{Energy, EnergyError};
pub use number::Number;
pub use power::{Power, PowerError};
pub use rounding::{MAX_PLACES, Rounding, RoundingMode};
