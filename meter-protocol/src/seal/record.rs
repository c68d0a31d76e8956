//! A session as it is stored, under a tag of its own: a torn or altered record is not resumed.

use super::derive::{Agreed, record_prf};
use super::{
    Form, HighWater, KeyBundle, Nonce, PeerId, PeerKeys, RECORD_LEN, RecordError, Reservation, Role, Suite, VERSION,
};
use subtle::ConstantTimeEq;

const TAG_LEN: usize = 8;

/// What a session in [`Form::Datagram`] needs to go on after a restart. It holds no key.
///
/// Keep it out of backups: resuming an old record would use counters twice. After a restore delete the record and set
/// up a new session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    pub(super) role: Role,
    pub(super) suite: Suite,
    pub(super) agreed: Agreed,
    pub(super) reserved: Reservation,
    pub(super) seen: Option<HighWater>,
}

impl Record {
    /// Bytes to store.
    ///
    /// # Errors
    /// [`RecordError::KeyId`] when the session's key is no longer there, [`RecordError::Stream`].
    pub fn to_bytes(&self, keys: &PeerKeys) -> Result<[u8; RECORD_LEN], RecordError> {
        if self.agreed.form == Form::Stream {
            return Err(RecordError::Stream);
        }
        let key_id = self.agreed.key_id;
        let master = keys.get(key_id).ok_or(RecordError::KeyId { key_id })?;
        let role = match self.role {
            Role::Collector => 0,
            Role::Station => 1,
        };
        let seen = self.seen.unwrap_or(HighWater { epoch: 0, counter: 0 });
        let head = [VERSION, role, self.suite.code(), self.agreed.form.code(), key_id, self.seen.is_some().into()];
        let fields = head
            .into_iter()
            .chain(self.reserved.epoch.to_be_bytes())
            .chain(self.reserved.counter_end.to_be_bytes())
            .chain(self.reserved.blocks_end.to_be_bytes())
            .chain(seen.epoch.to_be_bytes())
            .chain(seen.counter.to_be_bytes())
            .chain(self.agreed.peer.0.to_be_bytes())
            .chain(self.agreed.hello.0)
            .chain(self.agreed.welcome.0);
        let mut bytes = [0; RECORD_LEN];
        bytes.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        let (body, tag) = bytes.split_at_mut_checked(RECORD_LEN - TAG_LEN).ok_or(RecordError::Refused)?;
        tag.iter_mut().zip(tag_of(master, key_id, body)).for_each(|(to, from)| *to = from);
        Ok(bytes)
    }

    /// Reads what [`Record::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn from_bytes(keys: &PeerKeys, bytes: &[u8]) -> Result<Self, RecordError> {
        let (body, shown) = bytes.split_last_chunk::<TAG_LEN>().ok_or(RecordError::Refused)?;
        let (&[version, role, suite, form, key_id, has_seen], rest) = taken::<6>(body)?;
        let master = keys.get(key_id).ok_or(RecordError::KeyId { key_id })?;
        let authentic = bytes.len() == RECORD_LEN && bool::from(tag_of(master, key_id, body).ct_eq(shown));
        let suite = Suite::from_code(suite).filter(|suite| *suite == master.suite());
        let (Some(suite), Some(form), true, VERSION) = (suite, Form::from_code(form), authentic, version) else {
            return Err(RecordError::Refused);
        };
        // A stream uses counters that it has not reserved: going on at a stored place would use them twice.
        if form == Form::Stream {
            return Err(RecordError::Stream);
        }
        let (epoch, rest) = taken::<2>(rest)?;
        let (counter_end, rest) = taken::<4>(rest)?;
        let (blocks_end, rest) = taken::<8>(rest)?;
        let (seen_epoch, rest) = taken::<2>(rest)?;
        let (seen_counter, rest) = taken::<4>(rest)?;
        let (peer, rest) = taken::<8>(rest)?;
        let (hello, rest) = taken::<16>(rest)?;
        let (welcome, _) = taken::<16>(rest)?;
        let peer = PeerId(u64::from_be_bytes(*peer));
        if peer != keys.peer() {
            return Err(RecordError::Refused);
        }
        let seen = HighWater { epoch: u16::from_be_bytes(*seen_epoch), counter: u32::from_be_bytes(*seen_counter) };
        Ok(Self {
            role: if role == 0 { Role::Collector } else { Role::Station },
            suite,
            agreed: Agreed { form, peer, key_id, hello: Nonce(*hello), welcome: Nonce(*welcome) },
            reserved: Reservation {
                epoch: u16::from_be_bytes(*epoch),
                counter_end: u32::from_be_bytes(*counter_end),
                blocks_end: u64::from_be_bytes(*blocks_end),
            },
            seen: (has_seen != 0).then_some(seen),
        })
    }

    /// The counters that are reserved for sending.
    #[must_use]
    pub const fn reserved(&self) -> Reservation {
        self.reserved
    }

    /// The position up to which frames count as seen.
    #[must_use]
    pub const fn seen(&self) -> Option<HighWater> {
        self.seen
    }
}

fn taken<const LEN: usize>(bytes: &[u8]) -> Result<(&[u8; LEN], &[u8]), RecordError> {
    bytes.split_first_chunk::<LEN>().ok_or(RecordError::Refused)
}

fn tag_of(master: &KeyBundle, key_id: u8, body: &[u8]) -> [u8; TAG_LEN] {
    let (tag, _) = record_prf(master, key_id).mac(body);
    tag.first_chunk::<TAG_LEN>().copied().unwrap_or_default()
}
