//! What became of a command, with what the meter showed before and after: the station judges, not the collector.

use super::codec::{Reader, Writer, in_range};
use super::{MessageError, MessageId, MeterRef, RegisterBlock};

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "built by the caller")]
pub struct CommandResult<'a> {
    /// The command's id.
    pub command: MessageId,
    /// The meter.
    pub meter: MeterRef,
    /// When it ended, UTC seconds since 1970.
    pub ended_at_utc_s: i64,
    /// How it ended.
    pub outcome: Outcome,
    /// Registers read before it was sent.
    pub before: Option<RegisterBlock<'a>>,
    /// Registers read afterwards; for a read, what was asked for.
    pub after: Option<RegisterBlock<'a>>,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// 0: sent, and the meter answered. Whether it took effect is judged by the registers.
    Answered,
    /// 1: nothing was sent to the meter, and nothing will be.
    NotTransmitted,
    /// 2: sent without an answer. The meter may have acted.
    NoReply,
    /// 3: the meter answered with an exception.
    Exception {
        /// Its code.
        code: u8,
    },
    /// 4: refused before anything was sent.
    Refused(RefusalReason),
}

/// Why a collector refused a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalReason {
    /// 0: it came too late.
    Expired,
    /// 1: no such line or unit.
    UnknownMeter,
    /// 2: another meter answers there.
    OtherMeter,
    /// 3: the meter shows another purchase count.
    OtherCount,
    /// 4: a kind of command that this collector does not know.
    Unsupported,
    /// 5: the profile leaves open what the write needs.
    Unsettled,
    /// 6: too many commands wait.
    Busy,
    /// 7: the collector's clock stands behind its last start, so that it can't tell what is over.
    Clock,
}

impl RefusalReason {
    const ALL: [Self; 8] = [
        Self::Expired,
        Self::UnknownMeter,
        Self::OtherMeter,
        Self::OtherCount,
        Self::Unsupported,
        Self::Unsettled,
        Self::Busy,
        Self::Clock,
    ];

    fn code(self) -> u8 {
        (0..).zip(Self::ALL).find(|(_, reason)| *reason == self).map_or(u8::MAX, |(code, _)| code)
    }

    fn from_code(code: u8) -> Result<Self, MessageError> {
        let max = Self::Clock.code().into();
        let unknown = MessageError::Value { field: "reason of the refusal", value: code.into(), min: 0, max };
        Self::ALL.get(usize::from(code)).copied().ok_or(unknown)
    }
}

impl Outcome {
    /// Whether the meter may have acted.
    #[must_use]
    pub const fn may_have_acted(&self) -> bool {
        !matches!(self, Self::NotTransmitted | Self::Refused(_))
    }

    fn codes(self) -> [u8; 2] {
        match self {
            Self::Answered => [0, 0],
            Self::NotTransmitted => [1, 0],
            Self::NoReply => [2, 0],
            Self::Exception { code } => [3, code],
            Self::Refused(reason) => [4, reason.code()],
        }
    }

    fn from_codes([outcome, detail]: [u8; 2]) -> Result<Self, MessageError> {
        in_range("outcome", outcome.into(), 0, 4)?;
        let plain = |outcome| in_range("detail of the outcome", detail.into(), 0, 0).map(|()| outcome);
        match outcome {
            0 => plain(Self::Answered),
            1 => plain(Self::NotTransmitted),
            2 => plain(Self::NoReply),
            3 => Ok(Self::Exception { code: detail }),
            _ => RefusalReason::from_code(detail).map(Self::Refused),
        }
    }
}

impl<'a> CommandResult<'a> {
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, MessageError> {
        let (command, meter) = (MessageId(reader.array()?), MeterRef::read(reader)?);
        let (ended_at_utc_s, outcome) = (reader.i64()?, Outcome::from_codes(reader.array()?)?);
        let blocks = reader.byte()?;
        in_range("which registers", blocks.into(), 0, 3)?;
        let before = if blocks & BEFORE == 0 { None } else { Some(RegisterBlock::read(reader)?) };
        let after = if blocks & AFTER == 0 { None } else { Some(RegisterBlock::read(reader)?) };
        Ok(Self { command, meter, ended_at_utc_s, outcome, before, after })
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), MessageError> {
        writer.bytes(&self.command.0)?;
        self.meter.write(writer)?;
        writer.bytes(&self.ended_at_utc_s.to_be_bytes())?;
        writer.bytes(&self.outcome.codes())?;
        let before = if self.before.is_some() { BEFORE } else { 0 };
        let after = if self.after.is_some() { AFTER } else { 0 };
        writer.bytes(&[before | after])?;
        [self.before, self.after].iter().flatten().try_for_each(|block| block.write(writer))
    }
}

const BEFORE: u8 = 1;
const AFTER: u8 = 2;
