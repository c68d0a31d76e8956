//! A writer into a caller's buffer that can't run past its end.

use super::EncodeError;

pub(crate) struct Cursor<'a> {
    buf: &'a mut [u8],
    len: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(buf: &'a mut [u8]) -> Self {
        Self { buf, len: 0 }
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        let available = self.buf.len();
        let end = self.len.saturating_add(bytes.len());
        let room = self.buf.get_mut(self.len..end).ok_or(EncodeError::BufferTooSmall { needed: end, available })?;
        for (to, from) in room.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.len = end;
        Ok(())
    }

    pub(crate) fn put_u8(&mut self, value: u8) -> Result<(), EncodeError> {
        self.put(&[value])
    }

    pub(crate) fn put_u16(&mut self, value: u16) -> Result<(), EncodeError> {
        self.put(&value.to_be_bytes())
    }

    pub(crate) fn written(&self) -> &[u8] {
        self.buf.get(..self.len).unwrap_or_default()
    }

    /// The written part, for as long as the buffer lives.
    pub(crate) fn finish(self) -> &'a [u8] {
        self.buf.get(..self.len).unwrap_or_default()
    }
}
