//! Load control: too much power on a line opens the relay, which closes again by itself a number of times.
//!
//! The documents name the settings but not all of their meaning. This meter takes them so: a limit of 0 is none;
//! a recover time of 0 minutes means that the relay stays open; the relay closes again while the trips are not more
//! than the allowed ones, and after that when the counter is set back. Forced supply is not limited. The step and
//! its power factor (malignant load) are kept and read back, but do not trip.

use super::model::Model;
use super::options::EnablePolarity;
use super::purse::Refused;

/// Registers of one line's block.
const LINE_REGISTERS: u16 = 6;
/// Index of the counter over all lines.
const ALL: usize = 3;

/// The settings of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct LineControl {
    enabled: bool,
    max_w: u16,
    step_w: u16,
    step_factor_milli: u16,
    unlabelled: u16,
    allowed_trips: u16,
    recover_min: u8,
    unlabelled_low: u8,
}

/// Load control of the whole meter: three lines, of which a DDSY1352 uses the first, and one relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct LoadControl {
    lines: [LineControl; 3],
    /// Trips of L1, L2, L3 and all together.
    trips: [u16; 4],
    open: bool,
    /// World time at which the relay closes again by itself.
    close_at_ms: Option<i64>,
}

impl LoadControl {
    pub(super) const fn is_open(&self) -> bool {
        self.open
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.lines.iter().any(|line| line.enabled)
    }

    pub(super) const fn close_at_ms(&self) -> Option<i64> {
        self.close_at_ms
    }

    pub(super) const fn trip_count(&self) -> u16 {
        let [.., all] = self.trips;
        all
    }

    pub(super) const fn allowed_trips(&self) -> u16 {
        let [first, ..] = &self.lines;
        first.allowed_trips
    }

    pub(super) const fn max_w(&self) -> u16 {
        let [first, ..] = &self.lines;
        first.max_w
    }

    /// Closes the relay if its time has come.
    pub(super) fn recover(&mut self, now_ms: i64) {
        if self.close_at_ms.is_some_and(|at_ms| at_ms <= now_ms) {
            (self.open, self.close_at_ms) = (false, None);
        }
    }

    /// Opens the relay, through which these powers flow now, if a line has too much.
    pub(super) fn limit(&mut self, now_ms: i64, watts: [u16; 3]) {
        let over = |line: &LineControl, w: u16| line.enabled && line.max_w > 0 && w > line.max_w;
        let Some(first) = self.lines.iter().zip(watts).position(|(line, w)| over(line, w)) else { return };
        for ((line, w), trips) in self.lines.iter().zip(watts).zip(&mut self.trips) {
            if over(line, w) {
                *trips = trips.saturating_add(1);
            }
        }
        if let Some(all) = self.trips.get_mut(ALL) {
            *all = all.saturating_add(1);
        }
        self.open = true;
        self.close_at_ms = self.lines.get(first).and_then(|line| {
            let again = line.recover_min > 0 && self.trip_count() <= line.allowed_trips;
            again.then(|| now_ms.saturating_add(i64::from(line.recover_min).saturating_mul(60_000)))
        });
    }

    /// 0480H to 0486H on a DDSY1352, 0480H to 0492H on a DTSY1352.
    pub(super) fn register(&self, offset: u16, model: Model, polarity: EnablePolarity) -> Option<u16> {
        let Some(at) = offset.checked_sub(1) else { return Some(self.enable_word(model, polarity)) };
        let line = self.lines.get(..model.phases())?.get(usize::from(at / LINE_REGISTERS))?;
        Some(match at % LINE_REGISTERS {
            0 => line.max_w,
            1 => line.step_w,
            2 => line.step_factor_milli,
            3 => line.unlabelled,
            4 => line.allowed_trips,
            _ => u16::from_be_bytes([line.recover_min, line.unlabelled_low]),
        })
    }

    /// DDSY: 1. DTSY: bit 3 all, bit 2 L1, bit 1 L2, bit 0 L3.
    fn enable_word(&self, model: Model, polarity: EnablePolarity) -> u16 {
        let [l1, l2, l3] = self.lines.map(|line| line.enabled == (polarity == EnablePolarity::OneIsOn));
        match model {
            Model::Ddsy1352 => u16::from(l1),
            Model::Dtsy1352 => {
                let bits = [(l3, 1), (l2, 2), (l1, 4), (l1 && l2 && l3, 8)];
                bits.iter().filter(|(on, _)| *on).fold(0, |word, (_, bit)| word | bit)
            }
        }
    }

    /// 20H at 0400H, 040DH or 041AH: the settings of one line, or of all when the scope byte is FFH.
    pub(super) fn take_settings(&mut self, first_line: usize, bytes: &[u8], model: Model) -> Result<(), Refused> {
        let &[scope, enable, f1, m1, m0, s1, s0, p1, p0, f2, recover, f3, a1, a0, f4, u1, u0, f5, low, ref rest @ ..] =
            bytes
        else {
            return Err(Refused);
        };
        let known = matches!((scope, first_line), (0 | 1, _) | (0xFF, 0)) && enable <= 1;
        if !known || rest.len() != 7 {
            return Err(Refused);
        }
        let count = if scope == 0xFF { model.phases() } else { 1 };
        for line in self.lines.iter_mut().skip(first_line).take(count) {
            if scope != 0 {
                line.enabled = enable == 1;
            }
            if f1 == 1 {
                line.max_w = u16::from_be_bytes([m1, m0]);
                line.step_w = u16::from_be_bytes([s1, s0]);
                line.step_factor_milli = u16::from_be_bytes([p1, p0]);
            }
            if f2 == 1 {
                line.recover_min = recover;
            }
            if f3 == 1 {
                line.allowed_trips = u16::from_be_bytes([a1, a0]);
            }
            if f4 == 1 {
                line.unlabelled = u16::from_be_bytes([u1, u0]);
            }
            if f5 == 1 {
                line.unlabelled_low = low;
            }
        }
        if !self.is_enabled() {
            (self.open, self.close_at_ms) = (false, None);
        }
        Ok(())
    }

    /// 20H at 0410H: flag and count for L1, L2, L3 and all. Setting the common counter back closes the relay.
    pub(super) fn take_trip_counts(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let (pairs, rest) = bytes.as_chunks::<2>();
        if pairs.len() != self.trips.len() || !rest.is_empty() {
            return Err(Refused);
        }
        for (trips, [flag, count]) in self.trips.iter_mut().zip(pairs) {
            if *flag == 1 {
                *trips = u16::from(*count);
            }
        }
        if let [.., [1, _]] = pairs
            && self.trip_count() <= self.allowed_trips()
        {
            (self.open, self.close_at_ms) = (false, None);
        }
        Ok(())
    }
}
