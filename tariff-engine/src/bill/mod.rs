//! A bill: lines that sum to the total, each explained.

mod charges;
mod demand;
mod energy;
mod invoice;
mod line;
mod settle;
mod text;

pub use invoice::{Invoice, InvoiceLine};
pub use line::{Bill, DemandFact, IncludedTax, Line, LineKind, PeriodInputs, Quantity, Reactive, Reason, Unit};

pub use text::Language;

pub(crate) use demand::Peaks;
pub(crate) use energy::limits_now;
pub(crate) use settle::price_decimal;
