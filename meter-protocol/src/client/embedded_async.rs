//! An async master for firmware: `embedded-io-async` 0.7 for the bytes, `embedded-hal` 1.0 for the direction pin, and
//! `embedded-hal-async` 1.0 for the delay.
//!
//! ```
//! # use embedded_hal::digital::OutputPin;
//! # use embedded_hal_async::delay::DelayNs;
//! # use embedded_io_async::{Read, Write};
//! use meter_protocol::acrel::Realtime;
//! use meter_protocol::client::Clock;
//! use meter_protocol::client::embedded_async::Driver;
//! use meter_protocol::session::{CharFormat, LineConfig};
//!
//! async fn balance<R, W, D, T, C>(rx: R, tx: W, de: D, delay: T, clock: C) -> Option<i32>
//! where
//!     R: Read,  // the two halves of the UART
//!     W: Write<Error = R::Error>,
//!     D: OutputPin,
//!     T: DelayNs,
//!     C: Clock,
//! {
//!     let mut driver = Driver::new(rx, tx, de, delay, clock, LineConfig::rtu(9600, CharFormat::N8_1));
//!     // Mostly this is the whole life of a task: a loop in here.
//!     driver.run(async |client| client.read_block::<Realtime>(1).await.ok()).await.map(|now| now.remaining_minor)
//! }
//! ```
//!
//! # Why there is a `run`
//! Nothing promises that a read that is dropped half-way loses no bytes; with DMA it usually does. So the receiving half
//! is read by one future that lives as long as [`Driver::run`]: time-outs, finished transactions and dropped calls leave
//! it waiting, and what it got is handed over through a small buffer. Only when `run` ends is it dropped.
//!
//! A call on the [`Client`] that is dropped (by a select, a time-out of the caller) leaves the client usable: the
//! direction pin goes low at once, and the next transaction first keeps the line quiet until the abandoned reply can't
//! come any more.

mod inbox;

use super::port::Drive;
use super::typed::{typed_reads, typed_writes};
use super::{Clock, DirectionTiming, PortError, ReplyBuffer, TransactError, Turn, fetch, submitted};
use crate::acrel::{Block, BlockError, Confirmed, LinkId, Model, Realtime, RealtimeLayout};
use crate::bus::{Bus, BusError, Job, JobOutcome, MeterCounters, MeterSlot, Next};
use crate::map::{Field, Integer, Number};
use crate::session::{Counters, Framing, LineConfig, NotTransmitted, Session};
use crate::wire::{MAX_ADU_LEN, Registers, Reply, Request};
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;
use embedded_hal::digital::OutputPin;
use embedded_hal_async::delay::DelayNs;
use embedded_io_async::{Read, Write};
use inbox::{Arrival, Inbox};

/// The parts of one serial line.
#[derive(Debug)]
pub struct Driver<R, W, D, T, C> {
    rx: R,
    tx: W,
    direction: D,
    timing: DirectionTiming,
    delay: T,
    clock: C,
    session: Session,
}

impl<R, W, D, T, C> Driver<R, W, D, T, C>
where
    R: Read,
    W: Write<Error = R::Error>,
    D: OutputPin,
    T: DelayNs,
    C: Clock,
{
    /// A line with these parts. Where the hardware drives the direction by itself, `direction` is
    /// [`super::NoDirectionPin`].
    #[must_use]
    pub const fn new(rx: R, tx: W, direction: D, delay: T, clock: C, line: LineConfig) -> Self {
        let session = Session::new(line);
        Self { rx, tx, direction, timing: DirectionTiming::DEFAULT, delay, clock, session }
    }

    /// Gives the line a number, for programs with several lines: confirmations belong to `link`.
    #[must_use]
    pub fn on_line(mut self, link: LinkId) -> Self {
        self.session = Session::on_line(*self.session.line(), link);
        self
    }

    /// Sets how long the direction pin is high around a frame.
    #[must_use]
    pub const fn with_direction_timing(mut self, timing: DirectionTiming) -> Self {
        self.timing = timing;
        self
    }

    /// Runs `work` with a client, and the receiving half beside it.
    pub async fn run<A>(&mut self, work: impl AsyncFnOnce(&mut Client<'_, R::Error, W, D, T, C>) -> A) -> A {
        let inbox = Inbox::new();
        let mut receiving = pin!(inbox::receive(&mut self.rx, &inbox));
        let mut client = Client {
            inbox: &inbox,
            tx: &mut self.tx,
            direction: &mut self.direction,
            timing: self.timing,
            delay: &mut self.delay,
            clock: &self.clock,
            session: &mut self.session,
            mid_frame: false,
            broken: false,
        };
        let mut work = pin!(work(&mut client));
        poll_fn(|context| {
            // It never ends; what it got, the work finds in the inbox right after.
            let _never = receiving.as_mut().poll(context);
            work.as_mut().poll(context)
        })
        .await
    }

    /// The parts, for a caller that is done with the line.
    pub fn into_parts(self) -> (R, W, D, T, C) {
        (self.rx, self.tx, self.direction, self.delay, self.clock)
    }
}

/// A master on one serial line, one transaction at a time, while [`Driver::run`] runs. `E` is the error of the port.
#[derive(Debug)]
pub struct Client<'d, E, W, D, T, C> {
    inbox: &'d Inbox<E>,
    tx: &'d mut W,
    direction: &'d mut D,
    timing: DirectionTiming,
    delay: &'d mut T,
    clock: &'d C,
    session: &'d mut Session,
    /// A frame is being sent.
    mid_frame: bool,
    /// Part of a Modbus/TCP frame has left and the rest has not.
    broken: bool,
}

