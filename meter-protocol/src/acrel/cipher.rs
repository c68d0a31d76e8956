//! The vendor's optional frame cipher, with an operator's key.
//!
//! When bit 5 of 0022H is set, a meter takes sale and parameter requests enciphered: the whole RTU frame from unit to
//! CRC, padded with zeros to a multiple of four bytes. Replies, switches and tables stay clear.
//!
//! It is obfuscation, not protection: blocks of 32 bits, a key of 64, no chaining, no nonce, no authentication. Only the
//! CRC inside and the purchase count stand against forgery and replay. Keep the bus physically safe.

use crate::wire::{EncodeError, MAX_RTU_LEN, Request, rtu};
use core::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Low half of the constant of the rounds; sums are of 16 bits.
const DELTA: u16 = 0x79B9;
const ROUNDS: usize = 16;
/// Windows of function 20H whose frames are enciphered.
const SALE: u16 = 0x0100;
const PARAMETERS: u16 = 0x0200;

/// The key of a meter, supplied by its operator. There is no default key; it is wiped when dropped and not shown by
/// `Debug`.
///
/// ```
/// use meter_protocol::acrel::{FrameKey, Purchase};
/// let key = FrameKey::new([0x1111, 0x2222, 0x3333, 0x4444]);
/// let sale = Purchase::new(100_00, 0)?;
/// let mut buf = [0; 256];
/// assert_eq!(key.encode_request(1, &sale.request(), &mut buf)?.len(), 20);
/// assert_eq!(format!("{key:?}"), "FrameKey(hidden)");
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct FrameKey([u16; 4]);

impl FrameKey {
    /// A key of four 16-bit words.
    #[must_use]
    pub const fn new(words: [u16; 4]) -> Self {
        Self(words)
    }

    /// Writes an enciphered RTU request and returns its bytes.
    ///
    /// # Errors
    /// [`EncodeError::NotEnciphered`] for a request that the meters take clear only; otherwise as
    /// [`rtu::encode_request`].
    pub fn encode_request<'b>(
        &self,
        unit: u8,
        request: &Request<'_>,
        buf: &'b mut [u8],
    ) -> Result<&'b [u8], EncodeError> {
        match request {
            Request::Vendor(write) if [SALE, PARAMETERS].contains(&write.address()) => {}
            _ => return Err(EncodeError::NotEnciphered { function: request.function() }),
        }
        let len = rtu::encode_request(unit, request, buf)?.len();
        let needed = len.next_multiple_of(4);
        if needed > MAX_RTU_LEN {
            return Err(EncodeError::PduTooLong { len });
        }
        let available = buf.len();
        let frame = buf.get_mut(..needed).ok_or(EncodeError::BufferTooSmall { needed, available })?;
        frame.iter_mut().skip(len).for_each(|byte| *byte = 0);
        for block in frame.as_chunks_mut::<4>().0 {
            *block = self.encipher(*block);
        }
        Ok(frame)
    }

    /// Deciphers blocks in place, for those who listen with the operator's key. A last part of fewer than four bytes
    /// stays as it is. The clear frame ends at its own length; zeros follow.
    pub fn decipher(&self, bytes: &mut [u8]) {
        for block in bytes.as_chunks_mut::<4>().0 {
            *block = self.decipher_block(*block);
        }
    }

    /// All sums of this cipher are of 16 bits and wrap by its definition.
    fn encipher(&self, block: [u8; 4]) -> [u8; 4] {
        let [k0, k1, k2, k3] = self.0;
        let (mut v0, mut v1) = halves(block);
        // The cipher adds modulo 2^16.
        let mut sum = 0_u16;
        for _ in 0..ROUNDS {
            sum = sum.wrapping_add(DELTA);
            v0 = v0.wrapping_add(mixed(v1, sum, k0, k1));
            v1 = v1.wrapping_add(mixed(v0, sum, k2, k3));
        }
        joined(v0, v1)
    }

    fn decipher_block(&self, block: [u8; 4]) -> [u8; 4] {
        let [k0, k1, k2, k3] = self.0;
        let (mut v0, mut v1) = halves(block);
        // Modulo 2^16, as above.
        let mut sum = (0..ROUNDS).fold(0_u16, |sum, _| sum.wrapping_add(DELTA));
        for _ in 0..ROUNDS {
            v1 = v1.wrapping_sub(mixed(v0, sum, k2, k3));
            v0 = v0.wrapping_sub(mixed(v1, sum, k0, k1));
            sum = sum.wrapping_sub(DELTA);
        }
        joined(v0, v1)
    }
}

impl fmt::Debug for FrameKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FrameKey(hidden)")
    }
}

fn mixed(v: u16, sum: u16, left: u16, right: u16) -> u16 {
    // Modulo 2^16, as the cipher is defined.
    (v << 4).wrapping_add(left) ^ v.wrapping_add(sum) ^ (v >> 5).wrapping_add(right)
}

const fn halves([a, b, c, d]: [u8; 4]) -> (u16, u16) {
    (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
}

const fn joined(v0: u16, v1: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (v0.to_be_bytes(), v1.to_be_bytes());
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acrel::{ForceMode, Purchase, Settings};
    use proptest::prelude::*;

    /// The vector of the reference, with its invented key.
    #[test]
    fn the_sale_of_the_reference() {
        let key = FrameKey::new([0x1111, 0x2222, 0x3333, 0x4444]);
        let mut buf = [0xEE; 32];
        let frame = key.encode_request(1, &Purchase::new(10_000, 0).unwrap().request(), &mut buf).unwrap();
        let expected = [
            0xE0, 0x95, 0xD3, 0x88, 0xD7, 0x54, 0xBE, 0xC9, 0x06, 0xFF, 0xC5, 0x83, 0x8F, 0xC9, 0x5C, 0x03, 0xDB, 0x0B,
            0x33, 0x68,
        ];
        assert_eq!(frame, expected);
    }

    #[test]
    fn only_sales_and_parameters_are_enciphered() {
        let key = FrameKey::new([1, 2, 3, 4]);
        let mut buf = [0; 256];
        let settings = Settings::new().enable(true);
        assert_eq!(key.encode_request(1, &settings.request().unwrap(), &mut buf).unwrap().len(), 72);
        let clear = key.encode_request(1, &ForceMode::SupplyOff.request(), &mut buf);
        assert_eq!(clear, Err(EncodeError::NotEnciphered { function: 0x10 }));
        let small = key.encode_request(1, &settings.request().unwrap(), &mut buf[..70]);
        assert_eq!(small, Err(EncodeError::BufferTooSmall { needed: 72, available: 70 }));
    }

    proptest! {
        #[test]
        fn deciphering_gives_the_frame_back(words: [u16; 4], amount in 1_u32..=0x7FFF_FFFF, count: u16, unit in 1_u8..=247) {
            let (key, sale) = (FrameKey::new(words), Purchase::new(amount, count).unwrap());
            let (mut clear, mut buf) = ([0; 32], [0; 32]);
            let len = rtu::encode_request(unit, &sale.request(), &mut clear).unwrap().len();
            let enciphered = key.encode_request(unit, &sale.request(), &mut buf).unwrap().len();
            key.decipher(&mut buf[..enciphered]);
            prop_assert_eq!(&buf[..len], &clear[..len]);
            prop_assert!(buf[len..enciphered].iter().all(|byte| *byte == 0));
        }
    }
}
