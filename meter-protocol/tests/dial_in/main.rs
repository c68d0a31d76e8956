//! 4G meters that dial in: the virtual meter with its radio module on one side, the hub on the other.
#![cfg(all(feature = "dial-in", feature = "virtual-meter"))]
#![allow(clippy::inconsistent_digit_grouping, reason = "amounts in hundredths: 100_00 is 100.00")]
#![allow(clippy::disallowed_methods, reason = "tests may panic")]

mod hub;
mod rig;
mod sales;
mod typed;
