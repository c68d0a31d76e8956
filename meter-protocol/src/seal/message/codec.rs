//! Fields in and out of bytes, big-endian.

use super::MessageError;

pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn array<const LEN: usize>(&mut self) -> Result<[u8; LEN], MessageError> {
        let (taken, rest) = self.0.split_first_chunk::<LEN>().ok_or(MessageError::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn slice(&mut self, len: usize) -> Result<&'a [u8], MessageError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(MessageError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, MessageError> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, MessageError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, MessageError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, MessageError> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, MessageError> {
        self.array().map(i64::from_be_bytes)
    }

    /// 0 or 1.
    pub(super) fn flag(&mut self, field: &'static str) -> Result<bool, MessageError> {
        let value = self.byte()?;
        in_range(field, value.into(), 0, 1)?;
        Ok(value == 1)
    }

    pub(super) const fn end(&self) -> Result<(), MessageError> {
        match self.0.len() {
            0 => Ok(()),
            len => Err(MessageError::Trailing { len }),
        }
    }
}

pub(super) struct Writer<'o> {
    out: &'o mut [u8],
    len: usize,
}

impl<'o> Writer<'o> {
    pub(super) const fn new(out: &'o mut [u8]) -> Self {
        Self { out, len: 0 }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), MessageError> {
        let available = self.out.len();
        let end = self.len.saturating_add(bytes.len());
        let room = self.out.get_mut(self.len..end).ok_or(MessageError::BufferTooSmall { available })?;
        room.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        self.len = end;
        Ok(())
    }

    pub(super) fn finish(self) -> &'o [u8] {
        self.out.get(..self.len).unwrap_or_default()
    }
}

pub(super) const fn in_range(field: &'static str, value: u64, min: u64, max: u64) -> Result<(), MessageError> {
    if min <= value && value <= max { Ok(()) } else { Err(MessageError::Value { field, value, min, max }) }
}
