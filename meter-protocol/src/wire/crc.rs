//! CRC-16 of Modbus RTU (polynomial 8005H reflected, start FFFFH), sent low byte first.
//!
//! Two tables with the same result: [`crc16_512`] needs 512 bytes of constants, [`crc16_8k`] 8 KiB and runs
//! several times faster. [`crc16`] is the one that the frames use; feature `crc-8k` makes it the fast one.
//!
//! Long frames are shortened before they meet the large table. The polynomial is P = x¹⁶ + x¹⁵ + x² + 1, and squaring
//! over GF(2) only doubles the exponents: for units of u = 2ᵏ bits, x¹⁶ᵘ = x¹⁵ᵘ + x²ᵘ + 1 (mod P). So a unit in front can
//! be dropped when it is added to the units 1, 14 and 16 places behind it, whatever the unit: three exclusive ors for 8
//! bytes, no look-up and no multiplication. Which bit of a unit comes first on the wire does not matter to this.

use core::ops::BitXorAssign;

const POLYNOMIAL: u16 = 0xA001;
pub(crate) const START: u16 = 0xFFFF;
/// Bytes that one step of the large table takes.
const STRIDE: usize = 16;
/// Units of a block that is to be shortened by half. Of the widest units it holds the longest frame.
const UNITS: usize = 32;
/// Bytes of such a block.
const BLOCK: usize = 256;
/// From this length on, shortening costs less than looking up.
const SHORTEN_FROM: usize = 64;

/// Remainder of each byte value: the 512-byte table.
pub static TABLE_512: [u16; 256] = byte_table();

/// Remainder of each byte value at each of 16 distances from the end: the 8 KiB table.
///
/// `TABLE_8K[d][b]` is the remainder of byte `b` followed by `d` zero bytes.
pub static TABLE_8K: [[u16; 256]; STRIDE] = distance_table();

/// CRC of a frame without its two CRC bytes.
///
/// ```
/// use meter_protocol::wire::crc::crc16;
/// // The poll of address 1 ends with 44 66 on the wire: low byte first.
/// assert_eq!(crc16(&[0x01, 0x03, 0x02, 0x00, 0x00, 0x30]), 0x6644);
/// ```
#[inline]
#[must_use]
pub fn crc16(bytes: &[u8]) -> u16 {
    if cfg!(feature = "crc-8k") { crc16_8k(bytes) } else { crc16_512(bytes) }
}

/// [`crc16`] by the 512-byte table, one byte a step.
#[inline]
#[must_use]
pub fn crc16_512(bytes: &[u8]) -> u16 {
    step_bytes(START, bytes)
}

/// [`crc16`] by the 8 KiB table, 16 bytes a step; frames of 64 bytes and more are shortened first.
#[must_use]
pub fn crc16_8k(bytes: &[u8]) -> u16 {
    bytes.chunks(BLOCK).fold(START, |crc, block| {
        if block.len() < SHORTEN_FROM {
            return step_strides(crc, block);
        }
        shortened(crc, block).iter().fold(0, step_stride)
    })
}

#[inline]
fn step_strides(crc: u16, bytes: &[u8]) -> u16 {
    let (strides, rest) = bytes.as_chunks::<STRIDE>();
    let crc = strides.iter().fold(crc, step_stride);
    // What is left: at most one eight, one four and three single bytes.
    let (eights, rest) = rest.as_chunks::<8>();
    let crc = eights.iter().fold(crc, step_eight);
    let (fours, rest) = rest.as_chunks::<4>();
    step_bytes(fours.iter().fold(crc, step_four), rest)
}

/// The 16 look-ups do not wait for each other.
#[inline]
fn step_stride(crc: u16, stride: &[u8; STRIDE]) -> u16 {
    let [low, high] = crc.to_le_bytes();
    let t = &TABLE_8K;
    let first = look_up(&t[15], stride[0] ^ low) ^ look_up(&t[14], stride[1] ^ high);
    let second = look_up(&t[13], stride[2]) ^ look_up(&t[12], stride[3]) ^ look_up(&t[11], stride[4]);
    let third = look_up(&t[10], stride[5]) ^ look_up(&t[9], stride[6]) ^ look_up(&t[8], stride[7]);
    let fourth = look_up(&t[7], stride[8]) ^ look_up(&t[6], stride[9]) ^ look_up(&t[5], stride[10]);
    let fifth = look_up(&t[4], stride[11]) ^ look_up(&t[3], stride[12]) ^ look_up(&t[2], stride[13]);
    first ^ second ^ third ^ fourth ^ fifth ^ look_up(&t[1], stride[14]) ^ look_up(&t[0], stride[15])
}

