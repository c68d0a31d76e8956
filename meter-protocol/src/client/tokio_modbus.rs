//! Reads the maps of this crate through a client context of `tokio-modbus` 0.17, for programs that have one already.
//!
//! ```no_run
//! use meter_protocol::acrel::Realtime;
//! use meter_protocol::client::tokio_modbus::Reader;
//! use tokio_modbus::client::tcp;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let mut reader = Reader::new(|| async {
//!     Ok(tcp::attach(tokio::net::TcpStream::connect("192.0.2.10:502").await?))
//! });
//! let now = reader.read_block::<Realtime>(1).await?;
//! println!("balance {} x 0.01", now.remaining_minor);
//! # Ok(())
//! # }
//! ```
//!
//! It reads only. A write needs to know whether the request left, whose the reply is, and which connection the model was
//! confirmed on; `tokio-modbus` tells none of it. Use [`super::tokio`] to write.
//!
//! # What it does
//! * The reply must hold as many registers as were asked for.
//! * Each read ends after a time-out; `tokio-modbus` has none.
//! * After any failure but an exception of the meter, and after a read whose future was dropped, the connection is given
//!   up, no request leaves before the longest response time has passed, and the next read connects anew.
//!
//! # What it can't protect against
//! * RTU: a late reply to somebody else's read of the same unit and length, or one that survives the new connection (a
//!   serial port, a gateway that keeps it), is taken for the answer. This crate's own clients drain the line.
//! * RTU: noise. `tokio-modbus` looks for a frame over a few bytes only and then fails; a byte count hit by noise makes it
//!   wait for bytes that never come. Both end as a failed read.
//! * RTU: silent intervals are not kept, and a frame of another unit ends the read.

use super::typed::typed_reads;
use super::{ReplyBuffer, TransactError};
use crate::acrel::{Block, BlockError, Realtime, RealtimeLayout};
use crate::map::{Field, Integer, Number};
use crate::session::{NoReply, NotTransmitted};
use crate::wire::{Exception, ExceptionCode, FrameError, Registers, Reply, Request};
use ::tokio::time::{Duration, Instant, sleep_until, timeout};
use ::tokio_modbus::client::{Client as _, Context};
use ::tokio_modbus::slave::{Slave, SlaveContext};
use ::tokio_modbus::{Request as Asked, Response};
use core::fmt;
use core::future::Future;
use std::io;
use thiserror::Error;

/// Default of [`Reader::with_response_timeout`].
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Default of [`Reader::with_longest_response`]: as long as the vendor's tool looks for a reply.
const LONGEST_RESPONSE: Duration = Duration::from_secs(3);

/// What failed beside the meter.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReaderError {
    /// The connection could not be made.
    #[error("no connection: {0}")]
    Connect(io::Error),
    /// An error of `tokio-modbus`: of the stream, or a reply that is not ours.
    #[error("{0}")]
    Client(::tokio_modbus::Error),
    /// The reply holds another number of registers.
    #[error("{actual} registers came, {expected} were asked for")]
    Count {
        /// Registers asked for.
        expected: u16,
        /// Registers that came.
        actual: usize,
    },
    /// The reply is an exception with the reserved code 0.
    #[error("an exception with the reserved code 0 came")]
    ExceptionZero,
    /// A request that is no read of registers.
    #[error("function {function:02X}H is not read through this adapter")]
    NotARead {
        /// Its function.
        function: u8,
    },
}

/// A reader over connections that `connect` makes.
pub struct Reader<F> {
    connect: F,
    context: Option<Context>,
    not_before: Option<Instant>,
    response_timeout: Duration,
    longest_response: Duration,
}

impl<F> fmt::Debug for Reader<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connected = self.context.is_some();
        f.debug_struct("Reader").field("connected", &connected).finish_non_exhaustive()
    }
}

