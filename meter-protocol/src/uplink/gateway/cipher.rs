//! The device secret: authentication by MD5, and AES-128-CBC with the secret as key and first block.

use super::GatewayError;
use super::frame::MAX_DATA_LEN;
use aes::Aes128;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use core::fmt;
use md5::{Digest, Md5};
use std::string::String;
use std::vec::Vec;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The 16 bytes that a gateway and its station share, supplied by the operator. Wiped when dropped, not shown by `Debug`.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct GatewaySecret([u8; 16]);

impl GatewaySecret {
    /// A secret of 16 characters.
    ///
    /// # Errors
    /// [`GatewayError::SecretLength`].
    pub fn new(secret: &str) -> Result<Self, GatewayError> {
        let len = secret.len();
        secret.as_bytes().try_into().map(Self).map_err(|_| GatewayError::SecretLength { len })
    }

    /// What a gateway answers to a sequence: md5(secret + sequence) as 32 lower-case digits.
    #[must_use]
    pub fn digest(&self, sequence: &str) -> String {
        let digest = Md5::new().chain_update(self.0).chain_update(sequence.as_bytes()).finalize();
        digest
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 0xF])
            .filter_map(|digit| char::from_digit(digit.into(), 16))
            .collect()
    }

    /// Whether `answer` is the digest of `sequence`, in either case, compared in constant time.
    #[must_use]
    pub fn is_answered_by(&self, sequence: &str, answer: &str) -> bool {
        let expected = self.digest(sequence);
        let answer = answer.as_bytes();
        let differing = expected.bytes().zip(answer).fold(0, |sum, (a, b)| sum | (a ^ b.to_ascii_lowercase()));
        answer.len() == expected.len() && differing == 0
    }

    /// Enciphers data.
    #[must_use]
    pub(super) fn encipher(&self, plain: &[u8]) -> Vec<u8> {
        cbc::Encryptor::<Aes128>::new(&self.0.into(), &self.0.into()).encrypt_padded_vec::<Pkcs7>(plain)
    }

    /// Deciphers data.
    ///
    /// # Errors
    /// [`GatewayError::Cipher`].
    pub fn decipher(&self, data: &[u8]) -> Result<Vec<u8>, GatewayError> {
        let mode = cbc::Decryptor::<Aes128>::new(&self.0.into(), &self.0.into());
        mode.decrypt_padded_vec::<Pkcs7>(data).map_err(|_| GatewayError::Cipher)
    }

    /// Deciphers data that were compressed first, and inflates them to at most [`MAX_DATA_LEN`] bytes.
    ///
    /// # Errors
    /// [`GatewayError::Cipher`], [`GatewayError::Inflate`].
    pub fn decipher_and_inflate(&self, data: &[u8]) -> Result<Vec<u8>, GatewayError> {
        let compressed = self.decipher(data)?;
        miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(&compressed, MAX_DATA_LEN)
            .map_err(|_| GatewayError::Inflate)
    }
}

impl fmt::Debug for GatewaySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GatewaySecret(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No vector with an equal key and first block is published. This is FIPS 197, appendix B: a single block, whose
    /// plain text is mixed with the key beforehand, so that the mixing of the mode takes it out again.
    #[test]
    fn one_block_as_fips_197_says() {
        let key = [0x2B, 0x7E, 0x15, 0x16, 0x28, 0xAE, 0xD2, 0xA6, 0xAB, 0xF7, 0x15, 0x88, 0x09, 0xCF, 0x4F, 0x3C];
        let plain = [0x32, 0x43, 0xF6, 0xA8, 0x88, 0x5A, 0x30, 0x8D, 0x31, 0x31, 0x98, 0xA2, 0xE0, 0x37, 0x07, 0x34];
        let cipher = [0x39, 0x25, 0x84, 0x1D, 0x02, 0xDC, 0x09, 0xFB, 0xDC, 0x11, 0x85, 0x97, 0x19, 0x6A, 0x0B, 0x32];
        let mixed: Vec<u8> = plain.iter().zip(key).map(|(a, b)| a ^ b).collect();
        let secret = GatewaySecret(key);
        let enciphered = secret.encipher(&mixed);
        assert_eq!((&enciphered[..16], enciphered.len()), (&cipher[..], 32));
        assert_eq!(secret.decipher(&enciphered).unwrap(), mixed);
        assert_eq!(secret.decipher(&enciphered[..31]), Err(GatewayError::Cipher));
    }

    #[test]
    fn digests_and_secrets() {
        // RFC 1321: MD5("abcdefghijklmnopqrstuvwxyz"), split into secret and sequence.
        let secret = GatewaySecret::new("abcdefghijklmnop").unwrap();
        assert_eq!(secret.digest("qrstuvwxyz"), "c3fcd3d76192e4007dfb496cca67e13b");
        assert!(secret.is_answered_by("qrstuvwxyz", "C3FCD3D76192E4007DFB496CCA67E13B"));
        assert!(!secret.is_answered_by("qrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13c"));
        assert!(!secret.is_answered_by("qrstuvwxyz", "c3fcd3d7"));
        assert_eq!(std::format!("{secret:?}"), "GatewaySecret(hidden)");
        assert!(matches!(GatewaySecret::new("short"), Err(GatewayError::SecretLength { len: 5 })));
    }

    #[test]
    fn a_bomb_is_not_inflated() {
        let secret = GatewaySecret::new("abcdefghijklmnop").unwrap();
        let bomb = miniz_oxide::deflate::compress_to_vec_zlib(&std::vec![0; MAX_DATA_LEN + 1], 9);
        assert_eq!(secret.decipher_and_inflate(&secret.encipher(&bomb)), Err(GatewayError::Inflate));
    }
}
