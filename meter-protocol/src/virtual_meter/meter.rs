//! The meter itself: its state, and how time passes for it.

use super::clock::{self, EARLIEST_MS, LATEST_MS, MeterClock};
use super::demand::Demand;
use super::load::Load;
use super::load_control::LoadControl;
use super::model::Model;
use super::options::{EnergyValues, Firmware, MeterOptions};
use super::purse::Purse;
use super::tables::{self, DateTable, DayTable};
use super::time_control::TimeControl;

/// Register units are 0.01 kWh; inside, energy is counted in mJ (1 W during 1 ms).
const MJ_PER_REGISTER_UNIT: u64 = 36_000_000;
/// Highest unit address of a meter on a bus.
pub const UNIT_MAX: u8 = 247;

/// How a meter comes into the world. Everything here is state that is kept from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeterSetup {
    /// The register map to answer with.
    pub model: Model,
    /// Address on the bus, 1 to [`UNIT_MAX`].
    pub unit: u8,
    /// The 12 digits of the meter number, as digits 0 to 9.
    pub number: [u8; 12],
    /// World time of the first moment, in milliseconds since 1970-01-01 UTC.
    pub start_ms: i64,
    /// How far local time is ahead of UTC, in minutes, -720 to 840.
    pub utc_offset_min: i32,
    /// Clock drift in parts per million, at most [`DRIFT_MAX_PPM`](super::DRIFT_MAX_PPM) to either side.
    pub drift_ppm: i32,
    /// Spike, peak, flat and valley energy so far, in 0.01 kWh.
    pub energies_centi_kwh: [u32; 4],
    /// Whether the purse in the meter is in use.
    pub prepay_enabled: bool,
    /// Remaining amount in 0.01 account units.
    pub remaining_cents: i32,
    /// Sales so far.
    pub purchase_count: u16,
    /// Key of the frame encryption, if it is on.
    pub cipher_key: Option<[u16; 4]>,
}

impl MeterSetup {
    /// A new meter: no energy, an empty purse that is not in use, clock at `start_ms` UTC.
    #[must_use]
    pub const fn new(model: Model, unit: u8, number: [u8; 12], start_ms: i64) -> Self {
        Self {
            model,
            unit,
            number,
            start_ms,
            utc_offset_min: 0,
            drift_ppm: 0,
            energies_centi_kwh: [0; 4],
            prepay_enabled: false,
            remaining_cents: 0,
            purchase_count: 0,
            cipher_key: None,
        }
    }
}

/// A [`MeterSetup`] that no meter can be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// Address outside the bus's range.
    #[error("unit {unit} is not in 1 to {UNIT_MAX}")]
    Unit {
        /// What was given.
        unit: u8,
    },
    /// A digit of the meter number is above 9.
    #[error("digit {position} of the meter number is {value}, not 0 to 9")]
    Number {
        /// Position from 0.
        position: usize,
        /// What was given.
        value: u8,
    },
    /// A start outside the years that the clock can show.
    #[error("start {start_ms} ms is not in {EARLIEST_MS} to {LATEST_MS}")]
    Start {
        /// What was given.
        start_ms: i64,
    },
    /// No time zone is that far from UTC.
    #[error("an offset of {minutes} min is not in -720 to 840")]
    Offset {
        /// What was given.
        minutes: i32,
    },
}

/// An Acrel DTSY1352-NK or DDSY1352-NK in software.
///
/// Two meters that were set up alike, saw the same loads and the same requests at the same times are equal,
/// however often [`advance`](Self::advance) was called in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct VirtualMeter {
    pub(super) options: MeterOptions,
    pub(super) model: Model,
    pub(super) unit: u8,
    pub(super) number_bcd: [u8; 6],
    pub(super) serial_ascii: [u8; 14],
    pub(super) time_ms: i64,
    pub(super) clock: MeterClock,
    pub(super) load: Load,
    energies_mj: [u64; 4],
    deep_valley_mj: u64,
    pub(super) demand: Demand,
    pub(super) purse: Purse,
    pub(super) load_control: LoadControl,
    pub(super) time_control: TimeControl,
    time_open: bool,
    pub(super) cipher_key: Option<[u16; 4]>,
    pub(super) forced: bool,
    pub(super) forced_open: bool,
    pub(super) fault: bool,
    pub(super) pt_ratio: u16,
    pub(super) ct_ratio: u16,
    pub(super) run_state: u16,
    pub(super) day_tables: [DayTable; 2],
    pub(super) date_table: DateTable,
    pub(super) relay_output_mode: u16,
    pub(super) relay_pulse_ms: u16,
    pub(super) relay_interval_s: u16,
    /// Words 0360H to 0364H except address and number, and 0365H to 0369H.
    pub(super) port_1_baud_index: u8,
    pub(super) port_1_format: [u8; 2],
    pub(super) port_2: [u16; 5],
}

