//! The sixteen bytes before each body. They travel in the clear and are under the tag.

use super::{Direction, HEADER_LEN, HeaderError, MAX_PAYLOAD_LEN, Suite, VERSION};

const DOWN: u8 = 0x80;

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// 0: a payload under the keys of a session.
    Data,
    /// 1: the collector asks for a session.
    Hello,
    /// 2: the station answers.
    Welcome,
}

/// A header, parsed.
///
/// ```
/// use meter_protocol::seal::{Direction, Header, Kind, Suite};
/// let bytes = [1, 1, 0x80, 5, 0, 12, 0, 2, 0xCA, 0xFE, 0xBA, 0xBE, 0, 0, 0, 9];
/// let header = Header::parse(&bytes)?;
/// assert_eq!((header.suite, header.direction, header.kind), (Suite::Tdes, Direction::Down, Kind::Data));
/// assert_eq!((header.epoch, header.counter), (2, 9));
/// assert_eq!(header.frame_len(), 16 + 16 + 8);
/// # Ok::<(), meter_protocol::seal::HeaderError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the sixteen bytes hold exactly these")]
pub struct Header {
    /// Byte 1.
    pub suite: Suite,
    /// Bit 7 of byte 2.
    pub direction: Direction,
    /// Bits 0 to 6 of byte 2.
    pub kind: Kind,
    /// Byte 3.
    pub key_id: u8,
    /// Bytes 4 and 5: bytes of the payload, without filling.
    pub payload_len: u16,
    /// Bytes 6 and 7.
    pub epoch: u16,
    /// Bytes 8 to 11: tag of the session.
    pub session: [u8; 4],
    /// Bytes 12 to 15.
    pub counter: u32,
}

impl Header {
    /// Parses the first sixteen bytes of a frame.
    ///
    /// # Errors
    /// [`HeaderError`] for an unknown version, suite or kind and for a payload that is too long.
    pub fn parse(frame: &[u8]) -> Result<Self, HeaderError> {
        let Some(&[version, suite, kind, key_id, a, b, c, d, e, f, g, h, i, j, k, l]) =
            frame.first_chunk::<HEADER_LEN>()
        else {
            return Err(HeaderError::Length { expected: HEADER_LEN, actual: frame.len() });
        };
        if version != VERSION {
            return Err(HeaderError::Version { version });
        }
        let suite = Suite::from_code(suite).ok_or(HeaderError::Suite { suite })?;
        let direction = if kind & DOWN == 0 { Direction::Up } else { Direction::Down };
        let kind = match kind & !DOWN {
            0 => Kind::Data,
            1 => Kind::Hello,
            2 => Kind::Welcome,
            _ => return Err(HeaderError::Kind { kind }),
        };
        let payload_len = u16::from_be_bytes([a, b]);
        if usize::from(payload_len) > MAX_PAYLOAD_LEN {
            return Err(HeaderError::PayloadLength { len: payload_len });
        }
        Ok(Self {
            suite,
            direction,
            kind,
            key_id,
            payload_len,
            epoch: u16::from_be_bytes([c, d]),
            session: [e, f, g, h],
            counter: u32::from_be_bytes([i, j, k, l]),
        })
    }

    /// The sixteen bytes.
    #[must_use]
    pub const fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let [a, b] = self.payload_len.to_be_bytes();
        let [c, d] = self.epoch.to_be_bytes();
        let [e, f, g, h] = self.session;
        let [i, j, k, l] = self.counter.to_be_bytes();
        [VERSION, self.suite.code(), self.kind_byte(), self.key_id, a, b, c, d, e, f, g, h, i, j, k, l]
    }

    /// Bytes of the body. Set-up frames are not enciphered and not filled.
    #[must_use]
    pub const fn body_len(&self) -> usize {
        match self.kind {
            Kind::Data => self.suite.body_len(self.payload_len as usize),
            Kind::Hello | Kind::Welcome => self.payload_len as usize,
        }
    }

    /// Bytes of the whole frame.
    #[must_use]
    pub const fn frame_len(&self) -> usize {
        HEADER_LEN.saturating_add(self.body_len()).saturating_add(self.suite.tag_len())
    }

    pub(super) const fn kind_byte(&self) -> u8 {
        let kind = match self.kind {
            Kind::Data => 0,
            Kind::Hello => 1,
            Kind::Welcome => 2,
        };
        match self.direction {
            Direction::Up => kind,
            Direction::Down => kind | DOWN,
        }
    }

    /// Body and tag of a frame whose length is as the header says.
    pub(super) fn split<'f>(&self, frame: &'f [u8]) -> Result<(&'f [u8], &'f [u8]), HeaderError> {
        let length = HeaderError::Length { expected: self.frame_len(), actual: frame.len() };
        if frame.len() != self.frame_len() {
            return Err(length);
        }
        let (_, rest) = frame.split_first_chunk::<HEADER_LEN>().ok_or(length)?;
        rest.split_at_checked(self.body_len()).ok_or(length)
    }
}