impl<E, W, D, T, C> Client<'_, E, W, D, T, C>
where
    W: Write<Error = E>,
    D: OutputPin,
    T: DelayNs,
    C: Clock,
{
    /// The present connection.
    #[must_use]
    pub const fn link(&self) -> LinkId {
        self.session.link()
    }

    /// What happened on the line so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        self.session.counters()
    }

    /// The clock's time, as times of the bus are meant.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        self.clock.now_us()
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
    ) -> Result<Reply<'b>, TransactError<PortError<E, D::Error>>> {
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
    ) -> Result<Reply<'b>, TransactError<PortError<E, D::Error>>> {
        self.make_ready()?;
        submitted(self.session.submit_within(self.clock.now_us(), unit, request, response_timeout_us))?;
        let source = self.run().await;
        fetch(self.session, source, buffer)
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
    ) -> Result<Reply<'b>, TransactError<PortError<E, D::Error>>> {
        self.make_ready()?;
        submitted(self.session.submit_enciphered(self.clock.now_us(), unit, request, key))?;
        let source = self.run().await;
        fetch(self.session, source, buffer)
    }

    typed_reads!((async), (.await), PortError<E, D::Error>, self, (&mut self));
    typed_writes!((async), (.await), PortError<E, D::Error>, self, (&mut self));

    const fn response_timeout_us(&self) -> u32 {
        self.session.line().response_timeout_us
    }

    /// Clears away a transaction whose future was dropped.
    fn make_ready(&mut self) -> Result<(), TransactError<PortError<E, D::Error>>> {
        self.abandon();
        if self.broken {
            let source = Some(PortError::Closed);
            return Err(TransactError::NotTransmitted { reason: NotTransmitted::LinkDown, source });
        }
        Ok(())
    }

    /// Runs the job whose turn it is, and reports it. A job whose future was dropped is reported as not transmitted
    /// first: read back what it wrote.
    ///
    /// # Errors
    /// [`BusError`] when `work` changed what is under way.
    pub async fn run_next<S, N>(
        &mut self,
        bus: &mut Bus<S, N>,
        work: impl AsyncFnOnce(&mut Self, usize, Job) -> JobOutcome,
    ) -> Result<Turn, BusError>
    where
        S: AsRef<[MeterSlot]> + AsMut<[MeterSlot]>,
        N: AsRef<[MeterCounters]> + AsMut<[MeterCounters]>,
    {
        let mut next = bus.next(self.clock.now_us());
        if let Next::Running { slot, job } = next {
            bus.finished(slot, job, JobOutcome::NotTransmitted, self.clock.now_us())?;
            next = bus.next(self.clock.now_us());
        }
        match next {
            Next::Run { slot, job } => {
                let outcome = work(self, slot, job).await;
                bus.finished(slot, job, outcome, self.clock.now_us())?;
                Ok(Turn::Ran { slot, job, outcome })
            }
            Next::WaitUntil(until_us) => Ok(Turn::WaitUntil(until_us)),
            Next::Idle | Next::Running { .. } => Ok(Turn::Idle),
        }
    }

    /// Waits until the clock shows `until_us`. What arrives meanwhile is nobody's and is thrown away.
    ///
    /// # Errors
    /// [`PortError::Closed`] when the port has ended.
    pub async fn wait_until(&mut self, until_us: u64) -> Result<(), PortError<E, D::Error>> {
        self.abandon();
        while self.clock.now_us() < until_us {
            if let Err(PortError::Closed) = self.take_arrived() {
                return Err(PortError::Closed);
            }
            self.arrival_or(until_us).await;
        }
        Ok(())
    }

    /// Ends a transaction whose future was dropped. Its end is nobody's any more.
    fn abandon(&mut self) {
        if self.mid_frame && self.session.line().framing == Framing::Tcp {
            // The rest of that frame will not come, and the peer would take the next frame for it.
            self.broken = true;
        }
        self.mid_frame = false;
        self.session.cancel(self.clock.now_us());
        let _nobodys = self.session.poll_event();
    }

    /// Drives the session until the transaction has ended. Returns the last error of port or pin.
    async fn run(&mut self) -> Option<PortError<E, D::Error>> {
        let mut last_error = None;
        // The receiver takes what the port holds already: it is late, and no answer to what is sent next.
        inbox::pause().await;
        while !self.session.is_done() {
            if let Err(error) = self.take_arrived() {
                let closed = matches!(error, PortError::Closed);
                last_error = Some(error);
                if closed {
                    self.session.cancel(self.clock.now_us());
                    break;
                }
            }
            let now_us = self.clock.now_us();
            self.session.handle_timeout(now_us);
            let mut frame = [0; MAX_ADU_LEN];
            if let Some(frame) = self.session.poll_transmit(now_us, &mut frame) {
                if let Err(error) = self.send(frame).await {
                    last_error = Some(error);
                    // The port is still there, and so may be a reply: the line is drained before the next request.
                    self.session.cancel(self.clock.now_us());
                }
            } else if let Some(until_us) = self.session.poll_timeout() {
                self.arrival_or(until_us).await;
            }
        }
        last_error
    }

    /// Waits until something arrives or the clock shows `until_us`.
    async fn arrival_or(&mut self, until_us: u64) {
        let left_us = until_us.saturating_sub(self.clock.now_us());
        if left_us == 0 {
            return;
        }
        let mut pause = pin!(self.delay.delay_us(u32::try_from(left_us).unwrap_or(u32::MAX)));
        poll_fn(|context| {
            if self.inbox.poll_ready(context).is_ready() {
                return Poll::Ready(());
            }
            pause.as_mut().poll(context)
        })
        .await;
        // Time is up: the receiver looks once more before anybody concludes that nothing came.
        inbox::pause().await;
    }

    /// Sends a frame between the edges of the direction pin. While nothing of it was taken by the port, the request
    /// counts as not transmitted.
    async fn send(&mut self, frame: &[u8]) -> Result<(), PortError<E, D::Error>> {
        let drive = match Drive::begin(&mut *self.direction) {
            Ok(drive) => drive,
            Err(error) => {
                self.session.not_transmitted();
                return Err(PortError::Pin(error));
            }
        };
        if self.timing.lead_us > 0 {
            self.delay.delay_us(self.timing.lead_us).await;
        }
        let mut rest = frame;
        while !rest.is_empty() {
            let written = match self.tx.write(rest).await {
                Ok(0) => Err(PortError::Closed),
                Ok(written) => Ok(written),
                Err(error) => Err(PortError::Port(error)),
            };
            let written = written.inspect_err(|_| {
                if rest.len() == frame.len() {
                    self.session.not_transmitted();
                }
            })?;
            self.mid_frame = true;
            rest = rest.get(written..).unwrap_or_default();
        }
        self.tx.flush().await.map_err(PortError::Port)?;
        let character_us = u32::try_from(self.session.line().pace.chars_us(1)).unwrap_or(u32::MAX);
        let tail_us = self.timing.tail_us.unwrap_or(character_us);
        if tail_us > 0 {
            self.delay.delay_us(tail_us).await;
        }
        drive.end().map_err(PortError::Pin)?;
        self.mid_frame = false;
        self.session.transmitted(self.clock.now_us());
        Ok(())
    }

    /// Takes what has arrived, without waiting.
    fn take_arrived(&mut self) -> Result<(), PortError<E, D::Error>> {
        while !self.session.is_done() {
            match self.inbox.take() {
                None => return Ok(()),
                Some(Arrival::Bytes { bytes, len }) => {
                    self.session.receive(self.clock.now_us(), bytes.get(..len).unwrap_or_default());
                }
                Some(Arrival::Failed(error)) => return Err(PortError::Port(error)),
                Some(Arrival::Ended) => return Err(PortError::Closed),
            }
        }
        Ok(())
    }
}
