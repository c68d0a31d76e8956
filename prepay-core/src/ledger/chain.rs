//! The hash chain of the journal and its canonical encoding.
//!
//! # Canonical encoding (normative, version 1)
//!
//! All integers are big-endian. `H` is SHA-256.
//!
//! ```text
//! genesis = H( "prepay-core ledger 1" ‖ currency code (3 bytes ASCII) ‖ minor digits (u8) ‖ shard (u32) )
//! hash    = H( previous hash (32) ‖ record )
//! record  = version = 1 (u8)
//!         ‖ sequence (u64, from 1)            ‖ time, UTC seconds (i64)
//!         ‖ id: origin (u64), seq (u64), part (u16)
//!         ‖ action code (u8)                  ‖ refers to: origin (u64), seq (u64), part (u16); zeros if nothing
//!         ‖ debit: kind code (u8), owner (u64) ‖ credit: kind code (u8), owner (u64)
//!         ‖ amount, minor units (i64)         ‖ limit rule (u8: 1 enforce, 2 record)
//! ```
//!
//! A record is 81 bytes. It holds numbers only: no personal data enters the chain.

use alloc::string::String;
use core::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{LimitRule, Transfer, TransferId};
use crate::money::Currency;

/// Which of several ledgers of one site; each has a chain of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShardId(pub u32);

/// A SHA-256 value; 64 hex digits as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash([u8; 32]);

impl Hash {
    /// Takes the bytes of a stored hash.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        let mut text = Self::with_capacity(64);
        // Writing to a String can't fail.
        let _ = write!(text, "{hash}");
        text
    }
}

impl TryFrom<String> for Hash {
    type Error = ChainError;

    fn try_from(text: String) -> Result<Self, ChainError> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(ChainError::HashText);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = core::str::from_utf8(pair).map_err(|_| ChainError::HashText)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| ChainError::HashText)?;
        }
        Ok(Self(bytes))
    }
}

/// One line of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place in the journal, from 1.
    pub seq: u64,
    /// When it was decided, UTC seconds.
    pub utc_s: i64,
    /// What it records.
    pub transfer: Transfer,
    /// The hash of the line before, or the genesis.
    pub previous: Hash,
    /// The hash of this line.
    pub hash: Hash,
}

/// The end of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The last line; 0 for an empty journal.
    pub seq: u64,
    /// Its hash, or the genesis.
    pub hash: Hash,
}

/// The hash that stands before the first line.
#[must_use]
pub fn genesis(currency: Currency, shard: ShardId) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(b"prepay-core ledger 1");
    hasher.update(currency.code_bytes());
    hasher.update([currency.minor_digits()]);
    hasher.update(shard.0.to_be_bytes());
    Hash(hasher.finalize().into())
}

/// Checks a stored journal from its first line and returns its head. Compare that with the head that was anchored
/// elsewhere: a journal that was cut short is a valid chain too.
///
/// # Errors
/// [`ChainError`] names the first line that is missing, moved or changed.
pub fn verify<'a>(
    currency: Currency,
    shard: ShardId,
    entries: impl IntoIterator<Item = &'a Entry>,
) -> Result<Head, ChainError> {
    verify_each(currency, shard, entries, |_| Ok(()))
}

/// As [`verify`], and lets the caller look at the head after every line.
pub(crate) fn verify_each<'a, E: From<ChainError>>(
    currency: Currency,
    shard: ShardId,
    entries: impl IntoIterator<Item = &'a Entry>,
    mut see: impl FnMut(Head) -> Result<(), E>,
) -> Result<Head, E> {
    let start = Head { seq: 0, hash: genesis(currency, shard) };
    entries.into_iter().try_fold(start, |head, entry| {
        head.accepts(entry)?;
        let head = Head { seq: entry.seq, hash: entry.hash };
        see(head)?;
        Ok(head)
    })
}

impl Head {
    /// The line that would follow.
    pub(super) fn next(self, transfer: Transfer, utc_s: i64) -> Result<Entry, ChainError> {
        let seq = self.seq.checked_add(1).ok_or(ChainError::Full)?;
        let hash = hash_of(self.hash, seq, utc_s, &transfer);
        Ok(Entry { seq, utc_s, transfer, previous: self.hash, hash })
    }

    /// Checks that `entry` stands in its place. Cheap: the hash itself is checked by [`Head::accepts`].
    pub(super) fn links(self, entry: &Entry) -> Result<(), ChainError> {
        if self.seq.checked_add(1) != Some(entry.seq) {
            return Err(ChainError::Sequence { expected: self.seq.saturating_add(1), found: entry.seq });
        }
        if entry.previous != self.hash {
            return Err(ChainError::Link { seq: entry.seq });
        }
        Ok(())
    }

    /// Checks that `entry` stands in its place and is what it was.
    pub(super) fn accepts(self, entry: &Entry) -> Result<(), ChainError> {
        self.links(entry)?;
        if hash_of(self.hash, entry.seq, entry.utc_s, &entry.transfer) == entry.hash {
            Ok(())
        } else {
            Err(ChainError::Changed { seq: entry.seq })
        }
    }
}

/// Bytes of a canonical record.
pub const RECORD_BYTES: usize = 81;

impl Entry {
    /// The canonical encoding of this line, as hashed after the hash of the line before.
    #[must_use]
    pub fn record(&self) -> [u8; RECORD_BYTES] {
        let mut record = [0; RECORD_BYTES];
        encode(&mut record, self.seq, self.utc_s, &self.transfer);
        record
    }
}

