//! All keys of one peer: the current one, and those that are still accepted while a rotation is under way.

use super::{KeyBundle, KeyError, MAX_KEYS, PeerId, Suite};

/// A peer and its keys by id, all of one suite.
///
/// Rotation: insert the new key on both sides, make it current on the collector, and remove the old one when no session
/// uses it any more. Running sessions keep the keys they were set up with.
#[derive(Clone, Debug)]
pub struct PeerKeys {
    peer: PeerId,
    keys: [Option<(u8, KeyBundle)>; MAX_KEYS],
    current: Option<u8>,
}

impl PeerKeys {
    /// A peer without keys.
    #[must_use]
    pub const fn new(peer: PeerId) -> Self {
        Self { peer, keys: [const { None }; MAX_KEYS], current: None }
    }

    /// Adds a key. The first one is current.
    ///
    /// # Errors
    /// [`KeyError::Duplicate`], [`KeyError::OtherSuite`], [`KeyError::Full`].
    pub fn insert(&mut self, key_id: u8, key: KeyBundle) -> Result<(), KeyError> {
        if self.get(key_id).is_some() {
            return Err(KeyError::Duplicate { key_id });
        }
        if let Some(expected) = self.suite().filter(|suite| *suite != key.suite()) {
            return Err(KeyError::OtherSuite { expected, actual: key.suite() });
        }
        let free = self.keys.iter_mut().find(|place| place.is_none()).ok_or(KeyError::Full)?;
        *free = Some((key_id, key));
        self.current.get_or_insert(key_id);
        Ok(())
    }

    /// Chooses the key that new sessions are asked for with.
    ///
    /// # Errors
    /// [`KeyError::Absent`].
    pub fn set_current(&mut self, key_id: u8) -> Result<(), KeyError> {
        self.get(key_id).ok_or(KeyError::Absent { key_id })?;
        self.current = Some(key_id);
        Ok(())
    }

    /// Removes and wipes a key. Without its current key a peer asks for no session until another is made current.
    ///
    /// # Errors
    /// [`KeyError::Absent`].
    pub fn remove(&mut self, key_id: u8) -> Result<(), KeyError> {
        let place = self.keys.iter_mut().find(|place| place.as_ref().is_some_and(|(id, _)| *id == key_id));
        *place.ok_or(KeyError::Absent { key_id })? = None;
        self.current = self.current.filter(|current| *current != key_id);
        Ok(())
    }

    /// Whose keys these are.
    #[must_use]
    pub const fn peer(&self) -> PeerId {
        self.peer
    }

    /// Id of the key for new sessions.
    #[must_use]
    pub const fn current(&self) -> Option<u8> {
        self.current
    }

    /// The suite of all keys; `None` without keys.
    #[must_use]
    pub fn suite(&self) -> Option<Suite> {
        self.keys.iter().flatten().next().map(|(_, key)| key.suite())
    }

    /// The ids of the keys.
    pub fn key_ids(&self) -> impl Iterator<Item = u8> + '_ {
        self.keys.iter().flatten().map(|(id, _)| *id)
    }

    /// The key of an id.
    #[must_use]
    pub fn get(&self, key_id: u8) -> Option<&KeyBundle> {
        self.keys.iter().flatten().find(|(id, _)| *id == key_id).map(|(_, key)| key)
    }
}
