//! `PPAAA|hex`: an RTU frame to or from a meter at a gateway's port.

use super::GatewayError;
use crate::wire::{EncodeError, MAX_ADU_LEN, MAX_RTU_LEN, Request, rtu};
use core::fmt;
use std::format;
use std::string::String;
use std::vec::Vec;

/// A meter behind a gateway: two digits of the port, three of the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GatewayMeter {
    port: u8,
    unit: u8,
}

impl GatewayMeter {
    /// A meter with `unit` 1 to 247 at `port` 0 to 99.
    ///
    /// # Errors
    /// [`GatewayError::Meter`].
    pub const fn new(port: u8, unit: u8) -> Result<Self, GatewayError> {
        if port > 99 || unit == 0 || unit > 247 {
            return Err(GatewayError::Meter { port, unit });
        }
        Ok(Self { port, unit })
    }

    /// The port.
    #[must_use]
    pub const fn port(self) -> u8 {
        self.port
    }

    /// The unit on that port's line.
    #[must_use]
    pub const fn unit(self) -> u8 {
        self.unit
    }

    /// The meter of an id of five digits.
    ///
    /// # Errors
    /// [`GatewayError::Forwarding`], [`GatewayError::Meter`].
    pub fn parse(id: &str) -> Result<Self, GatewayError> {
        if id.len() != 5 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(GatewayError::Forwarding);
        }
        let (port, unit) = id.split_at_checked(2).ok_or(GatewayError::Forwarding)?;
        let number = |digits: &str| digits.parse::<u8>().map_err(|_| GatewayError::Forwarding);
        Self::new(number(port)?, number(unit)?)
    }
}

impl fmt::Display for GatewayMeter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}{:03}", self.port, self.unit)
    }
}

/// The text that carries a request to a meter. A request can't be a factory function.
///
/// # Errors
/// [`GatewayError::Submit`] when the request can't be framed.
pub fn encode_forwarding(meter: GatewayMeter, request: &Request<'_>) -> Result<String, GatewayError> {
    let mut frame = [0; MAX_ADU_LEN];
    let encoded = rtu::encode_request(meter.unit, request, &mut frame);
    let frame = encoded.map_err(|error: EncodeError| GatewayError::Submit(error.into()))?;
    Ok(text_of(meter, frame))
}

pub(super) fn text_of(meter: GatewayMeter, frame: &[u8]) -> String {
    let hex: String = frame.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("{meter}|{hex}")
}

/// Meter and RTU frame of a text; the frame's CRC is right.
///
/// # Errors
/// [`GatewayError::Forwarding`], [`GatewayError::Meter`], [`GatewayError::Inner`].
pub fn parse_forwarding(text: &str) -> Result<(GatewayMeter, Vec<u8>), GatewayError> {
    let (id, hex) = text.split_once('|').ok_or(GatewayError::Forwarding)?;
    let meter = GatewayMeter::parse(id)?;
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.len() > MAX_RTU_LEN {
        return Err(GatewayError::Forwarding);
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    let frame: Option<Vec<u8>> = pairs.iter().map(byte).collect();
    let frame = frame.ok_or(GatewayError::Forwarding)?;
    rtu::open(&frame)?;
    Ok((meter, frame))
}
