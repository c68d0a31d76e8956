//! The hash chain as plain text, and its check without a ledger.
//!
//! ```text
//! prepay-core ledger 1 CNY 2 0          version, currency, minor digits, shard
//! 01…02 9f…                             canonical record (162 hex digits), hash of the line (64 hex digits)
//! ```
//!
//! The check needs nothing but SHA-256: the hash of a line is `H(hash of the line before ‖ record)`, and before the first
//! line stands the genesis; see [`crate::ledger`] for the record's fields.

use core::fmt::{self, Write};

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::day::{Anchored, DayChainError, DayClose};
use crate::ledger::{ChainError, Entry, Hash, Head, RECORD_BYTES, ShardId, genesis};
use crate::money::{Currency, MoneyError};

/// What an export of this version begins with.
const TITLE: &str = "prepay-core ledger 1";

/// Writes the first line of an export of the chain.
///
/// # Errors
/// What the writer answers.
pub fn chain_header(currency: Currency, shard: ShardId, text: &mut impl Write) -> fmt::Result {
    writeln!(text, "{TITLE} {} {} {}", currency.code(), currency.minor_digits(), shard.0)
}

/// Writes one journal line of an export of the chain.
///
/// # Errors
/// What the writer answers.
pub fn chain_line(entry: &Entry, text: &mut impl Write) -> fmt::Result {
    entry.record().iter().try_for_each(|byte| write!(text, "{byte:02x}"))?;
    writeln!(text, " {}", entry.hash)
}

/// An export of the chain that is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ChainTextError {
    /// The first line is not one of this version.
    #[error("the first line is not \"{TITLE} CURRENCY DIGITS SHARD\"")]
    Header,
    /// A line that is not a record and a hash in hex digits.
    #[error("line {line} is not {RECORD_BYTES} bytes and a hash in hex digits")]
    Line {
        /// Its number in the text, from 1.
        line: u64,
    },
    /// A currency that can't be.
    #[error(transparent)]
    Currency(#[from] MoneyError),
    /// A line that is missing, moved or changed.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A journal that is not the one that was sealed at a day's end.
    #[error(transparent)]
    Anchor(#[from] DayChainError),
}

/// Checks an export of the chain, line by line, and answers its head. Compare that with the head that was printed at day
/// end: an export that was cut short is a valid chain too.
///
/// # Errors
/// [`ChainTextError`] names the first line that is wrong.
pub fn verify_chain_text<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Head, ChainTextError> {
    verify_chain_text_anchored(lines, &[])
}

/// As [`verify_chain_text`], and checks that the journal passes through every head of it that the days have anchored. The days
/// themselves are checked by [`crate::day::verify_days`].
///
/// # Errors
/// [`ChainTextError`] names the first line that is wrong, or the anchor that is not met.
pub fn verify_chain_text_anchored<'a>(
    lines: impl IntoIterator<Item = &'a str>,
    days: &[DayClose],
) -> Result<Head, ChainTextError> {
    let mut lines = (1_u64..).zip(lines);
    let (_, header) = lines.next().ok_or(ChainTextError::Header)?;
    let (currency, shard) = header_of(header)?;
    let start = Head { seq: 0, hash: genesis(currency, shard) };
    let anchored = Anchored::new(shard, start, days)?;
    let head = lines.try_fold(start, |head, (line, text)| {
        let (record, hash) = text.split_once(' ').ok_or(ChainTextError::Line { line })?;
        let record: [u8; RECORD_BYTES] = bytes_of(record).ok_or(ChainTextError::Line { line })?;
        let hash: [u8; 32] = bytes_of(hash).ok_or(ChainTextError::Line { line })?;
        let seq = head.seq.checked_add(1).ok_or(ChainError::Full)?;
        let [version, found @ ..] = record.first_chunk::<9>().copied().ok_or(ChainTextError::Line { line })?;
        if version != 1 {
            return Err(ChainTextError::Line { line });
        }
        let found = u64::from_be_bytes(found);
        if found != seq {
            return Err(ChainError::Sequence { expected: seq, found }.into());
        }
        let mut hasher = Sha256::new();
        hasher.update(head.hash.as_bytes());
        hasher.update(record);
        if <[u8; 32]>::from(hasher.finalize()) != hash {
            return Err(ChainError::Changed { seq }.into());
        }
        let head = Head { seq, hash: Hash::from_bytes(hash) };
        anchored.check(head)?;
        Ok::<_, ChainTextError>(head)
    })?;
    Ok(anchored.finish(head)?)
}

fn header_of(line: &str) -> Result<(Currency, ShardId), ChainTextError> {
    let rest = line.strip_prefix(TITLE).ok_or(ChainTextError::Header)?;
    let mut words = rest.split_whitespace();
    let code = words.next().ok_or(ChainTextError::Header)?;
    let mut number = || words.next().and_then(|word| word.parse::<u32>().ok()).ok_or(ChainTextError::Header);
    let digits = u8::try_from(number()?).map_err(|_| ChainTextError::Header)?;
    let shard = ShardId(number()?);
    Ok((Currency::new(code, digits)?, shard))
}

fn bytes_of<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if digits.len() != N.checked_mul(2)? {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let high = char::from(*pair.first()?).to_digit(16)?;
        let low = char::from(*pair.last()?).to_digit(16)?;
        *byte = u8::try_from(high.checked_mul(16)?.checked_add(low)?).ok()?;
    }
    Some(bytes)
}
