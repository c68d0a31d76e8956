//! Time control: when a line has supply at all, on rest days and on working days. Function 20H @0300H, read at 0420H.

use super::per_line::{LineFrame, line_count, parse_lines};
use super::profile::settled;
use super::{BenchTest, BlockError, BuildError, Confirmed, EnablePolarity, Line, Model, Profile, Unsettled};
use crate::wire::{Registers, Request};

const BLOCK: &str = "time control";
const ADDRESS: u16 = 0x0420;
/// Data bytes of the frame.
const LEN: usize = 56;
/// Bytes of one line in the block that is read.
const LINE_LEN: usize = 52;
/// Slots of a rest day, and of a working day.
const SLOTS: usize = 8;

/// From a time of day on, supply is on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "the three bytes of a slot")]
pub struct TimeSlot {
    /// Hour, 0 to 23.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
    /// Whether supply is on from then.
    pub on: bool,
}

/// Days of the week, as the meter's mask has them: bit 1 Monday to bit 7 Sunday. That they are the rest days is inferred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Weekdays(u8);

impl Weekdays {
    /// No day.
    pub const NONE: Self = Self(0);
    /// Saturday and Sunday.
    pub const WEEKEND: Self = Self(0b1100_0000);

    /// These days and one more: `weekday` is 0 for Sunday to 6 for Saturday. Other numbers add nothing.
    #[must_use]
    pub const fn with(self, weekday: u8) -> Self {
        match weekday {
            0 => Self(self.0 | 0b1000_0000),
            1..=6 => Self(self.0 | 1 << weekday),
            _ => self,
        }
    }

    /// Whether a day is among them; 0 is Sunday.
    #[must_use]
    pub const fn has(self, weekday: u8) -> bool {
        let other = Self::NONE.with(weekday).0;
        other != 0 && self.0 & other == other
    }
}

/// A time-control frame. Only what is set here is changed in the meter.
///
/// ```
/// use meter_protocol::acrel::{TimeControl, TimeSlot, Weekdays};
/// let day = [TimeSlot { hour: 6, minute: 0, on: true }, TimeSlot { hour: 23, minute: 30, on: false }];
/// let frame = TimeControl::all_lines(true).rest_days(Weekdays::WEEKEND, [0, 0]).slots(&day, &day)?;
/// # let _ = frame;
/// # Ok::<(), meter_protocol::acrel::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct TimeControl(LineFrame<LEN>);

impl TimeControl {
    /// All lines at once. The meter's frame then always says whether time control is on.
    pub const fn all_lines(enable: bool) -> Self {
        Self(LineFrame::all_lines(enable))
    }

    /// One line, nothing set. A single-phase meter has only L1.
    pub const fn line(line: Line) -> Self {
        Self(LineFrame::line(line))
    }

    /// Switches time control of the line, or of all lines, on or off.
    pub const fn enable(mut self, on: bool) -> Self {
        self.0 = self.0.enable(on);
        self
    }

    /// Sets the rest days. Two unlabelled bytes go with them: give back what [`LineTimeControl::unlabelled`] shows.
    pub const fn rest_days(mut self, days: Weekdays, unlabelled: [u8; 2]) -> Self {
        self.0.data[2] = 1;
        self.0.data[4] = days.0;
        [self.0.data[5], self.0.data[6]] = unlabelled;
        self
    }

    /// Sets the slots of rest days and of working days, always together. Times ascend.
    ///
    /// # Errors
    /// [`BuildError::TooMany`] above 8 slots, [`BuildError::Empty`] without any; [`BuildError::Range`] for a time that is
    /// none, and for a slot that is off from 00:00 on, whose three zero bytes can't be told from an unused slot: let the
    /// day before end with it. [`BuildError::Order`].
    pub fn slots(mut self, rest: &[TimeSlot], working: &[TimeSlot]) -> Result<Self, BuildError> {
        let (_, days) = self.0.data.split_at_mut_checked(8).unwrap_or_default();
        // A constant of a few dozen bytes.
        let (to_rest, to_working) = days.split_at_mut_checked(SLOTS.saturating_mul(3)).unwrap_or_default();
        put_slots(rest, to_rest)?;
        put_slots(working, to_working)?;
        self.0.data[7] = 1;
        Ok(self)
    }

    /// 20H @0300H, 031CH or 0338H. Read back with [`TimeControlBlock`].
    ///
    /// # Errors
    /// [`BuildError::Model`] for a line that the model does not have; [`BuildError::Empty`] when nothing is set.
    pub fn request(&self, model: &Confirmed<Model>) -> Result<Request<'_>, BuildError> {
        if self.0.is_empty() {
            return Err(BuildError::Empty { block: BLOCK });
        }
        match (model.value(), self.0.line) {
            (Model::Dtsy1352 | Model::Ddsy1352, Line::L1) => Ok(Request::vendor_fixed::<0x0300, LEN>(&self.0.data)),
            (Model::Dtsy1352, Line::L2) => Ok(Request::vendor_fixed::<0x031C, LEN>(&self.0.data)),
            (Model::Dtsy1352, Line::L3) => Ok(Request::vendor_fixed::<0x0338, LEN>(&self.0.data)),
            (model, _) => Err(BuildError::Model { block: BLOCK, model }),
        }
    }

    /// Whether a block read afterwards shows the slots and rest days that were set, on every line that was meant. The
    /// enable flag is judged by [`TimeControlBlock::enabled`], once its polarity is settled.
    #[must_use]
    pub fn shown_by(&self, block: &TimeControlBlock) -> bool {
        let days = |line: &LineTimeControl| self.0.data[2] != 1 || line.rest_days.0 == self.0.data[4];
        let slots = |line: &LineTimeControl| {
            let shown = line.rest.iter().chain(&line.working).flatten();
            self.0.data[7] != 1 || shown.eq(self.0.data.iter().skip(8))
        };
        let mut lines = block.lines().iter().enumerate().filter(|(index, _)| self.0.means(*index)).peekable();
        lines.peek().is_some() && lines.all(|(_, line)| days(line) && slots(line))
    }
}

