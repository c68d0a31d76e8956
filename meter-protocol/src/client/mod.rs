//! Drivers that join a [`crate::session::Session`] to something that carries bytes.
//!
//! | Module | Feature | Carries bytes over |
//! |---|---|---|
//! | `embedded` | `embedded-io-07` | a UART that blocks, a direction pin, a delay and a [`Clock`] |
//! | `embedded_async` | `embedded-io-async-07` | the same, async |
//! | `tokio` | `tokio` | any tokio stream: serial, RTU over TCP, Modbus/TCP |
//! | `tokio_modbus` | `tokio-modbus-017` | a client context of `tokio-modbus`, reading only |
//!
//! The first three tell the same four ends apart and drain the line in the same way, because all of them only drive a
//! session: what is sent, when to give up and which reply is taken is decided there. The errors of all of them are
//! [`TransactError`] and [`MeterError`] with the error of what carries the bytes in them; everything else in them is
//! `Copy`.
//!
//! Saturating arithmetic in these modules counts bytes in buffers, connections up to their limit and microseconds; it touches
//! no decoded value.

mod error;
#[cfg(any(feature = "embedded-io-07", feature = "embedded-io-async-07"))]
mod port;
mod typed;

#[cfg(feature = "embedded-io-07")]
pub mod embedded;
#[cfg(feature = "embedded-io-async-07")]
pub mod embedded_async;
#[cfg(feature = "tokio")]
pub mod tokio;
#[cfg(feature = "tokio-modbus-017")]
pub mod tokio_modbus;

pub use error::{MeterError, TransactError};
#[cfg(any(feature = "embedded-io-07", feature = "embedded-io-async-07"))]
pub use port::{DirectionTiming, NoDirectionPin, PortError, Turn};

#[cfg(any(feature = "tokio", feature = "embedded-io-07", feature = "embedded-io-async-07"))]
use crate::session::{NoReply, NotTransmitted, Outcome, Session, SubmitError, TransactionId};
use crate::wire::MAX_ADU_LEN;
#[cfg(any(feature = "tokio", feature = "embedded-io-07", feature = "embedded-io-async-07"))]
use crate::wire::Reply;

/// Room for the data of one reply.
#[derive(Clone, Copy, Debug)]
pub struct ReplyBuffer([u8; MAX_ADU_LEN]);

impl ReplyBuffer {
    /// An empty buffer.
    #[must_use]
    pub const fn new() -> Self {
        Self([0; MAX_ADU_LEN])
    }
}

impl Default for ReplyBuffer {
    fn default() -> Self {
        Self::new()
    }
}

/// Time that only goes forward: what an embedded driver needs to time out.
///
/// Any function that tells microseconds is one.
///
/// ```
/// use core::sync::atomic::{AtomicU32, Ordering};
/// use meter_protocol::client::Clock;
///
/// // A timer interrupt counts milliseconds.
/// static MILLISECONDS: AtomicU32 = AtomicU32::new(12);
/// let clock = || u64::from(MILLISECONDS.load(Ordering::Relaxed)) * 1_000;
/// assert_eq!(clock.now_us(), 12_000);
/// ```
pub trait Clock {
    /// Microseconds from any origin that does not move. It never goes backwards and does not wrap: extend a counter of
    /// 32 bits.
    fn now_us(&self) -> u64;
}

impl<F: Fn() -> u64> Clock for F {
    fn now_us(&self) -> u64 {
        self()
    }
}

/// How long the reply to a clock setting may take: the vendor's tool waits 2 s before it looks.
#[cfg(any(feature = "tokio", feature = "embedded-io-07", feature = "embedded-io-async-07"))]
const CLOCK_RESPONSE_US: u32 = 2_500_000;

/// How long the reply to this request may take beyond what is usual on the line; 0 for most.
#[cfg(any(feature = "tokio", feature = "embedded-io-07", feature = "embedded-io-async-07"))]
fn patience_us(request: &crate::wire::Request<'_>) -> u32 {
    let clock = crate::acrel::fields::vendor::CLOCK.info().address;
    match request {
        crate::wire::Request::Vendor(write) if write.address() == clock => CLOCK_RESPONSE_US,
        _ => 0,
    }
}

/// What a session said to a request.
#[cfg(any(feature = "tokio", feature = "embedded-io-07", feature = "embedded-io-async-07"))]
fn submitted<S>(answer: Result<TransactionId, SubmitError>) -> Result<(), TransactError<S>> {
    match answer {
        Ok(_) => Ok(()),
        Err(SubmitError::Encode(error)) => Err(TransactError::Encode(error)),
        Err(SubmitError::Busy) => Err(TransactError::NotTransmitted { reason: NotTransmitted::LineBusy, source: None }),
    }
}

/// The end of the transaction; a reply is copied out of the session.
#[cfg(any(feature = "tokio", feature = "embedded-io-07", feature = "embedded-io-async-07"))]
fn fetch<'b, S>(
    session: &mut Session,
    source: Option<S>,
    buffer: &'b mut ReplyBuffer,
) -> Result<Reply<'b>, TransactError<S>> {
    match session.poll_event().map(|event| event.outcome) {
        Some(Outcome::Reply(reply)) => reply.copy_to(&mut buffer.0).map_err(TransactError::Encode),
        Some(Outcome::Exception(exception)) => Err(TransactError::Exception(exception)),
        Some(Outcome::NotTransmitted(reason)) => Err(TransactError::NotTransmitted { reason, source }),
        Some(Outcome::NoReply(reason)) => Err(TransactError::NoReply { reason, source }),
        None => Err(TransactError::NoReply { reason: NoReply::Cancelled, source }),
    }
}
