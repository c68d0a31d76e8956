//! 1300H: the radio and what it uploads.

use super::WireText;
use super::change::Part;
use super::layout::wireless_block;
use crate::acrel::BuildError;

const PARTS: &[Part] = &[
    (0x1300, 1),
    (0x1301, 1),
    (0x1302, 8),
    (0x130A, 2),
    (0x130C, 1),
    // The length of the name belongs to the name.
    (0x130D, 13),
    (0x131A, 1),
    (0x131B, 1),
    (0x131C, 8),
    (0x1324, 8),
    (0x132C, 8),
];

wireless_block! {
    /// The radio's settings: 03H @1300H, 52 registers. Codes and counts stay as the meter has them.
    RadioSettings, "radio settings", 0x1300, 52, parts: PARTS;
    /// 1300H: code of the mode.
    pub mode: u16,
    /// 1301H: interval of uploads, minutes.
    pub upload_interval_min: u16,
    /// 1302H: serial number of the radio.
    pub serial: WireText<16>,
    /// 130AH: the server's IPv4 address.
    pub server_ip: [u8; 4],
    /// 130CH: the server's port.
    pub server_port: u16,
    /// 130DH, high byte: code of the protocol.
    pub protocol_mode: u8,
    /// 130DH, low byte: characters of the server's name. [`RadioSettings::set_server_domain`] sets both.
    pub domain_length: u8,
    /// 130EH: the server's name.
    pub server_domain: WireText<24>,
    /// 131AH, high byte: devices to upload.
    pub device_count: u8,
    /// 131AH, low byte: segments to upload.
    pub segment_count: u8,
    /// 131BH, high byte: alarm segments to upload.
    pub alarm_segment_count: u8,
    /// 131BH, low byte.
    pub tcp_flag: u8,
    /// 131CH: first registers of segments 1 to 8.
    pub segment_starts: [u16; 8],
    /// 1324H: registers of segments 1 to 8.
    pub segment_lengths: [u16; 8],
    /// 132CH: alarm segments 1 to 8.
    pub alarm_segments: [u16; 8],
}

impl RadioSettings {
    /// Sets the server's name and its length.
    ///
    /// # Errors
    /// [`BuildError::TooMany`] above 24 characters, [`BuildError::NotText`].
    pub fn set_server_domain(&mut self, name: &str) -> Result<(), BuildError> {
        self.server_domain = WireText::new("server name", name)?;
        // At most 24, as just checked.
        self.domain_length = u8::try_from(name.len()).unwrap_or(u8::MAX);
        Ok(())
    }
}
