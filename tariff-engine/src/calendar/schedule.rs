//! What holds at each minute of each kind of day.
//!
//! Days that no period tells apart share one table of slots, so a day is looked up once and its slots are walked in order.

use alloc::vec;
use alloc::vec::Vec;

use super::date::{DAY_MINUTES, YEAR_SLOTS};
use super::day::{DayClass, DayFacts, DayKind, DayRole, Days};
use crate::limits::MAX_DAY_TABLES;

/// Days of the year, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct YearSet([u64; 6]);

impl YearSet {
    pub(crate) const ALL: Self = Self([u64::MAX; 6]);
    pub(crate) const NONE: Self = Self([0; 6]);

    pub(crate) fn insert(&mut self, day_of_year: usize) {
        if let Some(word) = self.0.get_mut(day_of_year >> 6) {
            *word |= 1 << (day_of_year & 63);
        }
    }

    pub(crate) fn contains(&self, day_of_year: usize) -> bool {
        self.0.get(day_of_year >> 6).is_some_and(|word| word >> (day_of_year & 63) & 1 == 1)
    }

    pub(crate) fn union(mut self, other: Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(word, others)| *word |= others);
        self
    }

    pub(crate) fn intersection(mut self, other: Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(word, others)| *word &= others);
        self
    }
}

/// Which days a period holds on, besides the time of the year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct DayCondition {
    /// Bits of the weekdays, Monday first.
    pub(crate) weekdays: u32,
    pub(crate) workday: bool,
    pub(crate) weekend: bool,
    pub(crate) holiday: bool,
    /// Bits of the names of holidays; 0 asks for none.
    pub(crate) holidays: u32,
    /// Bits of the flags that must be set.
    pub(crate) flags: u32,
}

impl DayCondition {
    fn holds(self, days: &Days, class: DayClass) -> bool {
        let any_day = self.weekdays == 0 && !self.workday && !self.weekend && !self.holiday;
        let role = match days.role(class) {
            DayRole::Workday => self.workday,
            DayRole::Weekend => self.weekend,
            DayRole::Holiday => self.holiday,
        };
        let named = match class.kind {
            _ if self.holidays == 0 => true,
            DayKind::Holiday(name) => self.holidays >> name & 1 == 1,
            DayKind::Ordinary | DayKind::MakeUp => false,
        };
        (any_day || role || self.weekdays >> class.weekday & 1 == 1) && named && class.flags & self.flags == self.flags
    }
}

/// A period, checked. One over midnight is two windows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// What holds: a rate, or a demand register.
    pub(crate) value: u16,
    pub(crate) from_minute: u16,
    pub(crate) to_minute: u16,
    pub(crate) year: YearSet,
    pub(crate) days: DayCondition,
    pub(crate) precedence: i32,
    /// Its place in the document.
    pub(crate) period: usize,
}

/// Windows of which one holds at a time: the energy rates, or the rates of one demand charge.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    pub(crate) windows: Vec<Window>,
    /// Whether every minute must be covered.
    pub(crate) complete: bool,
}

/// What is wrong with a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ScheduleError {
    /// Two periods of equal precedence overlap from this minute on.
    Overlap { layer: usize, period: usize, other: usize, minute: u16 },
    /// No period covers this minute on such a day.
    Gap { layer: usize, minute: u16, facts: DayFacts },
    /// Too many different days.
    TooManyDays,
}

/// A stretch of a day in which nothing changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) end_minute: u16,
    /// Energy rate.
    pub(crate) rate: u16,
    /// Index of the set of demand registers that measure.
    pub(crate) registers: u16,
}

/// The tables of all days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// Class of each day of the year.
    seasons: Vec<u16>,
    /// Class of each kind of day.
    classes: Vec<u16>,
    class_count: usize,
    /// Table of each season and class; `None` for days that don't occur.
    tables: Vec<Option<Vec<Slot>>>,
    /// Sets of demand registers.
    register_sets: Vec<Vec<u16>>,
    /// Whether day flags matter.
    pub(crate) uses_flags: bool,
}

