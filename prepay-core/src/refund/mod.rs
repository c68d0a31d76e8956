//! Taking credit out of a meter: refund (退电) and reversal (冲正).
//!
//! A meter has no frame that subtracts. Its remaining amount and its purchase count are overwritten together, which races
//! with consumption, and a late copy would erase a later sale. So the order of steps is fixed:
//!
//! ```text
//! hold → force off → read → write (remaining, count) → read back → fence → close → former relay order
//! ```
//!
//! [`verdict`] says what a reading means, [`OpenRefund::next`] what follows from it. Both are pure.

mod machine;
mod verdict;

pub use machine::{OpenRefund, RefundBegun, RefundFence, RefundKind, RefundNext, RefundPhase, RefundTake, Seen};
pub use verdict::{Overwrite, OverwriteVerdict, verdict};

use serde::{Deserialize, Serialize};

use crate::money::Money;

/// The two values of a meter that are money, written together in one frame. Settings (alarms, prices) are another type
/// with no way to become this one, and nobody but this crate can make it:
///
/// ```compile_fail
/// use prepay_core::{money::Money, refund::MoneyWrite};
/// let write = MoneyWrite { remaining: Money::ZERO, purchase_count: 0 }; // private fields
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MoneyWrite {
    remaining: Money,
    purchase_count: u16,
}

impl MoneyWrite {
    pub(crate) const fn new(overwrite: &Overwrite) -> Self {
        Self { remaining: overwrite.remaining, purchase_count: overwrite.new_count }
    }

    /// The remaining amount to be written, minor units; never negative.
    #[must_use]
    pub const fn remaining(&self) -> Money {
        self.remaining
    }

    /// The purchase count to be written.
    #[must_use]
    pub const fn purchase_count(&self) -> u16 {
        self.purchase_count
    }
}
