//! What the suites do with one frame.

use super::cmac::Cmac;
use super::derive::{Use, keyed};
use super::{HEADER_LEN, KeyBundle, MAX_PAYLOAD_LEN, Suite};
use cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit};
use des::TdesEde3;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

#[cfg(any(feature = "seal-aes", feature = "seal-sm4"))]
use ccm::{AeadInOut, consts};

// How often a frame was verified and deciphered, for the test that every refusal takes the same way.
#[cfg(test)]
std::thread_local! {
    pub(super) static CALLS: core::cell::Cell<(u32, u32)> = const { core::cell::Cell::new((0, 0)) };
}

type DesBlock = cipher::Block<TdesEde3>;

const DES_BLOCK: usize = 8;

/// The keys of one direction and epoch.
#[cfg_attr(
    any(feature = "seal-aes", feature = "seal-sm4"),
    expect(clippy::large_enum_variant, reason = "no allocation: a receiver holds at most two")
)]
pub(super) enum EpochKeys {
    Tdes(TdesKeys),
    #[cfg(feature = "seal-aes")]
    Aes(ccm::Ccm<aes::Aes128, consts::U8, consts::U13>),
    #[cfg(feature = "seal-sm4")]
    Sm4(ccm::Ccm<sm4::Sm4, consts::U16, consts::U12>),
}

pub(super) struct TdesKeys {
    cipher: TdesEde3,
    cmac: Cmac<TdesEde3>,
    iv: TdesEde3,
}

/// Where a payload stands until it may be released. Wiped when dropped.
pub(super) struct Scratch {
    bytes: [u8; MAX_PAYLOAD_LEN],
    used: usize,
}

/// The filling of an authentic frame is not zero.
pub(super) struct BadPadding;

impl EpochKeys {
    pub(super) fn new(suite: Suite, key: impl Fn(Use) -> KeyBundle) -> Self {
        match suite {
            #[cfg(feature = "seal-aes")]
            Suite::AesCcm => Self::Aes(ccm::Ccm::from(keyed::<aes::Aes128>(key(Use::Aead).bytes()))),
            #[cfg(feature = "seal-sm4")]
            Suite::Sm4Ccm => Self::Sm4(ccm::Ccm::from(keyed::<sm4::Sm4>(key(Use::Aead).bytes()))),
            // A bundle of a suite that is not built in can't be made.
            _ => Self::Tdes(TdesKeys {
                cipher: keyed(key(Use::Encipher).bytes()),
                cmac: Cmac::new(keyed(key(Use::Authenticate).bytes())),
                iv: keyed(key(Use::Iv).bytes()),
            }),
        }
    }

    /// Enciphers `frame`, which holds header, payload with its filling, and room for the tag.
    pub(super) fn seal(&self, frame: &mut [u8], body_len: usize) {
        let Some((header, rest)) = frame.split_first_chunk_mut::<HEADER_LEN>() else { return };
        match self {
            Self::Tdes(keys) => {
                if let Some(body) = rest.get_mut(..body_len) {
                    keys.encipher(header, body);
                }
                let authentic_len = HEADER_LEN.saturating_add(body_len);
                let Some((authentic, tag)) = frame.split_at_mut_checked(authentic_len) else { return };
                write(tag, &keys.cmac.mac(authentic));
            }
            #[cfg(feature = "seal-aes")]
            Self::Aes(ccm) => {
                let Some((body, tag)) = rest.split_at_mut_checked(body_len) else { return };
                let Some(nonce) = header.last_chunk::<13>() else { return };
                if let Ok(made) = ccm.encrypt_inout_detached(nonce.into(), header, body.into()) {
                    write(tag, &made);
                }
            }
            #[cfg(feature = "seal-sm4")]
            Self::Sm4(ccm) => {
                let Some((body, tag)) = rest.split_at_mut_checked(body_len) else { return };
                let Some(nonce) = header.last_chunk::<12>() else { return };
                if let Ok(made) = ccm.encrypt_inout_detached(nonce.into(), header, body.into()) {
                    write(tag, &made);
                }
            }
        }
    }

