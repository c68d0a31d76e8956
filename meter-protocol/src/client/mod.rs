//! Drivers that join a [`crate::session::Session`] to something that carries bytes.

#[cfg(feature = "tokio")]
pub mod tokio;