impl<F, C> Reader<F>
where
    F: FnMut() -> C,
    C: Future<Output = io::Result<Context>>,
{
    /// A reader that connects when it is first asked. Its futures need a tokio runtime with the timer enabled.
    #[must_use]
    pub const fn new(connect: F) -> Self {
        Self {
            connect,
            context: None,
            not_before: None,
            response_timeout: RESPONSE_TIMEOUT,
            longest_response: LONGEST_RESPONSE,
        }
    }

    /// How long a read may take, and a connection. Default 1 s.
    #[must_use]
    pub const fn with_response_timeout(mut self, response_timeout: Duration) -> Self {
        self.response_timeout = response_timeout;
        self
    }

    /// How long after a failed read nothing is sent. Default 3 s.
    #[must_use]
    pub const fn with_longest_response(mut self, longest_response: Duration) -> Self {
        self.longest_response = longest_response;
        self
    }

    /// Whether a connection is up.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        self.context.is_some()
    }

    typed_reads!((async), (.await), ReaderError, self, (&mut self));

    async fn transact<'b>(
        &mut self,
        unit: u8,
        request: &Request<'_>,
        buffer: &'b mut ReplyBuffer,
    ) -> Result<Reply<'b>, TransactError<ReaderError>> {
        let (span, holding) = match request {
            Request::ReadHolding(span) => (span, true),
            Request::ReadInput(span) => (span, false),
            other => return Err(not_sent(ReaderError::NotARead { function: other.function() })),
        };
        let (address, count) = (span.address(), span.count());
        let mut context = self.connected().await.map_err(|error| not_sent(ReaderError::Connect(error)))?;
        // Until this read has ended well nobody knows what is still to come on this connection.
        self.not_before = Instant::now().checked_add(self.longest_response);
        context.set_slave(Slave(unit));
        // Not through its typed reads: those assert the count in debug builds.
        let asked = if holding {
            Asked::ReadHoldingRegisters(address, count)
        } else {
            Asked::ReadInputRegisters(address, count)
        };
        let answer = match timeout(self.response_timeout, context.call(asked)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(no_reply(ReaderError::Client(error))),
            Err(_elapsed) => return Err(TransactError::NoReply { reason: NoReply::TimedOut, source: None }),
        };
        let function = request.function();
        let result = match answer {
            Ok(Response::ReadHoldingRegisters(words) | Response::ReadInputRegisters(words)) => {
                let bytes = put(&words, count, buffer)?;
                let registers =
                    if holding { Registers::holding(address, bytes) } else { Registers::input(address, bytes) };
                registers
                    .map(Reply::Registers)
                    .map_err(|_: FrameError| no_reply(ReaderError::Count { expected: count, actual: words.len() }))
            }
            // It compares function codes, so this does not come.
            Ok(_) => return Err(no_reply(ReaderError::Count { expected: count, actual: 0 })),
            Err(code) => match ExceptionCode::new(code.into()) {
                Some(code) => Err(TransactError::Exception(Exception { function, code })),
                None => return Err(no_reply(ReaderError::ExceptionZero)),
            },
        };
        self.context = Some(context);
        self.not_before = None;
        result
    }

    /// The connection, taken out: it only comes back after a read that ended well.
    async fn connected(&mut self) -> io::Result<Context> {
        if let Some(context) = self.context.take() {
            return Ok(context);
        }
        if let Some(not_before) = self.not_before {
            sleep_until(not_before).await;
        }
        timeout(self.response_timeout, (self.connect)()).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// The registers as bytes, if as many came as were asked for.
fn put<'b>(words: &[u16], count: u16, buffer: &'b mut ReplyBuffer) -> Result<&'b [u8], TransactError<ReaderError>> {
    let wrong = || no_reply(ReaderError::Count { expected: count, actual: words.len() });
    if words.len() != usize::from(count) {
        return Err(wrong());
    }
    let needed = words.len().saturating_mul(2);
    let room = buffer.0.get_mut(..needed).ok_or_else(wrong)?;
    for (pair, word) in room.as_chunks_mut::<2>().0.iter_mut().zip(words) {
        *pair = word.to_be_bytes();
    }
    Ok(room)
}

fn not_sent(error: ReaderError) -> TransactError<ReaderError> {
    TransactError::NotTransmitted { reason: NotTransmitted::LinkDown, source: Some(error) }
}

fn no_reply(error: ReaderError) -> TransactError<ReaderError> {
    TransactError::NoReply { reason: NoReply::LinkDown, source: Some(error) }
}
