//! What a gateway is given before it is installed: its number, its key, how often it has started. A board keeps that in its
//! flash; under QEMU it comes as the command line of semihosting, so that no key is in the image.

use core::arch::asm;

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

/// Semihosting: command line, and seconds since 1970.
const GET_CMDLINE: u32 = 0x15;
const TIME: u32 = 0x11;

impl Provision {
    /// Reads `gateway BOOT PEER KEY`, the key in hexadecimal.
    pub fn read() -> Option<Self> {
        let mut text = [0_u8; 128];
        let mut block = [text.as_mut_ptr().expose_provenance() as u32, text.len() as u32];
        if semihosting(GET_CMDLINE, block.as_mut_ptr().expose_provenance() as u32) != 0 {
            return None;
        }
        // Words of bytes: splitting a `str` keeps a path to a panic.
        let text = text.get(..block[1] as usize).unwrap_or(&text);
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

/// The host's time at the start; a board asks its clock chip.
pub fn utc_s() -> i64 {
    i64::from(semihosting(TIME, 0))
}

fn semihosting(operation: u32, argument: u32) -> u32 {
    let mut result = operation;
    // SAFETY: the debugger writes only into the buffer that the argument names, which outlives the call.
    unsafe { asm!("bkpt 0xab", inout("r0") result, in("r1") argument, options(nostack, preserves_flags)) };
    result
}
