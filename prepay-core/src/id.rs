//! Names of things: small integers that fit a database key and hold no personal data.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A customer's account. Chosen by the caller, unique within one ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub u64);

/// A sale (also of credit that the station holds). Rises within one account, so that an old request can't come back as a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SaleId(pub u64);

/// A refund or reversal. Rises within one account, so that an old request can't come back as a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RefundId(pub u64);

/// A debt at the station. Rises within one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DebtId(pub u64);

/// A means of payment at a place (till 3 cash, card terminal 1): the owner of a cash account in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChannelId(pub u64);

/// A person who works with the station, by number. Names stay in the caller's own records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperatorId(pub u64);

/// A meter's own number: up to [`MeterNumber::DIGITS`] decimal digits, read from the meter, not its bus address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct MeterNumber(u64);

impl MeterNumber {
    /// Digits of the longest number.
    pub const DIGITS: usize = 12;
    /// The greatest number.
    pub const MAX: u64 = 999_999_999_999;

    /// Takes a number of at most twelve digits.
    ///
    /// # Errors
    /// [`IdError::MeterNumber`] above [`MeterNumber::MAX`].
    pub const fn new(number: u64) -> Result<Self, IdError> {
        if number > Self::MAX { Err(IdError::MeterNumber { number, max: Self::MAX }) } else { Ok(Self(number)) }
    }

    /// The number, or the greatest one.
    #[cfg(feature = "sim")]
    pub(crate) fn at_most(number: u64) -> Self {
        Self(number.min(Self::MAX))
    }

    /// The number as an integer.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for MeterNumber {
    type Error = IdError;

    fn try_from(number: u64) -> Result<Self, IdError> {
        Self::new(number)
    }
}

impl From<MeterNumber> for u64 {
    fn from(number: MeterNumber) -> Self {
        number.0
    }
}

impl fmt::Display for MeterNumber {
    /// Twelve digits with leading zeros, as on the meter's plate.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}", self.0)
    }
}

/// Why a person did something: short text that is kept with the order for good.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reason(String);

impl Reason {
    /// Longest reason in bytes.
    pub const MAX_BYTES: usize = 400;

    /// Takes a reason that says something.
    ///
    /// # Errors
    /// [`IdError::ReasonEmpty`] for blank text, [`IdError::ReasonLong`] above [`Reason::MAX_BYTES`].
    pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
        let text = text.into();
        if text.trim().is_empty() {
            return Err(IdError::ReasonEmpty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(IdError::ReasonLong { bytes: text.len(), max: Self::MAX_BYTES });
        }
        Ok(Self(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Reason {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        Self::new(text)
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        reason.0
    }
}

/// A name that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IdError {
    /// More than twelve digits.
    #[error("meter number {number} is above {max}")]
    MeterNumber {
        /// What was given.
        number: u64,
        /// The greatest number.
        max: u64,
    },
    /// An order needs a reason.
    #[error("the reason is blank")]
    ReasonEmpty,
    /// The reason is longer than is kept.
    #[error("the reason has {bytes} bytes, at most {max} are kept")]
    ReasonLong {
        /// Its length in bytes.
        bytes: usize,
        /// The longest kept.
        max: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meter_number_has_twelve_digits() {
        assert_eq!(alloc::format!("{}", MeterNumber::new(42).unwrap()), "000000000042");
        assert!(MeterNumber::new(MeterNumber::MAX).is_ok());
        assert!(MeterNumber::new(MeterNumber::MAX + 1).is_err());
        assert!(serde_json::from_str::<MeterNumber>("1000000000000").is_err());
    }

    #[test]
    fn a_reason_says_something_and_is_short() {
        assert_eq!(Reason::new("  "), Err(IdError::ReasonEmpty));
        assert!(Reason::new("x".repeat(Reason::MAX_BYTES)).is_ok());
        assert!(Reason::new("x".repeat(Reason::MAX_BYTES + 1)).is_err());
    }
}
