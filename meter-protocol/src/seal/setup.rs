//! Session set-up: the collector asks, the station answers, and the first frame of the session proves that the collector
//! holds its keys. A recorded question gets an answer that nobody can use.

use super::derive::{Agreed, setup_prf};
use super::header::{Header, Kind};
use super::{
    Direction, Form, HEADER_LEN, HeaderError, KeyBundle, Link, Nonce, OpenError, PeerId, PeerKeys, Role, SetupError,
    Suite,
};
use core::fmt;
use subtle::ConstantTimeEq;

/// Form, peer and nonce.
const HELLO_LEN: u16 = 25;
/// The nonce.
const WELCOME_LEN: u16 = 16;
const MAX_SETUP_LEN: usize = HEADER_LEN + HELLO_LEN as usize + 16;
/// What the station's tag is over: its own header and nonce, and the whole question.
const MAX_TRANSCRIPT_LEN: usize = HEADER_LEN + WELCOME_LEN as usize + MAX_SETUP_LEN;

/// A few bytes on the stack.
#[derive(Clone)]
struct Bytes<const MAX: usize> {
    bytes: [u8; MAX],
    len: usize,
}

impl<const MAX: usize> Bytes<MAX> {
    fn collect(parts: impl Iterator<Item = u8>) -> Self {
        let mut bytes = [0; MAX];
        let len = bytes.iter_mut().zip(parts).map(|(to, from)| *to = from).count();
        Self { bytes, len }
    }

    fn get(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// The collector's side: asks for a session.
pub struct Hello {
    master: KeyBundle,
    form: Form,
    peer: PeerId,
    key_id: u8,
    nonce: Nonce,
    frame: Bytes<MAX_SETUP_LEN>,
    /// It has given its session.
    used: bool,
}

impl Hello {
    /// Asks with the current key. The nonce must be a fresh one each time.
    ///
    /// # Errors
    /// [`SetupError::NoKey`].
    pub fn new(keys: &PeerKeys, form: Form, nonce: Nonce) -> Result<Self, SetupError> {
        let key_id = keys.current().ok_or(SetupError::NoKey)?;
        let master = keys.get(key_id).ok_or(SetupError::NoKey)?.clone();
        let peer = keys.peer();
        let head = header(&master, Kind::Hello, Direction::Up, key_id, HELLO_LEN).to_bytes();
        let body = [form.code()].into_iter().chain(peer.0.to_be_bytes()).chain(nonce.0);
        let clear = Bytes::<MAX_SETUP_LEN>::collect(head.into_iter().chain(body));
        let tag = tag(&master, key_id, Direction::Up, clear.get());
        let frame = Bytes::collect(clear.get().iter().copied().chain(tag.get().iter().copied()));
        Ok(Self { master, form, peer, key_id, nonce, frame, used: false })
    }

    /// The frame to send. It may be sent again as it is until an answer comes.
    #[must_use]
    pub fn frame(&self) -> &[u8] {
        self.frame.get()
    }

    /// Takes the station's answer. The collector then seals an empty payload at once, which confirms the session. One
    /// question gives one session: a second copy of the answer would begin the same counters anew.
    ///
    /// # Errors
    /// [`SetupError`]. On a stream close then; of datagrams drop the one.
    pub fn finish(&mut self, welcome: &[u8]) -> Result<Link, SetupError> {
        let agreed = self.agree(welcome)?;
        if core::mem::replace(&mut self.used, true) {
            return Err(SetupError::Refused);
        }
        Ok(Link::new(Role::Collector, &self.master, agreed))
    }

    /// The question that was captured, if the key made it.
    pub(super) fn again(master: &KeyBundle, request: &HelloRequest) -> Result<Self, SetupError> {
        request.verify(master)?;
        let HelloRequest { frame, key_id, form, peer, nonce, .. } = request.clone();
        Ok(Self { master: master.clone(), form, peer, key_id, nonce, frame, used: false })
    }

    pub(super) fn agree(&self, welcome: &[u8]) -> Result<Agreed, SetupError> {
        let (body, shown) = setup_parts(welcome, Kind::Welcome, Direction::Down, WELCOME_LEN)?;
        let head = Header::parse(welcome)?;
        if head.suite != self.master.suite() {
            return Err(HeaderError::Suite { suite: head.suite.code() }.into());
        }
        if head.key_id != self.key_id {
            return Err(HeaderError::KeyId { key_id: head.key_id }.into());
        }
        let nonce = body.first_chunk::<16>().ok_or(SetupError::Refused)?;
        let transcript = transcript(&head, nonce, self.frame());
        if !bool::from(tag(&self.master, self.key_id, Direction::Down, transcript.get()).get().ct_eq(shown)) {
            return Err(SetupError::Refused);
        }
        let (form, peer, key_id) = (self.form, self.peer, self.key_id);
        Ok(Agreed { form, peer, key_id, hello: self.nonce, welcome: Nonce(*nonce) })
    }
}

/// The station's side: a question as it came, not yet authenticated.
#[derive(Clone)]
pub struct HelloRequest {
    frame: Bytes<MAX_SETUP_LEN>,
    suite: Suite,
    key_id: u8,
    form: Form,
    peer: PeerId,
    nonce: Nonce,
}

impl HelloRequest {
    /// Reads who asks, so that the keys can be looked up. Nothing of it is proven before [`HelloRequest::answer`].
    ///
    /// # Errors
    /// [`SetupError::Header`].
    pub fn read(frame: &[u8]) -> Result<Self, SetupError> {
        let (body, _) = setup_parts(frame, Kind::Hello, Direction::Up, HELLO_LEN)?;
        let head = Header::parse(frame)?;
        let length = HeaderError::PayloadLength { len: head.payload_len };
        let (&[form], rest) = body.split_first_chunk::<1>().ok_or(length)?;
        let (peer, rest) = rest.split_first_chunk::<8>().ok_or(length)?;
        let nonce = Nonce(*rest.first_chunk::<16>().ok_or(length)?);
        let form = Form::from_code(form).ok_or(HeaderError::Kind { kind: form })?;
        let peer = PeerId(u64::from_be_bytes(*peer));
        let frame = Bytes::collect(frame.iter().copied());
        Ok(Self { frame, suite: head.suite, key_id: head.key_id, form, peer, nonce })
    }

    /// Who says to ask.
    #[must_use]
    pub const fn peer(&self) -> PeerId {
        self.peer
    }

    /// The suite. Judge it by a [`super::SuitePolicy`].
    #[must_use]
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// The key's id.
    #[must_use]
    pub const fn key_id(&self) -> u8 {
        self.key_id
    }

    /// The form. A station offers one of them on a port and refuses the other.
    #[must_use]
    pub const fn form(&self) -> Form {
        self.form
    }

    /// Authenticates the question and answers it. The nonce must be a fresh one each time.
    ///
    /// # Errors
    /// [`SetupError::Header`] for another peer, suite or key id; [`SetupError::Refused`]. Close then, say nothing.
    pub fn answer(&self, keys: &PeerKeys, nonce: Nonce) -> Result<Answer, SetupError> {
        let key_id = self.key_id;
        let master = keys.get(key_id).ok_or(HeaderError::KeyId { key_id })?;
        if keys.peer() != self.peer {
            return Err(SetupError::Refused);
        }
        self.verify(master)?;
        let asked = self.frame.get();
        let head = header(master, Kind::Welcome, Direction::Down, key_id, WELCOME_LEN);
        let tag = tag(master, key_id, Direction::Down, transcript(&head, &nonce.0, asked).get());
        let parts = head.to_bytes().into_iter().chain(nonce.0).chain(tag.get().iter().copied());
        let agreed = Agreed { form: self.form, peer: self.peer, key_id, hello: self.nonce, welcome: nonce };
        Ok(Answer { master: master.clone(), agreed, frame: Bytes::collect(parts), used: false })
    }

    fn verify(&self, master: &KeyBundle) -> Result<(), SetupError> {
        if master.suite() != self.suite {
            return Err(HeaderError::Suite { suite: self.suite.code() }.into());
        }
        let asked = self.frame.get();
        let signed_len = asked.len().saturating_sub(self.suite.tag_len());
        let (signed, shown) = asked.split_at_checked(signed_len).ok_or(SetupError::Refused)?;
        let fits = tag(master, self.key_id, Direction::Up, signed).get().ct_eq(shown);
        if bool::from(fits) { Ok(()) } else { Err(SetupError::Refused) }
    }
}

/// The station's side: an answer that waits for the first frame of the session. Nothing may be sent before.
pub struct Answer {
    master: KeyBundle,
    agreed: Agreed,
    frame: Bytes<MAX_SETUP_LEN>,
    /// It has given its session.
    used: bool,
}

impl Answer {
    /// The frame to send.
    #[must_use]
    pub fn frame(&self) -> &[u8] {
        self.frame.get()
    }

    /// Who asked, proven.
    #[must_use]
    pub const fn peer(&self) -> PeerId {
        self.agreed.peer
    }

    /// Takes the collector's first frame, whose payload is empty. An older session of the peer may be given up now, not
    /// before. One answer gives one session: a second copy of the frame would begin the same counters anew.
    ///
    /// # Errors
    /// [`OpenError`]. On a stream close then; of datagrams drop the one.
    pub fn confirm(&mut self, frame: &[u8]) -> Result<Link, OpenError> {
        let mut link = Link::new(Role::Station, &self.master, self.agreed);
        link.confirmed_by(frame)?;
        if core::mem::replace(&mut self.used, true) {
            return Err(OpenError::Refused);
        }
        Ok(link)
    }
}

impl fmt::Debug for Hello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hello").field("peer", &self.peer).field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl fmt::Debug for HelloRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HelloRequest").field("peer", &self.peer).field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("peer", &self.agreed.peer).finish_non_exhaustive()
    }
}

