//! The end of a day: what each operator took through each channel, and the heads of the ledgers' chains, sealed together.
//!
//! The totals come from the accounts' events, the heads from the ledgers. A day's seal covers the seal of the day before, so
//! that a printed sheet anchors everything that came before it.

mod verify;

pub(crate) use verify::Anchored;
pub use verify::{DayChainError, verify_anchored, verify_days};

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::account::{Event, Fact, FinalSettlement, Payback, Payment};
use crate::id::{ChannelId, OperatorId};
use crate::ledger::{Hash, Head, ShardId};
use crate::money::{Money, MoneyError};
use crate::refund::RefundKind;

/// What went through one channel by one operator's hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Payments taken.
    pub receipts: u64,
    /// Their sum, minor units.
    pub received: Money,
    /// Refunds and final settlements paid out.
    pub refunds: u64,
    /// Their sum, minor units.
    pub refunded: Money,
    /// Sales reversed.
    pub reversals: u64,
    /// Their sum, minor units.
    pub reversed: Money,
}

/// One operator at one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Who.
    pub operator: OperatorId,
    /// Where.
    pub channel: ChannelId,
    /// How much.
    pub totals: Totals,
}

/// The end of one ledger's journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// Which ledger.
    pub shard: ShardId,
    /// Its last line and the hash of its chain.
    pub head: Head,
}

/// A day that is being added up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenDay {
    from_utc_s: i64,
    to_utc_s: i64,
    totals: BTreeMap<(OperatorId, ChannelId), Totals>,
}

/// A closed day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayClose {
    /// From this time on, UTC seconds.
    pub from_utc_s: i64,
    /// Before this time, UTC seconds.
    pub to_utc_s: i64,
    /// By operator, then by channel.
    pub lines: Vec<Line>,
    /// All ledgers, by their numbers.
    pub anchors: Vec<Anchor>,
    /// The seal of the day before; all zeros on the first day.
    pub previous: Hash,
    /// The seal of this day.
    pub seal: Hash,
}

impl Totals {
    /// What has to be in the till, minor units.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] outside the range.
    pub fn in_till(&self) -> Result<Money, MoneyError> {
        self.received.minus(self.refunded)?.minus(self.reversed)
    }
}

impl OpenDay {
    /// The most lines of one day.
    pub const MAX_LINES: usize = 10_000;
    /// The most ledgers of one site.
    pub const MAX_ANCHORS: usize = 1_024;

    /// A day from `from_utc_s` up to, not including, `to_utc_s`.
    ///
    /// # Errors
    /// [`DayError::Span`] when it does not last.
    pub const fn new(from_utc_s: i64, to_utc_s: i64) -> Result<Self, DayError> {
        if to_utc_s <= from_utc_s {
            return Err(DayError::Span { from_utc_s, to_utc_s });
        }
        Ok(Self { from_utc_s, to_utc_s, totals: BTreeMap::new() })
    }

