//! Keys and who they belong to.

use super::{KeyError, Suite};
use core::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

const DES_KEY_LEN: usize = 8;
const MAX_KEY_LEN: usize = 24;

/// Which collector a key belongs to: a number that the operator gives out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "a number")]
pub struct PeerId(pub u64);

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The key of a suite: for 3DES a bundle of three DES keys. There is no default key; it is wiped when dropped and not
/// shown by `Debug`.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct KeyBundle {
    #[zeroize(skip)]
    suite: Suite,
    bytes: [u8; MAX_KEY_LEN],
}

impl KeyBundle {
    /// Three DES keys for suite 1. Parity bits are ignored.
    ///
    /// # Errors
    /// [`KeyError::Weak`], [`KeyError::TwoKey`] or [`KeyError::Degenerate`], judged with parity bits masked.
    pub fn tdes(key: &[u8; 24]) -> Result<Self, KeyError> {
        Self::from_slice(Suite::Tdes, key)
    }

    /// A key for suite 2.
    ///
    /// # Errors
    /// [`KeyError::Degenerate`], [`KeyError::NotBuilt`].
    pub fn aes_ccm(key: &[u8; 16]) -> Result<Self, KeyError> {
        Self::from_slice(Suite::AesCcm, key)
    }

    /// A key for suite 3.
    ///
    /// # Errors
    /// [`KeyError::Degenerate`], [`KeyError::NotBuilt`].
    pub fn sm4_ccm(key: &[u8; 16]) -> Result<Self, KeyError> {
        Self::from_slice(Suite::Sm4Ccm, key)
    }

    /// A key of this suite.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_slice(suite: Suite, key: &[u8]) -> Result<Self, KeyError> {
        if !suite.is_built() {
            return Err(KeyError::NotBuilt { suite });
        }
        if key.len() != suite.key_len() {
            return Err(KeyError::Length { suite, expected: suite.key_len(), actual: key.len() });
        }
        if key.iter().all(|byte| Some(byte) == key.first()) {
            return Err(KeyError::Degenerate);
        }
        let bundle = Self::unchecked(suite, key);
        if suite == Suite::Tdes {
            check_des_keys(&bundle.bytes)?;
        }
        Ok(bundle)
    }

    /// A derived key: as good as random, so that it is not judged.
    pub(super) fn unchecked(suite: Suite, key: &[u8]) -> Self {
        let mut bytes = [0; MAX_KEY_LEN];
        bytes.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        Self { suite, bytes }
    }

    /// The suite that it is for.
    #[must_use]
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.suite.key_len()).unwrap_or_default()
    }
}

impl fmt::Debug for KeyBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyBundle(suite {}, hidden)", self.suite.code())
    }
}

/// The published test compares parity bits too, so that a flipped one would hide an equal key: set them all first.
fn check_des_keys(bytes: &[u8; MAX_KEY_LEN]) -> Result<(), KeyError> {
    let mut odd = *bytes;
    for byte in &mut odd {
        let parity = byte.count_ones() & 1;
        // Seven key bits stay, the eighth makes the number of ones odd.
        if parity == 0 {
            *byte ^= 1;
        }
    }
    let (keys, _) = odd.as_chunks::<DES_KEY_LEN>();
    let weak = keys.iter().any(|key| des::weak_key_test(key).is_err());
    let equal = match keys {
        [first, second, third] => first == second || second == third || first == third,
        _ => true,
    };
    odd.zeroize();
    match (weak, equal) {
        (true, _) => Err(KeyError::Weak),
        (_, true) => Err(KeyError::TwoKey),
        _ => Ok(()),
    }
}
