//! Settings of the radio and of the cloud. They hold credentials, which are wiped when dropped and never shown.

use super::BlockError;
use crate::wire::{Registers, Request};
use core::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

const RADIO: u16 = 0x1300;
const CLOUD: u16 = 0x1950;

/// Text of the meter, up to `N` bytes, ended by the first zero byte.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct WireText<const N: usize>([u8; N]);

impl<const N: usize> WireText<N> {
    fn take(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The characters, or `None` when they are no text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        core::str::from_utf8(self.0.split(|byte| *byte == 0).next()?).ok()
    }
}

impl<const N: usize> fmt::Debug for WireText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_str(), f)
    }
}

/// A secret of the meter, up to `N` bytes. Wiped when dropped; `Debug` says nothing about it, not even its length.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Secret<const N: usize>([u8; N]);

impl<const N: usize> Secret<N> {
    fn take(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The secret itself, up to the first zero byte. Never log it.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        self.0.split(|byte| *byte == 0).next().unwrap_or_default()
    }
}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// The radio's settings: 03H @1300H, 52 registers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RadioSettings {
    /// 1300H.
    pub mode: u16,
    /// 1301H: interval of uploads, minutes.
    pub upload_interval_min: u16,
    /// 1302H: serial number of the radio.
    pub serial: WireText<16>,
    /// 130AH: the server's IPv4 address.
    pub server_ip: [u8; 4],
    /// 130CH.
    pub server_port: u16,
    /// 130DH, high byte.
    pub protocol_mode: u8,
    /// 130EH: the server's name.
    pub server_domain: WireText<24>,
}

impl RadioSettings {
    /// The read of the block.
    pub const READ: Request<'static> = Request::read_fixed::<RADIO, 52>();

    /// From the registers of such a read.
    ///
    /// # Errors
    /// [`BlockError::Missing`]. It names addresses, never contents.
    pub fn from_registers(registers: &Registers<'_>) -> Result<Self, BlockError> {
        let parsed = || {
            let [protocol_mode, _] = registers.word(0x130D)?.to_be_bytes();
            Some(Self {
                mode: registers.word(0x1300)?,
                upload_interval_min: registers.word(0x1301)?,
                serial: WireText::take(registers.slice(0x1302, 8)?)?,
                server_ip: registers.slice(0x130A, 2)?.try_into().ok()?,
                server_port: registers.word(0x130C)?,
                protocol_mode,
                server_domain: WireText::take(registers.slice(0x130E, 12)?)?,
            })
        };
        parsed().ok_or_else(|| missing("radio settings", registers))
    }
}

/// The cloud's settings with their credentials: 03H @1950H, 123 registers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloudSettings {
    /// 1950H, high byte.
    pub protocol: u8,
    /// 1950H, low byte.
    pub platform: u8,
    /// 1951H: the server's name.
    pub domain: WireText<40>,
    /// 1965H.
    pub port: u16,
    /// 1966H: period of reports, as the meter has it.
    pub report_period_raw: u16,
    /// 1967H: user name.
    pub user: Secret<40>,
    /// 197BH: password.
    pub password: Secret<40>,
}

impl CloudSettings {
    /// The read of the block, the longest that was seen.
    pub const READ: Request<'static> = Request::read_fixed::<CLOUD, 123>();

    /// From the registers of such a read.
    ///
    /// # Errors
    /// [`BlockError::Missing`]. It names addresses, never contents.
    pub fn from_registers(registers: &Registers<'_>) -> Result<Self, BlockError> {
        let parsed = || {
            let [protocol, platform] = registers.word(0x1950)?.to_be_bytes();
            Some(Self {
                protocol,
                platform,
                domain: WireText::take(registers.slice(0x1951, 20)?)?,
                port: registers.word(0x1965)?,
                report_period_raw: registers.word(0x1966)?,
                user: Secret::take(registers.slice(0x1967, 20)?)?,
                password: Secret::take(registers.slice(0x197B, 20)?)?,
            })
        };
        parsed().ok_or_else(|| missing("cloud settings", registers))
    }
}

fn missing(block: &'static str, registers: &Registers<'_>) -> BlockError {
    BlockError::Missing { block, address: registers.address(), count: registers.count() }
}
