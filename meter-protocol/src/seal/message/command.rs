//! What a station orders. A command is done at most once, however often it arrives: see the id.

use super::codec::{Reader, Writer, in_range};
use super::{MAX_BLOCK_LEN, MessageError, MessageId, MeterRef};
use crate::acrel::{BuildError, ForceMode, MicroPrices, MoneyOverwrite, Profile, Settings};

/// Do this to a meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "built by the caller")]
pub struct Command {
    /// The meter. Another number at its place: refuse.
    pub meter: MeterRef,
    /// After this moment (UTC seconds since 1970) the command is not begun any more but refused as expired.
    pub not_after_utc_s: i64,
    /// What to do.
    pub order: Order,
}

/// What to do. Amounts in 0.01 account units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// 1: read registers now, function 03H.
    Read {
        /// The first register.
        address: u16,
        /// How many, 1 to 125.
        count: u8,
    },
    /// 2: sell. Only if the meter shows `count_before`; sent once.
    Sale {
        /// The amount, 1 to 2147483647.
        amount_minor: u32,
        /// The purchase count that the meter must show before.
        count_before: u16,
    },
    /// 3: overwrite money, for refund (退电) and reversal (冲正). Only if the meter shows `count_before`; sent once.
    Overwrite {
        /// The purchase count that the meter must show before.
        count_before: u16,
        /// The new remaining amount.
        remaining_minor: i32,
        /// The new purchase count.
        count: u16,
    },
    /// 4: change settings that can't touch money.
    Settings(SettingsOrder),
    /// 5: control the relay.
    Force(ForceMode),
    /// 6: set the meter's clock to the collector's.
    SetClock,
}

/// Settings to change; what is `None` stays. The station's prices; the collector's profile knows the meter's scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "built by the caller")]
pub struct SettingsOrder {
    /// The meter's own prepaid function.
    pub enable: Option<bool>,
    /// Base (free) amount.
    pub base_free_minor: Option<u32>,
    /// Levels of alarm 1 and alarm 2.
    pub alarms_minor: Option<(u32, u32)>,
    /// Overdraft limit.
    pub overdraft_minor: Option<u32>,
    /// Prices of the four rates.
    pub prices: Option<MicroPrices>,
}

