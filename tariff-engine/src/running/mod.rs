//! A bill that grows with usage.

mod clock;
mod demand;
pub(crate) mod energy;
mod open;
mod position;
mod push;
mod registers;
mod series;
mod split;
pub(crate) mod state;
mod turn;

use core::borrow::Borrow;
use core::fmt;

use crate::compile::{CompiledTariff, CompiledVersion};
use crate::usage::UsageError;
use clock::Clock;

pub use open::ResumeError;
pub(crate) use open::month_of;
pub use position::{MarginalPrice, Position};
pub use split::Split;
pub(crate) use split::largest_remainder;
pub use state::{Opening, PastPeak, PeakHistory, RunningState};

/// A bill that grows with usage, one billing period after the other.
///
/// Usage is pushed in order of time, in any grouping: the total is the same to the last digit. It holds whole numbers only; prices
/// meet them in [`energy_amount`](Self::energy_amount) and [`settle`](Self::settle). After an error it is as it was before.
///
/// `T` is the compiled tariff, or anything that lends one: `&CompiledTariff`, `Rc`, `Arc`.
///
/// The stored [`state`](Self::state) has a bounded size: at most 4 KiB, and on top of it, only with a chronological ladder whose
/// limits are known at the end of the period, 16 bytes for each change of rate in the period, at most
/// [`MAX_LADDER_SEGMENTS`](crate::limits::MAX_LADDER_SEGMENTS).
#[derive(Clone)]
pub struct RunningBill<T: Borrow<CompiledTariff>> {
    tariff: T,
    state: RunningState,
    cursor: Cursor,
}

/// Where the running bill stands, kept at hand so that an interval costs little. It follows from the state.
#[derive(Debug, Clone)]
struct Cursor {
    clock: Clock,
    /// Usage that ends here or before stays in the present stretch.
    to_utc_s: i64,
    /// First cell of the present rate in the present book.
    first_cell: usize,
    /// Place of the present rate in its version, and number of its name.
    rate: u16,
    rate_number: u16,
    registers: u16,
    mode: Mode,
    /// Present tier, and 10⁻⁶ kWh that it still takes.
    tier: usize,
    room: i64,
    /// Length of the demand window where demand is measured from usage, seconds.
    window_s: Option<i64>,
}

/// What an interval does to the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
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
    const fn new() -> Self {
        Self {
            clock: Clock::new(),
            to_utc_s: i64::MIN,
            first_cell: 0,
            rate: 0,
            rate_number: 0,
            registers: 0,
            mode: Mode::Plain,
            tier: 0,
            room: 0,
            window_s: None,
        }
    }
}

impl<T: Borrow<CompiledTariff>> RunningBill<T> {
    /// The tariff.
    pub fn tariff(&self) -> &CompiledTariff {
        self.tariff.borrow()
    }

    /// The state to store. [`resume`](Self::resume) goes on from it.
    pub const fn state(&self) -> &RunningState {
        &self.state
    }

    /// Gives the state away.
    pub fn into_state(self) -> RunningState {
        self.state
    }

    /// First instant that no usage covers yet.
    pub const fn next_utc_s(&self) -> i64 {
        self.state.next_utc_s
    }

    /// The billing period of the present bill: first instant and first one after it.
    pub const fn period_utc_s(&self) -> (i64, i64) {
        (self.state.period_from_utc_s, self.state.period_to_utc_s)
    }

    /// Energy of the present bill.
    pub const fn energy(&self) -> crate::exact::Energy {
        crate::exact::Energy::from_micro_kwh(self.state.energy)
    }

    /// Whether some difference of registers lay across a tier border, so that its order was estimated.
    pub const fn is_order_estimated(&self) -> bool {
        self.state.estimated_order
    }

    fn version(&self, place: usize) -> Result<&CompiledVersion, UsageError> {
        let at_utc_s = self.state.next_utc_s;
        self.tariff.borrow().versions.get(place).ok_or(UsageError::OutsideVersions { at_utc_s })
    }
}

impl<T: Borrow<CompiledTariff>> fmt::Debug for RunningBill<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningBill").field("tariff", &self.tariff().name()).field("state", &self.state).finish()
    }
}
