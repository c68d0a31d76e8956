//! What can be written: plain registers by function 10H, money and settings by function 20H.

use super::clock;
use super::meter::{UNIT_MAX, VirtualMeter};
use super::options::{ForcePerLine, RatioOrder};
use super::purse::{Purse, Refused};
use super::serve::{self, WriteError};
use super::tables::{DateTable, DayTable};

/// Highest baud index: 1200, 2400, 4800, 9600, 19200, 38400 count from 0.
const BAUD_INDEX_MAX: u8 = 5;
/// Highest parity or stop-bit index that the maker's tool offers.
const FORMAT_INDEX_MAX: u8 = 2;

impl VirtualMeter {
    /// Function 10H. Each documented block is taken from its first register; a write is carried out whole or not at
    /// all.
    pub(super) fn write_registers(&mut self, start: u16, bytes: &[u8]) -> Result<(), WriteError> {
        let [day_table_1, day_table_2] = self.model.day_table_addresses();
        let is_table = [day_table_1, day_table_2, self.model.date_table_address()].contains(&start);
        match (start, bytes) {
            _ if is_table => self.write_table(start, bytes),
            (0x0022, &[high, low]) => self.write_run_state(u16::from_be_bytes([high, low])),
            (0x0037 | 0x0038, [_, _] | [_, _, _, _]) => self.write_ratios(start, bytes),
            (0x0043, _) => self.write_number(bytes.try_into().map_err(|_| WriteError::Address)?),
            (0x0057, &[_, _, _, _] | &[_, _]) | (0x0058, &[_, _]) => self.write_force(start, bytes),
            (0x0063, &[0, mode @ (0 | 1)]) => {
                self.relay_output_mode = u16::from(mode);
                Ok(())
            }
            (0x0063, &[_, _]) => Err(WriteError::Value),
            (0x0360, [unit, baud, parity, stop, number @ ..]) if matches!(number.len(), 0 | 6) => {
                self.write_port_1(*unit, *baud, [*parity, *stop], number)
            }
            (0x0360, &[unit, baud]) => self.write_port_1(unit, baud, self.port_1_format, &[]),
            (0x0365, [_, _, _, _, _, _, _, _, _, _]) => {
                for (word, value) in self.port_2.iter_mut().zip(serve::words(bytes).ok_or(WriteError::Address)?) {
                    *word = value;
                }
                Ok(())
            }
            (0x0399, &[high, low]) => {
                self.relay_pulse_ms = u16::from_be_bytes([high, low]);
                Ok(())
            }
            (0x039A, &[high, low]) => {
                self.relay_interval_s = u16::from_be_bytes([high, low]);
                Ok(())
            }
            (0x03A0, _) => {
                self.serial_ascii = bytes.try_into().map_err(|_| WriteError::Address)?;
                Ok(())
            }
            _ => Err(WriteError::Address),
        }
    }

    fn write_table(&mut self, start: u16, bytes: &[u8]) -> Result<(), WriteError> {
        let [day_table_1, _] = self.model.day_table_addresses();
        if start == self.model.date_table_address() {
            check_length(bytes, 12)?;
            let table = DateTable::from_bytes(bytes, self.options.date_table);
            self.date_table = table.ok_or(WriteError::Value)?;
            return Ok(());
        }
        check_length(bytes, 42)?;
        let rates = if self.has_eight_rates() { 5 } else { 4 };
        let table = DayTable::from_bytes(bytes, self.options.rate_codes, rates).ok_or(WriteError::Value)?;
        let [first, second] = &mut self.day_tables;
        *(if start == day_table_1 { first } else { second }) = table;
        Ok(())
    }

    /// Frame encryption (bit 5) can only be switched on in a meter that has a key.
    fn write_run_state(&mut self, word: u16) -> Result<(), WriteError> {
        if word & 0x0020 != 0 && self.cipher_key.is_none() {
            return Err(WriteError::Value);
        }
        self.run_state = word;
        Ok(())
    }

