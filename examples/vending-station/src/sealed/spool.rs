//! Readings that the station does not have yet. They wait in memory: a collector that ends forgets them, which costs a gap
//! in the curve and no money, for a meter's registers only rise.

use super::copies::Copies;
use crate::collect::desk::SETTLE_EVERY_S;
use meter_protocol::seal::message::MessageId;
use prepay_core::id::MeterNumber;
use std::collections::VecDeque;
use tokio::time::Instant;

/// The most readings that wait: more than a day of half hours of 240 meters.
pub(super) const SPOOL_MAX: usize = 16_384;

#[derive(Debug)]
struct Kept {
    id: MessageId,
    payload: Vec<u8>,
    meter: MeterNumber,
    interval: i64,
    /// The first one of its interval is the one that is booked.
    first: bool,
    /// Its copies on this connection.
    copies: Option<Copies>,
}

#[derive(Debug, Default)]
pub(super) struct Spool {
    kept: VecDeque<Kept>,
    /// So many from the front were sent on this connection.
    sent: usize,
    dropped: u64,
}

impl Spool {
    /// Takes a reading. Of an interval the first and the newest one wait; the oldest gives way to a full house.
    pub(super) fn push(&mut self, id: MessageId, payload: Vec<u8>, meter: MeterNumber, read_utc_s: i64) {
        let interval = read_utc_s.div_euclid(SETTLE_EVERY_S);
        let earlier = self.kept.iter().rposition(|kept| kept.meter == meter && kept.interval == interval);
        let first = earlier.is_none();
        if let Some(place) = earlier.filter(|place| *place >= self.sent && !self.kept[*place].first) {
            self.kept.remove(place);
        }
        if self.kept.len() >= SPOOL_MAX && self.kept.pop_front().is_some() {
            self.sent = self.sent.saturating_sub(1);
            self.dropped += 1;
            tracing::warn!(dropped = self.dropped, "a reading was dropped; the station has been away for too long");
        }
        self.kept.push_back(Kept { id, payload, meter, interval, first, copies: None });
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Nothing was sent on a new connection.
    pub(super) fn rewind(&mut self) {
        self.sent = 0;
    }

    pub(super) fn has_unsent(&self) -> bool {
        self.sent < self.kept.len()
    }

    /// The next reading to send. It waits on until it is acknowledged.
    pub(super) fn send_next(&mut self, now: Instant) -> Option<Vec<u8>> {
        let next = self.kept.get_mut(self.sent)?;
        next.copies = Some(Copies::first(now));
        self.sent += 1;
        Some(next.payload.clone())
    }

    /// Readings that the station should have acknowledged by now, at most so many: they go out again.
    pub(super) fn due(&mut self, now: Instant, most: usize) -> Vec<Vec<u8>> {
        let again = |kept: &mut Kept| {
            let copies = kept.copies.as_mut().filter(|copies| copies.are_due(now))?;
            copies.another(now);
            Some(kept.payload.clone())
        };
        self.kept.iter_mut().take(self.sent).filter_map(again).take(most).collect()
    }

    /// The station has it.
    pub(super) fn acknowledge(&mut self, id: MessageId) -> bool {
        let Some(place) = self.kept.iter().position(|kept| kept.id == id) else { return false };
        self.kept.remove(place);
        if place < self.sent {
            self.sent -= 1;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(number: u64) -> MeterNumber {
        MeterNumber::new(number).unwrap()
    }

    fn id(number: usize) -> MessageId {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        MessageId(bytes)
    }

    #[test]
    fn the_first_and_the_newest_of_an_interval_wait() {
        let mut spool = Spool::default();
        for poll in 0..10 {
            spool.push(id(poll), vec![u8::try_from(poll).unwrap()], meter(1), i64::try_from(poll).unwrap() * 180);
        }
        spool.push(id(10), vec![10], meter(2), 0);
        let sent: Vec<Vec<u8>> = std::iter::from_fn(|| spool.send_next(Instant::now())).collect();
        assert_eq!(sent, [[0], [9], [10]]);
        // What was sent may be at the station already: it is not taken out.
        spool.push(id(11), vec![11], meter(1), 10);
        assert_eq!(spool.len(), 4);
        assert!(spool.acknowledge(id(9)) && !spool.acknowledge(id(9)));
        spool.rewind();
        let sent: Vec<Vec<u8>> = std::iter::from_fn(|| spool.send_next(Instant::now())).collect();
        assert_eq!(sent, [[0], [10], [11]]);
    }

    #[test]
    fn what_is_not_acknowledged_goes_out_again() {
        use std::time::Duration;
        let mut spool = Spool::default();
        let now = Instant::now();
        for n in 0..3 {
            spool.push(id(n), vec![u8::try_from(n).unwrap()], meter(u64::try_from(n).unwrap() + 1), 0);
        }
        assert!(spool.send_next(now).is_some() && spool.send_next(now).is_some());
        assert!(spool.due(now + Duration::from_secs(4), 9).is_empty());
        assert!(spool.acknowledge(id(0)));
        assert_eq!(spool.due(now + Duration::from_secs(5), 9), [[1]], "what was not sent yet is no copy");
        assert!(spool.due(now + Duration::from_secs(14), 9).is_empty());
        assert_eq!(spool.due(now + Duration::from_secs(15), 9), [[1]]);
    }

    #[test]
    fn a_full_spool_drops_the_oldest() {
        let mut spool = Spool::default();
        for poll in 0..SPOOL_MAX + 5 {
            spool.push(id(poll), vec![0], meter(1), i64::try_from(poll).unwrap() * SETTLE_EVERY_S);
        }
        assert_eq!((spool.len(), spool.dropped), (SPOOL_MAX, 5));
        assert!(!spool.acknowledge(id(4)) && spool.acknowledge(id(5)));
    }
}
