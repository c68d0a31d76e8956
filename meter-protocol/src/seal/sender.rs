//! Seals payloads: counters, epochs, the block budget, and counters reserved ahead of a crash.

use super::ciphers::EpochKeys;
use super::derive::Schedule;
use super::{Direction, Form, Header, Kind, MAX_PAYLOAD_LEN, RESERVED_FRAMES, SealError, Suite};
use core::fmt;

/// How far a sender may go before it stores again. What a crash leaves unused of it is skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "as it stands in a record")]
pub struct Reservation {
    /// The epoch.
    pub epoch: u16,
    /// The first counter that is not reserved.
    pub counter_end: u32,
    /// Block operations that count as spent once the reservation is used up.
    pub blocks_end: u64,
}

/// One direction of a session, sealing.
pub struct Sender {
    schedule: Schedule,
    form: Form,
    direction: Direction,
    keys: EpochKeys,
    epoch: u16,
    counter: u32,
    blocks: u64,
    reserved: Reservation,
}

impl Sender {
    /// Goes on after everything that was reserved.
    pub(super) fn new(schedule: Schedule, form: Form, direction: Direction, reserved: Reservation) -> Self {
        let keys = schedule.epoch(direction, reserved.epoch);
        let Reservation { epoch, counter_end, blocks_end } = reserved;
        Self { schedule, form, direction, keys, epoch, counter: counter_end, blocks: blocks_end, reserved }
    }

    /// Writes the sealed frame of a payload and returns its bytes. The epoch moves on by itself before the block budget
    /// of a key is spent.
    ///
    /// # Errors
    /// [`SealError`]; the sender's state and `out` are then as before.
    pub fn seal<'o>(&mut self, payload: &[u8], out: &'o mut [u8]) -> Result<&'o [u8], SealError> {
        let len = payload.len();
        let payload_len = match u16::try_from(len) {
            Ok(short) if len <= MAX_PAYLOAD_LEN => short,
            _ => return Err(SealError::PayloadTooLong { len }),
        };
        let suite = self.schedule.suite();
        let (needed, available) = (suite.frame_len(len), out.len());
        let frame = out.get_mut(..needed).ok_or(SealError::BufferTooSmall { needed, available })?;
        let blocks = suite.frame_blocks(len);
        self.make_room(blocks)?;
        let header = Header {
            suite,
            direction: self.direction,
            kind: Kind::Data,
            key_id: self.schedule.key_id(),
            payload_len,
            epoch: self.epoch,
            session: self.schedule.tag(),
            counter: self.counter,
        };
        self.counter = self.counter.checked_add(1).ok_or(SealError::Exhausted)?;
        self.blocks = self.blocks.saturating_add(blocks);
        let filled = header.to_bytes().into_iter().chain(payload.iter().copied()).chain(core::iter::repeat(0));
        frame.iter_mut().zip(filled).for_each(|(to, from)| *to = from);
        self.keys.seal(frame, suite.body_len(len));
        Ok(frame)
    }

    /// Moves to the next epoch before the budget demands it, for an operator who wants fresh keys by the clock. In
    /// [`Form::Datagram`] the next frame then asks for a reservation, which is in the next epoch.
    ///
    /// # Errors
    /// [`SealError::Exhausted`] in the last epoch.
    pub fn advance_epoch(&mut self) -> Result<(), SealError> {
        let epoch = self.epoch.checked_add(1).ok_or(SealError::Exhausted)?;
        match self.form {
            Form::Stream => self.move_to(epoch),
            Form::Datagram => self.blocks = self.suite().block_budget(),
        }
        Ok(())
    }

    /// The epoch of the next frame, unless that frame has no room in it.
    #[must_use]
    pub const fn epoch(&self) -> u16 {
        self.epoch
    }

    /// The counter of the next frame.
    #[must_use]
    pub const fn counter(&self) -> u32 {
        self.counter
    }

    /// Block operations spent under the busiest key of this epoch.
    #[must_use]
    pub const fn blocks(&self) -> u64 {
        self.blocks
    }

    pub(super) const fn session(&self) -> [u8; 4] {
        self.schedule.tag()
    }

    /// What is reserved. On a stream nothing needs to be.
    #[must_use]
    pub const fn reserved(&self) -> Reservation {
        self.reserved
    }

    /// What to reserve next: enough for [`RESERVED_FRAMES`] of the longest, in the next epoch where this one has no
    /// room. `None` at the very end.
    #[must_use]
    pub fn next_reservation(&self) -> Option<Reservation> {
        let suite = self.schedule.suite();
        let blocks = suite.frame_blocks(MAX_PAYLOAD_LEN).saturating_mul(RESERVED_FRAMES.into());
        let blocks_end = self.blocks.saturating_add(blocks);
        match self.counter.checked_add(RESERVED_FRAMES) {
            Some(counter_end) if blocks_end <= suite.block_budget() => {
                Some(Reservation { epoch: self.epoch, counter_end, blocks_end })
            }
            _ => {
                let epoch = self.epoch.checked_add(1)?;
                let blocks_end = FIRST_BLOCK.saturating_add(blocks);
                Some(Reservation { epoch, counter_end: RESERVED_FRAMES, blocks_end })
            }
        }
    }

    /// The reservation is stored and may be used.
    pub(super) fn commit(&mut self, reserved: Reservation) {
        if reserved.epoch > self.epoch {
            self.move_to(reserved.epoch);
        }
        self.reserved = reserved;
    }

    fn make_room(&mut self, blocks: u64) -> Result<(), SealError> {
        let blocks_end = self.blocks.saturating_add(blocks);
        match self.form {
            Form::Stream if blocks_end <= self.suite().block_budget() && self.counter < u32::MAX => Ok(()),
            Form::Stream => {
                let epoch = self.epoch.checked_add(1).ok_or(SealError::Exhausted)?;
                self.move_to(epoch);
                Ok(())
            }
            Form::Datagram => {
                let within = self.counter < self.reserved.counter_end && blocks_end <= self.reserved.blocks_end;
                match self.next_reservation() {
                    _ if within => Ok(()),
                    Some(_) => Err(SealError::Reserve),
                    None => Err(SealError::Exhausted),
                }
            }
        }
    }

    fn move_to(&mut self, epoch: u16) {
        self.keys = self.schedule.epoch(self.direction, epoch);
        (self.epoch, self.counter, self.blocks) = (epoch, 0, FIRST_BLOCK);
    }

    const fn suite(&self) -> Suite {
        self.schedule.suite()
    }
}

