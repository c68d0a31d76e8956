//! A driver that does what the documents of a station say, and nothing else.

use meter_protocol::session::Outcome;
use meter_protocol::uplink::radio::*;
use meter_protocol::wire::Reply;

/// A frame that fits the cutter, and a few steps that only time asks for.
const STEPS_BEYOND_BYTES: usize = MAX_FRAME_LEN + 16;

/// Runs without an allocation.
pub(crate) fn calm<T>(work: impl FnOnce() -> T) -> T {
    let mut result = None;
    let allocations = allocation_counter::measure(|| result = Some(work()));
    assert_eq!(allocations.count_total, 0, "allocated");
    result.unwrap()
}

/// What a station told, counted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) registering: usize,
    pub(crate) heartbeats: usize,
    pub(crate) uploads: usize,
    pub(crate) time_asked: usize,
    pub(crate) odd: usize,
    pub(crate) foreign: usize,
    pub(crate) others: usize,
    /// Data of replies; `None` for requests that ended otherwise.
    pub(crate) ended: Vec<Option<Vec<u8>>>,
    pub(crate) closed: Option<CloseReason>,
}

/// What a station sent, counted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) registrations: usize,
    pub(crate) uploads: usize,
    pub(crate) heartbeats: usize,
    pub(crate) times: usize,
    pub(crate) requests: usize,
}

/// What is done about a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Admit,
    Refuse,
    Later,
}

pub(crate) struct Driver {
    pub(crate) station: Station,
    pub(crate) decision: Decision,
    /// Whether frames fail to leave.
    pub(crate) stuck: bool,
    pub(crate) admitted: usize,
    pub(crate) told: Told,
    pub(crate) sent: Sent,
    /// What the connection holds back while a decision is awaited.
    unread: Vec<u8>,
    undecided: bool,
}

impl Driver {
    pub(crate) fn new(station: Station, decision: Decision) -> Self {
        let (told, sent) = (Told::default(), Sent::default());
        Self { station, decision, stuck: false, admitted: 0, told, sent, unread: Vec::new(), undecided: false }
    }

    /// Bytes arrived; gives the frames that went back.
    pub(crate) fn take(&mut self, now_us: u64, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.unread.extend(bytes);
        self.run(now_us)
    }

    /// Whether a registration waits for [`Driver::decide`].
    pub(crate) fn is_undecided(&self) -> bool {
        self.undecided
    }

    pub(crate) fn decide(&mut self, now_us: u64) {
        self.undecided = false;
        match self.decision {
            Decision::Admit => {
                calm(|| self.station.admit());
                // Not if the connection has ended meanwhile.
                self.admitted += usize::from(self.station.serial().is_some());
            }
            Decision::Refuse => calm(|| self.station.refuse(now_us)),
            Decision::Later => self.undecided = true,
        }
    }

    /// Events, frames, bytes and times, until nothing is left to do at this time.
    pub(crate) fn run(&mut self, now_us: u64) -> Vec<Vec<u8>> {
        let mut sent = Vec::new();
        let mut steps = 0;
        let steps_max = self.unread.len() + STEPS_BEYOND_BYTES;
        loop {
            steps += 1;
            assert!(steps <= steps_max, "no end after {steps} steps");
            self.events(now_us);
            self.transmit(now_us, &mut sent);
            if !self.unread.is_empty() && !self.undecided {
                let taken = calm(|| self.station.receive(now_us, &self.unread));
                self.unread.drain(..taken);
            } else if calm(|| self.station.poll_timeout()).is_some_and(|at_us| at_us <= now_us) && !self.undecided {
                calm(|| self.station.handle_timeout(now_us));
            } else {
                return sent;
            }
        }
    }

    fn events(&mut self, now_us: u64) {
        loop {
            let mut registering = false;
            let Some(event) = calm(|| self.station.poll_event()) else { return };
            assert!(self.told.closed.is_none(), "{event:?} after the end");
            match event {
                StationEvent::Registering(_) => {
                    self.told.registering += 1;
                    registering = true;
                }
                StationEvent::Heartbeat => self.told.heartbeats += 1,
                StationEvent::TimeAsked => self.told.time_asked += 1,
                StationEvent::Upload(_) => self.told.uploads += 1,
                StationEvent::Odd(_) => self.told.odd += 1,
                StationEvent::Foreign { .. } => self.told.foreign += 1,
                StationEvent::Alarm(body) | StationEvent::Other { body, .. } => {
                    assert!(body.len() <= MAX_BODY_LEN);
                    self.told.others += 1;
                }
                StationEvent::Unregistered { .. } => self.told.others += 1,
                StationEvent::Transaction(event) => self.told.ended.push(match event.outcome {
                    Outcome::Reply(Reply::Registers(registers)) => Some(registers.bytes().to_vec()),
                    _ => None,
                }),
                StationEvent::Closed(reason) => {
                    self.told.closed = Some(reason);
                    self.undecided = false;
                }
                other => panic!("{other:?}"),
            }
            if registering {
                self.decide(now_us);
            }
        }
    }

    fn transmit(&mut self, now_us: u64, sent: &mut Vec<Vec<u8>>) {
        let mut buf = [0; MAX_FRAME_LEN];
        while let Some(frame) = calm(|| self.station.poll_transmit(now_us, &mut buf)) {
            assert!(self.told.closed.is_none(), "{frame:02X?} after the end");
            // A factory function would not parse.
            match Down::parse(Frame::decode(frame).unwrap()).unwrap() {
                Down::RegisterTaken => self.sent.registrations += 1,
                Down::UploadTaken => self.sent.uploads += 1,
                Down::HeartbeatTaken => self.sent.heartbeats += 1,
                Down::Time(_) => self.sent.times += 1,
                Down::Request { .. } => self.sent.requests += 1,
                other => panic!("{other:?}"),
            }
            sent.push(frame.to_vec());
            if self.stuck {
                calm(|| self.station.not_transmitted());
            } else {
                calm(|| self.station.transmitted(now_us));
            }
        }
    }
}
