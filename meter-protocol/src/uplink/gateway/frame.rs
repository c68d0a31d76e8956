//! `1F 1F | type | length | data`: the length is a u32, high byte first. No check sum.

use super::GatewayError;
use std::vec::Vec;

/// Most bytes of data, plain or compressed. Ours; the one source takes 16 MiB.
pub const MAX_DATA_LEN: usize = 1_048_576;
const HEAD: [u8; 2] = [0x1F, 0x1F];
/// Head, type, length.
const HEADER_LEN: usize = 7;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PacketType {
    /// 01H.
    Authentication,
    /// 02H.
    Heartbeat,
    /// 03H.
    Data,
    /// 04H.
    CompressedData,
    /// F1H.
    Downlink,
    /// F2H.
    DownlinkReply,
}

impl PacketType {
    /// The byte on the wire.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Authentication => 0x01,
            Self::Heartbeat => 0x02,
            Self::Data => 0x03,
            Self::CompressedData => 0x04,
            Self::Downlink => 0xF1,
            Self::DownlinkReply => 0xF2,
        }
    }

    /// The type of a byte.
    ///
    /// # Errors
    /// [`GatewayError::PacketType`].
    pub const fn from_byte(byte: u8) -> Result<Self, GatewayError> {
        match byte {
            0x01 => Ok(Self::Authentication),
            0x02 => Ok(Self::Heartbeat),
            0x03 => Ok(Self::Data),
            0x04 => Ok(Self::CompressedData),
            0xF1 => Ok(Self::Downlink),
            0xF2 => Ok(Self::DownlinkReply),
            other => Err(GatewayError::PacketType(other)),
        }
    }
}

/// A frame with its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayFrame {
    /// What the data are.
    pub packet: PacketType,
    /// The data, as they came.
    pub data: Vec<u8>,
}

impl GatewayFrame {
    /// Writes a frame. Kept inside this crate: a downlink is built from a request only.
    pub(super) fn encode(packet: PacketType, data: &[u8]) -> Result<Vec<u8>, GatewayError> {
        let too_long = GatewayError::TooLong { len: u64::try_from(data.len()).unwrap_or(u64::MAX) };
        if data.len() > MAX_DATA_LEN {
            return Err(too_long);
        }
        let len = u32::try_from(data.len()).map_err(|_| too_long)?;
        Ok([&HEAD[..], &[packet.byte()], &len.to_be_bytes(), data].concat())
    }
}

/// Cuts a stream into frames by their lengths, holding at most one.
///
/// A stream without check sums can't be found again once it is lost: an error is the end of the connection.
#[derive(Debug, Default)]
pub struct GatewayCutter {
    header: [u8; HEADER_LEN],
    header_len: usize,
    data: Vec<u8>,
}

impl GatewayCutter {
    /// A cutter without bytes.
    #[must_use]
    pub const fn new() -> Self {
        Self { header: [0; HEADER_LEN], header_len: 0, data: Vec::new() }
    }

    /// Takes bytes up to the end of the first frame: how many, and the frame if it is whole.
    ///
    /// # Errors
    /// [`GatewayError::TooLong`], [`GatewayError::PacketType`], and
    /// [`GatewayError::Value`] for another head.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(usize, Option<GatewayFrame>), GatewayError> {
        let room = self.header.get_mut(self.header_len..).unwrap_or_default();
        let head_taken = room.len().min(bytes.len());
        for (to, from) in room.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.header_len = self.header_len.saturating_add(head_taken);
        let [a, b, packet, length @ ..] = self.header;
        let came = self.header.get(..self.header_len.min(HEAD.len())).unwrap_or_default();
        if !HEAD.starts_with(came) {
            return Err(GatewayError::Value { field: "head", value: std::format!("{a:02X} {b:02X}") });
        }
        if self.header_len < HEADER_LEN {
            return Ok((head_taken, None));
        }
        let packet = PacketType::from_byte(packet)?;
        let announced = u32::from_be_bytes(length);
        let wanted = usize::try_from(announced).unwrap_or(usize::MAX);
        if wanted > MAX_DATA_LEN {
            return Err(GatewayError::TooLong { len: announced.into() });
        }
        let rest = bytes.get(head_taken..).unwrap_or_default();
        let missing = wanted.saturating_sub(self.data.len());
        let part = rest.get(..missing.min(rest.len())).unwrap_or_default();
        self.data.extend_from_slice(part);
        let taken = head_taken.saturating_add(part.len());
        if self.data.len() < wanted {
            return Ok((taken, None));
        }
        self.header_len = 0;
        Ok((taken, Some(GatewayFrame { packet, data: core::mem::take(&mut self.data) })))
    }
}
