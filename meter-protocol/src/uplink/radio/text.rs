//! Texts of fixed width: ASCII, padded with zero bytes at the end.

use super::RadioError;
use core::fmt;

/// A text of at most `N` printable ASCII characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PaddedText<const N: usize>([u8; N]);

/// Serial number of a 4G meter: 20 bytes.
pub type Serial = PaddedText<20>;
/// Number of the SIM card: 30 bytes.
pub type Iccid = PaddedText<30>;

impl<const N: usize> PaddedText<N> {
    /// A text from characters.
    ///
    /// ```
    /// use meter_protocol::uplink::radio::Serial;
    /// assert_eq!(Serial::new("00000000000001")?.as_str(), "00000000000001");
    /// assert!(Serial::new("").is_err());
    /// # Ok::<(), meter_protocol::uplink::radio::RadioError>(())
    /// ```
    ///
    /// # Errors
    /// [`RadioError::TextLength`] unless there are 1 to `N` characters, [`RadioError::Text`] for one that is not
    /// printable ASCII.
    pub fn new(text: &str) -> Result<Self, RadioError> {
        if text.is_empty() || text.len() > N {
            return Err(RadioError::TextLength { field: "text", max: N, actual: text.len() });
        }
        let mut bytes = [0; N];
        for (to, from) in bytes.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        Self::from_bytes("text", bytes)
    }

    /// A text as it stands in a frame; it may be empty there.
    ///
    /// # Errors
    /// [`RadioError::Text`] for a character that is not printable ASCII or stands behind the padding.
    pub fn from_bytes(field: &'static str, bytes: [u8; N]) -> Result<Self, RadioError> {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(N);
        let bad = bytes.iter().enumerate().find(|(position, byte)| match position {
            inside if *inside < end => !(0x20..=0x7E).contains(*byte),
            _ => **byte != 0,
        });
        match bad {
            Some((position, value)) => Err(RadioError::Text { field, position, value: *value }),
            None => Ok(Self(bytes)),
        }
    }

    /// Whether there is no character.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.as_str().is_empty()
    }

    /// The characters without padding.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(N);
        // ASCII by construction.
        core::str::from_utf8(self.0.get(..end).unwrap_or_default()).unwrap_or_default()
    }

    /// The bytes with padding.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> fmt::Display for PaddedText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for PaddedText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_only_at_the_end() {
        let mut bytes = [0; 20];
        bytes[0] = b'A';
        assert_eq!(Serial::from_bytes("serial", bytes).unwrap().as_str(), "A");
        bytes[2] = b'B';
        let behind = Serial::from_bytes("serial", bytes);
        assert_eq!(behind, Err(RadioError::Text { field: "serial", position: 2, value: b'B' }));
        assert_eq!(Serial::from_bytes("serial", [0x41; 20]).unwrap().as_str().len(), 20);
        assert_eq!(
            Serial::new("123456789012345678901"),
            Err(RadioError::TextLength { field: "text", max: 20, actual: 21 })
        );
        assert_eq!(Serial::new("é"), Err(RadioError::Text { field: "text", position: 0, value: 0xC3 }));
    }
}