impl Schedule {
    /// Layer 0 is the energy rates, the others are demand charges.
    pub(crate) fn build(days: &Days, layers: &[Layer]) -> Result<Self, ScheduleError> {
        let windows = || layers.iter().flat_map(|layer| &layer.windows);
        let mut seasons = Partition::new(YEAR_SLOTS);
        let mut classes = Partition::new(days.classes());
        let mut year_sets = vec![YearSet::ALL];
        let mut conditions = vec![DayCondition::default()];
        for window in windows() {
            if !year_sets.contains(&window.year) {
                year_sets.push(window.year);
                seasons.refine(|day_of_year| window.year.contains(day_of_year));
            }
            if !conditions.contains(&window.days) {
                conditions.push(window.days);
                classes.refine(|number| window.days.holds(days, days.class(number)));
            }
        }
        let count = seasons.count().saturating_mul(classes.count());
        if count > MAX_DAY_TABLES {
            return Err(ScheduleError::TooManyDays);
        }
        let mut schedule = Self {
            class_count: classes.count(),
            seasons: seasons.classes,
            classes: classes.classes,
            tables: vec![None; count],
            register_sets: Vec::new(),
            uses_flags: windows().any(|window| window.days.flags != 0),
        };
        schedule.fill(days, layers)?;
        Ok(schedule)
    }

    /// Builds the table of every day that can occur.
    fn fill(&mut self, days: &Days, layers: &[Layer]) -> Result<(), ScheduleError> {
        let ordinary =
            (0..days.classes()).map(|number| days.class(number)).filter(|class| class.kind == DayKind::Ordinary);
        let mut first_days: Vec<usize> = Vec::new();
        for (day_of_year, season) in self.seasons.iter().enumerate() {
            if usize::from(*season) == first_days.len() {
                first_days.push(day_of_year);
            }
        }
        for class in ordinary {
            for day_of_year in &first_days {
                self.fill_day(days, layers, DayFacts { day_of_year: *day_of_year, class })?;
            }
        }
        for (day, _) in &days.special {
            for flags in 0..1_u32 << days.flags.len() {
                if let Some(facts) = days.facts(*day, flags) {
                    self.fill_day(days, layers, facts)?;
                }
            }
        }
        Ok(())
    }

    fn fill_day(&mut self, days: &Days, layers: &[Layer], facts: DayFacts) -> Result<(), ScheduleError> {
        let index = self.table_of(days, facts);
        if self.tables.get(index).is_none_or(Option::is_some) {
            return Ok(());
        }
        let slots = self.slots_of(days, layers, facts)?;
        if let Some(table) = self.tables.get_mut(index) {
            *table = Some(slots);
        }
        Ok(())
    }

    fn slots_of(&mut self, days: &Days, layers: &[Layer], facts: DayFacts) -> Result<Vec<Slot>, ScheduleError> {
        let holding: Vec<Vec<&Window>> = layers
            .iter()
            .map(|layer| {
                let holds =
                    |window: &&Window| window.year.contains(facts.day_of_year) && window.days.holds(days, facts.class);
                layer.windows.iter().filter(holds).collect()
            })
            .collect();
        let mut borders: Vec<u16> =
            holding.iter().flatten().flat_map(|window| [window.from_minute, window.to_minute]).collect();
        borders.extend([0, DAY_MINUTES]);
        borders.sort_unstable();
        borders.dedup();
        let mut slots: Vec<Slot> = Vec::new();
        for (minute, end_minute) in borders.iter().zip(borders.iter().skip(1)) {
            let mut rate = 0;
            let mut registers = Vec::new();
            for (layer, windows) in holding.iter().enumerate() {
                match (holder(windows, layer, *minute)?, layers.get(layer)) {
                    (Some(window), _) if layer == 0 => rate = window.value,
                    (Some(window), _) => registers.push(window.value),
                    (None, Some(Layer { complete: true, .. })) => {
                        return Err(ScheduleError::Gap { layer, minute: *minute, facts });
                    }
                    (None, _) => {}
                }
            }
            let registers = self.register_set(registers);
            match slots.last_mut().filter(|last| (last.rate, last.registers) == (rate, registers)) {
                Some(last) => last.end_minute = *end_minute,
                None => slots.push(Slot { end_minute: *end_minute, rate, registers }),
            }
        }
        Ok(slots)
    }

    /// The number of a set of demand registers.
    fn register_set(&mut self, registers: Vec<u16>) -> u16 {
        let found = self.register_sets.iter().position(|set| *set == registers).unwrap_or_else(|| {
            self.register_sets.push(registers);
            self.register_sets.len().saturating_sub(1)
        });
        u16::try_from(found).unwrap_or(u16::MAX)
    }

