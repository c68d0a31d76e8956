//! Switching a meter, and making one ready.

use super::{
    Desk,
    seat::{Step, Work},
};
use crate::{
    collect::{
        order::{Done, OrderId, Task, Written},
        reading::Shown,
    },
    store::books::May,
};
use meter_protocol::bus::Class;
use prepay_core::{
    account::{Command, MeterTakeOver, MeterTerms, OpenMode, ReadBack},
    settlement::MeterPrices,
};

impl Desk {
    pub(super) async fn control_done(&mut self, slot: usize, id: OrderId, step: Step, done: Done) {
        let meter = self.seats[slot].number;
        let Some(account) = self.seats[slot].account.as_ref().map(|account| account.id) else { return };
        match (step, done) {
            (Step::Identify { version, force }, Done::Read(Some(shown))) => {
                // The number is read before the write: a swapped meter must not be switched.
                if shown.reading.meter != meter {
                    self.store(slot, &shown, false, None).await;
                } else if self.shared.books.may(account, May::Write(meter, version)).await {
                    return self.give(slot, Task::Switch { after: id, force }, Step::Switch { version });
                }
                self.release(slot);
            }
            // Nothing has left. The next sweep hands the order out again.
            (Step::Identify { .. }, Done::Read(None)) => {}
            (Step::Switch { .. }, Done::Written(Written::NotTransmitted | Written::Refused)) => self.release(slot),
            (Step::Switch { version }, Done::Written(_)) => {
                let effects = self.command(account, Command::RelayOrdered { meter, version }).await;
                self.give(slot, Task::Read { class: Class::Control }, Step::Confirm { version });
                self.accept(effects);
            }
            (Step::Confirm { version }, Done::Read(shown)) => {
                let read_back = match shown {
                    Some(shown) => {
                        self.release(slot);
                        self.store(slot, &shown, false, None).await;
                        ReadBack::Reading(shown.reading)
                    }
                    None => ReadBack::Unreadable,
                };
                let effects = self.command(account, Command::RelayReported { meter, version, read_back }).await;
                self.accept(effects);
            }
            (Step::Commission, Done::Ready { shown, prices }) => {
                if let Err(reason) = self.open(slot, &shown, prices).await {
                    self.again(slot, &reason);
                }
            }
            (Step::Commission, Done::NotReady { reason }) => self.again(slot, &reason),
            (step, done) => tracing::error!(line = self.line, ?step, ?done, "no answer to what was asked"),
        }
    }

    /// Not ready: from the start again, after a while.
    fn again(&mut self, slot: usize, reason: &str) {
        let meter = self.seats[slot].number;
        tracing::info!(line = self.line, %meter, reason, "not ready yet");
        let pause = self.shared.patience.reconnect().saturating_mul(self.shared.clock.speed());
        let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        self.later.push((self.shared.clock.mono_ms().saturating_add(pause_ms), slot, Work::Commission));
    }

    /// Opens the account of a meter that is ready.
    async fn open(&mut self, slot: usize, shown: &Shown, prices: Option<MeterPrices>) -> Result<(), String> {
        let Some(account) = self.seats[slot].account.clone() else { return Ok(()) };
        let terms = MeterTerms { confirmed_prices: prices, ..account.meter_terms };
        let command = Command::Open {
            terms: account.terms,
            meters: vec![MeterTakeOver { terms, mode: OpenMode::TakeOver, reading: shown.reading }],
            station_credit: account.station_credit,
        };
        let effects = self.shared.books.command(account.id, command).await.map_err(|error| error.to_string())?;
        if let Some(account) = self.seats[slot].account.as_mut() {
            account.open = true;
        }
        self.store(slot, shown, false, None).await;
        self.accept(effects);
        Ok(())
    }
}
