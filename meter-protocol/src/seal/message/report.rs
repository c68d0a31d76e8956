//! What a collector reports by itself.

use super::codec::{Reader, Writer, in_range};
use super::{MAX_BLOCK_LEN, MAX_SOFTWARE_LEN, MessageError, MeterRef};
use crate::wire::READ_HOLDING;

/// A collector has a new session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "built by the caller")]
pub struct Online<'a> {
    /// How often the collector has started; a rise means that it has restarted.
    pub boot_count: u32,
    /// Its clock, UTC seconds since 1970.
    pub now_utc_s: i64,
    /// Lines that it runs.
    pub lines: u8,
    /// Meters that it polls.
    pub meters: u16,
    /// Messages that wait to be sent again.
    pub backlog: u32,
    /// Name and version of its software, at most [`MAX_SOFTWARE_LEN`] bytes.
    pub software: &'a str,
}

/// Registers as they were read: evidence, not an interpretation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "built by the caller")]
pub struct RegisterBlock<'a> {
    /// When they were read, UTC seconds since 1970 by the collector's clock.
    pub read_at_utc_s: i64,
    /// The first register, read with function 03H.
    pub address: u16,
    /// Two bytes a register, at most [`MAX_BLOCK_LEN`].
    pub data: &'a [u8],
}

/// Registers of a meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "built by the caller")]
pub struct Snapshot<'a> {
    /// The meter.
    pub meter: MeterRef,
    /// How long it took to answer, milliseconds.
    pub response_ms: u16,
    /// Its registers.
    pub block: RegisterBlock<'a>,
}

/// Whether a meter answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MeterLink {
    /// 0: not asked yet.
    Unknown,
    /// 1: it answers.
    Answering,
    /// 2: it has missed a few polls.
    Silent,
    /// 3: lost contact (失联): polled rarely until it answers.
    Lost,
}

/// Whether a meter answers, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "built by the caller")]
pub struct MeterStatus {
    /// The meter.
    pub meter: MeterRef,
    /// Whether it answers.
    pub link: MeterLink,
    /// Since when, UTC seconds since 1970.
    pub since_utc_s: i64,
    /// Polls without an answer since the last one.
    pub missed: u32,
}

/// The state of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "built by the caller")]
pub struct LineStatus {
    /// The collector's line.
    pub line: u8,
    /// Whether its port is open.
    pub up: bool,
    /// Since when, UTC seconds since 1970.
    pub since_utc_s: i64,
    /// Requests sent since the collector started, with repetitions.
    pub transmitted: u32,
    /// Replies and exceptions taken.
    pub replies: u32,
    /// Waits that ended without a reply.
    pub timeouts: u32,
    /// Frames whose CRC or content did not fit.
    pub broken_frames: u32,
}

impl<'a> Online<'a> {
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, MessageError> {
        let (boot_count, now_utc_s) = (reader.u32()?, reader.i64()?);
        let (lines, meters, backlog) = (reader.byte()?, reader.u16()?, reader.u32()?);
        let len = reader.byte()?;
        in_range(SOFTWARE, len.into(), 0, MAX_SOFTWARE_LEN as u64)?;
        let software = core::str::from_utf8(reader.slice(len.into())?).map_err(|_| MessageError::Text)?;
        Ok(Self { boot_count, now_utc_s, lines, meters, backlog, software })
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), MessageError> {
        in_range(SOFTWARE, self.software.len() as u64, 0, MAX_SOFTWARE_LEN as u64)?;
        writer.bytes(&self.boot_count.to_be_bytes())?;
        writer.bytes(&self.now_utc_s.to_be_bytes())?;
        writer.bytes(&[self.lines])?;
        writer.bytes(&self.meters.to_be_bytes())?;
        writer.bytes(&self.backlog.to_be_bytes())?;
        writer.bytes(&[u8::try_from(self.software.len()).unwrap_or(u8::MAX)])?;
        writer.bytes(self.software.as_bytes())
    }
}

const SOFTWARE: &str = "bytes of the software's name";

impl<'a> RegisterBlock<'a> {
    /// Registers in the block.
    #[must_use]
    pub const fn registers(&self) -> usize {
        self.data.len() / 2
    }

    /// The function that they were read with.
    #[must_use]
    pub const fn function(&self) -> u8 {
        READ_HOLDING
    }

    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, MessageError> {
        let (read_at_utc_s, address) = (reader.i64()?, reader.u16()?);
        let registers = reader.byte()?;
        in_range("registers", registers.into(), 1, MAX_REGISTERS)?;
        let data = reader.slice(usize::from(registers).saturating_mul(2))?;
        Ok(Self { read_at_utc_s, address, data })
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), MessageError> {
        in_range("registers", self.registers() as u64, 1, MAX_REGISTERS)?;
        in_range("odd bytes of the registers", (self.data.len() & 1) as u64, 0, 0)?;
        writer.bytes(&self.read_at_utc_s.to_be_bytes())?;
        writer.bytes(&self.address.to_be_bytes())?;
        writer.bytes(&[u8::try_from(self.registers()).unwrap_or(u8::MAX)])?;
        writer.bytes(self.data)
    }
}

const MAX_REGISTERS: u64 = MAX_BLOCK_LEN as u64 / 2;

impl<'a> Snapshot<'a> {
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, MessageError> {
        let (meter, response_ms) = (MeterRef::read(reader)?, reader.u16()?);
        Ok(Self { meter, response_ms, block: RegisterBlock::read(reader)? })
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), MessageError> {
        self.meter.write(writer)?;
        writer.bytes(&self.response_ms.to_be_bytes())?;
        self.block.write(writer)
    }
}

impl MeterLink {
    const fn code(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::Answering => 1,
            Self::Silent => 2,
            Self::Lost => 3,
        }
    }

    fn from_code(code: u8) -> Result<Self, MessageError> {
        in_range("link of the meter", code.into(), 0, 3)?;
        Ok(match code {
            0 => Self::Unknown,
            1 => Self::Answering,
            2 => Self::Silent,
            _ => Self::Lost,
        })
    }
}

impl MeterStatus {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, MessageError> {
        let meter = MeterRef::read(reader)?;
        let link = MeterLink::from_code(reader.byte()?)?;
        Ok(Self { meter, link, since_utc_s: reader.i64()?, missed: reader.u32()? })
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), MessageError> {
        self.meter.write(writer)?;
        writer.bytes(&[self.link.code()])?;
        writer.bytes(&self.since_utc_s.to_be_bytes())?;
        writer.bytes(&self.missed.to_be_bytes())
    }
}

impl LineStatus {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, MessageError> {
        let (line, up, since_utc_s) = (reader.byte()?, reader.flag("whether the line is up")?, reader.i64()?);
        let (transmitted, replies) = (reader.u32()?, reader.u32()?);
        let (timeouts, broken_frames) = (reader.u32()?, reader.u32()?);
        Ok(Self { line, up, since_utc_s, transmitted, replies, timeouts, broken_frames })
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), MessageError> {
        writer.bytes(&[self.line, self.up.into()])?;
        writer.bytes(&self.since_utc_s.to_be_bytes())?;
        for count in [self.transmitted, self.replies, self.timeouts, self.broken_frames] {
            writer.bytes(&count.to_be_bytes())?;
        }
        Ok(())
    }
}
