//! Orders that wait for their turn on the bus.

use super::{
    super::order::{Done, Order, OrderId, Report, Task, Written},
    Line,
};
use meter_protocol::bus::{Class, Job};
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

    /// Puts an order into its queue. A write that comes now comes too late: the line has left the meter.
    pub(super) async fn accept(&mut self, order: Order) {
        let Order { id, meter, task } = &order;
        let Some(slot) = self.meters.iter().position(|known| known.number == *meter) else {
            let done = refusal(task, "the meter is not on this line");
            return self.answer(*id, order.meter, done).await;
        };
        let class = match task {
            Task::Read { class } => *class,
            Task::HangUp => Class::Money,
            Task::Commission(_) => Class::Control,
            Task::Release => return,
            Task::Sell { .. } | Task::Switch { .. } => {
                return self.answer(*id, *meter, Some(Done::Written(Written::NotTransmitted))).await;
            }
        };
        if let Err(error) = self.bus.request(slot, class) {
            tracing::warn!(line = self.code, %error, "not queued");
            let done = refusal(task, &error.to_string());
            return self.answer(*id, *meter, done).await;
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

    pub(super) async fn answer(&self, id: OrderId, meter: prepay_core::id::MeterNumber, done: Option<Done>) {
        if let Some(done) = done {
            self.report(Report::Done { id, meter, done }).await;
        }
    }

    pub(super) async fn report(&self, report: Report) {
        // Nobody listens any more: the next turn ends the line.
        let _ = self.reports.send(report).await;
    }
}

/// The answer to an order that is not carried out. Nothing has left.
fn refusal(task: &Task, reason: &str) -> Option<Done> {
    Some(match task {
        Task::Read { .. } => Done::Read(None),
        Task::Sell { .. } | Task::Switch { .. } => Done::Written(Written::NotTransmitted),
        Task::Commission(_) | Task::HangUp => Done::NotReady { reason: reason.into() },
        Task::Release => return None,
    })
}