    /// Whether the tag fits, compared in constant time. CCM authenticates the payload itself, which it needs to decipher
    /// for that: it stays in the scratch and is wiped there.
    #[cfg_attr(
        not(any(feature = "seal-aes", feature = "seal-sm4")),
        expect(unused_variables, reason = "suite 1 is authenticated as it came")
    )]
    pub(super) fn verify(&self, frame: &[u8], body: &[u8], tag: &[u8], scratch: &mut Scratch) -> bool {
        #[cfg(test)]
        CALLS.with(|calls| calls.update(|(verified, deciphered)| (verified + 1, deciphered)));
        match self {
            Self::Tdes(keys) => {
                let authentic_len = HEADER_LEN.saturating_add(body.len());
                let authentic = frame.get(..authentic_len).unwrap_or_default();
                keys.cmac.mac(authentic).as_slice().ct_eq(tag).into()
            }
            #[cfg(feature = "seal-aes")]
            Self::Aes(ccm) => {
                let Some(header) = frame.first_chunk::<HEADER_LEN>() else { return false };
                let (Some(nonce), Ok(tag)) = (header.last_chunk::<13>(), tag.try_into()) else { return false };
                ccm.decrypt_inout_detached(nonce.into(), header, scratch.take(body).into(), tag).is_ok()
            }
            #[cfg(feature = "seal-sm4")]
            Self::Sm4(ccm) => {
                let Some(header) = frame.first_chunk::<HEADER_LEN>() else { return false };
                let (Some(nonce), Ok(tag)) = (header.last_chunk::<12>(), tag.try_into()) else { return false };
                ccm.decrypt_inout_detached(nonce.into(), header, scratch.take(body).into(), tag).is_ok()
            }
        }
    }

    /// The payload of a frame that [`EpochKeys::verify`] found authentic, as long as its body: filling included.
    pub(super) fn decipher<'s>(
        &self,
        frame: &[u8],
        body: &[u8],
        payload_len: usize,
        scratch: &'s mut Scratch,
    ) -> Result<&'s [u8], BadPadding> {
        #[cfg(test)]
        CALLS.with(|calls| calls.update(|(verified, deciphered)| (verified, deciphered + 1)));
        match self {
            Self::Tdes(keys) => {
                let header = frame.first_chunk::<HEADER_LEN>().ok_or(BadPadding)?;
                keys.decipher(header, scratch.take(body));
            }
            #[cfg(feature = "seal-aes")]
            Self::Aes(_) => {}
            #[cfg(feature = "seal-sm4")]
            Self::Sm4(_) => {}
        }
        let (payload, filling) = scratch.bytes().split_at_checked(payload_len).ok_or(BadPadding)?;
        if filling.iter().all(|byte| *byte == 0) { Ok(payload) } else { Err(BadPadding) }
    }
}

impl TdesKeys {
    /// The last eight bytes of the header, session and counter, are unique under the key: enciphered under a key of
    /// their own nobody can predict the result, and no random numbers are needed.
    fn iv(&self, header: &[u8; HEADER_LEN]) -> DesBlock {
        let mut iv = DesBlock::default();
        if let Some(unique) = header.last_chunk::<DES_BLOCK>() {
            iv = (*unique).into();
        }
        cipher::BlockCipherEncrypt::encrypt_block(&self.iv, &mut iv);
        iv
    }

    fn encipher(&self, header: &[u8; HEADER_LEN], body: &mut [u8]) {
        let mut cbc = cbc::Encryptor::inner_iv_init(&self.cipher, &self.iv(header));
        let (blocks, _) = DesBlock::slice_as_chunks_mut(body);
        cbc.encrypt_blocks(blocks);
    }

    fn decipher(&self, header: &[u8; HEADER_LEN], body: &mut [u8]) {
        let mut cbc = cbc::Decryptor::inner_iv_init(&self.cipher, &self.iv(header));
        let (blocks, _) = DesBlock::slice_as_chunks_mut(body);
        cbc.decrypt_blocks(blocks);
    }
}

impl Scratch {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; MAX_PAYLOAD_LEN], used: 0 }
    }

    fn take(&mut self, body: &[u8]) -> &mut [u8] {
        self.used = self.bytes.iter_mut().zip(body).map(|(to, from)| *to = *from).count();
        self.bytes.get_mut(..self.used).unwrap_or_default()
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or_default()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(used) = self.bytes.get_mut(..self.used) {
            used.zeroize();
        }
    }
}

fn write(to: &mut [u8], from: &[u8]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::ZeroizeOnDrop;

    /// What holds key material wipes itself. `Cmac` wipes its subkeys and holds a cipher that does so.
    #[test]
    fn keys_are_wiped_when_dropped() {
        fn wiped<T: ZeroizeOnDrop>() {}
        wiped::<KeyBundle>();
        wiped::<TdesEde3>();
        #[cfg(feature = "seal-aes")]
        wiped::<aes::Aes128>();
        #[cfg(feature = "seal-sm4")]
        wiped::<sm4::Sm4>();
    }
}