fn header(master: &KeyBundle, kind: Kind, direction: Direction, key_id: u8, payload_len: u16) -> Header {
    Header { suite: master.suite(), direction, kind, key_id, payload_len, epoch: 0, session: [0; 4], counter: 0 }
}

/// Body and tag of a set-up frame. Its header has a fixed shape.
fn setup_parts(frame: &[u8], kind: Kind, direction: Direction, len: u16) -> Result<(&[u8], &[u8]), HeaderError> {
    let head = Header::parse(frame)?;
    if head.kind != kind || head.direction != direction {
        return Err(HeaderError::Kind { kind: head.kind_byte() });
    }
    if head.payload_len != len {
        return Err(HeaderError::PayloadLength { len: head.payload_len });
    }
    if (head.epoch, head.session, head.counter) != (0, [0; 4], 0) {
        return Err(HeaderError::Session);
    }
    head.split(frame)
}

fn transcript(head: &Header, nonce: &[u8; 16], asked: &[u8]) -> Bytes<MAX_TRANSCRIPT_LEN> {
    Bytes::collect(head.to_bytes().into_iter().chain(*nonce).chain(asked.iter().copied()))
}

/// CMAC under the set-up key of the direction, cut to the suite's tag length.
fn tag(master: &KeyBundle, key_id: u8, direction: Direction, data: &[u8]) -> Bytes<16> {
    let (tag, _) = setup_prf(master, key_id, direction).mac(data);
    Bytes::collect(tag.into_iter().take(master.suite().tag_len()))
}