impl VirtualMeter {
    /// Makes a meter that has just been powered.
    ///
    /// # Errors
    /// [`SetupError`] names the value that no meter can have.
    pub fn new(setup: &MeterSetup, options: MeterOptions) -> Result<Self, SetupError> {
        let MeterSetup { model, unit, start_ms, utc_offset_min: minutes, .. } = *setup;
        if unit == 0 || unit > UNIT_MAX {
            return Err(SetupError::Unit { unit });
        }
        if let Some((position, &value)) = setup.number.iter().enumerate().find(|(_, digit)| **digit > 9) {
            return Err(SetupError::Number { position, value });
        }
        if !(EARLIEST_MS..=LATEST_MS).contains(&start_ms) {
            return Err(SetupError::Start { start_ms });
        }
        if !(-720..=840).contains(&minutes) {
            return Err(SetupError::Offset { minutes });
        }
        let local_ms = start_ms.saturating_add(i64::from(minutes).saturating_mul(60_000));
        let (pairs, _) = setup.number.as_chunks::<2>();
        let mut number_bcd = [0; 6];
        for (byte, [high, low]) in number_bcd.iter_mut().zip(pairs) {
            *byte = (high << 4) | low;
        }
        let mut serial_ascii = *b"00000000000000";
        for (letter, digit) in serial_ascii.iter_mut().skip(2).zip(setup.number) {
            *letter = b'0' | digit;
        }
        let mut meter = Self {
            options,
            model,
            unit,
            number_bcd,
            serial_ascii,
            time_ms: start_ms,
            clock: MeterClock::set(start_ms, local_ms, setup.drift_ppm),
            load: Load::NONE.seen_by(model),
            energies_mj: setup.energies_centi_kwh.map(|units| u64::from(units).saturating_mul(MJ_PER_REGISTER_UNIT)),
            deep_valley_mj: 0,
            demand: Demand::default(),
            purse: Purse::new(setup.prepay_enabled, setup.remaining_cents, setup.purchase_count),
            load_control: LoadControl::default(),
            time_control: TimeControl::default(),
            time_open: false,
            cipher_key: setup.cipher_key,
            forced: false,
            forced_open: false,
            fault: false,
            pt_ratio: 1,
            ct_ratio: 1,
            // Multi-rate, relay inside; bit 5 tells encryption, bit 6 a DDSY.
            run_state: match (model, setup.cipher_key) {
                (Model::Dtsy1352, None) => 0x0001,
                (Model::Dtsy1352, Some(_)) => 0x0021,
                (Model::Ddsy1352, None) => 0x0041,
                (Model::Ddsy1352, Some(_)) => 0x0061,
            },
            day_tables: [DayTable::EMPTY; 2],
            date_table: DateTable::EMPTY,
            relay_output_mode: 0,
            relay_pulse_ms: 500,
            relay_interval_s: 30,
            port_1_baud_index: 3,
            port_1_format: [0, 0],
            port_2: [0x0103, 0, 0, 0, 0],
        };
        meter.settle();
        Ok(meter)
    }

    /// The model that was set up.
    #[must_use]
    pub const fn model(&self) -> Model {
        self.model
    }

    /// The unit address on the bus, 1 to [`UNIT_MAX`]. A write to the port settings changes it.
    #[must_use]
    pub const fn unit(&self) -> u8 {
        self.unit
    }

    /// How this meter takes the open points.
    #[must_use]
    pub const fn options(&self) -> &MeterOptions {
        &self.options
    }

