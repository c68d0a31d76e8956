//! Load control: how much power a line may draw, and what happens above it. Function 20H @0400H, read at 0480H.

use super::per_line::{LineFrame, line_count, parse_lines};
use super::profile::settled;
use super::{BenchTest, BlockError, BuildError, Confirmed, EnablePolarity, Line, Model, Profile, Unsettled};
use crate::wire::{Registers, Request};

const BLOCK: &str = "load control";
const ADDRESS: u16 = 0x0480;
const LEN: usize = 26;
/// Bytes of one line in the block that is read.
const LINE_LEN: usize = 12;

/// Limits of one line, in steps of the registers. No source states the unit of the powers (W is likely) nor that of
/// the recover time (minutes are likely): compare with the meter's menu before writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "the meter always takes these three together")]
pub struct PowerLimit {
    /// Highest power.
    pub max_power_raw: u16,
    /// Highest sudden rise of power: the detection of malignant load (恶性负载).
    pub step_raw: u16,
    /// Power factor that such a rise has.
    pub step_power_factor_raw: u16,
}

/// A load-control frame. Only what is set here is changed in the meter.
///
/// ```
/// use meter_protocol::acrel::{LoadControl, PowerLimit};
/// let limit = PowerLimit { max_power_raw: 3_000, step_raw: 800, step_power_factor_raw: 0 };
/// let frame = LoadControl::all_lines(true).limit(limit).allowed_trips(3);
/// # let _ = frame;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct LoadControl(LineFrame<LEN>);

impl LoadControl {
    /// All lines at once. The meter's frame then always says whether load control is on.
    pub const fn all_lines(enable: bool) -> Self {
        Self(LineFrame::all_lines(enable))
    }

    /// One line, nothing set. A single-phase meter has only L1.
    pub const fn line(line: Line) -> Self {
        Self(LineFrame::line(line))
    }

    /// Switches load control of the line, or of all lines, on or off.
    pub const fn enable(mut self, on: bool) -> Self {
        self.0 = self.0.enable(on);
        self
    }

    /// Sets the limits.
    pub const fn limit(mut self, limit: PowerLimit) -> Self {
        self.0.data[2] = 1;
        [self.0.data[3], self.0.data[4]] = limit.max_power_raw.to_be_bytes();
        [self.0.data[5], self.0.data[6]] = limit.step_raw.to_be_bytes();
        [self.0.data[7], self.0.data[8]] = limit.step_power_factor_raw.to_be_bytes();
        self
    }

    /// Sets after how long a tripped line is closed again.
    pub const fn recover_time(mut self, raw: u8) -> Self {
        self.0.data[9] = 1;
        self.0.data[10] = raw;
        self
    }

    /// Sets how often the line is closed again.
    pub const fn allowed_trips(mut self, count: u16) -> Self {
        self.0.data[11] = 1;
        [self.0.data[12], self.0.data[13]] = count.to_be_bytes();
        self
    }

    /// 20H @0400H, 040DH or 041AH. Read back with [`LoadControlBlock`].
    ///
    /// # Errors
    /// [`BuildError::Model`] for a line that the model does not have; [`BuildError::Empty`] when nothing is set.
    pub fn request(&self, model: &Confirmed<Model>) -> Result<Request<'_>, BuildError> {
        if self.0.is_empty() {
            return Err(BuildError::Empty { block: BLOCK });
        }
        match (model.value(), self.0.line) {
            (Model::Dtsy1352 | Model::Ddsy1352, Line::L1) => Ok(Request::vendor_fixed::<0x0400, LEN>(&self.0.data)),
            (Model::Dtsy1352, Line::L2) => Ok(Request::vendor_fixed::<0x040D, LEN>(&self.0.data)),
            (Model::Dtsy1352, Line::L3) => Ok(Request::vendor_fixed::<0x041A, LEN>(&self.0.data)),
            (model, _) => Err(BuildError::Model { block: BLOCK, model }),
        }
    }
}

/// Load control of one line as read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LineLoadControl {
    /// 0481H: highest power.
    pub max_power_raw: u16,
    /// 0482H: highest sudden rise of power.
    pub step_raw: u16,
    /// 0483H: power factor of such a rise.
    pub step_power_factor_raw: u16,
    /// 0484H.
    pub unlabelled_0484: u16,
    /// 0485H: how often the line is closed again.
    pub allowed_trips: u16,
    /// 0486H, high byte: after how long it is closed again.
    pub recover_time_raw: u8,
    /// 0486H, low byte.
    pub unlabelled_0486: u8,
}

