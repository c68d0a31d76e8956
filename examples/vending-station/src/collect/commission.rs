//! The first work on a meter: which one is it, what is it set to, what does it show. Settings are written only where they
//! differ, and count only when the meter shows them.

use crate::local_time;
use chrono::{Datelike, Timelike};
use meter_protocol::{
    acrel::{Clock, DayTable, DayTableNumber, ForceMode, MicroPrices, Model, PrepayBlock, Profile, Settings, Slot},
    client::tokio::{Client, MeterError, ReplyBuffer, TransactError},
    wire::Registers,
};
use prepay_core::{
    id::MeterNumber,
    reading::{Rates, TooManyRates},
    settlement::MeterPrices,
};
use std::sync::Arc;
use tokio::net::TcpStream;

/// A clock that is further off than this is set.
const CLOCK_DRIFT_MAX_S: i64 = 30;
/// The prepay block: its first register and how many it has.
pub const PREPAY: (u16, u16) = (0x0400, 25);

/// What a meter has to be and to hold before money goes into it.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Its number.
    pub number: MeterNumber,
    /// Its model.
    pub model: Model,
    /// Its own prepaid function.
    pub prepaid: bool,
    /// Alarm levels, minor units; with the prepaid function.
    pub alarms_minor: [u32; 2],
    /// Prices; with the prepaid function.
    pub prices: Option<MicroPrices>,
    /// When which rate applies, where the meter has to count by rate.
    pub day: Option<Vec<Slot>>,
}