fn hash_of(previous: Hash, seq: u64, utc_s: i64, transfer: &Transfer) -> Hash {
    // One buffer and one call: the hasher need not gather the parts.
    let mut line = [0; 32 + RECORD_BYTES];
    let record = put(&mut line, previous.0);
    encode(record, seq, utc_s, transfer);
    Hash(Sha256::digest(line).into())
}

fn encode(record: &mut [u8], seq: u64, utc_s: i64, transfer: &Transfer) {
    let limit: u8 = match transfer.limit {
        LimitRule::Enforce => 1,
        LimitRule::Record => 2,
    };
    let Transfer { id, action, debit, credit, amount, .. } = transfer;
    let rest = put(record, [1]);
    let rest = put(rest, seq.to_be_bytes());
    let rest = put(rest, utc_s.to_be_bytes());
    let rest = put_id(rest, *id);
    let rest = put(rest, [action.code()]);
    let rest = put_id(rest, action.refers_to().unwrap_or(TransferId::new(0, 0, 0)));
    let rest = put(rest, [debit.kind.code()]);
    let rest = put(rest, debit.owner.to_be_bytes());
    let rest = put(rest, [credit.kind.code()]);
    let rest = put(rest, credit.owner.to_be_bytes());
    let rest = put(rest, amount.minor().to_be_bytes());
    put(rest, [limit]);
}

fn put_id(record: &mut [u8], id: TransferId) -> &mut [u8] {
    let rest = put(record, id.origin.to_be_bytes());
    let rest = put(rest, id.seq.to_be_bytes());
    put(rest, id.part.to_be_bytes())
}

/// Writes `part` at the front and answers the rest. All lengths are fixed, so it always fits.
fn put<const N: usize>(record: &mut [u8], part: [u8; N]) -> &mut [u8] {
    match record.split_first_chunk_mut() {
        Some((front, rest)) => {
            *front = part;
            rest
        }
        None => &mut [],
    }
}

/// A journal that is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ChainError {
    /// A line is missing, doubled or out of order.
    #[error("journal line {found} stands where line {expected} belongs")]
    Sequence {
        /// The line that belongs here.
        expected: u64,
        /// The line found.
        found: u64,
    },
    /// A line follows another one than it says.
    #[error("journal line {seq} does not follow the line before it")]
    Link {
        /// The line.
        seq: u64,
    },
    /// The content of a line does not have its hash.
    #[error("journal line {seq} was changed")]
    Changed {
        /// The line.
        seq: u64,
    },
    /// The journal has used up its sequence numbers.
    #[error("the journal is full")]
    Full,
    /// Not 64 hex digits.
    #[error("a hash is 64 hex digits")]
    HashText,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{AccountKey, AccountKind, Action};
    use crate::money::Money;

    fn sample() -> Entry {
        let transfer = Transfer {
            id: TransferId::new(7, 2, 0),
            action: Action::Post { hold: TransferId::new(7, 1, 0) },
            debit: AccountKey::new(AccountKind::CustomerPurse, 7),
            credit: AccountKey::new(AccountKind::MeterPurse, 202_603_050_012),
            amount: Money::from_minor(10_000),
            limit: LimitRule::Enforce,
        };
        Head { seq: 0, hash: genesis(Currency::CNY, ShardId(3)) }.next(transfer, 1_772_719_650).unwrap()
    }

    /// The encoding is normative: these two values were computed from the description above with another program.
    #[test]
    fn the_encoding_does_not_change() {
        let entry = sample();
        assert_eq!(String::from(entry.previous), "ba85292f069629dbe50d30d8bf9a06ede9681d54bd43d12003fa3d3d6b9c06f0");
        assert_eq!(String::from(entry.hash), "83f7b2853de9d263ad50fb75703683eaecd02e4e2619cd0bafab7fe3a7bf3c4c");
    }

    #[test]
    fn every_field_is_in_the_hash() {
        let entry = sample();
        let changes: [fn(&mut Entry); 10] = [
            |entry| entry.utc_s += 1,
            |entry| entry.transfer.id.origin += 1,
            |entry| entry.transfer.id.seq += 1,
            |entry| entry.transfer.id.part += 1,
            |entry| entry.transfer.action = Action::Void { hold: TransferId::new(7, 1, 0) },
            |entry| entry.transfer.action = Action::Post { hold: TransferId::new(7, 1, 1) },
            |entry| entry.transfer.debit.owner += 1,
            |entry| entry.transfer.credit.kind = AccountKind::Cash,
            |entry| entry.transfer.amount = Money::from_minor(10_001),
            |entry| entry.transfer.limit = LimitRule::Record,
        ];
        for (index, change) in changes.iter().enumerate() {
            let mut changed = entry;
            change(&mut changed);
            assert_eq!(verify(Currency::CNY, ShardId(3), [&changed]), Err(ChainError::Changed { seq: 1 }), "{index}");
        }
        assert_eq!(verify(Currency::CNY, ShardId(3), [&entry]), Ok(Head { seq: 1, hash: entry.hash }));
        assert_eq!(verify(Currency::CNY, ShardId(4), [&entry]), Err(ChainError::Link { seq: 1 }));
        assert_eq!(verify(Currency::EUR, ShardId(3), [&entry]), Err(ChainError::Link { seq: 1 }));
    }

    #[test]
    fn a_hash_is_64_hex_digits_as_text() {
        let text = String::from(sample().hash);
        assert_eq!(Hash::try_from(text), Ok(sample().hash));
        for bad in ["", "zz", &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(Hash::try_from(String::from(bad)), Err(ChainError::HashText));
        }
    }
}
