//! What both embedded drivers share: the direction pin, errors of the port, turns of a bus.

use crate::bus::{Job, JobOutcome};
use core::convert::Infallible;
use embedded_hal::digital::{ErrorType, OutputPin};
use thiserror::Error;

/// An error of what carries the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PortError<E, P> {
    /// The port failed. Errors while reading are noise on a serial line: the driver goes on, and only tells the last
    /// one if no reply comes.
    #[error("the port failed: {0}")]
    Port(E),
    /// The direction pin failed.
    #[error("the direction pin failed: {0:?}")]
    Pin(P),
    /// The port has ended: it takes or gives no more bytes.
    #[error("the port is closed")]
    Closed,
}

/// How long the direction pin (DE) is high around a frame, in microseconds.
///
/// The order is fixed: pin high, `lead_us`, the frame, `flush`, `tail_us`, pin low. `flush` of the port must mean that
/// the last bit has left the shift register, not that the last byte was taken over; where it only means the latter, one
/// character time in `tail_us` keeps the last byte whole. The reply is waited for from the moment the pin is low.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DirectionTiming {
    /// From pin high to the first byte. Default 0: transceivers switch within a microsecond.
    pub lead_us: u32,
    /// From the end of `flush` to pin low. `None`, the default, is one character time of the line.
    pub tail_us: Option<u32>,
}

impl DirectionTiming {
    /// No lead, one character time after `flush`.
    pub const DEFAULT: Self = Self { lead_us: 0, tail_us: None };

    /// Sets [`DirectionTiming::lead_us`].
    #[must_use]
    pub const fn with_lead_us(mut self, lead_us: u32) -> Self {
        self.lead_us = lead_us;
        self
    }

    /// Sets [`DirectionTiming::tail_us`].
    #[must_use]
    pub const fn with_tail_us(mut self, tail_us: u32) -> Self {
        self.tail_us = Some(tail_us);
        self
    }
}

impl Default for DirectionTiming {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// In place of a pin where the hardware drives the direction by itself, or there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a value without state")]
pub struct NoDirectionPin;

impl ErrorType for NoDirectionPin {
    type Error = Infallible;
}

impl OutputPin for NoDirectionPin {
    fn set_low(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// What a driver did with a bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Turn {
    /// A job was run and reported.
    Ran {
        /// Index of the meter.
        slot: usize,
        /// What was done.
        job: Job,
        /// How it ended.
        outcome: JobOutcome,
    },
    /// Nothing is due before this time.
    WaitUntil(u64),
    /// Nothing is due at all until something is requested.
    Idle,
}

/// The line is ours: the pin is high, and goes low whatever happens.
pub(super) struct Drive<'p, D: OutputPin> {
    pin: Option<&'p mut D>,
}

impl<'p, D: OutputPin> Drive<'p, D> {
    pub(super) fn begin(pin: &'p mut D) -> Result<Self, D::Error> {
        pin.set_high()?;
        Ok(Self { pin: Some(pin) })
    }

    pub(super) fn end(mut self) -> Result<(), D::Error> {
        self.pin.take().map_or(Ok(()), OutputPin::set_low)
    }
}

impl<D: OutputPin> Drop for Drive<'_, D> {
    fn drop(&mut self) {
        if let Some(pin) = self.pin.take() {
            // On the way out of an error there is nobody to tell.
            let _ = pin.set_low();
        }
    }
}
