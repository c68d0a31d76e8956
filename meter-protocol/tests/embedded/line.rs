//! A two-wire line in memory: virtual meters, a UART with a shift register, a direction pin, and time that only the
//! delays and the shift register move.

use embedded_hal::digital::{ErrorType as PinErrorType, OutputPin};
use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};
use meter_protocol::virtual_meter as vm;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// 2026-03-05 10:00, a Thursday.
pub(crate) const START_MS: i64 = 1_772_704_800_000;
/// Of a character at 9600 8N1, rounded up.
pub(crate) const CHAR_US: u64 = 1_042;
/// Turnaround of the meters.
const TURNAROUND_US: u64 = 35_000;

/// What the port does to the next bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    /// The write is refused before a byte left.
    WriteFails,
    /// The write fails after this many bytes.
    WriteFailsAfter(usize),
    /// The port ends.
    Ended,
}

#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) now_us: u64,
    pub(crate) bus: vm::VirtualBus,
    /// Bytes on their way to the master, by time of arrival.
    coming: VecDeque<(u64, Result<u8, ErrorKind>)>,
    /// Taken by the port, not yet on the line.
    shift: Vec<u8>,
    /// On the line since the pin went high.
    frame: Vec<u8>,
    pub(crate) driving: bool,
    /// Requests that reached the meters.
    pub(crate) requests: Vec<Vec<u8>>,
    /// What happened at the pin and the port, in order.
    pub(crate) log: Vec<(u64, &'static str)>,
    pub(crate) trouble: Trouble,
    /// Noise before each reply.
    pub(crate) noise: Vec<Result<u8, ErrorKind>>,
    /// How much later than usual the next reply comes.
    pub(crate) late_us: u64,
    /// Whether the next reply is lost.
    pub(crate) lose: bool,
    pub(crate) dropped_reads: usize,
    reader: Option<Waker>,
    sleeper: Option<(u64, Waker)>,
}

pub(crate) type Shared = Rc<RefCell<Line>>;

/// The key of the meter at unit 2. Invented.
pub(crate) const KEY: [u16; 4] = [0x1111, 0x2222, 0x3333, 0x4444];

/// Meters at units 1 and 2 with a balance of 500.00 and 12 sales. The one at unit 2 takes sales and settings enciphered.
pub(crate) fn line() -> Shared {
    let pace = vm::Line::new(9600);
    let mut bus = vm::VirtualBus::new(vm::FaultInjector::new(vm::Faults::NONE, 0), Some(pace));
    for unit in [1, 2] {
        let number = [2, 0, 2, 6, 0, 3, 0, 5, 0, 0, 1, unit];
        let mut setup = vm::MeterSetup::new(vm::Model::Dtsy1352, unit, number, START_MS);
        (setup.prepay_enabled, setup.remaining_cents, setup.purchase_count) = (true, 50_000, 12);
        setup.cipher_key = (unit == 2).then_some(KEY);
        bus.add(vm::VirtualMeter::new(&setup, vm::MeterOptions::default()).unwrap()).unwrap();
    }
    Rc::new(RefCell::new(Line {
        now_us: 0,
        bus,
        coming: VecDeque::new(),
        shift: Vec::new(),
        frame: Vec::new(),
        driving: false,
        requests: Vec::new(),
        log: Vec::new(),
        trouble: Trouble::None,
        noise: Vec::new(),
        late_us: 0,
        lose: false,
        dropped_reads: 0,
        reader: None,
        sleeper: None,
    }))
}

impl Line {
    fn note(&mut self, what: &'static str) {
        self.log.push((self.now_us, what));
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        match self.trouble {
            Trouble::WriteFails => return Err(ErrorKind::Other),
            Trouble::WriteFailsAfter(0) => return Err(ErrorKind::Other),
            Trouble::WriteFailsAfter(left) => {
                let taken = left.min(bytes.len());
                self.trouble = Trouble::WriteFailsAfter(left - taken);
                self.note("write");
                self.shift.extend(&bytes[..taken]);
                return Ok(taken);
            }
            Trouble::None | Trouble::Ended => {}
        }
        self.note("write");
        // As a FIFO of 16 bytes would take it.
        let taken = bytes.len().min(16);
        self.shift.extend(&bytes[..taken]);
        Ok(taken)
    }

    /// The shift register empties onto the line, if the transceiver drives it.
    fn flush(&mut self) {
        self.now_us += CHAR_US * self.shift.len() as u64;
        let sent = std::mem::take(&mut self.shift);
        if self.driving {
            self.frame.extend(sent);
        }
        self.note("flush");
    }

    fn set_direction(&mut self, high: bool) {
        self.driving = high;
        self.note(if high { "high" } else { "low" });
        if high {
            self.frame.clear();
            return;
        }
        // What was still in the shift register when the pin fell never got out.
        self.shift.clear();
        let frame = std::mem::take(&mut self.frame);
        if frame.is_empty() {
            return;
        }
        let sent_us = self.now_us;
        self.requests.push(frame.clone());
        let now_ms = START_MS + i64::try_from(self.now_us / 1_000).unwrap();
        let deliveries = self.bus.request(now_ms, &frame).deliveries;
        let late_us = std::mem::take(&mut self.late_us);
        if std::mem::take(&mut self.lose) {
            return;
        }
        for delivery in deliveries {
            let mut at_us = sent_us + TURNAROUND_US + late_us;
            let noise = self.noise.iter().copied();
            for item in noise.chain(delivery.bytes.into_iter().map(Ok)) {
                at_us += CHAR_US;
                self.coming.push_back((at_us, item));
            }
        }
    }