impl LineLoadControl {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let &[a, b, c, d, e, f, g, h, i, j, recover_time_raw, unlabelled_0486] = bytes else { return None };
        Some(Self {
            max_power_raw: u16::from_be_bytes([a, b]),
            step_raw: u16::from_be_bytes([c, d]),
            step_power_factor_raw: u16::from_be_bytes([e, f]),
            unlabelled_0484: u16::from_be_bytes([g, h]),
            allowed_trips: u16::from_be_bytes([i, j]),
            recover_time_raw,
            unlabelled_0486,
        })
    }
}

/// Load control as read: 03H @0480H.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LoadControlBlock {
    /// The model that was read: it decides what the flags mean.
    pub model: Model,
    /// 0480H: the enable word. On a three-phase meter bit 3 is for all lines, bits 2, 1, 0 for L1, L2, L3.
    pub flags_raw: u16,
    lines: [LineLoadControl; 3],
}

impl LoadControlBlock {
    /// The read of the block: 7 registers of a single-phase meter, 19 of a three-phase one.
    ///
    /// # Errors
    /// [`BuildError::Model`] for a model whose block is not known.
    pub fn read(model: &Confirmed<Model>) -> Result<Request<'static>, BuildError> {
        match model.value() {
            Model::Ddsy1352 => Ok(Request::read_fixed::<ADDRESS, 7>()),
            Model::Dtsy1352 => Ok(Request::read_fixed::<ADDRESS, 19>()),
            model => Err(BuildError::Model { block: BLOCK, model }),
        }
    }

    /// From the registers of such a read.
    ///
    /// # Errors
    /// [`BlockError::Missing`] for another address or function; [`BlockError::Length`].
    pub fn from_registers(model: &Confirmed<Model>, registers: &Registers<'_>) -> Result<Self, BlockError> {
        let model = model.value();
        let (flags_raw, lines) = parse_lines(BLOCK, ADDRESS, LINE_LEN, model, registers, LineLoadControl::parse)?;
        Ok(Self { model, flags_raw, lines })
    }

    /// L1, and on a three-phase meter L2 and L3.
    #[must_use]
    pub fn lines(&self) -> &[LineLoadControl] {
        self.lines.get(..line_count(self.model)).unwrap_or_default()
    }

    /// Whether load control of a line is on.
    ///
    /// # Errors
    /// [`Unsettled`] while the profile does not say which value means on (bench test 9).
    pub fn enabled(&self, profile: &Profile, line: Line) -> Result<bool, Unsettled> {
        let polarity = settled(profile.enable_polarity, "polarity of enable flags", BenchTest::EnablePolarity)?;
        let set = match (self.model, line) {
            (Model::Dtsy1352, Line::L1) => self.flags_raw & 0b0100 != 0,
            (Model::Dtsy1352, Line::L2) => self.flags_raw & 0b0010 != 0,
            (Model::Dtsy1352, Line::L3) => self.flags_raw & 0b0001 != 0,
            _ => self.flags_raw != 0,
        };
        Ok(set == (polarity == EnablePolarity::OneIsOn))
    }
}

/// New values of the trip counters: function 20H @0410H. Only what is set here is changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct TripCounters([u8; 8]);

impl TripCounters {
    /// Nothing set.
    pub const fn new() -> Self {
        Self([0; 8])
    }

    /// The counter of one line, mostly to 0.
    pub const fn line(mut self, line: Line, count: u8) -> Self {
        match line {
            Line::L1 => [self.0[0], self.0[1]] = [1, count],
            Line::L2 => [self.0[2], self.0[3]] = [1, count],
            Line::L3 => [self.0[4], self.0[5]] = [1, count],
        }
        self
    }

    /// The common counter.
    pub const fn all(mut self, count: u8) -> Self {
        [self.0[6], self.0[7]] = [1, count];
        self
    }

    /// 20H @0410H, 4 registers. Read back in the realtime block, 0222H.
    ///
    /// # Errors
    /// [`BuildError::Empty`] when nothing is set.
    pub fn request(&self) -> Result<Request<'_>, BuildError> {
        if self.0 == [0; 8] {
            return Err(BuildError::Empty { block: "trip counters" });
        }
        Ok(Request::vendor_fixed::<0x0410, 8>(&self.0))
    }
}
