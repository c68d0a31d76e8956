//! Settings of the radio and of the cloud. They hold credentials, which are wiped when dropped and never shown.
//!
//! To change settings, read them, change what is to be changed, and write the block back: what the meter held stays. A
//! meter that was sent to a wrong server or network can't be reached over it any more, so do it where somebody can go.
//!
//! ```
//! use meter_protocol::acrel::{RadioSettings, WireText};
//! use meter_protocol::wire::Registers;
//! # let reply = [0; 104];
//! let mut radio = RadioSettings::from_registers(&Registers::holding(0x1300, &reply)?)?;
//! radio.server_domain = WireText::new("collector.example")?;
//! radio.server_port = 7_001;
//! let write = radio.write();
//! let request = write.request(); // 10H @1300H, once; then read back
//! # assert_eq!(request.function(), 0x10);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

use super::{BlockError, BuildError};
use crate::wire::{Registers, Request};
use core::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

const RADIO: u16 = 0x1300;
const CLOUD: u16 = 0x1950;
const ACCESS_POINT: u16 = 0x1338;
const STATUS: u16 = 0x1700;
/// 1300H to 1319H: up to the server's name. What follows says which registers are uploaded and stays as it is.
const RADIO_LEN: usize = 52;
/// 1950H to 198EH: up to the password. What follows are the maker's sites and stays as it is.
const CLOUD_LEN: usize = 126;
const ACCESS_POINT_LEN: usize = 34;

/// Text of the meter, up to `N` bytes, ended by the first zero byte.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct WireText<const N: usize>([u8; N]);

impl<const N: usize> WireText<N> {
    fn take(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// A text to write; shorter ones are filled with zero bytes.
    ///
    /// # Errors
    /// [`BuildError::TooMany`] above `N` bytes, [`BuildError::Range`] for a character that is not printable ASCII.
    pub fn new(text: &str) -> Result<Self, BuildError> {
        printable("text", text.as_bytes()).map(Self)
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

    /// A secret to write; shorter ones are filled with zero bytes.
    ///
    /// # Errors
    /// [`BuildError::TooMany`] above `N` bytes; [`BuildError::Range`] for a character that is not printable ASCII, which it
    /// does not tell.
    pub fn new(secret: &[u8]) -> Result<Self, BuildError> {
        printable("secret", secret).map(Self).map_err(|error| match error {
            BuildError::Range { field, min, max, .. } => BuildError::Range { field, value: 0, min, max },
            other => other,
        })
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

fn printable<const N: usize>(field: &'static str, text: &[u8]) -> Result<[u8; N], BuildError> {
    if text.len() > N {
        return Err(BuildError::TooMany { block: field, count: text.len(), max: N });
    }
    if let Some(byte) = text.iter().find(|byte| !byte.is_ascii_graphic()) {
        return Err(BuildError::Range { field, value: (*byte).into(), min: 0x21, max: 0x7E });
    }
    let mut bytes = [0; N];
    bytes.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
    Ok(bytes)
}

/// Bytes in order, as many as fit.
fn joined<const N: usize>(parts: impl Iterator<Item = u8>) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
    bytes
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

    /// The write of these settings, 10H @1300H, 26 registers. The length of the server's name goes with it.
    #[must_use]
    pub fn write(&self) -> RadioWrite {
        let name_len = self.server_domain.0.iter().take_while(|byte| **byte != 0).count();
        // At most 24.
        let name_len = u8::try_from(name_len).unwrap_or(u8::MAX);
        let head = [self.mode, self.upload_interval_min].into_iter().flat_map(u16::to_be_bytes);
        let place = self.server_ip.into_iter().chain(self.server_port.to_be_bytes());
        let protocol = [self.protocol_mode, name_len];
        RadioWrite(joined(head.chain(self.serial.0).chain(place).chain(protocol).chain(self.server_domain.0)))
    }
}

/// A write of [`RadioSettings`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RadioWrite([u8; RADIO_LEN]);

impl RadioWrite {
    /// The request. Read back with [`RadioSettings::READ`].
    #[must_use]
    pub const fn request(&self) -> Request<'_> {
        Request::write_fixed::<RADIO, RADIO_LEN>(&self.0)
    }
}

/// The mobile network's access point: 03H @1338H, 17 registers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessPoint {
    /// 1338H: its name.
    pub name: WireText<30>,
    /// 1347H: interval of heartbeats, as the meter has it.
    pub heartbeat_interval_raw: u16,
    /// 1348H: whether the name is used, as the meter has it.
    pub enable_raw: u16,
}

impl AccessPoint {
    /// The read of the block.
    pub const READ: Request<'static> = Request::read_fixed::<ACCESS_POINT, 17>();

