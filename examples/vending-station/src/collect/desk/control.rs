//! Switching a meter, and making one ready.

use super::{
    Desk,
    seat::{Step, Work},
};
use crate::collect::{
    commission,
    order::{Done, Written},
    reading::Shown,
};
use prepay_core::account::{Command, MeterTakeOver, MeterTerms, OpenMode, ReadBack};

impl Desk {
    pub(super) async fn control_done(&mut self, slot: usize, step: Step, done: Done) {
        let meter = self.seats[slot].number;
        let Some(account) = self.seats[slot].account.as_ref().map(|account| account.id) else { return };
        match (step, done) {
            (Step::Switch { version }, Done::Written { written, before, after }) => {
                if matches!(written, Written::NotTransmitted | Written::Refused { .. }) {
                    let (state, reason) = match (written, &before) {
                        (Written::Refused { code }, _) => {
                            ("refused", format!("the meter answers with exception {code}"))
                        }
                        (_, Some(shown)) if shown.reading.meter != meter => {
                            ("not_reached", format!("meter {} answers in its place", shown.reading.meter))
                        }
                        _ => ("not_reached", "the meter does not answer; the order stands".to_owned()),
                    };
                    self.shared.books.outcome(meter, version, state, reason).await;
                    // The next sweep hands the order out again.
                    if let Some(before) = before {
                        self.store(slot, &before, false, None).await;
                    }
                    return;
                }
                let mut effects = self.command(account, Command::RelayOrdered { meter, version }).await;
                let read_back = match after {
                    Some(shown) => {
                        self.store(slot, &shown, false, None).await;
                        ReadBack::Reading(shown.reading)
                    }
                    None => ReadBack::Unreadable,
                };
                effects.extend(self.command(account, Command::RelayReported { meter, version, read_back }).await);
                // A row that the read-back has closed is not touched by this.
                let reason = match read_back {
                    ReadBack::Reading(_) => "the meter does not show the order",
                    ReadBack::Unreadable => "written, and not read back yet",
                };
                self.shared.books.outcome(meter, version, "unknown", reason).await;
                self.accept(effects);
            }
            (Step::Commission, Done::Ready { shown, settings }) => {
                if let Err(reason) = self.open(slot, &shown, &settings).await {
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
    async fn open(&mut self, slot: usize, shown: &Shown, settings: &[u8]) -> Result<(), String> {
        let Some(account) = self.seats[slot].account.clone() else { return Ok(()) };
        let profile = &self.shared.spectacles.profile;
        // The books believe what was read, not that it was written.
        let prices = commission::confirmed(settings, &account.wanted, profile).map_err(|error| error.to_string())?;
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
