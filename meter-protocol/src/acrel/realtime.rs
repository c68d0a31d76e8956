//! The realtime block, 03H @0200H: energies, balance, purchase count, status and clock in one read.

use super::clock::{self, in_range};
use super::profile::settled;
use super::{
    BenchTest, BlockError, Clock, ClockError, EnergySide, Model, Profile, StatusWord1, StatusWord2, Unsettled,
};
use crate::wire::{Exception, ExceptionCode, Registers, Request};

const BLOCK: &str = "realtime block";
const ADDRESS: u16 = 0x0200;
const FOUR_RATE_REGISTERS: u16 = 48;
const EIGHT_RATE_REGISTERS: u16 = 72;

/// Which of its two layouts a meter's firmware uses: a fact of the meter, learned once by asking for 72 registers
/// (exception 02 means 48).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum RealtimeLayout {
    /// 48 registers: four rates, a clock with weekday, maximum demand.
    FourRate,
    /// 72 registers: deep-valley energy at 0230H, a clock without weekday.
    EightRate,
}

impl RealtimeLayout {
    /// Registers of the block.
    #[must_use]
    pub const fn registers(self) -> u16 {
        match self {
            Self::FourRate => FOUR_RATE_REGISTERS,
            Self::EightRate => EIGHT_RATE_REGISTERS,
        }
    }

    /// The read of the block.
    #[must_use]
    pub const fn request(self) -> Request<'static> {
        match self {
            Self::FourRate => Request::read_fixed::<ADDRESS, FOUR_RATE_REGISTERS>(),
            Self::EightRate => Request::read_fixed::<ADDRESS, EIGHT_RATE_REGISTERS>(),
        }
    }

    /// The read that finds out: 72 registers. [`RealtimeLayout::detected`] judges the answer.
    pub const DETECT: Request<'static> = Self::EightRate.request();

    /// The layout by the answer to [`RealtimeLayout::DETECT`]: registers, or an exception. `None` for an exception that
    /// says nothing about it.
    #[must_use]
    pub fn detected(answer: Result<(), Exception>) -> Option<Self> {
        match answer {
            Ok(()) => Some(Self::EightRate),
            Err(Exception { code: ExceptionCode::ILLEGAL_ADDRESS | ExceptionCode::ILLEGAL_VALUE, .. }) => {
                Some(Self::FourRate)
            }
            Err(_) => None,
        }
    }

    /// The layout of an unsolicited upload with this many data bytes. For a polled meter the layout is known.
    #[must_use]
    pub const fn of_upload(byte_count: usize) -> Option<Self> {
        match byte_count {
            96 => Some(Self::FourRate),
            144 => Some(Self::EightRate),
            _ => None,
        }
    }
}

/// Energy registers in 0.01 kWh. They wrap at the register's width. With ratios other than 1 see
/// [`Realtime::energy_factor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct EnergyRegisters {
    /// 0215H: total.
    pub total_centikwh: u32,
    /// 0217H: spike rate.
    pub spike_centikwh: u32,
    /// 0219H: peak rate.
    pub peak_centikwh: u32,
    /// 021BH: flat rate.
    pub flat_centikwh: u32,
    /// 021DH: valley rate.
    pub valley_centikwh: u32,
    /// 0230H: deep-valley rate, on 8-rate firmware.
    pub deep_valley_centikwh: Option<u32>,
}

/// Maximum demand. No source states its scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Demand {
    /// The raw register.
    pub raw: u16,
    /// Minute when it occurred, as the meter gives it.
    pub minute: u8,
    /// Hour.
    pub hour: u8,
    /// Day.
    pub day: u8,
    /// Month; all four are 0 when there was none.
    pub month: u8,
}

/// Everything the realtime block says. Phase values are in the order A, B, C; a single-phase meter has A only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Realtime {
    /// 0200H.
    pub model: Model,
    /// 0201H: phase voltages, 0.1 V.
    pub voltage_decivolt: [u16; 3],
    /// 0204H: phase currents, 0.01 A.
    pub current_centiampere: [u16; 3],
    /// 0207H: active power of the phases, W.
    pub active_power_w: [i16; 3],
    /// 020AH: total active power, W.
    pub active_power_total_w: i16,
    /// 020BH: reactive power of the phases, var.
    pub reactive_power_var: [i16; 3],
    /// 020EH: total reactive power, var.
    pub reactive_power_total_var: i16,
    /// 020FH: power factors of the phases, 0.001.
    pub power_factor_permille: [i16; 3],
    /// 0212H: total power factor, 0.001.
    pub power_factor_total_permille: i16,
    /// 0213H: voltage transformer ratio.
    pub pt_ratio: u16,
    /// 0214H: current transformer ratio.
    pub ct_ratio: u16,
    /// 0215H to 021EH.
    pub energy: EnergyRegisters,
    /// 021FH: remaining amount, 0.01 account units; negative when overdrawn.
    pub remaining_minor: i32,
    /// 0221H: purchase count.
    pub purchase_count: u16,
    /// 0222H: trips by load control.
    pub load_trip_count: u16,
    /// 0223H: trips by load control that are allowed.
    pub load_trip_allowed_count: u16,
    /// 0224H.
    pub status_1: StatusWord1,
    /// 0225H.
    pub status_2: StatusWord2,
    /// 0226H: base (free) amount, 0.01 account units.
    pub base_free_minor: u32,
    /// 0228H: the clock. Out of range it is an error of this field only.
    pub clock: Result<Clock, ClockError>,
    /// 0229H: weekday as the meter shows it, Sunday 0; `None` on 8-rate firmware. [`Clock::weekday`] is the right one.
    pub weekday_shown: Option<u8>,
    /// 022BH: maximum demand; `None` on 8-rate firmware.
    pub demand: Option<Demand>,
}

