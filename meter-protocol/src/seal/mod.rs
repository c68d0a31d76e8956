//! The sealed link between a collector and its station: authenticated, enciphered frames and the messages in them.
//!
//! The format is normative in `docs/sealed-frame.md`, with its threat model. Suite 1 is three-key 3DES, kept for
//! legacy interoperability; suites 2 (AES-128-CCM) and 3 (SM4-CCM) are the ways out. The suite is fixed per peer; nothing
//! is negotiated.
//!
//! Both forms begin with a set-up in which both sides give a fresh [`Nonce`]:
//!
//! ```
//! use meter_protocol::seal::{Form, Hello, HelloRequest, KeyBundle, MAX_FRAME_LEN, Nonce, PeerId, PeerKeys};
//! # let secret: [u8; 24] = core::array::from_fn(|i| (i as u8).wrapping_mul(37));
//! let mut keys = PeerKeys::new(PeerId(7));
//! keys.insert(1, KeyBundle::tdes(&secret)?)?; // both sides hold the same file
//! // The collector dials and asks.
//! let mut hello = Hello::new(&keys, Form::Stream, Nonce([1; 16]))?;
//! // The station looks the peer up, answers, and waits for the first frame of the session.
//! let request = HelloRequest::read(hello.frame())?;
//! assert_eq!(request.peer(), PeerId(7));
//! let mut answer = request.answer(&keys, Nonce([2; 16]))?;
//! let mut collector = hello.finish(answer.frame())?;
//! let mut frame = [0; MAX_FRAME_LEN];
//! let mut station = answer.confirm(collector.seal(b"", &mut frame)?)?;
//! // From here on both seal and open.
//! let sealed = collector.seal(b"1284.07 kWh", &mut frame)?;
//! let mut out = [0; 1024];
//! assert_eq!(station.open(sealed, &mut out)?, b"1284.07 kWh");
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! Over TCP this is [`Form::Stream`], with [`Deframer`] and, under the feature `tokio`, `seal::tokio`. Each connection is
//! a session of its own and nothing is stored. [`Form::Datagram`] carries one frame per datagram; its sessions outlive
//! restarts, so counters are reserved and marks stored before they take effect: see [`Link::next_record`].
//!
//! What is inside the frames: [`message`].
//!
//! Saturating arithmetic stands here for lengths, which are bounded by the longest frame, and for counts: those of refusals
//! stay at their largest value, and blocks that can't be counted any more are more than any budget, so that nothing is
//! sealed.

mod ciphers;
mod cmac;
mod counters;
mod datagram;
mod deframer;
mod derive;
mod error;
mod header;
mod key;
mod key_file;
mod link;
pub mod message;
mod peer_keys;
mod policy;
mod receiver;
mod record;
mod sender;
mod setup;
mod suite;
#[cfg(feature = "tokio")]
pub mod tokio;
mod watcher;
mod window;

pub use counters::SealCounters;
pub use datagram::max_payload_len;
pub use deframer::Deframer;
pub use error::{HeaderError, KeyError, OpenError, RecordError, SealError, SetupError};
pub use header::{Header, Kind};
pub use key::{KeyBundle, PeerId};
pub use key_file::{KeyFileError, MAX_KEY_FILE_LEN};
pub use link::{Form, Link, Nonce, Role};
pub use peer_keys::PeerKeys;
pub use policy::SuitePolicy;
pub use receiver::{HighWater, Receiver};
pub use record::Record;
pub use sender::{Reservation, Sender};
pub use setup::{Answer, Hello, HelloRequest};
pub use suite::Suite;
pub use watcher::Watcher;

/// Version of the format, byte 0 of each frame.
pub const VERSION: u8 = 1;
/// Bytes of a frame's header.
pub const HEADER_LEN: usize = 16;
/// Longest payload of a frame.
pub const MAX_PAYLOAD_LEN: usize = 1_024;
/// Longest frame: header, payload and the longest tag.
pub const MAX_FRAME_LEN: usize = HEADER_LEN + MAX_PAYLOAD_LEN + MAX_TAG_LEN;
/// Bytes of a stored session.
pub const RECORD_LEN: usize = 74;
/// Frames for which a sender reserves counters at a time.
pub const RESERVED_FRAMES: u32 = 64;
/// Frames by which a late datagram may be behind the newest.
pub const REPLAY_WINDOW: u32 = 64;
/// Keys of a peer that can be valid at the same time.
pub const MAX_KEYS: usize = 4;
/// Frames that one receiver refuses before it refuses everything and a new session is due.
pub const MAX_REFUSALS: u32 = 1 << 20;

const MAX_TAG_LEN: usize = 16;

/// Which way a frame travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Direction {
    /// From the collector to the station.
    Up,
    /// From the station to the collector.
    Down,
}

impl Direction {
    const fn code(self) -> u8 {
        match self {
            Self::Up => 0,
            Self::Down => 1,
        }
    }
}
