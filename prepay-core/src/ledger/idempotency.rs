//! The idempotency contract of requests that move money.
//!
//! The store keeps a [`KeyRecord`] for each key, in the transaction of the request's effects, for ever. A request with
//! a key that was seen gets the stored outcome; with another body it is refused; a refusal burns its key, so that a
//! request that was answered "no" can't happen later by a retry.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Hash;

/// An idempotency key as the caller gave it, reduced to a fixed size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(Hash);

impl Key {
    /// The key for a text of the caller in a scope (an operator, a till, a payment provider), so that two callers can
    /// use the same text.
    #[must_use]
    pub fn new(scope: &str, text: &str) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(u64::try_from(scope.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(scope.as_bytes());
        hasher.update(text.as_bytes());
        Self(Hash::from_bytes(hasher.finalize().into()))
    }

    /// The key as a hash, for a database column.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        self.0
    }
}

/// The hash of a request's body in its canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BodyHash(Hash);

impl BodyHash {
    /// The hash of the body's bytes.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        Self(Hash::from_bytes(Sha256::digest(body).into()))
    }
}

/// What became of a request, as the store keeps it. `T` is what the caller answers again on a replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate<T> {
    /// It happened.
    Done(T),
    /// It was refused for good.
    Burned(T),
}

/// The stored record of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord<T> {
    /// The key.
    pub key: Key,
    /// The body that came with it first.
    pub body: BodyHash,
    /// What became of it.
    pub fate: Fate<T>,
}

/// The outcome of a request with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keyed<C, T, E> {
    /// New: store the changes and the record in one transaction.
    Created {
        /// What the request changes.
        changes: C,
        /// To be stored with it.
        record: KeyRecord<T>,
    },
    /// Seen with the same body and done: answer this again, change nothing.
    Replayed(T),
    /// Seen with another body: refused, whatever became of the first.
    OtherBody {
        /// The body that came first.
        stored: BodyHash,
        /// The body that came now.
        given: BodyHash,
    },
    /// Refused now: store the record, which burns the key.
    Refused {
        /// Why.
        error: E,
        /// To be stored.
        record: KeyRecord<T>,
    },
    /// Refused before: answer this again. A burned key never happens.
    Burned(T),
}

impl Key {
    /// Runs a request under this key. `prior` is the record that the store holds for the key, read in the same
    /// transaction; `decide` is only called when there is none. The answers are what a replay gets.
    pub fn run<C, T: Clone, E>(
        self,
        body: BodyHash,
        prior: Option<&KeyRecord<T>>,
        decide: impl FnOnce() -> Result<(C, T), E>,
        refusal_answer: impl FnOnce(&E) -> T,
    ) -> Keyed<C, T, E> {
        match prior {
            Some(record) if record.body != body => Keyed::OtherBody { stored: record.body, given: body },
            Some(KeyRecord { fate: Fate::Done(answer), .. }) => Keyed::Replayed(answer.clone()),
            Some(KeyRecord { fate: Fate::Burned(answer), .. }) => Keyed::Burned(answer.clone()),
            None => match decide() {
                Ok((changes, answer)) => {
                    Keyed::Created { changes, record: KeyRecord { key: self, body, fate: Fate::Done(answer) } }
                }
                Err(error) => {
                    let fate = Fate::Burned(refusal_answer(&error));
                    Keyed::Refused { error, record: KeyRecord { key: self, body, fate } }
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Keyed<u8, &'static str, &'static str>;

    fn run(body: &[u8], prior: Option<&KeyRecord<&'static str>>, result: Result<u8, &'static str>) -> Outcome {
        Key::new("till 1", "a").run(BodyHash::of(body), prior, || result.map(|c| (c, "done")), |_| "no")
    }

    #[test]
    fn a_key_happens_once() {
        let Keyed::Created { changes: 5, record } = run(b"x", None, Ok(5)) else { panic!("not created") };
        assert_eq!(run(b"x", Some(&record), Ok(6)), Keyed::Replayed("done"));
        assert!(matches!(run(b"y", Some(&record), Ok(6)), Keyed::OtherBody { .. }));
    }

    #[test]
    fn a_refused_key_is_burned() {
        let Keyed::Refused { error: "poor", record } = run(b"x", None, Err("poor")) else { panic!("not refused") };
        assert_eq!(run(b"x", Some(&record), Ok(6)), Keyed::Burned("no"));
        assert!(matches!(run(b"y", Some(&record), Ok(6)), Keyed::OtherBody { .. }));
    }

    #[test]
    fn two_scopes_can_use_the_same_text() {
        assert_ne!(Key::new("till 1", "a"), Key::new("till 2", "a"));
        assert_ne!(Key::new("ab", "c"), Key::new("a", "bc"));
    }
}