    /// Takes an event in. One of another day, or one that moves no cash, changes nothing.
    ///
    /// # Errors
    /// [`DayError`] beyond a limit; the day is then as it was.
    pub fn add(&mut self, event: &Event) -> Result<(), DayError> {
        if event.utc_s < self.from_utc_s || event.utc_s >= self.to_utc_s {
            return Ok(());
        }
        match &event.fact {
            Fact::SaleRequested { amount, payment: Payment::Channel(channel), operator, .. }
            | Fact::StationSaleMade { amount, channel, operator, .. }
            | Fact::PaymentReceived { amount, channel, operator, .. }
            | Fact::DepositTaken { amount, channel, operator } => self.receive(*operator, *channel, *amount),
            Fact::RefundApplied { .. } | Fact::PaidBack { .. } | Fact::Closed { .. } => {
                // Several parts: all of them count, or none.
                let mut day = self.clone();
                day.give_back(&event.fact)?;
                *self = day;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn give_back(&mut self, fact: &Fact) -> Result<(), DayError> {
        match fact {
            Fact::RefundApplied { payback, kind, operator, .. } | Fact::PaidBack { payback, kind, operator, .. } => {
                self.pay_back(*operator, payback, *kind)
            }
            Fact::Closed { settlement, payback, paid, collected, by, .. } => {
                self.pay_back(*by, payback, RefundKind::Refund)?;
                match settlement {
                    FinalSettlement::Refund { channel } => self.pay_out(*by, *channel, *paid, RefundKind::Refund),
                    FinalSettlement::Collect { channel } => self.receive(*by, *channel, *collected),
                    FinalSettlement::WriteOff => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// Changes the totals of one line, or nothing.
    fn change(
        &mut self,
        operator: OperatorId,
        channel: ChannelId,
        change: impl FnOnce(&mut Totals) -> Result<(), MoneyError>,
    ) -> Result<(), DayError> {
        let known = self.totals.get(&(operator, channel)).copied();
        if known.is_none() && self.totals.len() >= Self::MAX_LINES {
            return Err(DayError::TooManyLines { max: Self::MAX_LINES });
        }
        let mut totals = known.unwrap_or_default();
        change(&mut totals)?;
        self.totals.insert((operator, channel), totals);
        Ok(())
    }

    fn receive(&mut self, operator: OperatorId, channel: ChannelId, amount: Money) -> Result<(), DayError> {
        if amount.is_zero() {
            return Ok(());
        }
        self.change(operator, channel, |totals| {
            totals.received = totals.received.plus(amount)?;
            totals.receipts = totals.receipts.saturating_add(1);
            Ok(())
        })
    }

    fn pay_back(&mut self, operator: OperatorId, parts: &[Payback], kind: RefundKind) -> Result<(), DayError> {
        parts.iter().try_for_each(|part| self.pay_out(operator, part.channel, part.amount, kind))
    }

    fn pay_out(
        &mut self,
        operator: OperatorId,
        channel: ChannelId,
        amount: Money,
        kind: RefundKind,
    ) -> Result<(), DayError> {
        if amount.is_zero() {
            return Ok(());
        }
        self.change(operator, channel, |totals| {
            if matches!(kind, RefundKind::Reversal { .. }) {
                totals.reversed = totals.reversed.plus(amount)?;
                totals.reversals = totals.reversals.saturating_add(1);
            } else {
                totals.refunded = totals.refunded.plus(amount)?;
                totals.refunds = totals.refunds.saturating_add(1);
            }
            Ok(())
        })
    }

    /// Closes the day: totals and heads are sealed on top of the day before.
    ///
    /// # Errors
    /// [`DayError`] for a ledger that is named twice, or too many of them.
    pub fn close(self, mut anchors: Vec<Anchor>, previous: Hash) -> Result<DayClose, DayError> {
        if anchors.len() > Self::MAX_ANCHORS {
            return Err(DayError::TooManyAnchors { max: Self::MAX_ANCHORS });
        }
        anchors.sort_by_key(|anchor| anchor.shard);
        let twice = anchors.windows(2).find_map(|pair| match pair {
            [one, other] if one.shard == other.shard => Some(one.shard),
            _ => None,
        });
        if let Some(shard) = twice {
            return Err(DayError::ShardTwice { shard: shard.0 });
        }
        let lines = self.totals.into_iter().map(|((operator, channel), totals)| Line { operator, channel, totals });
        let (from_utc_s, to_utc_s) = (self.from_utc_s, self.to_utc_s);
        let mut day = DayClose { from_utc_s, to_utc_s, lines: lines.collect(), anchors, previous, seal: previous };
        day.seal = day.computed_seal();
        Ok(day)
    }
}

impl DayClose {
    /// The seal by the canonical encoding: SHA-256 of `"prepay-day-1"`, the previous seal, both times, the number of lines
    /// and each line, the number of anchors and each anchor; integers big-endian, 64 bits wide.
    #[must_use]
    pub fn computed_seal(&self) -> Hash {
        let mut hasher = Sha256::new();
        hasher.update(b"prepay-day-1");
        hasher.update(self.previous.as_bytes());
        hasher.update(self.from_utc_s.to_be_bytes());
        hasher.update(self.to_utc_s.to_be_bytes());
        hasher.update(u64::try_from(self.lines.len()).unwrap_or(u64::MAX).to_be_bytes());
        for Line { operator, channel, totals } in &self.lines {
            let Totals { receipts, received, refunds, refunded, reversals, reversed } = totals;
            for number in [operator.0, channel.0, *receipts, *refunds, *reversals] {
                hasher.update(number.to_be_bytes());
            }
            for money in [received, refunded, reversed] {
                hasher.update(money.minor().to_be_bytes());
            }
        }
        hasher.update(u64::try_from(self.anchors.len()).unwrap_or(u64::MAX).to_be_bytes());
        for Anchor { shard, head } in &self.anchors {
            hasher.update(u64::from(shard.0).to_be_bytes());
            hasher.update(head.seq.to_be_bytes());
            hasher.update(head.hash.as_bytes());
        }
        Hash::from_bytes(hasher.finalize().into())
    }

    /// Whether nothing was changed since it was sealed.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.seal == self.computed_seal()
    }
}

impl fmt::Display for DayClose {
    /// The sheet that is printed: one line an operator and channel, one a ledger, the seals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "day {} – {} (UTC seconds)", self.from_utc_s, self.to_utc_s)?;
        for Line { operator, channel, totals } in &self.lines {
            writeln!(
                f,
                "operator {} channel {}: received {} ({}), refunded {} ({}), reversed {} ({})",
                operator.0,
                channel.0,
                totals.received.minor(),
                totals.receipts,
                totals.refunded.minor(),
                totals.refunds,
                totals.reversed.minor(),
                totals.reversals
            )?;
        }
        for Anchor { shard, head } in &self.anchors {
            writeln!(f, "ledger {}: line {} {}", shard.0, head.seq, head.hash)?;
        }
        writeln!(f, "previous {}", self.previous)?;
        writeln!(f, "seal {}", self.seal)
    }
}

/// A day that can't be closed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DayError {
    /// It ends before it begins.
    #[error("a day from {from_utc_s} to {to_utc_s} (UTC seconds)")]
    Span {
        /// From.
        from_utc_s: i64,
        /// To.
        to_utc_s: i64,
    },
    /// More operators and channels than a day may have.
    #[error("at most {max} pairs of operator and channel a day")]
    TooManyLines {
        /// The most.
        max: usize,
    },
    /// More ledgers than a site may have.
    #[error("at most {max} ledgers")]
    TooManyAnchors {
        /// The most.
        max: usize,
    },
    /// A ledger is named twice.
    #[error("ledger {shard} is named twice")]
    ShardTwice {
        /// Its number.
        shard: u32,
    },
    /// A sum out of range.
    #[error(transparent)]
    Money(#[from] MoneyError),
}