    /// The world time up to which this meter has run, in milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn time_ms(&self) -> i64 {
        self.time_ms
    }

    /// Whether current can flow.
    #[must_use]
    pub const fn relay_closed(&self) -> bool {
        if self.forced {
            !self.forced_open
        } else {
            !self.purse.tripped && !self.load_control.is_open() && !self.time_open
        }
    }

    /// The register of the remaining amount, in 0.01 account units.
    #[must_use]
    pub fn remaining_cents(&self) -> i32 {
        self.purse.shown_cents(self.options.rounding)
    }

    /// The register of the purchase count.
    #[must_use]
    pub const fn purchase_count(&self) -> u16 {
        self.purse.count
    }

    /// Spike, peak, flat and valley energy behind the relay since the meter was made, in mJ.
    #[must_use]
    pub const fn energies_mj(&self) -> [u64; 4] {
        self.energies_mj
    }

    /// Deep-valley energy behind the relay since the meter was made, in mJ. Only 8-rate firmware counts any.
    #[must_use]
    pub const fn deep_valley_mj(&self) -> u64 {
        self.deep_valley_mj
    }

    /// Connects other consumers, from [`time_ms`](Self::time_ms) on.
    pub fn set_load(&mut self, load: Load) {
        self.load = load.seen_by(self.model);
        self.settle();
    }

    /// Sets the fault bit of status word 1 and writes nothing else.
    pub const fn set_fault(&mut self, fault: bool) {
        self.fault = fault;
    }

    /// Lets time pass up to `now_ms` (milliseconds since 1970-01-01 UTC): the load is metered into the rate that
    /// counts, paid from the purse, and cut off at the millisecond in which the purse is empty.
    ///
    /// An earlier time than [`time_ms`](Self::time_ms) changes nothing. The meter stands still after
    /// [`LATEST_MS`].
    pub fn advance(&mut self, now_ms: i64) {
        let end_ms = now_ms.min(LATEST_MS);
        while self.time_ms < end_ms {
            let (rate, border_ms) = self.rate_until();
            let to_ms = border_ms.min(end_ms);
            let trip_ms = if self.relay_closed() && !self.forced {
                self.purse.ms_until_trip(self.load.total_w(), rate, &self.options)
            } else {
                None
            };
            let to_ms = trip_ms.map_or(to_ms, |wait_ms| to_ms.min(self.time_ms.saturating_add(wait_ms.max(1))));
            self.run(to_ms, rate);
        }
    }

    /// The rate that counts now, and the world time up to which neither it nor the demand window changes and load
    /// control does not close the relay.
    fn rate_until(&self) -> (usize, i64) {
        let local_ms = self.clock.local_ms(self.time_ms);
        let MeterOptions { rate_codes, date_table, .. } = self.options;
        let (rate, until_ms) = tables::rate_at(local_ms, &self.day_tables, &self.date_table, rate_codes, date_table);
        let switch_ms = clock::at_minute(clock::midnight(local_ms), self.time_control.next_start(local_ms));
        let until_ms = until_ms.min(switch_ms);
        let border_ms = self.clock.world_ms(until_ms.min(Demand::window_end(local_ms)));
        let border_ms = self.load_control.close_at_ms().map_or(border_ms, |at_ms| at_ms.min(border_ms));
        (rate, border_ms.max(self.time_ms.saturating_add(1)))
    }

    /// One piece of constant power, rate and relay state.
    fn run(&mut self, to_ms: i64, rate: usize) {
        let span_ms = u64::try_from(to_ms.saturating_sub(self.time_ms)).unwrap_or(0);
        let energy_mj = if self.relay_closed() { self.load.total_w().saturating_mul(span_ms) } else { 0 };
        let register = self.energies_mj.get_mut(rate).unwrap_or(&mut self.deep_valley_mj);
        *register = register.saturating_add(energy_mj);
        self.purse.deduct(energy_mj, rate, self.options.price_scale);
        let from_local_ms = self.clock.local_ms(self.time_ms);
        self.demand.run(energy_mj, from_local_ms, self.clock.local_ms(to_ms));
        self.time_ms = to_ms;
        self.settle();
    }

    /// Brings the relay in line after time, money, load or settings have changed.
    pub(super) fn settle(&mut self) {
        self.purse.settle_latch(&self.options);
        self.time_open = self.time_control.is_open(self.clock.local_ms(self.time_ms));
        self.load_control.recover(self.time_ms);
        if self.relay_closed() && !self.forced {
            self.load_control.limit(self.time_ms, self.load.watts);
        }
    }

    /// Power fails and returns. What a real meter keeps is kept; force mode by its switch; the demand window starts
    /// again.
    pub fn power_cut(&mut self, now_ms: i64) {
        self.advance(now_ms);
        self.demand.restart_window();
        if !self.options.force_survives_power_cut {
            self.forced = false;
            self.forced_open = false;
        }
        self.settle();
    }

    /// Total, spike, peak, flat and valley as the registers show them, in 0.01 kWh. They wrap at 2^32.
    pub(super) fn energy_registers(&self) -> [u32; 5] {
        let total_mj = self.energies_mj.iter().fold(self.deep_valley_mj, |sum, mj| sum.saturating_add(*mj));
        let [spike, peak, flat, valley] = self.energies_mj.map(|mj| self.shown(mj));
        [self.shown(total_mj), spike, peak, flat, valley]
    }

    /// An energy as a register shows it, in 0.01 kWh.
    pub(super) fn shown(&self, mj: u64) -> u32 {
        let ratio = match self.options.energy_values {
            EnergyValues::Primary => 1,
            EnergyValues::Secondary => u64::from(self.pt_ratio).saturating_mul(u64::from(self.ct_ratio)).max(1),
        };
        let units = mj.checked_div(ratio).unwrap_or(0) / MJ_PER_REGISTER_UNIT;
        // A register pair wraps; the modulus makes the narrowing exact.
        u32::try_from(units % 0x1_0000_0000).unwrap_or(0)
    }

    pub(super) fn has_eight_rates(&self) -> bool {
        self.options.firmware == Firmware::EightRate
    }

    /// Whether sales and parameters come enciphered.
    pub(super) const fn is_encrypted(&self) -> bool {
        self.run_state & 0x0020 != 0
    }
}
