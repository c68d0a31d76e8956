//! The datagram form: each datagram holds exactly one frame.

use super::{HEADER_LEN, MAX_PAYLOAD_LEN, Suite};

/// The longest payload whose frame fits a link that carries at most `link_bytes` at a time, or `None` if not even an
/// empty frame fits. Suite 1 fills to blocks of eight.
///
/// ```
/// use meter_protocol::seal::{Suite, max_payload_len};
/// assert_eq!(max_payload_len(Suite::Tdes, 140), Some(112)); // a short message of a mobile network
/// assert_eq!(max_payload_len(Suite::AesCcm, 51), Some(27)); // LoRaWAN at its slowest
/// assert_eq!(max_payload_len(Suite::Sm4Ccm, 31), None);
/// ```
#[must_use]
pub fn max_payload_len(suite: Suite, link_bytes: usize) -> Option<usize> {
    let overhead = HEADER_LEN.saturating_add(suite.tag_len());
    let room = link_bytes.checked_sub(overhead)?;
    let payload = match suite {
        Suite::Tdes => room & !7,
        Suite::AesCcm | Suite::Sm4Ccm => room,
    };
    Some(payload.min(MAX_PAYLOAD_LEN))
}
