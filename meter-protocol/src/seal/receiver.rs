//! Opens frames: tag first, then replay, then filling; one answer to all that fails under a key.

use super::ciphers::{EpochKeys, Scratch};
use super::derive::Schedule;
use super::window::Window;
use super::{Direction, Form, Header, HeaderError, Kind, MAX_REFUSALS, OpenError, SealCounters};
use core::fmt;

/// The position up to which frames count as seen after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "as it stands in a record")]
pub struct HighWater {
    /// The epoch.
    pub epoch: u16,
    /// The highest counter of that epoch.
    pub counter: u32,
}

/// One direction of a session, opening.
pub struct Receiver {
    schedule: Schedule,
    form: Form,
    direction: Direction,
    epoch: u16,
    keys: EpochKeys,
    /// Keys of the next epoch, once a frame has claimed it. Derived once, whoever claims it.
    next: Option<EpochKeys>,
    window: Window,
    stored: Option<HighWater>,
    due: Option<HighWater>,
    counters: SealCounters,
    refusals: u32,
}

/// A frame that is authentic and new, not yet deciphered.
struct Accepted {
    header: Header,
    in_next: bool,
}

impl Receiver {
    pub(super) fn new(schedule: Schedule, form: Form, direction: Direction, stored: Option<HighWater>) -> Self {
        let epoch = stored.map_or(0, |mark| mark.epoch);
        let window = stored.map_or_else(Window::default, |mark| Window::after(mark.counter));
        let keys = schedule.epoch(direction, epoch);
        let (counters, refusals) = (SealCounters::default(), 0);
        Self { schedule, form, direction, epoch, keys, next: None, window, stored, due: None, counters, refusals }
    }

    /// Opens a frame into `out` and returns the payload.
    ///
    /// # Errors
    /// [`OpenError`]; `out` is then as before. On a stream close on [`OpenError::Header`] and [`OpenError::Refused`];
    /// of datagrams drop the one.
    pub fn open<'o>(&mut self, frame: &[u8], out: &'o mut [u8]) -> Result<&'o [u8], OpenError> {
        let mut scratch = Scratch::new();
        let Accepted { header, in_next } = self.check(frame, &mut scratch)?;
        let position = HighWater { epoch: header.epoch, counter: header.counter };
        let (needed, available) = (usize::from(header.payload_len), out.len());
        let out = out.get_mut(..needed).ok_or(OpenError::BufferTooSmall { needed, available })?;
        if self.form == Form::Datagram && self.stored.is_none_or(|stored| stored < position) {
            self.due = Some(position);
            return Err(OpenError::Store);
        }
        let (body, _) = header.split(frame)?;
        let keys = if in_next { self.next.as_ref().unwrap_or(&self.keys) } else { &self.keys };
        match keys.decipher(frame, body, needed, &mut scratch) {
            Ok(payload) => out.iter_mut().zip(payload).for_each(|(to, from)| *to = *from),
            Err(_) => {
                self.seen(in_next, &header);
                return Err(refused(&mut self.counters.padding, &mut self.refusals));
            }
        }
        self.seen(in_next, &header);
        self.due = None;
        self.counters.opened = self.counters.opened.saturating_add(1);
        Ok(out)
    }

    /// Takes the first frame of a session. Its payload is empty, so that nothing is released.
    pub(super) fn confirm(&mut self, frame: &[u8]) -> Result<(), OpenError> {
        let Accepted { header, in_next } = self.check(frame, &mut Scratch::new())?;
        if in_next || header.payload_len != 0 {
            return Err(refused(&mut self.counters.replay, &mut self.refusals));
        }
        self.seen(in_next, &header);
        self.due = Some(HighWater { epoch: header.epoch, counter: header.counter });
        self.counters.opened = self.counters.opened.saturating_add(1);
        Ok(())
    }

    /// Why frames were refused, for the operator.
    #[must_use]
    pub const fn counters(&self) -> SealCounters {
        self.counters
    }

    /// The epoch that frames are opened in; the next one is taken too.
    #[must_use]
    pub const fn epoch(&self) -> u16 {
        self.epoch
    }

    /// The mark to store: that of the frame which waits for it, or the one in force.
    #[must_use]
    pub fn high_water(&self) -> Option<HighWater> {
        self.due.max(self.stored)
    }

    /// The mark is stored.
    pub(super) fn commit(&mut self, mark: Option<HighWater>) {
        self.stored = self.stored.max(mark);
    }

    /// Authentic and new, or why not. Nothing but counters changes.
    fn check(&mut self, frame: &[u8], scratch: &mut Scratch) -> Result<Accepted, OpenError> {
        let header = self.expected(frame).inspect_err(|_| {
            self.counters.header = self.counters.header.saturating_add(1);
        })?;
        let (body, tag) = header.split(frame)?;
        if self.refusals >= MAX_REFUSALS {
            return Err(refused(&mut self.counters.exhausted, &mut self.refusals));
        }
        let in_next = self.epoch.checked_add(1) == Some(header.epoch);
        let keys = match in_next {
            true => self.next.get_or_insert_with(|| self.schedule.epoch(self.direction, header.epoch)),
            // Under the wrong key for an epoch that is not taken, so that the work is the same.
            false => &self.keys,
        };
        let authentic = keys.verify(frame, body, tag, scratch);
        if !in_next && header.epoch != self.epoch {
            return Err(refused(&mut self.counters.epoch, &mut self.refusals));
        }
        if !authentic {
            return Err(refused(&mut self.counters.tag, &mut self.refusals));
        }
        let window = if in_next { &Window::default() } else { &self.window };
        if !window.is_new(self.form, header.counter) {
            return Err(refused(&mut self.counters.replay, &mut self.refusals));
        }
        Ok(Accepted { header, in_next })
    }

    fn expected(&self, frame: &[u8]) -> Result<Header, HeaderError> {
        let header = Header::parse(frame)?;
        if header.suite != self.schedule.suite() {
            return Err(HeaderError::Suite { suite: header.suite.code() });
        }
        if header.kind != Kind::Data || header.direction != self.direction {
            return Err(HeaderError::Kind { kind: header.kind_byte() });
        }
        if header.key_id != self.schedule.key_id() {
            return Err(HeaderError::KeyId { key_id: header.key_id });
        }
        if header.session != self.schedule.tag() {
            return Err(HeaderError::Session);
        }
        header.split(frame).map(|_| header)
    }

    fn seen(&mut self, in_next: bool, header: &Header) {
        if in_next && let Some(keys) = self.next.take() {
            (self.keys, self.epoch, self.window) = (keys, header.epoch, Window::default());
        }
        self.window.mark(header.counter);
    }
}

