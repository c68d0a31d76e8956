//! What a gateway is given before it is installed: its number, its key, how often it has started. A board keeps that in its
//! flash; under QEMU it comes as the command line of semihosting, so that no key is in the image.

use crate::board::{COMMAND_LINE_MAX, command_line};

/// What the gateway was given.
#[derive(Clone)]
pub struct Provision {
    /// How often it has started, this start included; makes nonces and ids unique.
    pub boot: u32,
    /// The peer number.
    pub peer: u64,
    /// The master key of suite 1.
    pub key: [u8; 24],
}

impl Provision {
    /// Reads `gateway BOOT PEER KEY`, the key in hexadecimal.
    pub fn read() -> Option<Self> {
        let mut text = [0; COMMAND_LINE_MAX];
        // Words of bytes: splitting a `str` keeps a path to a panic.
        let text = command_line(&mut text)?;
        let mut words = text.split(|byte| matches!(byte, b' ' | 0)).skip(1);
        let (boot, peer) = (decimal(words.next()?)?.try_into().ok()?, decimal(words.next()?)?);
        let mut key = [0; 24];
        let (pairs, rest) = words.next()?.as_chunks::<2>();
        if pairs.len() != key.len() || !rest.is_empty() {
            return None;
        }
        for (byte, [high, low]) in key.iter_mut().zip(pairs) {
            *byte = (digit(*high, 16)? << 4 | digit(*low, 16)?) as u8;
        }
        Some(Self { boot, peer, key })
    }
}

fn decimal(word: &[u8]) -> Option<u64> {
    word.iter().try_fold(0_u64, |number, byte| number.checked_mul(10)?.checked_add(digit(*byte, 10)?.into()))
}

fn digit(byte: u8, radix: u32) -> Option<u32> {
    char::from(byte).to_digit(radix)
}
