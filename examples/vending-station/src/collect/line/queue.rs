//! Orders that wait for their turn on the bus.

use super::{
    super::order::{Done, Order, OrderId, Report},
    Line,
};
use meter_protocol::bus::{Class, Job};
use prepay_core::id::MeterNumber;
use std::collections::VecDeque;
use tokio::sync::mpsc::error::TryRecvError;

/// The orders that wait for one meter, by class.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    money: VecDeque<Order>,
    control: VecDeque<Order>,
    read_now: VecDeque<Order>,
}

impl Waiting {
    fn of(&mut self, class: Class) -> &mut VecDeque<Order> {
        match class {
            Class::Money => &mut self.money,
            Class::Control => &mut self.control,
            Class::ReadNow => &mut self.read_now,
        }
    }

    /// The next order of a job's class.
    pub(super) fn take(&mut self, job: Job) -> Option<Order> {
        self.of(class(job)?).pop_front()
    }
}

fn class(job: Job) -> Option<Class> {
    match job {
        Job::Money => Some(Class::Money),
        Job::Control => Some(Class::Control),
        Job::ReadNow => Some(Class::ReadNow),
        Job::Poll { .. } | Job::Probe => None,
    }
}

impl Line {
    /// Takes what has come; false when nothing will come any more.
    pub(super) async fn take_orders(&mut self) -> bool {
        loop {
            match self.orders.try_recv() {
                Ok(order) => self.accept(order).await,
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// Puts an order into its queue.
    pub(super) async fn accept(&mut self, order: Order) {
        let Some(slot) = self.meters.iter().position(|known| known.number == order.meter) else {
            tracing::warn!(line = self.code, meter = %order.meter, "an order for a meter that is not on this line");
            return self.answer(order.id, order.meter, order.task.not_done()).await;
        };
        let class = order.task.class();
        if let Err(error) = self.bus.request(slot, class) {
            tracing::warn!(line = self.code, %error, "not queued");
            return self.answer(order.id, order.meter, order.task.not_done()).await;
        }
        self.meters[slot].waiting.of(class).push_back(order);
    }

    /// A job that was not run because the line was down keeps its place.
    pub(super) fn requeue(&mut self, slot: usize, job: Job) {
        let Some(class) = class(job) else { return };
        if let Err(error) = self.bus.request(slot, class) {
            tracing::error!(line = self.code, %error, "a place in the queue was lost");
        }
    }

    pub(super) async fn answer(&self, id: OrderId, meter: MeterNumber, done: Done) {
        self.report(Report::Done { id, meter, done, taken: None }).await;
    }

    pub(super) async fn report(&self, report: Report) {
        // Nobody listens any more: the next turn ends the line.
        let _ = self.reports.send(report).await;
    }
}
