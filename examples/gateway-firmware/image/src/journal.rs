//! Commands that were begun, so that none is done twice, and those that wait for their turn.
//!
//! This one lives in memory and forgets with the power. A board with meters on it stores an id before the first byte of its
//! command leaves, and answers it after a restart with "may have acted".

use meter_protocol::seal::message::{Command, MessageId};

/// Ids that are remembered. The station has at most a handful of commands under way for one gateway.
const REMEMBERED: usize = 64;
/// Commands that wait.
const WAITING: usize = 8;

/// Known ids and waiting commands.
#[derive(Debug)]
pub struct Journal {
    known: [Option<MessageId>; REMEMBERED],
    next: usize,
    waiting: [Option<(MessageId, Command)>; WAITING],
}

/// What a command that has come is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrived {
    /// New, and it waits for its turn.
    Taken,
    /// Known already.
    Again,
    /// New, but too many wait.
    Full,
}

impl Journal {
    /// Nothing known.
    pub const fn new() -> Self {
        Self { known: [None; REMEMBERED], next: 0, waiting: [None; WAITING] }
    }

    /// Notes a command.
    pub fn arrive(&mut self, id: MessageId, command: &Command) -> Arrived {
        if self.known.contains(&Some(id)) {
            return Arrived::Again;
        }
        let Some(place) = self.waiting.iter_mut().find(|place| place.is_none()) else { return Arrived::Full };
        *place = Some((id, *command));
        if let Some(place) = self.known.get_mut(self.next) {
            *place = Some(id);
        }
        self.next = (self.next + 1) % REMEMBERED;
        Arrived::Taken
    }

    /// The waiting command for a unit, money first if asked.
    pub fn take(&mut self, unit: u8, money: bool) -> Option<(MessageId, Command)> {
        let fits = |place: &&mut Option<(MessageId, Command)>| {
            place.as_ref().is_some_and(|(_, command)| command.meter.unit == unit && is_money(command) == money)
        };
        self.waiting.iter_mut().find(fits)?.take()
    }
}

impl Default for Journal {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a command moves money.
pub fn is_money(command: &Command) -> bool {
    use meter_protocol::seal::message::Order;
    matches!(command.order, Order::Sale { .. } | Order::Overwrite { .. })
}
