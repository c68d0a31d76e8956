//! What a meter shows about the open points that have two answers: which of them fit.
//!
//! As with [`super::PriceEvidence`]: look before writing, report what contradicts the profile, and write nothing.

use super::{
    BenchTest, Contradiction, DateEntry, DateTable, DateTableOrder, EnablePolarity, EnergySide, Line, LineForceSense,
    LoadControlBlock, PrepayBlock, RatioOrder, Realtime, StatusWord1, StatusWord2, TimeControlBlock, TotalMeaning,
};

/// An open point with two answers.
pub trait OpenPoint: Copy + PartialEq + sealed::Sealed {
    /// The two answers.
    const BOTH: [Self; 2];
    /// What it is called in a report.
    const WHAT: &'static str;
    /// The test that settles it.
    const TEST: BenchTest;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! open_points {
    ($($point:ident, $first:ident, $second:ident, $what:literal, $test:ident;)*) => {$(
        impl sealed::Sealed for $point {}
        impl OpenPoint for $point {
            const BOTH: [Self; 2] = [Self::$first, Self::$second];
            const WHAT: &'static str = $what;
            const TEST: BenchTest = BenchTest::$test;
        }
    )*};
}
open_points! {
    DateTableOrder, TableDayMonth, MonthDayTable, "byte order of the date table", DateTableOrder;
    EnablePolarity, OneIsOn, OneIsOff, "polarity of enable flags", EnablePolarity;
    RatioOrder, PtFirst, CtFirst, "order of the ratio registers", RatioOrder;
    TotalMeaning, Purchased, Energy, "meaning of the total", UnlabelledRegisters;
    LineForceSense, OneIsOn, OneIsOff, "sense of the force frame of single lines", ForcePerLine;
    EnergySide, Primary, Secondary, "whether energies contain CT and PT", EnergySide;
}

/// Which answers to an open point fit what the meter shows.
///
/// ```
/// use meter_protocol::acrel::{Fits, RatioOrder};
/// // 0037H and 0038H hold 1 and 40; the realtime block says PT 1, CT 40.
/// let fits = Fits::of_ratios([1, 40], (1, 40));
/// assert_eq!(fits.only(), Some(RatioOrder::PtFirst));
/// assert!(fits.check(Some(RatioOrder::CtFirst)).unwrap_err().to_string().contains("bench test 3"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fits<T> {
    answers: [Option<T>; 2],
}

impl<T: OpenPoint> Fits<T> {
    fn by(fits: impl Fn(T) -> bool) -> Self {
        Self { answers: T::BOTH.map(|answer| Some(answer).filter(|answer| fits(*answer))) }
    }

    /// The answer, if exactly one fits.
    #[must_use]
    pub fn only(&self) -> Option<T> {
        match self.answers {
            [Some(answer), None] | [None, Some(answer)] => Some(answer),
            _ => None,
        }
    }

    /// Whether a profile's answer is among those that fit. A profile without an answer is not contradicted.
    ///
    /// # Errors
    /// [`Contradiction`], which names the bench test.
    pub fn check(&self, belief: Option<T>) -> Result<(), Contradiction> {
        match belief {
            Some(belief) if !self.answers.contains(&Some(belief)) => {
                Err(Contradiction { what: T::WHAT, test: T::TEST })
            }
            _ => Ok(()),
        }
    }
}

impl Fits<DateTableOrder> {
    /// From a date table as read, in which this entry was set on the meter's menu. How the meter counts its tables does
    /// not matter: the date alone tells, unless it reads the same both ways.
    #[must_use]
    pub fn of_date_table(table: &DateTable, set_on_menu: DateEntry) -> Self {
        Self::by(|order| {
            let mut entries = table.entries(order);
            entries.any(|entry| (entry.month, entry.day) == (set_on_menu.month, set_on_menu.day))
        })
    }
}

impl Fits<EnablePolarity> {
    /// From the enable word of load control and status word 2, which says whether it is on.
    #[must_use]
    pub fn of_load_control(block: &LoadControlBlock, status: StatusWord2) -> Self {
        Self::by(|answer| ((block.flags_raw != 0) == status.load_enabled()) == (answer == EnablePolarity::OneIsOn))
    }

    /// From the enable word of time control and status word 2, which says whether it is on.
    #[must_use]
    pub fn of_time_control(block: &TimeControlBlock, status: StatusWord2) -> Self {
        Self::by(|answer| ((block.flags_raw != 0) == status.time_enabled()) == (answer == EnablePolarity::OneIsOn))
    }
}

impl Fits<RatioOrder> {
    /// From 0037H and 0038H, and PT and CT as the realtime block shows them. Equal ratios fit both.
    #[must_use]
    pub fn of_ratios(settings: [u16; 2], (pt, ct): (u16, u16)) -> Self {
        Self::by(|answer| match answer {
            RatioOrder::PtFirst => settings == [pt, ct],
            RatioOrder::CtFirst => settings == [ct, pt],
        })
    }
}

impl Fits<TotalMeaning> {
    /// From two looks at a meter around a sale of `sold_minor`, each a prepay block and the realtime block read right
    /// before it.
    #[must_use]
    pub fn of_total(before: (&Realtime, &PrepayBlock), after: (&Realtime, &PrepayBlock), sold_minor: u32) -> Self {
        // Both are counters that wrap at their width; so do the differences.
        let risen = after.1.total_raw.wrapping_sub(before.1.total_raw);
        let used = after.0.energy.total_centikwh.wrapping_sub(before.0.energy.total_centikwh);
        Self::by(|answer| match answer {
            TotalMeaning::Purchased => risen == sold_minor,
            // A little may flow between the two reads of a look.
            TotalMeaning::Energy => risen.abs_diff(used) <= 1,
        })
    }
}

impl Fits<LineForceSense> {
    /// From status word 1 after `line` was forced on the bench with mode 1 and this state. A line that is not forced
    /// fits neither: the frame did nothing.
    #[must_use]
    pub fn of_line_force(state: bool, line: Line, status: StatusWord1) -> Self {
        let on = status.forced_closed(line);
        Self::by(|answer| status.forced() && (on == state) == (answer == LineForceSense::OneIsOn))
    }
}

impl Fits<EnergySide> {
    /// From the total energy on the display (primary, 0.01 kWh) and the realtime block. With ratios of 1 both fit.
    #[must_use]
    pub fn of_display(display_centikwh: u32, now: &Realtime) -> Self {
        // Two ratios of 16 bits: their product fits.
        let factor = u64::from(now.pt_ratio.max(1)).saturating_mul(now.ct_ratio.max(1).into());
        let shown = u64::from(now.energy.total_centikwh);
        Self::by(|answer| match answer {
            EnergySide::Primary => u64::from(display_centikwh).abs_diff(shown) <= 1,
            // A register of secondary values shows whole steps of `factor`.
            EnergySide::Secondary => u64::from(display_centikwh).abs_diff(shown.saturating_mul(factor)) <= factor,
        })
    }
}
