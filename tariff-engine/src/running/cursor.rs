//! Where the running bill stands, kept at hand so that an interval costs little.

use core::borrow::Borrow;

use super::RunningBill;
use super::clock::{Clock, Stretch};
use super::demand::Window;
use super::energy::tier_at;
use crate::compile::{CompiledTariff, LadderKind};
use crate::tariff::Scope;
use crate::usage::{DemandSource, UsageError};

/// Where the running bill stands. It follows from the state.
#[derive(Debug, Clone)]
pub(super) struct Cursor {
    pub(super) clock: Clock,
    /// Usage that ends here or before stays in the present stretch.
    pub(super) to_utc_s: i64,
    /// First cell of the present rate in the present book, and how many cells each rate has there.
    pub(super) first_cell: usize,
    cells_per_rate: usize,
    /// Place of the present rate in its version, and number of its name.
    pub(super) rate: u16,
    pub(super) rate_number: u16,
    pub(super) registers: u16,
    pub(super) mode: Mode,
    /// Present tier, and 10⁻⁶ kWh that it still takes.
    pub(super) tier: usize,
    pub(super) room: i64,
    /// The demand window where demand is measured from usage.
    pub(super) window: Option<Window>,
    /// An instant at which a demand window begins, since the clocks last changed.
    pub(super) window_from_utc_s: i64,
}

/// What an interval does to the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Adds to the cell of its rate.
    Plain,
    /// Climbs the ladder that all rates share.
    Shared,
    /// Climbs the ladder of its rate.
    OwnLadder,
    /// Adds to the cell of its rate, and to the list of changes of rate.
    Listed,
}

impl Cursor {
    pub(super) const fn new() -> Self {
        Self {
            clock: Clock::new(),
            to_utc_s: i64::MIN,
            first_cell: 0,
            cells_per_rate: 1,
            rate: 0,
            rate_number: 0,
            registers: 0,
            mode: Mode::Plain,
            tier: 0,
            room: 0,
            window: None,
            window_from_utc_s: i64::MIN,
        }
    }
}

impl<T: Borrow<CompiledTariff>> RunningBill<T> {
    /// Moves the cursor to a stretch of the version that the last book belongs to.
    pub(super) fn point(&mut self, stretch: Stretch) -> Result<(), UsageError> {
        let tariff = self.tariff.borrow();
        let at_utc_s = stretch.from_utc_s;
        let version = tariff.versions.get(stretch.version).ok_or(UsageError::OutsideVersions { at_utc_s })?;
        let cursor: &mut Cursor = &mut self.cursor;
        let measures = self.state.policy.demand == DemandSource::Usage;
        cursor.window = version.window_s.filter(|_| measures).map(Window::new);
        (cursor.mode, cursor.cells_per_rate) = match version.energy.ladder.kind {
            LadderKind::None => (Mode::Plain, 1),
            LadderKind::Deferred(Scope::SharedChronological) => (Mode::Listed, 1),
            LadderKind::Deferred(_) => (Mode::Plain, 1),
            LadderKind::Streamed(Scope::PerPeriod) => (Mode::OwnLadder, version.energy.tiers),
            LadderKind::Streamed(_) => (Mode::Shared, version.energy.tiers),
        };
        self.move_to(stretch);
        self.find_tier();
        Ok(())
    }

    /// Moves the cursor to the stretch that begins where the present one ends and usage has arrived, where nothing but the rate
    /// and the demand registers changes there. Says whether it moved.
    #[inline]
    pub(super) fn step_on(&mut self) -> bool {
        let at_utc_s = self.state.next_utc_s;
        if at_utc_s != self.cursor.to_utc_s
            || at_utc_s >= self.state.period_to_utc_s
            || at_utc_s >= self.state.ladder.reset_utc_s
        {
            return false;
        }
        let Some(stretch) = self.cursor.clock.next(self.tariff.borrow(), &self.state.day_flags) else { return false };
        self.move_to(stretch);
        if self.cursor.mode == Mode::OwnLadder {
            self.find_tier();
        }
        true
    }

    #[inline]
    fn move_to(&mut self, stretch: Stretch) {
        let cursor: &mut Cursor = &mut self.cursor;
        cursor.rate = stretch.rate;
        cursor.registers = stretch.registers;
        cursor.to_utc_s = stretch.to_utc_s.min(self.state.period_to_utc_s);
        cursor.first_cell = usize::from(stretch.rate).saturating_mul(cursor.cells_per_rate);
    }

    /// The tier of the next kWh, from the position in the ladder.
    pub(super) fn find_tier(&mut self) {
        let own = match self.cursor.mode {
            Mode::Plain | Mode::Listed => return,
            Mode::Shared => false,
            Mode::OwnLadder => true,
        };
        let tariff = self.tariff.borrow();
        let Some(version) = self.state.books.last().and_then(|book| tariff.versions.get(usize::from(book.version)))
        else {
            return;
        };
        let used = if own {
            self.cursor.rate_number =
                version.energy.rates.get(usize::from(self.cursor.rate)).copied().unwrap_or_default();
            self.state.ladder.by_rate.get(usize::from(self.cursor.rate_number)).copied().unwrap_or(0)
        } else {
            self.state.ladder.total
        };
        (self.cursor.tier, self.cursor.room) = tier_at(&version.energy.ladder, self.state.terms(), used);
    }
}
