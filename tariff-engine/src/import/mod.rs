//! Tariffs in other forms.

#[cfg(feature = "urdb")]
pub mod urdb;
