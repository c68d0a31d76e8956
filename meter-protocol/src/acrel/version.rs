//! The firmware version, function 11H.

use super::BlockError;
use crate::wire::{Reply, Request};
use core::fmt;

/// Versions from here are test builds.
const TEST_BUILD: u16 = 32768;

/// What the meter answers to the version query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum FirmwareVersion {
    /// A release.
    Release(u16),
    /// A test build.
    TestBuild(u16),
}

impl FirmwareVersion {
    /// 11H with the eight bytes of the vendor's tool.
    pub const READ: Request<'static> = Request::version_query();

    /// Takes the version from the reply: bytes 7 and 8 of the RTU frame, counted from 0.
    ///
    /// # Errors
    /// [`BlockError::Length`] when the reply is not the one of 11H or has other than 11 data bytes.
    pub fn from_reply(reply: &Reply<'_>) -> Result<Self, BlockError> {
        let data = match reply {
            Reply::Id(data) => *data,
            _ => &[],
        };
        match data {
            &[_, _, _, _, _, high, low, _, _, _, _] => Ok(Self::of_word(u16::from_be_bytes([high, low]))),
            _ => Err(BlockError::Length { block: "version reply", expected: 11, actual: data.len() }),
        }
    }

    const fn of_word(word: u16) -> Self {
        match word.checked_sub(TEST_BUILD) {
            None => Self::Release(word),
            Some(build) => Self::TestBuild(build),
        }
    }
}

impl fmt::Display for FirmwareVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Release(number) => write!(f, "release {number}"),
            Self::TestBuild(number) => write!(f, "test build {number}"),
        }
    }
}
