//! Devices by their addresses (Arm's application note 386, Cortex-M System Design Kit).

use core::{
    convert::Infallible,
    ptr,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};
use embedded_hal::{delay::DelayNs, digital::OutputPin};
use embedded_io::{ErrorType, Read, ReadReady, Write};
use meter_protocol::client::Clock;

/// The processor's and the timer's clock.
const TICKS_PER_US: u32 = 25;
const TIMER_0: usize = 0x4000_0000;
const GPIO_0: usize = 0x4001_0000;
/// UART 1 leads to the meters, UART 2 to the station.
const METERS: usize = 0x4000_5000;
const STATION: usize = 0x4000_6000;

/// A register of a device.
fn read(device: usize, offset: usize) -> u32 {
    // SAFETY: the constants above are addresses of devices of this board, aligned, and read without side effects on memory.
    unsafe { ptr::with_exposed_provenance::<u32>(device + offset).read_volatile() }
}

fn write(device: usize, offset: usize, value: u32) {
    // SAFETY: as for `read`; no device here accesses memory by itself.
    unsafe { ptr::with_exposed_provenance_mut::<u32>(device + offset).write_volatile(value) }
}

/// A UART of the design kit, polled.
#[derive(Debug)]
pub struct Uart(usize);

const DATA: usize = 0x00;
const STATE: usize = 0x04;
const CTRL: usize = 0x08;
const BAUDDIV: usize = 0x10;
const TX_FULL: u32 = 1;
const RX_FULL: u32 = 2;

impl Uart {
    /// The line of the meters, at 9600 baud.
    pub fn meters() -> Self {
        Self::on(METERS, 9600)
    }

    /// The line to the station, at 115200 baud.
    pub fn station() -> Self {
        Self::on(STATION, 115_200)
    }

    fn on(device: usize, baud: u32) -> Self {
        write(device, BAUDDIV, 25_000_000 / baud);
        write(device, CTRL, 3);
        Self(device)
    }

    fn has_byte(&self) -> bool {
        read(self.0, STATE) & RX_FULL != 0
    }
}

impl ErrorType for Uart {
    type Error = Infallible;
}

impl ReadReady for Uart {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.has_byte())
    }
}

impl Read for Uart {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Infallible> {
        let mut count = 0;
        for place in buf {
            // The first byte is waited for, as the trait says.
            while count == 0 && !self.has_byte() {}
            if !self.has_byte() {
                break;
            }
            *place = read(self.0, DATA).to_le_bytes()[0];
            count += 1;
        }
        Ok(count)
    }
}

impl Write for Uart {
    fn write(&mut self, buf: &[u8]) -> Result<usize, Infallible> {
        for byte in buf {
            while read(self.0, STATE) & TX_FULL != 0 {}
            write(self.0, DATA, u32::from(*byte));
        }
        Ok(buf.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        while read(self.0, STATE) & TX_FULL != 0 {}
        Ok(())
    }
}

/// The transceiver's direction pin: bit 0 of the first port.
#[derive(Debug)]
pub struct Direction(());

impl Direction {
    /// Receiving.
    pub fn pin() -> Self {
        write(GPIO_0, 0x10, 1);
        Self(())
    }
}

impl embedded_hal::digital::ErrorType for Direction {
    type Error = Infallible;
}

impl OutputPin for Direction {
    fn set_low(&mut self) -> Result<(), Infallible> {
        write(GPIO_0, 0x04, 0);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        write(GPIO_0, 0x04, 1);
        Ok(())
    }
}

/// A 32-bit timer that counts down, read often enough (every 171 s) to be a clock that does not wrap. There is one: whoever
/// has a copy reads the same.
#[derive(Debug, Clone, Copy)]
pub struct Timer(());

/// Ticks that have been counted, whole microseconds of them.
static COUNTED: AtomicU32 = AtomicU32::new(0);
/// Microseconds since the start, in two halves. Nothing interrupts the reader.
static US: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];

impl Timer {
    /// Begins to count.
    pub fn start() -> Self {
        write(TIMER_0, 0x08, u32::MAX);
        write(TIMER_0, 0x04, u32::MAX);
        write(TIMER_0, 0x00, 1);
        Self(())
    }

    /// Microseconds since the start.
    #[inline(never)]
    pub fn now_us(self) -> u64 {
        let counted = COUNTED.load(Relaxed);
        let ticks = (!read(TIMER_0, 0x04)).wrapping_sub(counted);
        // The processor divides 32 bits by itself.
        let passed_us = ticks / TICKS_PER_US;
        COUNTED.store(counted.wrapping_add(passed_us * TICKS_PER_US), Relaxed);
        let [low, high] = &US;
        let us = (u64::from(high.load(Relaxed)) << 32 | u64::from(low.load(Relaxed))).wrapping_add(passed_us.into());
        low.store(us as u32, Relaxed);
        high.store((us >> 32) as u32, Relaxed);
        us
    }
}

impl Clock for Timer {
    fn now_us(&self) -> u64 {
        Timer::now_us(*self)
    }
}

impl DelayNs for Timer {
    fn delay_ns(&mut self, ns: u32) {
        let until_us = self.now_us() + u64::from(ns.div_ceil(1000));
        while self.now_us() < until_us {}
    }
}
