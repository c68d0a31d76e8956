//! Typed calls of the drivers that share them. They differ in nothing but `async` and how they take themselves, so they
//! are written once. `self` comes in from where the macro is used: a macro can't name the caller's.

/// Writes the calls into an `impl` block that has `transact`.
macro_rules! typed_reads {
    (($($async:tt)*), ($($await:tt)*), $source:ty, $this:ident, ($($receiver:tt)*)) => {
        /// Reads a block by its type: [`crate::acrel::Realtime`], [`crate::acrel::PrepayBlock`] and the like.
        ///
        /// # Errors
        /// [`MeterError`](crate::client::MeterError).
        pub $($async)* fn read_block<B: Block>($($receiver)*, unit: u8) -> Result<B, $crate::client::MeterError<$source>> {
            let mut buffer = ReplyBuffer::new();
            let registers = $this.read(unit, &B::READ, &mut buffer)$($await)*?;
            Ok(B::from_registers(&registers)?)
        }

        /// The realtime block in the layout that `detect_layout` found.
        ///
        /// # Errors
        /// [`MeterError`](crate::client::MeterError).
        pub $($async)* fn read_realtime_as(
            $($receiver)*,
            layout: RealtimeLayout,
            unit: u8,
        ) -> Result<Realtime, $crate::client::MeterError<$source>> {
            let mut buffer = ReplyBuffer::new();
            let registers = $this.read(unit, &layout.request(), &mut buffer)$($await)*?;
            Ok(Realtime::from_registers(layout, &registers)?)
        }

        /// Which layout the meter's firmware uses: asks for 72 registers; exception 02 or 03 means 48.
        ///
        /// # Errors
        /// [`TransactError`](crate::client::TransactError) other than these exceptions.
        pub $($async)* fn detect_layout($($receiver)*, unit: u8) -> Result<RealtimeLayout, $crate::client::TransactError<$source>> {
            let mut buffer = ReplyBuffer::new();
            match $this.transact(unit, &RealtimeLayout::DETECT, &mut buffer)$($await)* {
                Ok(_) => Ok(RealtimeLayout::EightRate),
                Err($crate::client::TransactError::Exception(exception)) => {
                    RealtimeLayout::detected(Err(exception)).ok_or($crate::client::TransactError::Exception(exception))
                }
                Err(error) => Err(error),
            }
        }

        /// The number in a field of any map, exact.
        ///
        /// # Errors
        /// [`MeterError`](crate::client::MeterError).
        pub $($async)* fn read_number<V: Integer>(
            $($receiver)*,
            unit: u8,
            field: &Field<V>,
        ) -> Result<Number, $crate::client::MeterError<$source>> {
            let mut buffer = ReplyBuffer::new();
            let registers = $this.read(unit, &field.info().read()?, &mut buffer)$($await)*?;
            Ok(field.number(&registers)?)
        }

        /// Registers of any read, raw.
        ///
        /// # Errors
        /// [`MeterError`](crate::client::MeterError).
        pub $($async)* fn read<'b>(
            $($receiver)*,
            unit: u8,
            request: &Request<'_>,
            buffer: &'b mut ReplyBuffer,
        ) -> Result<Registers<'b>, $crate::client::MeterError<$source>> {
            match $this.transact(unit, request, buffer)$($await)*? {
                Reply::Registers(registers) => Ok(registers),
                _ => Err(BlockError::Length { block: "registers", expected: 2, actual: 0 }.into()),
            }
        }
    };
}
pub(super) use typed_reads;

/// Writes the calls that change a meter into an `impl` block that has `typed_reads`, `link`, `response_timeout_us`,
/// `transact_within` and, with the frame cipher, `transact_enciphered`.
#[cfg(any(feature = "tokio", feature = "embedded-io-07", feature = "embedded-io-async-07"))]
macro_rules! typed_writes {
    (($($async:tt)*), ($($await:tt)*), $source:ty, $this:ident, ($($receiver:tt)*)) => {
        /// Asks the unit for its model: the key to writes that differ between models, good for this connection.
        ///
        /// # Errors
        /// [`MeterError`](crate::client::MeterError).
        pub $($async)* fn confirm_model($($receiver)*, unit: u8) -> Result<Confirmed<Model>, $crate::client::MeterError<$source>> {
            let mut buffer = ReplyBuffer::new();
            let link = $this.link();
            let registers = $this.read(unit, &Model::READ, &mut buffer)$($await)*?;
            Ok(Confirmed::from_reply(unit, link, &registers)?)
        }

        /// Writes a field of any map, once. Read back with `read_number`.
        ///
        /// # Errors
        /// [`MeterError`](crate::client::MeterError).
        pub $($async)* fn write_field<V: Integer>(
            $($receiver)*,
            unit: u8,
            field: &Field<V>,
            value: V,
        ) -> Result<(), $crate::client::MeterError<$source>> {
            let mut data = [0; 8];
            let request = field.write(value, &mut data)?;
            Ok($this.write(unit, &request)$($await)*?)
        }

        /// Sends a write, once: a sale, settings, a switch, as their types build it. It returns when the meter has
        /// answered; that it took effect is shown by reading back. A sale is made durable before, and read back
        /// whatever this returns.
        ///
        /// # Errors
        /// [`TransactError`](crate::client::TransactError).
        pub $($async)* fn write($($receiver)*, unit: u8, request: &Request<'_>) -> Result<(), $crate::client::TransactError<$source>> {
            let mut buffer = ReplyBuffer::new();
            let line_us = $this.response_timeout_us();
            let patience_us = line_us.max(crate::client::patience_us(request));
            $this.transact_within(unit, request, patience_us, &mut buffer)$($await)*.map(|_| ())
        }

        /// As `write`, enciphered with the operator's key of this meter: sales and parameters to a meter whose run
        /// state says that it takes them so. Everything else goes clear, by `write`.
        ///
        /// # Errors
        /// As `write`, and [`EncodeError::NotEnciphered`](crate::wire::EncodeError::NotEnciphered) for other requests:
        /// nothing is sent then.
        #[cfg(feature = "frame-cipher")]
        pub $($async)* fn write_enciphered(
            $($receiver)*,
            unit: u8,
            request: &Request<'_>,
            key: &$crate::acrel::FrameKey,
        ) -> Result<(), $crate::client::TransactError<$source>> {
            let mut buffer = ReplyBuffer::new();
            $this.transact_enciphered(unit, request, key, &mut buffer)$($await)*.map(|_| ())
        }
    };
}
#[cfg(any(feature = "tokio", feature = "embedded-io-07", feature = "embedded-io-async-07"))]
pub(super) use typed_writes;