fn put_slots(slots: &[TimeSlot], to: &mut [u8]) -> Result<(), BuildError> {
    if slots.is_empty() {
        return Err(BuildError::Empty { block: "slots of time control" });
    }
    if slots.len() > SLOTS {
        return Err(BuildError::TooMany { block: BLOCK, count: slots.len(), max: SLOTS });
    }
    let mut last = None;
    for (index, (slot, to)) in slots.iter().zip(to.as_chunks_mut::<3>().0).enumerate() {
        for (field, value, max) in [("hour of a slot", slot.hour, 23), ("minute of a slot", slot.minute, 59)] {
            if value > max {
                return Err(BuildError::Range { field, value: value.into(), min: 0, max: max.into() });
            }
        }
        let time = (slot.hour, slot.minute);
        if !slot.on && time == (0, 0) {
            return Err(BuildError::Range { field: "minute of a slot that is off", value: 0, min: 1, max: 59 });
        }
        if last.is_some_and(|last| last >= time) {
            return Err(BuildError::Order { slot: index });
        }
        last = Some(time);
        *to = [slot.on.into(), slot.minute, slot.hour];
    }
    Ok(())
}

/// Time control of one line as read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LineTimeControl {
    /// The rest days.
    pub rest_days: Weekdays,
    /// The byte before them.
    pub unlabelled_high: u8,
    /// The two bytes after them.
    pub unlabelled: [u8; 2],
    /// Raw slots of a rest day: state, minute, hour.
    pub rest: [[u8; 3]; SLOTS],
    /// Raw slots of a working day.
    pub working: [[u8; 3]; SLOTS],
}

impl LineTimeControl {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (&[unlabelled_high, days, a, b], slots) = bytes.split_first_chunk::<4>()?;
        let (rest, working) = slots.as_chunks::<3>().0.split_at_checked(SLOTS)?;
        Some(Self {
            rest_days: Weekdays(days),
            unlabelled_high,
            unlabelled: [a, b],
            rest: rest.try_into().ok()?,
            working: working.try_into().ok()?,
        })
    }

    /// The slots in use, in order: of a rest day or of a working day.
    pub fn slots(&self, rest_day: bool) -> impl Iterator<Item = TimeSlot> + use<> {
        let raw = if rest_day { self.rest } else { self.working };
        let used = raw.into_iter().filter(|bytes| *bytes != [0; 3]);
        used.map(|[state, minute, hour]| TimeSlot { hour, minute, on: state == 1 })
    }
}

/// Time control as read: 03H @0420H.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TimeControlBlock {
    /// The model that was read.
    pub model: Model,
    /// 0420H: the enable word.
    pub flags_raw: u16,
    lines: [LineTimeControl; 3],
}

impl TimeControlBlock {
    /// The read of the block: 27 registers of a single-phase meter, 79 of a three-phase one.
    ///
    /// # Errors
    /// [`BuildError::Model`] for a model whose block is not known.
    pub fn read(model: &Confirmed<Model>) -> Result<Request<'static>, BuildError> {
        match model.value() {
            Model::Ddsy1352 => Ok(Request::read_fixed::<ADDRESS, 27>()),
            Model::Dtsy1352 => Ok(Request::read_fixed::<ADDRESS, 79>()),
            model => Err(BuildError::Model { block: BLOCK, model }),
        }
    }

    /// From the registers of such a read.
    ///
    /// # Errors
    /// [`BlockError::Missing`] for another address or function; [`BlockError::Length`].
    pub fn from_registers(model: &Confirmed<Model>, registers: &Registers<'_>) -> Result<Self, BlockError> {
        let model = model.value();
        let (flags_raw, lines) = parse_lines(BLOCK, ADDRESS, LINE_LEN, model, registers, LineTimeControl::parse)?;
        Ok(Self { model, flags_raw, lines })
    }

    /// L1, and on a three-phase meter L2 and L3.
    #[must_use]
    pub fn lines(&self) -> &[LineTimeControl] {
        self.lines.get(..line_count(self.model)).unwrap_or_default()
    }

    /// Whether time control is on, for any line: which bit of a three-phase meter's word is which line is not known.
    ///
    /// # Errors
    /// [`Unsettled`] while the profile does not say which value means on (bench test 9).
    pub fn enabled(&self, profile: &Profile) -> Result<bool, Unsettled> {
        let polarity = settled(profile.time_polarity, "polarity of time control", BenchTest::EnablePolarity)?;
        Ok((self.flags_raw != 0) == (polarity == EnablePolarity::OneIsOn))
    }
}
