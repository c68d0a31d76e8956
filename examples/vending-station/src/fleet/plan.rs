//! What the virtual fleet consists of. The station's site file is turned into this; nothing else is shared.

use std::collections::HashSet;
use std::net::SocketAddr;

use meter_protocol::virtual_meter::{METERS_MAX, MeterOptions, Model, UNIT_MAX};

use super::FleetError;
use super::trade::Trade;

/// Most buses in a fleet.
pub(crate) const BUSES_MAX: usize = 1_024;
/// Highest rated power of a shop in W: the sum must fit the meter's signed register of 0.001 kW.
pub(crate) const RATED_MAX_W: u16 = 29_000;

/// The whole fleet.
#[derive(Debug, Clone)]
pub(crate) struct FleetPlan {
    /// Everything random follows from it. Used at first creation; later the seed in the world file counts.
    pub(crate) seed: u64,
    /// Fleet time at first creation, in seconds since 1970-01-01 UTC.
    pub(crate) start_utc_s: i64,
    /// How far the meters' clocks and the shops' habits are ahead of UTC, in minutes.
    pub(crate) utc_offset_min: i32,
    /// How the meters take the open points. Used when a meter is created.
    pub(crate) meter_options: MeterOptions,
    /// The lines, each behind a gateway of its own.
    pub(crate) buses: Vec<BusPlan>,
    /// The meters, each on one of the buses.
    pub(crate) meters: Vec<MeterPlan>,
}

/// One RS-485 line behind a TCP gateway.
#[derive(Debug, Clone)]
pub(crate) struct BusPlan {
    /// Unique name. Meters are kept by it, so that buses may be listed in another order at the next start.
    pub(crate) name: String,
    /// Where the gateway listens; port 0 takes any free one. May change between starts.
    pub(crate) listen: SocketAddr,
    /// Speed of the line in bits per second, 8N1. Only a paced fleet takes time for it.
    pub(crate) baud: u32,
}

/// One meter and the shop behind it.
#[derive(Debug, Clone)]
pub(crate) struct MeterPlan {
    /// Position in [`FleetPlan::buses`].
    pub(crate) bus: usize,
    /// Address on that bus, 1 to 247.
    pub(crate) unit: u8,
    /// 12 digits, unique in the fleet.
    pub(crate) number: String,
    /// Which register map it has.
    pub(crate) model: Model,
    /// What kind of shop draws power behind it.
    pub(crate) trade: Trade,
    /// Power at the busiest hour in W, 1 to [`RATED_MAX_W`].
    pub(crate) rated_w: u16,
    /// Whether the purse in the meter is in use. A shop whose credit is kept at the station has it off.
    pub(crate) prepaid: bool,
    /// What a kWh will roughly cost, in 0.0001 account units. Only the first balance is worked out with it.
    pub(crate) price_hint_per_kwh: u32,
    /// Roughly the balance at which alarm 1 will be set, in 0.01 account units. Only the first balance is worked out
    /// with it.
    pub(crate) alarm_1_hint_cents: u32,
}

impl MeterPlan {
    /// The digits of the number.
    pub(crate) fn digits(&self) -> Result<[u8; 12], FleetError> {
        let bad = || FleetError::Number { number: self.number.clone() };
        let mut digits = [0; 12];
        if self.number.len() != digits.len() {
            return Err(bad());
        }
        for (digit, letter) in digits.iter_mut().zip(self.number.bytes()) {
            *digit = letter.checked_sub(b'0').filter(|value| *value <= 9).ok_or_else(bad)?;
        }
        Ok(digits)
    }
}

impl FleetPlan {
    /// Refuses what no fleet can be: it names the first value that is out of place.
    pub(crate) fn check(&self) -> Result<(), FleetError> {
        if self.buses.len() > BUSES_MAX {
            return Err(FleetError::TooManyBuses { count: self.buses.len() });
        }
        let mut names = HashSet::new();
        for bus in &self.buses {
            if !names.insert(&bus.name) {
                return Err(FleetError::BusTwice { name: bus.name.clone() });
            }
            if bus.baud == 0 {
                return Err(FleetError::NoBaud { name: bus.name.clone() });
            }
        }
        let mut numbers = HashSet::new();
        let mut places = HashSet::new();
        let mut on_bus = vec![0_usize; self.buses.len()];
        for meter in &self.meters {
            let number = || meter.number.clone();
            meter.digits()?;
            let Some(count) = on_bus.get_mut(meter.bus) else {
                return Err(FleetError::NoSuchBus { number: number(), bus: meter.bus, buses: self.buses.len() });
            };
            *count += 1;
            if *count > METERS_MAX {
                return Err(FleetError::BusFull { name: self.buses[meter.bus].name.clone() });
            }
            if !numbers.insert(&meter.number) {
                return Err(FleetError::NumberTwice { number: number() });
            }
            if !(1..=UNIT_MAX).contains(&meter.unit) {
                return Err(FleetError::Unit { number: number(), unit: meter.unit });
            }
            if !places.insert((meter.bus, meter.unit)) {
                return Err(FleetError::UnitTwice { number: number(), unit: meter.unit });
            }
            if !(1..=RATED_MAX_W).contains(&meter.rated_w) {
                return Err(FleetError::RatedPower { number: number(), rated_w: meter.rated_w });
            }
        }
        Ok(())
    }
}
