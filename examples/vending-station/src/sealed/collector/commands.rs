//! Commands of the station: each is begun at most once, whatever the network and this process do.

use super::{
    super::{
        journal::Entry,
        wire::{self, Place},
    },
    CollectError, Collector,
};
use crate::collect::order::{Order, Task};
use meter_protocol::{
    bus::Class,
    seal::message::{Command, MessageId, MeterRef, Order as Wish, Outcome, RefusalReason},
};

/// A command under way on a line.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) command: MessageId,
    pub(super) place: Place,
    /// The count that a sale wants to see.
    pub(super) sold: Option<u16>,
    /// It is in the journal.
    pub(super) journaled: bool,
    /// It was under way at a crash: what runs is a look at its meter.
    pub(super) interrupted: bool,
}

impl Collector {
    /// What was begun before a crash may have reached its meter: that is its result, with what the meter shows now. Where it
    /// can't be asked, the station will ask.
    pub(super) fn settle_interrupted(&mut self) -> Result<(), CollectError> {
        for (command, meter) in self.journal.begun() {
            let meter = meter_of(&meter).ok_or_else(|| CollectError::setup("journal", format!("meter `{meter}`")))?;
            tracing::warn!(collector = &*self.code, %command, meter = %meter.number, "interrupted; the meter will show it");
            if self.look_at(command, meter) {
                continue;
            }
            let ids = [self.ids.next(), command];
            let result = wire::plain(ids, meter, Outcome::NoReply, self.clock.utc_s());
            self.journal.end(command, &result.ok_or_else(|| CollectError::setup("journal", "no result"))?)?;
        }
        Ok(())
    }

    /// Has the meter of an interrupted command read.
    fn look_at(&mut self, command: MessageId, meter: MeterRef) -> bool {
        let place = wire::number(meter.number).and_then(|number| self.places.get(&number)).copied();
        let line = place.and_then(|place| self.lines.get(usize::from(place.line)));
        let (Some(place), Some(Ok(room))) = (place, line.map(|line| line.clone().try_reserve_owned())) else {
            return false;
        };
        self.next_order += 1;
        let running = Running { command, place, sold: None, journaled: true, interrupted: true };
        self.running.insert(self.next_order, running);
        let task = Task::Read { class: Class::Money };
        room.send(Order { id: self.next_order, meter: place.number, task, not_after_utc_s: None });
        true
    }

    /// The result of a command: on disk first, if the command is there.
    pub(super) fn answer(&mut self, command: MessageId, journaled: bool, result: Vec<u8>) -> Result<(), CollectError> {
        if journaled {
            tokio::task::block_in_place(|| self.journal.end(command, &result))?;
        }
        self.outbox.push_back(result);
        Ok(())
    }

    pub(super) fn command(&mut self, id: MessageId, command: &Command) -> Result<(), CollectError> {
        match self.journal.entry(id) {
            Some(Entry::Ended { result, .. }) => {
                self.outbox.push_back(result.clone());
                return Ok(());
            }
            // Its result comes when there is one.
            Some(Entry::Begun { .. }) => return Ok(()),
            None if self.running.values().any(|running| running.command == id) => return Ok(()),
            None => {}
        }
        let place = wire::number(command.meter.number).and_then(|number| self.places.get(&number)).copied();
        let place = place.filter(|place| (place.line, place.unit) == (command.meter.line, command.meter.unit));
        let own = place.and_then(|place| self.wanted.get(&place.number));
        let task = match (place, wire::task(&command.order, self.status, own)) {
            (None, _) => Err(RefusalReason::UnknownMeter),
            // What is over can't be told.
            _ if command.order.moves_money() && self.journal.clock_is_behind(self.clock.utc_s()) => {
                Err(RefusalReason::Clock)
            }
            _ if command.not_after_utc_s < self.clock.utc_s() => Err(RefusalReason::Expired),
            (Some(place), task) => task.map(|task| (place, task)),
        };
        match task {
            Ok((place, task)) => self.begin(id, command, place, task),
            Err(reason) => self.refuse(id, command.meter, reason),
        }
    }

    fn begin(&mut self, id: MessageId, command: &Command, place: Place, task: Task) -> Result<(), CollectError> {
        let Some(line) = self.lines.get(usize::from(place.line)) else {
            return self.refuse(id, command.meter, RefusalReason::UnknownMeter);
        };
        let Ok(room) = line.clone().try_reserve_owned() else {
            return self.refuse(id, command.meter, RefusalReason::Busy);
        };
        let journaled = !matches!(command.order, Wish::Read { .. });
        if journaled && self.journal.is_full(self.clock.utc_s()) {
            return self.refuse(id, command.meter, RefusalReason::Busy);
        }
        if journaled {
            // On disk before the first byte.
            let MeterRef { line, unit, number } = command.meter;
            tokio::task::block_in_place(|| {
                self.journal.begin(id, command.not_after_utc_s, &format!("{line} {unit} {number}"))
            })?;
        }
        let sold = match command.order {
            Wish::Sale { count_before, .. } => Some(count_before),
            _ => None,
        };
        self.next_order += 1;
        self.running.insert(self.next_order, Running { command: id, place, sold, journaled, interrupted: false });
        room.send(Order {
            id: self.next_order,
            meter: place.number,
            task,
            not_after_utc_s: Some(command.not_after_utc_s),
        });
        Ok(())
    }

    /// Nothing was begun, so that nothing is written down: a repetition is refused again.
    pub(super) fn refuse(
        &mut self,
        command: MessageId,
        meter: MeterRef,
        reason: RefusalReason,
    ) -> Result<(), CollectError> {
        tracing::warn!(collector = &*self.code, meter = %meter.number, ?reason, "a command is refused");
        let ids = [self.ids.next(), command];
        let result = wire::plain(ids, meter, Outcome::Refused(reason), self.clock.utc_s());
        self.outbox.extend(result);
        Ok(())
    }
}

/// A meter as the journal names it.
fn meter_of(text: &str) -> Option<MeterRef> {
    let mut words = text.split(' ');
    let (line, unit, number) = (words.next()?, words.next()?, words.next()?);
    Some(MeterRef { line: line.parse().ok()?, unit: unit.parse().ok()?, number: number.parse().ok()? })
}