impl SettingsOrder {
    /// The write for a meter of this profile.
    ///
    /// # Errors
    /// [`BuildError`], for prices: see [`Settings::prices`].
    pub fn settings(&self, profile: &Profile) -> Result<Settings, BuildError> {
        let mut settings = Settings::new();
        if let Some(on) = self.enable {
            settings = settings.enable(on);
        }
        if let Some(amount_minor) = self.base_free_minor {
            settings = settings.base_free(amount_minor);
        }
        if let Some((alarm_1_minor, alarm_2_minor)) = self.alarms_minor {
            settings = settings.alarms(alarm_1_minor, alarm_2_minor);
        }
        if let Some(limit_minor) = self.overdraft_minor {
            settings = settings.overdraft(limit_minor);
        }
        match self.prices {
            Some(prices) => settings.prices(profile, prices),
            None => Ok(settings),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, MessageError> {
        let set = reader.byte()?;
        in_range("which settings", set.into(), 1, 0x1F)?;
        let has = |bit: u8| set & bit != 0;
        let mut order = Self::default();
        if has(ENABLE) {
            order.enable = Some(reader.flag("prepay enable")?);
        }
        if has(BASE_FREE) {
            order.base_free_minor = Some(reader.u32()?);
        }
        if has(ALARMS) {
            order.alarms_minor = Some((reader.u32()?, reader.u32()?));
        }
        if has(OVERDRAFT) {
            order.overdraft_minor = Some(reader.u32()?);
        }
        if has(PRICES) {
            let (spike, peak) = (reader.u64()?, reader.u64()?);
            order.prices = Some(MicroPrices { spike, peak, flat: reader.u64()?, valley: reader.u64()? });
        }
        Ok(order)
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), MessageError> {
        let bits = [
            (self.enable.is_some(), ENABLE),
            (self.base_free_minor.is_some(), BASE_FREE),
            (self.alarms_minor.is_some(), ALARMS),
            (self.overdraft_minor.is_some(), OVERDRAFT),
            (self.prices.is_some(), PRICES),
        ];
        let set = bits.into_iter().filter(|(there, _)| *there).fold(0, |set, (_, bit)| set | bit);
        in_range("which settings", u64::from(set), 1, 0x1F)?;
        writer.bytes(&[set])?;
        if let Some(on) = self.enable {
            writer.bytes(&[on.into()])?;
        }
        let (first, second) = self.alarms_minor.unzip();
        for amount_minor in [self.base_free_minor, first, second, self.overdraft_minor].into_iter().flatten() {
            writer.bytes(&amount_minor.to_be_bytes())?;
        }
        if let Some(MicroPrices { spike, peak, flat, valley }) = self.prices {
            for price in [spike, peak, flat, valley] {
                writer.bytes(&price.to_be_bytes())?;
            }
        }
        Ok(())
    }
}

const ENABLE: u8 = 1;
const BASE_FREE: u8 = 2;
const ALARMS: u8 = 4;
const OVERDRAFT: u8 = 8;
const PRICES: u8 = 16;

impl Order {
    /// The write of an [`Order::Overwrite`].
    #[must_use]
    pub fn overwrite(&self) -> Option<MoneyOverwrite> {
        match *self {
            Self::Overwrite { remaining_minor, count, .. } => {
                Some(MoneyOverwrite::new().remaining(remaining_minor).purchase_count(count))
            }
            _ => None,
        }
    }

    /// Whether it moves money: such an order is sent to the meter once and judged by reading.
    #[must_use]
    pub const fn moves_money(&self) -> bool {
        matches!(self, Self::Sale { .. } | Self::Overwrite { .. })
    }

    /// None for an order of a later version.
    fn read(code: u8, reader: &mut Reader<'_>) -> Result<Option<Self>, MessageError> {
        Ok(Some(match code {
            1 => {
                let (address, count) = (reader.u16()?, reader.byte()?);
                in_range("registers", count.into(), 1, MAX_BLOCK_LEN as u64 / 2)?;
                Self::Read { address, count }
            }
            2 => {
                let (amount_minor, count_before) = (reader.u32()?, reader.u16()?);
                in_range("amount of the sale", amount_minor.into(), 1, MAX_AMOUNT_MINOR)?;
                Self::Sale { amount_minor, count_before }
            }
            3 => {
                let (count_before, remaining) = (reader.u16()?, reader.array()?);
                let remaining_minor = i32::from_be_bytes(remaining);
                Self::Overwrite { count_before, remaining_minor, count: reader.u16()? }
            }
            4 => Self::Settings(SettingsOrder::read(reader)?),
            5 => Self::Force(force_mode(reader.byte()?)?),
            6 => Self::SetClock,
            _ => return Ok(None),
        }))
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), MessageError> {
        match *self {
            Self::Read { address, count } => {
                in_range("registers", count.into(), 1, MAX_BLOCK_LEN as u64 / 2)?;
                writer.bytes(&[1])?;
                writer.bytes(&address.to_be_bytes())?;
                writer.bytes(&[count])
            }
            Self::Sale { amount_minor, count_before } => {
                in_range("amount of the sale", amount_minor.into(), 1, MAX_AMOUNT_MINOR)?;
                writer.bytes(&[2])?;
                writer.bytes(&amount_minor.to_be_bytes())?;
                writer.bytes(&count_before.to_be_bytes())
            }
            Self::Overwrite { count_before, remaining_minor, count } => {
                writer.bytes(&[3])?;
                writer.bytes(&count_before.to_be_bytes())?;
                writer.bytes(&remaining_minor.to_be_bytes())?;
                writer.bytes(&count.to_be_bytes())
            }
            Self::Settings(settings) => {
                writer.bytes(&[4])?;
                settings.write(writer)
            }
            Self::Force(mode) => {
                let code = match mode {
                    ForceMode::Prepaid => 0,
                    ForceMode::SupplyOn => 1,
                    ForceMode::SupplyOff => 2,
                };
                writer.bytes(&[5, code])
            }
            Self::SetClock => writer.bytes(&[6]),
        }
    }
}

/// As for a purchase: the balance is a signed 32-bit number.
const MAX_AMOUNT_MINOR: u64 = i32::MAX.unsigned_abs() as u64;

fn force_mode(code: u8) -> Result<ForceMode, MessageError> {
    in_range("force mode", code.into(), 0, 2)?;
    Ok(match code {
        0 => ForceMode::Prepaid,
        1 => ForceMode::SupplyOn,
        _ => ForceMode::SupplyOff,
    })
}

impl Command {
    pub(super) fn read(id: MessageId, reader: &mut Reader<'_>) -> Result<Self, MessageError> {
        let (meter, not_after_utc_s) = (MeterRef::read(reader)?, reader.i64()?);
        let code = reader.byte()?;
        let order = Order::read(code, reader)?.ok_or(MessageError::Order { order: code, id, meter })?;
        Ok(Self { meter, not_after_utc_s, order })
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), MessageError> {
        self.meter.write(writer)?;
        writer.bytes(&self.not_after_utc_s.to_be_bytes())?;
        self.order.write(writer)
    }
}
