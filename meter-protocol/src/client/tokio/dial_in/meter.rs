//! A connected meter, as its caller sees it.

use super::super::{ReplyBuffer, TransactError};
use crate::acrel::LinkId;
use crate::session::{NoReply, NotTransmitted};
use crate::uplink::radio::Serial;
use crate::wire::{Answer, Exception, MAX_ADU_LEN, Reply, Request, rtu};
use ::tokio::sync::{mpsc, oneshot};
use std::vec::Vec;

/// Inside this module replies carry this unit: the session has checked the real one.
pub(super) const CHECKED_UNIT: u8 = 0;

/// A request on its way to the task of the connection.
#[derive(Debug)]
pub(super) struct Job {
    /// The RTU request, as built from a [`Request`].
    pub(super) frame: Vec<u8>,
    pub(super) sending: Sending,
    pub(super) end: oneshot::Sender<JobEnd>,
}

/// How a request goes out.
#[derive(Debug)]
pub(super) enum Sending {
    Clear {
        response_timeout_us: u32,
    },
    /// By the vendor's cipher, with the usual response time-out.
    #[cfg(feature = "frame-cipher")]
    Enciphered(crate::acrel::FrameKey),
}

/// How a request ended, as owned values.
#[derive(Debug)]
pub(super) enum JobEnd {
    /// The RTU reply.
    Reply(Vec<u8>),
    Exception(Exception),
    NotTransmitted(NotTransmitted),
    NoReply(NoReply),
}

/// A meter on its present connection. When that ends, all calls say so: ask the hub for the meter again.
#[derive(Clone, Debug)]
pub struct DialedMeter {
    serial: Serial,
    link: LinkId,
    jobs: mpsc::Sender<Job>,
    response_timeout_us: u32,
}

impl DialedMeter {
    pub(super) const fn new(serial: Serial, link: LinkId, jobs: mpsc::Sender<Job>, response_timeout_us: u32) -> Self {
        Self { serial, link, jobs, response_timeout_us }
    }

    /// Which meter.
    #[must_use]
    pub const fn serial(&self) -> Serial {
        self.serial
    }

    /// The connection, for [`crate::acrel::Confirmed`].
    #[must_use]
    pub const fn link(&self) -> LinkId {
        self.link
    }

    /// Whether the connection still stands.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        !self.jobs.is_closed()
    }

    /// Sends `request` to `unit` through the tunnel and waits for the end of the transaction. The reply borrows
    /// `buffer`. Requests of several callers go one after another.
    ///
    /// A future that is dropped does not call the request back.
    ///
    /// # Errors
    /// [`TransactError`]: its variant says whether the request can have reached the meter.
    pub async fn transact<'b>(
        &self,
        unit: u8,
        request: &Request<'_>,
        buffer: &'b mut ReplyBuffer,
    ) -> Result<Reply<'b>, TransactError> {
        self.transact_within(unit, request, self.response_timeout_us(), buffer).await
    }

    /// As [`DialedMeter::transact`] with a response time-out for this request only.
    ///
    /// # Errors
    /// As [`DialedMeter::transact`].
    pub async fn transact_within<'b>(
        &self,
        unit: u8,
        request: &Request<'_>,
        response_timeout_us: u32,
        buffer: &'b mut ReplyBuffer,
    ) -> Result<Reply<'b>, TransactError> {
        self.run(unit, request, Sending::Clear { response_timeout_us }, buffer).await
    }

    /// As [`DialedMeter::transact`], enciphered by the vendor's cipher: a sale or a parameter frame. The reply is
    /// clear.
    ///
    /// # Errors
    /// As [`DialedMeter::transact`], and [`crate::wire::EncodeError::NotEnciphered`] for other requests: nothing is sent
    /// then.
    #[cfg(feature = "frame-cipher")]
    pub async fn transact_enciphered<'b>(
        &self,
        unit: u8,
        request: &Request<'_>,
        key: &crate::acrel::FrameKey,
        buffer: &'b mut ReplyBuffer,
    ) -> Result<Reply<'b>, TransactError> {
        // The station enciphers it; what it would refuse is known here already.
        key.encode_request(unit, request, &mut [0; MAX_ADU_LEN])?;
        self.run(unit, request, Sending::Enciphered(key.clone()), buffer).await
    }

    pub(in crate::client::tokio) const fn response_timeout_us(&self) -> u32 {
        self.response_timeout_us
    }

    async fn run<'b>(
        &self,
        unit: u8,
        request: &Request<'_>,
        sending: Sending,
        buffer: &'b mut ReplyBuffer,
    ) -> Result<Reply<'b>, TransactError> {
        let mut frame = [0; MAX_ADU_LEN];
        let frame = rtu::encode_request(unit, request, &mut frame)?.to_vec();
        let (end, ended) = oneshot::channel();
        let gone = TransactError::NotTransmitted { reason: NotTransmitted::LinkDown, source: None };
        if self.jobs.send(Job { frame, sending, end }).await.is_err() {
            return Err(gone);
        }
        match ended.await {
            Ok(JobEnd::Reply(reply)) => {
                let no_reply = TransactError::NoReply { reason: NoReply::TimedOut, source: None };
                // The session has checked the same bytes against the same request.
                match rtu::decode_answer(&reply, CHECKED_UNIT, &request.expectation()) {
                    Ok(Answer::Reply(reply)) => reply.copy_to(&mut buffer.0).map_err(TransactError::Encode),
                    Ok(Answer::Exception(exception)) => Err(TransactError::Exception(exception)),
                    Err(_) => Err(no_reply),
                }
            }
            Ok(JobEnd::Exception(exception)) => Err(TransactError::Exception(exception)),
            Ok(JobEnd::NotTransmitted(reason)) => Err(TransactError::NotTransmitted { reason, source: None }),
            Ok(JobEnd::NoReply(reason)) => Err(TransactError::NoReply { reason, source: None }),
            // The task of the connection is gone without a word: the request may have left.
            Err(_) => Err(TransactError::NoReply { reason: NoReply::LinkDown, source: None }),
        }
    }
}
