//! The cipher suites and their sizes.

use super::HEADER_LEN;

/// How frames are enciphered and authenticated. Fixed per peer in its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Suite {
    /// 1: three-key 3DES, CBC and CMAC, encrypt-then-MAC, tag of 8 bytes. Legacy interoperability.
    Tdes,
    /// 2: AES-128-CCM, nonce of 13 bytes, tag of 8.
    AesCcm,
    /// 3: SM4-CCM with the parameters of RFC 8998, nonce of 12 bytes, tag of 16.
    Sm4Ccm,
}

impl Suite {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Tdes, Self::AesCcm, Self::Sm4Ccm];

    /// Byte 1 of a frame.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Tdes => 1,
            Self::AesCcm => 2,
            Self::Sm4Ccm => 3,
        }
    }

    /// The suite of a code.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Tdes),
            2 => Some(Self::AesCcm),
            3 => Some(Self::Sm4Ccm),
            _ => None,
        }
    }

    /// Whether this build can use it: suites 2 and 3 are features of their own.
    #[must_use]
    pub const fn is_built(self) -> bool {
        match self {
            Self::Tdes => true,
            Self::AesCcm => cfg!(feature = "seal-aes"),
            Self::Sm4Ccm => cfg!(feature = "seal-sm4"),
        }
    }

    /// Bytes of a key.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::Tdes => 24,
            Self::AesCcm | Self::Sm4Ccm => 16,
        }
    }

    /// Bytes of a frame's tag.
    #[must_use]
    pub const fn tag_len(self) -> usize {
        match self {
            Self::Tdes | Self::AesCcm => 8,
            Self::Sm4Ccm => 16,
        }
    }

    /// Bytes that a payload takes up in a frame: suite 1 fills its last block with zeros.
    #[must_use]
    pub const fn body_len(self, payload_len: usize) -> usize {
        match self {
            Self::Tdes => payload_len.saturating_add(7) & !7,
            Self::AesCcm | Self::Sm4Ccm => payload_len,
        }
    }

    /// Bytes of a frame with a payload of this length.
    #[must_use]
    pub const fn frame_len(self, payload_len: usize) -> usize {
        HEADER_LEN.saturating_add(self.body_len(payload_len)).saturating_add(self.tag_len())
    }

    /// Block operations under the busiest derived key that a frame costs.
    #[must_use]
    pub const fn frame_blocks(self, payload_len: usize) -> u64 {
        match self {
            // The MAC key: header and ciphertext.
            Self::Tdes => (payload_len as u64).div_ceil(8).saturating_add(2),
            // One key: first block, header with its length, the tag's pad, and each block twice.
            Self::AesCcm | Self::Sm4Ccm => (payload_len as u64).div_ceil(16).saturating_mul(2).saturating_add(4),
        }
    }

    /// Block operations that are allowed under one derived key. SP 800-67r2 sets 2^20 for 3DES; 2^32 is this format's
    /// own bound for blocks of 128 bits.
    #[must_use]
    pub const fn block_budget(self) -> u64 {
        match self {
            Self::Tdes => 1 << 20,
            Self::AesCcm | Self::Sm4Ccm => 1 << 32,
        }
    }
}
