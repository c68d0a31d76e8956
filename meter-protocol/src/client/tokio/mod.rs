//! A master over any tokio byte stream: a serial port, a TCP connection to a gateway that passes RTU frames, or
//! Modbus/TCP.
//!
//! ```no_run
//! use meter_protocol::client::tokio::Client;
//! use meter_protocol::session::{CharFormat, LineConfig};
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let stream = tokio::net::TcpStream::connect("192.0.2.10:8899").await?;
//! let mut client = Client::new(stream, LineConfig::rtu(9600, CharFormat::N8_1));
//! let now = client.read_realtime(1).await?;
//! println!("{} x 0.01 kWh, balance {} x 0.01", now.energy.total_centikwh, now.remaining_minor);
//! # Ok(())
//! # }
//! ```
//!
//! Reconnecting is the caller's: an error of the stream breaks the client for good ([`Client::is_broken`]), and a new
//! one is made with the new stream. What an error means for the transaction is in [`TransactError`].

mod calls;
#[cfg(feature = "dial-in")]
pub mod dial_in;

/// A transaction over a stream without a reply.
pub type TransactError = super::TransactError<io::Error>;
/// A typed call over a stream that failed.
pub type MeterError = super::MeterError<io::Error>;
pub use super::ReplyBuffer;

use super::{fetch, submitted};
use crate::acrel::LinkId;
use crate::session::{Counters, Framing, LineConfig, NotTransmitted, Session};
use crate::wire::{MAX_ADU_LEN, Reply, Request};
use ::tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use ::tokio::time::{Duration, Instant, timeout_at};
use core::future::poll_fn;
use core::pin::Pin;
use core::task::Poll;
use std::io;

/// Bytes taken from the stream at once.
const READ_LEN: usize = 256;

/// A master on one stream, one transaction at a time.
///
/// A future that is dropped leaves the client usable: the next transaction first keeps the line quiet until the
/// abandoned reply can't come any more.
#[derive(Debug)]
pub struct Client<S> {
    stream: S,
    session: Session,
    origin: Instant,
    /// Part of a frame is on the stream and the rest has not followed.
    mid_frame: bool,
    /// The stream failed; nothing more is sent on it.
    broken: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// A master on `stream`. Its futures need a tokio runtime with the timer enabled.
    #[must_use]
    pub fn new(stream: S, line: LineConfig) -> Self {
        Self::on_line(stream, line, LinkId::first(0))
    }

    /// A master whose confirmations belong to `link`. Give each line of a program its own number, and each new
    /// connection of a line the [`Client::next_link`] of the one before.
    #[must_use]
    pub fn on_line(stream: S, line: LineConfig, link: LinkId) -> Self {
        let session = Session::on_line(line, link);
        Self { stream, session, origin: Instant::now(), mid_frame: false, broken: false }
    }

    /// The present connection.
    #[must_use]
    pub const fn link(&self) -> LinkId {
        self.session.link()
    }

    /// The number of the connection that comes after this one.
    #[must_use]
    pub const fn next_link(&self) -> LinkId {
        self.session.link().next()
    }