/// The subkeys of CMAC cost one block operation before the first frame.
pub(super) const FIRST_BLOCK: u64 = 1;

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Sender");
        shown.field("direction", &self.direction).field("epoch", &self.epoch).field("counter", &self.counter);
        shown.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::derive::Agreed;
    use super::super::{KeyBundle, Nonce, PeerId, Receiver};
    use super::*;

    fn schedule(form: Form) -> Schedule {
        let key: [u8; 24] = core::array::from_fn(|i| u8::try_from(i).unwrap().wrapping_mul(37));
        let (hello, welcome) = (Nonce([1; 16]), Nonce([2; 16]));
        let agreed = Agreed { form, peer: PeerId(7), key_id: 1, hello, welcome };
        Schedule::new(&KeyBundle::tdes(&key).unwrap(), &agreed)
    }

    fn sender(form: Form) -> Sender {
        let none = Reservation { epoch: 0, counter_end: 0, blocks_end: FIRST_BLOCK };
        Sender::new(schedule(form), form, Direction::Up, none)
    }

    #[test]
    fn a_stream_moves_on_when_the_next_frame_would_pass_the_budget() {
        let (mut sender, mut out) = (sender(Form::Stream), [0; 1_056]);
        let budget = Suite::Tdes.block_budget();
        sender.blocks = budget - 10;
        sender.seal(&[0; 64], &mut out).unwrap();
        assert_eq!((sender.epoch, sender.counter, sender.blocks), (0, 1, budget), "exactly used up");
        let first = sender.seal(b"", &mut out).unwrap().to_vec();
        assert_eq!((sender.epoch, sender.counter, sender.blocks), (1, 1, FIRST_BLOCK + 2));
        sender.blocks = budget - 9;
        sender.seal(&[0; 64], &mut out).unwrap();
        assert_eq!((sender.epoch, sender.counter), (2, 1), "one block too few");
        let mut receiver = Receiver::new(schedule(Form::Stream), Form::Stream, Direction::Up, None);
        assert_eq!(receiver.open(&first, &mut []), Ok(&[][..]));
    }

    #[test]
    fn the_counter_is_a_wall_as_well() {
        let (mut sender, mut out) = (sender(Form::Stream), [0; 1_056]);
        sender.counter = u32::MAX - 1;
        sender.seal(b"", &mut out).unwrap();
        sender.seal(b"", &mut out).unwrap();
        assert_eq!((sender.epoch, sender.counter), (1, 1));
    }

    #[test]
    fn refusal_is_the_last_wall() {
        let mut out = [0xA5; 1_056];
        let mut stream = sender(Form::Stream);
        (stream.epoch, stream.blocks) = (u16::MAX, Suite::Tdes.block_budget());
        assert_eq!(stream.seal(b"", &mut out), Err(SealError::Exhausted));
        let mut datagram = sender(Form::Datagram);
        (datagram.epoch, datagram.blocks) = (u16::MAX, Suite::Tdes.block_budget());
        assert_eq!(datagram.next_reservation(), None);
        assert_eq!(datagram.seal(b"", &mut out), Err(SealError::Exhausted));
        assert_eq!(out, [0xA5; 1_056]);
    }
}
