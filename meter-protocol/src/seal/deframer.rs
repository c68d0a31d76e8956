//! Frames out of a byte stream. It reads the length from the header and never searches: after an error the stream is
//! closed.

use super::{HEADER_LEN, Header, HeaderError, MAX_FRAME_LEN};
use core::fmt;

/// Collects one frame at a time in a buffer of fixed size.
///
/// ```
/// use meter_protocol::seal::Deframer;
/// let mut deframer = Deframer::new();
/// let header = [1, 1, 0, 1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// for byte in header.into_iter().chain([0xEE; 16]) {
///     assert!(deframer.frame()?.is_none());
///     assert_eq!(deframer.push(&[byte]), 1);
/// }
/// assert_eq!(deframer.frame()?.map(<[u8]>::len), Some(32));
/// deframer.clear();
/// deframer.push(b"GET / HTTP/1.1\r\n");
/// assert!(deframer.frame().is_err(), "closed for good");
/// # Ok::<(), meter_protocol::seal::HeaderError>(())
/// ```
#[derive(Clone)]
pub struct Deframer {
    bytes: [u8; MAX_FRAME_LEN],
    len: usize,
    due: usize,
    failed: Option<HeaderError>,
}

impl Deframer {
    /// Empty.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; MAX_FRAME_LEN], len: 0, due: HEADER_LEN, failed: None }
    }

    /// Room for the bytes that the frame under way still lacks: read into it, then call [`Deframer::filled`]. Empty once
    /// the frame is complete and after an error.
    pub fn room(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.len..self.due).unwrap_or_default()
    }

    /// So many bytes were written into the room.
    pub fn filled(&mut self, count: usize) {
        self.len = self.len.saturating_add(count).min(self.due);
        if self.len != HEADER_LEN || self.due != HEADER_LEN {
            return;
        }
        match Header::parse(&self.bytes) {
            Ok(header) => self.due = header.frame_len().min(MAX_FRAME_LEN),
            Err(error) => (self.failed, self.due) = (Some(error), 0),
        }
    }

    /// Takes bytes up to the end of the frame under way and says how many.
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0_usize;
        loop {
            let rest = bytes.get(taken..).unwrap_or_default();
            let copied = self.room().iter_mut().zip(rest).map(|(to, from)| *to = *from).count();
            if copied == 0 {
                return taken;
            }
            self.filled(copied);
            taken = taken.saturating_add(copied);
        }
    }

    /// The frame, once it is complete. Call [`Deframer::clear`] after use.
    ///
    /// # Errors
    /// [`HeaderError`] once a header could not be parsed, from then on always.
    pub fn frame(&self) -> Result<Option<&[u8]>, HeaderError> {
        match self.failed {
            Some(error) => Err(error),
            None if self.len == self.due => Ok(self.bytes.get(..self.len)),
            None => Ok(None),
        }
    }

    /// Makes room for the next frame. An error stays.
    pub const fn clear(&mut self) {
        if self.failed.is_none() {
            (self.len, self.due) = (0, HEADER_LEN);
        }
    }

    /// Whether a frame has begun and is not complete: an end of the stream here cuts it off.
    #[must_use]
    pub const fn is_partial(&self) -> bool {
        self.len > 0 && self.len < self.due
    }
}

impl Default for Deframer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Deframer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deframer").field("len", &self.len).field("due", &self.due).finish_non_exhaustive()
    }
}