    /// What happened on the line so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        self.session.counters()
    }

    /// Whether the stream has failed, so that only a new client helps.
    #[must_use]
    pub const fn is_broken(&self) -> bool {
        self.broken
    }

    /// The stream, for a caller that is done with the client.
    pub fn into_stream(self) -> S {
        self.stream
    }

    /// Sends `request` to `unit` and waits for the end of the transaction. The reply borrows `buffer`.
    ///
    /// # Errors
    /// [`TransactError`]: its variant says whether the request can have reached the meter.
    pub async fn transact<'b>(
        &mut self,
        unit: u8,
        request: &Request<'_>,
        buffer: &'b mut ReplyBuffer,
    ) -> Result<Reply<'b>, TransactError> {
        self.transact_within(unit, request, self.response_timeout_us(), buffer).await
    }

    /// As [`Client::transact`] with a response time-out for this request only.
    ///
    /// # Errors
    /// As [`Client::transact`].
    pub async fn transact_within<'b>(
        &mut self,
        unit: u8,
        request: &Request<'_>,
        response_timeout_us: u32,
        buffer: &'b mut ReplyBuffer,
    ) -> Result<Reply<'b>, TransactError> {
        self.make_ready()?;
        submitted(self.session.submit_within(self.now_us(), unit, request, response_timeout_us))?;
        self.finish(buffer).await
    }

    /// As [`Client::transact`], enciphered by the vendor's cipher: a sale or a parameter frame. The reply is clear.
    ///
    /// # Errors
    /// As [`Client::transact`], and [`crate::wire::EncodeError::NotEnciphered`] for other requests and over Modbus/TCP.
    #[cfg(feature = "frame-cipher")]
    pub async fn transact_enciphered<'b>(
        &mut self,
        unit: u8,
        request: &Request<'_>,
        key: &crate::acrel::FrameKey,
        buffer: &'b mut ReplyBuffer,
    ) -> Result<Reply<'b>, TransactError> {
        self.make_ready()?;
        submitted(self.session.submit_enciphered(self.now_us(), unit, request, key))?;
        self.finish(buffer).await
    }

    const fn response_timeout_us(&self) -> u32 {
        self.session.line().response_timeout_us
    }

    /// Clears away a transaction whose future was dropped.
    fn make_ready(&mut self) -> Result<(), TransactError> {
        self.abandon();
        if self.broken {
            return Err(TransactError::NotTransmitted { reason: NotTransmitted::LinkDown, source: None });
        }
        Ok(())
    }

    async fn finish<'b>(&mut self, buffer: &'b mut ReplyBuffer) -> Result<Reply<'b>, TransactError> {
        let source = self.run().await.err();
        fetch(&mut self.session, source, buffer)
    }

    /// Ends a transaction whose future was dropped. Its end is nobody's any more.
    fn abandon(&mut self) {
        if self.mid_frame && self.session.line().framing == Framing::Tcp {
            // The rest of that frame will not come, and the peer would take the next frame for it.
            self.broken = true;
        }
        self.mid_frame = false;
        self.session.cancel(self.now_us());
        let _nobodys = self.session.poll_event();
    }

    /// Drives the session until the transaction has ended. An error is one of the stream.
    async fn run(&mut self) -> io::Result<()> {
        while !self.session.is_done() {
            let step = self.step().await;
            if step.is_err() {
                self.broken = true;
                self.session.link_down(self.now_us());
                return step;
            }
        }
        Ok(())
    }

    async fn step(&mut self) -> io::Result<()> {
        // What came while nobody was reading is late: it must not be taken for the answer to what is sent next.
        self.take_arrived().await?;
        self.session.handle_timeout(self.now_us());
        let mut frame = [0; MAX_ADU_LEN];
        if let Some(frame) = self.session.poll_transmit(self.now_us(), &mut frame) {
            return self.send(frame).await;
        }
        let Some(until_us) = self.session.poll_timeout() else { return Ok(()) };
        let mut bytes = [0; READ_LEN];
        // A deadline, not a pause: `origin` plus a time of the session can't overflow an `Instant` in practice.
        let until = self.origin.checked_add(Duration::from_micros(until_us));
        let read = self.stream.read(&mut bytes);
        let arrived = match until {
            Some(until) => match timeout_at(until, read).await {
                Ok(arrived) => arrived?,
                Err(_elapsed) => return Ok(()),
            },
            None => read.await?,
        };
        self.arrived(bytes.get(..arrived).unwrap_or_default())
    }

    /// Sends a frame. While nothing of it was taken by the stream, the request counts as not transmitted.
    async fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        let mut rest = frame;
        while !rest.is_empty() {
            let written = match self.stream.write(rest).await {
                Ok(0) => Err(io::Error::from(io::ErrorKind::WriteZero)),
                other => other,
            };
            let written = match written {
                Ok(written) => written,
                Err(error) => {
                    if rest.len() == frame.len() {
                        self.session.not_transmitted();
                    }
                    return Err(error);
                }
            };
            self.mid_frame = true;
            rest = rest.get(written..).unwrap_or_default();
        }
        self.stream.flush().await?;
        self.mid_frame = false;
        self.session.transmitted(self.now_us());
        Ok(())
    }

    /// Takes what has arrived already, without waiting.
    async fn take_arrived(&mut self) -> io::Result<()> {
        loop {
            let mut bytes = [0; READ_LEN];
            let mut buf = ReadBuf::new(&mut bytes);
            let stream = &mut self.stream;
            let read = poll_fn(|context| match Pin::new(&mut *stream).poll_read(context, &mut buf) {
                Poll::Ready(read) => Poll::Ready(Some(read)),
                Poll::Pending => Poll::Ready(None),
            });
            match read.await {
                None => return Ok(()),
                Some(read) => read?,
            }
            self.arrived(buf.filled())?;
            if self.session.is_done() {
                return Ok(());
            }
        }
    }

    fn arrived(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        self.session.receive(self.now_us(), bytes);
        Ok(())
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}
