//! Typed calls over tokio: one for each block of the meter, the same for a [`Client`] and for a meter that dialled in.
//!
//! A write returns when the meter has answered. That it took effect is shown by reading back, which is the caller's
//! to do: a sale by count and balance, settings by the prepay block, a switch by status word 1.

use super::{Client, MeterError, ReplyBuffer, TransactError};
use crate::acrel::{
    Block, BlockError, BuildError, Clock, Confirmed, DateTable, DayTable, DayTableNumber, DayTableReading,
    FirmwareVersion, ForceMode, ForceState, MeterNumber, Model, MoneyOverwrite, PrepayBlock, Purchase, Realtime,
    RealtimeLayout, Settings,
};
use crate::client::typed::{typed_reads, typed_writes};
use crate::map::{Field, Integer, Number};
use crate::wire::{Registers, Reply, Request};
use ::tokio::io::{AsyncRead, AsyncWrite};
use std::io;

/// Writes the calls into an `impl` block that has `typed_reads` and `typed_writes`.
macro_rules! named_calls {
    ($this:ident, ($($receiver:tt)*)) => {
        /// Holding registers, raw.
        ///
        /// # Errors
        /// [`MeterError`].
        pub async fn read_registers<'b>(
            $($receiver)*,
            unit: u8,
            address: u16,
            count: u16,
            buffer: &'b mut ReplyBuffer,
        ) -> Result<Registers<'b>, MeterError> {
            let request = Request::read_holding(address, count)?;
            $this.read(unit, &request, buffer).await
        }

        /// The realtime block in its usual layout: 03H @0200H, 48 registers.
        ///
        /// # Errors
        /// [`MeterError`].
        pub async fn read_realtime($($receiver)*, unit: u8) -> Result<Realtime, MeterError> {
            $this.read_realtime_as(RealtimeLayout::FourRate, unit).await
        }

        /// The prepay block: 03H @0400H, 25 registers.
        ///
        /// # Errors
        /// [`MeterError`].
        pub async fn read_prepay($($receiver)*, unit: u8) -> Result<PrepayBlock, MeterError> {
            let mut buffer = ReplyBuffer::new();
            let registers = $this.read(unit, &PrepayBlock::READ, &mut buffer).await?;
            Ok(PrepayBlock::from_registers(&registers)?)
        }

        /// Force mode and state: 03H @0057H, 2 registers.
        ///
        /// # Errors
        /// [`MeterError`].
        pub async fn read_force($($receiver)*, unit: u8) -> Result<ForceState, MeterError> {
            let mut buffer = ReplyBuffer::new();
            let registers = $this.read(unit, &ForceState::READ, &mut buffer).await?;
            Ok(ForceState::from_registers(&registers)?)
        }

        /// The meter number: 03H @0043H, 3 registers.
        ///
        /// # Errors
        /// [`MeterError`].
        pub async fn read_meter_number($($receiver)*, unit: u8) -> Result<MeterNumber, MeterError> {
            let mut buffer = ReplyBuffer::new();
            let registers = $this.read(unit, &MeterNumber::READ, &mut buffer).await?;
            Ok(MeterNumber::from_registers(&registers)?)
        }

        /// The firmware version: 11H.
        ///
        /// # Errors
        /// [`MeterError`].
        pub async fn read_version($($receiver)*, unit: u8) -> Result<FirmwareVersion, MeterError> {
            let mut buffer = ReplyBuffer::new();
            let reply = $this.transact(unit, &FirmwareVersion::READ, &mut buffer).await?;
            Ok(FirmwareVersion::from_reply(&reply)?)
        }

        /// A day table, as raw slots.
        ///
        /// # Errors
        /// [`MeterError`].
        pub async fn read_day_table(
            $($receiver)*,
            model: &Confirmed<Model>,
            number: DayTableNumber,
        ) -> Result<DayTableReading, MeterError> {
            let mut buffer = ReplyBuffer::new();
            let request = DayTableReading::read(model, number)?;
            let registers = $this.read(model.unit(), &request, &mut buffer).await?;
            Ok(DayTableReading::from_registers(&registers)?)
        }

        /// The date table, as raw entries.
        ///
        /// # Errors
        /// [`MeterError`].
        pub async fn read_date_table($($receiver)*, model: &Confirmed<Model>) -> Result<DateTable, MeterError> {
            let mut buffer = ReplyBuffer::new();
            let registers = $this.read(model.unit(), &DateTable::read(model)?, &mut buffer).await?;
            Ok(DateTable::from_registers(&registers)?)
        }

        /// Sends a sale, once. The caller has made it durable before, and reads count and balance afterwards, whatever
        /// this returns. The raw bytes of the reply are had by [`Self::transact`].
        ///
        /// # Errors
        /// [`TransactError`].
        pub async fn sell($($receiver)*, unit: u8, sale: &Purchase) -> Result<(), TransactError> {
            $this.write(unit, &sale.request()).await
        }

        /// Sends settings. Read back with [`Self::read_prepay`].
        ///
        /// # Errors
        /// [`MeterError`].
        pub async fn write_settings($($receiver)*, unit: u8, settings: &Settings) -> Result<(), MeterError> {
            Ok($this.write(unit, &settings.request()?).await?)
        }

        /// Overwrites money, once. Read back with [`Self::read_prepay`], whatever this returns.
        ///
        /// # Errors
        /// [`MeterError`].
        pub async fn overwrite_money($($receiver)*, unit: u8, money: &MoneyOverwrite) -> Result<(), MeterError> {
            Ok($this.write(unit, &money.request()?).await?)
        }

        /// Writes force mode and state. Read back with [`Self::read_force`] and status word 1.
        ///
        /// # Errors
        /// [`TransactError`].
        pub async fn write_force($($receiver)*, unit: u8, mode: ForceMode) -> Result<(), TransactError> {
            $this.write(unit, &mode.request()).await
        }

        /// Sets the clock. Read back with [`Self::read_realtime`].
        ///
        /// # Errors
        /// [`TransactError`].
        pub async fn write_clock($($receiver)*, unit: u8, clock: &Clock) -> Result<(), TransactError> {
            $this.write(unit, &clock.frame().request()).await
        }

        /// Writes a day table at the address of the confirmed model. Read back with [`Self::read_day_table`].
        ///
        /// # Errors
        /// [`MeterError`]; [`BuildError::Confirmation`] when the model was confirmed on another connection.
        pub async fn write_day_table(
            $($receiver)*,
            model: &Confirmed<Model>,
            number: DayTableNumber,
            table: &DayTable,
        ) -> Result<(), MeterError> {
            $this.check_confirmation(model)?;
            Ok($this.write(model.unit(), &table.request(model, number)?).await?)
        }

        /// Writes the date table at the address of the confirmed model. Read back with [`Self::read_date_table`].
        ///
        /// # Errors
        /// [`MeterError`]; [`BuildError::Confirmation`] when the model was confirmed on another connection.
        pub async fn write_date_table($($receiver)*, model: &Confirmed<Model>, table: &DateTable) -> Result<(), MeterError> {
            $this.check_confirmation(model)?;
            Ok($this.write(model.unit(), &table.request(model)?).await?)
        }

        fn check_confirmation(&$this, model: &Confirmed<Model>) -> Result<(), BuildError> {
            let (unit, link) = (model.unit(), $this.link());
            if model.link() == link {
                return Ok(());
            }
            Err(BuildError::Confirmation { confirmed_unit: unit, confirmed_link: model.link(), unit, link })
        }
    };
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    typed_reads!((async), (.await), io::Error, self, (&mut self));
    typed_writes!((async), (.await), io::Error, self, (&mut self));
    named_calls!(self, (&mut self));
}

/// Requests of all callers go one after another; a meter of its own is a clone.
#[cfg(feature = "dial-in")]
impl super::dial_in::DialedMeter {
    typed_reads!((async), (.await), io::Error, self, (&self));
    typed_writes!((async), (.await), io::Error, self, (&self));
    named_calls!(self, (&self));
}
