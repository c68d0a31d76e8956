//! Overwriting money: the part of the parameter frame that settings can't reach.

use super::parameter_frame::{ParameterFrame, Slot};
use super::profile::settled;
use super::verdict::{all_shown, money_of};
use super::{BenchTest, BuildError, NotShown, PrepayBlock, Profile};
use crate::wire::Request;

/// A parameter frame (function 20H @0200H) that overwrites remaining amount, purchase count or total, and nothing else.
///
/// For refund, reversal, opening and closing of an account, meter replacement. It overwrites, it does not add, so it
/// races with consumption: force the supply off (or accept the drift), read, write amount and count in one frame, read
/// back. A late copy of it would erase a later sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct MoneyOverwrite(ParameterFrame);

impl MoneyOverwrite {
    /// Nothing set.
    pub const fn new() -> Self {
        Self(ParameterFrame::EMPTY)
    }

    /// Remaining amount, 0.01 account units; negative when overdrawn.
    pub fn remaining(self, amount_minor: i32) -> Self {
        self.with(Slot::Remaining, &amount_minor.to_be_bytes())
    }

    /// Purchase count.
    pub fn purchase_count(self, count: u16) -> Self {
        self.with(Slot::Count, &count.to_be_bytes())
    }

    /// The total at 0412H, raw.
    ///
    /// # Errors
    /// [`BuildError::Unsettled`] while the profile does not say what it counts (bench test 5).
    pub fn total(self, profile: &Profile, total_raw: u32) -> Result<Self, BuildError> {
        settled(profile.total_meaning, "meaning of the total at 0412H", BenchTest::UnlabelledRegisters)?;
        Ok(self.with(Slot::Total, &total_raw.to_be_bytes()))
    }

    /// 20H @0200H, 30 registers. To be sent once; read back with [`super::PrepayBlock`].
    ///
    /// # Errors
    /// [`BuildError::Empty`] when nothing is set.
    pub fn request(&self) -> Result<Request<'_>, BuildError> {
        if self.0.is_empty() {
            return Err(BuildError::Empty { block: "money overwrite" });
        }
        Ok(self.0.request())
    }

    /// Whether a prepay block read afterwards shows what was written. With supply on the remaining amount falls in
    /// between: force it off, or take the difference for consumption.
    ///
    /// # Errors
    /// [`NotShown`] names the first field that reads back otherwise.
    pub fn shown_by(&self, block: &PrepayBlock) -> Result<(), NotShown> {
        let remaining = self.0.written(Slot::Remaining, 1).map(|bytes| i32::from_be_bytes(bytes).into());
        let count = self.0.written(Slot::Count, 1).map(|bytes| u16::from_be_bytes(bytes).into());
        let written = [remaining, count, self.0.number(Slot::Total, 1)];
        all_shown(money_of(block).into_iter().zip(written).map(|((field, shown), written)| (field, written, shown)))
    }

    fn with(mut self, slot: Slot, value: &[u8]) -> Self {
        self.0.set(slot, value);
        self
    }
}

impl Default for MoneyOverwrite {
    fn default() -> Self {
        Self::new()
    }
}
