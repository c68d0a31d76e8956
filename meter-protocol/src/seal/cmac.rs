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
