//! What the station is told about meters and lines that do not answer: of each the latest, until it is acknowledged.

use super::copies::Copies;
use meter_protocol::seal::message::MessageId;
use std::collections::BTreeMap;
use tokio::time::Instant;

/// What a notice is about. There are as many as meters and lines, so that their number is bounded by the site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum About {
    Line(u8),
    Meter { line: u8, unit: u8 },
}

#[derive(Debug)]
struct Notice {
    id: MessageId,
    payload: Vec<u8>,
    /// None: not sent on this connection.
    copies: Option<Copies>,
}

#[derive(Debug, Default)]
pub(super) struct Notices(BTreeMap<About, Notice>);

impl Notices {
    /// Takes a notice; it replaces an older one about the same.
    pub(super) fn put(&mut self, about: About, id: MessageId, payload: Vec<u8>) {
        self.0.insert(about, Notice { id, payload, copies: None });
    }

    /// On a new connection everything goes out once more.
    pub(super) fn rewind(&mut self) {
        self.0.values_mut().for_each(|notice| notice.copies = None);
    }

    /// Whether one has to go out.
    pub(super) fn has_due(&self, now: Instant) -> bool {
        self.0.values().any(|notice| notice.is_due(now))
    }

    /// The next one to send. It waits on until it is acknowledged.
    pub(super) fn next(&mut self, now: Instant) -> Option<Vec<u8>> {
        let notice = self.0.values_mut().find(|notice| notice.is_due(now))?;
        match &mut notice.copies {
            Some(copies) => copies.another(now),
            None => notice.copies = Some(Copies::first(now)),
        }
        Some(notice.payload.clone())
    }

    /// The station has it.
    pub(super) fn acknowledge(&mut self, id: MessageId) -> bool {
        let before = self.0.len();
        self.0.retain(|_, notice| notice.id != id);
        self.0.len() < before
    }
}

impl Notice {
    fn is_due(&self, now: Instant) -> bool {
        self.copies.is_none_or(|copies| copies.are_due(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_latest_of_each_goes_out_until_it_is_acknowledged() {
        let mut notices = Notices::default();
        let now = Instant::now();
        let meter = About::Meter { line: 0, unit: 7 };
        notices.put(meter, MessageId([1; 16]), vec![1]);
        notices.put(meter, MessageId([2; 16]), vec![2]);
        notices.put(About::Line(0), MessageId([3; 16]), vec![3]);
        let sent: Vec<Vec<u8>> = std::iter::from_fn(|| notices.next(now)).collect();
        assert_eq!(sent, [[3], [2]]);
        assert!(!notices.acknowledge(MessageId([1; 16])) && notices.acknowledge(MessageId([3; 16])));
        assert!(!notices.has_due(now + Duration::from_secs(4)));
        assert_eq!(notices.next(now + Duration::from_secs(5)), Some(vec![2]));
        assert!(!notices.has_due(now + Duration::from_secs(14)) && notices.has_due(now + Duration::from_secs(15)));
        notices.rewind();
        assert!(notices.has_due(now));
        assert!(notices.acknowledge(MessageId([2; 16])) && !notices.has_due(now + Duration::from_secs(900)));
    }
}