/// Why a meter is not ready.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommissionError {
    /// The line failed, or a write is not allowed before a bench test.
    #[error(transparent)]
    Meter(#[from] MeterError),
    /// Another meter answers at this address.
    #[error("meter {shown} answers where {wanted} was expected")]
    OtherMeter {
        /// The expected one.
        wanted: MeterNumber,
        /// The one that answered.
        shown: String,
    },
    /// Another model answers.
    #[error("the meter is a {shown}, expected was a {wanted}")]
    OtherModel {
        /// The expected one.
        wanted: Model,
        /// The one that answered.
        shown: Model,
    },
    /// The meter does not show what was written.
    #[error("{setting} was written, but the meter shows something else")]
    NotTaken {
        /// The setting.
        setting: &'static str,
    },
    /// More prices than the core takes.
    #[error(transparent)]
    Rates(#[from] TooManyRates),
}

impl From<TransactError> for CommissionError {
    fn from(error: TransactError) -> Self {
        Self::Meter(error.into())
    }
}

/// Makes one meter ready and returns its prepay block as read back.
///
/// # Errors
/// [`CommissionError`]; the meter is then tried again later, from the start.
pub async fn commission(
    client: &mut Client<TcpStream>,
    unit: u8,
    wanted: &Wanted,
    profile: &Profile,
    now_utc_s: i64,
    utc_offset_min: i32,
) -> Result<Arc<[u8]>, CommissionError> {
    let model = client.confirm_model(unit).await?;
    if model.value() != wanted.model {
        return Err(CommissionError::OtherModel { wanted: wanted.model, shown: model.value() });
    }
    let number = client.read_meter_number(unit).await?.to_string();
    if number != wanted.number.to_string() {
        return Err(CommissionError::OtherMeter { wanted: wanted.number, shown: number });
    }
    set_clock(client, unit, now_utc_s, utc_offset_min).await?;
    if let Some(day) = &wanted.day {
        // Both tables hold the same day, so that whatever the date table chooses is right.
        let table = DayTable::new(profile, day).map_err(MeterError::from)?;
        for number in [DayTableNumber::First, DayTableNumber::Second] {
            if client.read_day_table(&model, number).await?.raw().as_flattened() != table.bytes() {
                client.write_day_table(&model, number, &table).await?;
                if client.read_day_table(&model, number).await?.raw().as_flattened() != table.bytes() {
                    return Err(CommissionError::NotTaken { setting: "the day table" });
                }
            }
        }
    }
    if !holds(&client.read_prepay(unit).await?, wanted, profile)? {
        client.write_settings(unit, &settings(wanted, profile)?).await?;
    }
    let (address, count) = PREPAY;
    let mut buffer = ReplyBuffer::new();
    let prepay: Arc<[u8]> = client.read_registers(unit, address, count, &mut buffer).await?.bytes().into();
    confirmed(&prepay, wanted, profile)?;
    if client.read_force(unit).await?.mode() != Some(ForceMode::Prepaid) {
        client.write_force(unit, ForceMode::Prepaid).await?;
        if client.read_force(unit).await?.mode() != Some(ForceMode::Prepaid) {
            return Err(CommissionError::NotTaken { setting: "the force mode" });
        }
    }
    Ok(prepay)
}

fn settings(wanted: &Wanted, profile: &Profile) -> Result<Settings, MeterError> {
    let settings = Settings::new().enable(wanted.prepaid);
    if !wanted.prepaid {
        return Ok(settings);
    }
    let [alarm_1, alarm_2] = wanted.alarms_minor;
    let settings = settings.alarms(alarm_1, alarm_2).overdraft(0);
    match wanted.prices {
        Some(prices) => Ok(settings.prices(profile, prices)?),
        None => Ok(settings),
    }
}

/// Whether the meter holds what is wanted.
fn holds(shown: &PrepayBlock, wanted: &Wanted, profile: &Profile) -> Result<bool, MeterError> {
    if shown.enabled() != wanted.prepaid {
        return Ok(false);
    }
    if !wanted.prepaid {
        return Ok(true);
    }
    let prices = match wanted.prices {
        None => true,
        Some(prices) => {
            let shown = shown.prices.micro(profile).map_err(meter_protocol::acrel::BuildError::from)?;
            shown == [prices.spike, prices.peak, prices.flat, prices.valley]
        }
    };
    let alarms = [shown.alarm_1_minor, shown.alarm_2_minor] == wanted.alarms_minor;
    Ok(prices && alarms && shown.overdraft_minor == 0)
}

/// The prices of a meter whose prepay block holds what is wanted, if the scale of its registers is settled.
///
/// # Errors
/// [`CommissionError::NotTaken`] for a block that does not hold it; those of a block that is none.
pub fn confirmed(registers: &[u8], wanted: &Wanted, profile: &Profile) -> Result<Option<MeterPrices>, CommissionError> {
    let unclear = CommissionError::NotTaken { setting: "a setting of the prepaid function" };
    let Ok(registers) = Registers::holding(PREPAY.0, registers) else { return Err(unclear) };
    let prepay = PrepayBlock::from_registers(&registers).map_err(MeterError::from)?;
    if !holds(&prepay, wanted, profile)? {
        return Err(unclear);
    }
    let Some(decimals) = profile.price_decimals else { return Ok(None) };
    let prices = &prepay.prices;
    let raw = [prices.spike_raw, prices.peak_raw, prices.flat_raw, prices.valley_raw].map(u64::from);
    Ok(Some(MeterPrices { decimals: decimals.get(), raw: Rates::new(&raw)? }))
}

/// Sets the clock if it is off: the meter counts by rate with it.
async fn set_clock(
    client: &mut Client<TcpStream>,
    unit: u8,
    now_utc_s: i64,
    utc_offset_min: i32,
) -> Result<(), CommissionError> {
    let block = client.read_realtime(unit).await?;
    let drift = super::reading::clock_drift_s(&block, now_utc_s, utc_offset_min);
    if drift.is_some_and(|drift| drift.abs() <= CLOCK_DRIFT_MAX_S) {
        return Ok(());
    }
    let local = local_time::at(now_utc_s, utc_offset_min).and_then(|local| {
        let narrow = |value: u32| u8::try_from(value).ok();
        Clock::new(
            u16::try_from(local.year()).ok()?,
            narrow(local.month())?,
            narrow(local.day())?,
            narrow(local.hour())?,
            narrow(local.minute())?,
            narrow(local.second())?,
        )
        .ok()
    });
    let Some(local) = local else { return Err(CommissionError::NotTaken { setting: "the clock" }) };
    client.write_clock(unit, &local).await?;
    // The meter's clock has gone on since, so the day is compared and not the second.
    match client.read_realtime(unit).await?.clock {
        Ok(shown) if (shown.year(), shown.month(), shown.day()) == (local.year(), local.month(), local.day()) => Ok(()),
        _ => Err(CommissionError::NotTaken { setting: "the clock" }),
    }
}
