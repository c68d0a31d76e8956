//! Readings that somebody asks for now, on their way to the desk that has the meter.

use super::{Desk, seat::Step};
use crate::collect::{
    order::{Done, Task},
    reading::Shown,
};
use meter_protocol::bus::Class;
use prepay_core::id::MeterNumber;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{mpsc, oneshot};

/// Readings that may wait for a desk. Whoever asks waits beyond that.
pub(super) const ASKS: usize = 64;

/// Somebody wants a reading.
#[derive(Debug)]
pub(super) struct Ask {
    meter: MeterNumber,
    answer: oneshot::Sender<Option<Shown>>,
}

/// Where each meter's desk takes questions. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Asks(Arc<Mutex<HashMap<MeterNumber, mpsc::Sender<Ask>>>>);

impl Asks {
    pub(super) fn route(&self, meters: impl Iterator<Item = MeterNumber>, desk: &mpsc::Sender<Ask>) {
        let mut desks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        desks.extend(meters.map(|meter| (meter, desk.clone())));
    }

    /// Reads a meter, before polling and behind money and control. None: it was not reached. The reading is stored.
    /// Whoever waits no longer drops the future; a reading that is not begun by then is left out.
    pub async fn read(&self, meter: MeterNumber) -> Option<Shown> {
        let desk = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&meter).cloned()?;
        let (answer, answered) = oneshot::channel();
        desk.send(Ask { meter, answer }).await.ok()?;
        answered.await.ok().flatten()
    }
}

impl Desk {
    pub(super) fn asked(&mut self, ask: Ask) {
        if let Some(slot) = self.slot(ask.meter) {
            self.seats[slot].asks.push(ask.answer);
        }
    }

    /// One reading answers all who ask.
    pub(super) fn read_now(&mut self, slot: usize) {
        self.seats[slot].asks.retain(|ask| !ask.is_closed());
        if !self.seats[slot].asks.is_empty() {
            self.give(slot, Task::Read { class: Class::ReadNow }, Step::ReadNow);
        }
    }

    pub(super) async fn read_now_done(&mut self, slot: usize, done: Done) {
        let shown = match done {
            Done::Read(shown) => shown.filter(|shown| shown.reading.meter == self.seats[slot].number),
            _ => None,
        };
        let asks = std::mem::take(&mut self.seats[slot].asks);
        if let Some(shown) = &shown {
            self.store(slot, shown, false, None).await;
            // Whoever asked finds the reading in the tables.
            self.shared.books.flush().await;
        }
        for ask in asks {
            let _ = ask.send(shown.clone());
        }
    }
}