impl Realtime {
    /// The read of the usual layout: 03H @0200H, 48 registers.
    pub const READ: Request<'static> = RealtimeLayout::FourRate.request();

    /// Parses the registers of a reply that starts at 0200H.
    ///
    /// # Errors
    /// [`BlockError::Missing`] for another address or function, [`BlockError::Length`].
    // Where it is called, so that the block is not written to memory and copied: as much work as reading it.
    #[inline(always)]
    pub fn from_registers(layout: RealtimeLayout, registers: &Registers<'_>) -> Result<Self, BlockError> {
        if registers.address() != ADDRESS || registers.function() != crate::wire::READ_HOLDING {
            let (address, count) = (registers.address(), registers.count());
            return Err(BlockError::Missing { block: BLOCK, address, count });
        }
        Self::parse(layout, registers.bytes())
    }

    /// Parses the data bytes of the block.
    ///
    /// # Errors
    /// [`BlockError::Length`].
    #[inline(always)]
    pub fn parse(layout: RealtimeLayout, data: &[u8]) -> Result<Self, BlockError> {
        let words = data.as_chunks::<2>().0;
        // 96 or 144 bytes.
        let expected = usize::from(layout.registers()).saturating_mul(2);
        let common = words.first_chunk::<48>();
        let (Some(common), true) = (common, data.len() == expected) else {
            return Err(BlockError::Length { block: BLOCK, expected, actual: data.len() });
        };
        let deep_valley = words.get(48..50).map(|pairs| match pairs {
            [high, low] => long(*high, *low),
            _ => 0,
        });
        Ok(Self::from_words(layout, common, deep_valley))
    }

    #[inline(always)]
    fn from_words(layout: RealtimeLayout, w: &[[u8; 2]; 48], deep_valley_centikwh: Option<u32>) -> Self {
        let (clock, weekday_shown, demand) = match layout {
            RealtimeLayout::FourRate => {
                (clock_with_weekday(w[40], w[41], w[42], w[43]), Some(w[41][1]), Some(demand(w)))
            }
            RealtimeLayout::EightRate => (clock_without_weekday(w[40], w[41], w[42]), None, None),
        };
        Self {
            model: Model::from_code(word(w[0])),
            voltage_decivolt: [word(w[1]), word(w[2]), word(w[3])],
            current_centiampere: [word(w[4]), word(w[5]), word(w[6])],
            active_power_w: [signed(w[7]), signed(w[8]), signed(w[9])],
            active_power_total_w: signed(w[10]),
            reactive_power_var: [signed(w[11]), signed(w[12]), signed(w[13])],
            reactive_power_total_var: signed(w[14]),
            power_factor_permille: [signed(w[15]), signed(w[16]), signed(w[17])],
            power_factor_total_permille: signed(w[18]),
            pt_ratio: word(w[19]),
            ct_ratio: word(w[20]),
            energy: EnergyRegisters {
                total_centikwh: long(w[21], w[22]),
                spike_centikwh: long(w[23], w[24]),
                peak_centikwh: long(w[25], w[26]),
                flat_centikwh: long(w[27], w[28]),
                valley_centikwh: long(w[29], w[30]),
                deep_valley_centikwh,
            },
            remaining_minor: signed_long(w[31], w[32]),
            purchase_count: word(w[33]),
            load_trip_count: word(w[34]),
            load_trip_allowed_count: word(w[35]),
            status_1: StatusWord1(word(w[36])),
            status_2: StatusWord2(word(w[37])),
            base_free_minor: long(w[38], w[39]),
            clock,
            weekday_shown,
            demand,
        }
    }

    /// What the energy registers must be multiplied by to get consumption.
    ///
    /// # Errors
    /// [`Unsettled`] when a ratio is not 1 and the profile does not say which side the registers count.
    pub fn energy_factor(&self, profile: &Profile) -> Result<u32, Unsettled> {
        // A ratio of 0 is not set, which the meter treats as 1.
        let factor = u32::from(self.pt_ratio.max(1)).saturating_mul(u32::from(self.ct_ratio.max(1)));
        if factor == 1 {
            return Ok(1);
        }
        match settled(profile.energy_side, "whether energies contain CT and PT", BenchTest::EnergySide)? {
            EnergySide::Primary => Ok(1),
            EnergySide::Secondary => Ok(factor),
        }
    }
}

fn demand(w: &[[u8; 2]; 48]) -> Demand {
    Demand { raw: word([w[43][1], w[44][0]]), minute: w[44][1], hour: w[45][0], day: w[45][1], month: w[46][0] }
}

fn clock_with_weekday(a: [u8; 2], b: [u8; 2], c: [u8; 2], d: [u8; 2]) -> Result<Clock, ClockError> {
    in_range("weekday", b[1].into(), 0, 6)?;
    clock::from_bytes(a[0], a[1], b[0], [c[0], c[1], d[0]])
}

fn clock_without_weekday(a: [u8; 2], b: [u8; 2], c: [u8; 2]) -> Result<Clock, ClockError> {
    clock::from_bytes(a[0], a[1], b[0], [b[1], c[0], c[1]])
}

#[inline]
fn word(pair: [u8; 2]) -> u16 {
    u16::from_be_bytes(pair)
}

#[inline]
fn signed(pair: [u8; 2]) -> i16 {
    i16::from_be_bytes(pair)
}

#[inline]
fn long([a, b]: [u8; 2], [c, d]: [u8; 2]) -> u32 {
    u32::from_be_bytes([a, b, c, d])
}

#[inline]
fn signed_long([a, b]: [u8; 2], [c, d]: [u8; 2]) -> i32 {
    i32::from_be_bytes([a, b, c, d])
}
