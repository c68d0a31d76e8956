//! The meters' side: a virtual line with faults, served byte by byte over the socket that the gateway's UART is.

use meter_protocol::virtual_meter::{
    FaultInjector, Faults, Load, MeterOptions, MeterSetup, Model, RequestCut, SetupError, VirtualBus, VirtualMeter,
    cut_request,
};
use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Meters on the line.
pub const METERS: u8 = 32;
/// Three frames in a hundred go wrong in one way or another; what comes late comes within a tenth of a second.
const FAULTS: Faults = Faults { late_us: (5_000, 100_000), ..Faults::OLD_CABLE };

/// The line, seen from both sides.
#[derive(Clone)]
pub struct World(Arc<Mutex<VirtualBus>>);

impl World {
    /// A line with its meters.
    pub fn new(seed: u64, faults: bool) -> Result<Self, SetupError> {
        let injector = FaultInjector::new(if faults { FAULTS } else { Faults::NONE }, seed);
        let mut bus = VirtualBus::new(injector, None);
        let start_ms = now_ms();
        for unit in 1..=METERS {
            let mut setup = MeterSetup::new(Model::Dtsy1352, unit, number(unit), start_ms);
            setup.energies_centi_kwh = [0, u32::from(unit) * 1_000, 500, 0];
            setup.prepay_enabled = true;
            setup.remaining_cents = 100_000;
            setup.purchase_count = u16::from(unit);
            let mut meter = VirtualMeter::new(&setup, MeterOptions::default())?;
            meter.set_load(Load::new([400 * u16::from(unit), 0, 0], 950));
            // The bus has room for as many.
            let _ = bus.add(meter);
        }
        Ok(Self(Arc::new(Mutex::new(bus))))
    }

    /// Looks at the line.
    pub fn look<T>(&self, look: impl FnOnce(&VirtualBus) -> T) -> T {
        look(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Serves one connection until it ends.
    pub fn serve(&self, mut socket: TcpStream) -> std::io::Result<()> {
        socket.set_nodelay(true)?;
        let (mut stream, mut piece) = (Vec::new(), [0; 256]);
        loop {
            let count = socket.read(&mut piece)?;
            if count == 0 {
                return Ok(());
            }
            stream.extend_from_slice(&piece[..count]);
            loop {
                match cut_request(&stream) {
                    RequestCut::Incomplete => break,
                    RequestCut::Noise => drop(stream.remove(0)),
                    RequestCut::Frame(len) => {
                        let request: Vec<u8> = stream.drain(..len).collect();
                        self.exchange(&request, &socket)?;
                    }
                }
            }
        }
    }

    fn exchange(&self, request: &[u8], socket: &TcpStream) -> std::io::Result<()> {
        let begun = Instant::now();
        let exchange = self.0.lock().unwrap_or_else(PoisonError::into_inner).request(now_ms(), request);
        for delivery in exchange.deliveries {
            let due = begun + Duration::from_micros(delivery.delay_us);
            let mut socket = socket.try_clone()?;
            if delivery.delay_us == 0 {
                socket.write_all(&delivery.bytes)?;
            } else {
                // The line goes on meanwhile, as a real one would.
                thread::spawn(move || {
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                    // The connection may be gone by then.
                    let _ = socket.write_all(&delivery.bytes);
                });
            }
        }
        Ok(())
    }
}

/// The twelve digits of a unit's meter number.
pub fn number(unit: u8) -> [u8; 12] {
    [2, 0, 2, 6, 1, 1, 0, 0, 0, unit / 100, unit / 10 % 10, unit % 10]
}

/// The host's time.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
