//! Text and secrets as the meter keeps them: a fixed number of bytes, ended by the first zero byte.

use crate::acrel::BuildError;
use core::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Text of the meter, up to `N` bytes, ended by the first zero byte.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct WireText<const N: usize>(pub(super) [u8; N]);

impl<const N: usize> WireText<N> {
    /// A text to write; the rest is filled with zero bytes. `field` is what an error calls it.
    ///
    /// # Errors
    /// [`BuildError::TooMany`] above `N` characters, [`BuildError::NotText`] for one that is no printable ASCII.
    pub fn new(field: &'static str, text: &str) -> Result<Self, BuildError> {
        filled(field, text).map(Self)
    }

    /// The characters, or `None` when they are no text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        core::str::from_utf8(used(&self.0)).ok()
    }

    /// Characters of the text, at most `N`.
    #[must_use]
    pub fn len(&self) -> usize {
        used(&self.0).len()
    }

    /// Whether there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<const N: usize> fmt::Debug for WireText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_str(), f)
    }
}

/// The characters, or nothing when they are no text.
#[cfg(feature = "serde")]
impl<const N: usize> serde::Serialize for WireText<N> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_str().serialize(serializer)
    }
}

/// A secret of the meter, up to `N` bytes. Wiped when dropped; `Debug` and serde say nothing about it, not even its
/// length.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Secret<const N: usize>(pub(super) [u8; N]);

impl<const N: usize> Secret<N> {
    /// A secret to write; the rest is filled with zero bytes. `field` is what an error calls it.
    ///
    /// # Errors
    /// [`BuildError::TooMany`] above `N` characters, [`BuildError::NotText`] for one that is no printable ASCII. Neither
    /// holds a character of it.
    pub fn new(field: &'static str, text: &str) -> Result<Self, BuildError> {
        filled(field, text).map(Self)
    }

    /// The secret itself, up to the first zero byte. Never log it.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        used(&self.0)
    }

    /// All `N` bytes. Never log them.
    #[must_use]
    pub const fn reveal_all(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// The word `hidden`.
#[cfg(feature = "serde")]
impl<const N: usize> serde::Serialize for Secret<N> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("hidden")
    }
}

/// The bytes before the first zero byte.
fn used(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn filled<const N: usize>(field: &'static str, text: &str) -> Result<[u8; N], BuildError> {
    if text.len() > N {
        return Err(BuildError::TooMany { block: field, count: text.len(), max: N });
    }
    if !text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Err(BuildError::NotText { field });
    }
    let mut bytes = [0; N];
    bytes.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
    Ok(bytes)
}