#[inline]
fn step_eight(crc: u16, eight: &[u8; 8]) -> u16 {
    let [low, high] = crc.to_le_bytes();
    let t = &TABLE_8K;
    let first = look_up(&t[7], eight[0] ^ low) ^ look_up(&t[6], eight[1] ^ high);
    let second = look_up(&t[5], eight[2]) ^ look_up(&t[4], eight[3]) ^ look_up(&t[3], eight[4]);
    first ^ second ^ look_up(&t[2], eight[5]) ^ look_up(&t[1], eight[6]) ^ look_up(&t[0], eight[7])
}

#[inline]
fn step_four(crc: u16, four: &[u8; 4]) -> u16 {
    let [low, high] = crc.to_le_bytes();
    let t = &TABLE_8K;
    let start = look_up(&t[3], four[0] ^ low) ^ look_up(&t[2], four[1] ^ high);
    start ^ look_up(&t[1], four[2]) ^ look_up(&t[0], four[3])
}

/// [`crc16`] of the six bytes before the CRC of the shortest requests.
#[inline]
pub(crate) fn crc16_of_six(bytes: [u8; 6]) -> u16 {
    if !cfg!(feature = "crc-8k") {
        return step_bytes(START, &bytes);
    }
    let t = &TABLE_8K;
    let start = look_up(&t[5], bytes[0] ^ 0xFF) ^ look_up(&t[4], bytes[1] ^ 0xFF);
    let middle = look_up(&t[3], bytes[2]) ^ look_up(&t[2], bytes[3]);
    start ^ middle ^ look_up(&t[1], bytes[4]) ^ look_up(&t[0], bytes[5])
}

/// The remainder of `block` after `crc`, as two strides that start from zero.
#[inline]
fn shortened(crc: u16, block: &[u8]) -> [[u8; STRIDE]; 2] {
    let words = aligned_to_end(crc, block);
    let words = if block.len() > BLOCK / 2 { without_first_half(words) } else { second_half(&words) };
    let words = without_first_half(pairs(words, |word| {
        let [a, b, c, d, e, f, g, h] = word.to_le_bytes();
        [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])]
    }));
    let words = without_first_half(pairs(words, |word| {
        let [a, b, c, d] = word.to_le_bytes();
        [u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])]
    }));
    let mut strides = [[0; STRIDE]; 2];
    strides.as_flattened_mut().iter_mut().zip(pairs(words, u16::to_le_bytes)).for_each(|(to, byte)| *to = byte);
    strides
}

/// A block of at most 256 bytes, which `crc` is added to in front, with zeros before it: they leave a remainder of
/// zero as it is.
#[inline]
#[expect(clippy::arithmetic_side_effects, reason = "a head has fewer than 8 bytes")]
fn aligned_to_end(crc: u16, block: &[u8]) -> [u64; UNITS] {
    let (head, words) = block.as_rchunks::<8>();
    let mut units = [0; UNITS];
    let mut places = units.iter_mut().rev();
    for (word, place) in words.iter().rev().zip(places.by_ref()) {
        *place = u64::from_le_bytes(*word);
    }
    // The two bytes that `crc` is added to stand in the head, in the word after it, or in both.
    let start = (u128::from(crc) << (64 - 8 * head.len())).to_le_bytes();
    let (start, _) = start.as_chunks::<8>();
    let mut first = [0; 8];
    first.iter_mut().rev().zip(head.iter().rev()).for_each(|(to, byte)| *to = *byte);
    if let ([in_head, in_word], Some(place)) = (start, places.next()) {
        *place = u64::from_le_bytes(first) ^ u64::from_le_bytes(*in_head);
        if let Some(place) = units.get_mut(UNITS.saturating_sub(words.len())) {
            *place ^= u64::from_le_bytes(*in_word);
        }
    } else if let ([_, in_word], [first, ..]) = (start, &mut units) {
        // A whole block has no head.
        *first ^= u64::from_le_bytes(*in_word);
    }
    units
}

