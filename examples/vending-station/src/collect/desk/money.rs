//! Sales: read, send, read back. The line stays with the meter while one step follows the other.

use super::{Desk, seat::Step};
use crate::{
    collect::order::{Done, OrderId, Task, Written},
    store::books::{Books, BooksError, May},
};
use meter_protocol::bus::Class;
use prepay_core::{
    account::{Command, Effect, ReadBack, Refusal},
    id::AccountId,
    sale::SendOutcome,
};

impl Desk {
    pub(super) async fn money_done(&mut self, slot: usize, id: OrderId, step: Step, done: Done) {
        let Some(account) = self.seats[slot].account.as_ref().map(|account| account.id) else { return };
        let (command, stays) = match (step, done) {
            (Step::Begin { sale }, Done::Read(Some(shown))) => {
                self.store(slot, &shown, false, None).await;
                (Command::BeginSale { sale, evidence: shown.reading }, true)
            }
            // Nothing has left. The next sweep hands the sale out again.
            (Step::Begin { .. }, _) => return,
            (Step::Send { sale }, Done::Written(written)) => (Command::SaleSent { sale, outcome: sent(written) }, true),
            (Step::ReadBack { sale }, Done::Read(shown)) => {
                let read_back = shown.map_or(ReadBack::Unreadable, |shown| ReadBack::Reading(shown.reading));
                (Command::SaleReadBack { sale, read_back }, shown.is_some())
            }
            (Step::Fence { sale }, Done::HungUp) => (Command::FenceClosed { sale }, false),
            (step, done) => return tracing::error!(line = self.line, ?step, ?done, "no answer to what was asked"),
        };
        let effects = self.command(account, command).await;
        let after = if stays { Some(id) } else { None };
        self.follow(slot, account, after, effects).await;
    }

    /// Gives the next order of the same slot of the line, if there is one, and lets the line go if not.
    async fn follow(&mut self, slot: usize, account: AccountId, after: Option<OrderId>, effects: Vec<Effect>) {
        let mut next = None;
        let mut rest = Vec::new();
        for effect in effects {
            match (effect, after) {
                (Effect::SendPurchase { sale, amount, new_count, frame, .. }, Some(after)) if next.is_none() => {
                    if !self.shared.books.may(account, May::Send(sale, frame)).await {
                        continue;
                    }
                    match u32::try_from(amount.minor()) {
                        Ok(amount_minor) => {
                            let task = Task::Sell { after, amount_minor, count: new_count.wrapping_sub(1) };
                            next = Some((task, Step::Send { sale }));
                        }
                        Err(_) => tracing::error!(line = self.line, amount = amount.minor(), "no frame carries this"),
                    }
                }
                (Effect::ReadBack { sale, not_before_mono_ms, .. }, Some(_))
                    if next.is_none() && not_before_mono_ms <= self.shared.clock.mono_ms() =>
                {
                    next = Some((Task::Read { class: Class::Money }, Step::ReadBack { sale }));
                }
                (effect, _) => rest.push(effect),
            }
        }
        match next {
            Some((task, step)) => self.give(slot, task, step),
            None if after.is_some() => self.release(slot),
            None => {}
        }
        self.accept(rest);
    }
}

/// What the core is told about a frame.
fn sent(written: Written) -> SendOutcome {
    match written {
        // The meter understood it. What it did is for the read-back to show.
        Written::Confirmed | Written::Refused => SendOutcome::ReplySeen,
        Written::NoReply => SendOutcome::NoReply,
        Written::NotTransmitted => SendOutcome::NotTransmitted,
    }
}

/// Carries a command to the books and returns what follows from it.
pub(super) async fn command(books: &Books, line: &str, account: AccountId, command: Command) -> Vec<Effect> {
    match books.command(account, command).await {
        Ok(effects) => effects,
        // The books hand out what is open again and again; what was closed in the meantime is refused, which is right.
        Err(BooksError::Refused(
            Refusal::NoSuchSale { .. } | Refusal::SaleStep { .. } | Refusal::Superseded { .. },
        )) => Vec::new(),
        Err(error) => {
            tracing::warn!(line, account = account.0, %error, "refused");
            Vec::new()
        }
    }
}
