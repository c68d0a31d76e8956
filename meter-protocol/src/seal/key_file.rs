//! Keys as text, one file per peer.
//!
//! ```text
//! sealed-link-keys 1
//! peer 7
//! suite 1
//! key 1 0123…   48 hexadecimal digits, 32 in suites 2 and 3
//! key 2 89ab…
//! current 2
//! ```
//!
//! Empty lines and lines that begin with `#` are skipped.

use super::{KeyBundle, KeyError, PeerId, PeerKeys, Suite};
use core::fmt;
use thiserror::Error;
use zeroize::Zeroize;

/// Longest key file that is read.
pub const MAX_KEY_FILE_LEN: usize = 4_096;

const HEAD: &str = "sealed-link-keys 1";
const MAX_KEY_LEN: usize = 24;

/// A key file that is not taken. Only line numbers are named, never what stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// Longer than [`MAX_KEY_FILE_LEN`].
    #[error("a key file of {len} bytes, at most {MAX_KEY_FILE_LEN} are read")]
    TooLong {
        /// Bytes given.
        len: usize,
    },
    /// A line that is none of the format, or stands in the wrong place.
    #[error("line {line} of the key file is not understood")]
    Line {
        /// From 1.
        line: usize,
    },
    /// A key that is refused.
    #[error("line {line} of the key file: {error}")]
    Key {
        /// From 1.
        line: usize,
        /// Why.
        error: KeyError,
    },
    /// The file ends before it has a key.
    #[error("the key file has no key")]
    NoKey,
}

impl PeerKeys {
    /// Reads a key file.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn from_key_file(text: &str) -> Result<Self, KeyFileError> {
        if text.len() > MAX_KEY_FILE_LEN {
            return Err(KeyFileError::TooLong { len: text.len() });
        }
        let mut lines = (1_usize..)
            .zip(text.lines())
            .map(|(line, text)| (line, text.trim()))
            .filter(|(_, text)| !text.is_empty() && !text.starts_with('#'));
        let mut due = |expected: &str| match lines.next() {
            Some((line, text)) => match text.split_once(' ') {
                Some((word, rest)) if word == expected => Ok((line, rest.trim())),
                _ => Err(KeyFileError::Line { line }),
            },
            None => Err(KeyFileError::NoKey),
        };
        let (head_word, head_version) = HEAD.split_once(' ').unwrap_or_default();
        let (line, version) = due(head_word)?;
        if version != head_version {
            return Err(KeyFileError::Line { line });
        }
        let (line, peer) = due("peer")?;
        let peer = peer.parse().map_err(|_| KeyFileError::Line { line })?;
        let (line, suite) = due("suite")?;
        let suite = suite.parse().ok().and_then(Suite::from_code).ok_or(KeyFileError::Line { line })?;
        let mut keys = Self::new(PeerId(peer));
        for (line, text) in lines {
            let unclear = KeyFileError::Line { line };
            let refused = |error| KeyFileError::Key { line, error };
            match text.split_once(' ').ok_or(unclear)? {
                ("key", rest) => {
                    let (key_id, digits) = rest.trim().split_once(' ').ok_or(unclear)?;
                    let key_id = key_id.parse().map_err(|_| unclear)?;
                    let key = key_from_hex(suite, digits.trim(), line)?;
                    keys.insert(key_id, key).map_err(refused)?;
                }
                ("current", key_id) => {
                    keys.set_current(key_id.trim().parse().map_err(|_| unclear)?).map_err(refused)?;
                }
                _ => return Err(unclear),
            }
        }
        keys.current().map(|_| keys).ok_or(KeyFileError::NoKey)
    }

    /// Writes the key file: the one place where keys are written out. Its reader must be the owner alone.
    ///
    /// # Errors
    /// Those of the writer; without a key nothing is written and it fails.
    pub fn write_key_file(&self, to: &mut impl fmt::Write) -> fmt::Result {
        let (Some(suite), Some(current)) = (self.suite(), self.current()) else { return Err(fmt::Error) };
        writeln!(to, "{HEAD}\npeer {}\nsuite {}", self.peer(), suite.code())?;
        for key_id in self.key_ids() {
            write!(to, "key {key_id} ")?;
            let bytes = self.get(key_id).map(KeyBundle::bytes).unwrap_or_default();
            bytes.iter().try_for_each(|byte| write!(to, "{byte:02x}"))?;
            writeln!(to)?;
        }
        writeln!(to, "current {current}")
    }
}

fn key_from_hex(suite: Suite, digits: &str, line: usize) -> Result<KeyBundle, KeyFileError> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let mut bytes = [0; MAX_KEY_LEN];
    let Some(used) = bytes.get_mut(..pairs.len()).filter(|_| rest.is_empty()) else {
        return Err(KeyFileError::Line { line });
    };
    for (byte, [high, low]) in used.iter_mut().zip(pairs) {
        match (nibble(*high), nibble(*low)) {
            (Some(high), Some(low)) => *byte = high << 4 | low,
            _ => return Err(KeyFileError::Line { line }),
        }
    }
    let key = KeyBundle::from_slice(suite, used).map_err(|error| KeyFileError::Key { line, error });
    bytes.zeroize();
    key
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