/// Drops each unit of the first half, in order, by adding it 1, 14 and 16 places behind.
#[inline]
#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "16 places behind the 16th of 32 at most")]
fn without_first_half<U: Copy + Default + BitXorAssign>(mut units: [U; UNITS]) -> [U; UNITS / 2] {
    for place in 0..UNITS / 2 {
        let unit = units[place];
        units[place + 1] ^= unit;
        units[place + 14] ^= unit;
        units[place + 16] ^= unit;
    }
    second_half(&units)
}

#[inline]
fn second_half<U: Copy + Default>(units: &[U; UNITS]) -> [U; UNITS / 2] {
    let mut half = [U::default(); UNITS / 2];
    half.iter_mut().rev().zip(units.iter().rev()).for_each(|(to, unit)| *to = *unit);
    half
}

/// Each unit as two of half its width, the one that is first on the wire first.
#[inline]
fn pairs<U: Copy, V: Copy + Default>(units: [U; UNITS / 2], split: impl Fn(U) -> [V; 2]) -> [V; UNITS] {
    let mut all = [V::default(); UNITS];
    all.as_chunks_mut::<2>().0.iter_mut().zip(units).for_each(|(pair, unit)| *pair = split(unit));
    all
}

#[inline]
pub(crate) fn step_bytes(start: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(start, |crc, &byte| {
        let [low, high] = crc.to_le_bytes();
        look_up(&TABLE_512, low ^ byte) ^ u16::from(high)
    })
}

#[inline]
#[expect(clippy::indexing_slicing, reason = "a byte always lies inside a table of 256")]
fn look_up(table: &[u16; 256], byte: u8) -> u16 {
    table[usize::from(byte)]
}

#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "bounded loops, run by the compiler")]
#[expect(clippy::cast_possible_truncation, reason = "the index is below 256")]
const fn byte_table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < table.len() {
        let mut remainder = index as u16;
        let mut bit = 0;
        while bit < 8 {
            remainder = if remainder & 1 == 1 { (remainder >> 1) ^ POLYNOMIAL } else { remainder >> 1 };
            bit += 1;
        }
        table[index] = remainder;
        index += 1;
    }
    table
}

#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "bounded loops, run by the compiler")]
const fn distance_table() -> [[u16; 256]; STRIDE] {
    let first = byte_table();
    let mut table = [first; STRIDE];
    let mut distance = 1;
    while distance < STRIDE {
        let mut index = 0;
        while index < first.len() {
            let before = table[distance - 1][index];
            table[distance][index] = (before >> 8) ^ first[(before & 0xFF) as usize];
            index += 1;
        }
        distance += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, bit by bit.
    fn by_bits(bytes: &[u8]) -> u16 {
        bytes.iter().fold(START, |crc, &byte| {
            (0..8).fold(crc ^ u16::from(byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 })
        })
    }

    #[test]
    fn check_value_of_the_catalogue() {
        for crc in [crc16, crc16_512, crc16_8k] {
            assert_eq!(crc(b"123456789"), 0x4B37);
            assert_eq!(crc(b""), 0xFFFF);
        }
    }

    /// Each length has a head, a number of words and a tail of its own.
    #[test]
    fn every_length_up_to_three_blocks() {
        let bytes: Vec<u8> = (1..=3 * BLOCK as u32).map(|n| (n.wrapping_mul(0x9E37_79B9) >> 24) as u8).collect();
        for len in 0..=bytes.len() {
            assert_eq!(crc16_8k(&bytes[..len]), by_bits(&bytes[..len]), "{len}");
        }
    }

    extern crate std;
    use std::prelude::v1::*;

    proptest! {
        #[test]
        fn both_tables_equal_the_definition(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            prop_assert_eq!(crc16_512(&bytes), by_bits(&bytes));
            prop_assert_eq!(crc16_8k(&bytes), by_bits(&bytes));
            if let Some(six) = bytes.first_chunk::<6>() {
                prop_assert_eq!(crc16_of_six(*six), by_bits(six));
            }
        }

        #[test]
        fn a_valid_frame_has_remainder_zero_and_stays_valid_before_zeros(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut frame = bytes.clone();
            frame.extend(by_bits(&bytes).to_le_bytes());
            prop_assert_eq!(crc16(&frame), 0);
            frame.push(0);
            prop_assert_eq!(crc16(&frame), 0);
        }
    }
}
