//! When a message without an answer goes out again.

use meter_protocol::seal::message::resend_after_s;
use std::time::Duration;
use tokio::time::Instant;

/// Copies of a message that went out on the present connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Copies {
    sent: u32,
    due: Instant,
}

impl Copies {
    /// The first one goes out now.
    pub(super) fn first(now: Instant) -> Self {
        Self { sent: 1, due: now + wait(1) }
    }

    pub(super) fn are_due(&self, now: Instant) -> bool {
        self.due <= now
    }

    /// Another one goes out now.
    pub(super) fn another(&mut self, now: Instant) {
        self.sent = self.sent.saturating_add(1);
        self.due = now + wait(self.sent);
    }
}

fn wait(sent: u32) -> Duration {
    Duration::from_secs(resend_after_s(sent).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_five_minutes() {
        let mut now = Instant::now();
        let mut copies = Copies::first(now);
        let mut waits = Vec::new();
        for _ in 0..9 {
            let before = now;
            while !copies.are_due(now) {
                now += Duration::from_secs(1);
            }
            copies.another(now);
            waits.push((now - before).as_secs());
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
    }
}