    fn write_ratios(&mut self, start: u16, bytes: &[u8]) -> Result<(), WriteError> {
        let [mut first, mut second] = match self.options.ratio_order {
            RatioOrder::PtFirst => [self.pt_ratio, self.ct_ratio],
            RatioOrder::CtFirst => [self.ct_ratio, self.pt_ratio],
        };
        match (start, bytes) {
            (0x0037, &[a, b, c, d]) => (first, second) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])),
            (0x0037, &[a, b]) => first = u16::from_be_bytes([a, b]),
            (0x0038, &[a, b]) => second = u16::from_be_bytes([a, b]),
            _ => return Err(WriteError::Address),
        }
        if first == 0 || second == 0 {
            return Err(WriteError::Value);
        }
        (self.pt_ratio, self.ct_ratio) = match self.options.ratio_order {
            RatioOrder::PtFirst => (first, second),
            RatioOrder::CtFirst => (second, first),
        };
        Ok(())
    }

    fn write_number(&mut self, bcd: [u8; 6]) -> Result<(), WriteError> {
        if !is_bcd(&bcd) {
            return Err(WriteError::Value);
        }
        self.number_bcd = bcd;
        Ok(())
    }

    /// 0057H mode (0 automatic, 1 forced), 0058H state (0 supply on, 1 supply off).
    fn write_force(&mut self, start: u16, bytes: &[u8]) -> Result<(), WriteError> {
        let (mode, state) = match (start, bytes) {
            (0x0057, &[0, mode @ (0 | 1), 0, state @ (0 | 1)]) => (mode == 1, state == 1),
            (0x0057, &[0, mode @ (0 | 1)]) => (mode == 1, self.forced_open),
            (0x0058, &[0, state @ (0 | 1)]) => (self.forced, state == 1),
            _ => return Err(WriteError::Value),
        };
        (self.forced, self.forced_open) = (mode, state);
        Ok(())
    }

    fn write_port_1(&mut self, unit: u8, baud: u8, format: [u8; 2], number: &[u8]) -> Result<(), WriteError> {
        let possible = (1..=UNIT_MAX).contains(&unit)
            && baud <= BAUD_INDEX_MAX
            && format.iter().all(|index| *index <= FORMAT_INDEX_MAX)
            && is_bcd(number);
        if !possible {
            return Err(WriteError::Value);
        }
        if let Ok(number) = number.try_into() {
            self.number_bcd = number;
        }
        (self.unit, self.port_1_baud_index, self.port_1_format) = (unit, baud, format);
        Ok(())
    }

    /// 20H at 0100H: amount, new purchase count, zero.
    pub(super) fn take_sale(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let &[a3, a2, a1, a0, c1, c0, 0, 0] = bytes else { return Err(Refused) };
        let amount_cents = u32::from_be_bytes([a3, a2, a1, a0]);
        self.purse.sell(amount_cents, u16::from_be_bytes([c1, c0]), &self.options)
    }

    /// 20H at 0200H: fields that each carry a flag byte. All flagged fields are checked before the first is applied.
    pub(super) fn take_parameters(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let fields = Parameters { bytes };
        let mut purse = self.purse;
        if let Some([enable]) = fields.flagged(0)? {
            purse.enabled = match enable {
                0 => false,
                1 => true,
                _ => return Err(Refused),
            };
        }
        if let Some(remaining) = fields.flagged(2)? {
            purse.overwrite_remaining(i32::from_be_bytes(remaining));
        }
        if let Some(count) = fields.flagged(7)? {
            purse.count = u16::from_be_bytes(count);
        }
        if let Some(total) = fields.flagged(10)? {
            if !Purse::total_is_writable(&self.options) {
                return Err(Refused);
            }
            purse.purchased_cents = u32::from_be_bytes(total);
        }
        if let Some(base) = fields.flagged(15)? {
            purse.base_cents = u32::from_be_bytes(base);
        }
        if let Some(alarms) = fields.flagged::<8>(20)? {
            [purse.alarm_1_cents, purse.alarm_2_cents] = amounts(&alarms)?;
        }
        if let Some(prices) = fields.flagged::<16>(29)? {
            purse.prices = amounts(&prices)?;
        }
        if let Some(overdraft) = fields.flagged(46)? {
            purse.overdraft_cents = u32::from_be_bytes(overdraft);
            // Below this the register of the remaining amount could not show the limit.
            i32::try_from(purse.overdraft_cents).map_err(|_| Refused)?;
        }
        if let Some([mode]) = fields.flagged(51)? {
            purse.warning_mode = mode;
        }
        if let Some(number) = fields.flagged::<6>(53)? {
            self.write_number(number).map_err(|_| Refused)?;
        }
        self.purse = purse;
        Ok(())
    }

    /// 20H at 0500H: flag, mode and state of each line. There is one relay, so the first flagged line decides.
    pub(super) fn take_force_per_line(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let one_is_off = self.options.force_per_line == ForcePerLine::OneIsOff;
        for &[flag, mode, state] in bytes.as_chunks::<3>().0.iter().take(self.model.phases()) {
            if flag > 1 || mode > 1 || state > 1 {
                return Err(Refused);
            }
            if flag == 1 {
                (self.forced, self.forced_open) = (mode == 1, (state == 1) == one_is_off);
                return Ok(());
            }
        }
        Ok(())
    }

    /// 20H at 0354H: second, minute, hour, weekday, day, month, year - 2000, three zeros.
    pub(super) fn take_clock(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let &[second, minute, hour, weekday, day, month, year, 0, 0, 0] = bytes else { return Err(Refused) };
        let year = u16::from(year).saturating_add(2000);
        let local_ms = clock::from_civil(year, month, day, hour, minute, second).ok_or(Refused)?;
        if weekday > 6 {
            return Err(Refused);
        }
        self.clock.reset(self.time_ms, local_ms);
        self.demand.restart_window();
        Ok(())
    }
}

/// The data bytes of a parameter frame.
struct Parameters<'a> {
    bytes: &'a [u8],
}

impl Parameters<'_> {
    /// The value behind the flag at `position`, if the flag is 1.
    fn flagged<const N: usize>(&self, position: usize) -> Result<Option<[u8; N]>, Refused> {
        let mut field = self.bytes.iter().skip(position).copied();
        let flag = field.next().ok_or(Refused)?;
        let mut value = [0; N];
        for byte in &mut value {
            *byte = field.next().ok_or(Refused)?;
        }
        Ok((flag == 1).then_some(value))
    }
}

/// 32-bit values in a row.
fn amounts<const N: usize>(bytes: &[u8]) -> Result<[u32; N], Refused> {
    let mut values = [0; N];
    for (value, four) in values.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *value = u32::from_be_bytes(*four);
    }
    if bytes.len() == size_of::<[u32; N]>() { Ok(values) } else { Err(Refused) }
}

fn check_length(bytes: &[u8], length: usize) -> Result<(), WriteError> {
    if bytes.len() == length { Ok(()) } else { Err(WriteError::Address) }
}

fn is_bcd(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| byte >> 4 <= 9 && byte & 0x0F <= 9)
}
