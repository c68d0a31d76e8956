//! Sales: read, send, read back.

use super::{Desk, seat::Step};
use crate::{
    collect::{
        order::{Done, Task, Written},
        reading::Shown,
    },
    store::books::{BooksError, May},
};
use prepay_core::{
    account::{Command, Effect, ReadBack, Refusal},
    id::{AccountId, SaleId},
    sale::SendOutcome,
};

impl Desk {
    pub(super) async fn money_done(&mut self, slot: usize, step: Step, done: Done) {
        let Some(account) = self.seats[slot].account.as_ref().map(|account| account.id) else { return };
        match (step, done) {
            (Step::Begin { sale }, Done::Read(Some(shown))) => {
                self.store(slot, &shown, false, None).await;
                self.sale_step(slot, account, Command::BeginSale { sale, evidence: shown.reading }).await;
            }
            // Nothing has left. The next sweep hands the sale out again.
            (Step::Begin { .. }, Done::Read(None)) => {}
            (Step::Send { sale }, Done::Written { written, before, after }) => {
                if let Some(before) = before.filter(|before| before.reading.meter != self.seats[slot].number) {
                    self.store(slot, &before, false, None).await;
                }
                self.sale_step(slot, account, Command::SaleSent { sale, outcome: sent(written) }).await;
                // What the meter showed in the slot of the frame is the read-back.
                if let Some(after) = after {
                    self.seats[slot].money = None;
                    self.sale_read(slot, account, sale, Some(&after)).await;
                }
            }
            (Step::ReadBack { sale }, Done::Read(shown)) => {
                self.sale_read(slot, account, sale, shown.as_ref()).await;
            }
            (step, done) => tracing::error!(line = self.line, ?step, ?done, "no answer to what was asked"),
        }
    }

    async fn sale_read(&mut self, slot: usize, account: AccountId, sale: SaleId, shown: Option<&Shown>) {
        let read_back = shown.map_or(ReadBack::Unreadable, |shown| ReadBack::Reading(shown.reading));
        self.sale_step(slot, account, Command::SaleReadBack { sale, read_back }).await;
    }

    /// Tells the books, and gives the line the frame that this allows.
    async fn sale_step(&mut self, slot: usize, account: AccountId, command: Command) {
        let mut rest = Vec::new();
        for effect in self.command(account, command).await {
            match effect {
                Effect::SendPurchase { sale, amount, new_count, frame, .. } if self.seats[slot].busy.is_none() => {
                    if !self.shared.books.may(account, May::Send(sale, frame)).await {
                        continue;
                    }
                    match u32::try_from(amount.minor()) {
                        Ok(amount_minor) => {
                            let task = Task::Sell { amount_minor, count: new_count.wrapping_sub(1) };
                            self.give(slot, task, Step::Send { sale });
                        }
                        Err(_) => tracing::error!(line = self.line, amount = amount.minor(), "no frame carries this"),
                    }
                }
                effect => rest.push(effect),
            }
        }
        self.accept(rest);
    }

    /// A line keeps no connection that carried an unanswered money frame, and this meter has no order under way: nothing is
    /// left that could still be sent. The rest of the fence is a wait and a read.
    pub(super) async fn fence(&mut self, slot: usize, account: AccountId, sale: SaleId) {
        self.sale_step(slot, account, Command::FenceClosed { sale }).await;
    }

    /// Carries a command to the books and returns what follows from it.
    pub(super) async fn command(&self, account: AccountId, command: Command) -> Vec<Effect> {
        match self.shared.books.command(account, command).await {
            Ok(effects) => effects,
            // The books hand out what is open again and again; what was closed in the meantime is refused, which is right.
            Err(BooksError::Refused(
                Refusal::NoSuchSale { .. } | Refusal::SaleStep { .. } | Refusal::Superseded { .. },
            )) => Vec::new(),
            Err(error) => {
                tracing::warn!(line = self.line, account = account.0, %error, "refused");
                Vec::new()
            }
        }
    }
}

/// What the core is told about a frame.
fn sent(written: Written) -> SendOutcome {
    match written {
        // The meter understood it. What it did is for the read-back to show.
        Written::Confirmed | Written::Refused { .. } => SendOutcome::ReplySeen,
        Written::NoReply => SendOutcome::NoReply,
        Written::NotTransmitted => SendOutcome::NotTransmitted,
    }
}
