//! Forwarding a frame that somebody else built: only what this crate can build itself gets through.

use crate::wire::factory::FactoryFunction;
use crate::wire::{FrameError, Incoming, Request, rtu};
use thiserror::Error;

/// A frame that is not passed on to a meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ForwardError {
    /// A factory function. These change calibration, clear energy or set keys without proof of authority.
    #[error("{0} is a factory function and is never forwarded")]
    Factory(FactoryFunction),
    /// A function that this crate does not build, so that nobody here knows what it does.
    #[error("function {function:02X}H is not known and is not forwarded")]
    Unknown {
        /// Function code.
        function: u8,
    },
    /// Not a request at all.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Takes an RTU request apart, so that it can be submitted to a session: unit and request.
///
/// ```
/// use meter_protocol::uplink::{ForwardError, forwardable};
/// let (unit, request) = forwardable(&[0x01, 0x03, 0x02, 0x00, 0x00, 0x30, 0x44, 0x66])?;
/// assert_eq!((unit, request.function()), (1, 0x03));
/// assert!(matches!(forwardable(&[0x01, 0x99, 0x00, 0x00]), Err(ForwardError::Frame(_))));
/// # Ok::<(), ForwardError>(())
/// ```
///
/// # Errors
/// [`ForwardError`]: a factory function, an unknown function, or no valid frame.
pub fn forwardable(frame: &[u8]) -> Result<(u8, Request<'_>), ForwardError> {
    match rtu::decode_request(frame)? {
        (unit, Incoming::Request(request)) => Ok((unit, request)),
        (_, Incoming::Factory(factory)) => Err(ForwardError::Factory(factory)),
        (_, Incoming::Other { function, .. }) => Err(ForwardError::Unknown { function }),
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::wire::crc::crc16;
    use std::vec::Vec;

    fn with_crc(body: &[u8]) -> Vec<u8> {
        let mut frame = body.to_vec();
        frame.extend(crc16(body).to_le_bytes());
        frame
    }

    #[test]
    fn factory_functions_are_not_forwarded() {
        for code in [0x98, 0x99, 0xAA, 0xAB] {
            let refused = forwardable(&with_crc(&[1, code, 0, 0])).map(|_| ());
            assert_eq!(refused, Err(ForwardError::Factory(FactoryFunction::Code(code))));
        }
        for address in [0x0900_u16, 0x09FF, 0x08FF] {
            let [high, low] = address.to_be_bytes();
            let refused = forwardable(&with_crc(&[1, 0x20, high, low, 0, 2, 4, 0, 0, 0, 0])).map(|_| ());
            assert_eq!(refused, Err(ForwardError::Factory(FactoryFunction::Clear { address })));
        }
    }

    #[test]
    fn what_nobody_here_knows_is_not_forwarded_either() {
        let refused = forwardable(&with_crc(&[1, 0x2B, 0x0E, 1, 0])).map(|_| ());
        assert_eq!(refused, Err(ForwardError::Unknown { function: 0x2B }));
        let short = forwardable(&with_crc(&[1, 0x03, 0, 0])).map(|_| ());
        assert_eq!(short, Err(ForwardError::Frame(FrameError::Shape { function: 3, len: 2 })));
    }
}
