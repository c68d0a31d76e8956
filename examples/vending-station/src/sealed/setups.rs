//! Connections that have not proved yet who they are: few, few from one address, and the oldest one gives way. Whoever holds
//! connections without a word keeps nobody out.

use std::{
    collections::VecDeque,
    net::{IpAddr, Ipv6Addr},
};
use tokio::task::AbortHandle;

/// Connections that may be in their set-up at a time.
pub(super) const SETUPS_MAX: usize = 64;
/// So many of them from one address. Collectors may share one; an honest set-up takes a moment.
pub(super) const SETUPS_AN_ADDRESS: usize = 16;
/// Who has the first half of an IPv6 address has the second one too.
const V6_NETWORK: u128 = !0 << 64;

/// Names a set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket(u64);

#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    origin: IpAddr,
    task: AbortHandle,
}

/// The set-ups under way, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Setups {
    waiting: VecDeque<Waiting>,
    next: u64,
    dropped: u64,
}

impl Setups {
    /// Makes room and takes a connection in. `start` begins its set-up, which must call [`Setups::leave`] with the ticket.
    pub(super) fn enter(&mut self, address: IpAddr, start: impl FnOnce(Ticket) -> AbortHandle) {
        let origin = origin(address);
        let from_there = |waiting: &Waiting| waiting.origin == origin;
        if self.waiting.iter().filter(|waiting| from_there(waiting)).count() >= SETUPS_AN_ADDRESS {
            self.drop_first(from_there);
        } else if self.waiting.len() >= SETUPS_MAX {
            self.drop_first(|_| true);
        }
        let ticket = Ticket(self.next);
        self.next += 1;
        let task = start(ticket);
        self.waiting.push_back(Waiting { ticket, origin, task });
    }

    /// A set-up has ended, well or not.
    pub(super) fn leave(&mut self, ticket: Ticket) {
        self.waiting.retain(|waiting| waiting.ticket != ticket);
    }

    /// Connections that had to give way since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn drop_first(&mut self, which: impl Fn(&Waiting) -> bool) {
        let place = self.waiting.iter().position(which);
        if let Some(oldest) = place.and_then(|place| self.waiting.remove(place)) {
            oldest.task.abort();
            self.dropped += 1;
        }
    }
}

/// Who an address belongs to.
fn origin(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) & V6_NETWORK)),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::JoinSet;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn enter(setups: &mut Setups, tasks: &mut JoinSet<()>, address: IpAddr) -> Ticket {
        let mut taken = None;
        setups.enter(address, |ticket| {
            taken = Some(ticket);
            tasks.spawn(std::future::pending())
        });
        taken.unwrap()
    }

    fn is_in(setups: &Setups, ticket: Ticket) -> bool {
        setups.waiting.iter().any(|waiting| waiting.ticket == ticket)
    }

    #[tokio::test]
    async fn who_holds_connections_pushes_out_himself() {
        let (mut setups, mut tasks) = (Setups::default(), JoinSet::new());
        let collector = enter(&mut setups, &mut tasks, address(1));
        let idle: Vec<Ticket> = (0..1000).map(|_| enter(&mut setups, &mut tasks, address(66))).collect();
        assert!(is_in(&setups, collector), "another address's connections cost this one nothing");
        assert_eq!(setups.waiting.len(), 1 + SETUPS_AN_ADDRESS);
        assert_eq!(setups.dropped(), 1000 - u64::try_from(SETUPS_AN_ADDRESS).unwrap());
        assert!(is_in(&setups, idle[999]) && !is_in(&setups, idle[0]), "the oldest gives way");
        setups.leave(collector);
        assert!(!is_in(&setups, collector));
        // The dropped ones are closed for real.
        for _ in 0..1000 - SETUPS_AN_ADDRESS {
            assert!(tasks.join_next().await.unwrap().unwrap_err().is_cancelled());
        }
    }

    #[tokio::test]
    async fn many_addresses_keep_nobody_out_either() {
        let (mut setups, mut tasks) = (Setups::default(), JoinSet::new());
        for last in 0..=255 {
            enter(&mut setups, &mut tasks, address(last));
        }
        assert_eq!(setups.waiting.len(), SETUPS_MAX);
        let collector = enter(&mut setups, &mut tasks, "2001:db8::1".parse().unwrap());
        assert!(is_in(&setups, collector));
        assert_eq!(setups.waiting.len(), SETUPS_MAX);
    }

    #[test]
    fn a_network_of_version_6_is_one_address() {
        let origin = |text: &str| origin(text.parse().unwrap());
        assert_eq!(origin("2001:db8::1"), origin("2001:db8::ffff:2"));
        assert_ne!(origin("2001:db8::1"), origin("2001:db8:0:1::1"));
        assert_eq!(origin("::ffff:192.0.2.1"), origin("192.0.2.1"));
    }
}
