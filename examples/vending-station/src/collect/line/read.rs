//! Reading a meter: by poll, and as evidence.

use super::{
    super::{order::Report, reading::Shown},
    Line,
};
use crate::totals::Totals;
use meter_protocol::{
    bus::JobOutcome,
    client::tokio::{Client, MeterError, ReplyBuffer, TransactError},
};
use prepay_core::id::MeterNumber;
use std::time::Instant;

/// A meter could not be read.
pub(super) enum NoReading {
    /// The line's fault, or the meter does not answer.
    Link(JobOutcome),
    /// It answered, but not with something that can be used.
    Unusable(String),
}

impl Line {
    pub(super) async fn poll(&mut self, slot: usize) -> JobOutcome {
        match self.read(slot).await {
            Ok(shown) => {
                let meter = self.meters[slot].number;
                self.report(Report::Shown { meter, shown, stored: None }).await;
                JobOutcome::Answered
            }
            Err(error) => self.outcome(slot, error),
        }
    }

    pub(super) fn outcome(&self, slot: usize, error: NoReading) -> JobOutcome {
        match error {
            NoReading::Link(outcome) => outcome,
            NoReading::Unusable(reason) => {
                let meter = self.meters[slot].number;
                tracing::warn!(line = self.code, %meter, reason, "a reading can't be used");
                JobOutcome::Answered
            }
        }
    }

    /// Reads the meter: its number first where this connection has not seen it, then the block.
    async fn read(&mut self, slot: usize) -> Result<Shown, NoReading> {
        let link = self.client.as_ref().map(Client::link);
        if self.meters[slot].known_on != link || link.is_none() {
            self.read_number(slot).await?;
        }
        let unit = self.meters[slot].unit;
        let client = self.client.as_mut().ok_or(NoReading::Link(JobOutcome::NotTransmitted))?;
        let mut buffer = ReplyBuffer::new();
        let begun = Instant::now();
        let read = client.read_registers(unit, self.status.address, self.status.count, &mut buffer).await;
        let took = begun.elapsed();
        let response_ms = u16::try_from(took.as_millis()).unwrap_or(u16::MAX);
        let registers = self.counted(read)?;
        self.shared.totals.add_status(took);
        let meter = self.meters[slot].shown;
        let shown = self.shared.spectacles.read(&registers, meter, self.shared.clock.now());
        shown.map(|shown| Shown { response_ms, ..shown }).map_err(|error| NoReading::Unusable(error.to_string()))
    }

    async fn read_number(&mut self, slot: usize) -> Result<(), NoReading> {
        let unit = self.meters[slot].unit;
        let client = self.client.as_mut().ok_or(NoReading::Link(JobOutcome::NotTransmitted))?;
        let link = client.link();
        let read = client.read_meter_number(unit).await;
        let shown = self.counted(read)?.to_string();
        let shown = shown.parse().ok().and_then(|number| MeterNumber::new(number).ok());
        let shown = shown.ok_or_else(|| NoReading::Unusable("no meter number".into()))?;
        let meter = &mut self.meters[slot];
        (meter.known_on, meter.shown) = (Some(link), shown);
        Ok(())
    }

    /// Evidence: the number is read again, in the same slot of the line.
    pub(super) async fn evidence(&mut self, slot: usize) -> Result<Shown, NoReading> {
        self.meters[slot].known_on = None;
        self.read(slot).await
    }

    /// Counts the outcome of a read.
    fn counted<T>(&self, read: Result<T, MeterError>) -> Result<T, NoReading> {
        match read {
            Ok(value) => {
                Totals::add(&self.shared.totals.reads);
                Ok(value)
            }
            Err(MeterError::Transact(error)) => Err(self.failed(&error)),
            Err(error) => Err(NoReading::Unusable(error.to_string())),
        }
    }

    pub(super) fn failed(&self, error: &TransactError) -> NoReading {
        match error {
            TransactError::NoReply { .. } => NoReading::Link(JobOutcome::NoReply),
            // A gateway that can't reach the meter answers for it with an exception.
            error => match error.job_outcome() {
                JobOutcome::Answered => NoReading::Unusable(error.to_string()),
                outcome => NoReading::Link(outcome),
            },
        }
    }
}
