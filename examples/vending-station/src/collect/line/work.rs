//! Carrying out orders: each in one slot of the bus, with the reads around a write.

use super::{
    super::{
        commission::{self, CommissionError, Wanted},
        order::{Done, Order, Task, Written},
        reading::Shown,
    },
    Line,
    read::NoReading,
};
use crate::totals::Totals;
use meter_protocol::{
    acrel::{ForceMode, Purchase},
    bus::JobOutcome,
    client::tokio::{MeterError, TransactError},
};
use prepay_core::reading::Force;

impl Line {
    /// Carries out an order and answers it.
    pub(super) async fn carry_out(&mut self, slot: usize, order: Order) -> JobOutcome {
        if order.not_after_utc_s.is_some_and(|last| self.shared.clock.utc_s() > last) {
            self.answer(order.id, order.meter, order.task.not_done()).await;
            return JobOutcome::NotTransmitted;
        }
        let (outcome, done) = match order.task {
            Task::Read { .. } => match self.evidence(slot).await {
                Ok(shown) => (JobOutcome::Answered, Done::Read(Some(shown))),
                Err(error) => (self.outcome(slot, error), Done::Read(None)),
            },
            Task::Sell { amount_minor, count } => self.sell(slot, amount_minor, count).await,
            Task::Switch { force } => self.switch(slot, force).await,
            Task::Commission(wanted) => self.commission(slot, &wanted).await,
        };
        self.answer(order.id, order.meter, done).await;
        outcome
    }

    async fn sell(&mut self, slot: usize, amount_minor: u32, count: u16) -> (JobOutcome, Done) {
        let before = match self.evidence(slot).await {
            Ok(before) => before,
            Err(error) => return (self.outcome(slot, error), Done::unwritten()),
        };
        let expected = before.reading.meter == self.meters[slot].number && before.reading.purchase_count == count;
        let (Ok(purchase), true, Some(client)) = (Purchase::new(amount_minor, count), expected, self.client.as_mut())
        else {
            tracing::warn!(line = self.code, meter = %self.meters[slot].number, amount_minor, count, "nothing was sold");
            let done = Done::Written { written: Written::NotTransmitted, before: Some(before), after: None };
            return (JobOutcome::Answered, done);
        };
        let written = written(&client.sell(self.meters[slot].unit, &purchase).await);
        if written != Written::NotTransmitted {
            Totals::add(&self.shared.totals.purchase_frames);
        }
        if written == Written::NoReply {
            // A money frame without an answer takes its connection with it: no byte of it can be sent any more.
            self.hang_up();
        }
        self.look_again(slot, written, before).await
    }

    async fn switch(&mut self, slot: usize, force: Force) -> (JobOutcome, Done) {
        let before = match self.evidence(slot).await {
            Ok(before) => before,
            Err(error) => return (self.outcome(slot, error), Done::unwritten()),
        };
        let mode = match force {
            Force::Automatic => ForceMode::Prepaid,
            Force::On => ForceMode::SupplyOn,
            Force::Off => ForceMode::SupplyOff,
        };
        // The number was read before the write: a swapped meter must not be switched.
        let expected = before.reading.meter == self.meters[slot].number;
        let Some(client) = self.client.as_mut().filter(|_| expected) else {
            let done = Done::Written { written: Written::NotTransmitted, before: Some(before), after: None };
            return (JobOutcome::Answered, done);
        };
        let written = written(&client.write_force(self.meters[slot].unit, mode).await);
        if matches!(written, Written::Confirmed | Written::NoReply) {
            Totals::add(&self.shared.totals.relay_writes);
        }
        self.look_again(slot, written, before).await
    }

    /// Reads the meter after a write.
    async fn look_again(&mut self, slot: usize, written: Written, before: Shown) -> (JobOutcome, Done) {
        let before = Some(before);
        if written == Written::NotTransmitted || !self.connected().await {
            return (JobOutcome::Answered, Done::Written { written, before, after: None });
        }
        match self.evidence(slot).await {
            Ok(shown) => (JobOutcome::Answered, Done::Written { written, before, after: Some(shown) }),
            Err(error) => (self.outcome(slot, error), Done::Written { written, before, after: None }),
        }
    }

    /// Makes the meter ready.
    async fn commission(&mut self, slot: usize, wanted: &Wanted) -> (JobOutcome, Done) {
        let unit = self.meters[slot].unit;
        let now_utc_s = self.shared.clock.utc_s();
        let (profile, offset) = (&self.shared.spectacles.profile, self.shared.spectacles.utc_offset_min);
        let failure = match self.client.as_mut() {
            None => NoReading::Link(JobOutcome::NotTransmitted),
            Some(client) => match commission::commission(client, unit, wanted, profile, now_utc_s, offset).await {
                Ok(settings) => {
                    Totals::add(&self.shared.totals.reads);
                    match self.evidence(slot).await {
                        Ok(shown) => return (JobOutcome::Answered, Done::Ready { shown, settings }),
                        Err(error) => error,
                    }
                }
                Err(CommissionError::Meter(MeterError::Transact(error))) => self.failed(&error),
                Err(error) => NoReading::Unusable(error.to_string()),
            },
        };
        let reason = match &failure {
            NoReading::Link(_) => "no answer".to_owned(),
            NoReading::Unusable(reason) => reason.clone(),
        };
        (self.outcome(slot, failure), Done::NotReady { reason })
    }
}

/// What a transaction says about the frame that it carried.
fn written(result: &Result<(), TransactError>) -> Written {
    match result {
        Ok(()) => Written::Confirmed,
        Err(TransactError::Exception(exception)) if !exception.is_of_gateway() => {
            Written::Refused { code: exception.code.get() }
        }
        // A gateway that answers for the meter knows no more than that it heard nothing.
        Err(TransactError::Exception(_)) => Written::NoReply,
        Err(error) if error.may_have_acted() => Written::NoReply,
        Err(_) => Written::NotTransmitted,
    }
}
