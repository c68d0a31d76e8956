//! Collection: one task a line, from the first contact with a meter to the last read-back of a sale.

pub mod commission;
pub mod line;
pub mod patience;
pub mod reading;
