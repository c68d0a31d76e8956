//! Reads along: opens captured frames with a peer's keys, for support work.

use super::ciphers::Scratch;
use super::derive::Schedule;
use super::{Header, HeaderError, Hello, HelloRequest, Kind, OpenError, PeerKeys, SetupError, Suite};

/// Opens frames of both directions of a recorded session. It judges tags and filling but neither replay nor order, and
/// seals nothing.
#[derive(Debug)]
pub struct Watcher {
    schedule: Schedule,
}

impl Watcher {
    /// From the set-up of the session as it was captured.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn new(keys: &PeerKeys, hello: &[u8], welcome: &[u8]) -> Result<Self, SetupError> {
        let request = HelloRequest::read(hello)?;
        let key_id = request.key_id();
        let master = keys.get(key_id).ok_or(HeaderError::KeyId { key_id })?;
        let agreed = Hello::again(master, &request)?.agree(welcome)?;
        Ok(Self { schedule: Schedule::new(master, &agreed) })
    }

    /// Opens a frame of either direction into `out`.
    ///
    /// # Errors
    /// [`OpenError`]; `out` is then as before.
    pub fn open<'o>(&self, frame: &[u8], out: &'o mut [u8]) -> Result<&'o [u8], OpenError> {
        let header = Header::parse(frame)?;
        if header.suite != self.suite() {
            return Err(HeaderError::Suite { suite: header.suite.code() }.into());
        }
        if header.kind != Kind::Data {
            return Err(HeaderError::Kind { kind: header.kind_byte() }.into());
        }
        if header.key_id != self.schedule.key_id() {
            return Err(HeaderError::KeyId { key_id: header.key_id }.into());
        }
        if header.session != self.schedule.tag() {
            return Err(HeaderError::Session.into());
        }
        let (body, tag) = header.split(frame)?;
        let (needed, available) = (usize::from(header.payload_len), out.len());
        let out = out.get_mut(..needed).ok_or(OpenError::BufferTooSmall { needed, available })?;
        let keys = self.schedule.epoch(header.direction, header.epoch);
        let mut scratch = Scratch::new();
        if !keys.verify(frame, body, tag, &mut scratch) {
            return Err(OpenError::Refused);
        }
        let payload = keys.decipher(frame, body, needed, &mut scratch).map_err(|_| OpenError::Refused)?;
        out.iter_mut().zip(payload).for_each(|(to, from)| *to = *from);
        Ok(out)
    }

    /// The suite of the session.
    #[must_use]
    pub const fn suite(&self) -> Suite {
        self.schedule.suite()
    }
}
