//! A blocking master for firmware: `embedded-io` 0.7 for the bytes, `embedded-hal` 1.0 for the direction pin and the
//! delay, and a [`Clock`] so that it can time out.
//!
//! ```
//! # use embedded_hal::delay::DelayNs;
//! # use embedded_io::{ErrorType, Read, ReadReady, Write};
//! use meter_protocol::acrel::Realtime;
//! use meter_protocol::bus::{Bus, BusConfig, BusError, JobOutcome, MeterSlot};
//! use meter_protocol::client::embedded::Client;
//! use meter_protocol::client::{Clock, Turn};
//! use meter_protocol::session::{CharFormat, LineConfig};
//! # use embedded_hal::digital::OutputPin;
//!
//! fn collect<P, D, T, C>(uart: P, de: D, delay: T, clock: C) -> Result<(), BusError>
//! where
//!     P: Read + ReadReady + Write, // the UART, its receiver buffered by an interrupt or DMA
//!     D: OutputPin,                // the direction pin of the transceiver
//!     T: DelayNs,
//!     C: Clock,                    // a timer
//! {
//!     let mut client = Client::new(uart, de, delay, clock, LineConfig::rtu(9600, CharFormat::N8_1));
//!     let mut bus = Bus::new([MeterSlot::polled(); 2], BusConfig::every(180_000_000))?;
//!     loop {
//!         let turn = client.run_next(&mut bus, |client, slot, _job| {
//!             let unit = if slot == 0 { 1 } else { 2 };
//!             match client.read_block::<Realtime>(unit) {
//!                 Ok(_now) => JobOutcome::Answered,
//!                 Err(error) => error.job_outcome(),
//!             }
//!         })?;
//!         if let Turn::WaitUntil(until_us) = turn {
//!             // An error here is a port that has ended, which a UART never does.
//!             let _ = client.wait_until(until_us);
//!         }
//! #       return Ok(());
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! # What the port must do
//! * `read` may return any number of bytes; an error while reading counts as noise.
//! * `flush` must mean that the last bit has left; see [`DirectionTiming`].
//! * The receiver must keep bytes while the driver is elsewhere: between two looks of the driver [`LOOK_EVERY_US`] pass
//!   while it waits for a reply, and any time while the caller does something else. Bytes that were lost there make the
//!   reply a bad frame, which is then read again or reported; they never make a wrong value.

use super::port::Drive;
use super::typed::{typed_reads, typed_writes};
use super::{Clock, DirectionTiming, PortError, ReplyBuffer, TransactError, Turn, fetch, submitted};
use crate::acrel::{Block, BlockError, Confirmed, LinkId, Model, Realtime, RealtimeLayout};
use crate::bus::{Bus, BusError, Job, JobOutcome, MeterCounters, MeterSlot, Next};
use crate::map::{Field, Integer, Number};
use crate::session::{Counters, Framing, LineConfig, NotTransmitted, Session};
use crate::wire::{MAX_ADU_LEN, Registers, Reply, Request};
use embedded_hal::delay::DelayNs;
use embedded_hal::digital::OutputPin;
use embedded_io::{Read, ReadReady, Write};

/// How often the driver looks for bytes while it waits, in microseconds: well below a character at 38400 baud.
pub const LOOK_EVERY_US: u32 = 50;
/// Bytes taken from the port at once.
const READ_LEN: usize = 64;

/// A transaction over port `P` with direction pin `D` without a reply.
pub type TransactErrorOf<P, D> =
    TransactError<PortError<<P as embedded_io::ErrorType>::Error, <D as embedded_hal::digital::ErrorType>::Error>>;

/// A master on one serial line, one transaction at a time.
#[derive(Debug)]
pub struct Client<P, D, T, C> {
    port: P,
    direction: D,
    timing: DirectionTiming,
    delay: T,
    clock: C,
    session: Session,
    /// Part of a Modbus/TCP frame has left and the rest has not.
    broken: bool,
}

