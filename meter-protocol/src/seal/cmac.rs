//! CMAC (SP 800-38B) with its subkeys kept. The published crate enciphers the zero block anew for each message, which
//! is a twentieth of a short 3DES frame; tests compare the two.

use cipher::typenum::Unsigned;
use cipher::{Block, BlockCipherEncrypt};
use zeroize::Zeroize;

/// Feedback of the doubling for blocks of 64 and of 128 bits.
const R64: u8 = 0x1B;
const R128: u8 = 0x87;

pub(super) struct Cmac<C: BlockCipherEncrypt> {
    cipher: C,
    whole: Block<C>,
    partial: Block<C>,
}

impl<C: BlockCipherEncrypt> Cmac<C> {
    pub(super) fn new(cipher: C) -> Self {
        let mut zero = Block::<C>::default();
        cipher.encrypt_block(&mut zero);
        let whole = doubled::<C>(&zero);
        let partial = doubled::<C>(&whole);
        zero.as_mut_slice().zeroize();
        Self { cipher, whole, partial }
    }

    pub(super) fn mac(&self, data: &[u8]) -> Block<C> {
        let block_len = C::BlockSize::USIZE;
        let mut state = Block::<C>::default();
        let last_len = match data.len().checked_rem(block_len) {
            Some(0) | None => block_len.min(data.len()),
            Some(rest) => rest,
        };
        let (blocks, last) = data.split_at_checked(data.len().saturating_sub(last_len)).unwrap_or((data, &[]));
        for block in blocks.chunks_exact(block_len) {
            xor(&mut state, block);
            self.cipher.encrypt_block(&mut state);
        }
        xor(&mut state, last);
        if last.len() == block_len {
            xor(&mut state, &self.whole);
        } else {
            state.iter_mut().skip(last.len()).take(1).for_each(|byte| *byte ^= 0x80);
            xor(&mut state, &self.partial);
        }
        self.cipher.encrypt_block(&mut state);
        state
    }
}

impl<C: BlockCipherEncrypt> Drop for Cmac<C> {
    fn drop(&mut self) {
        // The cipher wipes its own schedule.
        self.whole.as_mut_slice().zeroize();
        self.partial.as_mut_slice().zeroize();
    }
}

/// Multiplied by x in the field of the block.
fn doubled<C: BlockCipherEncrypt>(block: &Block<C>) -> Block<C> {
    let mut to = Block::<C>::default();
    let following = block.iter().skip(1).copied().chain(core::iter::once(0));
    for (byte, (high, low)) in to.iter_mut().zip(block.iter().zip(following)) {
        *byte = high << 1 | low >> 7;
    }
    let carry = block.first().map_or(0, |byte| byte >> 7);
    let feedback = if C::BlockSize::USIZE == 8 { R64 } else { R128 };
    if let Some(last) = to.last_mut() {
        // Without a branch on a secret bit.
        *last ^= feedback & carry.wrapping_neg();
    }
    to
}

fn xor(to: &mut [u8], with: &[u8]) {
    to.iter_mut().zip(with).for_each(|(to, with)| *to ^= with);
}

#[cfg(test)]
mod tests {
    use super::*;
    use cipher::KeyInit;
    use des::TdesEde3;
    use std::process::Command;
    use std::string::String;
    use std::vec::Vec;

