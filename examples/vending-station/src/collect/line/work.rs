//! Carrying out orders: a read, and the writes that may follow it in the same slot of the bus.

use super::{
    super::{
        commission::{self, CommissionError, Wanted},
        order::{Done, Order, OrderId, Task, Written},
        reading::{self, Shown},
    },
    Line,
    read::NoReading,
};
use crate::totals::Totals;
use meter_protocol::{
    acrel::{ForceMode, Purchase},
    bus::{Class, JobOutcome},
    client::tokio::{Client, MeterError, TransactError},
};
use prepay_core::reading::Force;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long a line stays with a meter for the word of the station.
const STAY: Duration = Duration::from_secs(2);

impl Line {
    /// Carries out an order and those that follow it in the same slot.
    pub(super) async fn carry_out(&mut self, slot: usize, order: Order) -> JobOutcome {
        let (mut outcome, mut order) = (JobOutcome::NotTransmitted, order);
        loop {
            let id = order.id;
            let (done, stays) = match order.task {
                Task::Read { class } => {
                    let shown = match self.evidence(slot).await {
                        Ok(shown) => {
                            outcome = JobOutcome::Answered;
                            Some(shown)
                        }
                        Err(error) => {
                            outcome = self.outcome(slot, error);
                            None
                        }
                    };
                    (Done::Read(shown), shown.is_some() && class != Class::ReadNow)
                }
                Task::Sell { amount_minor, count, .. } => {
                    (Done::Written(self.sell(slot, amount_minor, count).await), true)
                }
                Task::Switch { force, .. } => (Done::Written(self.switch(slot, force).await), true),
                Task::HangUp => {
                    self.hang_up();
                    (Done::HungUp, false)
                }
                Task::Commission(wanted) => {
                    let done;
                    (outcome, done) = self.commission(slot, &wanted).await;
                    (done, false)
                }
                Task::Release => return outcome,
            };
            let meter = self.meters[slot].number;
            self.answer(id, meter, Some(done)).await;
            match if stays { self.following(slot, id).await } else { None } {
                Some(next) => order = next,
                None => return outcome,
            }
        }
    }

    /// The order for this meter that follows the one with this number, if it comes in time. Others are queued.
    async fn following(&mut self, slot: usize, id: OrderId) -> Option<Order> {
        let until = Instant::now() + STAY;
        loop {
            let order = timeout_at(until, self.orders.recv()).await.ok()??;
            if order.meter != self.meters[slot].number {
                self.accept(order).await;
                continue;
            }
            match &order.task {
                Task::Sell { after, .. } | Task::Switch { after, .. } if *after != id => self.accept(order).await,
                Task::Commission(_) => {
                    self.accept(order).await;
                    return None;
                }
                _ => return Some(order),
            }
        }
    }

    /// A write goes to the meter that was expected, and only on the connection that showed its number.
    fn is_known(&self, slot: usize) -> bool {
        let meter = &self.meters[slot];
        let link = self.client.as_ref().filter(|client| !client.is_broken()).map(Client::link);
        link.is_some() && meter.known_on == link && meter.shown == meter.number
    }

    async fn sell(&mut self, slot: usize, amount_minor: u32, count: u16) -> Written {
        let known = self.is_known(slot);
        let Some(client) = self.client.as_mut().filter(|_| known) else { return Written::NotTransmitted };
        let Ok(purchase) = Purchase::new(amount_minor, count) else {
            tracing::error!(line = self.code, amount_minor, "no frame carries this amount");
            return Written::NotTransmitted;
        };
        let written = written(client.sell(self.meters[slot].unit, &purchase).await);
        if written != Written::NotTransmitted {
            Totals::add(&self.shared.totals.purchase_frames);
        }
        written
    }

    async fn switch(&mut self, slot: usize, force: Force) -> Written {
        let known = self.is_known(slot);
        let Some(client) = self.client.as_mut().filter(|_| known) else { return Written::NotTransmitted };
        let mode = match force {
            Force::Automatic => ForceMode::Prepaid,
            Force::On => ForceMode::SupplyOn,
            Force::Off => ForceMode::SupplyOff,
        };
        let written = written(client.write_force(self.meters[slot].unit, mode).await);
        if matches!(written, Written::Confirmed | Written::NoReply) {
            Totals::add(&self.shared.totals.relay_writes);
        }
        written
    }

    /// Makes the meter ready.
    async fn commission(&mut self, slot: usize, wanted: &Wanted) -> (JobOutcome, Done) {
        let (meter, unit) = (self.meters[slot].number, self.meters[slot].unit);
        let now_utc_s = self.shared.clock.utc_s();
        let (profile, offset) = (&self.shared.profile, self.shared.utc_offset_min);
        let failure = match self.client.as_mut() {
            None => NoReading::Link(JobOutcome::NotTransmitted),
            Some(client) => match commission::commission(client, unit, wanted, profile, now_utc_s, offset).await {
                Ok(commissioned) => {
                    Totals::add(&self.shared.totals.reads);
                    match reading::reading(&commissioned.block, meter, profile, self.shared.clock.now()) {
                        Ok(reading) => {
                            let shown = Shown::new(&commissioned.block, reading, offset);
                            return (JobOutcome::Answered, Done::Ready { shown, prices: commissioned.prices });
                        }
                        Err(error) => NoReading::Unusable(error.to_string()),
                    }
                }
                Err(CommissionError::Meter(MeterError::Transact(error))) => self.failed(&error),
                Err(error) => NoReading::Unusable(error.to_string()),
            },
        };
        let reason = match &failure {
            NoReading::Link(_) => "the line".to_owned(),
            NoReading::Unusable(reason) => reason.clone(),
        };
        (self.outcome(slot, failure), Done::NotReady { reason })
    }
}

/// What a transaction says about the frame that it carried.
fn written(result: Result<(), TransactError>) -> Written {
    match result {
        Ok(()) => Written::Confirmed,
        Err(TransactError::Exception(exception)) if exception.is_of_gateway() => Written::NoReply,
        Err(TransactError::Exception(_)) => Written::Refused,
        Err(error) if error.may_have_acted() => Written::NoReply,
        Err(_) => Written::NotTransmitted,
    }
}
