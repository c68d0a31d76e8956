//! The offline check of closed days: each sheet is as it was sealed, the seals follow each other, no ledger goes back, and the
//! journals pass through every head that was anchored.

use alloc::collections::BTreeMap;

use thiserror::Error;

use super::{Anchor, DayClose};
use crate::ledger::{ChainError, Entry, Hash, Head, ShardId, genesis, verify_each};
use crate::money::Currency;

/// Checks closed days in their order, from the first one, and answers the seal of the last. Compare that with a seal that
/// was printed or kept elsewhere: days that were cut off at the end leave a valid row of sheets too.
///
/// # Errors
/// [`DayChainError`] names the first day that was changed, is missing, or does not follow.
pub fn verify_days<'a>(days: impl IntoIterator<Item = &'a DayClose>) -> Result<Hash, DayChainError> {
    let mut seal = Hash::from_bytes([0; 32]);
    let mut latest_utc_s = i64::MIN;
    let mut heads = BTreeMap::new();
    for day in days {
        let from_utc_s = day.from_utc_s;
        if !day.is_intact() {
            return Err(DayChainError::Changed { from_utc_s });
        }
        if day.previous != seal {
            return Err(DayChainError::Link { from_utc_s });
        }
        if from_utc_s < latest_utc_s || day.to_utc_s <= from_utc_s {
            return Err(DayChainError::Span { from_utc_s, to_utc_s: day.to_utc_s, latest_utc_s });
        }
        heads = follow(&heads, day)?;
        (seal, latest_utc_s) = (day.seal, day.to_utc_s);
    }
    Ok(seal)
}

/// The heads of a day after those of the day before: every ledger is there still, and none goes back.
fn follow(before: &BTreeMap<ShardId, Head>, day: &DayClose) -> Result<BTreeMap<ShardId, Head>, DayChainError> {
    let from_utc_s = day.from_utc_s;
    let heads: BTreeMap<_, _> = day.anchors.iter().map(|anchor| (anchor.shard, anchor.head)).collect();
    for (shard, known) in before {
        let head = heads.get(shard).ok_or(DayChainError::Missing { from_utc_s, shard: shard.0 })?;
        if head.seq < known.seq || (head.seq == known.seq && head.hash != known.hash) {
            return Err(DayChainError::Back { from_utc_s, shard: shard.0, seq: head.seq, known_seq: known.seq });
        }
    }
    Ok(heads)
}

/// Checks a stored journal from its first line, as [`crate::ledger::verify`] does, and that it passes through every head of
/// it that the days have anchored. The days themselves are checked by [`verify_days`].
///
/// # Errors
/// [`DayChainError::Chain`] for a journal that was changed, [`DayChainError::Anchor`] for one that was changed and chained
/// anew, [`DayChainError::CutShort`] for one that ends before the last anchor.
pub fn verify_anchored<'a>(
    currency: Currency,
    shard: ShardId,
    entries: impl IntoIterator<Item = &'a Entry>,
    days: &[DayClose],
) -> Result<Head, DayChainError> {
    let anchored = Anchored::new(shard, Head { seq: 0, hash: genesis(currency, shard) }, days)?;
    let head = verify_each(currency, shard, entries, |head| anchored.check(head))?;
    anchored.finish(head)
}

/// The heads of one ledger that the days have anchored.
pub(crate) struct Anchored {
    shard: ShardId,
    hashes: BTreeMap<u64, Hash>,
}

impl Anchored {
    /// All anchors of a ledger that begins at `start`.
    pub(crate) fn new(shard: ShardId, start: Head, days: &[DayClose]) -> Result<Self, DayChainError> {
        let anchors = days.iter().flat_map(|day| &day.anchors).filter(|anchor| anchor.shard == shard);
        let hashes = anchors.map(|Anchor { head, .. }| (head.seq, head.hash)).collect();
        let anchored = Self { shard, hashes };
        anchored.check(start)?;
        Ok(anchored)
    }

    /// The journal stands at `head`.
    pub(crate) fn check(&self, head: Head) -> Result<(), DayChainError> {
        match self.hashes.get(&head.seq) {
            Some(hash) if *hash != head.hash => Err(DayChainError::Anchor { shard: self.shard.0, seq: head.seq }),
            _ => Ok(()),
        }
    }

    /// The journal ends at `head`.
    pub(crate) fn finish(&self, head: Head) -> Result<Head, DayChainError> {
        match self.hashes.keys().next_back() {
            Some(anchored) if *anchored > head.seq => {
                Err(DayChainError::CutShort { shard: self.shard.0, seq: head.seq, anchored_seq: *anchored })
            }
            _ => Ok(head),
        }
    }
}

/// Days or journals that are not what was sealed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DayChainError {
    /// The content of a sheet does not have its seal.
    #[error("the day from {from_utc_s} was changed")]
    Changed {
        /// When it begins, UTC seconds.
        from_utc_s: i64,
    },
    /// A sheet follows another one than it says: one is missing or in the wrong place.
    #[error("the day from {from_utc_s} does not follow the day before it")]
    Link {
        /// When it begins, UTC seconds.
        from_utc_s: i64,
    },
    /// A day that overlaps the one before, or does not last.
    #[error("a day from {from_utc_s} to {to_utc_s} after one that ended at {latest_utc_s} (UTC seconds)")]
    Span {
        /// From.
        from_utc_s: i64,
        /// To.
        to_utc_s: i64,
        /// The end of the day before.
        latest_utc_s: i64,
    },
    /// A ledger that was anchored the day before is not anchored.
    #[error("the day from {from_utc_s} does not anchor ledger {shard}")]
    Missing {
        /// When the day begins, UTC seconds.
        from_utc_s: i64,
        /// The ledger.
        shard: u32,
    },
    /// A ledger that is shorter than the day before, or another one of the same length.
    #[error("the day from {from_utc_s} has ledger {shard} at line {seq}, the day before had another line {known_seq}")]
    Back {
        /// When the day begins, UTC seconds.
        from_utc_s: i64,
        /// The ledger.
        shard: u32,
        /// Its last line.
        seq: u64,
        /// Its last line the day before.
        known_seq: u64,
    },
    /// A journal that does not pass through an anchored head: it was changed and chained anew.
    #[error("line {seq} of ledger {shard} is not the one that was sealed")]
    Anchor {
        /// The ledger.
        shard: u32,
        /// The line.
        seq: u64,
    },
    /// A journal that ends before the last line that was sealed.
    #[error("ledger {shard} ends at line {seq}, line {anchored_seq} was sealed")]
    CutShort {
        /// The ledger.
        shard: u32,
        /// Its last line.
        seq: u64,
        /// The last line that was sealed.
        anchored_seq: u64,
    },
    /// A journal that was changed.
    #[error(transparent)]
    Chain(#[from] ChainError),
}
