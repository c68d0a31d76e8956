//! One meter at a desk: what waits for it, and which step is under way. A meter has one order at a time.

use super::{Desk, MeterSetup, setup::AccountSetup};
use crate::collect::{order::OrderId, reading::Shown};
use prepay_core::{
    account::Effect,
    id::{AccountId, MeterNumber, SaleId},
    reading::Force,
};
use std::collections::VecDeque;
use tokio::sync::oneshot;

/// Work on a meter that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Commission,
    Begin { sale: SaleId },
    ReadBack { sale: SaleId },
    Fence { sale: SaleId },
    Switch { version: u32, force: Force },
}

impl Work {
    fn is_money(self) -> bool {
        matches!(self, Self::Begin { .. } | Self::ReadBack { .. } | Self::Fence { .. })
    }
}

/// What the order under way is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The read before a sale.
    Begin { sale: SaleId },
    /// A purchase frame.
    Send { sale: SaleId },
    /// A read after it.
    ReadBack { sale: SaleId },
    /// A write of the force word.
    Switch { version: u32 },
    /// Making the meter ready.
    Commission,
    /// A reading that somebody asked for.
    ReadNow,
    /// The closing reading.
    Close { tries: u32 },
}

impl Step {
    fn is_money(self) -> bool {
        matches!(self, Self::Begin { .. } | Self::Send { .. } | Self::ReadBack { .. })
    }
}

/// How far the closing reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closing {
    /// Not asked for.
    No,
    /// Wanted, with so many more tries.
    Tries(u32),
    /// Booked, or given up.
    Done,
}

#[derive(Debug)]
pub(super) struct Seat {
    pub(super) number: MeterNumber,
    pub(super) account: Option<AccountSetup>,
    /// A meter has one open sale, so that one piece of work is all there can be.
    pub(super) money: Option<Work>,
    pub(super) control: VecDeque<Work>,
    /// Who wants a reading now.
    pub(super) asks: Vec<oneshot::Sender<Option<Shown>>>,
    pub(super) busy: Option<(OrderId, Step)>,
    pub(super) settled_interval: Option<i64>,
    pub(super) closing: Closing,
}

impl Seat {
    pub(super) fn new(setup: MeterSetup) -> Self {
        let to_open = setup.account.as_ref().is_some_and(|account| !account.open);
        Self {
            number: setup.number,
            account: setup.account,
            money: None,
            control: to_open.then_some(Work::Commission).into_iter().collect(),
            asks: Vec::new(),
            busy: None,
            settled_interval: None,
            closing: Closing::No,
        }
    }

    /// The account, once it is in the books.
    pub(super) fn open_account(&self) -> Option<AccountId> {
        self.account.as_ref().filter(|account| account.open).map(|account| account.id)
    }
}

impl Desk {
    /// Takes effects in. A purchase frame is given by the command that allowed it and by nothing else.
    pub(super) fn accept(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let (meter, work, due_ms) = match effect {
                Effect::StartSale { sale, meter } => (meter, Work::Begin { sale }, 0),
                Effect::ReadBack { sale, meter, not_before_mono_ms } => {
                    (meter, Work::ReadBack { sale }, not_before_mono_ms)
                }
                Effect::Fence { sale, meter, .. } => (meter, Work::Fence { sale }, 0),
                Effect::WriteForce { meter, version, force, .. } => (meter, Work::Switch { version, force }, 0),
                _ => continue,
            };
            let Some(slot) = self.slot(meter) else { continue };
            if due_ms > self.shared.clock.mono_ms() {
                if !self.later.iter().any(|(_, at, later)| *at == slot && later.is_money()) {
                    self.later.push((due_ms, slot, work));
                }
            } else {
                self.queue(slot, work);
            }
        }
    }

    /// Puts work into its queue. The books hand out again what is still open, so what waits or runs already is left out.
    pub(super) fn queue(&mut self, slot: usize, work: Work) {
        let seat = &mut self.seats[slot];
        let running = seat.busy.map(|(_, step)| step);
        let known = match work {
            Work::Switch { version, .. } => seat.control.contains(&work) || running == Some(Step::Switch { version }),
            Work::Commission => seat.control.contains(&work) || running == Some(Step::Commission),
            Work::Begin { .. } | Work::ReadBack { .. } | Work::Fence { .. } => {
                seat.money.is_some() || running.is_some_and(Step::is_money)
            }
        };
        if !known {
            if work.is_money() {
                seat.money = Some(work);
            } else {
                seat.control.push_back(work);
            }
        }
    }
}
