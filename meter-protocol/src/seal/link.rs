//! A session: a sender and a receiver that were set up together.

use super::derive::{Agreed, Schedule};
use super::sender::FIRST_BLOCK;
use super::{
    Direction, HighWater, KeyBundle, OpenError, PeerId, PeerKeys, Receiver, Record, RecordError, Reservation,
    SealCounters, SealError, Sender, Suite,
};

/// How frames travel. It is part of the session's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Form {
    /// One after the other over a reliable stream. Only the next frame is taken. A session lives as long as the
    /// connection and nothing is stored.
    Stream,
    /// One frame per datagram. They may be lost or come late, up to [`super::REPLAY_WINDOW`]. A session outlives
    /// restarts: its record is stored.
    Datagram,
}

impl Form {
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Stream => 1,
            Self::Datagram => 2,
        }
    }

    pub(super) const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Stream),
            2 => Some(Self::Datagram),
            _ => None,
        }
    }
}

/// Which end of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Role {
    /// Asks for sessions and sends up.
    Collector,
    /// Answers and sends down.
    Station,
}

impl Role {
    pub(super) const fn sends(self) -> Direction {
        match self {
            Self::Collector => Direction::Up,
            Self::Station => Direction::Down,
        }
    }

    pub(super) const fn receives(self) -> Direction {
        match self {
            Self::Collector => Direction::Down,
            Self::Station => Direction::Up,
        }
    }
}

/// A value that this side never uses twice with the same key: sixteen random bytes, or on a device without random
/// numbers a counter that is stored before use. It is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "sixteen bytes")]
pub struct Nonce(pub [u8; 16]);

/// A session.
///
/// In [`Form::Datagram`] the record is stored before it takes effect:
///
/// ```
/// # use meter_protocol::seal::*;
/// # let secret: [u8; 24] = core::array::from_fn(|i| (i as u8).wrapping_mul(37));
/// # let mut keys = PeerKeys::new(PeerId(7));
/// # keys.insert(1, KeyBundle::tdes(&secret)?)?;
/// # let mut hello = Hello::new(&keys, Form::Datagram, Nonce([1; 16]))?;
/// # let answer = HelloRequest::read(hello.frame())?.answer(&keys, Nonce([2; 16]))?;
/// # let mut link = hello.finish(answer.frame())?;
/// # let store = |_: &[u8]| {};
/// let mut frame = [0; MAX_FRAME_LEN];
/// if link.seal(b"reading", &mut frame) == Err(SealError::Reserve) {
///     let record = link.next_record();
///     store(&record.to_bytes(&keys)?); // durable now
///     link.commit(&record)?;
///     link.seal(b"reading", &mut frame)?;
/// }
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Link {
    role: Role,
    suite: Suite,
    agreed: Agreed,
    sender: Sender,
    receiver: Receiver,
}

impl Link {
    pub(super) fn new(role: Role, master: &KeyBundle, agreed: Agreed) -> Self {
        Self::at(role, master, agreed, Reservation { epoch: 0, counter_end: 0, blocks_end: FIRST_BLOCK }, None)
    }

    fn at(role: Role, master: &KeyBundle, agreed: Agreed, reserved: Reservation, stored: Option<HighWater>) -> Self {
        let schedule = Schedule::new(master, &agreed);
        let sender = Sender::new(schedule.clone(), agreed.form, role.sends(), reserved);
        let receiver = Receiver::new(schedule, agreed.form, role.receives(), stored);
        Self { role, suite: master.suite(), agreed, sender, receiver }
    }

    /// Goes on with a stored session after a restart: everything reserved counts as sent, everything up to the mark as
    /// seen. Never resume from a backup; after a restore set up a new session.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn resume(keys: &PeerKeys, record: &[u8]) -> Result<Self, RecordError> {
        let record = Record::from_bytes(keys, record)?;
        let key_id = record.agreed.key_id;
        let master = keys.get(key_id).ok_or(RecordError::KeyId { key_id })?;
        Ok(Self::at(record.role, master, record.agreed, record.reserved, record.seen))
    }

    /// See [`Sender::seal`].
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal<'o>(&mut self, payload: &[u8], out: &'o mut [u8]) -> Result<&'o [u8], SealError> {
        self.sender.seal(payload, out)
    }

    /// See [`Receiver::open`].
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open<'o>(&mut self, frame: &[u8], out: &'o mut [u8]) -> Result<&'o [u8], OpenError> {
        self.receiver.open(frame, out)
    }

    /// What to store now: the next reservation, and the mark of the frame that waits for it. It takes effect with
    /// [`Link::commit`].
    #[must_use]
    pub fn next_record(&self) -> Record {
        let reserved = self.sender.next_reservation().unwrap_or_else(|| self.sender.reserved());
        Record { role: self.role, suite: self.suite, agreed: self.agreed, reserved, seen: self.receiver.high_water() }
    }

    /// The record is durable.
    ///
    /// # Errors
    /// [`RecordError::Refused`] for a record of another session, [`RecordError::Older`].
    pub fn commit(&mut self, record: &Record) -> Result<(), RecordError> {
        if (record.role, record.agreed) != (self.role, self.agreed) {
            return Err(RecordError::Refused);
        }
        if record.reserved < self.sender.reserved() {
            return Err(RecordError::Older);
        }
        self.sender.commit(record.reserved);
        self.receiver.commit(record.seen);
        Ok(())
    }

    /// See [`Sender::advance_epoch`].
    ///
    /// # Errors
    /// [`SealError::Exhausted`].
    pub fn advance_epoch(&mut self) -> Result<(), SealError> {
        self.sender.advance_epoch()
    }

    pub(super) fn confirmed_by(&mut self, frame: &[u8]) -> Result<(), OpenError> {
        self.receiver.confirm(frame)
    }

    /// Both directions apart, for two tasks on a stream.
    #[must_use]
    pub fn into_parts(self) -> (Sender, Receiver) {
        (self.sender, self.receiver)
    }

    /// The peer, which is the collector's number on both sides.
    #[must_use]
    pub const fn peer(&self) -> PeerId {
        self.agreed.peer
    }

    /// The suite.
    #[must_use]
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// The key that the session was set up with.
    #[must_use]
    pub const fn key_id(&self) -> u8 {
        self.agreed.key_id
    }

    /// Tag of the session, bytes 8 to 11 of its frames: how a station finds the session of a datagram.
    #[must_use]
    pub const fn session(&self) -> [u8; 4] {
        self.sender.session()
    }

    /// The epoch that is sent in.
    #[must_use]
    pub const fn epoch(&self) -> u16 {
        self.sender.epoch()
    }

    /// Why frames were refused, for the operator.
    #[must_use]
    pub const fn counters(&self) -> SealCounters {
        self.receiver.counters()
    }
}