impl<P, D, T, C> Client<P, D, T, C>
where
    P: Read + ReadReady + Write,
    D: OutputPin,
    T: DelayNs,
    C: Clock,
{
    /// A master on `port`. Where the hardware drives the direction by itself, `direction` is
    /// [`super::NoDirectionPin`].
    #[must_use]
    pub const fn new(port: P, direction: D, delay: T, clock: C, line: LineConfig) -> Self {
        Self::on_line(port, direction, delay, clock, line, LinkId::first(0))
    }

    /// A master whose confirmations belong to `link`, for programs with several lines.
    #[must_use]
    pub const fn on_line(port: P, direction: D, delay: T, clock: C, line: LineConfig, link: LinkId) -> Self {
        let session = Session::on_line(line, link);
        Self { port, direction, timing: DirectionTiming::DEFAULT, delay, clock, session, broken: false }
    }

    /// Sets how long the direction pin is high around a frame.
    #[must_use]
    pub const fn with_direction_timing(mut self, timing: DirectionTiming) -> Self {
        self.timing = timing;
        self
    }

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

    /// Port, pin, delay and clock, for a caller that is done with the client.
    pub fn into_parts(self) -> (P, D, T, C) {
        (self.port, self.direction, self.delay, self.clock)
    }

    /// Sends `request` to `unit` and waits for the end of the transaction. The reply borrows `buffer`.
    ///
    /// # Errors
    /// [`TransactError`]: its variant says whether the request can have reached the meter.
    pub fn transact<'b>(
        &mut self,
        unit: u8,
        request: &Request<'_>,
        buffer: &'b mut ReplyBuffer,
    ) -> Result<Reply<'b>, TransactErrorOf<P, D>> {
        self.transact_within(unit, request, self.response_timeout_us(), buffer)
    }

    /// As [`Client::transact`] with a response time-out for this request only.
    ///
    /// # Errors
    /// As [`Client::transact`].
    pub fn transact_within<'b>(
        &mut self,
        unit: u8,
        request: &Request<'_>,
        response_timeout_us: u32,
        buffer: &'b mut ReplyBuffer,
    ) -> Result<Reply<'b>, TransactErrorOf<P, D>> {
        self.check_port()?;
        submitted(self.session.submit_within(self.clock.now_us(), unit, request, response_timeout_us))?;
        let source = self.run();
        fetch(&mut self.session, source, buffer)
    }

    /// As [`Client::transact`], enciphered by the vendor's cipher: a sale or a parameter frame. The reply is clear.
    ///
    /// # Errors
    /// As [`Client::transact`], and [`crate::wire::EncodeError::NotEnciphered`] for other requests and over Modbus/TCP.
    #[cfg(feature = "frame-cipher")]
    pub fn transact_enciphered<'b>(
        &mut self,
        unit: u8,
        request: &Request<'_>,
        key: &crate::acrel::FrameKey,
        buffer: &'b mut ReplyBuffer,
    ) -> Result<Reply<'b>, TransactErrorOf<P, D>> {
        self.check_port()?;
        submitted(self.session.submit_enciphered(self.clock.now_us(), unit, request, key))?;
        let source = self.run();
        fetch(&mut self.session, source, buffer)
    }

    typed_reads!((), (), PortError<P::Error, D::Error>, self, (&mut self));
    typed_writes!((), (), PortError<P::Error, D::Error>, self, (&mut self));

    const fn response_timeout_us(&self) -> u32 {
        self.session.line().response_timeout_us
    }

    const fn check_port(&self) -> Result<(), TransactErrorOf<P, D>> {
        if self.broken {
            let source = Some(PortError::Closed);
            return Err(TransactError::NotTransmitted { reason: NotTransmitted::LinkDown, source });
        }
        Ok(())
    }

    /// Runs the job whose turn it is, and reports it. A job that was under way before is reported as not transmitted
    /// first: nobody ran it to its end here.
    ///
    /// # Errors
    /// [`BusError`] when `work` changed what is under way.
    pub fn run_next<S, N>(
        &mut self,
        bus: &mut Bus<S, N>,
        work: impl FnOnce(&mut Self, usize, Job) -> JobOutcome,
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
                let outcome = work(self, slot, job);
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
    pub fn wait_until(&mut self, until_us: u64) -> Result<(), PortError<P::Error, D::Error>> {
        while self.clock.now_us() < until_us {
            match self.take_arrived() {
                Err(PortError::Closed) => return Err(PortError::Closed),
                _ => self.pause(until_us),
            }
        }
        Ok(())
    }

    /// Drives the session until the transaction has ended. Returns the last error of port or pin.
    fn run(&mut self) -> Option<PortError<P::Error, D::Error>> {
        let mut last_error = None;
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
                if let Err(error) = self.send(frame) {
                    last_error = Some(error);
                    // The port is still there, and so may be a reply: the line is drained before the next request.
                    self.session.cancel(self.clock.now_us());
                }
            } else if let Some(until_us) = self.session.poll_timeout() {
                self.pause(until_us);
            }
        }
        last_error
    }

    /// A short wait, not beyond `until_us`.
    fn pause(&mut self, until_us: u64) {
        let left_us = until_us.saturating_sub(self.clock.now_us()).min(LOOK_EVERY_US.into());
        if let Ok(left_us @ 1..) = u32::try_from(left_us) {
            self.delay.delay_us(left_us);
        }
    }

    /// Sends a frame between the edges of the direction pin. While nothing of it was taken by the port, the request
    /// counts as not transmitted.
    fn send(&mut self, frame: &[u8]) -> Result<(), PortError<P::Error, D::Error>> {
        let drive = match Drive::begin(&mut self.direction) {
            Ok(drive) => drive,
            Err(error) => {
                self.session.not_transmitted();
                return Err(PortError::Pin(error));
            }
        };
        if self.timing.lead_us > 0 {
            self.delay.delay_us(self.timing.lead_us);
        }
        let mut rest = frame;
        while !rest.is_empty() {
            let written = match self.port.write(rest) {
                Ok(0) => Err(PortError::Closed),
                Ok(written) => Ok(written),
                Err(error) => Err(PortError::Port(error)),
            };
            let written = written.inspect_err(|_| {
                if rest.len() == frame.len() {
                    self.session.not_transmitted();
                } else {
                    self.broken = self.session.line().framing == Framing::Tcp;
                }
            })?;
            rest = rest.get(written..).unwrap_or_default();
        }
        self.port.flush().map_err(PortError::Port)?;
        let character_us = u32::try_from(self.session.line().pace.chars_us(1)).unwrap_or(u32::MAX);
        let tail_us = self.timing.tail_us.unwrap_or(character_us);
        if tail_us > 0 {
            self.delay.delay_us(tail_us);
        }
        drive.end().map_err(PortError::Pin)?;
        self.session.transmitted(self.clock.now_us());
        Ok(())
    }

    /// Takes what has arrived, without waiting.
    fn take_arrived(&mut self) -> Result<(), PortError<P::Error, D::Error>> {
        let mut bytes = [0; READ_LEN];
        while !self.session.is_done() && self.port.read_ready().map_err(PortError::Port)? {
            match self.port.read(&mut bytes).map_err(PortError::Port)? {
                0 => return Err(PortError::Closed),
                len => self.session.receive(self.clock.now_us(), bytes.get(..len).unwrap_or_default()),
            }
        }
        Ok(())
    }
}
