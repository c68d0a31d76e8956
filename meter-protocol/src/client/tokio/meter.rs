//! Typed calls of the client: one for each block of the meter.
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

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    typed_reads!((async), (.await), io::Error);
    typed_writes!((async), (.await), io::Error);

    /// Holding registers, raw.
    ///
    /// # Errors
    /// [`MeterError`].
    pub async fn read_registers<'b>(
        &mut self,
        unit: u8,
        address: u16,
        count: u16,
        buffer: &'b mut ReplyBuffer,
    ) -> Result<Registers<'b>, MeterError> {
        let request = Request::read_holding(address, count)?;
        self.read(unit, &request, buffer).await
    }

    /// The realtime block in its usual layout: 03H @0200H, 48 registers.
    ///
    /// # Errors
    /// [`MeterError`].
    pub async fn read_realtime(&mut self, unit: u8) -> Result<Realtime, MeterError> {
        self.read_realtime_as(RealtimeLayout::FourRate, unit).await
    }

    /// The prepay block: 03H @0400H, 25 registers.
    ///
    /// # Errors
    /// [`MeterError`].
    pub async fn read_prepay(&mut self, unit: u8) -> Result<PrepayBlock, MeterError> {
        let mut buffer = ReplyBuffer::new();
        let registers = self.read(unit, &PrepayBlock::READ, &mut buffer).await?;
        Ok(PrepayBlock::from_registers(&registers)?)
    }

    /// Force mode and state: 03H @0057H, 2 registers.
    ///
    /// # Errors
    /// [`MeterError`].
    pub async fn read_force(&mut self, unit: u8) -> Result<ForceState, MeterError> {
        let mut buffer = ReplyBuffer::new();
        let registers = self.read(unit, &ForceState::READ, &mut buffer).await?;
        Ok(ForceState::from_registers(&registers)?)
    }

    /// The meter number: 03H @0043H, 3 registers.
    ///
    /// # Errors
    /// [`MeterError`].
    pub async fn read_meter_number(&mut self, unit: u8) -> Result<MeterNumber, MeterError> {
        let mut buffer = ReplyBuffer::new();
        let registers = self.read(unit, &MeterNumber::READ, &mut buffer).await?;
        Ok(MeterNumber::from_registers(&registers)?)
    }

    /// The firmware version: 11H.
    ///
    /// # Errors
    /// [`MeterError`].
    pub async fn read_version(&mut self, unit: u8) -> Result<FirmwareVersion, MeterError> {
        let mut buffer = ReplyBuffer::new();
        let reply = self.transact(unit, &FirmwareVersion::READ, &mut buffer).await?;
        Ok(FirmwareVersion::from_reply(&reply)?)
    }

    /// A day table, as raw slots.
    ///
    /// # Errors
    /// [`MeterError`].
    pub async fn read_day_table(
        &mut self,
        model: &Confirmed<Model>,
        number: DayTableNumber,
    ) -> Result<DayTableReading, MeterError> {
        let mut buffer = ReplyBuffer::new();
        let request = DayTableReading::read(model, number)?;
        let registers = self.read(model.unit(), &request, &mut buffer).await?;
        Ok(DayTableReading::from_registers(&registers)?)
    }

    /// The date table, as raw entries.
    ///
    /// # Errors
    /// [`MeterError`].
    pub async fn read_date_table(&mut self, model: &Confirmed<Model>) -> Result<DateTable, MeterError> {
        let mut buffer = ReplyBuffer::new();
        let registers = self.read(model.unit(), &DateTable::read(model)?, &mut buffer).await?;
        Ok(DateTable::from_registers(&registers)?)
    }

    /// Sends a sale, once. The caller has made it durable before, and reads count and balance afterwards, whatever
    /// this returns. The raw bytes of the reply are had by [`Client::transact`].
    ///
    /// # Errors
    /// [`TransactError`].
    pub async fn sell(&mut self, unit: u8, sale: &Purchase) -> Result<(), TransactError> {
        self.write(unit, &sale.request()).await
    }

    /// Sends settings. Read back with [`Client::read_prepay`].
    ///
    /// # Errors
    /// [`MeterError`].
    pub async fn write_settings(&mut self, unit: u8, settings: &Settings) -> Result<(), MeterError> {
        Ok(self.write(unit, &settings.request()?).await?)
    }

    /// Overwrites money, once. Read back with [`Client::read_prepay`], whatever this returns.
    ///
    /// # Errors
    /// [`MeterError`].
    pub async fn overwrite_money(&mut self, unit: u8, money: &MoneyOverwrite) -> Result<(), MeterError> {
        Ok(self.write(unit, &money.request()?).await?)
    }

    /// Writes force mode and state. Read back with [`Client::read_force`] and status word 1.
    ///
    /// # Errors
    /// [`TransactError`].
    pub async fn write_force(&mut self, unit: u8, mode: ForceMode) -> Result<(), TransactError> {
        self.write(unit, &mode.request()).await
    }

    /// Sets the clock. Read back with [`Client::read_realtime`].
    ///
    /// # Errors
    /// [`TransactError`].
    pub async fn write_clock(&mut self, unit: u8, clock: &Clock) -> Result<(), TransactError> {
        self.write(unit, &clock.frame().request()).await
    }

    /// Writes a day table at the address of the confirmed model. Read back with [`Client::read_day_table`].
    ///
    /// # Errors
    /// [`MeterError`]; [`BuildError::Confirmation`] when the model was confirmed on another connection.
    pub async fn write_day_table(
        &mut self,
        model: &Confirmed<Model>,
        number: DayTableNumber,
        table: &DayTable,
    ) -> Result<(), MeterError> {
        self.check_confirmation(model)?;
        Ok(self.write(model.unit(), &table.request(model, number)?).await?)
    }

    /// Writes the date table at the address of the confirmed model. Read back with [`Client::read_date_table`].
    ///
    /// # Errors
    /// [`MeterError`]; [`BuildError::Confirmation`] when the model was confirmed on another connection.
    pub async fn write_date_table(&mut self, model: &Confirmed<Model>, table: &DateTable) -> Result<(), MeterError> {
        self.check_confirmation(model)?;
        Ok(self.write(model.unit(), &table.request(model)?).await?)
    }

    fn check_confirmation(&self, model: &Confirmed<Model>) -> Result<(), BuildError> {
        let (unit, link) = (model.unit(), self.link());
        if model.link() == link {
            return Ok(());
        }
        Err(BuildError::Confirmation { confirmed_unit: unit, confirmed_link: model.link(), unit, link })
    }
}
