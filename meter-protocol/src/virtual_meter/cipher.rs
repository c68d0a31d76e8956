//! The maker's frame encryption as the meter undoes it. Written a second time on purpose, like the check sum.

use alloc::vec::Vec;

/// Rounds of one block, and the sum after the last of them (of 16 bits).
const ROUNDS: u16 = 16;
const STEP: u16 = 0x79B9;

/// The clear bytes of an enciphered frame, padding included, or `None` if it is no whole number of blocks.
pub(super) fn deciphered(frame: &[u8], key: [u16; 4]) -> Option<Vec<u8>> {
    let (blocks, []) = frame.as_chunks::<4>() else { return None };
    let mut clear = Vec::with_capacity(frame.len());
    for &[a, b, c, d] in blocks {
        let (mut left, mut right) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let mut sum = STEP.wrapping_mul(ROUNDS);
        for _ in 0..ROUNDS {
            right = right.wrapping_sub(mixed(left, sum, key[2], key[3]));
            left = left.wrapping_sub(mixed(right, sum, key[0], key[1]));
            sum = sum.wrapping_sub(STEP);
        }
        clear.extend(left.to_be_bytes());
        clear.extend(right.to_be_bytes());
    }
    Some(clear)
}

/// Arithmetic of 16 bits that wraps: so the cipher is defined.
fn mixed(word: u16, sum: u16, first: u16, second: u16) -> u16 {
    (word << 4).wrapping_add(first) ^ word.wrapping_add(sum) ^ (word >> 5).wrapping_add(second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vector_with_its_invented_key() {
        let frame = [
            0xE0, 0x95, 0xD3, 0x88, 0xD7, 0x54, 0xBE, 0xC9, 0x06, 0xFF, 0xC5, 0x83, 0x8F, 0xC9, 0x5C, 0x03, 0xDB, 0x0B,
            0x33, 0x68,
        ];
        let clear = deciphered(&frame, [0x1111, 0x2222, 0x3333, 0x4444]).unwrap();
        let sale = [0x01, 0x20, 0x01, 0, 0, 4, 8, 0, 0, 0x27, 0x10, 0, 1, 0, 0, 0x12, 0x1F, 0, 0, 0];
        assert_eq!(clear, sale);
        assert_eq!(deciphered(&frame[..19], [0; 4]), None);
    }
}
