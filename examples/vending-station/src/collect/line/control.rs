//! Switching a meter, and making one ready.

use super::{
    super::commission::{self, CommissionError, Commissioned},
    AccountSetup, Line, Work,
    read::NoReading,
    reading,
};
use crate::{store::books::May, totals::Totals};
use meter_protocol::{
    acrel::ForceMode,
    bus::{Job, JobOutcome},
    client::tokio::MeterError,
};
use prepay_core::{
    account::{Command, Effect, MeterTakeOver, MeterTerms, OpenMode, ReadBack},
    reading::Force,
};

impl Line {
    pub(super) async fn control(&mut self, slot: usize) -> JobOutcome {
        match self.meters[slot].control.pop_front() {
            Some(Work::Commission) => self.commission(slot).await,
            Some(Work::Effect(Effect::WriteForce { version, force, .. })) => {
                self.write_force(slot, version, force).await
            }
            _ => JobOutcome::NotTransmitted,
        }
    }

    pub(super) async fn write_force(&mut self, slot: usize, version: u32, force: Force) -> JobOutcome {
        let meter = self.meters[slot].setup.number;
        let Some(account) = self.meters[slot].setup.account.as_ref().map(|account| account.id) else {
            return JobOutcome::NotTransmitted;
        };
        if !self.shared.books.may(account, May::Write(meter, version)).await {
            return JobOutcome::NotTransmitted;
        }
        // The number is read before the write: a swapped meter must not be switched.
        match self.evidence(slot).await {
            Ok((_, reading)) if reading.meter == meter => {}
            Ok((block, reading)) => {
                self.store(slot, &block, reading, false).await;
                return JobOutcome::Answered;
            }
            Err(error) => return self.outcome(slot, error),
        }
        let mode = match force {
            Force::Automatic => ForceMode::Prepaid,
            Force::On => ForceMode::SupplyOn,
            Force::Off => ForceMode::SupplyOff,
        };
        let unit = self.meters[slot].setup.unit;
        let Some(client) = self.client.as_mut() else { return JobOutcome::NotTransmitted };
        let written = client.write_force(unit, mode).await;
        if let Err(error) = &written {
            let NoReading::Link(outcome) = self.failed(error) else { return JobOutcome::Answered };
            if outcome == JobOutcome::NotTransmitted {
                return outcome;
            }
        }
        Totals::add(&self.shared.totals.relay_writes);
        let effects = self.command(account, Command::RelayOrdered { meter, version }).await;
        self.accept(effects);
        let (outcome, read_back) = match self.read(slot).await {
            Ok((block, reading)) => {
                self.store(slot, &block, reading, false).await;
                (JobOutcome::Answered, ReadBack::Reading(reading))
            }
            Err(error) => (self.outcome(slot, error), ReadBack::Unreadable),
        };
        let effects = self.command(account, Command::RelayReported { meter, version, read_back }).await;
        self.accept(effects);
        outcome
    }

    /// Makes the meter ready and opens its account.
    pub(super) async fn commission(&mut self, slot: usize) -> JobOutcome {
        let unit = self.meters[slot].setup.unit;
        let Some(account) = self.meters[slot].setup.account.clone() else { return JobOutcome::NotTransmitted };
        let now_utc_s = self.shared.clock.utc_s();
        let Some(client) = self.client.as_mut() else { return JobOutcome::NotTransmitted };
        let (profile, offset) = (&self.shared.profile, self.shared.utc_offset_min);
        let done = commission::commission(client, unit, &account.wanted, profile, now_utc_s, offset).await;
        let failure = match done {
            Ok(commissioned) => {
                Totals::add(&self.shared.totals.reads);
                match self.open(slot, &account, &commissioned).await {
                    Ok(()) => return JobOutcome::Answered,
                    Err(reason) => NoReading::Unusable(reason),
                }
            }
            Err(CommissionError::Meter(MeterError::Transact(error))) => self.failed(&error),
            Err(error) => NoReading::Unusable(error.to_string()),
        };
        // Not ready: from the start again, when the line has a moment.
        self.meters[slot].control.push_back(Work::Commission);
        self.requeue(slot, Job::Control);
        self.outcome(slot, failure)
    }

    pub(super) async fn open(
        &mut self,
        slot: usize,
        account: &AccountSetup,
        commissioned: &Commissioned,
    ) -> Result<(), String> {
        let meter = account.wanted.number;
        let reading = reading::reading(&commissioned.block, meter, &self.shared.profile, self.shared.clock.now())
            .map_err(|error| error.to_string())?;
        let terms = MeterTerms { confirmed_prices: commissioned.prices, ..account.meter_terms };
        let command = Command::Open {
            terms: account.terms,
            meters: vec![MeterTakeOver { terms, mode: OpenMode::TakeOver, reading }],
            station_credit: account.station_credit,
        };
        let effects = self.shared.books.command(account.id, command).await.map_err(|error| error.to_string())?;
        if let Some(account) = self.meters[slot].setup.account.as_mut() {
            account.open = true;
        }
        self.store(slot, &commissioned.block, reading, false).await;
        self.accept(effects);
        Ok(())
    }
}
