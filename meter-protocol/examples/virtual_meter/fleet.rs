//! The meters, their line and their time.

use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use meter_protocol::virtual_meter::{
    Delivery, FaultInjector, Faults, Load, MeterOptions, MeterSetup, Model, PHASE_MAX_W, VirtualBus, VirtualMeter,
};
use meter_protocol::wire::crc::crc16;

/// 0.80 a kWh at the virtual meter's default scale of four decimals.
const PRICE_RAW: u32 = 8_000;

/// What the command line asks for.
pub(crate) struct Plan {
    pub(crate) units: Vec<u8>,
    pub(crate) model: Model,
    pub(crate) balance_cents: i32,
    pub(crate) power_w: u64,
    pub(crate) speed: u32,
    pub(crate) faults_seed: Option<u64>,
}

/// One line with its meters. Several connections share it, one request at a time.
pub(crate) struct Fleet {
    bus: Mutex<VirtualBus>,
    start_ms: i64,
    started: Instant,
    speed: u32,
}

impl Fleet {
    #[expect(clippy::disallowed_methods, reason = "a program has a clock; the library has none")]
    pub(crate) fn new(plan: &Plan) -> Result<Self, Box<dyn Error>> {
        let start_ms = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
        let faults = if plan.faults_seed.is_some() { Faults::OLD_CABLE } else { Faults::NONE };
        let mut bus = VirtualBus::new(FaultInjector::new(faults, plan.faults_seed.unwrap_or(0)), None);
        for unit in &plan.units {
            bus.add(meter(plan, *unit, start_ms)?)?;
        }
        Ok(Self { bus: Mutex::new(bus), start_ms, started: Instant::now(), speed: plan.speed })
    }

    /// Puts one RTU request on the line and returns what comes back, and after how long.
    #[expect(clippy::disallowed_methods, reason = "a program has a clock; the library has none")]
    pub(crate) fn request(&self, frame: &[u8]) -> Vec<Delivery> {
        let passed_ms = self.started.elapsed().as_millis().saturating_mul(self.speed.into());
        let now_ms = self.start_ms.saturating_add(i64::try_from(passed_ms).unwrap_or(i64::MAX));
        let mut bus = self.bus.lock().unwrap_or_else(PoisonError::into_inner);
        bus.request(now_ms, frame).deliveries
    }
}

fn meter(plan: &Plan, unit: u8, start_ms: i64) -> Result<VirtualMeter, Box<dyn Error>> {
    let mut number = [2, 0, 2, 6, 0, 0, 0, 0, 0, 0, 0, 0];
    for (place, digit) in number.iter_mut().rev().zip([unit % 10, unit / 10 % 10, unit / 100]) {
        *place = digit;
    }
    let mut setup = MeterSetup::new(plan.model, unit, number, start_ms);
    (setup.prepay_enabled, setup.remaining_cents) = (true, plan.balance_cents);
    let mut meter = VirtualMeter::new(&setup, MeterOptions::default())?;
    meter.serve(start_ms, &prices(unit));
    let w = plan.power_w;
    let phases = match plan.model {
        Model::Dtsy1352 => [w - 2 * (w / 3), w / 3, w / 3],
        Model::Ddsy1352 => [w, 0, 0],
    };
    let limit_w = u64::from(PHASE_MAX_W);
    if phases.iter().any(|phase_w| *phase_w > limit_w) {
        return Err(format!("a phase can carry at most {limit_w} W").into());
    }
    meter.set_load(Load::new(phases.map(|phase_w| u16::try_from(phase_w).unwrap_or(u16::MAX)), 1_000));
    Ok(meter)
}

/// The parameter frame that sets the four prices: flag in byte 29, then four numbers.
fn prices(unit: u8) -> Vec<u8> {
    let mut frame = vec![unit, 0x20, 0x02, 0x00, 0, 30, 60];
    frame.extend([0; 29]);
    frame.push(1);
    for _ in 0..4 {
        frame.extend(PRICE_RAW.to_be_bytes());
    }
    frame.resize(67, 0);
    frame.extend(crc16(&frame).to_le_bytes());
    frame
}

/// A power in kW as W.
pub(crate) fn watts(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no power in kW with at most three decimals");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.is_empty() || fraction.len() > 3 || !(whole.to_owned() + fraction).bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    format!("{whole}{fraction:0<3}").parse().map_err(|_| wrong())
}