    /// The table of a day.
    pub(crate) fn table_of(&self, days: &Days, facts: DayFacts) -> usize {
        let season = self.seasons.get(facts.day_of_year).copied().unwrap_or(0);
        let class = self.classes.get(days.class_number(facts.class)).copied().unwrap_or(0);
        usize::from(season).saturating_mul(self.class_count).saturating_add(usize::from(class))
    }

    /// The slots of a table, in order, the last one ending at 24:00.
    pub(crate) fn table(&self, table: usize) -> &[Slot] {
        self.tables.get(table).and_then(Option::as_deref).unwrap_or_default()
    }

    /// The demand registers of a set.
    pub(crate) fn registers(&self, set: u16) -> &[u16] {
        self.register_sets.get(usize::from(set)).map_or(&[], Vec::as_slice)
    }

    /// Most slots that a day has.
    pub(crate) fn most_slots(&self) -> usize {
        self.tables.iter().flatten().map(Vec::len).max().unwrap_or(0)
    }
}

/// The window of highest precedence at a minute. Two of equal precedence are an error even below a higher one.
fn holder<'a>(windows: &[&'a Window], layer: usize, minute: u16) -> Result<Option<&'a Window>, ScheduleError> {
    let mut open: Vec<&'a Window> = Vec::new();
    for window in windows.iter().filter(|window| (window.from_minute..window.to_minute).contains(&minute)) {
        if let Some(other) = open.iter().find(|other| other.precedence == window.precedence) {
            return Err(ScheduleError::Overlap { layer, period: window.period, other: other.period, minute });
        }
        open.push(window);
    }
    Ok(open.into_iter().max_by_key(|window| window.precedence))
}

/// Things sorted into classes, finer with each property that is looked at.
struct Partition {
    classes: Vec<u16>,
    count: u16,
}

impl Partition {
    fn new(things: usize) -> Self {
        Self { classes: vec![0; things], count: 1 }
    }

    fn count(&self) -> usize {
        usize::from(self.count)
    }

    /// Splits every class by a property. Classes are numbered in the order in which they first occur.
    fn refine(&mut self, property: impl Fn(usize) -> bool) {
        let mut seen: Vec<[Option<u16>; 2]> = vec![[None; 2]; self.count()];
        let mut count = 0_u16;
        for (index, class) in self.classes.iter_mut().enumerate() {
            let slot = seen.get_mut(usize::from(*class)).and_then(|pair| pair.get_mut(usize::from(property(index))));
            if let Some(slot) = slot {
                *class = *slot.get_or_insert_with(|| {
                    let number = count;
                    count = count.saturating_add(1);
                    number
                });
            }
        }
        self.count = count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(value: u16, from: u16, to: u16, precedence: i32) -> Window {
        Window {
            value,
            from_minute: from,
            to_minute: to,
            year: YearSet::ALL,
            days: DayCondition::default(),
            precedence,
            period: usize::from(value),
        }
    }

    fn build(windows: Vec<Window>) -> Result<Schedule, ScheduleError> {
        Schedule::build(&Days::default(), &[Layer { windows, complete: true }])
    }

    #[test]
    fn the_highest_precedence_holds() {
        let schedule = build(vec![window(0, 0, 1_440, 0), window(1, 480, 660, 1), window(2, 600, 615, 2)]).unwrap();
        let slots: Vec<_> = schedule.table(0).iter().map(|slot| (slot.end_minute, slot.rate)).collect();
        assert_eq!(slots, [(480, 0), (600, 1), (615, 2), (660, 1), (1_440, 0)]);
    }

    #[test]
    fn overlap_and_gap_are_found() {
        let overlap = build(vec![window(0, 0, 1_440, 0), window(1, 480, 660, 0)]).unwrap_err();
        assert_eq!(overlap, ScheduleError::Overlap { layer: 0, period: 1, other: 0, minute: 480 });
        let hidden = build(vec![window(0, 0, 1_440, 0), window(1, 480, 660, 0), window(2, 480, 660, 1)]);
        assert!(hidden.is_err(), "also below a higher precedence");
        let gap = build(vec![window(0, 0, 480, 0), window(1, 481, 1_440, 0)]).unwrap_err();
        assert!(matches!(gap, ScheduleError::Gap { minute: 480, .. }));
    }
}
