//! A bill that grows with usage.

mod clock;
mod cursor;
mod demand;
pub(crate) mod energy;
mod open;
mod position;
mod push;
mod registers;
mod series;
mod size;
mod split;
pub(crate) mod state;
mod turn;

use core::borrow::Borrow;
use core::fmt;

use crate::compile::{CompiledTariff, CompiledVersion};
use crate::usage::UsageError;
use cursor::{Cursor, Mode};

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
/// It holds at most [`MAX_RUNNING_BYTES`](crate::limits::MAX_RUNNING_BYTES) ([`memory_bytes`](Self::memory_bytes)), and on top of it,
/// only with a chronological ladder whose limits are known at the end of the period, 16 bytes for each change of rate in the period,
/// at most [`MAX_LADDER_SEGMENTS`](crate::limits::MAX_LADDER_SEGMENTS). An interval allocates nothing besides that list. Stored as
/// JSON, the [`state`](Self::state) is at most four times as long.
#[derive(Clone)]
pub struct RunningBill<T: Borrow<CompiledTariff>> {
    tariff: T,
    state: RunningState,
    cursor: Cursor,
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
