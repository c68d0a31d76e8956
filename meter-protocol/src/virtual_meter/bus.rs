//! Meters on one RS-485 line, and what such a line does to frames.
//!
//! Nothing here opens a socket or sleeps: a request gives back what reaches the master and after how long.

use alloc::vec::Vec;

use super::faults::{FaultCounts, FaultInjector};
use super::meter::VirtualMeter;

/// Most meters on one bus: the drive strength of RS-485.
pub const METERS_MAX: usize = 32;

/// Bytes that reach the master.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Time from the end of the request at the gateway to the last of these bytes, in microseconds of real time.
    pub delay_us: u64,
    /// The bytes, complete or not.
    pub bytes: Vec<u8>,
}

/// The speed of a line, for paced buses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Bits per second, at least 1.
    pub baud: u32,
    /// Bits of one character with start, parity and stop bits: 10 for 8N1, 11 for 8E1.
    pub bits_per_character: u8,
    /// From the last byte of the request to the first one of the reply, in microseconds.
    pub turnaround_us: u32,
}

impl Line {
    /// 8N1 with 35 ms turnaround.
    #[must_use]
    pub const fn new(baud: u32) -> Self {
        Self { baud, bits_per_character: 10, turnaround_us: 35_000 }
    }

    /// How long `characters` take on the wire.
    #[must_use]
    pub fn characters_us(&self, characters: usize) -> u64 {
        let bits = u64::try_from(characters).unwrap_or(u64::MAX).saturating_mul(u64::from(self.bits_per_character));
        bits.saturating_mul(1_000_000).div_ceil(u64::from(self.baud.max(1)))
    }

    /// The silence in front of a frame: 3.5 characters, but 1.75 ms above 19200 baud.
    #[must_use]
    pub fn silence_us(&self) -> u64 {
        if self.baud > 19_200 { 1_750 } else { self.characters_us(7).div_ceil(2) }
    }

    /// Silence, request, turnaround and reply together.
    #[must_use]
    pub fn exchange_us(&self, request_bytes: usize, reply_bytes: usize) -> u64 {
        self.silence_us()
            .saturating_add(self.characters_us(request_bytes))
            .saturating_add(u64::from(self.turnaround_us))
            .saturating_add(self.characters_us(reply_bytes))
    }
}

/// A meter that can't join a bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BusError {
    /// There is no room for another one.
    #[error("the bus already has its limit of {METERS_MAX} meters")]
    Full,
}

/// What one request led to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Exchange {
    /// Positions of the meters that took the request as theirs, whether their reply survives or not. Their state
    /// may have changed.
    pub served: Vec<usize>,
    /// What reaches the master, in order of time. Empty if nothing does.
    pub deliveries: Vec<Delivery>,
    /// How long the exchange takes the line, in microseconds. What is delivered later than this was held back by a
    /// fault. 0 without a [`Line`].
    pub line_us: u64,
}

/// Up to [`METERS_MAX`] meters on one line with faults.
#[derive(Debug, Clone)]
pub struct VirtualBus {
    meters: Vec<VirtualMeter>,
    injector: FaultInjector,
    line: Option<Line>,
}

impl VirtualBus {
    /// An empty bus. Without a `line` replies take no time, except for the delays that faults add.
    #[must_use]
    pub const fn new(injector: FaultInjector, line: Option<Line>) -> Self {
        Self { meters: Vec::new(), injector, line }
    }

    /// Connects a meter and gives its position. Meters with the same unit answer at once and destroy each other's
    /// replies, as they do on a real line.
    ///
    /// # Errors
    /// [`BusError::Full`] if the bus has its [`METERS_MAX`] meters.
    pub fn add(&mut self, meter: VirtualMeter) -> Result<usize, BusError> {
        let position = self.meters.len();
        if position >= METERS_MAX {
            return Err(BusError::Full);
        }
        self.meters.push(meter);
        Ok(position)
    }

    /// The meters by position.
    #[must_use]
    pub fn meters(&self) -> &[VirtualMeter] {
        &self.meters
    }

    /// A meter by position, to change its load.
    pub fn meter_mut(&mut self, position: usize) -> Option<&mut VirtualMeter> {
        self.meters.get_mut(position)
    }

    /// What the line has done to frames so far.
    #[must_use]
    pub const fn fault_counts(&self) -> &FaultCounts {
        self.injector.counts()
    }

    /// Puts one request on the line at world time `now_ms`. Only meters that are addressed, by unit or by
    /// broadcast, see time pass.
    pub fn request(&mut self, now_ms: i64, request: &[u8]) -> Exchange {
        let mut exchange = Exchange::default();
        let copies = self.injector.request_copies();
        for _ in 0..copies {
            let reply = self.carry(now_ms, request, &mut exchange.served);
            let reply_bytes = reply.as_ref().map_or(0, Vec::len);
            let taken_us = self.line.map_or(0, |line| line.exchange_us(request.len(), reply_bytes));
            exchange.line_us = exchange.line_us.saturating_add(taken_us);
            if let Some(reply) = reply {
                exchange.deliveries.extend(self.injector.deliver(exchange.line_us, request, reply));
            }
        }
        if copies == 0 {
            exchange.line_us = self.line.map_or(0, |line| line.exchange_us(request.len(), 0));
        }
        exchange.deliveries.sort_by_key(|delivery| delivery.delay_us);
        exchange
    }

    /// Puts one request on a line without faults whose power fails after `powered_bytes` bytes of request and reply
    /// together, and returns at once. A meter acts when the last byte of the request is there and not before.
    pub fn request_until_power_cut(&mut self, now_ms: i64, request: &[u8], powered_bytes: usize) -> Exchange {
        let mut exchange = Exchange::default();
        if let Some(reply_bytes) = powered_bytes.checked_sub(request.len())
            && let Some(mut bytes) = self.carry(now_ms, request, &mut exchange.served)
        {
            bytes.truncate(reply_bytes);
            if !bytes.is_empty() {
                exchange.deliveries.push(Delivery { delay_us: 0, bytes });
            }
        }
        for meter in &mut self.meters {
            meter.power_cut(now_ms);
        }
        exchange
    }

    /// Lets every addressed meter see the request; replies of several meters at once destroy each other.
    fn carry(&mut self, now_ms: i64, request: &[u8], served: &mut Vec<usize>) -> Option<Vec<u8>> {
        let unit = *request.first()?;
        let mut line: Option<Vec<u8>> = None;
        for (position, meter) in self.meters.iter_mut().enumerate() {
            // An enciphered frame hides its unit: every meter that takes those has to try.
            if unit != 0 && meter.unit() != unit && !meter.is_encrypted() {
                continue;
            }
            let reply = meter.serve(now_ms, request);
            if (unit == 0 || meter.unit() == unit || reply.is_some()) && !served.contains(&position) {
                served.push(position);
            }
            line = match (line, reply) {
                (Some(first), Some(second)) => Some(collided(&first, &second)),
                (one, other) => one.or(other),
            };
        }
        line
    }
}

/// Two senders at once: a bit is 0 where either drives it low.
fn collided(first: &[u8], second: &[u8]) -> Vec<u8> {
    let (long, short) = if first.len() >= second.len() { (first, second) } else { (second, first) };
    long.iter().zip(short.iter().copied().chain(core::iter::repeat(0xFF))).map(|(a, b)| a & b).collect()
}
