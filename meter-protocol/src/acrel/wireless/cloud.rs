//! 1950H: the cloud with its credentials. 19CBH: the time zone.

use super::change::Part;
use super::layout::{Item, wireless_block};
use super::{Secret, WireText};
use core::fmt;

/// Without the sites at 198FH: nobody has checked what stands where in them.
const CLOUD_PARTS: &[Part] = &[(0x1950, 1), (0x1951, 20), (0x1965, 1), (0x1966, 1), (0x1967, 20), (0x197B, 20)];
const ZONE_PARTS: &[Part] = &[(0x19CB, 2)];

wireless_block! {
    /// The cloud's settings with their credentials: 03H @1950H, 123 registers, the longest read that was seen.
    CloudSettings, "cloud settings", 0x1950, 123, parts: CLOUD_PARTS;
    /// 1950H, high byte: code of the protocol.
    pub protocol: u8,
    /// 1950H, low byte: code of the platform.
    pub platform: u8,
    /// 1951H: the server's name.
    pub domain: WireText<40>,
    /// 1965H: the server's port.
    pub port: u16,
    /// 1966H: period of reports; no source states the unit.
    pub report_period_raw: u16,
    /// 1967H: user name.
    pub user: Secret<40>,
    /// 197BH: password.
    pub password: Secret<40>,
    /// 198FH: serial, sites and model. They are written back as they were read, if at all.
    sites: Secret<120>,
}

impl CloudSettings {
    /// What stands at 198FH, if the parts follow each other in the order and with the lengths that the source names.
    /// They fill the 60 registers, but their places were not checked on a meter.
    #[must_use]
    pub fn sites(&self) -> CloudSites {
        CloudSites::parse(&mut &self.sites.reveal_all()[..]).unwrap_or(CloudSites::NONE)
    }
}

/// Serial, sites and model of the cloud's settings, which the map hides: `Debug` does not show them. See
/// [`CloudSettings::sites`].
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloudSites {
    /// Serial number.
    pub serial: WireText<16>,
    /// Site for debugging.
    pub debug_site: WireText<40>,
    /// Its port.
    pub debug_port: u16,
    /// Site where the meter registers itself.
    pub registration_site: WireText<40>,
    /// Its port.
    pub registration_port: u16,
    /// Model.
    pub model: WireText<20>,
}

impl fmt::Debug for CloudSites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CloudSites(hidden)")
    }
}

impl CloudSites {
    const NONE: Self = Self {
        serial: WireText([0; 16]),
        debug_site: WireText([0; 40]),
        debug_port: 0,
        registration_site: WireText([0; 40]),
        registration_port: 0,
        model: WireText([0; 20]),
    };

    fn parse(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self {
            serial: Item::take(bytes)?,
            debug_site: Item::take(bytes)?,
            debug_port: Item::take(bytes)?,
            registration_site: Item::take(bytes)?,
            registration_port: Item::take(bytes)?,
            model: Item::take(bytes)?,
        })
    }
}

wireless_block! {
    /// The time zone: 03H @19CBH, 2 registers.
    TimeZone, "time zone", 0x19CB, 2, parts: ZONE_PARTS;
    /// Index of the zone in the vendor's list.
    pub index: u8,
    /// A5H where hour and minute are set.
    pub flag: u8,
    /// Hours ahead of UTC, negative behind it.
    pub hour: i8,
    /// Minutes.
    pub minute: u8,
}
