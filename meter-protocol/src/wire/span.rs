//! Runs of registers, to read and to write, within the limits of their functions.

use super::{MAX_WRITE_REGISTERS, RequestError};
use core::fmt;

/// A run of registers to read: at least one, at most 125, not past FFFFH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub(super) address: u16,
    pub(super) count: u16,
}

impl Span {
    /// First register.
    #[must_use]
    pub const fn address(&self) -> u16 {
        self.address
    }

    /// Number of registers.
    #[must_use]
    pub const fn count(&self) -> u16 {
        self.count
    }

    /// Bytes that the contents take.
    #[inline]
    pub(crate) const fn byte_count(&self) -> usize {
        (self.count as usize).saturating_mul(2)
    }
}

/// Registers to write: at least one, at most 123, not past FFFFH, no factory range.
///
/// `Debug` tells where they stand and not what they hold: that may be a password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RegisterWrite<'a> {
    pub(super) span: Span,
    pub(super) data: &'a [u8],
}

impl<'a> RegisterWrite<'a> {
    /// First register.
    #[must_use]
    pub const fn address(&self) -> u16 {
        self.span.address
    }

    /// Number of registers.
    #[must_use]
    pub const fn count(&self) -> u16 {
        self.span.count
    }

    /// Register contents, two bytes each, high byte first.
    #[must_use]
    pub const fn data(&self) -> &'a [u8] {
        self.data
    }
}

impl fmt::Debug for RegisterWrite<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisterWrite").field("span", &self.span).finish_non_exhaustive()
    }
}

pub(super) const fn span(address: u16, count: usize, max: u16) -> Result<Span, RequestError> {
    if count == 0 || count > max as usize {
        return Err(RequestError::Count { count, max });
    }
    #[expect(clippy::cast_possible_truncation, reason = "at most 125, checked above")]
    let count = count as u16;
    if address.checked_add(count.saturating_sub(1)).is_none() {
        return Err(RequestError::PastEnd { address, count });
    }
    Ok(Span { address, count })
}

pub(super) const fn fixed_span<const ADDRESS: u16, const LEN: usize>() -> Span {
    const {
        assert!(
            LEN.is_multiple_of(2) && span(ADDRESS, LEN / 2, MAX_WRITE_REGISTERS).is_ok(),
            "1..=123 whole registers"
        );
        #[expect(clippy::cast_possible_truncation, reason = "at most 123, asserted above")]
        Span { address: ADDRESS, count: (LEN / 2) as u16 }
    }
}

pub(super) const fn register_write(address: u16, data: &[u8]) -> Result<RegisterWrite<'_>, RequestError> {
    let (pairs, rest) = data.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(RequestError::OddData { len: data.len() });
    }
    match span(address, pairs.len(), MAX_WRITE_REGISTERS) {
        Ok(span) => Ok(RegisterWrite { span, data }),
        Err(error) => Err(error),
    }
}