    fn arrived(&mut self) -> bool {
        self.trouble == Trouble::Ended || self.coming.front().is_some_and(|(at_us, _)| *at_us <= self.now_us)
    }

    /// What has come.
    fn read(&mut self, room: &mut [u8]) -> Result<usize, ErrorKind> {
        if self.trouble == Trouble::Ended {
            return Ok(0);
        }
        let mut len = 0;
        while len < room.len() && self.arrived() {
            match self.coming.pop_front().unwrap().1 {
                Ok(byte) => room[len] = byte,
                Err(error) if len == 0 => return Err(error),
                Err(error) => {
                    self.coming.push_front((self.now_us, Err(error)));
                    break;
                }
            }
            len += 1;
        }
        Ok(len)
    }

    /// Noise that comes of itself.
    pub(crate) fn stray(&mut self, at_us: u64, bytes: &[u8]) {
        self.coming.extend(bytes.iter().map(|byte| (at_us, Ok(*byte))));
    }

    /// The world moves on to the next thing that happens. Returns whether there is one.
    pub(crate) fn next(&mut self) -> bool {
        let byte = self.coming.front().map(|(at_us, _)| *at_us).filter(|_| self.reader.is_some());
        let sleeper = self.sleeper.as_ref().map(|(at_us, _)| *at_us);
        let Some(next_us) = [byte, sleeper].into_iter().flatten().min() else { return false };
        self.now_us = self.now_us.max(next_us);
        if self.arrived()
            && let Some(waker) = self.reader.take()
        {
            waker.wake();
        }
        if sleeper.is_some_and(|at_us| at_us <= self.now_us)
            && let Some((_, waker)) = self.sleeper.take()
        {
            waker.wake();
        }
        true
    }
}

#[derive(Debug)]
pub(crate) struct Port(pub(crate) Shared);
#[derive(Debug)]
pub(crate) struct De(pub(crate) Shared);
#[derive(Debug)]
pub(crate) struct Delay(pub(crate) Shared);

impl ErrorType for Port {
    type Error = ErrorKind;
}
impl Read for Port {
    fn read(&mut self, room: &mut [u8]) -> Result<usize, ErrorKind> {
        assert!(self.0.borrow_mut().arrived(), "a read that would block for ever");
        self.0.borrow_mut().read(room)
    }
}
impl ReadReady for Port {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        Ok(self.0.borrow_mut().arrived())
    }
}
impl Write for Port {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        self.0.borrow_mut().flush();
        Ok(())
    }
}
impl PinErrorType for De {
    type Error = Infallible;
}
impl OutputPin for De {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.0.borrow_mut().set_direction(false);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.0.borrow_mut().set_direction(true);
        Ok(())
    }
}
impl embedded_hal::delay::DelayNs for Delay {
    fn delay_ns(&mut self, ns: u32) {
        self.0.borrow_mut().now_us += u64::from(ns).div_ceil(1_000);
    }
}

impl embedded_hal_async::delay::DelayNs for Delay {
    async fn delay_ns(&mut self, ns: u32) {
        self.sleep(u64::from(ns).div_ceil(1_000)).await;
    }

    async fn delay_us(&mut self, us: u32) {
        self.sleep(us.into()).await;
    }
}

impl Delay {
    fn sleep(&self, us: u64) -> impl Future<Output = ()> + use<> {
        let line = self.0.clone();
        let until_us = line.borrow().now_us + us;
        std::future::poll_fn(move |context| {
            let mut line = line.borrow_mut();
            if line.now_us >= until_us {
                return Poll::Ready(());
            }
            line.sleeper = Some((until_us, context.waker().clone()));
            Poll::Pending
        })
    }
}

/// The receiving half of the async port. A read that is dropped while it waits is counted.
pub(crate) struct Receiver(pub(crate) Shared);

struct Reading<'r> {
    line: Shared,
    room: &'r mut [u8],
    waiting: bool,
}

impl Future for Reading<'_> {
    type Output = Result<usize, ErrorKind>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut line = this.line.borrow_mut();
        if line.arrived() {
            this.waiting = false;
            return Poll::Ready(line.read(this.room));
        }
        line.reader = Some(context.waker().clone());
        this.waiting = true;
        Poll::Pending
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        if self.waiting {
            self.line.borrow_mut().dropped_reads += 1;
        }
    }
}

impl ErrorType for Receiver {
    type Error = ErrorKind;
}
impl embedded_io_async::Read for Receiver {
    async fn read(&mut self, room: &mut [u8]) -> Result<usize, ErrorKind> {
        Reading { line: self.0.clone(), room, waiting: false }.await
    }
}
impl embedded_io_async::Write for Port {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.0.borrow_mut().write(bytes)
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        // The shift register takes its time.
        let us = CHAR_US * self.0.borrow().shift.len() as u64;
        Delay(self.0.clone()).sleep(us).await;
        let mut line = self.0.borrow_mut();
        line.now_us -= us;
        line.flush();
        Ok(())
    }
}

/// Notes that somebody wants to be polled again.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Runs a future; the world moves on whenever nothing else can.
pub(crate) fn block_on<F: Future>(line: &Shared, future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Waker::from(woken.clone());
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        if woken.0.swap(false, Ordering::SeqCst) {
            continue;
        }
        assert!(line.borrow_mut().next(), "everybody waits and nothing will happen");
    }
}