fn refused(counter: &mut u32, refusals: &mut u32) -> OpenError {
    *counter = counter.saturating_add(1);
    *refusals = refusals.saturating_add(1);
    OpenError::Refused
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Receiver");
        shown.field("direction", &self.direction).field("epoch", &self.epoch).field("counters", &self.counters);
        shown.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::ciphers::CALLS;
    use super::super::derive::Agreed;
    use super::super::sender::FIRST_BLOCK;
    use super::super::{KeyBundle, Nonce, PeerId, Reservation, Sender};
    use super::*;

    fn ends(form: Form) -> (Sender, Receiver) {
        let key: [u8; 24] = core::array::from_fn(|i| u8::try_from(i).unwrap().wrapping_mul(37));
        let (hello, welcome) = (Nonce([1; 16]), Nonce([2; 16]));
        let agreed = Agreed { form, peer: PeerId(7), key_id: 1, hello, welcome };
        let schedule = Schedule::new(&KeyBundle::tdes(&key).unwrap(), &agreed);
        let reserved = Reservation { epoch: 0, counter_end: 0, blocks_end: FIRST_BLOCK };
        let sender = Sender::new(schedule.clone(), form, Direction::Up, reserved);
        (sender, Receiver::new(schedule, form, Direction::Up, None))
    }

    #[test]
    fn too_many_refusals_end_the_session() {
        let (mut sender, mut receiver) = ends(Form::Stream);
        let mut out = [0; 64];
        let frame = sender.seal(b"x", &mut out).unwrap().to_vec();
        receiver.refusals = MAX_REFUSALS - 1;
        let mut forged = frame.clone();
        forged[31] ^= 1;
        assert_eq!(receiver.open(&forged, &mut [0; 1]), Err(OpenError::Refused));
        assert_eq!(receiver.open(&frame, &mut [0; 1]), Err(OpenError::Refused), "even the right one");
        assert_eq!(receiver.counters().exhausted, 1);
    }

    /// Who holds the key and fills with something else than zeros is refused like everybody, and may not try again.
    #[test]
    fn filling_that_is_not_zero_gives_the_same_value() {
        let (mut sender, mut receiver) = ends(Form::Stream);
        let mut out = [0; 64];
        let frame = sender.seal(&[1, 2, 3, 4, 5, 6, 7, 8], &mut out).unwrap().to_vec();
        let header = Header { payload_len: 5, ..Header::parse(&frame).unwrap() };
        let mut forged = header.to_bytes().to_vec();
        forged.extend([1, 2, 3, 4, 5, 6, 7, 8]);
        forged.extend([0; 8]);
        receiver.keys.seal(&mut forged, 8);
        let mut out = [0xA5; 8];
        assert_eq!(receiver.open(&forged, &mut out), Err(OpenError::Refused));
        assert_eq!((out, receiver.counters().padding), ([0xA5; 8], 1));
        assert_eq!(receiver.open(&forged, &mut out), Err(OpenError::Refused));
        assert_eq!(receiver.counters().replay, 1);
    }

    /// Whatever fails under a key takes the same way: parse, tag, refuse. Only authentic frames go further.
    #[test]
    fn one_value_for_all() {
        let (mut sender, mut receiver) = ends(Form::Datagram);
        let mut out = [0; 64];
        let reserved = sender.next_reservation().unwrap();
        sender.commit(reserved);
        let frame = sender.seal(b"x", &mut out).unwrap().to_vec();
        assert_eq!(receiver.open(&frame, &mut [0; 1]), Err(OpenError::Store));
        receiver.commit(receiver.high_water());
        receiver.open(&frame, &mut [0; 1]).unwrap();
        let altered = |at: usize| {
            let mut frame = frame.clone();
            frame[at] ^= 1;
            frame
        };
        let failing = [
            (frame.clone(), "replay"),
            (altered(31), "tag"),
            (altered(7), "the next epoch"),
            (altered(6), "an epoch far off"),
            (altered(15), "counter"),
            (altered(16), "body"),
        ];
        for (failing, why) in &failing {
            CALLS.set((0, 0));
            assert_eq!(receiver.open(failing, &mut [0; 1]), Err(OpenError::Refused), "{why}");
            assert_eq!(CALLS.get(), (1, 0), "{why}: verified once, never deciphered");
        }
        assert_eq!(receiver.counters().refused(), 6);
    }
}