    /// From the registers of such a read.
    ///
    /// # Errors
    /// [`BlockError::Missing`].
    pub fn from_registers(registers: &Registers<'_>) -> Result<Self, BlockError> {
        let parsed = || {
            Some(Self {
                name: WireText::take(registers.slice(0x1338, 15)?)?,
                heartbeat_interval_raw: registers.word(0x1347)?,
                enable_raw: registers.word(0x1348)?,
            })
        };
        parsed().ok_or_else(|| missing("access point", registers))
    }

    /// The write of these settings, 10H @1338H, 17 registers.
    #[must_use]
    pub fn write(&self) -> AccessPointWrite {
        let rest = [self.heartbeat_interval_raw, self.enable_raw].into_iter().flat_map(u16::to_be_bytes);
        AccessPointWrite(joined(self.name.0.into_iter().chain(rest)))
    }
}

/// A write of an [`AccessPoint`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessPointWrite([u8; ACCESS_POINT_LEN]);

impl AccessPointWrite {
    /// The request. Read back with [`AccessPoint::READ`].
    #[must_use]
    pub const fn request(&self) -> Request<'_> {
        Request::write_fixed::<ACCESS_POINT, ACCESS_POINT_LEN>(&self.0)
    }
}

/// How the radio is doing: 03H @1700H, 44 registers. What the vendor's tool has no clear place for is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RadioStatus {
    /// 1704H: number of the SIM card (CCID).
    pub ccid: WireText<28>,
    /// 1712H: messages sent.
    pub sent: u16,
    /// 1713H: messages received.
    pub received: u16,
    /// 1714H: number of the radio (IMEI).
    pub imei: WireText<16>,
}

impl RadioStatus {
    /// The read of the block.
    pub const READ: Request<'static> = Request::read_fixed::<STATUS, 44>();

    /// From the registers of such a read.
    ///
    /// # Errors
    /// [`BlockError::Missing`].
    pub fn from_registers(registers: &Registers<'_>) -> Result<Self, BlockError> {
        let parsed = || {
            Some(Self {
                ccid: WireText::take(registers.slice(0x1704, 14)?)?,
                sent: registers.word(0x1712)?,
                received: registers.word(0x1713)?,
                imei: WireText::take(registers.slice(0x1714, 8)?)?,
            })
        };
        parsed().ok_or_else(|| missing("radio status", registers))
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

    /// The write of these settings, 10H @1950H, 63 registers. It holds the credentials, is wiped when dropped, and shows
    /// nothing.
    #[must_use]
    pub fn write(&self) -> CloudWrite {
        let head = [self.protocol, self.platform].into_iter().chain(self.domain.0);
        let place = [self.port, self.report_period_raw].into_iter().flat_map(u16::to_be_bytes);
        let credentials = self.user.0.iter().chain(&self.password.0).copied();
        CloudWrite(Secret(joined(head.chain(place).chain(credentials))))
    }
}

/// A write of [`CloudSettings`], with the credentials in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudWrite(Secret<CLOUD_LEN>);

impl CloudWrite {
    /// The request; its bytes are secret. Read back with [`CloudSettings::READ`].
    #[must_use]
    pub const fn request(&self) -> Request<'_> {
        Request::write_fixed::<CLOUD, CLOUD_LEN>(&self.0.0)
    }
}

fn missing(block: &'static str, registers: &Registers<'_>) -> BlockError {
    BlockError::Missing { block, address: registers.address(), count: registers.count() }
}
