//! 84H: a meter says who it is.

use super::{Iccid, RadioError, Serial};

/// Bytes of a registration.
pub(super) const REGISTRATION_LEN: usize = 58;

/// What a meter says when it dials in. The serial proves nothing: whoever knows it can send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Registration {
    /// Serial number.
    pub serial: Serial,
    /// Number of the SIM card; empty when the meter gives none.
    pub iccid: Iccid,
    /// Signal strength as the radio module counts it; its unit is not documented.
    pub rssi: u8,
    /// Three firmware versions, each of two BCD bytes; which part each belongs to is not documented.
    pub versions_bcd: [[u8; 2]; 3],
    /// Interval of uploads in minutes.
    pub upload_interval_min: u8,
}

impl Registration {
    /// A registration of `serial` with everything else empty.
    #[must_use]
    pub const fn new(serial: Serial, iccid: Iccid) -> Self {
        Self { serial, iccid, rssi: 0, versions_bcd: [[0; 2]; 3], upload_interval_min: 0 }
    }

    /// Parses the body of command 84H. Its length is 58 bytes in the sources; bytes behind are left alone.
    ///
    /// # Errors
    /// [`RadioError::BodyLength`], [`RadioError::Text`], [`RadioError::TextLength`] for an empty serial.
    pub fn parse(body: &[u8]) -> Result<Self, RadioError> {
        let short = RadioError::BodyLength { command: 0x84, expected: REGISTRATION_LEN, actual: body.len() };
        let (serial, rest) = body.split_first_chunk::<20>().ok_or(short)?;
        let (iccid, rest) = rest.split_first_chunk::<30>().ok_or(short)?;
        let Some(&[rssi, a, b, c, d, e, f, upload_interval_min]) = rest.first_chunk::<8>() else { return Err(short) };
        Ok(Self {
            serial: non_empty(*serial)?,
            iccid: Iccid::from_bytes("ICCID", *iccid)?,
            rssi,
            versions_bcd: [[a, b], [c, d], [e, f]],
            upload_interval_min,
        })
    }

    /// RSSI, versions and interval as they follow the two texts.
    pub(super) const fn tail(&self) -> [u8; 8] {
        let [[a, b], [c, d], [e, f]] = self.versions_bcd;
        [self.rssi, a, b, c, d, e, f, self.upload_interval_min]
    }
}

/// A serial that says something.
pub(super) fn non_empty(bytes: [u8; 20]) -> Result<Serial, RadioError> {
    let serial = Serial::from_bytes("serial", bytes)?;
    if serial.is_empty() {
        return Err(RadioError::TextLength { field: "serial", max: 20, actual: 0 });
    }
    Ok(serial)
}
