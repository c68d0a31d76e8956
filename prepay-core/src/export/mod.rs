//! The journal in the languages of other people's tools.
//!
//! [`Exporter`] writes the journal for [hledger](https://hledger.org) or [beancount](https://beancount.github.io), so
//! that a program that knows nothing of this crate recomputes every balance. [`chain_line`] and [`verify_chain_text`]
//! write and check the hash chain as plain text that any SHA-256 can verify.
//!
//! The text holds numbers only: accounts by number, no names.

mod chain_text;
mod date;
mod exporter;
mod name;

pub use chain_text::{ChainTextError, chain_header, chain_line, verify_chain_text, verify_chain_text_anchored};
pub use exporter::{ExportError, Exporter, Format, exported_balances};
