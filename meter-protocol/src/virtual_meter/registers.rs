//! What function 03H reads: the registers of the maker's documents, by raw address.

use super::clock::{self, Civil};
use super::load::{Load, Measured};
use super::meter::VirtualMeter;
use super::model::Model;
use super::options::{RatioOrder, RelayBits, TotalMeaning};
use super::tables::{DATE_TABLE_REGISTERS, DAY_TABLE_REGISTERS};

/// One word of a row of 32-bit values, high word first.
fn word_of(values: &[u32], offset: u16) -> Option<u16> {
    let value = values.get(usize::from(offset / 2))?;
    let [b0, b1, b2, b3] = value.to_be_bytes();
    Some(if offset.is_multiple_of(2) { u16::from_be_bytes([b0, b1]) } else { u16::from_be_bytes([b2, b3]) })
}

/// One word of a row of bytes, high byte first.
fn word_in(bytes: &[u8], offset: u16) -> Option<u16> {
    bytes.as_chunks::<2>().0.get(usize::from(offset)).map(|pair| u16::from_be_bytes(*pair))
}

impl VirtualMeter {
    /// The register at `address` now, or `None` where this model has none.
    #[must_use]
    pub fn register(&self, address: u16) -> Option<u16> {
        if let Some(word) = self.table_register(address) {
            return Some(word);
        }
        let at = |first: u16| address.saturating_sub(first);
        match address {
            0x0000..=0x0009 => word_of(&self.energy_registers(), address),
            0x000A..=0x0010 => self.low_block(at(0x000A)),
            0x0022 => Some(self.run_state),
            0x0037 | 0x0038 => {
                let [first, second] = match self.options.ratio_order {
                    RatioOrder::PtFirst => [self.pt_ratio, self.ct_ratio],
                    RatioOrder::CtFirst => [self.ct_ratio, self.pt_ratio],
                };
                Some(if address == 0x0037 { first } else { second })
            }
            0x0043..=0x0045 => word_in(&self.number_bcd, at(0x0043)),
            0x0046..=0x0061 => self.prepay_low_block(at(0x0046)),
            0x0063 => Some(self.relay_output_mode),
            0x0200..=0x022F => self.realtime_block(at(0x0200)),
            0x0230 | 0x0231 if self.has_eight_rates() => self.deep_valley(at(0x0230)),
            // Up to 72 registers; what they hold is not known.
            0x0232..=0x0247 if self.has_eight_rates() => Some(0),
            0x0360..=0x0369 => self.port_block(at(0x0360)),
            0x0399 => Some(self.relay_pulse_ms),
            0x039A => Some(self.relay_interval_s),
            0x03A0..=0x03A6 => word_in(&self.serial_ascii, at(0x03A0)),
            0x0400..=0x0418 => self.prepay_block(at(0x0400)),
            0x0420..=0x046E => self.time_control.register(at(0x0420), self.model, self.options.time_enable),
            0x0480..=0x0492 => self.load_control.register(at(0x0480), self.model, self.options.load_enable),
            0x5030 | 0x5031 if self.has_eight_rates() => self.deep_valley(at(0x5030)),
            _ => None,
        }
    }

    fn deep_valley(&self, offset: u16) -> Option<u16> {
        word_of(&[self.shown(self.deep_valley_mj())], offset)
    }

    fn table_register(&self, address: u16) -> Option<u16> {
        let inside = |first: u16, registers: u16| address.checked_sub(first).filter(|offset| *offset < registers);
        if let Some(offset) = inside(self.model.date_table_address(), DATE_TABLE_REGISTERS) {
            return self.date_table.word(offset);
        }
        let addresses = self.model.day_table_addresses();
        self.day_tables
            .iter()
            .zip(addresses)
            .find_map(|(table, first)| inside(first, DAY_TABLE_REGISTERS).and_then(|offset| table.word(offset)))
    }

    /// What the meter measures now. Voltages stay on an open relay, which is behind the measuring point.
    fn measured(&self) -> Measured {
        let mut load = self.load;
        if !self.relay_closed() {
            load = Load { decivolts: load.decivolts, ..Load::NONE };
        }
        Measured::of(&load, self.model)
    }

    /// 000AH to 0010H.
    fn low_block(&self, offset: u16) -> Option<u16> {
        if self.model == Model::Dtsy1352 && !self.options.low_block_on_dtsy {
            return None;
        }
        let Measured { voltage, current, active, reactive, factor, apparent } = self.measured();
        match offset {
            // The menu code: never shown on the wire by this meter.
            0 => Some(0),
            1 => voltage.first().copied(),
            2 => current.first().copied(),
            3 => active.last().copied(),
            4 => reactive.last().copied(),
            5 => Some(apparent),
            6 => factor.last().copied(),
            _ => None,
        }
    }

