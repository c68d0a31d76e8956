//! From a realtime block to a reading of the core: units change here and nowhere else.

use crate::local_time;
use meter_protocol::{
    acrel::{
        BlockError, Line, Profile, Realtime, RealtimeLayout, Unsettled,
        fields::{clock_four_rate, realtime},
    },
    plan::{self, Limits, LineTiming, PlanError, Read, Scratch},
    session::LineConfig,
    wire::Registers,
};
use prepay_core::{
    id::MeterNumber,
    money::Money,
    reading::{Force, MeterFlags, MeterReading, Rates, Registers as Energies, TooManyRates},
    time::Now,
};
use std::sync::Arc;

/// What most lines run at.
pub const USUAL_BAUD: u32 = 9600;
/// How long a meter takes to begin a reply, for weighing reads against each other.
const TURNAROUND_US: u32 = 35_000;

/// A status that can't be read in one piece.
#[derive(Debug, thiserror::Error)]
pub enum StatusReadError {
    /// The planner refuses.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Balance, purchase count and rate registers have to come from one frame.
    #[error("a status takes {reads} reads on this line, but it has to be one frame")]
    Split {
        /// How many.
        reads: usize,
    },
}

/// The read that fetches a whole status with the least time on this line.
///
/// # Errors
/// [`StatusReadError::Split`] where the meters take fewer registers at once than a status has.
pub fn status_read(line: &LineConfig, profile: &Profile) -> Result<Read, StatusReadError> {
    let known = [realtime::ALL, clock_four_rate::ALL];
    let limits = Limits::new(profile.max_read_registers, &known);
    let mut scratch = Scratch::new();
    let timing = LineTiming::new(line.pace, TURNAROUND_US);
    let plan = plan::plan(known.iter().copied().flatten(), &timing, &limits, &mut scratch)?;
    match plan.reads() {
        [only] => Ok(*only),
        several => Err(StatusReadError::Split { reads: several.len() }),
    }
}

/// A block that can't be billed.
#[derive(Debug, thiserror::Error)]
pub enum ReadingError {
    /// The registers are no status.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// Other registers than those of a status.
    #[error("{registers} registers from {address:04X}H are no status")]
    NoStatus {
        /// The first one.
        address: u16,
        /// How many.
        registers: usize,
    },
    /// The ratios are not 1 and nobody has settled what the registers count.
    #[error(transparent)]
    Unsettled(#[from] Unsettled),
    /// More rates than the core takes.
    #[error(transparent)]
    Rates(#[from] TooManyRates),
}

/// What the core needs of a block.
///
/// # Errors
/// [`ReadingError::Unsettled`] for a meter with transformer ratios on a site where the bench test was not made.
fn reading(block: &Realtime, meter: MeterNumber, profile: &Profile, taken: Now) -> Result<MeterReading, ReadingError> {
    let factor = u64::from(block.energy_factor(profile)?);
    let energy = &block.energy;
    // A register has 32 bits and the factor another 32: the product fits.
    let scaled = |centi_kwh: u32| u64::from(centi_kwh) * factor;
    let rates = [energy.spike_centikwh, energy.peak_centikwh, energy.flat_centikwh, energy.valley_centikwh];
    let mut rates = rates.map(scaled).to_vec();
    rates.extend(energy.deep_valley_centikwh.map(scaled));
    Ok(MeterReading {
        meter,
        purchase_count: block.purchase_count,
        balance: Money::from_minor(block.remaining_minor.into()),
        energy: Energies { total_centi_kwh: scaled(energy.total_centikwh), rates: Rates::new(&rates)? },
        relay_closed: block.status_1.relay_closed(),
        force: match (block.status_1.forced(), block.status_1.forced_closed(Line::L1)) {
            (false, _) => Force::Automatic,
            (true, true) => Force::On,
            (true, false) => Force::Off,
        },
        flags: MeterFlags {
            alarm_1: block.status_1.alarm_1(),
            alarm_2: block.status_1.alarm_2(),
            arrears: block.status_1.arrears(),
            overload: block.status_1.overload(),
            fault: block.status_1.fault(),
        },
        prepaid_enabled: block.status_2.prepaid_enabled(),
        taken,
    })
}

/// What one status of a meter shows: the registers as they came, what the core counts with, and what the pages show besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The reading.
    pub reading: MeterReading,
    /// Active power, W.
    pub power_w: i64,
    /// Voltage of the first line, 0.1 V.
    pub voltage_dv: i64,
    /// Status words.
    pub status: [u16; 2],
    /// The meter's clock less ours, if it could be read.
    pub clock_drift_s: Option<i64>,
    /// The registers as they came, from the first one of a status on.
    pub registers: Arc<[u8]>,
    /// How long the meter took to answer, milliseconds; 0 where nobody measured it.
    pub response_ms: u16,
}

/// How the meters of a site are read.
#[derive(Debug, Clone)]
pub struct Spectacles {
    /// What the bench tests have settled.
    pub profile: Profile,
    /// Local time minus UTC, minutes.
    pub utc_offset_min: i32,
}

impl Spectacles {
    /// Reads the registers of a status, which the meter `meter` showed at `taken`.
    ///
    /// # Errors
    /// [`ReadingError`] for registers that are no status, or can't be billed.
    pub fn read(&self, registers: &Registers<'_>, meter: MeterNumber, taken: Now) -> Result<Shown, ReadingError> {
        let block = Realtime::from_registers(RealtimeLayout::FourRate, registers)?;
        let reading = reading(&block, meter, &self.profile, taken)?;
        Ok(Shown {
            power_w: block.active_power_total_w.into(),
            voltage_dv: block.voltage_decivolt[0].into(),
            status: [block.status_1.0, block.status_2.0],
            clock_drift_s: clock_drift_s(&block, taken.utc_s, self.utc_offset_min),
            registers: registers.bytes().into(),
            response_ms: 0,
            reading,
        })
    }
}

/// The meter's clock less ours in seconds; none if the meter shows no valid time.
pub fn clock_drift_s(block: &Realtime, now_utc_s: i64, utc_offset_min: i32) -> Option<i64> {
    let clock = block.clock.ok()?;
    let shown = chrono::NaiveDate::from_ymd_opt(clock.year().into(), clock.month().into(), clock.day().into())?
        .and_hms_opt(clock.hour().into(), clock.minute().into(), clock.second().into())?;
    Some(local_time::to_utc_s(shown, utc_offset_min)? - now_utc_s)
}
