//! The drivers for firmware against virtual meters over a line in memory: direction pin, time-outs, noise, and a read
//! future that outlives them all. Time is virtual.
#![cfg(all(feature = "virtual-meter", feature = "embedded-io-07", feature = "embedded-io-async-07"))]

mod asynchronous;
mod blocking;
mod line;