    /// 0200H to 022FH.
    fn realtime_block(&self, offset: u16) -> Option<u16> {
        let electrical = |pick: fn(&Measured) -> &[u16], first: u16| {
            pick(&self.measured()).get(usize::from(offset.saturating_sub(first))).copied()
        };
        match offset {
            0 => Some(self.model.code()),
            1..=3 => electrical(|m| &m.voltage, 1),
            4..=6 => electrical(|m| &m.current, 4),
            7..=10 => electrical(|m| &m.active, 7),
            11..=14 => electrical(|m| &m.reactive, 11),
            15..=18 => electrical(|m| &m.factor, 15),
            19 => Some(self.pt_ratio),
            20 => Some(self.ct_ratio),
            21..=30 => word_of(&self.energy_registers(), offset.saturating_sub(21)),
            31..=32 => word_of(&[self.remaining_bits()], offset.saturating_sub(31)),
            33 => Some(self.purse.count),
            34 => Some(self.load_control.trip_count()),
            35 => Some(self.load_control.allowed_trips()),
            36 => Some(self.status_word_1()),
            37 => Some(self.status_word_2()),
            38..=39 => word_of(&[self.purse.base_cents], offset.saturating_sub(38)),
            40..=47 => word_in(&self.clock_and_demand(), offset.saturating_sub(40)),
            _ => None,
        }
    }

    /// The bytes of 0228H to 022FH.
    fn clock_and_demand(&self) -> [u8; 16] {
        let Civil { year, month, day, weekday, hour, minute, second } = clock::civil(self.clock.local_ms(self.time_ms));
        let short_year = u8::try_from(year % 100).unwrap_or(0);
        if self.has_eight_rates() {
            return [short_year, month, day, hour, minute, second, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        }
        let [demand_high, demand_low] = self.demand.max_w.to_be_bytes();
        let [at_minute, at_hour, at_day, at_month] = self.demand.max_at;
        [
            short_year,
            month,
            day,
            weekday,
            hour,
            minute,
            second,
            demand_high,
            demand_low,
            at_minute,
            at_hour,
            at_day,
            at_month,
            0,
            0,
            0,
        ]
    }

    fn remaining_bits(&self) -> u32 {
        self.remaining_cents().cast_unsigned()
    }

    /// 0046H to 0061H.
    fn prepay_low_block(&self, offset: u16) -> Option<u16> {
        let purse = &self.purse;
        match offset {
            0..=5 => word_of(&[purse.alarm_1_cents, purse.alarm_2_cents, purse.overdraft_cents], offset),
            // 004CH, 0051H and 0056H have no known meaning; the maker's tool writes zeros.
            6 | 7 | 11..=14 | 16 => Some(0),
            8 => Some(purse.count),
            9 | 10 => word_of(&[self.remaining_bits()], offset.saturating_sub(9)),
            15 => Some(u16::from_be_bytes([u8::from(purse.enabled), 0])),
            17 => Some(u16::from(self.forced)),
            18 => Some(u16::from(self.forced_open)),
            19..=26 => word_of(&purse.prices, offset.saturating_sub(19)),
            27 => Some(self.load_control.max_w()),
            _ => None,
        }
    }

    /// 0360H to 0369H.
    fn port_block(&self, offset: u16) -> Option<u16> {
        match offset {
            0 => Some(u16::from_be_bytes([self.unit, self.port_1_baud_index])),
            1 => Some(u16::from_be_bytes(self.port_1_format)),
            2..=4 => word_in(&self.number_bcd, offset.saturating_sub(2)),
            _ => self.port_2.get(usize::from(offset.saturating_sub(5))).copied(),
        }
    }

    /// 0400H to 0418H.
    fn prepay_block(&self, offset: u16) -> Option<u16> {
        let purse = &self.purse;
        let [total_energy, ..] = self.energy_registers();
        let total = match self.options.total {
            TotalMeaning::Energy => total_energy,
            TotalMeaning::Purchased => purse.purchased_cents,
        };
        match offset {
            0 => Some(u16::from(purse.enabled)),
            1 => Some(purse.count),
            2..=9 => word_of(&purse.prices, offset.saturating_sub(2)),
            10..=15 => {
                let levels = [purse.alarm_1_cents, purse.alarm_2_cents, purse.overdraft_cents];
                word_of(&levels, offset.saturating_sub(10))
            }
            16 | 17 => Some(0),
            18..=23 => word_of(&[total, self.remaining_bits(), purse.base_cents], offset.saturating_sub(18)),
            24 => Some(u16::from(purse.warning_mode)),
            _ => None,
        }
    }

    /// 0224H.
    fn status_word_1(&self) -> u16 {
        let [alarm_1, alarm_2] = self.purse.alarms(self.options.rounding);
        let relay = match self.options.relay_bits {
            RelayBits::AllTogether => 0xE000,
            RelayBits::Bit15 => 0x8000,
            RelayBits::Bit13 => 0x2000,
        };
        let bits = [
            (self.forced && !self.forced_open, 0x0007),
            (self.forced, 0x0008),
            (self.load_control.is_open(), 0x0010),
            (self.purse.is_in_arrears(self.options.rounding), 0x0020),
            (alarm_1, 0x0040),
            (alarm_2, 0x0080),
            (self.fault, 0x0100),
            (self.relay_closed(), relay),
        ];
        joined(&bits)
    }

    /// 0225H.
    fn status_word_2(&self) -> u16 {
        let limited = self.load_control.is_enabled();
        let timed = self.time_control.is_enabled();
        joined(&[
            (limited && !self.load_control.is_open(), 0x0007),
            (limited, 0x0008),
            (timed && !self.time_control.is_open(self.clock.local_ms(self.time_ms)), 0x0070),
            (timed, 0x0080),
            (self.purse.enabled && !self.purse.tripped, 0x0700),
            (self.purse.enabled, 0x0800),
        ])
    }
}

/// The masks whose condition holds, together.
fn joined(bits: &[(bool, u16)]) -> u16 {
    bits.iter().filter(|(on, _)| *on).fold(0, |word, (_, mask)| word | mask)
}
