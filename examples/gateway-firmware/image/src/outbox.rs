//! Messages that the station has not acknowledged: sent again until it has, over this session and the next.

use meter_protocol::seal::message::{Envelope, MAX_RESEND_AFTER_S, Message, MessageId, RESEND_AFTER_S};

/// Messages that wait at a time. When it is full, polling and commands wait.
const ROOM: usize = 12;
/// A snapshot of 48 registers, or a result with what the meter showed before and after.
const MESSAGE_MAX: usize = 160;

/// Messages in the order of their sending.
#[derive(Debug)]
pub struct Outbox {
    boot: u32,
    next: u64,
    entries: [Entry; ROOM],
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    id: Option<MessageId>,
    /// The command that this is the result of.
    command: Option<MessageId>,
    len: usize,
    payload: [u8; MESSAGE_MAX],
    due_us: u64,
    wait_s: u32,
}

const EMPTY: Entry =
    Entry { id: None, command: None, len: 0, payload: [0; MESSAGE_MAX], due_us: 0, wait_s: RESEND_AFTER_S };

impl Outbox {
    /// Empty; `boot` keeps ids apart from those of earlier starts.
    pub const fn new(boot: u32) -> Self {
        Self { boot, next: 0, entries: [EMPTY; ROOM] }
    }

    /// An id that was never used.
    pub fn fresh_id(&mut self) -> MessageId {
        self.next = self.next.wrapping_add(1);
        let mut id = [0; 16];
        let parts = self.boot.to_be_bytes().into_iter().chain(self.next.to_be_bytes());
        id.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        MessageId(id)
    }

    /// How many more messages fit.
    pub fn room(&self) -> usize {
        self.entries.iter().filter(|entry| entry.id.is_none()).count()
    }

    /// How many wait.
    pub fn backlog(&self) -> usize {
        ROOM - self.room()
    }

    /// Takes a message, due at once. Whoever asked for room has it.
    pub fn push(&mut self, message: Message<'_>, now_us: u64) {
        let command = if let Message::Result(result) = &message { Some(result.command) } else { None };
        let id = self.fresh_id();
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.id.is_none()) else { return };
        if let Ok(payload) = (Envelope { id, message }).emit(&mut entry.payload) {
            entry.len = payload.len();
            (entry.id, entry.command, entry.due_us, entry.wait_s) = (Some(id), command, now_us, RESEND_AFTER_S);
        }
    }

    /// The next message whose time has come.
    pub fn due(&mut self, now_us: u64) -> Option<&[u8]> {
        let due = |entry: &&mut Entry| entry.id.is_some() && entry.due_us <= now_us;
        let entry = self.entries.iter_mut().filter(due).min_by_key(|entry| entry.due_us)?;
        entry.due_us = now_us.saturating_add(u64::from(entry.wait_s) * 1_000_000);
        entry.wait_s = entry.wait_s.saturating_mul(2).min(MAX_RESEND_AFTER_S);
        entry.payload.get(..entry.len)
    }

    /// The station has it.
    pub fn acknowledged(&mut self, id: MessageId) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.id == Some(id)) {
            entry.id = None;
        }
    }

    /// The station asks again for what became of a command. Nothing if it has acknowledged that.
    pub fn result_again(&mut self, command: MessageId, now_us: u64) {
        let asked = |entry: &&mut Entry| entry.id.is_some() && entry.command == Some(command);
        if let Some(entry) = self.entries.iter_mut().find(asked) {
            entry.due_us = now_us;
        }
    }

    /// Everything once more: a new session has begun.
    pub fn all_due(&mut self, now_us: u64) {
        for entry in &mut self.entries {
            (entry.due_us, entry.wait_s) = (now_us, RESEND_AFTER_S);
        }
    }
}
