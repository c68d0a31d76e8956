//! Collection: a task a line that works on the bus, and a desk a line that speaks for the books.

pub mod commission;
pub mod desk;
pub mod line;
pub mod order;
pub mod patience;
pub mod reading;
pub mod setup;