    fn hex(digits: &str) -> Vec<u8> {
        digits.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    /// A key of 16 bytes is K1 ‖ K2 with K3 = K1: only vectors have such.
    fn tdes(key: &[u8]) -> TdesEde3 {
        let whole: Vec<u8> = key.iter().chain(key).copied().take(24).collect();
        TdesEde3::new_from_slice(&whole).unwrap()
    }

    /// SP 800-38B, D.4 (three keys) and D.5 (two keys).
    #[test]
    fn the_examples_of_the_standard() {
        const MESSAGE: &str = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51";
        let three = "8aa83bf8cbda10620bc1bf19fbb6cd58bc313d4a371ca8b5";
        let two = "4cf15134a2850dd58a3d10ba80570d384cf15134a2850dd5";
        let tags = [
            (three, 0, "b7a688e122ffaf95"),
            (three, 8, "8e8f293136283797"),
            (three, 20, "743ddbe0ce2dc2ed"),
            (three, 32, "33e6b1092400eae5"),
            (two, 0, "bd2ebf9a3ba00361"),
            (two, 8, "4ff2ab813c53ce83"),
            (two, 20, "62dd1b471902bd4e"),
            (two, 32, "31b1e431dabc4eb8"),
        ];
        for (key, len, tag) in tags {
            assert_eq!(Cmac::new(tdes(&hex(key))).mac(&hex(MESSAGE)[..len]).as_slice(), hex(tag), "{key} {len}");
        }
    }

    /// The example of SP 800-67: what every suite-1 operation stands on.
    #[test]
    fn the_block_cipher() {
        let cipher = tdes(&hex("0123456789abcdef23456789abcdef01456789abcdef0123"));
        let mut text = hex("54686520717566636b2062726f776e20666f78206a756d70");
        for block in text.as_chunks_mut::<8>().0 {
            cipher.encrypt_block(block.into());
        }
        assert_eq!(text, hex("a826fd8ce53b855fcce21c8112256fe668d5c05dd9b6b900"));
    }

    /// CAVP's vectors as the published package carries them: 96 with two keys, 96 with three.
    #[test]
    fn the_vectors_of_the_published_package() {
        let metadata = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--offline", "--manifest-path"])
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
            .output()
            .unwrap();
        let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
        let packages = metadata["packages"].as_array().unwrap();
        let package = packages.iter().find(|package| package["name"] == "cmac").unwrap();
        let manifest = std::path::Path::new(package["manifest_path"].as_str().unwrap());
        let mut checked = 0;
        for name in ["cmac_tdes2_cavp", "cmac_tdes3_cavp"] {
            let path = manifest.with_file_name("tests").join("data").join(String::from(name) + ".blb");
            for vector in blobs(&std::fs::read(path).unwrap()).as_chunks::<3>().0 {
                let [key, message, tag] = vector;
                let made = Cmac::new(tdes(key)).mac(message);
                assert_eq!(made.get(..tag.len()), Some(&tag[..]), "{name} {key:?}");
                checked += 1;
            }
        }
        assert_eq!(checked, 192);
    }

    #[test]
    fn the_published_package_agrees_at_every_length() {
        use cmac::Mac;
        let key = hex("8aa83bf8cbda10620bc1bf19fbb6cd58bc313d4a371ca8b5");
        let data: Vec<u8> = (0..80).collect();
        for len in 0..=data.len() {
            let mut theirs = cmac::Cmac::<TdesEde3>::new_from_slice(&key).unwrap();
            theirs.update(&data[..len]);
            assert_eq!(Cmac::new(tdes(&key)).mac(&data[..len]), theirs.finalize().into_bytes(), "{len}");
        }
    }

    /// A file of blobs: their number, then blobs that are referred to, then each with its length or a reference.
    fn blobs(file: &[u8]) -> Vec<Vec<u8>> {
        let mut rest = file;
        let count = number(&mut rest);
        let shared = (0..number(&mut rest)).map(|_| blob(&mut rest)).collect::<Vec<_>>();
        let items = (0..count).map(|_| match number(&mut rest) {
            reference if reference & 1 == 1 => shared[reference >> 1].clone(),
            len => rest.split_off(..len >> 1).unwrap().to_vec(),
        });
        items.collect()
    }

    fn blob(rest: &mut &[u8]) -> Vec<u8> {
        let len = number(rest);
        rest.split_off(..len).unwrap().to_vec()
    }

    fn number(rest: &mut &[u8]) -> usize {
        let mut next = || usize::from(*rest.split_off_first().unwrap());
        let mut byte = next();
        let mut value = byte & 0x7F;
        while byte & 0x80 != 0 {
            byte = next();
            value = (value + 1) << 7 | byte & 0x7F;
        }
        value
    }
}
