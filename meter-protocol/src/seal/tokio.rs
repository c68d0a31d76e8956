//! A driver of the stream form over any tokio byte stream: set-up, one task that reads, one that writes.

use super::{
    Deframer, Form, Hello, HelloRequest, MAX_FRAME_LEN, MAX_PAYLOAD_LEN, Nonce, OpenError, PeerId, PeerKeys, Receiver,
    SealCounters, SealError, Sender, SetupError,
};
use ::tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use ::tokio::time::timeout;
use core::fmt;
use std::io;
use std::time::Duration;
use thiserror::Error;

/// How long a set-up may take. A connection that says nothing is closed then.
pub const SETUP_TIMEOUT: Duration = Duration::from_secs(10);

/// A link that has ended. Drop both halves: the connection is closed, and nothing is told to the peer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The stream failed.
    #[error("the stream failed: {0}")]
    Io(#[from] io::Error),
    /// The peer has closed, between two frames.
    #[error("the peer has closed")]
    Closed,
    /// The set-up took longer than [`SETUP_TIMEOUT`].
    #[error("the set-up took too long")]
    TimedOut,
    /// A frame or a set-up was refused, or was cut off.
    #[error("refused")]
    Refused,
    /// The peer is not known, or its suite is no longer allowed.
    #[error("the peer is not known")]
    Unknown,
    /// Nothing could be sealed. Only [`SealError::PayloadTooLong`] leaves the link usable.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// There is no key to ask with.
    #[error("the peer has no key")]
    NoKey,
    /// The link has failed before.
    #[error("the link has failed before")]
    Failed,
}

/// The reading half.
pub struct SealedReader<R> {
    stream: R,
    receiver: Receiver,
    deframer: Deframer,
    payload: [u8; MAX_PAYLOAD_LEN],
    failed: bool,
}

/// The writing half.
pub struct SealedWriter<W> {
    stream: W,
    sender: Sender,
    frame: [u8; MAX_FRAME_LEN],
    /// What of the frame is not written yet.
    from: usize,
    to: usize,
    failed: bool,
}

/// Both halves of a link.
pub type Halves<R, W> = (SealedReader<R>, SealedWriter<W>);

/// Sets up a session as the collector. The nonce must be a fresh one each time.
///
/// # Errors
/// [`LinkError`].
pub async fn connect<R, W>(reader: R, writer: W, keys: &PeerKeys, nonce: Nonce) -> Result<Halves<R, W>, LinkError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    timeout(SETUP_TIMEOUT, asked(reader, writer, keys, nonce)).await.map_err(|_| LinkError::TimedOut)?
}

/// Sets up a session as the station. `choose` looks up the keys of who asks and may refuse by suite
/// ([`super::SuitePolicy`]). The nonce must be a fresh one each time.
///
/// # Errors
/// [`LinkError`]. Whatever it is, close without a word.
pub async fn accept<'k, R, W, C>(
    reader: R,
    writer: W,
    nonce: Nonce,
    choose: C,
) -> Result<(PeerId, SealedReader<R>, SealedWriter<W>), LinkError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
    C: FnOnce(&HelloRequest) -> Option<&'k PeerKeys>,
{
    timeout(SETUP_TIMEOUT, answered(reader, writer, nonce, choose)).await.map_err(|_| LinkError::TimedOut)?
}

async fn asked<R, W>(mut reader: R, mut writer: W, keys: &PeerKeys, nonce: Nonce) -> Result<Halves<R, W>, LinkError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut hello = Hello::new(keys, Form::Stream, nonce)?;
    writer.write_all(hello.frame()).await?;
    writer.flush().await?;
    let mut deframer = Deframer::new();
    let link = hello.finish(next_frame(&mut reader, &mut deframer).await?)?;
    deframer.clear();
    let (sender, receiver) = link.into_parts();
    let mut writer = SealedWriter::new(writer, sender);
    // Confirms the session.
    writer.send(&[]).await?;
    Ok((SealedReader::new(reader, receiver, deframer), writer))
}

