//! Sales on a line: read, send, read back, all in one slot of the bus.

use super::Line;
use crate::{
    store::books::{BooksError, May},
    totals::Totals,
};
use meter_protocol::{acrel::Purchase, bus::JobOutcome, client::tokio::TransactError};
use prepay_core::{
    account::{Command, Effect, ReadBack, Refusal},
    id::AccountId,
    money::Money,
    sale::SendOutcome,
};
use std::collections::VecDeque;

impl Line {
    /// Carries a sale as far as it goes in one slot of the line: read, send, read back.
    pub(super) async fn money(&mut self, slot: usize) -> JobOutcome {
        let Some(first) = self.meters[slot].money.pop_front() else { return JobOutcome::NotTransmitted };
        let Some(account) = self.meters[slot].setup.account.as_ref().map(|account| account.id) else {
            return JobOutcome::NotTransmitted;
        };
        let mut outcome = JobOutcome::NotTransmitted;
        let mut work = VecDeque::from([first]);
        while let Some(effect) = work.pop_front() {
            let command = match effect {
                Effect::StartSale { sale, .. } => match self.evidence(slot).await {
                    Ok((block, evidence)) => {
                        outcome = JobOutcome::Answered;
                        self.store(slot, &block, evidence, false).await;
                        Command::BeginSale { sale, evidence }
                    }
                    // Nothing has left. The next sweep hands the sale out again.
                    Err(error) => return self.outcome(slot, error),
                },
                Effect::SendPurchase { sale, amount, new_count, frame, .. } => {
                    if !self.shared.books.may(account, May::Send(sale, frame)).await {
                        continue;
                    }
                    let sent = self.send_purchase(slot, amount, new_count).await;
                    Command::SaleSent { sale, outcome: sent }
                }
                Effect::ReadBack { sale, not_before_mono_ms, .. } => {
                    if not_before_mono_ms > self.shared.clock.mono_ms() {
                        self.later.push((not_before_mono_ms, slot, effect));
                        continue;
                    }
                    let read_back = match self.evidence(slot).await {
                        Ok((_, reading)) => {
                            outcome = JobOutcome::Answered;
                            ReadBack::Reading(reading)
                        }
                        Err(error) => {
                            outcome = self.outcome(slot, error);
                            ReadBack::Unreadable
                        }
                    };
                    Command::SaleReadBack { sale, read_back }
                }
                Effect::Fence { sale, .. } => {
                    self.hang_up();
                    let closed = Command::FenceClosed { sale };
                    let more = self.command(account, closed).await;
                    work.extend(more);
                    // The rest of the fence is a wait and a read on a new connection.
                    for effect in work.drain(..) {
                        self.accept(vec![effect]);
                    }
                    return outcome;
                }
                Effect::WriteForce { .. } => {
                    self.accept(vec![effect]);
                    continue;
                }
                _ => continue,
            };
            work.extend(self.command(account, command).await);
        }
        outcome
    }

    pub(super) async fn send_purchase(&mut self, slot: usize, amount: Money, new_count: u16) -> SendOutcome {
        let unit = self.meters[slot].setup.unit;
        let Some(client) = self.client.as_mut() else { return SendOutcome::NotTransmitted };
        let purchase =
            u32::try_from(amount.minor()).ok().map(|amount| Purchase::new(amount, new_count.wrapping_sub(1)));
        let Some(Ok(purchase)) = purchase else {
            tracing::error!(
                line = self.code,
                amount = amount.minor(),
                "the core allowed an amount that no frame carries"
            );
            return SendOutcome::NotTransmitted;
        };
        match client.sell(unit, &purchase).await {
            Ok(()) => {
                Totals::add(&self.shared.totals.purchase_frames);
                SendOutcome::ReplySeen
            }
            // The meter understood it. What it did is for the read-back to show.
            Err(TransactError::Exception(_)) => {
                Totals::add(&self.shared.totals.purchase_frames);
                SendOutcome::ReplySeen
            }
            Err(error) if error.may_have_acted() => {
                Totals::add(&self.shared.totals.purchase_frames);
                SendOutcome::NoReply
            }
            Err(_) => SendOutcome::NotTransmitted,
        }
    }

    pub(super) async fn command(&self, account: AccountId, command: Command) -> Vec<Effect> {
        match self.shared.books.command(account, command).await {
            Ok(effects) => effects,
            // The books hand out what is open again and again; what was closed in the meantime is refused, which is right.
            Err(BooksError::Refused(
                Refusal::NoSuchSale { .. } | Refusal::SaleStep { .. } | Refusal::Superseded { .. },
            )) => Vec::new(),
            Err(error) => {
                tracing::warn!(line = self.code, account = account.0, %error, "refused");
                Vec::new()
            }
        }
    }
}
