//! What the station wants done, and what became of it. A sale is judged by the count that the meter shows, and asked for again
//! only when the meter shows that it was not taken.

use crate::world::{METERS, number};
use meter_protocol::{
    acrel::ForceMode,
    seal::message::{Command, CommandResult, MessageId, MeterRef, Order, Outcome, RefusalReason},
};
use std::collections::BTreeMap;

/// Commands under way at a time; the gateway queues eight.
const UNDER_WAY: usize = 4;
/// 021FH: remaining amount and purchase count.
const PURSE: u16 = 0x021F;

/// A command that waits for its result.
pub struct Waiting {
    pub command: Command,
    pub sent_ms: Option<i64>,
    /// What the command is for.
    task: Task,
}

#[derive(Clone, Copy)]
enum Task {
    Read,
    Force,
    Sale {
        amount_minor: u32,
        count_before: u16,
    },
    /// The purse is read because nobody knows whether a sale was taken.
    Resolve {
        amount_minor: u32,
        count_before: u16,
    },
}

/// All commands of a run.
pub struct Plan {
    random: fastrand::Rng,
    left: u32,
    next_id: u64,
    pub waiting: BTreeMap<[u8; 16], Waiting>,
    /// Tasks that are done.
    pub done: u32,
    /// Results that came.
    pub results: u32,
    /// Sales that the station counts as taken, by unit: how many, and how much.
    pub sold: BTreeMap<u8, (u16, u64)>,
    /// Results without an answer of the meter, closed by reading it.
    pub unknown: u32,
    /// Counts as the meters showed them last.
    counts: BTreeMap<u8, u16>,
    /// What should not be.
    pub wrong: Vec<String>,
}

impl Plan {
    pub fn new(seed: u64, commands: u32) -> Self {
        let counts = (1..=METERS).map(|unit| (unit, unit.into())).collect();
        Self {
            random: fastrand::Rng::with_seed(seed),
            left: commands,
            next_id: 0,
            waiting: BTreeMap::new(),
            done: 0,
            results: 0,
            sold: BTreeMap::new(),
            unknown: 0,
            counts,
            wrong: Vec::new(),
        }
    }

    pub fn is_done(&self) -> bool {
        self.left == 0 && self.waiting.is_empty()
    }

    /// Gives out new commands as long as there is room.
    pub fn refill(&mut self, now_ms: i64) {
        while self.waiting.len() < UNDER_WAY && self.left > 0 {
            let unit = self.random.u8(1..=METERS);
            if self.waiting.values().any(|waiting| waiting.command.meter.unit == unit) {
                continue;
            }
            self.left -= 1;
            let count_before = self.counts[&unit];
            let task = match self.random.u8(0..3) {
                0 => Task::Read,
                1 => Task::Force,
                _ => Task::Sale { amount_minor: self.random.u32(1..=50_000), count_before },
            };
            self.give(unit, task, now_ms);
        }
    }

    fn give(&mut self, unit: u8, task: Task, now_ms: i64) {
        self.next_id += 1;
        let mut id = [0xC0; 16];
        id[8..].copy_from_slice(&self.next_id.to_be_bytes());
        let order = match task {
            Task::Read => Order::Read { address: 0x0200, count: 48 },
            Task::Force => Order::Force(if self.random.bool() { ForceMode::SupplyOn } else { ForceMode::Prepaid }),
            Task::Sale { amount_minor, count_before } => Order::Sale { amount_minor, count_before },
            Task::Resolve { .. } => Order::Read { address: PURSE, count: 3 },
        };
        let digits: String = number(unit).iter().map(|digit| char::from(b'0' + digit)).collect();
        let Ok(number) = digits.parse() else { return };
        let meter = MeterRef { line: 1, unit, number };
        let command = Command { meter, not_after_utc_s: now_ms / 1_000 + 600, order };
        self.waiting.insert(id, Waiting { command, sent_ms: None, task });
    }

    /// A result. One that was closed before is only acknowledged again.
    pub fn take(&mut self, result: &CommandResult<'_>, now_ms: i64) {
        let Some(waiting) = self.waiting.remove(&result.command.0) else { return };
        self.results += 1;
        let unit = waiting.command.meter.unit;
        let shown = result.after.as_ref().or(result.before.as_ref()).filter(|block| block.address == PURSE);
        let count = shown.and_then(|block| block.data.last_chunk::<2>()).map(|bytes| u16::from_be_bytes(*bytes));
        match (waiting.task, result.outcome) {
            // Not begun: again, under a new id.
            (task, Outcome::NotTransmitted | Outcome::Refused(RefusalReason::Busy)) => self.give(unit, task, now_ms),
            (Task::Read, Outcome::Answered) if result.after.is_some_and(|block| block.data.len() == 96) => {
                self.done += 1
            }
            (Task::Force, Outcome::Answered | Outcome::NoReply) => {
                let Order::Force(mode) = waiting.command.order else { return };
                let (high, low) = mode.words();
                let expected = [high.to_be_bytes(), low.to_be_bytes()].concat();
                match result.after {
                    Some(block) if block.data == expected => self.done += 1,
                    // Setting a switch again is harmless.
                    _ => self.give(unit, Task::Force, now_ms),
                }
            }
            (Task::Sale { amount_minor, count_before }, Outcome::Answered | Outcome::NoReply) => match count {
                Some(count) => self.judge(unit, amount_minor, count_before, count, now_ms),
                None => self.give(unit, Task::Resolve { amount_minor, count_before }, now_ms),
            },
            (Task::Resolve { amount_minor, count_before }, Outcome::Answered) => match count {
                Some(count) => {
                    self.unknown += 1;
                    self.judge(unit, amount_minor, count_before, count, now_ms);
                }
                None => self.give(unit, Task::Resolve { amount_minor, count_before }, now_ms),
            },
            (_, outcome) => self.wrong.push(format!("unit {unit}: {outcome:?}")),
        }
    }

    fn judge(&mut self, unit: u8, amount_minor: u32, count_before: u16, count: u16, now_ms: i64) {
        if count == count_before.wrapping_add(1) {
            self.counts.insert(unit, count);
            let sold = self.sold.entry(unit).or_default();
            *sold = (sold.0 + 1, sold.1 + u64::from(amount_minor));
            self.done += 1;
        } else if count == count_before {
            self.give(unit, Task::Sale { amount_minor, count_before }, now_ms);
        } else {
            self.wrong.push(format!("unit {unit} shows count {count} after a sale from {count_before}"));
        }
    }

    /// Commands to send now: new ones, and those that wait for too long.
    pub fn due(&mut self, now_ms: i64, resend_after_ms: i64) -> Vec<(MessageId, Command)> {
        let due = |waiting: &&mut Waiting| waiting.sent_ms.is_none_or(|sent_ms| now_ms - sent_ms >= resend_after_ms);
        let mut commands = Vec::new();
        for (id, waiting) in &mut self.waiting {
            if due(&waiting) {
                waiting.sent_ms = Some(now_ms);
                commands.push((MessageId(*id), waiting.command));
            }
        }
        commands
    }

    /// A new session: everything again.
    pub fn all_due(&mut self) {
        self.waiting.values_mut().for_each(|waiting| waiting.sent_ms = None);
    }
}
