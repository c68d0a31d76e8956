//! CRC-16 of Modbus RTU (polynomial 8005H reflected, start FFFFH), sent low byte first.
//!
//! Two tables with the same result: [`crc16_512`] needs 512 bytes of constants, [`crc16_8k`] 8 KiB and runs
//! several times faster. [`crc16`] is the one that the frames use; feature `crc-8k` makes it the fast one.

const POLYNOMIAL: u16 = 0xA001;
const START: u16 = 0xFFFF;
/// Bytes that one step of the large table takes.
const STRIDE: usize = 16;

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

/// [`crc16`] by the 8 KiB table, 16 bytes a step.
#[must_use]
pub fn crc16_8k(bytes: &[u8]) -> u16 {
    let (strides, rest) = bytes.as_chunks::<STRIDE>();
    let crc = strides.iter().fold(START, |crc, stride| {
        let [low, high] = crc.to_le_bytes();
        let mut next = 0;
        for (index, (&byte, table)) in stride.iter().zip(TABLE_8K.iter().rev()).enumerate() {
            let mixed = match index {
                0 => byte ^ low,
                1 => byte ^ high,
                _ => byte,
            };
            next ^= look_up(table, mixed);
        }
        next
    });
    step_bytes(crc, rest)
}

#[inline]
fn step_bytes(start: u16, bytes: &[u8]) -> u16 {
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

    proptest! {
        #[test]
        fn both_tables_equal_the_definition(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(crc16_512(&bytes), by_bits(&bytes));
            prop_assert_eq!(crc16_8k(&bytes), by_bits(&bytes));
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