async fn answered<'k, R, W, C>(
    mut reader: R,
    mut writer: W,
    nonce: Nonce,
    choose: C,
) -> Result<(PeerId, SealedReader<R>, SealedWriter<W>), LinkError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
    C: FnOnce(&HelloRequest) -> Option<&'k PeerKeys>,
{
    let mut deframer = Deframer::new();
    let request = HelloRequest::read(next_frame(&mut reader, &mut deframer).await?)?;
    deframer.clear();
    if request.form() != Form::Stream {
        return Err(LinkError::Refused);
    }
    let keys = choose(&request).ok_or(LinkError::Unknown)?;
    let mut answer = request.answer(keys, nonce)?;
    writer.write_all(answer.frame()).await?;
    writer.flush().await?;
    let link = answer.confirm(next_frame(&mut reader, &mut deframer).await?).map_err(|_| LinkError::Refused)?;
    deframer.clear();
    let peer = link.peer();
    let (sender, receiver) = link.into_parts();
    Ok((peer, SealedReader::new(reader, receiver, deframer), SealedWriter::new(writer, sender)))
}

/// Reads exactly one frame and nothing beyond it.
async fn next_frame<'d, R: AsyncRead + Unpin>(
    reader: &mut R,
    deframer: &'d mut Deframer,
) -> Result<&'d [u8], LinkError> {
    while deframer.frame().map_err(|_| LinkError::Refused)?.is_none() {
        let partial = deframer.is_partial();
        match reader.read(deframer.room()).await? {
            0 if partial => return Err(LinkError::Refused),
            0 => return Err(LinkError::Closed),
            count => deframer.filled(count),
        }
    }
    deframer.frame().ok().flatten().ok_or(LinkError::Refused)
}

impl<R: AsyncRead + Unpin> SealedReader<R> {
    const fn new(stream: R, receiver: Receiver, deframer: Deframer) -> Self {
        Self { stream, receiver, deframer, payload: [0; MAX_PAYLOAD_LEN], failed: false }
    }

    /// The next payload. Empty ones, which keep a link alive, are returned too. Safe to cancel: what has arrived of a
    /// frame is kept.
    ///
    /// # Errors
    /// [`LinkError`]; from then on always.
    pub async fn recv(&mut self) -> Result<&[u8], LinkError> {
        if self.failed {
            return Err(LinkError::Failed);
        }
        match next_frame(&mut self.stream, &mut self.deframer).await {
            Ok(_) => {}
            Err(error) => {
                self.failed = true;
                return Err(error);
            }
        }
        let frame = self.deframer.frame().ok().flatten().unwrap_or_default();
        let opened: Result<usize, OpenError> = self.receiver.open(frame, &mut self.payload).map(<[u8]>::len);
        self.deframer.clear();
        match opened {
            Ok(len) => Ok(self.payload.get(..len).unwrap_or_default()),
            Err(_) => {
                self.failed = true;
                Err(LinkError::Refused)
            }
        }
    }

    /// Why frames were refused, for the operator.
    #[must_use]
    pub const fn counters(&self) -> SealCounters {
        self.receiver.counters()
    }
}

impl<W: AsyncWrite + Unpin> SealedWriter<W> {
    const fn new(stream: W, sender: Sender) -> Self {
        Self { stream, sender, frame: [0; MAX_FRAME_LEN], from: 0, to: 0, failed: false }
    }

    /// Seals a payload and writes it out. When cancelled, the frame is kept: the next call, or [`SealedWriter::flush`],
    /// writes the rest first. Whether the peer has it is told by an acknowledgement alone.
    ///
    /// # Errors
    /// [`LinkError`]; but for [`SealError::PayloadTooLong`] from then on always.
    pub async fn send(&mut self, payload: &[u8]) -> Result<(), LinkError> {
        self.flush().await?;
        match self.sender.seal(payload, &mut self.frame).map(<[u8]>::len) {
            Ok(len) => (self.from, self.to) = (0, len),
            Err(error) => {
                self.failed = !matches!(error, SealError::PayloadTooLong { .. });
                return Err(error.into());
            }
        }
        self.flush().await
    }

    /// Writes out what is left of a frame.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn flush(&mut self) -> Result<(), LinkError> {
        if self.failed {
            return Err(LinkError::Failed);
        }
        let written = self.write_rest().await;
        self.failed = written.is_err();
        written.map_err(LinkError::Io)
    }

    async fn write_rest(&mut self) -> io::Result<()> {
        while let Some(rest) = self.frame.get(self.from..self.to).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => self.from = self.from.saturating_add(count),
            }
        }
        self.stream.flush().await
    }
}

impl From<SetupError> for LinkError {
    fn from(error: SetupError) -> Self {
        match error {
            SetupError::NoKey => Self::NoKey,
            _ => Self::Refused,
        }
    }
}

impl<R> fmt::Debug for SealedReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedReader").field("receiver", &self.receiver).finish_non_exhaustive()
    }
}

impl<W> fmt::Debug for SealedWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedWriter").field("sender", &self.sender).finish_non_exhaustive()
    }
}
