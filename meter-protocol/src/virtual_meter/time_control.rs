//! Time control: eight switching times for rest days and eight for working days, for each line.
//!
//! The documents name the bytes. This meter takes them so: the slot with the latest start so far counts, before the first
//! one the last of the same list; a list without slots means supply. One relay: it is open while any line that is
//! controlled says so. Forced supply is not controlled.

use super::clock::{self, Civil};
use super::model::Model;
use super::options::EnablePolarity;
use super::purse::Refused;

/// Words of one line behind the enable word.
const LINE_WORDS: u16 = 26;
/// Slots of one kind of day.
const SLOTS: usize = 8;

type Day = [[u8; 3]; SLOTS];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct LineTimes {
    enabled: bool,
    /// Bit 1 Monday to bit 7 Sunday.
    rest_days: u8,
    unlabelled: [u8; 2],
    rest: Day,
    working: Day,
}

/// Time control of the whole meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct TimeControl {
    lines: [LineTimes; 3],
}

impl LineTimes {
    fn today(&self, weekday: u8) -> &Day {
        let bit = if weekday == 0 { 7 } else { weekday };
        if self.rest_days >> bit & 1 == 1 { &self.rest } else { &self.working }
    }

    fn bytes(&self) -> impl Iterator<Item = u8> {
        let head = [0, self.rest_days].into_iter().chain(self.unlabelled);
        let slots = self.rest.into_iter().chain(self.working);
        head.chain(slots.flatten())
    }
}

fn starts(day: &Day) -> impl Iterator<Item = (u16, bool)> {
    let used = day.iter().filter(|slot| **slot != [0; 3]);
    used.map(|[state, minute, hour]| {
        (u16::from(*hour).saturating_mul(60).saturating_add((*minute).into()), *state == 1)
    })
}

impl TimeControl {
    pub(super) fn is_enabled(&self) -> bool {
        self.lines.iter().any(|line| line.enabled)
    }

    /// Whether the relay is held open at this local time.
    pub(super) fn is_open(&self, local_ms: i64) -> bool {
        let Civil { weekday, .. } = clock::civil(local_ms);
        let now = clock::minute_of_day(local_ms);
        self.lines.iter().filter(|line| line.enabled).any(|line| {
            let day = line.today(weekday);
            let begun = starts(day).filter(|(at, _)| *at <= now).max_by_key(|(at, _)| *at);
            begun.or_else(|| starts(day).max_by_key(|(at, _)| *at)).is_some_and(|(_, on)| !on)
        })
    }

    /// The next minute of this day at which something may change, or 1440.
    pub(super) fn next_start(&self, local_ms: i64) -> u16 {
        let Civil { weekday, .. } = clock::civil(local_ms);
        let now = clock::minute_of_day(local_ms);
        let lines = self.lines.iter().filter(|line| line.enabled);
        lines
            .flat_map(|line| starts(line.today(weekday)))
            .map(|(at, _)| at)
            .filter(|at| *at > now)
            .min()
            .unwrap_or(1_440)
    }

    /// 0420H to 043AH on a DDSY1352, to 046EH on a DTSY1352.
    pub(super) fn register(&self, offset: u16, model: Model, polarity: EnablePolarity) -> Option<u16> {
        let Some(at) = offset.checked_sub(1) else {
            return Some(u16::from(self.is_enabled() == (polarity == EnablePolarity::OneIsOn)));
        };
        let line = self.lines.get(..model.phases())?.get(usize::from(at / LINE_WORDS))?;
        let mut bytes = line.bytes().skip(usize::from(at % LINE_WORDS).saturating_mul(2));
        Some(u16::from_be_bytes([bytes.next()?, bytes.next()?]))
    }

    /// 20H at 0300H, 031CH or 0338H: one line, or all when the scope byte is FFH.
    pub(super) fn take_settings(&mut self, first_line: usize, bytes: &[u8], model: Model) -> Result<(), Refused> {
        let &[scope, enable, f1, 0, rest_days, u1, u2, f2, ref slots @ ..] = bytes else { return Err(Refused) };
        if !matches!((scope, first_line), (0 | 1, _) | (0xFF, 0)) || enable > 1 {
            return Err(Refused);
        }
        let (slots, []) = slots.as_chunks::<3>() else { return Err(Refused) };
        let (rest, working) = slots.split_at_checked(SLOTS).ok_or(Refused)?;
        let rest: Day = rest.try_into().map_err(|_| Refused)?;
        let working: Day = working.try_into().map_err(|_| Refused)?;
        if slots.iter().any(|&[state, minute, hour]| state > 1 || minute > 59 || hour > 23) {
            return Err(Refused);
        }
        let count = if scope == 0xFF { model.phases() } else { 1 };
        for line in self.lines.iter_mut().skip(first_line).take(count) {
            if scope != 0 {
                line.enabled = enable == 1;
            }
            if f1 == 1 {
                (line.rest_days, line.unlabelled) = (rest_days, [u1, u2]);
            }
            if f2 == 1 {
                (line.rest, line.working) = (rest, working);
            }
        }
        Ok(())
    }
}
